//! See `src/csv.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rosterd_fuzz::csv::run(data));
