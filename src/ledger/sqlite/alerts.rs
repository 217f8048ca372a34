//! What is worth telling: what is to be looked at, what each receiver was told, and what waits to be sent.
//!
//! What is told goes into the outbox in the transaction that notes that it was told, and leaves it in the transaction
//! that records that it has arrived. So everything that is told arrives, in order for each receiver and cause; a crash in
//! between sends it once more, with the same id. Nothing is left out, however long a receiver can't be reached: what is more
//! than a few messages is told together in one.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::super::{Event, Lease};
use super::books::{Seat, tell};
use super::run::check_fence;
use super::values::{Json, Ms, Word, counted, moment, moment_or_none};
use super::{Ledger, Result, known_subscription};
use crate::alert::news::Told;
use crate::alert::receiver::Receiver;
use crate::alert::{Alert, Subject, digest, pace};
use crate::clock::Timestamp;
use crate::config::{AlertEvent, AlertKind};
use crate::ledger::Owner;

/// So many alerts at most are told in one message.
const TOGETHER_MAX: i64 = 200;
/// What was to be sent is tried again no sooner, where it could not be written down what came of it.
const UNTIL_KNOWN: TimeDelta = TimeDelta::seconds(30);
/// Nothing is put off for longer: what seems to be was noted by a clock that was ahead.
const PUT_OFF_MAX: TimeDelta = TimeDelta::hours(25);
/// A receiver that fails for so long stands in the history.
const LONG: TimeDelta = TimeDelta::hours(1);
/// What the digest of the configuration is kept under.
const CONFIGURED: &str = "alerts";

/// Why the configuration can't be used that was changed while a daemon runs, and since when.
const REFUSED: &str = "configuration refused";

/// What a look notes for one receiver and one event.
#[derive(Debug, Clone)]
pub struct Noted {
    pub receiver: String,
    pub event: AlertEvent,
    /// What counts as told from now on; `None`: nothing.
    pub told: Option<Told>,
    /// What is to be sent.
    pub alert: Option<Alert>,
}

/// A message that waits to be sent: an alert, or many that are told together.
#[derive(Debug, Clone)]
pub struct Waiting {
    message: String,
    pub alert: Alert,
    /// How often it was refused.
    pub failures: u32,
    /// Attempts in a row that did not reach the receiver.
    pub receiver_failures: u32,
}

/// How a receiver stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverRecord {
    pub mark: String,
    pub kind: AlertKind,
    pub label: String,
    /// Why something does not reach it.
    pub problem: Option<String>,
    pub failing_since: Option<Timestamp>,
    /// Attempts in a row that failed.
    pub failures: u32,
    /// How many alerts wait for it.
    pub waiting: u64,
}

impl Ledger {
    // ---- who is told

    /// These are the receivers from now on. Where the configuration is another than that of this digest was, everything is
    /// looked at anew, so that a new receiver hears of what stands. What waits for receivers that are no more ends; gives
    /// their labels, each with how many that were.
    pub fn set_receivers(&mut self, receivers: &[Receiver], digest: &str) -> Result<Vec<(String, u64)>> {
        let known = self.read(|connection| {
            let sql = "SELECT CAST (value AS TEXT) FROM meta WHERE key = ?1";
            Ok(connection.prepare_cached(sql)?.query_row([CONFIGURED], |row| row.get::<_, String>(0)).optional()?)
        })?;
        if known.as_deref() == Some(digest) {
            return Ok(Vec::new());
        }
        self.write(|transaction| {
            let ended = end_others(transaction, receivers)?;
            for Receiver { mark, label, configured } in receivers {
                let sql = "
                    INSERT INTO receiver (mark, kind, label) VALUES (?1, ?2, ?3)
                    ON CONFLICT (mark) DO UPDATE SET label = excluded.label, next_at = 0";
                transaction.execute(sql, params![mark, Word(configured.way.kind()), label])?;
            }
            // What was refused may be taken by what was changed.
            transaction.execute("UPDATE alert_outbox SET next_at = 0 WHERE next_at <> 0", [])?;
            transaction.execute_batch(sql_text::LOOK_AT_ALL)?;
            let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, CAST (?2 AS BLOB))";
            transaction.execute(sql, params![CONFIGURED, digest])?;
            Ok(ended)
        })
    }

    /// How the receivers stand, by label.
    pub fn receivers(&self) -> Result<Vec<ReceiverRecord>> {
        self.read(|connection| {
            let sql = "
                SELECT mark, kind, label, coalesce(problem, (
                         SELECT problem FROM alert_outbox WHERE receiver = mark AND problem IS NOT NULL ORDER BY id LIMIT 1)),
                       failing_since, failures, (SELECT count(*) FROM alert_outbox WHERE receiver = mark)
                FROM receiver ORDER BY label, mark";
            let mut statement = connection.prepare_cached(sql)?;
            let records = statement.query_map([], receiver_record)?;
            Ok(records.collect::<rusqlite::Result<_>>()?)
        })
    }

    // ---- what is to be looked at

    /// The next subjects that are to be looked at, with what a look has to show to note anything.
    pub fn subjects_due(&self, at_most: usize, now: Timestamp) -> Result<Vec<(Subject, i64)>> {
        self.read(|connection| {
            let sql = "
                SELECT subject, seq FROM alert_look WHERE at IS NOT NULL AND at <= ?1 ORDER BY at, subject LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let limit = i64::try_from(at_most).unwrap_or(i64::MAX);
            let rows =
                statement.query_map(params![Ms(now), limit], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
            let rows: Vec<(String, i64)> = rows.collect::<rusqlite::Result<_>>()?;
            Ok(rows.into_iter().filter_map(|(text, seq)| Some((Subject::parse(&text)?, seq))).collect())
        })
    }

    /// What receivers were told of a subject, by receiver.
    pub fn told(&self, subject: &Subject) -> Result<BTreeMap<String, Vec<Told>>> {
        self.read(|connection| {
            let sql = "
                SELECT receiver, event, cause, since, mark, at, EXISTS (
                  SELECT 1 FROM alert_outbox AS waiting WHERE waiting.receiver = alert_told.receiver
                    AND waiting.subject = alert_told.subject AND waiting.event = alert_told.event)
                FROM alert_told WHERE subject = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([subject.to_string()])?;
            let mut all: BTreeMap<String, Vec<Told>> = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let told = Told {
                    event: row.get::<_, Word<_>>(1)?.0,
                    cause: row.get(2)?,
                    since: moment(row, 3)?,
                    mark: row.get::<_, Json<_>>(4)?.0,
                    at: moment(row, 5)?,
                    waits: row.get(6)?,
                };
                all.entry(row.get(0)?).or_default().push(told);
            }
            Ok(all)
        })
    }

    /// Notes what a look at a subject came to, and when it is to be looked at again. Where something marked it since the
    /// look began, nothing is noted, and it stays due. Whether it was noted.
    pub fn note_told(&mut self, subject: &Subject, seq: i64, next: Option<Timestamp>, noted: &[Noted]) -> Result<bool> {
        let subject = subject.to_string();
        // Nothing is lost when a look that told nothing is made again.
        let tells = noted.iter().any(|noted| noted.alert.is_some());
        let note = |transaction: &Transaction<'_>| -> Result<bool> {
            let sql = "UPDATE alert_look SET at = ?3, seq = seq + 1 WHERE subject = ?1 AND seq = ?2";
            if transaction.prepare_cached(sql)?.execute(params![subject, seq, next.map(Ms)])? == 0 {
                return Ok(false);
            }
            for one in noted {
                put_told(transaction, &subject, one)?;
                if let Some(alert) = &one.alert {
                    put_alert(transaction, &subject, one, alert)?;
                }
            }
            Ok(true)
        };
        if tells { self.write(note) } else { self.write_unflushed(note) }
    }

    /// Whether a process is at work on a subscription, so that what is known of it is on its way to something else.
    pub fn is_at_work(&self, subscription: &str, now: Timestamp) -> Result<bool> {
        self.read(|connection| {
            let sql = "SELECT owner FROM lease WHERE subscription = ?1 AND owner <> '' AND expires > ?2";
            let owner = connection.prepare_cached(sql)?.query_row(params![subscription, Ms(now)], |row| row.get(0));
            Ok(owner.optional()?.is_some_and(|owner| Owner(owner).may_be_alive()))
        })
    }

    /// Why the configuration can't be used that was changed while a daemon runs, and since when.
    pub fn refused_configuration(&self) -> Result<Option<(String, Timestamp)>> {
        self.read(|connection| {
            let sql = "SELECT CAST (value AS TEXT) FROM meta WHERE key = ?1";
            let known = connection.prepare_cached(sql)?.query_row([REFUSED], |row| row.get::<_, Json<_>>(0));
            Ok(known.optional()?.map(|known| known.0))
        })
    }

    /// Notes that.
    pub fn put_refused_configuration(&mut self, refused: Option<&(String, Timestamp)>) -> Result<()> {
        if self.refused_configuration()?.as_ref() == refused {
            return Ok(());
        }
        self.write(|transaction| {
            transaction.execute("DELETE FROM meta WHERE key = ?1", [REFUSED])?;
            if let Some(refused) = refused {
                let sql = "INSERT INTO meta (key, value) VALUES (?1, CAST (?2 AS BLOB))";
                transaction.execute(sql, params![REFUSED, Json(refused)])?;
            }
            let sql = "
                INSERT INTO alert_look (subject, at) VALUES (?1, 0) ON CONFLICT (subject) DO UPDATE SET at = 0, seq = seq + 1";
            transaction.execute(sql, [Subject::Configuration.to_string()])?;
            Ok(())
        })
    }

    /// Whether the problem of a source may be over by itself.
    pub fn is_passing(&self, source: &str) -> Result<bool> {
        self.read(|connection| {
            let sql = "SELECT problem_passing FROM source WHERE name = ?1";
            Ok(connection.prepare_cached(sql)?.query_row([source], |row| row.get(0)).optional()?.unwrap_or(false))
        })
    }

    /// What tells this ledger from every other.
    pub fn identity(&self) -> Result<String> {
        self.read(|connection| Ok(connection.query_row("SELECT hex(ledger) FROM generation", [], |row| row.get(0))?))
    }

    // ---- what waits to be sent

    /// The receivers for which something waits that may be sent now.
    pub fn receivers_due(&self, now: Timestamp) -> Result<Vec<String>> {
        self.read(|connection| {
            let sql = format!(
                "SELECT mark, spent FROM receiver
                 WHERE {} AND EXISTS (SELECT 1 FROM alert_outbox AS one WHERE one.receiver = mark AND {}) ORDER BY mark",
                sql_text::MAY_BE_TRIED,
                sql_text::IS_NEXT
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let known = statement.query_map([Ms(now), Ms(now + PUT_OFF_MAX)], |row| Ok((row.get(0)?, moment(row, 1)?)))?;
            let known: Vec<(String, Timestamp)> = known.collect::<rusqlite::Result<_>>()?;
            Ok(known.into_iter().filter(|(_, spent)| pace::allowed(*spent, now) > 0).map(|(mark, _)| mark).collect())
        })
    }

    /// Takes the right to send to a receiver for this long; `None` where another process has it.
    pub fn acquire_receiver(
        &mut self,
        receiver: &str,
        owner: &Owner,
        term: Duration,
        now: Timestamp,
    ) -> Result<Option<Lease>> {
        // No subscription has a slash in its name.
        self.acquire(&format!("alerts/{receiver}"), owner, term, now)
    }

    /// The next message to send to a receiver: the one that was to be sent before, or the oldest alert that may be told now
    /// and before which none of its cause waits. Where more of these wait than messages may be sent, they are one message.
    pub fn next_alert(&mut self, lease: &Lease, receiver: &str, now: Timestamp) -> Result<Option<Waiting>> {
        let spent = self.read(|connection| {
            let sql = format!("SELECT spent FROM receiver WHERE mark = ?3 AND {}", sql_text::MAY_BE_TRIED);
            let values = params![Ms(now), Ms(now + PUT_OFF_MAX), receiver];
            Ok(connection.prepare_cached(&sql)?.query_row(values, |row| moment(row, 0)).optional()?)
        })?;
        let allowed = spent.map_or(0, |spent| pace::allowed(spent, now));
        if allowed == 0 {
            return Ok(None);
        }
        let known = self.read(|connection| begun(connection, receiver, now))?;
        let ready = if known.is_some() { Vec::new() } else { self.read(|connection| ready(connection, receiver))? };
        if known.is_none() && ready.is_empty() {
            return Ok(None);
        }
        self.write(|transaction| {
            check_fence(transaction, lease)?;
            let sql = "UPDATE receiver SET next_at = ?2 WHERE mark = ?1";
            transaction.prepare_cached(sql)?.execute(params![receiver, Ms(now + UNTIL_KNOWN)])?;
            if let Some(known) = known {
                return Ok(Some(known));
            }
            let number = if ready.len() as u64 > allowed { ready.len() } else { 1 };
            put_message(transaction, &ready[..number])?;
            begun(transaction, receiver, now)
        })
    }

    /// A message has arrived. Gives since when nothing had reached the receiver before.
    pub fn alert_arrived(
        &mut self,
        lease: &Lease,
        receiver: &str,
        waiting: &Waiting,
        now: Timestamp,
    ) -> Result<Option<Timestamp>> {
        self.write(|transaction| {
            check_fence(transaction, lease)?;
            let sql = "DELETE FROM alert_outbox WHERE message = ?1 AND receiver = ?2";
            // Its receiver is no more.
            if transaction.prepare_cached(sql)?.execute(params![waiting.message, receiver])? == 0 {
                return Ok(None);
            }
            let sql = "SELECT label, failing_since, spent FROM receiver WHERE mark = ?1";
            let (label, failing, spent): (String, _, _) = transaction
                .query_row(sql, [receiver], |row| Ok((row.get(0)?, moment_or_none(row, 1)?, moment(row, 2)?)))?;
            let sql = "
                UPDATE receiver SET problem = NULL, failing_since = NULL, failures = 0, next_at = 0, told_long = 0, spent = ?2
                WHERE mark = ?1";
            transaction.execute(sql, params![receiver, Ms(pace::after_one(spent, now))])?;
            let (alone, together) = (std::slice::from_ref(&waiting.alert), &waiting.alert.gathered);
            for alert in if together.is_empty() { alone } else { together } {
                let detail = format!("{label}: {} ({})", alert.words.headline, alert.phase.word());
                tell_of(transaction, alert, Event::AlertSent, &detail, now)?;
            }
            Ok(failing)
        })
    }

    /// The receiver refuses this alert: others go on, and this one is tried again at that time. Whether that is news.
    /// Of many that are told together each half is tried by itself from then on.
    pub fn alert_refused(
        &mut self,
        lease: &Lease,
        receiver: &str,
        waiting: &Waiting,
        problem: &str,
        next: Timestamp,
    ) -> Result<bool> {
        self.write(|transaction| {
            check_fence(transaction, lease)?;
            let sql = "SELECT problem IS NULL FROM alert_outbox WHERE message = ?1 LIMIT 1";
            let news = transaction.query_row(sql, [&waiting.message], |row| row.get(0)).optional()?.unwrap_or(false);
            let sql = "UPDATE alert_outbox SET problem = ?2, failures = failures + 1, next_at = ?3 WHERE message = ?1";
            transaction.execute(sql, params![waiting.message, problem, Ms(next)])?;
            transaction.execute("UPDATE receiver SET next_at = 0 WHERE mark = ?1", [receiver])?;
            // One that nobody takes, or too many, must not keep the others back for ever.
            let together = of_message(transaction, &waiting.message)?;
            if together.len() > 1 {
                let (one, other) = together.split_at(together.len() / 2);
                put_message(transaction, one)?;
                put_message(transaction, other)?;
            }
            Ok(news)
        })
    }

    /// Nothing reaches the receiver: it is tried again at that time. Whether that is news.
    pub fn receiver_failed(
        &mut self,
        lease: &Lease,
        receiver: &str,
        problem: &str,
        next: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        self.write(|transaction| {
            check_fence(transaction, lease)?;
            let sql = "SELECT label, problem, failing_since, told_long FROM receiver WHERE mark = ?1";
            let known = transaction.query_row(sql, [receiver], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, Option<String>>(1)?,
                    moment_or_none(row, 2)?,
                    row.get::<_, bool>(3)?,
                ))
            });
            let Some((label, known, since, told_long)) = known.optional()? else { return Ok(false) };
            let since = since.unwrap_or(now).min(now);
            let long = now - since >= LONG;
            if long && !told_long {
                let detail =
                    format!("{label}: nothing arrives there since {}: {problem}", crate::report::text::moment(since));
                tell(transaction, None, None, Event::AlertFailed, None, &detail, Seat::Same, now)?;
            }
            let sql = "
                UPDATE receiver SET problem = ?2, failing_since = ?3, failures = failures + 1, next_at = ?4,
                  told_long = ?5 WHERE mark = ?1";
            transaction.execute(sql, params![receiver, problem, Ms(since), Ms(next), long || told_long])?;
            Ok(known.as_deref() != Some(problem))
        })
    }
}

/// The message that was to be sent to a receiver before and may be sent now.
fn begun(connection: &Connection, receiver: &str, now: Timestamp) -> Result<Option<Waiting>> {
    let mut statement = connection.prepare_cached(sql_text::BEGUN)?;
    let mut rows = statement.query(params![Ms(now), Ms(now + PUT_OFF_MAX), receiver])?;
    let (mut alerts, mut known) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        alerts.push(row.get::<_, Json<Alert>>(1)?.0);
        known = Some((row.get::<_, String>(0)?, row.get(2)?, row.get(3)?));
    }
    let Some((message, failures, receiver_failures)) = known else { return Ok(None) };
    let alert = digest::together(&message, alerts);
    Ok(alert.map(|alert| Waiting { message, alert, failures, receiver_failures }))
}

/// What may be told to a receiver in a new message, in order.
fn ready(connection: &Connection, receiver: &str) -> Result<Vec<(i64, Alert)>> {
    let mut statement = connection.prepare_cached(sql_text::READY)?;
    let rows = statement
        .query_map(params![receiver, TOGETHER_MAX], |row| Ok((row.get(0)?, row.get::<_, Json<Alert>>(1)?.0)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What is told in this message, in order.
fn of_message(connection: &Connection, message: &str) -> Result<Vec<(i64, Alert)>> {
    let mut statement =
        connection.prepare_cached("SELECT id, alert FROM alert_outbox WHERE message = ?1 ORDER BY id")?;
    let rows = statement.query_map([message], |row| Ok((row.get(0)?, row.get::<_, Json<Alert>>(1)?.0)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// These are told in one message.
fn put_message(connection: &Connection, alerts: &[(i64, Alert)]) -> Result<()> {
    let Some((_, first)) = alerts.first() else { return Ok(()) };
    let message = if alerts.len() > 1 { digest::id(&first.id, alerts.len()) } else { first.id.clone() };
    let ids: Vec<i64> = alerts.iter().map(|(id, _)| *id).collect();
    let sql = "UPDATE alert_outbox SET message = ?1 WHERE id IN (SELECT value FROM json_each(?2))";
    connection.prepare_cached(sql)?.execute(params![message, Json(&ids)])?;
    Ok(())
}

fn receiver_record(row: &Row<'_>) -> rusqlite::Result<ReceiverRecord> {
    Ok(ReceiverRecord {
        mark: row.get(0)?,
        kind: row.get::<_, Word<_>>(1)?.0,
        label: row.get(2)?,
        problem: row.get(3)?,
        failing_since: moment_or_none(row, 4)?,
        failures: row.get(5)?,
        waiting: counted(row, 6)?,
    })
}

/// Forgets the receivers that are not among these.
fn end_others(connection: &Connection, receivers: &[Receiver]) -> Result<Vec<(String, u64)>> {
    let marks: Vec<&str> = receivers.iter().map(|receiver| receiver.mark.as_str()).collect();
    let sql = "
        SELECT mark, label, (SELECT count(*) FROM alert_outbox WHERE receiver = mark) FROM receiver
        WHERE mark NOT IN (SELECT value FROM json_each(?1)) ORDER BY label";
    let mut statement = connection.prepare(sql)?;
    let others = statement.query_map([Json(marks)], |row| Ok((row.get(0)?, row.get(1)?, counted(row, 2)?)))?;
    let others: Vec<(String, String, u64)> = others.collect::<rusqlite::Result<_>>()?;
    for (mark, ..) in &others {
        for sql in [
            "DELETE FROM alert_outbox WHERE receiver = ?1",
            "DELETE FROM alert_told WHERE receiver = ?1",
            "DELETE FROM receiver WHERE mark = ?1",
        ] {
            connection.execute(sql, [mark])?;
        }
    }
    Ok(others.into_iter().map(|(_, label, waited)| (label, waited)).collect())
}

fn put_told(connection: &Connection, subject: &str, noted: &Noted) -> Result<()> {
    let Noted { receiver, event, told, .. } = noted;
    let Some(told) = told else {
        let sql = "DELETE FROM alert_told WHERE subject = ?1 AND receiver = ?2 AND event = ?3";
        connection.prepare_cached(sql)?.execute(params![subject, receiver, Word(event)])?;
        return Ok(());
    };
    let sql = "
        INSERT OR REPLACE INTO alert_told (subject, receiver, event, cause, since, mark, at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let Told { cause, since, mark, at, .. } = told;
    let values = params![subject, receiver, Word(event), cause, Ms(*since), Json(mark), Ms(*at)];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Puts an alert into the outbox. It stays there until it has arrived, however long that takes: what grows is what began
/// and ended meanwhile, for a reminder is told only when nothing of its cause waits.
fn put_alert(connection: &Connection, subject: &str, noted: &Noted, alert: &Alert) -> Result<()> {
    let Noted { receiver, event, .. } = noted;
    let sql = "INSERT INTO alert_outbox (receiver, subject, event, alert) VALUES (?1, ?2, ?3, ?4)";
    connection.prepare_cached(sql)?.execute(params![receiver, subject, Word(event), Json(alert)])?;
    Ok(())
}

fn tell_of(connection: &Connection, alert: &Alert, event: Event, detail: &str, now: Timestamp) -> Result<()> {
    let subscription = match alert.subject.subscription() {
        Some(name) => known_subscription(connection, name)?,
        None => None,
    };
    tell(connection, subscription, None, event, None, detail, Seat::Same, now)
}

mod sql_text {
    /// Of a row of `receiver`. `?1` is now, `?2` the last moment to which anything is put off.
    pub(super) const MAY_BE_TRIED: &str = "(receiver.next_at <= ?1 OR receiver.next_at > ?2)";
    /// Of a row of `alert_outbox`, called `one`.
    pub(super) const IS_NEXT: &str = "(one.next_at <= ?1 OR one.next_at > ?2) AND NOT EXISTS (
        SELECT 1 FROM alert_outbox AS earlier WHERE earlier.receiver = one.receiver AND earlier.subject = one.subject
          AND earlier.event = one.event AND earlier.id < one.id)";
    /// The rows of the oldest message that was to be sent to `?3` before and may be sent now.
    pub(super) const BEGUN: &str = "
        SELECT message, alert, failures, (SELECT failures FROM receiver WHERE mark = ?3) FROM alert_outbox
        WHERE message = (
          SELECT message FROM alert_outbox WHERE receiver = ?3 AND message IS NOT NULL AND (next_at <= ?1 OR next_at > ?2)
          ORDER BY id LIMIT 1)
        ORDER BY id";
    /// What may be told to `?1` in a new message: nothing that comes after what is put off or on its way of its cause.
    pub(super) const READY: &str = "
        SELECT one.id, one.alert FROM alert_outbox AS one
        WHERE one.receiver = ?1 AND one.message IS NULL AND NOT EXISTS (
          SELECT 1 FROM alert_outbox AS earlier WHERE earlier.receiver = one.receiver AND earlier.subject = one.subject
            AND earlier.event = one.event AND earlier.id < one.id AND earlier.message IS NOT NULL)
        ORDER BY one.id LIMIT ?2";
    pub(super) const LOOK_AT_ALL: &str = "
        INSERT INTO alert_look (subject, at)
        SELECT subject, 0 FROM (
          SELECT 'subscription/' || name AS subject FROM subscription UNION SELECT 'source/' || name FROM source
          UNION SELECT 'fleet' UNION SELECT 'ledger' UNION SELECT 'configuration' UNION SELECT subject FROM alert_told)
        WHERE true ON CONFLICT (subject) DO UPDATE SET at = 0, seq = seq + 1;";
}
