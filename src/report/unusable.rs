//! What is said of a source's rows and entries that can't be used.

use super::text::count;
use crate::source::BadRow;

/// So many of them are told; where the others stand is said.
const SHOWN_MAX: usize = 3;

/// What a file has, one of them and several.
pub const ROWS: [&str; 2] = ["row", "rows"];
/// What a directory has.
pub const ENTRIES: [&str; 2] = ["entry", "entries"];

/// How many can't be used, the first of them and why, and where all of them stand: a fragment. `None`: all can be used.
/// `place` is the file or the server, and `shown` is what becomes of a reason, in which an address may stand.
pub fn unusable(bad_rows: &[BadRow], [one, many]: [&str; 2], place: &str, shown: fn(&str) -> String) -> Option<String> {
    let number = u64::try_from(bad_rows.len()).ok().filter(|number| *number > 0)?;
    let told = bad_rows.iter().take(SHOWN_MAX);
    let told: Vec<String> = told.map(|row| format!("{}: {}", row.origin, shown(&row.reason))).collect();
    let more = if bad_rows.len() > SHOWN_MAX { "; `rosterd plan --json` lists all of them" } else { "" };
    Some(format!("{} of {place} can't be used: {}{more}", count(number, one, many), told.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(number: usize) -> Vec<BadRow> {
        let row = |at| BadRow {
            origin: format!("staff.csv line {at}"),
            reason: "the address has no @".to_owned(),
            stable_id: None,
            address: None,
        };
        (2..number + 2).map(row).collect()
    }

    #[test]
    fn the_first_are_told_with_their_reasons_and_where_all_stand() {
        let told = |number| unusable(&rows(number), ROWS, "staff.csv", str::to_uppercase);
        assert_eq!(told(0), None);
        assert_eq!(told(1).unwrap(), "1 row of staff.csv can't be used: staff.csv line 2: THE ADDRESS HAS NO @");
        let many = told(4).unwrap();
        assert!(many.starts_with("4 rows of staff.csv") && many.ends_with("; `rosterd plan --json` lists all of them"));
        assert!(many.contains("line 4") && !many.contains("line 5"), "{many}");
    }
}
