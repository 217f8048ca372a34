//! The durable record: rosters, members, intents, holds, history. There is no call that lists assignments, so what is
//! here is all that anyone knows.
//!
//! Its verbs are the domain's. Every verb that writes is one transaction; every verb that writes for a subscription
//! takes the [`Lease`] that proves that nobody else does. History is written in the transaction of what it tells of.

pub mod handle;
pub mod lease;
pub mod listing;
pub mod migrations;
pub mod operation;
pub mod sqlite;
#[cfg(test)]
mod suite;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use lease::{Lease, Owner};
pub use sqlite::Ledger;

pub use crate::member::{Approval, IntentId, Member, MemberState, Restored, Seats};

use crate::clock::Timestamp;
use crate::roster::change::Change;
use crate::source::{BadRow, DeltaFile, Evidence, Push};

/// Names a run: a UUID of version 7, so that runs sort by time.
pub type RunId = uuid::Uuid;

/// What is known of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRecord {
    pub name: String,
    /// Of the configuration of what is looked at, when the roster was accepted.
    pub scope: String,
    /// [`crate::roster::Fingerprint::to_bytes`] of the roster.
    pub fingerprint: Vec<u8>,
    pub evidence: Evidence,
    pub entries: u64,
    pub bad_rows: Vec<BadRow>,
    /// Counts the rosters that were accepted.
    pub revision: u64,
    /// When the roster was last accepted, or a look at something new (another file) found it unchanged. `None`: it has
    /// never been read whole.
    pub accepted_at: Option<Timestamp>,
    /// Why the newest look gave nothing, and since when; `None`: it went well.
    pub problem: Option<(String, Timestamp)>,
}

/// Whether a directory tells the daemon of its changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushRecord {
    pub push: Push,
    /// By this server; or none, for whatever reasons.
    pub since: Timestamp,
    /// The daemon.
    pub owner: Owner,
}

/// A reading, judged and ready to become the roster: one transaction.
#[derive(Debug, Clone)]
pub struct Acceptance {
    pub source: String,
    /// Of the configuration of what is looked at.
    pub scope: String,
    /// The names of the subscriptions that name the source: they are to look at the changes.
    pub subscriptions: Vec<String>,
    /// Edits of the stored roster.
    pub changes: Vec<Change>,
    /// [`SourceRecord::revision`] of the stored roster that they were computed from. `None`: they hold for any.
    pub base: Option<u64>,
    /// Of the roster after the changes.
    pub fingerprint: crate::roster::Fingerprint,
    pub entries: u64,
    pub bad_rows: Vec<BadRow>,
    pub evidence: Evidence,
    /// Of a delta that came from a file.
    pub delta: Option<DeltaFile>,
}

/// What is known of a subscription beside its members.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SubscriptionRecord {
    /// What the licensing server called it at its runs so far: type and id.
    pub remote: Option<String>,
    pub seats: Option<Seats>,
    /// Since when no seat was free for a waiting member.
    pub full_since: Option<Timestamp>,
    /// When the server last refused a seat to a waiting member.
    pub probed_at: Option<Timestamp>,
    pub habits: crate::dispatch::machine::Habits,
    /// What the server counts, held against the members; `None`: it has never said.
    pub drift: Option<crate::drift::Drift>,
    /// When known assignments were last sent again.
    pub reasserted_at: Option<Timestamp>,
    /// Of the policy and the sources, at the last plan: where it differs, all addresses are candidates.
    pub scope: Option<String>,
    /// Until when starts and ends have been looked at.
    pub dates_until: Option<Timestamp>,
    pub hold: Option<StoredHold>,
    /// A sentence, and since when.
    pub problem: Option<(String, Timestamp)>,
    /// Whether the problem is that the server does not accept the key, in whatever words.
    pub key_rejected: bool,
    pub last_run: Option<RunRecord>,
    /// Why the ledger as a whole may not be the newest; `None`: it is.
    pub restored: Option<Restored>,
}

impl SubscriptionRecord {
    /// Says that the members are those of the subscription that the licensing server calls so.
    ///
    /// # Errors
    /// [`LedgerError::Another`] where they are another's.
    pub fn check_remote(&self, subscription: &str, remote: &str) -> Result<(), LedgerError> {
        match &self.remote {
            Some(known) if known != remote => Err(LedgerError::Another {
                subscription: subscription.to_owned(),
                known: known.clone(),
                configured: remote.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// When the server last said that no seat is free: by refusing one, or by its stats.
    pub fn told_full_at(&self) -> Option<Timestamp> {
        let by_stats = self.seats.filter(|seats| seats.free() == 0).map(|seats| seats.as_of);
        self.probed_at.max(by_stats)
    }
}

/// A hold as it stands for a person to decide on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHold {
    pub hold: crate::plan::Hold,
    pub since: Timestamp,
}

/// What made a run begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    Schedule,
    /// A roster changed.
    Roster,
    /// A date fell due.
    Date,
    /// A full subscription is asked again.
    Probe,
    /// Known assignments are sent again.
    Reassert,
    Start,
    /// The configuration changed.
    Reload,
    /// An earlier run could not finish.
    Retry,
    /// A person: `sync`, `approve`, `undo` …
    Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunOutcome {
    Converged,
    /// Something is pending, held, quarantined or unknown.
    Incomplete,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    pub id: RunId,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub trigger: Trigger,
    pub outcome: Option<RunOutcome>,
    pub requests: u64,
    pub assigned: u64,
    pub unassigned: u64,
}

/// A line of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryLine {
    pub at: Timestamp,
    pub run: Option<RunId>,
    pub subscription: Option<String>,
    pub event: Event,
    pub email: Option<String>,
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    Assigned,
    Unassigned,
    Renamed,
    Pending,
    Waiting,
    Leaving,
    Returned,
    Kept,
    Dropped,
    Quarantined,
    Unknown,
    Adopted,
    Forgotten,
    Retried,
    Held,
    Approved,
    Rejected,
    /// A person wants the sources read and a run made.
    Asked,
    RosterAccepted,
    RosterRefused,
    SeatsChanged,
    SeatsExhausted,
    Drift,
    KeyRejected,
    RunFailed,
    /// Removals were stopped everywhere.
    Braked,
    /// A person let them go on.
    Resumed,
    /// A person believes a ledger that may not be the newest.
    LedgerAccepted,
    /// An alert has arrived.
    AlertSent,
    /// A receiver of alerts can't be reached for long.
    AlertFailed,
}

/// Why the ledger can't be used. The sentences say what to do.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("the ledger {path} can't be opened; is the folder there, and may this user write to it?")]
    Open {
        path: PathBuf,
        #[source]
        cause: rusqlite::Error,
    },
    #[error(
        "the ledger {path} is damaged ({detail}). Nothing was changed. Restore it from a copy; the README says how"
    )]
    Damaged { path: PathBuf, detail: String },
    #[error(
        "the ledger {path} was written by a newer rosterd (its schema is {found}, this program knows {known}). Run the newer one again"
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error(
        "the ledger {path} is read-only; give the user that runs rosterd the right to write to it and to its folder"
    )]
    ReadOnly { path: PathBuf },
    #[error(
        "the ledger {path} was written by an older rosterd (its schema is {found}, this program knows {known}); `rosterd run` or `rosterd sync` brings it up to date"
    )]
    Older { path: PathBuf, found: i64, known: i64 },
    #[error(
        "the ledger {path} is gone or empty, and {generation} beside it shows that one was there. In it stands who has a licence, so that none is begun anew. Put it back, or a copy of it; the README says how. Where there is none: remove {generation}, and a new ledger is begun, in which nobody has a licence that anybody could take back"
    )]
    Lost { path: PathBuf, generation: PathBuf },
    #[error("there is no ledger {path} yet; `rosterd run` or `rosterd sync` makes it")]
    Missing { path: PathBuf },
    #[error(
        "the ledger {path} was deleted, moved or replaced while this program had it open, so nothing is done any more. End the program, put the ledger back, and start again"
    )]
    Gone { path: PathBuf },
    #[error(
        "the file {path} beside the ledger can't be read or written, and by it a ledger is known that was restored from a copy; give the user that runs rosterd the right to write to it and to its folder"
    )]
    Generation {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    #[error("nothing was taken back, for {0}")]
    Restored(Restored),
    #[error("the disk that holds the ledger is full; nothing is lost, and work goes on when there is room")]
    DiskFull,
    #[error("another program keeps the ledger busy; end it, or wait until it is done")]
    Busy,
    #[error("the lease of {subscription} was lost to another process; this run writes nothing more")]
    Fenced { subscription: String },
    #[error(
        "the members of {subscription} in the ledger are those of {known} at the licensing server, and the configuration says {configured} now, so nothing was done. Put the old type and id back; another subscription gets a table of its own with another name, [subscriptions.NAME]"
    )]
    Another { subscription: String, known: String, configured: String },
    #[error(
        "the ledger knows the subscription {remote} under the name {known}, with everybody who has a licence in it, and the configuration calls it {subscription} now, so nothing was done. `rosterd ledger rename {known} {subscription}` gives them its new name; or put the old name back"
    )]
    AnotherName { subscription: String, known: String, remote: String },
    #[error("{name} has {members} of its own in the ledger, so that {from} can't become it; nothing was done")]
    NameTaken { name: String, members: String, from: String },
    #[error(
        "the ledger refused a step that its rules forbid, and nothing was written; that is a defect in rosterd: {0}"
    )]
    Illegal(String),
    #[error("the ledger is closed: the program is ending")]
    Closed,
    #[error("the ledger failed")]
    Sqlite(#[source] rusqlite::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_timestamp_millis(minute * 60_000).unwrap()
    }

    #[test]
    fn the_members_of_one_subscription_are_never_taken_for_anothers() {
        let known =
            |remote: Option<&str>| SubscriptionRecord { remote: remote.map(str::to_owned), ..Default::default() };
        assert!(known(None).check_remote("contoso", "m365/1").is_ok(), "nothing is known before the first run");
        assert!(known(Some("m365/1")).check_remote("contoso", "m365/1").is_ok());
        let another = known(Some("m365/1")).check_remote("contoso", "m365/2").unwrap_err();
        assert!(another.to_string().contains("are those of m365/1 at the licensing server"), "{another}");
    }

    #[test]
    fn no_free_seat_was_told_last_by_a_refusal_or_by_stats() {
        let told = |probed_at: Option<i64>, available: u64, as_of: i64| {
            let seats = Some(Seats { available, assigned: 5, as_of: at(as_of) });
            SubscriptionRecord { seats, probed_at: probed_at.map(at), ..Default::default() }.told_full_at()
        };
        assert_eq!(told(None, 5, 7), Some(at(7)));
        assert_eq!(told(None, 6, 7), None, "a seat is free");
        assert_eq!(told(Some(3), 6, 7), Some(at(3)));
        assert_eq!(told(Some(3), 5, 7), Some(at(7)));
        assert_eq!(told(Some(9), 5, 7), Some(at(9)));
    }
}
