//! What happens to people and groups in a directory, and what becomes of their licences: the same in OpenLDAP and in
//! Active Directory.

use super::Directory;
use super::pki::Pki;
use super::reader::{edit, groups, point, problem, world};
use super::samba::Samba;
use super::slapd::Slapd;
use crate::world::{World, people};

/// Each of these, on either server.
macro_rules! on_both {
    ($($name:ident),*) => {
        mod openldap {
            $(#[test] fn $name() { super::$name(&super::Slapd::start()); })*
        }
        mod active_directory {
            $(#[test] fn $name() { super::$name(&super::Samba::start()); })*
        }
    };
}

on_both!(
    a_joiner_and_a_leaver,
    a_renamed_or_moved_group_is_the_same_group,
    a_deleted_group_is_not_an_empty_one,
    a_renamed_or_moved_person_keeps_the_seat,
    whoever_is_disabled_or_deleted_gives_the_seat_back,
    another_address_is_one_change,
    whoever_moved_is_looked_for_where_they_stood_last,
    members_of_inner_groups_count,
    tls_by_both_ways
);

/// A group of the first five people, in a world that reads it.
fn staff(directory: &impl Directory) -> (World, String) {
    let group = directory.add_group("staff", &directory.people(0..5));
    let world = world(directory, &directory.tls_url(), 50, &groups(&[&group]));
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..5));
    (world, group)
}

fn a_joiner_and_a_leaver(directory: &impl Directory) {
    let (world, group) = staff(directory);
    directory.join(&group, &directory.person(7));
    directory.leave(&group, &directory.person(0));
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people([1, 2, 3, 4, 7]));
    let requests = world.sandbox.request_count();
    world.run_to(0, &["sync"]);
    assert_eq!(world.sandbox.request_count(), requests, "nothing has changed");
}

fn a_renamed_or_moved_group_is_the_same_group(directory: &impl Directory) {
    let (world, group) = staff(directory);
    let renamed = directory.rename(&group, "cn=crew");
    directory.join(&renamed, &directory.person(5));
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..6));
    let moved = directory.move_away(&renamed);
    directory.leave(&moved, &directory.person(0));
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(1..6));
}

fn a_deleted_group_is_not_an_empty_one(directory: &impl Directory) {
    let (world, group) = staff(directory);
    directory.delete(&group);
    let ran = world.run(&["sync"]);
    assert_eq!((ran.status, world.assigned()), (1, people(0..5)), "{ran:?}");
    assert!(world.run(&["status"]).stdout.contains("staff"), "{ran:?}");
    // Another one of the same name is another one.
    directory.add_group("staff", &directory.people(8..9));
    world.run_to(1, &["sync"]);
    assert_eq!(world.assigned(), people(0..5));
}

fn a_renamed_or_moved_person_keeps_the_seat(directory: &impl Directory) {
    let (world, _) = staff(directory);
    let requests = world.sandbox.request_count();
    let dn = directory.person(2);
    let kind = dn.split('=').next().unwrap();
    let renamed = directory.rename(&dn, &format!("{kind}=married"));
    world.run_to(0, &["sync"]);
    directory.move_away(&renamed);
    world.run_to(0, &["sync"]);
    assert_eq!((world.assigned(), world.sandbox.request_count()), (people(0..5), requests));
}

fn whoever_is_disabled_or_deleted_gives_the_seat_back(directory: &impl Directory) {
    let (world, _) = staff(directory);
    directory.disable(&directory.person(1));
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people([0, 2, 3, 4]));
    let told = world.run(&["explain", &people([1])[0]]).stdout;
    assert!(told.contains("disabled") && told.contains("enable the account"), "{told}");
    directory.delete(&directory.person(3));
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people([0, 2, 4]));
}

fn another_address_is_one_change(directory: &impl Directory) {
    let (world, _) = staff(directory);
    directory.set(&directory.person(4), "mail", &["zoe@contoso.com"]);
    let plan: serde_json::Value = serde_json::from_str(&world.run_to(3, &["plan", "--json"]).stdout).unwrap();
    assert!(plan.to_string().contains("p00004@contoso.com") && plan.to_string().contains("zoe@contoso.com"), "{plan}");
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), [people(0..4), vec!["zoe@contoso.com".to_owned()]].concat());
}

fn whoever_moved_is_looked_for_where_they_stood_last(directory: &impl Directory) {
    let (world, group) = staff(directory);
    let requests = world.sandbox.request_count();
    let place = format!("ou=Old,{}", directory.base());
    directory.add(&place, "objectClass: organizationalUnit\nou: Old\n");
    let rdn = |person: &str| person.split_once(',').unwrap().0.to_owned();
    for person in directory.people(0..2) {
        let rdn = rdn(&person);
        directory.change(&format!(
            "dn: {person}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\nnewsuperior: {place}\n\n"
        ));
    }
    world.run_to(0, &["plan"]);
    world.run_to(0, &["sync"]);
    assert_eq!(world.sandbox.request_count(), requests, "nobody's licence changes");
    let explained = |number: usize| world.run(&["explain", &people([number])[0]]).stdout.to_lowercase();
    assert!(explained(0).contains(&format!(",{place}; member of ").to_lowercase()), "{}", explained(0));
    // They move on while somebody joins, and the place is gone: whoever vanishes then has vanished from another one.
    let [one, other] = [0, 1].map(|number| format!("{},{place}", rdn(&directory.person(number))));
    let [one, other] = [one, other].map(|person| directory.move_away(&person));
    directory.delete(&place);
    directory.join(&group, &directory.person(7));
    world.run_to(0, &["sync"]);
    for (number, moved) in [&one, &other].into_iter().enumerate() {
        assert!(explained(number).contains(&moved.to_lowercase()), "{moved}: {}", explained(number));
        assert!(!explained(number).contains("ou=old"), "{}", explained(number));
    }
    directory.delete(&one);
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people([1, 2, 3, 4, 7]));
    assert!(explained(0).contains("its entry can't be found any more"), "{}", explained(0));
}

fn members_of_inner_groups_count(directory: &impl Directory) {
    let nest = directory.add_nest("nest", &directory.people(0..5));
    let all = world(directory, &directory.tls_url(), 50, &groups(&[&nest]));
    all.run_to(0, &["sync"]);
    assert_eq!(all.assigned(), people(0..5));
    let flat = world(directory, &directory.tls_url(), 50, &format!("{}nested = false\n", groups(&[&nest])));
    flat.run_to(0, &["sync"]);
    assert_eq!(flat.assigned(), people(0..1));
}

fn tls_by_both_ways(directory: &impl Directory) {
    let (_, group) = staff(directory);
    let started = world(directory, &directory.url(), 50, &format!("start_tls = true\n{}", groups(&[&group])));
    started.run_to(0, &["sync"]);
    assert_eq!(started.assigned(), people(0..5));
}

#[test]
fn states_of_an_account_are_told_apart() {
    let samba = Samba::start();
    let (world, group) = staff(&samba);
    let desk = samba.add_computer("desk1");
    let supplier = samba.add_contact("supplier");
    samba.join(&group, &desk);
    samba.join(&group, &supplier);
    samba.expire(&samba.person(0));
    samba.lock(&samba.person(1));
    samba.make_primary(&group, &samba.person(2));
    samba.set(&samba.person(3), "mail", &[]);
    samba.set(&samba.person(3), "proxyAddresses", &["smtp:old@contoso.com", "SMTP:p00003@contoso.com"]);
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(1..5));
}

#[test]
fn a_global_catalog_is_believed_on_universal_groups_alone() {
    let samba = Samba::start();
    let group = samba.add_group("staff", &samba.people(0..5));
    let world = world(&samba, &format!("ldap://{}:3268", samba.address()), 50, &groups(&[&group]));
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..5));
    // A group of the domain alone, in the other one.
    let global = samba.group("crew");
    let attributes = samba.group_attributes("crew", &samba.people(0..2)).replace("-2147483640", "-2147483646");
    samba.add(&global, &attributes);
    samba.join(&group, &global);
    samba.leave(&group, &samba.person(4));
    world.run_to(1, &["sync"]);
    assert_eq!(world.assigned(), people(0..5));
    let told = problem(&world);
    assert!(told.contains("is a global catalog, which does not know who is in CN=crew,"), "{told}");
    samba.leave(&group, &global);
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..4));
}

#[test]
fn groups_of_every_kind_are_read() {
    let slapd = Slapd::start();
    let dns = [
        slapd.add_unique_group("unique", &slapd.people(0..2)),
        slapd.add_posix_group("posix", &["p00002", "nobody"]),
        slapd.add_group("dangling", &slapd.people([3, 4_000])),
    ];
    let world = world(&slapd, &slapd.tls_url(), 50, &groups(&[&dns[0], &dns[1], &dns[2]]));
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..4));
    // What leads to nobody is told.
    let told = world.run_to(0, &["check"]).stdout;
    for words in [
        "1 person (2 by memberUid).",
        "1 name in memberUid is of no account: nobody.",
        "1 member of a group is not there any more: uid=p04000,ou=people,dc=example,dc=test.",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn a_client_certificate_is_enough() {
    let slapd = Slapd::start();
    slapd.pki.client("syncer");
    let group = slapd.add_group("staff", &slapd.people(0..5));
    let world = World::new(50);
    let (pem, key) = (slapd.pki.pem("syncer"), slapd.pki.key("syncer"));
    let who = format!("auth = \"external\"\nclient_cert = \"{}\"\nclient_key = \"{}\"\n", pem.display(), key.display());
    point(&world, &slapd, &slapd.tls_url(), &format!("{who}{}", groups(&[&group])));
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..5));
    edit(&world, &slapd.tls_url(), &slapd.url());
    edit(&world, "[sources.hr]\n", "[sources.hr]\nstart_tls = true\n");
    slapd.leave(&group, &slapd.person(0));
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(1..5));
    // One that somebody else has signed.
    let other = Pki::new(&slapd.path("other"));
    other.client("syncer");
    edit(&world, &pem.display().to_string(), &other.pem("syncer").display().to_string());
    edit(&world, &key.display().to_string(), &other.key("syncer").display().to_string());
    slapd.leave(&group, &slapd.person(1));
    world.run_to(1, &["sync"]);
    assert_eq!(world.assigned(), people(1..5));
    assert!(problem(&world).contains("Does it trust who issued `client_cert`"), "{}", problem(&world));
}
