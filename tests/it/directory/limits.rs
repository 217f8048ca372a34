//! How long is waited, and what happens between two answers: nobody loses a licence, and the next server is asked.

use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;

use super::Directory;
use super::proxy::{Fault, Proxy};
use super::reader::{edit, groups, in_turn, problem, world};
use super::samba::Samba;
use super::slapd::Slapd;
use super::wire::{Break, Wire};
use crate::world::{Ran, people, until};

/// Takes connections, and says nothing.
struct Silent(TcpListener);

impl Silent {
    fn new() -> Silent {
        Silent(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

#[test]
fn each_limit_of_time_holds_and_is_named() {
    let slapd = Slapd::start();
    let group = slapd.add_group("staff", &slapd.people(0..5));
    let (proxy, silent) = (Proxy::before(slapd.listens()[0]), Silent::new());
    let world = world(&slapd, &proxy.url(), 50, &format!("page_size = 2\n{}", groups(&[&group])));
    world.run_to(0, &["sync"]);
    slapd.leave(&group, &slapd.person(0));
    let connect = ("connect_timeout = \"400ms\"", "connect and sign in within 400ms (connect_timeout)");
    let page = ("page_timeout = \"400ms\"", "did not answer within 400ms (page_timeout), while");
    let whole =
        ("page_timeout = \"1h\"\nread_timeout = \"900ms\"", "took longer than 900ms in all (read_timeout), while");
    let (plain, tls) = (format!("ldap://{}", silent.address()), format!("ldaps://{}", silent.address()));
    for (url, fault, (keys, words)) in [
        (&tls, Fault::None, connect),
        (&plain, Fault::None, connect),
        (&proxy.url(), Fault::StallAfterAnswers(0), connect),
        (&proxy.url(), Fault::StallAfterAnswers(3), page),
        (&proxy.url(), Fault::StallAfterAnswers(3), whole),
    ] {
        let text = std::fs::read_to_string(world.path("rosterd.toml")).unwrap();
        edit(&world, "[sources.hr]\n", &format!("[sources.hr]\n{keys}\n"));
        edit(&world, &proxy.url(), url);
        proxy.set(fault);
        let ran = world.run(&["sync"]);
        assert_eq!((ran.status, world.assigned()), (1, people(0..5)), "{fault:?} {keys}: {ran:?}");
        assert!(problem(&world).contains(words), "{fault:?} {keys}: {}", problem(&world));
        std::fs::write(world.path("rosterd.toml"), text).unwrap();
    }
    proxy.set(Fault::None);
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(1..5));
}

#[test]
fn the_next_server_is_asked_whatever_is_wrong_with_the_first() {
    let slapd = Slapd::start();
    let group = slapd.add_group("staff", &slapd.people(0..5));
    slapd.pki.for_another_name("elsewhere");
    slapd.show_certificate("elsewhere");
    let (proxy, silent) = (Proxy::before(slapd.listens()[0]), Silent::new());
    let keys = "page_size = 2\nconnect_timeout = \"1s\"\npage_timeout = \"1s\"\n";
    let world = world(&slapd, &in_turn(&[&proxy.url(), &slapd.url()]), 50, &format!("{keys}{}", groups(&[&group])));
    world.run_to(0, &["sync"]);
    let silent_tls = format!("ldaps://{}", silent.address());
    let mut there = true;
    for (first, fault) in [
        (proxy.url(), Fault::Refuse),
        (proxy.url(), Fault::CutAfterAnswers(0)),
        (proxy.url(), Fault::CutAfterAnswers(4)),
        (proxy.url(), Fault::NoticeAfterAnswers(4)),
        (proxy.url(), Fault::StallAfterAnswers(4)),
        (proxy.url(), Fault::Result { nth: 1, code: 52 }),
        (proxy.url(), Fault::Result { nth: 3, code: 51 }),
        (slapd.tls_url(), Fault::None),
        (silent_tls, Fault::None),
    ] {
        if there {
            slapd.leave(&group, &slapd.person(0));
        } else {
            slapd.join(&group, &slapd.person(0));
        }
        there = !there;
        proxy.set(fault);
        edit(&world, &proxy.url(), &first);
        let ran = world.run_to(0, &["sync"]);
        assert_eq!(world.assigned(), people(usize::from(!there)..5), "{fault:?} at {first}");
        assert!(ran.stderr.contains("The next server was read instead."), "{fault:?} at {first}: {ran:?}");
        let told = world.run(&["check"]).stdout;
        assert!(told.contains(&format!("Tried before: {first} ")), "{fault:?}: {told}");
        edit(&world, &first, &proxy.url());
    }
    // A wrong password is wrong everywhere, and an account is locked after a few of them.
    std::fs::write(world.path("directory.password"), "wrong").unwrap();
    let refused = slapd.server().log().matches(" err=49").count();
    proxy.set(Fault::None);
    world.run_to(1, &["sync"]);
    assert_eq!(slapd.server().log().matches(" err=49").count(), refused + 1, "{}", problem(&world));
}

#[test]
fn a_server_that_is_restarted_in_the_middle_of_a_search_has_not_said_all() {
    let mut slapd = Slapd::start();
    let group = slapd.add_group("staff", &slapd.people(0..5));
    let proxy = Proxy::before(slapd.listens()[0]);
    let world = world(&slapd, &proxy.url(), 50, &format!("page_size = 2\n{}", groups(&[&group])));
    world.run_to(0, &["sync"]);
    slapd.leave(&group, &slapd.person(0));
    for passed in [1, 3, 6] {
        proxy.set(Fault::StallAfterAnswers(passed));
        let sync = world.command(&["sync"]).stdout(Stdio::piped()).spawn().unwrap();
        until("it is in the middle", || proxy.answers() == passed);
        slapd.stop();
        slapd.go_on();
        let ran: Ran = sync.wait_with_output().unwrap().into();
        assert_eq!((ran.status, world.assigned()), (1, people(0..5)), "{passed}: {ran:?}");
        assert!(problem(&world).contains("closed the connection"), "{passed}: {}", problem(&world));
    }
    proxy.set(Fault::None);
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(1..5));
}

#[test]
fn tls_that_breaks_anywhere_takes_nothing_away_from_openldap() {
    let slapd = Slapd::start();
    breaks(&slapd, slapd.listens()[1]);
}

#[test]
fn tls_that_breaks_anywhere_takes_nothing_away_from_active_directory() {
    let samba = Samba::start();
    breaks(&samba, samba.listens()[1]);
}

fn breaks(directory: &impl Directory, listens: SocketAddr) {
    let group = directory.add_group("staff", &directory.people(0..5));
    let wire = Wire::before(listens);
    let keys = "page_size = 2\nconnect_timeout = \"2s\"\npage_timeout = \"2s\"\n";
    let world = world(directory, &wire.tls_url(), 50, &format!("{keys}{}", groups(&[&group])));
    world.run_to(0, &["sync"]);
    directory.leave(&group, &directory.person(0));
    wire.set(Break::Never);
    world.run_to(3, &["plan"]);
    let whole = wire.passed();
    // What comes at last is that the server takes its leave.
    let parts = |number: usize| (0..number).map(move |part| whole * 9 / 10 * part / (number - 1));
    let cuts = parts(12).map(Break::Cut).chain(parts(12).map(Break::Garble)).chain(parts(4).map(Break::Stall));
    for broken in cuts {
        wire.set(broken);
        let ran = world.run(&["sync"]);
        assert_eq!((ran.status, world.assigned()), (1, people(0..5)), "{broken:?} of {whole}: {ran:?}");
        assert!(!problem(&world).is_empty());
    }
    wire.set(Break::Never);
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(1..5));
}
