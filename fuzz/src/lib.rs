//! What is done with bytes that a fuzzer makes. Each `run` panics where rosterd breaks a promise; that it ends, and within
//! how much memory, is the fuzzer's to see.
//!
//! `fuzz_targets/` calls these with new bytes, and `tests/it/fuzz.rs` with those under `seeds/`, on the stable compiler.

pub mod answers;
pub mod config;
pub mod csv;
pub mod ledger;
