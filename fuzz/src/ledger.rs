//! The bytes of a ledger's file: opened, looked at, planned and worked with, whatever they are.
//!
//! An input that begins as SQLite's files do is the file. Any other is a list of edits of a small sound ledger, twelve
//! bytes each: bytes that are flipped, overwritten or cut off, pages that change places, and values that another program
//! has written into the tables, which no check of the file finds.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rosterd::address::Address;
use rosterd::clock::Timestamp;
use rosterd::config::{Config, load_str};
use rosterd::dispatch::machine::{Machine, Outcome, Report, Settings, Step, Work};
use rosterd::ledger::sqlite::Look;
use rosterd::ledger::{Acceptance, Ledger, LedgerError, Owner, RunId, RunOutcome, Trigger};
use rosterd::licensing::wire::{Answer, Stats};
use rosterd::pass;
use rosterd::report::status::SubscriptionStatus;
use rosterd::report::{history, members};
use rosterd::roster::change::Change;
use rosterd::roster::{Entry, Fingerprint, Parts, Reason, When};
use rosterd::source::{BadRow, Evidence, FileMark};
use rusqlite::Connection;
use rusqlite::types::Value;

const PAGE: usize = 4096;
/// An edit: what, where, and with what.
const EDIT: usize = 12;

/// See the module's page.
pub fn run(data: &[u8]) {
    let folder = tempfile::tempdir_in(memory()).unwrap();
    let path = folder.path().join("rosterd.db");
    if data.starts_with(b"SQLite format 3\0") {
        fs::write(&path, data).unwrap();
    } else {
        edited(&path, data);
    }
    let told = [
        Ledger::open_readonly(&path).and_then(|ledger| look(&ledger)),
        Ledger::open(&path, at(0)).and_then(|mut ledger| {
            let told = look(&ledger).and_then(|()| work(&mut ledger, 9, 100));
            told.and_then(|()| look(&ledger))
        }),
        Ledger::scratch(&path).and_then(|ledger| look(&ledger)),
    ];
    if data.is_empty() {
        assert!(told.iter().all(Result::is_ok), "{told:?}");
    }
}

/// Where files cost little.
fn memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

fn at(minutes: i64) -> Timestamp {
    let begin: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
    begin + chrono::TimeDelta::minutes(minutes)
}

fn config() -> &'static Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    CONFIG.get_or_init(|| {
        let text = r#"
            [subscriptions.contoso]
            type = "Manual"
            id = "ff3d3cf5-5388-40a0-915f-970c1d2d972f"
            api_key = { file = "contoso.key" }
            sources = ["hr"]
            batch_size = 3
            [sources.hr]
            kind = "csv"
            path = "drops"
        "#;
        load_str(Path::new("/nonexistent/rosterd.toml"), text).unwrap()
    })
}

/// Everything that `status`, `plan`, `members`, `history` and `explain` ask for.
fn look(ledger: &Ledger) -> Result<(), LedgerError> {
    let subscription = &config().subscriptions["contoso"];
    let (name, sources) = (&subscription.name, &subscription.sources);
    let record = ledger.subscription(name)?;
    let problems: Vec<(String, String)> = Vec::new();
    let status = SubscriptionStatus::new(subscription, &record, &ledger.member_counts(name)?, &problems, at(60));
    status.sentences(at(60));
    ledger.source("hr")?;
    ledger.for_each_row("hr", &Parts::all(), &mut |_, _| {})?;
    let mut lines = Vec::new();
    ledger.for_each_history(&[], None, &mut |line| lines.extend(history::json(&line)))?;
    let mut last = None;
    ledger.for_each_member(name, None, &mut |member| {
        last = Some(member.address.clone());
        let _json = members::MemberLine::new(name, member, &[]).json();
    })?;
    if let Some(address) = last {
        ledger.candidate(name, sources, address.identity())?;
        ledger.history_of(address.identity(), 10)?;
    }
    if let Some(run) = &record.last_run {
        ledger.run(run.id)?;
        ledger.run_effects(run.id)?;
    }
    ledger.candidates(name, sources, Look::All, at(60))?;
    ledger.entries_by_id("hr", &["7"])?;
    ledger.newest_file_refused("hr")?;
    let seen = pass::look_at(ledger, config(), subscription, true, at(60))?;
    serde_json::to_string(&*seen.plan).unwrap();
    seen.next_moments(subscription);
    pass::look_at(ledger, config(), subscription, false, at(60 * 24 * 40))?;
    Ok(())
}

/// A pass, with a server that does what it is asked.
fn work(ledger: &mut Ledger, run: u128, minutes: i64) -> Result<(), LedgerError> {
    let subscription = &config().subscriptions["contoso"];
    let name = &subscription.name;
    let owner = Owner("elsewhere".to_owned());
    let Some(lease) = ledger.acquire(name, &owner, Duration::from_mins(2), at(minutes))? else { return Ok(()) };
    let run = RunId::from_u128(run);
    ledger.stand_for(&lease, &subscription.remote())?;
    ledger.begin_run(&lease, run, Trigger::Command, at(minutes))?;
    let mut seen = pass::look_at(ledger, config(), subscription, true, at(minutes))?;
    if !seen.work.resume.is_empty() {
        let settle = Work { resume: seen.work.resume.clone(), ..Work::default() };
        dispatch(ledger, &lease, run, settle)?;
        seen = pass::look_at(ledger, config(), subscription, true, at(minutes))?;
    }
    ledger.record_plan(&lease, run, &Arc::clone(&seen.plan), &seen.scope, seen.seen_until, at(minutes))?;
    let report = dispatch(ledger, &lease, run, seen.work)?;
    ledger.finish_run(&lease, run, RunOutcome::Converged, &report, None, at(minutes))?;
    ledger.release(lease)
}

fn dispatch(
    ledger: &mut Ledger,
    lease: &rosterd::ledger::Lease,
    run: RunId,
    work: Work,
) -> Result<Report, LedgerError> {
    let settings = Settings { batch_size: 3, retry_for: Duration::from_secs(30), seed: 1 };
    let mut machine = Machine::new(settings, work);
    for _ in 0..10_000 {
        match machine.next(Duration::ZERO) {
            Step::Commit(commit) => {
                let intent = ledger.commit(lease, run, &commit, at(61))?;
                machine.committed(intent);
            }
            Step::Send(_) => {
                machine.answered(Duration::ZERO, Answer::Done { stats: Some(Stats { available: 9, assigned: 4 }) });
            }
            Step::Wait(_) => panic!("waits for what has been answered"),
            Step::Done(report) => return Ok(report),
        }
    }
    panic!("does not end")
}

// ---- a sound ledger, and what becomes of it

/// A ledger with members in every state, an open intent, a hold, an approval, a past, and a roster with dates and bad rows.
fn sound() -> &'static [u8] {
    static SOUND: OnceLock<Vec<u8>> = OnceLock::new();
    SOUND.get_or_init(|| {
        let folder = tempfile::tempdir_in(memory()).unwrap();
        let path = folder.path().join("rosterd.db");
        let mut ledger = Ledger::open(&path, at(0)).unwrap();
        fill(&mut ledger).unwrap();
        drop(ledger);
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update_and_check(None, "wal_checkpoint", "TRUNCATE", |_| Ok(())).unwrap();
        drop(connection);
        fs::read(&path).unwrap()
    })
}

fn person(i: usize) -> Entry {
    Entry {
        address: Address::parse(&format!("P{i}@contoso.com")).unwrap(),
        stable_id: i.is_multiple_of(2).then(|| i.to_string().into()),
        route: None,
        priority: 100,
        starts: (i == 3).then(|| When::parse("2027-01-01").unwrap()),
        ends: (i == 5).then(|| When::parse("2026-12-01").unwrap()),
        origin: format!("staff.csv line {i}").into(),
    }
}

fn accept(ledger: &mut Ledger, changes: Vec<Change>, minutes: i64) -> Result<(), LedgerError> {
    let acceptance = Acceptance {
        source: "hr".to_owned(),
        scope: "columns".to_owned(),
        subscriptions: vec!["contoso".to_owned()],
        changes,
        base: None,
        fingerprint: Fingerprint::default(),
        entries: 12,
        bad_rows: vec![BadRow {
            origin: "staff.csv line 9".to_owned(),
            reason: "the address has no @".to_owned(),
            stable_id: Some("9".to_owned()),
            address: None,
        }],
        evidence: Evidence { file: Some("staff.csv".to_owned()), ..Evidence::default() },
        delta: None,
    };
    ledger.accept(&acceptance, at(minutes)).map(drop)
}

fn fill(ledger: &mut Ledger) -> Result<(), LedgerError> {
    let subscription = &config().subscriptions["contoso"];
    accept(ledger, (0..12).map(person).map(Change::Added).collect(), 1)?;
    work(ledger, 7, 61)?;
    let gone = |i| Change::Removed { entry: person(i), reason: Reason::Left, renamed_to: None };
    accept(ledger, (0..8).map(gone).chain((12..16).map(person).map(Change::Added)).collect(), 2)?;
    let owner = Owner("elsewhere".to_owned());
    let lease = ledger.acquire("contoso", &owner, Duration::from_mins(2), at(70))?.unwrap();
    let run = RunId::from_u128(8);
    ledger.begin_run(&lease, run, Trigger::Roster, at(70))?;
    let seen = pass::look_at(ledger, config(), subscription, true, at(70))?;
    ledger.record_plan(&lease, run, &seen.plan, &seen.scope, seen.seen_until, at(70))?;
    if let Some(hold) = &seen.plan.hold {
        ledger.approve("contoso", hold, "somebody", at(90), at(70))?;
    }
    let mut machine = Machine::new(Settings { batch_size: 3, retry_for: Duration::from_secs(30), seed: 1 }, seen.work);
    // The first request is refused for one of its addresses, and the answer to the second is lost.
    let refused =
        |address: &Address| Answer::Refused { errors: vec![format!("'{address}' is not valid.")], stats: None };
    let mut sent = 0;
    let report = loop {
        match machine.next(Duration::ZERO) {
            Step::Commit(commit) => {
                let unknown = |(_, outcome): &(Address, Outcome)| matches!(outcome, Outcome::Unknown { .. });
                let lost = commit.settled.iter().flat_map(|(_, outcomes)| outcomes).any(unknown);
                let intent = ledger.commit(&lease, run, &commit, at(71))?;
                machine.committed(intent);
                assert!(!lost || sent > 1);
            }
            Step::Send(request) => {
                sent += 1;
                let lost =
                    Answer::Busy { status: 503, retry_after: Some(Duration::from_hours(1)), words: "busy".to_owned() };
                machine.answered(Duration::ZERO, if sent == 1 { refused(&request.addresses[0]) } else { lost });
            }
            Step::Wait(_) => panic!("waits"),
            Step::Done(report) => break report,
        }
    };
    ledger.finish_run(&lease, run, RunOutcome::Failed, &report, Some("no answer"), at(72))?;
    let old = FileMark { name: "old.csv".to_owned(), digest: "abc".to_owned(), written: 72 };
    ledger.refuse_file("hr", &old, "columns", at(72))?;
    ledger.release(lease)
}

fn edited(path: &Path, data: &[u8]) {
    let mut file = sound().to_vec();
    let edits: Vec<&[u8]> = data.chunks_exact(EDIT).take(64).collect();
    for edit in &edits {
        bytes(&mut file, edit);
    }
    fs::write(path, &file).unwrap();
    if edits.iter().any(|edit| edit[0] % 8 >= 4)
        && let Ok(connection) = Connection::open(path)
    {
        for edit in edits {
            // What SQLite itself refuses is not written.
            let _told = value(&connection, edit);
        }
    }
}

fn number(edit: &[u8], place: usize) -> usize {
    edit[place..place + 4].iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

fn bytes(file: &mut Vec<u8>, edit: &[u8]) {
    let Some(place) = number(edit, 1).checked_rem(file.len()) else { return };
    match edit[0] % 8 {
        0 => file[place] ^= edit[5].max(1),
        1 => {
            let end = file.len().min(place + 7);
            file[place..end].copy_from_slice(&edit[5..5 + end - place]);
        }
        2 if edit[5] == 0 => file.truncate(place),
        2 => {
            let end = file.len().min(place + number(edit, 5) % PAGE);
            file[place..end].fill(0);
        }
        3 => {
            let pages = file.len() / PAGE;
            if let Some(one) = place.checked_rem(pages) {
                let other = number(edit, 5) % pages;
                let kept = file[one * PAGE..(one + 1) * PAGE].to_vec();
                file.copy_within(other * PAGE..(other + 1) * PAGE, one * PAGE);
                file[other * PAGE..(other + 1) * PAGE].copy_from_slice(&kept);
            }
        }
        _ => {}
    }
}

/// Writes a value into a column, in the rows that are like one of them, or in all.
fn value(connection: &Connection, edit: &[u8]) -> rusqlite::Result<()> {
    if edit[0] % 8 < 4 {
        return Ok(());
    }
    connection.execute_batch(
        "PRAGMA ignore_check_constraints = 1; PRAGMA foreign_keys = 0; DROP TRIGGER IF EXISTS history_stays;",
    )?;
    let columns: Vec<(String, String, String)> = connection
        .prepare(
            "SELECT m.name, p.name, p.type FROM sqlite_schema AS m, pragma_table_info(m.name) AS p
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY 1, 2",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let Some((table, column, kind)) = columns.get(usize::from(edit[1]) % columns.len().max(1)) else { return Ok(()) };
    let own = &edit[4..];
    let long = i64::from_be_bytes(own.try_into().unwrap_or_default());
    let text = String::from_utf8_lossy(own.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned();
    let present: Option<String> = connection
        .query_row(
            &format!("SELECT CAST ({column} AS TEXT) FROM {table} WHERE {column} IS NOT NULL LIMIT 1"),
            [],
            |row| row.get(0),
        )
        .ok();
    let value = match edit[3] % 6 {
        0 => Value::Null,
        1 if kind == "INTEGER" => Value::Integer(
            [i64::MIN, i64::MAX, 0, -1, 1, 1 << 40, -(1 << 50), 253_402_300_800_000][usize::from(own[0]) % 8],
        ),
        2 if kind == "INTEGER" => Value::Integer(long),
        1 => Value::Text(WORDS[usize::from(own[0]) % WORDS.len()].to_owned()),
        2 if kind == "BLOB" => Value::Blob(own.to_vec()),
        2 => Value::Text(text),
        // What is there, with bytes put in or taken out.
        3 => Value::Text(present.unwrap_or_default().chars().take(usize::from(own[0])).collect()),
        4 => Value::Text(present.unwrap_or_default().replacen(char::from(own[0]), &text, 1)),
        _ => Value::Blob(own.iter().copied().cycle().take(usize::from(own[0])).collect()),
    };
    let rows = match edit[2] {
        0 => String::new(),
        n => format!("WHERE {column} IS (SELECT {column} FROM {table} LIMIT 1 OFFSET {})", n - 1),
    };
    connection.execute(&format!("UPDATE OR REPLACE {table} SET {column} = ?1 {rows}"), [value])?;
    Ok(())
}

/// What may stand where another thing should.
const WORDS: [&str; 16] = [
    "",
    "assigned",
    "leaving",
    "unknown",
    "pending",
    "{}",
    "[]",
    "null",
    "[\"a@b.example\"]",
    "[\"\"]",
    "{\"batch_size\":0}",
    "{\"batch_size\":18446744073709551615}",
    "not an address",
    "0001-01-01",
    "262142-12-31T23:59:59Z",
    "\u{0}",
];
