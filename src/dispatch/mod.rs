//! Carries a plan out: [`machine`] decides every step and touches nothing, [`drive`] does what it asks.

// What decides: the next step, what goes into one request, whom to set aside, what words mean, what fits, when again,
// who goes first, how a renamed seat moves, why a run stops.
mod batch;
pub mod machine;
mod offenders;
mod renames;
mod retry;
mod seats;
pub mod stop;
pub mod turns;
mod wording;

// What touches the world: carrying a step out, waiting for a turn.
pub mod drive;
pub mod pace;

#[cfg(test)]
mod tests;
