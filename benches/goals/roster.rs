//! The goals that concern one large roster.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::measure::{Side, run};
use crate::reference;
use crate::world::{HEADER, World, address, row};

/// How many people leave, and how many come, between the two rosters.
const MOVED: usize = 50;

/// A ledger that knows a roster, and other rosters beside it: `a` and `a2` name the same people in two orders; in `b`,
/// a hundred places are other.
pub struct Rosters {
    world: World,
    rows: usize,
    rounds: usize,
}

impl Rosters {
    pub fn new(binary: &Path, rows: usize, rounds: usize) -> Rosters {
        let world = World::new(binary, Duration::ZERO);
        let mut random = fastrand::Rng::with_seed(7);
        let mut write = |name: &str, mut people: Vec<usize>| {
            random.shuffle(&mut people);
            let lines = std::iter::once(HEADER.to_owned()).chain(people.iter().map(|&number| row(number)));
            world.write_lines(&format!("{name}.csv"), lines);
            world.write_lines(&format!("{name}.txt"), people.iter().map(|&number| address(number)));
            let mut known: Vec<String> = people.into_iter().map(address).collect();
            known.sort_unstable();
            world.write_lines(&format!("{name}.known"), known);
        };
        write("a", (0..rows).collect());
        write("a2", (0..rows).collect());
        write("b", (MOVED..rows + MOVED).collect());
        let rosters = Rosters { world, rows, rounds };
        // Taken in with large batches; what follows is at the usual size.
        rosters.world.configure(10_000);
        rosters.take("a");
        rosters.world.configure(100);
        rosters
    }

    /// The roster becomes what the ledger knows and the server has.
    fn take(&self, name: &str) {
        self.world.take_roster(&format!("{name}.csv"));
        self.world.sync(false);
        assert_eq!(self.world.sandbox.assigned(crate::world::ID).len(), self.rows);
    }

    pub fn unchanged(&self) {
        self.take("a");
        let (mut ours, mut counted) = (Side::default(), Side::default());
        let count = || {
            let mut command = Command::new("wc");
            command.arg("-l").arg(self.world.path("people.csv"));
            command
        };
        let (requests, ledger) = (self.world.sandbox.request_count(), self.world.ledger_digest());
        ours.saw(self.world.sync(true).peak);
        counted.saw(run(count(), true).peak);
        for _ in 0..self.rounds {
            ours.add(self.world.sync(false));
            counted.add(run(count(), false));
        }
        assert_eq!(self.world.sandbox.request_count(), requests, "an unchanged file leads to no request");
        assert_eq!(self.world.ledger_digest(), ledger, "an unchanged file leads to no commit");
        let bare = self.start();
        println!("{}", ours.row("P1  rosterd sync, file unchanged", Some(&counted)));
        println!("{}", counted.row("    wc -l", None));
        println!("{}", bare.row("    rosterd --version: bare start", None));
        let goal = counted.median().mul_f64(2.5) + Duration::from_millis(20);
        println!(
            "    goal: at most 2.5 x wc -l + 20 ms = {:.1}ms, 24 MiB; no request, no commit: so it was\n",
            ms(goal)
        );
    }

    pub fn changed(&self) {
        self.take("a");
        let (mut first, mut whole, mut sorted) = (Side::default(), Side::default(), Side::default());
        for round in 0..=self.rounds {
            let (old, new) = if round % 2 == 0 { ("a", "b") } else { ("b", "a") };
            // The first round is for memory alone.
            let warm = round == 0;
            self.world.take_roster(&format!("{new}.csv"));
            let before = self.world.sandbox.request_count();
            let ran = self.world.sync(warm);
            let requests = self.world.sandbox.request_count() - before;
            assert_eq!(requests, 2, "fifty come and fifty go: one request each");
            assert_eq!(self.world.sandbox.assigned(crate::world::ID).len(), self.rows);
            let reference = run(self.sort_and_compare(old, new), warm);
            if warm {
                whole.saw(ran.peak);
                sorted.saw(reference.peak);
            } else {
                first.add_part(self.world.first_request(before, ran.began));
                whole.add(ran);
                sorted.add(reference);
            }
        }
        println!("{}", first.row("P2  100 changes, up to the first request", Some(&sorted)));
        println!("{}", whole.row("    the whole rosterd sync", Some(&sorted)));
        println!("{}", sorted.row("    LC_ALL=C sort -u | comm -3, addresses", None));
        println!("    goal: 0.40x, 64 MiB\n");
    }

    fn sort_and_compare(&self, old: &str, new: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg("LC_ALL=C sort -u \"$1\" | LC_ALL=C comm -3 - \"$2\"").arg("sh");
        command.arg(self.world.path(&format!("{new}.txt"))).arg(self.world.path(&format!("{old}.known")));
        command
    }

    pub fn reordered(&self) {
        self.take("a");
        let (mut ours, mut parsed) = (Side::default(), Side::default());
        let requests = self.world.sandbox.request_count();
        for round in 0..=self.rounds {
            let warm = round == 0;
            self.world.take_roster(if round % 2 == 0 { "a2.csv" } else { "a.csv" });
            let ran = self.world.sync(warm);
            let reference = run(reference::parse(&self.world.path("people.csv")), warm);
            if warm {
                ours.saw(ran.peak);
                parsed.saw(reference.peak);
            } else {
                ours.add(ran);
                parsed.add(reference);
            }
        }
        assert_eq!(self.world.sandbox.request_count(), requests, "the same people lead to no request");
        println!("{}", ours.row("P3  same people, another order", Some(&parsed)));
        println!("{}", parsed.row("    bare parse (csv-core records)", None));
        println!("    goal: 1.4x\n");
    }

    /// How long the binary takes to do nothing.
    fn start(&self) -> Side {
        let mut bare = Side::default();
        for _ in 0..self.rounds {
            bare.add(run(self.world.rosterd("--version"), false));
        }
        bare
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
