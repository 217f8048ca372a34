//! When the seats run out at the pace of the last weeks.
//!
//! The formula: of each of the last [`DAYS`] days (UTC), how many seats were held at its end; for today, now. The pace is
//! the median of the slopes between each two of these days (Theil and Sen's), so that a day on which a whole department
//! came or went hardly moves it. The free seats, divided by the pace and rounded up, are the days that are left. Whose
//! seats are known for fewer than [`DAYS_MIN`] days gets no forecast; a pace of less than a seat in the whole time is
//! none; what would be further away than [`AHEAD_MAX`] is not said.

use chrono::{Days, NaiveDate, NaiveTime, TimeDelta};
use serde::Serialize;

use super::text::count;
use crate::clock::Timestamp;
use crate::member::Seats;

/// So many days are looked at: four whole weeks, so that no weekday counts more than another.
pub const DAYS: u32 = 28;
/// Fewer days than this say nothing of a pace.
pub const DAYS_MIN: u32 = 14;
/// Seats that run out within so many days are worth a word: time enough to buy some.
const SOON: i64 = 28;
/// Nobody plans further ahead, in days.
const AHEAD_MAX: f64 = 365.0;

/// What becomes of the seats at this pace.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    pub outlook: Outlook,
    /// For how many days, of the last [`DAYS`], it is known how many seats were held.
    pub days: u32,
    /// How many seats more are held from week to week; `None` where too few days are known.
    pub per_week: Option<f64>,
    /// The day (UTC) on which the last free seat is taken, for [`Outlook::RunsOut`].
    pub runs_out_on: Option<NaiveDate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outlook {
    /// Too few days are known.
    NotEnoughYet,
    /// No seat is free now.
    Full,
    RunsOut,
    /// Not within a year.
    Lasts,
}

/// The moments at which the seats held are asked for: the ends of the last days, oldest first, and now.
pub fn moments(now: Timestamp) -> Vec<Timestamp> {
    let midnight = now.date_naive().and_time(NaiveTime::MIN).and_utc();
    let ends = (0..i64::from(DAYS) - 1).rev().filter_map(|back| midnight.checked_sub_signed(TimeDelta::days(back)));
    // The end of a day is the last moment of it.
    ends.map(|end| end - TimeDelta::milliseconds(1)).chain([now]).collect()
}

impl Forecast {
    /// `held` is how many seats were held at each of the [`moments`]; `None`: nobody knew then.
    pub fn new(held: &[Option<u64>], seats: Seats, now: Timestamp) -> Forecast {
        let known: Vec<(f64, f64)> = (0_u32..).zip(held).filter_map(|(day, held)| point(day, *held)).collect();
        let days = u32::try_from(known.len()).unwrap_or(DAYS);
        let pace = (days >= DAYS_MIN).then(|| pace(&known));
        let per_week = pace.map(|pace| (pace * 70.0).round() / 10.0);
        let (outlook, runs_out_on) = match pace {
            _ if seats.free() == 0 => (Outlook::Full, None),
            None => (Outlook::NotEnoughYet, None),
            Some(pace) => match last_day(pace, seats.free(), now) {
                Some(day) => (Outlook::RunsOut, Some(day)),
                None => (Outlook::Lasts, None),
            },
        };
        Forecast { outlook, days, per_week, runs_out_on }
    }

    /// A sentence.
    pub fn words(&self) -> String {
        match (self.outlook, self.runs_out_on) {
            (Outlook::RunsOut, Some(day)) => {
                format!("At this pace ({}) the seats run out on {day}.", self.pace_words())
            }
            (Outlook::Full, _) => "No seat is free.".to_owned(),
            (Outlook::NotEnoughYet, _) => format!(
                "When the seats run out can't be told yet: {} known, and {DAYS_MIN} are needed.",
                count(u64::from(self.days), "day is", "days are")
            ),
            _ => format!("At this pace ({}) the seats last for more than a year.", self.pace_words()),
        }
    }

    /// The same in a word or two, for a table.
    pub fn in_short(&self) -> String {
        match (self.outlook, self.runs_out_on) {
            (Outlook::RunsOut, Some(day)) => day.to_string(),
            (Outlook::Full, _) => "none is free".to_owned(),
            (Outlook::NotEnoughYet, _) => "not enough yet".to_owned(),
            _ => "over a year".to_owned(),
        }
    }

    /// Whether it is time to buy.
    pub fn is_soon(&self, now: Timestamp) -> bool {
        self.runs_out_on.is_some_and(|day| (day - now.date_naive()).num_days() <= SOON)
    }

    /// `3.5 more a week`, `2 fewer a week`, `as many as before`.
    fn pace_words(&self) -> String {
        match self.per_week.unwrap_or(0.0) {
            more if more > 0.0 => format!("{more} more a week"),
            fewer if fewer < 0.0 => format!("{} fewer a week", -fewer),
            _ => "as many as before".to_owned(),
        }
    }
}

/// Numbers of people are far below where a float loses ones.
fn point(day: u32, held: Option<u64>) -> Option<(f64, f64)> {
    let held = u32::try_from(held?).unwrap_or(u32::MAX);
    Some((f64::from(day), f64::from(held)))
}

/// Seats a day.
fn pace(known: &[(f64, f64)]) -> f64 {
    let mut slopes = Vec::with_capacity(known.len() * known.len() / 2);
    for (at, (day, held)) in known.iter().enumerate() {
        slopes.extend(known[at + 1..].iter().map(|(later, then)| (then - held) / (later - day)));
    }
    slopes.sort_by(f64::total_cmp);
    let middle = slopes.len() / 2;
    match (slopes.get(middle), slopes.get(middle.wrapping_sub(1))) {
        (Some(upper), Some(lower)) if slopes.len().is_multiple_of(2) => f64::midpoint(*upper, *lower),
        (Some(upper), _) => *upper,
        (None, _) => 0.0,
    }
}

/// The day on which so many free seats are taken; `None`: not within the time that is looked ahead.
fn last_day(pace: f64, free: u64, now: Timestamp) -> Option<NaiveDate> {
    if pace * f64::from(DAYS) < 1.0 {
        return None;
    }
    let days = (f64::from(u32::try_from(free).unwrap_or(u32::MAX)) / pace).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to a year")]
    let days = (days <= AHEAD_MAX).then_some(Days::new(days as u64))?;
    now.date_naive().checked_add_days(days)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T08:05:00Z".parse().unwrap()
    }

    fn forecast(held: &[Option<u64>], free: u64) -> Forecast {
        let assigned = held.last().copied().flatten().unwrap_or(0);
        Forecast::new(held, Seats { available: assigned + free, assigned, as_of: now() }, now())
    }

    /// From day to day so many more.
    fn growing(days: u64, more: u64) -> Vec<Option<u64>> {
        (0..days).map(|day| Some(100 + day * more)).collect()
    }

    #[test]
    fn the_ends_of_four_weeks_are_asked_for_and_now() {
        let moments = moments(now());
        assert_eq!(moments.len(), DAYS as usize);
        assert_eq!(moments[0], "2026-10-27T23:59:59.999Z".parse::<Timestamp>().unwrap());
        assert_eq!(moments[26], "2026-11-22T23:59:59.999Z".parse::<Timestamp>().unwrap());
        assert_eq!(moments[27], now());
    }

    #[test]
    fn a_steady_growth_uses_up_the_seats_on_the_day_that_arithmetic_says() {
        let forecast = forecast(&growing(28, 2), 33);
        assert_eq!(forecast.runs_out_on, "2026-12-10".parse().ok(), "17 days: 33 seats at 2 a day");
        assert_eq!((forecast.outlook, forecast.per_week), (Outlook::RunsOut, Some(14.0)));
        insta::assert_snapshot!(forecast.words(), @"At this pace (14 more a week) the seats run out on 2026-12-10.");
    }

    #[test]
    fn too_few_days_are_no_pace() {
        let mut held = vec![None; 15];
        held.extend(growing(13, 2));
        let forecast = forecast(&held, 33);
        assert_eq!((forecast.outlook, forecast.per_week), (Outlook::NotEnoughYet, None));
        insta::assert_snapshot!(forecast.words(), @"When the seats run out can't be told yet: 13 days are known, and 14 are needed.");
        held[14] = Some(98);
        assert_eq!(super::tests::forecast(&held, 33).outlook, Outlook::RunsOut);
    }

    #[test]
    fn a_department_that_came_in_one_day_is_no_pace() {
        let held: Vec<_> = (0..28).map(|day| Some(if day < 20 { 100 } else { 700 })).collect();
        assert_eq!(forecast(&held, 50).outlook, Outlook::Lasts);
        let held: Vec<_> = (0..28).map(|day| Some(100 + day + if day < 20 { 0 } else { 600 })).collect();
        let per_week = forecast(&held, 50).per_week.unwrap();
        assert!((7.0..14.0).contains(&per_week), "a person a day goes on: {per_week}");
    }

    #[test]
    fn who_grows_by_less_than_a_seat_in_four_weeks_or_shrinks_has_no_last_day() {
        assert_eq!(forecast(&growing(28, 0), 1).outlook, Outlook::Lasts);
        let shrinking: Vec<_> = (0..28).map(|day| Some(100 - day)).collect();
        let forecast = forecast(&shrinking, 1);
        insta::assert_snapshot!(forecast.words(), @"At this pace (7 fewer a week) the seats last for more than a year.");
    }

    #[test]
    fn full_is_full_and_far_is_not_said() {
        assert_eq!(forecast(&growing(28, 3), 0).outlook, Outlook::Full);
        assert_eq!(forecast(&growing(28, 1), 365).runs_out_on, "2027-11-23".parse().ok());
        assert_eq!(forecast(&growing(28, 1), 366).outlook, Outlook::Lasts);
    }

    #[test]
    fn it_is_time_to_buy_four_weeks_before() {
        assert!(forecast(&growing(28, 1), 28).is_soon(now()));
        assert!(!forecast(&growing(28, 1), 29).is_soon(now()));
        assert!(!forecast(&growing(28, 1), 0).is_soon(now()), "it is too late");
    }

    #[test]
    fn a_table_has_few_words() {
        let short = |held: &[Option<u64>], free| forecast(held, free).in_short();
        assert_eq!(short(&growing(28, 2), 33), "2026-12-10");
        assert_eq!(short(&growing(28, 2), 0), "none is free");
        assert_eq!(short(&growing(28, 0), 1), "over a year");
        assert_eq!(short(&growing(13, 1), 1), "not enough yet");
    }

    #[test]
    fn json_says_what_the_words_say() {
        let json = serde_json::to_string(&forecast(&growing(28, 2), 33)).unwrap();
        insta::assert_snapshot!(json, @r#"{"outlook":"runs-out","days":28,"per_week":14.0,"runs_out_on":"2026-12-10"}"#);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn more_seats_never_run_out_earlier(
            held in prop::collection::vec(prop::option::weighted(0.9, 0_u64..5_000_000_000), 0..29),
            free in 0_u64..10_000,
            more in 0_u64..10_000,
        ) {
            let far = NaiveDate::MAX;
            let day = |free| {
                let forecast = forecast(&held, free);
                if forecast.outlook == Outlook::Full { now().date_naive() } else { forecast.runs_out_on.unwrap_or(far) }
            };
            prop_assert!(day(free) <= day(free + more));
            prop_assert!(day(free) >= now().date_naive());
        }
    }
}
