//! Nobody loses a licence by accident, whatever is in the folder and whatever the server says.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use rosterd::intake::{self, Files, Intake, Memory};
use rosterd::ledger::Ledger;
use rosterd::ledger::handle::LedgerHandle;
use rosterd::licensing::http::Client;
use rosterd::outside::Host;
use rosterd::sandbox::{Faults, Options};
use rosterd::{clock, config, pass};

use crate::world::{ID, KEY, World, contains, people, roster, until};

/// Each prefix of a roster of 200 people, as its own file: none leads to an unattended removal beyond the guard, and
/// none is a crash. What `sync` does up to the first request, in this process and on a copy of the ledger in memory:
/// the 3,800 prefixes through the binary would take minutes and show no more.
#[test]
fn no_prefix_of_a_roster_takes_licences_away_beyond_the_guard() {
    let world = World::with_source(300, "after = \"leave\"");
    let everybody = people(0..200);
    let whole = roster(&everybody);
    world.drop_file("staff.csv", &whole);
    world.run_to(0, &["sync"]);
    let config = config::load(&world.path("rosterd.toml")).unwrap();
    let (source, subscription) = (&config.sources["hr"], &config.subscriptions["contoso"]);
    let client = Arc::new(Client::new(&config.licensing).unwrap());
    let (mut held, mut refused, mut removed) = (0, 0, 0);
    for end in 0..whole.len() {
        fs::write(world.path("drops/staff.csv"), &whole[..end]).unwrap();
        let ledger = LedgerHandle::start(Ledger::scratch(&world.path("rosterd.db")).unwrap()).unwrap();
        let host = Host { ledger: ledger.clone(), client: Arc::clone(&client) };
        let intakes = intake::take_in(&config, &host, source, &mut Memory::default(), Files::Leave).unwrap();
        refused += intakes.iter().filter(|intake| matches!(intake, Intake::Refused(_))).count();
        let (config, subscription) = (config.clone(), subscription.clone());
        let look =
            ledger.blocking_with(move |ledger| pass::look_at(ledger, &config, &subscription, true, clock::now()));
        let plan = look.unwrap().plan;
        assert!(plan.unassign.len() <= 40, "the first {end} bytes take {} licences", plan.unassign.len());
        held += usize::from(plan.hold.is_some());
        removed += usize::from(!plan.unassign.is_empty());
        ledger.close();
    }
    // Each of the three answers is given, so that this test tells something.
    assert!(held > 100 && refused > 0 && removed > 0, "{held} held, {refused} refused, {removed} within the guard");
}

#[test]
fn what_is_not_a_roster_has_a_clear_answer_and_takes_nothing_away() {
    let world = World::with_source(50, "after = \"leave\"");
    let everybody = people(0..20);
    world.drop_roster("a.csv", &everybody);
    world.run_to(0, &["sync"]);
    let long_line = format!("email\n{}\n", "x".repeat(10 << 20));
    let ragged = format!("name,email\nJane,{}\nlonely\nlonely2\nlonely3\nlonely4\nlonely5\n", everybody[0]);
    let cases: [(&str, &[u8], &str); 9] = [
        ("empty.csv", b"", "empty"),
        ("header-only.csv", b"email\n", "names nobody"),
        ("no-mail-column.csv", b"name,phone\nJane,1\n", "e-mail"),
        ("wrong-header.csv", b"Dear colleagues,\nplease find attached\n", "e-mail"),
        ("ragged.csv", ragged.as_bytes(), "rows"),
        ("long-line.csv", long_line.as_bytes(), "line 2"),
        ("open-quote.csv", b"email\n\"p00000@contoso.com\np00001@contoso.com\n", "quote"),
        ("nul.csv", b"email\nx\0@contoso.com\ny\0@contoso.com\nz\0@contoso.com\nw\0@contoso.com\n", "rows"),
        ("page.csv", b"<!DOCTYPE html><html><body>Please log in</body></html>\n", "e-mail"),
    ];
    for (name, content, words) in cases {
        world.drop_file(name, content);
        let ran = world.run_to(1, &["sync"]);
        assert!(ran.stderr.contains(name), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{name}: {}", ran.stderr);
        assert_eq!(world.assigned(), everybody, "{name}");
        fs::remove_file(world.path("drops").join(name)).unwrap();
    }
    let status = world.run(&["status"]);
    assert_eq!(world.assigned(), everybody, "{status:?}");
}

#[test]
fn links_and_folders_are_not_rosters() {
    let world = World::with_source(50, "after = \"leave\"");
    let everybody = people(0..20);
    world.drop_roster("a.csv", &everybody);
    world.run_to(0, &["sync"]);
    fs::create_dir(world.path("drops/folder.csv")).unwrap();
    fs::write(world.path("outside.csv"), roster(&people(90..95))).unwrap();
    symlink(world.path("outside.csv"), world.path("drops/z-link.csv")).unwrap();
    let ran = world.run(&["sync"]);
    assert!(ran.stderr.contains("folder.csv") && ran.stderr.contains("z-link.csv"), "{}", ran.stderr);
    assert_eq!(world.assigned(), everybody);
    assert!(world.path("outside.csv").exists(), "a file outside the folder is not touched");
}

#[test]
fn a_rejected_file_is_moved_aside_with_a_report_that_names_each_bad_row() {
    let world = World::new(50);
    world.drop_roster("a.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    assert!(world.path("drops/processed/a.csv").exists());
    let mut rows = people(0..20);
    rows.extend((0..10).map(|number| format!("not an address {number}")));
    world.drop_file("b.csv", roster(&rows));
    world.run_to(1, &["sync"]);
    let report = fs::read_to_string(world.path("drops/rejected/b.csv.report.txt")).unwrap();
    for line in 22..32 {
        assert!(report.contains(&format!("line {line}")), "{report}");
    }
    assert!(world.path("drops/rejected/b.csv").exists());
    assert_eq!(world.assigned(), people(0..20));
}

#[test]
fn the_key_is_nowhere_even_when_the_server_echoes_it() {
    let faults = Faults {
        fail: "30%".parse().unwrap(),
        drop_after: "10%".parse().unwrap(),
        echo: true,
        seed: 7,
        ..Faults::default()
    };
    let world = World::with(15, Options { faults, ..Options::default() }, "batch_size = 3\n");
    world.drop_file("1.csv", roster(&[people(0..20), vec!["refuse me".into()]].concat()));
    let mut printed = Vec::new();
    for arguments in [
        &["-vv", "--log-format", "json", "sync"][..],
        &["-vv", "sync"],
        &["-vv", "check", "--json"],
        &["status", "--json"],
        &["-vv", "plan", "--json"],
        &["members"],
        &["explain", "p00001@contoso.com"],
        &["-vv", "sync", "no-such-subscription"],
        &["history"],
    ] {
        let ran = world.run(arguments);
        printed.push(ran.stdout);
        printed.push(ran.stderr);
    }
    world.sandbox.set_key(ID, secrecy::SecretString::from("another-key".to_owned()));
    let ran = world.run(&["-vv", "sync"]);
    assert_ne!(ran.status, 0);
    printed.extend([ran.stdout, ran.stderr]);
    let before = world.sandbox.request_count();
    let daemon = world.daemon("daemon.log");
    until("the daemon has met the refused key", || world.sandbox.request_count() > before);
    drop(daemon);
    let plain = KEY.replace('-', "");
    for text in &printed {
        let folded = text.to_lowercase();
        assert!(!folded.contains(KEY) && !folded.contains(&plain), "the key was printed:\n{text}");
    }
    for file in world.files() {
        if file.file_name().is_some_and(|name| name == "contoso.key") {
            continue;
        }
        assert!(!contains(&file, KEY) && !contains(&file, &plain), "the key is in {}", file.display());
    }
}

#[test]
fn a_refused_key_takes_nothing_away_and_a_new_one_is_picked_up() {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    world.sandbox.set_key(ID, secrecy::SecretString::from("5c3d4b1a-0000-4000-8000-000000000001".to_owned()));
    world.drop_roster("2.csv", &people(1..22));
    let ran = world.run_to(1, &["sync"]);
    assert!(ran.stderr.contains("key"), "{}", ran.stderr);
    assert_eq!(world.assigned(), people(0..20));
    fs::write(world.path("contoso.key"), "5c3d4b1a-0000-4000-8000-000000000001\n").unwrap();
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(1..22));
}

#[test]
fn a_daemon_killed_at_work_goes_on_where_it_was() {
    let faults = Faults { latency: std::time::Duration::from_millis(30), ..Faults::default() };
    let world = World::with(2_000, Options { faults, ..Options::default() }, "batch_size = 10\n");
    let everybody = people(0..1_000);
    world.drop_roster("staff.csv", &everybody);
    for kills in 1..6 {
        let mut daemon = world.daemon("daemon.log");
        until("some more have a seat", || world.assigned().len() > kills * 100);
        daemon.signal("KILL");
        daemon.wait();
    }
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), everybody);
    assert_eq!(world.count("assigned"), 1_000);
    assert_eq!(world.count("unknown"), 0);
}

#[test]
fn a_sync_beside_a_running_daemon_never_works_on_the_same_subscription() {
    let faults = Faults { latency: std::time::Duration::from_millis(50), ..Faults::default() };
    let world = World::with(500, Options { faults, ..Options::default() }, "batch_size = 10\n");
    world.drop_roster("staff.csv", &people(0..300));
    let _daemon = world.daemon("daemon.log");
    until("the daemon is at work", || world.sandbox.request_count() > 2);
    let ran = world.run(&["sync"]);
    assert!(matches!(ran.status, 0 | 1 | 3), "{ran:?}");
    until("everybody has a seat", || world.assigned().len() == 300);
    assert_eq!(world.sandbox.request_count(), 30, "nobody was sent twice");
}

#[test]
fn a_ledger_that_cant_be_used_is_a_clear_error_and_stays_as_it_is() {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    let ledger = world.path("rosterd.db");
    let good = fs::read(&ledger).unwrap();

    fs::write(&ledger, b"this is not a database, it is a letter to the editor, and a long one at that").unwrap();
    let ran = world.run_to(1, &["sync"]);
    assert!(ran.stderr.contains("rosterd.db") && ran.stderr.contains("damaged"), "{}", ran.stderr);

    fs::write(&ledger, &good).unwrap();
    let connection = rusqlite::Connection::open(&ledger).unwrap();
    connection.pragma_update(None, "user_version", 9_999).unwrap();
    drop(connection);
    let ran = world.run_to(1, &["sync"]);
    assert!(ran.stderr.contains("newer"), "{}", ran.stderr);
    assert_eq!(world.assigned(), people(0..20));
}
