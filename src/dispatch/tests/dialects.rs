//! Every combination of answers to the open questions: people are onboarded, changed and offboarded, with offenders
//! among them, and in each combination the server ends with exactly who should have a seat, within the number of
//! requests that is promised.

use std::collections::HashSet;

use super::server::{Dialect, Sandbox, Server, Serves};
use super::*;

/// ⌈n/b⌉ + offenders · (⌈log2 b⌉ + 1) + ⌈log2 b⌉ for each 402 that came without the seats being known.
fn promised(people: usize, batch_size: usize, offenders: usize, unknown_402: usize) -> usize {
    let halvings = batch_size.next_power_of_two().trailing_zeros() as usize;
    people.div_ceil(batch_size) + offenders * (halvings + 1) + unknown_402 * halvings
}

struct World<S> {
    server: S,
    dialect: Dialect,
    batch_size: usize,
    habits: Habits,
    seats: Option<Stats>,
    rng: fastrand::Rng,
    /// Of the last run: how many requests were refused for want of seats, and how many people were in refused requests
    /// who had not been asked for before.
    refused_402: usize,
    refused_at_first: usize,
}

impl<S: Serves> World<S> {
    fn new(dialect: Dialect, batch_size: usize, seats: usize, seed: u64) -> World<S> {
        World {
            server: S::new(dialect, seats),
            dialect,
            batch_size,
            habits: Habits::default(),
            seats: None,
            rng: fastrand::Rng::with_seed(seed),
            refused_402: 0,
            refused_at_first: 0,
        }
    }

    /// People in an order of their own, some spelt in upper case, some not valid to the server: the full stop of their
    /// domains is an ideographic one.
    fn people(&mut self, name: &str, good: usize, bad: usize) -> Vec<Address> {
        let good =
            (0..good).map(|i| format!("{}{i}@x.example", if i % 7 == 0 { name.to_uppercase() } else { name.into() }));
        let bad = (0..bad).map(|i| format!("bad.{name}{i}@x\u{3002}example"));
        let mut people: Vec<Address> = good.chain(bad).map(|raw| address(&raw)).collect();
        self.rng.shuffle(&mut people);
        people
    }

    fn run(&mut self, work: Work) -> Run {
        let work = Work { seats: self.seats, habits: self.habits, ..work };
        (self.refused_402, self.refused_at_first) = (0, 0);
        let mut asked = HashSet::new();
        let run = run(settings(self.batch_size), work, |request| {
            let people = request.addresses.iter().map(|address| (request.operation, address.clone()));
            let new = people.filter(|person| asked.insert(person.clone())).count();
            let answer = self.server.answer(request);
            self.refused_402 += usize::from(matches!(answer, Answer::NoSeats { .. }));
            self.refused_at_first += if matches!(answer, Answer::Done { .. }) { 0 } else { new };
            answer
        });
        self.seats = run.records.stats.or(self.seats);
        self.habits = run.records.habits.unwrap_or(self.habits);
        assert_eq!(run.report.stopped, None);
        assert_eq!(run.report.requests, run.requests.len() as u64);
        assert!(run.records.open.is_empty());
        assert!(run.records.commits <= run.requests.len() + 1, "{} commits", run.records.commits);
        self.agrees(&run);
        run
    }

    /// Who has a seat is exactly these people.
    fn ends_with<'a>(&self, people: impl IntoIterator<Item = &'a Address>) {
        let people = people.into_iter().map(|address| self.dialect.fold(address.spelling())).collect();
        assert_eq!(self.server.assigned(), people, "b {}, {:?}", self.batch_size, self.dialect);
    }

    /// What is believed is what is so, for everybody in the run.
    fn agrees(&self, run: &Run) {
        let holders = self.server.assigned();
        for (address, outcome) in &run.records.outcomes {
            let believed = match outcome {
                Outcome::Assigned | Outcome::AssignedAlready { .. } => true,
                Outcome::Unassigned | Outcome::UnassignedAlready { .. } | Outcome::NoSeat => false,
                Outcome::Refused { words } => {
                    assert!(words.contains("valid"), "{address} is quarantined without the server's words: {words}");
                    assert!(is_bad(address), "{address} refused: {words}");
                    false
                }
                other => panic!("{address}: {other:?}"),
            };
            let has_seat = holders.contains(&self.dialect.fold(address.spelling()));
            assert_eq!(has_seat, believed, "{address}: {outcome:?}, {:?}", self.dialect);
        }
    }

    /// The run kept to the promised number of requests of this kind. `excepted`: each address of a refused batch may
    /// cost two more.
    fn keeps(&self, run: &Run, operation: Operation, people: usize, offenders: usize, excepted: bool) {
        let sent = run.requests.iter().filter(|request| request.operation == operation).count();
        let unknown_402 = self.refused_402.min(1);
        let most = if excepted {
            promised(people, self.batch_size, 0, unknown_402) + 2 * self.refused_at_first
        } else {
            promised(people, self.batch_size, offenders, unknown_402)
        };
        let (b, dialect) = (self.batch_size, self.dialect);
        assert!(sent <= most, "{sent} {operation:?} requests, at most {most}: b {b}, {dialect:?}\n{}", run.sent());
    }

    /// PUTs that the server applies in part, refuses without a name, and refuses again. With seats for everybody a
    /// server that fills applies nothing in part.
    fn puts_cost_more(&self, shortage: bool) -> bool {
        let d = self.dialect;
        d.anonymous && d.already_is_error && (d.bad_applies_rest || shortage && d.fills)
    }

    fn deletes_cost_more(&self) -> bool {
        self.dialect.anonymous && self.dialect.not_assigned_applies_rest
    }

    /// Somebody else takes seats away.
    fn lose(&mut self, people: &[Address]) {
        for address in people {
            assert!(self.server.take(address.spelling()), "{address} had a seat");
        }
    }

    fn give(&mut self, people: &[Address]) {
        for address in people {
            self.server.give(address.spelling());
        }
    }
}

fn is_bad(address: &Address) -> bool {
    address.spelling().starts_with("bad")
}

/// Onboards into more seats than are needed, changes, and offboards.
fn a_life<S: Serves>(dialect: Dialect, batch_size: usize, seed: u64) {
    let mut world = World::<S>::new(dialect, batch_size, 10_000, seed);

    // Some of them have a seat already, by somebody else's hand.
    let people = world.people("p", 230, 5);
    let good: Vec<Address> = people.iter().filter(|a| !is_bad(a)).cloned().collect();
    world.give(&good[50..53]);
    let run = world.run(Work { assign: people.clone(), ..Work::default() });
    let offenders = 5 + if dialect.already_is_error { 3 } else { 0 };
    world.keeps(&run, Operation::Assign, 235, offenders, world.puts_cost_more(false));
    assert_eq!((run.report.assigned, run.report.quarantined), (230, 5));
    world.ends_with(&good);

    // Leavers, of whom some have lost their seat, renames and joiners.
    let (leavers, stayers) = good.split_at(60);
    world.lose(&leavers[20..24]);
    let joiners = world.people("j", 40, 2);
    let renames: Vec<(Address, Address)> = stayers[..4].iter().cloned().zip(world.people("r", 4, 0)).collect();
    let work = Work { unassign: leavers.to_vec(), rename: renames.clone(), assign: joiners.clone(), ..Work::default() };
    world.seats = Some(world.server.stats());
    let run = world.run(work);
    world.seats = None;
    let deletes = run.requests.iter().take_while(|request| request.operation == Operation::Unassign).count();
    let moves = |address: &Address| renames.iter().any(|(from, _)| from == address);
    let right = |request: &Request| request.operation == Operation::Assign || request.addresses.iter().all(moves);
    assert!(run.requests[deletes..].iter().all(right), "leavers go first");
    let place = |operation: Operation, address: &Address| {
        run.requests.iter().position(|request| request.operation == operation && request.addresses.contains(address))
    };
    for (from, to) in &renames {
        assert!(
            place(Operation::Assign, to) < place(Operation::Unassign, from),
            "{from} keeps the seat until {to} has one\n{}",
            run.sent()
        );
    }
    world.keeps(&run, Operation::Unassign, 64, 4, world.deletes_cost_more());
    world.keeps(&run, Operation::Assign, 46, 2, world.puts_cost_more(false));
    assert_eq!((run.report.unassigned, run.report.assigned, run.report.quarantined), (64, 44, 2));
    let mut roster: Vec<Address> = stayers[4..].to_vec();
    roster.extend(renames.into_iter().map(|(_, to)| to));
    roster.extend(joiners.into_iter().filter(|a| !is_bad(a)));
    world.ends_with(&roster);

    // Everybody leaves, some of them having lost their seat: at the start, in the middle, many in a row.
    world.lose(&roster[..2]);
    world.lose(&roster[70..75]);
    let run = world.run(Work { unassign: roster.clone(), ..Work::default() });
    world.keeps(&run, Operation::Unassign, roster.len(), 7, world.deletes_cost_more());
    assert_eq!(run.report.unassigned, roster.len() as u64);
    world.ends_with([]);

    let applies_rest = world.dialect.anonymous && batch_size > 1;
    let remembered = Habits {
        batch_size: None,
        puts_apply_rest: applies_rest && dialect.bad_applies_rest && dialect.already_is_error,
        deletes_apply_rest: applies_rest && dialect.not_assigned_applies_rest && batch_size >= 8,
        refuses_again: false,
    };
    assert_eq!(world.habits, remembered, "b {batch_size}, {dialect:?}");
}

/// Onboards into too few seats, known or not; then leavers free some, and then seats are bought.
fn a_shortage<S: Serves>(dialect: Dialect, batch_size: usize, seats: usize, known: bool, seed: u64) {
    let mut world = World::<S>::new(dialect, batch_size, seats, seed);
    let people = world.people("p", 120, 4);
    let good: Vec<Address> = people.iter().filter(|a| !is_bad(a)).cloned().collect();
    if known {
        world.seats = Some(world.server.stats());
    }
    let run = world.run(Work { assign: people.clone(), ..Work::default() });
    let with_seat = |world: &World<S>| {
        let holders = world.server.assigned();
        good.iter().filter(|a| holders.contains(&dialect.fold(a.spelling()))).cloned().collect::<Vec<_>>()
    };
    assert_eq!(with_seat(&world), good[..seats.min(good.len())], "the first have the seats, {dialect:?}");
    world.keeps(&run, Operation::Assign, 124, 4, world.puts_cost_more(true));
    if known {
        assert!(
            world.refused_402 == 0 || world.puts_cost_more(true),
            "asked for no more than fit: {dialect:?} b {batch_size} seats {seats}\n{}",
            run.sent()
        );
    }

    // Two leave, one of them having lost the seat already: those who waited longest get the seats.
    let waiting: Vec<Address> =
        people.iter().filter(|a| run.records.outcomes[*a] == Outcome::NoSeat).cloned().collect();
    world.lose(&good[1..2]);
    world.run(Work { unassign: good[..2].to_vec(), assign: waiting.clone(), ..Work::default() });
    assert_eq!(with_seat(&world), good[2..(seats + 2).min(good.len())], "freed seats are given, {dialect:?}");

    // Nobody asks while it is full; a probe asks once; when seats were bought, it finds them.
    let seated = with_seat(&world);
    let waiting: Vec<Address> = good.iter().filter(|a| !seated.contains(a)).skip(2).cloned().collect();
    world.seats = Some(world.server.stats());
    let run = world.run(Work { assign: waiting.clone(), ..Work::default() });
    assert_eq!((run.requests.len(), run.report.pending), (0, waiting.len() as u64));
    let run = world.run(Work { assign: waiting.clone(), probe: true, ..Work::default() });
    assert_eq!((run.requests.len(), run.report.pending), (1, waiting.len() as u64));
    world.server.set_seats(seats + 15);
    let run = world.run(Work { assign: waiting.clone(), probe: true, ..Work::default() });
    assert_eq!(run.report.assigned, 15.min(waiting.len() as u64));
    assert_eq!(world.refused_402, 0);
}

/// Each dialect with the usual batch size and with some others, each other size with some of the dialects.
fn lives<S: Serves>() {
    for (seed, dialect) in Dialect::all().enumerate() {
        let others = [1, 2, 3, 5, 8, 16, 33, 64, 1000];
        for batch_size in [100, others[seed * 2 % 9], others[(seed * 2 + 1) % 9]] {
            a_life::<S>(dialect, batch_size, seed as u64);
        }
    }
}

fn shortages<S: Serves>() {
    for (seed, dialect) in Dialect::all().enumerate() {
        for i in 0..3 {
            let (batch_size, seats) =
                [(1, 10), (7, 20), (16, 50), (64, 33), (100, 64), (100, 2), (100, 100)][(seed * 3 + i) % 7];
            for known in [false, true] {
                a_shortage::<S>(dialect, batch_size, seats, known, seed as u64);
            }
        }
    }
}

#[test]
fn every_dialect_ends_with_who_should_have_a_seat() {
    lives::<Server>();
}

#[test]
fn every_dialect_of_the_sandbox_ends_with_who_should_have_a_seat() {
    lives::<Sandbox>();
}

#[test]
fn every_dialect_fills_exactly_the_seats_there_are() {
    shortages::<Server>();
}

#[test]
fn every_dialect_of_the_sandbox_fills_exactly_the_seats_there_are() {
    shortages::<Sandbox>();
}
