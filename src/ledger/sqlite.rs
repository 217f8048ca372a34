//! The ledger on SQLite. TODO: every verb below is to be written.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::dispatch::machine::{Commit, NewIntent};
use crate::plan::input::{Candidate, Counts};
use crate::plan::{Hold, Plan};
use crate::roster::{Entry, EntryKey, Hasher};
use crate::source::Incomplete;

type Result<T> = std::result::Result<T, LedgerError>;

#[derive(Debug)]
pub struct Ledger {}

/// Which addresses a plan looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Those that may have to change: touched by a roster's change, with a date that fell due, or not settled.
    Touched,
    /// Every address that a roster names or the ledger knows.
    All,
}

#[expect(unused_variables, reason = "to be written")]
impl Ledger {
    // ---- opening
    /// Opens for reading and writing, makes it where there is none, and migrates it.
    pub fn open(path: &Path, now: Timestamp) -> Result<Ledger> {
        unimplemented!()
    }
    /// Opens for reading; never makes or migrates.
    pub fn open_readonly(path: &Path) -> Result<Ledger> {
        unimplemented!()
    }
    pub fn hasher(&self) -> &Hasher {
        unimplemented!()
    }

    // ---- rosters
    pub fn source(&self, name: &str) -> Result<Option<SourceRecord>> {
        unimplemented!()
    }
    /// Key and content of every stored entry, in the order of keys.
    pub fn for_each_row(&self, source: &str, each: &mut dyn FnMut(EntryKey, u64)) -> Result<()> {
        unimplemented!()
    }
    pub fn entries_by_key(&self, source: &str, keys: &[EntryKey]) -> Result<Vec<Entry>> {
        unimplemented!()
    }
    /// The entries with one of these stable ids.
    pub fn entries_by_id(&self, source: &str, ids: &[&str]) -> Result<Vec<Entry>> {
        unimplemented!()
    }
    /// The reading becomes the roster; its changes are noted for the subscriptions.
    pub fn accept(&mut self, acceptance: &Acceptance, now: Timestamp) -> Result<()> {
        unimplemented!()
    }
    /// The source was read whole and says what it said before.
    pub fn accept_unchanged(
        &mut self,
        source: &str,
        evidence: &Evidence,
        bad_rows: &[BadRow],
        now: Timestamp,
    ) -> Result<()> {
        unimplemented!()
    }
    /// The look gave nothing; the stored roster stays. Written once for each new reason.
    pub fn refuse(&mut self, source: &str, why: &Incomplete, now: Timestamp) -> Result<()> {
        unimplemented!()
    }
    /// A look that went well clears the problem of an earlier one.
    pub fn source_well(&mut self, source: &str) -> Result<()> {
        unimplemented!()
    }
    /// Whether a delta file with this name and digest has been accepted, or refused, before.
    pub fn file_done(&self, source: &str, name: &str, digest: &str) -> Result<bool> {
        unimplemented!()
    }
    /// Notes that a delta or snapshot file was refused, so that it is not read again.
    pub fn refuse_file(&mut self, source: &str, name: &str, digest: &str, now: Timestamp) -> Result<()> {
        unimplemented!()
    }

    // ---- planning
    pub fn subscription(&self, name: &str) -> Result<SubscriptionRecord> {
        unimplemented!()
    }
    pub fn counts(&self, subscription: &str, now: Timestamp) -> Result<Counts> {
        unimplemented!()
    }
    /// By identity. `now` bounds the dates that are looked at.
    pub fn candidates(
        &self,
        subscription: &str,
        sources: &[String],
        look: Look,
        now: Timestamp,
    ) -> Result<Vec<Candidate>> {
        unimplemented!()
    }
    /// One address, whatever its state.
    pub fn candidate(&self, subscription: &str, sources: &[String], identity: &str) -> Result<Candidate> {
        unimplemented!()
    }
    pub fn approvals(&self, subscription: &str, now: Timestamp) -> Result<Vec<Approval>> {
        unimplemented!()
    }
    /// Members by state.
    pub fn member_counts(&self, subscription: &str) -> Result<Vec<(MemberState, u64)>> {
        unimplemented!()
    }
    /// By address.
    pub fn for_each_member(
        &self,
        subscription: &str,
        state: Option<MemberState>,
        each: &mut dyn FnMut(Member),
    ) -> Result<()> {
        unimplemented!()
    }

    // ---- a run
    pub fn acquire(
        &mut self,
        subscription: &str,
        owner: &Owner,
        term: Duration,
        now: Timestamp,
    ) -> Result<Option<Lease>> {
        unimplemented!()
    }
    pub fn renew(&mut self, lease: &Lease, term: Duration, now: Timestamp) -> Result<()> {
        unimplemented!()
    }
    pub fn release(&mut self, lease: Lease) -> Result<()> {
        unimplemented!()
    }
    pub fn begin_run(&mut self, lease: &Lease, run: RunId, trigger: Trigger, now: Timestamp) -> Result<()> {
        unimplemented!()
    }
    pub fn open_intents(&self, subscription: &str) -> Result<Vec<(IntentId, NewIntent)>> {
        unimplemented!()
    }
    /// Writes what the plan says without a request: settlements, leavers, waiting, quarantined, pending, the hold. Notes
    /// what the plan rested on (`scope`) and clears what had been touched until the candidates were read.
    pub fn record_plan(&mut self, lease: &Lease, run: RunId, plan: &Plan, scope: &str, now: Timestamp) -> Result<()> {
        unimplemented!()
    }
    /// One dispatch step: the outcome of one request and the intent of the next.
    pub fn commit(&mut self, lease: &Lease, run: RunId, commit: &Commit, now: Timestamp) -> Result<Option<IntentId>> {
        unimplemented!()
    }
    pub fn finish_run(
        &mut self,
        lease: &Lease,
        run: RunId,
        outcome: RunOutcome,
        report: &crate::dispatch::machine::Report,
        problem: Option<&str>,
        now: Timestamp,
    ) -> Result<()> {
        unimplemented!()
    }

    // ---- a person's words
    pub fn approve(
        &mut self,
        subscription: &str,
        hold: &Hold,
        by: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        unimplemented!()
    }
    /// The removals of this hold are turned down: their members are kept until a roster names them again.
    pub fn reject(&mut self, lease: &Lease, hold: &Hold, by: &str, now: Timestamp) -> Result<()> {
        unimplemented!()
    }
    /// Takes over assignments that exist already.
    pub fn adopt(&mut self, lease: &Lease, addresses: &[Address], by: &str, now: Timestamp) -> Result<u64> {
        unimplemented!()
    }
    pub fn forget(&mut self, lease: &Lease, addresses: &[Address], by: &str, now: Timestamp) -> Result<u64> {
        unimplemented!()
    }
    /// Quarantined members may try again; all of them where none is named.
    pub fn retry(&mut self, lease: &Lease, addresses: &[Address], by: &str, now: Timestamp) -> Result<u64> {
        unimplemented!()
    }
    /// Asks whoever runs the daemon for a run of this subscription.
    pub fn ask_for_run(&mut self, subscription: &str, now: Timestamp) -> Result<()> {
        unimplemented!()
    }
    /// Takes what was asked for.
    pub fn take_asked(&mut self) -> Result<Vec<String>> {
        unimplemented!()
    }

    // ---- looking back
    /// Oldest first. No names: all subscriptions, and what belongs to none.
    pub fn for_each_history(
        &self,
        subscriptions: &[String],
        since: Option<Timestamp>,
        each: &mut dyn FnMut(HistoryLine),
    ) -> Result<()> {
        unimplemented!()
    }
    pub fn history_of(&self, identity: &str, limit: usize) -> Result<Vec<HistoryLine>> {
        unimplemented!()
    }
    pub fn run(&self, run: RunId) -> Result<Option<(String, RunRecord)>> {
        unimplemented!()
    }
    /// What a run assigned and unassigned.
    pub fn run_effects(&self, run: RunId) -> Result<(Vec<Address>, Vec<Address>)> {
        unimplemented!()
    }
}
