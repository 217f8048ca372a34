//! The only file that reads the time. Everything else takes the moment as an argument.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use tokio::time::Instant;

/// A moment on the calendar, in UTC, to the millisecond: what the ledger stores.
pub type Timestamp = DateTime<Utc>;

/// The present moment, to the millisecond.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub fn now() -> Timestamp {
    Utc::now().trunc_subsecs(3)
}

/// A clock that can't be set: for waiting, never for the calendar. It is tokio's, so that it agrees with its timers.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
