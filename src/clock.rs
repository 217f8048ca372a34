//! The only file that reads the time. Everything else takes the moment as an argument.

use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, Utc};

/// A moment on the calendar, in UTC, to the millisecond: what the ledger stores.
pub type Timestamp = DateTime<Utc>;

/// The present moment, to the millisecond.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub fn now() -> Timestamp {
    Utc::now().trunc_subsecs(3)
}

/// A clock that can't be set: for waiting, never for the calendar.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
