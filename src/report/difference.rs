//! How a reading differs from the roster that is in force, for a person who looks before it counts.

use std::collections::HashSet;

use super::text::{count, moment};
use crate::clock::Timestamp;
use crate::roster::change::Change;

/// Of each kind so many are named, the first ones.
pub const NAMED_MAX: usize = 3;

/// What would be different, each a sentence: who would join, leave, have another address, or another priority or end.
/// `accepted` is when the roster came into force.
pub fn told(changes: &[Change], accepted: Timestamp) -> Vec<String> {
    let since = format!("Against the roster of {}", moment(accepted));
    if changes.is_empty() {
        return vec![format!("{since}, nothing is different.")];
    }
    let renamed_to = |change: &Change| match change {
        Change::Removed { renamed_to: Some(to), .. } => Some(to.identity().to_owned()),
        _ => None,
    };
    let renamed: HashSet<String> = changes.iter().filter_map(renamed_to).collect();
    let (mut join, mut leave, mut rename, mut other) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for change in changes {
        match change {
            // Told with the address that it takes the place of.
            Change::Added(entry) if renamed.contains(entry.address.identity()) => {}
            Change::Added(entry) => join.push(entry.address.to_string()),
            Change::Removed { entry, renamed_to: Some(to), .. } => rename.push(format!("{} to {to}", entry.address)),
            Change::Removed { entry, reason, .. } => leave.push(format!("{} ({reason})", entry.address)),
            Change::Changed(entry) => other.push(entry.address.to_string()),
        }
    }
    let kinds = [
        (join, "would join"),
        (leave, "would leave"),
        (rename, "would have another address"),
        (other, "would stay with another end, priority or spelling"),
    ];
    let kinds = kinds.into_iter().filter(|(who, _)| !who.is_empty());
    kinds
        .map(|(who, what)| format!("{since}, {} {what}: {}.", count(who.len() as u64, "person", "people"), some(&who)))
        .collect()
}

fn some(who: &[String]) -> String {
    let more = if who.len() > NAMED_MAX { " and more" } else { "" };
    format!("{}{more}", who.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::roster::{Entry, Reason};

    fn entry(name: &str) -> Entry {
        Entry {
            address: Address::parse(&format!("{name}@x.example")).unwrap(),
            stable_id: None,
            route: None,
            priority: 100,
            starts: None,
            ends: None,
            origin: "cn=x".into(),
        }
    }

    #[test]
    fn each_kind_of_change_is_a_sentence_and_a_rename_is_one_change() {
        let removed = |name: &str, reason, to: Option<&str>| Change::Removed {
            entry: entry(name),
            reason,
            renamed_to: to.map(|to| entry(to).address),
        };
        let mut changes =
            vec![removed("ada", Reason::Renamed, Some("ada.king")), removed("ben", Reason::Disabled, None)];
        changes.extend(["ada.king", "c1", "c2", "c3", "c4"].map(|name| Change::Added(entry(name))));
        changes.push(Change::Changed(entry("dot")));
        let at = "2026-11-23T08:00:00Z".parse().unwrap();
        insta::assert_snapshot!(told(&changes, at).join("\n"), @r"
        Against the roster of 2026-11-23 08:00 UTC, 4 people would join: c1@x.example, c2@x.example, c3@x.example and more.
        Against the roster of 2026-11-23 08:00 UTC, 1 person would leave: ben@x.example (disabled).
        Against the roster of 2026-11-23 08:00 UTC, 1 person would have another address: ada@x.example to ada.king@x.example.
        Against the roster of 2026-11-23 08:00 UTC, 1 person would stay with another end, priority or spelling: dot@x.example.
        ");
        assert_eq!(told(&[], at), ["Against the roster of 2026-11-23 08:00 UTC, nothing is different."]);
    }
}
