//! One pass for one subscription: look at what is known, settle what a lost answer left open, plan, write down what the
//! plan says, send what it asks for, remember what came of it.
//!
//! The page to read first. A pass takes no input but the ledger, the configuration and the moment: whatever woke it,
//! it does the same. A pass in which nothing has to change writes nothing and sends nothing.
//!
//! [`look`](mod@look) is everything up to the plan, [`rim`] what a run writes to and sends with, [`tell`] what is said
//! of it, [`undo`](mod@undo) the way back.

mod decisions;
mod look;
mod rim;
mod tell;
#[cfg(test)]
mod tests;
mod undo;

use std::mem;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error_span};

pub use look::{Seen, look, look_at, next_probe};
pub use undo::{Reverse, undo};

use crate::clock::{Stopwatch, Timestamp};
use crate::config::{Config, KeyMark, Subscription};
use crate::dispatch::machine::{Report, Stop};
use crate::dispatch::pace::Pacer;
use crate::ledger::{Lease, LedgerError, Owner, RunId, RunOutcome, Trigger};
use crate::metrics;
use crate::outside::{Host, Outside};
use crate::plan::Plan;
use rim::Rim;

/// What every pass works with.
#[derive(Debug, Clone)]
pub struct World<O = Host> {
    pub config: Arc<Config>,
    pub outside: O,
    pub pacer: Arc<Pacer>,
    pub owner: Owner,
    /// Thousands of subscriptions that are due at one moment look at themselves a few at a time: the ledger is for
    /// those, too, that are at work.
    pub looks: Arc<Semaphore>,
    /// No new request starts once this is cancelled.
    pub shutdown: CancellationToken,
}

/// So many look at themselves at once.
pub const LOOKS_MAX: usize = 16;

/// What came of a pass.
#[derive(Debug, Clone, PartialEq)]
pub enum Passed {
    /// Nothing had to change.
    Quiet { plan: Arc<Plan>, next: Moments },
    /// Another process looks after the subscription at this moment.
    Elsewhere,
    Ran {
        run: RunId,
        plan: Arc<Plan>,
        report: Report,
        outcome: RunOutcome,
        problem: Option<String>,
        /// The key that the server did not accept.
        refused: Option<KeyMark>,
        next: Moments,
    },
}

/// When to look again though nothing stirs, with what the pass is then begun by.
pub type Moments = Vec<(Timestamp, Trigger)>;

/// Why a pass could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("the key of {subscription} can't be read")]
    Key {
        subscription: String,
        #[source]
        cause: crate::config::SecretError,
    },
}

/// One pass for one subscription. `ask_for_seats` lets a full subscription be asked again although its probe is not due.
pub async fn pass<O: Outside>(
    world: &World<O>,
    subscription: &Subscription,
    trigger: Trigger,
    ask_for_seats: bool,
) -> Result<Passed, PassError> {
    let span = error_span!("pass", subscription = %subscription.name, run = tracing::field::Empty);
    async move {
        let turn = world.looks.acquire().await;
        let looked = look(world, subscription, ask_for_seats).await;
        drop(turn);
        if let Err(another @ (LedgerError::Another { .. } | LedgerError::AnotherName { .. })) = &looked {
            let (name, problem) = (subscription.name.clone(), another.to_string());
            world.outside.on_ledger(move |ledger, now| ledger.note_problem(&name, &problem, now)).await?;
        }
        let seen = looked?;
        if seen.nothing_to_do() {
            rim::look_over_fleet(world, &seen).await?;
            debug!("{}: everything is as it should be", subscription.name);
            let next = seen.next_moments(subscription);
            return Ok(Passed::Quiet { plan: seen.plan, next });
        }
        drop(seen);
        // In a place of its own, so that the many passes in which nothing has to change stay small.
        Box::pin(run(world, subscription, trigger, ask_for_seats)).await
    }
    .instrument(span)
    .await
}

/// The part of a pass that may write, under the lease.
async fn run<O: Outside>(
    world: &World<O>,
    subscription: &Subscription,
    trigger: Trigger,
    ask_for_seats: bool,
) -> Result<Passed, PassError> {
    let Some(lease) = rim::acquire(world, subscription).await? else { return Ok(Passed::Elsewhere) };
    rim::keeping(world, &lease, under_lease(world, subscription, &lease, trigger, ask_for_seats)).await
}

/// What was looked at before the lease was had is looked at again.
async fn under_lease<O: Outside>(
    world: &World<O>,
    subscription: &Subscription,
    lease: &Lease,
    trigger: Trigger,
    ask_for_seats: bool,
) -> Result<Passed, PassError> {
    let since = Stopwatch::start();
    let rim = Rim::begin(world, subscription, lease, trigger).await?;
    let mut report = Report::default();
    let mut seen = look(world, subscription, ask_for_seats).await?;
    let known = seen.record.clone();
    if seen.record.restored.is_some() && rim.withdraw_removals().await? > 0 {
        seen = look(world, subscription, ask_for_seats).await?;
    }
    loop {
        let settled;
        (seen, settled) = rim.settle(seen, ask_for_seats).await?;
        report = rim::sum(&report, settled);
        if report.stopped.is_none() && seen.work.resume.is_empty() {
            decisions::tell_decisions(&subscription.name, &seen.plan);
            rim.record_plan(&seen).await?;
            // They are planned for; a million of them need not stay while requests are sent.
            seen.input.candidates = Vec::new();
            let work = mem::take(&mut seen.work);
            report = rim::sum(&report, rim.dispatch(&seen, work).await?);
        } else if let Some(stop) = report.stopped.as_ref().filter(|stop| **stop != Stop::Overtaken) {
            rim.leave(&seen, stop.in_short()).await?;
        }
        if report.stopped != Some(Stop::Overtaken) {
            break;
        }
        report.stopped = None;
        seen = look(world, subscription, ask_for_seats).await?;
    }
    let (outcome, problem) = tell::verdict(&subscription.name, &seen.plan, &report);
    rim.finish(outcome, &report, problem.clone()).await?;
    metrics::ran(outcome, since.elapsed());

    let after = tell::After::read(world, subscription).await?;
    tell::tell(&subscription.name, &seen, &report, problem.as_deref(), &after);
    tell::tell_drift(subscription, &known, &after.record);
    let next = seen.moments_after(subscription, &after.record, !after.pending.is_empty());
    let refused = rim.refused_key(&report);
    Ok(Passed::Ran { run: rim.run, plan: seen.plan, report, outcome, problem, refused, next })
}
