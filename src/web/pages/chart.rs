//! Seats over time, drawn: how many there were, how many were held, and how it goes on at the pace of the last weeks.
//!
//! It is drawn twice, for a wide page and for a narrow one; the style sheet shows one of them. What it shows stands below
//! it in numbers, too.

use std::fmt::Write;

use chrono::{NaiveTime, TimeDelta};
use chrono_tz::Tz;
use maud::{Markup, html};

use super::html::time;
use crate::clock::Timestamp;
use crate::ledger::Seats;
use crate::report::forecast::{DAYS, Forecast, Outlook};
use crate::report::text::{count, number};

/// So far back it goes.
const BACK_MAX: TimeDelta = TimeDelta::days(90);
/// A chart of less time shows nothing.
const BACK_MIN: TimeDelta = TimeDelta::hours(1);
/// So many steps are drawn.
const STEPS: i32 = 120;
/// Every so many of them stand in numbers, too.
const STEPS_TOLD: usize = 10;

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct ChartView {
    /// At each of the [`moments`], oldest first: how many seats were held, and how many there were.
    pub points: Vec<Point>,
    pub seats: Option<Seats>,
    pub forecast: Option<Forecast>,
    pub zone: Tz,
    pub now: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    pub at: Timestamp,
    pub held: Option<u64>,
    pub available: Option<u64>,
}

/// The moments that are drawn. `since` is when it was first known how many seats are held.
pub fn moments(since: Timestamp, now: Timestamp) -> Vec<Timestamp> {
    let back = (now - since).clamp(BACK_MIN, BACK_MAX);
    (0..=STEPS).rev().map(|step| now - back / STEPS * step).collect()
}

/// The chart with its words and numbers; what stands in its place while there is nothing to draw.
pub fn chart(view: &ChartView) -> Markup {
    let known: Vec<&Point> = view.points.iter().filter(|point| point.held.is_some()).collect();
    html! {
        @if known.len() < 2 {
            p.faint { "From the first run on, a chart shows here how many seats are held, and when they run out." }
        } @else {
            figure.chart {
                (Drawing::new(view, WIDE).draw("wide"))
                (Drawing::new(view, NARROW).draw("narrow"))
                figcaption { (words(view)) }
            }
            (numbers(&known, view))
        }
    }
}

fn words(view: &ChartView) -> Markup {
    let others = others(view);
    html! {
        @if let Some(forecast) = &view.forecast { p { (forecast.words()) " " (basis(forecast)) } }
        @if others > 0 {
            p.faint {
                (count(others, "licence", "licences")) " that rosterd did not assign also "
                @if others == 1 { "takes a seat." } @else { "take seats." }
                " The seats run out where the line of those held reaches the dotted one."
            }
        }
    }
}

fn basis(forecast: &Forecast) -> Markup {
    html! {
        @if matches!(forecast.outlook, Outlook::RunsOut | Outlook::Lasts) {
            span.faint { "Reckoned from the last " (forecast.days.min(DAYS)) " days." }
        }
    }
}

/// Seats that the server counts and that are not held through rosterd.
fn others(view: &ChartView) -> u64 {
    let held = view.points.last().and_then(|point| point.held).unwrap_or(0);
    view.seats.map_or(0, |seats| seats.assigned.saturating_sub(held))
}

fn numbers(known: &[&Point], view: &ChartView) -> Markup {
    html! {
        details.numbers {
            summary { "The same in numbers" }
            table {
                caption.hidden { "Seats over time" }
                thead { tr { th scope="col" { "At" } th.number scope="col" { "Held" } th.number scope="col" { "Seats" } } }
                tbody {
                    @for point in known.iter().rev().step_by(STEPS_TOLD) {
                        tr {
                            td { (time(point.at, view.zone)) }
                            td.number { (point.held.map_or_else(String::new, number)) }
                            td.number { (point.available.map_or_else(|| "–".to_owned(), number)) }
                        }
                    }
                }
            }
        }
    }
}

/// In the units of the drawing.
#[derive(Debug, Clone, Copy)]
struct Size {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    ticks: i32,
}

const WIDE: Size = Size { width: 900.0, height: 280.0, left: 64.0, right: 16.0, ticks: 6 };
const NARROW: Size = Size { width: 360.0, height: 240.0, left: 52.0, right: 10.0, ticks: 3 };
/// Room for two labels, one above the other.
const TOP: f64 = 36.0;
const BOTTOM: f64 = 28.0;
/// Half of the longest label.
const LABEL: f64 = 50.0;

/// Places on the paper.
struct Drawing<'a> {
    view: &'a ChartView,
    size: Size,
    from: Timestamp,
    until: Timestamp,
    /// The values at the bottom and at the top, and from line to line.
    low: f64,
    high: f64,
    step: f64,
}

impl<'a> Drawing<'a> {
    fn new(view: &'a ChartView, size: Size) -> Drawing<'a> {
        let from = view.points.first().map_or(view.now, |point| point.at);
        let until = view.now + ahead(view, view.now - from);
        let values = view.points.iter().flat_map(|point| [point.held, point.available]).flatten().map(float);
        let (least, most) =
            values.fold((f64::MAX, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
        // Near the bottom it begins with nothing; far above it the differences are what matters.
        let low = if least > most * 0.5 { least - (most - least).max(2.0) } else { 0.0 };
        let step = step((most - low).max(4.0) / 4.0);
        let low = (low / step).floor().max(0.0) * step;
        let high = ((most / step).ceil() * step).max(low + step);
        Drawing { view, size, from, until, low, high, step }
    }

    fn x(&self, at: Timestamp) -> f64 {
        let share = seconds(at - self.from) / seconds(self.until - self.from).max(1.0);
        self.size.left + share * (self.size.width - self.size.left - self.size.right)
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        TOP + (1.0 - share) * (self.size.height - TOP - BOTTOM)
    }

    fn draw(&self, class: &str) -> Markup {
        let Size { width, height, .. } = self.size;
        let (title, desc) = (format!("chart-{class}-title"), format!("chart-{class}-desc"));
        html! {
            svg.(class) viewBox={ "0 0 " (width) " " (height) } role="img" aria-labelledby={ (title) " " (desc) } {
                title id=(title) { "Seats over time" }
                desc id=(desc) { (self.told()) }
                (self.grid())
                path.room d=(self.room()) {}
                path.available d=(self.steps(|point| point.available)) {}
                (self.reach())
                path.held d=(self.steps(|point| point.held)) {}
                (self.ahead())
                (self.labels())
            }
        }
    }

    fn told(&self) -> String {
        let newest = self.view.points.last();
        let held =
            newest.and_then(|point| point.held).map_or_else(String::new, |held| format!("{} held", number(held)));
        let seats = newest
            .and_then(|point| point.available)
            .map_or_else(String::new, |seats| format!(" of {}", count(seats, "seat", "seats")));
        let forecast = self.view.forecast.as_ref().map_or_else(String::new, Forecast::words);
        format!("{held}{seats}. {forecast}")
    }

    fn grid(&self) -> Markup {
        let Size { width, height, left, right, .. } = self.size;
        html! {
            g.grid {
                @for (value, y) in self.lines() {
                    line x1=(left) x2=(width - right) y1=(round(y)) y2=(round(y)) {}
                    text x=(left - 8.0) y=(round(y + 4.0)) text-anchor="end" { (value) }
                }
                @for (x, label) in self.days() {
                    text x=(round(x)) y=(height - 8.0) text-anchor="middle" { (label) }
                }
            }
        }
    }

    /// Values and where their lines are.
    fn lines(&self) -> Vec<(String, f64)> {
        let mut lines = Vec::new();
        let mut value = self.low;
        while value <= self.high + self.step * 0.01 {
            lines.push((whole(value), self.y(value)));
            value += self.step;
        }
        lines
    }

    /// Days, or hours where it is about less than a few days, and where they are.
    fn days(&self) -> Vec<(f64, String)> {
        let span = self.until - self.from;
        let zone = self.view.zone;
        let is_days = span > TimeDelta::days(4);
        let label =
            |at: Timestamp| at.with_timezone(&zone).format(if is_days { "%-d %b" } else { "%H:%M" }).to_string();
        let mut days: Vec<(f64, String)> = Vec::new();
        for tick in 0..self.size.ticks {
            let at = self.from + span / (2 * self.size.ticks) * (2 * tick + 1);
            // A day's name stands at its beginning, in UTC, which is near enough on this paper.
            let at = if is_days { at.date_naive().and_time(NaiveTime::MIN).and_utc() } else { at };
            let label = label(at);
            if at > self.from && days.last().is_none_or(|(_, last)| *last != label) {
                days.push((self.x(at), label));
            }
        }
        days
    }

    /// The line of a value that stays until it is another.
    fn steps(&self, value: impl Fn(&Point) -> Option<u64>) -> String {
        let mut path = String::new();
        let mut pen: Option<f64> = None;
        for point in &self.view.points {
            let Some(value) = value(point) else { continue };
            let (x, y) = (round(self.x(point.at)), round(self.y(float(value))));
            // Writing to a string does not fail.
            let _ = match pen {
                None => write!(path, "M{x} {y}"),
                Some(last) if (last - y).abs() < 0.05 => write!(path, "H{x}"),
                Some(_) => write!(path, "H{x}V{y}"),
            };
            pen = Some(y);
        }
        path
    }

    /// What is free: between both lines, where both are known.
    fn room(&self) -> String {
        let both: Vec<&Point> =
            self.view.points.iter().filter(|point| point.held.is_some() && point.available.is_some()).collect();
        let mut path = String::new();
        let corner = |value: Option<u64>| round(self.y(float(value.unwrap_or(0))));
        for (at, point) in both.iter().enumerate() {
            let (x, y) = (round(self.x(point.at)), corner(point.available));
            let _ = if at == 0 { write!(path, "M{x} {y}") } else { write!(path, "H{x}V{y}") };
        }
        for pair in both.windows(2).rev() {
            // Where more are held than there are, nothing is free.
            let held = pair[0].held.min(pair[0].available);
            let _ = write!(path, "V{}H{}", corner(held), round(self.x(pair[0].at)));
        }
        if !path.is_empty() {
            path.push('Z');
        }
        path
    }

    /// How many can be held while others have some of the seats.
    fn reach(&self) -> Markup {
        let others = others(self.view);
        let reach = self.view.seats.map(|seats| seats.available.saturating_sub(others));
        let y = reach.filter(|_| others > 0).map(|reach| round(self.y(float(reach))));
        let x = round(self.x(self.view.now));
        html! { @if let Some(y) = y { path.reach d=(format!("M{} {y}H{x}", self.size.left)) {} } }
    }

    /// From now on, at the pace of the forecast.
    fn ahead(&self) -> Markup {
        let newest = self.view.points.last().and_then(|point| point.held).map(float);
        let pace = self.view.forecast.as_ref().and_then(|forecast| forecast.per_week);
        let (Some(held), Some(per_week)) = (newest, pace) else { return html! {} };
        let free = self.view.seats.map_or(0.0, |seats| float(seats.free()));
        let runs_out = self.view.forecast.as_ref().and_then(|forecast| forecast.runs_out_on);
        let full = runs_out.map(|day| day.and_time(NaiveTime::MIN).and_utc()).filter(|at| *at > self.view.now);
        let end = full.map_or(self.until, |at| at.min(self.until));
        let weeks = seconds(self.until - self.view.now) / 604_800.0;
        let value = match full {
            Some(at) if at <= self.until => held + free,
            _ => (held + per_week * weeks).clamp(self.low, self.high),
        };
        let (x, y) = (round(self.x(self.view.now)), round(self.y(held)));
        let (to_x, to_y) = (round(self.x(end)), round(self.y(value)));
        let seats = self.view.seats.map(|seats| round(self.y(float(seats.available))));
        // The number of seats stands before this moment, as high.
        let meets = to_x - 2.0 * LABEL < x;
        html! {
            @if let Some(y) = seats { path.coming d=(format!("M{x} {y}H{}", self.size.width - self.size.right)) {} }
            line.now x1=(x) x2=(x) y1=(TOP - 6.0) y2=(self.size.height - BOTTOM) {}
            path.ahead d=(format!("M{x} {y}L{to_x} {to_y}")) {}
            @if let (Some(day), true) = (runs_out, full.is_some_and(|at| at <= self.until)) {
                circle.out cx=(to_x) cy=(to_y) r="5" {}
                @let anchor = if to_x + LABEL > self.size.width { "end" } else { "middle" };
                text.out x=(to_x) y=(round(to_y - if meets { 26.0 } else { 12.0 })) text-anchor=(anchor) { "full on " (day.format("%-d %b").to_string()) }
            }
        }
    }

    fn labels(&self) -> Markup {
        let newest = self.view.points.last();
        let now = self.x(self.view.now);
        let at = round(now - 6.0);
        // Beside the line, for under it is where it came from; as far to the right as there is room.
        let edge = self.size.width - self.size.right;
        let (beside, anchor) =
            if now + 2.0 * LABEL < self.size.width { (round(now + 8.0), "start") } else { (edge, "end") };
        html! {
            @if let Some(seats) = newest.and_then(|point| point.available) {
                text.available x=(at) y=(round(self.y(float(seats)) - 8.0)) text-anchor="end" { (count(seats, "seat", "seats")) }
            }
            @if let Some(held) = newest.and_then(|point| point.held) {
                text.held x=(beside) y=(round((self.y(float(held)) + 18.0).min(self.size.height - BOTTOM - 4.0))) text-anchor=(anchor) { (number(held)) " held" }
            }
        }
    }
}

/// How much of the time to come is drawn.
fn ahead(view: &ChartView, back: TimeDelta) -> TimeDelta {
    let Some(forecast) = &view.forecast else { return back / 20 };
    let until = forecast.runs_out_on.map(|day| day.and_time(NaiveTime::MIN).and_utc() - view.now);
    match (until, forecast.per_week) {
        (Some(until), _) => (until + until / 8).clamp(back / 8, back),
        (None, Some(_)) => back / 4,
        (None, None) => back / 20,
    }
}

/// The round number that is not less: 1, 2 or 5 with noughts.
fn step(least: f64) -> f64 {
    let power = 10.0_f64.powf(least.max(1.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| *step >= least).unwrap_or(power)
}

/// Numbers of people are far below where a float loses ones.
fn float(value: u64) -> f64 {
    f64::from(u32::try_from(value).unwrap_or(u32::MAX))
}

fn seconds(span: TimeDelta) -> f64 {
    f64::from(i32::try_from(span.num_seconds()).unwrap_or(i32::MAX))
}

fn round(place: f64) -> f64 {
    (place * 10.0).round() / 10.0
}

fn whole(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of seats on the scale")]
    let value = value.round().max(0.0) as u64;
    number(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T08:05:00Z".parse().unwrap()
    }

    fn view(held: impl Fn(u64) -> u64, seats: u64, others: u64) -> ChartView {
        let moments = moments(now() - TimeDelta::days(300), now());
        let point = |(step, at): (u64, Timestamp)| Point { at, held: Some(held(step)), available: Some(seats) };
        let points: Vec<Point> = (0..).zip(moments).map(point).collect();
        let assigned = points.last().unwrap().held.unwrap() + others;
        let seats = Seats { available: seats, assigned, as_of: now() };
        let days: Vec<Option<u64>> = points.iter().rev().take(28).rev().map(|point| point.held).collect();
        let forecast = Some(Forecast::new(&days, seats, now()));
        ChartView { points, seats: Some(seats), forecast, zone: Tz::UTC, now: now() }
    }

    #[test]
    fn moments_cover_what_is_known_and_no_more_than_ninety_days() {
        let span = |since: TimeDelta| {
            let moments = moments(now() - since, now());
            assert_eq!((moments.len(), *moments.last().unwrap()), (121, now()));
            now() - moments[0]
        };
        assert_eq!(span(TimeDelta::days(300)), TimeDelta::days(90));
        assert_eq!(span(TimeDelta::days(10)), TimeDelta::days(10));
        assert_eq!(span(TimeDelta::zero()), TimeDelta::hours(1));
    }

    #[test]
    fn a_growing_subscription_shows_the_day_on_which_it_is_full() {
        let html = chart(&view(|step| 20 + step, 150, 0)).into_string();
        for part in ["class=\"ahead\"", "full on 3 Dec", "150 seats", "140 held", "the seats run out on 2026-12-03"] {
            assert!(html.contains(part), "{part} in {html}");
        }
    }

    #[test]
    fn seats_that_others_have_are_told_and_drawn() {
        let html = chart(&view(|_| 20, 30, 4)).into_string();
        assert!(html.contains("class=\"reach\"") && html.contains("4 licences that rosterd did not assign"), "{html}");
        assert!(!chart(&view(|_| 20, 30, 0)).into_string().contains("class=\"reach\""));
    }

    #[test]
    fn a_value_stays_until_it_is_another() {
        let at = |hours: i64| now() - TimeDelta::hours(hours);
        let point = |hours, held| Point { at: at(hours), held: Some(held), available: None };
        let points = vec![point(3, 1), point(2, 1), point(1, 3), point(0, 3)];
        let view = ChartView { points, seats: None, forecast: None, zone: Tz::UTC, now: now() };
        let path = Drawing::new(&view, NARROW).steps(|point| point.held);
        insta::assert_snapshot!(path, @"M52 153.3H146.6H241.2V36H335.8");
    }

    #[test]
    fn nothing_known_is_no_empty_chart() {
        let view = ChartView { points: vec![], seats: None, forecast: None, zone: Tz::UTC, now: now() };
        assert!(!chart(&view).into_string().contains("<svg"));
    }

    #[test]
    fn steps_are_round() {
        for (least, expected) in [(0.3, 1.0), (1.0, 1.0), (1.1, 2.0), (3.0, 5.0), (7.0, 10.0), (25_000.0, 50_000.0)] {
            assert!((step(least) - expected).abs() < 1e-9, "{least}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_is_drawn_is_on_the_paper(
            held in prop::collection::vec(prop::option::of(0_u64..2_000_000), 121),
            seats in prop::option::of(0_u64..2_000_000),
            per_week in -1000.0_f64..1000.0,
        ) {
            let moments = moments(now() - TimeDelta::days(30), now());
            let points = moments.into_iter().zip(held).map(|(at, held)| Point { at, held, available: seats }).collect();
            let seats = seats.map(|available| Seats { available, assigned: 7, as_of: now() });
            let forecast = Forecast { outlook: Outlook::Lasts, days: 28, per_week: Some(per_week), runs_out_on: None };
            let view = ChartView { points, seats, forecast: Some(forecast), zone: Tz::UTC, now: now() };
            let drawing = Drawing::new(&view, WIDE);
            let paths = [drawing.steps(|point| point.held), drawing.room()].concat();
            prop_assert!(!paths.contains("NaN") && !paths.contains("inf"));
            for number in paths.split(|c: char| !c.is_ascii_digit() && c != '.').filter(|part| !part.is_empty()) {
                prop_assert!(number.parse::<f64>().unwrap() <= WIDE.width);
            }
            prop_assert!(!paths.contains('-'));
            prop_assert!(drawing.lines().len() <= 12, "{:?}", drawing.lines());
        }
    }
}
