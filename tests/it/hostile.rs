//! An operator who does everything wrong: nobody loses a licence by it, nobody is forgotten, and it shows why.

use std::fs;

use crate::world::{ID, World, contains, people, until};

/// Another subscription's id at the licensing server.
const OTHER: &str = "11111111-2222-4333-8444-555555555555";

fn replace(world: &World, from: &str, to: &str) {
    let path = world.path("rosterd.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn the_members_of_one_subscription_are_never_taken_for_those_of_another() {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    let requests = world.sandbox.request_count();
    replace(&world, &ID.to_string(), OTHER);
    world.drop_roster("2.csv", &people(1..21));
    let ran = world.run_to(1, &["sync"]);
    assert!(ran.stdout.contains(OTHER) && ran.stdout.contains(&ID.to_string()), "{ran:?}");
    assert_eq!(world.run(&["plan"]).status, 1);
    assert_eq!(world.sandbox.request_count(), requests);
    let status = world.run(&["status"]);
    assert!(status.stdout.contains("Put the old type and id back"), "{status:?}");

    replace(&world, OTHER, &ID.to_string());
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(1..21));
    assert!(!world.run(&["status"]).stdout.contains("Put the old"), "it is over");
}

#[test]
fn a_key_that_cant_be_read_shows_in_the_status_until_it_can() {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..20));
    fs::rename(world.path("contoso.key"), world.path("gone.key")).unwrap();
    assert_ne!(world.run(&["sync"]).status, 0);
    let status = world.run(&["status"]);
    assert!(status.stdout.contains("contoso.key"), "{status:?}");
    fs::rename(world.path("gone.key"), world.path("contoso.key")).unwrap();
    world.run_to(0, &["sync"]);
    assert!(!world.run(&["status"]).stdout.contains("contoso.key"));
    assert_eq!(world.assigned(), people(0..20));
}

/// Two subscriptions share a source; one is taken out of the configuration while the roster changes, and put back.
#[test]
fn a_subscription_that_was_away_hears_of_what_it_missed() {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..20));
    let alone = fs::read_to_string(world.path("rosterd.toml")).unwrap();
    let beside = format!(
        "{alone}\n[subscriptions.fabrikam]\ntype = \"Manual\"\nid = \"{OTHER}\"\napi_key = {{ file = \"contoso.key\" }}\nsources = [\"hr\"]\n"
    );
    let (before, after) = beside.split_once("[subscriptions.contoso]").unwrap();
    let (_, rest) = after.split_once("[sources.hr]").unwrap();
    let away = format!("{before}[sources.hr]{rest}");
    fs::write(world.path("rosterd.toml"), &beside).unwrap();
    world.run(&["sync", "contoso"]);
    assert_eq!(world.assigned(), people(0..20));

    fs::write(world.path("rosterd.toml"), &away).unwrap();
    world.drop_roster("2.csv", &people(2..23));
    world.run(&["sync"]);
    assert_eq!(world.assigned(), people(0..20));
    fs::write(world.path("rosterd.toml"), &beside).unwrap();
    world.run(&["sync", "contoso"]);
    // Whoever is missing was never said to have left: that waits for a person. Joiners go on.
    assert_eq!(world.assigned(), people(0..23));
    assert!(world.run(&["status", "contoso"]).stdout.contains("held"));
    world.run(&["approve", "contoso", "--yes"]);
    assert_eq!(world.assigned(), people(2..23));
}

#[test]
fn a_daemon_whose_ledger_was_deleted_does_nothing_more_and_says_so() {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    let daemon = world.daemon("daemon.log");
    until("the daemon watches", || contains(&world.path("daemon.log"), "ready"));
    for name in ["rosterd.db", "rosterd.db-wal", "rosterd.db-shm"] {
        fs::rename(world.path(name), world.path(&format!("kept-{name}"))).unwrap();
    }
    world.drop_roster("2.csv", &people(1..22));
    until("the daemon has said so", || contains(&world.path("daemon.log"), "deleted, moved or replaced"));
    drop(daemon);
    assert_eq!(world.assigned(), people(0..20));
    assert!(world.path("drops/2.csv").exists(), "what was not taken in is not put away");
    for name in ["rosterd.db", "rosterd.db-wal", "rosterd.db-shm"] {
        fs::rename(world.path(&format!("kept-{name}")), world.path(name)).unwrap();
    }
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(1..22));
}

#[test]
fn another_clients_file_takes_nobody_away_however_small_the_client() {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..4));
    world.run_to(0, &["sync"]);
    world.drop_roster("fabrikam.csv", &people(50..54));
    world.run_to(3, &["sync"]);
    assert_eq!(world.assigned(), [people(0..4), people(50..54)].concat(), "joiners go on, the removals are held");
    let status = world.run_to(3, &["status"]).stdout;
    assert!(status.contains("another client's file"), "{status}");
    // The right file comes back: nothing is left of it but the strangers' leaving, which the limits allow.
    world.drop_roster("2.csv", &people(0..4));
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..4));
}
