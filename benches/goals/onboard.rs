//! Onboarding: everybody is new.

use std::path::Path;
use std::time::Duration;

use crate::measure::{Ran, Side, run};
use crate::reference;
use crate::world::{HEADER, ID, World, address, row};

const BATCH: usize = 100;

pub fn onboard(binary: &Path, people: usize, rounds: usize) {
    for latency in [Duration::ZERO, Duration::from_millis(20)] {
        compare(binary, people, rounds, latency);
    }
}

fn compare(binary: &Path, people: usize, rounds: usize, latency: Duration) {
    let (mut ours, mut from_first) = (Side::default(), Side::default());
    let (mut bare, mut committing) = (Side::default(), Side::default());
    // A wait is a wait: a single round for memory, too, where there is latency.
    let rounds = if latency.is_zero() { rounds } else { rounds.div_ceil(3) };
    for round in 0..=rounds {
        let warm = round == 0;
        if warm && !latency.is_zero() {
            continue;
        }
        let (ran, first) = ours_once(binary, people, latency, warm);
        let alone = reference_once(binary, people, latency, false, warm);
        let with_commits = reference_once(binary, people, latency, true, warm);
        if warm {
            ours.saw(ran.peak);
            bare.saw(alone.peak);
            committing.saw(with_commits.peak);
        } else {
            ours.add(ran);
            from_first.add_part(ran.took.saturating_sub(first));
            bare.add(alone);
            committing.add(with_commits);
        }
    }
    let ms = latency.as_millis();
    println!("{}", ours.row(&format!("P9  {people} onboarded, {ms} ms latency"), Some(&bare)));
    println!("{}", ours.row("    the same, against client and commits", Some(&committing)));
    println!("{}", from_first.row("    from its first request on", Some(&committing)));
    println!("{}", bare.row("    bare hyper client (connection level)", None));
    println!("{}", committing.row("    the same, a commit after each request", None));
    let goal = if latency.is_zero() { "1.3x of client and commits" } else { "1.05x of the client" };
    println!("    goal: {goal}\n");
}

fn ours_once(binary: &Path, people: usize, latency: Duration, look_for_memory: bool) -> (Ran, Duration) {
    let world = World::new(binary, latency);
    world.configure(BATCH);
    world.write_lines("people.csv", std::iter::once(HEADER.to_owned()).chain((0..people).map(row)));
    let ran = world.sync(look_for_memory);
    check(&world, people);
    (ran, world.first_request(0, ran.began))
}

fn reference_once(binary: &Path, people: usize, latency: Duration, commits: bool, look_for_memory: bool) -> Ran {
    let world = World::new(binary, latency);
    world.write_lines("people.txt", (0..people).map(address));
    let file = world.path("sent.db");
    let commits = commits.then_some(file.as_path());
    let ran = run(reference::send(&world.url(), &world.path("people.txt"), BATCH, commits), look_for_memory);
    check(&world, people);
    ran
}

fn check(world: &World, people: usize) {
    assert_eq!(world.sandbox.assigned(ID).len(), people);
    assert_eq!(world.sandbox.request_count(), people.div_ceil(BATCH) as u64, "as many requests as batches");
}
