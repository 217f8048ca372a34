//! What fuzzing runs, on the inputs under `fuzz/seeds/`: those that it began with, and each that once showed a mistake.

use std::fs;
use std::path::Path;

#[expect(unreachable_pub, reason = "a package of its own, too")]
#[path = "../../fuzz/src/lib.rs"]
mod bodies;

fn replay(target: &str, run: fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut seeds: Vec<_> = fs::read_dir(seeds).unwrap().map(|seed| seed.unwrap().path()).collect();
    seeds.sort();
    assert!(seeds.len() > 10, "{target} has its seeds");
    for seed in seeds {
        println!("{}", seed.display());
        run(&fs::read(&seed).unwrap());
    }
}

#[test]
fn a_csv_of_any_bytes_is_read_or_refused() {
    replay("csv", bodies::csv::run);
}

#[test]
fn a_configuration_of_any_text_is_read_or_refused() {
    replay("config", bodies::config::run);
}

#[test]
fn any_answers_of_a_server_lead_to_outcomes() {
    replay("answers", bodies::answers::run);
}

#[test]
fn a_ledger_of_any_bytes_is_opened_or_refused() {
    replay("ledger", bodies::ledger::run);
}
