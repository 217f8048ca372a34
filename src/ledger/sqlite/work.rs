//! What a run is about to do, kept in memory from its plan to its end: why each address is asked for, and what the plan
//! rested on.
//!
//! What the plan looked at counts as looked at only when its work is done. So nothing of this need be on disk: after a
//! crash the next plan looks at the same again.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use super::super::{Approval, RunId};
use super::planning::Seen;
use super::recorded::departure;
use crate::address::Address;
use crate::clock::Timestamp;
use crate::licensing::wire::Operation;
use crate::member::{Claim, Departure};
use crate::plan::{Assignment, Plan, Removal, Rename};

#[derive(Debug)]
pub(super) struct Work {
    pub(super) run: RunId,
    pub(super) scope: String,
    pub(super) seen: Seen,
    /// Some of it had no effect and is to be decided anew.
    pub(super) unfinished: bool,
    /// The open intent is about people who are asked for again, to be sure.
    pub(super) again: bool,
    plan: Arc<Plan>,
    /// Identity to the name of the person who approved its removal.
    approved: HashMap<String, String>,
    /// By hash of identity: a million assignments take 12 MiB here, beside the plan that is there anyway.
    assigns: Vec<(u64, u32)>,
    removals: Vec<(u64, u32)>,
    state: RandomState,
}

/// Why an address is in a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order<'a> {
    Assign(&'a Assignment),
    RenameTo(&'a Rename),
    RenameFrom(&'a Rename),
    Unassign(&'a Removal),
}

impl Work {
    pub(super) fn new(run: RunId, plan: &Arc<Plan>, scope: &str, seen: Seen, approvals: &[Approval]) -> Work {
        let mut work = Work {
            run,
            scope: scope.to_owned(),
            seen,
            unfinished: false,
            again: false,
            plan: Arc::clone(plan),
            approved: HashMap::new(),
            assigns: Vec::new(),
            removals: Vec::new(),
            state: RandomState::new(),
        };
        for approval in approvals {
            work.approved.extend(approval.members.iter().map(|member| (member.clone(), approval.by.clone())));
        }
        work.assigns = work.index(Operation::Assign);
        work.removals = work.index(Operation::Unassign);
        work
    }

    /// Whether the plan asks for requests at all.
    pub(super) fn asks(plan: &Plan) -> bool {
        !(plan.unassign.is_empty() && plan.rename.is_empty() && plan.assign.is_empty())
    }

    pub(super) fn order(&self, operation: Operation, identity: &str) -> Option<Order<'_>> {
        self.find(operation, identity).map(|(order, _)| order)
    }

    /// Whether a seat was free for this address by the plan; a renamed person's is.
    pub(super) fn fits(&self, identity: &str) -> bool {
        let Some((order, place)) = self.find(Operation::Assign, identity) else { return false };
        matches!(order, Order::RenameTo(_)) || self.plan.fits.is_none_or(|fits| u64::from(place) < fits)
    }

    fn find(&self, operation: Operation, identity: &str) -> Option<(Order<'_>, u32)> {
        let index = match operation {
            Operation::Assign => &self.assigns,
            Operation::Unassign => &self.removals,
        };
        let hash = self.state.hash_one(identity);
        let from = index.partition_point(|(other, _)| *other < hash);
        index[from..]
            .iter()
            .take_while(|(other, _)| *other == hash)
            .filter_map(|(_, place)| Some((self.nth(operation, *place)?, *place)))
            .find(|(order, _)| order.identity() == identity)
    }

    /// How this address stopped being desired, where its removal is part of the work.
    pub(super) fn departure(&self, address: &Address) -> Option<&Departure> {
        departure(&self.plan, address)
    }

    /// Who approved the removal of this address.
    pub(super) fn approved_by(&self, identity: &str) -> Option<&str> {
        self.approved.get(identity).map(String::as_str)
    }

    fn index(&self, operation: Operation) -> Vec<(u64, u32)> {
        let orders = (0..).map_while(|place| self.nth(operation, place).map(|order| (order, place)));
        let mut index: Vec<(u64, u32)> =
            orders.map(|(order, place)| (self.state.hash_one(order.identity()), place)).collect();
        index.sort_unstable();
        index
    }

    /// The plan's list for this operation, then its renames.
    fn nth(&self, operation: Operation, place: u32) -> Option<Order<'_>> {
        let Plan { assign, unassign, rename, .. } = &*self.plan;
        let place = place as usize;
        match operation {
            Operation::Assign if place < assign.len() => Some(Order::Assign(&assign[place])),
            Operation::Assign => rename.get(place - assign.len()).map(Order::RenameTo),
            Operation::Unassign if place < unassign.len() => Some(Order::Unassign(&unassign[place])),
            Operation::Unassign => rename.get(place - unassign.len()).map(Order::RenameFrom),
        }
    }
}

impl Order<'_> {
    fn identity(&self) -> &str {
        match self {
            Order::Assign(assignment) => assignment.address.identity(),
            Order::RenameTo(rename) => rename.to.identity(),
            Order::RenameFrom(rename) => rename.from.identity(),
            Order::Unassign(removal) => removal.address.identity(),
        }
    }

    pub(super) fn priority(&self) -> Option<i32> {
        match self {
            Order::Assign(assignment) => Some(assignment.priority),
            Order::RenameTo(rename) => Some(rename.priority),
            Order::RenameFrom(_) | Order::Unassign(_) => None,
        }
    }

    pub(super) fn since(&self) -> Option<Timestamp> {
        match self {
            Order::Assign(assignment) => Some(assignment.since),
            Order::RenameTo(_) | Order::RenameFrom(_) | Order::Unassign(_) => None,
        }
    }

    pub(super) fn claim(&self) -> Option<&Claim> {
        match self {
            Order::Assign(assignment) => assignment.claim.as_deref(),
            Order::RenameTo(_) | Order::RenameFrom(_) | Order::Unassign(_) => None,
        }
    }

    pub(super) fn detail(&self) -> String {
        match self {
            Order::Assign(assignment) => assignment.detail.clone(),
            Order::RenameTo(rename) => format!("renamed from {}", rename.from),
            Order::RenameFrom(rename) => format!("renamed to {}", rename.to),
            Order::Unassign(removal) => removal.detail.clone(),
        }
    }
}
