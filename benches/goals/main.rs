//! Measures the goals, each against a reference in the same run:
//!
//! ```text
//! cargo bench --bench goals -- [p1] [p2] [p3] [p6] [p7] [p8] [p9] [p16] [--rows N] [--people N] [--members N] [--entries N] [--subscriptions N]
//!     [--served N] [--rounds N]
//! ```
//!
//! Both sides of a goal are whole processes that take turns, so that a busy machine slows both; the ratio of medians is
//! what to look at. Nothing here asserts a time. What is asserted is that the work was done, and no more than it.

#![expect(unreachable_pub, reason = "there is nobody to reach it")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a measurement may fail where it stands")]

mod dashboard;
mod directory;
#[path = "../../tests/it/pages/fixture.rs"]
mod fixture;
mod measure;
mod onboard;
mod push;
mod reference;
mod roster;
mod slapd;
mod world;

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Parser, ValueEnum};

#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Bench {
    /// What to measure [default: all]
    goals: Vec<Goal>,
    /// People in the rosters of p1, p2 and p3
    #[arg(long, default_value_t = 100_000)]
    rows: usize,
    /// People who are onboarded in p9
    #[arg(long, default_value_t = 20_000)]
    people: usize,
    /// Members of the group in p6, p7 and p8
    #[arg(long, default_value_t = 100_000)]
    members: usize,
    /// People in the directory that has this group; at least its members
    #[arg(long, default_value_t = 0)]
    entries: usize,
    /// Subscriptions on the dashboard of p16
    #[arg(long, default_value_t = 2_000)]
    subscriptions: usize,
    /// Members of all of them together
    #[arg(long, default_value_t = 1_000_000)]
    served: usize,
    /// How often both sides are measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Another rosterd than the one built here, to compare two versions
    #[arg(long, value_name = "FILE", default_value = world::BUILT)]
    binary: PathBuf,
    /// What cargo says to every bench
    #[arg(long = "bench", hide = true)]
    _from_cargo: bool,
    #[command(subcommand)]
    reference: Option<reference::Reference>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Goal {
    /// An unchanged file, against `wc -l`
    P1,
    /// A hundred changes in random order up to the first request, against `sort -u` and `comm`
    P2,
    /// The same people in another order, against a bare parse
    P3,
    /// A group in OpenLDAP read whole, one change, against `ldapsearch` with the same filter and page
    P6,
    /// The same group when nothing has changed, against an `ldapsearch` of one entry
    P7,
    /// A change in that directory up to the request for it, against the modify's own answer
    P8,
    /// Onboarding in batches of 100, against a bare hyper client
    P9,
    /// The dashboard's answers while a run is going on, against a bare answer
    P16,
}

fn main() {
    let bench = Bench::parse();
    if let Some(reference) = &bench.reference {
        return reference.run();
    }
    let wanted = |goal| bench.goals.is_empty() || bench.goals.contains(&goal);
    describe_machine(&bench);
    println!("{}", measure::HEADING);
    if [Goal::P1, Goal::P2, Goal::P3].into_iter().any(wanted) {
        let rosters = roster::Rosters::new(&bench.binary, bench.rows, bench.rounds);
        if wanted(Goal::P1) {
            rosters.unchanged();
        }
        if wanted(Goal::P2) {
            rosters.changed();
        }
        if wanted(Goal::P3) {
            rosters.reordered();
        }
    }
    if [Goal::P6, Goal::P7, Goal::P8].into_iter().any(wanted) {
        let entries = bench.entries.max(bench.members);
        let directory = directory::Directory::new(&bench.binary, entries, bench.members, bench.rounds);
        if wanted(Goal::P6) {
            directory.read_whole();
        }
        if wanted(Goal::P7) {
            directory.unchanged();
        }
        if wanted(Goal::P8) {
            push::pushed(&directory, bench.rounds);
        }
    }
    if wanted(Goal::P9) {
        onboard::onboard(&bench.binary, bench.people, bench.rounds);
    }
    if wanted(Goal::P16) {
        dashboard::answers(&bench.binary, bench.subscriptions, bench.served, bench.rounds);
    }
}

fn describe_machine(bench: &Bench) {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("?", |it| it.1);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let first_line = |program: &Path| {
        let said = Command::new(program).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&said).lines().next().unwrap_or("?").to_owned()
    };
    println!("{cores} cores of {model}, Linux {}", read("/proc/sys/kernel/osrelease").trim());
    println!("load {}; {}; {}", read("/proc/loadavg").trim(), first_line(&bench.binary), first_line(Path::new("sort")));
    println!("{} rows, {} people to onboard, {} rounds\n", bench.rows, bench.people, bench.rounds);
}
