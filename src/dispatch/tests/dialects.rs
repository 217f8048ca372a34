//! Every combination of answers to the open questions: people are onboarded, changed and offboarded, with offenders
//! among them, and in each combination the server ends with exactly who should have a seat, within the number of
//! requests that is promised.

use super::server::{Dialect, Server};
use super::*;

/// ⌈n/b⌉ + offenders · (⌈log2 b⌉ + 1) + ⌈log2 b⌉ for each 402 that came without the seats being known.
fn promised(people: usize, batch_size: usize, offenders: usize, unknown_402: usize) -> usize {
    let halvings = batch_size.next_power_of_two().trailing_zeros() as usize;
    people.div_ceil(batch_size) + offenders * (halvings + 1) + unknown_402 * halvings
}

struct World {
    server: Server,
    batch_size: usize,
    habits: Habits,
    seats: Option<Stats>,
    rng: fastrand::Rng,
}

impl World {
    fn new(dialect: Dialect, batch_size: usize, seats: usize, seed: u64) -> World {
        let rng = fastrand::Rng::with_seed(seed);
        World { server: Server::new(dialect, seats), batch_size, habits: Habits::default(), seats: None, rng }
    }

    /// People in an order of their own, some spelt in upper case, some not valid to the server.
    fn people(&mut self, name: &str, good: usize, bad: usize) -> Vec<Address> {
        let good =
            (0..good).map(|i| format!("{}{i}@x.example", if i % 7 == 0 { name.to_uppercase() } else { name.into() }));
        let bad = (0..bad).map(|i| format!("bad.{name}{i}@x.example"));
        let mut people: Vec<Address> = good.chain(bad).map(|raw| address(&raw)).collect();
        self.rng.shuffle(&mut people);
        people
    }

    fn run(&mut self, work: Work) -> Run {
        let work = Work { seats: self.seats, habits: self.habits, ..work };
        self.server.count();
        let run = run(settings(self.batch_size), work, |request| self.server.answer(request));
        self.seats = run.records.stats.or(self.seats);
        self.habits = run.records.habits.unwrap_or(self.habits);
        assert_eq!(run.report.stopped, None);
        assert_eq!(run.report.requests, run.requests.len() as u64);
        assert!(run.records.open.is_empty());
        assert!(run.records.commits <= run.requests.len() + 1, "{} commits", run.records.commits);
        self.agrees(&run);
        run
    }

    /// What is believed is what is so, for everybody in the run.
    fn agrees(&self, run: &Run) {
        for (address, outcome) in &run.records.outcomes {
            let has_seat = self.server.has(address.spelling());
            let believed = match outcome {
                Outcome::Assigned | Outcome::AssignedAlready { .. } => true,
                Outcome::Unassigned | Outcome::UnassignedAlready { .. } | Outcome::NoSeat => false,
                Outcome::Refused { words } => {
                    assert!(words.contains("not a valid"), "{address}: {words}");
                    assert!(address.spelling().starts_with("bad"), "{address} refused: {words}");
                    false
                }
                other => panic!("{address}: {other:?}"),
            };
            assert_eq!(has_seat, believed, "{address}: {outcome:?}, {:?}", self.server.dialect);
        }
    }

    /// The run kept to the promised number of requests of this kind. `excepted`: each address of a refused batch may
    /// cost two more.
    fn keeps(&self, run: &Run, operation: Operation, people: usize, offenders: usize, excepted: bool) {
        let sent = run.requests.iter().filter(|request| request.operation == operation).count();
        let unknown_402 = self.server.refused_402.min(1);
        let most = if excepted {
            promised(people, self.batch_size, 0, unknown_402) + 2 * self.server.refused_at_first
        } else {
            promised(people, self.batch_size, offenders, unknown_402)
        };
        let (b, dialect) = (self.batch_size, self.server.dialect);
        assert!(sent <= most, "{sent} {operation:?} requests, at most {most}: b {b}, {dialect:?}\n{}", run.sent());
    }

    /// PUTs that the server applies in part, refuses without a name, and refuses again.
    fn puts_cost_more(&self) -> bool {
        let d = self.server.dialect;
        d.anonymous && d.already_is_error && (d.bad_applies_rest || d.fills)
    }

    fn deletes_cost_more(&self) -> bool {
        self.server.dialect.anonymous && self.server.dialect.not_assigned_applies_rest
    }

    /// Somebody else takes seats away.
    fn lose(&mut self, people: &[Address]) {
        for address in people {
            let folded = self.server.fold(address.spelling());
            assert!(self.server.assigned.remove(&folded), "{address} had a seat");
        }
    }

    fn give(&mut self, people: &[Address]) {
        let folded: Vec<String> = people.iter().map(|address| self.server.fold(address.spelling())).collect();
        self.server.assigned.extend(folded);
    }
}

fn is_bad(address: &Address) -> bool {
    address.spelling().starts_with("bad")
}

/// Onboards into more seats than are needed, changes, and offboards.
fn a_life(dialect: Dialect, batch_size: usize, seed: u64) {
    let mut world = World::new(dialect, batch_size, 10_000, seed);

    // Some of them have a seat already, by somebody else's hand.
    let people = world.people("p", 230, 5);
    let good: Vec<Address> = people.iter().filter(|a| !is_bad(a)).cloned().collect();
    world.give(&good[50..53]);
    let run = world.run(Work { assign: people.clone(), ..Work::default() });
    let offenders = 5 + if dialect.already_is_error { 3 } else { 0 };
    world.keeps(&run, Operation::Assign, 235, offenders, world.puts_cost_more());
    assert_eq!((run.report.assigned, run.report.quarantined), (230, 5));
    assert_eq!(world.server.assigned.len(), 230);

    // Leavers, of whom some have lost their seat, renames and joiners.
    let (leavers, stayers) = good.split_at(60);
    world.lose(&leavers[20..24]);
    let joiners = world.people("j", 40, 2);
    let renames: Vec<(Address, Address)> = stayers[..4].iter().cloned().zip(world.people("r", 4, 0)).collect();
    let work = Work { unassign: leavers.to_vec(), rename: renames.clone(), assign: joiners.clone(), ..Work::default() };
    let run = world.run(work);
    let deletes = run.requests.iter().take_while(|request| request.operation == Operation::Unassign).count();
    assert!(run.requests[deletes..].iter().all(|request| request.operation == Operation::Assign), "unassigns first");
    world.keeps(&run, Operation::Unassign, 64, 4, world.deletes_cost_more());
    world.keeps(&run, Operation::Assign, 46, 2, world.puts_cost_more());
    assert_eq!((run.report.unassigned, run.report.assigned, run.report.quarantined), (64, 44, 2));
    assert_eq!(world.server.assigned.len(), 230 - 64 + 44);

    // Everybody leaves, some of them having lost their seat: at the start, in the middle, many in a row.
    let mut last: Vec<Address> = stayers[4..].to_vec();
    last.extend(renames.into_iter().map(|(_, to)| to));
    last.extend(joiners.into_iter().filter(|a| !is_bad(a)));
    world.lose(&last[..2]);
    world.lose(&last[70..75]);
    let run = world.run(Work { unassign: last.clone(), ..Work::default() });
    world.keeps(&run, Operation::Unassign, last.len(), 7, world.deletes_cost_more());
    assert_eq!(run.report.unassigned, last.len() as u64);
    assert_eq!(world.server.assigned, BTreeSet::new());

    let applies_rest = world.server.dialect.anonymous && batch_size > 1;
    let remembered = Habits {
        batch_size: None,
        puts_apply_rest: applies_rest && dialect.bad_applies_rest && dialect.already_is_error,
        deletes_apply_rest: applies_rest && dialect.not_assigned_applies_rest && batch_size >= 8,
        refuses_again: false,
    };
    assert_eq!(world.habits, remembered, "b {batch_size}, {dialect:?}");
}

/// Onboards into too few seats, known or not; then leavers free some, and then seats are bought.
fn a_shortage(dialect: Dialect, batch_size: usize, seats: usize, known: bool, seed: u64) {
    let mut world = World::new(dialect, batch_size, seats, seed);
    let people = world.people("p", 120, 4);
    let good: Vec<Address> = people.iter().filter(|a| !is_bad(a)).cloned().collect();
    if known {
        world.seats = Some(world.server.stats());
    }
    let run = world.run(Work { assign: people.clone(), ..Work::default() });
    let with_seat = |world: &World| good.iter().filter(|a| world.server.has(a.spelling())).cloned().collect::<Vec<_>>();
    assert_eq!(with_seat(&world), good[..seats.min(good.len())], "the first have the seats, {dialect:?}");
    world.keeps(&run, Operation::Assign, 124, 4, world.puts_cost_more());
    if known {
        assert!(
            world.server.refused_402 == 0 || world.puts_cost_more(),
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
    let waiting: Vec<Address> = good.iter().filter(|a| !world.server.has(a.spelling())).skip(2).cloned().collect();
    world.seats = Some(world.server.stats());
    let run = world.run(Work { assign: waiting.clone(), ..Work::default() });
    assert_eq!((run.requests.len(), run.report.pending), (0, waiting.len() as u64));
    let run = world.run(Work { assign: waiting.clone(), probe: true, ..Work::default() });
    assert_eq!((run.requests.len(), run.report.pending), (1, waiting.len() as u64));
    world.server.seats += 15;
    let run = world.run(Work { assign: waiting.clone(), probe: true, ..Work::default() });
    assert_eq!(run.report.assigned, 15.min(waiting.len() as u64));
    assert_eq!(world.server.refused_402, 0);
}

#[test]
fn every_dialect_ends_with_who_should_have_a_seat() {
    for (seed, dialect) in Dialect::all().enumerate() {
        // Each dialect with some of the sizes, each size with some of the dialects.
        for i in 0..3 {
            a_life(dialect, [1, 2, 3, 5, 8, 16, 33, 64, 100, 1000][(seed * 3 + i) % 10], seed as u64);
        }
    }
}

#[test]
fn every_dialect_fills_exactly_the_seats_there_are() {
    for (seed, dialect) in Dialect::all().enumerate() {
        for i in 0..3 {
            let (batch_size, seats) =
                [(1, 10), (7, 20), (16, 50), (64, 33), (100, 64), (100, 2), (100, 100)][(seed * 3 + i) % 7];
            for known in [false, true] {
                a_shortage(dialect, batch_size, seats, known, seed as u64);
            }
        }
    }
}
