//! How long to wait before a request is sent again: exponential backoff with full jitter.

use std::time::Duration;

/// The first wait is at most this long; each further one at most twice the one before.
const BASE: Duration = Duration::from_millis(500);
/// No wait of our own choosing is longer.
const CAP: Duration = Duration::from_secs(30);

/// Draws waits from a seed: the same seed gives the same waits.
#[derive(Debug)]
pub(super) struct Backoff(fastrand::Rng);

impl Backoff {
    pub(super) fn new(seed: u64) -> Backoff {
        Backoff(fastrand::Rng::with_seed(seed))
    }

    /// The wait after the attempt of this number, which counts from 1. It is never shorter than `floor`, what the
    /// server asked for.
    pub(super) fn wait(&mut self, attempt: u32, floor: Option<Duration>) -> Duration {
        let doubled = BASE.saturating_mul(1 << attempt.saturating_sub(1).min(16));
        let jittered = doubled.min(CAP).mul_f64(self.0.f64());
        jittered.max(floor.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_lies_between_nothing_and_a_doubling_limit() {
        let mut backoff = Backoff::new(1);
        for attempt in 1..200 {
            let limit = Duration::from_millis(500 * 2_u64.pow(attempt.min(20) - 1)).min(CAP);
            assert!(backoff.wait(attempt, None) <= limit, "attempt {attempt}");
        }
    }

    #[test]
    fn waits_differ_and_follow_from_the_seed() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed);
            (1..9).map(|attempt| backoff.wait(attempt, None)).collect::<Vec<_>>()
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
    }

    #[test]
    fn what_the_server_asks_for_is_the_least() {
        let floor = Duration::from_secs(40);
        assert_eq!(Backoff::new(3).wait(1, Some(floor)), floor);
        assert!(Backoff::new(3).wait(9, Some(Duration::from_millis(1))) > Duration::from_millis(1));
    }
}
