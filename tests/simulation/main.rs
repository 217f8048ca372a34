//! Lives drawn from seeds: rosters are edited, requests and answers are lost, processes die, clocks are set, and the rules
//! that always hold are checked after every step. What fails is shrunk, and printed with its seed.
//!
//! `ROSTERD_SEEDS=100000..200000` plays other seeds than the ordinary run, `ROSTERD_SEED=7` one alone, step by step.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a test can't do without")]

mod checks;
mod host;
mod life;
mod lives;
mod looks;
mod rules;
mod script;
mod setting;
mod truth;
mod watch;
mod words;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use life::{Failure, play};
use rules::Mistake;
use script::Script;

const SEEDS: Range<u64> = 0..10_000;
/// Within so many lives each deliberate mistake shows.
const MISTAKES_SHOW_IN: u64 = 2000;

/// A life that fails, by a broken rule or a panic.
fn failure(script: &Script) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(|| play(script, None, true))) {
        Ok(Ok(())) => None,
        Ok(Err(Failure { broken, log })) => Some(format!("{}\n{broken:?}", log.join("\n"))),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            Some(text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default())
        }
    }
}

fn fails(script: &Script) -> bool {
    catch_unwind(AssertUnwindSafe(|| play(script, None, false))).map_or(true, |played| played.is_err())
}

fn seeds() -> Range<u64> {
    let number = |text: &str| text.parse::<u64>().ok();
    if let Some(seed) = std::env::var("ROSTERD_SEED").ok().as_deref().and_then(number) {
        return seed..seed + 1;
    }
    let given = std::env::var("ROSTERD_SEEDS").ok();
    let range = given.as_deref().map(|given| {
        given
            .split_once("..")
            .and_then(|(from, to)| Some(number(from)?..number(to)?))
            .expect("ROSTERD_SEEDS is FROM..TO")
    });
    range.unwrap_or(SEEDS)
}

#[test]
fn in_every_life_the_rules_hold_and_the_world_converges() {
    let seeds = seeds();
    let (next, failed, over) = (AtomicU64::new(seeds.start), AtomicU64::new(u64::MAX), AtomicBool::new(false));
    let play_some = || {
        while !over.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            if fails(&Script::draw(seed)) {
                failed.fetch_min(seed, Ordering::Relaxed);
                over.store(true, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(play_some);
        }
    });
    let seed = failed.load(Ordering::Relaxed);
    if seed < u64::MAX {
        let short = Script::draw(seed).shrink(fails);
        let told = failure(&short).unwrap_or_default();
        panic!("seed {seed} fails (ROSTERD_SEED={seed} plays it alone), at its shortest:\n{short}\n{told}");
    }
}

#[test]
fn each_deliberate_mistake_is_caught_by_its_rule() {
    for (mistake, rule) in Mistake::ALL {
        let caught = (0..MISTAKES_SHOW_IN).any(|seed| {
            let broken = play(&Script::draw(seed), Some((mistake, rule)), false).err();
            broken.is_some_and(|failure| failure.broken.iter().any(|(seen, _)| *seen == rule))
        });
        assert!(caught, "{mistake:?} is not seen to break {rule:?}");
    }
}
