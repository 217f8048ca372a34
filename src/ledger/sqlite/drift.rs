//! What the server counts, held against what is known here; and who is to be assigned again to be sure.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::operation::State;
use super::super::{Event, IntentId, RunId};
use super::books::{Seat, tell};
use super::planning::{Search, held_now};
use super::rosters::EntryLookup;
use super::values::Json;
use super::{Ledger, Result};
use crate::clock::Timestamp;
use crate::dispatch::machine::Outcome;
use crate::drift::{Drift, Moves, News, taken_over};
use crate::licensing::wire::Operation;
use crate::plan::input::Candidate;

impl Moves {
    /// What became of an address that was in this state before its request.
    pub(super) fn add(&mut self, operation: Operation, before: State, outcome: &Outcome) {
        match (operation, outcome) {
            (Operation::Assign, Outcome::NoSeat) => self.lost += u64::from(before.has_seat()),
            // A request that was refused may have been carried out in part.
            (Operation::Assign, _) if before.has_seat() => self.righted += 1,
            (Operation::Assign, Outcome::Assigned | Outcome::AssignedAlready { .. }) => self.given += 1,
            (Operation::Unassign, Outcome::Unassigned | Outcome::UnassignedAlready { .. }) => self.righted += 1,
            _ => {}
        }
    }
}

impl Ledger {
    /// Who holds a seat with nothing that speaks against it, with what the rosters say: the next so many by identity
    /// after those that were assigned again last, or the first ones where there are none.
    pub fn next_to_reassert(&self, subscription: &str, sources: &[String], number: usize) -> Result<Vec<Candidate>> {
        self.read(|connection| {
            let search = Search::new(connection, &self.hasher, subscription, sources)?;
            let sql = "SELECT reasserted_to FROM subscription WHERE name = ?1 AND reasserted_to IS NOT NULL";
            let last: Option<String> =
                connection.prepare_cached(sql)?.query_row([subscription], |row| row.get(0)).optional()?;
            let mut identities = held_after(connection, subscription, last.as_deref().unwrap_or_default(), number)?;
            if identities.is_empty() {
                identities = held_after(connection, subscription, "", number)?;
            }
            let mut lookup = EntryLookup::new(connection)?;
            identities.iter().map(|identity| search.one(&mut lookup, identity)).collect()
        })
    }
}

fn held_after(connection: &Connection, subscription: &str, last: &str, number: usize) -> Result<Vec<String>> {
    let sql = "
        SELECT identity FROM member JOIN subscription ON subscription.id = subscription_id
        WHERE name = ?1 AND identity > ?2 AND state = 'assigned' AND departure IS NULL AND kept = 0
        ORDER BY identity LIMIT ?3";
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(sql)?;
    let identities = statement.query_map(params![subscription, last, number], |row| row.get(0))?;
    Ok(identities.collect::<rusqlite::Result<_>>()?)
}

/// Whether a request may have been carried out of which nothing is known, apart from the one that is about to leave.
pub(super) fn is_in_doubt(connection: &Connection, subscription: i64, next: Option<IntentId>) -> Result<bool> {
    let sql = "SELECT 1 FROM intent WHERE subscription_id = ?1 AND id IS NOT ?2 LIMIT 1";
    Ok(connection.prepare_cached(sql)?.exists(params![subscription, next.map(|next| next.0)])?)
}

/// After the commit's other changes: what its answer did, and what the server counts where that can be compared.
pub(super) fn note_drift(
    connection: &Connection,
    subscription: i64,
    run: RunId,
    moves: Moves,
    counted: Option<u64>,
    now: Timestamp,
) -> Result<()> {
    let old = stored(connection, subscription)?;
    let Some(counted) = counted else {
        let new = old.clone().map(|mut drift| {
            drift.moved(moves);
            drift
        });
        return put(connection, subscription, old.as_ref(), new.as_ref());
    };
    let held = held_now(connection, subscription)?;
    let (drift, news) = match old.clone() {
        None => {
            let drift = Drift::first(counted, held, now);
            let news = News { found: drift.newest, taken_over: 0 };
            (drift, news)
        }
        Some(mut drift) => {
            drift.moved(moves);
            let news = drift.compare(counted, held, now);
            (drift, news)
        }
    };
    let say =
        |detail: &str| tell(connection, Some(subscription), Some(run), Event::Drift, None, detail, Seat::Same, now);
    if news.taken_over > 0 {
        say(&taken_over(news.taken_over))?;
    }
    if let Some(found) = news.found {
        say(&found.words())?;
    }
    if old.as_ref().is_some_and(|old| old.shortfall.is_some()) && drift.shortfall.is_none() {
        say("no seat is missed any more")?;
    }
    put(connection, subscription, old.as_ref(), Some(&drift))
}

/// The ledger knows so many seats fewer by a person's word.
pub(super) fn recounted(connection: &Connection, subscription: i64, fewer: i64) -> Result<()> {
    let old = stored(connection, subscription)?;
    let new = old.clone().map(|mut drift| {
        drift.recounted(fewer);
        drift
    });
    put(connection, subscription, old.as_ref(), new.as_ref())
}

fn stored(connection: &Connection, subscription: i64) -> Result<Option<Drift>> {
    let sql = "SELECT drift FROM subscription WHERE id = ?1";
    let drift: Option<Json<Drift>> = connection.prepare_cached(sql)?.query_row([subscription], |row| row.get(0))?;
    Ok(drift.map(|drift| drift.0))
}

fn put(connection: &Connection, subscription: i64, old: Option<&Drift>, new: Option<&Drift>) -> Result<()> {
    if old != new {
        let sql = "UPDATE subscription SET drift = ?2 WHERE id = ?1";
        connection.prepare_cached(sql)?.execute(params![subscription, new.map(Json)])?;
    }
    Ok(())
}
