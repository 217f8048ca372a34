//! One pass for one subscription: look at what is known, settle what a lost answer left open, plan, write down what the
//! plan says, send what it asks for, remember what came of it.
//!
//! The page to read first. A pass takes no input but the ledger, the configuration and the moment: whatever woke it,
//! it does the same. A pass in which nothing has to change writes nothing and sends nothing.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info, info_span, warn};

use crate::address::Address;
use crate::alert;
use crate::clock::{self, Timestamp};
use crate::config::{Config, Subscription};
use crate::dispatch::drive::{self, Commits, Sends};
use crate::dispatch::machine::{Commit, Machine, Report, Request, Settings, Stop, Work};
use crate::dispatch::pace::Pacer;
use crate::ledger::handle::LedgerHandle;
use crate::ledger::sqlite::{Look, Seen as SeenUntil};
use crate::ledger::{
    IntentId, Lease, Ledger, LedgerError, MemberState, Owner, RunId, RunOutcome, SubscriptionRecord, Trigger,
};
use crate::licensing::http::Client;
use crate::licensing::wire::{Answer, Stats};
use crate::plan::input::{PlanInput, SourceFacts};
use crate::plan::{LeavingUntil, Plan};
use crate::roster::membership;

/// What every pass works with.
#[derive(Debug, Clone)]
pub struct World {
    pub config: Arc<Config>,
    pub ledger: LedgerHandle,
    pub client: Arc<Client>,
    pub pacer: Arc<Pacer>,
    pub owner: Owner,
    /// No new request starts once this is cancelled.
    pub shutdown: CancellationToken,
}

/// How long a lease holds without a sign of life, at least …
const LEASE_TERM: Duration = Duration::from_secs(120);
/// … and so many times as long as a request may take.
const LEASE_REQUESTS: u32 = 4;

/// What came of a pass.
#[derive(Debug, Clone, PartialEq)]
pub enum Passed {
    /// Nothing had to change.
    Quiet(Arc<Plan>),
    /// Another process looks after the subscription at this moment.
    Elsewhere,
    Ran {
        run: RunId,
        plan: Arc<Plan>,
        report: Report,
        outcome: RunOutcome,
        problem: Option<String>,
    },
}

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
pub async fn pass(
    world: &World,
    subscription: &Subscription,
    trigger: Trigger,
    ask_for_seats: bool,
) -> Result<Passed, PassError> {
    let span = info_span!("pass", subscription = %subscription.name, run = tracing::field::Empty);
    async move {
        let passed = whole(world, subscription, trigger, ask_for_seats).await;
        if let Err(cause @ (PassError::Key { .. } | PassError::Ledger(LedgerError::Another { .. }))) = &passed {
            let (name, problem) = (subscription.name.clone(), crate::telemetry::chain(cause));
            world.ledger.with(move |ledger| ledger.note_problem(&name, &problem, clock::now())).await?;
        }
        passed
    }
    .instrument(span)
    .await
}

async fn whole(
    world: &World,
    subscription: &Subscription,
    trigger: Trigger,
    ask_for_seats: bool,
) -> Result<Passed, PassError> {
    let first = look(world, subscription, ask_for_seats).await?;
    if first.nothing_to_do() {
        return Ok(Passed::Quiet(first.plan));
    }
    let Some(lease) = acquire(world, subscription).await? else { return Ok(Passed::Elsewhere) };
    let passed = under_lease(world, subscription, &lease, trigger, ask_for_seats).await;
    if !matches!(passed, Err(PassError::Ledger(LedgerError::Fenced { .. }))) {
        world.ledger.with(move |ledger| ledger.release(lease)).await?;
    }
    passed
}

async fn acquire(world: &World, subscription: &Subscription) -> Result<Option<Lease>, LedgerError> {
    let (owner, name) = (world.owner.clone(), subscription.name.clone());
    let term = LEASE_TERM.max(world.config.licensing.timeout.saturating_mul(LEASE_REQUESTS));
    world.ledger.with(move |ledger| ledger.acquire(&name, &owner, term, clock::now())).await
}

/// The part of a pass that may write. What was looked at before the lease was had is looked at again.
async fn under_lease(
    world: &World,
    subscription: &Subscription,
    lease: &Lease,
    trigger: Trigger,
    ask_for_seats: bool,
) -> Result<Passed, PassError> {
    let run = RunId::now_v7();
    tracing::Span::current().record("run", tracing::field::display(run));
    let rim = Rim::new(world, subscription, lease, run)?;
    let drive = |machine| drive::drive(machine, &subscription.name, &rim, &rim, &world.pacer, &world.shutdown);
    begin(world, subscription, lease, run, trigger).await?;

    let mut report = Report::default();
    let seen = look(world, subscription, ask_for_seats).await?;
    if !seen.work.resume.is_empty() {
        let settle = Work { resume: seen.work.resume.clone(), habits: seen.work.habits, ..Work::default() };
        add(&mut report, drive(Machine::new(settings(world, subscription, &seen), settle)).await?);
    }
    let seen = if report.requests > 0 { look(world, subscription, ask_for_seats).await? } else { seen };
    if report.stopped.is_none() && seen.work.resume.is_empty() {
        let (plan, scope, seen_until) = (Arc::clone(&seen.plan), seen.scope.clone(), seen.seen_until);
        on_ledger(world, lease, move |ledger, lease| {
            ledger.record_plan(lease, run, &plan, &scope, seen_until, clock::now())
        })
        .await?;
        let machine = Machine::new(settings(world, subscription, &seen), seen.work.clone());
        add(&mut report, drive(machine).await?);
    }
    let (outcome, problem) = verdict(&subscription.name, &seen.plan, &report);
    {
        let (report, problem) = (report.clone(), problem.clone());
        on_ledger(world, lease, move |ledger, lease| {
            ledger.finish_run(lease, run, outcome, &report, problem.as_deref(), clock::now())
        })
        .await?;
    }
    tell(world, subscription, &seen, &report, problem.as_deref()).await?;
    Ok(Passed::Ran { run, plan: seen.plan, report, outcome, problem })
}

async fn begin(
    world: &World,
    subscription: &Subscription,
    lease: &Lease,
    run: RunId,
    trigger: Trigger,
) -> Result<(), LedgerError> {
    let remote = subscription.remote();
    on_ledger(world, lease, move |ledger, lease| {
        ledger.stand_for(lease, &remote)?;
        ledger.begin_run(lease, run, trigger, clock::now())
    })
    .await
}

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
pub async fn undo(
    world: &World,
    subscription: &Subscription,
    reverse: Reverse,
    why: String,
) -> Result<Option<Report>, PassError> {
    let Some(lease) = acquire(world, subscription).await? else { return Ok(None) };
    let undone = undo_under_lease(world, subscription, &lease, reverse, why).await;
    if !matches!(undone, Err(PassError::Ledger(LedgerError::Fenced { .. }))) {
        world.ledger.with(move |ledger| ledger.release(lease)).await?;
    }
    undone.map(Some)
}

async fn undo_under_lease(
    world: &World,
    subscription: &Subscription,
    lease: &Lease,
    reverse: Reverse,
    why: String,
) -> Result<Report, PassError> {
    let run = RunId::now_v7();
    let rim = Rim::new(world, subscription, lease, run)?;
    begin(world, subscription, lease, run, Trigger::Command).await?;
    let seen = look(world, subscription, true).await?;
    let work = Work {
        resume: seen.work.resume.clone(),
        unassign: reverse.take_back.clone(),
        assign: reverse.give_back.clone(),
        seats: seen.work.seats,
        probe: true,
        habits: seen.work.habits,
        ..Work::default()
    };
    let machine = Machine::new(settings(world, subscription, &seen), work);
    let report = drive::drive(machine, &subscription.name, &rim, &rim, &world.pacer, &world.shutdown).await?;
    let (outcome, problem) = verdict(&subscription.name, &Plan::default(), &report);
    let noted = report.clone();
    on_ledger(world, lease, move |ledger, lease| {
        let now = clock::now();
        let has_seat = |address: &Address| {
            let candidate = ledger.candidate(lease.subscription(), &[], address.identity())?;
            Ok::<_, LedgerError>(candidate.member.is_some_and(|member| member.has_seat))
        };
        let mut taken = Vec::new();
        for address in reverse.take_back {
            if !has_seat(&address)? {
                taken.push(address);
            }
        }
        ledger.note_undone(lease, &reverse.give_back, &taken, &why, now)?;
        ledger.finish_run(lease, run, outcome, &noted, problem.as_deref(), now)
    })
    .await?;
    Ok(report)
}

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
    /// Something touched the subscription since the last plan.
    touched: bool,
}

impl Seen {
    /// Whether carrying this out would neither send nor write anything.
    pub fn nothing_to_do(&self) -> bool {
        let may_ask = self.work.probe && !self.work.assign.is_empty();
        let sends = !self.work.resume.is_empty()
            || !self.work.unassign.is_empty()
            || !self.work.rename.is_empty()
            || self.plan.fits != Some(0) && !self.work.assign.is_empty()
            || may_ask;
        let held = self.record.hold.as_ref().map(|stored| &stored.hold.digest);
        let writes = self.touched
            || self.record.problem.is_some()
            || self.record.scope.as_ref() != Some(&self.scope)
            || held != self.plan.hold.as_ref().map(|hold| &hold.digest)
            || !self.plan.is_recorded(&self.input);
        !sends && !writes
    }

    /// The moments at which the plan changes by itself, with what a pass is then begun by: ends of grace, starts and
    /// ends, the next probe.
    pub fn next_moments(&self, subscription: &Subscription, now: Timestamp) -> Vec<(Timestamp, Trigger)> {
        let graces = self.plan.leaving.iter().filter_map(|leaving| match leaving.until {
            LeavingUntil::Grace(until) => Some(until),
            _ => None,
        });
        let policy = &self.input.policy;
        let candidates = self.input.candidates.iter();
        let dates =
            candidates.filter_map(|candidate| membership::membership(&candidate.entries, policy, now).changes_at);
        let first = graces.chain(dates).min().map(|at| (at, Trigger::Date));
        let waits = self.input.pending_members() > 0;
        let probe = self.record.probed_at.filter(|_| waits).map(|at| {
            let every = TimeDelta::from_std(subscription.seat_probe).unwrap_or(TimeDelta::MAX);
            (at + every, Trigger::Probe)
        });
        first.into_iter().chain(probe).collect()
    }
}

/// Looks at a subscription, and plans. Changes nothing.
pub async fn look(world: &World, subscription: &Subscription, ask_for_seats: bool) -> Result<Seen, LedgerError> {
    let (config, subscription) = (Arc::clone(&world.config), subscription.clone());
    world.ledger.with(move |ledger| look_at(ledger, &config, &subscription, ask_for_seats, clock::now())).await
}

/// As [`look`], on a ledger at hand and at a moment of choice.
pub fn look_at(
    ledger: &Ledger,
    config: &Config,
    subscription: &Subscription,
    ask_for_seats: bool,
    now: Timestamp,
) -> Result<Seen, LedgerError> {
    let name = subscription.name.as_str();
    let record = ledger.subscription(name)?;
    record.check_remote(name, &subscription.remote())?;
    let scope = scope(config, subscription);
    let look = if record.scope.as_ref() == Some(&scope) { Look::Touched } else { Look::All };
    let found = ledger.candidates(name, &subscription.sources, look, now)?;
    let input = PlanInput {
        subscription: name.to_owned(),
        at: now,
        policy: subscription.policy.clone(),
        seats: record.seats,
        counts: ledger.counts(name, now)?,
        sources: source_facts(ledger, &subscription.sources)?,
        approvals: ledger.approvals(name, now)?,
        candidates: found.list,
    };
    let plan = Arc::new(Plan::compute(&input));
    let work = Work {
        resume: ledger.open_intents(name)?,
        unassign: plan.unassign.iter().map(|removal| removal.address.clone()).collect(),
        rename: plan.rename.iter().map(|rename| (rename.from.clone(), rename.to.clone())).collect(),
        assign: plan.assign.iter().map(|assignment| assignment.address.clone()).collect(),
        seats: record.seats.map(|seats| Stats { available: seats.available, assigned: seats.assigned }),
        probe: ask_for_seats || probe_due(subscription, &record, now),
        habits: record.habits,
    };
    Ok(Seen { input, plan, record, work, scope, seen_until: found.seen, touched: found.touched })
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

/// Whether a full subscription is to be asked again for a waiting member.
fn probe_due(subscription: &Subscription, record: &SubscriptionRecord, now: Timestamp) -> bool {
    let every = TimeDelta::from_std(subscription.seat_probe).unwrap_or(TimeDelta::MAX);
    // A clock that was set back must not put the probe off for long.
    record.probed_at.is_none_or(|at| now - at >= every || now < at)
}

fn settings(world: &World, subscription: &Subscription, seen: &Seen) -> Settings {
    Settings {
        batch_size: subscription.batch_size.get(),
        retry_for: world.config.licensing.retry_for,
        seed: seen.input.at.timestamp_micros().unsigned_abs(),
    }
}

fn add(total: &mut Report, part: Report) {
    let Report { requests, assigned, unassigned, pending, quarantined, unknown, stopped } = part;
    total.requests += requests;
    total.assigned += assigned;
    total.unassigned += unassigned;
    total.pending += pending;
    total.quarantined += quarantined;
    total.unknown += unknown;
    total.stopped = stopped;
}

/// How a run ended, and the sentence for `status` where something is wrong.
fn verdict(name: &str, plan: &Plan, report: &Report) -> (RunOutcome, Option<String>) {
    let problem = match &report.stopped {
        None => None,
        Some(Stop::KeyRefused { words }) => Some(format!(
            "the licensing server does not accept the key of {name} ({words}); put the key from the owner's page into its file"
        )),
        Some(Stop::Unreachable { cause }) => Some(format!("the licensing server gives no answer that counts: {cause}")),
        Some(Stop::Redirect { target }) => Some(format!(
            "the licensing server redirects to {target}, which is never followed because the request holds the key; is licensing.base_url right?"
        )),
        Some(Stop::Shutdown) => Some("rosterd was stopped in the middle of the run; the next one goes on".to_owned()),
    };
    let left =
        report.pending + report.quarantined + report.unknown > 0 || plan.hold.is_some() || !plan.quarantined.is_empty();
    let outcome = match (&problem, left) {
        (Some(_), _) => RunOutcome::Failed,
        (None, true) => RunOutcome::Incomplete,
        (None, false) => RunOutcome::Converged,
    };
    (outcome, problem)
}

/// Says what a person may want to know: once for each new cause.
async fn tell(
    world: &World,
    subscription: &Subscription,
    before: &Seen,
    report: &Report,
    problem: Option<&str>,
) -> Result<(), LedgerError> {
    info!(
        requests = report.requests,
        assigned = report.assigned,
        unassigned = report.unassigned,
        pending = report.pending,
        "{}: {} assigned, {} unassigned in {} requests",
        subscription.name,
        report.assigned,
        report.unassigned,
        report.requests,
    );
    let known = before.record.problem.as_ref().map(|(why, _)| why.as_str());
    if let Some(problem) = problem.filter(|problem| known != Some(problem)) {
        error!("{}: {problem}", subscription.name);
    }
    let held = before.record.hold.as_ref().map(|stored| stored.hold.digest.as_str());
    if let Some(hold) = before.plan.hold.as_ref().filter(|hold| held != Some(hold.digest.as_str())) {
        warn!("{}", alert::removals_held(&subscription.name, hold));
    }
    let name = subscription.name.clone();
    let (after, waiting) = world
        .ledger
        .with(move |ledger| {
            let mut waiting = Vec::new();
            ledger.for_each_member(&name, Some(MemberState::Pending), &mut |member| waiting.push(member))?;
            Ok::<_, LedgerError>((ledger.subscription(&name)?, waiting))
        })
        .await?;
    let shortage = alert::shortage(after.seats, waiting.len() as u64);
    let was = alert::shortage(before.record.seats, before.input.pending_members());
    if shortage > 0 && shortage != was {
        warn!("{}", alert::seats_exhausted(&subscription.name, after.seats, &waiting));
    } else if was > 0 && waiting.is_empty() {
        info!("{}: nobody waits for a licence any more", subscription.name);
    }
    Ok(())
}

/// Calls a ledger's verb that needs the lease.
async fn on_ledger<T: Send + 'static>(
    world: &World,
    lease: &Lease,
    verb: impl FnOnce(&mut Ledger, &Lease) -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    let lease = lease.clone();
    world.ledger.with(move |ledger| verb(ledger, &lease)).await
}

/// What a run's dispatcher writes to and sends with.
struct Rim<'a> {
    world: &'a World,
    subscription: &'a Subscription,
    key: SecretString,
    lease: &'a Lease,
    run: RunId,
}

impl<'a> Rim<'a> {
    /// The key is read for each run, so that a changed one is picked up at once.
    fn new(
        world: &'a World,
        subscription: &'a Subscription,
        lease: &'a Lease,
        run: RunId,
    ) -> Result<Rim<'a>, PassError> {
        let key = subscription
            .api_key
            .read_api_key()
            .map_err(|cause| PassError::Key { subscription: subscription.name.clone(), cause })?;
        Ok(Rim { world, subscription, key, lease, run })
    }
}

impl Commits for Rim<'_> {
    async fn commit(&self, commit: Commit) -> Result<Option<IntentId>, LedgerError> {
        let run = self.run;
        on_ledger(self.world, self.lease, move |ledger, lease| ledger.commit(lease, run, &commit, clock::now())).await
    }

    /// The request's whole time, and as much again for what the ledger has to do around it.
    async fn may_send(&self) -> Result<(), LedgerError> {
        let needed = self.world.config.licensing.timeout.saturating_mul(2);
        on_ledger(self.world, self.lease, move |ledger, lease| ledger.hold(lease, needed, clock::now())).await
    }
}

impl Sends for Rim<'_> {
    async fn send(&self, request: &Request) -> Answer {
        let Subscription { kind, id, .. } = self.subscription;
        self.world.client.send(*kind, *id, &self.key, request.operation, &request.addresses).await
    }
}

impl PlanInput {
    /// How many candidates wait for a seat already.
    fn pending_members(&self) -> u64 {
        let states = self.candidates.iter().filter_map(|candidate| candidate.member.as_ref());
        states.filter(|member| member.state == MemberState::Pending).count() as u64
    }
}
