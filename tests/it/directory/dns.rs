//! A name server that knows one domain, and a machine that asks it: rosterd in a mount namespace, with a `resolv.conf` of
//! its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::install::{as_root, program};
use super::server::{Server, address, folder};
use crate::world::{Daemon, Ran, World};

/// Arguments: the `resolv.conf`, then the command.
const MACHINE: &str = r#"mount --bind "$1" /etc/resolv.conf; shift; exec "$@""#;

pub(crate) struct Dns {
    /// Ends before the folder goes.
    server: Option<Server>,
    address: Ipv4Addr,
    /// Each an argument of `dnsmasq`.
    records: Vec<String>,
    folder: TempDir,
}

impl Dns {
    /// Knows nothing, and says so.
    pub(crate) fn start() -> Dns {
        let folder = folder();
        let address = address(53);
        fs::write(folder.path().join("resolv.conf"), format!("nameserver {address}\n")).unwrap();
        let mut dns = Dns { server: None, address, records: Vec::new(), folder };
        dns.go_on();
        dns
    }

    /// Starts with the records that it has by now.
    fn go_on(&mut self) {
        self.stop();
        let program = program("dnsmasq");
        let listen = format!("--listen-address={}", self.address);
        let quiet = ["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces"];
        let mut words = vec![program.to_str().unwrap(), &listen, "--user=root", "--pid-file", "--local=/test/"];
        words.extend(quiet);
        words.extend(self.records.iter().map(String::as_str));
        let listens: SocketAddr = (self.address, 53).into();
        self.server = Some(Server::start(as_root("/bin/sh"), self.folder.path(), &words, &[listens]));
    }

    /// A server of a domain (`SRV`) at this priority, and where it is; a domain as it stands behind `_ldap._tcp.`.
    pub(crate) fn add(&mut self, domain: &str, host: &str, address: Ipv4Addr, priority: u16) {
        self.records.push(format!("--srv-host=_ldap._tcp.{domain},{host},389,{priority},10"));
        self.records.push(format!("--host-record={host},{address}"));
        self.go_on();
    }

    /// Forgets everything.
    pub(crate) fn forget(&mut self) {
        self.records.clear();
        self.go_on();
    }

    pub(crate) fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }

    fn resolv_conf(&self) -> PathBuf {
        self.folder.path().join("resolv.conf")
    }

    /// Runs rosterd on a machine that asks this name server.
    pub(crate) fn run(&self, world: &World, arguments: &[&str]) -> Ran {
        self.command(world, arguments).output().unwrap().into()
    }

    /// Starts the daemon there, logging to `name`.
    pub(crate) fn daemon(&self, world: &World, name: &str) -> Daemon {
        let log = fs::File::create(world.path(name)).unwrap();
        let child = self.command(world, &["-v", "run"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Daemon { child }
    }

    fn command(&self, world: &World, arguments: &[&str]) -> Command {
        let rosterd = world.command(arguments);
        let mut command = as_root(program("unshare"));
        command.args(["--mount", "/bin/sh", "-ec", MACHINE, "machine"]).arg(self.resolv_conf());
        command.arg(rosterd.get_program()).args(rosterd.get_args()).arg("--allow-root").current_dir(world.path("."));
        command
    }
}
