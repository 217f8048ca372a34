//! Who is in which group: a graph of groups and people, filled from answers; what it decides needs no directory.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::source::Incomplete;

use super::directory::RawEntry;
use super::dn::Dn;
use super::person::{Kind, Person};

/// What is known of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// Index into [`Members::people`].
    Person(usize),
    /// Index into [`Members::groups`].
    Group(usize),
    /// Nobody who has a licence.
    Out(Kind),
    /// It is there, and `user_filter` does not let it in.
    FilteredOut,
    /// A group names it, and it could not be read.
    Missing(Missing),
}

/// Why a name in a group leads to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missing {
    /// There is no such entry; what it would stand under can be read.
    Gone,
    /// Another server has it: it is in another domain.
    Elsewhere,
    /// It may not be read, or what it stands under may not.
    Unreadable,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub dn: Dn,
    pub id: Box<str>,
    /// Direct members among the people, by index.
    pub people: Vec<usize>,
    /// Direct members among the groups.
    pub groups: Vec<usize>,
    /// Whether it has been read, or is only known by name.
    pub is_read: bool,
    pub counts: Counts,
}

/// How many members a group has, counted by each way in which the directory tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Names in `member` and `uniqueMember`.
    pub listed: u64,
    /// Entries found by `memberOf`; `None`: it was not asked.
    pub by_member_of: Option<u64>,
    /// People whose primary group it is.
    pub by_primary: u64,
    /// Names in `memberUid`.
    pub uids: u64,
}

/// The graph.
#[derive(Debug, Default)]
pub struct Members {
    pub people: Vec<Person>,
    pub groups: Vec<Group>,
    by_id: HashMap<Box<str>, Node>,
    /// By the normal form of the name.
    by_name: HashMap<Box<str>, Node>,
    pub had_choice: u64,
}

impl Members {
    pub fn node(&self, name: &Dn) -> Option<Node> {
        self.by_name.get(name.normal()).copied()
    }

    pub fn person_by_id(&self, id: &str) -> Option<&Person> {
        match self.by_id.get(id)? {
            Node::Person(index) => self.people.get(*index),
            _ => None,
        }
    }

    /// Notes an entry, and says what it is.
    ///
    /// # Errors
    /// When it has no stable id, so that nobody could tell who it is the next time.
    pub fn add(&mut self, entry: &RawEntry, email_attributes: &[String]) -> Result<Node, Incomplete> {
        let name = Dn::parse(&entry.dn).map_err(|wrong| {
            Incomplete::lasting(format!("The directory gave an entry whose DN {wrong}: {}.", entry.dn))
        })?;
        let kind = Kind::of(entry);
        let node = match kind {
            Kind::Person | Kind::Group => {
                let id = entry.stable_id().ok_or_else(|| no_stable_id(&entry.dn))?;
                match self.by_id.get(&id) {
                    Some(known) => *known,
                    None => self.enter(kind, entry, &name, id, email_attributes),
                }
            }
            other => Node::Out(other),
        };
        self.by_name.insert(name.normal().into(), node);
        Ok(node)
    }

    fn enter(&mut self, kind: Kind, entry: &RawEntry, name: &Dn, id: Box<str>, email_attributes: &[String]) -> Node {
        let person = (kind == Kind::Person).then(|| Person::of(entry, email_attributes)).flatten();
        let node = if let Some(person) = person {
            self.had_choice += u64::from(person.had_choice);
            self.people.push(person);
            Node::Person(self.people.len() - 1)
        } else {
            let (people, groups) = (Vec::new(), Vec::new());
            let group =
                Group { dn: name.clone(), id: id.clone(), people, groups, is_read: false, counts: Counts::default() };
            self.groups.push(group);
            Node::Group(self.groups.len() - 1)
        };
        self.by_id.insert(id, node);
        node
    }

    /// Notes of a name what an entry does not say.
    pub fn note(&mut self, name: &Dn, node: Node) {
        self.by_name.entry(name.normal().into()).or_insert(node);
    }

    /// The names that groups have and that lead to nobody, in order.
    pub fn missing(&self) -> Vec<(&str, Missing)> {
        let missing = self.by_name.iter().filter_map(|(name, node)| match node {
            Node::Missing(why) => Some((&**name, *why)),
            _ => None,
        });
        let mut all: Vec<(&str, Missing)> = missing.collect();
        all.sort_unstable();
        all
    }

    /// How many names are of this kind.
    pub fn left_out(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for node in self.by_name.values() {
            let what = match node {
                Node::Out(Kind::Contact) => "contact",
                Node::Out(Kind::Computer) => "computer",
                Node::Out(Kind::Foreign) => "foreign",
                Node::FilteredOut => "filtered",
                _ => continue,
            };
            *counts.entry(what).or_insert(0) += 1;
        }
        counts
    }

    /// Everybody in a group, directly and through groups in it, each once, with the group that named them first: nearer
    /// ones before. Loops do no harm.
    pub fn reach(&self, root: usize) -> Reach {
        let mut reach = Reach { people: Vec::new(), groups: 0, depth: 0 };
        let (mut seen_people, mut seen_groups) = (vec![false; self.people.len()], vec![false; self.groups.len()]);
        let mut queue = VecDeque::from([(root, 0_u32)]);
        while let Some((index, depth)) = queue.pop_front() {
            let Some(group) = self.groups.get(index).filter(|_| !std::mem::replace(&mut seen_groups[index], true))
            else {
                continue;
            };
            reach.groups += u64::from(index != root);
            reach.depth = reach.depth.max(depth);
            for person in &group.people {
                if !std::mem::replace(&mut seen_people[*person], true) {
                    reach.people.push((*person, index));
                }
            }
            queue.extend(group.groups.iter().map(|inner| (*inner, depth + 1)));
        }
        reach
    }

    /// Those in a group itself. The groups in it are counted.
    pub fn directly(&self, root: usize) -> Reach {
        let group = self.groups.get(root);
        let people = group.map(|group| group.people.iter().map(|person| (*person, root)).collect());
        let groups = group.map_or(0, |group| group.groups.len() as u64);
        Reach { people: people.unwrap_or_default(), groups, depth: u32::from(groups > 0) }
    }
}

/// What a group comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// People, each with the group that names them.
    pub people: Vec<(usize, usize)>,
    /// Groups in it, however deep.
    pub groups: u64,
    /// How deep they go; 0: there is none.
    pub depth: u32,
}

pub fn no_stable_id(dn: &str) -> Incomplete {
    Incomplete::lasting(format!(
        "The directory gave no objectGUID and no entryUUID for {dn}, and without one nobody can tell who it is when the name changes. May this account read it?"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::person::raw;
    use super::*;

    fn entry(name: &str, class: &str) -> RawEntry {
        raw(
            &format!("cn={name},dc=x"),
            &[("objectClass", class), ("entryUUID", name), ("mail", &format!("{name}@x.example"))],
        )
    }

    fn members(names: &[(&str, &str)]) -> Members {
        let mut members = Members::default();
        for (name, class) in names {
            members.add(&entry(name, class), &["mail".to_owned()]).unwrap();
        }
        members
    }

    #[test]
    fn a_loop_of_groups_ends_and_the_nearest_group_is_named() {
        let mut members =
            members(&[("g0", "group"), ("g1", "group"), ("g2", "group"), ("p0", "person"), ("p1", "person")]);
        members.groups[0].groups = vec![1];
        members.groups[1].groups = vec![2, 1];
        members.groups[2].groups = vec![0];
        members.groups[2].people = vec![0, 1];
        members.groups[1].people = vec![1];
        let reach = members.reach(0);
        assert_eq!(reach, Reach { people: vec![(1, 1), (0, 2)], groups: 2, depth: 2 });
        assert_eq!(members.reach(2).people, [(0, 2), (1, 2)]);
    }

    #[test]
    fn one_person_under_two_names_is_one() {
        let mut members = members(&[("p0", "person")]);
        let moved = RawEntry { dn: "cn=p0,ou=new,dc=x".to_owned(), ..entry("p0", "person") };
        assert_eq!(members.add(&moved, &[]).unwrap(), Node::Person(0));
        assert_eq!(members.node(&Dn::parse("CN=P0, OU=New, DC=x").unwrap()), Some(Node::Person(0)));
        assert_eq!(members.people.len(), 1);
    }

    #[test]
    fn nobody_without_a_stable_id_is_believed() {
        let mut members = Members::default();
        let refused = members.add(&raw("cn=x", &[("objectClass", "person")]), &[]).unwrap_err();
        assert!(refused.reason.starts_with("The directory gave no objectGUID and no entryUUID for cn=x"), "{refused}");
        assert_eq!(members.add(&raw("cn=y", &[("objectClass", "contact")]), &[]).unwrap(), Node::Out(Kind::Contact));
    }

    #[test]
    fn names_that_lead_to_nobody_are_listed() {
        let mut members = members(&[("p0", "person")]);
        for (name, why) in
            [("cn=z,dc=x", Missing::Gone), ("cn=a,dc=y", Missing::Elsewhere), ("cn=p0,dc=x", Missing::Gone)]
        {
            members.note(&Dn::parse(name).unwrap(), Node::Missing(why));
        }
        assert_eq!(members.missing(), [("cn=a,dc=y", Missing::Elsewhere), ("cn=z,dc=x", Missing::Gone)]);
    }
}
