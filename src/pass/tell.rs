//! How a run ended, in words, and what is said of it: once for each cause, and a word when it is over.

use tracing::{debug, error, info, warn};

use super::World;
use super::look::Seen;
use crate::alert::line;
use crate::brake::Brake;
use crate::config::Subscription;
use crate::dispatch::machine::{Report, Stop};
use crate::dispatch::stop::{GIVES_NO_ANSWER, WAS_STOPPED};
use crate::facts;
use crate::ledger::{LedgerError, Member, MemberState, RunOutcome, SubscriptionRecord};
use crate::outside::Outside;
use crate::plan::{Hold, Plan};
use crate::report::drift;
use crate::report::shortage::Shortage;
use crate::report::status::MemberCounts;
use crate::report::text::count;

/// How a run ended, and the sentence for `status` where something is wrong.
pub(super) fn verdict(name: &str, plan: &Plan, report: &Report) -> (RunOutcome, Option<String>) {
    let problem = match &report.stopped {
        // Overtaken: planned anew.
        None | Some(Stop::Overtaken) => None,
        Some(Stop::KeyRefused { words }) => {
            let words = if words.is_empty() { String::new() } else { format!(" ({words})") };
            Some(format!(
                "the licensing server does not accept the key of {name}{words}; put the key from the owner's page into its file"
            ))
        }
        Some(Stop::Unreachable { cause }) => Some(format!("{GIVES_NO_ANSWER}: {cause}")),
        Some(Stop::Redirect { target }) => Some(format!(
            "the licensing server redirects to {target}, which is never followed because the request holds the key; is licensing.base_url right?"
        )),
        Some(Stop::TooLarge) => Some(
            "the licensing server, or a proxy before it, refuses even a request with one address as too large (413), so \
             nothing can be sent; which limit on requests stands between?"
                .to_owned(),
        ),
        Some(Stop::Shutdown) => Some(format!("{WAS_STOPPED}; the next one goes on")),
    };
    let left = report.pending + report.quarantined + report.unknown > 0
        || plan.hold.is_some()
        || plan.restored.is_some()
        || !plan.quarantined.is_empty();
    let outcome = match (&problem, left) {
        (Some(_), _) => RunOutcome::Failed,
        (None, true) => RunOutcome::Incomplete,
        (None, false) => RunOutcome::Converged,
    };
    (outcome, problem)
}

/// What is known of a subscription after a run, and who waits for a seat.
pub(super) struct After {
    pub(super) record: SubscriptionRecord,
    pub(super) pending: Vec<Member>,
    shortage: Option<Shortage>,
}

impl After {
    pub(super) async fn read<O: Outside>(world: &World<O>, subscription: &Subscription) -> Result<After, LedgerError> {
        let subscription = subscription.clone();
        let read = world.outside.on_ledger(move |ledger, now| {
            let name = &subscription.name;
            let mut pending = Vec::new();
            ledger.for_each_member(name, Some(MemberState::Pending), &mut |member| pending.push(member))?;
            let record = ledger.subscription(name)?;
            let counts = MemberCounts::of(&ledger.member_counts(name)?);
            let shortage = facts::shortage(&subscription, &record, counts, ledger, now)?;
            Ok(After { record, pending, shortage })
        });
        read.await
    }
}

/// Says what a run did, and what a person may want to know: once for each new cause.
pub(super) fn tell(subscription: &str, before: &Seen, report: &Report, problem: Option<&str>, after: &After) {
    let Report { requests, assigned, unassigned, pending, reasserted, .. } = report;
    let number = count(*requests, "request", "requests");
    if *reasserted > 0 && assigned + unassigned == 0 {
        // What happens all the time, and changes nothing.
        debug!(requests, reasserted, "{subscription}: {reasserted} assigned again in {number}");
    } else {
        info!(
            requests,
            assigned,
            unassigned,
            pending,
            reasserted,
            "{subscription}: {assigned} assigned, {unassigned} unassigned in {number}"
        );
    }
    tell_problem(subscription, before, problem, report.stopped.as_ref());
    let held = before.record.hold.as_ref().map(|stored| &stored.hold);
    // That removals are stopped everywhere is said once, and not for each subscription.
    let by_brake = before.input.brake.as_ref().map(Brake::in_short);
    let by_brake_alone = |hold: &Hold| hold.reasons.iter().all(|reason| by_brake.as_ref() == Some(reason));
    let is_known = |hold: &Hold| held.is_some_and(|old| old.digest == hold.digest && (!old.braked || hold.braked));
    let news = |hold: &&Hold| !is_known(hold) && !by_brake_alone(hold);
    if let Some(hold) = before.plan.hold.as_ref().filter(news) {
        warn!("{}", line::removals_held(subscription, hold));
    }
    // Who waits for another reason than a seat is in the problem.
    if report.stopped.is_none() {
        tell_seats(subscription, before, after);
    }
}

fn tell_problem(subscription: &str, before: &Seen, problem: Option<&str>, stopped: Option<&Stop>) {
    let known = before.record.problem.as_ref().map(|(why, _)| why.as_str());
    let rejected = matches!(stopped, Some(Stop::KeyRefused { .. }));
    match problem {
        // Said, in whatever words the server refuses it.
        Some(_) if rejected && before.record.key_rejected => {}
        Some(problem) if stopped == Some(&Stop::Shutdown) => info!("{subscription}: {problem}"),
        Some(problem) if known != Some(problem) => error!("{subscription}: {problem}"),
        None if known.is_some() => info!("{subscription}: goes on again"),
        _ => {}
    }
}

/// What the server counts and rosterd did not do. `known` is what was known of it before the run.
pub(super) fn tell_drift(subscription: &Subscription, known: &SubscriptionRecord, after: &SubscriptionRecord) {
    let name = &subscription.name;
    let newest = |record: &SubscriptionRecord| record.drift.as_ref().and_then(|drift| drift.newest);
    let missed = |record: &SubscriptionRecord| record.drift.as_ref().is_some_and(|drift| drift.shortfall.is_some());
    if let Some(found) = newest(after).filter(|found| newest(known).as_ref() != Some(found)) {
        warn!("{}", line::drift(name, &drift::found(subscription, after, &found)));
    }
    if missed(known) && !missed(after) {
        info!("{name}: no seat is missed any more");
    }
    if after.habits.refuses_again && !known.habits.refuses_again {
        warn!("{name}: {}", drift::REFUSES);
    }
}

/// Who waits is told again when the number of seats that are missing is another.
fn tell_seats(subscription: &str, before: &Seen, after: &After) {
    let SubscriptionRecord { seats, full_since, .. } = &before.record;
    // Nobody has said yet that no seat is free: who waits was not asked for.
    let is_known = seats.is_some() || full_since.is_some();
    let free = seats.filter(|_| full_since.is_none()).map_or(0, |seats| seats.free());
    let was = if is_known { before.pending.saturating_sub(free) } else { 0 };
    if let Some(shortage) = after.shortage.as_ref().filter(|shortage| shortage.missing() != was) {
        warn!("{}", line::seats_exhausted(subscription, shortage, &after.pending));
    } else if before.pending > 0 && after.pending.is_empty() {
        info!("{subscription}: nobody waits for a licence any more");
    }
}
