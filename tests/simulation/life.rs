//! One life: plays a script, checks every rule after each step, then lets the world stand still and sees it converge.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{TimeDelta, TimeZone, Utc};
use rosterd::config::{self, Config, SubscriptionType};
use rosterd::dispatch::pace::Pacer;
use rosterd::ledger::{Ledger, LedgerError, Owner, RunOutcome, Trigger};
use rosterd::pass::{self, LOOKS_MAX, PassError, Passed, World};
use rosterd::plan::Plan;
use rosterd::sandbox::{self, State};
use secrecy::SecretString;
use tokio::runtime::Builder;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::checks::Before;
use crate::host::{Host, Shared, id, members, name};
use crate::rules::{Mistake, Rule};
use crate::script::{Action, CLIENTS, Chances, Change, How, PEOPLE, SOURCES, Script, Setting};
use crate::setting::{configuration, dialect};
use crate::truth::{Memory, Truth, email, is_offender, who};
use crate::watch::Watch;

/// Longer than any lease, in seconds.
const PAST_LEASES: i64 = 200;
/// Later than any date of a roster.
const PAST_DATES: Duration = Duration::from_hours(24);
/// Longer than any time of grace and any probe.
const ROUND: Duration = Duration::from_secs(3700);
/// Within so many rounds everything that stands still has converged.
const ROUNDS: usize = 6;

thread_local! {
    /// Each life begins with a copy of it.
    static NEW_LEDGER: Ledger = Ledger::scratch(Path::new("there-is-no-ledger-here")).unwrap();
}

/// What went wrong in a life.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) broken: Vec<(Rule, String)>,
    pub(crate) log: Vec<String>,
}

/// Plays a script. With a mistake, a life goes on until the mistake's own rule is seen broken.
pub(crate) fn play(script: &Script, mistake: Option<(Mistake, Rule)>, logged: bool) -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut life = Life::new(&script.setting, mistake.map(|(mistake, _)| mistake), logged);
        let is_over = |life: &Life| {
            let broken = &life.hosts[0].lock().broken;
            mistake.map_or(!broken.is_empty(), |(_, rule)| broken.iter().any(|(seen, _)| *seen == rule))
        };
        for action in &script.actions {
            life.hosts[0].lock().note(|| format!("{action:?}"));
            life.act(action).await;
            if is_over(&life) {
                return Err(life.failure());
            }
        }
        life.stand_still().await;
        if is_over(&life) { Err(life.failure()) } else { Ok(()) }
    })
}

pub(crate) struct Life {
    pub(crate) hosts: [Host; 2],
    pub(crate) worlds: [World<Host>; 2],
    pub(crate) config: Arc<Config>,
    /// Names processes and keys.
    born: usize,
    /// The newest copy of the ledger, and what it remembers.
    pub(crate) copy: Option<(Ledger, Memory)>,
}

impl Life {
    fn new(setting: &Setting, mistake: Option<Mistake>, logged: bool) -> Life {
        let base = Utc.with_ymd_and_hms(2026, 11, 23, 9, 0, 0).unwrap();
        let key = |client: usize| SecretString::from(Uuid::from_u128(0xabc0_0000 + client as u128).to_string());
        let subscriptions =
            (0..CLIENTS).map(|c| sandbox::Subscription::new(SubscriptionType::Manual, id(c), key(c), setting.seats[c]));
        let server = State::new(subscriptions, dialect(setting.dialect));
        let ledger = NEW_LEDGER.with(|new| new.copy(None)).unwrap();
        let mut truth = Truth::new(setting.clone());
        let config = Arc::new(configuration(setting, mistake));
        truth.keys = (0..CLIENTS).map(|c| Uuid::from_u128(0xabc0_0000 + c as u128).to_string()).collect();
        let mut shared = Shared::new(ledger, server, truth, std::array::from_fn(key), base, Arc::clone(&config));
        shared.mistake = mistake;
        shared.log = logged.then(Vec::new);
        let shared = Arc::new(Mutex::new(shared));
        let hosts = [0, 1].map(|process| Host { shared: Arc::clone(&shared), process });
        let worlds = [0, 1].map(|process| world(&config, &hosts[process], process));
        Life { hosts, worlds, config, born: 2, copy: None }
    }

    fn failure(&self) -> Failure {
        let mut shared = self.hosts[0].lock();
        Failure { broken: shared.broken.clone(), log: shared.log.take().unwrap_or_default() }
    }

    async fn act(&mut self, action: &Action) {
        match action {
            Action::Edit { source, person, edit } => {
                let mut shared = self.hosts[0].lock();
                let now = shared.now();
                shared.truth.edit(*source, *person, edit, now);
            }
            Action::Read { source, how, crash } => self.read(*source, *how, *crash),
            Action::Pass { client, process, ask, chances } if self.has(*client) => {
                self.begin(*process, chances, None);
                self.pass(*client, *process, *ask, chances).await;
            }
            Action::All { second, chances } => self.all(*second, chances).await,
            Action::Stall { client, at, chances } if self.has(*client) => self.stall(*client, *at, chances).await,
            Action::Seats { client, seats } => {
                self.hosts[0].lock().server.subscription_mut(id(*client)).unwrap().set_seats(*seats);
            }
            Action::ByHand { client, person, assign } => self.by_hand(*client, *person, *assign),
            Action::Key { client, told } => self.new_key(*client, *told),
            Action::Clock(seconds) => self.hosts[0].lock().set_clock(*seconds),
            Action::Wait(seconds) => sleep(Duration::from_secs(*seconds)).await,
            Action::Pass { .. } | Action::Stall { .. } => {}
            Action::Approve { client } => self.approve(*client),
            Action::Reject { client } => self.reject(*client),
            Action::Adopt { client, person } => self.adopt(*client, &email(*person, 0)),
            Action::Retry { client } => drop(self.retry(*client)),
            Action::Configure(change) => self.configure(change),
            Action::Copy => self.copy(),
            Action::Restore => self.restore(),
            Action::Believe => self.believe(),
            Action::Resume => {
                self.resume();
                // What goes wrong from then on counts.
                sleep(Duration::from_secs(1)).await;
            }
            Action::Undo { client, chances } => self.undo(*client, chances).await,
            Action::Forget { client, person } => self.forget(*client, *person),
        }
    }

    // ---- what happens outside

    fn by_hand(&self, client: usize, person: usize, assign: bool) {
        let mut shared = self.hosts[0].lock();
        let case = shared.server.dialect().case;
        let email = email(person, 0);
        let subscription = shared.server.subscription_mut(id(client)).unwrap();
        if assign {
            subscription.assign(&email, case);
        } else if subscription.unassign(&email, case) {
            shared.truth.given[client].remove(&email);
            shared.truth.owed[client].retain(|(_, owed)| *owed != who(&email));
            shared.truth.taken[client].insert(email);
        }
    }

    fn new_key(&mut self, client: usize, told: bool) {
        self.born += 1;
        let key = Uuid::from_u128(0xdef0_0000 + self.born as u128).to_string();
        let mut shared = self.hosts[0].lock();
        shared.truth.keys.push(key.clone());
        let key = SecretString::from(key);
        shared.server.subscription_mut(id(client)).unwrap().set_key(key.clone());
        if told {
            shared.told[client] = key;
        }
    }

    // ---- processes

    /// A process is about to do something. One that was asked to end has, and is started again.
    pub(crate) fn begin(&mut self, process: usize, chances: &Chances, stall: Option<u16>) {
        if self.worlds[process].shutdown.is_cancelled() {
            self.rebirth(process);
        }
        let shutdown = self.worlds[process].shutdown.clone();
        self.hosts[0].lock().processes[process].begin(chances, stall, shutdown);
    }

    fn read(&mut self, source: usize, how: How, crash: Option<u16>) {
        self.begin(0, &Chances { crash, ..Chances::default() }, None);
        if !self.hosts[0].read(source, how) {
            self.rebirth(0);
        }
    }

    /// A process that died is started again.
    pub(crate) fn rebirth(&mut self, process: usize) {
        self.born += 1;
        self.worlds[process] = world(&self.config, &self.hosts[process], self.born);
    }

    // ---- passes

    async fn pass(&mut self, client: usize, process: usize, ask: bool, chances: &Chances) {
        let before = self.before(client);
        let (shown, was_braked) = (self.shown(client, ask), self.is_braked());
        let ended = self.run(client, process, ask).await;
        let Some(ended) = ended else {
            self.rebirth(process);
            self.after(client, None, &before);
            return;
        };
        if let (Some(shown), Ok(Passed::Ran { plan, .. })) = (shown, &ended)
            && chances.jump.is_none()
            && !self.is_disturbed(client)
            // What is settled first is planned for after that.
            && !before.is_open
            // Whose new address is refused has the old one's seat again, which is planned for in the same run.
            && !shown.rename.iter().any(|rename| is_offender(rename.to.identity()))
            && was_braked == self.is_braked()
            && *shown != **plan
        {
            let what = format!("c{client}: shown {shown:?}, done {plan:?}");
            self.hosts[0].lock().breaks(Rule::PlanIsRun, what);
        }
        self.after(client, Some(ended), &before);
    }

    /// What `rosterd plan` shows before the pass.
    fn shown(&self, client: usize, ask: bool) -> Option<Arc<Plan>> {
        let shared = self.hosts[0].lock();
        let mut subscription = self.config.subscriptions[&name(client)].clone();
        if shared.mistake == Some(Mistake::OtherPlan) {
            subscription.policy.removal_grace.left = Duration::from_secs(7);
            subscription.policy.exclude = config::Globs::new(&["p*2.*".to_owned()]).unwrap();
        }
        let seen = pass::look_at(&shared.ledger, &self.config, &subscription, ask, shared.now()).unwrap();
        seen.work.resume.is_empty().then_some(seen.plan)
    }

    /// `None`: the process died.
    async fn run(&mut self, client: usize, process: usize, ask: bool) -> Option<Result<Passed, PassError>> {
        let stopped = Arc::clone(&self.hosts[process].lock().processes[process].stopped);
        let mut task = self.start(client, process, ask);
        tokio::select! {
            biased;
            ended = &mut task => Some(joined(ended)),
            () = stopped.notified() => {
                task.abort();
                drop(task.await);
                None
            }
        }
    }

    fn start(&self, client: usize, process: usize, ask: bool) -> JoinHandle<Result<Passed, PassError>> {
        self.start_after(Duration::ZERO, client, process, ask)
    }

    fn start_after(
        &self,
        delay: Duration,
        client: usize,
        process: usize,
        ask: bool,
    ) -> JoinHandle<Result<Passed, PassError>> {
        let (world, subscription) = (self.worlds[process].clone(), self.config.subscriptions[&name(client)].clone());
        tokio::spawn(async move {
            if !delay.is_zero() {
                sleep(delay).await;
            }
            pass::pass(&world, &subscription, Trigger::Schedule, ask).await
        })
    }

    async fn all(&mut self, second: usize, chances: &Chances) {
        self.begin(0, chances, None);
        self.begin(1, &Chances { latency: chances.latency, ..Chances::default() }, None);
        let clients: Vec<usize> = (0..CLIENTS).filter(|client| self.has(*client)).collect();
        let second = if self.has(second) { second } else { clients[0] };
        let before: Vec<Before> = clients.iter().map(|client| self.before(*client)).collect();
        self.not_alone(second);
        let stopped = Arc::clone(&self.hosts[0].lock().processes[0].stopped);
        let mut tasks: Vec<_> = clients.iter().map(|client| self.start(*client, 0, true)).collect();
        // It comes at the same moment, or into the middle of a request.
        let delay = if chances.latency.is_multiple_of(2) { 0 } else { chances.latency / 4 };
        let other = self.start_after(Duration::from_millis(delay), second, 1, true);
        let mut died = false;
        let mut ended = Vec::new();
        for task in &mut tasks {
            tokio::select! {
                biased;
                end = &mut *task => ended.push(Some(joined(end))),
                () = stopped.notified(), if !died => {
                    died = true;
                    task.abort();
                    drop(task.await);
                    ended.push(None);
                }
            }
            if died {
                break;
            }
        }
        for task in tasks.into_iter().skip(ended.len()) {
            task.abort();
            drop(task.await);
            ended.push(None);
        }
        let other = joined(other.await);
        if died {
            self.rebirth(0);
        }
        for ((ended, before), client) in ended.into_iter().zip(before).zip(clients) {
            // With two at work on one client only what always holds can be said of it.
            let ended = ended.filter(|_| client != second || matches!(other, Ok(Passed::Elsewhere)));
            self.after(client, ended, &before);
        }
    }

    async fn stall(&mut self, client: usize, at: u16, chances: &Chances) {
        self.begin(0, &Chances { crash: None, ..chances.clone() }, Some(at));
        self.begin(1, &Chances::default(), None);
        let mut before = self.before(client);
        self.not_alone(client);
        let (stopped, goes_on) = {
            let this = &self.hosts[0].lock().processes[0];
            (Arc::clone(&this.stopped), Arc::clone(&this.goes_on))
        };
        let mut first = self.start(client, 0, true);
        let ended = tokio::select! {
            biased;
            ended = &mut first => Some(joined(ended)),
            () = stopped.notified() => None,
        };
        if let Some(ended) = ended {
            self.after(client, Some(ended), &before);
            return;
        }
        // Its timers stand still with it; so the lease is outlived by the calendar alone.
        self.hosts[0].lock().set_clock(PAST_LEASES);
        // The second plans with what the first has done, and settles what it has left open.
        before.holding = before.holding.max(self.hosts[0].lock().may_hold(client));
        let second = joined(self.start(client, 1, true).await);
        self.said(client, &second);
        goes_on.notify_one();
        let first = joined(first.await);
        self.said(client, &first);
        self.after(client, None, &before);
    }

    /// Whether a roster has been read during the pass.
    fn is_disturbed(&self, client: usize) -> bool {
        self.hosts[0].lock().watches[client].as_ref().is_some_and(|watch| watch.disturbed.is_some())
    }

    pub(crate) fn not_alone(&self, client: usize) {
        if let Some(watch) = &mut self.hosts[0].lock().watches[client] {
            watch.alone = false;
        }
    }

    // ---- checks

    pub(crate) fn before(&self, client: usize) -> Before {
        let mut shared = self.hosts[0].lock();
        let now = shared.now();
        let open = shared.ledger.open_intents(&name(client)).unwrap();
        let open = open.into_iter().flat_map(|(_, intent)| {
            let operation = intent.operation;
            intent.addresses.into_iter().map(move |address| (address.identity().to_owned(), operation))
        });
        let open: BTreeMap<_, _> = open.collect();
        let holding = shared.ledger.counts(&name(client), now).unwrap().holding;
        let record = shared.ledger.subscription(&name(client)).unwrap();
        let members = members(&shared.ledger, client);
        let is_open = !open.is_empty();
        let desired = shared.truth.desired(client, now);
        shared.owes(client);
        let lasting = shared.truth.has_a_state(client, now);
        shared.watches[client] = Some(Watch::new(desired, lasting, open));
        Before {
            began: now,
            holding,
            is_open,
            free: if record.full_since.is_some() { Some(0) } else { record.seats.map(|seats| seats.free()) },
            batch_size: record.habits.batch_size.unwrap_or(usize::MAX).min(shared.truth.setting().batch_size),
            waiting: members
                .values()
                .filter_map(|m| Some((m.address.identity().to_owned(), m.waiting_since?)))
                .collect(),
            seated: members.values().filter(|m| m.has_seat).map(|m| m.address.identity().to_owned()).collect(),
            claims: members.values().filter(|m| m.claim.is_some()).map(|m| m.address.identity().to_owned()).collect(),
        }
    }

    /// What holds after a pass however it ended, and what holds after one that was made whole.
    pub(crate) fn after(&self, client: usize, ended: Option<Result<Passed, PassError>>, before: &Before) {
        if let Some(ended) = &ended {
            self.said(client, ended);
        }
        let mut shared = self.hosts[0].lock();
        let Some(watch) = shared.watches[client].take() else { return };
        shared.guarded(client, &watch, before);
        shared.believes(client);
        shared.keeps(client);
        shared.key_is_nowhere(client);
        let Some(Ok(ended)) = ended else { return };
        if matches!(&ended, Passed::Elsewhere) {
            return;
        }
        let took = shared.now() - before.began;
        // By a clock that was set back who comes now seems to have waited longer than who came before.
        let is_brief = took >= TimeDelta::zero() && took < TimeDelta::minutes(1);
        let is_steady = is_brief && before.waiting.values().all(|since| *since <= before.began);
        if is_brief && watch.disturbed.is_none() && matches!(&ended, Passed::Ran { outcome: RunOutcome::Converged, .. })
        {
            shared.is_done(client, &self.config, before.began);
        }
        // Also of a run that stopped: who was not asked for waits, and why.
        if !watch.is_blurred() {
            shared.has_states(client, &watch);
        }
        let stopped = matches!(&ended, Passed::Ran { report, .. } if report.stopped.is_some());
        if !stopped {
            let now = shared.now();
            let Truth { spared, .. } = &shared.truth;
            let listed =
                |email: &&String| shared.truth.is_desired(client, email, now) && watch.desired.contains(*email);
            let still: BTreeSet<String> = spared[client].iter().filter(|email| !listed(email)).cloned().collect();
            shared.truth.spared[client] = still;
        }
        if watch.calm && watch.disturbed.is_none() && !before.is_open && !stopped && is_steady {
            shared.in_order(client, &watch, before);
        }
        let fits = before.free.is_none_or(|free| free >= watch.wanted()) && shared.has_room(client);
        if watch.clean && watch.disturbed.is_none() && !before.is_open && fits {
            let needed = watch.needed(before.batch_size);
            if watch.requests > needed {
                let what = format!("c{client}: {} requests where {needed} would do", watch.requests);
                shared.breaks(Rule::FewRequests, what);
            }
        }
    }

    /// A pass may fail, and not in every way.
    pub(crate) fn said(&self, client: usize, ended: &Result<Passed, PassError>) {
        let mut shared = self.hosts[0].lock();
        match ended {
            Ok(passed) => shared.note(|| match passed {
                Passed::Quiet { .. } => format!("c{client}: nothing to do"),
                Passed::Elsewhere => format!("c{client}: another process has it"),
                Passed::Ran { report, outcome, problem, .. } => {
                    format!("c{client}: {outcome:?} {report:?} {problem:?}")
                }
            }),
            Err(PassError::Ledger(LedgerError::DiskFull | LedgerError::Fenced { .. })) => {
                shared.note(|| format!("c{client}: {ended:?}"));
            }
            Err(PassError::Key { .. }) if shared.is_keyless() => shared.note(|| format!("c{client}: {ended:?}")),
            Err(other) => shared.breaks(Rule::NothingDropped, format!("c{client}: {other:?}")),
        }
    }

    // ---- the end

    /// Nothing goes wrong any more and nobody changes anything: what is left to do is done within a few rounds.
    async fn stand_still(&mut self) {
        {
            let mut shared = self.hosts[0].lock();
            shared.note(|| "the world stands still".to_owned());
            for client in 0..CLIENTS {
                shared.deliver(client);
            }
            shared.processes = Default::default();
        }
        sleep(PAST_DATES).await;
        self.configure(&Change::LeftOut(None));
        self.believe();
        for client in 0..CLIENTS {
            self.new_key(client, true);
        }
        for source in 0..SOURCES {
            self.read(source, How::Whole, None);
        }
        // One batch is sent again in each round.
        let again = self.hosts[0].lock().truth.setting().sends_again();
        let mut retried = [false; CLIENTS];
        for _ in 0..if again { ROUNDS + PEOPLE } else { ROUNDS } {
            for (client, retried) in retried.iter_mut().enumerate() {
                self.resume();
                self.approve(client);
                *retried = *retried || self.retry(client);
                let calm = Chances::default();
                self.begin(0, &calm, None);
                self.pass(client, 0, false, &calm).await;
            }
            if (0..CLIENTS).all(|client| self.hosts[0].lock().unconverged(client).is_empty()) {
                break;
            }
            sleep(ROUND).await;
        }
        let mut shared = self.hosts[0].lock();
        for client in 0..CLIENTS {
            for what in shared.unconverged(client) {
                shared.breaks(Rule::Converges, format!("c{client}: {what}"));
            }
        }
    }
}

pub(crate) fn joined(ended: Result<Result<Passed, PassError>, tokio::task::JoinError>) -> Result<Passed, PassError> {
    match ended {
        Ok(ended) => ended,
        Err(error) => resume_unwind(error.into_panic()),
    }
}

pub(crate) fn world(config: &Arc<Config>, host: &Host, born: usize) -> World<Host> {
    World {
        config: Arc::clone(config),
        outside: host.clone(),
        pacer: Arc::new(Pacer::new(&config.licensing)),
        owner: Owner(format!("process {born}")),
        looks: Arc::new(tokio::sync::Semaphore::new(LOOKS_MAX)),
        shutdown: CancellationToken::new(),
    }
}
