//! What becomes of the stored roster where it is known whose entries have changed and that nothing else has: the people
//! are looked at, and the rest is left as it is.
//!
//! This is said only where it is what a whole reading would say, as far as their entries tell. Where it is not plain,
//! nothing is said, and everything is read.

use crate::config::Ldap;
use crate::roster::change::Change;
use crate::roster::{Entry, Reason};

use super::claims::{ends, is_of_one, name_in};
use super::directory::RawEntry;
use super::dn::Dn;
use super::person::{Kind, Person};

/// The group of everybody, which is everybody's primary one unless somebody changes that.
const DOMAIN_USERS: i64 = 513;

/// What one person's entry changes in the roster; `stored` are the entries that their stable id has. `None`: that can't be
/// told from it alone.
pub fn changes(stored: &[Entry], found: &RawEntry, config: &Ldap) -> Option<Vec<Change>> {
    let name = Dn::parse(&found.dn).ok()?;
    let stays =
        |entry: &Entry| is_of_one(&entry.origin) && Dn::parse(name_in(&entry.origin)).is_ok_and(|it| it == name);
    let is_plain = Kind::of(found) == Kind::Person
        && config.user_filter.is_none()
        && found.number("primaryGroupID").is_none_or(|group| group == DOMAIN_USERS);
    // Whoever is not in the roster may belong there from now on, which is for the groups to say.
    if !is_plain || stored.is_empty() || !stored.iter().all(stays) {
        return None;
    }
    let person = Person::of(found, &config.email_attributes)?;
    if person.disabled && !config.include_disabled {
        let gone = |entry: &Entry| Change::Removed { entry: entry.clone(), reason: Reason::Disabled, renamed_to: None };
        return Some(stored.iter().map(gone).collect());
    }
    let address = person.address.ok()?;
    let ends = ends(person.expires, config.include_disabled);
    let mut changes = Vec::new();
    for entry in stored {
        let new = Entry { address: address.clone(), ends, ..entry.clone() };
        if new.address != entry.address {
            let renamed_to = Some(address.clone());
            changes.push(Change::Removed { entry: entry.clone(), reason: Reason::Renamed, renamed_to });
            changes.push(Change::Added(new));
        } else if new.address.spelling() != entry.address.spelling() || new.ends != entry.ends {
            changes.push(Change::Changed(new));
        }
    }
    Some(changes)
}
