//! The main job on the built binary: a CSV drop becomes licences.

use std::fs;

use crate::world::{World, people, roster, until};

#[test]
fn ten_thousand_people_are_a_hundred_requests_and_the_next_sync_makes_none() {
    let world = World::new(20_000);
    let everybody = people(0..10_000);
    world.drop_roster("staff.csv", &everybody);
    world.run_to(0, &["sync"]);
    assert_eq!(world.sandbox.request_count(), 100);
    assert_eq!(world.assigned(), everybody);
    world.run_to(0, &["sync"]);
    world.drop_roster("staff-again.csv", &everybody);
    world.run_to(0, &["sync"]);
    assert_eq!(world.sandbox.request_count(), 100, "a source that says what it said before causes no request");
}

#[test]
fn a_large_roster_is_followed_in_any_order() {
    let world = World::new(20_000);
    world.configure("", "batch_size = 10000\n", "");
    let mut staff = people(0..17_000);
    world.drop_roster("1.csv", &staff);
    world.run_to(0, &["sync"]);
    assert_eq!(world.sandbox.request_count(), 2);
    staff.reverse();
    world.drop_roster("2.csv", &staff);
    world.run_to(0, &["sync"]);
    assert_eq!(world.sandbox.request_count(), 2, "the same people in another order are no change");
    // One row twice in the place of another's, one who came for one who left, and two more.
    staff[8] = staff[9].clone();
    staff[500] = "new@contoso.com".to_owned();
    staff.extend(people(17_000..17_002));
    world.drop_roster("3.csv", &staff);
    world.run_to(0, &["sync"]);
    staff.sort();
    staff.dedup();
    assert_eq!(world.assigned(), staff);
    let asked: Vec<usize> = world.sandbox.requests().iter().map(|request| request.emails.len()).collect();
    assert_eq!(asked, [10_000, 7_000, 2, 3]);
}

#[test]
fn joiners_and_leavers_are_followed() {
    let world = World::new(50);
    world.drop_roster("1.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    world.drop_roster("2.csv", &people(2..22));
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(2..22));
    let requests = world.sandbox.requests();
    let methods: Vec<&str> = requests.iter().map(|request| request.method.as_str()).collect();
    assert_eq!(methods, ["PUT", "DELETE", "PUT"], "unassigning goes before assigning");
}

#[test]
fn the_queue_drains_by_itself_when_seats_are_bought() {
    let world = World::new(10);
    world.drop_roster("staff.csv", &people(0..12));
    let mut daemon = world.daemon("daemon.log");
    until("ten have a seat and two wait", || world.assigned().len() == 10 && world.count("pending") == 2);
    let members = world.run_to(0, &["members", "--state", "pending", "--json"]).stdout;
    assert_eq!(members.lines().count(), 2);
    assert!(
        members.lines().all(|line| line.contains("\"reason\":\"") && !line.contains("\"reason\":\"\"")),
        "{members}"
    );
    let status = world.run_to(3, &["status"]).stdout;
    assert!(status.contains("buy 2"), "{status}");

    world.sandbox.set_seats(crate::world::ID, 15);
    until("all twelve have a seat", || world.assigned() == people(0..12));
    until("nobody waits", || world.count("pending") == 0);
    daemon.signal("TERM");
    assert_eq!(daemon.wait(), Some(0));
    world.run_to(0, &["status"]);
    let log = fs::read_to_string(world.path("daemon.log")).unwrap();
    assert_eq!(log.matches("buy 2").count(), 1, "the alert is raised once:\n{log}");
}

#[test]
fn a_full_subscription_is_asked_once_for_each_probe() {
    let world = World::new(10);
    world.drop_roster("staff.csv", &people(0..30));
    world.run_to(3, &["sync"]);
    assert_eq!(world.assigned().len(), 10);
    let before = world.sandbox.request_count();
    world.run_to(3, &["sync"]);
    assert_eq!(world.sandbox.request_count(), before + 1, "a sync counts as one probe, and asks with one request");
}

#[test]
fn a_roster_cut_to_half_holds_the_removals_and_lets_joiners_in() {
    let world = World::new(100);
    world.drop_roster("staff.csv", &people(0..40));
    world.run_to(0, &["sync"]);
    world.drop_roster("half.csv", &[people(0..20), people(90..92)].concat());
    world.run_to(3, &["sync"]);
    assert_eq!(world.assigned(), [people(0..40), people(90..92)].concat(), "joiners go on, removals are held");

    let status = world.run_to(3, &["status"]).stdout;
    assert!(status.contains("20 removals"), "{status}");
    assert_eq!(world.count("leaving"), 20);
    let refused = world.run_to(2, &["approve", "contoso"]);
    assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
    world.run_to(1, &["approve", "contoso", "--yes", "--digest", "0000000000000000"]);
    assert_eq!(world.assigned().len(), 42, "another set's digest approves nothing");

    world.run_to(0, &["approve", "contoso", "--yes"]);
    assert_eq!(world.assigned(), [people(0..20), people(90..92)].concat());
    world.run_to(0, &["status"]);
    world.run_to(0, &["sync"]);
}

#[test]
fn a_rejected_removal_keeps_the_licences() {
    let world = World::new(100);
    world.drop_roster("staff.csv", &people(0..40));
    world.run_to(0, &["sync"]);
    world.drop_roster("half.csv", &people(0..20));
    world.run_to(3, &["sync"]);
    world.run_to(0, &["reject", "contoso", "--yes"]);
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..40));
    let explained = world.run_to(0, &["explain", &people([30])[0]]).stdout;
    assert!(explained.contains("reject"), "{explained}");
}

#[test]
fn a_person_with_an_id_keeps_the_seat_through_a_change_of_name() {
    let world = World::new(2);
    world.drop_file("1.csv", "id,email\n7,jane.doe@contoso.com\n8,bob@contoso.com\n");
    world.run_to(0, &["sync"]);
    world.drop_file("2.csv", "id,email\n7,jane.smith@contoso.com\n8,bob@contoso.com\n");
    let plan = world.run_to(3, &["plan", "--json"]).stdout;
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(
        plan["subscriptions"][0]["rename"],
        serde_json::json!([{"from": "jane.doe@contoso.com", "to": "jane.smith@contoso.com"}])
    );
    assert_eq!(plan["subscriptions"][0]["assign"], serde_json::json!([]));
    assert_eq!(plan["subscriptions"][0]["unassign"], serde_json::json!([]));
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), ["bob@contoso.com", "jane.smith@contoso.com"]);
}

#[test]
fn a_plan_changes_nothing_and_says_what_a_sync_does() {
    let world = World::new(10);
    world.drop_roster("staff.csv", &people(0..12));
    let before: Vec<_> = world.files();
    let plan = world.run_to(3, &["plan", "--json"]).stdout;
    assert_eq!(world.files(), before, "no ledger is made, no file is moved");
    assert_eq!(world.sandbox.request_count(), 0);
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["subscriptions"][0]["assign"].as_array().unwrap().len(), 12, "the seats are not known yet");
    world.run_to(3, &["sync"]);
    fs::write(world.path("what-if.csv"), roster(&people(0..11))).unwrap();
    let plan = world.run_to(3, &["plan", "--roster", "what-if.csv", "--json"]).stdout;
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["subscriptions"][0]["pending"].as_array().unwrap().len(), 1, "{plan}");
}

#[test]
fn delta_files_count_once_each_in_order_of_name_also_across_a_restart() {
    let world = World::with_source(50, "mode = \"delta\"\nafter = \"leave\"");
    world.drop_file("001.csv", "action,email\nadd,a@contoso.com\nadd,b@contoso.com\n");
    world.drop_file("002.csv", "action,email\nremove,a@contoso.com\nadd,c@contoso.com\n");
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), ["b@contoso.com", "c@contoso.com"]);
    let requests = world.sandbox.request_count();
    world.run_to(0, &["sync"]);
    assert_eq!(world.sandbox.request_count(), requests);
    world.drop_file("003.csv", "action,email\nremove,b@contoso.com\n");
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), ["c@contoso.com"]);
}

#[test]
fn starts_and_ends_take_effect_without_a_new_file() {
    let world = World::new(50);
    let moment = |seconds: i64| (chrono_now() + chrono::TimeDelta::seconds(seconds)).to_rfc3339();
    let rows = format!("email,start,end\na@contoso.com,{},\nb@contoso.com,,{}\n", moment(3), moment(3));
    world.drop_file("staff.csv", rows);
    let _daemon = world.daemon("daemon.log");
    until("the one who is here has a seat", || world.assigned() == ["b@contoso.com"]);
    until("the one has ended and the other has started", || world.assigned() == ["a@contoso.com"]);
}

fn chrono_now() -> chrono::DateTime<chrono::Utc> {
    rosterd::clock::now()
}
