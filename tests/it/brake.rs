//! The fleet's brake, on the built binary: what puts it on, what it stops, and what lifts it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::time::Duration;

use rosterd::brake::Brake;
use rosterd::clock;
use rosterd::config::SubscriptionType;
use rosterd::ledger::Ledger;
use rosterd::sandbox::{Faults, Options, Subscription};
use secrecy::SecretString;
use uuid::Uuid;

use crate::world::{KEY, World, people, roster, until};

/// Contoso, and five others, each with a folder of its own.
const OTHERS: [u128; 5] = [1, 2, 3, 4, 5];

fn id(other: u128) -> Uuid {
    Uuid::from_u128(other)
}

fn fleet() -> World {
    let key = || SecretString::from(KEY.to_owned());
    let others: Vec<_> = OTHERS.map(|other| Subscription::new(SubscriptionType::Manual, id(other), key(), 50)).into();
    let options = Options { subscriptions: others, ..Options::default() };
    let world = World::with(50, options, "");
    let mut file = OpenOptions::new().append(true).open(world.path("rosterd.toml")).unwrap();
    for other in OTHERS {
        fs::create_dir(world.path(&format!("drops{other}"))).unwrap();
        let tables = format!(
            "[sources.csv{other}]\nkind = \"csv\"\npath = \"drops{other}\"\nsettle = \"0s\"\n\
             [subscriptions.other{other}]\ntype = \"Manual\"\nid = \"{}\"\n\
             api_key = {{ file = \"contoso.key\" }}\nsources = [\"csv{other}\"]\n",
            id(other)
        );
        file.write_all(tables.as_bytes()).unwrap();
    }
    world
}

fn drop_at(world: &World, other: u128, text: &str) {
    fs::write(world.path(&format!("drops{other}/{}.csv", Uuid::now_v7())), text).unwrap();
}

fn ledger(world: &World) -> Ledger {
    Ledger::open(&world.path("rosterd.db"), clock::now()).unwrap()
}

fn put_on(world: &World) {
    let brake = Brake { since: clock::now(), reason: "Many are in trouble.".to_owned() };
    assert!(ledger(world).put_on_brake(&brake).unwrap());
}

#[test]
fn sources_that_fail_everywhere_stop_removals_everywhere_until_a_person_says_go_on() {
    let world = fleet();
    world.drop_roster("1.csv", &people(0..5));
    for other in OTHERS {
        drop_at(&world, other, &roster(&people(0..3)));
    }
    world.run_to(0, &["sync"]);

    for other in OTHERS {
        drop_at(&world, other, "no address here\n1\n");
    }
    let ran = world.run_to(1, &["sync"]);
    assert_eq!(ran.stderr.matches("Nobody loses a licence meanwhile, and joiners are served").count(), 1, "{ran:?}");

    // Nothing is wrong with contoso, and still.
    world.drop_roster("2.csv", &people(1..7));
    let ran = world.run_to(3, &["plan", "contoso"]);
    assert!(ran.stdout.contains("rosterd resume") && !ran.stdout.contains("rosterd approve"), "{}", ran.stdout);
    let ran = world.run_to(3, &["sync", "contoso"]);
    assert!(ran.stderr.contains("sources failed in 5 of 6 subscriptions"), "{ran:?}");
    assert_eq!(world.assigned(), people(0..7), "joiners are served, nobody leaves");
    let ran = world.run_to(3, &["status"]);
    assert!(ran.stdout.starts_with("Removals are stopped everywhere since "), "{}", ran.stdout);
    let ran = world.run_to(3, &["status", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(json["brake"]["reason"].as_str().unwrap().contains("5 of 6") && json["brake"]["since"].is_string());

    // An approval of one set says nothing about the fleet; nor does the sources' getting well, nor a start of the daemon.
    let ran = world.run_to(3, &["approve", "contoso", "--yes"]);
    assert!(ran.stderr.contains("approved, and nothing is taken back yet"), "{}", ran.stderr);
    for other in OTHERS {
        drop_at(&world, other, &roster(&people(0..4)));
    }
    let _daemon = world.daemon("daemon.log");
    until("the others have their joiners", || {
        OTHERS.into_iter().all(|other| world.sandbox.assigned(id(other)).len() == 4)
    });
    assert_eq!(world.assigned(), people(0..7));
    let log = fs::read_to_string(world.path("daemon.log")).unwrap();
    assert!(!log.contains("removal is held"), "it is not said for each subscription: {log}");

    world.run_to(2, &["resume"]);
    let ran = world.run_to(0, &["resume", "--yes"]);
    assert!(ran.stdout.contains("1 removal is held, in 1 subscription"), "{}", ran.stdout);
    until("who left is gone", || world.assigned() == people(1..7));
    until("nothing is left", || world.run(&["status"]).status == 0);
    let told = world.run(&["history", "--json"]).stdout;
    assert_eq!((told.matches("\"braked\"").count(), told.matches("\"resumed\"").count()), (1, 1), "{told}");
    assert_eq!(world.run_to(0, &["resume", "--yes"]).stderr, "removals are not stopped.\n");
}

#[test]
fn removals_held_everywhere_stop_the_removals_that_no_guard_would_hold() {
    let world = fleet();
    world.drop_roster("1.csv", &people(0..5));
    for other in OTHERS {
        drop_at(&world, other, &roster(&people(0..8)));
    }
    world.run_to(0, &["sync"]);
    for other in OTHERS {
        drop_at(&world, other, &roster(&people(7..8)));
    }
    world.run_to(3, &["sync"]);
    world.drop_roster("2.csv", &people(1..5));
    world.run_to(3, &["sync"]);
    assert_eq!(world.assigned(), people(0..5));
    world.run_to(0, &["resume", "--yes"]);
    world.run_to(3, &["sync"]);
    assert_eq!(world.assigned(), people(1..5));
    assert!(
        OTHERS.into_iter().all(|other| world.sandbox.assigned(id(other)).len() == 8),
        "what a guard holds waits for its approval"
    );
    let ran = world.run_to(3, &["status"]);
    assert!(!ran.stdout.contains("stopped everywhere"), "a person knows of these: {}", ran.stdout);
    assert_eq!(ran.stdout.matches("rosterd approve").count(), 5, "an approval is enough now: {}", ran.stdout);
    for other in OTHERS {
        world.run_to(0, &["approve", &format!("other{other}"), "--yes"]);
    }
}

#[test]
fn removals_that_are_under_way_stop_before_the_next_request() {
    let faults = Faults { latency: Duration::from_millis(500), ..Faults::default() };
    let world = World::with(50, Options::default(), "batch_size = 1\n");
    world.drop_roster("1.csv", &people(0..6));
    world.run_to(0, &["sync"]);
    world.sandbox.set_faults(faults);
    let before = world.sandbox.request_count();
    let _daemon = world.daemon("daemon.log");
    world.drop_roster("2.csv", &people(5..7));
    until("the first removal is on its way", || world.sandbox.request_count() > before);
    put_on(&world);
    until("the joiner is served in the same run", || world.assigned().contains(&people(6..7)[0]));
    let left = world.assigned().len();
    assert!((5..7).contains(&left), "one or two had been sent, and no more: {:?}", world.assigned());
    until("the rest is held", || world.count("leaving") == left as u64 - 2);
    world.run_to(0, &["resume", "--yes"]);
    until("the rest leaves", || world.assigned() == people(5..7));
}

#[test]
fn a_removal_in_doubt_is_not_sent_again_while_removals_are_stopped() {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..5));
    world.run_to(0, &["sync"]);
    world.sandbox.set_faults(Faults { drop_before: "100%".parse().unwrap(), ..Faults::default() });
    world.drop_roster("2.csv", &people(1..5));
    world.run_to(1, &["sync"]);
    assert_eq!(world.count("unknown"), 1);
    world.sandbox.set_faults(Faults::default());
    put_on(&world);
    world.drop_roster("3.csv", &people(1..7));
    world.run_to(3, &["sync"]);
    assert_eq!((world.assigned(), world.count("unknown")), (people(0..7), 1), "and joiners do not wait for it");
    world.run_to(0, &["resume", "--yes"]);
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(1..7));
}

#[test]
fn what_a_person_undoes_is_not_stopped() {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..5));
    let ran = world.run_to(0, &["sync", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    put_on(&world);
    world.run(&["undo", json["subscriptions"][0]["run"].as_str().unwrap(), "--yes"]);
    assert!(world.assigned().is_empty(), "the person has seen who it is");
}
