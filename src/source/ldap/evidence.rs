//! What was seen of a directory, so that a person can see what was believed; and what the next reading goes by: which
//! groups were meant, and by what mark it can be told that nothing has changed.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::report::text::count;

use super::dn::Dn;

/// What supports a roster that was read from a directory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Observed {
    /// Its address, as it stands in the configuration.
    pub server: String,
    /// `Active Directory` or `LDAP`.
    pub kind: String,
    /// Who the server takes rosterd for, where it says.
    pub bound_as: Option<String>,
    /// Where searches began.
    pub base: String,
    /// Stays the same while nothing changes on that server, and the configuration says the same.
    pub mark: Option<String>,
    /// When all of this was read.
    #[serde(default)]
    pub read_at: Option<Timestamp>,
    pub groups: Vec<SeenGroup>,
    /// People who should have a licence.
    pub people: u64,
    pub disabled: u64,
    pub without_address: u64,
    /// People with several addresses where one was taken.
    pub had_choice: u64,
    pub contacts: u64,
    pub computers: u64,
    /// Of another forest.
    pub foreign: u64,
    /// Members whom `user_filter` does not let in.
    pub filtered: u64,
    /// Names in groups that lead to nobody: there is no such entry.
    pub gone: u64,
    /// … it is in another domain, the first few of them.
    pub elsewhere: u64,
    pub elsewhere_names: Vec<String>,
    /// … it may not be read, the first few of them.
    pub unreadable: u64,
    pub unreadable_names: Vec<String>,
    /// Groups that were not looked into, because `nested` is off.
    pub not_looked_into: u64,
    /// People who were there before, and of whom nobody can say what became of them.
    pub held: u64,
    /// Addresses that several people have, the first few of them with their names.
    pub shared: Vec<String>,
}

/// One group as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SeenGroup {
    /// The name in the configuration, in normal form.
    pub configured: String,
    /// Its name in the directory.
    pub dn: String,
    pub id: String,
    /// People in it who should have a licence, were they in no other group.
    pub people: u64,
    /// Direct members by each way of counting.
    pub listed: u64,
    pub by_member_of: Option<u64>,
    pub by_primary: u64,
    pub uids: u64,
    /// Groups in it, and how deep they go.
    pub inner: u64,
    pub depth: u32,
}

impl Observed {
    /// The stable id of the group that was meant by this name.
    pub fn bound(&self, configured: &Dn) -> Option<&str> {
        self.groups.iter().find(|group| group.configured == configured.normal()).map(|group| group.id.as_str())
    }

    /// What a person may want to know, each a sentence.
    pub fn told(&self) -> Vec<String> {
        let Observed { server, kind, base, .. } = self;
        let who = self.bound_as.as_ref().map_or_else(String::new, |name| format!(", as {name}"));
        let mut told = vec![format!("Read from {server} ({kind}) below {base}{who}.")];
        told.extend(self.groups.iter().map(SeenGroup::told));
        let mut add = |number: u64, one: &str, several: &str, rest: &str| {
            if number > 0 {
                told.push(format!("{} {rest}.", count(number, one, several)));
            }
        };
        add(self.disabled, "account is", "accounts are", "disabled: no licence");
        add(self.filtered, "member does", "members do", "not pass user_filter: no licence");
        add(self.contacts, "contact is", "contacts are", "left out: nobody who can sign in");
        add(self.computers, "computer is", "computers are", "left out");
        add(self.not_looked_into, "group in a group is", "groups in groups are", "not looked into: nested is off");
        add(
            self.had_choice,
            "person has",
            "people have",
            "several addresses, of which the first in the alphabet counts",
        );
        add(
            self.foreign,
            "member is",
            "members are",
            "of another forest (foreign security principal), and can't be read here: no licence",
        );
        add(self.gone, "member of a group is", "members of groups are", "not there any more");
        told.extend(names(
            self.elsewhere,
            &self.elsewhere_names,
            "outside of what this server holds, as in another domain; make that a source of its own",
        ));
        told.extend(names(
            self.unreadable,
            &self.unreadable_names,
            "not for this account to read; give it the right to, or nobody knows who it is",
        ));
        told.extend(self.shared.iter().cloned());
        told
    }
}

fn names(number: u64, first: &[String], rest: &str) -> Option<String> {
    let more = if number > first.len() as u64 { " and more" } else { "" };
    (number > 0).then(|| {
        format!(
            "{} {rest}: {}{more}.",
            count(number, "member of a group is", "members of groups are"),
            first.join("; ")
        )
    })
}

impl SeenGroup {
    fn told(&self) -> String {
        let mut ways = Vec::new();
        if self.listed > 0 || self.by_member_of.is_some() {
            ways.push(format!("{} listed", self.listed));
        }
        ways.extend(self.by_member_of.map(|number| format!("{number} by memberOf")));
        if self.by_primary > 0 {
            ways.push(format!("{} by primary group", self.by_primary));
        }
        if self.uids > 0 {
            ways.push(format!("{} by memberUid", self.uids));
        }
        if self.inner > 0 {
            let levels = count(u64::from(self.depth), "level", "levels");
            ways.push(format!("{} in it, {levels} deep", count(self.inner, "group", "groups")));
        }
        let ways = if ways.is_empty() { "no members".to_owned() } else { ways.join(", ") };
        format!("{}: {} ({ways}).", self.dn, count(self.people, "person", "people"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_told_in_sentences() {
        let observed = Observed {
            server: "ldaps://dc1.contoso.com".to_owned(),
            kind: "Active Directory".to_owned(),
            base: "DC=contoso,DC=com".to_owned(),
            groups: vec![SeenGroup {
                dn: "CN=Staff,DC=contoso,DC=com".to_owned(),
                people: 120,
                listed: 118,
                by_member_of: Some(118),
                by_primary: 4,
                inner: 3,
                depth: 2,
                ..SeenGroup::default()
            }],
            disabled: 2,
            contacts: 1,
            elsewhere: 3,
            elsewhere_names: vec!["cn=a,dc=other".to_owned()],
            ..Observed::default()
        };
        insta::assert_snapshot!(observed.told().join("\n"), @r"
        Read from ldaps://dc1.contoso.com (Active Directory) below DC=contoso,DC=com.
        CN=Staff,DC=contoso,DC=com: 120 people (118 listed, 118 by memberOf, 4 by primary group, 3 groups in it, 2 levels deep).
        2 accounts are disabled: no licence.
        1 contact is left out: nobody who can sign in.
        3 members of groups are outside of what this server holds, as in another domain; make that a source of its own: cn=a,dc=other and more.
        ");
    }
}
