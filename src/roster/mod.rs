//! Who should have a licence: what sources say, as entries, and how two readings of one source differ.
//!
//! [`Entry`] is one person as one source names them. [`change`] turns the difference between the stored roster and a
//! new reading into edits, pairing a removed and an added entry of one stable id into a rename; [`fingerprint`] says
//! where to look for it. [`membership`] decides, from all entries of one address, what is desired of it at a moment.

pub mod change;
pub mod fingerprint;
pub mod membership;

use std::fmt;
use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::clock::Timestamp;

pub use fingerprint::{Fingerprint, Parts};

/// One person as one source names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub address: Address,
    /// What names this person whatever the address, unique in its source: a CSV's `id`, `objectGUID`, `entryUUID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable_id: Option<Box<str>>,
    /// The one subscription that this entry is for; `None`: every subscription that names the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Box<str>>,
    /// Lower is served first.
    pub priority: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<When>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<When>,
    /// Where in the source it stands, for a person to look: `staff.csv line 7`.
    pub origin: Box<str>,
}

/// The priority of an entry that gives none.
pub const PRIORITY_DEFAULT: i32 = 100;

/// The years that a date may be in.
const YEARS: RangeInclusive<i32> = 1900..=9999;

/// When a membership starts or ends: a day, which begins at midnight in the subscription's time zone, or a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum When {
    Day(NaiveDate),
    At(Timestamp),
}

impl When {
    /// Reads `2026-12-01` or RFC 3339, of the years 1900 to 9999 in UTC: a year of two digits, or the zero that some
    /// programs write for no date, would end a membership at once.
    ///
    /// # Errors
    /// `Err(())` for any other text; the caller names the place.
    #[expect(clippy::result_unit_err, reason = "the caller knows row and column, and there is one thing to say")]
    pub fn parse(text: &str) -> Result<When, ()> {
        let when = match day(text) {
            Some(day) => When::Day(day),
            None => When::At(DateTime::parse_from_rfc3339(text).map_err(|_| ())?.with_timezone(&Utc)),
        };
        if YEARS.contains(&when.about().year()) { Ok(when) } else { Err(()) }
    }

    /// The moment that is meant, in a subscription with this time zone. A midnight that a change of clocks skips or
    /// doubles means the first moment of that day.
    pub fn moment(self, zone: Tz) -> Timestamp {
        let day = match self {
            When::At(at) => return at,
            When::Day(day) => day,
        };
        let midnight = day.and_time(NaiveTime::MIN);
        // Look for the first quarter of an hour that exists. A zone that crosses the date line skips a whole day.
        for quarter in 0..=24 * 4 {
            match zone.from_local_datetime(&(midnight + TimeDelta::minutes(15 * quarter))) {
                LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => return at.with_timezone(&Utc),
                LocalResult::None => {}
            }
        }
        midnight.and_utc()
    }

    /// The moment in UTC, at most 15 hours away from the moment in any time zone.
    pub fn about(self) -> Timestamp {
        match self {
            When::At(at) => at,
            When::Day(day) => day.and_time(NaiveTime::MIN).and_utc(),
        }
    }
}

/// Reads `2026-12-01`, quickly: a roster may have a million of them.
fn day(text: &str) -> Option<NaiveDate> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else { return None };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))
    };
    let year = i32::try_from(number(&[y1, y2, y3, y4])?).ok()?;
    NaiveDate::from_ymd_opt(year, number(&[m1, m2])?, number(&[d1, d2])?)
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::Day(day) => write!(f, "{day}"),
            When::At(at) => f.write_str(&at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)),
        }
    }
}

/// Why somebody should lose a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// No longer in the group or file.
    Left,
    /// The account is disabled.
    Disabled,
    /// The person's entry can't be found any more.
    Vanished,
    /// The end date is past.
    Ended,
    /// A delta row removed them.
    Removed,
    /// The same stable id has another address now.
    Renamed,
    /// An `exclude` pattern of the configuration matches.
    Excluded,
    /// The configuration changed what is looked at.
    Scope,
}

impl Reason {
    #[cfg(test)]
    pub(crate) const ALL: [Reason; 8] = [
        Reason::Left,
        Reason::Disabled,
        Reason::Vanished,
        Reason::Ended,
        Reason::Removed,
        Reason::Renamed,
        Reason::Excluded,
        Reason::Scope,
    ];

    /// The word used in the ledger, in JSON and in logs.
    pub fn label(self) -> &'static str {
        match self {
            Reason::Left => "left",
            Reason::Disabled => "disabled",
            Reason::Vanished => "vanished",
            Reason::Ended => "ended",
            Reason::Removed => "removed",
            Reason::Renamed => "renamed",
            Reason::Excluded => "excluded",
            Reason::Scope => "scope",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// Names an entry in its roster: a keyed 128-bit hash of identity and route. The key is the ledger's own and random, so
/// nobody can make two addresses meet; among 2^32 entries two meet by chance less often than once in 10^19.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey(pub [u8; 16]);

/// Makes [`EntryKey`]s and content hashes; holds the ledger's random key.
#[derive(Clone)]
pub struct Hasher {
    key: [u8; 16],
}

/// The key stays out: whoever knows it could make two addresses meet.
impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").finish_non_exhaustive()
    }
}

impl Hasher {
    pub fn new(key: [u8; 16]) -> Hasher {
        Hasher { key }
    }

    /// The key of an entry with this identity and route.
    pub fn entry_key(&self, identity: &str, route: Option<&str>) -> EntryKey {
        use siphasher::sip128::Hasher128;
        use std::hash::Hasher as _;
        let mut hasher = siphasher::sip128::SipHasher13::new_with_key(&self.key);
        hasher.write(identity.as_bytes());
        hasher.write_u8(0xff);
        hasher.write(route.unwrap_or_default().as_bytes());
        EntryKey(hasher.finish128().as_bytes())
    }

    /// A hash of everything an entry says but its origin: where it differs, the entry has changed.
    pub fn content(&self, entry: &Entry) -> u64 {
        let Entry { address, stable_id, route, priority, starts, ends, origin: _ } = entry;
        self.content_of(address.spelling(), stable_id.as_deref(), route.as_deref(), *priority, *starts, *ends)
    }

    /// [`Hasher::content`] of an entry that has not been built: its spelling, stable id, route, priority, start and end.
    pub fn content_of(
        &self,
        spelling: &str,
        stable_id: Option<&str>,
        route: Option<&str>,
        priority: i32,
        starts: Option<When>,
        ends: Option<When>,
    ) -> u64 {
        use std::hash::Hasher as _;
        let mut hasher = siphasher::sip::SipHasher13::new_with_key(&self.key);
        // All numbers in one block, of one length: a million rows are hashed, and each write costs.
        let mut block = [0; 23];
        block[0] = u8::from(stable_id.is_some());
        block[1..5].copy_from_slice(&priority.to_le_bytes());
        block[5..14].copy_from_slice(&bytes_of(starts));
        block[14..].copy_from_slice(&bytes_of(ends));
        hasher.write(&block);
        hasher.write(spelling.as_bytes());
        // A byte that is in no UTF-8 parts the texts.
        for text in [stable_id, route].into_iter().flatten() {
            hasher.write_u8(0xff);
            hasher.write(text.as_bytes());
        }
        hasher.finish()
    }

    /// A hash of where an entry stands: rows are compared without it.
    pub fn origin(&self, key: EntryKey, origin: &str) -> u64 {
        use std::hash::Hasher as _;
        let mut hasher = siphasher::sip::SipHasher13::new_with_key(&self.key);
        hasher.write(&key.0);
        hasher.write(origin.as_bytes());
        hasher.finish()
    }

    /// A hash of a stable id, to find doubles.
    pub fn stable_id(&self, id: &str) -> u64 {
        use std::hash::Hasher as _;
        let mut hasher = siphasher::sip::SipHasher13::new_with_key(&self.key);
        hasher.write(id.as_bytes());
        hasher.finish()
    }
}

fn bytes_of(when: Option<When>) -> [u8; 9] {
    let (kind, number) = match when {
        None => (0, 0),
        Some(When::Day(day)) => (1, i64::from(day.num_days_from_ce())),
        Some(When::At(at)) => (2, at.timestamp_micros()),
    };
    let mut bytes = [kind; 9];
    bytes[1..].copy_from_slice(&number.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{America, Europe, Pacific};

    fn midnight(day: &str, zone: Tz) -> String {
        When::parse(day).unwrap().moment(zone).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }

    #[test]
    fn a_day_begins_with_its_first_moment_where_clocks_change() {
        assert_eq!(midnight("2026-12-01", Europe::Berlin), "2026-11-30T23:00:00Z");
        // The clock goes from 0:00 to 1:00.
        assert_eq!(midnight("2018-11-04", America::Sao_Paulo), "2018-11-04T03:00:00Z");
        // 0:00 comes twice.
        assert_eq!(midnight("2025-11-02", America::Havana), "2025-11-02T04:00:00Z");
        // There is no such day.
        assert_eq!(midnight("2011-12-30", Pacific::Apia), "2011-12-30T10:00:00Z");
    }

    #[test]
    fn the_quick_way_reads_days_as_the_thorough_one_does() {
        for text in ["2026-12-01", "2024-02-29", "1999-09-30", "0001-01-01", "2025-02-29", "2026-13-01", "2026-12-00"] {
            assert_eq!(day(text), NaiveDate::parse_from_str(text, "%Y-%m-%d").ok(), "{text}");
        }
        assert_eq!(day("2026-12-01").map(|day| day.to_string()).as_deref(), Some("2026-12-01"));
        assert_eq!((day("2O26-12-01"), day("2026/12/01")), (None, None));
    }

    #[test]
    fn a_date_has_four_digits_of_a_year_that_people_live_in_or_it_is_none() {
        let date = |text: &str| When::parse(text).map(|when| when.to_string());
        for text in ["1900-01-01", "2026-12-01", "9999-12-31", "2026-12-01T09:00:00Z", "9999-12-31T23:59:59Z"] {
            assert_eq!(date(text).as_deref(), Ok(text));
        }
        for text in [
            "27-06-30",
            "1-1-1",
            "-2027-06-30",
            "+2027-06-30",
            "027-06-30",
            "0027-06-30",
            "0001-01-01",
            "1899-12-31",
            "12027-06-30",
            "2027-6-3",
            "2027-06-30 ",
            "20270630",
            "0027-06-30T00:00:00Z",
            "27-06-30T00:00:00Z",
            "9999-12-31T23:59:59-10:00",
        ] {
            assert_eq!(date(text), Err(()), "{text:?}");
        }
    }
}
