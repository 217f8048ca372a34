//! Who is in which group: a graph of groups and people, filled from answers; what it decides needs no directory.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::source::Incomplete;

use super::directory::RawEntry;
use super::dn::{Dn, NotADn};
use super::evidence::Counts;
use super::people::{People, place_of};
use super::person::{Kind, Person};

/// What is known of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// Place in [`Members::people`].
    Person(u32),
    /// Index into [`Members::groups`].
    Group(u32),
    /// Nobody who has a licence.
    Out(Kind),
    /// It is there, and `user_filter` does not let it in.
    FilteredOut,
    /// A group names it, and it could not be read.
    Missing(Missing),
}

impl Node {
    /// Whether it is somebody, or a group, of whom there is one.
    pub fn is_one(&self) -> bool {
        matches!(self, Node::Person(_) | Node::Group(_))
    }
}

/// What a name or a stable id is found by: a digest, since a large group has many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key([u8; 16]);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [first @ .., _, _, _, _, _, _, _, _] = self.0;
        state.write_u64(u64::from_le_bytes(first));
    }
}

/// Takes a key as it is: it is a digest already.
#[derive(Debug, Default, Clone, Copy)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

type ByKey = HashMap<Key, Node, BuildHasherDefault<AsItIs>>;

impl Key {
    fn of(text: &str) -> Key {
        let digest = blake3::hash(text.as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&digest.as_bytes()[..16]);
        Key(key)
    }

    /// Of a name, however it is written.
    pub fn of_name(name: &Dn) -> Key {
        Key::of(name.normal())
    }

    /// The same of a name that has not been parsed.
    ///
    /// # Errors
    /// Where it is no name.
    pub fn of_text(name: &str) -> Result<Key, NotADn> {
        Dn::normal_of(name).map(|normal| Key::of(&normal))
    }
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
    /// Direct members among the people, by place.
    pub people: Vec<u32>,
    /// Direct members among the groups.
    pub groups: Vec<u32>,
    /// The names that it lists, in order, where that is to be remembered.
    pub listed: Vec<Key>,
    /// Whether it has been read, or is only known by name.
    pub is_read: bool,
    pub counts: Counts,
}

/// The graph.
#[derive(Debug, Default)]
pub struct Members {
    pub people: People,
    pub groups: Vec<Group>,
    by_id: ByKey,
    by_name: ByKey,
    /// The names that groups have and that lead to nobody, in normal form.
    missing: BTreeMap<Box<str>, Missing>,
    /// The names of those of another forest.
    pub foreign: BTreeSet<Box<str>>,
    pub had_choice: u64,
}

impl Members {
    /// These groups, as they are.
    pub fn of_groups(groups: &[Group]) -> Members {
        let mut members = Members { groups: groups.to_vec(), ..Members::default() };
        for (place, group) in (0..).zip(groups) {
            members.by_id.insert(Key::of(&group.id), Node::Group(place));
            members.by_name.insert(Key::of_name(&group.dn), Node::Group(place));
        }
        members
    }

    /// Makes room for so many more people.
    pub fn reserve(&mut self, more: usize) {
        self.people.reserve(more);
        self.by_id.reserve(more);
        self.by_name.reserve(more);
    }

    pub fn node(&self, name: &Dn) -> Option<Node> {
        self.node_of(Key::of_name(name))
    }

    pub fn node_of(&self, name: Key) -> Option<Node> {
        self.by_name.get(&name).copied()
    }

    /// The name of a person or a group.
    pub fn name_of(&self, node: Node) -> Option<&str> {
        match node {
            Node::Person(place) => self.people.get(place).map(|person| person.dn),
            Node::Group(index) => self.groups.get(index as usize).map(|group| group.dn.text()),
            Node::Out(_) | Node::FilteredOut | Node::Missing(_) => None,
        }
    }

    /// Whether somebody has this stable id.
    pub fn is_person(&self, id: &str) -> bool {
        matches!(self.by_id.get(&Key::of(id)), Some(Node::Person(_)))
    }

    /// Notes an entry, and says what it is.
    ///
    /// # Errors
    /// When it has no stable id, so that nobody could tell who it is the next time.
    pub fn add(&mut self, entry: &RawEntry, email_attributes: &[String]) -> Result<Node, Incomplete> {
        let name = Key::of_text(&entry.dn).map_err(|wrong| no_name(entry, &wrong))?;
        let kind = Kind::of(entry);
        let node = match kind {
            Kind::Person | Kind::Group => {
                let id = entry.stable_id().ok_or_else(|| no_stable_id(&entry.dn))?;
                match self.by_id.get(&Key::of(&id)) {
                    Some(known) => *known,
                    None => self.enter(kind, entry, id, email_attributes)?,
                }
            }
            other => Node::Out(other),
        };
        if kind == Kind::Foreign {
            self.foreign.insert(entry.dn.as_str().into());
        }
        if let Some(Node::Missing(_)) = self.by_name.insert(name, node)
            && let Ok(name) = Dn::normal_of(&entry.dn)
        {
            self.missing.remove(&name);
        }
        Ok(node)
    }

    fn enter(
        &mut self,
        kind: Kind,
        entry: &RawEntry,
        id: Box<str>,
        email_attributes: &[String],
    ) -> Result<Node, Incomplete> {
        let key = Key::of(&id);
        let node = if kind == Kind::Person {
            let person = Person::with_id(id, entry, email_attributes);
            self.had_choice += u64::from(person.had_choice);
            Node::Person(self.people.push(&person))
        } else {
            let (people, groups, listed) = (Vec::new(), Vec::new(), Vec::new());
            let dn = Dn::parse(&entry.dn).map_err(|wrong| no_name(entry, &wrong))?;
            self.groups.push(Group { dn, id, people, groups, listed, is_read: false, counts: Counts::default() });
            Node::Group(place_of(self.groups.len() - 1))
        };
        self.by_id.insert(key, node);
        Ok(node)
    }

    /// Notes of a name what an entry does not say.
    pub fn note(&mut self, name: &Dn, node: Node) {
        let known = *self.by_name.entry(Key::of_name(name)).or_insert(node);
        if let Node::Missing(why) = known {
            self.missing.insert(name.normal().into(), why);
        }
    }

    /// The names that groups have and that lead to nobody, in order.
    pub fn missing(&self) -> impl Iterator<Item = (&str, Missing)> {
        self.missing.iter().map(|(name, why)| (&**name, *why))
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
    pub fn reach(&self, root: u32) -> Reach {
        let mut reach = Reach { people: Vec::new(), groups: Vec::new(), depth: 0 };
        let (mut seen_people, mut seen_groups) = (vec![false; self.people.len()], vec![false; self.groups.len()]);
        let mut queue = VecDeque::from([(root, 0_u32)]);
        while let Some((index, depth)) = queue.pop_front() {
            let Some(group) = self.groups.get(index as usize) else { continue };
            if std::mem::replace(&mut seen_groups[index as usize], true) {
                continue;
            }
            reach.groups.push(index);
            reach.depth = reach.depth.max(depth);
            for person in &group.people {
                if !std::mem::replace(&mut seen_people[*person as usize], true) {
                    reach.people.push((*person, index));
                }
            }
            queue.extend(group.groups.iter().map(|inner| (*inner, depth + 1)));
        }
        reach
    }

    /// Those in a group itself. The groups in it are counted.
    pub fn directly(&self, root: u32) -> Reach {
        let group = self.groups.get(root as usize);
        let people = group.map(|group| group.people.iter().map(|person| (*person, root)).collect());
        let inner = group.map_or(&[][..], |group| &group.groups);
        let groups = [root].iter().chain(inner).copied().collect();
        Reach { people: people.unwrap_or_default(), groups, depth: u32::from(!inner.is_empty()) }
    }
}

/// What a group comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// People, each with the group that names them.
    pub people: Vec<(u32, u32)>,
    /// The group itself, and groups in it, however deep.
    pub groups: Vec<u32>,
    /// How deep they go; 0: there is none.
    pub depth: u32,
}

fn no_name(entry: &RawEntry, wrong: &NotADn) -> Incomplete {
    Incomplete::lasting(format!("The directory gave an entry whose DN {wrong}: {}.", entry.dn))
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
        assert_eq!(reach, Reach { people: vec![(1, 1), (0, 2)], groups: vec![0, 1, 2], depth: 2 });
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
        let missing: Vec<_> = members.missing().collect();
        assert_eq!(missing, [("cn=a,dc=y", Missing::Elsewhere), ("cn=z,dc=x", Missing::Gone)]);
    }
}
