//! Looking back: the audit trail, and what a run did.

use rusqlite::{OptionalExtension, Row, params};

use super::super::{Event, HistoryLine, RunId, RunRecord};
use super::planning::run_record;
use super::values::{Json, Word, address, moment};
use super::{Ledger, Result, known_subscription};
use crate::address::Address;
use crate::clock::Timestamp;

pub(super) const LINES: &str = "
    SELECT at, run, subscription.name, event, detail, identity, spelling
    FROM history LEFT JOIN subscription ON subscription.id = subscription_id";

impl Ledger {
    /// Oldest first. No names: all subscriptions, and what belongs to none.
    pub fn for_each_history(
        &self,
        subscriptions: &[String],
        since: Option<Timestamp>,
        each: &mut dyn FnMut(HistoryLine),
    ) -> Result<()> {
        self.read(|connection| {
            let mut ids = Vec::with_capacity(subscriptions.len());
            for name in subscriptions {
                ids.extend(known_subscription(connection, name)?);
            }
            let all = subscriptions.is_empty();
            let chosen = if all { "?1 IS NOT NULL" } else { "subscription_id IN (SELECT value FROM json_each(?1))" };
            let sql = format!("{LINES} WHERE {chosen} AND at >= ?2 ORDER BY at, history.id");
            let mut statement = connection.prepare_cached(&sql)?;
            let since = since.map_or(i64::MIN, |since| since.timestamp_millis());
            let mut rows = statement.query(params![Json(&ids), since])?;
            while let Some(row) = rows.next()? {
                each(line(row)?);
            }
            Ok(())
        })
    }

    /// The newest lines about an address, by its identity, in any subscription; oldest first.
    pub fn history_of(&self, identity: &str, limit: usize) -> Result<Vec<HistoryLine>> {
        self.read(|connection| {
            let sql = format!("{LINES} WHERE identity = ?1 ORDER BY at DESC, history.id DESC LIMIT ?2");
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut statement = connection.prepare_cached(&sql)?;
            let mut lines: Vec<HistoryLine> =
                statement.query_map(params![identity, limit], line)?.collect::<rusqlite::Result<_>>()?;
            lines.reverse();
            Ok(lines)
        })
    }

    /// A run, with its subscription's name.
    pub fn run(&self, run: RunId) -> Result<Option<(String, RunRecord)>> {
        self.read(|connection| {
            let sql = "
                SELECT run.id, started_at, finished_at, cause, outcome, requests, assigned, unassigned, name
                FROM run JOIN subscription ON subscription.id = subscription_id WHERE run.id = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row([run.into_bytes()], |row| Ok((row.get(8)?, run_record(row)?))).optional()?)
        })
    }

    /// Whose seat a run gave and whose it took, in this order, each by address. Where the server had done it before,
    /// the run did nothing, and the address is in neither; nor is one whose seat was given or taken again since.
    pub fn run_effects(&self, run: RunId) -> Result<(Vec<Address>, Vec<Address>)> {
        self.read(|connection| {
            let sql = "
                SELECT identity, spelling, seat FROM history
                WHERE run = ?1 AND seat <> 0 AND identity IS NOT NULL AND NOT EXISTS (
                  SELECT 1 FROM history AS later
                  WHERE later.identity = history.identity AND later.subscription_id = history.subscription_id
                    AND later.id > history.id AND later.seat <> 0)
                ORDER BY identity, id";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([run.into_bytes()])?;
            let (mut assigned, mut unassigned) = (Vec::new(), Vec::new());
            while let Some(row) = rows.next()? {
                let given: i64 = row.get(2)?;
                if given > 0 { &mut assigned } else { &mut unassigned }.push(address(row, 0)?);
            }
            Ok((assigned, unassigned))
        })
    }
}

pub(super) fn line(row: &Row<'_>) -> rusqlite::Result<HistoryLine> {
    let named = row.get_ref(5)?.as_str_or_null()?.is_some();
    Ok(HistoryLine {
        at: moment(row, 0)?,
        run: row.get::<_, Option<[u8; 16]>>(1)?.map(uuid::Uuid::from_bytes),
        subscription: row.get(2)?,
        event: row.get::<_, Word<Event>>(3)?.0,
        email: if named { Some(address(row, 5)?.spelling().to_owned()) } else { None },
        detail: row.get(4)?,
    })
}
