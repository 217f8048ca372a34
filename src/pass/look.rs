//! A look at a subscription: everything that its plan rests on, the plan, and when to look again. Changes nothing.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::TimeDelta;

use tracing::Instrument as _;

use super::{Moments, World};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::config::{Config, Subscription};
use crate::dispatch::machine::{NewIntent, Work};
use crate::ledger::sqlite::{Look, Seen as SeenUntil};
use crate::ledger::{IntentId, Ledger, LedgerError, Restored, Seats, SubscriptionRecord, Trigger};
use crate::licensing::wire::{Operation, Stats};
use crate::outside::Outside;
use crate::plan::input::{Candidate, PlanInput, SourceFacts};
use crate::plan::{Hold, LeavingUntil, Plan, reassert};
use crate::roster::membership::{self, Desired};
use crate::telemetry::span;

/// A probe is never put off for longer.
const PROBE_MAX: TimeDelta = TimeDelta::days(366);

/// What a look at a subscription gives: the plan, and what is to be done about it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub input: PlanInput,
    pub plan: Arc<Plan>,
    pub record: SubscriptionRecord,
    pub work: Work,
    /// Of policy and sources; kept with the plan.
    pub scope: String,
    /// Roster changes up to here are in the plan.
    pub seen_until: SeenUntil,
    /// Who is wanted again and whose removal is in doubt: sent again, it would be made sure of.
    pub(super) named_again: Vec<Address>,
    /// How many candidates wait for a seat already.
    pub(super) pending: u64,
    /// Something touched the subscription since the last plan.
    touched: bool,
    /// The first moment at which the plan is another by itself: a start, an end, the end of a time of grace.
    date: Option<Timestamp>,
    /// How long after one batch of known assignments the next is sent again; `None`: never.
    reassert_every: Option<TimeDelta>,
}

impl Seen {
    /// Whether carrying this out would neither send nor write anything.
    pub fn nothing_to_do(&self) -> bool {
        !self.changes_something() && self.work.reassert.is_empty()
    }

    /// Whether carrying this out would do more than send known assignments again.
    pub fn changes_something(&self) -> bool {
        let may_ask = self.work.probe && !self.work.assign.is_empty();
        let sends = !self.work.resume.is_empty()
            || !self.named_again.is_empty()
            || !self.work.unassign.is_empty()
            || !self.work.rename.is_empty()
            || self.plan.fits != Some(0) && !self.work.assign.is_empty()
            || may_ask;
        let known = |hold: &Hold| (hold.digest.clone(), hold.braked);
        let held = self.record.hold.as_ref().map(|stored| known(&stored.hold));
        // A problem that is over is cleared by the run that finds no other.
        let writes = self.touched
            || self.record.problem.is_some()
            // Another scope is nothing new where it makes no difference to anybody.
            || self.record.scope.as_ref() != Some(&self.scope) && !self.input.candidates.is_empty()
            || held != self.plan.hold.as_ref().map(known)
            || !self.plan.is_recorded(&self.input);
        sends || writes
    }

    /// When to look again though nothing stirs.
    pub fn next_moments(&self, subscription: &Subscription) -> Moments {
        self.moments_after(subscription, &self.record, self.pending > 0)
    }

    /// The same once this look's plan has been carried out, with what is known then.
    pub(super) fn moments_after(
        &self,
        subscription: &Subscription,
        record: &SubscriptionRecord,
        waits: bool,
    ) -> Moments {
        let date = self.date.map(|at| (at, Trigger::Date));
        let probe = next_probe(subscription, record).filter(|_| waits).map(|at| (at, Trigger::Probe));
        let every = self.reassert_every.filter(|_| !record.habits.refuses_repeats());
        let reassert = every.zip(record.reasserted_at).map(|(every, last)| last + every);
        // Where it was due at this look there was nobody to send again.
        let reassert = reassert.filter(|at| *at > self.input.at).map(|at| (at, Trigger::Reassert));
        date.into_iter().chain(probe).chain(reassert).collect()
    }
}

/// Looks at a subscription, and plans. Changes nothing.
pub async fn look<O: Outside>(
    world: &World<O>,
    subscription: &Subscription,
    ask_for_seats: bool,
) -> Result<Seen, LedgerError> {
    let (config, subscription) = (Arc::clone(&world.config), subscription.clone());
    let look = world.outside.on_ledger(move |ledger, now| look_at(ledger, &config, &subscription, ask_for_seats, now));
    look.instrument(span::plan()).await
}

/// As [`look`], on a ledger at hand and at a moment of choice.
pub fn look_at(
    ledger: &Ledger,
    config: &Config,
    subscription: &Subscription,
    ask_for_seats: bool,
    now: Timestamp,
) -> Result<Seen, LedgerError> {
    let restored = ledger.restored()?;
    // Candidates and what is said of their sources belong together, while another process may accept a roster.
    ledger.in_one_snapshot(|ledger| gather(ledger, config, subscription, ask_for_seats, restored, now))
}

fn gather(
    ledger: &Ledger,
    config: &Config,
    subscription: &Subscription,
    ask_for_seats: bool,
    restored: Option<Restored>,
    now: Timestamp,
) -> Result<Seen, LedgerError> {
    let name = subscription.name.as_str();
    let record = SubscriptionRecord { restored, ..ledger.subscription(name)? };
    ledger.check_remote(name, &record, &subscription.remote())?;
    let scope = scope(config, subscription);
    let look = if record.scope.as_ref() == Some(&scope) { Look::Touched } else { Look::All };
    let found = ledger.candidates(name, &subscription.sources, look, now)?;
    let input = PlanInput {
        subscription: name.to_owned(),
        at: now,
        policy: subscription.policy.clone(),
        seats: believed_seats(&record),
        counts: ledger.counts(name, now)?,
        brake: ledger.brake()?,
        sources: source_facts(ledger, &subscription.sources)?,
        approvals: ledger.approvals(name, now)?,
        restored: record.restored.clone(),
        candidates: found.list,
    };
    let plan = Arc::new(Plan::compute(&input));
    let date = next_date(&input, &plan);
    let pending = input.pending_members();
    let reassert_every = reassert_every(subscription, &record, input.counts.holding);
    let mut resume = ledger.open_intents(name)?;
    let named_again = named_again(&resume, &input);
    if input.brake.is_some() {
        // A removal in doubt may not have happened yet, and sending it again would make it happen.
        resume.retain(|(_, intent)| intent.operation == Operation::Assign);
    }
    let work = Work {
        resume,
        unassign: plan.unassign.iter().map(|removal| removal.address.clone()).collect(),
        rename: plan.rename.iter().map(|rename| (rename.from.clone(), rename.to.clone())).collect(),
        assign: plan.assign.iter().map(|assignment| assignment.address.clone()).collect(),
        reassert: match reassert_every {
            Some(every) if reassert::is_due(record.reasserted_at, every, now) => {
                to_reassert(ledger, subscription, &record, now)?
            }
            _ => Vec::new(),
        },
        seats: input.seats.map(|seats| Stats { available: seats.available, assigned: seats.assigned }),
        probe: ask_for_seats || probe_due(subscription, &record, now),
        habits: record.habits,
    };
    Ok(Seen {
        input,
        plan,
        record,
        work,
        scope,
        seen_until: found.seen,
        named_again,
        pending,
        touched: found.touched,
        date,
        reassert_every,
    })
}

/// Of everything that decides who is looked at: where it differs from the last plan's, all addresses are looked at.
fn scope(config: &Config, subscription: &Subscription) -> String {
    let text = format!("{}zone {}", subscription.scope(&config.sources), subscription.policy.timezone);
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}

fn source_facts(ledger: &Ledger, names: &[String]) -> Result<Vec<SourceFacts>, LedgerError> {
    let facts = |name: &String| {
        let record = ledger.source(name)?;
        Ok(match record {
            Some(record) => SourceFacts {
                name: name.clone(),
                accepted_at: record.accepted_at,
                entries: record.entries,
                anonymous_bad_rows: record.bad_rows.iter().filter(|row| row.is_anonymous()).count() as u64,
                problem: record.problem.map(|(why, _)| why),
            },
            None => {
                SourceFacts { name: name.clone(), accepted_at: None, entries: 0, anonymous_bad_rows: 0, problem: None }
            }
        })
    };
    names.iter().map(facts).collect()
}

/// Those in removals in doubt whom the rosters name by now.
fn named_again(open: &[(IntentId, NewIntent)], input: &PlanInput) -> Vec<Address> {
    let removals = open.iter().filter(|(_, intent)| intent.operation == Operation::Unassign);
    let in_doubt: HashSet<&str> = removals.flat_map(|(_, intent)| &intent.addresses).map(Address::identity).collect();
    if in_doubt.is_empty() {
        return Vec::new();
    }
    let wanted = |candidate: &&Candidate| {
        let desired = membership::desired(&candidate.entries, &input.policy, input.at);
        in_doubt.contains(candidate.address.identity()) && matches!(desired, Desired::Wanted { .. })
    };
    input.candidates.iter().filter(wanted).map(|candidate| candidate.address.clone()).collect()
}

/// The first moment at which the plan is another by itself.
fn next_date(input: &PlanInput, plan: &Plan) -> Option<Timestamp> {
    let graces = plan.leaving.iter().filter_map(|leaving| match leaving.until {
        LeavingUntil::Grace(until) => Some(until),
        _ => None,
    });
    let has_dates = |candidate: &&Candidate| {
        candidate.entries.iter().any(|(_, entry)| entry.starts.is_some() || entry.ends.is_some())
    };
    let dates = input
        .candidates
        .iter()
        .filter(has_dates)
        .filter_map(|candidate| membership::membership(&candidate.entries, &input.policy, input.at).changes_at);
    graces.chain(dates).min()
}

/// How long after one batch of known assignments the next is sent again; `None`: never, or not of any use.
fn reassert_every(subscription: &Subscription, record: &SubscriptionRecord, holding: u64) -> Option<TimeDelta> {
    let period = subscription.reassert.filter(|_| !record.habits.refuses_repeats())?;
    Some(reassert::interval(period, holding, reassert_batch(subscription, record)))
}

fn reassert_batch(subscription: &Subscription, record: &SubscriptionRecord) -> usize {
    let configured = subscription.batch_size.get();
    record.habits.batch_size.map_or(configured, |seen| seen.min(configured))
}

/// The next of those who have a seat and should have one.
fn to_reassert(
    ledger: &Ledger,
    subscription: &Subscription,
    record: &SubscriptionRecord,
    now: Timestamp,
) -> Result<Vec<Address>, LedgerError> {
    let number = reassert_batch(subscription, record);
    let next = ledger.next_to_reassert(&subscription.name, &subscription.sources, number)?;
    let wanted = |candidate: &Candidate| {
        let desired = membership::desired(&candidate.entries, &subscription.policy, now);
        matches!(desired, Desired::Wanted { .. })
    };
    Ok(next.into_iter().filter(wanted).filter_map(|candidate| Some(candidate.member?.address)).collect())
}

/// The seats to plan with. Where the server has refused one, none is free, whatever its stats said before.
fn believed_seats(record: &SubscriptionRecord) -> Option<Seats> {
    match (record.full_since, record.seats) {
        (None, seats) => seats,
        (Some(_), Some(seats)) => Some(Seats { assigned: seats.assigned.max(seats.available), ..seats }),
        (Some(as_of), None) => Some(Seats { available: 0, assigned: 0, as_of }),
    }
}

/// Whether a full subscription is to be asked again for a waiting member.
fn probe_due(subscription: &Subscription, record: &SubscriptionRecord, now: Timestamp) -> bool {
    // A clock that was set back must not put the probe off for long.
    record.told_full_at().is_none_or(|at| now - at >= probe_period(subscription) || now < at)
}

/// When a full subscription may be asked again; `None` where the server has not said that it is full.
pub fn next_probe(subscription: &Subscription, record: &SubscriptionRecord) -> Option<Timestamp> {
    record.told_full_at().map(|at| at + probe_period(subscription))
}

fn probe_period(subscription: &Subscription) -> TimeDelta {
    // Longer is as good as never, and a moment can still be counted.
    TimeDelta::from_std(subscription.seat_probe).unwrap_or(PROBE_MAX).min(PROBE_MAX)
}
