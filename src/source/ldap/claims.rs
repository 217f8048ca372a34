//! Who should have a licence, and by which group: from people in groups to the entries of a roster.

use std::collections::{BTreeMap, BTreeSet};

use crate::roster::{Entry, Hasher, When};
use crate::source::csv_doubles::merged;
use crate::source::{BadRow, Snapshot};

use super::members::Members;
use super::person::{NoAddress, Person};

/// Of the addresses that several people have, so many are shown.
const SHOWN_MAX: usize = 5;

/// Through what a person is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// `user_filter` alone.
    Filter,
    /// A group of the configuration, and the group in it that names the person; often the same.
    Group { root: usize, inner: usize },
}

/// What parts an entry's origin: the name of the person before it. A semicolon in a name has a backslash before it.
const IN: &str = "; ";

/// People with the routes by which they are in: of several ways the best priority counts.
#[derive(Debug, Default)]
pub struct Claims(BTreeMap<Claimant, (i32, Through)>);

/// An index into [`Members::people`], and a route.
type Claimant = (usize, Option<Box<str>>);

/// What claims come to.
#[derive(Debug)]
pub struct Settled {
    pub snapshot: Snapshot,
    /// The stable ids of people who are in and have a disabled account, so that they have no licence.
    pub disabled: BTreeSet<Box<str>>,
    pub without_address: u64,
    /// A sentence for each address that several people have; the first few.
    pub shared: Vec<String>,
}

impl Claims {
    /// `person` is an index into [`Members::people`]. Of ways with the same priority the first one is kept.
    pub fn add(&mut self, person: usize, route: Option<&str>, priority: i32, through: Through) {
        let claim = self.0.entry((person, route.map(Into::into))).or_insert((priority, through));
        if priority < claim.0 {
            *claim = (priority, through);
        }
    }

    /// The entries, and those who have none.
    pub fn settle(self, members: &Members, include_disabled: bool, hasher: &Hasher) -> Settled {
        let (mut by_key, mut disabled, mut bad_rows) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        let mut without_address = BTreeSet::new();
        for ((index, route), (priority, through)) in self.0 {
            let Some(person) = members.people.get(index) else { continue };
            let origin = origin(person, through, members);
            if person.disabled && !include_disabled {
                disabled.insert(person.id.clone());
                continue;
            }
            match &person.address {
                Ok(address) => {
                    let entry = Entry {
                        address: address.clone(),
                        stable_id: Some(person.id.clone()),
                        route: route.clone(),
                        priority,
                        starts: None,
                        ends: person.expires.filter(|_| !include_disabled).map(When::At),
                        origin: origin.into(),
                    };
                    by_key.entry((entry.address.identity().to_owned(), route)).or_insert_with(Vec::new).push(entry);
                }
                Err(NoAddress(why)) if without_address.insert(index) => bad_rows.push(BadRow {
                    origin,
                    reason: why.clone(),
                    stable_id: Some(person.id.to_string()),
                    address: None,
                }),
                Err(_) => {}
            }
        }
        let mut shared = Vec::new();
        let entries = by_key.into_values().filter_map(|entries| joined(entries, &mut shared)).collect();
        let mut snapshot = Snapshot::of(entries, hasher);
        snapshot.bad_rows = bad_rows;
        Settled { snapshot, disabled, without_address: without_address.len() as u64, shared }
    }
}

/// One entry of all that have one address: one seat, whoever of them leaves.
fn joined(entries: Vec<Entry>, shared: &mut Vec<String>) -> Option<Entry> {
    if entries.len() < 2 {
        return entries.into_iter().next();
    }
    let mut origins: Vec<String> = entries.iter().map(|entry| entry.origin.to_string()).collect();
    origins.sort_unstable();
    let mut entry = merged(entries)?;
    entry.origin = origins.join(" and ").into();
    if shared.len() < SHOWN_MAX {
        shared.push(format!(
            "{} is the address of {} people, who have one licence: {}.",
            entry.address,
            origins.len(),
            entry.origin
        ));
    }
    Some(entry)
}

/// Where a person stands: `CN=Jane,…; member of CN=Staff,…`.
fn origin(person: &Person, through: Through, members: &Members) -> String {
    let group = |index: usize| members.groups.get(index).map(|group| &group.dn);
    let name = &person.dn;
    match through {
        Through::Filter => format!("{name}{IN}found by user_filter"),
        Through::Group { root, inner } => match (group(root), group(inner)) {
            (Some(root), Some(inner)) if root != inner => {
                format!("{name}{IN}member of {} in {root}", inner.name())
            }
            (Some(root), _) => format!("{name}{IN}member of {root}"),
            (None, _) => name.to_string(),
        },
    }
}

/// The name of the person in an origin that was made here.
pub fn name_in(origin: &str) -> &str {
    let mut from = 0;
    while let Some(found) = origin.get(from..).and_then(|rest| rest.find(IN)) {
        let at = from + found;
        if !origin[..at].ends_with('\\') {
            return &origin[..at];
        }
        from = at + IN.len();
    }
    origin
}

#[cfg(test)]
mod tests {
    use super::super::person::raw;
    use super::*;
    use crate::roster::Hasher;

    /// Two groups, the second in the first, and people, each with these attributes.
    fn members(people: &[(&str, &[(&str, &str)])]) -> Members {
        let mut members = Members::default();
        for name in ["cn=Staff,dc=x", "cn=Berlin,dc=x"] {
            members.add(&raw(name, &[("objectClass", "group"), ("entryUUID", name)]), &[]).unwrap();
        }
        for (name, attributes) in people {
            let mut all = vec![("entryUUID", *name)];
            all.extend_from_slice(attributes);
            members.add(&raw(&format!("cn={name},dc=x"), &all), &["mail".to_owned()]).unwrap();
        }
        members
    }

    fn settled(members: &Members, claims: &[(usize, Option<&str>, i32)], include_disabled: bool) -> Settled {
        let mut all = Claims::default();
        for (person, route, priority) in claims {
            all.add(*person, *route, *priority, Through::Group { root: 0, inner: 0 });
        }
        all.settle(members, include_disabled, &Hasher::new([7; 16]))
    }

    fn told(mut settled: Settled) -> Vec<String> {
        let rows = settled.snapshot.rows.clone();
        let entries = settled.snapshot.entries.fetch(&rows).unwrap();
        let mut told: Vec<String> = entries
            .iter()
            .map(|e| {
                format!(
                    "{} {} {:?} {} {}",
                    e.address,
                    e.stable_id.as_deref().unwrap_or("-"),
                    e.route,
                    e.priority,
                    e.origin
                )
            })
            .collect();
        told.sort();
        told
    }

    const JANE: (&str, &[(&str, &str)]) = ("jane", &[("mail", "jane@x.example")]);

    #[test]
    fn in_several_groups_the_best_priority_counts_and_each_route_for_itself() {
        let members = members(&[JANE]);
        let claims = [(0, None, 100), (0, None, 5), (0, None, 50), (0, Some("fabrikam"), 70)];
        assert_eq!(
            told(settled(&members, &claims, false)),
            [
                r"jane@x.example jane None 5 cn=jane,dc=x; member of cn=Staff,dc=x",
                r#"jane@x.example jane Some("fabrikam") 70 cn=jane,dc=x; member of cn=Staff,dc=x"#,
            ]
        );
    }

    #[test]
    fn two_people_with_one_address_are_one_seat_and_both_are_shown() {
        let members = members(&[JANE, ("janet", &[("mail", "Jane@x.example")])]);
        let one = settled(&members, &[(0, None, 100), (1, None, 7)], false);
        assert_eq!(
            one.shared,
            [
                "Jane@x.example is the address of 2 people, who have one licence: cn=jane,dc=x; member of cn=Staff,dc=x and cn=janet,dc=x; member of cn=Staff,dc=x."
            ]
        );
        let other = settled(&members, &[(1, None, 7), (0, None, 100)], false);
        let (one, other) = (told(one), told(other));
        assert_eq!((one.len(), &one), (1, &other), "whatever the order");
        assert!(one[0].starts_with("Jane@x.example jane None 7 "), "{one:?}");
    }

    #[test]
    fn nobody_without_an_address_is_dropped_in_silence() {
        let members = members(&[("none", &[]), ("odd", &[("mail", "odd")])]);
        let settled = settled(&members, &[(0, None, 1), (0, Some("a"), 1), (1, None, 1)], false);
        let rows: Vec<String> = settled
            .snapshot
            .bad_rows
            .iter()
            .map(|row| format!("{} {}: {}", row.stable_id.as_deref().unwrap_or("-"), row.origin, row.reason))
            .collect();
        assert_eq!(
            rows,
            [
                "none cn=none,dc=x; member of cn=Staff,dc=x: it has no address: nothing in mail",
                "odd cn=odd,dc=x; member of cn=Staff,dc=x: its mail, `odd`, has no @",
            ]
        );
        assert_eq!(settled.without_address, 2);
    }

    #[test]
    fn a_disabled_account_has_no_licence_unless_it_is_told_to() {
        let off: (&str, &[(&str, &str)]) = ("off", &[("mail", "off@x.example"), ("userAccountControl", "514")]);
        let ends: (&str, &[(&str, &str)]) =
            ("ends", &[("mail", "ends@x.example"), ("accountExpires", "134224056000000000")]);
        let members = members(&[off, ends]);
        let claims = [(0, None, 1), (1, None, 1)];
        let strict = settled(&members, &claims, false);
        assert_eq!(strict.disabled.iter().map(|id| &**id).collect::<Vec<_>>(), ["off"]);
        assert_eq!((strict.snapshot.rows.len(), settled(&members, &claims, true).snapshot.rows.len()), (1, 2));
        let mut entries = strict.snapshot.entries;
        let entry = entries.fetch(&strict.snapshot.rows).unwrap().remove(0);
        assert_eq!(entry.ends.map(|ends| ends.to_string()).as_deref(), Some("2026-05-04T22:00:00Z"));
    }

    #[test]
    fn the_name_is_found_again_in_an_origin() {
        for (origin, name) in [
            ("cn=Jane,dc=x; member of cn=Staff,dc=x", "cn=Jane,dc=x"),
            (r"cn=Jane\; Doe,dc=x; member of cn=a\; b,dc=x", r"cn=Jane\; Doe,dc=x"),
            ("cn=Jane,dc=x; found by user_filter", "cn=Jane,dc=x"),
            ("staff.csv line 7", "staff.csv line 7"),
        ] {
            assert_eq!(name_in(origin), name);
        }
    }

    #[test]
    fn a_group_in_a_group_is_named() {
        let members = members(&[JANE]);
        let inner = Through::Group { root: 0, inner: 1 };
        assert_eq!(origin(&members.people[0], inner, &members), "cn=jane,dc=x; member of Berlin in cn=Staff,dc=x");
    }
}
