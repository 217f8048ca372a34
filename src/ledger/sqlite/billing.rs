//! What an invoice rests on: how many seats were held when, and whose.

use rusqlite::{OptionalExtension as _, params};

use super::values::{Ms, Word, counted, moment};
use super::{Ledger, Result, known_subscription};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::ledger::Event;
use crate::report::billing::{Held, SeatEvent, Turn};

impl Ledger {
    /// The names of all subscriptions that ever had a member or a run, also of those that are not configured any more.
    pub fn subscription_names(&self) -> Result<Vec<String>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT name FROM subscription ORDER BY name")?;
            Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// How many seats were held from `start` on until before `end`.
    pub fn seats_held(&self, subscription: &str, start: Timestamp, end: Timestamp) -> Result<Held> {
        self.read(|connection| {
            let Some(id) = known_subscription(connection, subscription)? else { return Ok(Held::default()) };
            let before = "SELECT held FROM seats_held WHERE subscription_id = ?1 AND at <= ?2 ORDER BY at DESC LIMIT 1";
            let before = connection.prepare_cached(before)?.query_row(params![id, Ms(start)], |row| counted(row, 0));
            let sql = "SELECT at, held FROM seats_held WHERE subscription_id = ?1 AND at > ?2 AND at < ?3 ORDER BY at";
            let mut statement = connection.prepare_cached(sql)?;
            let steps =
                statement.query_map(params![id, Ms(start), Ms(end)], |row| Ok((moment(row, 0)?, counted(row, 1)?)))?;
            let steps = steps.collect::<rusqlite::Result<_>>()?;
            let runs = "
                SELECT started_at, finished_at FROM run
                WHERE subscription_id = ?1 AND finished_at > ?2 AND started_at < ?3 ORDER BY id";
            let mut statement = connection.prepare_cached(runs)?;
            let runs =
                statement.query_map(params![id, Ms(start), Ms(end)], |row| Ok((moment(row, 0)?, moment(row, 1)?)))?;
            Ok(Held { before: before.optional()?.unwrap_or(0), steps, runs: runs.collect::<rusqlite::Result<_>>()? })
        })
    }

    /// All that happened to people's seats until before `end`, in the order in which it happened.
    pub fn for_each_seat_event(
        &self,
        subscription: &str,
        end: Timestamp,
        each: &mut dyn FnMut(SeatEvent),
    ) -> Result<()> {
        self.read(|connection| {
            let Some(id) = known_subscription(connection, subscription)? else { return Ok(()) };
            // By number: a clock that was set back does not turn things round.
            let sql = "
                SELECT at, identity, event, CASE WHEN event IN ('renamed', 'assigned') THEN detail END FROM history
                WHERE subscription_id = ?1 AND at < ?2 AND identity IS NOT NULL AND event IN
                  ('assigned', 'adopted', 'unassigned', 'forgotten', 'dropped', 'pending', 'renamed')
                ORDER BY id";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![id, Ms(end)])?;
            while let Some(row) = rows.next()? {
                let detail: Option<String> = row.get(3)?;
                let turn = match row.get::<_, Word<Event>>(2)?.0 {
                    Event::Assigned => match other_address(detail.as_deref(), "renamed from ") {
                        Some(from) => Turn::Moves(from),
                        None => Turn::Gains,
                    },
                    Event::Adopted => Turn::Gains,
                    Event::Pending => Turn::Waits,
                    Event::Renamed => {
                        let Some(to) = other_address(detail.as_deref(), "to ") else { continue };
                        Turn::Renamed(to)
                    }
                    _ => Turn::Loses,
                };
                each(SeatEvent { at: moment(row, 0)?, identity: row.get(1)?, turn });
            }
            Ok(())
        })
    }
}

/// The other address of a person, by identity, from the detail of a line in the history.
fn other_address(detail: Option<&str>, before: &str) -> Option<String> {
    let address = detail?.strip_prefix(before)?.split(';').next()?;
    Some(Address::parse(address).ok()?.identity().to_owned())
}
