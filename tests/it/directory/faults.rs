//! What breaks on the way between rosterd and a directory: nobody loses a licence, `status` says what happened, and the
//! next good reading mends it.

use super::{Directory, FEW};
use std::fs;
use std::net::SocketAddr;

use super::pki::Pki;
use super::proxy::{Fault, Proxy};
use super::reader::{groups, problem, world};
use super::samba::Samba;
use super::slapd::{LIMITED, Slapd};
use crate::world::{World, people};

/// The pages are small, so that there are many.
const KEYS: &str = "page_size = 2\npage_timeout = \"500ms\"\nconnect_timeout = \"500ms\"\n";

/// How it is said who should have a seat.
#[derive(Clone, Copy)]
enum By {
    Group,
    /// Everybody with a mark: one search of several pages.
    Filter,
}

/// Five people have a seat; one has left since, and one has come: a good reading would change something.
struct Broken<D> {
    directory: D,
    proxy: Proxy,
    world: World,
}

impl Broken<Slapd> {
    fn openldap(by: By) -> Broken<Slapd> {
        let slapd = Slapd::start();
        let listens = slapd.listens()[0];
        Broken::before(slapd, listens, by)
    }
}

impl Broken<Samba> {
    fn active_directory(by: By) -> Broken<Samba> {
        let samba = Samba::start();
        let listens = samba.listens()[0];
        Broken::before(samba, listens, by)
    }
}

impl<D: Directory> Broken<D> {
    /// With a proxy before where the directory listens.
    fn before(directory: D, listens: SocketAddr, by: By) -> Broken<D> {
        let group = directory.add_group("staff", &directory.people(0..5));
        for person in directory.people(0..5) {
            directory.set(&person, "employeeType", &["staff"]);
        }
        let proxy = Proxy::before(listens);
        let whom = match by {
            By::Group => groups(&[&group]),
            By::Filter => "user_filter = \"(employeeType=staff)\"\n".to_owned(),
        };
        let world = world(&directory, &proxy.url(), 50, &format!("{KEYS}{whom}"));
        world.run_to(0, &["sync"]);
        assert_eq!(world.assigned(), people(0..5));
        directory.leave(&group, &directory.person(0));
        directory.set(&directory.person(0), "employeeType", &[]);
        directory.join(&group, &directory.person(5));
        directory.set(&directory.person(5), "employeeType", &["staff"]);
        Broken { directory, proxy, world }
    }

    /// How many messages and results of the server a plan needs.
    fn passes(&self) -> (usize, usize, usize) {
        self.proxy.set(Fault::None);
        self.world.run_to(3, &["plan"]);
        (self.proxy.requests(), self.proxy.answers(), self.proxy.results())
    }

    /// With this fault, nobody loses anything; what `status` says of it.
    #[track_caller]
    fn changes_nothing(&self, fault: Fault) -> String {
        self.proxy.set(fault);
        let ran = self.world.run(&["sync"]);
        assert_eq!((ran.status, self.world.assigned()), (1, people(0..5)), "{fault:?}: {ran:?}");
        problem(&self.world)
    }

    /// A good reading mends it.
    #[track_caller]
    fn is_mended(&self) {
        self.proxy.set(Fault::None);
        self.world.run_to(0, &["sync"]);
        assert_eq!(self.world.assigned(), people(1..6));
        let status: serde_json::Value = serde_json::from_str(&self.world.run(&["status", "--json"]).stdout).unwrap();
        assert!(status["subscriptions"][0]["problem"].is_null(), "{status}");
    }
}

/// Each of these, before either server, whichever way people are found.
macro_rules! on_both {
    ($($name:ident),*) => {
        mod openldap {
            use super::{Broken, By};
            $(#[test] fn $name() { for by in [By::Group, By::Filter] { super::$name(&Broken::openldap(by)); } })*
        }
        mod active_directory {
            use super::{Broken, By};
            $(#[test] fn $name() { for by in [By::Group, By::Filter] { super::$name(&Broken::active_directory(by)); } })*
        }
    };
}

on_both!(
    a_connection_that_is_cut_after_any_message_takes_nothing_away,
    a_server_that_falls_silent_is_not_waited_for,
    a_result_that_is_none_is_told_by_its_name,
    a_page_without_a_cookie_is_not_the_last_one,
    a_server_that_takes_its_leave_is_not_believed_to_have_ended
);

fn a_connection_that_is_cut_after_any_message_takes_nothing_away(broken: &Broken<impl Directory>) {
    let (requests, answers, _) = broken.passes();
    // Its last is only that it leaves.
    for n in 0..requests - 1 {
        broken.changes_nothing(Fault::CutAfterRequests(n));
    }
    for n in 0..answers {
        broken.changes_nothing(Fault::CutAfterAnswers(n));
    }
    broken.changes_nothing(Fault::Refuse);
    broken.is_mended();
}

fn a_server_that_falls_silent_is_not_waited_for(broken: &Broken<impl Directory>) {
    let (_, answers, _) = broken.passes();
    for n in [0, 1, answers / 2, answers - 1] {
        broken.changes_nothing(Fault::StallAfterAnswers(n));
    }
    broken.is_mended();
}

fn a_result_that_is_none_is_told_by_its_name(broken: &Broken<impl Directory>) {
    let (_, _, results) = broken.passes();
    assert!(results > 5, "{results}");
    for nth in 1..=results {
        for code in [3, 4, 10, 11, 51, 52, 53] {
            broken.changes_nothing(Fault::Result { nth, code });
        }
    }
    broken.is_mended();
}

fn a_server_that_takes_its_leave_is_not_believed_to_have_ended(broken: &Broken<impl Directory>) {
    let (_, answers, _) = broken.passes();
    for n in 0..answers {
        broken.changes_nothing(Fault::NoticeAfterAnswers(n));
    }
    broken.is_mended();
}

fn a_page_without_a_cookie_is_not_the_last_one(broken: &Broken<impl Directory>) {
    let (_, _, results) = broken.passes();
    for nth in 1..=results {
        broken.proxy.set(Fault::WithoutControls { nth });
        broken.world.run(&["sync"]);
        let assigned = broken.world.assigned();
        // Where there was no cookie to lose, everything was read.
        assert!(assigned == people(0..5) || assigned == people(1..6), "{nth}: {assigned:?}");
    }
    broken.is_mended();
}

#[test]
fn a_wrong_certificate_is_no_server() {
    let slapd = Slapd::start();
    let group = slapd.add_group("staff", &slapd.people(0..5));
    let world = world(&slapd, &slapd.tls_url(), 50, &groups(&[&group]));
    world.run_to(0, &["sync"]);
    slapd.leave(&group, &slapd.person(0));
    slapd.pki.for_another_name("elsewhere");
    slapd.pki.expired("old", slapd.address());
    slapd.pki.client("somebody");
    for (bad, words) in [("elsewhere", "is not made for 127."), ("old", "CN=old expired on 2020-02-01.")] {
        slapd.show_certificate(bad);
        let ran = world.run_to(1, &["sync"]);
        assert_eq!(world.assigned(), people(0..5), "{bad}: {ran:?}");
        let told = problem(&world);
        assert!(
            told.contains(words) && told.contains("; issued by O=rosterd tests, CN=authority; valid from"),
            "{told}"
        );
    }
    assert!(problem(&world).contains("valid from 2020-01-01 to 2020-02-01"), "{}", problem(&world));
    slapd.show_certificate("server");
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(1..5));
    // A server that somebody else vouches for.
    let other = Pki::new(&slapd.path("other"));
    fs::copy(other.ca(), slapd.ca()).unwrap();
    slapd.leave(&group, &slapd.person(1));
    world.run_to(1, &["sync"]);
    assert_eq!(world.assigned(), people(1..5));
    let told = problem(&world);
    assert!(
        told.contains("CN=server is not signed by the O=rosterd tests, CN=authority that is trusted here"),
        "{told}"
    );
    fs::copy(slapd.pki.pem("somebody"), slapd.ca()).unwrap();
    world.run_to(1, &["sync"]);
    assert_eq!(world.assigned(), people(1..5));
    let told = problem(&world);
    assert!(
        told.contains("CN=authority vouches for itself, and nobody trusts it here. If it is the right one"),
        "{told}"
    );
}

#[test]
fn an_empty_password_is_nobodys() {
    let slapd = Slapd::start();
    let group = slapd.add_group("staff", &slapd.people(0..5));
    let world = world(&slapd, &slapd.tls_url(), 50, &groups(&[&group]));
    world.run_to(0, &["sync"]);
    slapd.leave(&group, &slapd.person(0));
    for empty in ["", "\n"] {
        fs::write(world.path("directory.password"), empty).unwrap();
        world.run_to(1, &["sync"]);
        assert_eq!(world.assigned(), people(0..5));
        assert!(problem(&world).contains("empty"), "{}", problem(&world));
    }
}

#[test]
fn an_attribute_that_nobody_knows_is_named() {
    let slapd = Slapd::start();
    let group = slapd.add_group("staff", &slapd.people(0..5));
    let keys = "user_filter = \"(employeeTyp=staff)\"\nemail_attributes = [\"mial\"]\n";
    let world = world(&slapd, &slapd.tls_url(), 50, &format!("{keys}{}", groups(&[&group])));
    let told = world.run_to(1, &["check"]).stdout;
    assert!(told.contains("`user_filter` names `employeetyp`, which this directory does not know"), "{told}");
    assert!(
        told.contains("`email_attributes` names `mial`, which this directory does not know; is `mail` meant?"),
        "{told}"
    );
}

#[test]
fn a_reading_of_nobody_says_who_was_seen() {
    let slapd = Slapd::start();
    let group = slapd.add_group("staff", &slapd.people(0..5));
    let world = world(&slapd, &slapd.tls_url(), 50, &format!("email_attributes = [\"title\"]\n{}", groups(&[&group])));
    world.run_to(1, &["sync"]);
    let told = problem(&world);
    assert!(told.contains("names nobody, and an empty roster is not believed"), "{told}");
    assert!(
        told.contains("What was seen: cn=staff,ou=Groups,dc=example,dc=test: 0 people (5 listed). 5 people have no"),
        "{told}"
    );
}

#[test]
fn a_limit_is_not_an_end() {
    let slapd = Slapd::start();
    let [name, password] = LIMITED;
    let world = world(&slapd, &slapd.url(), 50, "user_filter = \"(objectClass=inetOrgPerson)\"\npage_size = 5\n");
    fs::write(world.path("directory.password"), password).unwrap();
    let text = fs::read_to_string(world.path("rosterd.toml")).unwrap();
    fs::write(world.path("rosterd.toml"), text.replace(slapd.syncer()[0], name)).unwrap();
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..FEW));
    slapd.delete(&slapd.person(0));
    // Pages of five are refused; there are no more than ten over all pages.
    for limits in ["size=500 size.pr=4", "size=500 size.prtotal=10"] {
        slapd.limit(limits);
        let ran = world.run(&["sync"]);
        assert_eq!((ran.status, world.assigned()), (1, people(0..FEW)), "{limits}: {ran:?}\n{}", slapd.server().log());
    }
    slapd.limit("size=500");
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(1..FEW));
}

#[test]
fn a_server_that_is_down_comes_back() {
    let mut broken = Broken::openldap(By::Filter);
    broken.directory.stop();
    broken.changes_nothing(Fault::None);
    broken.directory.go_on();
    broken.is_mended();
}
