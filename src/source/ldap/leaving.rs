//! What became of people who are missing from a complete reading. All of them are looked up by their stable ids at once;
//! whom nobody can account for keeps what they have.

use std::collections::HashMap;

use crate::roster::{Entry, Reason};
use crate::source::{BadRow, Incomplete};

use super::claims::{Settled, name_in};
use super::directory::RawEntry;
use super::dn::Dn;
use super::members::{Members, Missing, Node};
use super::person::Person;
use super::server::entry;
use super::walk::Walk;

/// What became of one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    Gone(Reason),
    /// It can't be told; why, as a fragment.
    Unknown(String),
}

/// Notes for each missing person why they left, or holds them. How many are held.
///
/// # Errors
/// When the directory does not answer whole.
pub(super) fn explain(walk: &mut Walk<'_>, settled: &mut Settled, missing: &[Entry]) -> Result<u64, Incomplete> {
    let people: Vec<(&Entry, &str)> =
        missing.iter().filter_map(|entry| Some((entry, entry.stable_id.as_deref()?))).collect();
    let is_known = |id: &str| settled.disabled.contains(id) || walk.members.is_person(id);
    let ids: Vec<&str> = people.iter().map(|(_, id)| *id).filter(|id| !is_known(id)).collect();
    let found = walk.by_ids(&ids)?;
    let mut places = Places::of(&walk.members);
    let mut held = 0;
    for (entry, id) in people {
        let fate = match found.get(id) {
            _ if settled.disabled.contains(id) => Fate::Gone(Reason::Disabled),
            _ if walk.members.is_person(id) => Fate::Gone(Reason::Left),
            Some(raw) => still_there(raw, walk),
            None => not_found(entry, walk, &mut places)?,
        };
        match fate {
            Fate::Gone(reason) => drop(settled.snapshot.departed.insert(id.into(), reason)),
            Fate::Unknown(reason) => {
                held += 1;
                settled.snapshot.bad_rows.push(BadRow {
                    origin: name_in(&entry.origin).to_owned(),
                    reason,
                    stable_id: Some(id.to_owned()),
                    address: Some(entry.address.clone()),
                });
            }
        }
    }
    Ok(held)
}

/// The entry is there, and was not among the members.
fn still_there(raw: &RawEntry, walk: &Walk<'_>) -> Fate {
    let node = Dn::parse(&raw.dn).ok().and_then(|name| walk.members.node(&name));
    if let Some(Node::Missing(_)) = node {
        return Fate::Unknown("a group still names it, and it could not be read as its member".to_owned());
    }
    let says_member = |group: &Dn| walk.members.groups.iter().any(|read| read.is_read && read.dn == *group);
    let groups = raw.texts("memberOf").filter_map(|group| Dn::parse(group).ok());
    if let Some(group) = walk.config.user_filter.is_none().then(|| groups.into_iter().find(says_member)).flatten() {
        return Fate::Unknown(format!("its own entry says that it is a member of {group}, and the group does not"));
    }
    match Person::of(raw, &walk.config.email_attributes) {
        Some(person) if person.disabled && !walk.config.include_disabled => Fate::Gone(Reason::Disabled),
        _ => Fate::Gone(Reason::Left),
    }
}

/// There is no entry of this id, as far as this account can see. Only where the place in which it stood can be seen, it
/// has vanished.
fn not_found(person: &Entry, walk: &mut Walk<'_>, places: &mut Places) -> Result<Fate, Incomplete> {
    let Ok(name) = Dn::parse(name_in(&person.origin)) else { return Ok(Fate::Gone(Reason::Vanished)) };
    if let Some(why) = places.may_be_among(&name) {
        return Ok(Fate::Unknown(why));
    }
    let Some(parent) = name.parent() else { return Ok(Fate::Gone(Reason::Vanished)) };
    if places.is_seen(parent, walk)? {
        return Ok(Fate::Gone(Reason::Vanished));
    }
    Ok(Fate::Unknown(format!(
        "neither it nor {parent}, where it stood, can be seen: it may have been moved or deleted, or this account may not read it any more"
    )))
}

/// What is known of places and names: each is looked at once.
struct Places {
    /// Which places can be seen.
    seen: HashMap<String, bool>,
    /// Names in groups that lead to nobody.
    missing: Vec<(Dn, Missing)>,
}

impl Places {
    fn of(members: &Members) -> Places {
        let missing = members.missing();
        Places {
            seen: HashMap::new(),
            missing: missing.filter_map(|(name, why)| Some((Dn::parse(name).ok()?, why))).collect(),
        }
    }

    /// Whether a group still names somebody who can't be read, and who may be this person.
    fn may_be_among(&self, name: &Dn) -> Option<String> {
        self.missing.iter().find_map(|(other, why)| match why {
            Missing::Unreadable if other == name => {
                Some("a group still names it, and this account may not read it".to_owned())
            }
            Missing::Elsewhere if other.first() == name.first() => {
                Some(format!("a group names {other} in another domain, which may be the same person, moved"))
            }
            _ => None,
        })
    }

    fn is_seen(&mut self, place: &str, walk: &mut Walk<'_>) -> Result<bool, Incomplete> {
        if let Some(known) = self.seen.get(place) {
            return Ok(*known);
        }
        let what = format!("{place}, where people stood who are missing");
        let seen = entry(walk.directory, place, &["objectClass"], &what, &mut walk.asked)?.is_some();
        self.seen.insert(place.to_owned(), seen);
        Ok(seen)
    }
}
