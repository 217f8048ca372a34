//! Passes in a small world: a ledger in memory, the sandbox behind bodies and replies, a clock that is set. Answers are
//! lost and the process dies where a test says so; each test reads as what people see.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use insta::assert_snapshot;
use secrecy::{ExposeSecret as _, SecretString};

use super::super::*;
use crate::address::Address;
use crate::config::{BrakeLimits, Limit, SecretError, SubscriptionType, load_str};
use crate::dispatch::machine::Request;
use crate::intake::{Intake, take_reading};
use crate::ledger::{Ledger, MemberState};
use crate::licensing::wire::{self, Answer, Headers};
use crate::roster::Entry;
use crate::sandbox::dialect::{AlreadyAssigned, Dialect, Errors, NoSeats, Partial, StatsOn402};
use crate::sandbox::{self, State};
use crate::source::{Incomplete, Reading, Snapshot};

const KEY: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
const OTHER_KEY: &str = "11111111-4e5f-6071-8293-a4b5c6d7e8f9";

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
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
use Fate::*;

/// The world that a pass reaches.
struct Small {
    ledger: Mutex<Ledger>,
    server: Mutex<State>,
    key: Mutex<SecretString>,
    now: Mutex<Timestamp>,
    /// Of the next requests; when they are used up, all are answered.
    fates: Mutex<VecDeque<Fate>>,
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
            let reply = self.server.lock().unwrap().handle(request.operation.method(), &path, &body);
            wire::read(reply.status, Headers::default(), reply.body.as_bytes(), key.expose_secret(), self.now())
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

struct Play {
    world: World<Small>,
    runtime: tokio::runtime::Runtime,
}

impl Play {
    /// Ten seats, and batches of four.
    fn new(dialect: Dialect) -> Play {
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

    fn subscription(&self) -> &Subscription {
        &self.world.config.subscriptions["contoso"]
    }

    /// The roster is these people from now on: names, each with a stable id before it where it has one (`7:ann`).
    fn roster(&self, people: &str) {
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
    fn pass(&self, fates: &[Fate]) -> String {
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
    fn restart(&mut self) {
        self.world.outside.dead.store(false, Ordering::Relaxed);
        self.world.owner = Owner(format!("{}'", self.world.owner.0));
    }

    /// What somebody does at the server behind rosterd's back.
    fn at_the_server(&self, act: impl FnOnce(&mut sandbox::Subscription)) {
        act(self.world.outside.server.lock().unwrap().subscription_mut(self.subscription().id).unwrap());
    }

    fn server(&self) -> String {
        let server = self.world.outside.server.lock().unwrap();
        server.subscription(self.subscription().id).unwrap().assigned().map(local).collect::<Vec<_>>().join(" ")
    }

    /// Each member with what the ledger says of it.
    fn members(&self) -> String {
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
    fn history(&self, name: &str) -> String {
        let ledger = self.world.outside.ledger.lock().unwrap();
        let lines = ledger.history_of(address(name).identity(), 100).unwrap();
        lines.iter().map(|line| format!("{:?}: {}", line.event, line.detail)).collect::<Vec<_>>().join("\n")
    }

    fn problem(&self) -> String {
        let record = self.world.outside.ledger.lock().unwrap().subscription("contoso").unwrap();
        record.problem.map_or_else(String::new, |(why, _)| why)
    }

    /// Nothing is left to do, and the server has exactly who the roster names.
    #[track_caller]
    fn is_settled(&self, people: &str) {
        assert_eq!(self.server(), people);
        assert_eq!(self.pass(&[]), "", "nobody is sent for nothing");
        let members = people.split_whitespace().map(|name| format!("{name} assigned")).collect::<Vec<_>>().join(", ");
        assert_eq!(self.members(), members);
        assert_eq!(self.problem(), "");
    }
}

fn address(name: &str) -> Address {
    Address::parse(&format!("{name}@contoso.com")).unwrap()
}

fn local(email: &str) -> &str {
    email.split('@').next().unwrap()
}

fn names(addresses: &[Address]) -> String {
    addresses.iter().map(|address| local(address.spelling())).collect::<Vec<_>>().join(" ")
}

/// Every way in which a server can treat what it is sent a second time.
fn dialects() -> impl Iterator<Item = Dialect> {
    (0..16).map(|bits: u8| {
        let partial = |bit: u8| if bits & bit == 0 { Partial::RefuseAll } else { Partial::ApplyRest };
        Dialect {
            already_assigned: if bits & 1 == 0 { AlreadyAssigned::Ok } else { AlreadyAssigned::Error },
            errors: if bits & 2 == 0 { Errors::Named } else { Errors::Anonymous },
            bad_address: partial(4),
            not_assigned: partial(8),
            ..Dialect::default()
        }
    })
}

#[test]
fn who_left_while_the_answer_was_lost_is_unassigned_and_who_stays_is_not_sent_again() {
    for fate in [LostBefore, LostAfter] {
        let play = Play::new(Dialect::default());
        play.roster("ann bob");
        assert_eq!(play.pass(&[fate]), "PUT ann bob: lost");
        assert_eq!(play.members(), "ann unknown, bob unknown");
        play.roster("ann");
        assert_eq!(play.pass(&[]), "PUT ann bob: done\nDELETE bob: done", "{fate:?}");
        play.is_settled("ann");
        assert_eq!(
            play.history("bob").lines().map(|line| line.split(':').next().unwrap()).collect::<Vec<_>>(),
            ["Unknown", "Assigned", "Unassigned"]
        );
    }
}

#[test]
fn whatever_the_server_says_of_repetitions_a_lost_answer_ends_with_who_should_have_a_seat() {
    for dialect in dialects() {
        for (one, two) in
            [(LostBefore, LostBefore), (LostAfter, LostBefore), (LostBefore, LostAfter), (LostAfter, LostAfter)]
        {
            let play = Play::new(dialect);
            play.roster("ann bob cid dan eve");
            play.pass(&[one]);
            play.roster("ann cid dan fay");
            play.pass(&[two]);
            play.pass(&[]);
            assert_eq!(play.server(), "ann cid dan fay", "{dialect:?}, {one:?}, {two:?}");
            play.is_settled("ann cid dan fay");

            // The same with unassignments.
            play.roster("ann gus");
            play.pass(&[one]);
            play.pass(&[two]);
            play.pass(&[]);
            play.is_settled("ann gus");
        }
    }
}

#[test]
fn a_repetition_that_is_refused_because_it_had_been_done_is_a_success() {
    let named = Dialect { already_assigned: AlreadyAssigned::Error, ..Dialect::default() };
    let play = Play::new(named);
    play.roster("ann bob");
    play.pass(&[LostAfter]);
    assert_eq!(play.pass(&[]), "PUT ann bob: refused");
    play.is_settled("ann bob");
    assert_snapshot!(play.history("bob"), @r"
    Unknown: no answer to the request to assign it: the server can't be reached: no answer within 30s
    Assigned: hr: staff.csv line 3; it was assigned already: 'bob@contoso.com' is already assigned.
    ");

    let play = Play::new(Dialect { errors: Errors::Anonymous, ..named });
    play.roster("ann bob");
    play.pass(&[LostAfter]);
    assert_snapshot!(play.pass(&[]), @r"
    PUT ann bob: refused
    PUT ann: refused
    PUT bob: refused
    ");
    play.is_settled("ann bob");

    for errors in [Errors::Named, Errors::Anonymous] {
        let play = Play::new(Dialect { errors, ..named });
        play.roster("ann bob cid");
        play.pass(&[]);
        play.roster("ann");
        assert_eq!(play.pass(&[LostAfter]), "DELETE bob cid: lost");
        assert_eq!(play.members(), "ann assigned, bob unknown with a seat, cid unknown with a seat");
        play.pass(&[]);
        play.is_settled("ann");
        assert!(play.history("cid").contains("it was not assigned:"), "{}", play.history("cid"));
    }
}

#[test]
fn who_was_renamed_while_the_answer_was_lost_has_one_seat_under_the_new_address() {
    for fate in [LostBefore, LostAfter] {
        let play = Play::new(Dialect::default());
        play.roster("1:ann 2:bob");
        play.pass(&[fate]);
        play.roster("1:anna 2:bob");
        assert_eq!(play.pass(&[]), "PUT ann bob: done\nDELETE ann: done\nPUT anna: done", "{fate:?}");
        play.is_settled("anna bob");
        assert!(play.history("ann").ends_with("Renamed: to anna@contoso.com"), "{}", play.history("ann"));
    }
}

#[test]
fn a_rename_whose_answers_are_lost_leaves_one_seat() {
    for fates in [[LostBefore, Answered], [LostAfter, Answered], [Answered, LostBefore], [Answered, LostAfter]] {
        let play = Play::new(Dialect::default());
        play.roster("1:ann 2:bob");
        play.pass(&[]);
        play.roster("1:anna 2:bob");
        play.pass(if fates[0] == Answered { &fates } else { &fates[..1] });
        play.pass(&[]);
        play.is_settled("anna bob");
    }
}

#[test]
fn a_key_that_is_refused_in_between_settles_nothing() {
    for fate in [LostBefore, LostAfter] {
        let play = Play::new(Dialect::default());
        play.roster("ann bob");
        play.pass(&[fate]);
        play.at_the_server(|subscription| subscription.set_key(OTHER_KEY.into()));
        play.roster("ann cid");
        assert_eq!(play.pass(&[]), "PUT ann bob: key refused", "nothing else is sent");
        assert_eq!(play.members(), "ann unknown, bob unknown", "a refused key does not say who has a seat");
        assert!(play.problem().contains("key"), "{}", play.problem());
        *play.world.outside.key.lock().unwrap() = OTHER_KEY.into();
        assert_eq!(play.pass(&[]), "PUT ann bob: done\nDELETE bob: done\nPUT cid: done");
        play.is_settled("ann cid");
    }
}

#[test]
fn seats_that_went_in_between_leave_them_waiting_in_their_places() {
    for no_seats in [NoSeats::RefuseAll, NoSeats::Fill] {
        for stats_on_402 in [StatsOn402::No, StatsOn402::Yes] {
            let play = Play::new(Dialect { no_seats, stats_on_402, ..Dialect::default() });
            play.roster("ann bob cid");
            play.pass(&[LostBefore]);
            // Somebody assigns eight others, and two seats are left.
            play.at_the_server(|subscription| {
                for i in 0..8 {
                    subscription.assign(&format!("other{i}@contoso.com"), crate::sandbox::dialect::Case::Insensitive);
                }
            });
            play.roster("ann bob cid dan");
            let sent = play.pass(&[]);
            assert!(sent.starts_with("PUT ann bob cid: no seats\n"), "{sent}");
            assert_eq!(play.members(), "ann assigned, bob assigned, cid pending, dan pending", "{sent}");
            play.at_the_server(|subscription| subscription.set_seats(11));
            play.pass(&[]);
            assert_eq!(play.members(), "ann assigned, bob assigned, cid assigned, dan pending");
        }
    }
}

#[test]
fn seats_that_went_in_between_take_nobodys_seat_who_had_been_given_one() {
    for no_seats in [NoSeats::RefuseAll, NoSeats::Fill] {
        let play = Play::new(Dialect { no_seats, ..Dialect::default() });
        play.roster("ann bob cid");
        play.pass(&[LostAfter]);
        play.at_the_server(|subscription| subscription.set_seats(3));
        play.roster("ann bob cid dan");
        play.pass(&[]);
        assert_eq!(play.members(), "ann assigned, bob assigned, cid assigned, dan pending");
        assert_eq!(play.server(), "ann bob cid");
    }
}

#[test]
fn a_file_that_changes_twice_before_the_next_pass_counts_as_it_is_then() {
    for fate in [LostBefore, LostAfter] {
        let play = Play::new(Dialect::default());
        play.roster("ann bob");
        play.pass(&[fate]);
        play.roster("ann");
        play.roster("ann bob cid");
        assert_eq!(play.pass(&[]), "PUT ann bob: done\nPUT cid: done");
        play.is_settled("ann bob cid");

        // Whoever was being removed and is back is removed for certain, and then has a seat again.
        play.roster("ann cid");
        assert_eq!(play.pass(&[fate]), "DELETE bob: lost");
        play.roster("ann");
        play.roster("ann bob");
        let gone = if fate == LostAfter { "refused" } else { "done" };
        assert_eq!(play.pass(&[]), format!("DELETE bob: {gone}\nDELETE cid: done\nPUT bob: done"));
        play.is_settled("ann bob");
    }
}

#[test]
fn a_process_that_dies_while_settling_is_followed_by_one_that_settles() {
    for (one, two) in
        [(DiesBefore, DiesAfter), (DiesAfter, DiesBefore), (LostAfter, DiesAfter), (LostBefore, DiesBefore)]
    {
        for dialect in dialects() {
            let mut play = Play::new(dialect);
            play.roster("ann bob cid");
            play.pass(&[one]);
            play.restart();
            play.roster("ann dan");
            play.pass(&[two]);
            assert_eq!(play.members(), "ann unknown, bob unknown, cid unknown", "{one:?}, {two:?}, {dialect:?}");
            play.restart();
            play.pass(&[]);
            play.is_settled("ann dan");

            play.roster("dan");
            play.pass(&[one]);
            play.restart();
            play.pass(&[two]);
            assert_eq!(play.members(), "ann unknown with a seat, dan assigned");
            play.restart();
            play.pass(&[]);
            play.is_settled("dan");
        }
    }
}

#[test]
fn a_process_that_dies_in_the_search_for_an_offender_loses_nobody() {
    for deaths in 0..6 {
        for dialect in dialects() {
            let mut play = Play::new(dialect);
            play.at_the_server(|subscription| {
                subscription.assign("cid@contoso.com", crate::sandbox::dialect::Case::Insensitive);
            });
            play.roster("ann bob cid dan eve");
            let mut fates = vec![Answered; deaths];
            fates.push(DiesAfter);
            *play.world.outside.now.lock().unwrap() += TimeDelta::minutes(5);
            *play.world.outside.fates.lock().unwrap() = fates.into();
            let _died = play.runtime.block_on(pass(&play.world, play.subscription(), Trigger::Roster, true));
            play.restart();
            play.pass(&[]);
            play.is_settled("ann bob cid dan eve");
        }
    }
}

#[test]
fn a_lost_answer_holds_up_those_alone_whom_it_concerns() {
    let play = Play::new(Dialect::default());
    play.roster("ann bob cid dan eve fay");
    assert_eq!(play.pass(&[Answered, LostAfter]), "PUT ann bob cid dan: done\nPUT eve fay: lost");
    assert_eq!(play.members(), "ann assigned, bob assigned, cid assigned, dan assigned, eve unknown, fay unknown");
    play.roster("bob cid dan eve fay");
    assert_eq!(play.pass(&[LostAfter]), "PUT eve fay: lost", "a server that does not answer is asked once");
    assert_eq!(play.pass(&[]), "PUT eve fay: done\nDELETE ann: done");
    play.is_settled("bob cid dan eve fay");
}

/// Where a brake is configured only now, what went before is as if the process had died between the two.
#[test]
fn removals_that_were_noted_as_held_by_a_process_that_died_are_seen_by_the_next() {
    let mut play = Play::new(Dialect::default());
    play.roster("ann bob cid dan eve fay gus");
    play.pass(&[Answered, Answered]);
    Arc::make_mut(&mut play.world.config).brake = None;
    play.roster("ann");
    assert_eq!(play.pass(&[]), "");
    let brake = |play: &Play| play.world.outside.ledger.lock().unwrap().brake().unwrap().map(|brake| brake.reason);
    assert_eq!(brake(&play), None);
    play.restart();
    Arc::make_mut(&mut play.world.config).brake = Some(BrakeLimits { share: Limit::Count(0), at_least: 1 });
    assert_eq!(play.pass(&[]), "");
    assert!(brake(&play).unwrap().starts_with("Within an hour removals were held in 1 "));
}

#[test]
fn a_source_that_was_noted_as_failing_by_a_process_that_died_is_seen_by_the_next() {
    let mut play = Play::new(Dialect::default());
    let refuse = |play: &Play| {
        let reading = Reading::Incomplete(Incomplete::lasting("no header".to_owned()));
        let (config, source) = (&play.world.config, &play.world.config.sources["hr"]);
        take_reading(config, &play.world.outside, source, reading).unwrap();
        play.world.outside.ledger.lock().unwrap().brake().unwrap().map(|brake| brake.reason)
    };
    Arc::make_mut(&mut play.world.config).brake = None;
    assert_eq!(refuse(&play), None);
    Arc::make_mut(&mut play.world.config).brake = Some(BrakeLimits { share: Limit::Count(0), at_least: 1 });
    assert!(refuse(&play).unwrap().contains("sources failed in 1 of 1 subscription"));
}
