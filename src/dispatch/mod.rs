//! Carries a plan out: [`machine`] decides every step and touches nothing, [`drive`] does what it asks.

pub mod batch;
pub mod drive;
pub mod machine;
mod offenders;
pub mod pace;
pub mod retry;
pub mod seats;
pub mod turns;

#[cfg(test)]
mod tests;
