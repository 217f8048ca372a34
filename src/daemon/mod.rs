//! The daemon: looks at sources and subscriptions when they are due, many at once, none in another's way.
//!
//! One loop takes events as they come and notes them in two agendas ([`wake`]); a tick each second asks the agendas
//! what is due by the calendar, so that a suspended machine or a clock that was set is noticed within seconds. Passes
//! are [`tasks`] of their own, looks at sources ([`eye`]) have a [`thread`] each; the loop itself waits for nothing but
//! events. A configuration that has changed comes into force at one moment ([`reload`]).

mod alerts;
mod change;
mod eye;
mod frozen;
mod heartbeat;
mod keys;
mod notify;
mod reload;
pub mod schedule;
mod signs;
mod tasks;
mod thread;
mod trouble;
pub mod wake;
mod wakes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, error, info, warn};

use crate::clock::{self, Timestamp};
use crate::config::{Config, KeyMark, SecretRef, SourceKind};
use crate::intake::Intake;
use crate::ledger::{Ledger, LedgerError, Trigger};
use crate::metrics;
use crate::pass::{self, Moments, PassError, Passed, World};
use crate::telemetry::chain;
use alerts::Alerts;
use eye::Eye;
use frozen::Frozen;
use heartbeat::Heartbeat;
use keys::{KeySeen, look_at_keys};
pub use notify::opening;
pub use reload::Hangups;
use reload::Reload;
pub use signs::Signs;
use tasks::{Panicked, Tasks};
use thread::aside;
use trouble::Troubles;
use wake::{Agenda, Backoff, Went};
use wakes::Wakes;

/// Hints that wait for the loop. One that finds the queue full is left out: there is a look soon anyway.
const HINTS_MAX: usize = 1024;
/// The ticks go by the calendar: while a clock that was set back catches up they are silent, and this stands in.
const SILENCE_MAX: Duration = Duration::from_secs(2);
/// So many sources are looked at at once …
const SOURCES_AT_ONCE: usize = 32;
/// … not counting those that have taken this long.
const SLOW: Duration = Duration::from_secs(10);
/// A source that can't be watched within this time is looked at by the clock until it can.
const WATCH_PATIENCE: Duration = Duration::from_secs(5);
/// At the end a look at a source is waited for this long. Then it is broken off, as by a crash: nothing is lost.
const LOOK_PATIENCE: Duration = Duration::from_secs(5);
/// When a pass is tried again that failed for want of an answer, or of a key that is accepted.
const RETRY: Backoff = Backoff { first: Duration::from_secs(30), longest: Duration::from_hours(1) };
/// The same where the ledger failed, which is a matter of this machine: nobody else is bothered by trying.
const LEDGER_RETRY: Backoff = Backoff { first: Duration::from_secs(2), longest: Duration::from_mins(1) };
/// A look sees the starts and ends of the next fifteen hours, so there is one more often than that, whatever the
/// schedule: a date takes effect at its moment.
const LOOK_AT_LEAST: TimeDelta = TimeDelta::hours(12);
/// With each tick so many keys of frozen subscriptions are looked at: each within a second where few are frozen,
/// within a minute where ten thousand are.
const KEYS_AT_ONCE: usize = 256;
/// What is said of the ledger is said of it, and not of each subscription that met it.
const THE_LEDGER: &str = "the ledger";

/// Why the daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error("the daemon's clock can't be started")]
    Ticks(#[from] JobSchedulerError),
}

/// What comes from outside: it says nothing but that a look may be worth while.
#[derive(Debug)]
enum Hint {
    /// A second has passed.
    Tick,
    /// Something stirred where this source is.
    Stirred(String),
}

/// What a look at a source came to; `None`: it broke off by a defect, which has been said.
type Looked = Option<Result<Vec<Intake>, LedgerError>>;
/// The same, with what tells whether it was given up meanwhile.
type LookEnded = (Looked, CancellationToken);

#[derive(Debug)]
enum Event {
    Hint(Hint),
    Looked(String, Looked, CancellationToken),
    Passed(String, Result<Result<Passed, PassError>, Panicked>),
    Asked(Result<Vec<String>, LedgerError>),
    KeysSeen(Vec<(String, KeySeen)>),
    /// A person asked for a run of this subscription, its sources read first.
    Sync(String),
    /// A person asked for the configuration to be read again.
    Hangup,
    ConfigSeen(reload::Seen),
    AlertsLookedAt(Result<Vec<String>, LedgerError>),
    AlertsSent(String, Option<Result<usize, LedgerError>>),
    Beaten(Result<(), String>),
}

/// Runs until `world.shutdown` is cancelled, then finishes and records the requests in flight. It shows itself by the
/// signs, of [`Signs::new`]. `ready` is called when every source is being watched. With each of the `hangups`, and when
/// its files have changed, the configuration is read again.
///
/// # Errors
/// When the ticks can't be started. Nothing that happens later ends the daemon.
pub async fn run(
    world: World,
    (signs, words): (Signs, mpsc::Receiver<String>),
    hangups: Option<Hangups>,
    ready: impl FnOnce(),
) -> Result<(), DaemonError> {
    let (hints, inbox) = mpsc::channel(HINTS_MAX);
    let mut ticks = ticks(hints.clone()).await?;
    let shutdown = world.shutdown.clone();
    let mut daemon = Daemon::new(world, (signs, words), (hints, inbox), hangups);
    daemon.watch().await;
    daemon.signs.be_ready();
    ready();
    daemon.say_how_it_is();
    notify::ready();
    let mut watchdog = notify::Watchdog::new();
    daemon.begin(clock::now());
    while let Some(event) = shutdown.run_until_cancelled(daemon.next()).await {
        daemon.note(event, clock::now());
        daemon.signs.come_round();
        daemon.say_how_it_is();
        watchdog.come_round();
    }
    notify::stopping();
    info!("stopping: no new request starts, those in flight are finished and recorded");
    if let Err(cause) = ticks.shutdown().await {
        warn!("the daemon's clock did not end cleanly: {cause}");
    }
    daemon.end().await;
    Ok(())
}

/// A tick each second. The scheduler is used for this alone: due times are computed from the calendar in each
/// subscription's zone (`schedule`), because it fixes a zone's offset when a job is made.
async fn ticks(hints: mpsc::Sender<Hint>) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    let job = Job::new_async("* * * * * *", move |_, _| {
        // A full queue wakes the loop anyway.
        let _ = hints.try_send(Hint::Tick);
        Box::pin(async {})
    })?;
    scheduler.add(job).await?;
    scheduler.start().await?;
    Ok(scheduler)
}

struct Daemon {
    world: Arc<World>,
    signs: Signs,
    words: mpsc::Receiver<String>,
    eyes: BTreeMap<String, Eye>,
    subscriptions: Agenda,
    sources: Agenda,
    wakes: Wakes,
    hints: mpsc::Sender<Hint>,
    inbox: mpsc::Receiver<Hint>,
    looks: Tasks<LookEnded>,
    /// What breaks off the passes that are under way, between two requests.
    ends: BTreeMap<String, CancellationToken>,
    passes: Tasks<Result<Passed, PassError>>,
    asking: Tasks<Result<Vec<String>, LedgerError>>,
    frozen: Frozen,
    keys: Tasks<Vec<(String, KeySeen)>>,
    turns: Arc<Semaphore>,
    troubles: Troubles,
    reload: Reload,
    alerts: Alerts,
    heartbeat: Heartbeat,
    status: notify::Status,
}

impl Daemon {
    fn new(
        world: World,
        (signs, words): (Signs, mpsc::Receiver<String>),
        (hints, inbox): (mpsc::Sender<Hint>, mpsc::Receiver<Hint>),
        hangups: Option<Hangups>,
    ) -> Daemon {
        let eyes = world.config.sources.keys().map(|name| (name.clone(), Eye::default())).collect();
        let reload = Reload::new(&world.config, hangups);
        Daemon {
            world: Arc::new(world),
            signs,
            words,
            eyes,
            subscriptions: Agenda::default(),
            sources: Agenda::default(),
            wakes: Wakes::default(),
            hints,
            inbox,
            looks: Tasks::new(),
            ends: BTreeMap::new(),
            passes: Tasks::new(),
            asking: Tasks::new(),
            frozen: Frozen::default(),
            keys: Tasks::new(),
            turns: Arc::new(Semaphore::new(SOURCES_AT_ONCE)),
            troubles: Troubles::default(),
            reload,
            alerts: Alerts::new(),
            heartbeat: Heartbeat::new(),
            status: notify::Status::default(),
        }
    }

    /// Watches every source that can be watched.
    async fn watch(&mut self) {
        let mut watching = Tasks::new();
        for (name, eye) in &self.eyes {
            let Some(source) = self.world.config.sources.get(name).cloned() else { continue };
            let watch = eye.watch(&self.world, source, self.hints.clone());
            watching.start(name.clone(), aside(Arc::clone(&self.turns), SLOW, watch));
        }
        let all = async { while watching.next().await.is_some() {} };
        if timeout(WATCH_PATIENCE, all).await.is_err() {
            warn!("not every source can be watched yet; is there a share that does not answer?");
        }
    }

    /// Every source is due at once; subscriptions follow when the first of them have been looked at.
    fn begin(&mut self, now: Timestamp) {
        for name in self.world.config.sources.keys() {
            self.sources.put(name, now, Trigger::Start);
        }
        for name in self.world.config.subscriptions.keys() {
            self.subscriptions.put(name, now + TimeDelta::seconds(1), Trigger::Start);
        }
        self.start_due(now);
    }

    async fn next(&mut self) -> Event {
        tokio::select! {
            Some(hint) = self.inbox.recv() => Event::Hint(hint),
            Some(name) = self.words.recv() => Event::Sync(name),
            Some((name, Ok((looked, end)))) = self.looks.next() => Event::Looked(name, looked, end),
            Some((name, passed)) = self.passes.next() => Event::Passed(name, passed),
            Some((_, Ok(asked))) = self.asking.next() => Event::Asked(asked),
            Some((_, Ok(seen))) = self.keys.next() => Event::KeysSeen(seen),
            Some((_, Ok(seen))) = self.reload.looks.next() => Event::ConfigSeen(seen),
            Some((_, Ok(due))) = self.alerts.looks.next() => Event::AlertsLookedAt(due),
            Some((mark, sent)) = self.alerts.sends.next() => Event::AlertsSent(mark, sent.ok()),
            Some((_, Ok(fetched))) = self.heartbeat.fetches.next() => Event::Beaten(fetched),
            Some(()) = reload::hangup(&mut self.reload.hangups) => Event::Hangup,
            () = sleep(SILENCE_MAX) => Event::Hint(Hint::Tick),
        }
    }

    fn note(&mut self, event: Event, now: Timestamp) {
        match event {
            Event::Hint(Hint::Tick) => {
                self.ask();
                self.look_at_keys();
                self.look_at_config();
                self.look_at_alerts();
                self.beat(now);
            }
            Event::Hint(Hint::Stirred(source)) => {
                self.wakes.source(&source, Trigger::Roster);
                self.sources.want(&source, now, Trigger::Roster);
            }
            // Whoever gave it up has seen to the rest.
            Event::Looked(_, _, end) if end.is_cancelled() => {}
            Event::Looked(source, looked, _) => self.looked(&source, looked, now),
            Event::Passed(subscription, passed) => self.passed(&subscription, passed, now),
            Event::Asked(asked) => self.asked(asked, now),
            Event::KeysSeen(seen) => self.keys_seen(seen, now),
            Event::Sync(name) => self.sync(&name, now),
            Event::Hangup => self.hung_up(),
            Event::ConfigSeen(seen) => self.config_seen(seen, now),
            Event::AlertsLookedAt(due) => self.alerts_looked_at(due, now),
            Event::AlertsSent(mark, sent) => self.alerts_sent(&mark, sent, now),
            Event::Beaten(fetched) => self.beaten(fetched, now),
        }
        self.start_due(now);
    }

    fn start_due(&mut self, now: Timestamp) {
        for (name, trigger) in self.sources.take_due(now) {
            self.start_look(name, trigger);
        }
        for (name, trigger) in self.subscriptions.take_due(now) {
            self.start_pass(name, trigger);
        }
    }

    fn start_look(&mut self, name: String, trigger: Trigger) {
        let (Some(source), Some(eye)) = (self.world.config.sources.get(&name).cloned(), self.eyes.get(&name)) else {
            return;
        };
        let (look, end) = eye.look(&self.world, source, self.hints.clone());
        let wake = self.wakes.source(&name, trigger);
        let look = aside(Arc::clone(&self.turns), SLOW, move || wake.in_scope(look));
        self.looks.start(name, async move { (look.await, end) });
    }

    fn start_pass(&mut self, name: String, trigger: Trigger) {
        let (end, subscription) = (self.world.shutdown.child_token(), name.clone());
        self.ends.insert(name.clone(), end.clone());
        let world = World { shutdown: end, ..World::clone(&self.world) };
        let wake = self.wakes.pass(&name, trigger);
        let pass = async move {
            match world.config.subscriptions.get(&subscription) {
                // One that has not begun when it is to end has nothing to finish.
                Some(subscription) if !world.shutdown.is_cancelled() => {
                    pass::pass(&world, subscription, trigger, trigger == Trigger::Command).await
                }
                _ => Ok(Passed::Elsewhere),
            }
        };
        self.passes.start(name, pass.instrument(wake));
    }

    /// The pass asks for seats though the probe is not due, as `sync` does; what the looks find has another one made.
    fn sync(&mut self, name: &str, now: Timestamp) {
        let sources = self.world.config.subscriptions.get(name).into_iter().flat_map(|it| &it.sources);
        for source in sources {
            self.sources.want(source, now, Trigger::Command);
        }
        self.subscriptions.want(name, now, Trigger::Command);
    }

    fn looked(&mut self, name: &str, looked: Looked, now: Timestamp) {
        let went = match &looked {
            Some(Ok(_)) => Went::Well,
            Some(Err(cause)) => self.ledger_failed(cause, now),
            None => Went::Wrong(RETRY),
        };
        let mut next: Moments = next_look(&self.world.config, name, now).into_iter().collect();
        let intakes = looked.and_then(Result::ok).unwrap_or_default();
        if !intakes.iter().any(|intake| matches!(intake, Intake::Settling(_))) {
            let changed = intakes.iter().any(|intake| matches!(intake, Intake::Accepted { .. }));
            let changed = changed.then(|| self.world.config.subscriptions_of(name));
            self.wakes.looked(name, changed.into_iter().flatten());
        }
        for intake in intakes {
            match intake {
                Intake::Accepted { .. } => self.roster_changed(name, now),
                Intake::Settling(wait) => next.push((now + delta(wait), Trigger::Roster)),
                Intake::Refused(_) => metrics::source_failed(name),
                Intake::Unchanged => {}
            }
        }
        self.sources.finished(name, now, went, &next);
    }

    fn roster_changed(&mut self, source: &str, now: Timestamp) {
        self.ledger_works();
        for subscription in self.world.config.subscriptions_of(source) {
            self.subscriptions.want(&subscription, now, Trigger::Roster);
        }
    }

    fn passed(&mut self, name: &str, passed: Result<Result<Passed, PassError>, Panicked>, now: Timestamp) {
        self.frozen.thaw(name);
        if self.ends.remove(name).is_some_and(|end| end.is_cancelled()) {
            // Its configuration is another now, and it is due by that.
            self.subscriptions.finished(name, now, Went::Well, &[(now, Trigger::Reload)]);
            return;
        }
        let (went, next) = match passed {
            Ok(Ok(Passed::Quiet { next, .. })) => (Went::Well, next),
            Ok(Ok(Passed::Elsewhere)) => (Went::Elsewhere, Vec::new()),
            Ok(Ok(Passed::Ran { report, refused, next, .. })) => {
                self.ledger_works();
                let went = match refused {
                    None if report.stopped.is_none() => Went::Well,
                    None => Went::Wrong(RETRY),
                    Some(key) => self.freeze(name, Some(key)),
                };
                (went, next)
            }
            // It has been said.
            Ok(Err(PassError::Key { .. })) => (self.freeze(name, None), Vec::new()),
            Ok(Err(PassError::Ledger(cause))) => (self.ledger_failed(&cause, now), Vec::new()),
            Err(panicked) => (self.failed(name, &panicked.to_string(), now), Vec::new()),
        };
        if went == Went::Well {
            self.troubles.is_over(name);
        }
        let next: Moments = next.into_iter().chain(self.timed_passes(name, now)).collect();
        self.subscriptions.finished(name, now, went, &next);
    }

    /// For want of a key that is accepted: until there is another one it is tried at the backoff's pace.
    fn freeze(&mut self, name: &str, refused: Option<KeyMark>) -> Went {
        self.frozen.freeze(name, refused);
        Went::Frozen(RETRY)
    }

    /// Looks at the next keys of those that are frozen, and whether another process got through with theirs.
    fn look_at_keys(&mut self) {
        if !self.keys.is_empty() {
            return;
        }
        let key_of = |name: String| Some((self.world.config.subscriptions.get(&name)?.api_key.clone(), name));
        let keys: Vec<(SecretRef, String)> = self.frozen.next(KEYS_AT_ONCE).into_iter().filter_map(key_of).collect();
        if !keys.is_empty() {
            let look = look_at_keys(self.world.outside.ledger.clone(), Arc::clone(&self.turns), keys);
            self.keys.start("keys".to_owned(), look);
        }
    }

    fn keys_seen(&mut self, seen: Vec<(String, KeySeen)>, now: Timestamp) {
        for (name, seen) in seen {
            let thaws = match seen {
                KeySeen::Accepted => true,
                KeySeen::Readable(key) => self.frozen.is_another(&name, key),
            };
            if thaws {
                info!(subscription = %name, "{name}: tried again at once: its key is another one, or was accepted");
                self.frozen.thaw(&name);
                self.subscriptions.thaw(&name, now);
            }
        }
    }

    /// What the clock alone makes a subscription due by.
    fn timed_passes(&self, name: &str, now: Timestamp) -> Moments {
        let Some(subscription) = self.world.config.subscriptions.get(name) else { return Vec::new() };
        let timed = schedule::next_run(name, &subscription.schedule, now);
        timed.into_iter().chain([now + LOOK_AT_LEAST]).map(|at| (at, Trigger::Schedule)).collect()
    }

    /// Runs that another process asked for: `approve`, `retry` … while this one had the subscription.
    fn ask(&mut self) {
        if self.asking.is_empty() {
            let world = Arc::clone(&self.world);
            self.asking
                .start(THE_LEDGER.to_owned(), async move { world.outside.ledger.with(Ledger::take_asked).await });
        }
    }

    fn asked(&mut self, asked: Result<Vec<String>, LedgerError>, now: Timestamp) {
        match asked {
            Ok(names) => {
                for name in names {
                    self.subscriptions.want(&name, now, Trigger::Command);
                }
            }
            Err(cause) => drop(self.ledger_failed(&cause, now)),
        }
    }

    fn failed(&mut self, about: &str, what: &str, now: Timestamp) -> Went {
        if self.troubles.is_news(about, what, now) {
            error!(subscription = %about, "{about}: {what}");
        }
        Went::Wrong(RETRY)
    }

    /// Nothing is lost: what could not be written is done again.
    fn ledger_failed(&mut self, cause: &LedgerError, now: Timestamp) -> Went {
        if let LedgerError::Fenced { .. } = cause {
            warn!("{cause}");
            return Went::Elsewhere;
        }
        let what = chain(cause);
        if self.troubles.is_news(THE_LEDGER, &what, now) {
            error!("{what}; it is tried again until it works");
        }
        Went::Wrong(LEDGER_RETRY)
    }

    /// Something was written.
    fn ledger_works(&mut self) {
        if self.troubles.is_over(THE_LEDGER) {
            info!("the ledger works again");
        }
    }

    /// Passes come to their end by themselves: no request starts any more, and one in flight has its time-out.
    async fn end(mut self) {
        while self.passes.next().await.is_some() {}
        let looks = async { while self.looks.next().await.is_some() {} };
        if timeout(LOOK_PATIENCE, looks).await.is_err() {
            warn!("a look at a source is broken off; the next start looks again");
        }
    }
}

/// When a source is looked at though nothing stirs.
fn next_look(config: &Config, source: &str, now: Timestamp) -> Option<(Timestamp, Trigger)> {
    let at = match &config.sources.get(source)?.kind {
        SourceKind::Csv(csv) => Some(now + delta(csv.poll_interval)),
        SourceKind::Ldap(ldap) => schedule::next_run(source, &ldap.schedule, now),
    };
    at.map(|at| (at, Trigger::Schedule))
}

/// A day at most: longer is not counted.
fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::days(1)).min(TimeDelta::days(1))
}
