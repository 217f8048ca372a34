//! A ledger beside its file: what is known to be restored from a copy, and what then happens to removals.

use std::fs;

use super::tests::{NOW, adopt, holding, new_ledger};
use super::*;
use crate::address::Address;
use crate::dispatch::machine::{Commit, NewIntent, Outcome};
use crate::ledger::{Event, MemberState, Owner, RunId, Trigger};
use crate::licensing::wire::Operation;
use crate::member::{Doubt, IntentId, Restored};
use crate::plan::{Hold, Plan};

const RUN: RunId = RunId::from_u128(1);

fn address(name: &str) -> Address {
    Address::parse(&format!("{name}@contoso.com")).unwrap()
}

fn beside(path: &Path) -> PathBuf {
    path.with_file_name("rosterd.db.generation")
}

/// Copies the ledger alone, as a backup does.
fn back_up(ledger: &Ledger, to: &Path) {
    ledger.connection.backup("main", to, None).unwrap();
}

/// Puts a copy back into the place of the ledger.
fn restore(copy: &Path, path: &Path) {
    for old in [path.to_owned(), path.with_file_name("rosterd.db-wal"), path.with_file_name("rosterd.db-shm")] {
        drop(fs::remove_file(old));
    }
    fs::copy(copy, path).unwrap();
}

fn doubt(ledger: &Ledger) -> Option<Doubt> {
    ledger.restored().unwrap().map(|restored| restored.doubt)
}

fn adopt_one(ledger: &mut Ledger, lease: &Lease, name: &str) {
    ledger.adopt(lease, &[address(name)], "it", NOW).unwrap();
}

fn begin(ledger: &mut Ledger, lease: &Lease, operation: Operation, name: &str) -> Result<Option<IntentId>> {
    let intent = NewIntent { operation, addresses: vec![address(name)], again: false };
    ledger.commit(lease, RUN, &Commit { intent: Some(intent), ..Commit::default() }, NOW)
}

fn settle(ledger: &mut Ledger, lease: &Lease, intent: IntentId, name: &str, outcome: Outcome) {
    let commit = Commit { settled: Some((intent, vec![(address(name), outcome)])), ..Commit::default() };
    ledger.commit(lease, RUN, &commit, NOW).unwrap();
}

/// Three people have seats; what happens later is lost by restoring the copy that `copy_at` makes.
fn restored_from(copy_at: impl FnOnce(&mut Ledger, &Lease)) -> (tempfile::TempDir, PathBuf) {
    let (folder, path, mut ledger) = new_ledger();
    let copy = folder.path().join("copy.db");
    let lease = adopt(&mut ledger, 3);
    ledger.begin_run(&lease, RUN, Trigger::Start, NOW).unwrap();
    copy_at(&mut ledger, &lease);
    back_up(&ledger, &copy);
    adopt_one(&mut ledger, &lease, "later");
    drop(ledger);
    restore(&copy, &path);
    (folder, path)
}

#[test]
fn a_ledger_that_is_opened_again_and_again_is_the_newest() {
    let (_folder, path, mut ledger) = new_ledger();
    assert_eq!(doubt(&ledger), None);
    adopt(&mut ledger, 3);
    for number in 0..5 {
        drop(ledger);
        ledger = Ledger::open(&path, NOW).unwrap();
        assert_eq!(doubt(&ledger), None);
        let lease = ledger.acquire("contoso", &crate::ledger::Owner("me".into()), Duration::ZERO, NOW);
        drop(lease);
        ledger.ask_for_run(&format!("s{number}"), NOW).unwrap();
        assert_eq!(doubt(&Ledger::open_readonly(&path).unwrap()), None);
        assert_eq!(doubt(&Ledger::scratch(&path).unwrap()), None);
    }
}

#[test]
fn a_restored_copy_is_known_by_whoever_opens_it_until_it_is_believed() {
    let (_folder, path) = restored_from(|_, _| ());
    let older = |ledger: &Ledger| matches!(doubt(ledger), Some(Doubt::Older { .. }));
    assert!(older(&Ledger::open_readonly(&path).unwrap()), "before anybody wrote to it");
    assert!(older(&Ledger::scratch(&path).unwrap()));
    let mut ledger = Ledger::open(&path, NOW).unwrap();
    assert!(older(&ledger));
    // However much is written to it since.
    for number in 0..20 {
        ledger.ask_for_run(&format!("s{number}"), NOW).unwrap();
    }
    drop(ledger);
    let mut ledger = Ledger::open(&path, NOW).unwrap();
    assert!(older(&ledger) && older(&Ledger::scratch(&path).unwrap()));
    assert!(ledger.subscription("contoso").unwrap().restored.is_some());
    assert!(ledger.subscription("nobody-knows").unwrap().restored.is_some());
    fs::remove_file(beside(&path)).unwrap();
    drop(ledger);
    ledger = Ledger::open(&path, NOW).unwrap();
    assert!(ledger.restored().unwrap().is_some(), "whatever becomes of the file");

    ledger.believe("ann", NOW).unwrap();
    assert_eq!(doubt(&ledger), None);
    drop(ledger);
    assert_eq!(doubt(&Ledger::open(&path, NOW).unwrap()), None);
}

#[test]
fn the_same_copy_is_known_each_time_it_is_put_back() {
    let (folder, path) = restored_from(|_, _| ());
    for _ in 0..3 {
        let mut ledger = Ledger::open(&path, NOW).unwrap();
        assert!(matches!(doubt(&ledger), Some(Doubt::Older { .. })));
        ledger.believe("ann", NOW).unwrap();
        drop(ledger);
        restore(&folder.path().join("copy.db"), &path);
    }
}

/// Each commit of a run counts, so that a copy from the middle of a long one is known, too.
#[test]
fn a_copy_from_before_any_commit_is_known() {
    let (folder, path, mut ledger) = new_ledger();
    let lease = adopt(&mut ledger, 3);
    ledger.begin_run(&lease, RUN, Trigger::Start, NOW).unwrap();
    let mut copies = Vec::new();
    for number in 0..4 {
        let name = format!("joiner{number}");
        for step in 0..2 {
            let copy = folder.path().join(format!("{number}-{step}.db"));
            back_up(&ledger, &copy);
            copies.push(copy);
            if step == 0 {
                begin(&mut ledger, &lease, Operation::Assign, &name).unwrap();
            } else {
                let intent = ledger.open_intents("contoso").unwrap()[0].0;
                settle(&mut ledger, &lease, intent, &name, Outcome::Assigned);
            }
        }
    }
    drop(ledger);
    let file = fs::read(beside(&path)).unwrap();
    for copy in &copies {
        restore(copy, &path);
        fs::write(beside(&path), &file).unwrap();
        let doubt = doubt(&Ledger::open(&path, NOW).unwrap());
        assert!(matches!(doubt, Some(Doubt::Older { .. })), "{}", copy.display());
    }
}

#[test]
fn a_crash_between_the_commit_and_the_file_is_no_alarm() {
    let (_folder, path, mut ledger) = new_ledger();
    let lease = adopt(&mut ledger, 3);
    let behind = fs::read(beside(&path)).unwrap();
    adopt_one(&mut ledger, &lease, "later");
    drop(ledger);
    fs::write(beside(&path), &behind).unwrap();
    assert_eq!(doubt(&Ledger::open_readonly(&path).unwrap()), None);
    assert_eq!(doubt(&Ledger::open(&path, NOW).unwrap()), None);
    assert_ne!(fs::read(beside(&path)).unwrap(), behind, "the file is brought up");
}

#[test]
fn a_crash_while_the_ledger_is_made_is_no_alarm() {
    for content in [None, Some(""), Some("rosterd led")] {
        let (_folder, path, ledger) = new_ledger();
        drop(ledger);
        fs::remove_file(beside(&path)).unwrap();
        if let Some(content) = content {
            fs::write(beside(&path), content).unwrap();
        }
        let mut ledger = Ledger::open(&path, NOW).unwrap();
        assert_eq!(doubt(&ledger), None);
        adopt(&mut ledger, 3);
        drop(ledger);
        assert_eq!(doubt(&Ledger::open(&path, NOW).unwrap()), None);
    }
}

#[test]
fn a_ledger_without_its_own_file_is_in_doubt() {
    let (_other, other, _) = new_ledger();
    let of_another = fs::read(beside(&other)).unwrap();
    let cases =
        [(None, Doubt::NoFile), (Some(&b"nonsense"[..]), Doubt::Illegible), (Some(&of_another), Doubt::Another)];
    for (content, expected) in cases {
        let (_folder, path, mut ledger) = new_ledger();
        adopt(&mut ledger, 3);
        drop(ledger);
        match content {
            Some(content) => fs::write(beside(&path), content).unwrap(),
            None => fs::remove_file(beside(&path)).unwrap(),
        }
        assert_eq!(doubt(&Ledger::open_readonly(&path).unwrap()), Some(expected));
        let mut ledger = Ledger::open(&path, NOW).unwrap();
        assert_eq!(doubt(&ledger), Some(expected));
        assert_eq!(holding(&ledger), 3, "nobody is locked out");
        ledger.believe("ann", NOW).unwrap();
        drop(ledger);
        assert_eq!(doubt(&Ledger::open(&path, NOW).unwrap()), None);
    }
}

#[test]
fn a_new_ledger_in_the_place_of_a_lost_one_is_in_no_doubt() {
    let (_folder, path, mut ledger) = new_ledger();
    adopt(&mut ledger, 3);
    drop(ledger);
    for name in ["rosterd.db", "rosterd.db-wal", "rosterd.db-shm"] {
        drop(fs::remove_file(path.with_file_name(name)));
    }
    assert!(matches!(Ledger::open(&path, NOW), Err(LedgerError::Lost { .. })), "not without a person's word");
    assert!(!path.exists());
    fs::remove_file(beside(&path)).unwrap();
    let mut ledger = Ledger::open(&path, NOW).unwrap();
    assert_eq!(doubt(&ledger), None);
    adopt(&mut ledger, 1);
    drop(ledger);
    assert_eq!(doubt(&Ledger::open(&path, NOW).unwrap()), None);
}

#[test]
fn a_copy_that_is_put_under_a_running_process_is_not_written_to() {
    let (folder, _path, mut ledger) = new_ledger();
    let copy = folder.path().join("copy.db");
    let lease = adopt(&mut ledger, 3);
    back_up(&ledger, &copy);
    adopt_one(&mut ledger, &lease, "later");
    // Into the same file, which stays open.
    ledger.connection.restore("main", &copy, None::<fn(rusqlite::backup::Progress)>).unwrap();
    assert!(doubt(&ledger).is_some());
    assert!(matches!(ledger.ask_for_run("contoso", NOW), Err(LedgerError::Gone { .. })));
}

#[test]
fn a_removal_under_way_is_withdrawn_and_an_assignment_is_sent_again() {
    let (_folder, path) = restored_from(|ledger, lease| {
        begin(ledger, lease, Operation::Unassign, "p0").unwrap();
        begin(ledger, lease, Operation::Assign, "joiner").unwrap();
    });
    let mut ledger = Ledger::open(&path, NOW).unwrap();
    let later = NOW + chrono::TimeDelta::hours(1);
    let lease = ledger.acquire("contoso", &crate::ledger::Owner("me".into()), Duration::from_mins(1), later);
    let lease = lease.unwrap().unwrap();
    assert_eq!(ledger.open_intents("contoso").unwrap().len(), 2);
    assert_eq!(ledger.withdraw_removals(&lease, later).unwrap(), 1);
    assert_eq!(ledger.withdraw_removals(&lease, later).unwrap(), 0);
    let open = ledger.open_intents("contoso").unwrap();
    assert_eq!(open.iter().map(|(_, intent)| intent.operation).collect::<Vec<_>>(), [Operation::Assign]);
    let member = ledger.candidate("contoso", &[], "p0@contoso.com").unwrap().member.unwrap();
    assert!(member.state == MemberState::Assigned && member.has_seat, "{member:?}");
    let seen = ledger.candidates("contoso", &[], Look::Touched, later).unwrap().list;
    assert!(seen.iter().any(|one| one.address == address("p0")), "the next plan looks at them");
}

#[test]
fn no_removal_is_asked_for_while_the_ledger_is_in_doubt() {
    let (_folder, path) = restored_from(|_, _| ());
    let mut ledger = Ledger::open(&path, NOW).unwrap();
    let later = NOW + chrono::TimeDelta::hours(1);
    let lease = ledger.acquire("contoso", &crate::ledger::Owner("me".into()), Duration::from_mins(1), later);
    let lease = lease.unwrap().unwrap();
    let refused = begin(&mut ledger, &lease, Operation::Unassign, "p0");
    assert!(matches!(refused, Err(LedgerError::Restored(Restored { .. }))), "{refused:?}");
    begin(&mut ledger, &lease, Operation::Assign, "joiner").unwrap();
    ledger.believe("ann", later).unwrap();
    begin(&mut ledger, &lease, Operation::Unassign, "p0").unwrap();
}

#[test]
fn what_is_believed_is_noted_and_old_approvals_and_removals_are_done_with() {
    let (_folder, path) = restored_from(|ledger, lease| {
        begin(ledger, lease, Operation::Unassign, "p0").unwrap();
        let hold =
            crate::plan::Hold { digest: "0123456789abcdef".into(), removals: vec![], reasons: vec![], braked: false };
        ledger.approve("contoso", &hold, "ann", NOW + chrono::TimeDelta::days(1), NOW).unwrap();
    });
    let mut ledger = Ledger::open(&path, NOW).unwrap();
    assert_eq!(ledger.approvals("contoso", NOW).unwrap().len(), 1);
    ledger.believe("ann", NOW).unwrap();
    assert!(ledger.approvals("contoso", NOW).unwrap().is_empty());
    assert!(ledger.open_intents("contoso").unwrap().is_empty());
    let mut noted = Vec::new();
    ledger
        .for_each_history(&["contoso".into()], None, &mut |line| {
            noted.extend((line.event == Event::LedgerAccepted).then_some(line.detail));
        })
        .unwrap();
    assert!(noted.len() == 1 && noted[0].starts_with("by ann: the ledger was restored from a copy"), "{noted:?}");
    assert_eq!(ledger.take_asked().unwrap(), ["contoso"]);
    // Where there is no doubt nothing is written.
    let before = ledger.newest_generation();
    ledger.believe("ann", NOW).unwrap();
    assert_eq!(ledger.newest_generation(), before);
}

#[test]
fn a_file_that_can_not_be_written_is_said_when_the_ledger_is_opened() {
    let (_folder, path, mut ledger) = new_ledger();
    adopt(&mut ledger, 3);
    drop(ledger);
    fs::remove_file(beside(&path)).unwrap();
    fs::create_dir(beside(&path)).unwrap();
    let reader = Ledger::open_readonly(&path).unwrap();
    assert!(matches!(reader.restored(), Err(LedgerError::Generation { .. })), "nor can it be read");
    let error = Ledger::open(&path, NOW).unwrap_err();
    assert!(matches!(&error, LedgerError::Generation { path: file, .. } if *file == beside(&path)), "{error:?}");
}

#[test]
fn what_is_held_for_a_restored_ledger_is_no_sign_of_a_fault_elsewhere() {
    let (_folder, path) = restored_from(|_, _| {});
    let mut ledger = Ledger::open(&path, NOW).unwrap();
    // When the lease that came back with the copy has run out.
    let now = NOW + chrono::TimeDelta::hours(1);
    let lease = ledger.acquire("contoso", &Owner("it".into()), Duration::from_mins(1), now).unwrap().unwrap();
    let hold = |reason: &str| Hold {
        digest: "0123456789abcdef".into(),
        removals: vec![],
        reasons: vec![reason.into()],
        braked: false,
    };
    let troubles = |ledger: &mut Ledger, reason: &str| {
        let plan = Plan { hold: Some(hold(reason)), ..Plan::default() };
        let seen = ledger.candidates("contoso", &[], Look::Touched, now).unwrap().seen;
        ledger.record_plan(&lease, RUN, &std::sync::Arc::new(plan), "", seen, now).unwrap();
        ledger.troubles(now).unwrap().held.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(troubles(&mut ledger, "It may not be the newest."), Vec::<String>::new());
    ledger.believe("ann", now).unwrap();
    assert_eq!(
        troubles(&mut ledger, "Too many at once."),
        ["contoso"],
        "what is held still, is held for another reason"
    );
}

#[test]
fn the_file_holds_the_two_newest_counts_and_nothing_else() {
    let counts = |path: &Path| {
        let text = fs::read_to_string(beside(path)).unwrap();
        let mut counts: Vec<u64> = text.lines().map(|line| line.split(' ').nth(4).unwrap().parse().unwrap()).collect();
        counts.sort_unstable();
        counts
    };
    let (_folder, path, mut ledger) = new_ledger();
    assert_eq!(counts(&path), [0, 0]);
    for number in 0..5 {
        let newest = ledger.newest_generation();
        ledger.ask_for_run(&format!("s{number}"), NOW).unwrap();
        assert_eq!(counts(&path), [newest, newest + 1]);
    }
    // In the place of something else, however long that was.
    drop(ledger);
    fs::write(beside(&path), "nonsense\n".repeat(99)).unwrap();
    let mut ledger = Ledger::open(&path, NOW).unwrap();
    assert_eq!(counts(&path), [ledger.newest_generation(); 2]);
    ledger.believe("ann", NOW).unwrap();
    let newest = ledger.newest_generation();
    assert_eq!(counts(&path), [newest - 1, newest]);
}

#[test]
fn a_restored_copy_says_of_when_it_is() {
    let (folder, path, mut ledger) = new_ledger();
    let lease = adopt(&mut ledger, 3);
    let (hour, copy) = (NOW + chrono::TimeDelta::hours(1), folder.path().join("copy.db"));
    ledger.adopt(&lease, &[address("joiner")], "it", hour).unwrap();
    back_up(&ledger, &copy);
    ledger.adopt(&lease, &[address("later")], "it", hour + chrono::TimeDelta::hours(1)).unwrap();
    drop(ledger);
    restore(&copy, &path);
    let reader = Ledger::open_readonly(&path).unwrap();
    assert_eq!(reader.restored().unwrap().unwrap().as_of, Some(hour));
    let words = Ledger::open(&path, NOW).unwrap().restored().unwrap().unwrap().to_string();
    assert!(words.contains("restored from a copy of 1970-01-01 01:00 UTC"), "{words}");
    assert!(words.contains("rosterd ledger accept"), "{words}");
}

#[test]
fn what_stood_here_before_a_copy_was_believed_is_older() {
    let (folder, path, mut ledger) = new_ledger();
    let (copy, before) = (folder.path().join("copy.db"), folder.path().join("before.db"));
    let lease = adopt(&mut ledger, 3);
    back_up(&ledger, &copy);
    adopt_one(&mut ledger, &lease, "later");
    back_up(&ledger, &before);
    drop(ledger);
    restore(&copy, &path);
    Ledger::open(&path, NOW).unwrap().believe("ann", NOW).unwrap();
    restore(&before, &path);
    let doubt = doubt(&Ledger::open(&path, NOW).unwrap());
    assert!(matches!(doubt, Some(Doubt::Older { .. })), "{doubt:?}");
}
