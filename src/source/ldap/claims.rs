//! Who should have a licence, and by which group: from people in groups to the entries of a roster.

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::config::Group;
use crate::roster::{Entry, Fingerprint, Hasher, Parts, When};
use crate::source::csv_doubles::merged;
use crate::source::{BadRow, Entries, Evidence, Row, Snapshot};

use super::members::{Members, Reach};
use super::people::{Kept, place_of};
use super::person::NoAddress;

/// Of the addresses that several people have, so many are shown.
const SHOWN_MAX: usize = 5;

/// Through what a person is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// `user_filter` alone.
    Filter,
    /// A group of the configuration, and the group in it that names the person; often the same.
    Group { root: u32, inner: u32 },
}

/// What parts an entry's origin: the name of the person before it. A semicolon in a name has a backslash before it.
const IN: &str = "; ";

/// People with the routes by which they are in: of several ways the best priority counts.
#[derive(Debug, Default)]
pub struct Claims {
    all: Vec<Claim>,
    /// The names of routes, each once.
    routes: Vec<Box<str>>,
}

#[derive(Debug, Clone, Copy)]
struct Claim {
    /// Place in [`Members::people`].
    person: u32,
    /// Place among the routes.
    route: Option<u32>,
    priority: i32,
    through: Through,
}

/// What claims come to.
#[derive(Debug)]
pub struct Settled {
    /// Still without its entries, which [`Settled::finish`] gives it.
    pub snapshot: Snapshot,
    /// The stable ids of people who are in and have a disabled account, so that they have no licence.
    pub disabled: BTreeSet<Box<str>>,
    /// Of those who are in, how many have an account that has expired.
    pub expired: u64,
    pub without_address: u64,
    /// The sum of [`Hasher::origin`] of all who have a row: it is another when somebody stands elsewhere.
    pub places: u64,
    /// A sentence for each address that several people have; the first few.
    pub shared: Vec<String>,
    include_disabled: bool,
    claims: Claims,
    /// Which claims have a row, in the order of the rows: those of one row stand together.
    in_order: Vec<u32>,
}

/// Who claims what, from which the entry of a row is made when it is wanted: nearly always none is.
#[derive(Debug)]
pub struct Claimed {
    members: Members,
    claims: Claims,
    in_order: Vec<u32>,
    include_disabled: bool,
}

impl Claims {
    /// `person` is a place in [`Members::people`]. Of ways with the same priority the first one is kept.
    pub fn add(&mut self, person: u32, route: Option<&str>, priority: i32, through: Through) {
        let route = route.map(|name| self.place_of_route(name));
        self.all.push(Claim { person, route, priority, through });
    }

    /// For everybody in this group of the configuration, which is `root`.
    pub fn add_group(&mut self, group: &Group, root: u32, members: &Members, nested: bool) -> Reach {
        let reach = if nested { members.reach(root) } else { members.directly(root) };
        self.all.reserve(reach.people.len());
        for (person, inner) in &reach.people {
            let through = Through::Group { root, inner: *inner };
            self.add(*person, group.subscription.as_deref(), group.priority, through);
        }
        reach
    }

    fn place_of_route(&mut self, name: &str) -> u32 {
        let known = self.routes.iter().position(|known| **known == *name);
        place_of(known.unwrap_or_else(|| {
            self.routes.push(name.into());
            self.routes.len() - 1
        }))
    }

    fn route(&self, claim: &Claim) -> Option<&str> {
        self.routes.get(claim.route? as usize).map(|name| &**name)
    }

    /// The rows, and those who have none. `now` tells whose account has expired.
    pub fn settle(mut self, members: &Members, include_disabled: bool, hasher: &Hasher, now: Timestamp) -> Settled {
        // The order of those that are alike stays.
        self.all.sort_by_key(|claim| (claim.person, claim.route, claim.priority));
        self.all.dedup_by_key(|claim| (claim.person, claim.route));
        let (mut keys, mut disabled, mut bad_rows) = (Vec::with_capacity(self.all.len()), BTreeSet::new(), Vec::new());
        let (mut without_address, mut expired, mut last) = (0, 0, None);
        let (mut places, mut place_of_one) = (0_u64, String::new());
        for (place, claim) in (0..).zip(&self.all) {
            let Some(person) = members.people.get(claim.person) else { continue };
            // Claims of one person stand together.
            let is_first = last.replace(claim.person) != Some(claim.person);
            if person.disabled && !include_disabled {
                disabled.insert(person.id.into());
                continue;
            }
            expired +=
                u64::from(is_first && ends(person.expires, include_disabled).is_some_and(|ends| ends.about() <= now));
            match person.address() {
                Ok(address) => {
                    let (route, ends) = (self.route(claim), ends(person.expires, include_disabled));
                    let key = hasher.entry_key(address.identity(), route);
                    let content =
                        hasher.content_of(address.spelling(), Some(person.id), route, claim.priority, None, ends);
                    keys.push(Row { key, content, place });
                    place_of_one.clear();
                    write_origin(&mut place_of_one, person, claim.through, members);
                    places = places.wrapping_add(hasher.origin(key, &place_of_one));
                }
                Err(NoAddress(reason)) if is_first => {
                    without_address += 1;
                    let origin = origin(person, claim.through, members);
                    bad_rows.push(BadRow { origin, reason, stable_id: Some(person.id.to_owned()), address: None });
                }
                Err(_) => {}
            }
        }
        // In the order of keys: numbers are compared more quickly than bytes.
        keys.sort_unstable_by_key(|row| (u128::from_be_bytes(row.key.0), row.place));
        let in_order = keys.iter().map(|row| index(row.place)).collect();
        let (rows, shared) = self.join(keys, members, include_disabled, hasher);
        let mut fingerprint = Fingerprint::default();
        for row in &rows {
            fingerprint.add(row.key, row.content);
        }
        let snapshot = Snapshot {
            rows,
            alike: Vec::new(),
            parts: Parts::all(),
            fingerprint,
            bad_rows,
            evidence: Evidence::default(),
            entries: Entries::Memory(Vec::new()),
            departed: std::collections::BTreeMap::new(),
        };
        Settled {
            snapshot,
            disabled,
            expired,
            without_address,
            places,
            shared,
            include_disabled,
            claims: self,
            in_order,
        }
    }

    /// Makes one row of all claims of one key, whose place is then that in the order; and what there is to say of those
    /// that several people have.
    fn join(
        &self,
        mut claims: Vec<Row>,
        members: &Members,
        include_disabled: bool,
        hasher: &Hasher,
    ) -> (Vec<Row>, Vec<String>) {
        let (mut shared, mut kept, mut at) = (Vec::new(), 0, 0);
        while let Some(first) = claims.get(at).copied() {
            let alike = claims[at..].iter().take_while(|row| row.key == first.key).count();
            let mut row = Row { place: at as u64, ..first };
            if alike > 1 {
                let people = claims[at..at + alike].iter().map(|row| index(row.place));
                if let Some(entry) = self.joined(people, members, include_disabled) {
                    row.content = hasher.content(&entry);
                    let Entry { address, origin, .. } = entry;
                    let told =
                        || format!("{address} is the address of {alike} people, who have one licence: {origin}.");
                    shared.extend((shared.len() < SHOWN_MAX).then(told));
                }
            }
            claims[kept] = row;
            (kept, at) = (kept + 1, at + alike);
        }
        claims.truncate(kept);
        (claims, shared)
    }

    /// One entry of these claims, which have one address: one seat, whoever of them leaves.
    fn joined(&self, claims: impl Iterator<Item = u32>, members: &Members, include_disabled: bool) -> Option<Entry> {
        let mut entries: Vec<Entry> =
            claims.filter_map(|claim| self.entry(self.all.get(claim as usize)?, members, include_disabled)).collect();
        if entries.len() < 2 {
            return entries.pop();
        }
        let mut origins: Vec<String> = entries.iter().map(|entry| entry.origin.to_string()).collect();
        origins.sort_unstable();
        let mut entry = merged(entries)?;
        entry.origin = origins.join(" and ").into();
        Some(entry)
    }

    fn entry(&self, claim: &Claim, members: &Members, include_disabled: bool) -> Option<Entry> {
        let person = members.people.get(claim.person)?;
        Some(Entry {
            address: person.address().ok()?,
            stable_id: Some(person.id.into()),
            route: self.route(claim).map(Into::into),
            priority: claim.priority,
            starts: None,
            ends: ends(person.expires, include_disabled),
            origin: origin(person, claim.through, members).into(),
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it was one before it was the place of a row")]
fn index(place: u64) -> u32 {
    place as u32
}

/// When the account expires, where that ends a licence.
/// When the entry of an account ends that expires.
pub(super) fn ends(expires: Option<Timestamp>, include_disabled: bool) -> Option<When> {
    expires.filter(|_| !include_disabled).map(When::At)
}

impl Settled {
    /// The snapshot, with the people behind its rows.
    pub fn finish(self, members: Members) -> Snapshot {
        let Settled { snapshot, include_disabled, claims, in_order, .. } = self;
        let claimed = Claimed { members, claims, in_order, include_disabled };
        Snapshot { entries: Entries::Directory(Box::new(claimed)), ..snapshot }
    }
}

impl Claimed {
    /// The entry of a row.
    pub fn entry(&self, row: &Row) -> Option<Entry> {
        self.of_one(self.alike(usize::try_from(row.place).ok()?))
    }

    /// Every entry, in the order of keys.
    pub fn all(&self) -> impl Iterator<Item = Entry> {
        let mut place = 0;
        std::iter::from_fn(move || {
            let alike = self.alike(place);
            place += alike.len();
            self.of_one(alike)
        })
    }

    fn of_one(&self, claims: &[u32]) -> Option<Entry> {
        self.claims.joined(claims.iter().copied(), &self.members, self.include_disabled)
    }

    /// The claims of one row, which begin here.
    fn alike(&self, place: usize) -> &[u32] {
        let identity = |claim: &u32| {
            let claim = self.claims.all.get(*claim as usize)?;
            Some((self.members.people.get(claim.person)?.address().ok()?, claim.route))
        };
        let rest = self.in_order.get(place..).unwrap_or_default();
        let first = rest.first().and_then(identity);
        let alike = rest.iter().take_while(|claim| identity(claim) == first).count();
        rest.get(..alike).unwrap_or_default()
    }
}

/// Where a person stands: `CN=Jane,…; member of CN=Staff,…`.
fn origin(person: Kept<'_>, through: Through, members: &Members) -> String {
    let mut origin = String::new();
    write_origin(&mut origin, person, through, members);
    origin
}

fn write_origin(origin: &mut String, person: Kept<'_>, through: Through, members: &Members) {
    let group = |index: u32| members.groups.get(index as usize).map(|group| &group.dn);
    let mut put = |texts: &[&str]| texts.iter().for_each(|text| origin.push_str(text));
    put(&[person.dn]);
    match through {
        Through::Filter => put(&[IN, "found by user_filter"]),
        Through::Group { root, inner } => match (group(root), group(inner)) {
            (Some(root), Some(inner)) if root != inner => {
                put(&[IN, "member of ", &inner.name(), " in ", root.text()]);
            }
            (Some(root), _) => put(&[IN, "member of ", root.text()]),
            (None, _) => {}
        },
    }
}

/// Whether an origin that was made here is that of one person, and not of several who have one address.
pub fn is_of_one(origin: &str) -> bool {
    let rest = origin.get(name_in(origin).len() + IN.len()..);
    rest.is_some_and(|rest| name_in(rest) == rest)
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

    fn settled(members: &Members, claims: &[(u32, Option<&str>, i32)], include_disabled: bool) -> Settled {
        let mut all = Claims::default();
        for (person, route, priority) in claims {
            all.add(*person, *route, *priority, Through::Group { root: 0, inner: 0 });
        }
        let now = chrono::DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        all.settle(members, include_disabled, &Hasher::new([7; 16]), now)
    }

    fn entries(settled: Settled, members: Members) -> Vec<Entry> {
        let mut snapshot = settled.finish(members);
        let rows = snapshot.rows.clone();
        snapshot.entries.fetch(&rows).unwrap()
    }

    fn told(settled: Settled, members: Members) -> Vec<String> {
        let entries = entries(settled, members);
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
        let settled = settled(&members, &claims, false);
        assert_eq!(
            told(settled, members),
            [
                r"jane@x.example jane None 5 cn=jane,dc=x; member of cn=Staff,dc=x",
                r#"jane@x.example jane Some("fabrikam") 70 cn=jane,dc=x; member of cn=Staff,dc=x"#,
            ]
        );
    }

    #[test]
    fn two_people_with_one_address_are_one_seat_and_both_are_shown() {
        let two = || members(&[JANE, ("janet", &[("mail", "Jane@x.example")])]);
        let members = two();
        let one = settled(&members, &[(0, None, 100), (1, None, 7)], false);
        assert_eq!(
            one.shared,
            [
                "Jane@x.example is the address of 2 people, who have one licence: cn=jane,dc=x; member of cn=Staff,dc=x and cn=janet,dc=x; member of cn=Staff,dc=x."
            ]
        );
        let other = settled(&members, &[(1, None, 7), (0, None, 100)], false);
        let (one, other) = (told(one, members), told(other, two()));
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
        assert_eq!((strict.expired, settled(&members, &claims, true).expired), (1, 0));
        let entry = entries(strict, members).remove(0);
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
        assert_eq!(
            origin(members.people.get(0).unwrap(), inner, &members),
            "cn=jane,dc=x; member of Berlin in cn=Staff,dc=x"
        );
    }
}
