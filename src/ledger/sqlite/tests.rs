//! The suite on SQLite, and what only a file can have: damage, rights, versions, other processes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::ffi::{
    SQLITE_BUSY, SQLITE_CANTOPEN, SQLITE_CORRUPT, SQLITE_ERROR, SQLITE_FULL, SQLITE_LOCKED, SQLITE_NOTADB, SQLITE_PERM,
    SQLITE_READONLY, SQLITE_READONLY_DIRECTORY,
};

use super::*;
use crate::address::Address;
use crate::dispatch::machine::Commit;
use crate::ledger::{Acceptance, Owner};
use crate::plan::Plan;
use crate::roster::change::Change;
use crate::roster::{Entry, Fingerprint};
use crate::source::Evidence;

fn with_ledger(test: fn(&mut Ledger)) {
    let (_folder, _, mut ledger) = new_ledger();
    test(&mut ledger);
}

super::super::suite::ledger_suite!(with_ledger);

pub(super) const NOW: Timestamp = Timestamp::UNIX_EPOCH;

pub(super) fn new_ledger() -> (tempfile::TempDir, PathBuf, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rosterd.db");
    let ledger = Ledger::open(&path, NOW).unwrap();
    (folder, path, ledger)
}

pub(super) fn lease(ledger: &mut Ledger) -> Lease {
    ledger.acquire("contoso", &Owner("me".into()), Duration::from_mins(1), NOW).unwrap().unwrap()
}

pub(super) fn adopt(ledger: &mut Ledger, count: usize) -> Lease {
    let lease = lease(ledger);
    let addresses: Vec<Address> =
        (0..count).map(|number| Address::parse(&format!("p{number}@contoso.com")).unwrap()).collect();
    ledger.adopt(&lease, &addresses, "it", NOW).unwrap();
    lease
}

pub(super) fn holding(ledger: &Ledger) -> u64 {
    ledger.counts("contoso", NOW).unwrap().holding
}

#[test]
fn a_new_ledger_is_for_its_user_alone() {
    let (_folder, path, mut ledger) = new_ledger();
    adopt(&mut ledger, 1);
    for file in fs::read_dir(path.parent().unwrap()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
    }
}

#[test]
fn every_commit_is_flushed_that_something_may_come_of() {
    let (_folder, _, mut ledger) = new_ledger();
    let level = |ledger: &Ledger| -> i64 {
        ledger.connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap()
    };
    let (normal, full) = (1, 2);
    let run = uuid::Uuid::from_u128(1);
    let lease = lease(&mut ledger);
    ledger.begin_run(&lease, run, crate::ledger::Trigger::Start, NOW).unwrap();
    assert_eq!(level(&ledger), normal, "nothing has come of it");
    ledger.commit(&lease, run, &Commit::default(), NOW).unwrap();
    assert_eq!(level(&ledger), full);
    ledger.release(lease.clone()).unwrap();
    assert_eq!(level(&ledger), normal);
    // As it was left by another verb that failed in the middle.
    ledger.commit(&lease, run, &Commit::default(), NOW).unwrap_err();
    assert_eq!(level(&ledger), full);
    ledger.ask_for_run("contoso", NOW).unwrap();
    assert_eq!(level(&ledger), full);
    let mode: String = ledger.connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn what_was_written_is_there_after_opening_again_with_the_same_keys() {
    let (_folder, path, mut ledger) = new_ledger();
    adopt(&mut ledger, 3);
    let key = ledger.hasher().entry_key("ann@contoso.com", None);
    drop(ledger);
    let ledger = Ledger::open(&path, NOW).unwrap();
    assert_eq!(holding(&ledger), 3);
    assert_eq!(ledger.hasher().entry_key("ann@contoso.com", None), key);
    assert_eq!(Ledger::open_readonly(&path).unwrap().hasher().entry_key("ann@contoso.com", None), key);
}

#[test]
fn a_transaction_that_is_cut_short_leaves_nothing() {
    let (_folder, path, mut ledger) = new_ledger();
    adopt(&mut ledger, 1);
    let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        ledger.write(|transaction| -> Result<()> {
            transaction.execute("DELETE FROM member", []).unwrap();
            panic!("the process dies here");
        })
    }));
    assert!(died.is_err());
    assert_eq!(holding(&ledger), 1);
    // As after a kill: the log of an unfinished transaction lies beside the file.
    let copy = tempfile::tempdir().unwrap();
    ledger.connection.execute_batch("BEGIN IMMEDIATE; DELETE FROM member_count;").unwrap();
    for file in fs::read_dir(path.parent().unwrap()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    assert_eq!(holding(&Ledger::open(&copy.path().join("rosterd.db"), NOW).unwrap()), 1);
}

/// Copies the ledger as a power cut would leave it: the log up to here, then what the disk happened to hold.
fn cut(path: &Path, log: &[u8], rest: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("rosterd.db");
    fs::copy(path, &copy).unwrap();
    fs::write(folder.path().join("rosterd.db-wal"), [log, rest].concat()).unwrap();
    (folder, copy)
}

#[test]
fn a_log_that_breaks_off_anywhere_leaves_the_last_whole_commit() {
    let (_folder, path, mut ledger) = new_ledger();
    ledger.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let log = path.with_file_name("rosterd.db-wal");
    let lease = lease(&mut ledger);
    let mut commits = Vec::new();
    for number in 0..6u8 {
        let addresses: Vec<Address> =
            (0..=number * 20).map(|p| Address::parse(&format!("p{number}.{p}@contoso.com")).unwrap()).collect();
        ledger.adopt(&lease, &addresses, "it", NOW).unwrap();
        commits.push((fs::read(&log).unwrap().len(), holding(&ledger)));
    }
    let whole = fs::read(&log).unwrap();
    let torn = [0u8, 0xff].map(|byte| vec![byte; 5000]);
    // A frame is a page and its head of 24 bytes; the log has one of 32.
    let frames = (0..).map(|frame| 32 + frame * 4120).take_while(|end| *end <= whole.len());
    for (frame, end) in frames.enumerate() {
        let ends = [end, end + 1, end + 2060].map(|end| end.min(whole.len()));
        let (end, rest) = (ends[frame % 3], &torn[frame % 2][..frame % 4 * 1500]);
        let (_copy, copy) = cut(&path, &whole[..end], rest);
        let ledger = Ledger::open(&copy, NOW).unwrap();
        let expected = commits.iter().rev().find(|(length, _)| *length <= end).map_or(0, |(_, held)| *held);
        assert_eq!(holding(&ledger), expected, "cut at {end} of {}", whole.len());
        let mut members = 0;
        ledger.for_each_member("contoso", None, &mut |_| members += 1).unwrap();
        assert_eq!(members, expected, "cut at {end} of {}", whole.len());
    }
}

#[test]
fn a_reader_sees_what_another_connection_committed_and_can_not_write() {
    let (_folder, path, mut ledger) = new_ledger();
    let mut reader = Ledger::open_readonly(&path).unwrap();
    assert_eq!(holding(&reader), 0);
    adopt(&mut ledger, 2);
    assert_eq!(holding(&reader), 2);
    assert!(matches!(reader.ask_for_run("contoso", NOW), Err(LedgerError::ReadOnly { .. })));
}

#[test]
fn verbs_that_read_may_be_nested() {
    let (_folder, _, mut ledger) = new_ledger();
    adopt(&mut ledger, 3);
    let mut lines = 0;
    let mut count = |member: crate::ledger::Member| {
        let identity = member.address.identity();
        lines += ledger.history_of(identity, 9).unwrap().len();
        assert!(ledger.candidate("contoso", &[], identity).unwrap().member.is_some());
    };
    ledger.for_each_member("contoso", None, &mut count).unwrap();
    assert_eq!(lines, 3);
    ledger.ask_for_run("contoso", NOW).unwrap();
}

#[test]
fn what_one_verb_reads_is_of_one_moment() {
    let (_folder, path, mut ledger) = new_ledger();
    let lease = adopt(&mut ledger, 2);
    let reader = Ledger::open_readonly(&path).unwrap();
    let read = |connection: &Connection| -> Result<u64> { planning::held_now(connection, 1) };
    let (before, after) = reader
        .read(|connection| {
            let before = read(connection)?;
            ledger.forget(&lease, &[Address::parse("p0@contoso.com").unwrap()], "it", NOW)?;
            assert_eq!(reader.restored()?, None, "its file is of a later moment");
            Ok((before, read(connection)?))
        })
        .unwrap();
    assert_eq!((before, after, holding(&reader)), (2, 2, 1));
}

#[test]
fn two_writers_take_turns_and_one_lease() {
    let (_folder, path, mut ledger) = new_ledger();
    let mut other = Ledger::open(&path, NOW).unwrap();
    let lease = adopt(&mut ledger, 1);
    let taken = other.acquire("contoso", &Owner("you".into()), Duration::from_mins(1), NOW).unwrap();
    assert!(taken.is_none());
    other.ask_for_run("contoso", NOW).unwrap();
    assert_eq!(ledger.take_asked().unwrap(), ["contoso"]);
    ledger.release(lease).unwrap();
    assert!(other.acquire("contoso", &Owner("you".into()), Duration::from_mins(1), NOW).unwrap().is_some());
}

#[test]
fn a_ledger_that_another_program_keeps_busy_is_said_to_be_busy() {
    let (_folder, path, mut ledger) = new_ledger();
    ledger.connection.busy_timeout(Duration::ZERO).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(ledger.ask_for_run("contoso", NOW), Err(LedgerError::Busy)));
}

#[test]
fn a_missing_ledger_is_made_for_a_writer_and_missed_by_a_reader() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rosterd.db");
    assert!(matches!(Ledger::open_readonly(&path), Err(LedgerError::Missing { .. })));
    assert!(!path.exists());
    // A file that nothing was ever written to.
    fs::write(&path, "").unwrap();
    assert!(matches!(Ledger::open_readonly(&path), Err(LedgerError::Missing { .. })));
    Ledger::open(&path, NOW).unwrap();
    Ledger::open_readonly(&path).unwrap();
    let nowhere = folder.path().join("no-such-folder").join("rosterd.db");
    let error = Ledger::open(&nowhere, NOW).unwrap_err();
    assert!(matches!(&error, LedgerError::Open { path, .. } if *path == nowhere), "{error:?}");
}

#[test]
fn a_newer_ledger_is_left_as_it_is() {
    let (_folder, path, ledger) = new_ledger();
    ledger.connection.pragma_update(None, "user_version", migrations::KNOWN + 1).unwrap();
    drop(ledger);
    let before = fs::read(&path).unwrap();
    for result in [Ledger::open(&path, NOW), Ledger::open_readonly(&path)] {
        let error = result.unwrap_err();
        let LedgerError::Newer { found, known, .. } = error else { panic!("{error:?}") };
        assert_eq!((found, known), (migrations::KNOWN + 1, migrations::KNOWN));
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn another_programs_file_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rosterd.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    let before = fs::read(&path).unwrap();
    assert!(matches!(Ledger::open(&path, NOW), Err(LedgerError::Damaged { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
    fs::write(&path, "email\nann@contoso.com\n".repeat(100)).unwrap();
    assert!(matches!(Ledger::open(&path, NOW), Err(LedgerError::Damaged { .. })));
}

#[test]
fn a_ledger_that_was_cut_short_is_said_to_be_damaged() {
    let (_folder, path, mut ledger) = new_ledger();
    adopt(&mut ledger, 2000);
    drop(ledger);
    let whole = fs::read(&path).unwrap();
    for length in [1, 99, 100, 512, 4096, 8192, whole.len() / 2, whole.len() - 4096, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let result = Ledger::open(&path, NOW);
        assert!(matches!(result, Err(LedgerError::Damaged { .. })), "{length} of {}: {result:?}", whole.len());
    }
}

#[test]
fn damage_in_the_middle_is_found() {
    let (_folder, path, mut ledger) = new_ledger();
    adopt(&mut ledger, 2000);
    drop(ledger);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xa5);
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(Ledger::open(&path, NOW), Err(LedgerError::Damaged { .. })));
}

#[test]
fn damage_in_a_large_ledger_is_said_where_it_is_read() {
    let (_folder, path, mut ledger) = new_ledger();
    let large = "INSERT INTO meta (key, value) VALUES ('large', zeroblob(?1))";
    ledger.connection.execute(large, [CHECKED_BYTES_MAX.cast_signed()]).unwrap();
    adopt(&mut ledger, 2000);
    drop(ledger);
    let mut bytes = fs::read(&path).unwrap();
    let members = usize::try_from(CHECKED_BYTES_MAX).unwrap() + (1 << 18);
    bytes[members..members + (1 << 16)].fill(0xa5);
    fs::write(&path, &bytes).unwrap();
    let ledger = Ledger::open(&path, NOW).unwrap();
    let result = ledger.for_each_member("contoso", None, &mut |_| ());
    assert!(matches!(result, Err(LedgerError::Damaged { .. })), "{result:?}");
}

#[test]
fn a_ledger_that_is_put_away_or_replaced_under_a_running_process_is_not_written_to() {
    let (folder, path, mut ledger) = new_ledger();
    let away = folder.path().join("away.db");
    ledger.ask_for_run("contoso", NOW).unwrap();
    fs::rename(&path, &away).unwrap();
    assert!(matches!(ledger.ask_for_run("fabrikam", NOW), Err(LedgerError::Gone { .. })));
    fs::copy(&away, &path).unwrap();
    assert!(matches!(ledger.ask_for_run("fabrikam", NOW), Err(LedgerError::Gone { .. })));
    fs::rename(&away, &path).unwrap();
    ledger.ask_for_run("fabrikam", NOW).unwrap();
    assert_eq!(ledger.take_asked().unwrap(), ["contoso", "fabrikam"]);
}

#[test]
fn a_value_that_nobody_wrote_is_damage() {
    let (_folder, _, mut ledger) = new_ledger();
    adopt(&mut ledger, 1);
    ledger.connection.execute("UPDATE subscription SET habits = 'nonsense'", []).unwrap();
    assert!(matches!(ledger.subscription("contoso"), Err(LedgerError::Damaged { .. })));
}

#[test]
fn a_full_disk_loses_nothing() {
    let (_folder, _, mut ledger) = new_ledger();
    let lease = adopt(&mut ledger, 10);
    let pages: i64 = ledger.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    ledger.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    let addresses: Vec<Address> =
        (0..5000).map(|number| Address::parse(&format!("q{number}@contoso.com")).unwrap()).collect();
    assert!(matches!(ledger.adopt(&lease, &addresses, "it", NOW), Err(LedgerError::DiskFull)));
    assert_eq!(holding(&ledger), 10);
    ledger.connection.pragma_update_and_check(None, "max_page_count", 1 << 20, |_| Ok(())).unwrap();
    ledger.adopt(&lease, &addresses, "it", NOW).unwrap();
    assert_eq!(holding(&ledger), 5010);
}

#[test]
fn the_history_can_not_be_changed() {
    let (_folder, _, mut ledger) = new_ledger();
    adopt(&mut ledger, 1);
    for sql in ["UPDATE history SET detail = ''", "DELETE FROM history"] {
        let error = ledger.connection.execute(sql, []).unwrap_err();
        assert!(error.to_string().contains("history can only be appended to"), "{error}");
    }
}

#[test]
fn sqlite_s_errors_have_names() {
    let named = |code: std::ffi::c_int| {
        let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        super::named(Path::new("rosterd.db"), LedgerError::Sqlite(error))
    };
    assert!(matches!(named(SQLITE_READONLY), LedgerError::ReadOnly { .. }));
    assert!(matches!(named(SQLITE_READONLY_DIRECTORY), LedgerError::ReadOnly { .. }));
    assert!(matches!(named(SQLITE_CANTOPEN), LedgerError::Open { .. }));
    assert!(matches!(named(SQLITE_PERM), LedgerError::Open { .. }));
    assert!(matches!(named(SQLITE_FULL), LedgerError::DiskFull));
    assert!(matches!(named(SQLITE_BUSY), LedgerError::Busy));
    assert!(matches!(named(SQLITE_LOCKED), LedgerError::Busy));
    assert!(matches!(named(SQLITE_CORRUPT), LedgerError::Damaged { .. }));
    assert!(matches!(named(SQLITE_NOTADB), LedgerError::Damaged { .. }));
    assert!(matches!(named(SQLITE_ERROR), LedgerError::Sqlite(_)));
    let ours = super::named(Path::new("rosterd.db"), LedgerError::Sqlite(rusqlite::Error::QueryReturnedNoRows));
    assert!(matches!(ours, LedgerError::Sqlite(_)), "a fault of the program is no damage");
}

pub(super) fn entries(count: usize) -> Acceptance {
    let entry = |number: usize| Entry {
        address: Address::parse(&format!("p{number}@contoso.com")).unwrap(),
        stable_id: None,
        route: None,
        priority: 100,
        starts: None,
        ends: None,
        origin: format!("staff.csv line {number}").into(),
    };
    Acceptance {
        source: "hr".into(),
        scope: "columns".into(),
        subscriptions: vec!["contoso".into()],
        changes: (0..count).map(|number| Change::Added(entry(number))).collect(),
        base: None,
        fingerprint: Fingerprint::default(),
        entries: count as u64,
        bad_rows: Vec::new(),
        evidence: Evidence::default(),
        delta: None,
    }
}

#[test]
fn a_pass_that_changes_nothing_writes_nothing() {
    let (_folder, path, mut ledger) = new_ledger();
    let sources = vec!["hr".to_owned()];
    ledger.accept(&entries(5), NOW).unwrap();
    let lease = adopt(&mut ledger, 5);
    let pass = |ledger: &mut Ledger, minutes: i64| {
        let now = NOW + chrono::TimeDelta::minutes(minutes);
        ledger.accept_unchanged("hr", &Evidence::default(), &[], now).unwrap();
        ledger.source_well("hr").unwrap();
        let seen = ledger.candidates("contoso", &sources, Look::Touched, now).unwrap().seen;
        ledger.record_plan(&lease, uuid::Uuid::from_u128(1), &Arc::new(Plan::default()), "policy", seen, now).unwrap();
        assert_eq!(ledger.take_asked().unwrap(), Vec::<String>::new());
    };
    pass(&mut ledger, 1);
    let log = path.with_file_name("rosterd.db-wal");
    let before = (fs::read(&path).unwrap(), fs::read(&log).unwrap());
    pass(&mut ledger, 2);
    assert!(before == (fs::read(&path).unwrap(), fs::read(&log).unwrap()), "the pass was written");
}

#[test]
fn what_every_plan_asks_is_found_by_an_index() {
    let (_folder, _, ledger) = new_ledger();
    for sql in [
        "SELECT identity FROM member INDEXED BY member_unsettled
         WHERE subscription_id = ?1 AND (state <> 'assigned' OR departure IS NOT NULL)",
        "SELECT identity FROM member WHERE subscription_id = ?1 AND kept = 1",
        "SELECT identity, route FROM roster_entry WHERE source_id = ?1 AND ends_about > ?2 AND ends_about <= ?3",
        "SELECT identity FROM roster_entry INDEXED BY roster_entry_stable_id
         WHERE source_id = ?1 AND stable_id = ?2 ORDER BY key",
        "SELECT count(*) FROM history WHERE subscription_id = ?1 AND counts = 1 AND at > ?2",
        "SELECT name FROM subscription WHERE asked_at IS NOT NULL ORDER BY name",
        "SELECT at FROM history WHERE identity = ?1 ORDER BY at DESC, history.id DESC LIMIT ?2",
    ] {
        let mut statement = ledger.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let values = vec![0; statement.parameter_count()];
        let plan: Vec<String> = statement
            .query_map(rusqlite::params_from_iter(values), |row| row.get(3))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        assert!(plan.len() == 1 && plan[0].contains("INDEX"), "{sql}: {plan:?}");
    }
}

#[test]
fn a_full_disk_is_one_wherever_sqlite_notices_it() {
    for code in [rusqlite::ffi::SQLITE_FULL, rusqlite::ffi::SQLITE_IOERR_SHMSIZE] {
        let cause = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        assert!(matches!(named(Path::new("x"), cause.into()), LedgerError::DiskFull), "{code}");
    }
}
