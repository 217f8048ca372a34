//! Undoing a run on a person's word.

use super::look::look;
use super::rim::{Rim, acquire, keeping};
use super::tell::verdict;
use super::{PassError, World};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::config::Subscription;
use crate::dispatch::machine::{Report, Work};
use crate::ledger::{Lease, Ledger, LedgerError, Trigger};
use crate::licensing::wire::Operation;
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
    reverse: Reverse,
    why: String,
) -> Result<Report, PassError> {
    let seen = look(world, subscription, true).await?;
    if let Some(restored) = &seen.record.restored {
        return Err(LedgerError::Restored(restored.clone()).into());
    }
    let mut rim = Rim::begin(world, subscription, lease, Trigger::Command).await?;
    // Nor is the fleet's brake, for the same reason.
    rim.heeds_brake = false;
    // Should this end before what was undone is noted, the next plan settles what became of these people.
    let concerned: Vec<Address> = reverse.give_back.iter().chain(&reverse.take_back).cloned().collect();
    rim.on_ledger(move |ledger, lease, _| ledger.look_again_at(lease, &concerned)).await?;
    let name = subscription.name.clone();
    let open = rim.on_ledger(move |ledger, _, _| ledger.open_intents(&name)).await?;
    let is_braked = seen.input.brake.is_some();
    // While removals are stopped, what is in doubt of others' is not of what the person has seen, and waits.
    let (resume, waiting): (Vec<_>, Vec<_>) = open.into_iter().partition(|(_, intent)| {
        let seen = || intent.addresses.iter().all(|address| reverse.take_back.contains(address));
        !is_braked || intent.operation == Operation::Assign || seen()
    });
    let waits = |address: &Address| waiting.iter().any(|(_, intent)| intent.addresses.contains(address));
    let work = Work {
        resume,
        unassign: reverse.take_back.iter().filter(|address| !waits(address)).cloned().collect(),
        assign: reverse.give_back.clone(),
        seats: seen.work.seats,
        probe: true,
        habits: seen.work.habits,
        ..Work::default()
    };
    let report = rim.dispatch(&seen, work).await?;
    let (outcome, problem) = verdict(&subscription.name, &Plan::default(), &report);
    rim.on_ledger(move |ledger, lease, now| note(ledger, lease, &reverse, &why, now)).await?;
    rim.finish(outcome, &report, problem).await?;
    Ok(report)
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
