//! What was seen of a directory, so that a person can see what was believed; and what the next reading goes by: which
//! groups were meant, and by what mark it can be told that nothing has changed.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::report::text::{count, number};

use super::about::About;
use super::dn::Dn;

/// What supports a roster that was read from a directory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Observed {
    /// Its address, as it stands in the configuration.
    pub server: String,
    /// `Active Directory` or `LDAP`.
    pub kind: String,
    /// Who the server takes rosterd for; where it does not say, the name that rosterd signed in with.
    pub bound_as: Option<String>,
    /// What the server says of itself.
    pub about: About,
    /// Where searches began.
    pub base: String,
    /// Stays the same while nothing changes on that server, and the configuration says the same.
    pub mark: Option<String>,
    /// When all of this was read.
    #[serde(default)]
    pub read_at: Option<Timestamp>,
    /// Another number when somebody stands elsewhere than before.
    pub places: Option<u64>,
    pub groups: Vec<SeenGroup>,
    /// People who should have a licence.
    pub people: u64,
    pub disabled: u64,
    /// Whose account had expired by then.
    pub expired: u64,
    pub without_address: u64,
    /// People with several addresses where one was taken.
    pub had_choice: u64,
    pub contacts: u64,
    pub computers: u64,
    /// Of another forest, the first few of them.
    pub foreign: u64,
    pub foreign_names: Vec<String>,
    /// Members whom `user_filter` does not let in.
    pub filtered: u64,
    /// Names in groups that lead to nobody: there is no such entry, the first few of them.
    pub gone: u64,
    pub gone_names: Vec<String>,
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
    /// Members by something that their own entries say: a primary group, a name in `memberUid`. `None`: not counted.
    #[serde(default)]
    pub by_themselves: Option<u64>,
    /// Addresses that several people have, the first few of them with their names.
    pub shared: Vec<String>,
    /// Requests that the reading took.
    pub requests: u64,
    /// Where the server said that more stands, which is never people: not followed.
    pub references: Vec<String>,
}

/// One group as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SeenGroup {
    /// The name in the configuration, in normal form.
    pub configured: String,
    /// Its name in the directory.
    pub dn: String,
    pub id: String,
    /// People in it who should have a licence, were they in no other group.
    pub people: u64,
    /// Of direct members; what only one way of counting has, in the groups in it, too.
    #[serde(flatten)]
    pub counts: Counts,
    /// Groups in it, and how deep they go.
    pub inner: u64,
    pub depth: u32,
}

/// How many members a group has, counted by each way in which the directory tells.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Names in `member` and `uniqueMember`.
    pub listed: u64,
    /// Entries found by `memberOf`; `None`: it was not asked.
    pub by_member_of: Option<u64>,
    /// People whose primary group it is.
    pub by_primary: u64,
    /// Names in `memberUid`.
    pub uids: u64,
    /// Members that are listed, and that the search for `memberOf` did not bring although they are there.
    pub only_listed: OnlyOneWay,
    /// Members that the search brought, and that are not listed.
    pub only_by_member_of: OnlyOneWay,
    /// Names in `memberUid` that no account has.
    pub unknown_uids: OnlyOneWay,
}

impl Counts {
    /// What only one way of counting has in a group that is in this one.
    pub fn add_inner(&mut self, inner: &Counts) {
        self.only_listed.add_all(&inner.only_listed);
        self.only_by_member_of.add_all(&inner.only_by_member_of);
        self.unknown_uids.add_all(&inner.unknown_uids);
    }

    /// Each way that says anything, with its number.
    fn told(&self) -> Vec<String> {
        let mut ways = Vec::new();
        if self.listed > 0 || self.by_member_of.is_some() {
            ways.push(format!("{} listed", number(self.listed)));
        }
        ways.extend(self.by_member_of.map(|by| format!("{} by memberOf", number(by))));
        if self.by_primary > 0 {
            ways.push(format!("{} by primary group", number(self.by_primary)));
        }
        if self.uids > 0 {
            ways.push(format!("{} by memberUid", number(self.uids)));
        }
        ways
    }
}

/// Of the names that one way of counting has alone, so many are kept.
const NAMES_MAX: usize = 3;

/// Members that one way of counting has and the other has not: how many, and the first few of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OnlyOneWay {
    pub number: u64,
    pub names: Vec<String>,
}

impl OnlyOneWay {
    pub fn add(&mut self, name: &str) {
        self.number += 1;
        if self.names.len() < NAMES_MAX {
            self.names.push(name.to_owned());
        }
    }

    pub fn add_all(&mut self, other: &OnlyOneWay) {
        let room = NAMES_MAX.saturating_sub(self.names.len());
        self.names.extend(other.names.iter().take(room).cloned());
        self.number += other.number;
    }
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
        told.extend(self.about.told());
        told.extend(self.groups.iter().flat_map(SeenGroup::told));
        self.tell_people(&mut told);
        self.tell_names(&mut told);
        told.extend(self.shared.iter().cloned());
        told
    }

    /// The part of it that says why a reading that is not believed has so few people: of the first few groups, and of those
    /// who have no licence.
    pub fn told_of_people(&self) -> Vec<String> {
        let mut told: Vec<String> = self.groups.iter().take(NAMES_MAX).flat_map(SeenGroup::told).collect();
        self.tell_people(&mut told);
        told
    }

    /// Of people and members by their number alone.
    fn tell_people(&self, told: &mut Vec<String>) {
        let mut add = |number: u64, one: &str, several: &str, rest: &str| {
            if number > 0 {
                told.push(format!("{} {rest}.", count(number, one, several)));
            }
        };
        add(self.disabled, "account is", "accounts are", "disabled: no licence");
        add(self.expired, "account has", "accounts have", "expired: no licence");
        add(
            self.without_address,
            "person has",
            "people have",
            "no address that can be used: what they have stays as it is",
        );
        add(self.held, "person is", "people are", "missing and can't be accounted for: what they have stays as it is");
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
    }

    /// Of members that can't be read, and of what was not looked at.
    fn tell_names(&self, told: &mut Vec<String>) {
        let member = ["member of a group is", "members of groups are"];
        told.extend(names(
            self.foreign,
            &self.foreign_names,
            member,
            "of another forest (foreign security principal), so that nobody here knows who it is: no licence",
        ));
        told.extend(names(self.gone, &self.gone_names, member, "not there any more"));
        told.extend(names(
            self.elsewhere,
            &self.elsewhere_names,
            member,
            "outside of what this server holds, as in another domain; make that a source of its own",
        ));
        told.extend(names(
            self.unreadable,
            &self.unreadable_names,
            member,
            "not for this account to read; give it the right to, or nobody knows who it is",
        ));
        told.extend(names(
            self.references.len() as u64,
            &self.references,
            ["reference was", "references were"],
            "not followed, since no people stand there",
        ));
    }
}

fn names(number: u64, first: &[String], [one, several]: [&str; 2], rest: &str) -> Option<String> {
    let more = if number > first.len() as u64 { " and more" } else { "" };
    let names = if first.is_empty() { String::new() } else { format!(": {}{more}", first.join("; ")) };
    (number > 0).then(|| format!("{} {rest}{names}.", count(number, one, several)))
}

impl SeenGroup {
    /// How many are in it, by each way of counting, and where these differ.
    fn told(&self) -> Vec<String> {
        let mut ways = self.counts.told();
        if self.inner > 0 {
            let levels = count(u64::from(self.depth), "level", "levels");
            ways.push(format!("{} in it, {levels} deep", count(self.inner, "group", "groups")));
        }
        let ways = if ways.is_empty() { "no members".to_owned() } else { ways.join(", ") };
        let mut told = vec![format!("{}: {} ({ways}).", self.dn, count(self.people, "person", "people"))];
        let member = ["member is", "members are"];
        let differences = [
            (&self.counts.only_listed, member, "listed and not found by memberOf"),
            (&self.counts.only_by_member_of, member, "found by memberOf and not listed"),
            (&self.counts.unknown_uids, ["name in memberUid is", "names in memberUid are"], "of no account"),
        ];
        told.extend(differences.into_iter().filter_map(|(only, nouns, rest)| {
            Some(format!("{}: {}", self.dn, names(only.number, &only.names, nouns, rest)?))
        }));
        told
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
                counts: Counts {
                    listed: 118,
                    by_member_of: Some(118),
                    by_primary: 4,
                    only_listed: OnlyOneWay { number: 1, names: vec!["CN=Jane,DC=contoso,DC=com".to_owned()] },
                    ..Counts::default()
                },
                inner: 3,
                depth: 2,
                ..SeenGroup::default()
            }],
            about: About { software: Some("Samba 4.17".to_owned()), ..About::default() },
            disabled: 2,
            without_address: 1_000,
            contacts: 1,
            elsewhere: 3,
            elsewhere_names: vec!["cn=a,dc=other".to_owned()],
            ..Observed::default()
        };
        insta::assert_snapshot!(observed.told().join("\n"), @r"
        Read from ldaps://dc1.contoso.com (Active Directory) below DC=contoso,DC=com.
        The server is Samba 4.17.
        CN=Staff,DC=contoso,DC=com: 120 people (118 listed, 118 by memberOf, 4 by primary group, 3 groups in it, 2 levels deep).
        CN=Staff,DC=contoso,DC=com: 1 member is listed and not found by memberOf: CN=Jane,DC=contoso,DC=com.
        2 accounts are disabled: no licence.
        1,000 people have no address that can be used: what they have stays as it is.
        1 contact is left out: nobody who can sign in.
        3 members of groups are outside of what this server holds, as in another domain; make that a source of its own: cn=a,dc=other and more.
        ");
    }
}
