//! Everything that a plan rests on, as one value.

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::brake::Brake;
use crate::clock::Timestamp;
use crate::config::Policy;
use crate::member::{Approval, Departure, Member, MemberState, Restored, Seats};
use crate::roster::Entry;

/// Everything that a plan rests on: what is desired, what is known, the seats, the policy, the approvals, the moment.
/// It can be written to a file and replayed.
///
/// It holds `candidates` only: the addresses whose state may have to change. Whoever is assigned and desired as before
/// is in the counts alone, so that one change among a million people is a small input. A plan from all addresses and a
/// plan from the candidates are the same plan; a test holds them together. Where a candidate was renamed, its new address
/// is a candidate, too, whatever its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanInput {
    pub subscription: String,
    pub at: Timestamp,
    pub policy: Policy,
    /// `None` until a stats answer has been seen.
    pub seats: Option<Seats>,
    pub counts: Counts,
    /// The fleet's brake, while it is on.
    pub brake: Option<Brake>,
    /// The sources that the subscription names.
    pub sources: Vec<SourceFacts>,
    pub approvals: Vec<Approval>,
    /// Why the ledger may not be the newest.
    #[serde(default)]
    pub restored: Option<Restored>,
    /// By identity, without doubles.
    pub candidates: Vec<Candidate>,
}

impl PlanInput {
    /// How many candidates wait for a seat already.
    pub fn pending_members(&self) -> u64 {
        let members = self.candidates.iter().filter_map(|candidate| candidate.member.as_ref());
        members.filter(|member| member.state == MemberState::Pending).count() as u64
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Members that hold a seat as far as the ledger knows: assigned and leaving.
    pub holding: u64,
    /// Seats taken away in the last 24 hours, renames and approved removals not counted.
    pub removed_last_day: u64,
    /// Members that held a seat 24 hours ago (or at first sight, where that is less long ago).
    pub holding_day_ago: u64,
}

/// What is known of one source's newest accepted roster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFacts {
    pub name: String,
    /// `None`: it has never been read whole.
    pub accepted_at: Option<Timestamp>,
    pub entries: u64,
    /// Rows of the newest snapshot that can't be used and don't say whose they are: they may be any of the missing.
    pub anonymous_bad_rows: u64,
    /// Why the newest look at it gave nothing.
    pub problem: Option<String>,
}

/// One address whose state may have to change. What few of them have is in a box: a first plan has a million.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    pub address: Address,
    /// What the subscription's rosters say of it: empty where none names it. Each with its source's name.
    pub entries: Vec<(String, Entry)>,
    /// What the ledger knows of it.
    pub member: Option<Box<Member>>,
    /// Why it stopped being named, where a roster's change was noted since the last plan. What a plan leaves undone is
    /// in `member.departure` from then on ([`super::Plan::departures`]).
    pub departure: Option<Box<Departure>>,
}
