//! A few people are looked at alone, where a directory tells that their entries have changed and of nothing else: the
//! stored roster is edited, and the rest of it stays.
//!
//! What comes of it is what a whole reading would say. Where that is not plain, everything is read instead; and it is read
//! at the next occasion anyway.

use std::collections::BTreeSet;

use super::{Desk, Files, Intake};
use crate::config::{Config, Ldap, Source, SourceKind};
use crate::ledger::{Acceptance, LedgerError, SourceRecord};
use crate::outside::Outside;
use crate::roster::change::Change;
use crate::roster::{Entry, EntryKey, Fingerprint, Reason};
use crate::source::ldap;
use crate::source::ldap::connect::few::Few;

/// More people than these are not looked at one by one.
const TOUCHED_MAX: usize = 50;
/// What is noted of a roster that has been edited.
const TOUCHED: &str =
    "Since then the server has told of people whose own entries changed, and these were read again alone.";

/// Takes in what has become of these people, named by their stable ids, where a directory tells that their entries have
/// changed. `None`: that can't be told from them alone, and everything has to be looked at. Blocks.
pub fn people(
    config: &Config,
    outside: &impl Outside,
    source: &Source,
    ids: &BTreeSet<Box<str>>,
    few: &mut Few,
) -> Result<Option<Intake>, LedgerError> {
    let SourceKind::Ldap(ldap) = &source.kind else { return Ok(None) };
    Desk::new(config, outside, source, Files::Leave)?.touch(ldap, ids, few)
}

impl<O: Outside> Desk<'_, O> {
    /// Edits the stored roster by what the directory says of these people now.
    fn touch(&self, ldap: &Ldap, ids: &BTreeSet<Box<str>>, few: &mut Few) -> Result<Option<Intake>, LedgerError> {
        let sound = |record: &&SourceRecord| self.stands(self.outside.now()) && record.problem.is_none();
        let Some(record) = self.record.as_ref().filter(sound) else { return Ok(None) };
        let Some(observed) = &record.evidence.directory else { return Ok(None) };
        if observed.by_themselves != Some(0) || ids.len() > TOUCHED_MAX {
            return Ok(None);
        }
        let (name, owned) = (self.source.name.clone(), ids.clone());
        let stored = self.outside.blocking_on_ledger(move |ledger, _| {
            ledger.entries_by_id(&name, &owned.iter().map(|id| &**id).collect::<Vec<_>>())
        })?;
        let of = |id: &str| stored.iter().filter(|entry| entry.stable_id.as_deref() == Some(id)).cloned().collect();
        let theirs: Vec<(&str, Vec<Entry>)> = ids.iter().map(|id| (&**id, of(id))).collect();
        // Whoever is not in the roster is not asked for: only groups can say that they belong there now.
        if theirs.iter().any(|(_, entries)| entries.is_empty()) {
            return Ok(None);
        }
        let ids: Vec<&str> = theirs.iter().map(|(id, _)| *id).collect();
        let Some(found) = few.ask(ldap, &ids).filter(|found| found.server == observed.server) else { return Ok(None) };
        let changes = |(id, entries): &(&str, Vec<Entry>)| ldap::touch::changes(entries, found.people.get(*id)?, ldap);
        let Some(changes) = theirs.iter().map(changes).collect::<Option<Vec<_>>>() else { return Ok(None) };
        let changes = changes.concat();
        if changes.is_empty() {
            return Ok(Some(Intake::Unchanged));
        }
        let Some(edited) = Edited::of(self, record, &stored, &changes) else { return Ok(None) };
        let (name, keys) = (self.source.name.clone(), edited.added.clone());
        let taken = self.outside.blocking_on_ledger(move |ledger, _| ledger.entries_by_key(&name, &keys))?;
        if !taken.is_empty() {
            return Ok(None);
        }
        self.enter(edited.acceptance(self, record, changes)).map(Some)
    }
}

/// The roster after some changes.
struct Edited {
    fingerprint: Fingerprint,
    entries: u64,
    /// Keys that nobody may have before, in order.
    added: Vec<EntryKey>,
}

impl Edited {
    /// `stored` are the entries that change. `None`: the roster has to be judged as a whole.
    fn of<O>(desk: &Desk<'_, O>, record: &SourceRecord, stored: &[Entry], changes: &[Change]) -> Option<Edited> {
        let row = |entry: &Entry| {
            let key = desk.hasher.entry_key(entry.address.identity(), entry.route.as_deref());
            (key, desk.hasher.content(entry))
        };
        let (mut fingerprint, mut added) = (Fingerprint::of_bytes(&record.fingerprint)?, BTreeSet::new());
        for change in changes {
            let (Change::Added(entry) | Change::Changed(entry) | Change::Removed { entry, .. }) = change;
            let (key, content) = row(entry);
            if record.bad_rows.iter().any(|bad| {
                bad.address.as_ref() == Some(&entry.address) || bad.stable_id.as_deref() == entry.stable_id.as_deref()
            }) {
                return None;
            }
            match change {
                Change::Removed { .. } if desk.source.must_include.contains(&entry.address) => return None,
                Change::Removed { .. } => fingerprint.remove(key, content),
                Change::Added(_) => {
                    fingerprint.add(key, content);
                    if !added.insert(key) {
                        return None;
                    }
                }
                Change::Changed(_) => {
                    let (_, before) = stored.iter().map(row).find(|(stored, _)| *stored == key)?;
                    fingerprint.remove(key, before);
                    fingerprint.add(key, content);
                }
            }
        }
        let removed = changes.iter().filter(|change| matches!(change, Change::Removed { .. })).count() as u64;
        let entries = (record.entries + added.len() as u64).checked_sub(removed).filter(|entries| *entries > 0)?;
        Some(Edited { fingerprint, entries, added: added.into_iter().collect() })
    }

    fn acceptance<O>(self, desk: &Desk<'_, O>, record: &SourceRecord, changes: Vec<Change>) -> Acceptance {
        let mut evidence = record.evidence.clone();
        let is_disabled = |change: &&Change| matches!(change, Change::Removed { reason: Reason::Disabled, .. });
        if let Some(observed) = &mut evidence.directory {
            // The state of the directory is not known any more: everything is read at the next occasion.
            observed.mark = None;
            observed.people = self.entries;
            observed.disabled += changes.iter().filter(is_disabled).count() as u64;
        }
        if !evidence.notes.iter().any(|note| note == TOUCHED) {
            evidence.notes.push(TOUCHED.to_owned());
        }
        Acceptance {
            source: desk.source.name.clone(),
            scope: desk.scope.clone(),
            subscriptions: desk.subscriptions.clone(),
            changes,
            base: Some(record.revision),
            fingerprint: self.fingerprint,
            entries: self.entries,
            bad_rows: record.bad_rows.clone(),
            evidence,
            delta: None,
        }
    }
}
