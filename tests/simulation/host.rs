//! The world that a pass touches, played: a ledger in memory, the sandbox as the server, a clock that is set, and whatever
//! goes wrong between them. It watches what leaves and what takes effect, and says which rule that breaks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use rosterd::clock::Timestamp;
use rosterd::config::{Config, SecretError, Subscription};
use rosterd::dispatch::machine::Request;
use rosterd::ledger::{Ledger, LedgerError};
use rosterd::licensing::wire::{self, Answer, Headers, Operation};
use rosterd::outside::Outside;
use rosterd::sandbox::State;
use rosterd::sandbox::reply::Reply;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::rules::{Mistake, Rule};
use crate::script::{CLIENTS, Chances, Fault};
use crate::truth::Truth;
use crate::watch::Watch;

/// Everything there is, apart from what a process keeps in its memory.
pub(crate) struct Shared {
    pub(crate) ledger: Ledger,
    pub(crate) server: State,
    pub(crate) truth: Truth,
    /// The key of each subscription as rosterd was told it.
    pub(crate) told: [SecretString; CLIENTS],
    pub(crate) processes: [Process; 3],
    pub(crate) config: Arc<Config>,
    pub(crate) watches: [Option<Watch>; CLIENTS],
    pub(crate) mistake: Option<Mistake>,
    /// What was broken, with the rule.
    pub(crate) broken: Vec<(Rule, String)>,
    pub(crate) log: Option<Vec<String>>,
    base: Timestamp,
    since: Instant,
    /// Requests that were held up on their way.
    late: [Vec<(Operation, Vec<u8>)>; CLIENTS],
    in_flight: [usize; CLIENTS],
    /// An unassignment that is overtaken, by mistake.
    overtaken: [Option<(Operation, Vec<u8>)>; CLIENTS],
}

/// What is left of a lease when a request leaves, at least, in seconds.
const LEASE_LEFT: i64 = 60;

/// What befalls one process.
#[derive(Default)]
pub(crate) struct Process {
    actions: u16,
    chances: Chances,
    faults: VecDeque<Fault>,
    stall: Option<u16>,
    /// The clock was set ahead, by more than what is left of a lease when a request leaves.
    leapt: bool,
    /// Removals were stopped everywhere when it last touched the ledger.
    braked: bool,
    /// No new request starts once this is cancelled.
    shutdown: CancellationToken,
    /// Who has sent a request since then, which was about to leave.
    seen_through: BTreeSet<usize>,
    /// Told when the process has died or stands still.
    pub(crate) stopped: Arc<Notify>,
    pub(crate) goes_on: Arc<Notify>,
}

impl Process {
    pub(crate) fn begin(&mut self, chances: &Chances, stall: Option<u16>, shutdown: CancellationToken) {
        self.actions = 0;
        self.faults = chances.faults.iter().copied().collect();
        self.chances = chances.clone();
        self.stall = stall;
        self.leapt = false;
        self.shutdown = shutdown;
        self.seen_through = BTreeSet::new();
        self.stopped = Arc::default();
        self.goes_on = Arc::default();
    }
}

impl Process {
    /// The source that another process looks at now.
    pub(crate) fn read_due(&self) -> Option<usize> {
        self.chances.read.filter(|(at, _)| *at == self.actions).map(|(_, source)| source)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    BeforeLedger,
    Elsewhere,
}

enum Gate {
    Open,
    Dies,
    Stands,
    FullDisk,
}

impl Shared {
    pub(crate) fn new(
        ledger: Ledger,
        server: State,
        truth: Truth,
        told: [SecretString; CLIENTS],
        base: Timestamp,
        config: Arc<Config>,
    ) -> Shared {
        Shared {
            ledger,
            server,
            truth,
            told,
            processes: Default::default(),
            config,
            watches: Default::default(),
            mistake: None,
            broken: Vec::new(),
            log: None,
            base,
            since: Instant::now(),
            late: Default::default(),
            in_flight: Default::default(),
            overtaken: Default::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.base + TimeDelta::from_std(self.since.elapsed()).unwrap_or_default()
    }

    pub(crate) fn set_clock(&mut self, seconds: i64) {
        self.base += TimeDelta::seconds(seconds);
        self.note(|| format!("the clock is set by {seconds} s"));
    }

    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        let now = self.now();
        if let Some(log) = &mut self.log {
            log.push(format!("{} {}", now.format("%m-%d %H:%M:%S"), what()));
        }
    }

    pub(crate) fn breaks(&mut self, rule: Rule, what: String) {
        self.note(|| format!("BROKEN {rule:?}: {what}"));
        self.broken.push((rule, what));
    }

    pub(crate) fn is_late(&self, client: usize) -> bool {
        !self.late[client].is_empty()
    }

    /// What was held up arrives.
    pub(crate) fn deliver(&mut self, client: usize) {
        for (operation, body) in std::mem::take(&mut self.late[client]) {
            self.apply(client, operation, &body, true);
        }
    }

    fn gate(&mut self, process: usize, place: Place) -> Gate {
        let this = &mut self.processes[process];
        let action = this.actions;
        this.actions = action.saturating_add(1);
        if this.chances.shutdown == Some(action) {
            this.shutdown.cancel();
        }
        let jump = this.chances.jump.filter(|(at, _)| *at == action).map(|(_, seconds)| seconds);
        let gate = match place {
            _ if this.chances.crash == Some(action) => Gate::Dies,
            Place::BeforeLedger if this.chances.full_disk.is_some_and(|at| at <= action) => {
                this.chances.full_disk = None;
                Gate::FullDisk
            }
            // Between the last look at the lease and the sending nobody can notice that a process stood still.
            Place::BeforeLedger if this.stall.is_some_and(|at| at <= action) => {
                this.stall = None;
                Gate::Stands
            }
            _ => Gate::Open,
        };
        if let Some(seconds) = jump {
            self.processes[process].leapt = seconds >= LEASE_LEFT;
            self.set_clock(seconds);
            // Somebody's date may have come in the middle of a pass.
            self.watches.iter_mut().flatten().for_each(|watch| watch.jumped = true);
        }
        gate
    }

    pub(crate) fn is_keyless(&self) -> bool {
        self.processes.iter().any(|process| process.chances.keyless)
    }

    /// A request is about to leave.
    fn leaves(&mut self, process: usize, client: usize, request: &Request) {
        let name = name(client);
        self.note(|| {
            let emails: Vec<&str> = request.addresses.iter().map(rosterd::address::Address::spelling).collect();
            format!("{name}: process {process} sends {} {}", request.operation.method(), emails.join(" "))
        });
        // What is left of a lease when a request leaves can end by the calendar alone: nobody can notice that in between,
        // and the fence keeps the first from writing.
        let leapt = self.processes.iter().any(|process| process.leapt);
        if self.in_flight[client] > 1 && !leapt {
            self.breaks(Rule::OneWriter, format!("two requests for {name} at once"));
        }
        let this = &mut self.processes[process];
        if this.shutdown.is_cancelled() && !this.seen_through.insert(client) {
            self.breaks(Rule::FewRequests, format!("requests for {name} go on when the process is to end"));
        }
        let undone = |address: &rosterd::address::Address| {
            self.watches[client].as_ref().is_some_and(|watch| watch.undone.contains(address.identity()))
        };
        // Between the last look at the brake and the sending nobody can notice that it was put on.
        let braked = self.processes[process].braked;
        if braked && request.operation == Operation::Unassign && !request.addresses.iter().all(undone) {
            self.breaks(Rule::Guarded, format!("{name}: a removal leaves while removals are stopped everywhere"));
        }
        let open = self.ledger.open_intents(&name).unwrap();
        let asks_again =
            open.iter().any(|(_, intent)| intent.again && intent.addresses.contains(&request.addresses[0]));
        if asks_again && let Some(watch) = &mut self.watches[client] {
            watch.again.0.extend(request.addresses.iter().map(|address| address.identity().to_owned()));
            watch.again.1 += 1;
        }
        for address in &request.addresses {
            let is_open = |intent: &rosterd::dispatch::machine::NewIntent| {
                intent.operation == request.operation && intent.addresses.contains(address)
            };
            if !open.iter().any(|(_, intent)| is_open(intent)) {
                self.breaks(Rule::IntentFirst, format!("{address} is sent without an intent"));
            }
        }
    }

    fn serve(&mut self, process: usize, client: usize, request: &Request, key: &SecretString) -> Answer {
        let body = wire::body(key, &request.addresses);
        let operation = request.operation;
        let emails: Vec<String> = request.addresses.iter().map(|address| address.identity().to_owned()).collect();
        let fault = self.processes[process].faults.pop_front().unwrap_or(Fault::None);
        self.note(|| format!("  {fault:?}"));
        self.deliver(client);
        let lost = || Answer::Lost { cause: "the connection was lost".to_owned() };
        let reply = |this: &mut Shared, sees: &[String]| {
            let reply = this.arrives(client, operation, &body, sees);
            this.read(client, &reply, key)
        };
        let page = Reply::text(200, "text/html", "<html>Sign in to the network</html>".to_owned());
        let answer = match fault {
            Fault::LostBefore => lost(),
            Fault::LostAfter => {
                reply(self, &emails);
                lost()
            }
            Fault::Late => {
                self.truth.asked(client, operation, &emails);
                self.late[client].push((operation, body));
                lost()
            }
            Fault::Twice => {
                reply(self, &emails);
                reply(self, &emails)
            }
            Fault::Busy => self.read(client, &Reply::error(503, "busy"), key),
            Fault::BusyAfter => {
                reply(self, &emails);
                self.read(client, &Reply::error(504, "busy"), key)
            }
            Fault::TooMany => {
                self.read(client, &Reply::error(429, "slow").with_header("retry-after", "3".to_owned()), key)
            }
            Fault::Page => self.read(client, &page, key),
            Fault::PageAfter => {
                reply(self, &emails);
                self.read(client, &page, key)
            }
            Fault::NotFound => self.read(client, &Reply::error(404, "no such host"), key),
            Fault::Redirect => {
                let target = "https://elsewhere.example/".to_owned();
                self.read(client, &Reply::empty(302).with_header("location", target), key)
            }
            Fault::TooLarge if emails.len() > 1 => self.read(client, &Reply::empty(413), key),
            Fault::None | Fault::TooLarge => reply(self, &emails),
            Fault::NotSent => Answer::NotSent { cause: "no connection".to_owned() },
            Fault::Echo => {
                let body = String::from_utf8_lossy(&body).into_owned();
                self.read(client, &Reply::error(403, &body), key)
            }
        };
        if let Some(watch) = &mut self.watches[client] {
            watch.requests += 1;
            watch.clean &= matches!(answer, Answer::Done { .. }) && fault == Fault::None;
            watch.calm &= fault == Fault::None;
        }
        self.note(|| format!("  {answer:?}"));
        answer
    }

    /// A request arrives at the server in its turn.
    fn arrives(&mut self, client: usize, operation: Operation, body: &[u8], emails: &[String]) -> Reply {
        self.truth.asked(client, operation, emails);
        if self.mistake == Some(Mistake::Overtaking)
            && operation == Operation::Unassign
            && self.overtaken[client].is_none()
        {
            self.overtaken[client] = Some((operation, body.to_owned()));
            let stats = self.server.subscription(id(client)).unwrap().stats();
            return Reply::done(stats);
        }
        if let Some(what) = self.watches[client].as_mut().and_then(|watch| watch.sees(operation, emails)) {
            self.breaks(Rule::FreeFirst, what);
        }
        if operation == Operation::Assign
            && let Some(watch) = self.watches[client].as_ref().filter(|watch| !watch.is_blurred())
            && let Some(email) = self.truth.beyond(client, emails, watch, self.now())
        {
            self.breaks(Rule::Converges, format!("a seat is asked for {email}, who should have none"));
        }
        let reply = self.apply(client, operation, body, false);
        if operation == Operation::Assign
            && let Some((operation, body)) = self.overtaken[client].take()
        {
            if let Some(what) = self.watches[client].as_mut().and_then(|watch| watch.sees(operation, &[])) {
                self.breaks(Rule::FreeFirst, what);
            }
            self.apply(client, operation, &body, false);
        }
        reply
    }

    /// The server does it, whether anybody hears the answer or not.
    fn apply(&mut self, client: usize, operation: Operation, body: &[u8], late: bool) -> Reply {
        let before = self.assigned(client);
        // The sandbox takes every address that rosterd does; it is made to refuse the offenders'.
        let body = String::from_utf8_lossy(body).replace("!@", "!@@");
        let path = wire::path(rosterd::config::SubscriptionType::Manual, id(client));
        let mut reply = self.server.handle(operation.method(), &path, body.as_bytes());
        reply.body = reply.body.replace("!@@", "!@");
        let after = self.assigned(client);
        let now = self.now();
        for email in before.difference(&after) {
            if let Some((rule, what)) = self.truth.loses(client, email, late, self.watches[client].as_mut(), now) {
                self.breaks(rule, what);
            }
        }
        for email in after.difference(&before) {
            self.truth.gets(client, email);
            if let Some(watch) = &mut self.watches[client] {
                watch.added.insert(email.to_lowercase());
            }
        }
        reply
    }

    pub(crate) fn assigned(&self, client: usize) -> BTreeSet<String> {
        self.server.subscription(id(client)).unwrap().assigned().map(str::to_owned).collect()
    }

    fn read(&self, _client: usize, reply: &Reply, key: &SecretString) -> Answer {
        let headers = Headers {
            retry_after: reply.header("retry-after"),
            location: reply.header("location"),
            content_type: reply.header("content-type"),
        };
        let secret = if self.mistake == Some(Mistake::KeyShown) { "nothing" } else { key.expose_secret() };
        wire::read(reply.status, headers, reply.body.as_bytes(), secret, self.now())
    }
}

pub(crate) fn name(client: usize) -> String {
    format!("c{client}")
}

pub(crate) fn id(client: usize) -> Uuid {
    Uuid::from_u128(client as u128 + 1)
}

fn client_of(name: &str) -> usize {
    name[1..].parse().unwrap()
}

/// One process' way to the world.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) shared: Arc<Mutex<Shared>>,
    pub(crate) process: usize,
}

/// Ends a blocking look at a source as a crash does.
pub(crate) struct Crash;

impl Host {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An action of the process: it may be the last one.
    async fn pass_gate(&self, place: Place) -> Result<(), LedgerError> {
        self.is_read_beside();
        let (gate, stopped, goes_on) = {
            let mut shared = self.lock();
            let gate = shared.gate(self.process, place);
            let this = &shared.processes[self.process];
            (gate, Arc::clone(&this.stopped), Arc::clone(&this.goes_on))
        };
        match gate {
            Gate::Open => Ok(()),
            Gate::FullDisk => Err(LedgerError::DiskFull),
            Gate::Stands => {
                self.lock().note(|| "the process stands still".to_owned());
                stopped.notify_one();
                goes_on.notified().await;
                Ok(())
            }
            Gate::Dies => {
                self.lock().note(|| "the process dies".to_owned());
                stopped.notify_one();
                pending().await
            }
        }
    }

    fn on_the_ledger<T>(
        &self,
        work: impl FnOnce(&mut Ledger, Timestamp) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let mut shared = self.lock();
        let ahead = shared.mistake == Some(Mistake::TwoWriters) && self.process == 1;
        let now = shared.now() + TimeDelta::minutes(if ahead { 10 } else { 0 });
        let done = work(&mut shared.ledger, now);
        if shared.truth.setting().brake {
            shared.processes[self.process].braked = shared.ledger.brake().unwrap().is_some();
        }
        done
    }
}

/// Counts a request for as long as it is on its way.
struct InFlight<'a>(&'a Host, usize);

impl<'a> InFlight<'a> {
    fn new(host: &'a Host, client: usize) -> InFlight<'a> {
        host.lock().in_flight[client] += 1;
        InFlight(host, client)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.lock().in_flight[self.1] -= 1;
    }
}

impl Outside for Host {
    fn now(&self) -> Timestamp {
        self.lock().now()
    }

    async fn on_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger, Timestamp) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.pass_gate(Place::BeforeLedger).await?;
        let result = self.on_the_ledger(work);
        self.pass_gate(Place::Elsewhere).await?;
        result
    }

    fn blocking_on_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger, Timestamp) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let gate = self.lock().gate(self.process, Place::BeforeLedger);
        if let Gate::Dies = gate {
            std::panic::resume_unwind(Box::new(Crash));
        }
        self.on_the_ledger(work)
    }

    fn key(&self, subscription: &Subscription) -> Result<SecretString, SecretError> {
        let shared = self.lock();
        if shared.processes[self.process].chances.keyless {
            return Err(SecretError::Empty("its file".to_owned()));
        }
        Ok(shared.told[client_of(&subscription.name)].clone())
    }

    async fn send(&self, subscription: &Subscription, key: &SecretString, request: &Request) -> Answer {
        let client = client_of(&subscription.name);
        // An error is a full disk, which no request meets.
        drop(self.pass_gate(Place::Elsewhere).await);
        let _in_flight = InFlight::new(self, client);
        let mut request = request.clone();
        let latency = {
            let mut shared = self.lock();
            let Shared { truth, mistake, server, .. } = &*shared;
            truth.err(*mistake, client, &mut request, server);
            shared.leaves(self.process, client, &request);
            Duration::from_millis(shared.processes[self.process].chances.latency)
        };
        if !latency.is_zero() {
            sleep(latency / 2).await;
        }
        let answer = self.lock().serve(self.process, client, &request, key);
        if !latency.is_zero() {
            sleep(latency / 2).await;
        }
        drop(self.pass_gate(Place::Elsewhere).await);
        answer
    }
}

/// Members of a subscription by identity.
pub(crate) fn members(ledger: &Ledger, client: usize) -> BTreeMap<String, rosterd::ledger::Member> {
    let mut members = BTreeMap::new();
    let each = &mut |member: rosterd::ledger::Member| {
        members.insert(member.address.identity().to_owned(), member);
    };
    ledger.for_each_member(&name(client), None, each).unwrap();
    members
}
