//! One look at one source: read it, judge what was read, make it the roster, and only then put the file away.
//!
//! A reading that is not complete changes nothing but the note that says so. What is accepted is one transaction,
//! together with the note of which subscriptions have to be looked at again.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use tracing::{info, warn};

use crate::address::Address;
use crate::alert::line;
use crate::clock::Timestamp;
use crate::config::{After, Config, Csv, Ldap, Mode, Source, SourceKind};
use crate::fleet::Fleet;
use crate::ledger::{Acceptance, Ledger, LedgerError, SourceRecord};
use crate::outside::Outside;
use crate::report::text::{count, moment};
use crate::report::unusable::{ENTRIES, ROWS, unusable};
use crate::roster::change::{self, Difference, Merge};
use crate::roster::{Entry, EntryKey, Fingerprint, Hasher, Parts, Reason};
use crate::source::csv_source::{self, CsvSource, Found, Look, Seen, Verdict};
use crate::source::ldap::{self, connect};
use crate::source::{
    Delta, DeltaFile, Edit, Evidence, FileDone, FileMark, Incomplete, Known, Reading, Row, Snapshot, csv,
};
use crate::telemetry::{Masked, Progress, chain, span};

mod places;
pub mod touch;

/// A directory that says that nothing has changed is read whole all the same when the last whole reading is older than
/// this: what a server says of itself may be wrong.
const READ_AT_LEAST: TimeDelta = TimeDelta::hours(24);

/// While a directory is being read, the log says so this often.
const TELL_EVERY: TimeDelta = TimeDelta::seconds(10);

/// How long after another process took in the same source it is looked at again.
const MEANWHILE: Duration = Duration::from_secs(1);

/// What a look at a source came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intake {
    /// The roster changed in this many places.
    Accepted { changes: usize },
    /// It says what it said before, or there is nothing to read.
    Unchanged,
    /// A file is still being written, or another process took one in meanwhile; look again after this.
    Settling(Duration),
    /// It gave nothing that can be believed; why.
    Refused(Incomplete),
}

/// Whether files that were read are put away as the configuration says, or left where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    PutAway,
    Leave,
}

/// What is remembered of one source from one look to the next.
#[derive(Debug, Default)]
pub struct Memory {
    csv: CsvSource,
    lists: Lists,
}

/// Whom the groups of a directory list.
#[derive(Debug, Default)]
enum Lists {
    /// Nobody asks.
    #[default]
    Forgotten,
    /// They are to be remembered, and everything has to be read first.
    Unread,
    /// As they were when the roster of this revision was taken in.
    Of { revision: u64, lists: ldap::lists::Lists },
}

impl Memory {
    /// Remembers of a directory what [`touch::told`] goes by. To be told once.
    pub fn remember_lists(&mut self) {
        self.lists = Lists::Unread;
    }
}

/// Looks at a source once and takes in what it says. At least one result; the worst is what counts. Blocks.
pub fn take_in(
    config: &Config,
    outside: &impl Outside,
    source: &Source,
    memory: &mut Memory,
    files: Files,
) -> Result<Vec<Intake>, LedgerError> {
    let _look = tracing::error_span!("look", source = %source.name).entered();
    let csv = match &source.kind {
        SourceKind::Csv(csv) => csv,
        SourceKind::Ldap(ldap) => {
            let desk = Desk::new(config, outside, source, files)?;
            return Ok(vec![desk.look_at_directory(ldap, &mut memory.lists)?]);
        }
    };
    let _lock = (files == Files::PutAway).then(|| lock(&csv.path));
    let desk = Desk::new(config, outside, source, files)?;
    let last_delta = desk.last_delta(csv)?;
    let judged_by = desk.judged_by(csv);
    let seen = memory.csv.look(Look {
        config: csv,
        hasher: &desk.hasher,
        accepted: desk.accepted(),
        known: desk.known(),
        is_route: &|name| desk.is_route(name),
        done: &mut |file| desk.done(file, &judged_by),
        last_delta: last_delta.as_deref(),
        now: outside.now(),
    });
    let written = seen.iter().filter_map(|one| one.found.as_ref()?.written_at(outside.now())).max();
    let is_whole = |one: &Seen| one.found.is_some() && matches!(one.reading, Reading::Unchanged | Reading::Complete(_));
    let told = csv.mode == Mode::Snapshot && seen.iter().any(is_whole);
    let mut intakes = Vec::with_capacity(seen.len());
    for one in seen {
        intakes.push(desk.take(csv, one)?);
    }
    if !intakes.iter().any(|intake| matches!(intake, Intake::Refused(_) | Intake::Settling(_))) {
        desk.is_well(told, written)?;
    }
    Ok(intakes)
}

/// Takes in what a look at a source gave, wherever that looked. Blocks.
pub fn take_reading(
    config: &Config,
    outside: &impl Outside,
    source: &Source,
    reading: Reading,
) -> Result<Intake, LedgerError> {
    Desk::new(config, outside, source, Files::Leave)?.take_reading(reading, None)
}

/// Takes in a file as if the source had said it: a whole roster, whatever the source's own mode; without a file, nobody.
/// For plans on a copy of the ledger. Blocks.
pub fn take_instead(
    config: &Config,
    outside: &impl Outside,
    source: &Source,
    file: Option<&Path>,
) -> Result<Intake, LedgerError> {
    let desk = Desk::new(config, outside, source, Files::Leave)?;
    let Some(file) = file else { return desk.enter_snapshot(Snapshot::of(Vec::new(), &desk.hasher)) };
    let csv = match &source.kind {
        SourceKind::Csv(csv) => Csv { mode: Mode::Snapshot, after: After::Leave, ..csv.clone() },
        SourceKind::Ldap(_) => Csv::plain(file),
    };
    let name = file.display().to_string();
    let settings = csv::Settings {
        config: &csv,
        hasher: &desk.hasher,
        known: desk.known(),
        is_route: &|name| desk.is_route(name),
    };
    let read = File::open(file).map_err(|cause| Incomplete::lasting(format!("{name} can't be read: {cause}.")));
    match read.and_then(|open| csv::read_snapshot(open, &name, settings)) {
        Ok(snapshot) => desk.take_snapshot(snapshot),
        Err(why) => desk.refuse(why),
    }
}

/// Keeps two processes from reading and putting away one folder's files at once. Where the file system knows no locks
/// there is none: the ledger still takes each file once.
fn lock(path: &Path) -> Option<File> {
    let folder = if path.is_dir() { path } else { path.parent().filter(|parent| !parent.as_os_str().is_empty())? };
    let folder = File::open(folder).ok()?;
    folder.lock().ok()?;
    Some(folder)
}

/// Where the readings of one source are judged and entered.
struct Desk<'a, O> {
    config: &'a Config,
    outside: &'a O,
    source: &'a Source,
    files: Files,
    hasher: Hasher,
    record: Option<SourceRecord>,
    /// The stored roster's revision, with what was accepted here.
    revision: Cell<u64>,
    /// Of what is looked at.
    scope: String,
    /// Those that name the source.
    subscriptions: Vec<String>,
}

impl<'a, O: Outside> Desk<'a, O> {
    fn new(config: &'a Config, outside: &'a O, source: &'a Source, files: Files) -> Result<Desk<'a, O>, LedgerError> {
        let name = source.name.clone();
        let (hasher, record) =
            outside.blocking_on_ledger(move |ledger, _| Ok((ledger.hasher().clone(), ledger.source(&name)?)))?;
        let scope = short_hash(&format!("{}{}", source.scope(), link_of(source)));
        let subscriptions = config.subscriptions_of(&source.name);
        let revision = Cell::new(record.as_ref().map_or(0, |record| record.revision));
        Ok(Desk { config, outside, source, files, hasher, record, revision, scope, subscriptions })
    }

    /// Whether what is looked at is what was looked at when the roster was accepted.
    fn same_scope(&self) -> bool {
        self.record.as_ref().is_none_or(|record| record.accepted_at.is_none() || record.scope == self.scope)
    }

    /// What supports the stored roster; nothing where it was read by another configuration, so that it is read again.
    fn accepted(&self) -> Option<&Evidence> {
        let record = self.record.as_ref().filter(|record| record.accepted_at.is_some())?;
        self.same_scope().then_some(&record.evidence)
    }

    /// What is known of the stored roster, where it was read by this configuration.
    fn known(&self) -> Option<Known<'_>> {
        let record = self.record.as_ref().filter(|record| record.accepted_at.is_some() && self.same_scope())?;
        Some(Known { fingerprint: &record.fingerprint, sound: record.bad_rows.is_empty() })
    }

    /// Looks at a directory, and takes in what it says.
    fn look_at_directory(&self, config: &Ldap, lists: &mut Lists) -> Result<Intake, LedgerError> {
        let known = self.record.as_ref().and_then(|record| record.evidence.directory.as_deref());
        let now = self.outside.now();
        let watch = Watcher::new(self.outside, &self.source.name);
        let (kept, keeps) = (Cell::new(None), !matches!(lists, Lists::Forgotten));
        let keep = |lists| kept.set(Some(lists));
        let reading = connect::look(ldap::read::Settings {
            config,
            hasher: &self.hasher,
            known,
            may_be_unchanged: self.stands(now) && !matches!(lists, Lists::Unread),
            now,
            watch: &watch,
            keep: keeps.then_some(&keep),
            missing: &|snapshot| self.missing(snapshot),
        });
        drop(watch);
        let heard = matches!(reading, Reading::Unchanged) && self.source.max_age.is_some();
        let intake = self.take_reading(reading, None)?;
        if let (Some(kept), Intake::Accepted { .. } | Intake::Unchanged) = (kept.take(), &intake) {
            *lists = Lists::Of { revision: self.revision.get(), lists: kept };
        }
        if heard {
            let name = self.source.name.clone();
            self.outside.blocking_on_ledger(move |ledger, now| ledger.source_heard(&name, now))?;
        }
        if !matches!(intake, Intake::Refused(_) | Intake::Settling(_)) {
            self.is_well(true, None)?;
        }
        Ok(intake)
    }

    /// Whether the stored roster is what the directory says while nothing changes there.
    fn stands(&self, now: Timestamp) -> bool {
        let record = self.record.as_ref().filter(|record| record.accepted_at.is_some() && self.same_scope());
        let observed =
            record.and_then(|record| record.evidence.directory.as_ref()).filter(|observed| observed.held == 0);
        // That nothing has changed is not a reading.
        let age = observed.and_then(|observed| observed.read_at).map(|at| now - at);
        age.is_some_and(|age| TimeDelta::zero() <= age && age < READ_AT_LEAST)
    }

    /// The stored entries that a complete reading lacks. Where another roster has been stored meanwhile, what comes of
    /// the reading is not accepted.
    fn missing(&self, snapshot: &Snapshot) -> Result<Vec<Entry>, Incomplete> {
        let known = self.record.as_ref().filter(|record| record.accepted_at.is_some());
        let Some(known) = known.filter(|known| known.fingerprint != snapshot.fingerprint.to_bytes()) else {
            return Ok(Vec::new());
        };
        let parts = snapshot.fingerprint.differing(&known.fingerprint);
        let rows: Vec<Row> = snapshot.rows.iter().filter(|row| parts.contain(row.key)).copied().collect();
        let name = self.source.name.clone();
        let missing = self.outside.blocking_on_ledger(move |ledger, _| {
            let difference = difference(ledger, &name, &rows, &parts)?;
            ledger.entries_by_key(&name, &difference.removed)
        });
        missing.map_err(|cause| Incomplete::passing(format!("{}.", chain(&cause))))
    }

    fn is_route(&self, name: &str) -> bool {
        self.subscriptions.iter().any(|known| known == name)
    }

    fn done(&self, file: &FileMark, judged_by: &str) -> Option<FileDone> {
        let (source, file, judged_by) = (self.source.name.clone(), file.clone(), judged_by.to_owned());
        // A ledger that fails here fails at the entry, too, and says so there.
        self.outside.blocking_on_ledger(move |ledger, _| ledger.file_done(&source, &file, &judged_by)).unwrap_or(None)
    }

    fn last_delta(&self, csv: &Csv) -> Result<Option<String>, LedgerError> {
        if csv.mode != Mode::Delta {
            return Ok(None);
        }
        let (source, place) = (self.source.name.clone(), csv_source::place(csv));
        self.outside.blocking_on_ledger(move |ledger, _| ledger.last_delta(&source, &place))
    }

    /// All that a file is judged by: where that changes, a refused one that still lies there is judged anew.
    fn judged_by(&self, csv: &Csv) -> String {
        let canaries: Vec<&str> = self.source.must_include.iter().map(Address::identity).collect();
        short_hash(&format!("{csv:?} {canaries:?} {:?}", self.subscriptions))
    }

    fn take(&self, csv: &Csv, seen: Seen) -> Result<Intake, LedgerError> {
        let Seen { found, reading } = seen;
        let delta = found.as_ref().map(|found| found.delta(csv));
        let intake = self.take_reading(reading, delta)?;
        if let (Some(found), Files::PutAway) = (found, self.files) {
            self.put_away(csv, &found, &intake)?;
        }
        Ok(intake)
    }

    /// `file` is where a delta comes from, if from a file.
    fn take_reading(&self, reading: Reading, file: Option<DeltaFile>) -> Result<Intake, LedgerError> {
        let _judge = span::judge().entered();
        match reading {
            Reading::Nothing | Reading::Unchanged => Ok(Intake::Unchanged),
            Reading::Settling(wait) => Ok(Intake::Settling(wait)),
            Reading::Incomplete(why) => self.refuse(why),
            Reading::Complete(snapshot) => self.take_snapshot(snapshot),
            Reading::Delta(delta) => self.take_delta(delta, file),
        }
    }

    fn take_snapshot(&self, snapshot: Snapshot) -> Result<Intake, LedgerError> {
        match judge(self.source, &snapshot, &self.hasher, &self.subscriptions) {
            Ok(()) => self.enter_snapshot(snapshot),
            Err(why) => self.refuse(self.not_believed(&snapshot.evidence, &why)),
        }
    }

    fn enter_snapshot(&self, mut snapshot: Snapshot) -> Result<Intake, LedgerError> {
        let known = self.record.as_ref().filter(|record| record.accepted_at.is_some());
        let is_known =
            |fingerprint: &Fingerprint| known.is_some_and(|known| known.fingerprint == fingerprint.to_bytes());
        if is_known(&snapshot.fingerprint) && self.same_scope() {
            self.note_places(&snapshot, &[])?;
            return self.enter_unchanged(snapshot);
        }
        let name = self.source.name.clone();
        let (mut rows, alike) = (std::mem::take(&mut snapshot.rows), std::mem::take(&mut snapshot.alike));
        let entries = (rows.len() + alike.len()) as u64;
        let before = self.known().map(|known| known.fingerprint.to_vec());
        let parts = match &before {
            Some(before) if snapshot.parts.are_all() => snapshot.fingerprint.differing(before),
            _ => snapshot.parts.clone(),
        };
        let (difference, removed) = self.outside.blocking_on_ledger(move |ledger, _| {
            let still = parts.are_all() || ledger.source(&name)?.map(|record| record.fingerprint) == before;
            let parts = if still { parts } else { Parts::all() };
            if parts.are_all() {
                rows = all(rows, alike);
            } else {
                rows.retain(|row| parts.contain(row.key));
            }
            let difference = difference(ledger, &name, &rows, &parts)?;
            let removed = ledger.entries_by_key(&name, &difference.removed)?;
            Ok((difference, removed))
        })?;
        let fetched = snapshot
            .entries
            .fetch(&difference.added)
            .and_then(|added| Ok((added, snapshot.entries.fetch(&difference.changed)?)));
        let (added, changed) = match fetched {
            Ok(fetched) => fetched,
            Err(why) => return self.refuse(why),
        };
        let (same_scope, departed) = (self.same_scope(), std::mem::take(&mut snapshot.departed));
        let missing = |entry: &Entry| match entry.stable_id.as_ref().and_then(|id| departed.get(id)) {
            _ if !same_scope => Reason::Scope,
            reason => reason.copied().unwrap_or(Reason::Left),
        };
        let edits = change::changes(added, changed, removed, &snapshot.bad_rows, missing);
        self.note_places(&snapshot, &edits.changes)?;
        let mut fingerprint = std::mem::take(&mut snapshot.fingerprint);
        for entry in &edits.kept {
            let key = self.hasher.entry_key(entry.address.identity(), entry.route.as_deref());
            fingerprint.add(key, self.hasher.content(entry));
        }
        if edits.changes.is_empty() && same_scope && is_known(&fingerprint) {
            return self.enter_unchanged(snapshot);
        }
        self.enter(Acceptance {
            source: self.source.name.clone(),
            scope: self.scope.clone(),
            subscriptions: self.subscriptions.clone(),
            entries: entries + edits.kept.len() as u64,
            changes: edits.changes,
            base: Some(self.revision.get()),
            fingerprint,
            bad_rows: snapshot.bad_rows,
            evidence: snapshot.evidence,
            delta: None,
        })
    }

    /// It says what it said before, but for what supports it, and for rows that can't be used.
    fn enter_unchanged(&self, snapshot: Snapshot) -> Result<Intake, LedgerError> {
        let (name, evidence, bad_rows) = (self.source.name.clone(), snapshot.evidence, snapshot.bad_rows);
        let base = self.revision.get();
        let still = self.outside.blocking_on_ledger(move |ledger, now| {
            let still = ledger.source(&name)?.is_some_and(|stored| stored.revision == base);
            if still {
                ledger.accept_unchanged(&name, &evidence, &bad_rows, now)?;
            }
            Ok(still)
        })?;
        Ok(if still { Intake::Unchanged } else { Intake::Settling(MEANWHILE) })
    }

    fn take_delta(&self, delta: Delta, file: Option<DeltaFile>) -> Result<Intake, LedgerError> {
        let Delta { edits, bad_rows, mut evidence } = delta;
        if let Some(canary) = edits.iter().find_map(|edit| self.canary_removed_by(edit)) {
            return self.refuse(self.not_believed(
                &evidence,
                &format!("removes {canary}, whom must_include asks for, so it is not believed"),
            ));
        }
        let (source, hasher) = (self.source.name.clone(), self.hasher.clone());
        let (edits, before) = self.outside.blocking_on_ledger(move |ledger, _| {
            let stored = touched_by(ledger, &source, &hasher, &edits)?;
            Ok((change::apply_edits(edits, stored), ledger.source(&source)?))
        })?;
        evidence.notes.extend(edits.notes);
        let entries =
            edits.changes.iter().fold(before.map_or(0, |before| before.entries), |entries, change| match change {
                change::Change::Added(_) => entries + 1,
                change::Change::Changed(_) => entries,
                change::Change::Removed { .. } => entries.saturating_sub(1),
            });
        self.enter(Acceptance {
            source: self.source.name.clone(),
            scope: self.scope.clone(),
            subscriptions: self.subscriptions.clone(),
            changes: edits.changes,
            base: Some(self.revision.get()),
            // Edits are not compared as a whole: each file counts once.
            fingerprint: Fingerprint::default(),
            entries,
            bad_rows,
            evidence,
            delta: file,
        })
    }

    fn canary_removed_by(&self, edit: &Edit) -> Option<String> {
        let Edit::Remove(entry) = edit else { return None };
        self.source.must_include.contains(&entry.address).then(|| entry.address.to_string())
    }

    fn enter(&self, acceptance: Acceptance) -> Result<Intake, LedgerError> {
        let _accept = span::accept().entered();
        let (changes, entries, bad_rows) = (acceptance.changes.len(), acceptance.entries, acceptance.bad_rows.len());
        let file = acceptance.evidence.file.clone().unwrap_or_default();
        let complaint = unusable(&acceptance.bad_rows, self.nouns(), &file, |reason| Masked(reason).to_string());
        // What was read may be older than what another process took in meanwhile.
        if !self.outside.blocking_on_ledger(move |ledger, now| ledger.accept(&acceptance, now))? {
            return Ok(Intake::Settling(MEANWHILE));
        }
        self.revision.set(self.revision.get() + 1);
        let name = &self.source.name;
        let is = if self.files == Files::PutAway { "is the roster now" } else { "would be the roster" };
        let (people, told) = (count(entries, "person", "people"), count(changes as u64, "change", "changes"));
        info!(source = %name, changes, entries, bad_rows, "{name}: {file} {is}: {people}, {told}");
        if let Some(complaint) = complaint {
            warn!(source = %name, bad_rows, "{name}: {complaint}");
        }
        Ok(Intake::Accepted { changes })
    }

    /// What a source of this kind is made of.
    fn nouns(&self) -> [&'static str; 2] {
        if matches!(self.source.kind, SourceKind::Ldap(_)) { ENTRIES } else { ROWS }
    }

    fn not_believed(&self, evidence: &Evidence, why: &str) -> Incomplete {
        let file = evidence.file.as_deref().unwrap_or(&self.source.name);
        let seen = evidence.directory.as_ref().map(|observed| observed.told_of_people().join(" "));
        let seen = seen.filter(|seen| !seen.is_empty()).map(|seen| format!(" What was seen: {seen}"));
        Incomplete::lasting(format!("{file} {why}.{}", seen.unwrap_or_default()))
    }

    /// Notes a look that gave nothing, and says so once for each new reason.
    fn refuse(&self, why: Incomplete) -> Result<Intake, LedgerError> {
        let known = self.record.as_ref().and_then(|record| record.problem.as_ref()).map(|(problem, _)| problem);
        if known != Some(&why.reason) {
            warn!(source = %self.source.name, "{}", line::source_failed(&self.source.name, &why.reason));
        }
        // Also where it is no news: whoever noted it may have died before.
        let fleet = Fleet::of(self.config);
        let (source, noted) = (self.source.name.clone(), why.clone());
        self.outside.blocking_on_ledger(move |ledger, now| {
            ledger.refuse(&source, &noted, now)?;
            fleet.look(ledger, now)
        })?;
        Ok(Intake::Refused(why))
    }

    /// Nothing hindered the look. A file that was refused stays the source's problem until another one has been taken:
    /// that it was moved aside mends nothing. `told` is whether this look had a whole roster, `written` when the newest
    /// file that was found was written.
    fn is_well(&self, told: bool, written: Option<Timestamp>) -> Result<(), LedgerError> {
        let name = self.source.name.clone();
        let (record, refused) = self.outside.blocking_on_ledger(move |ledger, _| {
            let record = ledger.source(&name)?;
            let ill = record.as_ref().is_some_and(|record| record.problem.is_some());
            Ok((record, if ill { ledger.newest_file_refused(&name)? } else { None }))
        })?;
        let Some(record) = record else { return Ok(()) };
        let problem = record.problem.as_ref().map(|(problem, _)| problem);
        if !told && problem.zip(refused.as_ref()).is_some_and(|(problem, refused)| problem.starts_with(refused)) {
            return Ok(());
        }
        if let Some(reason) = overdue(self.source, record.accepted_at.max(written), self.outside.now()) {
            return self.refuse(Incomplete::passing(reason)).map(drop);
        }
        if problem.is_some() {
            let source = self.source.name.clone();
            info!(source = %source, "{source}: can be read again");
            self.outside.blocking_on_ledger(move |ledger, _| ledger.source_well(&source))?;
        }
        Ok(())
    }

    fn put_away(&self, csv: &Csv, found: &Found, intake: &Intake) -> Result<(), LedgerError> {
        let verdict = match intake {
            Intake::Refused(why) => Verdict::Refused(why),
            Intake::Accepted { .. } | Intake::Unchanged => Verdict::Taken,
            Intake::Settling(_) => return Ok(()),
        };
        let is_passing = matches!(intake, Intake::Refused(why) if why.passing);
        if let (Verdict::Refused(_), false, Some(mark)) = (verdict, is_passing, found.mark()) {
            let (source, judged_by) = (self.source.name.clone(), self.judged_by(csv));
            self.outside.blocking_on_ledger(move |ledger, now| ledger.refuse_file(&source, &mark, &judged_by, now))?;
        }
        if let Err(cause) = csv_source::finish(csv, found, verdict, self.outside.now()) {
            let name = &self.source.name;
            warn!(source = %name, "{name}: {}", crate::telemetry::chain(&cause));
            return Ok(());
        }
        if is_passing || csv.after == After::Leave {
            return Ok(());
        }
        if csv.mode == Mode::Delta {
            self.is_put_away(&found.name, *intake == Intake::Unchanged)?;
        }
        // The file is gone from now on, and with it what tells when it came.
        if *intake == Intake::Unchanged && self.source.max_age.is_some() {
            let name = self.source.name.clone();
            self.outside.blocking_on_ledger(move |ledger, now| ledger.source_heard(&name, now))?;
        }
        Ok(())
    }

    /// A delta is out of the way: the next one of its name is another. `counted` is whether it had been taken by an
    /// earlier look, which did not come to putting it away.
    fn is_put_away(&self, file: &str, counted: bool) -> Result<(), LedgerError> {
        let source = &self.source.name;
        if counted {
            warn!(
                source = %source,
                "{source}: {file} had been applied before and could only now be put away; it was not applied again. If \
                 somebody has put it there anew, it is to be dropped once more."
            );
        }
        let (source, file) = (source.clone(), file.to_owned());
        self.outside.blocking_on_ledger(move |ledger, _| ledger.file_put_away(&source, &file))
    }
}

/// Shows how far the reading of a directory has come: as a bar on a terminal, and in the log of one that takes long.
struct Watcher<'a, O> {
    outside: &'a O,
    source: &'a str,
    bar: Progress,
    expected: Cell<u64>,
    seen: Cell<u64>,
    /// When it was logged last.
    told: Cell<Timestamp>,
}

impl<'a, O: Outside> Watcher<'a, O> {
    fn new(outside: &'a O, source: &'a str) -> Watcher<'a, O> {
        let (expected, seen) = (Cell::new(0), Cell::new(0));
        Watcher { outside, source, bar: Progress::new(source), expected, seen, told: Cell::new(outside.now()) }
    }
}

impl<O: Outside> ldap::watched::Watch for Watcher<'_, O> {
    fn expect(&self, more: u64) {
        self.expected.set(self.expected.get() + more);
        self.bar.expect_in_all(self.expected.get());
    }

    fn seen(&self, more: u64) {
        self.seen.set(self.seen.get() + more);
        self.bar.done(more);
        let now = self.outside.now();
        if now - self.told.get() >= TELL_EVERY {
            self.told.set(now);
            let (source, entries) = (self.source, self.seen.get());
            info!(source = %source, entries, "{source}: is being read, {} so far", count(entries, "entry", "entries"));
        }
    }
}

fn short_hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}

/// What a link leads to, whether that is there or not, where the place that is looked at is one: who points it elsewhere
/// has another place looked at.
fn link_of(source: &Source) -> String {
    let SourceKind::Csv(csv) = &source.kind else { return String::new() };
    std::fs::read_link(&csv.path).map(|target| format!(" link={}", target.display())).unwrap_or_default()
}

/// The stored entries that a delta's edits may meet: by address and route, and by stable id.
fn touched_by(ledger: &Ledger, source: &str, hasher: &Hasher, edits: &[Edit]) -> Result<Vec<Entry>, LedgerError> {
    let entries = || {
        edits.iter().map(|edit| match edit {
            Edit::Add(entry) | Edit::Remove(entry) => entry,
        })
    };
    let mut keys: Vec<EntryKey> =
        entries().map(|entry| hasher.entry_key(entry.address.identity(), entry.route.as_deref())).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut ids: Vec<&str> = entries().filter_map(|entry| entry.stable_id.as_deref()).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut stored = ledger.entries_by_key(source, &keys)?;
    for entry in ledger.entries_by_id(source, &ids)? {
        let key = hasher.entry_key(entry.address.identity(), entry.route.as_deref());
        if keys.binary_search(&key).is_err() {
            stored.push(entry);
        }
    }
    Ok(stored)
}

/// What to say where no new file has come for longer than `max_age`.
fn overdue(source: &Source, newest: Option<Timestamp>, now: Timestamp) -> Option<String> {
    let max_age = source.max_age?;
    let newest = newest.filter(|newest| (now - *newest).to_std().is_ok_and(|age| age > max_age))?;
    Some(format!(
        "No new file has come since {}, for longer than {} (max_age). Look whether what writes the files still does.",
        moment(newest),
        humantime::format_duration(max_age),
    ))
}

/// How the stored rows differ from these, of the same parts and in order of key.
fn difference(ledger: &Ledger, source: &str, rows: &[Row], parts: &Parts) -> Result<Difference, LedgerError> {
    let mut merge = Merge::new(rows);
    ledger.for_each_row(source, parts, &mut |key, content| merge.stored(key, content))?;
    Ok(merge.finish())
}

/// All rows of a snapshot in order of key, where what was known when it was read is known no more.
fn all(mut rows: Vec<Row>, alike: Vec<Row>) -> Vec<Row> {
    rows.extend(alike);
    rows.sort_unstable_by_key(|row| row.key);
    rows
}

/// Judges a complete reading: an empty answer, a canary that is missing. The error fits after the file's name.
pub fn judge(source: &Source, snapshot: &Snapshot, hasher: &Hasher, routes: &[String]) -> Result<(), String> {
    if snapshot.rows.is_empty() && snapshot.alike.is_empty() && !source.allow_empty {
        return Err(format!(
            "names nobody, and an empty roster is not believed; if it is meant, set allow_empty = true in [sources.{}]",
            source.name
        ));
    }
    let keys_of = |canary: &Address| -> Vec<EntryKey> {
        let routes = routes.iter().map(|route| Some(route.as_str())).chain([None]);
        routes.map(|route| hasher.entry_key(canary.identity(), route)).collect()
    };
    let wanted: BTreeSet<EntryKey> = source.must_include.iter().flat_map(keys_of).collect();
    let rows = snapshot.rows.iter().chain(&snapshot.alike).filter(|_| !wanted.is_empty());
    let seen: BTreeSet<EntryKey> = rows.map(|row| row.key).filter(|key| wanted.contains(key)).collect();
    let is_missing = |canary: &&Address| !keys_of(canary).iter().any(|key| seen.contains(key));
    let missing: Vec<String> = source.must_include.iter().filter(is_missing).map(ToString::to_string).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("does not name {}, whom must_include asks for, so it is not believed", missing.join(" and ")))
}
