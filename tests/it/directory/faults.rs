//! What breaks on the way between rosterd and a directory: nobody loses a licence, `status` says what happened, and the
//! next good reading mends it.

use super::{Directory, FEW};
use std::fs;

use super::pki::Pki;
use super::proxy::{Fault, Proxy};
use super::reader::{groups, world};
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
struct Broken {
    slapd: Slapd,
    proxy: Proxy,
    world: World,
}

impl Broken {
    fn new(by: By) -> Broken {
        let slapd = Slapd::start();
        let group = slapd.add_group("staff", &slapd.people(0..5));
        for person in slapd.people(0..5) {
            slapd.set(&person, "employeeType", &["staff"]);
        }
        let proxy = Proxy::before(slapd.listens()[0]);
        let whom = match by {
            By::Group => groups(&[&group]),
            By::Filter => "user_filter = \"(employeeType=staff)\"\n".to_owned(),
        };
        let world = world(&slapd, &proxy.url(), 50, &format!("{KEYS}{whom}"));
        world.run_to(0, &["sync"]);
        assert_eq!(world.assigned(), people(0..5));
        slapd.leave(&group, &slapd.person(0));
        slapd.set(&slapd.person(0), "employeeType", &[]);
        slapd.join(&group, &slapd.person(5));
        slapd.set(&slapd.person(5), "employeeType", &["staff"]);
        Broken { slapd, proxy, world }
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
        let status: serde_json::Value = serde_json::from_str(&self.world.run(&["status", "--json"]).stdout).unwrap();
        let problem = status["subscriptions"][0]["problem"].as_str().unwrap_or_else(|| panic!("{fault:?}: {ran:?}"));
        problem.to_owned()
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

#[test]
fn a_connection_that_is_cut_after_any_message_takes_nothing_away() {
    for by in [By::Group, By::Filter] {
        let broken = Broken::new(by);
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
}

#[test]
fn a_server_that_falls_silent_is_not_waited_for() {
    let broken = Broken::new(By::Filter);
    let (_, answers, results) = broken.passes();
    assert!(results > 5, "{results}");
    for n in [0, 1, answers / 2, answers - 1] {
        broken.changes_nothing(Fault::StallAfterAnswers(n));
    }
    broken.is_mended();
}

#[test]
fn a_result_that_is_none_is_told_by_its_name() {
    for by in [By::Group, By::Filter] {
        let broken = Broken::new(by);
        let (_, _, results) = broken.passes();
        for nth in 1..=results {
            for code in [3, 4, 10, 11, 51, 52, 53] {
                broken.changes_nothing(Fault::Result { nth, code });
            }
        }
        broken.is_mended();
    }
}

#[test]
fn a_page_without_a_cookie_is_not_the_last_one() {
    for by in [By::Group, By::Filter] {
        let broken = Broken::new(by);
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
    for bad in ["elsewhere", "old"] {
        slapd.show_certificate(bad);
        let ran = world.run_to(1, &["sync"]);
        assert_eq!(world.assigned(), people(0..5), "{bad}: {ran:?}");
        let status = world.run(&["status"]).stdout;
        assert!(status.contains("certificate"), "{bad}: {status}");
    }
    slapd.show_certificate("server");
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(1..5));
    // A server that somebody else vouches for.
    let other = Pki::new(&slapd.path("other"));
    fs::copy(other.ca(), slapd.ca()).unwrap();
    slapd.leave(&group, &slapd.person(1));
    world.run_to(1, &["sync"]);
    assert_eq!(world.assigned(), people(1..5));
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
    let mut broken = Broken::new(By::Filter);
    broken.slapd.stop();
    broken.changes_nothing(Fault::None);
    broken.slapd.go_on();
    broken.is_mended();
}
