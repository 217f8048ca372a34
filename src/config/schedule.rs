//! When a subscription is due: a cron expression in a time zone.

use std::fmt;
use std::sync::Arc;

use chrono_tz::Tz;
use croner::parser::{CronParser, Year};

use crate::clock::Timestamp;

/// A cron expression, five fields or six with seconds, in a time zone.
#[derive(Clone)]
pub struct Schedule {
    pub cron: Arc<croner::Cron>,
    pub zone: Tz,
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Schedule) -> bool {
        self.cron.as_str() == other.cron.as_str() && self.zone == other.zone
    }
}

/// As it is written, not the tables that it was turned into.
impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({} {})", self.cron.as_str(), self.zone)
    }
}

/// Why a text is no schedule. Displays as a fragment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSchedule {
    #[error("it has {0} fields, not five or six")]
    Fields(usize),
    #[error("{0}")]
    Field(String),
    #[error("no day ever fits it")]
    Never,
}

impl Schedule {
    /// # Errors
    /// When it is no cron expression, or one that never comes.
    pub fn parse(text: &str, zone: Tz) -> Result<Schedule, NoSchedule> {
        let fields = text.split_whitespace().count();
        if !(5..=6).contains(&fields) && !text.trim().starts_with('@') {
            return Err(NoSchedule::Fields(fields));
        }
        if !text.is_ascii() {
            return Err(NoSchedule::Field("it has a character that is no part of cron".to_owned()));
        }
        let parser = CronParser::builder().year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|error| NoSchedule::Field(lower_first(&error.to_string())))?;
        // Impossible dates show only when one asks for them; they are the same in every zone.
        cron.find_next_occurrence(&Timestamp::UNIX_EPOCH, false).map_err(|_| NoSchedule::Never)?;
        Ok(Schedule { cron: Arc::new(cron), zone })
    }

    /// The next moment after this one; `None` where there is none in the years that cron can see.
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let local = now.with_timezone(&self.zone);
        self.cron.find_next_occurrence(&local, false).ok().map(|at| at.with_timezone(&chrono::Utc))
    }
}

fn lower_first(sentence: &str) -> String {
    let sentence = sentence.trim_end_matches('.');
    let detail = sentence.split_once(": ").map_or(sentence, |(_, detail)| detail);
    let mut chars = detail.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(text: &str, zone: Tz, after: &str) -> String {
        let schedule = Schedule::parse(text, zone).unwrap();
        schedule.next_after(after.parse().unwrap()).unwrap().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }

    #[test]
    fn five_fields_six_fields_and_nicknames_are_understood_in_the_time_zone() {
        let berlin = chrono_tz::Europe::Berlin;
        assert_eq!(next("*/15 * * * *", Tz::UTC, "2026-11-23T08:01:00Z"), "2026-11-23T08:15:00Z");
        assert_eq!(next("*/10 * * * * *", Tz::UTC, "2026-11-23T08:01:01Z"), "2026-11-23T08:01:10Z");
        assert_eq!(next("0 6 * * MON-FRI", berlin, "2026-11-21T00:00:00Z"), "2026-11-23T05:00:00Z");
        assert_eq!(next("@daily", berlin, "2026-07-01T00:00:00Z"), "2026-07-01T22:00:00Z");
        assert_eq!(next("0 0 29 2 *", Tz::UTC, "2026-11-23T00:00:00Z"), "2028-02-29T00:00:00Z");
    }

    #[test]
    fn what_never_comes_or_is_no_cron_is_refused() {
        let refused = |text: &str| Schedule::parse(text, Tz::UTC).unwrap_err().to_string();
        assert_eq!(refused("0 0 30 2 *"), "no day ever fits it");
        assert_eq!(refused("every day"), "it has 2 fields, not five or six");
        assert_eq!(refused(""), "it has 0 fields, not five or six");
        assert_eq!(refused("0 0 1 1 * * 2030"), "it has 7 fields, not five or six");
        insta::assert_snapshot!(refused("61 * * * *"), @"number out of bounds");
        insta::assert_snapshot!(refused("x * * * *"), @"cronPattern contains illegal character 'X' in part 'X'");
        assert_eq!(refused("０ * * * *"), "it has a character that is no part of cron");
    }

    proptest::proptest! {
        #[test]
        fn no_text_stops_the_parser(text in "([0-9*/,LW#+?-]{1,4} ){4,6}(MON|JAN|[0-9*]{1,2})", other in "\\PC{0,20}") {
            for text in [text, other] {
                if let Ok(schedule) = Schedule::parse(&text, chrono_tz::Europe::Berlin) {
                    proptest::prop_assert!(schedule.next_after(Timestamp::UNIX_EPOCH).is_some());
                }
            }
        }
    }
}
