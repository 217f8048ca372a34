//! A month of one subscription as a page that can be sent to the client whose it is: one file that needs no other, with
//! nothing of anybody else in it.

use std::fmt::Write as _;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Billed, Day, Month};
use crate::report::text::{moment, number};

/// What the page looks like, on a screen in either scheme and on paper.
const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}\
h1{margin-bottom:0}\
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:1rem}\
dt{font-size:.875rem}dd{margin:0;font-size:1.75rem;font-variant-numeric:tabular-nums}\
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\
caption{text-align:left;font-weight:bold;padding:.5rem 0}\
th,td{text-align:right;padding:.25rem .5rem;border-bottom:1px solid #8886}\
th:first-child,td:first-child{text-align:left}\
svg{width:100%;height:8rem;fill:#2563eb}\
.notice{border-left:.25rem solid #d97706;padding-left:.75rem}\
@media print{body{margin:0;max-width:none}}";

/// The whole page.
pub fn page(month: Month, billed: &Billed) -> String {
    let Billed { name, peak_seats, seat_days, joiners, leavers, seats_at_start, seats_at_end, timezone, .. } = billed;
    let figures = [
        ("Peak seats", number(*peak_seats)),
        ("Seat-days", seat_days.words()),
        ("Joiners", number(*joiners)),
        ("Leavers", number(*leavers)),
        ("Seats at the start", number(*seats_at_start)),
        ("Seats at the end", number(*seats_at_end)),
    ];
    let body: Markup = html! {
        h1 { (name) }
        p { "SecureMailMerge licences, " (month.words()) }
        @if let Some(until) = billed.until {
            p.notice { "The month is not over: counted up to " (moment(until)) "." }
        }
        dl {
            @for (what, figure) in &figures { div { dt { (what) } dd { (figure) } } }
        }
        (chart(billed))
        table {
            caption { "Day by day" }
            thead { tr { th scope="col" { "Day" } th scope="col" { "Peak seats" } th scope="col" { "Seat-days" } } }
            tbody {
                @for Day { date, peak_seats, seat_days } in &billed.days {
                    tr { th scope="row" { (date) } td { (number(*peak_seats)) } td { (seat_days.words()) } }
                }
            }
        }
        h2 { "What the figures mean" }
        p {
            "Peak seats: the most that were held at once. Seat-days: the time for which seats were held, in days; one seat \
             held for a whole day makes one. Joiners: people who had no seat when the month began and were given one in \
             it. Leavers: people who had a seat in the month and have none at its end. Each person counts once; whose \
             address changed is neither. Days begin at midnight in the time zone " (timezone) "."
        }
    };
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (name) ": SecureMailMerge licences, " (month.words()) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    whole.into_string()
}

/// A bar for each day's peak. What it shows stands in the table, too.
fn chart(billed: &Billed) -> Markup {
    const HEIGHT: u64 = 100;
    let top = billed.peak_seats.max(1);
    let mut bars = String::new();
    for (place, day) in billed.days.iter().enumerate() {
        let height = day.peak_seats * HEIGHT / top;
        let _ = write!(bars, "<rect x='{}' y='{}' width='8' height='{height}'/>", place * 10 + 1, HEIGHT - height);
    }
    html! {
        svg viewBox="0 0 310 100" preserveAspectRatio="none" role="img"
            aria-label={ "Peak seats on each day, at most " (number(billed.peak_seats)) } { (PreEscaped(bars)) }
    }
}

/// The name of the page's file: what a file system or a shell may take for something else is written as `%XX`.
pub fn file_name(month: Month, subscription: &str) -> String {
    let mut name = String::new();
    for (place, byte) in subscription.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') && place > 0 {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "%{byte:02X}");
        }
    }
    format!("{name}-{month}.html")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::billing::{Held, People};
    use crate::roster::When;

    fn shown(name: &str, now: &str) -> String {
        let month = "2026-10".parse().unwrap();
        let held =
            Held { before: 7, steps: vec![(When::parse("2026-10-11").unwrap().about(), 1200)], ..Held::default() };
        let now = When::parse(now).unwrap().about();
        page(month, &Billed::new(name, month, chrono_tz::Tz::UTC, &held, &People::default(), now))
    }

    #[test]
    fn a_page_needs_nothing_else_and_takes_a_name_for_a_name() {
        let page = shown("<script>alert(1)</script> & Söhne", "2026-11-02");
        assert!(page.contains("<h1>&lt;script&gt;alert(1)&lt;/script&gt; &amp; Söhne</h1>"), "{page}");
        for other in ["http:", "https:", "src=", "href=", "<script", "url(", "@import"] {
            assert!(!page.contains(other), "{other}");
        }
        assert!(page.contains("<dd>1,200</dd>") && page.contains("<dd>25,270.00</dd>"), "{page}");
        assert!(page.contains(r#"<th scope="row">2026-10-31</th><td>1,200</td><td>1,200.00</td>"#), "{page}");
        assert!(!page.contains("not over"));
    }

    #[test]
    fn a_page_of_a_month_that_is_not_over_says_so() {
        let page = shown("contoso", "2026-10-02T10:00:00Z");
        assert!(page.contains("The month is not over: counted up to 2026-10-02 10:00 UTC."));
    }

    #[test]
    fn a_name_is_no_path() {
        let month = "2026-10".parse().unwrap();
        assert_eq!(file_name(month, "contoso"), "contoso-2026-10.html");
        assert_eq!(file_name(month, "../etc/x"), "%2E.%2Fetc%2Fx-2026-10.html");
        assert_eq!(file_name(month, "-rf ü"), "%2Drf%20%C3%BC-2026-10.html");
        assert_ne!(file_name(month, "a b"), file_name(month, "a_b"));
    }
}
