//! A domain whose servers DNS names (`discover`): which are asked, in which order, by which names, and what happens when
//! DNS has nothing to say.

use std::fs;
use std::net::IpAddr;

use super::dns::Dns;
use super::proxy::{Fault, Proxy};
use super::reader::{groups, problem, world};
use super::samba::Samba;
use super::server::address;
use super::slapd::Slapd;
use super::{Directory, server::is_free};
use crate::world::{World, people, until};

/// Reads a group of the first five people by way of the domain.
fn staff(directory: &impl Directory, dns: &Dns, url: &str) -> World {
    let group = directory.add_group("staff", &directory.people(0..5));
    let world = world(directory, url, 50, &format!("discover = true\nconnect_timeout = \"2s\"\n{}", groups(&[&group])));
    let ran = dns.run(&world, &["sync"]);
    assert_eq!((ran.status, world.assigned()), (0, people(0..5)), "{ran:?}");
    world
}

#[test]
fn a_domain_is_read_from_a_controller_that_dns_names() {
    let samba = Samba::start();
    let mut dns = Dns::start();
    let nobody = address(636);
    assert!(is_free((nobody, 636).into()));
    dns.add("dc._msdcs.ad.example.test", "dc9.ad.example.test", nobody, 0);
    dns.add("dc._msdcs.ad.example.test", "DC1.ad.example.test", samba.address(), 5);
    let world = staff(&samba, &dns, "ldaps://ad.example.test");
    let told = dns.run(&world, &["check"]).stdout;
    assert!(told.contains("Read from ldaps://dc1.ad.example.test (Active Directory)"), "{told}");
    assert!(told.contains("Tried before: ldaps://dc9.ad.example.test can't be reached"), "{told}");
}

#[test]
fn when_dns_or_a_certificate_is_wrong_nobody_loses_anything() {
    let slapd = Slapd::start();
    let mut dns = Dns::start();
    dns.add("example.test", "dc1.example.test", slapd.address(), 0);
    let port = slapd.listens()[1].port();
    let world = staff(&slapd, &dns, &format!("ldaps://example.test:{port}"));
    slapd.leave(&slapd.group("staff"), &slapd.person(0));
    let changes_nothing = |dns: &Dns, words: &str| {
        let ran = dns.run(&world, &["sync"]);
        assert_eq!((ran.status, world.assigned()), (1, people(0..5)), "{words}: {ran:?}");
        assert!(problem(&world).contains(words), "{words}: {}", problem(&world));
    };
    slapd.pki.for_another_name("elsewhere");
    slapd.show_certificate("elsewhere");
    changes_nothing(&dns, "is not made for dc1.example.test");
    slapd.show_certificate("server");
    dns.forget();
    changes_nothing(
        &dns,
        "DNS names no servers of example.test (it was asked for _ldap._tcp.dc._msdcs.example.test and",
    );
    dns.stop();
    changes_nothing(&dns, "DNS did not say within 2s (connect_timeout) which servers ldaps://example.test");
    // Whoever can forge an answer has a server of their own, and a certificate that is right for it.
    dns.add("example.test", "dc1.ad.example.org", slapd.address(), 0);
    changes_nothing(&dns, "dc1.ad.example.org as a server of example.test");
    dns.add("example.test", "dc1.example.test", slapd.address(), 0);
    let ran = dns.run(&world, &["sync"]);
    assert_eq!((ran.status, world.assigned()), (0, people(1..5)), "{ran:?}");
}

#[test]
fn when_the_one_that_tells_can_not_be_read_another_one_is() {
    let slapd = Slapd::start();
    let mut dns = Dns::start();
    let plain = slapd.listens()[0];
    let proxy = Proxy::at((address(plain.port()), plain.port()).into(), plain);
    let IpAddr::V4(before) = proxy.listens().ip() else { panic!() };
    dns.add("example.test", "dc1.example.test", before, 0);
    dns.add("example.test", "dc2.example.test", slapd.address(), 5);
    let group = slapd.add_group("staff", &slapd.people(0..5));
    let keys = "discover = true\ndanger_plaintext = true\nschedule = \"0 0 1 1 *\"\n";
    let url = format!("ldap://example.test:{}", plain.port());
    let world = world(&slapd, &url, 50, &format!("{keys}{}", groups(&[&group])));
    let _daemon = dns.daemon(&world, "daemon.log");
    let log = || fs::read_to_string(world.path("daemon.log")).unwrap();
    until("dc1 tells of changes", || log().contains("is told of changes by ldap://dc1.example.test"));
    until("they have their seats", || world.assigned() == people(0..5));
    // Whoever listens there goes on.
    proxy.set(Fault::Refuse);
    slapd.leave(&group, &slapd.person(0));
    until("the leaver has no seat", || world.assigned() == people(1..5));
    assert!(log().contains("The next server was read instead."), "{}", log());
}
