//! Power cuts: what is not flushed is gone. The built binary runs with every call noted that touches its ledger's files,
//! and every request that it sends (`disk.c`, which the C compiler makes that SQLite needs anyway). Then the power is cut
//! at any of these calls, on a disk that keeps what was flushed and, of the rest, whatever it likes: single sectors,
//! half of one, garbage in the place of what was not yet written. What is left must be a sound ledger in which each request
//! that had left is on record, and from which the next run brings the server to the roster.
//!
//! `ROSTERD_POWER_CUTS=N` cuts more often, `ROSTERD_POWER_SEED=N` draws the same again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use fastrand::Rng;
use rosterd::clock;
use rosterd::ledger::Ledger;
use rosterd::licensing::wire::Operation;
use rosterd::sandbox::{Faults, Options};
use rusqlite::Connection;

use crate::world::{ID, World, people};

const CUTS: usize = 250;
/// After so many of them the program is run on what is left.
const RUNS: usize = 12;
const SECTOR: usize = 512;
const SUBSCRIPTION: &str = "batch_size = 5\nguard = { max_removals_per_day = 100, hold_after_change = false }\n";

/// Something that the program did.
#[derive(Debug, Clone)]
enum Call {
    Made(String),
    Wrote(String, usize, Vec<u8>),
    Cut(String, usize),
    Flushed(String),
    FlushedFolder,
    Removed(String),
    Sent(Vec<u8>),
}

/// What it did in one run, and the roster that it had.
struct Run {
    roster: Vec<String>,
    /// Of all calls, those before the end of this run.
    end: usize,
}

#[test]
fn a_power_cut_at_any_moment_leaves_a_sound_ledger_that_knows_of_every_request() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("ROSTERD_POWER_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    let cuts = number("ROSTERD_POWER_CUTS").map_or(CUTS, |cuts| usize::try_from(cuts).unwrap());
    println!("seed {seed}");
    let (calls, runs) = record();
    let requests = requests(&calls);
    println!("{} calls, {} requests", calls.len(), requests.len());
    assert!(requests.len() > 8, "{requests:?}");
    at_most_one_flush_for_each_request(&calls, &requests);

    // Where a request leaves, and on a disk that keeps nothing but what was flushed.
    for (at, request) in &requests {
        let left = Left::after(&calls[..*at], &mut Keep::Flushed);
        let ledger = left.check(&calls[..*at]).unwrap();
        let open = open(&ledger);
        assert!(open.contains(request), "{request:?} leaves, and on the disk is {open:?}");
    }
    let mut rng = Rng::with_seed(seed);
    for cut in 0..cuts {
        let at = rng.usize(..calls.len());
        let left = Left::after(&calls[..at], &mut Keep::Some(rng.fork()));
        let ledger = left.check(&calls[..at]);
        if cut % cuts.div_ceil(RUNS) == 0 {
            println!("cut {cut} at call {at}");
            // Whether the last request may have come to the server or not: no answer to it is on record.
            let last = requests.iter().rfind(|(sent, _)| *sent < at);
            let in_flight = ledger.zip(last).is_some_and(|(ledger, (_, last))| open(&ledger).contains(last));
            let has_come = !in_flight || rng.bool();
            left.go_on(&requests, at, runs.iter().find(|run| at < run.end).unwrap(), has_come);
        }
    }
}

/// The open requests of a ledger.
fn open(ledger: &Ledger) -> Vec<Request> {
    let intents = ledger.open_intents("contoso").unwrap().into_iter();
    intents.map(|(_, it)| (it.operation, it.addresses.iter().map(ToString::to_string).collect())).collect()
}

// ---- what the program does

/// Onboarding, leavers and joiners, answers that are lost, and their settling.
fn record() -> (Vec<Call>, Vec<Run>) {
    let world = World::with(50, Options::default(), SUBSCRIPTION);
    let library = world.path("disk.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/disk.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl");
    let done = compiler.status().unwrap();
    assert!(done.success(), "disk.c can't be compiled");
    let notes = world.path("notes");
    let mut runs = Vec::new();
    let lost = Faults { drop_after: "100%".parse().unwrap(), ..Faults::default() };
    for (number, numbers, faults, status) in
        [(1, 0..23, None, 0), (2, 4..25, None, 0), (3, 6..31, Some(lost), 1), (4, 9..31, None, 0)]
    {
        world.sandbox.set_faults(faults.unwrap_or_default());
        let roster = people(numbers);
        world.drop_roster(&format!("{number}.csv"), &roster);
        let mut sync = world.command(&["sync"]);
        let ran = sync.env("LD_PRELOAD", &library).env("DISK_NOTES", &notes).output().unwrap();
        assert_eq!(ran.status.code(), Some(status), "{ran:?}");
        runs.push(Run { roster, end: parse(&fs::read(&notes).unwrap()).len() });
    }
    (parse(&fs::read(&notes).unwrap()), runs)
}

fn parse(mut notes: &[u8]) -> Vec<Call> {
    const HEAD: usize = 64;
    let number = |bytes: &[u8]| usize::try_from(u64::from_ne_bytes(bytes.try_into().unwrap())).unwrap();
    let mut calls = Vec::new();
    while let Some((head, rest)) = notes.split_at_checked(HEAD) {
        let (at, count) = (number(&head[48..56]), number(&head[56..64]));
        let (bytes, rest) = rest.split_at(count);
        notes = rest;
        let name = String::from_utf8(head[1..48].iter().copied().take_while(|byte| *byte != 0).collect()).unwrap();
        calls.push(match head[0] {
            b'c' => Call::Made(name),
            b'w' => Call::Wrote(name, at, bytes.to_vec()),
            b't' => Call::Cut(name, at),
            b'f' => Call::Flushed(name),
            b'd' => Call::FlushedFolder,
            b'u' => Call::Removed(name),
            b's' => Call::Sent(bytes.to_vec()),
            other => panic!("{other}"),
        });
    }
    calls
}

type Request = (Operation, Vec<String>);

/// Each request, with the place of the call by which its first byte leaves.
fn requests(calls: &[Call]) -> Vec<(usize, Request)> {
    let sent = |call: &Call| match call {
        Call::Sent(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    };
    let mut requests = Vec::new();
    for (at, text) in calls.iter().map(sent).enumerate() {
        let operation = match &text {
            text if text.starts_with("PUT ") => Operation::Assign,
            text if text.starts_with("DELETE ") => Operation::Unassign,
            _ => continue,
        };
        // The body may leave by a call of its own.
        let rest = calls[at + 1..].iter().map(sent).find(|text| !text.is_empty()).unwrap_or_default();
        let whole = text + rest.as_str();
        let body = whole.split_once("\r\n\r\n").unwrap().1;
        let body = serde_json::Deserializer::from_str(body).into_iter::<serde_json::Value>().next().unwrap().unwrap();
        let emails =
            body["emails"].as_array().unwrap().iter().map(|email| email.as_str().unwrap().to_owned()).collect();
        requests.push((at, (operation, emails)));
    }
    requests
}

/// The log of the ledger is flushed once between two requests; the file beside it once for each run.
fn at_most_one_flush_for_each_request(calls: &[Call], requests: &[(usize, Request)]) {
    let is_flush = |call: &&Call| matches!(call, Call::Flushed(_) | Call::FlushedFolder);
    let several: Vec<usize> = requests
        .windows(2)
        .map(|two| calls[two[0].0..two[1].0].iter().filter(is_flush).count())
        .filter(|flushes| *flushes > 1)
        .collect();
    // From the end of one run to the first request of the next, and from the removals' plan to the assignments'.
    assert!(several.len() <= 4, "{several:?}");
}

// ---- the disk

/// What the disk keeps of what was not flushed.
enum Keep {
    Flushed,
    Some(Rng),
}

impl Keep {
    fn keeps(&mut self) -> bool {
        match self {
            Keep::Flushed => false,
            Keep::Some(rng) => rng.bool(),
        }
    }
}

/// A file: what is on the disk for certain, and what was done since.
#[derive(Default)]
struct Inode {
    flushed: Vec<u8>,
    since: Vec<Call>,
}

/// The ledger's files after a power cut.
struct Left(BTreeMap<String, Vec<u8>>);

impl Left {
    fn after(calls: &[Call], keep: &mut Keep) -> Left {
        let mut inodes: Vec<Inode> = Vec::new();
        // Which file has which name: now, on the disk, and what was done to names since the folder was flushed.
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        let mut flushed_names = names.clone();
        let mut since: Vec<(&str, Option<usize>)> = Vec::new();
        for call in calls {
            match call {
                Call::Made(name) => {
                    inodes.push(Inode::default());
                    names.insert(name, inodes.len() - 1);
                    since.push((name, Some(inodes.len() - 1)));
                }
                Call::Removed(name) => {
                    names.remove(name.as_str());
                    since.push((name, None));
                }
                Call::FlushedFolder => {
                    flushed_names.clone_from(&names);
                    since.clear();
                }
                Call::Wrote(name, ..) | Call::Cut(name, _) => {
                    inodes[names[name.as_str()]].since.push(call.clone());
                }
                Call::Flushed(name) => {
                    let inode = &mut inodes[names[name.as_str()]];
                    for call in inode.since.split_off(0) {
                        put(&mut inode.flushed, &call);
                    }
                }
                Call::Sent(_) => {}
            }
        }
        for (name, inode) in since {
            match inode {
                _ if !keep.keeps() => {}
                Some(inode) => drop(flushed_names.insert(name, inode)),
                None => drop(flushed_names.remove(name)),
            }
        }
        let left = flushed_names.into_iter().map(|(name, inode)| (name.to_owned(), inodes[inode].left(keep)));
        Left(left.collect())
    }

    fn write_to(&self, folder: &Path) {
        for (name, content) in &self.0 {
            fs::write(folder.join(name), content).unwrap();
        }
    }

    /// It opens, is sound and in no doubt, and has every commit of which the program was told that it is on the disk.
    /// `None` where there is no ledger yet.
    fn check(&self, calls: &[Call]) -> Option<Ledger> {
        let folder = tempfile::tempdir().unwrap();
        self.write_to(folder.path());
        let path = folder.path().join("rosterd.db");
        let told = calls.iter().rev().find_map(told).unwrap_or(0);
        if !path.exists() {
            assert_eq!(told, 0, "there is no ledger, and there was one with {told} commits");
            return None;
        }
        let ledger = Ledger::open(&path, clock::now()).unwrap();
        assert_eq!(ledger.restored().unwrap(), None);
        let beside = Connection::open(&path).unwrap();
        let verdict: String = beside.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
        let number: i64 = beside.query_row("SELECT number FROM generation", [], |row| row.get(0)).unwrap();
        assert!(told <= number, "{told} commits were on the disk, and {number} are there");
        Some(ledger)
    }

    /// The program goes on from here, with a server to which the requests so far have come, the last one or not.
    fn go_on(&self, requests: &[(usize, Request)], at: usize, run: &Run, with_the_last: bool) {
        let world = World::with(50, Options::default(), SUBSCRIPTION);
        let mut seats: BTreeSet<&String> = BTreeSet::new();
        let come: Vec<_> = requests.iter().take_while(|(sent, _)| *sent < at).collect();
        let is_last = |place: usize| place + 1 == come.len();
        for (place, (_, (operation, emails))) in come.iter().enumerate() {
            match operation {
                _ if is_last(place) && !with_the_last => {}
                Operation::Assign => seats.extend(emails),
                Operation::Unassign => seats.retain(|email| !emails.contains(email)),
            }
        }
        for email in seats {
            world.sandbox.assign_by_hand(ID, email);
        }
        self.write_to(world.dir.path());
        world.drop_roster("9.csv", &run.roster);
        world.run_to(0, &["sync"]);
        assert_eq!(world.assigned(), run.roster);
    }
}

/// The number that was written beside the ledger: the program knew then that so many commits were on the disk.
fn told(call: &Call) -> Option<i64> {
    let Call::Wrote(name, _, bytes) = call else { return None };
    let line = std::str::from_utf8(bytes).ok().filter(|_| name == "rosterd.db.generation")?;
    line.split_once(" generation ")?.1.split_once(' ')?.0.parse().ok()
}

impl Inode {
    fn left(&self, keep: &mut Keep) -> Vec<u8> {
        let mut content = self.flushed.clone();
        for call in &self.since {
            let Keep::Some(rng) = keep else { break };
            match call {
                Call::Wrote(name, at, bytes) => {
                    let mut from = 0;
                    while from < bytes.len() {
                        // Up to the end of the sector.
                        let to = bytes.len().min(from + SECTOR - (at + from) % SECTOR);
                        scatter(&mut content, name, at + from, &bytes[from..to], rng);
                        from = to;
                    }
                }
                other if rng.bool() => put(&mut content, other),
                _ => {}
            }
        }
        content
    }
}

/// A sector that is kept, lost, half written; or, where nothing was before, garbage.
fn scatter(content: &mut Vec<u8>, name: &str, at: usize, bytes: &[u8], rng: &mut Rng) {
    let part = |bytes: &[u8]| Call::Wrote(name.to_owned(), at, bytes.to_vec());
    match rng.u32(0..8) {
        0..4 => put(content, &part(bytes)),
        4 => put(content, &part(&bytes[..bytes.len() / 2])),
        5 if content.len() <= at => put(content, &part(&vec![rng.u8(..); bytes.len()])),
        _ => {}
    }
}

fn put(content: &mut Vec<u8>, call: &Call) {
    match call {
        Call::Wrote(_, at, bytes) => {
            let end = at + bytes.len();
            content.resize(content.len().max(end), 0);
            content[*at..end].copy_from_slice(bytes);
        }
        Call::Cut(_, length) => content.resize(*length, 0),
        _ => {}
    }
}
