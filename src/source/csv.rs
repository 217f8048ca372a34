//! Reads one CSV file: a whole roster, or the edits of a delta.
//!
//! A file is taken whole or refused whole. Rows are hashed as they pass, 32 bytes each; the entries stay in the file
//! and are fetched where they differ from the stored roster ([`Rereader`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use crate::config;
use crate::roster::{Fingerprint, Hasher, Parts};

pub use super::csv_reread::Rereader;

use super::csv_doubles::{Claims, Suspects, contradictions, is_suspect, merged};
use super::csv_pass::{Opened, Place, Problem, Totals};
use super::csv_row::{Action, Fault, Person};
use super::csv_text::{Encoding, Mismatch};
use super::{BadRow, Delta, Edit, Entries, Evidence, Incomplete, Known, Row, Snapshot};

/// So many bad rows are tolerated whatever `max_bad_rows` says.
pub const BAD_ROWS_ALWAYS: u64 = 3;

/// A file with more bad rows than this is refused, whatever share they are.
const BAD_ROWS_MAX: usize = 100_000;

/// Of a refused file, so many bad rows are listed.
const BAD_ROWS_LISTED: usize = 1_000;

/// Notes about single rows in one reading; then they are counted.
const NOTES_MAX: usize = 10;

/// What a file is read with.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    pub config: &'a config::Csv,
    pub hasher: &'a Hasher,
    /// What is known of the stored roster, where it was read as this file is.
    pub known: Option<Known<'a>>,
    /// Whether a subscription of this name has the source.
    pub is_route: &'a dyn Fn(&str) -> bool,
}

impl std::fmt::Debug for Settings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("config", self.config).finish_non_exhaustive()
    }
}

/// Reads a file as a whole roster. `name` is shown to people.
///
/// # Errors
/// When it can't be read whole and sound.
pub fn read_snapshot(file: File, name: &str, settings: Settings<'_>) -> Result<Snapshot, Incomplete> {
    let mut reading = SnapshotReading::default();
    let (opened, totals) = read(file, name, settings, &mut reading)?;
    reading.finish(opened, totals, name, settings)
}

/// Reads a file as edits. `name` is shown to people.
///
/// # Errors
/// When it can't be read whole and sound.
pub fn read_delta(file: File, name: &str, settings: Settings<'_>) -> Result<Delta, Incomplete> {
    let mut reading = DeltaReading::default();
    let (opened, totals) = read(file, name, settings, &mut reading)?;
    let DeltaReading { edits, bad_rows } = reading;
    bad_rows.check(&totals, name, settings.config)?;
    Ok(Delta { edits, bad_rows: bad_rows.rows, evidence: evidence(&opened, totals, name) })
}

/// What is made of the rows.
trait Gather: Default {
    fn person(&mut self, place: Place, person: &Person<'_>, identity: &str, name: &str, hasher: &Hasher);
    fn bad_rows(&mut self) -> &mut BadRows;
}

/// One pass; a second one where the file turns out to be Windows-1252.
fn read<G: Gather>(
    file: File,
    name: &str,
    settings: Settings<'_>,
    gather: &mut G,
) -> Result<(Opened, Totals), Incomplete> {
    let Settings { config, hasher, is_route, .. } = settings;
    let refused = |problem: Problem| refusal(name, &problem);
    let mut opened = Opened::new(file, config).map_err(refused)?;
    loop {
        *gather = G::default();
        let told = opened.pass(config, is_route, &mut |place, row| match row {
            Ok((person, identity)) => gather.person(place, person, identity, name, hasher),
            Err(fault) => gather.bad_rows().add(name, place, fault),
        });
        match told {
            Ok(totals) => return Ok((opened, totals)),
            Err(Problem::Text(Mismatch::NotUtf8 { .. })) if config.encoding == config::Encoding::Auto => {
                opened = opened.as_windows_1252(config).map_err(refused)?;
            }
            Err(problem) => return Err(refused(problem)),
        }
    }
}

/// The sentence for a file that could not be read.
pub(super) fn refusal(name: &str, problem: &Problem) -> Incomplete {
    Incomplete { passing: problem.is_passing(), ..Incomplete::lasting(format!("{name} {problem}.")) }
}

fn evidence(opened: &Opened, totals: Totals, name: &str) -> Evidence {
    let Totals { rows, digest, bytes, mut notes, columns: _ } = totals;
    if opened.encoding == Encoding::Windows1252 {
        notes.push("The file is not UTF-8 and was read as Windows-1252.".to_owned());
    }
    Evidence {
        file: Some(name.to_owned()),
        digest: Some(digest),
        bytes,
        rows,
        encoding: Some(opened.encoding.to_string()),
        delimiter: Some(char::from(opened.delimiter)),
        notes,
        directory: None,
    }
}

/// The bad rows of a file.
#[derive(Debug, Default)]
struct BadRows {
    rows: Vec<BadRow>,
    count: u64,
}

impl BadRows {
    fn add(&mut self, name: &str, place: Place, fault: Fault) {
        self.count += 1;
        if self.rows.len() < BAD_ROWS_MAX {
            let Fault { reason, stable_id, address } = fault;
            self.rows.push(BadRow { origin: origin(name, place), reason, stable_id, address });
        }
    }

    /// # Errors
    /// When there are too many.
    fn check(&self, totals: &Totals, name: &str, config: &config::Csv) -> Result<(), Incomplete> {
        let allowed = config.max_bad_rows.of(totals.rows).max(BAD_ROWS_ALWAYS).min(BAD_ROWS_MAX as u64);
        if self.count <= allowed {
            return Ok(());
        }
        let (count, rows, limit) = (self.count, totals.rows, config.max_bad_rows);
        let first = self.rows.first().map(|row| format!(" The first: {}: {}.", row.origin, row.reason));
        Err(Incomplete {
            reason: format!(
                "{name} has {count} rows of {rows} that can't be used, and `max_bad_rows` is {limit}.{}",
                first.unwrap_or_default()
            ),
            bad_rows: self.rows.iter().take(BAD_ROWS_LISTED).cloned().collect(),
            passing: false,
        })
    }
}

pub(super) fn origin(name: &str, place: Place) -> String {
    format!("{name} line {}", place.line())
}

#[derive(Debug, Default)]
struct DeltaReading {
    edits: Vec<Edit>,
    bad_rows: BadRows,
}

impl Gather for DeltaReading {
    fn person(&mut self, place: Place, person: &Person<'_>, identity: &str, name: &str, _: &Hasher) {
        let entry = person.entry(identity, &origin(name, place));
        self.edits.push(match person.action {
            Action::Add => Edit::Add(entry),
            Action::Remove => Edit::Remove(entry),
        });
    }

    fn bad_rows(&mut self) -> &mut BadRows {
        &mut self.bad_rows
    }
}

#[derive(Debug, Default)]
struct SnapshotReading {
    rows: Vec<Row>,
    fingerprint: Fingerprint,
    suspects: Suspects,
    bad_rows: BadRows,
}

impl Gather for SnapshotReading {
    fn person(&mut self, place: Place, person: &Person<'_>, identity: &str, _: &str, hasher: &Hasher) {
        let (key, content) = person.hashes(identity, hasher);
        self.rows.push(Row { key, content, place: place.0 });
        self.fingerprint.add(key, content);
        if let Some(id) = person.stable_id {
            let address = if person.route.is_none() { key } else { hasher.entry_key(identity, None) };
            self.suspects.add(hasher, id, address);
        }
    }

    fn bad_rows(&mut self) -> &mut BadRows {
        &mut self.bad_rows
    }
}

impl SnapshotReading {
    fn finish(
        mut self,
        opened: Opened,
        totals: Totals,
        name: &str,
        settings: Settings<'_>,
    ) -> Result<Snapshot, Incomplete> {
        let is_known = settings.known.is_some_and(|known| self.is(known));
        if !is_known {
            let found = std::mem::take(&mut self.suspects).found();
            if !found.is_empty() {
                self.set_contradictions_aside(&found, &opened, &totals, name, settings)?;
            }
            self.bad_rows.check(&totals, name, settings.config)?;
        }
        let parts = settings.known.map_or_else(Parts::all, |known| self.fingerprint.differing(known.fingerprint));
        let alike = self.part_from_alike(&parts);
        sort(&mut self.rows);
        let columns = totals.columns.clone();
        let mut evidence = evidence(&opened, totals, name);
        let mut entries = Rereader::new(opened, columns, name, settings.hasher);
        self.join_doubles(&mut entries, &mut evidence, settings.hasher)?;
        let SnapshotReading { rows, fingerprint, bad_rows, .. } = self;
        let entries = Entries::Csv(Box::new(entries));
        Ok(Snapshot {
            rows,
            alike,
            parts,
            fingerprint,
            bad_rows: bad_rows.rows,
            evidence,
            entries,
            departed: BTreeMap::new(),
        })
    }

    /// Whether this is a reading without anything odd of exactly what is known. Then it has no row twice and no id with
    /// two addresses, for the reading that it repeats had none.
    fn is(&self, known: Known<'_>) -> bool {
        known.sound && self.bad_rows.count == 0 && self.fingerprint.to_bytes() == known.fingerprint
    }

    /// Leaves the rows in parts that differ, and gives the others.
    fn part_from_alike(&mut self, parts: &Parts) -> Vec<Row> {
        if parts.are_all() {
            return Vec::new();
        }
        let mut alike = std::mem::take(&mut self.rows);
        let mut at = 0;
        while let Some(row) = alike.get(at) {
            if parts.contain(row.key) {
                self.rows.push(alike.swap_remove(at));
            } else {
                at += 1;
            }
        }
        alike
    }

    /// An id with several addresses: nobody can say whose it is, so all its rows are bad, and its people keep what they
    /// have. Found in a second pass, which only a file that seems to have such ids takes.
    fn set_contradictions_aside(
        &mut self,
        found: &BTreeSet<u64>,
        opened: &Opened,
        totals: &Totals,
        name: &str,
        settings: Settings<'_>,
    ) -> Result<(), Incomplete> {
        let Settings { config, hasher, is_route, .. } = settings;
        let mut claims = Claims::new();
        let again = opened.pass(config, is_route, &mut |place, row| {
            let Ok((person, identity)) = row else { return };
            if let Some(id) = person.stable_id.filter(|id| is_suspect(found, hasher, id)) {
                claims.entry(id.to_owned()).or_default().push((identity.to_owned(), place));
            }
        });
        if again.map_err(|problem| refusal(name, &problem))?.digest != totals.digest {
            return Err(refusal(name, &Problem::Changed));
        }
        let contradictions = contradictions(&claims);
        let places: BTreeSet<u64> = contradictions.iter().map(|(place, ..)| place.0).collect();
        self.rows.retain(|row| {
            let is_bad = places.contains(&row.place);
            if is_bad {
                self.fingerprint.remove(row.key, row.content);
            }
            !is_bad
        });
        for (place, id, identity, reason) in contradictions {
            let address = Some(crate::address::Address::from_stored(&identity, None));
            self.bad_rows.add(name, place, Fault { reason, stable_id: Some(id), address });
        }
        Ok(())
    }

    /// Leaves one row of each key. `rows` is sorted.
    fn join_doubles(
        &mut self,
        entries: &mut Rereader,
        evidence: &mut Evidence,
        hasher: &Hasher,
    ) -> Result<(), Incomplete> {
        let differing: Vec<Row> = self
            .rows
            .chunk_by(|one, other| one.key == other.key)
            .filter(|group| group.iter().any(|row| row.content != group[0].content))
            .flatten()
            .copied()
            .collect();
        let before = self.rows.len();
        self.rows.dedup_by(|row, first| {
            let is_double = row.key == first.key;
            if is_double {
                self.fingerprint.remove(row.key, row.content);
            }
            is_double
        });
        if before > self.rows.len() {
            let repeated = before - self.rows.len();
            evidence.notes.push(format!("Rows that repeat an address of another row: {repeated}."));
        }
        let mut fetched = entries.fetch(&differing)?.into_iter();
        for (index, group) in differing.chunk_by(|one, other| one.key == other.key).enumerate() {
            let Some(entry) = merged(fetched.by_ref().take(group.len()).collect()) else { continue };
            if let Ok(at) = self.rows.binary_search_by_key(&group[0].key, |row| row.key) {
                let row = &mut self.rows[at];
                self.fingerprint.remove(row.key, row.content);
                row.content = hasher.content(&entry);
                self.fingerprint.add(row.key, row.content);
            }
            entries.keep(group[0].key, entry);
            if index < NOTES_MAX {
                let lines: Vec<String> = group.iter().map(|row| Place(row.place).line().to_string()).collect();
                evidence.notes.push(format!(
                    "Lines {} name one address and differ; the better priority, the earliest start and the latest end count.",
                    lines.join(", ")
                ));
            }
        }
        Ok(())
    }
}

/// Sorts by key and then by place. Keys are hashes, spread evenly: a first pass puts each row, in place, among those
/// whose key begins as its own, and what is left to sort are short runs.
fn sort(rows: &mut [Row]) {
    const RUNS: usize = 4096;
    let run_of = |row: &Row| usize::from(u16::from_be_bytes([row.key.0[0], row.key.0[1]]) >> 4);
    let mut starts = vec![0; RUNS + 1];
    for row in &*rows {
        starts[run_of(row) + 1] += 1;
    }
    for run in 0..RUNS {
        starts[run + 1] += starts[run];
    }
    let mut next = starts.clone();
    for run in 0..RUNS {
        while next[run] < starts[run + 1] {
            let wanted = run_of(&rows[next[run]]);
            rows.swap(next[run], next[wanted]);
            next[wanted] += 1;
        }
    }
    for run in starts.windows(2) {
        rows[run[0]..run[1]].sort_unstable_by_key(|row| (u128::from_be_bytes(row.key.0), row.place));
    }
}

#[cfg(test)]
mod tests;
