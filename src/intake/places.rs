//! Where people stand who are in the roster of a directory. Rows are compared without it: whoever is moved keeps what they
//! have, and nothing is planned for them. But a person wants to see the place, and by it is told what became of somebody
//! who is missing, so the newest one is noted.

use std::collections::HashMap;

use super::Desk;
use crate::ledger::{Acceptance, LedgerError};
use crate::outside::Outside;
use crate::roster::change::Change;
use crate::roster::{Entry, EntryKey};
use crate::source::{Entries, Evidence, Snapshot};

impl<O: Outside> Desk<'_, O> {
    /// Notes where the stored entries stand by now, of those that this reading has, too. Where nobody has moved beside
    /// what changes, which a sum tells, nothing is looked at or written.
    pub(super) fn note_places(&self, snapshot: &Snapshot, changes: &[Change]) -> Result<(), LedgerError> {
        let places = |evidence: &Evidence| evidence.directory.as_ref().and_then(|observed| observed.places);
        let stored = self.record.as_ref().filter(|record| record.accepted_at.is_some());
        let before = stored.and_then(|record| places(&record.evidence));
        let (Some(before), Some(now)) = (before, places(&snapshot.evidence)) else { return Ok(()) };
        if now == before || now == before.wrapping_add(self.change_of_places(changes)?) {
            return Ok(());
        }
        let (name, hasher) = (self.source.name.clone(), self.hasher.clone());
        let before = self.outside.blocking_on_ledger(move |ledger, _| {
            let mut before = HashMap::new();
            ledger.for_each_origin(&name, &mut |key, origin| {
                before.insert(key, hasher.origin(key, origin));
            })?;
            Ok(before)
        })?;
        let moved = self.moved(&before, snapshot);
        if moved.is_empty() {
            return Ok(());
        }
        let (name, base) = (self.source.name.clone(), self.revision.get());
        self.outside.blocking_on_ledger(move |ledger, _| ledger.move_entries(&name, base, &moved))
    }

    /// Makes the sum that of the roster after these changes.
    pub(super) fn add_places(&self, acceptance: &mut Acceptance) -> Result<(), LedgerError> {
        let change = self.change_of_places(&acceptance.changes)?;
        if let Some(observed) = &mut acceptance.evidence.directory {
            observed.places = observed.places.map(|places| places.wrapping_add(change));
        }
        Ok(())
    }

    /// By how much these changes alone make the sum another.
    fn change_of_places(&self, changes: &[Change]) -> Result<u64, LedgerError> {
        let key = |entry: &Entry| self.hasher.entry_key(entry.address.identity(), entry.route.as_deref());
        let place = |entry: &Entry| self.hasher.origin(key(entry), &entry.origin);
        let (mut sum, mut known) = (0_u64, Vec::new());
        for change in changes {
            match change {
                Change::Added(entry) => sum = sum.wrapping_add(place(entry)),
                Change::Removed { entry, .. } => sum = sum.wrapping_sub(place(entry)),
                Change::Changed(entry) => {
                    sum = sum.wrapping_add(place(entry));
                    known.push(key(entry));
                }
            }
        }
        if known.is_empty() {
            return Ok(sum);
        }
        let name = self.source.name.clone();
        let before = self.outside.blocking_on_ledger(move |ledger, _| ledger.entries_by_key(&name, &known))?;
        Ok(before.iter().fold(sum, |sum, entry| sum.wrapping_sub(place(entry))))
    }

    /// Those whose origin is another than before, in the order of their keys.
    fn moved(&self, before: &HashMap<EntryKey, u64>, snapshot: &Snapshot) -> Vec<(EntryKey, Box<str>)> {
        let Entries::Directory(claimed) = &snapshot.entries else { return Vec::new() };
        let moved = claimed.all().filter_map(|entry| {
            let key = self.hasher.entry_key(entry.address.identity(), entry.route.as_deref());
            let is_elsewhere = self.hasher.origin(key, &entry.origin) != *before.get(&key)?;
            is_elsewhere.then_some((key, entry.origin))
        });
        moved.collect()
    }
}
