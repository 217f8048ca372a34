//! Every combination of answers to the open questions: people are onboarded, changed and offboarded, with offenders
//! among them, and in each combination the server ends with exactly who should have a seat, within the number of
//! requests that is promised.

use super::server::{Dialect, Server};
use super::*;

/// What the promise counts.
struct Promise {
    people: usize,
    batch_size: usize,
    offenders: usize,
}

impl Promise {
    /// ⌈n/b⌉ + offenders · (⌈log2 b⌉ + 1) + ⌈log2 b⌉ for each 402 that came without the seats being known.
    fn requests(&self, unknown_402: usize) -> usize {
        let halvings = self.batch_size.next_power_of_two().trailing_zeros() as usize;
        self.people.div_ceil(self.batch_size) + self.offenders * (halvings + 1) + unknown_402 * halvings
    }
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
        self.server.refused_402 = 0;
        self.server.refused_400.clear();
        let run = run(settings(self.batch_size), work, |request| self.server.answer(request));
        self.seats = run.records.stats.or(self.seats);
        if run.records.habits != Habits::default() {
            self.habits = run.records.habits;
        }
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

    fn keeps(&self, run: &Run, promise: &Promise, exception: bool) {
        let dialect = self.server.dialect;
        let mut most = promise.requests(self.server.refused_402.min(1));
        if exception {
            most += 2 * (promise.people.div_ceil(self.batch_size) * self.batch_size);
        }
        assert!(
            run.requests.len() <= most,
            "{} requests, at most {most}: b {}, {dialect:?}\n{}",
            run.requests.len(),
            self.batch_size,
            run.sent()
        );
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

fn is_bad(address: &&Address) -> bool {
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
    world.keeps(&run, &Promise { people: 235, batch_size, offenders }, world.puts_cost_more());
    assert_eq!((run.report.assigned, run.report.quarantined), (230, 5));
    assert_eq!(world.server.assigned.len(), 230);

    // Leavers, of whom some have lost their seat, renames and joiners.
    let (leavers, stayers) = good.split_at(60);
    world.lose(&leavers[20..24]);
    let joiners = world.people("j", 40, 2);
    let renames: Vec<(Address, Address)> = stayers[..4].iter().cloned().zip(world.people("r", 4, 0)).collect();
    let work = Work { unassign: leavers.to_vec(), rename: renames.clone(), assign: joiners.clone(), ..Work::default() };
    let run = world.run(work);
    let most = Promise { people: 64, batch_size, offenders: 4 };
    let deletes = run.requests.iter().filter(|r| r.operation == Operation::Unassign).count();
    assert!(run.requests[..deletes].iter().all(|r| r.operation == Operation::Unassign), "unassigns first");
    let puts = Promise { people: 46, batch_size, offenders: 2 };
    assert!(deletes <= most.requests(0) + if world.deletes_cost_more() { 128 } else { 0 }, "{deletes}\n{}", run.sent());
    let exceeds = if world.puts_cost_more() { 2 * 46 } else { 0 };
    assert!(run.requests.len() - deletes <= puts.requests(0) + exceeds, "{}", run.sent());
    assert_eq!((run.report.unassigned, run.report.assigned, run.report.quarantined), (64, 44, 2));
    assert_eq!(world.server.assigned.len(), 230 - 64 + 44);

    // Everybody leaves, some of them having lost their seat: at the start, in the middle, many in a row.
    let mut last: Vec<Address> = stayers[4..].to_vec();
    last.extend(renames.into_iter().map(|(_, to)| to));
    last.extend(joiners.into_iter().filter(|a| !is_bad(&a)));
    world.lose(&last[..2]);
    world.lose(&last[70..75]);
    let run = world.run(Work { unassign: last.clone(), ..Work::default() });
    world.keeps(&run, &Promise { people: last.len(), batch_size, offenders: 7 }, world.deletes_cost_more());
    assert_eq!(run.report.unassigned, last.len() as u64);
    assert_eq!(world.server.assigned, BTreeSet::new());
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
    let offenders = 4;
    world.keeps(&run, &Promise { people: 124, batch_size, offenders }, world.puts_cost_more());
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
        for batch_size in [1, 2, 3, 5, 8, 16, 33, 64, 100, 1000] {
            a_life(dialect, batch_size, seed as u64);
        }
    }
}

#[test]
fn every_dialect_fills_exactly_the_seats_there_are() {
    for (seed, dialect) in Dialect::all().enumerate() {
        for (batch_size, seats) in [(1, 10), (7, 20), (16, 50), (64, 33), (100, 64), (100, 2), (100, 100)] {
            for known in [false, true] {
                a_shortage(dialect, batch_size, seats, known, seed as u64);
            }
        }
    }
}
