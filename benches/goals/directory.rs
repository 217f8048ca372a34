//! The goals that concern a directory: a group in OpenLDAP, read whole, and looked at when nothing has changed.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::measure::{Side, run};
use crate::slapd::{GROUP, READER, Slapd};
use crate::world::{ID, World};

/// Entries of a page, on both sides.
const PAGE: usize = 1000;

/// A ledger that knows a group of a directory.
pub struct Directory {
    pub world: World,
    pub slapd: Slapd,
    people: usize,
    pub members: usize,
    rounds: usize,
}

impl Directory {
    pub fn new(binary: &Path, people: usize, members: usize, rounds: usize) -> Directory {
        let slapd = Slapd::new(people, members);
        let world = World::new(binary, Duration::ZERO);
        world.write_secret("password", READER[1]);
        let directory = Directory { world, slapd, people, members, rounds };
        directory.read_from(directory.slapd.listens(), 10_000);
        directory.world.sync(false);
        assert_eq!(directory.world.sandbox.assigned(ID).len(), members);
        directory.read_from(directory.slapd.listens(), 100);
        directory
    }

    /// Points the configuration at the server, or at what stands before it.
    fn read_from(&self, server: SocketAddr, batch_size: usize) {
        let source = format!(
            "kind = \"ldap\"\nurls = [\"ldap://{server}\"]\nbase_dn = \"dc=example,dc=test\"\ngroups = [\"{GROUP}\"]\n\
             bind_dn = \"{}\"\nbind_password = {{ file = \"password\" }}\npage_size = {PAGE}\n",
            READER[0]
        );
        self.world.configure_source(batch_size, &source);
    }

    pub fn read_whole(&self) {
        let (mut first, mut ours, mut search) = (Side::default(), Side::default(), Side::default());
        let (mut alike, attributes) = (Side::default(), ["entryUUID", "objectClass", "nsAccountLock", "mail"]);
        let filter = format!("(memberOf={GROUP})");
        let mut is_in = true;
        for round in 0..=self.rounds {
            // The first round is for memory alone.
            let warm = round == 0;
            let before = self.world.sandbox.request_count();
            self.slapd.move_first(is_in);
            is_in = !is_in;
            let ran = self.world.sync(warm);
            assert_eq!(self.world.sandbox.request_count() - before, 1, "one person comes or goes");
            assert_eq!(self.world.sandbox.assigned(ID).len(), self.members - usize::from(!is_in));
            let reference = run(self.slapd.search(PAGE, &[&filter, "mail"]), warm);
            if warm {
                ours.saw(ran.peak);
                search.saw(reference.peak);
            } else {
                first.add_part(self.world.first_request(before, ran.began));
                ours.add(ran);
                search.add(reference);
                let words = [&[filter.as_str()], &attributes[..]].concat();
                alike.add(run(self.slapd.search(PAGE, &words), false));
            }
        }
        let (people, members) = (self.people, self.members);
        println!("{}", ours.row(&format!("P6  {members} members of {people}, whole sync"), Some(&search)));
        println!("{}", first.row("    up to its request", Some(&search)));
        println!("{}", search.row(&format!("    ldapsearch -E pr={PAGE} (memberOf=…) mail"), None));
        println!("{}", alike.row("    the same with the attributes that rosterd asks", Some(&search)));
        println!("    goal: 1.15x, 40 MiB\n");
    }

    pub fn unchanged(&self) {
        // What is told of the directory is told again when it was last another one.
        self.world.sync(false);
        let (requests, ledger) = (self.world.sandbox.request_count(), self.world.ledger_digest());
        let (mut ours, mut search, mut bare) = (Side::default(), Side::default(), Side::default());
        ours.saw(self.world.sync(true).peak);
        for _ in 0..self.rounds {
            ours.add(self.world.sync(false));
            search.add(run(self.slapd.search(0, &["-s", "base", "(objectClass=*)", "contextCSN"]), false));
            bare.add(run(self.world.rosterd("--version"), false));
        }
        assert_eq!(self.world.sandbox.request_count(), requests, "nothing has changed");
        assert_eq!(self.world.ledger_digest(), ledger, "nothing has changed: no commit");
        let wire = self.bytes_on_the_wire();
        println!("{}", ours.row("P7  the same, nothing changed", Some(&search)));
        println!("{}", search.row("    ldapsearch -s base contextCSN", None));
        println!("{}", bare.row("    rosterd --version: bare start", None));
        println!("    {wire} bytes on the wire, both ways; goal: at most 2,000, and 13 ms\n");
    }

    /// Of a look at which nothing has changed.
    fn bytes_on_the_wire(&self) -> u64 {
        let wire = Wire::before(self.slapd.listens());
        self.read_from(wire.listens, 100);
        // Another address is another server, which is read whole.
        self.world.sync(false);
        let before = wire.bytes.load(Ordering::SeqCst);
        self.world.sync(false);
        let after = wire.bytes.load(Ordering::SeqCst);
        self.read_from(self.slapd.listens(), 100);
        after - before
    }
}

/// Passes on what is said, and counts it.
struct Wire {
    listens: SocketAddr,
    bytes: Arc<AtomicU64>,
}

impl Wire {
    fn before(upstream: SocketAddr) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let listens = listener.local_addr().unwrap();
        let bytes = Arc::new(AtomicU64::new(0));
        let counted = bytes.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(upstream).unwrap();
                let ways = [(&client, &server), (&server, &client)];
                for (from, to) in ways.map(|(from, to)| (from.try_clone().unwrap(), to.try_clone().unwrap())) {
                    let counted = counted.clone();
                    thread::spawn(move || pass(from, to, &counted));
                }
            }
        });
        Wire { listens, bytes }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, counted: &AtomicU64) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        counted.fetch_add(read as u64, Ordering::SeqCst);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
