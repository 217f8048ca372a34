//! An operator who does everything wrong: nobody loses a licence by it, nobody is forgotten, and it shows why.

use std::fs;

use rosterd::sandbox::Faults;

use crate::world::{ID, World, contains, people, roster, until};

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
fn a_subscription_that_gets_another_name_goes_on_once_the_ledger_knows_it() {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    let requests = world.sandbox.request_count();
    replace(&world, "[subscriptions.contoso]", "[subscriptions.contoso-gmbh]");
    world.drop_roster("2.csv", &people(1..21));
    let ran = world.run_to(1, &["sync"]);
    assert!(ran.stdout.contains("rosterd ledger rename contoso contoso-gmbh"), "{ran:?}");
    assert_eq!(world.run(&["plan"]).status, 1);
    assert!(world.run(&["status"]).stdout.contains("rosterd ledger rename"));
    assert!(world.run(&["explain", &people(0..1)[0]]).stdout.contains("rosterd ledger rename"));
    assert_eq!(world.sandbox.request_count(), requests);

    let typo = world.run_to(2, &["ledger", "rename", "contso", "contoso-gmbh"]);
    assert!(typo.stderr.contains("knows no subscription contso"), "{typo:?}");
    world.run_to(2, &["ledger", "rename", "contoso-gmbh", "contoso"]);
    world.run_to(0, &["ledger", "rename", "contoso", "contoso-gmbh"]);
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(1..21), "who left has none");
    let gone = world.run(&["explain", &people(0..1)[0]]);
    assert!(gone.stdout.contains("contoso-gmbh"), "{gone:?}");
    assert!(world.run(&["history", "contoso-gmbh"]).stdout.contains("p00000@contoso.com"));

    // And back, which is another name again.
    replace(&world, "[subscriptions.contoso-gmbh]", "[subscriptions.contoso]");
    world.drop_roster("3.csv", &people(0..21));
    world.run_to(1, &["sync"]);
    world.run_to(0, &["ledger", "rename", "contoso-gmbh", "contoso"]);
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..21));
}

#[test]
fn a_subscription_never_gets_the_name_of_another_with_members() {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    replace(&world, "[subscriptions.contoso]", "[subscriptions.contoso-gmbh]");
    world.drop_file("adopted.txt", roster(&people(30..31)));
    world.run_to(0, &["adopt", "contoso-gmbh", "drops/adopted.txt"]);
    let ran = world.run_to(1, &["ledger", "rename", "contoso", "contoso-gmbh"]);
    assert!(ran.stderr.contains("contoso-gmbh has 1 member of its own"), "{ran:?}");
    replace(&world, &ID.to_string(), OTHER);
    let ran = world.run_to(1, &["ledger", "rename", "contoso", "contoso-gmbh"]);
    assert!(ran.stderr.contains(OTHER), "{ran:?}");
}

/// Each person of the roster, as `members` tells of them.
fn states(world: &World) -> Vec<(String, String)> {
    let told = world.run(&["members", "--json"]).stdout;
    let line = |line: &str| -> (String, String) {
        let member: serde_json::Value = serde_json::from_str(line).unwrap();
        (member["state"].as_str().unwrap().to_owned(), member["reason"].as_str().unwrap().to_owned())
    };
    told.lines().map(line).collect()
}

#[test]
fn who_was_not_asked_for_waits_and_is_told_why() {
    let world = World::new(50);
    world.configure("", "batch_size = 3\n", "");
    let right = fs::read(world.path("contoso.key")).unwrap();
    fs::write(world.path("contoso.key"), OTHER).unwrap();
    world.drop_roster("1.csv", &people(0..10));
    let ran = world.run_to(1, &["sync"]);
    assert!(!ran.stdout.contains("()"), "{ran:?}");
    let why = "not asked for yet: the server does not accept the API key".to_owned();
    assert_eq!(states(&world), vec![("pending".to_owned(), why); 10]);
    assert_eq!(world.count("pending"), 10);
    assert!(!ran.stderr.contains("no seat is free"), "{ran:?}");
    let explained = world.run(&["explain", &people(7..8)[0]]).stdout;
    assert!(explained.contains("waits to be asked for") && !explained.contains("Buy"), "{explained}");

    // Nor where the key can't even be read.
    fs::remove_file(world.path("contoso.key")).unwrap();
    world.drop_roster("2.csv", &people(0..12));
    world.run_to(1, &["sync"]);
    let why = "not asked for yet: its subscription's key can't be read".to_owned();
    assert_eq!(states(&world), vec![("pending".to_owned(), why); 12]);

    fs::write(world.path("contoso.key"), right).unwrap();
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..12));
    assert_eq!(world.count("pending"), 0);
}

#[test]
fn who_was_not_asked_for_because_an_answer_is_missing_waits_too() {
    let world = World::new(8);
    world.configure("retry_for = \"0s\"\n", "batch_size = 3\n", "");
    world.sandbox.set_faults(Faults { drop_after: "100%".parse().unwrap(), ..Faults::default() });
    world.drop_roster("1.csv", &people(0..6));
    world.run_to(1, &["sync"]);
    assert_eq!((world.count("unknown"), world.count("pending")), (3, 3));
    // The next run can't settle what is open, and knows nothing of seats.
    world.drop_roster("2.csv", &people(0..10));
    world.run_to(1, &["sync"]);
    assert_eq!((world.count("unknown"), world.count("pending")), (3, 7));
    world.sandbox.set_faults(Faults::default());
    world.run_to(3, &["sync"]);
    let pending: Vec<_> = states(&world).into_iter().filter(|(state, _)| state == "pending").collect();
    assert_eq!(pending, vec![("pending".to_owned(), "no seat is free".to_owned()); 2]);
    let waits = world.run(&["history"]).stdout.matches("no seat is free").count();
    assert!(waits >= 2, "that they wait for a seat is told");
}

#[test]
fn an_undo_spares_whom_protect_names_and_says_whose_word_it_was() {
    let world = World::new(50);
    let everybody = people(0..4);
    world.drop_roster("1.csv", &everybody);
    let json = world.run_to(0, &["sync", "--json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let run = json["subscriptions"][0]["run"].as_str().unwrap();
    world.configure("", &format!("protect = [\"{}\"]\n", everybody[1]), "");
    let ran = world.run(&["undo", run, "--yes"]);
    assert!(ran.stdout.contains("3 licences to take back") && ran.stdout.contains("(`protect`)"), "{ran:?}");
    assert_eq!(world.assigned(), everybody[1..2]);
    assert_eq!(world.count("quarantined"), 3);
    let explained = world.run(&["explain", &everybody[0]]).stdout;
    assert!(explained.contains("was undone by") && explained.contains("rosterd retry"), "{explained}");
    assert!(!explained.contains("refused the address") && !explained.contains("Correct"), "{explained}");
}

#[test]
fn whose_answer_is_missing_is_not_forgotten_and_is_settled_before_what_is_planned() {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    world.sandbox.set_faults(Faults { drop_after: "100%".parse().unwrap(), ..Faults::default() });
    world.drop_roster("2.csv", &people(2..20));
    world.run_to(1, &["sync"]);
    let plan = world.run_to(3, &["plan"]).stdout;
    assert!(plan.contains("the answers to requests about 2 people are missing"), "{plan}");
    assert!(plan.contains("? p00001@contoso.com  to have it taken back"), "{plan}");
    let json: serde_json::Value = serde_json::from_str(&world.run(&["plan", "--json"]).stdout).unwrap();
    let unsettled = &json["subscriptions"][0]["unsettled"];
    assert_eq!(unsettled[0], serde_json::json!({"email": "p00000@contoso.com", "operation": "unassign"}));

    let ran = world.run_to(1, &["forget", "contoso", "p00000@contoso.com", "p00019@contoso.com"]);
    assert!(ran.stderr.contains("1 member is forgotten"), "{ran:?}");
    assert!(ran.stderr.contains("a request about p00000@contoso.com is missing"), "{ran:?}");
    assert!(ran.stderr.contains("rosterd sync contoso") && !ran.stderr.contains("defect"), "{ran:?}");
}

#[test]
fn several_that_begin_at_once_without_a_ledger_wait_for_each_other() {
    for _ in 0..6 {
        let world = World::new(50);
        world.drop_roster("1.csv", &people(0..3));
        let started: Vec<_> = (0..4).map(|_| world.command(&["sync"]).spawn().unwrap()).collect();
        for process in started {
            let output = process.wait_with_output().unwrap();
            assert!(!String::from_utf8_lossy(&output.stderr).contains("busy"), "{output:?}");
        }
    }
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
