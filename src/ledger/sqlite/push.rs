//! Whether directories tell the daemon of their changes.

use rusqlite::{Connection, OptionalExtension, params};

use super::rosters::make_source;
use super::values::Json;
use super::{Ledger, Result};
use crate::clock::Timestamp;
use crate::ledger::{Owner, PushRecord};
use crate::source::Push;

impl Ledger {
    /// Whether the source tells a daemon of its changes. `None`: none listens, or the one that did is certainly gone.
    pub fn push(&self, source: &str) -> Result<Option<PushRecord>> {
        Ok(self.read(|connection| noted(connection, source))?.filter(|noted| noted.owner.may_be_alive()))
    }

    /// Notes whether the source tells this daemon of its changes; written where that is another than before. While none
    /// of its servers does, the time stays that of the beginning, whatever the reasons.
    pub fn note_push(&mut self, source: &str, push: &Push, owner: &Owner, now: Timestamp) -> Result<()> {
        let before = self.read(|connection| noted(connection, source))?.filter(|before| before.owner == *owner);
        if before.as_ref().is_some_and(|before| before.push == *push) {
            return Ok(());
        }
        let still = before.filter(|before| matches!((&before.push, push), (Push::Not(_), Push::Not(_))));
        let since = still.map_or(now, |before| before.since);
        let record = PushRecord { push: push.clone(), since, owner: owner.clone() };
        self.write(|transaction| {
            let source = make_source(transaction, source)?;
            transaction.execute("UPDATE source SET push = ?2 WHERE id = ?1", params![source, Json(record)])?;
            Ok(())
        })
    }
}

fn noted(connection: &Connection, source: &str) -> Result<Option<PushRecord>> {
    let sql = "SELECT push FROM source WHERE name = ?1 AND push IS NOT NULL";
    let found = connection.prepare_cached(sql)?.query_row([source], |row| row.get::<_, Json<PushRecord>>(0));
    Ok(found.optional()?.map(|record| record.0))
}
