//! The fleet's brake: what began to go wrong when, and whether removals are stopped.

use rusqlite::{Connection, params};

use super::super::Event;
use super::books::{Seat, tell};
use super::values::{Ms, Word, moment_or_none};
use super::{Ledger, Result};
use crate::brake::{Brake, Troubles, WINDOW};
use crate::clock::Timestamp;
use crate::licensing::wire::Operation;

impl Ledger {
    /// The brake, while it is on.
    pub fn brake(&self) -> Result<Option<Brake>> {
        self.read(brake)
    }

    /// What began to go wrong within the time that counts, and since a person last said that removals go on.
    pub fn troubles(&self, now: Timestamp) -> Result<Troubles> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT resumed_at FROM brake")?;
            let resumed = statement.query_row([], |row| moment_or_none(row, 0))?;
            // A clock that was ahead then must not hide what goes wrong now.
            let resumed = resumed.filter(|resumed| *resumed <= now);
            let after = Ms(resumed.max(Some(now - WINDOW)).unwrap_or(now));
            let names = |sql: &str| -> Result<_> {
                let mut statement = connection.prepare_cached(sql)?;
                let names = statement.query_map([&after, &Ms(now)], |row| row.get(0))?;
                Ok(names.collect::<rusqlite::Result<_>>()?)
            };
            Ok(Troubles {
                held: names("SELECT name FROM subscription WHERE held_at > ?1 AND held_at <= ?2")?,
                failed: names("SELECT name FROM source WHERE failed_at > ?1 AND failed_at <= ?2")?,
            })
        })
    }

    /// Stops removals everywhere. Whether this did: they may be stopped already.
    pub fn put_on_brake(&mut self, new: &Brake) -> Result<bool> {
        self.write(|transaction| {
            if brake(transaction)?.is_some() {
                return Ok(false);
            }
            let Brake { since, reason } = new;
            transaction.execute("UPDATE brake SET since = ?1, reason = ?2", params![Ms(*since), reason])?;
            tell(transaction, None, None, Event::Braked, None, reason, Seat::Same, *since)?;
            Ok(true)
        })
    }

    /// Removals go on, on a person's word; a run is asked for wherever any are held or nobody knows whether one was done.
    /// Whether they were stopped.
    pub fn release_brake(&mut self, by: &str, now: Timestamp) -> Result<bool> {
        self.write(|transaction| {
            if brake(transaction)?.is_none() {
                return Ok(false);
            }
            transaction.execute("UPDATE brake SET since = NULL, reason = NULL, resumed_at = ?1", [Ms(now)])?;
            let sql = "
                UPDATE subscription SET asked_at = ?1 WHERE hold IS NOT NULL OR EXISTS (
                  SELECT 1 FROM intent WHERE subscription_id = subscription.id AND operation = ?2)";
            transaction.execute(sql, params![Ms(now), Word(Operation::Unassign)])?;
            tell(transaction, None, None, Event::Resumed, None, &format!("by {by}"), Seat::Same, now)?;
            Ok(true)
        })
    }
}

fn brake(connection: &Connection) -> Result<Option<Brake>> {
    let mut statement = connection.prepare_cached("SELECT since, reason FROM brake")?;
    let brake = statement.query_row([], |row| {
        let (since, reason): (_, Option<String>) = (moment_or_none(row, 0)?, row.get(1)?);
        Ok(since.zip(reason).map(|(since, reason)| Brake { since, reason }))
    });
    Ok(brake?)
}
