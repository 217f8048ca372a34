//! The pure difference between who should have a licence and who has one, with its guards' verdicts.
//!
//! [`Plan::compute`] is a function of one value, [`PlanInput`], and of nothing else: a plan can be printed,
//! compared, saved, replayed. Carrying it out is `dispatch`'s work.

mod change;
mod digest;
pub mod display;
mod guard;
pub mod input;
pub mod reassert;
mod recorded;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use change::{Judgement, Kind, Leaver, Verdict};
use input::PlanInput;

use crate::address::Address;
use crate::clock::Timestamp;
use crate::member::{Claim, Departure, Restored, Seats};
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
    /// Members whose record changes without a request: was leaving and is desired again, or no longer desired before a
    /// seat was had.
    pub settle: Vec<Settlement>,
    /// Removals that a guard stopped.
    pub hold: Option<Hold>,
    /// Why nothing is taken back at all, approved or not: the ledger may not be the newest.
    pub restored: Option<Restored>,
    /// How each of `unassign`, of `leaving` and of the old addresses of `rename` stopped being desired. The ledger keeps
    /// it with the member until the seat is given back or the address is desired again: without it the next plan could
    /// not tell a leaver from somebody who fell out of what is looked at.
    pub departures: Vec<(Address, Departure)>,
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
    /// What the member is without the seat, where a roster still names the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Box<Then>>,
}

/// What a member without a seat is that a roster names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Then {
    Waiting(Waiting),
    Quarantined(Quarantine),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rename {
    /// In the spelling in which it was assigned.
    pub from: Address,
    pub to: Address,
    pub priority: i32,
    /// What the old address is without the seat, where a roster still names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Box<Then>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    #[serde(rename = "email")]
    pub address: Address,
    pub priority: i32,
    /// Since when they wait for a seat.
    pub since: Timestamp,
    /// Why they come before all others who wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Box<Claim>>,
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
    /// The person's new address, which can't have a seat now for this reason.
    Renamed(String),
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
    /// Was leaving, or kept by a person's word, and is desired again: assigned as before, without a departure.
    Returned { address: Address },
    /// Had no seat and is no longer desired: forgotten.
    Dropped { address: Address, reason: Reason },
}

/// Removals that a guard stopped, waiting for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Of the set of `removals`: what an approval is bound to. 16 hexadecimal digits.
    pub digest: String,
    /// The held, by address; each is in `Plan::leaving`, too. The new address of a held rename waits for a seat of its
    /// own meanwhile.
    pub removals: Vec<Removal>,
    /// Why, a sentence for each guard that stopped them.
    pub reasons: Vec<String>,
    /// The fleet's brake is on: no approval lets them go before a person has let removals go on.
    #[serde(default)]
    pub braked: bool,
}

impl Plan {
    /// What is to be done, and what is not and why.
    pub fn compute(input: &PlanInput) -> Plan {
        let judgement = Judgement::new(input);
        let mut plan = Plan { restored: input.restored.clone(), ..Plan::default() };
        let mut due = Vec::new();
        let mut wanted = Vec::new();
        for (index, judged) in judgement.all.iter().enumerate() {
            match judgement.verdict(judged) {
                Verdict::Right => {}
                Verdict::Assign { address, priority } => wanted.push((index, address, priority)),
                Verdict::Wait(waiting) => plan.waiting.push(waiting),
                Verdict::Quarantine(quarantine) => plan.quarantined.push(quarantine),
                Verdict::Settle(settlement) => plan.settle.push(settlement),
                Verdict::Leave(leaver, until) => plan.leave(leaver, until),
                Verdict::Remove(leaver) => due.push(leaver),
            }
        }
        let (released, hold) = guard::judge(input, due, &mut |held| plan.leave(held, LeavingUntil::Approval));
        plan.hold = hold;
        let taken = plan.remove(input.seats, released, &wanted);
        plan.assign(input, &judgement, wanted, &taken);
        plan.leaving.sort_by(|a, b| a.address.cmp(&b.address));
        plan.departures.sort_by(|a, b| a.0.cmp(&b.0));
        plan.digest = digest::of_plan(&input.subscription, &plan);
        plan
    }

    fn leave(&mut self, leaver: Leaver, until: LeavingUntil) {
        self.departures.push((leaver.address.clone(), leaver.departure.clone()));
        self.leaving.push(leaver.waits(until));
    }

    /// Carries out what the guards let pass. Answers which candidates take over a seat in a rename.
    fn remove(
        &mut self,
        seats: Option<Seats>,
        released: Vec<Leaver>,
        wanted: &[(usize, Address, i32)],
    ) -> BTreeSet<usize> {
        let freed = released.iter().filter(|leaver| !matches!(leaver.kind, Kind::Takes(_))).count() as u64;
        let over = seats.is_some_and(|seats| seats.assigned > seats.available + freed);
        let mut taken = BTreeSet::new();
        for leaver in released {
            // A seat that is given back while there are too few is gone: the new address would get none.
            if over && matches!(leaver.kind, Kind::Takes(_)) {
                let why = "more seats are assigned than the subscription has".to_owned();
                self.leave(leaver, LeavingUntil::Renamed(why));
                continue;
            }
            let reason = leaver.reason();
            let Leaver { address, departure, detail, kind, then } = leaver;
            self.departures.push((address.clone(), departure));
            let heir = match kind {
                Kind::Takes(index) => wanted.binary_search_by_key(&index, |heir| heir.0).ok().map(|at| &wanted[at]),
                Kind::Leaves | Kind::Moved => None,
            };
            // Of two old addresses of one person the first hands over its seat, the other is given back.
            match heir.filter(|heir| taken.insert(heir.0)) {
                Some((_, to, priority)) => {
                    self.rename.push(Rename { from: address, to: to.clone(), priority: *priority, then });
                }
                None => self.unassign.push(Removal { address, reason, detail, then }),
            }
        }
        taken
    }

    /// Puts who wants a seat in the order in which seats are given, and counts how many fit.
    fn assign(
        &mut self,
        input: &PlanInput,
        judgement: &Judgement<'_>,
        wanted: Vec<(usize, Address, i32)>,
        taken: &BTreeSet<usize>,
    ) {
        let queue = judgement.queue();
        let mut claims = judgement.claims();
        for (index, address, priority) in wanted {
            if !taken.contains(&index) {
                let since = queue.get(&index).copied().unwrap_or(input.at);
                let detail = judgement.all[index].wanted_by();
                let claim = claims.remove(&index).map(Box::new);
                self.assign.push(Assignment { address, priority, since, claim, detail });
            }
        }
        let place = |a: &Assignment| (a.claim.is_none(), a.priority, a.since);
        self.assign.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.address.cmp(&b.address)));
        // Seats beyond what is available are given back before anybody gets one.
        self.fits = input.seats.map(|seats| {
            let free = (seats.available + self.unassign.len() as u64).saturating_sub(seats.assigned);
            free.min(self.assign.len() as u64)
        });
    }

    /// The assignments that fit the seats as they are known, and those that wait for one. Where the seats are not known,
    /// all fit.
    pub fn fitting(&self) -> (&[Assignment], &[Assignment]) {
        let fits = self.fits.and_then(|fits| usize::try_from(fits).ok()).unwrap_or(usize::MAX);
        self.assign.split_at(fits.min(self.assign.len()))
    }
}

#[cfg(test)]
mod tests;
