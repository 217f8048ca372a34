//! A large group is read whole, whatever the server hands out at once; nothing is asked for that is not used; and what
//! was seen is told.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rosterd::sandbox::{Faults, Options};

use super::proxy::{Fault, Proxy};
use super::reader::{edit, groups, read_from, world};
use super::samba::Samba;
use super::server::client;
use super::slapd::Slapd;
use super::{Directory, FEW, SIZES};
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

/// That the controller walks the groups itself is a second way to the same people.
#[test]
fn whom_a_walk_finds_the_controller_finds_in_chain() {
    let samba = Samba::start();
    let nest = samba.add_nest("nest", &samba.people(0..5));
    let empty = samba.add_group("empty", &[]);
    let flat = samba.add_group("flat", &samba.people(3..FEW));
    for (group, who) in [(nest, 0..5), (empty, 0..0), (flat, 3..FEW)] {
        let world = world(&samba, &samba.url(), 50, &groups(&[&group]));
        let found =
            samba.search(&format!("(&(memberOf:1.2.840.113556.1.4.1941:={group})(objectClass=user))"), &["mail"]);
        let in_chain: BTreeSet<String> =
            found.lines().filter_map(|line| line.strip_prefix("mail: ")).map(str::to_owned).collect();
        assert_eq!(planned(&world), in_chain, "{group}");
        assert!(in_chain == people(who).into_iter().collect(), "{group}");
    }
}

/// Which of the two is quicker: the figures at the head of `walk.rs`.
#[test]
#[ignore = "takes minutes, and asserts nothing"]
#[expect(clippy::disallowed_methods, reason = "this measures")]
fn figures_of_a_walk_and_of_a_search_in_chain() {
    let samba = Samba::crowd();
    let [name, password] = samba.admin();
    for size in [1, 1_501, 3_001] {
        let nest = samba.add_nest(&format!("nest-{size}"), &[samba.person(0), samba.group(&format!("size-{size}"))]);
        let world = world(&samba, &samba.url(), 20_000, &groups(&[&nest]));
        let begun = Instant::now();
        let walked = planned(&world).len();
        let took = begun.elapsed();
        let mut search = client("ldapsearch", &samba.ca());
        search.args(["-x", "-LLL", "-H", &samba.url(), "-D", name, "-w", password, "-E", "pr=500/noprompt"]);
        search.args(["-b", samba.base(), &format!("(memberOf:1.2.840.113556.1.4.1941:={nest})"), "mail"]);
        let begun = Instant::now();
        let status = search.output().unwrap().status;
        println!("{walked} people: {took:.1?} by a walk, in chain {:.1?} ({status})", begun.elapsed());
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

#[test]
fn members_outside_of_the_base_are_brought_together() {
    let samba = Samba::crowd();
    let proxy = Proxy::before(samba.listens()[0]);
    let base = format!("ou=Elsewhere,{}", samba.base());
    for size in [49, 1_501] {
        let group = match size {
            1_501 => samba.group("size-1501"),
            few => samba.add_group("few", &samba.people(0..few)),
        };
        for filter in ["", "user_filter = \"(!(cn=p00007))\"\n"] {
            let world = world(&samba, &proxy.url(), 20_000, &format!("{filter}{}", groups(&[&group])));
            let wide = planned(&world);
            edit(&world, &format!("base_dn = \"{}\"", samba.base()), &format!("base_dn = \"{base}\""));
            let _ = proxy.asked();
            assert!(planned(&world) == wide, "{size} {filter}");
            let asked = proxy.asked().len();
            assert!(asked < 70, "{asked} searches for {size} members");
            let check = world.run(&["check"]).stdout;
            assert!(check.contains(" listed, ") && !check.contains("not found by memberOf"), "{check}");
        }
    }
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
    insta::assert_snapshot!(told.join("\n\n"), @r"
    contextCSN
    defaultNamingContext namingContexts supportedCapabilities dsServiceName highestCommittedUSN isSynchronized
    entryUUID member uniqueMember memberUid
    entryUUID objectClass
    entryUUID objectClass nsAccountLock mail proxyAddresses userPrincipalName
    objectClass
    objectClass vendorName vendorVersion dnsHostName domainFunctionality forestFunctionality supportedControl

    defaultNamingContext namingContexts supportedCapabilities dsServiceName highestCommittedUSN isSynchronized
    invocationId
    objectClass
    objectClass vendorName vendorVersion dnsHostName domainFunctionality forestFunctionality supportedControl
    objectGUID member objectSid groupType
    objectGUID objectClass
    objectGUID objectClass userAccountControl accountExpires mail proxyAddresses userPrincipalName
    ");
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
    // Everybody who has signed in, whoever that is: of no domain.
    samba.join(&staff, &format!("CN=S-1-5-11,CN=ForeignSecurityPrincipals,{}", samba.base()));
    let keys = format!("email_attributes = [\"mail\"]\n{}", groups(&[&staff]));
    let world = world(&samba, &samba.tls_url(), 50, &keys);
    world.run_to(0, &["sync"]);
    samba.disable(&samba.person(0));
    samba.expire(&samba.person(1));
    samba.set(&samba.person(2), "mail", &[]);
    samba.set(&samba.person(4), "mail", &["zoe@contoso.com"]);
    samba.join(&staff, &samba.person(7));
    let told = world.run_to(0, &["check"]).stdout.replace(&samba.tls_url(), "ldaps://dc1");
    let told = hidden(&hidden(&told, "the roster of ", ", "), "Samba Team ", ", domain");
    let (_, told) = told.split_once("will be made by the first run\n").unwrap();
    insta::assert_snapshot!(told, @r"
    ok     source hr: 6 people in ldaps://dc1, 1 row that can't be used
             Read from ldaps://dc1 (Active Directory) below dc=ad,dc=example,dc=test, as CN=syncer,CN=Users,dc=ad,dc=example,dc=test.
             The server is dc1.ad.example.test, Samba Team …, domain level 2008 R2, forest level 2008 R2; it offers paged results, DirSync and change notification.
             CN=staff,OU=Groups,DC=ad,DC=example,DC=test: 4 people (7 listed, 7 by memberOf, 1 by primary group, 3 groups in it, 3 levels deep).
             1 account is disabled: no licence.
             1 account has expired: no licence.
             1 person has no address that can be used: what they have stays as it is.
             1 contact is left out: nobody who can sign in.
             1 computer is left out.
             1 member of a group is of another forest (foreign security principal), so that nobody here knows who it is: no licence: CN=S-1-5-11,CN=ForeignSecurityPrincipals,DC=ad,DC=example,DC=test.
             1 reference was not followed, since no people stand there: ldaps://ad.example.test/CN=Configuration,DC=ad,DC=example,DC=test.
             Against the roster of …, 1 person would join: p00007@contoso.com.
             Against the roster of …, 1 person would leave: p00000@contoso.com (disabled).
             Against the roster of …, 1 person would have another address: p00004@contoso.com to zoe@contoso.com.
             Against the roster of …, 1 person would stay with another end, priority or spelling: p00001@contoso.com.
             CN=p00002,OU=People,DC=ad,DC=example,DC=test; member of nest-3 in CN=staff,OU=Groups,DC=ad,DC=example,DC=test: it has no address: nothing in mail
    ok     subscription contoso: the licensing server accepts the key
    ");
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
    let told = hidden(&hidden(told, ", read ", ":\n"), "since ", ".").replace(&slapd.tls_url(), "ldaps://slapd");
    insta::assert_snapshot!(hidden(&told, "last read ", ")"), @r"
    contoso: no changes
      What hr rests on, read …:
        Read from ldaps://slapd (LDAP) below dc=example,dc=test, as cn=syncer,ou=Services,dc=example,dc=test.
        The server is OpenLDAP; it offers paged results and content synchronization.
        cn=staff,ou=Groups,dc=example,dc=test: 5 people (6 listed).
        1 member of a group is not there any more: uid=gone,ou=people,dc=example,dc=test.
    p00001@contoso.com

    contoso: has a licence, since ….
      Why:
      - hr names it (uid=p00001,ou=People,dc=example,dc=test; member of cn=staff,ou=Groups,dc=example,dc=test, last read …).
      - hr was read from ldaps://slapd (LDAP), which showed 5 people in cn=staff,ou=Groups,dc=example,dc=test.
    ");
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
    let status = world.run_to(3, &["status"]).stdout;
    let held = "source hr: 1 entry of its roster can't be used: uid=p00000,";
    assert!(status.contains(held) && status.contains("Who has a licence keeps it"), "{status}");
    let told = world.run(&["explain", "p00000@contoso.com"]).stdout;
    assert!(told.contains("it has no address: nothing in mail"), "{told}");
    let told = world.run(&["explain", "p00002@contoso.com"]).stdout;
    for uid in ["uid=p00001,", "uid=p00002,"] {
        assert!(told.contains(uid), "both are shown: {told}");
    }
    slapd.set(&slapd.person(0), "mail", &["p00000@contoso.com"]);
    slapd.leave(&group, &slapd.person(1));
    world.run_to(0, &["sync"]);
    world.run_to(0, &["status"]);
    assert_eq!(world.assigned(), [people([0]), people(2..5)].concat(), "the other one of the two is still in");
}
