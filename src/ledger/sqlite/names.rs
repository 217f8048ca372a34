//! A subscription's name here, and what the licensing server calls it: one each.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::{Lease, LedgerError, SubscriptionRecord};
use super::planning::held_now;
use super::run::check_fence;
use super::{Ledger, Result, known_subscription, subscription_id};
use crate::report::text::count;

impl Ledger {
    /// Says that what is known under this name is of the subscription that the licensing server calls so, and that
    /// nothing is known of that under another name.
    ///
    /// # Errors
    /// [`LedgerError::Another`], [`LedgerError::AnotherName`].
    pub fn check_remote(&self, subscription: &str, known: &SubscriptionRecord, remote: &str) -> Result<()> {
        known.check_remote(subscription, remote)?;
        if known.remote.is_some() {
            return Ok(());
        }
        match self.read(|connection| name_of(connection, subscription, remote))? {
            None => Ok(()),
            Some(known) => {
                let (subscription, remote) = (subscription.to_owned(), remote.to_owned());
                Err(LedgerError::AnotherName { subscription, known, remote })
            }
        }
    }

    /// Gives a subscription another name, with everything that is known of it. What little is known under the new name
    /// (that it could not be looked after, say) goes under the old one. The next plan looks at everybody.
    ///
    /// # Errors
    /// [`LedgerError::NameTaken`] where the new name has members, or has stood for one at the licensing server.
    pub fn rename(&mut self, old: &Lease, new: &Lease) -> Result<()> {
        self.write(|transaction| {
            check_fence(transaction, old)?;
            check_fence(transaction, new)?;
            let (from, to) = (old.subscription(), new.subscription());
            let (id, place) = (subscription_id(transaction, from)?, subscription_id(transaction, to)?);
            must_be_free(transaction, place, from, to)?;
            let named = "UPDATE subscription SET name = ?2 WHERE id = ?1";
            // No name is given twice, not even for a moment.
            transaction.execute(named, params![place, format!("{from} becomes {to}")])?;
            transaction.execute(named, params![id, to])?;
            transaction.execute(named, params![place, from])?;
            let sql = "UPDATE subscription SET problem = NULL, problem_since = NULL, key_rejected = 0 WHERE id = ?1";
            transaction.execute(sql, [place])?;
            transaction.execute("UPDATE subscription SET seq = seq + 1, look_at_all = seq + 1 WHERE id = ?1", [id])?;
            // What rosters have said since it is called so: why somebody left stands nowhere else.
            let sql = "
                UPDATE OR REPLACE touched
                SET subscription_id = ?1, seq = (SELECT seq FROM subscription WHERE id = ?1) WHERE subscription_id = ?2";
            transaction.execute(sql, [id, place])?;
            Ok(())
        })
    }

    /// Whether anything is known under this name.
    pub fn knows(&self, subscription: &str) -> Result<bool> {
        self.read(|connection| Ok(known_subscription(connection, subscription)?.is_some()))
    }
}

/// Under which other name the ledger knows what the licensing server calls so.
fn name_of(connection: &Connection, but: &str, remote: &str) -> Result<Option<String>> {
    let sql = "SELECT name FROM subscription WHERE remote = ?1 AND name <> ?2 LIMIT 1";
    Ok(connection.prepare_cached(sql)?.query_row([remote, but], |row| row.get(0)).optional()?)
}

fn must_be_free(connection: &Connection, place: i64, from: &str, to: &str) -> Result<()> {
    let sql = "SELECT remote IS NOT NULL FROM subscription WHERE id = ?1";
    let stood: bool = connection.query_row(sql, [place], |row| row.get(0))?;
    let held = held_now(connection, place)?;
    if !stood && held == 0 {
        return Ok(());
    }
    let members = if held > 0 { count(held, "member", "members") } else { "runs".to_owned() };
    Err(LedgerError::NameTaken { name: to.to_owned(), members, from: from.to_owned() })
}
