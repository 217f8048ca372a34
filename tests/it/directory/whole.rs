//! A large group is read whole, whatever the server hands out at once; nothing is asked for that is not used; and what
//! was seen is told.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rosterd::sandbox::{Faults, Options};

use super::proxy::{Fault, Proxy};
use super::reader::{groups, read_from, world};
use super::samba::Samba;
use super::slapd::Slapd;
use super::{Directory, SIZES};
use crate::world::{World, people, until};

/// Whom a plan on an empty ledger would give a licence.
fn planned(world: &World) -> BTreeSet<String> {
    let ran = world.run(&["plan", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
    let mut found = BTreeSet::new();
    addresses(&plan, &mut found);
    found
}

fn addresses(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::String(text) if text.ends_with("@contoso.com") => {
            found.insert(text.clone());
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| addresses(value, found)),
        serde_json::Value::Object(values) => values.values().for_each(|value| addresses(value, found)),
        _ => {}
    }
}

/// A group of each size, asked at each of these, gives the same people.
fn sizes(directory: &impl Directory, urls: &[String], keys: &str) {
    for size in SIZES {
        let group = directory.group(&format!("size-{size}"));
        for url in urls {
            let world = world(directory, url, 20_000, &format!("{keys}{}", groups(&[&group])));
            assert!(planned(&world) == people(0..size).into_iter().collect(), "{size} at {url}");
        }
    }
}

#[test]
fn a_group_of_any_size_is_read_whole_from_openldap() {
    let slapd = Slapd::crowd();
    sizes(&slapd, &[slapd.tls_url()], "");
}

#[test]
fn a_group_of_any_size_is_read_whole_where_entries_do_not_know_their_groups() {
    let slapd = Slapd::crowd_without_member_of();
    sizes(&slapd, &[slapd.tls_url()], "");
}

#[test]
fn a_group_of_any_size_is_read_whole_from_active_directory() {
    let samba = Samba::crowd();
    let strict = Proxy::before(samba.listens()[0]);
    strict.set(Fault::Strict { values_max: 1_500, page_max: 100 });
    sizes(&samba, &[samba.tls_url(), strict.url()], "page_size = 5000\n");
    let asked = strict.asked();
    assert!(
        asked.iter().all(|asked| asked.is_paged || !asked.is_subtree),
        "a strict controller cuts what has no pages"
    );
    assert!(asked.iter().any(|asked| asked.attributes == ["member;range=1500-*"]), "so it hands out ranges");
}

/// Those of [`Samba::crowd`] whom the controller itself finds in a group, by groups in groups.
fn in_chain(samba: &Samba, group: &str) -> BTreeSet<String> {
    let found = samba.search(&format!("(&(memberOf:1.2.840.113556.1.4.1941:={group})(objectClass=user))"), &["mail"]);
    found.lines().filter_map(|line| line.strip_prefix("mail: ")).map(str::to_owned).collect()
}

/// That the controller walks the groups itself is a second way to the same people. Which is quicker is printed: the
/// other one is what rosterd does.
#[test]
fn whom_a_walk_finds_the_controller_finds_in_chain() {
    let samba = Samba::crowd();
    let nest = samba.add_nest("nest", &[samba.person(0), samba.person(1), samba.group("size-3001")]);
    for (group, size) in [(nest, 3_001), (samba.group("size-1501"), 1_501), (samba.group("size-0"), 0)] {
        let world = world(&samba, &samba.url(), 20_000, &groups(&[&group]));
        let begun = Instant::now();
        let walked = planned(&world);
        let by_walk = begun.elapsed();
        let begun = Instant::now();
        let chained = in_chain(&samba, &group);
        println!("{size} members of {group}: {by_walk:?} by a walk (all of rosterd), {:?} in chain", begun.elapsed());
        assert_eq!(walked.len(), size);
        assert!(walked == chained, "{group}");
    }
}

#[test]
fn a_group_of_a_hundred_thousand_is_read_whole() {
    const ALL: usize = 100_000;
    let slapd = Slapd::with_all(ALL);
    let world =
        world(&slapd, &slapd.tls_url(), 200_000, &format!("page_size = 5000\n{}", groups(&[&slapd.group("all")])));
    assert_eq!(planned(&world).len(), ALL);
}

/// What is asked of each kind of entry.
fn attributes_asked(proxy: &Proxy) -> BTreeSet<String> {
    proxy.asked().into_iter().map(|asked| asked.attributes.join(" ")).collect()
}

#[test]
fn nothing_is_asked_for_that_is_not_used() {
    let (slapd, samba) = (Slapd::start(), Samba::start());
    let mut told = Vec::new();
    for (proxy, group, world) in [
        {
            let proxy = Proxy::before(slapd.listens()[0]);
            let group = slapd.add_nest("nest", &slapd.people(0..3));
            let world = world(&slapd, &proxy.url(), 50, &groups(&[&group]));
            (proxy, group, world)
        },
        {
            let proxy = Proxy::before(samba.listens()[0]);
            let group = samba.add_nest("nest", &samba.people(0..3));
            let world = world(&samba, &proxy.url(), 50, &groups(&[&group]));
            (proxy, group, world)
        },
    ] {
        world.run_to(0, &["sync"]);
        assert_eq!(world.assigned(), people(0..3), "{group}");
        let asked = attributes_asked(&proxy);
        told.push(asked.into_iter().collect::<Vec<_>>().join("\n"));
    }
    // No list is empty, and none has a star: either would mean everything.
    insta::assert_snapshot!(told.join("\n\n"), @"");
}

#[test]
fn a_directory_is_let_go_before_licences_are_asked_for() {
    let slapd = Slapd::start();
    let group = slapd.add_group("staff", &slapd.people(0..5));
    let proxy = Proxy::before(slapd.listens()[0]);
    let faults = Faults { latency: Duration::from_secs(3), ..Faults::default() };
    let world = World::with(50, Options { faults, ..Options::default() }, "");
    read_from(&world, &slapd, &proxy.url(), &groups(&[&group]));
    let mut sync = world.command(&["sync"]).spawn().unwrap();
    until("a licence is asked for", || world.sandbox.request_count() > 0);
    until("the directory is let go", || proxy.alive() == 0);
    assert!(sync.try_wait().unwrap().is_none(), "while the request has no answer yet");
    assert!(proxy.connections() > 0 && sync.wait().unwrap().success());
}

#[test]
fn what_check_says_of_a_directory() {
    let samba = Samba::start();
    let nest = samba.add_nest("nest", &samba.people(0..3));
    let staff = samba.add_group("staff", &samba.people(3..6));
    for member in [samba.add_contact("supplier"), samba.add_computer("desk1"), nest] {
        samba.join(&staff, &member);
    }
    samba.make_primary(&staff, &samba.person(3));
    let world = world(&samba, &samba.tls_url(), 50, &groups(&[&staff]));
    world.run_to(0, &["sync"]);
    samba.disable(&samba.person(0));
    samba.expire(&samba.person(1));
    samba.set(&samba.person(2), "mail", &[]);
    samba.set(&samba.person(2), "userPrincipalName", &[]);
    samba.set(&samba.person(4), "mail", &["zoe@contoso.com"]);
    samba.join(&staff, &samba.person(7));
    let told = world.run_to(0, &["check"]).stdout.replace(&samba.tls_url(), "ldaps://dc1");
    let told = hidden(&hidden(&told, "the roster of ", ", "), "Samba Team ", ", domain");
    insta::assert_snapshot!(told, @"");
}

/// The text without what stands between these two, wherever they are: it is another one each time.
fn hidden(text: &str, before: &str, after: &str) -> String {
    let mut parts = text.split(before);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str(before);
        shown.push('…');
        shown.push_str(&part[part.find(after).unwrap_or(part.len())..]);
    }
    shown
}

#[test]
fn plan_and_explain_show_what_they_rest_on() {
    let slapd = Slapd::start();
    let group = slapd.add_group("staff", &slapd.people(0..5));
    slapd.join(&group, "uid=gone,ou=People,dc=example,dc=test");
    let world = world(&slapd, &slapd.tls_url(), 50, &groups(&[&group]));
    world.run_to(0, &["sync"]);
    let plan: serde_json::Value = serde_json::from_str(&world.run_to(0, &["plan", "--json"]).stdout).unwrap();
    let evidence = &plan["subscriptions"][0]["sources"][0]["evidence"];
    assert_eq!(evidence["server"].as_str(), Some(slapd.tls_url().as_str()), "{plan}");
    assert_eq!(evidence["groups"][0]["id"].as_str(), Some(slapd.stable_id(&group).as_str()));
    assert_eq!((&evidence["groups"][0]["listed"], &evidence["groups"][0]["people"]), (&6.into(), &5.into()));
    assert!(evidence["read_at"].is_string() && evidence["mark"].is_string(), "{evidence}");
    let told = [world.run_to(0, &["plan"]), world.run_to(0, &["explain", &people([1])[0]])].map(|ran| ran.stdout);
    let told = told.concat();
    let (told, _) = told.split_once("  What would change it").unwrap();
    let told = hidden(&hidden(told, ", read ", ":"), "since ", ".").replace(&slapd.tls_url(), "ldaps://slapd");
    insta::assert_snapshot!(hidden(&told, "last read ", ")"), @"");
}

#[test]
fn addresses_are_as_people_have_them() {
    let slapd = Slapd::start();
    let group = slapd.add_group("staff", &slapd.people(0..5));
    let world = world(&slapd, &slapd.tls_url(), 50, &groups(&[&group]));
    world.run_to(0, &["sync"]);
    slapd.set(&slapd.person(0), "mail", &[]);
    slapd.set(&slapd.person(1), "mail", &["p00002@contoso.com"]);
    slapd.set(&slapd.person(3), "mail", &["zz@contoso.com", "p00003@contoso.com"]);
    world.run(&["sync"]);
    // Who has none keeps theirs; two have one and the same; of several the first counts.
    assert_eq!(world.assigned(), [people([0]), people(2..5)].concat());
    let plan = world.run(&["plan", "--json"]).stdout;
    assert!(plan.contains("it has no address: nothing in mail, proxyAddresses and userPrincipalName"), "{plan}");
    let told = world.run(&["explain", "p00002@contoso.com"]).stdout;
    for uid in ["uid=p00001,", "uid=p00002,"] {
        assert!(told.contains(uid), "both are shown: {told}");
    }
    slapd.set(&slapd.person(0), "mail", &["p00000@contoso.com"]);
    slapd.leave(&group, &slapd.person(1));
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), [people([0]), people(2..5)].concat(), "the other one of the two is still in");
}
