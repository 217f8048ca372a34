//! See `src/ledger.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rosterd_fuzz::ledger::run(data));
