//! The audit trail, a line for each event.

use std::time::Duration;

use chrono::TimeDelta;

use super::text::{Columns, plain, stamp};
use crate::clock::Timestamp;
use crate::ledger::{Event, HistoryLine};
use crate::roster::When;

/// An event's word, in text as in JSON.
pub fn word(event: Event) -> String {
    match serde_json::to_value(event) {
        Ok(serde_json::Value::String(word)) => word,
        _ => format!("{event:?}").to_lowercase(),
    }
}

/// One object in one line: `{"at", "run", "subscription", "event", "email", "detail"}`.
///
/// # Errors
/// None in practice: every field has a form in JSON.
pub fn json(line: &HistoryLine) -> serde_json::Result<String> {
    serde_json::to_string(line)
}

/// The cells of a line: when, subscription, event, address, detail and run.
pub fn cells(line: &HistoryLine) -> Vec<String> {
    let HistoryLine { at, run, subscription, event, email, detail } = line;
    let or_dash = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), plain);
    let run = run.map_or_else(String::new, |run| format!("[run {run}]"));
    let detail = [plain(detail), run].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    vec![stamp(*at), or_dash(subscription), word(*event), or_dash(email), detail]
}

/// These lines in columns; widths carry over from one call to the next.
pub fn render(lines: &[HistoryLine], columns: &mut Columns) -> String {
    columns.render(&lines.iter().map(cells).collect::<Vec<_>>())
}

/// Since when: a duration before now (`2d`, `12h`), a date (midnight UTC) or RFC 3339.
///
/// # Errors
/// When it is none of these; the text says what it may be.
pub fn since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(when) = When::parse(text) {
        return Ok(when.about());
    }
    let before = |back: Duration| TimeDelta::from_std(back).ok().and_then(|back| now.checked_sub_signed(back));
    humantime::parse_duration(text).ok().and_then(before).ok_or_else(|| {
        format!(
            "“{text}” is no moment: write a duration (2d, 12h), a date (2026-11-23) or RFC 3339 (2026-11-23T08:00:00Z)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        When::parse(text).unwrap().about()
    }

    fn lines() -> Vec<HistoryLine> {
        let assigned = HistoryLine {
            at: at("2026-11-23T08:00:00.250Z"),
            run: Some(uuid::Uuid::parse_str("01936c5e-8f00-7000-8000-000000000001").unwrap()),
            subscription: Some("contoso".into()),
            event: Event::Assigned,
            email: Some("jane@contoso.com".into()),
            detail: "hr: staff.csv line 7".into(),
        };
        let refused = HistoryLine {
            at: at("2026-11-23T08:05:00Z"),
            run: None,
            subscription: None,
            event: Event::RosterRefused,
            email: None,
            detail: "hr: staff.csv has\nno e-mail column".into(),
        };
        vec![assigned, refused]
    }

    #[test]
    fn each_line_reads_alone() {
        insta::assert_snapshot!(render(&lines(), &mut Columns::default()), @r"
            2026-11-23T08:00:00Z  contoso  assigned        jane@contoso.com  hr: staff.csv line 7 [run 01936c5e-8f00-7000-8000-000000000001]
            2026-11-23T08:05:00Z  -        roster-refused  -                 hr: staff.csv has no e-mail column
            ");
    }

    #[test]
    fn json_lines_are_as_the_interface_has_them() {
        let json = lines().iter().map(|line| json(line).unwrap()).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(json, @r#"
            {"at":"2026-11-23T08:00:00.250Z","run":"01936c5e-8f00-7000-8000-000000000001","subscription":"contoso","event":"assigned","email":"jane@contoso.com","detail":"hr: staff.csv line 7"}
            {"at":"2026-11-23T08:05:00Z","run":null,"subscription":null,"event":"roster-refused","email":null,"detail":"hr: staff.csv has\nno e-mail column"}
            "#);
    }

    #[test]
    fn since_takes_durations_dates_and_moments() {
        let now = at("2026-11-23T08:00:00Z");
        assert_eq!(since("2d", now), Ok(at("2026-11-21T08:00:00Z")));
        assert_eq!(since("12h", now), Ok(at("2026-11-22T20:00:00Z")));
        assert_eq!(since("2026-11-01", now), Ok(at("2026-11-01T00:00:00Z")));
        assert_eq!(since("2026-11-01T10:00:00+01:00", now), Ok(at("2026-11-01T09:00:00Z")));
        assert!(since("yesterday", now).unwrap_err().contains("2d, 12h"));
        assert!(since("300000000y", now).is_err());
    }
}
