//! What other programs hold on to: the shapes of JSON and the exit statuses, as they are documented.

use serde_json::Value;

use crate::world::{World, people, roster};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Sorted: whether a parsed object keeps its order depends on what is built beside it.
fn keys(value: &Value) -> Vec<&str> {
    let keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    sorted(&keys)
}

fn sorted<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}

#[test]
fn status_has_the_documented_shape() {
    let world = World::new(50);
    world.run_to(0, &["sync"]);
    let before = json(&world.run_to(0, &["status", "--json"]).stdout);
    assert_eq!(before["subscriptions"][0]["seats"], Value::Null, "no stats have been seen");
    world.drop_roster("1.csv", &people(0..40));
    world.run_to(0, &["sync"]);
    world.drop_roster("2.csv", &people(0..20));
    world.run_to(3, &["sync"]);
    let told = json(&world.run_to(3, &["status", "--json"]).stdout);
    let one = &told["subscriptions"][0];
    let names =
        ["name", "type", "id", "seats", "members", "hold", "problem", "drift", "forecast", "last_run", "next_run"];
    assert_eq!(keys(one), sorted(&names));
    assert_eq!(keys(&one["forecast"]), sorted(&["outlook", "days", "per_week", "runs_out_on"]));
    assert_eq!(keys(&one["seats"]), sorted(&["available", "assigned", "as_of"]));
    let words = ["assigned", "pending", "waiting", "leaving", "quarantined", "unknown"];
    assert_eq!(keys(&one["members"]), sorted(&words));
    assert_eq!(keys(&one["hold"]), sorted(&["digest", "removals", "reason", "since"]));
    assert_eq!(one["hold"]["removals"], 20);
    let run = ["id", "started_at", "finished_at", "trigger", "outcome", "requests", "assigned", "unassigned"];
    assert_eq!(keys(&one["last_run"]), sorted(&run));
    assert_eq!(one["last_run"]["outcome"], "incomplete");
    assert_eq!(one["last_run"]["trigger"], "command");
}

#[test]
fn a_plan_has_the_documented_shape_and_its_digest_is_what_is_approved() {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..40));
    world.run_to(0, &["sync"]);
    world.drop_file("2.csv", roster(&people(0..20)).replace("email\n", "email\nno address\n"));
    world.run_to(3, &["sync"]);
    let plan = json(&world.run_to(0, &["plan", "--json"]).stdout);
    let one = &plan["subscriptions"][0];
    let names = [
        "name",
        "assign",
        "unassign",
        "rename",
        "pending",
        "waiting",
        "leaving",
        "quarantined",
        "held",
        "digest",
        "sources",
    ];
    assert_eq!(keys(one), sorted(&names));
    assert_eq!(keys(&one["leaving"][0]), ["email", "reason"]);
    assert_eq!(one["leaving"][0]["reason"], "left");
    assert_eq!(keys(&one["sources"][0]), sorted(&["name", "entries", "bad_rows", "error"]));
    assert_eq!(keys(&one["sources"][0]["bad_rows"][0]), ["origin", "reason"]);
    assert_eq!(one["held"], true);
    world.run_to(0, &["approve", "contoso", "--yes", "--digest", one["digest"].as_str().unwrap()]);
    assert_eq!(world.assigned(), people(0..20));
}

#[test]
fn members_and_history_are_one_object_a_line() {
    let world = World::new(1);
    world.drop_roster("1.csv", &people(0..2));
    world.run_to(3, &["sync"]);
    let members = world.run_to(0, &["members", "--json"]).stdout;
    assert_eq!(members.lines().count(), 2);
    for line in members.lines() {
        let names = ["subscription", "email", "state", "since", "reason", "priority", "origins"];
        assert_eq!(keys(&json(line)), sorted(&names));
        assert!(json(line)["origins"][0].as_str().unwrap().starts_with("hr: 1.csv line "), "{line}");
    }
    let history = world.run_to(0, &["history", "--json"]).stdout;
    let events: Vec<String> = history.lines().map(|line| json(line)["event"].as_str().unwrap().to_owned()).collect();
    for event in ["roster-accepted", "assigned", "pending", "seats-changed"] {
        assert!(events.iter().any(|known| known == event), "{event} is not among {events:?}");
    }
    for line in history.lines() {
        assert_eq!(keys(&json(line)), sorted(&["at", "run", "subscription", "event", "email", "detail"]));
    }
}

#[test]
fn names_that_nothing_has_are_usage_errors() {
    let world = World::new(5);
    world.drop_roster("1.csv", &people(0..2));
    world.run_to(0, &["sync"]);
    for line in [
        "status fabrikam",
        "sync fabrikam",
        "plan fabrikam",
        "members fabrikam",
        "members --state sleeping",
        "history fabrikam",
        "history --since yesterday-ish",
        "approve fabrikam --yes",
        "reject fabrikam --yes",
        "adopt fabrikam have.csv",
        "forget fabrikam a@contoso.com",
        "forget contoso nobody@contoso.com",
        "retry fabrikam",
        "undo 01936c5e-8f00-7000-8000-000000000001 --yes",
        "undo some-run",
        "no-such-verb",
        "--config nowhere.toml status",
    ] {
        let ran = world.run_to(2, &line.split(' ').collect::<Vec<_>>());
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{line}: data is data, and an error is said: {ran:?}");
    }
}

#[test]
fn everything_that_reports_has_json() {
    let world = World::new(5);
    world.drop_roster("1.csv", &people(0..2));
    for line in ["check", "sync", "plan", "status", "explain p00000@contoso.com"] {
        let ran = world.run_to(0, &[line.split(' ').collect(), vec!["--json"]].concat());
        assert!(serde_json::from_str::<Value>(&ran.stdout).is_ok(), "{line}: {}", ran.stdout);
    }
    // Log lines, too.
    world.drop_roster("2.csv", &people(0..3));
    let ran = world.run_to(0, &["--log-format", "json", "-v", "sync"]);
    assert!(ran.stderr.lines().count() > 1);
    assert!(ran.stderr.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{}", ran.stderr);
}

#[test]
fn without_a_terminal_there_is_no_colour_and_no_bar() {
    let world = World::new(5);
    world.drop_roster("1.csv", &people(0..7));
    for line in ["sync", "status", "plan", "members", "explain p00000@contoso.com", "history", "--help"] {
        let ran = world.run(&line.split(' ').collect::<Vec<_>>());
        assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "{line}: {ran:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_said_and_nothing_is_lost() {
    let world = World::new(5);
    world.drop_roster("1.csv", &people(0..2));
    let there = std::fs::read_to_string(world.path("rosterd.toml")).unwrap();
    let away = there.replace(&world.base_url, "http://127.0.0.1:9");
    std::fs::write(world.path("rosterd.toml"), away).unwrap();
    let ran = world.run_to(1, &["sync"]);
    assert!(ran.stderr.contains("no answer"), "{}", ran.stderr);
    let status = json(&world.run_to(3, &["status", "--json"]).stdout);
    assert_eq!(status["subscriptions"][0]["last_run"]["outcome"], "failed");
    assert!(status["subscriptions"][0]["problem"].as_str().unwrap().contains("no answer"));
    world.run_to(1, &["check"]);
    std::fs::write(world.path("rosterd.toml"), there).unwrap();
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..2));
    world.run_to(0, &["status"]);
}

#[test]
fn a_subscriptions_rules_say_who_is_looked_at() {
    let world = World::new(4);
    let rules =
        "exclude = [\"svc-*\"]\nprotect = [\"boss@*\"]\ndomains = [\"contoso.com\"]\ntimezone = \"Europe/Berlin\"\n";
    world.configure("", rules, "must_include = [\"it@contoso.com\"]\n");
    world.drop_file(
        "1.csv",
        "email,priority,start\nit@contoso.com,9,\nboss@contoso.com,9,\nsvc-mail@contoso.com,1,\njane@fabrikam.com,1,\n\
         last@contoso.com,,\nlater@contoso.com,1,2099-12-01\nsecond@contoso.com,7,\nfirst@contoso.com,5,\n",
    );
    world.run_to(3, &["sync"]);
    assert_eq!(world.assigned(), ["boss@contoso.com", "first@contoso.com", "it@contoso.com", "second@contoso.com"]);
    let states: Vec<(String, String)> = world
        .run_to(0, &["members", "--json"])
        .stdout
        .lines()
        .map(json)
        .map(|member| (member["email"].as_str().unwrap().into(), member["state"].as_str().unwrap().into()))
        .filter(|(_, state)| state != "assigned")
        .collect();
    let told = |email: &str, state: &str| (email.to_owned(), state.to_owned());
    assert_eq!(
        states,
        [
            told("jane@fabrikam.com", "quarantined"),
            told("last@contoso.com", "pending"),
            told("later@contoso.com", "waiting"),
        ]
    );
    for (address, words) in [
        ("svc-mail@contoso.com", "svc-*"),
        ("jane@fabrikam.com", "domains"),
        ("boss@contoso.com", "protect"),
        ("later@contoso.com", "2099-12-01"),
        ("last@contoso.com", "seat"),
        ("nobody@contoso.com", "never seen"),
        ("no address", "@"),
    ] {
        let explained = world.run_to(0, &["explain", address]).stdout;
        assert!(explained.contains(words), "{address}: {explained}");
    }
    // The date is midnight in the subscription's zone.
    let waiting = world.run_to(0, &["members", "--state", "waiting", "--json"]).stdout;
    assert!(waiting.contains("2099-11-30T23:00:00Z"), "{waiting}");

    world.drop_file("2.csv", "email\nboss@contoso.com\nfirst@contoso.com\n");
    let ran = world.run_to(1, &["sync"]);
    assert!(ran.stderr.contains("it@contoso.com"), "a canary is missing: {}", ran.stderr);
    world.drop_file("3.csv", "email\nit@contoso.com\nfirst@contoso.com\n");
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), ["boss@contoso.com", "first@contoso.com", "it@contoso.com"], "who is protected stays");
}

#[test]
fn one_person_in_two_sources_is_one_seat_and_leaves_with_the_last() {
    let world = World::with(5, rosterd::sandbox::Options::default(), "sources = [\"hr\", \"lab\"]\n");
    world.configure(
        "",
        "sources = [\"hr\", \"lab\"]\n",
        "path = \"drops\"\nsettle = \"0s\"\n[sources.lab]\nkind = \"csv\"\npath = \"lab\"\nsettle = \"0s\"\n",
    );
    std::fs::create_dir(world.path("lab")).unwrap();
    std::fs::write(world.path("lab/1.csv"), "email\nANN@contoso.com\nbob@contoso.com\n").unwrap();
    world.drop_file("1.csv", "email\nann@contoso.com\n");
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned().len(), 2);
    let explained = world.run_to(0, &["explain", "ann@contoso.com"]).stdout;
    assert!(explained.contains("hr names it") && explained.contains("lab names it"), "{explained}");
    world.drop_file("2.csv", "email\ncarl@contoso.com\n");
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned().len(), 3, "the lab still names ann");
    std::fs::write(world.path("lab/2.csv"), "email\nbob@contoso.com\n").unwrap();
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), ["bob@contoso.com", "carl@contoso.com"]);
}
