//! All values of a group's attribute, also where the server gives them in ranges.
//!
//! Active Directory gives 1,500 values at a time, under names such as `member;range=0-1499`, with an empty `member`
//! beside: whoever reads that one alone sees an empty group. OpenLDAP, asked for a range, gives nothing at all. So the
//! attribute is asked for by its name, and in ranges only when the server began with one.

use crate::source::Incomplete;

use super::directory::{Asked, Directory, RawEntry, References, Scope, Search, Whole, search};

/// Which values an attribute's name says it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: u64,
    /// `None`: to the end.
    last: Option<u64>,
}

/// The range in `member;range=0-1499`, where `name` is `member`.
fn range_of(attribute: &str, name: &str) -> Option<Range> {
    let (base, option) = attribute.split_once(';')?;
    let range = option.get(..6).filter(|word| word.eq_ignore_ascii_case("range=")).and(option.get(6..))?;
    let (first, last) = range.split_once('-')?;
    let last = if last == "*" { None } else { Some(last.parse().ok()?) };
    base.eq_ignore_ascii_case(name).then_some(Range { first: first.parse().ok()?, last })
}

/// The values in an answer, and where the next ones begin.
struct Found {
    values: Vec<Vec<u8>>,
    next: Option<u64>,
}

/// Takes the values out of the entry: there may be a hundred thousand.
fn found_in(entry: &mut RawEntry, name: &str, expected: u64) -> Result<Found, ()> {
    let ranged = entry.attributes.iter_mut().find_map(|(known, values)| Some((range_of(known, name)?, values)));
    match ranged {
        None if expected == 0 => {
            let plain = entry.attributes.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name));
            Ok(Found { values: plain.map(|(_, values)| std::mem::take(values)).unwrap_or_default(), next: None })
        }
        Some((Range { first, last }, values)) if first == expected => {
            let next = last.map(|last| last + 1);
            let complete = next.is_none_or(|next| next - first == values.len() as u64);
            if complete { Ok(Found { values: std::mem::take(values), next }) } else { Err(()) }
        }
        _ => Err(()),
    }
}

/// Hands over all values of `name` in an entry that has been read with it, which loses them, asking on where the server
/// gave a range.
///
/// # Errors
/// When not all could be read, or when they changed meanwhile.
pub fn all_values(
    directory: &mut dyn Directory,
    entry: &mut RawEntry,
    name: &str,
    asked: &mut Asked,
    each: &mut dyn FnMut(Vec<u8>) -> Result<(), Incomplete>,
) -> Result<(), Incomplete> {
    let what = format!("the values of {name} in {}", entry.dn);
    let changed = || Incomplete::passing(format!("{what} changed while they were being read; they are read again."));
    let Found { values, mut next } = found_in(entry, name, 0).map_err(|()| changed())?;
    values.into_iter().try_for_each(&mut *each)?;
    while let Some(first) = next {
        let wanted = format!("{name};range={first}-*");
        let mut answer = None;
        let ask = Search {
            base: &entry.dn,
            scope: Scope::Base,
            filter: "(objectClass=*)",
            attributes: &[&wanted],
            references: References::None,
            what: &what,
        };
        let whole = search(directory, &ask, 0, asked, &mut |entry| {
            answer = Some(entry);
            Ok(())
        })?;
        let mut answer = answer.filter(|_| whole == Whole::Found).ok_or_else(changed)?;
        let found = found_in(&mut answer, name, first).map_err(|()| changed())?;
        next = found.next;
        found.values.into_iter().try_for_each(&mut *each)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::person::raw;
    use super::*;

    #[test]
    fn a_range_is_told_from_other_options() {
        assert_eq!(range_of("member;range=0-1499", "member"), Some(Range { first: 0, last: Some(1499) }));
        assert_eq!(range_of("Member;Range=1500-*", "member"), Some(Range { first: 1500, last: None }));
        for other in ["member", "member;binary", "uniqueMember;range=0-*", "member;range=x-*", "member;range="] {
            assert_eq!(range_of(other, "member"), None, "{other}");
        }
    }

    #[test]
    fn an_empty_attribute_beside_a_range_is_not_an_empty_group() {
        let mut entry = raw("cn=g", &[("member;range=0-1", "a"), ("member;range=0-1", "b")]);
        entry.attributes.insert(0, ("member".to_owned(), Vec::new()));
        let found = found_in(&mut entry, "member", 0).unwrap();
        assert_eq!((found.values.len(), found.next), (2, Some(2)));
    }

    #[test]
    fn a_range_that_is_not_the_next_one_is_not_believed() {
        let mut entry = raw("cn=g", &[("member;range=2-*", "c")]);
        assert!(found_in(&mut entry, "member", 0).is_err() && found_in(&mut entry, "member", 2).is_ok());
        assert!(found_in(&mut raw("cn=g", &[]), "member", 1500).is_err(), "there were more a moment ago");
        let mut short = raw("cn=g", &[("member;range=0-1499", "a")]);
        assert!(found_in(&mut short, "member", 0).is_err(), "fewer values than the range says");
    }
}
