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

#[cfg(test)]
mod tests {
    use super::super::person::{ENTRY_UUID, raw};
    use super::super::read::tests::config;
    use super::*;

    fn stored(address: &str, route: Option<&str>, origin: &str) -> Entry {
        Entry {
            address: crate::address::Address::parse(address).unwrap(),
            stable_id: Some("ada".into()),
            route: route.map(Into::into),
            priority: 7,
            starts: None,
            ends: None,
            origin: origin.into(),
        }
    }

    /// What becomes of Ada, who is in the roster by two groups.
    fn told(attributes: &[(&str, &str)], config: &Ldap) -> Option<Vec<String>> {
        let all = [
            stored("ada@x.example", None, "cn=Ada,dc=x; member of cn=a,dc=x"),
            stored("ada@x.example", Some("b"), "CN=ada, DC=x; member of c in cn=b,dc=x"),
        ];
        let mut found = raw("cn=ada,dc=x", attributes);
        if !attributes.iter().any(|(name, _)| *name == ENTRY_UUID) {
            found.attributes.push((ENTRY_UUID.to_owned(), vec![b"ada".to_vec()]));
        }
        let words = |change: Change| match change {
            Change::Added(entry) => format!("+{} {:?} {}", entry.address, entry.route, entry.priority),
            Change::Changed(entry) => format!("~{} {:?} {:?}", entry.address, entry.route, entry.ends.is_some()),
            Change::Removed { entry, reason, renamed_to } => {
                format!(
                    "-{} {:?} {reason} {}",
                    entry.address,
                    entry.route,
                    renamed_to.map_or_else(String::new, |to| to.to_string())
                )
            }
        };
        changes(&all, &found, config).map(|changes| changes.into_iter().map(words).collect())
    }

    #[test]
    fn what_the_entry_says_is_what_changes() {
        let config = config(&["a"]);
        assert_eq!(told(&[("mail", "ada@x.example")], &config).unwrap(), [""; 0]);
        assert_eq!(told(&[("mail", "ada@x.example"), ("primaryGroupID", "513")], &config).unwrap(), [""; 0]);
        assert_eq!(
            told(&[("mail", "king@x.example")], &config).unwrap(),
            [
                "-ada@x.example None renamed king@x.example",
                "+king@x.example None 7",
                "-ada@x.example Some(\"b\") renamed king@x.example",
                "+king@x.example Some(\"b\") 7"
            ]
        );
        assert_eq!(
            told(&[("mail", "Ada@x.example")], &config).unwrap(),
            ["~Ada@x.example None false", "~Ada@x.example Some(\"b\") false"]
        );
        let ends = [("mail", "ada@x.example"), ("accountExpires", "134224056000000000")];
        assert_eq!(told(&ends, &config).unwrap(), ["~ada@x.example None true", "~ada@x.example Some(\"b\") true"]);
        let off = [("mail", "ada@x.example"), ("userAccountControl", "514")];
        assert_eq!(
            told(&off, &config).unwrap(),
            ["-ada@x.example None disabled ", "-ada@x.example Some(\"b\") disabled "]
        );
        assert_eq!(told(&off, &Ldap { include_disabled: true, ..config }).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_not_plain_is_not_said() {
        let plain = config(&["a"]);
        let mail = ("mail", "king@x.example");
        assert_eq!(told(&[], &plain), None, "without an address they are held");
        assert_eq!(
            told(&[mail, ("primaryGroupID", "1105")], &plain),
            None,
            "a group may have them as their primary one"
        );
        assert_eq!(told(&[mail, ("objectClass", "contact")], &plain), None);
        assert_eq!(told(&[mail, ("objectClass", "group")], &plain), None);
        let filter = super::super::filter::Filter::parse("(uid=*)").ok();
        assert_eq!(
            told(&[mail], &Ldap { user_filter: filter, ..plain.clone() }),
            None,
            "the filter may not let them in"
        );
        let one = |origin: &str| {
            let found = raw("cn=ada,dc=x", &[mail, (ENTRY_UUID, "ada")]);
            changes(&[stored("ada@x.example", None, origin)], &found, &plain).is_some()
        };
        assert!(one("cn=ada,dc=x; member of cn=a,dc=x") && one("cn=ada,dc=x; found by user_filter"));
        assert!(!one("cn=ada,ou=old,dc=x; member of cn=a,dc=x"), "moved: groups may not have followed");
        assert!(!one("cn=ada,dc=x; member of cn=a,dc=x and cn=eve,dc=x; member of cn=a,dc=x"), "two have the address");
        assert!(!one("cn=ada,dc=x") && !one("somewhere"));
        let found = raw("cn=ada,dc=x", &[mail, (ENTRY_UUID, "ada")]);
        assert_eq!(changes(&[], &found, &plain), None, "a group may have them now");
    }
}
