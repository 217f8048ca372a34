//! Members, as they are written: the one place that changes them. A [`Books`] is open for one transaction; it keeps the
//! counts and the history in step with what it writes.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::super::operation::{State, Step, next};
use super::super::{Event, LedgerError, Member, MemberState, RunId};
use super::Result;
use super::values::{Json, Ms, Word, address, moment, moment_or_none, ms, spelling};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::drift::Moves;
use crate::member::{Claim, Departure};
use crate::plan::Then;

/// A member as it stands in its row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) member: Member,
    /// The open intent that names it.
    pub(super) intent: Option<i64>,
    pub(super) errand: Option<Errand>,
}

/// What an open request is to do for a member, and what the member was before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Errand {
    pub(super) before: Option<Before>,
    /// Why it is asked for: goes into the history with the answer.
    pub(super) detail: String,
    /// Whether it is a removal that the guards count.
    pub(super) counts: bool,
    pub(super) renamed_to: Option<Address>,
    /// What it is without the seat, where a roster still names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) then: Option<Box<Then>>,
}

/// What is lost while a request is open, to be put back where the request had no effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Before {
    pub(super) state: MemberState,
    pub(super) since: Timestamp,
    pub(super) reason: String,
}

impl Before {
    pub(super) fn of(record: &Record) -> Before {
        let Member { state, since, reason, .. } = &record.member;
        Before { state: *state, since: *since, reason: reason.clone() }
    }
}

/// What happened to a seat, for the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seat {
    /// Nothing, by this.
    Same,
    Given,
    Taken {
        /// Whether the guards count it.
        counts: bool,
    },
}

impl Record {
    /// A new one, without a seat and in no state yet.
    pub(super) fn new(address: Address, priority: i32, now: Timestamp) -> Record {
        let member = Member {
            address,
            state: MemberState::Pending,
            since: now,
            reason: String::new(),
            priority,
            has_seat: false,
            waiting_since: None,
            departure: None,
            kept: false,
            refused: false,
            claim: None,
        };
        Record { member, intent: None, errand: None }
    }

    pub(super) fn state(&self) -> Result<State> {
        let Member { state, has_seat, address, .. } = &self.member;
        State::of(*state, *has_seat)
            .ok_or_else(|| LedgerError::Illegal(format!("{}: {state:?} with has_seat {has_seat}", address.masked())))
    }

    /// What it was before its open request.
    pub(super) fn state_before(&self) -> Result<State> {
        match self.errand.as_ref().and_then(|errand| errand.before.as_ref()) {
            None => Ok(State::Absent),
            Some(before) => State::of(before.state, self.member.has_seat).ok_or_else(|| {
                LedgerError::Illegal(format!("{}: was {:?}", self.member.address.masked(), before.state))
            }),
        }
    }

    /// Puts it into a state, for this reason. `since` moves only where the state is another one.
    pub(super) fn turn(&mut self, state: State, reason: impl Into<String>, now: Timestamp) {
        let Some(member_state) = state.member_state() else { return };
        if self.member.state != member_state {
            self.member.since = now;
        }
        self.member.state = member_state;
        self.member.has_seat = state.has_seat();
        self.member.reason = reason.into();
        self.member.refused &= member_state == MemberState::Quarantined;
        if !matches!(member_state, MemberState::Pending | MemberState::Unknown) {
            self.member.claim = None;
        }
        if state.has_seat() {
            self.member.waiting_since = None;
        }
    }
}

/// Where the rules let a member go from its record.
pub(super) fn step(record: Option<&Record>, address: &Address, step: Step) -> Result<State> {
    let state = record.map_or(Ok(State::Absent), Record::state)?;
    next(state, step).map_err(|illegal| LedgerError::Illegal(format!("{}: {illegal}", address.masked())))
}

/// The members of one subscription, open for writing in one transaction. [`Books::close`] it before the commit.
#[derive(Debug)]
pub(super) struct Books<'t> {
    connection: &'t Connection,
    subscription: i64,
    run: Option<RunId>,
    pub(super) now: Timestamp,
    /// What answers have done to seats.
    pub(super) moves: Moves,
    /// How the counts change.
    tally: BTreeMap<(MemberState, bool), i64>,
}

const COLUMNS: &str =
    "identity, spelling, state, since, reason, priority, has_seat, waiting_since, departure, kept, refused, claim";

impl<'t> Books<'t> {
    pub(super) fn open(connection: &'t Connection, subscription: i64, run: Option<RunId>, now: Timestamp) -> Books<'t> {
        Books { connection, subscription, run, now, moves: Moves::default(), tally: BTreeMap::new() }
    }

    pub(super) fn record(&self, identity: &str) -> Result<Option<Record>> {
        let mut statement = self.connection.prepare_cached(sql_text::RECORD)?;
        let record = statement.query_row(params![self.subscription, identity], |row| {
            let errand: Option<Json<Errand>> = row.get(13)?;
            Ok(Record { member: member(row)?, intent: row.get(12)?, errand: errand.map(|errand| errand.0) })
        });
        Ok(record.optional()?)
    }

    /// Writes a record, where it is not as it was. Says whether it was written.
    pub(super) fn put(&mut self, old: Option<&Record>, new: &Record) -> Result<bool> {
        let same_spelling = old.is_some_and(|old| old.member.address.spelling() == new.member.address.spelling());
        if same_spelling && old == Some(new) {
            return Ok(false);
        }
        let Member {
            address,
            state,
            since,
            reason,
            priority,
            has_seat,
            waiting_since,
            departure,
            kept,
            refused,
            claim,
        } = &new.member;
        self.connection.prepare_cached(sql_text::PUT)?.execute(params![
            self.subscription,
            address.identity(),
            spelling(address),
            Word(state),
            Ms(*since),
            reason,
            priority,
            has_seat,
            ms(*waiting_since),
            departure.as_ref().map(Json),
            kept,
            refused,
            claim.as_ref().map(Json),
            new.intent,
            new.errand.as_ref().map(Json),
        ])?;
        self.count(old, -1);
        self.count(Some(new), 1);
        Ok(true)
    }

    pub(super) fn remove(&mut self, old: &Record) -> Result<()> {
        let sql = "DELETE FROM member WHERE subscription_id = ?1 AND identity = ?2";
        self.connection.prepare_cached(sql)?.execute(params![self.subscription, old.member.address.identity()])?;
        self.count(Some(old), -1);
        Ok(())
    }

    /// Appends to the history what became of an address.
    pub(super) fn tell(&self, event: Event, address: &Address, detail: &str, seat: Seat) -> Result<()> {
        tell(self.connection, Some(self.subscription), self.run, event, Some(address), detail, seat, self.now)
    }

    /// Appends to the history what became of the subscription.
    pub(super) fn tell_of_all(&self, event: Event, detail: &str) -> Result<()> {
        tell(self.connection, Some(self.subscription), self.run, event, None, detail, Seat::Same, self.now)
    }

    /// Writes the counts. Gives how many seats more are held than before.
    pub(super) fn close(self) -> Result<i64> {
        for ((state, has_seat), change) in &self.tally {
            if *change == 0 {
                continue;
            }
            let values = params![self.subscription, Word(state), has_seat, change];
            let changed = self.connection.prepare_cached(sql_text::COUNT)?.execute(values)?;
            if changed == 0 {
                self.connection.prepare_cached("INSERT INTO member_count VALUES (?1, ?2, ?3, ?4)")?.execute(values)?;
            }
        }
        let held: i64 = self.tally.iter().filter(|((_, has_seat), _)| *has_seat).map(|(_, change)| change).sum();
        if held != 0 {
            // What a clock that was ahead wrote must not be taken for the newest once time has come there.
            self.connection.prepare_cached(sql_text::NOT_YET)?.execute(params![self.subscription, Ms(self.now)])?;
            self.connection.prepare_cached(sql_text::HELD)?.execute(params![self.subscription, Ms(self.now)])?;
        }
        Ok(held)
    }

    fn count(&mut self, record: Option<&Record>, change: i64) {
        if let Some(Record { member, .. }) = record {
            *self.tally.entry((member.state, member.has_seat)).or_default() += change;
        }
    }
}

/// A member from [`COLUMNS`], which stand first in the row.
pub(super) fn member(row: &Row<'_>) -> rusqlite::Result<Member> {
    Ok(Member {
        address: address(row, 0)?,
        state: row.get::<_, Word<MemberState>>(2)?.0,
        since: moment(row, 3)?,
        reason: row.get(4)?,
        priority: row.get(5)?,
        has_seat: row.get(6)?,
        waiting_since: moment_or_none(row, 7)?,
        departure: row.get::<_, Option<Json<Departure>>>(8)?.map(|departure| departure.0),
        kept: row.get(9)?,
        refused: row.get(10)?,
        claim: row.get::<_, Option<Json<Claim>>>(11)?.map(|claim| claim.0),
    })
}

/// `SELECT` of what [`member`] reads, with this at its end.
pub(super) fn select_members(rest: &str) -> String {
    format!("SELECT {COLUMNS} FROM member {rest}")
}

/// Appends a line to the history.
#[expect(clippy::too_many_arguments, reason = "they are the columns of a line; the callers name fewer")]
pub(super) fn tell(
    connection: &Connection,
    subscription: Option<i64>,
    run: Option<RunId>,
    event: Event,
    address: Option<&Address>,
    detail: &str,
    seat: Seat,
    now: Timestamp,
) -> Result<()> {
    let (seat, counts) = match seat {
        Seat::Same => (0, false),
        Seat::Given => (1, false),
        Seat::Taken { counts } => (-1, counts),
    };
    connection.prepare_cached(sql_text::TELL)?.execute(params![
        Ms(now),
        run.map(uuid::Uuid::into_bytes),
        subscription,
        Word(event),
        address.map(Address::identity),
        address.and_then(spelling),
        detail,
        seat,
        counts,
    ])?;
    Ok(())
}

mod sql_text {
    pub(super) const RECORD: &str = "
        SELECT identity, spelling, state, since, reason, priority, has_seat, waiting_since, departure, kept, refused,
               claim, intent_id, errand
        FROM member WHERE subscription_id = ?1 AND identity = ?2";
    pub(super) const PUT: &str = "
        INSERT INTO member (subscription_id, identity, spelling, state, since, reason, priority, has_seat,
                            waiting_since, departure, kept, refused, claim, intent_id, errand)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
        ON CONFLICT (subscription_id, identity) DO UPDATE SET
          spelling = excluded.spelling, state = excluded.state, since = excluded.since, reason = excluded.reason,
          priority = excluded.priority, has_seat = excluded.has_seat, waiting_since = excluded.waiting_since,
          departure = excluded.departure, kept = excluded.kept, refused = excluded.refused,
          claim = excluded.claim, intent_id = excluded.intent_id, errand = excluded.errand";
    pub(super) const COUNT: &str = "
        UPDATE member_count SET members = members + ?4 WHERE subscription_id = ?1 AND state = ?2 AND has_seat = ?3";
    pub(super) const NOT_YET: &str = "DELETE FROM seats_held WHERE subscription_id = ?1 AND at > ?2";
    pub(super) const HELD: &str = "
        INSERT OR REPLACE INTO seats_held (subscription_id, at, held)
        SELECT ?1, ?2, coalesce(sum(members), 0) FROM member_count WHERE subscription_id = ?1 AND has_seat = 1";
    pub(super) const TELL: &str = "
        INSERT INTO history (at, run, subscription_id, event, identity, spelling, detail, seat, counts)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
}
