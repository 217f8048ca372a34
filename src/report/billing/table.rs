//! A month of several subscriptions, as a table and as CSV.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::{Billed, Month};
use crate::report::text::{Columns, Style, moment, number, plain};

const HEADER: [&str; 6] = ["SUBSCRIPTION", "PEAK SEATS", "SEAT-DAYS", "JOINERS", "LEAVERS", "TIME ZONE"];

/// A line for each subscription, and below it up to when was counted where the month is not over.
pub fn table(month: Month, billed: &[Billed], style: Style) -> String {
    let header = HEADER.map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(billed.iter().map(row)).collect();
    let mut text = format!("{}\n\n", style.bold(&month.words()));
    if style.terminal {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(&rows[0]).add_rows(&rows[1..]);
        for column in table.column_iter_mut().skip(1).take(4) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let _ = writeln!(text, "{table}");
    } else {
        text.push_str(&Columns::default().render(&rows));
    }
    if let Some(until) = billed.iter().filter_map(|one| one.until).max() {
        text.push_str(&style.yellow(&format!("\nThe month is not over: counted up to {}.\n", moment(until))));
    }
    text
}

fn row(billed: &Billed) -> Vec<String> {
    let Billed { name, peak_seats, seat_days, joiners, leavers, timezone, .. } = billed;
    let numbers = [number(*peak_seats), seat_days.words(), number(*joiners), number(*leavers)];
    [plain(name)].into_iter().chain(numbers).chain([timezone.to_string()]).collect()
}

/// The same for a spreadsheet: RFC 4180, with a header. `until` is empty where the month is over.
pub fn csv(month: Month, billed: &[Billed]) -> String {
    let mut text = "name,peak_seats,seat_days,joiners,leavers,month,timezone,until\r\n".to_owned();
    for Billed { name, peak_seats, seat_days, joiners, leavers, timezone, until, .. } in billed {
        let until = until.map_or_else(String::new, |until| until.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
        let name = cell(name);
        let _ = write!(text, "{name},{peak_seats},{seat_days},{joiners},{leavers},{month},{timezone},{until}\r\n");
    }
    text
}

/// A text as a cell. One that a spreadsheet would take for a formula gets an apostrophe before it.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::billing::{Held, People};
    use crate::roster::When;

    fn billed(name: &str, now: &str) -> Billed {
        let held = Held { before: 1234, ..Held::default() };
        let now = When::parse(now).unwrap().about();
        let zone = chrono_tz::Europe::Berlin;
        Billed::new(name, "2026-10".parse().unwrap(), zone, &held, &People::default(), now)
    }

    #[test]
    fn a_table_reads_alone() {
        let month = "2026-10".parse().unwrap();
        insta::assert_snapshot!(table(month, &[billed("contoso", "2026-11-02")], Style::PLAIN), @"
        October 2026

        SUBSCRIPTION  PEAK SEATS  SEAT-DAYS  JOINERS  LEAVERS  TIME ZONE
        contoso       1,234       38,254.00  0        0        Europe/Berlin
        ");
        insta::assert_snapshot!(table(month, &[billed("contoso", "2026-10-02")], Style::PLAIN), @"
        October 2026

        SUBSCRIPTION  PEAK SEATS  SEAT-DAYS  JOINERS  LEAVERS  TIME ZONE
        contoso       1,234       1,336.83   0        0        Europe/Berlin

        The month is not over: counted up to 2026-10-02 00:00 UTC.
        ");
    }

    #[test]
    fn a_name_can_not_be_a_formula_nor_another_column() {
        assert_eq!(cell("contoso"), "contoso");
        assert_eq!(cell("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("-1,2"), "\"'-1,2\"");
        let month = "2026-10".parse().unwrap();
        insta::assert_snapshot!(csv(month, &[billed("@sum", "2026-11-02"), billed("b", "2026-10-02")]), @"
        name,peak_seats,seat_days,joiners,leavers,month,timezone,until
        '@sum,1234,38254.00,0,0,2026-10,Europe/Berlin,
        b,1234,1336.83,0,0,2026-10,Europe/Berlin,2026-10-02T00:00:00Z
        ");
    }

    #[test]
    fn json_has_the_fields_of_the_interface() {
        insta::assert_snapshot!(serde_json::to_string(&billed("contoso", "2026-10-02")).unwrap(), @r#"{"name":"contoso","peak_seats":1234,"seat_days":1336.83,"joiners":0,"leavers":0,"seats_at_start":1234,"seats_at_end":1234,"timezone":"Europe/Berlin","until":"2026-10-02T00:00:00Z"}"#);
    }
}
