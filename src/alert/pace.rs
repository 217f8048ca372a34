//! How many messages a receiver gets: a few at once, then one now and then. What comes beyond that is told together, so that
//! whoever is told of everything can still read it.

use chrono::TimeDelta;

use crate::clock::Timestamp;

/// So many messages may be sent at once …
pub const AT_ONCE: i32 = 10;
/// … and one more each time that this has passed.
pub const EVERY: TimeDelta = TimeDelta::minutes(10);

/// How many may be sent now. `spent` is when all of [`AT_ONCE`] may be sent again.
pub fn allowed(spent: Timestamp, now: Timestamp) -> u64 {
    let free = (1..=AT_ONCE).filter(|number| is_allowed(*number, spent, now)).count() as u64;
    // A clock that was ahead must not keep anything back.
    if spent > now + EVERY * AT_ONCE { u64::from(AT_ONCE.unsigned_abs()) } else { free }
}

fn is_allowed(number: i32, spent: Timestamp, now: Timestamp) -> bool {
    spent <= now + EVERY * (AT_ONCE - number)
}

/// The same after one more was sent.
pub fn after_one(spent: Timestamp, now: Timestamp) -> Timestamp {
    let spent = if spent > now + EVERY * AT_ONCE { now } else { spent.max(now) };
    spent + EVERY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    #[test]
    fn a_few_are_sent_at_once_and_then_one_now_and_then() {
        let (mut spent, mut minutes) = (Timestamp::UNIX_EPOCH, Vec::new());
        for minute in 1000..1060 {
            while allowed(spent, at(minute)) > 0 {
                spent = after_one(spent, at(minute));
                minutes.push(minute - 1000);
            }
        }
        assert_eq!(minutes, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 20, 30, 40, 50]);
        assert_eq!(allowed(spent, at(1150)), 10, "all of it is there again");
        assert_eq!(allowed(spent, at(5)), 10, "the clock was set back");
        assert_eq!(after_one(spent, at(5)), at(15));
    }
}
