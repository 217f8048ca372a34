//! A ledger that was put back from a copy: what is given goes on, and nothing is taken back until a person says so.

use std::fs;

use rosterd::sandbox::Faults;
use rusqlite::Connection;

use crate::world::{World, people, until};

/// Copies the ledger as the README says.
fn back_up(world: &World) {
    let ledger = Connection::open(world.path("rosterd.db")).unwrap();
    ledger.backup("main", world.path("copy.db"), None).unwrap();
}

/// Puts the copy back as the README says.
fn restore(world: &World) {
    for name in ["rosterd.db", "rosterd.db-wal", "rosterd.db-shm"] {
        drop(fs::remove_file(world.path(name)));
    }
    fs::copy(world.path("copy.db"), world.path("rosterd.db")).unwrap();
}

/// Twenty people have seats, and are in the copy; one of them leaves and comes back after it was made, and three join.
fn restored() -> World {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    world.drop_roster("2.csv", &people(1..20));
    // The copy has the removal as a thing to do.
    world.run_to(3, &["plan"]);
    back_up(&world);
    world.run_to(0, &["sync"]);
    world.drop_roster("3.csv", &people(0..23));
    world.run_to(0, &["sync"]);
    restore(&world);
    world
}

#[test]
fn a_restored_ledger_gives_and_takes_nothing_back_until_it_is_believed() {
    let world = restored();
    // What a person does who has not read the page on restoring: the daily export has one leaver.
    world.drop_roster("4.csv", &people(2..25));
    let plan = world.run_to(3, &["plan"]);
    assert!(plan.stdout.contains("restored from a copy") && plan.stdout.contains("rosterd ledger accept"), "{plan:?}");
    let sync = world.run_to(3, &["sync"]);
    assert!(sync.stderr.contains("restored from a copy"), "{sync:?}");
    assert_eq!(world.assigned(), people(0..25), "joiners have seats, leavers keep theirs");
    world.run_to(3, &["sync"]);
    assert_eq!(world.assigned(), people(0..25));

    let status = world.run_to(3, &["status"]);
    assert!(status.stdout.contains("2 removals are held until `rosterd ledger accept`"), "{status:?}");
    let json: serde_json::Value = serde_json::from_str(&world.run(&["status", "--json"]).stdout).unwrap();
    let contoso = &json["subscriptions"][0];
    assert!(contoso["problem"].as_str().unwrap().contains("restored from a copy"), "{json}");
    assert!(contoso["hold"]["reason"].as_str().unwrap().contains("restored from a copy"), "{json}");
    let approve = world.run_to(1, &["approve", "contoso", "--yes"]);
    assert!(approve.stderr.contains("rosterd ledger accept"), "{approve:?}");

    let asked = world.run_to(2, &["ledger", "accept"]);
    for words in
        ["25 members", "2 licences are taken back next", "p00000@contoso.com", "p00001@contoso.com", "Its newest entry"]
    {
        assert!(asked.stdout.contains(words), "{words}: {asked:?}");
    }
    assert!(asked.stderr.contains("--yes"), "{asked:?}");
    assert_eq!(world.assigned(), people(0..25));
    world.run_to(0, &["ledger", "accept", "--yes"]);
    let again = world.run_to(0, &["ledger", "accept"]);
    assert!(again.stderr.contains("nothing to accept"), "{again:?}");
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(2..25));
    world.run_to(0, &["status"]);
    assert!(world.run(&["history"]).stdout.contains("ledger-accepted"));
}

#[test]
fn a_removal_that_was_under_way_in_the_copy_is_not_sent_again() {
    let faults = Faults { drop_after: "100%".parse().unwrap(), ..Faults::default() };
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    // A removal is sent, and its answer lost: the copy has it as open.
    world.sandbox.set_faults(faults);
    world.drop_roster("2.csv", &people(1..20));
    world.run_to(1, &["sync"]);
    back_up(&world);
    world.sandbox.set_faults(Faults::default());
    world.drop_roster("3.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..20));

    restore(&world);
    let undone = world.run_to(3, &["sync"]);
    assert_eq!(world.assigned(), people(0..20), "{undone:?}");
    assert_eq!(world.count("unknown"), 0);
    // The newest roster, given again as the README says.
    world.drop_roster("4.csv", &people(0..20));
    world.run_to(3, &["sync"]);
    world.run_to(0, &["ledger", "accept", "--yes"]);
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..20));
}

#[test]
fn a_daemon_goes_on_by_itself_once_the_ledger_is_believed() {
    let world = restored();
    world.drop_roster("4.csv", &people(2..25));
    let _daemon = world.daemon("daemon.log");
    until("the joiners have seats", || world.assigned() == people(0..25));
    let told = |log: &str| log.matches("restored from a copy").count();
    until("the removals are held", || world.run(&["status"]).stdout.contains("2 removals are held"));
    world.run_to(0, &["ledger", "accept", "--yes"]);
    until("the leavers have none", || world.assigned() == people(2..25));
    let log = fs::read_to_string(world.path("daemon.log")).unwrap();
    assert!((1..=2).contains(&told(&log)), "once by itself, once as the reason of a hold: {log}");
}

#[test]
fn a_ledger_that_moved_alone_works_and_says_that_it_may_not_be_the_newest() {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    fs::remove_file(world.path("rosterd.db.generation")).unwrap();
    world.drop_roster("2.csv", &people(1..23));
    world.run_to(3, &["sync"]);
    assert_eq!(world.assigned(), people(0..23));
    let status = world.run_to(3, &["status"]);
    assert!(status.stdout.contains("may not be the newest") && status.stdout.contains("rosterd ledger accept"));
    world.run_to(0, &["ledger", "accept", "--yes"]);
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(1..23));
}

#[test]
fn a_ledger_that_is_gone_or_empty_is_not_begun_anew_without_a_word() {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    back_up(&world);
    world.drop_roster("2.csv", &people(1..23));
    for is_empty in [false, true] {
        for name in ["rosterd.db", "rosterd.db-wal", "rosterd.db-shm"] {
            drop(fs::remove_file(world.path(name)));
        }
        if is_empty {
            fs::write(world.path("rosterd.db"), "").unwrap();
        }
        for command in [&["sync"][..], &["run"], &["plan"], &["status"], &["ledger", "accept", "--yes"]] {
            let ran = world.run_to(1, command);
            assert!(ran.stderr.contains("rosterd.db is gone or empty"), "{command:?}: {ran:?}");
            assert!(ran.stderr.contains("rosterd.db.generation"), "{command:?}: {ran:?}");
        }
        assert_eq!(world.path("rosterd.db").exists(), is_empty, "nothing is made");
    }
    assert_eq!(world.assigned(), people(0..20));

    // What it says helps: the copy …
    restore(&world);
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(1..23), "nothing had come after it");
    // … or, where there is none, a new one.
    fs::remove_file(world.path("rosterd.db")).unwrap();
    world.run_to(1, &["sync"]);
    fs::remove_file(world.path("rosterd.db.generation")).unwrap();
    world.drop_roster("3.csv", &people(1..23));
    world.run_to(0, &["sync"]);
}

#[test]
fn a_generation_that_is_no_file_is_an_error_and_nothing_to_wait_for() {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    let generation = world.path("rosterd.db.generation");
    for device in ["/dev/zero", "/dev/full"] {
        fs::remove_file(&generation).unwrap();
        std::os::unix::fs::symlink(device, &generation).unwrap();
        for command in [&["sync"][..], &["status"], &["ledger", "accept", "--yes"]] {
            let ran = world.run_to(1, command);
            assert!(ran.stderr.contains("rosterd.db.generation") && ran.stderr.contains("no file"), "{ran:?}");
        }
    }
}
