//! Rosters: the newest accepted one of each source, and what was refused.

use std::collections::{BTreeSet, HashSet};

use rusqlite::types::FromSqlError;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use super::super::{Acceptance, Event, Lease, SourceRecord};
use super::books::{Seat, tell};
use super::people::lapse;
use super::values::{Json, Ms, address, count, counted, moment_or_none, spelling};
use super::{Ledger, Result, known_subscription, subscription_id};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::member::Departure;
use crate::report::text::count as in_words;
use crate::roster::change::Change;
use crate::roster::{Entry, EntryKey, Hasher, Parts, When};
use crate::source::{BadRow, DeltaFile, Evidence, FileDone, FileMark, Incomplete};

/// More new and changed entries than this are not noted one by one: the next plan looks at all addresses.
const TOUCHED_MAX: usize = 10_000;

/// What [`entry`] reads, first in its row.
pub(super) const ENTRY: &str = "identity, spelling, stable_id, route, priority, starts, ends, origin";

impl Ledger {
    pub fn source(&self, name: &str) -> Result<Option<SourceRecord>> {
        self.read(|connection| {
            let sql = "
                SELECT name, scope, fingerprint, evidence, entries, bad_rows, accepted_at, problem, problem_since, revision
                FROM source WHERE name = ?1";
            Ok(connection.prepare_cached(sql)?.query_row([name], source_record).optional()?)
        })
    }

    /// Key and content of every stored entry in these parts, in the order of keys.
    pub fn for_each_row(&self, source: &str, parts: &Parts, each: &mut dyn FnMut(EntryKey, u64)) -> Result<()> {
        self.read(|connection| {
            let Some(source) = source_id(connection, source)? else { return Ok(()) };
            let sql =
                "SELECT key, content FROM roster_entry WHERE source_id = ?1 AND key BETWEEN ?2 AND ?3 ORDER BY key";
            let mut statement = connection.prepare_cached(sql)?;
            for (first, last) in parts.ranges() {
                let mut rows = statement.query(params![source, first.0, last.0])?;
                while let Some(row) = rows.next()? {
                    each(entry_key(row, 0)?, row.get::<_, i64>(1)?.cast_unsigned());
                }
            }
            Ok(())
        })
    }

    /// Key and origin of every stored entry, in the order of keys.
    pub fn for_each_origin(&self, source: &str, each: &mut dyn FnMut(EntryKey, &str)) -> Result<()> {
        self.read(|connection| {
            let Some(source) = source_id(connection, source)? else { return Ok(()) };
            let sql = "SELECT key, origin FROM roster_entry WHERE source_id = ?1 ORDER BY key";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([source])?;
            while let Some(row) = rows.next()? {
                each(entry_key(row, 0)?, row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?);
            }
            Ok(())
        })
    }

    /// These entries stand elsewhere by now, which changes nothing else. Nothing is written where the stored roster is
    /// another than `base`, its [`SourceRecord::revision`].
    pub fn move_entries(&mut self, source: &str, base: u64, moved: &[(EntryKey, Box<str>)]) -> Result<()> {
        self.write(|transaction| {
            let Some(source) = source_id(transaction, source)? else { return Ok(()) };
            if revision(transaction, source)? != base {
                return Ok(());
            }
            let sql = "UPDATE roster_entry SET origin = ?3 WHERE source_id = ?1 AND key = ?2";
            let mut statement = transaction.prepare_cached(sql)?;
            for (key, origin) in moved {
                statement.execute(params![source, key.0, origin])?;
            }
            Ok(())
        })
    }

    /// The entries with these keys, in their order; a key that is not there is passed over.
    pub fn entries_by_key(&self, source: &str, keys: &[EntryKey]) -> Result<Vec<Entry>> {
        self.read(|connection| {
            let Some(source) = source_id(connection, source)? else { return Ok(Vec::new()) };
            let mut lookup = EntryLookup::new(connection)?;
            let mut entries = Vec::with_capacity(keys.len());
            for key in keys {
                entries.extend(lookup.get(source, *key)?);
            }
            Ok(entries)
        })
    }

    /// The entries with one of these stable ids, in their order.
    pub fn entries_by_id(&self, source: &str, ids: &[&str]) -> Result<Vec<Entry>> {
        self.read(|connection| {
            let Some(source) = source_id(connection, source)? else { return Ok(Vec::new()) };
            let sql = format!(
                "SELECT {ENTRY} FROM roster_entry INDEXED BY roster_entry_stable_id
                 WHERE source_id = ?1 AND stable_id = ?2 ORDER BY key"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut entries = Vec::with_capacity(ids.len());
            for id in ids {
                let mut rows = statement.query(params![source, id])?;
                while let Some(row) = rows.next()? {
                    entries.push(entry(row)?);
                }
            }
            Ok(entries)
        })
    }

    /// The reading becomes the roster; its changes are noted for the subscriptions. Gives false, and nothing is written,
    /// where the changes were computed from another roster than the one that is stored.
    pub fn accept(&mut self, acceptance: &Acceptance, now: Timestamp) -> Result<bool> {
        let hasher = self.hasher.clone();
        self.write(|transaction| {
            let first = !was_accepted(transaction, &acceptance.source)?;
            let source = make_source(transaction, &acceptance.source)?;
            let stored = revision(transaction, source)?;
            if acceptance.base.is_some_and(|base| base != stored) {
                return Ok(false);
            }
            edit_roster(transaction, source, &acceptance.changes, &hasher)?;
            let bad_before = bad_rows(transaction, source)?;
            for subscription in &acceptance.subscriptions {
                let id = subscription_id(transaction, subscription)?;
                let mut touch = Touch::begin(transaction, id)?;
                touch.departed(subscription, acceptance, false, now)?;
                touch.named(subscription, acceptance, first)?;
                touch.end()?;
            }
            miss(transaction, source, acceptance, now)?;
            touch_bad_rows(transaction, &bad_before, &acceptance.bad_rows)?;
            let sql = "
                UPDATE source SET scope = ?2, fingerprint = ?3, evidence = ?4, entries = ?5, bad_rows = ?6,
                  accepted_at = ?7, revision = revision + 1, problem = NULL, problem_since = NULL WHERE id = ?1";
            transaction.execute(
                sql,
                params![
                    source,
                    acceptance.scope,
                    acceptance.fingerprint.to_bytes(),
                    Json(&acceptance.evidence),
                    count(acceptance.entries),
                    Json(&acceptance.bad_rows),
                    Ms(now),
                ],
            )?;
            note_file(transaction, source, &acceptance.evidence, acceptance.delta.as_ref(), now)?;
            let detail = acceptance_told(acceptance);
            tell(transaction, None, None, Event::RosterAccepted, None, &detail, Seat::Same, now)?;
            Ok(true)
        })
    }

    /// The subscription looks at these sources from now on. What it misses of their changes while the configuration leaves
    /// it out is noted ([`Ledger::accept`]), whether or not it was ever told of one.
    pub fn follow(&mut self, lease: &Lease, sources: &[String]) -> Result<()> {
        self.fenced(lease, |transaction, _| {
            for name in sources {
                let source = make_source(transaction, name)?;
                tell_of_changes(transaction, source, &BTreeSet::from([lease.subscription().to_owned()]))?;
            }
            Ok(())
        })
    }

    /// The source was read whole and says what it said before. Where its evidence and its bad rows are the same, too,
    /// nothing is written.
    pub fn accept_unchanged(
        &mut self,
        source: &str,
        evidence: &Evidence,
        bad_rows: &[BadRow],
        now: Timestamp,
    ) -> Result<()> {
        let known = self.source(source)?;
        if known
            .is_some_and(|known| known.problem.is_none() && known.evidence == *evidence && known.bad_rows == bad_rows)
        {
            return Ok(());
        }
        self.write(|transaction| {
            let source = make_source(transaction, source)?;
            let before = self::bad_rows(transaction, source)?;
            touch_bad_rows(transaction, &before, bad_rows)?;
            let sql = "
                UPDATE source SET evidence = ?2, bad_rows = ?3, accepted_at = ?4, problem = NULL, problem_since = NULL
                WHERE id = ?1";
            transaction.execute(sql, params![source, Json(evidence), Json(bad_rows), Ms(now)])?;
            note_file(transaction, source, evidence, None, now)
        })
    }

    /// The look gave nothing; the stored roster stays. Written once for each new reason; the problem's time is that of
    /// the first look that gave nothing.
    pub fn refuse(&mut self, source: &str, why: &Incomplete, now: Timestamp) -> Result<()> {
        self.write(|transaction| {
            let id = make_source(transaction, source)?;
            let sql = "
                UPDATE source SET problem = ?2, problem_passing = ?4, problem_since = coalesce(problem_since, ?3),
                  failed_at = CASE WHEN problem IS NULL THEN ?3 ELSE failed_at END
                WHERE id = ?1 AND problem IS NOT ?2";
            if transaction.execute(sql, params![id, why.reason, Ms(now), why.passing])? == 0 {
                return Ok(());
            }
            let detail = format!("{source}: {}", why.reason);
            tell(transaction, None, None, Event::RosterRefused, None, &detail, Seat::Same, now)
        })
    }

    /// A look that went well clears the problem of an earlier one.
    pub fn source_well(&mut self, source: &str) -> Result<()> {
        let ill = self.read(|connection| {
            let sql = "SELECT 1 FROM source WHERE name = ?1 AND problem IS NOT NULL";
            Ok(connection.prepare_cached(sql)?.exists([source])?)
        })?;
        if !ill {
            return Ok(());
        }
        self.write(|transaction| {
            let sql = "UPDATE source SET problem = NULL, problem_since = NULL WHERE name = ?1";
            transaction.execute(sql, [source])?;
            Ok(())
        })
    }

    /// A file came that says what the source said before, at `now`.
    pub fn source_heard(&mut self, source: &str, now: Timestamp) -> Result<()> {
        self.write(|transaction| {
            let sql = "UPDATE source SET accepted_at = ?2 WHERE name = ?1 AND accepted_at IS NOT NULL";
            transaction.execute(sql, params![source, Ms(now)])?;
            Ok(())
        })
    }

    /// The name of the source's newest file, if that was refused.
    pub fn newest_file_refused(&self, source: &str) -> Result<Option<String>> {
        self.read(|connection| {
            let sql = "
                SELECT file_done.name, refused FROM file_done JOIN source ON source.id = source_id
                WHERE source.name = ?1 ORDER BY at DESC, refused LIMIT 1";
            let newest = connection.prepare_cached(sql)?.query_row([source], |row| Ok((row.get(0)?, row.get(1)?)));
            Ok(newest.optional()?.and_then(|(name, refused): (String, bool)| refused.then_some(name)))
        })
    }

    /// What became of this very file, if it has lain there since: a delta file counts once. `judged_by` is what a file
    /// would be refused by today; one that was refused by something else is judged anew.
    pub fn file_done(&self, source: &str, file: &FileMark, judged_by: &str) -> Result<Option<FileDone>> {
        self.read(|connection| {
            let sql = "
                SELECT refused FROM file_done JOIN source ON source.id = source_id
                WHERE source.name = ?1 AND file_done.name = ?2 AND digest = ?3 AND written = ?4
                  AND (refused = 0 OR judged_by = ?5)";
            let values = params![source, file.name, file.digest, file.written, judged_by];
            let refused: Option<bool> =
                connection.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()?;
            Ok(refused.map(|refused| if refused { FileDone::Refused } else { FileDone::Taken }))
        })
    }

    /// The name of the delta that comes last, in order of name, of those that were taken in this place.
    pub fn last_delta(&self, source: &str, place: &str) -> Result<Option<String>> {
        self.read(|connection| {
            let Some(source) = source_id(connection, source)? else { return Ok(None) };
            let sql = "SELECT name FROM file_done WHERE source_id = ?1 AND place = ?2 ORDER BY name DESC LIMIT 1";
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_row(params![source, place], |row| row.get(0)).optional()?)
        })
    }

    /// Notes that a delta or snapshot file was refused, and by what it was judged.
    pub fn refuse_file(&mut self, source: &str, file: &FileMark, judged_by: &str, now: Timestamp) -> Result<()> {
        self.write(|transaction| {
            let source = make_source(transaction, source)?;
            let FileMark { name, digest, written } = file;
            let sql = "
                INSERT INTO file_done (source_id, name, digest, written, refused, judged_by, at)
                VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6)
                ON CONFLICT (source_id, name) DO UPDATE SET digest = excluded.digest, written = excluded.written,
                  refused = 1, judged_by = excluded.judged_by, at = excluded.at";
            transaction.prepare_cached(sql)?.execute(params![source, name, digest, written, judged_by, Ms(now)])?;
            Ok(())
        })
    }

    /// The file of this name has been put away: whatever has the name from now on is another one.
    pub fn file_put_away(&mut self, source: &str, name: &str) -> Result<()> {
        self.write(|transaction| {
            let sql = "
                UPDATE file_done SET written = NULL
                WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND name = ?2";
            transaction.prepare_cached(sql)?.execute([source, name])?;
            Ok(())
        })
    }
}

// ---- reading

fn source_record(row: &Row<'_>) -> rusqlite::Result<SourceRecord> {
    let problem: Option<String> = row.get(7)?;
    Ok(SourceRecord {
        name: row.get(0)?,
        scope: row.get(1)?,
        fingerprint: row.get(2)?,
        evidence: row.get::<_, Json<Evidence>>(3)?.0,
        entries: counted(row, 4)?,
        bad_rows: row.get::<_, Json<Vec<BadRow>>>(5)?.0,
        accepted_at: moment_or_none(row, 6)?,
        problem: problem.zip(moment_or_none(row, 8)?),
        revision: counted(row, 9)?,
    })
}

pub(super) fn source_id(connection: &Connection, name: &str) -> Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT id FROM source WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

fn entry_key(row: &Row<'_>, column: usize) -> rusqlite::Result<EntryKey> {
    let bytes = row.get_ref(column)?.as_blob()?;
    let key =
        bytes.try_into().map_err(|_| FromSqlError::InvalidBlobSize { expected_size: 16, blob_size: bytes.len() })?;
    Ok(EntryKey(key))
}

/// An entry from the columns of [`ENTRY`].
pub(super) fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let text = |column: usize| -> rusqlite::Result<Option<Box<str>>> {
        Ok(row.get_ref(column)?.as_str_or_null()?.map(Into::into))
    };
    let when = |column: usize| -> rusqlite::Result<Option<When>> {
        let Some(text) = row.get_ref(column)?.as_str_or_null()? else { return Ok(None) };
        let when = When::parse(text).map_err(|()| FromSqlError::Other("not a date".into()))?;
        Ok(Some(when))
    };
    Ok(Entry {
        address: address(row, 0)?,
        stable_id: text(2)?,
        route: text(3)?,
        priority: row.get(4)?,
        starts: when(5)?,
        ends: when(6)?,
        origin: row.get_ref(7)?.as_str()?.into(),
    })
}

/// Looks entries up by key.
pub(super) struct EntryLookup<'c>(CachedStatement<'c>);

impl<'c> EntryLookup<'c> {
    pub(super) fn new(connection: &'c Connection) -> Result<EntryLookup<'c>> {
        let sql = format!("SELECT {ENTRY} FROM roster_entry WHERE source_id = ?1 AND key = ?2");
        Ok(EntryLookup(connection.prepare_cached(&sql)?))
    }

    pub(super) fn get(&mut self, source: i64, key: EntryKey) -> Result<Option<Entry>> {
        Ok(self.0.query_row(params![source, key.0], entry).optional()?)
    }
}

// ---- writing

fn was_accepted(connection: &Connection, name: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM source WHERE name = ?1 AND accepted_at IS NOT NULL";
    Ok(connection.prepare_cached(sql)?.exists([name])?)
}

pub(super) fn make_source(connection: &Connection, name: &str) -> Result<i64> {
    if let Some(id) = source_id(connection, name)? {
        return Ok(id);
    }
    let sql = "INSERT INTO source (name, evidence) VALUES (?1, ?2)";
    connection.execute(sql, params![name, Json(Evidence::default())])?;
    Ok(connection.last_insert_rowid())
}

fn revision(connection: &Connection, source: i64) -> Result<u64> {
    let sql = "SELECT revision FROM source WHERE id = ?1";
    Ok(connection.query_row(sql, [source], |row| counted(row, 0))?)
}

fn bad_rows(connection: &Connection, source: i64) -> Result<Vec<BadRow>> {
    let sql = "SELECT bad_rows FROM source WHERE id = ?1";
    Ok(connection.query_row(sql, [source], |row| row.get::<_, Json<Vec<BadRow>>>(0))?.0)
}

/// Writes the changes in the order of keys: a million rows in another order take ten times as long.
fn edit_roster(connection: &Connection, source: i64, changes: &[Change], hasher: &Hasher) -> Result<()> {
    let key = |entry: &Entry| hasher.entry_key(entry.address.identity(), entry.route.as_deref());
    let mut order: Vec<(EntryKey, &Change)> = changes
        .iter()
        .map(|change| match change {
            Change::Added(entry) | Change::Changed(entry) | Change::Removed { entry, .. } => (key(entry), change),
        })
        .collect();
    // Stable: where one key is named twice, the later word counts.
    order.sort_by_key(|(key, _)| *key);
    let mut delete = connection.prepare_cached("DELETE FROM roster_entry WHERE source_id = ?1 AND key = ?2")?;
    let mut put = connection.prepare_cached(
        "INSERT OR REPLACE INTO roster_entry (source_id, key, content, identity, spelling, stable_id, route, priority,
           starts, ends, starts_about, ends_about, origin)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    for (key, change) in order {
        match change {
            Change::Removed { .. } => delete.execute(params![source, key.0])?,
            Change::Added(entry) | Change::Changed(entry) => put.execute(params![
                source,
                key.0,
                hasher.content(entry).cast_signed(),
                entry.address.identity(),
                spelling(&entry.address),
                entry.stable_id,
                entry.route,
                entry.priority,
                entry.starts.map(|when| when.to_string()),
                entry.ends.map(|when| when.to_string()),
                entry.starts.map(|when| Ms(when.about())),
                entry.ends.map(|when| Ms(when.about())),
                entry.origin,
            ])?,
        };
    }
    Ok(())
}

fn note_file(
    connection: &Connection,
    source: i64,
    evidence: &Evidence,
    delta: Option<&DeltaFile>,
    now: Timestamp,
) -> Result<()> {
    let (Some(name), Some(digest)) = (&evidence.file, &evidence.digest) else { return Ok(()) };
    let (written, place) = (delta.map(|delta| delta.written), delta.map(|delta| &delta.place));
    let sql = "
        INSERT INTO file_done (source_id, name, digest, written, refused, place, at)
        VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6)
        ON CONFLICT (source_id, name) DO UPDATE SET digest = excluded.digest, written = excluded.written,
          refused = 0, judged_by = NULL, place = coalesce(excluded.place, place), at = excluded.at";
    connection.prepare_cached(sql)?.execute(params![source, name, digest, written, place, Ms(now)])?;
    Ok(())
}

fn acceptance_told(acceptance: &Acceptance) -> String {
    let (mut added, mut changed, mut removed) = (0, 0, 0);
    for change in &acceptance.changes {
        match change {
            Change::Added(_) => added += 1,
            Change::Changed(_) => changed += 1,
            Change::Removed { .. } => removed += 1,
        }
    }
    let Acceptance { source, entries, bad_rows, evidence, .. } = acceptance;
    let from = evidence.file.as_ref().map(|file| format!(" from {file}")).unwrap_or_default();
    let bad = match bad_rows.len() as u64 {
        0 => String::new(),
        n => format!(", {}", in_words(n, "row that can't be used", "rows that can't be used")),
    };
    let entries = in_words(*entries, "entry", "entries");
    format!("{source}: {entries}{from}: {added} new, {changed} changed, {removed} gone{bad}")
}

// ---- what a change means to a subscription

/// Notes for one subscription which addresses its next plan is to look at.
struct Touch<'c> {
    connection: &'c Connection,
    subscription: i64,
    seq: i64,
    /// Whether anything was noted.
    any: bool,
}

impl<'c> Touch<'c> {
    fn begin(connection: &'c Connection, subscription: i64) -> Result<Touch<'c>> {
        let sql = "SELECT seq + 1 FROM subscription WHERE id = ?1";
        let seq = connection.query_row(sql, [subscription], |row| row.get(0))?;
        Ok(Touch { connection, subscription, seq, any: false })
    }

    fn end(self) -> Result<()> {
        if self.any {
            let sql = "UPDATE subscription SET seq = ?2 WHERE id = ?1";
            self.connection.execute(sql, params![self.subscription, self.seq])?;
        }
        Ok(())
    }

    /// Departures are always noted one by one: the reason stands nowhere else. Of those that a subscription `misses`,
    /// only who became whom: who left meanwhile is judged by the configuration that it comes back with.
    fn departed(&mut self, name: &str, acceptance: &Acceptance, misses: bool, now: Timestamp) -> Result<()> {
        for change in &acceptance.changes {
            let Change::Removed { entry, reason, renamed_to } = change else { continue };
            if !concerns(entry, name) || misses && renamed_to.is_none() {
                continue;
            }
            let departure = Departure {
                reason: *reason,
                source: acceptance.source.clone(),
                at: now,
                renamed_to: renamed_to.clone(),
                origin: entry.origin.to_string(),
            };
            self.touch(&entry.address, &acceptance.source, Some(&departure), misses)?;
        }
        Ok(())
    }

    /// New and changed entries, after the departures: who is named again has not departed. Nor is anybody kept any more
    /// by a person's word whom a roster names again, nor is a removal remembered that failed; a leaver's record is the
    /// plan's to change.
    fn named(&mut self, name: &str, acceptance: &Acceptance, first: bool) -> Result<()> {
        let named = acceptance.changes.iter().filter_map(|change| match change {
            Change::Added(entry) | Change::Changed(entry) if concerns(entry, name) => Some(&entry.address),
            _ => None,
        });
        let identities: HashSet<&str> = named.clone().map(Address::identity).collect();
        lapse(self.connection, self.subscription, |approved| identities.contains(approved))?;
        let all = first || identities.len() > TOUCHED_MAX;
        // Those who are looked at with everybody else are noted all the same where something is known of them.
        let known = self.identities(
            "SELECT identity FROM touched WHERE subscription_id = ?1 AND departure IS NOT NULL
             UNION ALL
             SELECT identity FROM member INDEXED BY member_unsettled
             WHERE subscription_id = ?1 AND (state <> 'assigned' OR departure IS NOT NULL) AND state = 'unknown'",
        )?;
        let kept = self.identities(
            "SELECT identity FROM member WHERE subscription_id = ?1 AND kept = 1
             UNION ALL
             SELECT identity FROM member INDEXED BY member_unsettled
             WHERE subscription_id = ?1 AND (state <> 'assigned' OR departure IS NOT NULL) AND state = 'assigned'",
        )?;
        for address in named {
            if kept.contains(address.identity()) {
                let sql = "
                    UPDATE member SET kept = 0, departure = CASE state WHEN 'assigned' THEN NULL ELSE departure END
                    WHERE subscription_id = ?1 AND identity = ?2";
                self.connection.prepare_cached(sql)?.execute(params![self.subscription, address.identity()])?;
            }
            if !all || known.contains(address.identity()) {
                self.touch(address, &acceptance.source, None, false)?;
            }
        }
        if all { self.look_at_all() } else { Ok(()) }
    }

    fn look_at_all(&mut self) -> Result<()> {
        self.any = true;
        let sql = "UPDATE subscription SET look_at_all = ?2 WHERE id = ?1";
        self.connection.prepare_cached(sql)?.execute(params![self.subscription, self.seq])?;
        Ok(())
    }

    /// What one source says of an address. That it was renamed stays true when another says that it left, or names it:
    /// the person still has a new address. A source that the subscription `misses` says nothing better.
    fn touch(&mut self, address: &Address, source: &str, departure: Option<&Departure>, misses: bool) -> Result<()> {
        self.any = true;
        let sql = "
            INSERT INTO touched (subscription_id, identity, spelling, departure, seq) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (subscription_id, identity) DO UPDATE SET
              spelling = excluded.spelling, seq = excluded.seq,
              departure = CASE WHEN touched.departure ->> 'renamed_to' IS NOT NULL
                                AND touched.departure ->> 'source' <> ?6
                                AND (excluded.departure ->> 'renamed_to' IS NULL OR ?7)
                          THEN touched.departure ELSE excluded.departure END";
        let (identity, spelling) = (address.identity(), spelling(address));
        let values = params![self.subscription, identity, spelling, departure.map(Json), self.seq, source, misses];
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    fn identities(&self, sql: &str) -> Result<HashSet<String>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let identities = statement.query_map([self.subscription], |row| row.get(0))?;
        Ok(identities.collect::<rusqlite::Result<_>>()?)
    }
}

/// A subscription that looked at this source and does not name it now misses what else changes. Should it ever name the
/// source again, it looks at everybody; who became whom stands nowhere else.
fn miss(connection: &Connection, source: i64, acceptance: &Acceptance, now: Timestamp) -> Result<()> {
    let names: BTreeSet<String> = acceptance.subscriptions.iter().cloned().collect();
    let told = tell_of_changes(connection, source, &names)?;
    if acceptance.changes.is_empty() {
        return Ok(());
    }
    for missing in told.difference(&names) {
        let Some(id) = known_subscription(connection, missing)? else { continue };
        let mut touch = Touch::begin(connection, id)?;
        touch.departed(missing, acceptance, true, now)?;
        touch.look_at_all()?;
        touch.end()?;
    }
    Ok(())
}

/// These subscriptions are told of the source's changes, too. Gives those that were before.
fn tell_of_changes(connection: &Connection, source: i64, subscriptions: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    let sql = "SELECT told FROM source WHERE id = ?1";
    let told = connection.query_row(sql, [source], |row| row.get::<_, Json<BTreeSet<String>>>(0))?.0;
    if !subscriptions.is_subset(&told) {
        let told: BTreeSet<&String> = told.union(subscriptions).collect();
        connection.execute("UPDATE source SET told = ?2 WHERE id = ?1", params![source, Json(told)])?;
    }
    Ok(told)
}

/// Whoever has a bad row, or had one, is looked at again in each subscription that knows them; their departure, where
/// there is one, stays noted.
fn touch_bad_rows(connection: &Connection, before: &[BadRow], after: &[BadRow]) -> Result<()> {
    if before == after {
        return Ok(());
    }
    let sql = "
        INSERT INTO touched (subscription_id, identity, spelling, departure, seq)
        SELECT id, ?1, ?2, NULL, seq + 1 FROM subscription
        WHERE EXISTS (SELECT 1 FROM member WHERE subscription_id = subscription.id AND identity = ?1)
        ON CONFLICT (subscription_id, identity) DO UPDATE SET seq = excluded.seq";
    let mut statement = connection.prepare_cached(sql)?;
    let mut any = 0;
    for address in before.iter().chain(after).filter_map(|row| row.address.as_ref()) {
        any += statement.execute(params![address.identity(), spelling(address)])?;
    }
    if any > 0 {
        let sql = "
            UPDATE subscription SET seq = seq + 1
            WHERE EXISTS (SELECT 1 FROM touched WHERE subscription_id = subscription.id AND touched.seq > subscription.seq)";
        connection.execute(sql, [])?;
    }
    Ok(())
}

/// Has the next plan look at an address; what is noted of its departure stays.
pub(super) fn look_again(connection: &Connection, subscription: i64, address: &Address) -> Result<()> {
    let sql = "UPDATE subscription SET seq = seq + 1 WHERE id = ?1 RETURNING seq";
    let seq: i64 = connection.prepare_cached(sql)?.query_row([subscription], |row| row.get(0))?;
    let sql = "UPDATE touched SET seq = ?3 WHERE subscription_id = ?1 AND identity = ?2";
    let values = params![subscription, address.identity(), seq];
    if connection.prepare_cached(sql)?.execute(values)? == 0 {
        let sql = "INSERT INTO touched (subscription_id, identity, spelling, seq) VALUES (?1, ?2, ?3, ?4)";
        let values = params![subscription, address.identity(), spelling(address), seq];
        connection.prepare_cached(sql)?.execute(values)?;
    }
    Ok(())
}

fn concerns(entry: &Entry, subscription: &str) -> bool {
    entry.route.as_deref().is_none_or(|route| route == subscription)
}
