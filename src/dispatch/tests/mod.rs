//! Drives the machine against servers made for the purpose, and checks at each step what must always hold.

mod again;
mod dialects;
mod faults;
mod scripted;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::machine::{Commit, Habits, Machine, NewIntent, Outcome, Report, Request, Settings, Step, Stop, Work};
use crate::address::Address;
use crate::licensing::wire::{Answer, Operation, Stats};
use crate::member::IntentId;

fn address(raw: &str) -> Address {
    Address::parse(raw).unwrap()
}

/// `a@x.example`, `b@x.example` … for "a b".
fn addresses(names: &str) -> Vec<Address> {
    names.split_whitespace().map(|name| address(&format!("{name}@x.example"))).collect()
}

fn settings(batch_size: usize) -> Settings {
    Settings { batch_size, retry_for: Duration::from_secs(30), seed: 1 }
}

/// A ledger as far as the machine is concerned. It panics where a rule is broken.
#[derive(Debug, Default)]
struct Records {
    next_id: i64,
    open: BTreeMap<IntentId, NewIntent>,
    /// Those of all open intents.
    open_addresses: BTreeSet<Address>,
    /// The last word about each address.
    outcomes: BTreeMap<Address, Outcome>,
    commits: usize,
    stats: Option<Stats>,
    habits: Option<Habits>,
    full: bool,
    /// Which commits had stats that can be held against the ledger.
    comparable: Vec<bool>,
}

impl Records {
    /// With these intents left open.
    fn resuming(open: &[(IntentId, NewIntent)]) -> Records {
        let next_id = open.iter().map(|(id, _)| id.0).max().unwrap_or(0);
        let open_addresses = open.iter().flat_map(|(_, intent)| intent.addresses.clone()).collect();
        Records { next_id, open: open.iter().cloned().collect(), open_addresses, ..Records::default() }
    }

    fn commit(&mut self, commit: Commit) -> Option<IntentId> {
        assert_ne!(commit, Commit::default(), "a commit that says nothing");
        self.commits += 1;
        if let Some((id, outcomes)) = commit.settled {
            self.settle(id, outcomes);
        }
        for (address, outcome) in commit.left {
            assert!(matches!(outcome, Outcome::NoSeat | Outcome::NotDone { .. }), "{address} is left {outcome:?}");
            self.outcomes.insert(address, outcome);
        }
        assert!(!commit.comparable || commit.stats.is_some(), "nothing to compare");
        self.comparable.push(commit.comparable);
        self.stats = commit.stats.or(self.stats);
        self.habits = commit.habits.or(self.habits);
        self.full |= commit.full;
        commit.intent.map(|intent| self.open(intent))
    }

    fn settle(&mut self, id: IntentId, outcomes: Vec<(Address, Outcome)>) {
        let unknown = outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Unknown { .. })).count();
        assert!(unknown == 0 || unknown == outcomes.len(), "an intent that is open in part");
        let intent = if unknown > 0 { self.open.get(&id).cloned() } else { self.open.remove(&id) };
        let of: BTreeSet<Address> = intent.expect("an open intent").addresses.into_iter().collect();
        assert_eq!(of, outcomes.iter().map(|(address, _)| address.clone()).collect(), "all of an intent is named");
        assert_eq!(of.len(), outcomes.len(), "nobody is named twice");
        if unknown == 0 {
            for address in &of {
                self.open_addresses.remove(address);
            }
        }
        self.outcomes.extend(outcomes);
    }

    fn open(&mut self, intent: NewIntent) -> IntentId {
        for address in &intent.addresses {
            assert!(self.open_addresses.insert(address.clone()), "{address} is in two open intents");
        }
        self.next_id += 1;
        self.open.insert(IntentId(self.next_id), intent);
        IntentId(self.next_id)
    }

    /// Whether one open intent holds the whole request, in its order.
    fn covers(&self, request: &Request) -> bool {
        let covers = |intent: &NewIntent| {
            let mut rest = intent.addresses.iter();
            intent.operation == request.operation && request.addresses.iter().all(|a| rest.any(|other| other == a))
        };
        self.open.values().any(covers)
    }

    fn is_open(&self, address: &Address) -> bool {
        self.open_addresses.contains(address)
    }
}

/// What a run did.
#[derive(Debug)]
struct Run {
    report: Report,
    requests: Vec<Request>,
    records: Records,
}

impl Run {
    /// Operation and local parts, one request a line.
    fn sent(&self) -> String {
        let line = |request: &Request| {
            let names: Vec<&str> =
                request.addresses.iter().map(|address| address.spelling().split('@').next().unwrap()).collect();
            let again = if request.attempt > 1 { format!(" ({})", request.attempt) } else { String::new() };
            format!("{} {}{again}\n", request.operation.method(), names.join(" "))
        };
        self.requests.iter().map(line).collect()
    }
}

/// Runs the work to its end. No time passes but what the machine waits for.
fn run(settings: Settings, work: Work, mut serve: impl FnMut(&Request) -> Answer) -> Run {
    run_until(settings, work, |_, request| Some(serve(request)))
}

/// The same; `serve` also learns the time, and where it has no answer the run is stopped with the request unsent.
fn run_until(settings: Settings, work: Work, mut serve: impl FnMut(Duration, &Request) -> Option<Answer>) -> Run {
    let (mut now, mut requests, mut records) = (Duration::ZERO, Vec::new(), Records::resuming(&work.resume));
    let mut machine = Machine::new(settings, work);
    for _ in 0..1_000_000 {
        let step = machine.next(now);
        assert_eq!(machine.next(now), step, "the same step until it is done");
        match step {
            Step::Commit(commit) => {
                let intent = records.commit(commit);
                machine.committed(intent);
            }
            Step::Send(request) => {
                assert!(!request.addresses.is_empty(), "an empty request");
                assert!(records.covers(&request), "sent without an intent: {request:?}");
                if let Some(answer) = serve(now, &request) {
                    requests.push(request);
                    machine.answered(now, answer);
                } else {
                    machine.stop();
                }
            }
            Step::Wait(until) => {
                assert!(until > now, "waits for what is past");
                now = until;
            }
            Step::Done(report) => return Run { report, requests, records },
        }
    }
    panic!("does not end");
}
