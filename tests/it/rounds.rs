//! Rounds of change in which the program is killed at a random moment and started again: the built binary, the real
//! ledger, the sandbox over HTTP with a drawn dialect and drawn faults, several subscriptions.
//!
//! A dozen rounds in the ordinary run; `ROSTERD_ROUNDS=300` for more, `ROSTERD_ROUNDS_SEED=N` to draw the same again (the
//! moments of the kills differ all the same: they are the machine's).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

use clap::ValueEnum;
use fastrand::Rng;
use rosterd::clock::Stopwatch;
use rosterd::config::SubscriptionType;
use rosterd::sandbox::{Dialect, Faults, Options, Subscription};
use secrecy::SecretString;
use uuid::Uuid;

use crate::world::{ID, KEY, World};

const ROUNDS: u32 = 12;
/// A world has one dialect, and so many rounds.
const ROUNDS_OF_A_WORLD: u32 = 30;
const NAMES: [&str; 3] = ["contoso", "fabrikam", "northwind"];
const SEATS: u64 = 40;
/// These are in every roster, first in the queue.
const CORE: usize = 8;
const PEOPLE: usize = 56;

#[test]
fn whatever_moment_it_is_killed_at_the_server_becomes_the_roster() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("ROSTERD_ROUNDS_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    let rounds = number("ROSTERD_ROUNDS").map_or(ROUNDS, |rounds| u32::try_from(rounds).unwrap());
    let (watch, mut tally) = (Stopwatch::start(), Tally::default());
    let mut left = rounds;
    while left > 0 {
        let now = left.min(ROUNDS_OF_A_WORLD).min(rounds.div_ceil(2));
        let drawn = seed.wrapping_add(u64::from(left) << 32);
        println!("seed {seed}, {left} rounds are left");
        Play::new(drawn).rounds(now, &mut tally);
        left -= now;
    }
    println!("seed {seed}: {rounds} rounds in {:.0?}: {tally:?}", watch.elapsed());
    assert!(rounds < ROUNDS || tally.killed_at_work > 0, "no kill has met a request: {tally:?}");
}

/// What happened, so that the test can be seen to try something.
#[derive(Debug, Default)]
struct Tally {
    kills: u32,
    /// Kills after which the ledger had an open intent.
    killed_at_work: u32,
    requests: u64,
    removals: usize,
    converged: u32,
}

struct Play {
    world: World,
    rng: Rng,
    /// By subscription: who is in the newest whole roster, with the number of their address.
    staff: BTreeMap<&'static str, BTreeMap<usize, u32>>,
    /// Of fabrikam, by rows that add and remove.
    guests: BTreeSet<usize>,
    files: u32,
    /// By subscription: whom each roster since everything was settled last has named.
    steady: BTreeMap<&'static str, BTreeSet<String>>,
    /// Those of them that were seen with a seat.
    seated: BTreeMap<&'static str, BTreeSet<String>>,
    /// The log of the server was looked at up to here.
    looked_at: u64,
}

fn id(name: &str) -> Uuid {
    let place = NAMES.iter().position(|one| *one == name).unwrap() as u128;
    Uuid::from_u128(ID.as_u128() + place)
}

fn drawn<T: ValueEnum + Clone>(rng: &mut Rng) -> T {
    rng.choice(T::value_variants()).unwrap().clone()
}

fn any_dialect(rng: &mut Rng) -> Dialect {
    Dialect {
        already_assigned: drawn(rng),
        bad_address: drawn(rng),
        not_assigned: drawn(rng),
        no_seats: drawn(rng),
        errors: drawn(rng),
        case: drawn(rng),
        stats_on_402: drawn(rng),
    }
}

fn any_faults(rng: &mut Rng) -> Faults {
    let mut share = |most: u32| format!("{}%", rng.u32(0..=most)).parse().unwrap();
    let (fail, drop_before, drop_after) = (share(10), share(10), share(20));
    let latency = Duration::from_millis(rng.u64(0..15));
    Faults { latency, fail, drop_before, drop_after, seed: rng.u64(..), ..Faults::default() }
}

impl Play {
    fn new(seed: u64) -> Play {
        let mut rng = Rng::with_seed(seed);
        let subscription = |name: &&str| {
            Subscription::new(SubscriptionType::Manual, id(name), SecretString::from(KEY.to_owned()), SEATS)
        };
        let subscriptions = NAMES.iter().skip(1).map(subscription).collect();
        let dialect = any_dialect(&mut rng);
        println!("seed {seed}: {dialect:?}");
        let world = World::with(SEATS, Options { subscriptions, dialect, ..Options::default() }, "");
        fs::create_dir(world.path("guests")).unwrap();
        fs::write(world.path("rosterd.toml"), configuration(&world.base_url)).unwrap();
        let everywhere = || NAMES.iter().map(|name| (*name, BTreeSet::new())).collect();
        let staff = NAMES.iter().map(|name| (*name, (0..CORE).map(|person| (person, 0)).collect())).collect();
        let (steady, seated) = (everywhere(), everywhere());
        let mut play = Play { world, rng, staff, guests: BTreeSet::new(), files: 0, steady, seated, looked_at: 0 };
        play.drop_staff();
        // While a source was never read nobody is taken to be missing.
        play.change_guests();
        for name in NAMES {
            play.steady.insert(name, play.desired(name));
        }
        play
    }

    fn rounds(&mut self, rounds: u32, tally: &mut Tally) {
        for round in 1..=rounds {
            self.world.sandbox.set_faults(any_faults(&mut self.rng));
            self.change();
            self.kill_at_a_random_moment();
            tally.kills += 1;
            tally.killed_at_work += u32::from(self.has_open_intent());
            tally.removals += self.look();
            if round == rounds || self.rng.u32(0..4) == 0 {
                tally.removals += self.converge();
                tally.converged += 1;
            }
        }
        tally.requests += self.world.sandbox.request_count();
    }

    /// Joiners, leavers, renamed, guests; or nothing at all.
    fn change(&mut self) {
        if self.rng.u32(0..5) > 0 {
            self.change_staff();
            self.drop_staff();
        }
        if self.rng.u32(0..3) == 0 {
            self.change_guests();
        }
        for name in NAMES {
            let desired = self.desired(name);
            self.steady.get_mut(name).unwrap().retain(|one| desired.contains(one));
            let steady = &self.steady[name];
            self.seated.get_mut(name).unwrap().retain(|one| steady.contains(one));
        }
    }

    fn change_staff(&mut self) {
        for staff in self.staff.values_mut() {
            for _ in 0..self.rng.usize(0..14) {
                let person = self.rng.usize(CORE..PEOPLE);
                match (staff.get(&person).copied(), self.rng.u32(0..5)) {
                    (Some(address), 0) => drop(staff.insert(person, address + 1)),
                    (Some(_), _) => drop(staff.remove(&person)),
                    (None, _) => drop(staff.insert(person, 0)),
                }
            }
        }
    }

    fn drop_staff(&mut self) {
        let mut text = "email,id,priority,subscription\n".to_owned();
        for (name, staff) in &self.staff {
            for (person, number) in staff {
                let priority = if *person < CORE { 1 } else { 100 };
                writeln!(text, "{},{name}-{person},{priority},{name}", address(name, *person, *number)).unwrap();
            }
        }
        self.files += 1;
        self.world.drop_file(&format!("r{:06}.csv", self.files), text);
    }

    fn change_guests(&mut self) {
        let mut text = "action,email\n".to_owned();
        for guest in self.rng.choose_multiple(0..6, 3) {
            let joins = !self.guests.remove(&guest) && self.guests.insert(guest);
            writeln!(text, "{},{}", if joins { "add" } else { "remove" }, guest_address(guest)).unwrap();
        }
        self.files += 1;
        let beside = self.world.path("being-written");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, self.world.path("guests").join(format!("g{:06}.csv", self.files))).unwrap();
    }

    fn desired(&self, name: &str) -> BTreeSet<String> {
        let staff = self.staff[name].iter().map(|(person, number)| address(name, *person, *number));
        let guests = self.guests.iter().filter(|_| name == "fabrikam").map(|guest| guest_address(*guest));
        staff.chain(guests).collect()
    }

    fn assigned(&self, name: &str) -> BTreeSet<String> {
        self.world.sandbox.assigned(id(name)).iter().map(|email| email.to_lowercase()).collect()
    }

    /// After some time, or when the server has got so many requests, whatever comes first.
    fn kill_at_a_random_moment(&mut self) {
        let verb: &[&str] = if self.rng.u32(0..3) == 0 { &["sync"] } else { &["run"] };
        let log = fs::File::create(self.world.path("killed.log")).unwrap();
        let mut command = self.world.command(verb);
        let child = Killed(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let after = Duration::from_micros(self.rng.u64(0..600_000));
        let requests = self.world.sandbox.request_count() + self.rng.u64(1..12);
        let since = Stopwatch::start();
        while since.elapsed() < after && self.world.sandbox.request_count() < requests {
            std::thread::park_timeout(Duration::from_micros(200));
        }
        std::thread::park_timeout(Duration::from_micros(self.rng.u64(0..20_000)));
        drop(child);
    }

    fn has_open_intent(&self) -> bool {
        let path = self.world.path("rosterd.db");
        let Ok(ledger) = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY) else {
            return false;
        };
        ledger.query_row("SELECT EXISTS (SELECT 1 FROM intent)", [], |row| row.get(0)).unwrap_or(false)
    }

    /// Nobody whom each roster named was asked to be unassigned, or lost the seat. Gives the removals that were sent.
    fn look(&mut self) -> usize {
        let log = self.world.sandbox.requests();
        let mut removals = 0;
        for request in log.iter().filter(|request| request.seq > self.looked_at && request.method == "DELETE") {
            let name = NAMES.into_iter().find(|name| Some(id(name)) == request.subscription).unwrap();
            let wrong = request.emails.iter().find(|email| self.steady[name].contains(&email.to_lowercase()));
            assert_eq!(wrong, None, "{name}: every roster names them: {request:?}");
            removals += request.emails.len();
        }
        self.looked_at = log.last().map_or(0, |request| request.seq);
        for name in NAMES {
            let assigned = self.assigned(name);
            let lost: Vec<_> = self.seated[name].difference(&assigned).collect();
            assert!(lost.is_empty(), "{name}: every roster names them, and they lost the seat: {lost:?}");
            let seated = self.steady[name].intersection(&assigned).cloned();
            self.seated.get_mut(name).unwrap().extend(seated);
        }
        removals
    }

    /// Without further faults the server becomes the roster, as far as seats go, and the ledger says the same. Gives the
    /// removals that were sent.
    fn converge(&mut self) -> usize {
        self.world.sandbox.set_faults(Faults::default());
        let ran = self.world.run(&["sync"]);
        assert!(matches!(ran.status, 0 | 3), "{ran:?}");
        let removals = self.look();
        let status = self.world.run(&["status", "--json"]).stdout;
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        for one in status["subscriptions"].as_array().unwrap() {
            let name = NAMES.into_iter().find(|name| one["name"] == *name).unwrap();
            let (desired, assigned) = (self.desired(name), self.assigned(name));
            let strangers: Vec<_> = assigned.difference(&desired).collect();
            assert!(strangers.is_empty(), "{name}: have a seat that nobody wants for them: {strangers:?}\n{one:#}");
            let seats = desired.len().min(usize::try_from(SEATS).unwrap());
            assert_eq!(assigned.len(), seats, "{name}: {:?}\n{one:#}", desired.difference(&assigned));
            assert!((0..CORE).all(|person| assigned.contains(&address(name, person, 0))), "{name}: {assigned:?}");
            let left = (desired.len() - assigned.len()) as u64;
            let counts = ["assigned", "pending", "unknown", "leaving", "quarantined"].map(|it| &one["members"][it]);
            assert_eq!(counts, [seats as u64, left, 0, 0, 0], "{name}: {one:#}");
            assert!(one["problem"].is_null() && one["hold"].is_null(), "{one:#}");
            self.steady.insert(name, desired);
            self.seated.insert(name, assigned);
        }
        removals
    }
}

/// Ends with SIGKILL.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn address(name: &str, person: usize, number: u32) -> String {
    format!("p{person}.{number}@{name}.com")
}

fn guest_address(guest: usize) -> String {
    format!("guest{guest}@elsewhere.org")
}

fn configuration(base_url: &str) -> String {
    let mut text = format!(
        "[ledger]\nurl = \"sqlite:rosterd.db\"\n[http]\nlisten = \"off\"\n\
         [licensing]\nbase_url = \"{base_url}\"\nrequests_per_second = 1000.0\nburst = 100\nretry_for = \"3s\"\n\
         [defaults]\nbatch_size = 7\nseat_probe = \"1s\"\n\
         [defaults.guard]\nmax_removals = 100000\nmax_removals_per_day = 100000\n\
         [sources.hr]\nkind = \"csv\"\npath = \"drops\"\nsettle = \"0s\"\npoll_interval = \"1s\"\n\
         [sources.guests]\nkind = \"csv\"\npath = \"guests\"\nmode = \"delta\"\nsettle = \"0s\"\npoll_interval = \"1s\"\n"
    );
    for name in NAMES {
        let (id, sources) = (id(name), if name == "fabrikam" { "\"hr\", \"guests\"" } else { "\"hr\"" });
        writeln!(
            text,
            "[subscriptions.{name}]\ntype = \"Manual\"\nid = \"{id}\"\napi_key = {{ file = \"contoso.key\" }}\nsources = [{sources}]"
        )
        .unwrap();
    }
    text
}
