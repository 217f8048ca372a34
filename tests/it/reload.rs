//! A configuration that changes while the daemon runs, on the built binary.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rosterd::config::SubscriptionType;
use rosterd::sandbox::{Faults, Options, Subscription};
use secrecy::SecretString;
use uuid::Uuid;

use crate::world::{Daemon, KEY, World, people, roster, until};

/// A schedule that does not come in a test's life.
const NEVER: &str = "schedule = \"0 0 1 1 *\"\n";
/// Another subscription at the server.
const OTHER: Uuid = Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0001);

fn log(world: &World) -> String {
    fs::read_to_string(world.path("daemon.log")).unwrap()
}

fn start(world: &World) -> Daemon {
    let daemon = world.daemon("daemon.log");
    until("it is ready", || log(world).contains("ready:"));
    daemon
}

fn says(world: &World, words: &str) {
    until(&format!("the log says “{words}”"), || log(world).contains(words));
}

/// Writes the configuration anew, as a careful person does: beside, and renamed into place.
fn rewrite(world: &World, change: impl Fn(String) -> String) {
    let text = change(fs::read_to_string(world.path("rosterd.toml")).unwrap());
    fs::write(world.path("rosterd.new"), text).unwrap();
    fs::rename(world.path("rosterd.new"), world.path("rosterd.toml")).unwrap();
}

/// Puts this in place of that, which the configuration has to have.
fn replace(world: &World, from: &str, to: &str) {
    rewrite(world, |text| {
        assert!(text.contains(from), "{from} is not in {text}");
        text.replace(from, to)
    });
}

#[test]
fn a_client_whose_file_comes_is_looked_after_and_one_whose_file_goes_keeps_everything() {
    let other = Subscription::new(SubscriptionType::Manual, OTHER, SecretString::from(KEY.to_owned()), 50);
    let world = World::with(50, Options { subscriptions: vec![other], ..Options::default() }, NEVER);
    rewrite(&world, |text| format!("include = [\"clients/*.toml\"]\n{text}"));
    for folder in ["clients", "other"] {
        fs::create_dir(world.path(folder)).unwrap();
    }
    fs::write(world.path("other/1.csv"), roster(&people(20..23))).unwrap();
    let _daemon = start(&world);
    world.drop_roster("1.csv", &people(0..5));
    until("everybody has a seat", || world.assigned() == people(0..5));

    let client = format!(
        "[subscriptions.fabrikam]\ntype = \"Manual\"\nid = \"{OTHER}\"\napi_key = {{ file = \"../contoso.key\" }}\n
         sources = [\"other\"]\n[sources.other]\nkind = \"csv\"\npath = \"../other\"\nsettle = \"0s\"\n"
    );
    fs::write(world.path("clients/fabrikam.toml"), client).unwrap();
    let has = || world.sandbox.assigned(OTHER).into_iter().collect::<Vec<_>>();
    until("the new client's people have seats", || has() == people(20..23));
    says(&world, "reloaded: 1 subscription added (fabrikam), 1 source added (other)");

    fs::remove_file(world.path("clients/fabrikam.toml")).unwrap();
    says(&world, "reloaded: 1 subscription removed (fabrikam), 1 source removed (other)");
    fs::write(world.path("other/2.csv"), roster(&people(20..21))).unwrap();
    world.drop_roster("2.csv", &people(0..7));
    until("the daemon goes on", || world.assigned() == people(0..7));
    assert_eq!(has(), people(20..23), "nobody loses a licence because a subscription is configured no more");
    assert!(world.path("other/2.csv").exists(), "its files are left alone");
}

#[test]
fn a_configuration_with_a_mistake_is_refused_whole_and_the_old_one_goes_on() {
    let world = World::new(50);
    let good = fs::read_to_string(world.path("rosterd.toml")).unwrap();
    let daemon = start(&world);
    let refused = || log(&world).matches("can't be used; rosterd goes on with the old one").count();
    let mut people_now = 0;
    let mut goes_on = || {
        people_now += 1;
        world.drop_roster(&format!("{people_now}.csv"), &people(0..people_now));
        until("the daemon goes on", || world.assigned() == people(0..people_now));
    };
    fs::write(world.path("rosterd.toml"), good.replace("kind = \"csv\"", "kind = \"cvs\"")).unwrap();
    until("it is refused", || refused() == 1);
    let shown = world.run_to(2, &["check"]).stderr;
    let place = shown.lines().find(|line| line.contains("rosterd.toml:")).unwrap().trim();
    assert!(log(&world).contains(place), "{place} is not in {}", log(&world));
    goes_on();
    daemon.signal("HUP");
    until("whoever asks is told again", || refused() == 2);

    // Cut off at its beginning, and gone.
    fs::write(world.path("rosterd.toml"), "").unwrap();
    until("it is refused", || refused() == 3);
    goes_on();
    fs::remove_file(world.path("rosterd.toml")).unwrap();
    until("it is refused", || refused() == 4);
    fs::write(world.path("rosterd.toml"), &good).unwrap();
    says(&world, "the configuration can be used again; it says what it said before");
    fs::set_permissions(world.path("rosterd.toml"), Permissions::from_mode(0o0)).unwrap();
    if File::open(world.path("rosterd.toml")).is_err() {
        until("it is refused", || refused() == 5);
    }
    fs::set_permissions(world.path("rosterd.toml"), Permissions::from_mode(0o600)).unwrap();
    goes_on();
    assert!(!log(&world).contains("reloaded:"), "nothing has changed: {}", log(&world));
}

#[test]
fn a_frozen_subscription_is_tried_at_once_when_its_key_lies_elsewhere() {
    let world = World::new(50);
    world.configure("", NEVER, "");
    fs::write(world.path("right.key"), KEY).unwrap();
    fs::write(world.path("contoso.key"), "5c3d4b1a-0000-4000-8000-000000000001").unwrap();
    world.drop_roster("1.csv", &people(0..5));
    let _daemon = start(&world);
    says(&world, "does not accept the key");
    replace(&world, "contoso.key", "right.key");
    until("everybody has a seat", || world.assigned() == people(0..5));
    says(&world, "reloaded: 1 subscription changed (contoso: api_key)");
    assert_eq!(world.sandbox.request_count(), 2, "one was refused, one was not");
}

#[test]
fn a_source_that_is_pointed_elsewhere_takes_nobodys_licence() {
    let world = World::new(50);
    world.configure("", NEVER, "");
    fs::create_dir(world.path("other")).unwrap();
    fs::write(world.path("other/1.csv"), roster(&people(3..8))).unwrap();
    world.drop_roster("1.csv", &people(0..5));
    let _daemon = start(&world);
    until("everybody has a seat", || world.assigned() == people(0..5));
    replace(&world, "path = \"drops\"", "path = \"other\"");
    until("who is new has a seat", || world.assigned() == people(0..8));
    says(&world, "1 source changed (hr: path)");
    until("who is missing is held, however few", || world.count("leaving") == 3);
    assert_eq!(world.assigned(), people(0..8));
}

#[test]
fn a_look_that_never_ends_keeps_no_change_waiting_and_comes_too_late() {
    let world = World::with_source(50, "path = \"stuck\"\n");
    fs::create_dir(world.path("stuck")).unwrap();
    fs::write(world.path("stuck/1.csv"), roster(&people(20..25))).unwrap();
    // A look waits for this lock as it would for a share whose server is gone.
    let stuck = File::open(world.path("stuck")).unwrap();
    stuck.lock().unwrap();
    let _daemon = start(&world);
    replace(&world, "path = \"stuck\"", "path = \"drops\"");
    world.drop_roster("1.csv", &people(0..5));
    until("the new place is read", || world.assigned() == people(0..5));
    drop(stuck);
    world.drop_roster("2.csv", &people(0..7));
    until("the new place is read", || world.assigned() == people(0..7));
    assert!(world.path("stuck/1.csv").exists(), "the old one is not");
}

#[test]
fn a_pass_is_broken_off_between_two_requests_when_its_subscription_goes() {
    let faults = Faults { latency: Duration::from_secs(4), ..Faults::default() };
    let world = World::with(50, Options { faults, ..Options::default() }, "batch_size = 10\n");
    let whole = fs::read_to_string(world.path("rosterd.toml")).unwrap();
    world.drop_roster("1.csv", &people(0..30));
    let daemon = start(&world);
    until("a request is in flight", || world.sandbox.request_count() == 1);
    rewrite(&world, |text| text.split("[subscriptions").next().unwrap().to_owned());
    daemon.signal("HUP");
    says(&world, "reloaded: 1 subscription removed (contoso), 1 source removed (hr)");
    says(&world, "in the middle of the run");
    let assigned = world.assigned().len();
    assert!((10..30).contains(&assigned), "{assigned} have a seat");
    world.sandbox.set_faults(Faults::default());
    rewrite(&world, |_| whole.clone());
    daemon.signal("HUP");
    until("everybody has a seat", || world.assigned() == people(0..30));
    assert_eq!(world.sandbox.request_count(), 3, "nobody was sent twice");
}

#[test]
fn what_the_process_opened_once_is_kept_and_the_rest_takes_effect() {
    let world = World::new(50);
    let daemon = start(&world);
    daemon.signal("HUP");
    says(&world, "the configuration was read again; it says what it said before");
    rewrite(&world, |text| text.replace("rosterd.db", "another.db").replace("burst = 100", "burst = 7"));
    says(&world, "reloaded: licensing.burst changed");
    says(&world, "takes effect at the next start");
    world.drop_roster("1.csv", &people(0..5));
    until("everybody has a seat", || world.assigned() == people(0..5));
    assert!(!world.path("another.db").exists());
    assert_eq!(log(&world).matches("ledger.url stays").count(), 1);
}

#[test]
fn requests_to_reload_at_the_wrong_moment_do_no_harm() {
    let faults = Faults { latency: Duration::from_secs(2), ..Faults::default() };
    let world = World::with(50, Options { faults, ..Options::default() }, "");
    world.drop_roster("1.csv", &people(0..5));
    let mut daemon = world.daemon("daemon.log");
    let status = format!("/proc/{}/status", daemon.child.id());
    until("it listens to SIGHUP", || {
        let text = fs::read_to_string(&status).unwrap();
        let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim();
        u64::from_str_radix(caught, 16).unwrap() & 1 == 1
    });
    daemon.signal("HUP");
    daemon.signal("HUP");
    until("a request is in flight", || world.sandbox.request_count() == 1);
    daemon.signal("TERM");
    daemon.signal("HUP");
    assert_eq!(daemon.wait(), Some(0));
    assert_eq!((world.count("assigned"), world.count("unknown")), (5, 0), "{}", log(&world));
}
