//! Passes in a small world: a ledger in memory, the sandbox behind bodies and replies, a clock that is set. Answers are
//! lost and the process dies where a test says so; each test reads as what people see.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};

use super::super::*;
use crate::address::Address;
use crate::config::{SecretError, SubscriptionType, load_str};
use crate::dispatch::machine::Request;
use crate::intake::{Intake, take_reading};
use crate::ledger::{Ledger, MemberState};
use crate::licensing::wire::{self, Answer, Headers};
use crate::roster::Entry;
use crate::sandbox::dialect::{Case, Dialect};
use crate::sandbox::{self, State};
use crate::source::{Reading, Snapshot};

const KEY: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
pub(super) const OTHER_KEY: &str = "11111111-4e5f-6071-8293-a4b5c6d7e8f9";

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fate {
    Answered,
    /// It never reaches the server, and nobody can tell.
    LostBefore,
    /// The server does it, and its answer is lost.
    LostAfter,
    /// The process dies when it is about to send.
    DiesBefore,
    /// The process dies when the server has done it.
    DiesAfter,
}
pub(super) use Fate::*;

/// The world that a pass reaches.
pub(super) struct Small {
    pub(super) ledger: Mutex<Ledger>,
    server: Mutex<State>,
    pub(super) key: Mutex<SecretString>,
    pub(super) now: Mutex<Timestamp>,
    /// Of the next requests; when they are used up, all are answered.
    pub(super) fates: Mutex<VecDeque<Fate>>,
    dead: AtomicBool,
    sent: Mutex<String>,
}

impl Outside for Small {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    async fn on_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger, Timestamp) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.blocking_on_ledger(work)
    }

    fn blocking_on_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger, Timestamp) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        if self.dead.load(Ordering::Relaxed) {
            return Err(LedgerError::Closed);
        }
        work(&mut self.ledger.lock().unwrap(), self.now())
    }

    fn key(&self, _: &Subscription) -> Result<SecretString, SecretError> {
        Ok(self.key.lock().unwrap().clone())
    }

    async fn send(&self, subscription: &Subscription, key: &SecretString, request: &Request) -> Answer {
        let fate = self.fates.lock().unwrap().pop_front().unwrap_or(Answered);
        let mut sent = self.sent.lock().unwrap();
        write!(sent, "{} {}", request.operation.method(), names(&request.addresses)).unwrap();
        let answer = matches!(fate, Answered | LostAfter | DiesAfter).then(|| {
            let path = wire::path(subscription.kind, subscription.id);
            let body = wire::body(key, &request.addresses);
            // The sandbox takes every address that rosterd does; it is made to refuse those with a `!`.
            let body = String::from_utf8(body).unwrap().replace("!@", "!@@");
            let reply = self.server.lock().unwrap().handle(request.operation.method(), &path, body.as_bytes());
            let words = reply.body.replace("!@@", "!@");
            wire::read(reply.status, Headers::default(), words.as_bytes(), key.expose_secret(), self.now())
        });
        self.dead.store(matches!(fate, DiesBefore | DiesAfter), Ordering::Relaxed);
        if let (Some(answer), Answered) = (answer, fate) {
            let word = match &answer {
                Answer::Done { .. } => "done",
                Answer::Refused { .. } => "refused",
                Answer::NoSeats { .. } => "no seats",
                Answer::KeyRefused { .. } => "key refused",
                other => panic!("{other:?}"),
            };
            writeln!(sent, ": {word}").unwrap();
            answer
        } else {
            writeln!(sent, ": {}", if matches!(fate, DiesBefore | DiesAfter) { "died" } else { "lost" }).unwrap();
            Answer::Lost { cause: "no answer within 30s".to_owned() }
        }
    }
}

pub(super) struct Play {
    pub(super) world: World<Small>,
    pub(super) runtime: tokio::runtime::Runtime,
}

impl Play {
    /// Ten seats, and batches of four.
    pub(super) fn new(dialect: Dialect) -> Play {
        let text = r#"
            [subscriptions.contoso]
            type = "Manual"
            id = "ff3d3cf5-5388-40a0-915f-970c1d2d972f"
            api_key = { file = "contoso.key" }
            sources = ["hr"]
            batch_size = 4
            [sources.hr]
            kind = "csv"
            path = "drops"
            allow_empty = true
        "#;
        let mut config = load_str(std::path::Path::new("/nonexistent/rosterd.toml"), text).unwrap();
        // A lost answer is left to the next pass.
        config.licensing.retry_for = Duration::ZERO;
        config.licensing.requests_per_second = 1e9;
        config.licensing.burst = 1000;
        let id = config.subscriptions["contoso"].id;
        let subscription = sandbox::Subscription::new(SubscriptionType::Manual, id, KEY.into(), 10);
        let outside = Small {
            ledger: Mutex::new(Ledger::scratch(std::path::Path::new("/nonexistent/rosterd.db")).unwrap()),
            server: Mutex::new(State::new([subscription], dialect)),
            key: Mutex::new(KEY.into()),
            now: Mutex::new("2026-11-23T08:00:00Z".parse().unwrap()),
            fates: Mutex::default(),
            dead: AtomicBool::new(false),
            sent: Mutex::default(),
        };
        let world = World {
            pacer: Arc::new(Pacer::new(&config.licensing)),
            config: Arc::new(config),
            outside,
            owner: Owner("one".to_owned()),
            looks: Arc::new(Semaphore::new(LOOKS_MAX)),
            shutdown: CancellationToken::new(),
        };
        Play { world, runtime: tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap() }
    }

    pub(super) fn subscription(&self) -> &Subscription {
        &self.world.config.subscriptions["contoso"]
    }

    /// The roster is these people from now on: names, each with a stable id before it where it has one (`7:ann`).
    pub(super) fn roster(&self, people: &str) {
        let entry = |(line, person): (usize, &str)| {
            let (id, name) = person.split_once(':').map_or((None, person), |(id, name)| (Some(id), name));
            Entry {
                address: address(name),
                stable_id: id.map(Into::into),
                route: None,
                priority: 100,
                starts: None,
                ends: None,
                origin: format!("staff.csv line {}", line + 2).into(),
            }
        };
        let entries = people.split_whitespace().enumerate().map(entry).collect();
        let hasher = self.world.outside.ledger.lock().unwrap().hasher().clone();
        let reading = Reading::Complete(Snapshot::of(entries, &hasher));
        let source = &self.world.config.sources["hr"];
        let taken = take_reading(&self.world.config, &self.world.outside, source, reading).unwrap();
        assert!(matches!(taken, Intake::Accepted { .. }), "{taken:?}");
    }

    /// One pass, five minutes after the last; what became of its requests, one a line.
    pub(super) fn pass(&self, fates: &[Fate]) -> String {
        *self.world.outside.now.lock().unwrap() += TimeDelta::minutes(5);
        *self.world.outside.fates.lock().unwrap() = fates.iter().copied().collect();
        self.world.outside.sent.lock().unwrap().clear();
        let passed = self.runtime.block_on(pass(&self.world, self.subscription(), Trigger::Roster, true));
        let died = matches!(passed, Err(PassError::Ledger(LedgerError::Closed)));
        assert!(passed.is_ok() || died, "{passed:?}");
        assert_eq!(died, self.world.outside.dead.load(Ordering::Relaxed));
        assert_eq!(*self.world.outside.fates.lock().unwrap(), [], "there were as many requests");
        self.world.outside.sent.lock().unwrap().trim_end().to_owned()
    }

    /// A new process, when the lease of the dead one has run out.
    pub(super) fn restart(&mut self) {
        self.world.outside.dead.store(false, Ordering::Relaxed);
        self.world.owner = Owner(format!("{}'", self.world.owner.0));
    }

    /// What somebody does at the server behind rosterd's back.
    pub(super) fn at_the_server(&self, act: impl FnOnce(&mut sandbox::Subscription)) {
        act(self.world.outside.server.lock().unwrap().subscription_mut(self.subscription().id).unwrap());
    }

    pub(super) fn server(&self) -> String {
        let server = self.world.outside.server.lock().unwrap();
        server.subscription(self.subscription().id).unwrap().assigned().map(local).collect::<Vec<_>>().join(" ")
    }

    /// Each member with what the ledger says of it.
    pub(super) fn members(&self) -> String {
        let mut members = Vec::new();
        let ledger = self.world.outside.ledger.lock().unwrap();
        let each = &mut |member: crate::ledger::Member| {
            let seat = match (member.state, member.has_seat) {
                (MemberState::Unknown | MemberState::Quarantined, true) => " with a seat",
                _ => "",
            };
            members.push(format!("{} {:?}{seat}", local(member.address.spelling()), member.state).to_lowercase());
        };
        ledger.for_each_member("contoso", None, each).unwrap();
        members.join(", ")
    }

    /// What history says of a person, the oldest first.
    pub(super) fn history(&self, name: &str) -> String {
        let ledger = self.world.outside.ledger.lock().unwrap();
        let lines = ledger.history_of(address(name).identity(), 100).unwrap();
        lines.iter().map(|line| format!("{:?}: {}", line.event, line.detail)).collect::<Vec<_>>().join("\n")
    }

    pub(super) fn reason(&self, name: &str) -> String {
        let ledger = self.world.outside.ledger.lock().unwrap();
        ledger.candidate("contoso", &[], address(name).identity()).unwrap().member.unwrap().reason
    }

    /// Somebody assigns these at the server, behind rosterd's back.
    pub(super) fn assign_by_hand(&self, people: &str) {
        self.at_the_server(|subscription| {
            for name in people.split_whitespace() {
                subscription.assign(address(name).spelling(), Case::Insensitive);
            }
        });
    }

    pub(super) fn problem(&self) -> String {
        let record = self.world.outside.ledger.lock().unwrap().subscription("contoso").unwrap();
        record.problem.map_or_else(String::new, |(why, _)| why)
    }

    /// Nothing is left to do, and the server has exactly who the roster names.
    #[track_caller]
    pub(super) fn is_settled(&self, people: &str) {
        assert_eq!(self.server(), people);
        assert_eq!(self.pass(&[]), "", "nobody is sent for nothing");
        let members = people.split_whitespace().map(|name| format!("{name} assigned")).collect::<Vec<_>>().join(", ");
        assert_eq!(self.members(), members);
        assert_eq!(self.problem(), "");
    }
}

pub(super) fn address(name: &str) -> Address {
    Address::parse(&format!("{name}@contoso.com")).unwrap()
}

pub(super) fn local(email: &str) -> &str {
    email.split('@').next().unwrap()
}

pub(super) fn names(addresses: &[Address]) -> String {
    addresses.iter().map(|address| local(address.spelling())).collect::<Vec<_>>().join(" ")
}
