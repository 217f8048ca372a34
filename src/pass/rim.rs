//! What a run works with: its lease, its key, the ledger it writes to and the server it sends to.

use std::future::Future;
use std::mem;
use std::time::Duration;

use secrecy::SecretString;
use tracing::{Instrument as _, error, warn};

use super::look::{Seen, look};
use super::{PassError, World};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::config::{KeyMark, Subscription};
use crate::dispatch::drive::{self, Commits, Sends};
use crate::dispatch::machine::{Commit, LEFT_MAX, Machine, Outcome, Report, Request, Settings, Stop, Work};
use crate::fleet::Fleet;
use crate::ledger::sqlite::Seen as SeenUntil;
use crate::ledger::{IntentId, Lease, Ledger, LedgerError, RunId, RunOutcome, Trigger};
use crate::licensing::wire::{Answer, Operation};
use crate::outside::Outside;
use crate::telemetry::{Progress, chain, span};

/// How long a lease holds without a sign of life, at least …
const LEASE_TERM: Duration = Duration::from_mins(2);
/// … and so many times as long as a request may take.
const LEASE_REQUESTS: u32 = 4;
/// How often a sign of life is given: two may be missed.
const LEASE_RENEWAL: Duration = Duration::from_secs(40);

/// Takes the lease of a subscription; `None` where another process has it.
pub(super) async fn acquire<O: Outside>(
    world: &World<O>,
    subscription: &Subscription,
) -> Result<Option<Lease>, LedgerError> {
    let (owner, name) = (world.owner.clone(), subscription.name.clone());
    let term = term(world);
    world.outside.on_ledger(move |ledger, now| ledger.acquire(&name, &owner, term, now)).await
}

fn term<O>(world: &World<O>) -> Duration {
    LEASE_TERM.max(world.config.licensing.timeout.saturating_mul(LEASE_REQUESTS))
}

/// Does this under a lease that is renewed meanwhile, and gives it back. Work that takes hours keeps its lease.
pub(super) async fn keeping<O: Outside, T>(
    world: &World<O>,
    lease: &Lease,
    work: impl Future<Output = Result<T, PassError>>,
) -> Result<T, PassError> {
    tokio::pin!(work);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            () = tokio::time::sleep(LEASE_RENEWAL) => {
                let term = term(world);
                let renewed = on_ledger(world, lease, move |ledger, lease, now| ledger.hold(lease, term, now));
                // Whether it matters is for the next write to say, which the lease fences.
                if let Err(cause) = renewed.await {
                    warn!("the lease can't be renewed: {}", chain(&cause));
                }
            }
        }
    };
    // One that was lost is another's already.
    if matches!(done, Err(PassError::Ledger(LedgerError::Fenced { .. }))) {
        return done;
    }
    let lease = lease.clone();
    let released = world.outside.on_ledger(move |ledger, _| ledger.release(lease)).await;
    let done = done?;
    released?;
    Ok(done)
}

/// Calls a ledger's verb that needs the lease.
async fn on_ledger<O: Outside, T: Send + 'static>(
    world: &World<O>,
    lease: &Lease,
    verb: impl FnOnce(&mut Ledger, &Lease, Timestamp) -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    let lease = lease.clone();
    world.outside.on_ledger(move |ledger, now| verb(ledger, &lease, now)).await
}

/// A run that has begun.
pub(super) struct Rim<'a, O> {
    world: &'a World<O>,
    subscription: &'a Subscription,
    key: SecretString,
    lease: &'a Lease,
    pub(super) run: RunId,
    /// A person has said what it is to do: neither the brake nor a roster stops it.
    pub(super) is_a_persons: bool,
    /// People settled of people to do.
    progress: Progress,
}

impl<'a, O: Outside> Rim<'a, O> {
    /// Begins a run. The key is read for each, so that a changed one is picked up at once; without a key the run has
    /// failed, and the ledger says why.
    pub(super) async fn begin(
        world: &'a World<O>,
        subscription: &'a Subscription,
        lease: &'a Lease,
        trigger: Trigger,
    ) -> Result<Rim<'a, O>, PassError> {
        let run = RunId::now_v7();
        tracing::Span::current().record("run", tracing::field::display(run));
        let remote = subscription.remote();
        on_ledger(world, lease, move |ledger, lease, now| {
            ledger.stand_for(lease, &remote)?;
            ledger.begin_run(lease, run, trigger, now)
        })
        .await?;
        let progress = Progress::new(&subscription.name);
        let rim = |key| Rim { world, subscription, key, lease, run, is_a_persons: false, progress };
        match world.outside.key(subscription) {
            Ok(key) => Ok(rim(key)),
            Err(cause) => {
                let error = PassError::Key { subscription: subscription.name.clone(), cause };
                let problem = chain(&error);
                let keyless = rim(SecretString::default());
                let known = keyless.problem().await?;
                if known.as_ref() != Some(&problem) {
                    error!("{problem}");
                }
                let seen = look(world, subscription, false).await?;
                keyless.leave(&seen, "its subscription's key can't be read").await?;
                keyless.finish(RunOutcome::Failed, &Report::default(), Some(problem)).await?;
                Err(error)
            }
        }
    }

    /// What was wrong before this run.
    async fn problem(&self) -> Result<Option<String>, LedgerError> {
        let name = self.subscription.name.clone();
        self.on_ledger(move |ledger, _, _| Ok(ledger.subscription(&name)?.problem.map(|(why, _)| why))).await
    }

    /// The key, where the server did not accept it.
    pub(super) fn refused_key(&self, report: &Report) -> Option<KeyMark> {
        matches!(report.stopped, Some(Stop::KeyRefused { .. })).then(|| KeyMark::of(&self.key))
    }

    /// Ends what a ledger that may not be the newest has of removals under way.
    pub(super) async fn withdraw_removals(&self) -> Result<usize, LedgerError> {
        self.on_ledger(Ledger::withdraw_removals).await
    }

    /// Settles what a lost answer left open, before anything else is decided; gives what is seen then.
    pub(super) async fn settle(&self, mut seen: Seen, ask_for_seats: bool) -> Result<(Seen, Report), LedgerError> {
        if !seen.named_again.is_empty() {
            let named = mem::take(&mut seen.named_again);
            self.on_ledger(move |ledger, lease, now| ledger.turn_back(lease, &named, now)).await?;
            seen = look(self.world, self.subscription, ask_for_seats).await?;
        }
        if seen.work.resume.is_empty() {
            return Ok((seen, Report::default()));
        }
        let settle = Work { resume: seen.work.resume.clone(), habits: seen.work.habits, ..Work::default() };
        let report = self.dispatch(&seen, settle).await?;
        Ok((look(self.world, self.subscription, ask_for_seats).await?, report))
    }

    /// Writes down what the plan says without a request, and why the rest is asked for.
    pub(super) async fn record_plan(&self, seen: &Seen) -> Result<(), LedgerError> {
        let (run, plan, scope, seen_until) = (self.run, seen.plan.clone(), seen.scope.clone(), seen.seen_until);
        // Before the new scope is recorded: a scope that is recorded is taken for one of which every change is known.
        let follows = seen.record.scope.as_ref() != Some(&seen.scope);
        let sources = if follows { self.subscription.sources.clone() } else { Vec::new() };
        self.on_ledger(move |ledger, lease, now| {
            if !sources.is_empty() {
                ledger.follow(lease, &sources)?;
            }
            ledger.record_plan(lease, run, &plan, &scope, seen_until, now)
        })
        .instrument(span::record())
        .await?;
        look_over_fleet(self.world, seen).await
    }

    /// Writes down what the plan says where nothing can be sent: everybody for whom it would ask waits, and why.
    pub(super) async fn leave(&self, seen: &Seen, why: &'static str) -> Result<(), LedgerError> {
        self.record_plan(seen).await?;
        let Work { rename, assign, .. } = &seen.work;
        let wanted: Vec<&Address> = rename.iter().map(|(_, to)| to).chain(assign).collect();
        for part in wanted.chunks(LEFT_MAX) {
            let not_done = |address: &&Address| ((*address).clone(), Outcome::NotDone { cause: why.to_owned() });
            let commit = Commit { left: part.iter().map(not_done).collect(), ..Commit::default() };
            let run = self.run;
            self.on_ledger(move |ledger, lease, now| ledger.commit(lease, run, &commit, now)).await?;
        }
        Ok(())
    }

    /// Sends what is to be sent, step by step.
    pub(super) async fn dispatch(&self, seen: &Seen, work: Work) -> Result<Report, LedgerError> {
        let Work { unassign, rename, assign, reassert, .. } = &work;
        self.progress.expect((unassign.len() + 2 * rename.len() + assign.len() + reassert.len()) as u64);
        let settings = Settings {
            batch_size: self.subscription.batch_size.get(),
            retry_for: self.world.config.licensing.retry_for,
            seed: seen.input.at.timestamp_micros().unsigned_abs(),
        };
        let machine = Machine::new(settings, work);
        let course = Course { rim: self, seen_until: seen.seen_until };
        drive::drive(machine, &self.subscription.name, &course, self, &self.world.pacer, &self.world.shutdown).await
    }

    pub(super) async fn finish(
        &self,
        outcome: RunOutcome,
        report: &Report,
        problem: Option<String>,
    ) -> Result<(), LedgerError> {
        let (run, report) = (self.run, report.clone());
        self.on_ledger(move |ledger, lease, now| {
            ledger.finish_run(lease, run, outcome, &report, problem.as_deref(), now)
        })
        .instrument(span::record())
        .await
    }

    pub(super) async fn on_ledger<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut Ledger, &Lease, Timestamp) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        on_ledger(self.world, self.lease, verb).await
    }
}

/// The requests of a run that rest on one look.
struct Course<'a, O> {
    rim: &'a Rim<'a, O>,
    seen_until: SeenUntil,
}

impl<O: Outside> Commits for Course<'_, O> {
    async fn commit(&self, commit: Commit) -> Result<Option<IntentId>, LedgerError> {
        let run = self.rim.run;
        let settled = commit.settled.iter().flat_map(|(_, outcomes)| outcomes).chain(&commit.left);
        let done = settled.filter(|(_, outcome)| !matches!(outcome, Outcome::NotDone { .. })).count();
        self.rim.progress.done(done as u64);
        let committed = self.rim.on_ledger(move |ledger, lease, now| ledger.commit(lease, run, &commit, now));
        committed.instrument(span::record()).await
    }

    /// The request's whole time, and as much again for what the ledger has to do around it.
    async fn may_send(&self, request: &Request) -> Result<bool, LedgerError> {
        let needed = self.rim.world.config.licensing.timeout.saturating_mul(2);
        let rests = !self.rim.is_a_persons && request.operation == Operation::Unassign;
        let removals = if rests { request.addresses.clone() } else { Vec::new() };
        let seen_until = self.seen_until;
        self.rim
            .on_ledger(move |ledger, lease, now| {
                ledger.hold(lease, needed, now)?;
                let stands = removals.is_empty()
                    || ledger.brake()?.is_none() && !ledger.is_overtaken(lease, seen_until, &removals)?;
                Ok(stands)
            })
            .await
    }
}

impl<O: Outside> Sends for Rim<'_, O> {
    async fn send(&self, request: &Request) -> Answer {
        let span = span::request(self.subscription, request);
        let answer = self.world.outside.send(self.subscription, &self.key, request).instrument(span.clone()).await;
        span::answered(&span, &answer);
        answer
    }
}

/// Looks over the whole fleet where this look found removals held: also where that is no news, for whoever noted it may
/// have died before.
pub(super) async fn look_over_fleet<O: Outside>(world: &World<O>, seen: &Seen) -> Result<(), LedgerError> {
    if seen.plan.hold.is_none() || seen.input.brake.is_some() {
        return Ok(());
    }
    let fleet = Fleet::of(&world.config);
    world.outside.on_ledger(move |ledger, now| fleet.look(ledger, now)).await
}

/// Both parts of one run.
pub(super) fn sum(one: &Report, other: Report) -> Report {
    let Report { requests, assigned, unassigned, pending, quarantined, unknown, reasserted, stopped } = other;
    Report {
        requests: one.requests + requests,
        assigned: one.assigned + assigned,
        unassigned: one.unassigned + unassigned,
        pending: one.pending + pending,
        quarantined: one.quarantined + quarantined,
        unknown: one.unknown + unknown,
        reasserted: one.reasserted + reasserted,
        stopped,
    }
}
