//! Some of a directory is looked at alone, where it tells that this has changed and of nothing else: the stored roster is
//! edited, and the rest of it stays.
//!
//! What comes of it is what a whole reading would say. Where that is not plain, everything is read instead; and it is read
//! at the next occasion anyway.

use std::collections::BTreeSet;

use super::{Desk, Files, Intake, Lists, Memory};
use crate::config::{Config, Ldap, Source, SourceKind};
use crate::ledger::{Acceptance, LedgerError, SourceRecord};
use crate::outside::Outside;
use crate::roster::change::{self, Change};
use crate::roster::{Entry, EntryKey, Fingerprint, Reason};
use crate::source::ldap::connect::few::Few;
use crate::source::ldap::push::Told;
use crate::source::ldap::touch::{Again, Touched, touched};
use crate::source::ldap::{self, claims::is_of_one};

/// What is noted of a roster that has been edited.
const TOUCHED: &str =
    "Since then the server has told which people and groups changed, and these were read again alone.";

/// Takes in what has become of those of whom a directory tells that they have changed. `None`: that can't be told from
/// them alone, and everything has to be looked at. Blocks.
pub fn told(
    config: &Config,
    outside: &impl Outside,
    source: &Source,
    told: &Told,
    memory: &mut Memory,
    few: &mut Few,
) -> Result<Option<Intake>, LedgerError> {
    let SourceKind::Ldap(ldap) = &source.kind else { return Ok(None) };
    let _look = tracing::error_span!("look", source = %source.name).entered();
    Desk::new(config, outside, source, Files::PutAway)?.touch(ldap, told, &mut memory.lists, few)
}

impl<O: Outside> Desk<'_, O> {
    /// Edits the stored roster by what the directory says of these people and groups now.
    fn touch(&self, ldap: &Ldap, told: &Told, known: &mut Lists, few: &mut Few) -> Result<Option<Intake>, LedgerError> {
        let now = self.outside.now();
        let sound = |record: &&SourceRecord| self.stands(now) && record.problem.is_none();
        let Some(record) = self.record.as_ref().filter(sound) else { return Ok(None) };
        let Some(observed) = &record.evidence.directory else { return Ok(None) };
        let Lists::Of { revision, lists } = known else { return Ok(None) };
        if *revision != record.revision {
            return Ok(None);
        }
        let again = Again { config: ldap, hasher: &self.hasher, lists, told, now };
        let found = few.ask(ldap, |directory| touched(directory, again));
        let Some((server, Some(found))) = found else { return Ok(None) };
        if server != observed.server {
            return Ok(None);
        }
        let (name, ids) = (self.source.name.clone(), found.ids.clone());
        let stored = self.outside.blocking_on_ledger(move |ledger, _| {
            ledger.entries_by_id(&name, &ids.iter().map(|id| &**id).collect::<Vec<_>>())
        })?;
        let has_stored = |id: &str| stored.iter().any(|entry| entry.stable_id.as_deref() == Some(id));
        // Who has an address together with others may have it in their entry.
        let may_share = !observed.shared.is_empty() && !found.ids.iter().all(|id| has_stored(id));
        if may_share || !stored.iter().all(|entry| is_of_one(&entry.origin)) {
            return Ok(None);
        }
        let changes = self.changes(&found, &stored, record);
        let intake = if changes.is_empty() {
            Intake::Unchanged
        } else {
            let Some(intake) = self.edit(record, &stored, changes, &found, lists)? else { return Ok(None) };
            intake
        };
        if !matches!(intake, Intake::Settling(_)) {
            lists.take(found.news);
            *revision = self.revision.get();
        }
        Ok(Some(intake))
    }

    /// Makes these changes. `None`: the roster has to be judged as a whole.
    fn edit(
        &self,
        record: &SourceRecord,
        stored: &[Entry],
        changes: Vec<Change>,
        found: &Touched,
        lists: &ldap::lists::Lists,
    ) -> Result<Option<Intake>, LedgerError> {
        let Some(edited) = Edited::of(self, record, stored, &changes) else { return Ok(None) };
        let (name, keys) = (self.source.name.clone(), edited.added.clone());
        let taken = self.outside.blocking_on_ledger(move |ledger, _| ledger.entries_by_key(&name, &keys))?;
        if !taken.is_empty() {
            return Ok(None);
        }
        let mut acceptance = edited.acceptance(self, record, changes, found, lists);
        self.add_places(&mut acceptance)?;
        self.enter(acceptance).map(Some)
    }

    /// What is to be edited so that these people have the entries that were found.
    fn changes(&self, found: &Touched, stored: &[Entry], record: &SourceRecord) -> Vec<Change> {
        let key = |entry: &Entry| self.hasher.entry_key(entry.address.identity(), entry.route.as_deref());
        let (mut added, mut changed) = (Vec::new(), Vec::new());
        for entry in &found.entries {
            match stored.iter().find(|stored| key(stored) == key(entry)) {
                None => added.push(entry.clone()),
                Some(stored) if self.hasher.content(stored) != self.hasher.content(entry) => {
                    changed.push(entry.clone());
                }
                Some(_) => {}
            }
        }
        let is_left = |stored: &&Entry| !found.entries.iter().any(|entry| key(entry) == key(stored));
        let removed = stored.iter().filter(is_left).cloned().collect();
        let reason = |entry: &Entry| {
            let is_disabled = entry.stable_id.as_ref().is_some_and(|id| found.disabled.contains(id));
            if is_disabled { Reason::Disabled } else { Reason::Left }
        };
        change::changes(added, changed, removed, &record.bad_rows, reason).changes
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

    fn acceptance<O>(
        self,
        desk: &Desk<'_, O>,
        record: &SourceRecord,
        changes: Vec<Change>,
        found: &Touched,
        lists: &ldap::lists::Lists,
    ) -> Acceptance {
        let mut evidence = record.evidence.clone();
        let is_disabled = |change: &&Change| matches!(change, Change::Removed { reason: Reason::Disabled, .. });
        if let Some(observed) = &mut evidence.directory {
            // The state of the directory is not known any more: everything is read at the next occasion.
            observed.mark = None;
            observed.people = self.entries;
            observed.disabled += changes.iter().filter(is_disabled).count() as u64;
            for (place, names) in &found.news.names {
                let (before, after) = (lists.names(*place).len() as u64, names.len() as u64);
                let id = lists.groups().get(*place).map(|group| &*group.id);
                for group in observed.groups.iter_mut().filter(|group| Some(&*group.id) == id) {
                    let counts = &mut group.counts;
                    counts.listed = after;
                    counts.by_member_of = counts.by_member_of.map(|number| (number + after).saturating_sub(before));
                }
            }
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
