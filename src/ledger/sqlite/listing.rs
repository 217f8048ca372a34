//! What is read to be shown, a page at a time. No statement here looks at more rows than it shows, but for the bound that
//! stands at [`LOOKED_AT_MAX`], and none counts rows: a subscription may have a million members.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::listing::{
    From, HoldInShort, LOOKED_AT_MAX, Lines, MembersPage, Place, PlacedLine, Search, SourceLine, SubscriptionLine,
    Wanted,
};
use super::super::{Member, MemberState, PushRecord, RunId, RunRecord, SubscriptionRecord};
use super::books::{member, select_members};
use super::past::{LINES, line};
use super::planning::{run_record, subscription_record};
use super::values::{Json, Ms, Word, count, counted, moment, moment_or_none};
use super::{Ledger, Result, known_subscription};
use crate::clock::Timestamp;
use crate::roster::EntryKey;

impl Ledger {
    /// Every subscription that the ledger knows, by name.
    pub fn subscription_lines(&self) -> Result<HashMap<String, SubscriptionLine>> {
        self.read(|connection| {
            let mut members: HashMap<i64, Vec<(MemberState, u64)>> = HashMap::new();
            let mut statement = connection.prepare_cached(sql::COUNTS)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                members.entry(row.get(0)?).or_default().push((row.get::<_, Word<_>>(1)?.0, counted(row, 2)?));
            }
            let mut statement = connection.prepare_cached(&sql::subscriptions(""))?;
            let lines = statement.query_map([], |row| {
                let id: i64 = row.get(18)?;
                let line = subscription_line(row, members.remove(&id).unwrap_or_default())?;
                Ok((line.name.clone(), line))
            })?;
            Ok(lines.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// One of them; `None`: the ledger has not heard of it.
    pub fn subscription_line(&self, name: &str) -> Result<Option<SubscriptionLine>> {
        let members = self.member_counts(name)?;
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql::subscriptions("WHERE name = ?1"))?;
            Ok(statement.query_row([name], |row| subscription_line(row, members)).optional()?)
        })
    }

    /// The newest run of a subscription.
    pub fn last_run(&self, subscription: &str) -> Result<Option<RunRecord>> {
        Ok(self.runs_before(subscription, None, 1)?.pop())
    }

    /// The newest runs of a subscription before this one, the newest first.
    pub fn runs_before(&self, subscription: &str, before: Option<RunId>, limit: usize) -> Result<Vec<RunRecord>> {
        self.read(|connection| {
            let Some(id) = known_subscription(connection, subscription)? else { return Ok(Vec::new()) };
            let before = before.unwrap_or(uuid::Uuid::max()).into_bytes();
            let mut statement = connection.prepare_cached(sql::RUNS)?;
            let runs = statement.query_map(params![id, before, count(limit as u64)], run_record)?;
            Ok(runs.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// How many seats were held at each of these moments; `None`: nobody knew then.
    pub fn seats_held_at(&self, subscription: &str, moments: &[Timestamp]) -> Result<Vec<Option<u64>>> {
        self.at_each(subscription, moments, sql::HELD_AT)
    }

    /// How many seats there were at each of these moments; `None`: nobody knew then.
    pub fn seats_available_at(&self, subscription: &str, moments: &[Timestamp]) -> Result<Vec<Option<u64>>> {
        self.at_each(subscription, moments, sql::AVAILABLE_AT)
    }

    /// Since when it is known how many seats are held.
    pub fn seats_known_since(&self, subscription: &str) -> Result<Option<Timestamp>> {
        self.read(|connection| {
            let Some(id) = known_subscription(connection, subscription)? else { return Ok(None) };
            let sql = "SELECT min(at) FROM seats_held WHERE subscription_id = ?1";
            Ok(connection.prepare_cached(sql)?.query_row([id], |row| moment_or_none(row, 0))?)
        })
    }

    fn at_each(&self, subscription: &str, moments: &[Timestamp], sql: &str) -> Result<Vec<Option<u64>>> {
        self.read(|connection| {
            let Some(id) = known_subscription(connection, subscription)? else { return Ok(vec![None; moments.len()]) };
            let mut statement = connection.prepare_cached(sql)?;
            let one = |at: &Timestamp| statement.query_row(params![id, Ms(*at)], |row| counted(row, 0)).optional();
            Ok(moments.iter().map(one).collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Every source that the ledger knows, by name.
    pub fn source_lines(&self) -> Result<HashMap<String, SourceLine>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(sql::SOURCES)?;
            let lines = statement.query_map([], |row| {
                let line = source_line(row)?;
                Ok((line.name.clone(), line))
            })?;
            Ok(lines.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Some members of a subscription, by address.
    pub fn members_page(&self, subscription: &str, wanted: &Wanted, limit: usize) -> Result<MembersPage> {
        self.read(|connection| match known_subscription(connection, subscription)? {
            Some(id) => members_page(connection, id, wanted, limit),
            None => Ok(MembersPage::default()),
        })
    }

    /// Members that wait for a seat, in the order in which they get one, those on `skipped` places left out.
    pub fn queue_page(&self, subscription: &str, skipped: u64, limit: usize) -> Result<Vec<Member>> {
        self.read(|connection| {
            let Some(id) = known_subscription(connection, subscription)? else { return Ok(Vec::new()) };
            let mut statement = connection.prepare_cached(&sql::queue())?;
            let members = statement.query_map(params![id, count(limit as u64), count(skipped)], member)?;
            Ok(members.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Which place this pending member has in that order, counted from 1.
    pub fn queue_place(&self, subscription: &str, member: &Member) -> Result<u64> {
        self.read(|connection| {
            let Some(id) = known_subscription(connection, subscription)? else { return Ok(1) };
            let waiting_since = Ms(member.waiting_since.unwrap_or(member.since));
            let place = params![id, member.claim.is_none(), member.priority, waiting_since, member.address.identity()];
            let before = connection.prepare_cached(sql::BEFORE)?.query_row(place, |row| counted(row, 0))?;
            Ok(before + 1)
        })
    }

    /// Which of these rosters, each by its source's name, have the entry of this key. Those alone.
    pub fn rosters_with<'n>(&self, wanted: &[(&'n str, EntryKey)]) -> Result<Vec<(&'n str, EntryKey)>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT name, id FROM source")?;
            let ids = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
            let ids = ids.collect::<rusqlite::Result<HashMap<_, _>>>()?;
            let mut statement =
                connection.prepare_cached("SELECT 1 FROM roster_entry WHERE source_id = ?1 AND key = ?2")?;
            let mut found = Vec::new();
            for (source, key) in wanted {
                if let Some(id) = ids.get(*source)
                    && statement.exists(params![id, key.0])?
                {
                    found.push((*source, *key));
                }
            }
            Ok(found)
        })
    }

    /// Of the history, the newest lines that are wanted, the newest first.
    pub fn history_page(&self, wanted: Lines<'_>, limit: usize) -> Result<Vec<PlacedLine>> {
        self.read(|connection| {
            let id = match wanted.subscription.map(|name| known_subscription(connection, name)).transpose()? {
                Some(None) => return Ok(Vec::new()),
                id => id.flatten(),
            };
            let at = wanted.before.map_or(i64::MAX, |place| place.at.timestamp_millis());
            let read = |within: Option<i64>, limit: usize| -> Result<Vec<PlacedLine>> {
                let mut statement = connection.prepare_cached(&sql::history(id.is_some(), wanted.of_nobody, within))?;
                let lines = statement.query_map(params![id, at, within, count(limit as u64)], |row| {
                    Ok(PlacedLine { line: line(row)?, place: Place { at: moment(row, 0)?, id: row.get(7)? } })
                })?;
                Ok(lines.collect::<rusqlite::Result<_>>()?)
            };
            // A million lines may be of one moment: what is left of it is asked for by itself, so that an index finds it.
            let mut found = match wanted.before {
                Some(place) => read(Some(place.id), limit)?,
                None => Vec::new(),
            };
            found.extend(read(None, limit - found.len())?);
            Ok(found)
        })
    }

    /// Which of these subscriptions know an address as a member.
    pub fn subscriptions_with(&self, identity: &str) -> Result<Vec<String>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(sql::WITH)?;
            let names = statement.query_map([identity], |row| row.get(0))?;
            Ok(names.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// There are so many seats from now on.
pub(super) fn note_available(connection: &Connection, subscription: i64, available: u64, now: Timestamp) -> Result<()> {
    // What a clock that was ahead wrote must not be taken for the newest once time has come there.
    let sql = "DELETE FROM seats_available WHERE subscription_id = ?1 AND at > ?2";
    connection.prepare_cached(sql)?.execute(params![subscription, Ms(now)])?;
    let sql = "INSERT OR REPLACE INTO seats_available (subscription_id, at, available) VALUES (?1, ?2, ?3)";
    connection.prepare_cached(sql)?.execute(params![subscription, Ms(now), count(available)])?;
    Ok(())
}

fn subscription_line(row: &Row<'_>, members: Vec<(MemberState, u64)>) -> rusqlite::Result<SubscriptionLine> {
    let hold: Option<Json<HoldInShort>> = row.get(17)?;
    let record = SubscriptionRecord { hold: None, ..subscription_record(row)? };
    let hold = hold.map(|hold| hold.0).zip(moment_or_none(row, 9)?);
    Ok(SubscriptionLine { name: row.get(16)?, record, hold, members })
}

fn source_line(row: &Row<'_>) -> rusqlite::Result<SourceLine> {
    let problem: Option<String> = row.get(4)?;
    let push: Option<Json<PushRecord>> = row.get(6)?;
    let push = push.map(|push| push.0).filter(|push| push.owner.may_be_alive());
    Ok(SourceLine {
        name: row.get(0)?,
        entries: counted(row, 1)?,
        bad_rows: counted(row, 2)?,
        accepted_at: moment_or_none(row, 3)?,
        problem: problem.zip(moment_or_none(row, 5)?),
        push: push.map(|push| (push.push, push.since)),
    })
}

fn members_page(connection: &Connection, id: i64, wanted: &Wanted, limit: usize) -> Result<MembersPage> {
    let backwards = matches!(wanted.from, From::Before(_));
    let (mut after, mut before) = bounds(wanted.search.as_ref());
    match &wanted.from {
        // An empty identity is before all others.
        From::After(identity) if *identity >= after => after.clone_from(identity),
        From::Before(identity) if *identity < before => before.clone_from(identity),
        // The beginning; or a place where the search can find nothing.
        _ => {}
    }
    let mut statement = connection.prepare_cached(&sql::members(wanted.state, backwards))?;
    // The first of what a search looks for is that very text: it counts, and what has been shown does not.
    let from_shown = wanted.from == From::After(after.clone());
    let mut rows = statement.query(params![id, after, before, wanted.state.map(Word), !from_shown])?;
    let (mut found, mut looked_at, mut last, mut is_more) = (Vec::with_capacity(limit), 0, None, false);
    while let Some(row) = rows.next()? {
        let identity = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        let is_wanted = fits(row, identity, wanted)?;
        if looked_at == LOOKED_AT_MAX || is_wanted && found.len() == limit {
            is_more = true;
            break;
        }
        looked_at += 1;
        last = Some(identity.to_owned());
        if is_wanted {
            found.push(member(row)?);
        }
    }
    Ok(page(found, wanted, limit, last.filter(|_| is_more)))
}

/// `last` is the identity that was looked at last, where there is more behind it.
fn page(mut found: Vec<Member>, wanted: &Wanted, limit: usize, last: Option<String>) -> MembersPage {
    let is_cut = last.is_some() && found.len() < limit;
    let identity = |member: Option<&Member>| member.map(|member| member.address.identity().to_owned());
    if let From::Before(shown) = &wanted.from {
        found.reverse();
        // Where they came from there is a page.
        let next = identity(found.last()).or_else(|| Some(shown.clone()));
        return MembersPage { members: found, previous: last, next, is_cut };
    }
    let previous = match &wanted.from {
        From::After(shown) => identity(found.first()).or_else(|| Some(shown.clone())),
        _ => None,
    };
    MembersPage { members: found, previous, next: last, is_cut }
}

/// Between which two identities a search can find anything: from the first one on, up to the second.
fn bounds(search: Option<&Search>) -> (String, String) {
    match search {
        Some(Search::Begins(text)) => (text.clone(), format!("{text}{}", char::MAX)),
        _ => (String::new(), char::MAX.to_string()),
    }
}

fn fits(row: &Row<'_>, identity: &str, wanted: &Wanted) -> Result<bool> {
    let contains = match &wanted.search {
        Some(Search::Contains(text)) => identity.contains(text.as_str()),
        _ => true,
    };
    // The other states have an index.
    Ok(contains
        && match wanted.state {
            Some(MemberState::Assigned) => row.get::<_, Word<MemberState>>(2)?.0 == MemberState::Assigned,
            _ => true,
        })
}

mod sql {
    use super::{LINES, MemberState, select_members};

    pub(super) const COUNTS: &str =
        "SELECT subscription_id, state, sum(members) FROM member_count GROUP BY 1, 2 HAVING sum(members) > 0";
    pub(super) const RUNS: &str = "
        SELECT id, started_at, finished_at, cause, outcome, requests, assigned, unassigned
        FROM run WHERE subscription_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    pub(super) const HELD_AT: &str =
        "SELECT held FROM seats_held WHERE subscription_id = ?1 AND at <= ?2 ORDER BY at DESC LIMIT 1";
    pub(super) const AVAILABLE_AT: &str =
        "SELECT available FROM seats_available WHERE subscription_id = ?1 AND at <= ?2 ORDER BY at DESC LIMIT 1";
    pub(super) const SOURCES: &str = "
        SELECT name, entries, json_array_length(bad_rows), accepted_at, problem, problem_since, push FROM source";
    /// Each part is a stretch of the index.
    pub(super) const BEFORE: &str = "
        SELECT
          (SELECT count(*) FROM member INDEXED BY member_queue WHERE subscription_id = ?1 AND state = 'pending'
             AND (claim IS NULL) < ?2)
        + (SELECT count(*) FROM member INDEXED BY member_queue WHERE subscription_id = ?1 AND state = 'pending'
             AND (claim IS NULL) = ?2 AND priority < ?3)
        + (SELECT count(*) FROM member INDEXED BY member_queue WHERE subscription_id = ?1 AND state = 'pending'
             AND (claim IS NULL) = ?2 AND priority = ?3 AND coalesce(waiting_since, since) < ?4)
        + (SELECT count(*) FROM member INDEXED BY member_queue WHERE subscription_id = ?1 AND state = 'pending'
             AND (claim IS NULL) = ?2 AND priority = ?3 AND coalesce(waiting_since, since) = ?4 AND identity < ?5)";
    pub(super) const WITH: &str = "
        SELECT name FROM subscription WHERE EXISTS (
          SELECT 1 FROM member WHERE subscription_id = subscription.id AND identity = ?1) ORDER BY name";

    /// The columns that `subscription_record` reads, with no hold among them, and then some.
    pub(super) fn subscriptions(which: &str) -> String {
        format!(
            "SELECT seats_available, seats_assigned, seats_as_of, full_since, probed_at, habits, scope, dates_until,
               NULL, hold_since, problem, problem_since, remote, key_rejected, drift, reasserted_at,
               name, hold_in_short, id
             FROM subscription {which}"
        )
    }

    /// From `?2` on (itself only where `?5` says so) up to `?3`.
    pub(super) fn members(state: Option<MemberState>, backwards: bool) -> String {
        let order = if backwards { "DESC" } else { "ASC" };
        let between = "identity >= ?2 AND identity < ?3 AND (?5 OR identity <> ?2)";
        let rest = match state {
            None | Some(MemberState::Assigned) => {
                format!("WHERE subscription_id = ?1 AND {between} ORDER BY identity {order}")
            }
            Some(_) => format!(
                "INDEXED BY member_unsettled
                 WHERE subscription_id = ?1 AND (state <> 'assigned' OR departure IS NOT NULL) AND state = ?4
                   AND {between} ORDER BY identity {order}"
            ),
        };
        select_members(&rest)
    }

    pub(super) fn queue() -> String {
        select_members(
            "INDEXED BY member_queue WHERE subscription_id = ?1 AND state = 'pending'
             ORDER BY claim IS NULL, priority, coalesce(waiting_since, since), identity LIMIT ?2 OFFSET ?3",
        )
    }

    /// Those at the moment `?2` and before the line `?3`, or else those before that moment.
    pub(super) fn history(of_one: bool, of_nobody: bool, within: Option<i64>) -> String {
        let which = if of_one { "subscription_id = ?1" } else { "?1 IS NULL" };
        let about = if of_nobody { "AND identity IS NULL" } else { "" };
        let before = if within.is_some() { "at = ?2 AND history.id < ?3" } else { "at < ?2 AND ?3 IS NULL" };
        let lines = LINES.replacen("spelling", "spelling, history.id", 1);
        format!("{lines} WHERE {which} {about} AND {before} ORDER BY at DESC, history.id DESC LIMIT ?4")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::new_ledger;
    use super::*;

    #[test]
    fn what_a_page_asks_is_found_by_an_index_in_its_order() {
        let (_folder, _, ledger) = new_ledger();
        let mut pages = vec![sql::queue(), sql::subscriptions("WHERE name = ?1")];
        pages.extend([sql::RUNS, sql::HELD_AT, sql::AVAILABLE_AT].map(str::to_owned));
        for backwards in [false, true] {
            let states = [None, Some(MemberState::Assigned), Some(MemberState::Pending)];
            pages.extend(states.map(|state| sql::members(state, backwards)));
        }
        for (of_one, of_nobody) in [(false, false), (false, true), (true, false), (true, true)] {
            pages.extend([None, Some(7)].map(|within| sql::history(of_one, of_nobody, within)));
        }
        for sql in pages {
            let mut statement = ledger.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let values = vec![0; statement.parameter_count()];
            let rows = statement.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
            for step in rows.map(|step| step.unwrap()) {
                let is_indexed = step.starts_with("SEARCH") && (step.contains("INDEX") || step.contains("PRIMARY KEY"));
                assert!(is_indexed, "{step}: {sql}");
            }
        }
    }
}
