//! Many subscriptions under one daemon, and its end.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use rosterd::clock::Stopwatch;
use rosterd::config::SubscriptionType;
use rosterd::sandbox::{Faults, Options, Subscription};
use secrecy::SecretString;
use uuid::Uuid;

use crate::world::{KEY, World, people, until};

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0xc54c_665c_5c20_4c46_9344_0000_0000_0000 + number)
}

/// A world with so many more subscriptions, fed by the same folder.
fn with_more(number: u128) -> World {
    let subscription =
        |number| Subscription::new(SubscriptionType::Manual, id(number), SecretString::from(KEY.to_owned()), 10);
    let options = Options { subscriptions: (0..number).map(subscription).collect(), ..Options::default() };
    let world = World::with(10, options, "");
    let mut text = fs::read_to_string(world.path("rosterd.toml")).unwrap();
    for one in 0..number {
        let id = id(one);
        let _ = writeln!(
            text,
            "[subscriptions.s{one}]\ntype = \"Manual\"\nid = \"{id}\"\napi_key = {{ file = \"contoso.key\" }}\nsources = [\"hr\"]"
        );
    }
    fs::write(world.path("rosterd.toml"), text).unwrap();
    world
}

#[test]
fn two_hundred_subscriptions_are_looked_after_and_those_that_fail_hinder_nobody() {
    let world = with_more(200);
    for (refused, number) in [(3, "3"), (77, "77")] {
        world
            .sandbox
            .set_key(id(refused), SecretString::from(format!("5c3d4b1a-0000-4000-8000-0000000000{number:0>2}")));
    }
    let text = fs::read_to_string(world.path("rosterd.toml")).unwrap();
    // The key of one is not there at all.
    let keyless = text.replacen(
        "api_key = { file = \"contoso.key\" }\nsources = [\"hr\"]\n[subscriptions.s11]",
        "api_key = { env = \"NOWHERE\" }\nsources = [\"hr\"]\n[subscriptions.s11]",
        1,
    );
    assert_ne!(text, keyless);
    fs::write(world.path("rosterd.toml"), keyless).unwrap();
    world.drop_roster("staff.csv", &people(0..5));
    let mut daemon = world.daemon("daemon.log");
    let fails = [3, 10, 77];
    let well = || (0..200).filter(|one| !fails.contains(one)).all(|one| world.sandbox.assigned(id(one)).len() == 5);
    until("everybody else has five seats", well);
    daemon.signal("TERM");
    assert_eq!(daemon.wait(), Some(0));
    let status = world.run_to(3, &["status", "--json"]).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let ill: Vec<&str> = status["subscriptions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| !one["problem"].is_null())
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(ill, ["s10", "s3", "s77"]);
}

/// A daemon that is in the middle of its first request, which the server answers only after this.
fn at_work(latency: Duration) -> (World, crate::world::Daemon) {
    let faults = Faults { latency, ..Faults::default() };
    let world = World::with(50, Options { faults, ..Options::default() }, "batch_size = 10\n");
    world.drop_roster("staff.csv", &people(0..30));
    let daemon = world.daemon("daemon.log");
    until("a request is in flight", || world.sandbox.request_count() > 0);
    (world, daemon)
}

#[test]
fn the_first_signal_lets_the_request_in_flight_be_finished_and_recorded() {
    let (world, mut daemon) = at_work(Duration::from_secs(1));
    daemon.signal("TERM");
    assert_eq!(daemon.wait(), Some(0));
    assert_eq!(world.sandbox.request_count(), 1, "no new request starts");
    assert_eq!((world.count("assigned"), world.count("unknown")), (10, 0), "what was answered is recorded");
    world.sandbox.set_faults(Faults::default());
    world.run_to(0, &["sync"]);
    assert_eq!(world.sandbox.request_count(), 3);
}

#[test]
fn the_second_signal_ends_at_once_and_loses_nothing() {
    let (world, mut daemon) = at_work(Duration::from_secs(20));
    let asked = Stopwatch::start();
    daemon.signal("TERM");
    until("the first is heard", || fs::read_to_string(world.path("daemon.log")).unwrap().contains("stopping"));
    daemon.signal("TERM");
    assert_eq!(daemon.wait(), Some(1));
    assert!(asked.elapsed() < Duration::from_secs(10));
    world.sandbox.set_faults(Faults::default());
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..30));
    assert_eq!((world.count("assigned"), world.count("unknown")), (30, 0));
}
