//! One address in several rows, and one id with several addresses. What is decided never depends on the order of rows.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Timestamp;
use crate::roster::{Entry, EntryKey, Hasher, When};

use super::csv_pass::Place;

/// One entry for several rows that name one address and differ: the better priority, the earliest start, the latest
/// end; the smaller of two ids and of two spellings. `None` for no rows.
pub fn merged(entries: Vec<Entry>) -> Option<Entry> {
    entries.into_iter().reduce(|one, other| {
        let other_spelling = other.address.spelling() < one.address.spelling();
        Entry {
            address: if other_spelling { other.address } else { one.address },
            stable_id: smaller(one.stable_id, other.stable_id),
            priority: one.priority.min(other.priority),
            starts: earliest(one.starts, other.starts),
            ends: latest(one.ends, other.ends),
            route: one.route,
            origin: one.origin,
        }
    })
}

/// Without a start, somebody is in from the beginning.
fn earliest(one: Option<When>, other: Option<When>) -> Option<When> {
    [one?, other?].into_iter().min_by_key(in_order)
}

/// Without an end, somebody stays.
fn latest(one: Option<When>, other: Option<When>) -> Option<When> {
    [one?, other?].into_iter().max_by_key(in_order)
}

/// A day and a moment may be the same moment; then their words decide.
fn in_order(when: &When) -> (Timestamp, String) {
    (when.about(), when.to_string())
}

fn smaller(one: Option<Box<str>>, other: Option<Box<str>>) -> Option<Box<str>> {
    one.into_iter().chain(other).min()
}

/// Finds ids that may stand with several addresses, in 8 bytes a row: 44 bits of the id's hash, 20 of the address's.
/// A suspicion may be wrong, and is looked into; two addresses of one id are missed once in a million.
#[derive(Debug, Default)]
pub struct Suspects {
    pairs: Vec<u64>,
}

const ADDRESS_BITS: u32 = 20;

impl Suspects {
    /// Adds a row: `address` is a hash of its identity, the same wherever the row is routed.
    pub fn add(&mut self, hasher: &Hasher, id: &str, address: EntryKey) {
        let [low, middle, high, ..] = address.0;
        let address = u64::from(u32::from_le_bytes([low, middle, high, 0])) & ((1 << ADDRESS_BITS) - 1);
        self.pairs.push(id_part(hasher, id) | address);
    }

    /// The ids that are to be looked into.
    pub fn found(mut self) -> BTreeSet<u64> {
        self.pairs.sort_unstable();
        let same_id = |pair: &[u64]| pair[0] != pair[1] && pair[0] >> ADDRESS_BITS == pair[1] >> ADDRESS_BITS;
        self.pairs.windows(2).filter(|pair| same_id(pair)).map(|pair| pair[0] >> ADDRESS_BITS).collect()
    }
}

fn id_part(hasher: &Hasher, id: &str) -> u64 {
    hasher.stable_id(id) & !((1 << ADDRESS_BITS) - 1)
}

/// Whether this id is among those that [`Suspects::found`] gave.
pub fn is_suspect(found: &BTreeSet<u64>, hasher: &Hasher, id: &str) -> bool {
    found.contains(&(id_part(hasher, id) >> ADDRESS_BITS))
}

/// The rows of each suspected id: address and place.
pub type Claims = BTreeMap<String, Vec<(String, Place)>>;

/// The rows that share an id with another address, each with the id, the address and what is wrong.
pub fn contradictions(claims: &Claims) -> Vec<(Place, String, String, String)> {
    const SHOWN: usize = 5;
    let mut found = Vec::new();
    for (id, rows) in claims {
        if rows.iter().all(|(identity, _)| *identity == rows[0].0) {
            continue;
        }
        let lines: Vec<String> = rows.iter().take(SHOWN).map(|(_, place)| place.line().to_string()).collect();
        let more = if rows.len() > SHOWN { " and more" } else { "" };
        let reason = format!(
            "its id {id:?} stands with several addresses (lines {}{more}); an id names one person",
            lines.join(", ")
        );
        found.extend(rows.iter().map(|(identity, place)| (*place, id.clone(), identity.clone(), reason.clone())));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;

    fn entry(spelling: &str, id: &str, priority: i32, dates: [Option<When>; 2]) -> Entry {
        Entry {
            address: Address::parse(spelling).unwrap(),
            stable_id: (!id.is_empty()).then(|| id.into()),
            route: None,
            priority,
            starts: dates[0],
            ends: dates[1],
            origin: "x".into(),
        }
    }

    fn day(text: &str) -> Option<When> {
        When::parse(text).ok()
    }

    #[test]
    fn rows_of_one_address_become_one_entry_in_any_order() {
        let rows = [
            entry("jane@contoso.com", "", 100, [day("2026-12-01"), day("2027-02-01")]),
            entry("Jane@contoso.com", "9", 5, [day("2026-11-01"), day("2027-01-01")]),
            entry("jane@contoso.com", "7", 7, [day("2026-11-15"), day("2027-03-01")]),
        ];
        let expected = entry("Jane@contoso.com", "7", 5, [day("2026-11-01"), day("2027-03-01")]);
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]] {
            let merged = merged(order.map(|index| rows[index].clone()).to_vec()).unwrap();
            assert_eq!(merged, expected);
            assert_eq!(merged.address.spelling(), expected.address.spelling());
        }
    }

    #[test]
    fn no_date_is_open() {
        let rows = [
            entry("a@b.example", "", 1, [None, day("2027-02-01")]),
            entry("a@b.example", "", 1, [day("2026-12-01"), None]),
        ];
        let merged = merged(rows.to_vec()).unwrap();
        assert_eq!((merged.starts, merged.ends), (None, None));
    }

    #[test]
    fn an_id_with_two_addresses_is_found_and_a_repeated_row_is_not() {
        let hasher = Hasher::new([7; 16]);
        let mut suspects = Suspects::default();
        for (id, identity) in [("1", "a@b.example"), ("1", "a@b.example"), ("2", "c@b.example"), ("2", "d@b.example")] {
            suspects.add(&hasher, id, hasher.entry_key(identity, None));
        }
        let found = suspects.found();
        assert!(is_suspect(&found, &hasher, "2"));
        assert!(!is_suspect(&found, &hasher, "1"));
    }
}
