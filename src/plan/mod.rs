//! The pure difference between who should have a licence and who has one, with its guards' verdicts.
//!
//! [`Plan::compute`] is a function of one value, [`input::PlanInput`], and of nothing else: a plan can be printed,
//! compared, saved, replayed. Carrying it out is `dispatch`'s work.

pub mod change;
pub mod display;
pub mod guard;
pub mod input;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::clock::Timestamp;
use crate::roster::Reason;

/// What is to be done for one subscription, in order, and what is not and why. Every candidate of the input is in
/// exactly one of its lists or was right as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// Members to unassign now, by address.
    pub unassign: Vec<Removal>,
    /// One person, another address: the old one is unassigned, then the new one assigned.
    pub rename: Vec<Rename>,
    /// Who wants a seat, in the order in which seats are given: priority, then waiting since, then address. The new
    /// addresses of `rename` are not in it: they take the seat that the old one leaves.
    pub assign: Vec<Assignment>,
    /// How many of `assign`, from its start, fit the seats as they are known, with those that this plan frees; `None`
    /// where the seats are not known.
    pub fits: Option<u64>,
    /// Their start is ahead.
    pub waiting: Vec<Waiting>,
    /// No longer desired, still with a seat: in their time of grace, held, or protected.
    pub leaving: Vec<Leaving>,
    /// Not to be sent: the address is one that the policy sets aside.
    pub quarantined: Vec<Quarantine>,
    /// Members whose record changes without a request: was leaving and is desired again, no longer desired before a
    /// seat was had, kept by a rejection.
    pub settle: Vec<Settlement>,
    /// Removals that a guard stopped.
    pub hold: Option<Hold>,
    /// The digest of everything above: two plans with the same digest do the same.
    pub digest: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// In the spelling in which it was assigned.
    #[serde(rename = "email")]
    pub address: Address,
    pub reason: Reason,
    /// Where it stood and what became of it, as a fragment: `no longer in hr (staff.csv)`.
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rename {
    /// In the spelling in which it was assigned.
    pub from: Address,
    pub to: Address,
    pub priority: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    #[serde(rename = "email")]
    pub address: Address,
    pub priority: i32,
    /// Since when they wait for a seat.
    pub since: Timestamp,
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    #[serde(rename = "email")]
    pub address: Address,
    pub starts: Timestamp,
    pub priority: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    #[serde(rename = "email")]
    pub address: Address,
    pub reason: Reason,
    pub detail: String,
    /// Since when they are no longer desired.
    pub since: Timestamp,
    pub until: LeavingUntil,
}

/// What a leaver's seat waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeavingUntil {
    /// The end of the time of grace.
    Grace(Timestamp),
    /// A person's approval.
    Approval,
    /// A change of the configuration: this `protect` pattern keeps the seat.
    Protected(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    #[serde(rename = "email")]
    pub address: Address,
    pub reason: String,
}

/// A change of a member's record that needs no request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Settlement {
    /// Was leaving, is desired again: assigned as before.
    Returned { address: Address },
    /// Had no seat and is no longer desired: forgotten.
    Dropped { address: Address, reason: Reason },
    /// Is assigned, and no rule wants that changed, though no roster names them: a rejected removal, or an entry that
    /// can't be used.
    Kept { address: Address, reason: String },
}

/// Removals that a guard stopped, waiting for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Of the set of `removals`: what an approval is bound to. 16 hexadecimal digits.
    pub digest: String,
    /// The held, by address; each is in `Plan::leaving`, too, or is the `from` of a rename.
    pub removals: Vec<Removal>,
    /// Why, a sentence for each guard that stopped them.
    pub reasons: Vec<String>,
}

impl Plan {
    /// Whether carrying it out would change nothing, neither at the server nor in the ledger.
    pub fn is_empty(&self) -> bool {
        let Plan {
            unassign,
            rename,
            assign,
            settle,
            fits: _,
            waiting: _,
            leaving: _,
            quarantined: _,
            hold: _,
            digest: _,
        } = self;
        unassign.is_empty() && rename.is_empty() && assign.is_empty() && settle.is_empty()
    }
}
