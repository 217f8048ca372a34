//! A month for invoices, on the built binary.

use std::fs;

use serde_json::Value;

use crate::world::World;

/// This month, as the program sees it.
fn month() -> String {
    rosterd::clock::now().format("%Y-%m").to_string()
}

/// Three people, then one of them leaves, another gets another address, and somebody new joins.
fn a_month(world: &World) {
    world.drop_file("1.csv", "email,id\nada@contoso.com,1\nalan@contoso.com,2\ngrace@contoso.com,3\n");
    world.run_to(0, &["sync"]);
    let second = "email,id\nalan@contoso.com,2\ngrace.hopper@contoso.com,3\nbarbara@contoso.com,4\n";
    world.drop_file("2.csv", second);
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned().len(), 3);
}

#[test]
fn a_month_counts_people_and_the_seats_that_they_held() {
    let world = World::new(10);
    a_month(&world);
    let ran = world.run_to(0, &["report", "--month", &month(), "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["month"], month().as_str());
    let contoso = &report["subscriptions"][0];
    assert_eq!(contoso["name"], "contoso");
    assert_eq!(contoso["joiners"], 4, "three, and somebody new: {contoso}");
    assert_eq!(contoso["leavers"], 1, "another address is no leaver: {contoso}");
    assert_eq!(contoso["peak_seats"], 3, "{contoso}");
    assert_eq!((&contoso["seats_at_start"], &contoso["seats_at_end"]), (&Value::from(0), &Value::from(3)));
    assert!(contoso["seat_days"].as_f64().is_some_and(|days| days < 1.0), "{contoso}");
    assert!(contoso["until"].is_string(), "the month is not over: {contoso}");

    let csv = world.run_to(0, &["report", "--month", &month(), "--csv"]).stdout;
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("name,peak_seats,seat_days,joiners,leavers,month,timezone,until"));
    assert!(lines.next().is_some_and(|line| line.starts_with("contoso,3,0.") && line.contains(",4,1,")), "{csv}");
    let text = world.run_to(0, &["report", "--month", &month()]).stdout;
    assert!(text.contains("The month is not over"), "{text}");
}

#[test]
fn a_page_for_each_client_has_nothing_of_another() {
    let world = World::new(10);
    a_month(&world);
    let text = fs::read_to_string(world.path("rosterd.toml")).unwrap();
    let second = "[subscriptions.fabrikam]\ntype = \"Manual\"\nid = \"11111111-2222-4333-8444-555555555555\"\n\
                  api_key = { file = \"contoso.key\" }\nsources = [\"hr\"]\n";
    fs::write(world.path("rosterd.toml"), format!("{text}{second}")).unwrap();
    world.run_to(0, &["report", "--month", &month(), "--html", "pages"]);
    let page = |name: &str| fs::read_to_string(world.path("pages").join(format!("{name}-{}.html", month()))).unwrap();
    let (contoso, fabrikam) = (page("contoso"), page("fabrikam"));
    assert!(contoso.contains("<h1>contoso</h1>") && fabrikam.contains("<h1>fabrikam</h1>"));
    assert!(!contoso.contains("fabrikam") && !fabrikam.contains("contoso"));
    assert!(!contoso.contains("@contoso.com") && !contoso.contains("http:"), "{contoso}");
}

#[test]
fn who_is_not_configured_any_more_is_still_on_the_invoice() {
    let world = World::new(10);
    a_month(&world);
    let text = fs::read_to_string(world.path("rosterd.toml")).unwrap();
    let (before, after) = text.split_once("[subscriptions.contoso]").unwrap();
    let (_, source) = after.split_once("[sources.hr]").unwrap();
    fs::write(world.path("rosterd.toml"), format!("{before}[sources.hr]{source}")).unwrap();
    let csv = world.run_to(0, &["report", "--month", &month(), "--csv"]).stdout;
    assert!(csv.contains("contoso,3,"), "{csv}");
    assert_eq!(world.run_to(0, &["report", "--month", "2020-01", "--csv"]).stdout.lines().count(), 1);
}

#[test]
fn a_month_that_is_none_or_has_not_begun_is_a_usage_error() {
    let world = World::new(10);
    a_month(&world);
    assert!(world.run_to(2, &["report", "--month", "october"]).stderr.contains("a month is written as 2026-10"));
    assert!(world.run_to(2, &["report", "--month", "9000-01"]).stderr.contains("9000-01 has not begun"));
    assert!(world.run_to(2, &["report", "--month", "2020-01", "contso"]).stderr.contains("did you mean contoso?"));
}
