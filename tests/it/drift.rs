//! What somebody does by hand at the server: it is shown, and `reassert` gives back what was taken away.

use rosterd::clock::Stopwatch;
use rosterd::sandbox::dialect::AlreadyAssigned;
use rosterd::sandbox::{Dialect, Options};

use crate::world::{ID, World, people, until};

fn status(world: &World) -> serde_json::Value {
    let status: serde_json::Value = serde_json::from_str(&world.run(&["status", "--json"]).stdout).unwrap();
    status["subscriptions"][0].clone()
}

#[test]
fn seats_of_others_are_a_fact_and_seats_taken_away_a_problem() {
    let world = World::new(20);
    world.sandbox.assign_by_hand(ID, "other@contoso.com");
    world.drop_roster("1.csv", &people(0..6));
    world.run_to(0, &["sync"]);
    assert_eq!(status(&world)["drift"]["unmanaged"], 1);
    assert_eq!(status(&world)["problem"], serde_json::Value::Null);
    let text = world.run_to(0, &["status"]).stdout;
    assert!(text.contains("1 licence was assigned by other means than rosterd"), "{text}");

    for gone in people(0..3) {
        world.sandbox.unassign_by_hand(ID, &gone);
    }
    world.drop_roster("2.csv", &people(0..6));
    world.run_to(0, &["sync"]);
    // No request, no news: the next answer tells.
    world.drop_roster("3.csv", &people(0..7));
    let synced = world.run_to(3, &["sync"]);
    assert!(synced.stderr.contains("2 licences were unassigned between"), "{}", synced.stderr);
    let now = status(&world);
    assert_eq!(now["drift"]["missing"], 2, "{now}");
    assert!(now["drift"]["missing_after"].as_str().unwrap() < now["drift"]["missing_by"].as_str().unwrap());
    assert_eq!(now["last_run"]["outcome"], "converged");
    assert!(world.run_to(3, &["status"]).stdout.contains("`reassert = \"7d\"`"));
    assert!(world.run_to(0, &["explain", &people(4..5)[0]]).stdout.contains("by other means than rosterd"));
    let history = world.run_to(0, &["history"]).stdout;
    assert_eq!(history.matches("  drift ").count(), 2, "{history}");
    // A source that says what it said before causes nothing.
    let before = world.sandbox.request_count();
    world.run_to(3, &["sync"]);
    assert_eq!(world.sandbox.request_count(), before);
}

#[test]
fn the_daemon_gives_back_what_was_taken_away_batch_by_batch() {
    let world = World::new(20);
    world.configure("", "schedule = \"0 0 1 1 *\"\nbatch_size = 4\nreassert = \"6s\"\n", "");
    world.drop_roster("1.csv", &people(0..10));
    world.run_to(0, &["sync"]);
    world.sandbox.unassign_by_hand(ID, &people(0..1)[0]);
    world.sandbox.unassign_by_hand(ID, &people(9..10)[0]);
    let (before, clock) = (world.sandbox.request_count(), Stopwatch::start());
    let _daemon = world.daemon("daemon.log");
    until("everybody has a seat again", || world.assigned() == people(0..10));
    until("nothing is missed", || status(&world)["drift"]["missing"] == 0);
    // One batch at once, and one each two seconds.
    let (sent, most) = (world.sandbox.request_count() - before, clock.elapsed().as_secs() / 2 + 2);
    assert!((3..=most).contains(&sent), "{sent} requests in {:?}", clock.elapsed());
    assert_eq!(world.count("assigned"), 10);
}

#[test]
fn whose_seat_went_to_somebody_else_waits_and_nobody_else_loses_anything() {
    let world = World::new(6);
    world.drop_roster("1.csv", &people(0..6));
    world.run_to(0, &["sync"]);
    world.sandbox.unassign_by_hand(ID, &people(2..3)[0]);
    world.sandbox.assign_by_hand(ID, "other@contoso.com");
    world.configure("", "reassert = \"7d\"\n", "");
    let plan = world.run_to(0, &["plan"]).stdout;
    assert!(plan.contains("6 known assignments are sent again"), "{plan}");
    world.run_to(3, &["sync"]);
    assert_eq!((world.count("assigned"), world.count("pending")), (5, 1));
    let members = world.run_to(0, &["members", "--state", "pending"]).stdout;
    assert!(members.contains("p00002@contoso.com") && members.contains("somebody unassigned it"), "{members}");
    world.sandbox.set_seats(ID, 7);
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned().len(), 7);
}

#[test]
fn a_server_that_refuses_repetitions_is_left_alone_after_one() {
    let dialect = Dialect { already_assigned: AlreadyAssigned::Error, ..Dialect::default() };
    let world = World::with(9, Options { dialect, ..Options::default() }, "reassert = \"7d\"\n");
    world.drop_roster("1.csv", &people(0..6));
    world.run_to(0, &["sync"]);
    let refused = world.run_to(0, &["sync"]);
    assert!(refused.stderr.contains("has stopped"), "{}", refused.stderr);
    let before = world.sandbox.request_count();
    // As a week later.
    let ledger = rusqlite::Connection::open(world.path("rosterd.db")).unwrap();
    assert_eq!(ledger.execute("UPDATE subscription SET reasserted_at = 0", []).unwrap(), 1);
    world.run_to(0, &["sync"]);
    assert_eq!((world.sandbox.request_count(), world.count("assigned")), (before, 6));
    assert!(world.run_to(0, &["status"]).stdout.contains("`reassert` is of no use here"));
    let again = world.run_to(0, &["retry", "contoso"]);
    assert!(again.stderr.contains("what was learned of its server is forgotten"), "{}", again.stderr);
    assert_eq!(world.sandbox.request_count(), before + 1);
}
