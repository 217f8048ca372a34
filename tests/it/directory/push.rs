//! Changes that a directory tells of: they are on the wire soon, though the source is never looked at by schedule; and
//! whatever breaks between, nobody is forgotten.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use rosterd::clock::Stopwatch;

use super::Directory;
use super::proxy::{Fault, Proxy};
use super::reader::{groups, read_from, world};
use super::samba::Samba;
use super::slapd::Slapd;
use crate::world::{Daemon, World, people, until};

/// A schedule that does not come in a test's life.
const NEVER: &str = "schedule = \"0 0 1 1 *\"\n";
/// How soon a change has to be on the wire.
const SOON: Duration = Duration::from_secs(2);

/// A server that can be started again, and that a proxy can stand before.
trait Serves: Directory {
    fn plain(&self) -> SocketAddr;
    fn restart(&mut self);
}

impl Serves for Slapd {
    fn plain(&self) -> SocketAddr {
        self.listens()[0]
    }

    fn restart(&mut self) {
        self.stop();
        self.go_on();
    }
}

impl Serves for Samba {
    fn plain(&self) -> SocketAddr {
        self.listens()[0]
    }

    fn restart(&mut self) {
        self.stop();
        self.go_on();
    }
}

/// Each of these, on either server.
macro_rules! on_both {
    ($($name:ident),*) => {
        mod openldap {
            $(#[test] fn $name() { super::$name(&mut super::Slapd::start()); })*
        }
        mod active_directory {
            $(#[test] fn $name() { super::$name(&mut super::Samba::start()); })*
        }
    };
}

on_both!(
    a_joiner_and_a_leaver_are_on_the_wire_at_once,
    a_person_who_changes_or_goes_is_on_the_wire_at_once,
    what_happened_while_nobody_could_listen_is_not_missed,
    a_server_that_was_started_again_is_listened_to_again,
    many_changes_are_few_readings,
    a_person_alone_is_looked_at_alone,
    a_group_that_changes_is_read_alone,
    what_is_configured_anew_is_listened_to_anew,
    what_one_person_can_not_tell_is_read_whole,
    the_status_says_whether_it_is_told
);

struct Listening {
    world: World,
    group: String,
    _daemon: Daemon,
}

impl Listening {
    /// A daemon that is told of changes of a group of the first five people, by this URL.
    fn at(directory: &impl Directory, url: &str) -> Listening {
        Listening::with(directory, url, "")
    }

    fn with(directory: &impl Directory, url: &str, keys: &str) -> Listening {
        let group = directory.add_group("staff", &directory.people(0..5));
        Listening::to(directory, url, keys, group, 5)
    }

    /// The same of a group that is there, of the first so many people.
    fn to(directory: &impl Directory, url: &str, keys: &str, group: String, size: usize) -> Listening {
        let world = world(directory, url, 20_000, &format!("{NEVER}{keys}{}", groups(&[&group])));
        let daemon = world.daemon("daemon.log");
        let listening = Listening { world, group, _daemon: daemon };
        until("they have their seats", || listening.world.assigned() == people(0..size));
        listening.is_told();
        listening
    }

    /// Without its daemon.
    fn end(self) -> World {
        self.world
    }

    fn log(&self) -> String {
        fs::read_to_string(self.world.path("daemon.log")).unwrap()
    }

    fn told(&self) -> usize {
        self.log().matches("is told of changes by").count()
    }

    fn is_told(&self) {
        until("it is told of changes", || self.told() > 0);
    }

    /// Who has a seat soon after a change.
    #[track_caller]
    fn soon(&self, what: &str, wanted: &[String]) {
        let began = Stopwatch::start();
        until(what, || self.world.assigned() == wanted);
        assert!(began.elapsed() < SOON, "{what}: only after {:?}\n{}", began.elapsed(), self.log());
    }
}

fn a_joiner_and_a_leaver_are_on_the_wire_at_once(directory: &mut impl Serves) {
    let listening = Listening::at(directory, &directory.tls_url());
    directory.join(&listening.group, &directory.person(7));
    listening.soon("the joiner has a seat", &people([0, 1, 2, 3, 4, 7]));
    directory.leave(&listening.group, &directory.person(0));
    listening.soon("the leaver has none", &people([1, 2, 3, 4, 7]));
    let requests: Vec<_> = listening.world.sandbox.requests().iter().map(|it| it.method.clone()).collect();
    assert_eq!(requests, ["PUT", "PUT", "DELETE"]);
}

fn a_person_who_changes_or_goes_is_on_the_wire_at_once(directory: &mut impl Serves) {
    let listening = Listening::at(directory, &directory.tls_url());
    directory.disable(&directory.person(1));
    listening.soon("the disabled account has no seat", &people([0, 2, 3, 4]));
    directory.set(&directory.person(4), "mail", &["zoe@contoso.com"]);
    listening.soon("the other address has the seat", &[people([0, 2, 3]), vec!["zoe@contoso.com".to_owned()]].concat());
    // Active Directory tells nobody; it is missing in the count, and that is looked at twice.
    directory.delete(&directory.person(2));
    until("the deleted person has no seat", || {
        listening.world.assigned() == [people([0, 3]), vec!["zoe@contoso.com".to_owned()]].concat()
    });
}

fn what_happened_while_nobody_could_listen_is_not_missed(directory: &mut impl Serves) {
    let proxy = Proxy::before(directory.plain());
    let listening = Listening::at(directory, &proxy.url());
    proxy.set(Fault::Refuse);
    proxy.cut();
    until("it has noticed", || listening.log().contains("is not told of changes now"));
    directory.join(&listening.group, &directory.person(7));
    directory.leave(&listening.group, &directory.person(0));
    directory.delete(&directory.person(1));
    assert_eq!(listening.world.assigned(), people(0..5));
    proxy.set(Fault::None);
    until("it has come back, and seen all", || listening.world.assigned() == people([2, 3, 4, 7]));
    until("it is told again", || listening.told() == 2);
    directory.join(&listening.group, &directory.person(8));
    listening.soon("the next joiner has a seat", &people([2, 3, 4, 7, 8]));
}

fn a_server_that_was_started_again_is_listened_to_again(directory: &mut impl Serves) {
    let listening = Listening::at(directory, &directory.tls_url());
    directory.restart();
    until("it is told again", || listening.told() == 2);
    directory.leave(&listening.group, &directory.person(0));
    listening.soon("the leaver has no seat", &people(1..5));
}

fn many_changes_are_few_readings(directory: &mut impl Serves) {
    let proxy = Proxy::before(directory.plain());
    let listening = Listening::at(directory, &proxy.url());
    proxy.set(Fault::None);
    let mut ldif = String::new();
    for person in directory.people(5..20) {
        let _ = write!(ldif, "dn: {}\nchangetype: modify\nadd: member\nmember: {person}\n\n", listening.group);
    }
    directory.change(&ldif);
    until("they have seats", || listening.world.assigned() == people(0..20));
    assert!(proxy.connections() <= 5, "{} readings of 15 changes", proxy.connections());
}

fn a_person_alone_is_looked_at_alone(directory: &mut impl Serves) {
    let proxy = Proxy::before(directory.plain());
    let listening = Listening::at(directory, &proxy.url());
    let others = people([0, 1, 2, 3]);
    // The look with which listening begins may see the first; the second is looked at alone, by a connection that is kept.
    for address in ["zara@contoso.com", "zoe@contoso.com"] {
        directory.set(&directory.person(4), "mail", &[address]);
        listening.soon("the other address", &[others.clone(), vec![address.to_owned()]].concat());
    }
    proxy.set(Fault::None);
    directory.set(&directory.person(4), "mail", &["zora@contoso.com"]);
    listening.soon("the last other address", &[others.clone(), vec!["zora@contoso.com".to_owned()]].concat());
    directory.disable(&directory.person(3));
    listening.soon("the disabled account has no seat", &[people(0..3), vec!["zora@contoso.com".to_owned()]].concat());
    assert_eq!(proxy.connections(), 0, "everything was read");
    // What was made of it is what a whole reading says, to the byte; so is the sum of where they stand.
    let places = || {
        let explained = listening.world.run(&["explain", "--json", &people([0])[0]]).stdout;
        let explained: serde_json::Value = serde_json::from_str(&explained).unwrap();
        explained["subscriptions"][0]["evidence"][0]["places"].as_u64().unwrap()
    };
    let edited = places();
    let synced = listening.world.run_to(0, &["sync"]);
    assert!(!synced.stderr.contains("is the roster now"), "{synced:?}");
    assert_eq!(places(), edited);
    let explained = listening.world.run(&["explain", &people([3])[0]]).stdout;
    assert!(explained.contains("disabled"), "{explained}");
}

fn a_group_that_changes_is_read_alone(directory: &mut impl Serves) {
    let proxy = Proxy::before(directory.plain());
    let listening = Listening::at(directory, &proxy.url());
    let elsewhere = directory.add_group("elsewhere", &directory.people(15..17));
    for (person, wanted) in [(7, people([0, 1, 2, 3, 4, 7])), (8, people([0, 1, 2, 3, 4, 7, 8]))] {
        directory.join(&listening.group, &directory.person(person));
        listening.soon("the joiner has a seat", &wanted);
    }
    proxy.set(Fault::None);
    directory.join(&elsewhere, &directory.person(18));
    directory.leave(&listening.group, &directory.person(0));
    listening.soon("the leaver has none", &people([1, 2, 3, 4, 7, 8]));
    directory.join(&listening.group, &directory.person(9));
    listening.soon("the joiner has a seat", &people([1, 2, 3, 4, 7, 8, 9]));
    assert_eq!(proxy.connections(), 0, "everything was read");
    let synced = listening.world.run_to(0, &["sync"]);
    assert!(!synced.stderr.contains("is the roster now"), "{synced:?}");
}

fn what_is_configured_anew_is_listened_to_anew(directory: &mut impl Serves) {
    let listening = Listening::at(directory, &directory.tls_url());
    for (person, wanted) in [(7, people([0, 1, 2, 3, 4, 7])), (8, people([0, 1, 2, 3, 4, 7, 8]))] {
        directory.join(&listening.group, &directory.person(person));
        listening.soon("the joiner has a seat", &wanted);
    }
    let keys = format!("{NEVER}page_size = 300\n{}", groups(&[&listening.group]));
    read_from(&listening.world, directory, &directory.tls_url(), &keys);
    until("it is told of changes anew", || listening.told() == 2);
    directory.leave(&listening.group, &directory.person(0));
    listening.soon("the leaver has none", &people([1, 2, 3, 4, 7, 8]));
}

fn what_one_person_can_not_tell_is_read_whole(directory: &mut impl Serves) {
    let listening = Listening::with(directory, &directory.tls_url(), "must_include = [\"p00000@contoso.com\"]\n");
    // One address of two people is one seat, and whoever of them goes leaves it to the other.
    directory.set(&directory.person(3), "mail", &["p00004@contoso.com"]);
    listening.soon("two have one seat", &people([0, 1, 2, 4]));
    directory.disable(&directory.person(3));
    directory.set(&directory.person(1), "mail", &["eve@contoso.com"]);
    listening.soon("the other one keeps it", &[vec!["eve@contoso.com".to_owned()], people([0, 2, 4])].concat());
    // Without a canary nothing is believed, however it comes.
    directory.disable(&directory.person(0));
    until("it is said", || listening.log().contains("must_include asks for"));
    assert!(listening.world.assigned().contains(&people([0])[0]));
}

/// What `status --json` says of how the source is listened to.
fn told_in_status(world: &World) -> serde_json::Value {
    let status: serde_json::Value = serde_json::from_str(&world.run(&["status", "--json"]).stdout).unwrap();
    assert_eq!(status["sources"][0]["name"], "hr");
    status["sources"][0]["push"].clone()
}

fn the_status_says_whether_it_is_told(directory: &mut impl Serves) {
    let proxy = Proxy::before(directory.plain());
    let listening = Listening::with(directory, &proxy.url(), "connect_timeout = \"1s\"\n");
    let push = || told_in_status(&listening.world);
    let line = || {
        let text = listening.world.run(&["status"]).stdout;
        text.lines().find(|line| line.starts_with("source hr: ")).unwrap_or_default().to_owned()
    };
    let url = proxy.url();
    until("the status knows who tells", || push()["server"] == *url);
    assert!(line().starts_with(&format!("source hr: {url} tells of changes since 2")), "{}", line());
    assert!(push()["reason"].is_null());

    proxy.set(Fault::Refuse);
    proxy.cut();
    until("the status knows that nobody tells", || push()["server"].is_null());
    assert!(line().starts_with("source hr: not told of changes since 2"), "{}", line());
    assert!(line().contains(", so it is looked at by schedule alone."), "{}", line());
    let since = push()["since"].clone();
    proxy.set(Fault::StallAfterAnswers(0));
    until("it is for another reason", || push()["reason"].as_str().is_some_and(|why| why.contains("connect_timeout")));
    assert_eq!(push()["since"], since);

    proxy.set(Fault::None);
    until("it is over", || push()["server"] == *url);
    let world = listening.end();
    assert!(told_in_status(&world).is_null(), "nobody listens");
}

#[test]
fn a_server_that_tells_nobody_is_said_to() {
    let slapd = Slapd::without_syncprov();
    let group = slapd.add_group("staff", &slapd.people(0..5));
    let world = world(&slapd, &slapd.tls_url(), 100, &format!("{NEVER}{}", groups(&[&group])));
    let _daemon = world.daemon("daemon.log");
    until("it has been read", || world.assigned() == people(0..5));
    until("it is said", || !told_in_status(&world).is_null());
    let push = told_in_status(&world);
    assert!(push["reason"].as_str().unwrap().starts_with("The directory tells nobody of changes"), "{push}");
}

#[test]
fn a_search_that_falls_silent_is_renewed() {
    let samba = Samba::start();
    let proxy = Proxy::before(samba.listens()[0]);
    let listening = Listening::at(&samba, &proxy.url());
    let listened = proxy.listened();
    proxy.silence();
    samba.join(&listening.group, &samba.person(7));
    // By the look with which listening began, or because the change is missing in the count.
    until("the joiner has a seat", || listening.world.assigned() == people([0, 1, 2, 3, 4, 7]));
    until("it has begun anew", || proxy.listened() > listened);
    samba.join(&listening.group, &samba.person(8));
    listening.soon("the next joiner has a seat", &people([0, 1, 2, 3, 4, 7, 8]));
    assert!(!listening.log().contains("is not told of changes now"), "{}", listening.log());
}

#[test]
fn a_state_that_is_refused_is_left_out() {
    let slapd = Slapd::start();
    let proxy = Proxy::before(slapd.listens()[0]);
    let faults = [
        // e-syncRefreshRequired, and "consumer state is newer than provider".
        Fault::RefuseCookie { code: 4096 },
        Fault::RefuseCookie { code: 53 },
        // Of another server, and of one that is ahead.
        Fault::State { part: "#000#", becomes: "#00a#" },
        Fault::State { part: "20", becomes: "21" },
    ];
    for (number, fault) in (0..).zip(faults) {
        proxy.set(fault);
        let group = slapd.add_group(&format!("staff-{number}"), &slapd.people(0..5));
        let world = world(&slapd, &proxy.url(), 100, &format!("{NEVER}{}", groups(&[&group])));
        let _daemon = world.daemon("daemon.log");
        let log = || fs::read_to_string(world.path("daemon.log")).unwrap();
        until("it is told of changes", || log().contains("is told of changes by"));
        slapd.leave(&group, &slapd.person(0));
        until("the leaver has no seat", || world.assigned() == people(1..5));
        assert!(!log().contains("is not told of changes"), "{fault:?}: {}", log());
    }
}

/// Who joins or leaves a large group is on the wire as soon as in a small one, and nobody else is looked at for it.
fn a_change_of_a_large_group_is_on_the_wire_at_once(directory: &impl Directory, plain: SocketAddr) {
    let proxy = Proxy::before(plain);
    let listening = Listening::to(directory, &proxy.url(), "", directory.group("size-13000"), 13_000);
    directory.leave(&listening.group, &directory.person(0));
    until("the look with which listening begins is over", || listening.world.assigned() == people(1..13_000));
    proxy.set(Fault::None);
    directory.join(&listening.group, &directory.person(0));
    listening.soon("the joiner has a seat", &people(0..13_000));
    directory.leave(&listening.group, &directory.person(12_999));
    listening.soon("the leaver has none", &people(0..12_999));
    assert!(proxy.connections() <= 1, "everything was read");
}

#[test]
fn a_change_of_a_large_group_is_on_the_wire_at_once_from_openldap() {
    let slapd = Slapd::crowd();
    a_change_of_a_large_group_is_on_the_wire_at_once(&slapd, slapd.plain());
}

#[test]
fn a_change_of_a_large_group_is_on_the_wire_at_once_from_active_directory() {
    let samba = Samba::crowd();
    a_change_of_a_large_group_is_on_the_wire_at_once(&samba, samba.plain());
}

#[test]
fn a_server_that_does_not_show_its_state_tells_of_all_there_is_first() {
    let slapd = Slapd::start();
    let access =
        ["{0}to attrs=contextCSN by * none", "{1}to attrs=userPassword by anonymous auth", "{2}to * by * read"];
    slapd.configure("olcDatabase={1}mdb,cn=config", "olcAccess", &access);
    let listening = Listening::at(&slapd, &slapd.tls_url());
    slapd.leave(&listening.group, &slapd.person(0));
    listening.soon("the leaver has no seat", &people(1..5));
}

#[test]
fn a_server_that_may_not_tell_says_why_and_is_looked_at_by_schedule() {
    let slapd = Slapd::start();
    slapd.configure("olcDatabase={1}mdb,cn=config", "olcLimits", &["{0}* size=5 size.prtotal=unlimited"]);
    let access =
        ["{0}to attrs=contextCSN by * none", "{1}to attrs=userPassword by anonymous auth", "{2}to * by * read"];
    slapd.configure("olcDatabase={1}mdb,cn=config", "olcAccess", &access);
    let group = slapd.add_group("staff", &slapd.people(0..5));
    let world = world(
        &slapd,
        &slapd.tls_url(),
        50,
        &format!("page_size = 5\nschedule = \"* * * * * *\"\n{}", groups(&[&group])),
    );
    let _daemon = world.daemon("daemon.log");
    let log = || fs::read_to_string(world.path("daemon.log")).unwrap();
    until("it says that it is told nothing", || log().contains("size=unlimited"));
    slapd.leave(&group, &slapd.person(0));
    until("the leaver has no seat", || world.assigned() == people(1..5));
    assert_eq!(log().matches("is not told of changes now").count(), 1, "{}", log());
}

#[test]
fn a_wrong_password_is_not_tried_again_and_again() {
    let slapd = Slapd::start();
    let group = slapd.add_group("staff", &slapd.people(0..5));
    let proxy = Proxy::before(slapd.listens()[0]);
    let world = world(&slapd, &proxy.url(), 50, &format!("schedule = \"* * * * * *\"\n{}", groups(&[&group])));
    let right = fs::read(world.path("directory.password")).unwrap();
    fs::write(world.path("directory.password"), "wrong").unwrap();
    let _daemon = world.daemon("daemon.log");
    let log = || fs::read_to_string(world.path("daemon.log")).unwrap();
    until("it was tried", || log().contains("when it can be read again"));
    let looks = proxy.connections() + 4;
    until("it was looked at", || proxy.connections() >= looks);
    assert_eq!(log().matches("is not told of changes now").count(), 1, "{}", log());
    assert!(!log().contains("is told of changes by"));
    fs::write(world.path("directory.password"), right).unwrap();
    until("it is told of changes", || log().contains("is told of changes by"));
}
