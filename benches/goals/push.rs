//! From a change in a directory to the request for it: OpenLDAP tells, and nobody asks.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ldap3::{LdapConnAsync, Mod};

use crate::directory::Directory;
use crate::measure::{Side, peak_of};
use crate::slapd::{ADMIN, GROUP, person};
use crate::world::address;

/// The longest wait for anything.
const PATIENCE: Duration = Duration::from_mins(2);
/// So long nothing happens before the next change.
const QUIET: Duration = Duration::from_millis(500);

/// `rosterd run`, killed when dropped.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn pushed(directory: &Directory, rounds: usize) {
    let world = &directory.world;
    world.sync(false);
    let log = world.path("daemon.log");
    let mut command: Command = world.rosterd("run");
    command.current_dir(world.path("")).stdin(Stdio::null()).stdout(Stdio::null());
    let daemon = Daemon(command.stderr(fs::File::create(&log).unwrap()).spawn().unwrap());
    wait("it is told of changes", || fs::read_to_string(&log).unwrap().contains("is told of changes"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let url = format!("ldap://{}", directory.slapd.listens());
    let mut ldap = runtime.block_on(async {
        let (connection, mut ldap) = LdapConnAsync::new(&url).await.unwrap();
        tokio::spawn(connection.drive());
        ldap.simple_bind(ADMIN[0], ADMIN[1]).await.unwrap().success().unwrap();
        ldap
    });

    for (name, goal) in [("a person's address", "p50 5 ms"), ("a group's member", "p50 2x of the modify's answer")] {
        let (mut modify, mut wire) = (Side::default(), Side::default());
        for round in 0..2 * rounds {
            let (dn, change) = if name == "a group's member" {
                let member = [person(0)].into_iter().collect();
                (
                    GROUP.to_owned(),
                    if round % 2 == 0 {
                        Mod::Delete("member".to_owned(), member)
                    } else {
                        Mod::Add("member".to_owned(), member)
                    },
                )
            } else {
                let mail = if round % 2 == 0 { format!("new.{}", address(1)) } else { address(1) };
                (person(1), Mod::Replace("mail".to_owned(), [mail].into_iter().collect()))
            };
            settle(directory);
            let before = world.sandbox.request_count();
            let (answered, took) =
                timed(|| runtime.block_on(ldap.modify(&dn, vec![change])).unwrap().success().unwrap());
            wait("there is a request", || world.sandbox.request_count() > before);
            modify.add_part(took);
            wire.add_part(world.first_request(before, answered));
        }
        println!("{}", wire.row(&format!("P8  {name} to the wire, n = {}", 2 * rounds), Some(&modify)));
        println!("{}", modify.row("    the modify's own answer", None));
        println!("    goal: {goal}");
    }
    println!("    {} people; peak of the daemon {} MiB\n", directory.members, peak_of(daemon.0.id()).div_ceil(1 << 20));
}

/// Does this; when it was done, and how long it took.
#[expect(clippy::disallowed_methods, reason = "this measures")]
fn timed<T>(work: impl FnOnce() -> T) -> (Instant, Duration) {
    let began = Instant::now();
    work();
    let answered = Instant::now();
    (answered, answered - began)
}

/// Waits until no request has come for a while.
#[expect(clippy::disallowed_methods, reason = "this measures")]
fn settle(directory: &Directory) {
    let (mut seen, mut since) = (directory.world.sandbox.request_count(), Instant::now());
    wait("nothing happens any more", || {
        let count = directory.world.sandbox.request_count();
        if count != seen {
            (seen, since) = (count, Instant::now());
        }
        since.elapsed() > QUIET
    });
}

#[expect(clippy::disallowed_methods, reason = "this measures")]
fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::park_timeout(Duration::from_micros(200));
    }
}
