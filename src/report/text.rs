//! Words that every report needs: numbers, plurals, durations, moments, columns.

use std::time::Duration;

use chrono::SecondsFormat;

use crate::clock::Timestamp;

/// How a text is shown: bare, or on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Tables with lines.
    pub terminal: bool,
    pub colour: bool,
    /// The terminal's width in columns, where it is known.
    pub width: Option<u16>,
}

impl Style {
    /// Bare text, for pipes and files.
    pub const PLAIN: Style = Style { terminal: false, colour: false, width: None };

    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub fn red(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// `1,000,000`.
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 person`, `7 people`.
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// The form of a verb or pronoun that goes with this number.
pub fn either<'a>(n: u64, one: &'a str, many: &'a str) -> &'a str {
    if n == 1 { one } else { many }
}

/// `a, b and c`.
pub fn list(items: &[String], last: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [front @ .., end] => format!("{} {last} {end}", front.join(", ")),
    }
}

/// A duration in its largest unit, rounded down: `45 seconds`, `3 minutes`, `2 hours`, `4 days`.
pub fn span(duration: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match duration.as_secs() {
        s @ 0..MINUTE => count(s, "second", "seconds"),
        s @ MINUTE..HOUR => count(s / MINUTE, "minute", "minutes"),
        s if s < 2 * DAY => count(s / HOUR, "hour", "hours"),
        s => count(s / DAY, "day", "days"),
    }
}

/// `3 minutes ago`, `just now`, `in 2 hours`.
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    match ((now - at).to_std(), (at - now).to_std()) {
        (Ok(past), _) if past < Duration::from_secs(1) => "just now".to_owned(),
        (Ok(past), _) => format!("{} ago", span(past)),
        (_, Ok(ahead)) => format!("in {}", span(ahead)),
        // One of two opposite differences is never negative.
        (Err(_), Err(_)) => moment(at),
    }
}

/// `2026-11-23 08:00 UTC`.
pub fn moment(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// `2026-11-23T08:00:00Z`, for lines that programs read.
pub fn stamp(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `2026-11-23 08:00 UTC (3 minutes ago)`.
pub fn moment_and_distance(at: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", moment(at), relative(at, now))
}

/// A fragment as a sentence: with a full stop, where it has none.
pub fn sentence(fragment: &str) -> String {
    let fragment = fragment.trim_end();
    if fragment.ends_with(['.', '?', ':']) { fragment.to_owned() } else { format!("{fragment}.") }
}

/// A text from elsewhere (a server, a file) in one line, without characters that a terminal would act upon.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The name that somebody who wrote `wanted` may have meant.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let near = |name: &&str| strsim::osa_distance(&wanted, &name.to_lowercase());
    let limit = (wanted.chars().count() / 3).max(1);
    names.into_iter().map(|name| (near(&name), name)).filter(|(d, _)| *d <= limit).min().map(|(_, name)| name)
}

/// Rows in columns, two spaces apart. Widths only grow from one call to the next, so that a long listing can be written
/// as it is read.
#[derive(Debug, Default)]
pub struct Columns {
    widths: Vec<usize>,
}

impl Columns {
    /// The rows as lines. The last column is never padded.
    pub fn render(&mut self, rows: &[Vec<String>]) -> String {
        for row in rows {
            self.widths.resize(self.widths.len().max(row.len()), 0);
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        rows.iter().map(|row| self.line(row)).collect()
    }

    fn line(&self, row: &[String]) -> String {
        let cells = row.iter().zip(&self.widths).map(|(cell, width)| format!("{cell:<width$}"));
        let mut line = cells.collect::<Vec<_>>().join("  ").trim_end().to_owned();
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::When;

    fn at(text: &str) -> Timestamp {
        When::parse(text).unwrap().about()
    }

    #[test]
    fn numbers_are_grouped_and_nouns_agree() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_000_000), "1,000,000");
        assert_eq!(count(1, "person", "people"), "1 person");
        assert_eq!(count(12_345, "person", "people"), "12,345 people");
    }

    #[test]
    fn a_list_ends_with_its_last_word() {
        let items = |n: usize| ["a", "b", "c"].iter().take(n).map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(list(&items(0), "and"), "");
        assert_eq!(list(&items(1), "and"), "a");
        assert_eq!(list(&items(3), "or"), "a, b or c");
    }

    #[test]
    fn distances_read_in_their_largest_unit() {
        let now = at("2026-11-23T08:00:00Z");
        for (moment, words) in [
            ("2026-11-23T08:00:00Z", "just now"),
            ("2026-11-23T07:59:59Z", "1 second ago"),
            ("2026-11-23T07:57:01Z", "2 minutes ago"),
            ("2026-11-22T09:00:00Z", "23 hours ago"),
            ("2026-11-22T07:00:00Z", "25 hours ago"),
            ("2026-11-20T08:00:00Z", "3 days ago"),
            ("2026-11-23T08:15:00Z", "in 15 minutes"),
            ("2026-12-01T00:00:00Z", "in 7 days"),
        ] {
            assert_eq!(relative(at(moment), now), words);
        }
    }

    #[test]
    fn a_typo_finds_the_name_that_was_meant() {
        let names = ["contoso", "fabrikam", "northwind"];
        assert_eq!(nearest("contso", names), Some("contoso"));
        assert_eq!(nearest("Contoso", names), Some("contoso"));
        assert_eq!(nearest("fabirkam", names), Some("fabrikam"));
        assert_eq!(nearest("adventure", names), None);
    }

    #[test]
    fn columns_line_up_and_no_line_ends_in_blanks() {
        let mut columns = Columns::default();
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let text = columns.render(&[row(["name", "state", "why"]), row(["a", "assigned", ""])]);
        assert_eq!(text, "name  state     why\na     assigned\n");
        assert_eq!(columns.render(&[row(["b", "x", "y"])]), "b     x         y\n");
    }

    #[test]
    fn a_text_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(plain("no\x1b[2J\nway"), "no [2J way");
    }

    #[test]
    fn colour_only_where_it_is_wanted() {
        assert_eq!(Style::PLAIN.red("x"), "x");
        assert_eq!(Style { colour: true, ..Style::PLAIN }.red("x"), "\u{1b}[1;31mx\u{1b}[0m");
    }
}
