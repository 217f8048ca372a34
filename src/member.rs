//! What is known of people in a subscription, as values: members and their states, seats, intents, approvals.
//!
//! The vocabulary that the plan decides with, the dispatcher asks with and the ledger keeps.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::clock::Timestamp;
use crate::roster::Reason;

/// The states of a member, as people see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum MemberState {
    /// Has a seat.
    Assigned,
    /// Wants a seat, and none is free.
    Pending,
    /// The start date is ahead.
    Waiting,
    /// No longer desired; the seat is kept for the time of grace, or until an approval.
    Leaving,
    /// The address is invalid, or the server refused it.
    Quarantined,
    /// A request's answer was lost; settled before anything else.
    Unknown,
}

/// How the reason begins of a pending member whom the server was not asked for: not for want of a seat.
pub const NOT_ASKED: &str = "not asked for yet: ";

/// How the reason begins of a quarantined member whose seat a person's word took back: the server refused nothing.
pub const TAKEN_BACK: &str = "taken back: ";

/// What the ledger knows of an address in a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// In the spelling in which it was assigned or adopted; before that, in the roster's.
    pub address: Address,
    pub state: MemberState,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// Why it is in this state, a fragment for a person.
    pub reason: String,
    pub priority: i32,
    /// Whether the ledger believes that it holds a seat: yes for assigned and leaving, for unknown as before the request.
    pub has_seat: bool,
    /// Since when it wants a seat that it does not have: its place in the queue.
    pub waiting_since: Option<Timestamp>,
    /// How it stopped being desired, for a leaving one, and for one that is kept though no roster names it.
    pub departure: Option<Departure>,
    /// Its removal was rejected by a person: kept until a roster names it again.
    pub kept: bool,
    /// For a quarantined one: the server refused the address, so it is not sent again before a person says `retry`.
    /// Otherwise the policy set it aside, and it follows the policy.
    #[serde(default)]
    pub refused: bool,
    /// Why it comes before all others who wait.
    #[serde(default)]
    pub claim: Option<Claim>,
}

/// A seat that was given back on the way to this member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// It had a seat itself, whose removal turned out not to be wanted.
    Own,
    /// The same person had it under the old address. Should the server refuse the new one, the old one has it again.
    From { old: Address, departure: Box<Departure> },
}

/// How an address stopped being named by a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    pub reason: Reason,
    pub source: String,
    pub at: Timestamp,
    /// For [`Reason::Renamed`]: the address that the same stable id has now.
    pub renamed_to: Option<Address>,
    /// Where it stood: `staff.csv line 7`.
    pub origin: String,
}

/// Seats, from the last `assignmentStats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seats {
    pub available: u64,
    pub assigned: u64,
    pub as_of: Timestamp,
}

impl Seats {
    pub fn free(&self) -> u64 {
        self.available.saturating_sub(self.assigned)
    }
}

/// Names an intent in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IntentId(pub i64);

/// A person's word on held removals: valid for this very set, or a part of it, until it expires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// [`crate::plan::Hold::digest`].
    pub digest: String,
    /// The identities of the set.
    pub members: Vec<String>,
    pub expires_at: Timestamp,
    pub by: String,
}

/// The ledger may not be the newest that there was: licences are given, and none is taken back, until a person believes
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    pub doubt: Doubt,
    /// How many commits the ledger had seen when that was noticed.
    pub generation: u64,
    /// Its newest entry then.
    pub as_of: Option<Timestamp>,
}

/// Why a ledger may not be the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// The file beside it has seen more commits.
    Older { file: u64 },
    /// There is no file beside it, as beside a copy.
    NoFile,
    /// The file beside it can't be read.
    Illegible,
    /// The file beside it is another ledger's.
    Another,
}

impl Restored {
    /// What is the matter, as a fragment.
    pub fn cause(&self) -> String {
        let as_of = self.as_of.map_or_else(String::new, |at| format!(" of {}", at.format("%Y-%m-%d %H:%M UTC")));
        let file = "the file with its generation beside it";
        match self.doubt {
            Doubt::Older { file } => format!(
                "the ledger was restored from a copy{as_of} (it is at generation {}, and was at {file}), so that nobody knows who was given or lost a licence since",
                self.generation
            ),
            Doubt::NoFile => format!(
                "the ledger{as_of} stands without {file}, as a copy does that was put in its place, and may not be the newest"
            ),
            Doubt::Illegible => format!("of the ledger{as_of} {file} is damaged, so that it may not be the newest"),
            Doubt::Another => {
                format!("of the ledger{as_of} {file} is another ledger's, so that it may not be the newest")
            }
        }
    }
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = self.cause();
        write!(f, "{cause}; licences are given, and none is taken back, until you say `rosterd ledger accept`")
    }
}
