//! Where nothing has changed nothing is read, and a directory that says so for long is read all the same.

use super::Directory;
use super::proxy::{Fault, Proxy};
use super::reader::{groups, world};
use super::samba::Samba;
use super::slapd::Slapd;
use crate::world::{World, people};

/// What a look may cost that reads nothing.
const BYTES_MAX: usize = 2_000;

struct Looked {
    world: World,
    proxy: Proxy,
    group: String,
}

impl Looked {
    fn at(directory: &impl Directory, plain: std::net::SocketAddr, keys: &str) -> Looked {
        let proxy = Proxy::before(plain);
        let group = directory.add_group("staff", &directory.people(0..20));
        let world = world(directory, &proxy.url(), 50, &format!("{keys}{}", groups(&[&group])));
        world.run_to(0, &["sync"]);
        assert_eq!(world.assigned(), people(0..20));
        Looked { world, proxy, group }
    }

    /// Whether a look reads anything; what it costs else is little.
    fn reads(&self) -> bool {
        self.proxy.set(Fault::None);
        self.world.run_to(0, &["sync"]);
        let (bytes, answers) = (self.proxy.bytes(), self.proxy.answers());
        let reads = answers > 10;
        assert!(reads || bytes < BYTES_MAX, "{bytes} bytes in {answers} answers");
        eprintln!("{bytes} bytes in {answers} answers");
        reads
    }

    /// So much time goes by.
    fn let_pass(&self, hours: i64) {
        let ledger = rusqlite::Connection::open(self.world.path("rosterd.db")).unwrap();
        let (evidence, at): (String, i64) = ledger
            .query_row("SELECT evidence, accepted_at FROM source", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        let mut evidence: serde_json::Value = serde_json::from_str(&evidence).unwrap();
        let read_at = &mut evidence["directory"]["read_at"];
        let before = read_at.as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        *read_at = (before - chrono::TimeDelta::hours(hours)).to_rfc3339().into();
        let at = at - hours * 3_600_000;
        ledger.execute("UPDATE source SET evidence = ?1, accepted_at = ?2", (evidence.to_string(), at)).unwrap();
    }
}

fn nothing_is_read_while_nothing_changes(directory: &impl Directory, plain: std::net::SocketAddr) {
    let looked = Looked::at(directory, plain, "");
    // Active Directory notes when somebody signs in, which is a change.
    looked.reads();
    assert!(!looked.reads() && !looked.reads());
    directory.set(&directory.person(0), "description", &["something else"]);
    assert!(looked.reads(), "something has changed");
    assert!(!looked.reads());
    directory.leave(&looked.group, &directory.person(1));
    assert!(looked.reads() && !looked.reads());
    assert_eq!(looked.world.assigned(), [people([0]), people(2..20)].concat());
}

#[test]
fn nothing_is_read_from_openldap_while_nothing_changes() {
    let slapd = Slapd::start();
    nothing_is_read_while_nothing_changes(&slapd, slapd.listens()[0]);
}

#[test]
fn nothing_is_read_from_active_directory_while_nothing_changes() {
    let samba = Samba::start();
    nothing_is_read_while_nothing_changes(&samba, samba.listens()[0]);
}

#[test]
fn once_a_day_everything_is_read_all_the_same() {
    let slapd = Slapd::start();
    for keys in ["", "max_age = \"10d\"\n"] {
        let looked = Looked::at(&slapd, slapd.listens()[0], keys);
        for _ in 0..2 {
            assert!(!looked.reads());
            looked.let_pass(23);
            assert!(!looked.reads());
            looked.let_pass(2);
            assert!(looked.reads(), "the last reading is older than a day");
        }
        slapd.delete(&looked.group);
    }
}

#[test]
fn a_server_that_was_put_back_to_an_earlier_state_is_read() {
    let mut slapd = Slapd::start();
    let looked = Looked::at(&slapd, slapd.listens()[0], "");
    slapd.stop();
    let copy = slapd.path("copy");
    std::process::Command::new("cp").arg("-a").arg(slapd.path("data")).arg(&copy).status().unwrap();
    slapd.go_on();
    slapd.leave(&looked.group, &slapd.person(0));
    assert!(looked.reads());
    slapd.stop();
    std::fs::remove_dir_all(slapd.path("data")).unwrap();
    std::fs::rename(copy, slapd.path("data")).unwrap();
    slapd.go_on();
    assert!(looked.reads());
    assert_eq!(looked.world.assigned(), people(0..20));
}
