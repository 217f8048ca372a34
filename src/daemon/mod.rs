//! The daemon: looks at sources and subscriptions when they are due, many at once, none in another's way.
//!
//! One loop takes events in the order in which they come and notes them in two agendas ([`wake`]); a heartbeat each second
//! asks the agendas what is due by the calendar, so that a suspended machine or a clock that was set is noticed within
//! a second. Passes and looks run as tasks of their own; the loop never waits for one.

pub mod schedule;
pub mod wake;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::clock::{self, Timestamp};
use crate::config::{Source, SourceKind, Subscription};
use crate::intake::{self, Files, Intake};
use crate::ledger::{Ledger, LedgerError, Trigger};
use crate::pass::{self, PassError, Passed, World};
use crate::source::csv_source::CsvSource;
use crate::source::watch::Watcher;
use crate::telemetry::chain;
use wake::Agenda;

/// Events that wait for the loop; a heartbeat that finds the queue full is left out.
const EVENTS_MAX: usize = 1024;
/// A folder with native events is looked at this often all the same.
const RESCAN: Duration = Duration::from_mins(1);

/// Why the daemon could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error("the heartbeat can't be started")]
    Heartbeat(#[from] JobSchedulerError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What happens to the daemon.
#[derive(Debug)]
enum Event {
    /// A second has passed.
    Tick,
    /// Something stirred where a source is.
    Stirred(String),
    Looked(String, Result<Vec<Intake>, LedgerError>),
    Passed(String, Result<Passed, PassError>),
}

/// Runs until `world.shutdown` is cancelled, then finishes and records the requests in flight. `ready` is called when
/// every source is being watched.
pub async fn run(world: World, ready: impl FnOnce()) -> Result<(), DaemonError> {
    let (events, mut inbox) = mpsc::channel(EVENTS_MAX);
    let mut daemon = Daemon::new(world, events.clone());
    daemon.watch();
    let mut heartbeat = heartbeat(events).await?;
    ready();
    daemon.begin();
    loop {
        tokio::select! {
            () = daemon.world.shutdown.cancelled() => break,
            event = inbox.recv() => match event {
                Some(event) => daemon.note(event, clock::now()).await,
                None => break,
            },
        }
    }
    info!("stopping: no new request starts, those in flight are finished and recorded");
    if let Err(cause) = heartbeat.shutdown().await {
        warn!("the heartbeat did not end cleanly: {cause}");
    }
    daemon.tasks.close();
    // The inbox is read on so that no task waits for room in it.
    let tasks = daemon.tasks.clone();
    let drained = async { while inbox.recv().await.is_some() {} };
    tokio::select! { () = tasks.wait() => {}, () = drained => {} }
    tasks.wait().await;
    Ok(())
}

/// A tick each second. The scheduler is used for this alone: due times are computed from the calendar in each
/// subscription's zone (`schedule`), because it fixes a zone's offset when a job is made.
async fn heartbeat(events: mpsc::Sender<Event>) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    let job = Job::new_async("* * * * * *", move |_, _| {
        // A full queue has ticks enough.
        let _ = events.try_send(Event::Tick);
        Box::pin(async {})
    })?;
    scheduler.add(job).await?;
    scheduler.start().await?;
    Ok(scheduler)
}

/// How one source is watched and read.
struct Eye {
    source: CsvSource,
    watcher: Option<Watcher>,
}

impl Eye {
    /// A folder that was made again is watched again.
    fn refresh(&mut self, name: &str) {
        if let Some(Err(cause)) = self.watcher.as_mut().map(Watcher::refresh) {
            warn!(source = %name, "{name}: {}", chain(&cause));
        }
    }
}

struct Daemon {
    world: World,
    eyes: BTreeMap<String, Arc<Mutex<Eye>>>,
    subscriptions: Agenda,
    sources: Agenda,
    tasks: TaskTracker,
    events: mpsc::Sender<Event>,
}

impl Daemon {
    fn new(world: World, events: mpsc::Sender<Event>) -> Daemon {
        Daemon {
            world,
            eyes: BTreeMap::new(),
            subscriptions: Agenda::default(),
            sources: Agenda::default(),
            tasks: TaskTracker::new(),
            events,
        }
    }

    /// Watches every source that can be watched. An event is only a hint: the timed look stays on.
    fn watch(&mut self) {
        for (name, source) in &self.world.config.sources {
            let eye = Eye { source: CsvSource::default(), watcher: self.watcher(name, source) };
            self.eyes.insert(name.clone(), Arc::new(Mutex::new(eye)));
        }
    }

    fn watcher(&self, name: &str, source: &Source) -> Option<Watcher> {
        let SourceKind::Csv(csv) = &source.kind else { return None };
        let (events, source) = (self.events.clone(), name.to_owned());
        // Where the queue is full there is a look soon anyway.
        let stirred = move || drop(events.try_send(Event::Stirred(source.clone())));
        let watcher = Watcher::new(&csv.path, csv.watch, stirred);
        watcher.inspect_err(|cause| warn!(source = %name, "{name}: {}", chain(cause))).ok()
    }

    /// Every source is due at once; subscriptions follow when their sources have been looked at.
    fn begin(&mut self) {
        let now = clock::now();
        for name in self.world.config.sources.keys() {
            self.sources.put(name, now, Trigger::Start);
        }
        for name in self.world.config.subscriptions.keys() {
            self.subscriptions.put(name, now + TimeDelta::seconds(1), Trigger::Start);
        }
        self.start_due(now);
    }

    async fn note(&mut self, event: Event, now: Timestamp) {
        match event {
            Event::Tick => self.take_asked(now).await,
            Event::Stirred(source) => self.sources.want(&source, now, Trigger::Roster),
            Event::Looked(source, intake) => self.looked(&source, &intake, now),
            Event::Passed(subscription, passed) => self.passed(&subscription, passed, now).await,
        }
        self.start_due(now);
    }

    fn start_due(&mut self, now: Timestamp) {
        for (name, _) in self.sources.take_due(now) {
            self.start_look(name);
        }
        for (name, trigger) in self.subscriptions.take_due(now) {
            self.start_pass(name, trigger);
        }
    }

    fn start_look(&self, name: String) {
        let (Some(source), Some(eye)) = (self.world.config.sources.get(&name).cloned(), self.eyes.get(&name)) else {
            return;
        };
        let (world, events, eye) = (self.world.clone(), self.events.clone(), Arc::clone(eye));
        self.tasks.spawn_blocking(move || {
            let mut eye = eye.lock().unwrap_or_else(PoisonError::into_inner);
            eye.refresh(&name);
            let looked = intake::take_in(&world.config, &world.ledger, &source, &mut eye.source, Files::PutAway);
            // Nobody listens when the daemon is ending; what was read is in the ledger.
            let _ = events.blocking_send(Event::Looked(name, looked));
        });
    }

    fn start_pass(&self, name: String, trigger: Trigger) {
        let Some(subscription) = self.world.config.subscriptions.get(&name).cloned() else { return };
        let (world, events) = (self.world.clone(), self.events.clone());
        self.tasks.spawn(async move {
            let passed = pass::pass(&world, &subscription, trigger, false).await;
            let _ = events.send(Event::Passed(name, passed)).await;
        });
    }

    fn looked(&mut self, name: &str, looked: &Result<Vec<Intake>, LedgerError>, now: Timestamp) {
        let mut next = vec![(now + delta(self.rescan(name)), Trigger::Schedule)];
        let intakes = looked.as_deref().unwrap_or_default();
        for intake in intakes {
            match intake {
                Intake::Accepted { .. } => {
                    for subscription in self.world.config.subscriptions_of(name) {
                        self.subscriptions.want(&subscription, now, Trigger::Roster);
                    }
                }
                Intake::Settling(wait) => next.push((now + delta(*wait), Trigger::Roster)),
                Intake::Unchanged | Intake::Refused(_) => {}
            }
        }
        if let Err(cause) = looked {
            error!(source = %name, "{name}: {}", chain(cause));
        }
        self.sources.finished(name, now, looked.is_ok(), &next);
    }

    async fn passed(&mut self, name: &str, passed: Result<Passed, PassError>, now: Timestamp) {
        let went_well = match &passed {
            Ok(Passed::Ran { report, .. }) => report.stopped.is_none(),
            Ok(Passed::Quiet(_)) => true,
            Ok(Passed::Elsewhere) => false,
            Err(cause) => {
                error!(subscription = %name, "{name}: {}", chain(cause));
                false
            }
        };
        let next = match self.world.config.subscriptions.get(name).cloned() {
            Some(subscription) => self.next_passes(&subscription, now).await,
            None => Vec::new(),
        };
        self.subscriptions.finished(name, now, went_well, &next);
    }

    /// Everything that makes a subscription due by itself.
    async fn next_passes(&self, subscription: &Subscription, now: Timestamp) -> Vec<(Timestamp, Trigger)> {
        let mut next = Vec::new();
        if let Some(at) = schedule::next_run(&subscription.name, &subscription.schedule, now) {
            next.push((at, Trigger::Schedule));
        }
        match pass::look(&self.world, subscription, false).await {
            Ok(seen) => next.extend(seen.next_moments(subscription, now)),
            Err(cause) => warn!(subscription = %subscription.name, "{}", chain(&cause)),
        }
        next
    }

    /// Runs that another process asked for: `approve`, `retry` … while this one had the subscription.
    async fn take_asked(&mut self, now: Timestamp) {
        match self.world.ledger.with(Ledger::take_asked).await {
            Ok(asked) => {
                for name in asked {
                    self.subscriptions.want(&name, now, Trigger::Command);
                }
            }
            Err(cause) => warn!("{}", chain(&cause)),
        }
    }

    fn rescan(&self, source: &str) -> Duration {
        match self.world.config.sources.get(source).map(|source| &source.kind) {
            Some(SourceKind::Csv(csv)) => csv.poll_interval.min(RESCAN),
            _ => RESCAN,
        }
    }
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}
