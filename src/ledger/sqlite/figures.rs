//! How long the verbs take on a million people, beside the least that could do the same work in the same run. For a
//! person who changes the schema or the look-ups: `cargo test --release --lib figures -- --ignored --nocapture
//! --test-threads 1`.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::tests::{NOW, adopt, entries, lease, new_ledger};
use super::*;
use crate::address::Address;
use crate::clock::Stopwatch;
use crate::config::Policy;
use crate::dispatch::machine::{Commit, NewIntent, Outcome};
use crate::ledger::{Acceptance, RunId};
use crate::licensing::wire::Operation;
use crate::plan::Plan;
use crate::plan::input::{PlanInput, SourceFacts};
use crate::roster::change::Change;
use crate::roster::{Entry, Parts, Reason};

const PEOPLE: usize = 1_000_000;
const RUN: RunId = uuid::Uuid::from_u128(1);

/// Wall and CPU time, and the peak of resident memory, of one thing after another.
struct Laps {
    watch: Stopwatch,
    cpu: Duration,
}

impl Laps {
    fn start() -> Laps {
        // Begins the peak anew.
        fs::write("/proc/self/clear_refs", "5").unwrap();
        Laps { watch: Stopwatch::start(), cpu: cpu() }
    }

    fn lap(&mut self, what: &str) -> Duration {
        let (wall, used) = (self.watch.elapsed(), cpu().saturating_sub(self.cpu));
        println!("{what:<40} {wall:>10.2?} wall {used:>10.2?} cpu {:>6} MiB at most", peak_mib());
        *self = Laps::start();
        wall
    }
}

/// Of this thread.
fn cpu() -> Duration {
    let used = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(used.split_ascii_whitespace().next().unwrap().parse().unwrap())
}

fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

/// In the order of keys, as a merge gives them.
fn people(ledger: &Ledger) -> Acceptance {
    let mut accepted = entries(PEOPLE);
    accepted.changes.sort_by_cached_key(|change| {
        let (Change::Added(entry) | Change::Changed(entry) | Change::Removed { entry, .. }) = change;
        ledger.hasher().entry_key(entry.address.identity(), None)
    });
    accepted
}

fn input(ledger: &Ledger) -> (PlanInput, Seen) {
    let found = ledger.candidates("contoso", &["hr".into()], Look::Touched, NOW).unwrap();
    let source = SourceFacts {
        name: "hr".into(),
        accepted_at: Some(NOW),
        entries: PEOPLE as u64,
        anonymous_bad_rows: 0,
        problem: None,
    };
    let input = PlanInput {
        subscription: "contoso".into(),
        at: NOW,
        policy: Policy::plain(),
        seats: None,
        counts: ledger.counts("contoso", NOW).unwrap(),
        brake: None,
        sources: vec![source],
        approvals: Vec::new(),
        restored: None,
        candidates: found.list,
    };
    (input, found.seen)
}

fn ask(operation: Operation, addresses: Vec<Address>) -> Commit {
    Commit { intent: Some(NewIntent { operation, addresses, again: false }), ..Commit::default() }
}

/// From a reading to the first intent.
fn up_to_the_first_intent(ledger: &mut Ledger, accepted: Acceptance, laps: &mut Laps) -> Duration {
    let lease = lease(ledger);
    ledger.accept(&accepted, NOW).unwrap();
    drop(accepted);
    let mut all = laps.lap("  accept");
    let (input, seen) = input(ledger);
    all += laps.lap("  candidates");
    let plan = Arc::new(Plan::compute(&input));
    all += laps.lap("  plan (not the ledger's)");
    ledger.record_plan(&lease, RUN, &plan, "policy", seen, NOW).unwrap();
    all += laps.lap("  record_plan");
    let first = plan.assign.iter().take(100).map(|assignment| assignment.address.clone()).collect();
    ledger.commit(&lease, RUN, &ask(Operation::Assign, first), NOW).unwrap();
    all += laps.lap("  first intent");
    drop((input, plan));
    laps.lap("  forgetting it all");
    ledger.release(lease).unwrap();
    all
}

/// The same rows in the order of their keys into one table, in one transaction.
fn bulk_insert(accepted: &Acceptance, hasher: &crate::roster::Hasher) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut floor = Connection::open(folder.path().join("floor.db")).unwrap();
    prepare_for_writing(&floor).unwrap();
    floor.pragma_update(None, "cache_size", -8192).unwrap();
    floor
        .execute_batch(
            "CREATE TABLE entry (key BLOB PRIMARY KEY, content INTEGER, identity TEXT, priority INTEGER, origin TEXT)
             WITHOUT ROWID, STRICT",
        )
        .unwrap();
    let transaction = floor.transaction().unwrap();
    let mut put = transaction.prepare("INSERT INTO entry VALUES (?1, ?2, ?3, ?4, ?5)").unwrap();
    for change in &accepted.changes {
        let Change::Added(entry) = change else { unreachable!() };
        let identity = entry.address.identity();
        let key = hasher.entry_key(identity, None).0;
        put.execute(params![key, hasher.content(entry).cast_signed(), identity, entry.priority, entry.origin]).unwrap();
    }
    drop(put);
    transaction.commit().unwrap();
    folder
}

#[test]
#[ignore = "takes seconds and asserts nothing; for a person who changes the schema"]
fn a_first_load() {
    let (_folder, _, mut ledger) = new_ledger();
    let accepted = people(&ledger);
    let mut laps = Laps::start();
    bulk_insert(&accepted, ledger.hasher());
    let floor = laps.lap("bulk insert in the order of keys");
    println!("first load, {PEOPLE} rows:");
    let all = up_to_the_first_intent(&mut ledger, accepted, &mut laps);
    println!("first load: {all:.2?}, {:.2} of the bulk insert", all.as_secs_f64() / floor.as_secs_f64());
}

#[test]
#[ignore = "takes seconds and asserts nothing; for a person who changes the schema"]
fn a_hundred_changes_and_opening() {
    let (_folder, path, mut ledger) = new_ledger();
    let accepted = people(&ledger);
    ledger.accept(&accepted, NOW).unwrap();
    let lease = adopt(&mut ledger, PEOPLE);
    let seen = input(&ledger).1;
    ledger.record_plan(&lease, RUN, &Arc::default(), "policy", seen, NOW).unwrap();
    ledger.release(lease).unwrap();
    for round in 0..5 {
        let entry = |number: usize| Entry {
            address: Address::parse(&format!("new{round}.{number}@contoso.com")).unwrap(),
            ..match &accepted.changes[round * 50 + number] {
                Change::Added(entry) => entry.clone(),
                _ => unreachable!(),
            }
        };
        let gone = |number: usize| match &accepted.changes[round * 50 + number] {
            Change::Added(entry) => Change::Removed { entry: entry.clone(), reason: Reason::Left, renamed_to: None },
            _ => unreachable!(),
        };
        let changes = (0..50).map(|number| Change::Added(entry(number))).chain((0..50).map(gone)).collect();
        let mut laps = Laps::start();
        let mut rows = 0;
        ledger.for_each_row("hr", &Parts::all(), &mut |_, _| rows += 1).unwrap();
        laps.lap("reading the keys of all rows");
        println!("a hundred changes among {PEOPLE}:");
        let all = up_to_the_first_intent(&mut ledger, Acceptance { changes, ..entries(0) }, &mut laps);
        println!("a hundred changes: {all:.2?}");
        drop(ledger);
        laps.lap("closing");
        ledger = Ledger::open(&path, NOW).unwrap();
        ledger.subscription("contoso").unwrap();
        ledger.member_counts("contoso").unwrap();
        laps.lap("opening");
    }
}

#[test]
#[ignore = "takes seconds and asserts nothing; for a person who changes the schema"]
fn a_thousand_commits() {
    for _ in 0..3 {
        let (_folder, _, mut ledger) = new_ledger();
        let lease = lease(&mut ledger);
        let floor_folder = tempfile::tempdir().unwrap();
        let floor = Connection::open(floor_folder.path().join("floor.db")).unwrap();
        prepare_for_writing(&floor).unwrap();
        floor.execute_batch("CREATE TABLE row (id INTEGER PRIMARY KEY, text TEXT)").unwrap();
        let mut laps = Laps::start();
        for _ in 0..1000 {
            floor.execute("INSERT INTO row (text) VALUES ('p1@contoso.com')", []).unwrap();
        }
        let bare = laps.lap("1000 commits of one row");
        let mut settled = None;
        for batch in 0..1000 {
            let addresses: Vec<Address> = (0..100)
                .map(|number| Address::parse(&format!("p{}@contoso.com", batch * 100 + number)).unwrap())
                .collect();
            let commit = Commit { settled, ..ask(Operation::Assign, addresses.clone()) };
            let id = ledger.commit(&lease, RUN, &commit, NOW).unwrap().unwrap();
            settled = Some((id, addresses.into_iter().map(|address| (address, Outcome::Assigned)).collect()));
        }
        let all = laps.lap("1000 commits of 100 addresses");
        println!("1000 commits: {:.2} of bare ones", all.as_secs_f64() / bare.as_secs_f64());
    }
}
