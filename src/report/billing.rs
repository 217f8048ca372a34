//! A month of a subscription, for invoices: the most seats that were held at once, seat-days, who joined, who left.
//!
//! A month and its days are those of the subscription's time zone. A seat that is held for a whole day counts as one
//! seat-day, also on the days on which clocks change, so that a seat held all of October makes 31.00. What is counted is
//! what rosterd holds: seats that somebody assigned by other means are no part of it until they are adopted.

mod page;
mod people;
mod table;

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Months, NaiveDate};
use chrono_tz::Tz;
use serde::Serialize;

use crate::clock::Timestamp;
use crate::report::text::number;
use crate::roster::When;

pub use page::{file_name, page};
pub use people::{People, SeatEvent, Turn};
pub use table::{csv, table};

/// A month of the calendar, of the years 1900 to 9998.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month {
    first: NaiveDate,
}

impl Month {
    /// Its first moment in this time zone.
    pub fn start(self, zone: Tz) -> Timestamp {
        When::Day(self.first).moment(zone)
    }

    /// The first moment after it in this time zone.
    pub fn end(self, zone: Tz) -> Timestamp {
        When::Day(self.next()).moment(zone)
    }

    fn days(self) -> impl Iterator<Item = NaiveDate> {
        let next = self.next();
        self.first.iter_days().take_while(move |day| *day < next)
    }

    fn next(self) -> NaiveDate {
        self.first.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX)
    }

    /// `October 2026`.
    pub fn words(self) -> String {
        self.first.format("%B %Y").to_string()
    }
}

impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Month, String> {
        let is_written_out = text.len() == "2026-10".len();
        let first = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok();
        let first = first.filter(|day| is_written_out && (1900..9999).contains(&day.year()));
        first.map(|first| Month { first }).ok_or_else(|| "a month is written as 2026-10".to_owned())
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first.format("%Y-%m"))
    }
}

impl Serialize for Month {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How many seats were held, from each moment on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    /// When the month began.
    pub before: u64,
    /// Later moments in order, each with the number from then on.
    pub steps: Vec<(Timestamp, u64)>,
    /// When runs began and ended, one after the other.
    pub runs: Vec<(Timestamp, Timestamp)>,
}

impl Held {
    /// The stretches from `from` to `to` in which the number stayed as it is, with that number.
    fn stretches(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp, u64)> {
        let first = self.steps.partition_point(|(at, _)| *at <= from);
        let number = if first == 0 { self.before } else { self.steps[first - 1].1 };
        let later = self.steps[first..].iter().copied().take_while(move |(at, _)| *at < to);
        let begins: Vec<(Timestamp, u64)> = std::iter::once((from, number)).chain(later).collect();
        let ends = begins.iter().skip(1).map(|(at, _)| *at).chain([to]).collect::<Vec<_>>();
        begins.into_iter().zip(ends).map(|((from, number), to)| (from, to, number)).filter(|(from, to, _)| from < to)
    }

    /// The same without what is only the manner of a run: where people get another address, the new one has its seat a
    /// moment before the old one gives it back.
    fn without_spikes(&self) -> Held {
        let mut steps = self.steps.clone();
        for (began, ended) in &self.runs {
            let from = steps.partition_point(|(at, _)| at < began);
            let to = steps.partition_point(|(at, _)| at <= ended);
            let before = if from == 0 { self.before } else { steps[from - 1].1 };
            let Some((_, after)) = steps[from..to.max(from)].last().copied() else { continue };
            for (_, number) in &mut steps[from..to] {
                *number = (*number).min(before.max(after));
            }
        }
        Held { steps, runs: Vec::new(), ..*self }
    }

    /// The most that were held at once, at any moment from `from` until before `to`.
    fn peak(&self, from: Timestamp, to: Timestamp) -> u64 {
        self.stretches(from, to).map(|(_, _, number)| number).max().unwrap_or(0)
    }

    fn at_end(&self, to: Timestamp) -> u64 {
        self.steps.iter().take_while(|(at, _)| *at < to).last().map_or(self.before, |(_, number)| *number)
    }
}

/// Days for which seats were held, each seat for itself; exact to a billionth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct SeatDays(u128);

impl SeatDays {
    const ONE: u128 = 1_000_000_000;

    /// As a person reads it: `1,234.50`.
    fn words(self) -> String {
        let whole = u64::try_from(self.hundredths() / 100).unwrap_or(u64::MAX);
        format!("{}.{:02}", number(whole), self.hundredths() % 100)
    }

    /// In hundredths, rounded to the nearest.
    fn hundredths(self) -> u128 {
        let hundredth = Self::ONE / 100;
        (self.0 + hundredth / 2) / hundredth
    }
}

impl std::iter::Sum for SeatDays {
    fn sum<I: Iterator<Item = SeatDays>>(parts: I) -> SeatDays {
        SeatDays(parts.map(|part| part.0).sum())
    }
}

impl fmt::Display for SeatDays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{:02}", self.hundredths() / 100, self.hundredths() % 100))
    }
}

impl Serialize for SeatDays {
    #[expect(clippy::cast_precision_loss, reason = "a number with two decimals, far below 2^53 hundredths")]
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.hundredths() as f64 / 100.0)
    }
}

/// A day of the month, as far as it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    pub date: NaiveDate,
    pub peak_seats: u64,
    pub seat_days: SeatDays,
}

/// What a subscription's month comes to. Its first fields are those of the interface.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Billed {
    pub name: String,
    /// The most seats that were held at once, but for the moments of a run in which people change their address.
    pub peak_seats: u64,
    /// The time for which seats were held, in days.
    pub seat_days: SeatDays,
    /// People who had no seat when the month began and were given one in it. Each counts once.
    pub joiners: u64,
    /// People who had a seat in the month and have none at its end. Each counts once.
    pub leavers: u64,
    pub seats_at_start: u64,
    pub seats_at_end: u64,
    /// The zone of the month and its days.
    pub timezone: Tz,
    /// Up to when was counted, where the month is not over.
    pub until: Option<Timestamp>,
    #[serde(skip)]
    pub days: Vec<Day>,
}

impl Billed {
    /// What was held and who had a seat, made into a month.
    pub fn new(name: &str, month: Month, zone: Tz, held: &Held, people: &People, now: Timestamp) -> Billed {
        let (start, end) = (month.start(zone), month.end(zone));
        let until = end.min(now).max(start);
        let level = held.without_spikes();
        let days: Vec<Day> = month.days().filter_map(|date| day(date, zone, held, &level, until)).collect();
        Billed {
            name: name.to_owned(),
            peak_seats: level.peak(start, until),
            seat_days: days.iter().map(|day| day.seat_days).sum(),
            joiners: people.joiners(),
            leavers: people.leavers(),
            seats_at_start: held.before,
            seats_at_end: held.at_end(until),
            timezone: zone,
            until: (now < end).then_some(until),
            days,
        }
    }
}

/// `None`: the day has not begun, or is one that the zone leaves out.
fn day(date: NaiveDate, zone: Tz, held: &Held, level: &Held, until: Timestamp) -> Option<Day> {
    let (start, end) = (When::Day(date).moment(zone), When::Day(date.succ_opt()?).moment(zone));
    let stop = end.min(until);
    let whole = u128::try_from((end - start).num_milliseconds()).ok().filter(|whole| *whole > 0)?;
    if stop <= start {
        return None;
    }
    let of_stretch = |(from, to, number): (Timestamp, Timestamp, u64)| {
        u128::from(number) * u128::try_from((to - from).num_milliseconds()).unwrap_or(0)
    };
    let seat_time: u128 = held.stretches(start, stop).map(of_stretch).sum();
    Some(Day { date, peak_seats: level.peak(start, stop), seat_days: SeatDays(seat_time * SeatDays::ONE / whole) })
}

/// Why no line can be made of a month: it has begun nowhere yet.
///
/// # Errors
/// The sentence to say.
pub fn must_have_begun(month: Month, zones: impl IntoIterator<Item = Tz>, now: Timestamp) -> Result<(), String> {
    let starts = zones.into_iter().map(|zone| month.start(zone)).min();
    match starts {
        Some(start) if now < start => Err(format!("{month} has not begun")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    const BERLIN: Tz = chrono_tz::Europe::Berlin;

    fn at(text: &str) -> Timestamp {
        When::parse(text).unwrap().about()
    }

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    fn billed(held: &Held, zone: Tz, now: &str) -> Billed {
        Billed::new("contoso", month("2026-10"), zone, held, &People::default(), at(now))
    }

    #[test]
    fn a_month_is_written_in_one_way() {
        assert_eq!(month("2026-10").to_string(), "2026-10");
        assert_eq!(month("2026-10").words(), "October 2026");
        for wrong in ["2026-13", "2026-1", "26-10", "2026-10-01", "october", "", "9999-12", "+999-01"] {
            assert!(wrong.parse::<Month>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_seat_held_all_month_makes_as_many_seat_days_as_the_month_has() {
        // Clocks go back in this month, so that it is an hour longer.
        let held = Held { before: 10, ..Held::default() };
        let whole = billed(&held, BERLIN, "2026-11-02");
        assert_eq!((whole.peak_seats, whole.seat_days.to_string(), whole.until), (10, "310.00".to_owned(), None));
        assert_eq!((whole.seats_at_start, whole.seats_at_end, whole.days.len()), (10, 10, 31));
    }

    #[test]
    fn a_month_begins_where_the_subscription_is() {
        // Still the 31st of October in UTC, the 1st of November in Berlin.
        let held = Held { before: 0, steps: vec![(at("2026-10-31T23:00:00Z"), 5)], ..Held::default() };
        assert_eq!(billed(&held, BERLIN, "2026-11-02").peak_seats, 0);
        let utc = billed(&held, Tz::UTC, "2026-11-02");
        assert_eq!((utc.peak_seats, utc.seat_days.to_string()), (5, "0.21".to_owned()));
    }

    #[test]
    fn a_month_that_is_not_over_says_up_to_when_it_counts() {
        let held =
            Held { before: 4, steps: vec![(at("2026-10-02T12:00:00Z"), 6), (at("2026-10-09"), 1)], ..Held::default() };
        let part = billed(&held, Tz::UTC, "2026-10-03");
        assert_eq!((part.peak_seats, part.seat_days.to_string()), (6, "9.00".to_owned()));
        assert_eq!((part.until, part.seats_at_end, part.days.len()), (Some(at("2026-10-03")), 6, 2));
        let ahead = billed(&held, Tz::UTC, "2026-09-03");
        assert_eq!((ahead.seat_days, ahead.peak_seats, ahead.days.len()), (SeatDays(0), 0, 0));
        assert!(must_have_begun(month("2026-10"), [Tz::UTC], at("2026-09-30")).is_err());
        assert!(must_have_begun(month("2026-10"), [Tz::UTC, BERLIN], at("2026-09-30T22:00:00Z")).is_ok());
    }

    #[test]
    fn seats_held_for_a_moment_make_the_peak() {
        let (from, to) = (at("2026-10-05T08:00:00Z"), at("2026-10-05T08:00:01Z"));
        let held = Held { before: 1, steps: vec![(from, 9), (to, 1)], ..Held::default() };
        let whole = billed(&held, Tz::UTC, "2026-11-02");
        assert_eq!((whole.peak_seats, whole.seat_days.to_string()), (9, "31.00".to_owned()));
        assert_eq!(whole.days[4].peak_seats, 9);
    }

    #[test]
    fn people_with_another_address_do_not_make_the_peak() {
        let second = |second: u32| at(&format!("2026-10-05T08:00:{second:02}Z"));
        let steps = vec![(second(1), 3), (second(2), 8), (second(3), 5), (second(20), 6), (second(30), 5)];
        let held = Held { before: 4, steps, runs: vec![(second(0), second(3)), (second(20), second(20))] };
        let whole = billed(&held, Tz::UTC, "2026-11-02");
        assert_eq!((whole.peak_seats, whole.seats_at_end), (6, 5), "the spike to 8 is a run's manner, the 6 is not");
        let growing =
            Held { before: 0, steps: vec![(second(1), 3), (second(2), 8)], runs: vec![(second(0), second(3))] };
        assert_eq!(billed(&growing, Tz::UTC, "2026-11-02").peak_seats, 8);
    }

    #[test]
    fn a_day_that_a_zone_leaves_out_is_no_day() {
        let held = Held { before: 1, ..Held::default() };
        let apia =
            Billed::new("x", month("2011-12"), chrono_tz::Pacific::Apia, &held, &People::default(), at("2026-01-01"));
        assert_eq!((apia.days.len(), apia.seat_days.to_string()), (30, "30.00".to_owned()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Counting day by day and counting stretch by stretch come to the same, and the most of all days is the most of
        /// the month.
        #[test]
        fn days_and_steps_agree(
            before in 0_u64..2_000_000,
            steps in prop::collection::vec((0_i64..31 * 86_400_000, 0_u64..2_000_000), 0..40),
            now in 0_i64..40 * 86_400_000,
        ) {
            let start = month("2026-10").start(Tz::UTC);
            let mut steps: Vec<_> =
                steps.into_iter().map(|(after, held)| (start + TimeDelta::milliseconds(after), held)).collect();
            steps.sort_by_key(|(at, _)| *at);
            steps.dedup_by_key(|(at, _)| *at);
            let held = Held { before, steps, runs: Vec::new() };
            let now = start + TimeDelta::milliseconds(now);
            let whole = Billed::new("x", month("2026-10"), Tz::UTC, &held, &People::default(), now);
            let until = now.min(month("2026-10").end(Tz::UTC));
            let by_steps: u128 = held
                .stretches(start, until)
                .map(|(from, to, number)| u128::from(number) * u128::try_from((to - from).num_milliseconds()).unwrap())
                .sum();
            let day = 86_400_000;
            let exact = by_steps * SeatDays::ONE / day;
            prop_assert!(exact - whole.seat_days.0 <= whole.days.len() as u128, "each day is cut at a billionth");
            prop_assert_eq!(whole.days.iter().map(|day| day.peak_seats).max().unwrap_or(0), whole.peak_seats);
            let most = u128::from(whole.peak_seats) * whole.days.len() as u128 * SeatDays::ONE;
            prop_assert!(whole.seat_days.0 <= most);
        }
    }
}
