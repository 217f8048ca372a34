//! Whom groups listed when they were read whole, in little room, so that what changes in one of them later is told by the
//! difference.

use uuid::Uuid;

use super::listed::Listed;
use super::members::{Group, Key, Members};

/// What is remembered of a reading. Nothing where the lists alone do not say who is in.
#[derive(Debug, Default)]
pub struct Lists {
    /// All groups that were read, in the order of the reading, without their people.
    groups: Vec<Group>,
    /// Of each of them, the names that it lists, in order.
    names: Vec<Vec<Key>>,
    /// The groups of the configuration, in its order, as places among `groups`.
    roots: Vec<u32>,
    /// The people in any of them, in the order of their names.
    people: Vec<(Key, Uuid)>,
}

impl Lists {
    /// What is left of a reading, which loses its lists; `roots` are the groups of the configuration.
    pub fn of(members: &mut Members, roots: Vec<u32>) -> Lists {
        let alone = |group: &Group| {
            let counts = &group.counts;
            counts.by_primary == 0 && counts.uids == 0 && counts.only_by_member_of.number == 0
        };
        if !members.groups.iter().all(alone) {
            return Lists::default();
        }
        let mut people = Vec::with_capacity(members.people.len());
        for person in members.people.iter() {
            let (Ok(name), Some(id)) = (Key::of_text(person.dn), uuid_of(person.id)) else { return Lists::default() };
            people.push((name, id));
        }
        people.sort_unstable();
        let names = members.groups.iter_mut().map(|group| std::mem::take(&mut group.listed)).collect();
        let bare = |group: &Group| Group { people: Vec::new(), ..group.clone() };
        Lists { groups: members.groups.iter().map(bare).collect(), names, roots, people }
    }

    /// Whether the lists say who is in.
    pub fn say_all(&self) -> bool {
        !self.groups.is_empty()
    }

    /// The groups, each without anybody in it.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    pub fn roots(&self) -> &[u32] {
        &self.roots
    }

    /// The place of the group of this stable id.
    pub fn place_of(&self, id: &str) -> Option<usize> {
        self.groups.iter().position(|group| group.is_read && *group.id == *id)
    }

    /// The names that the group of this place listed, in order.
    pub fn names(&self, place: usize) -> &[Key] {
        self.names.get(place).map_or(&[], Vec::as_slice)
    }

    /// The stable id of the person who had this name.
    pub fn id_of(&self, name: Key) -> Option<String> {
        let at = self.people.binary_search_by_key(&name, |(name, _)| *name).ok()?;
        self.people.get(at).map(|(_, id)| id.to_string())
    }

    /// The name that the person of this stable id had.
    pub fn name_of(&self, id: &str) -> Option<Key> {
        let id = uuid_of(id)?;
        self.people.iter().find(|(_, known)| *known == id).map(|(name, _)| *name)
    }

    /// Whether a group that was read had this name.
    pub fn is_group(&self, name: Key) -> bool {
        self.groups.iter().any(|group| Key::of_name(&group.dn) == name)
    }

    /// Takes what has changed.
    pub fn take(&mut self, news: News) {
        for (place, names) in news.names {
            if let Some(known) = self.names.get_mut(place) {
                *known = names;
            }
        }
        for person in news.people {
            if let Err(at) = self.people.binary_search(&person) {
                self.people.insert(at, person);
            }
        }
    }
}

/// What has changed in lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct News {
    /// Of the groups of these places, the names that they list now, in order.
    pub names: Vec<(usize, Vec<Key>)>,
    /// People who are in a group now.
    pub people: Vec<(Key, Uuid)>,
}

/// The names that a list has and the one before has not, and the other way round.
#[derive(Debug)]
pub struct Difference {
    pub added: Vec<(Key, String)>,
    pub removed: Vec<Key>,
}

impl Difference {
    /// `before` and `after` are in order; `after` are the keys of `listed`.
    pub fn of(before: &[Key], after: &[Key], listed: &Listed) -> Difference {
        let not_in = |keys: &[Key], key: &Key| keys.binary_search(key).is_err();
        let removed = before.iter().copied().filter(|key| not_in(after, key)).collect();
        let added = listed.names().filter(|(key, _)| not_in(before, key)).collect();
        Difference { added, removed }
    }

    pub fn size(&self) -> usize {
        self.added.len() + self.removed.len()
    }
}

/// A stable id as a number, where it is written as the directory writes it.
pub fn uuid_of(id: &str) -> Option<Uuid> {
    Uuid::try_parse(id).ok().filter(|uuid| uuid.to_string() == id)
}
