//! When known assignments are sent again to be sure: all of them once in a period, batch after batch at even intervals.
//! Never two batches at once, however long nobody looked and however many people there are.

use std::time::Duration;

use chrono::TimeDelta;

use crate::clock::Timestamp;

/// Longer is as good as never, and a moment can still be counted.
const INTERVAL_MAX: TimeDelta = TimeDelta::days(366);

/// How long after one batch the next is due, where so many people hold a seat.
pub fn interval(period: Duration, holding: u64, batch_size: usize) -> TimeDelta {
    let batches = holding.div_ceil(batch_size.max(1) as u64).max(1);
    let batches = u32::try_from(batches).unwrap_or(u32::MAX);
    TimeDelta::from_std(period / batches).unwrap_or(INTERVAL_MAX).min(INTERVAL_MAX)
}

/// Whether a batch is due. `last`: when the newest one went; `None`: none ever did.
pub fn is_due(last: Option<Timestamp>, interval: TimeDelta, now: Timestamp) -> bool {
    // A clock that was set back must not put it off for long.
    last.is_none_or(|last| now - last >= interval || now < last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WEEK: Duration = Duration::from_hours(168);

    #[test]
    fn everybody_is_sent_again_once_in_the_period() {
        assert_eq!(interval(WEEK, 700, 100), TimeDelta::days(1));
        assert_eq!(interval(WEEK, 601, 100), TimeDelta::days(1));
        assert_eq!(interval(WEEK, 100, 100), TimeDelta::days(7));
        assert_eq!(interval(WEEK, 0, 100), TimeDelta::days(7));
        assert_eq!(interval(Duration::MAX, 1, 1), INTERVAL_MAX);
    }

    #[test]
    fn a_batch_is_due_at_its_time_and_by_a_clock_that_was_wrong() {
        let at = |minutes| Timestamp::UNIX_EPOCH + TimeDelta::minutes(minutes);
        let due = |last, now| is_due(last, TimeDelta::minutes(30), at(now));
        assert!(due(None, 0));
        assert!(!due(Some(at(0)), 29));
        assert!(due(Some(at(0)), 30));
        assert!(due(Some(at(60)), 0));
    }

    proptest! {
        /// However seldom somebody looks, no look finds more than one batch due, and looks that come often find all
        /// people's turns within the period.
        #[test]
        fn no_burst_and_no_delay(holding in 1_u64..5000, batch_size in 1_usize..200, every in 1_i64..500) {
            let interval = interval(WEEK, holding, batch_size);
            let batches = i32::try_from(holding.div_ceil(batch_size as u64)).unwrap();
            prop_assert!(interval * batches <= TimeDelta::from_std(WEEK).unwrap());
            let (mut last, mut now) = (Some(Timestamp::UNIX_EPOCH), Timestamp::UNIX_EPOCH);
            for _ in 0..20 {
                now += TimeDelta::minutes(every);
                if is_due(last, interval, now) {
                    prop_assert!(last.is_none_or(|last| now - last >= interval));
                    last = Some(now);
                }
                prop_assert!(!is_due(last, interval, now));
            }
        }
    }
}
