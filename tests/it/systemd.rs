//! What the service manager is told, on the built binary: systemd's protocol of notifications.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use crate::world::{Daemon, World, people};

/// The end that systemd would hold.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    /// Starts the daemon, logging to `daemon.log`.
    fn start(world: &World) -> (Manager, Daemon) {
        let socket = UnixDatagram::bind(world.path("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
        let mut command = world.command(&["run"]);
        command.env("NOTIFY_SOCKET", world.path("notify")).env("WATCHDOG_USEC", "2000000");
        let log = fs::File::create(world.path("daemon.log")).unwrap();
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        (Manager { socket }, Daemon { child })
    }

    /// The next message, as its lines.
    fn hears(&self) -> Vec<String> {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap().lines().map(str::to_owned).collect()
    }

    /// All messages up to the one that has a line which begins so; that one is the last.
    fn hears_until(&self, begins: &str) -> Vec<Vec<String>> {
        let mut heard = Vec::new();
        loop {
            let message = self.hears();
            let is_it = message.iter().any(|line| line.starts_with(begins));
            heard.push(message);
            if is_it {
                return heard;
            }
        }
    }
}

fn log(world: &World) -> String {
    fs::read_to_string(world.path("daemon.log")).unwrap()
}

/// Without what comes at any time.
fn words(heard: &[Vec<String>]) -> Vec<String> {
    heard.concat().into_iter().filter(|line| line != "WATCHDOG=1").collect()
}

#[test]
fn systemd_is_told_of_a_whole_life() {
    let world = World::new(10);
    world.drop_roster("1.csv", &people(0..3));
    let (manager, mut daemon) = Manager::start(&world);
    let status = "STATUS=Looks after 1 subscription and 1 source";
    assert_eq!(manager.hears_until("READY=1").concat(), ["STATUS=Opens the ledger", status, "READY=1"]);
    assert!(log(&world).contains("ready:"), "it was not ready yet: {}", log(&world));
    for _ in 0..3 {
        manager.hears_until("WATCHDOG=1");
    }

    daemon.signal("HUP");
    let reloading = manager.hears_until("RELOADING=1").pop().unwrap();
    let since = reloading.iter().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap();
    assert!(since.parse::<u64>().is_ok_and(|since| since > 0), "{reloading:?}");
    assert_eq!(words(&manager.hears_until("READY=1")), ["READY=1"]);
    assert!(log(&world).contains("the configuration was read again"), "it had not been read: {}", log(&world));

    fs::write(world.path("rosterd.toml"), "[ledger").unwrap();
    let refused = manager.hears_until("STATUS=").pop().unwrap();
    assert_eq!(refused, [format!("{status}; the changed configuration can't be used, and the old one is in force")]);

    daemon.signal("TERM");
    let end = words(&manager.hears_until("STOPPING=1"));
    assert_eq!(end, ["STOPPING=1", "STATUS=Ends: requests in flight are finished and recorded"]);
    assert_eq!(daemon.wait(), Some(0));
    manager.socket.set_nonblocking(true).unwrap();
    assert!(manager.socket.recv(&mut [0; 9]).is_err(), "it spoke after its end");
}

#[test]
fn what_can_not_work_is_never_ready() {
    let world = World::new(10);
    fs::write(world.path("rosterd.db"), "this is no ledger, and it is not empty either").unwrap();
    let (manager, mut daemon) = Manager::start(&world);
    assert_eq!(daemon.wait(), Some(1), "{}", log(&world));
    manager.socket.set_nonblocking(true).unwrap();
    assert_eq!(manager.hears(), ["STATUS=Opens the ledger"]);
    assert!(manager.socket.recv(&mut [0; 9]).is_err());
}
