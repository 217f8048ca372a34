//! Reads groups and whom they name, and everybody that a filter finds, into [`Members`].
//!
//! Who is in a group is told twice where the directory allows it: by the names that the group lists, and by a search for
//! entries that are members of it. The search brings the entries; the list says whether all of them came, and what was
//! not brought is fetched by name. In Active Directory the two are one thing seen from two sides, and whoever is in
//! either is a member; elsewhere `memberOf` is kept by an overlay that may lag, and the list alone counts.
//!
//! Groups in groups are walked in the same way, each read once. Active Directory could walk them itself
//! (`LDAP_MATCHING_RULE_IN_CHAIN`); that tells nothing of the way, and asks of everybody in the domain. Measured on Samba
//! 4.17 with 13,000 people, for a group of one person in another group: 1.4 s by a walk, the whole program, and 120 s in
//! chain, after which the controller gave up (`figures_of_a_walk_and_of_a_search_in_chain` in the tests).

use std::collections::{HashMap, HashSet};

use crate::config::{Flavor, Ldap};
use crate::source::Incomplete;

use super::directory::{Asked, Directory, RawEntry, Scope, Search, Whole, search};
use super::dn::Dn;
use super::evidence::{Counts, OnlyOneWay};
use super::filter;
use super::listed::Listed;
use super::members::{Key, Members, Missing, Node, no_stable_id};
use super::people::place_of;
use super::person::{self, ENTRY_UUID, GROUP_CLASSES, Kind, OBJECT_GUID};
use super::server::{Server, entry};
use super::values::all_values;

/// Where the directory has no `memberOf`, more names than these are found by reading all entries instead of one by one.
const BY_NAME_MAX: usize = 2000;
/// More names than these, outside of where searches begin, are looked for in the whole domain.
const ONE_BY_ONE_MAX: usize = 50;
/// With fewer names than these a search for members saves nothing.
const BY_MEMBER_OF_MIN: usize = 20;
/// So many names of accounts in one search.
const UIDS_AT_ONCE: usize = 50;

/// The group of everybody, which is everybody's primary one unless somebody changes that.
pub const DOMAIN_USERS: i64 = 513;

/// A security group, and global or universal: such a one may be somebody's primary group.
const SECURITY: i64 = 0x8000_0000;
const GLOBAL_OR_UNIVERSAL: i64 = 0x2 | 0x8;

/// One reading of groups from one server.
pub struct Walk<'a> {
    pub directory: &'a mut dyn Directory,
    pub config: &'a Ldap,
    pub server: &'a Server,
    pub base: &'a Dn,
    pub asked: Asked,
    pub members: Members,
    /// Whether the lists of groups are to be remembered.
    pub keeps_lists: bool,
    /// Whether a search for members finds any; `None`: not known yet.
    has_member_of: Option<bool>,
}

impl<'a> Walk<'a> {
    pub fn new(directory: &'a mut dyn Directory, config: &'a Ldap, server: &'a Server, base: &'a Dn) -> Walk<'a> {
        let has_member_of = server.is_active_directory.then_some(true);
        let (asked, members) = (Asked::default(), Members::default());
        Walk { directory, config, server, base, asked, members, keeps_lists: false, has_member_of }
    }

    /// The attribute of the stable id.
    pub fn id_attribute(&self) -> &'static str {
        if self.server.is_active_directory { OBJECT_GUID } else { ENTRY_UUID }
    }

    /// What is asked of a person: no attribute that is not used.
    pub fn person_attributes(&self) -> Vec<&'a str> {
        let mut wanted = vec![self.id_attribute()];
        wanted.extend(person::attributes(self.server.is_active_directory));
        for name in &self.config.email_attributes {
            if !wanted.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                wanted.push(name);
            }
        }
        wanted
    }

    /// What is asked of a group.
    fn group_attributes(&self) -> &'static [&'static str] {
        match self.config.flavor {
            _ if self.server.is_active_directory => &["member", "objectSid", "groupType"],
            Flavor::Rfc2307 => &["memberUid"],
            Flavor::Rfc2307bis => &["member", "uniqueMember"],
            Flavor::Auto | Flavor::ActiveDirectory => &["member", "uniqueMember", "memberUid"],
        }
    }

    /// The group of this name, to be read by [`Walk::read_from`].
    ///
    /// # Errors
    /// When it is not there, or is no group.
    pub fn group_by_name(&mut self, name: &Dn) -> Result<u32, Incomplete> {
        let what = format!("the group {name}");
        let attributes = [self.id_attribute(), "objectClass"];
        let found = entry(self.directory, name.text(), &attributes, &what, &mut self.asked)?;
        let server = self.directory.server();
        let found = found.ok_or_else(|| {
            Incomplete::lasting(format!(
                "There is no group {name} on {server}, or this account may not see it. Nobody is taken away for it; correct `groups`, or give the account the right to read it."
            ))
        })?;
        self.group(&found)
    }

    /// The group of this stable id, wherever it stands by now.
    ///
    /// # Errors
    /// When it is not there any more, or is no group.
    pub fn group_by_id(&mut self, id: &str, configured: &Dn) -> Result<u32, Incomplete> {
        let attribute = self.id_attribute();
        let lost = || {
            Incomplete::lasting(format!(
                "The group {configured} (its {attribute} is {id}) is not there any more, or this account may not see it. Nobody is taken away for it. If another group has taken its place, say so in the configuration: {{ dn = …, id = \"…\" }} with the new one's {attribute}."
            ))
        };
        let filter = id_filter(attribute, id).ok_or_else(lost)?;
        let mut found = Vec::new();
        for root in self.server.roots(self.base) {
            let ask = Search {
                base: root.text(),
                scope: Scope::Subtree,
                filter: &filter,
                attributes: &[attribute, "objectClass"],
                references: self.server.references(true),
                what: &format!("the group {configured}"),
            };
            search(self.directory, &ask, self.config.page_size, &mut self.asked, &mut |entry| {
                found.push(entry);
                Ok(())
            })?;
        }
        match found.as_slice() {
            [one, ..] => self.group(one),
            [] => Err(lost()),
        }
    }

    fn group(&mut self, found: &RawEntry) -> Result<u32, Incomplete> {
        if Kind::of(found) != Kind::Group {
            let classes: Vec<&str> = found.texts("objectClass").collect();
            return Err(Incomplete::lasting(format!(
                "{} is no group (its classes are {}): correct `groups`.",
                found.dn,
                classes.join(", ")
            )));
        }
        match self.members.add(found, &self.config.email_attributes)? {
            Node::Group(index) => Ok(index),
            _ => Err(no_stable_id(&found.dn)),
        }
    }

    /// Reads this group, and with `nested` every group in it.
    pub fn read_from(&mut self, root: u32) -> Result<(), Incomplete> {
        let mut ahead = vec![root];
        while let Some(index) = ahead.pop() {
            if self.members.groups.get(index as usize).is_none_or(|group| group.is_read) {
                continue;
            }
            self.read_group(index)?;
            if let Some(group) = self.members.groups.get(index as usize).filter(|_| self.config.nested) {
                ahead.extend(&group.groups);
            }
        }
        Ok(())
    }

    fn read_group(&mut self, index: u32) -> Result<(), Incomplete> {
        let Some(name) = self.members.groups.get(index as usize).map(|group| group.dn.clone()) else { return Ok(()) };
        let what = format!("the group {name}");
        let (found, listed) = self.list_of(index as usize)?;
        let names = listed.sorted();
        let mut counts = Counts { listed: names.len() as u64, ..Counts::default() };
        if let Some(group) = self.members.groups.get_mut(index as usize).filter(|_| self.keeps_lists) {
            group.listed = names;
        }
        let unknown = listed.keys().filter(|key| self.members.node_of(*key).is_none()).count();
        let may_help = self.has_member_of.unwrap_or(unknown >= BY_MEMBER_OF_MIN);
        self.directory.expect(unknown as u64);
        self.members.reserve(unknown);
        let mut searched = self.base;
        let mut by_member_of = if may_help { self.by_member_of(&name, searched)? } else { None };
        if let Some(root) = self.root_of_many(&listed) {
            searched = root;
            by_member_of = self.by_member_of(&name, searched)?;
        }
        self.fetch(&listed)?;
        let mut nodes: Vec<Node> = listed.keys().filter_map(|key| self.members.node_of(key)).collect();
        if let Some(by_member_of) = by_member_of {
            counts.by_member_of = Some(by_member_of.len() as u64);
            self.compare(&nodes, &by_member_of, searched, &mut counts);
            if self.server.is_active_directory {
                nodes.extend(by_member_of);
            }
        }
        if let Some(number) = primary_group(&found).filter(|_| self.server.is_active_directory) {
            let found = self.find(self.base, &format!("(primaryGroupID={number})"), &what)?;
            counts.by_primary = found.len() as u64;
            nodes.extend(found);
        }
        if !self.server.is_active_directory {
            nodes.extend(self.by_uid(&found, &what, &mut counts)?);
        }
        self.enter(index, &nodes, counts);
        Ok(())
    }

    /// The group of this place as it is now, and the names that it lists.
    ///
    /// # Errors
    /// When it can't be read whole, or is another one by now.
    pub fn list_of(&mut self, place: usize) -> Result<(RawEntry, Listed), Incomplete> {
        let group = self.members.groups.get(place).map(|group| (group.dn.clone(), group.id.clone()));
        let Some((name, id)) = group else { return Err(Incomplete::passing("A group is not known any more.")) };
        let what = format!("the group {name}");
        let attributes: Vec<&str> = [self.id_attribute()].iter().chain(self.group_attributes()).copied().collect();
        let found = entry(self.directory, name.text(), &attributes, &what, &mut self.asked)?;
        let mut found = found.filter(|found| found.stable_id().as_ref() == Some(&id)).ok_or_else(|| {
            Incomplete::passing(format!("{what} went away, or out of sight, while it was being read."))
        })?;
        if self.server.hides_members(self.directory.server(), found.number("groupType")) {
            return Err(Incomplete::lasting(format!(
                "{} is a global catalog, which does not know who is in {name}: that is no universal group. Nobody is taken away for it; ask a domain controller at its own port (636), or make the group universal.",
                self.directory.server()
            )));
        }
        let listed = self.listed(&mut found)?;
        Ok((found, listed))
    }

    /// Whether who is in this group is told by something beside its list.
    pub fn is_told_otherwise(&self, group: &RawEntry) -> bool {
        if self.server.is_active_directory {
            primary_group(group).is_some_and(|number| i64::from(number) == DOMAIN_USERS)
        } else {
            group.texts("memberUid").next().is_some()
        }
    }

    fn enter(&mut self, index: u32, nodes: &[Node], counts: Counts) {
        let (mut people, mut groups) = (Vec::new(), Vec::new());
        for node in nodes {
            match node {
                Node::Person(person) => people.push(*person),
                Node::Group(group) => groups.push(*group),
                Node::Out(_) | Node::FilteredOut | Node::Missing(_) => {}
            }
        }
        for list in [&mut people, &mut groups] {
            list.sort_unstable();
            list.dedup();
        }
        if let Some(group) = self.members.groups.get_mut(index as usize) {
            (group.people, group.groups, group.counts, group.is_read) = (people, groups, counts, true);
        }
    }

    /// Where searches have to begin that many of these names are found by, where those that are not known yet stand outside
    /// of the base and are too many to be asked for one by one.
    fn root_of_many(&self, listed: &Listed) -> Option<&'a Dn> {
        let root = self.server.domain.as_ref().filter(|root| self.server.is_active_directory && *root != self.base)?;
        let unknown = listed.names().filter(|(key, _)| self.members.node_of(*key).is_none());
        let there = unknown.filter(|(_, text)| Dn::parse(text).is_ok_and(|name| self.server.holds(&name)));
        (there.count() > ONE_BY_ONE_MAX).then_some(root)
    }

    /// Notes which members one way of counting has and the other has not, of those below where was searched.
    fn compare(&self, by_list: &[Node], by_member_of: &[Node], searched: &Dn, counts: &mut Counts) {
        let in_order = |nodes: &[Node]| {
            let mut nodes: Vec<Node> = nodes.iter().copied().filter(Node::is_one).collect();
            nodes.sort_unstable();
            nodes.dedup();
            nodes
        };
        let (by_list, by_member_of) = (in_order(by_list), in_order(by_member_of));
        let only = |one: &[Node], other: &[Node], only: &mut OnlyOneWay| {
            let mut ahead = other.iter().peekable();
            let missing = one.iter().filter(|node| {
                while ahead.next_if(|other| other < node).is_some() {}
                ahead.next_if_eq(node).is_none()
            });
            let names = missing.filter_map(|node| self.members.name_of(*node));
            // Who stands elsewhere was not searched for.
            let there = names.filter(|name| Dn::parse(name).is_ok_and(|name| name.is_within(searched)));
            there.for_each(|name| only.add(name));
        };
        only(&by_list, &by_member_of, &mut counts.only_listed);
        only(&by_member_of, &by_list, &mut counts.only_by_member_of);
    }

    /// The names that the group lists, which loses them.
    fn listed(&mut self, group: &mut RawEntry) -> Result<Listed, Incomplete> {
        let mut names = Listed::default();
        let dn = group.dn.clone();
        for attribute in ["member", "uniqueMember"] {
            all_values(self.directory, group, attribute, &mut self.asked, &mut |value| {
                let text = String::from_utf8_lossy(&value);
                names.push(without_uid(&text)).map_err(|wrong| {
                    Incomplete::lasting(format!(
                        "The group {dn} lists a member whose DN {wrong}: {text}. Correct the group."
                    ))
                })
            })?;
        }
        Ok(names)
    }

    /// Everybody whose `memberOf` has this group; `None` where this directory has no `memberOf`. Those whom `user_filter`
    /// does not let in are noted.
    fn by_member_of(&mut self, group: &Dn, base: &Dn) -> Result<Option<Vec<Node>>, Incomplete> {
        let member = filter::equals("memberOf", group.text());
        let what = format!("the members of {group}");
        let mut nodes = self.find(base, &member, &what)?;
        if let Some(wanted) = self.wanted() {
            let others = filter::all([member.as_str(), &format!("(!{wanted})")]);
            nodes.extend(self.find_as(base, &others, &["1.1"], &what, |members, entry| {
                let name = Dn::parse(&entry.dn).ok();
                if let Some(name) = name {
                    members.note(&name, Node::FilteredOut);
                }
                Ok(Node::FilteredOut)
            })?);
        }
        let has_member_of = *self.has_member_of.get_or_insert(!nodes.is_empty());
        Ok(has_member_of.then_some(nodes))
    }

    /// What lets people and groups through `user_filter`.
    fn wanted(&self) -> Option<String> {
        let people = self.config.user_filter.as_ref()?;
        let groups = GROUP_CLASSES.map(|class| format!("(objectClass={class})"));
        Some(filter::any([people.text()].into_iter().chain(groups.iter().map(String::as_str))))
    }

    fn and_wanted(&self, condition: &str) -> String {
        match self.wanted() {
            Some(wanted) => filter::all([condition, &wanted]),
            None => condition.to_owned(),
        }
    }

    fn find(&mut self, base: &Dn, condition: &str, what: &str) -> Result<Vec<Node>, Incomplete> {
        let filter = self.and_wanted(condition);
        let (attributes, email) = (self.person_attributes(), &self.config.email_attributes);
        self.find_as(base, &filter, &attributes, what, |members, entry| members.add(&entry, email))
    }

    fn find_as(
        &mut self,
        base: &Dn,
        filter: &str,
        attributes: &[&str],
        what: &str,
        mut each: impl FnMut(&mut Members, RawEntry) -> Result<Node, Incomplete>,
    ) -> Result<Vec<Node>, Incomplete> {
        let mut nodes = Vec::new();
        let references = self.server.references(true);
        let ask = Search { base: base.text(), scope: Scope::Subtree, filter, attributes, references, what };
        let members = &mut self.members;
        search(self.directory, &ask, self.config.page_size, &mut self.asked, &mut |entry| {
            nodes.push(each(members, entry)?);
            Ok(())
        })?;
        Ok(nodes)
    }

    /// Sees to it that it is known what each of these names is.
    fn fetch(&mut self, listed: &Listed) -> Result<(), Incomplete> {
        let unknown = |members: &Members, key: &Key| members.node_of(*key).is_none();
        let number = listed.keys().filter(|key| unknown(&self.members, key)).count();
        if number == 0 {
            return Ok(());
        }
        if number > BY_NAME_MAX && !self.server.is_active_directory {
            let wanted = listed.keys().filter(|key| unknown(&self.members, key)).collect();
            self.scan(&wanted)?;
        }
        for (key, text) in listed.names() {
            if unknown(&self.members, &key)
                && let Ok(name) = Dn::parse(&text)
            {
                let node = self.by_name(&name)?;
                self.members.note(&name, node);
            }
        }
        Ok(())
    }

    /// Reads all entries, and keeps those of these names.
    fn scan(&mut self, wanted: &HashSet<Key>) -> Result<(), Incomplete> {
        let (attributes, email) = (self.person_attributes(), &self.config.email_attributes);
        let filter = self.wanted().unwrap_or_else(|| "(objectClass=*)".to_owned());
        let ask = Search {
            base: self.base.text(),
            scope: Scope::Subtree,
            filter: &filter,
            attributes: &attributes,
            references: self.server.references(true),
            what: &format!("everybody below {}", self.base),
        };
        let members = &mut self.members;
        search(self.directory, &ask, self.config.page_size, &mut self.asked, &mut |entry| {
            let is_wanted = Dn::parse(&entry.dn).is_ok_and(|name| wanted.contains(&Key::of_name(&name)));
            if is_wanted { members.add(&entry, email).map(drop) } else { Ok(()) }
        })?;
        Ok(())
    }

    /// What one name is.
    pub fn by_name(&mut self, name: &Dn) -> Result<Node, Incomplete> {
        if !self.server.holds(name) {
            return Ok(Node::Missing(Missing::Elsewhere));
        }
        let (attributes, what) = (self.person_attributes(), format!("the member {name}"));
        let filter = self.wanted().unwrap_or_else(|| "(objectClass=*)".to_owned());
        let ask = Search {
            base: name.text(),
            scope: Scope::Base,
            filter: &filter,
            attributes: &attributes,
            references: self.server.references(true),
            what: &what,
        };
        let mut found = None;
        let whole = search(self.directory, &ask, 0, &mut self.asked, &mut |entry| {
            found = Some(entry);
            Ok(())
        })?;
        match (whole, found) {
            (Whole::Found, Some(entry)) => self.members.add(&entry, &self.config.email_attributes),
            (Whole::Found, None) if self.config.user_filter.is_some() => Ok(Node::FilteredOut),
            (Whole::NoSuchObject { parent_is_there: true }, _) => Ok(Node::Missing(Missing::Gone)),
            (Whole::Elsewhere, _) if self.server.is_active_directory => Ok(Node::Missing(Missing::Elsewhere)),
            (Whole::Elsewhere, _) => Err(Incomplete::lasting(format!(
                "{} says that {what} stands on another server: read from the one that has all of it.",
                self.directory.server()
            ))),
            _ => Ok(Node::Missing(Missing::Unreadable)),
        }
    }

    /// The accounts that a group names in `memberUid`.
    fn by_uid(&mut self, group: &RawEntry, what: &str, counts: &mut Counts) -> Result<Vec<Node>, Incomplete> {
        let uids: Vec<&str> = group.texts("memberUid").collect();
        counts.uids = uids.len() as u64;
        let (mut nodes, mut known) = (Vec::new(), HashSet::new());
        let mut attributes = self.person_attributes();
        attributes.push("uid");
        let email = &self.config.email_attributes;
        for uids in uids.chunks(UIDS_AT_ONCE) {
            let each: Vec<String> = uids.iter().map(|uid| filter::equals("uid", uid)).collect();
            let any = filter::any(each.iter().map(String::as_str));
            let filter = self.and_wanted(&filter::all(["(objectClass=posixAccount)", &any]));
            nodes.extend(self.find_as(self.base, &filter, &attributes, what, |members, entry| {
                known.extend(entry.texts("uid").map(str::to_lowercase));
                members.add(&entry, email)
            })?);
        }
        uids.iter().filter(|uid| !known.contains(&uid.to_lowercase())).for_each(|uid| counts.unknown_uids.add(uid));
        Ok(nodes)
    }

    /// Everybody whom `user_filter` finds, where no groups are given.
    pub fn read_filter(&mut self) -> Result<Vec<u32>, Incomplete> {
        let Some(wanted) = &self.config.user_filter else { return Ok(Vec::new()) };
        let (attributes, email) = (self.person_attributes(), &self.config.email_attributes);
        let ask = Search {
            base: self.base.text(),
            scope: Scope::Subtree,
            filter: wanted.text(),
            attributes: &attributes,
            references: self.server.references(false),
            what: &format!("everybody below {} whom user_filter lets in", self.base),
        };
        let members = &mut self.members;
        search(self.directory, &ask, self.config.page_size, &mut self.asked, &mut |entry| {
            members.add(&entry, email).map(drop)
        })?;
        Ok((0..place_of(self.members.people.len())).collect())
    }

    /// The entries of these stable ids, those that are still there: as people, each with the groups that they say they
    /// are in.
    pub fn by_ids(&mut self, ids: &[&str]) -> Result<HashMap<Box<str>, RawEntry>, Incomplete> {
        let mut found = HashMap::new();
        let attribute = self.id_attribute();
        let mut attributes = self.person_attributes();
        if self.server.is_active_directory {
            attributes.extend(["memberOf", "primaryGroupID"]);
        }
        for ids in ids.chunks(UIDS_AT_ONCE) {
            let each: Vec<String> = ids.iter().filter_map(|id| id_filter(attribute, id)).collect();
            if each.is_empty() {
                continue;
            }
            let filter = filter::any(each.iter().map(String::as_str));
            for root in self.server.roots(self.base) {
                let ask = Search {
                    base: root.text(),
                    scope: Scope::Subtree,
                    filter: &filter,
                    attributes: &attributes,
                    references: self.server.references(true),
                    what: "what became of people who are missing",
                };
                search(self.directory, &ask, self.config.page_size, &mut self.asked, &mut |entry| {
                    if let Some(id) = entry.stable_id() {
                        found.insert(id, entry);
                    }
                    Ok(())
                })?;
            }
        }
        Ok(found)
    }
}

impl std::fmt::Debug for Walk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walk").field("base", &self.base).field("asked", &self.asked).finish_non_exhaustive()
    }
}

/// `None` where the text can't be such an id.
fn id_filter(attribute: &str, id: &str) -> Option<String> {
    if attribute == OBJECT_GUID {
        let id = uuid::Uuid::try_parse(id).ok()?;
        return Some(filter::equals_bytes(attribute, &id.to_bytes_le()));
    }
    Some(filter::equals(attribute, id))
}

/// A value of `uniqueMember` may have a bit string after the name: `cn=a,dc=x#'0101'B`.
fn without_uid(text: &str) -> &str {
    if !text.ends_with("'B") {
        return text;
    }
    match text.rsplit_once("#'") {
        Some((name, rest)) if rest.ends_with("'B") => name,
        _ => text,
    }
}

/// The number by which people have this group as their primary one, where they can: the last part of its `objectSid`.
fn primary_group(group: &RawEntry) -> Option<u32> {
    let kind = group.number("groupType")?;
    if kind & SECURITY == 0 || kind & GLOBAL_OR_UNIVERSAL == 0 {
        return None;
    }
    let last = group.values("objectSid").first()?.last_chunk::<4>()?;
    Some(u32::from_le_bytes(*last))
}

#[cfg(test)]
mod tests {
    use super::super::person::raw;
    use super::*;

    #[test]
    fn the_number_of_a_primary_group_is_the_end_of_its_sid() {
        let mut group = raw("cn=Domain Users", &[("groupType", "-2147483646")]);
        let mut sid = vec![1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0];
        sid.extend([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
        sid.extend(513_u32.to_le_bytes());
        group.attributes.push(("objectSid".to_owned(), vec![sid]));
        assert_eq!(primary_group(&group), Some(513));
        group.attributes[0].1 = vec![b"2".to_vec()];
        assert_eq!(primary_group(&group), None, "a group for mail alone is nobody's primary one");
    }

    #[test]
    fn a_name_with_a_number_after_it_is_the_name() {
        assert_eq!(without_uid("cn=a,dc=x#'0101'B"), "cn=a,dc=x");
        assert_eq!(without_uid("cn=a#'b,dc=x"), "cn=a#'b,dc=x");
    }

    #[test]
    fn ids_are_searched_for_as_they_are_stored() {
        let id = "00112233-4455-6677-8899-aabbccddeeff";
        assert_eq!(
            id_filter(OBJECT_GUID, id).as_deref(),
            Some(r"(objectGUID=\33\22\11\00\55\44\77\66\88\99\aa\bb\cc\dd\ee\ff)")
        );
        assert_eq!(id_filter(ENTRY_UUID, id), Some(format!("(entryUUID={id})")));
        assert_eq!(id_filter(OBJECT_GUID, "4711"), None);
    }
}
