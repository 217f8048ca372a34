//! The daemon, on the built binary: what wakes it, what goes wrong beside it, and how it ends.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::time::Duration;

use chrono::TimeDelta;
use rosterd::clock;
use rosterd::ledger::Ledger;
use rosterd::sandbox::dialect::StatsOn402;
use rosterd::sandbox::{Dialect, Faults, Options};
use secrecy::SecretString;

use crate::world::{Daemon, ID, World, people, roster, until};

/// A schedule that does not come in a test's life: what happens, happens for another reason.
const NEVER: &str = "schedule = \"0 0 1 1 *\"\n";

fn log(world: &World) -> String {
    fs::read_to_string(world.path("daemon.log")).unwrap()
}

/// Starts the daemon and waits until it watches.
fn start(world: &World) -> Daemon {
    let daemon = world.daemon("daemon.log");
    until("it is ready", || log(world).contains("ready:"));
    daemon
}

/// Adds tables to the configuration.
fn add(world: &World, text: &str) {
    let mut file = OpenOptions::new().append(true).open(world.path("rosterd.toml")).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn count_rows(world: &World, sql: &str) -> i64 {
    let ledger = rusqlite::Connection::open(world.path("rosterd.db")).unwrap();
    ledger.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Has another process ask the daemon for a run.
fn ask_for_run(world: &World) {
    let mut ledger = Ledger::open(&world.path("rosterd.db"), clock::now()).unwrap();
    ledger.ask_for_run("contoso", clock::now()).unwrap();
}

#[test]
fn a_start_and_an_end_take_effect_at_their_moment() {
    let world = World::new(10);
    world.configure("", NEVER, "");
    let at = |seconds| (clock::now() + TimeDelta::seconds(seconds)).to_rfc3339();
    let (soon, later) = (at(4), at(6));
    world.drop_file(
        "staff.csv",
        format!("email,start,end\nstays@contoso.com,,\nstarts@contoso.com,{soon},\nends@contoso.com,,{later}\n"),
    );
    let _daemon = start(&world);
    until("those who may have a seat have one", || {
        world.assigned() == ["ends@contoso.com", "stays@contoso.com"] || world.assigned().len() == 3
    });
    until("one has started and one has ended", || world.assigned() == ["starts@contoso.com", "stays@contoso.com"]);
}

#[test]
fn a_full_subscription_is_asked_at_each_probe_and_not_before() {
    for stats_on_402 in [StatsOn402::Yes, StatsOn402::No] {
        let options = Options { dialect: Dialect { stats_on_402, ..Dialect::default() }, ..Options::default() };
        let world = World::with(10, options, "");
        world.configure("", &format!("{NEVER}seat_probe = \"1h\"\n"), "");
        world.drop_roster("1.csv", &people(0..12));
        let mut daemon = start(&world);
        until("two wait", || world.count("pending") == 2);
        let before = world.sandbox.request_count();
        world.sandbox.set_seats(ID, 15);
        world.drop_roster("2.csv", &people(0..13));
        until("three wait", || world.count("pending") == 3);
        assert_eq!(world.sandbox.request_count(), before, "nobody asks before the probe");
        daemon.signal("TERM");
        assert_eq!(daemon.wait(), Some(0));

        world.configure("", &format!("{NEVER}seat_probe = \"1s\"\n"), "");
        let _daemon = start(&world);
        until("everybody has a seat", || world.assigned() == people(0..13));
    }
}

#[test]
fn missing_seats_are_told_again_only_when_their_number_changes_and_when_it_is_over() {
    let world = World::new(10);
    world.drop_roster("1.csv", &people(0..12));
    let _daemon = start(&world);
    until("two wait", || world.count("pending") == 2);
    world.drop_roster("2.csv", &people(0..13));
    until("three wait", || world.count("pending") == 3);
    let probed = world.sandbox.request_count() + 3;
    until("some probes were refused", || world.sandbox.request_count() >= probed);
    world.sandbox.set_seats(ID, 20);
    until("nobody waits any more", || log(&world).contains("nobody waits for a licence any more"));
    let log = log(&world);
    assert_eq!((log.matches("buy 2").count(), log.matches("buy 3").count()), (1, 1), "{log}");
}

#[test]
fn a_refused_key_is_one_alert_and_no_storm_and_a_person_can_ask_for_another_try() {
    let world = World::new(50);
    let right = SecretString::from(crate::world::KEY.to_owned());
    world.sandbox.set_key(ID, SecretString::from("5c3d4b1a-0000-4000-8000-000000000001".to_owned()));
    world.configure("", "schedule = \"* * * * * *\"\n", "");
    world.drop_roster("1.csv", &people(0..5));
    let _daemon = start(&world);
    until("the key was refused", || log(&world).contains("does not accept the key"));
    ask_for_run(&world);
    until("it was tried once more", || world.sandbox.request_count() == 2);
    world.sandbox.set_key(ID, right);
    ask_for_run(&world);
    until("everybody has a seat", || world.assigned() == people(0..5));
    assert_eq!(world.sandbox.request_count(), 3, "the schedule is no reason to try a refused key");
    assert_eq!(log(&world).matches("does not accept the key").count(), 1);
    until("it is said that it is over", || log(&world).contains("contoso: goes on again"));
}

/// A daemon whose key was refused; the right one is what the server wants.
fn refused(world: &World) -> Daemon {
    world.configure("", NEVER, "");
    fs::write(world.path("contoso.key"), WRONG).unwrap();
    world.drop_roster("1.csv", &people(0..5));
    let daemon = start(world);
    until("the key was refused", || log(world).contains("does not accept the key"));
    daemon
}

const WRONG: &str = "5c3d4b1a-0000-4000-8000-000000000001";

#[test]
fn a_key_file_that_changes_is_noticed_however_it_changes() {
    let replaced = |world: &World| {
        fs::write(world.path("new.key"), crate::world::KEY).unwrap();
        fs::rename(world.path("new.key"), world.path("contoso.key")).unwrap();
    };
    let rewritten_with_its_old_time = |world: &World| {
        let before = fs::metadata(world.path("contoso.key")).unwrap().modified().unwrap();
        fs::write(world.path("contoso.key"), crate::world::KEY).unwrap();
        let file = OpenOptions::new().append(true).open(world.path("contoso.key")).unwrap();
        file.set_modified(before).unwrap();
    };
    let ways: [&dyn Fn(&World); 2] = [&replaced, &rewritten_with_its_old_time];
    for change in ways {
        let world = World::new(50);
        let _daemon = refused(&world);
        change(&world);
        until("everybody has a seat", || world.assigned() == people(0..5));
        until("it is said that it is over", || log(&world).contains("contoso: goes on again"));
        assert_eq!(world.sandbox.request_count(), 2, "one was refused, one was not");
    }
}

#[test]
fn a_key_behind_a_link_that_is_swapped_is_noticed() {
    // As Kubernetes mounts a secret: contoso.key -> ..data/contoso.key, and ..data -> the folder of one version.
    let world = World::new(50);
    for (folder, key) in [("..one", WRONG), ("..two", crate::world::KEY)] {
        fs::create_dir(world.path(folder)).unwrap();
        fs::write(world.path(folder).join("contoso.key"), key).unwrap();
    }
    std::os::unix::fs::symlink("..one", world.path("..data")).unwrap();
    fs::remove_file(world.path("contoso.key")).unwrap();
    std::os::unix::fs::symlink("..data/contoso.key", world.path("contoso.key")).unwrap();
    world.configure("", NEVER, "");
    world.drop_roster("1.csv", &people(0..5));
    let _daemon = start(&world);
    until("the key was refused", || log(&world).contains("does not accept the key"));
    std::os::unix::fs::symlink("..two", world.path("..new")).unwrap();
    fs::rename(world.path("..new"), world.path("..data")).unwrap();
    until("everybody has a seat", || world.assigned() == people(0..5));
}

#[test]
fn rosters_that_change_are_no_reason_to_try_a_refused_key() {
    let world = World::new(50);
    let mut daemon = refused(&world);
    for number in 6..9 {
        world.drop_roster(&format!("{number}.csv"), &people(0..number));
        until("the roster was taken", || log(&world).matches("is the roster now").count() == number - 4);
    }
    assert_eq!(world.sandbox.request_count(), 1);
    // What is frozen in the daemon is tried at once by hand; that it got through is noticed.
    world.run_to(1, &["sync"]);
    assert_eq!(world.sandbox.request_count(), 2);
    world.sandbox.set_key(ID, SecretString::from(WRONG.to_owned()));
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..8));
    until("the daemon listens again", || log(&world).contains("tried again at once"));
    world.drop_roster("9.csv", &people(0..9));
    until("everybody has a seat", || world.assigned() == people(0..9));
    daemon.signal("TERM");
    daemon.wait();
    assert_eq!(log(&world).matches("does not accept the key").count(), 1);
}

#[test]
fn a_refused_key_is_one_alert_across_restarts() {
    let world = World::new(50);
    let mut daemon = refused(&world);
    daemon.signal("TERM");
    daemon.wait();
    let before = world.sandbox.request_count();
    let mut daemon = start(&world);
    until("it was tried once more", || world.sandbox.request_count() > before);
    daemon.signal("TERM");
    daemon.wait();
    assert!(!log(&world).contains("does not accept the key"), "{}", log(&world));
    assert_eq!(world.run(&["history", "--json"]).stdout.matches("key-rejected").count(), 1);
    assert_eq!(world.count("assigned"), 0);
    fs::write(world.path("contoso.key"), crate::world::KEY).unwrap();
    let _daemon = start(&world);
    until("it is said that it is over", || log(&world).contains("contoso: goes on again"));
    assert_eq!(world.assigned(), people(0..5));
}

#[test]
fn a_missing_key_file_stands_in_the_status_and_is_said_once() {
    let world = World::new(50);
    let key = fs::read(world.path("contoso.key")).unwrap();
    world.drop_roster("1.csv", &people(0..5));
    let mut daemon = start(&world);
    fs::remove_file(world.path("contoso.key")).unwrap();
    // Whether or not the daemon was quicker, the next one has no key.
    world.drop_roster("2.csv", &people(1..7));
    until("the status says what is wrong", || world.run(&["status"]).stdout.contains("contoso.key"));
    ask_for_run(&world);
    until("the run that was asked for was tried", || {
        world.run(&["history", "--json"]).stdout.matches("run-failed").count() == 1
    });
    assert_eq!(log(&world).matches("the key of contoso can't be read").count(), 1, "{}", log(&world));
    daemon.signal("TERM");
    daemon.wait();
    let _daemon = start(&world);
    let runs = || count_rows(&world, "SELECT count(*) FROM run");
    let before = runs();
    until("it was tried once more", || runs() > before);
    fs::write(world.path("contoso.key"), key).unwrap();
    until("everybody has a seat", || world.assigned() == people(1..7));
    until("it is said that it is over", || log(&world).contains("contoso: goes on again"));
    assert!(!log(&world).contains("can't be read"), "it was said before the restart: {}", log(&world));
}

#[test]
fn a_source_that_does_not_answer_and_a_subscription_that_fails_delay_nobody() {
    let world = World::new(50);
    fs::create_dir(world.path("stuck")).unwrap();
    add(
        &world,
        "[sources.stuck]\nkind = \"csv\"\npath = \"stuck\"\n
         [subscriptions.fabrikam]\ntype = \"Manual\"\nid = \"00000000-0000-4000-8000-000000000001\"\n
         api_key = { file = \"contoso.key\" }\nsources = [\"stuck\", \"hr\"]\n",
    );
    // A look waits for this lock as it would for a share whose server is gone.
    let stuck = File::open(world.path("stuck")).unwrap();
    stuck.lock().unwrap();
    let mut daemon = start(&world);
    world.drop_roster("1.csv", &people(0..5));
    until("everybody has a seat", || world.assigned() == people(0..5));
    until("the other one has failed", || log(&world).contains("does not accept the key of fabrikam"));
    world.drop_roster("2.csv", &people(0..7));
    until("new people have a seat", || world.assigned() == people(0..7));
    daemon.signal("TERM");
    assert_eq!(daemon.wait(), Some(0), "it ends though a look never does");
}

#[test]
fn a_ledger_that_fails_is_said_once_and_tried_until_it_works() {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..5));
    let _daemon = start(&world);
    until("everybody has a seat", || world.assigned() == people(0..5));
    let other = rusqlite::Connection::open(world.path("rosterd.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    world.drop_roster("2.csv", &people(0..7));
    until("it is said", || log(&world).contains("keeps the ledger busy"));
    assert_eq!(world.assigned(), people(0..5), "without an intent nothing is sent");
    other.execute_batch("ROLLBACK").unwrap();
    until("it goes on by itself", || world.assigned() == people(0..7));
    assert_eq!(log(&world).matches("keeps the ledger busy").count(), 1);
    until("it is said that it works again", || log(&world).contains("the ledger works again"));
}

#[test]
fn a_machine_that_was_suspended_goes_on() {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..5));
    let daemon = start(&world);
    until("everybody has a seat", || world.assigned() == people(0..5));
    daemon.signal("STOP");
    world.drop_roster("2.csv", &people(2..9));
    daemon.signal("CONT");
    until("the new roster is in force", || world.assigned() == people(2..9));
}

/// A daemon with a request in flight: ten of thirty people are asked for, and the answer takes its time.
fn at_work(latency: Duration) -> (World, Daemon) {
    let faults = Faults { latency, ..Faults::default() };
    let world = World::with(50, Options { faults, ..Options::default() }, "batch_size = 10\n");
    world.drop_roster("1.csv", &people(0..30));
    let daemon = start(&world);
    until("an intent is on disk", || world.count("unknown") == 10);
    (world, daemon)
}

#[test]
fn at_the_end_the_request_in_flight_is_finished_and_recorded() {
    let (world, mut daemon) = at_work(Duration::from_secs(3));
    daemon.signal("TERM");
    assert_eq!(daemon.wait(), Some(0));
    let assigned = world.assigned().len();
    assert!((10..30).contains(&assigned), "{assigned} have a seat");
    assert_eq!((world.count("assigned"), world.count("unknown")), (assigned as u64, 0), "{}", log(&world));
    world.sandbox.set_faults(Faults::default());
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..30));
    assert_eq!(world.sandbox.request_count(), 3, "nobody was sent twice");
}

#[test]
fn a_second_signal_ends_it_at_once_and_nothing_is_lost() {
    let (world, mut daemon) = at_work(Duration::from_secs(20));
    daemon.signal("TERM");
    until("the first one was heard", || log(&world).contains("stopping"));
    daemon.signal("TERM");
    assert_eq!(daemon.wait(), Some(1));
    assert_eq!(world.count("unknown"), 10, "what was in flight is known to be in doubt");
    world.sandbox.set_faults(Faults::default());
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..30));
    assert_eq!((world.count("assigned"), world.count("unknown")), (30, 0));
}

#[test]
fn a_roster_wakes_those_who_name_its_source_and_nobody_else() {
    let world = World::new(50);
    fs::create_dir(world.path("other")).unwrap();
    add(
        &world,
        "[sources.other]\nkind = \"csv\"\npath = \"other\"\nsettle = \"0s\"\n
         [subscriptions.fabrikam]\ntype = \"Manual\"\nid = \"00000000-0000-4000-8000-000000000001\"\n
         api_key = { file = \"contoso.key\" }\nsources = [\"other\"]\n",
    );
    let _daemon = start(&world);
    world.drop_roster("1.csv", &people(0..5));
    until("everybody has a seat", || world.assigned() == people(0..5));
    let runs = |name: &str| world.run(&["history", name, "--json"]).stdout.lines().count();
    assert_eq!(runs("fabrikam"), 0);
    fs::write(world.path("other/1.csv"), roster(&people(7..9))).unwrap();
    until("the other one was woken", || runs("fabrikam") > 0);
}
