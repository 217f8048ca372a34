//! How often a token may be tried: whoever tries wrong ones waits ever longer. In bounded memory, however many try.

use std::collections::HashMap;
use std::time::Duration;

/// So many wrong ones cost nothing: a person mistypes.
const FREE: u32 = 5;
/// After the next one the wait is this, after each further one twice as long …
const FIRST: Duration = Duration::from_secs(1);
/// … up to this.
const LONGEST: Duration = Duration::from_mins(5);
/// Whoever has not tried for so long begins anew.
const FORGOTTEN: Duration = Duration::from_mins(15);
/// So many are told apart; where there are more, the others count as one.
const KNOWN_MAX: usize = 1024;

/// See the module's page. Moments are counted from any fixed one, by a clock that nobody sets.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    known: HashMap<String, Tries>,
    others: Tries,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tries {
    wrong: u32,
    last: Duration,
    until: Duration,
}

impl Throttle {
    /// How long `who` has to wait before a token is looked at; `None`: not at all.
    pub(super) fn wait(&self, who: &str, now: Duration) -> Option<Duration> {
        let tries = self.known.get(who).unwrap_or(&self.others);
        tries.until.checked_sub(now).filter(|wait| !wait.is_zero())
    }

    /// `who` tried a wrong one.
    pub(super) fn wrong(&mut self, who: &str, now: Duration) {
        if !self.known.contains_key(who) && self.known.len() >= KNOWN_MAX {
            self.known.retain(|_, tries| !tries.is_forgotten(now));
        }
        let is_told_apart = self.known.contains_key(who) || self.known.len() < KNOWN_MAX;
        let tries = if is_told_apart { self.known.entry(who.to_owned()).or_default() } else { &mut self.others };
        tries.wrong(now);
    }

    /// `who` had the right one.
    pub(super) fn right(&mut self, who: &str) {
        self.known.remove(who);
    }
}

impl Tries {
    fn is_forgotten(&self, now: Duration) -> bool {
        now.saturating_sub(self.last) >= FORGOTTEN
    }

    fn wrong(&mut self, now: Duration) {
        if self.is_forgotten(now) {
            self.wrong = 0;
        }
        self.wrong = self.wrong.saturating_add(1);
        self.last = now;
        if let Some(doublings) = self.wrong.checked_sub(FREE + 1) {
            self.until = now + FIRST.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// The waits after each of so many wrong ones in a row, each tried as soon as it may be.
    fn waits(throttle: &mut Throttle, who: &str, tries: usize) -> Vec<u64> {
        let mut now = Duration::ZERO;
        let mut wait = |_| {
            throttle.wrong(who, now);
            let wait = throttle.wait(who, now).unwrap_or_default();
            now += wait;
            wait.as_secs()
        };
        (0..tries).map(&mut wait).collect()
    }

    #[test]
    fn a_few_mistakes_cost_nothing_and_then_each_costs_twice_as_much_up_to_a_bound() {
        let waits = waits(&mut Throttle::default(), "192.0.2.7", 16);
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    #[test]
    fn others_are_not_kept_waiting_and_the_right_one_ends_it() {
        let mut throttle = Throttle::default();
        waits(&mut throttle, "192.0.2.7", 10);
        assert!(throttle.wait("192.0.2.7", secs(16)).is_some());
        assert_eq!(throttle.wait("192.0.2.8", secs(16)), None);
        throttle.right("192.0.2.7");
        assert_eq!(throttle.wait("192.0.2.7", secs(16)), None);
    }

    #[test]
    fn who_rests_begins_anew() {
        let mut throttle = Throttle::default();
        for _ in 0..FREE {
            throttle.wrong("192.0.2.7", secs(0));
        }
        throttle.wrong("192.0.2.7", FORGOTTEN);
        assert_eq!(throttle.wait("192.0.2.7", FORGOTTEN), None);
    }

    #[test]
    fn a_crowd_takes_bounded_memory_and_is_throttled_as_one() {
        let mut throttle = Throttle::default();
        for n in 0..KNOWN_MAX + 10 {
            throttle.wrong(&n.to_string(), secs(1));
        }
        assert_eq!(throttle.known.len(), KNOWN_MAX);
        assert!(throttle.wait("somebody else", secs(1)).is_some());
        throttle.wrong("after a rest there is room again", secs(1) + FORGOTTEN);
        assert_eq!(throttle.known.len(), 1);
    }
}
