//! Undoing a run on a person's word.

use super::look::look;
use super::rim::{Rim, acquire, keeping, sum};
use super::tell::verdict;
use super::{PassError, World};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::config::Subscription;
use crate::dispatch::machine::{Report, Work};
use crate::ledger::{Lease, Ledger, LedgerError, MemberState, Trigger};
use crate::outside::Outside;
use crate::plan::Plan;

/// The reverse of a run: what a person wants undone.
#[derive(Debug, Clone, Default)]
pub struct Reverse {
    /// Who lost a seat by the run.
    pub give_back: Vec<Address>,
    /// Who was given one by it.
    pub take_back: Vec<Address>,
}

impl Reverse {
    /// Takes out of it who is never to lose a seat, and gives them.
    pub fn spare(&mut self, subscription: &Subscription) -> Vec<Address> {
        let protect = &subscription.policy.protect;
        let is_protected = |address: &Address| protect.matching(address.identity()).is_some();
        let (spared, rest) = std::mem::take(&mut self.take_back).into_iter().partition(is_protected);
        self.take_back = rest;
        spared
    }
}

/// Undoes a run on a person's word, as far as seats allow; `why` is told of everybody whom it concerns. The guards are
/// not asked: the person has seen who it is. `None` where another process looks after the subscription.
pub async fn undo<O: Outside>(
    world: &World<O>,
    subscription: &Subscription,
    reverse: Reverse,
    why: String,
) -> Result<Option<Report>, PassError> {
    let Some(lease) = acquire(world, subscription).await? else { return Ok(None) };
    keeping(world, &lease, undo_under_lease(world, subscription, &lease, reverse, why)).await.map(Some)
}

async fn undo_under_lease<O: Outside>(
    world: &World<O>,
    subscription: &Subscription,
    lease: &Lease,
    mut reverse: Reverse,
    why: String,
) -> Result<Report, PassError> {
    reverse.spare(subscription);
    let seen = look(world, subscription, true).await?;
    if let Some(restored) = &seen.record.restored {
        return Err(LedgerError::Restored(restored.clone()).into());
    }
    let mut rim = Rim::begin(world, subscription, lease, Trigger::Command).await?;
    let (seen, settled) = rim.settle(seen, true).await?;
    if settled.stopped.is_some() {
        return finish(&rim, subscription, settled).await;
    }
    // What the person has seen of the run may have changed since.
    let reverse = rim.on_ledger(move |ledger, lease, _| still(ledger, lease.subscription(), reverse)).await?;
    // Should this end before what was undone is noted, the next plan settles what became of these people.
    let concerned: Vec<Address> = reverse.give_back.iter().chain(&reverse.take_back).cloned().collect();
    rim.on_ledger(move |ledger, lease, _| ledger.look_again_at(lease, &concerned)).await?;
    rim.is_a_persons = true;
    let work = Work {
        unassign: reverse.take_back.clone(),
        assign: reverse.give_back.clone(),
        seats: seen.work.seats,
        probe: true,
        habits: seen.work.habits,
        ..Work::default()
    };
    let report = sum(&settled, rim.dispatch(&seen, work).await?);
    rim.on_ledger(move |ledger, lease, now| note(ledger, lease, &reverse, &why, now)).await?;
    finish(&rim, subscription, report).await
}

async fn finish<O: Outside>(
    rim: &Rim<'_, O>,
    subscription: &Subscription,
    report: Report,
) -> Result<Report, PassError> {
    let (outcome, problem) = verdict(&subscription.name, &Plan::default(), &report);
    rim.finish(outcome, &report, problem).await?;
    Ok(report)
}

/// Of the reverse of a run what can still be done: who lost a seat has none, who was given one has it, and no request
/// about them is open.
fn still(ledger: &Ledger, subscription: &str, reverse: Reverse) -> Result<Reverse, LedgerError> {
    let has_seat = |address: &Address| -> Result<Option<bool>, LedgerError> {
        let member = ledger.candidate(subscription, &[], address.identity())?.member;
        let settled = member.as_ref().is_none_or(|member| member.state != MemberState::Unknown);
        Ok(settled.then_some(member.is_some_and(|member| member.has_seat)))
    };
    let with = |addresses: Vec<Address>, wanted: bool| -> Result<Vec<Address>, LedgerError> {
        let mut still = Vec::new();
        for address in addresses {
            if has_seat(&address)? == Some(wanted) {
                still.push(address);
            }
        }
        Ok(still)
    };
    Ok(Reverse { give_back: with(reverse.give_back, false)?, take_back: with(reverse.take_back, true)? })
}

fn note(ledger: &mut Ledger, lease: &Lease, reverse: &Reverse, why: &str, now: Timestamp) -> Result<(), LedgerError> {
    let mut taken = Vec::new();
    for address in &reverse.take_back {
        let candidate = ledger.candidate(lease.subscription(), &[], address.identity())?;
        if !candidate.member.is_some_and(|member| member.has_seat) {
            taken.push(address.clone());
        }
    }
    ledger.note_undone(lease, &reverse.give_back, &taken, why, now)
}
