//! What a plan rests on: what is known of a subscription, and the addresses that may have to change.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;

use chrono::TimeDelta;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::super::{Approval, Member, MemberState, RunRecord, Seats, StoredHold, SubscriptionRecord};
use super::books::{member, select_members};
use super::rosters::{ENTRY, EntryLookup, entry, source_id};
use super::values::{Json, Ms, Word, address, counted, moment, moment_or_none};
use super::{Ledger, Result, known_subscription};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::dispatch::machine::Habits;
use crate::drift::Drift;
use crate::member::Departure;
use crate::plan::Hold;
use crate::plan::input::{Candidate, Counts};
use crate::roster::{Entry, Hasher};

/// Which addresses a plan looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Those that may have to change: touched by a roster's change, with a date that fell due, or not settled. After a
    /// first or a large change of a roster these are all.
    Touched,
    /// Every address that a roster names or the ledger knows.
    All,
}

/// The addresses that a plan is to look at.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidates {
    /// By identity, without doubles.
    pub list: Vec<Candidate>,
    /// For [`Ledger::record_plan`].
    pub seen: Seen,
    /// Whether anything touched the subscription since the last plan was done with.
    pub touched: bool,
}

/// Up to where a plan has looked: what touched the subscription later is for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub(super) seq: i64,
    pub(super) at: Timestamp,
}

/// A date in UTC is at most this far from the moment that a subscription's time zone makes of it.
const ZONE_MAX: TimeDelta = TimeDelta::hours(15);

impl Ledger {
    /// What is known of a subscription; of one that nobody has heard of, nothing.
    pub fn subscription(&self, name: &str) -> Result<SubscriptionRecord> {
        let restored = self.restored()?;
        self.read(|connection| {
            let Some(id) = known_subscription(connection, name)? else {
                return Ok(SubscriptionRecord { restored, ..SubscriptionRecord::default() });
            };
            let sql = "
                SELECT seats_available, seats_assigned, seats_as_of, full_since, probed_at, habits, scope, dates_until,
                       hold, hold_since, problem, problem_since, remote, key_rejected, drift, reasserted_at
                FROM subscription WHERE id = ?1";
            let mut record = connection.prepare_cached(sql)?.query_row([id], subscription_record)?;
            let sql = "
                SELECT id, started_at, finished_at, cause, outcome, requests, assigned, unassigned
                FROM run WHERE subscription_id = ?1 ORDER BY id DESC LIMIT 1";
            record.last_run = connection.prepare_cached(sql)?.query_row([id], run_record).optional()?;
            record.restored = restored;
            Ok(record)
        })
    }

    /// How many seats are held, how many were a day ago, and how many removals the guards count in between.
    pub fn counts(&self, subscription: &str, now: Timestamp) -> Result<Counts> {
        self.read(|connection| {
            let Some(id) = known_subscription(connection, subscription)? else { return Ok(Counts::default()) };
            let day_ago = now - TimeDelta::hours(24);
            let number = |sql: &str, at: Timestamp| -> Result<Option<u64>> {
                let mut statement = connection.prepare_cached(sql)?;
                Ok(statement.query_row(params![id, Ms(at)], |row| counted(row, 0)).optional()?)
            };
            let held = "SELECT held FROM seats_held WHERE subscription_id = ?1 AND at <= ?2 ORDER BY at DESC LIMIT 1";
            let holding = held_now(connection, id)?;
            // What is not as old as a day is taken from the end of its first run, when it has its seats.
            let then = first_run_end(connection, id)?.map_or(now, |end| end.max(day_ago).min(now));
            // The history stands in the order in which things happened, whatever the clock said: what was written before a
            // line that is a day old is no younger.
            let removed = "
                SELECT count(*) FROM history WHERE subscription_id = ?1 AND counts = 1 AND at > ?2 AND id > coalesce((
                  SELECT id FROM history WHERE subscription_id = ?1 AND at <= ?2 ORDER BY at DESC, id DESC LIMIT 1), 0)";
            Ok(Counts {
                holding,
                removed_last_day: number(removed, day_ago)?.unwrap_or(0),
                holding_day_ago: number(held, then)?.unwrap_or(0),
            })
        })
    }

    /// By identity. `now` bounds the dates that are looked at.
    pub fn candidates(&self, subscription: &str, sources: &[String], look: Look, now: Timestamp) -> Result<Candidates> {
        self.read(|connection| {
            let search = Search::new(connection, &self.hasher, subscription, sources)?;
            let (seq, look_at_all, dates_until) = search.marks()?;
            let list = if look == Look::All || look_at_all {
                search.all()?
            } else {
                search.some(search.touched(dates_until, now)?)?
            };
            let touched = look_at_all || search.is_touched()?;
            Ok(Candidates { list, seen: Seen { seq, at: now }, touched })
        })
    }

    /// One address, whatever its state, by its identity.
    pub fn candidate(&self, subscription: &str, sources: &[String], identity: &str) -> Result<Candidate> {
        self.read(|connection| {
            let search = Search::new(connection, &self.hasher, subscription, sources)?;
            search.one(&mut EntryLookup::new(connection)?, identity)
        })
    }

    /// Those that have not expired, the oldest first.
    pub fn approvals(&self, subscription: &str, now: Timestamp) -> Result<Vec<Approval>> {
        self.read(|connection| match known_subscription(connection, subscription)? {
            Some(id) => approvals(connection, id, now),
            None => Ok(Vec::new()),
        })
    }

    /// Members by state; a state that nobody is in is not named.
    pub fn member_counts(&self, subscription: &str) -> Result<Vec<(MemberState, u64)>> {
        self.read(|connection| {
            let sql = "
                SELECT state, sum(members) FROM member_count JOIN subscription ON subscription.id = subscription_id
                WHERE name = ?1 GROUP BY state HAVING sum(members) > 0 ORDER BY state";
            let mut statement = connection.prepare_cached(sql)?;
            let counts =
                statement.query_map([subscription], |row| Ok((row.get::<_, Word<_>>(0)?.0, counted(row, 1)?)))?;
            Ok(counts.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Since when the member has waited who waits longest for a seat, by subscription; where nobody waits there is none.
    pub fn oldest_pending(&self) -> Result<HashMap<String, Timestamp>> {
        self.read(|connection| {
            let sql = "
                SELECT name, oldest FROM (
                  SELECT name, (SELECT min(coalesce(waiting_since, since)) FROM member INDEXED BY member_waits
                    WHERE subscription_id = subscription.id AND state = 'pending') AS oldest
                  FROM subscription)
                WHERE oldest IS NOT NULL";
            let mut statement = connection.prepare_cached(sql)?;
            let oldest = statement.query_map([], |row| Ok((row.get(0)?, moment(row, 1)?)))?;
            Ok(oldest.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// By address.
    pub fn for_each_member(
        &self,
        subscription: &str,
        state: Option<MemberState>,
        each: &mut dyn FnMut(Member),
    ) -> Result<()> {
        self.read(|connection| {
            let Some(id) = known_subscription(connection, subscription)? else { return Ok(()) };
            // The words of the partial index, for states that are rare among many.
            let rest = match state {
                None | Some(MemberState::Assigned) => "WHERE subscription_id = ?1 AND (?2 IS NULL OR state = ?2)",
                Some(_) => {
                    "INDEXED BY member_unsettled
                     WHERE subscription_id = ?1 AND (state <> 'assigned' OR departure IS NOT NULL) AND state = ?2"
                }
            };
            let sql = select_members(&format!("{rest} ORDER BY identity"));
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params![id, state.map(Word)])?;
            while let Some(row) = rows.next()? {
                each(member(row)?);
            }
            Ok(())
        })
    }
}

pub(super) fn subscription_record(row: &Row<'_>) -> rusqlite::Result<SubscriptionRecord> {
    let seats = match moment_or_none(row, 2)? {
        Some(as_of) => Some(Seats { available: counted(row, 0)?, assigned: counted(row, 1)?, as_of }),
        None => None,
    };
    let hold: Option<Json<Hold>> = row.get(8)?;
    let problem: Option<String> = row.get(10)?;
    Ok(SubscriptionRecord {
        seats,
        full_since: moment_or_none(row, 3)?,
        probed_at: moment_or_none(row, 4)?,
        habits: row.get::<_, Json<Habits>>(5)?.0,
        scope: row.get(6)?,
        dates_until: moment_or_none(row, 7)?,
        hold: hold.zip(moment_or_none(row, 9)?).map(|(Json(hold), since)| StoredHold { hold, since }),
        problem: problem.zip(moment_or_none(row, 11)?),
        key_rejected: row.get(13)?,
        remote: row.get(12)?,
        drift: row.get::<_, Option<Json<Drift>>>(14)?.map(|drift| drift.0),
        reasserted_at: moment_or_none(row, 15)?,
        last_run: None,
        restored: None,
    })
}

pub(super) fn run_record(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    Ok(RunRecord {
        id: uuid::Uuid::from_bytes(row.get(0)?),
        started_at: moment(row, 1)?,
        finished_at: moment_or_none(row, 2)?,
        trigger: row.get::<_, Word<_>>(3)?.0,
        outcome: row.get::<_, Option<Word<_>>>(4)?.map(|word| word.0),
        requests: counted(row, 5)?,
        assigned: counted(row, 6)?,
        unassigned: counted(row, 7)?,
    })
}

pub(super) fn held_now(connection: &Connection, subscription: i64) -> Result<u64> {
    let sql = "SELECT coalesce(sum(members), 0) FROM member_count WHERE subscription_id = ?1 AND has_seat = 1";
    Ok(connection.prepare_cached(sql)?.query_row([subscription], |row| counted(row, 0))?)
}

fn first_run_end(connection: &Connection, subscription: i64) -> Result<Option<Timestamp>> {
    let sql = "
        SELECT finished_at FROM run WHERE subscription_id = ?1 AND finished_at IS NOT NULL ORDER BY id LIMIT 1";
    Ok(connection.prepare_cached(sql)?.query_row([subscription], |row| moment(row, 0)).optional()?)
}

pub(super) fn approvals(connection: &Connection, subscription: i64, now: Timestamp) -> Result<Vec<Approval>> {
    // One that was given further ahead than it lasts was given by a clock that was wrong.
    let sql = "
        SELECT digest, members, expires_at, by FROM approval
        WHERE subscription_id = ?1 AND expires_at > ?2 AND at - ?2 < expires_at - at ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let approvals = statement.query_map(params![subscription, Ms(now)], |row| {
        Ok(Approval {
            digest: row.get(0)?,
            members: row.get::<_, Json<Vec<String>>>(1)?.0,
            expires_at: moment(row, 2)?,
            by: row.get(3)?,
        })
    })?;
    Ok(approvals.collect::<rusqlite::Result<_>>()?)
}

// ---- candidates

/// Looks for candidates of one subscription.
pub(super) struct Search<'c> {
    connection: &'c Connection,
    hasher: &'c Hasher,
    name: &'c str,
    /// `None`: nobody has heard of it.
    subscription: Option<i64>,
    /// Those that the ledger knows, with their names.
    sources: Vec<(i64, &'c str)>,
}

impl<'c> Search<'c> {
    pub(super) fn new(
        connection: &'c Connection,
        hasher: &'c Hasher,
        name: &'c str,
        sources: &'c [String],
    ) -> Result<Search<'c>> {
        let mut known = Vec::with_capacity(sources.len());
        for source in sources {
            known.extend(source_id(connection, source)?.map(|id| (id, source.as_str())));
        }
        let subscription = known_subscription(connection, name)?;
        Ok(Search { connection, hasher, name, subscription, sources: known })
    }

    /// Up to where it was touched, whether all addresses are to be looked at, until when dates were.
    fn marks(&self) -> Result<(i64, bool, Option<Timestamp>)> {
        let sql = "SELECT seq, look_at_all IS NOT NULL, dates_until FROM subscription WHERE id = ?1";
        let marks = self
            .connection
            .prepare_cached(sql)?
            .query_row([self.subscription], |row| Ok((row.get(0)?, row.get(1)?, moment_or_none(row, 2)?)));
        Ok(marks.optional()?.unwrap_or((0, false, None)))
    }

    /// Whether it still looks at the source that said so. Who stood in another one fell out of what is looked at.
    fn looks_at(&self, departure: &Departure) -> bool {
        self.sources.iter().any(|(_, name)| *name == departure.source)
    }

    /// Whether a roster's change waits to be looked at.
    fn is_touched(&self) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM touched WHERE subscription_id = ?1)";
        Ok(self.connection.prepare_cached(sql)?.query_row([self.subscription], |row| row.get(0))?)
    }

    /// The identities that may have to change.
    fn touched(&self, dates_until: Option<Timestamp>, now: Timestamp) -> Result<BTreeSet<String>> {
        let mut identities = BTreeSet::new();
        for sql in [
            "SELECT identity FROM touched WHERE subscription_id = ?1",
            "SELECT identity FROM member INDEXED BY member_unsettled
             WHERE subscription_id = ?1 AND (state <> 'assigned' OR departure IS NOT NULL)",
        ] {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query([self.subscription])?;
            while let Some(row) = rows.next()? {
                identities.insert(row.get(0)?);
            }
        }
        // Where the last look was by a clock that ran ahead, nobody knows when it was, and what it looked at is looked at
        // until the time has come.
        let last = dates_until.filter(|until| *until <= now);
        let from = last.map_or(i64::MIN, |last| (last - ZONE_MAX).timestamp_millis());
        let to = dates_until.map_or(now, |until| until.max(now)) + ZONE_MAX;
        for sql in [
            "SELECT identity, route FROM roster_entry WHERE source_id = ?1 AND starts_about > ?2 AND starts_about <= ?3",
            "SELECT identity, route FROM roster_entry WHERE source_id = ?1 AND ends_about > ?2 AND ends_about <= ?3",
        ] {
            let mut statement = self.connection.prepare_cached(sql)?;
            for (source, _) in &self.sources {
                let mut rows = statement.query(params![source, from, Ms(to)])?;
                while let Some(row) = rows.next()? {
                    let route = row.get_ref(1)?.as_str_or_null().map_err(rusqlite::Error::from)?;
                    if route.is_none_or(|route| route == self.name) {
                        identities.insert(row.get(0)?);
                    }
                }
            }
        }
        Ok(identities)
    }

    /// These, and whoever they were renamed to, whatever their state: without the new address a rename would look like a
    /// person's leaving.
    fn some(&self, identities: BTreeSet<String>) -> Result<Vec<Candidate>> {
        let mut lookup = EntryLookup::new(self.connection)?;
        let mut found = BTreeMap::new();
        let mut open: Vec<String> = identities.into_iter().collect();
        let mut asked: BTreeSet<String> = open.iter().cloned().collect();
        while let Some(identity) = open.pop() {
            let candidate = self.one(&mut lookup, &identity)?;
            let stored = candidate.member.as_ref().and_then(|member| member.departure.as_ref());
            let heirs = candidate
                .departure
                .as_deref()
                .into_iter()
                .chain(stored)
                .filter_map(|departure| departure.renamed_to.as_ref());
            open.extend(heirs.map(|heir| heir.identity().to_owned()).filter(|heir| asked.insert(heir.clone())));
            found.insert(identity, candidate);
        }
        Ok(found.into_values().collect())
    }

    pub(super) fn one(&self, lookup: &mut EntryLookup<'_>, identity: &str) -> Result<Candidate> {
        let mut candidate = Candidate {
            address: Address::from_stored(identity, None),
            entries: Vec::new(),
            member: None,
            departure: None,
        };
        for (source, name) in &self.sources {
            for route in [None, Some(self.name)] {
                let entry = lookup.get(*source, self.hasher.entry_key(identity, route))?;
                candidate.entries.extend(entry.map(|entry| ((*name).to_owned(), entry)));
            }
        }
        let sql = select_members("WHERE subscription_id = ?1 AND identity = ?2");
        let values = params![self.subscription, identity];
        candidate.member = self.connection.prepare_cached(&sql)?.query_row(values, member).optional()?.map(Box::new);
        let sql = "SELECT identity, spelling, departure FROM touched WHERE subscription_id = ?1 AND identity = ?2";
        let touched = self.connection.prepare_cached(sql)?.query_row(values, departed).optional()?;
        let touched = touched.map(|(address, departure)| {
            candidate.departure = departure.filter(|departure| self.looks_at(departure)).map(Box::new);
            address
        });
        // As it was assigned; as a roster has it; as it stood when it was last seen.
        let member = candidate.member.as_ref().map(|member| &member.address);
        let named = candidate.entries.first().map(|(_, entry)| &entry.address);
        if let Some(address) = member.or(named).or(touched.as_ref()) {
            candidate.address = address.clone();
        }
        Ok(candidate)
    }

    /// Everybody, each once. Members and departures are read in the order of identities; the rosters' entries stand in
    /// that of their keys, so they alone are gathered and sorted.
    fn all(&self) -> Result<Vec<Candidate>> {
        let mut statement = self.connection.prepare(&select_members("WHERE subscription_id = ?1 ORDER BY identity"))?;
        let mut members = statement.query([self.subscription])?;
        let mut next_member = || -> Result<Option<Member>> { Ok(members.next()?.map(member).transpose()?) };
        let sql = "SELECT identity, spelling, departure FROM touched WHERE subscription_id = ?1 ORDER BY identity";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut touched = statement.query([self.subscription])?;
        let mut next_touched = || -> Result<Option<_>> { Ok(touched.next()?.map(departed).transpose()?) };

        let entries = self.entries()?;
        let mut list = Vec::with_capacity(entries.len());
        let mut entries = entries.into_iter().peekable();
        let (mut member, mut touched) = (next_member()?, next_touched()?);
        loop {
            // Of equal ones the first: as it was assigned; as a roster has it; as it stood when it was last seen.
            let named = entries.peek().map(|(_, entry)| &entry.address);
            let heads =
                [member.as_ref().map(|member| &member.address), named, touched.as_ref().map(|(address, _)| address)];
            let Some(address) = heads.into_iter().flatten().min().cloned() else { return Ok(list) };
            let mut candidate = Candidate { address, entries: Vec::new(), member: None, departure: None };
            if member.as_ref().is_some_and(|member| member.address == candidate.address) {
                candidate.member = mem::replace(&mut member, next_member()?).map(Box::new);
            }
            while let Some((place, entry)) = entries.next_if(|(_, entry)| entry.address == candidate.address) {
                // Nearly everybody has one; a vector makes room for four by itself.
                candidate.entries.reserve_exact(1);
                candidate.entries.push((self.sources[place].1.to_owned(), entry));
            }
            if touched.as_ref().is_some_and(|(address, _)| *address == candidate.address) {
                let (_, departure) = mem::replace(&mut touched, next_touched()?).unzip();
                let departure = departure.flatten().filter(|departure| self.looks_at(departure));
                candidate.departure = departure.map(Box::new);
            }
            list.push(candidate);
        }
    }

    /// What the rosters say, each with its source's place, by identity; of one identity as a look-up gives them.
    fn entries(&self) -> Result<Vec<(usize, Entry)>> {
        let sql = format!("SELECT {ENTRY} FROM roster_entry WHERE source_id = ?1 AND (route IS NULL OR route = ?2)");
        let mut statement = self.connection.prepare(&sql)?;
        let mut entries = Vec::new();
        for (place, (source, _)) in self.sources.iter().enumerate() {
            let mut rows = statement.query(params![source, self.name])?;
            while let Some(row) = rows.next()? {
                entries.push((place, entry(row)?));
            }
        }
        entries.sort_unstable_by(|(place, one), (other_place, other)| {
            let within = || (place, one.route.is_some()).cmp(&(other_place, other.route.is_some()));
            one.address.cmp(&other.address).then_with(within)
        });
        Ok(entries)
    }
}

fn departed(row: &Row<'_>) -> rusqlite::Result<(Address, Option<Departure>)> {
    Ok((address(row, 0)?, row.get::<_, Option<Json<Departure>>>(2)?.map(|departure| departure.0)))
}
