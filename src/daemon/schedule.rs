//! When a subscription's timed pass is due: its cron expression, and a jitter of its own so that thousands of
//! subscriptions with one expression don't ask in one second.

use std::time::Duration;

use chrono::TimeDelta;

use crate::clock::Timestamp;
use crate::config::Schedule;

/// The jitter is at most this share of the distance between two occurrences …
const JITTER_SHARE: i32 = 10;
/// … and at most this long.
const JITTER_MAX: Duration = Duration::from_mins(1);

/// The next timed pass after `now`: an occurrence of the schedule plus a jitter that depends on the name and the
/// occurrence alone, so that it is the same after a restart and on every machine. `None` where the schedule has no
/// occurrence any more.
pub fn next_run(name: &str, schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
    // An occurrence of the past whose jitter lies ahead is still to come.
    let mut occurrence = schedule.next_after(now - TimeDelta::from_std(JITTER_MAX).unwrap_or_default())?;
    loop {
        let following = schedule.next_after(occurrence);
        let due = occurrence + jitter(name, occurrence, following);
        if due > now {
            return Some(due);
        }
        occurrence = following?;
    }
}

fn jitter(name: &str, occurrence: Timestamp, following: Option<Timestamp>) -> TimeDelta {
    let longest = TimeDelta::from_std(JITTER_MAX).unwrap_or_default();
    let window = following.map_or(longest, |next| ((next - occurrence) / JITTER_SHARE).min(longest));
    let Ok(window_ms) = u64::try_from(window.num_milliseconds()) else { return TimeDelta::zero() };
    if window_ms == 0 {
        return TimeDelta::zero();
    }
    let digest = blake3::hash(format!("{name} {}", occurrence.timestamp()).as_bytes());
    let number = digest.as_bytes()[..8].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    TimeDelta::milliseconds(i64::try_from(number % window_ms).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn schedule(cron: &str, zone: chrono_tz::Tz) -> Schedule {
        Schedule { cron: croner::Cron::from_str(cron).unwrap().into(), zone }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_jitter_is_small_and_stays_the_same() {
        let quarter = schedule("*/15 * * * *", chrono_tz::UTC);
        let due = next_run("contoso", &quarter, at("2026-11-23T08:02:00Z")).unwrap();
        assert!(due >= at("2026-11-23T08:15:00Z") && due < at("2026-11-23T08:16:00Z"), "{due}");
        assert_eq!(next_run("contoso", &quarter, at("2026-11-23T08:14:59Z")), Some(due));
        // Within the jitter of the occurrence, it is still the same one.
        assert_eq!(next_run("contoso", &quarter, due - TimeDelta::milliseconds(1)), Some(due));
        assert!(next_run("contoso", &quarter, due).unwrap() > at("2026-11-23T08:30:00Z") - TimeDelta::seconds(1));
        assert_ne!(next_run("fabrikam", &quarter, at("2026-11-23T08:02:00Z")), Some(due));
    }

    #[test]
    fn four_in_the_morning_is_four_in_the_morning_on_both_sides_of_a_change_of_clocks() {
        let daily = schedule("0 4 * * *", chrono_tz::Europe::Berlin);
        let hour = |now| {
            let due = next_run("contoso", &daily, at(now)).unwrap().with_timezone(&chrono_tz::Europe::Berlin);
            due.format("%d %H").to_string()
        };
        assert_eq!(hour("2026-10-24T00:00:00Z"), "24 04");
        assert_eq!(hour("2026-10-24T12:00:00Z"), "25 04");
        assert_eq!(hour("2026-10-25T12:00:00Z"), "26 04");
    }
}
