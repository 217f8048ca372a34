//! What becomes of the stored roster where it is known whose entries and which groups have changed, and that nothing else
//! has: these are read again, and the rest is left as it is.
//!
//! This is said only where it is what a whole reading would say. Where it is not plain, nothing is said, and everything
//! is read.

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::config::Ldap;
use crate::roster::{Entry, Hasher};
use crate::source::Incomplete;

use super::claims::Claims;
use super::directory::{Asked, Directory, RawEntry};
use super::dn::Dn;
use super::lists::{Difference, Lists, News, uuid_of};
use super::members::{Key, Members, Node};
use super::person::Kind;
use super::push::Told;
use super::server::Server;
use super::walk::{DOMAIN_USERS, Walk};

/// More people than these are not looked at one by one.
const PEOPLE_MAX: usize = 50;

/// With what some of a directory is read again.
#[derive(Debug, Clone, Copy)]
pub struct Again<'a> {
    pub config: &'a Ldap,
    pub hasher: &'a Hasher,
    /// As the stored roster knows them.
    pub lists: &'a Lists,
    pub told: &'a Told,
    pub now: Timestamp,
}

/// What the directory says of some people now.
#[derive(Debug, Default)]
pub struct Touched {
    /// The stable ids of all whom it concerns, who have these entries and no others.
    pub ids: BTreeSet<Box<str>>,
    pub entries: Vec<Entry>,
    /// Whose account is disabled.
    pub disabled: BTreeSet<Box<str>>,
    /// What the lists are to take once that is in the stored roster.
    pub news: News,
}

/// Reads again what was told of. `None`: that can't be told from it alone.
///
/// # Errors
/// When the directory does not answer whole.
pub fn touched(directory: &mut dyn Directory, again: Again<'_>) -> Result<Option<Touched>, Incomplete> {
    let Again { config, lists, told, .. } = again;
    if !lists.say_all() || config.user_filter.is_some() || told.people.len() > PEOPLE_MAX {
        return Ok(None);
    }
    let server = Server::ask(directory, config.flavor, &mut Asked::default())?;
    let base = server.base(config)?;
    let mut walk = Walk::new(directory, config, &server, &base);
    walk.members = Members::of_groups(lists.groups());
    let mut touch = Touch { again, ids: told.people.clone(), joiners: Vec::new(), news: News::default() };
    for id in &told.groups {
        // Another group says nothing of anybody: it would be told of the one that takes it in.
        let Some(place) = lists.place_of(id) else { continue };
        if !touch.group(&mut walk, place)? {
            return Ok(None);
        }
    }
    if !touch.people(&mut walk)? {
        return Ok(None);
    }
    touch.finish(walk.members)
}

struct Touch<'a> {
    again: Again<'a>,
    ids: BTreeSet<Box<str>>,
    /// Names of people in a group of whom nothing is known.
    joiners: Vec<Dn>,
    news: News,
}

impl Touch<'_> {
    /// Reads one group's list, and notes who has come and gone. Whether it says all.
    fn group(&mut self, walk: &mut Walk<'_>, place: usize) -> Result<bool, Incomplete> {
        let lists = self.again.lists;
        let (found, listed) = walk.list_of(place)?;
        if walk.is_told_otherwise(&found) {
            return Ok(false);
        }
        let names = listed.sorted();
        let difference = Difference::of(lists.names(place), &names, &listed);
        if difference.size() > PEOPLE_MAX {
            return Ok(false);
        }
        for name in difference.removed {
            match lists.id_of(name) {
                Some(id) => drop(self.ids.insert(id.into())),
                None if lists.is_group(name) => return Ok(false),
                // Nobody who has a licence.
                None => {}
            }
        }
        for (name, text) in difference.added {
            match (lists.id_of(name), Dn::parse(&text)) {
                (Some(id), _) => drop(self.ids.insert(id.into())),
                (None, Ok(name)) => self.joiners.push(name),
                (None, Err(_)) => return Ok(false),
            }
        }
        self.news.names.push((place, names));
        Ok(true)
    }

    /// Reads the entries of all whom it concerns. Whether they say all.
    fn people(&mut self, walk: &mut Walk<'_>) -> Result<bool, Incomplete> {
        let ids: Vec<&str> = self.ids.iter().map(|id| &**id).collect();
        let found = walk.by_ids(&ids)?;
        for id in &ids {
            if !found.get(*id).is_some_and(|entry| self.is_plain(id, entry)) {
                return Ok(false);
            }
        }
        for entry in found.values() {
            if !matches!(walk.members.add(entry, &self.again.config.email_attributes)?, Node::Person(_)) {
                return Ok(false);
            }
        }
        for name in std::mem::take(&mut self.joiners) {
            match walk.by_name(&name)? {
                // The latter has no licence.
                Node::Person(_) | Node::Out(_) => {}
                Node::Group(_) | Node::FilteredOut | Node::Missing(_) => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Whether this entry is that of a person as the lists know them, or of one whom they do not know.
    fn is_plain(&self, id: &str, entry: &RawEntry) -> bool {
        let lists = self.again.lists;
        let Ok(name) = Key::of_text(&entry.dn) else { return false };
        // Where a group listed this name before, it was somebody else's, or led to nobody.
        let is_new = || (0..lists.groups().len()).all(|place| lists.names(place).binary_search(&name).is_err());
        let is_listed = |group: &Dn| {
            let place = lists.groups().iter().position(|known| known.is_read && known.dn == *group);
            place.is_none_or(|place| self.names(place).binary_search(&name).is_ok())
        };
        (lists.name_of(id).is_some() || is_new())
            && Kind::of(entry) == Kind::Person
            && entry.number("primaryGroupID").is_none_or(|group| group == DOMAIN_USERS)
            && entry.texts("memberOf").filter_map(|group| Dn::parse(group).ok()).all(|group| is_listed(&group))
    }

    /// The names that a group lists now.
    fn names(&self, place: usize) -> &[Key] {
        let now = self.news.names.iter().find(|(known, _)| *known == place);
        now.map_or_else(|| self.again.lists.names(place), |(_, names)| names)
    }

    /// Who of them is in which group, and what they have for it.
    fn finish(mut self, mut members: Members) -> Result<Option<Touched>, Incomplete> {
        let Again { config, hasher, lists, now, .. } = self.again;
        let mut names = Vec::with_capacity(members.people.len());
        for (place, person) in (0..).zip(members.people.iter()) {
            let (Ok(name), Some(id)) = (Key::of_text(person.dn), uuid_of(person.id)) else { return Ok(None) };
            // Who has moved stands in lists under the name of before, until the directory has corrected these.
            if lists.name_of(person.id).is_some_and(|known| known != name) {
                return Ok(None);
            }
            names.push((place, name));
            self.ids.insert(person.id.into());
            self.news.people.push((name, id));
        }
        for place in 0..members.groups.len() {
            let listed = self.names(place);
            let people = names.iter().filter(|(_, name)| listed.binary_search(name).is_ok());
            let people = people.map(|(person, _)| *person).collect();
            if let Some(group) = members.groups.get_mut(place) {
                group.people = people;
            }
        }
        let is_in = |place: &u32| members.groups.iter().any(|group| group.people.contains(place));
        let in_none: Vec<Key> = names.iter().filter(|(place, _)| !is_in(place)).map(|(_, name)| *name).collect();
        self.news.people.retain(|(name, _)| !in_none.contains(name));
        let mut claims = Claims::default();
        for (group, root) in config.groups.iter().zip(lists.roots()) {
            claims.add_group(group, *root, &members, config.nested);
        }
        let mut settled = claims.settle(&members, config.include_disabled, hasher, now);
        if !settled.snapshot.bad_rows.is_empty() || !settled.shared.is_empty() {
            return Ok(None);
        }
        let mut disabled = std::mem::take(&mut settled.disabled);
        // As in a whole reading: who is in no group any more and has a disabled account is gone for the account.
        let people = members.people.iter().filter(|person| person.disabled && !config.include_disabled);
        disabled.extend(people.map(|person| Box::from(person.id)));
        let mut snapshot = settled.finish(members);
        let entries = snapshot.entries.fetch(&snapshot.rows)?;
        Ok(Some(Touched { ids: self.ids, entries, disabled, news: self.news }))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::super::fake::Fake;
    use super::super::read::tests::config;
    use super::super::read::{Settings, read};
    use super::super::watched::Watch;
    use super::*;
    use crate::config::Group;
    use crate::roster::Reason;
    use crate::source::Reading;

    const NAMES: [&str; 6] = ["ada", "ben", "cid", "dot", "eve", "fay"];
    const GROUPS: [&str; 3] = ["staff", "inner", "other"];

    struct Nobody;

    impl Watch for Nobody {
        fn expect(&self, _more: u64) {}
        fn seen(&self, _more: u64) {}
    }

    fn now() -> Timestamp {
        chrono::DateTime::from_timestamp(1_780_000_000, 0).unwrap()
    }

    fn uuid(id: u8) -> Box<str> {
        uuid::Uuid::from_bytes([id; 16]).to_string().into()
    }

    fn id_of(person: usize) -> u8 {
        10 + u8::try_from(person).unwrap()
    }

    fn dn(person: usize) -> String {
        format!("cn={},ou=people,dc=x", NAMES[person])
    }

    /// Two groups of the configuration, the second with a route of its own, and one in the first.
    fn two_groups() -> Ldap {
        let mut config = config(&["staff", "other"]);
        let other = Group { subscription: Some("fabrikam".to_owned()), priority: 5, ..config.groups.remove(1) };
        config.groups.push(other);
        config
    }

    fn directory(is_active_directory: bool) -> Fake {
        let mut fake = Fake::new(is_active_directory);
        for (at, name) in NAMES.into_iter().enumerate() {
            fake.person(name, id_of(at), &[]);
        }
        let people: Vec<String> = (0..5).map(dn).collect();
        fake.group("staff", 1, &[&people[0], &people[1], "cn=inner,ou=groups,dc=x"]);
        fake.group("inner", 2, &[&people[1], &people[2], &people[3]]);
        fake.group("other", 3, &[&people[0], &people[3]]);
        fake
    }

    /// All entries in order, the stable ids of whoever is gone for being disabled, and what is to be remembered.
    fn whole(fake: &mut Fake, config: &Ldap, stored: &[Entry]) -> (Vec<Entry>, BTreeSet<Box<str>>, Lists) {
        let (hasher, kept) = (Hasher::new([7; 16]), Cell::new(None));
        let keep = |lists| kept.set(Some(lists));
        let missing = |_: &_| Ok(stored.to_vec());
        let settings = Settings {
            config,
            hasher: &hasher,
            known: None,
            may_be_unchanged: false,
            now: now(),
            watch: &Nobody,
            keep: Some(&keep),
            missing: &missing,
        };
        let Reading::Complete(mut snapshot) = read(fake, settings) else { panic!("it can be read") };
        let mut entries = snapshot.entries.fetch(&snapshot.rows).unwrap();
        entries.sort_by(|a, b| (&a.address, &a.route).cmp(&(&b.address, &b.route)));
        let disabled = snapshot.departed.iter().filter(|(_, reason)| **reason == Reason::Disabled);
        (entries, disabled.map(|(id, _)| id.clone()).collect(), kept.take().unwrap())
    }

    fn again(fake: &mut Fake, config: &Ldap, lists: &Lists, told: &Told) -> Option<Touched> {
        let hasher = Hasher::new([7; 16]);
        touched(fake, Again { config, hasher: &hasher, lists, told, now: now() }).unwrap()
    }

    fn of<'a>(entries: &'a [Entry], ids: &BTreeSet<Box<str>>, theirs: bool) -> Vec<&'a Entry> {
        let is_theirs = |entry: &&Entry| ids.contains(entry.stable_id.as_ref().unwrap()) == theirs;
        entries.iter().filter(is_theirs).collect()
    }

    #[derive(Debug, Clone)]
    enum Edit {
        Member { group: usize, person: usize },
        Inner { group: usize },
        Address { person: usize, to: Option<u8> },
        Disabled(usize),
        Expires(usize),
        Moved(usize),
        Stranger(usize),
    }

    fn edit() -> impl Strategy<Value = Edit> {
        let (group, person) = (0..GROUPS.len(), 0..NAMES.len());
        prop_oneof![
            8 => (group, person.clone()).prop_map(|(group, person)| Edit::Member { group, person }),
            1 => (0..GROUPS.len()).prop_map(|group| Edit::Inner { group }),
            3 => (person.clone(), prop::option::weighted(0.8, 0..3_u8)).prop_map(|(person, to)| Edit::Address { person, to }),
            2 => person.clone().prop_map(Edit::Disabled),
            1 => person.clone().prop_map(Edit::Expires),
            1 => person.clone().prop_map(Edit::Moved),
            1 => person.prop_map(Edit::Stranger),
        ]
    }

    fn toggle(fake: &mut Fake, group: &str, member: &str) {
        let group = fake.entry(group);
        if !group.attributes.iter().any(|(name, _)| name == "member") {
            group.attributes.push(("member".to_owned(), Vec::new()));
        }
        let (_, members) = group.attributes.iter_mut().find(|(name, _)| name == "member").unwrap();
        let before = members.len();
        members.retain(|known| known != member.as_bytes());
        if members.len() == before {
            members.push(member.as_bytes().to_vec());
        }
    }

    /// Does it, and says of whom the directory tells.
    fn make(fake: &mut Fake, edit: &Edit, told: &mut Told) {
        match *edit {
            Edit::Member { group, person } => {
                let dn = Dn::parse(&fake.entry(NAMES[person]).dn).unwrap().text().to_owned();
                toggle(fake, GROUPS[group], &dn);
                told.groups.insert(uuid(u8::try_from(group).unwrap() + 1));
            }
            Edit::Inner { group } => {
                toggle(fake, GROUPS[group], "cn=other,ou=groups,dc=x");
                told.groups.insert(uuid(u8::try_from(group).unwrap() + 1));
            }
            Edit::Address { person, to } => {
                let address = to.map(|to| format!("new.{person}.{to}@x.example"));
                fake.set(NAMES[person], "mail", &address.iter().map(String::as_str).collect::<Vec<_>>());
                told.people.insert(uuid(id_of(person)));
            }
            Edit::Disabled(person) => {
                let is_off = fake.entry(NAMES[person]).texts("nsAccountLock").next() == Some("TRUE");
                fake.set(NAMES[person], "userAccountControl", &[if is_off { "512" } else { "514" }]);
                fake.set(NAMES[person], "nsAccountLock", &[if is_off { "FALSE" } else { "TRUE" }]);
                told.people.insert(uuid(id_of(person)));
            }
            Edit::Expires(person) => {
                fake.set(NAMES[person], "accountExpires", &["134224056000000000"]);
                told.people.insert(uuid(id_of(person)));
            }
            Edit::Moved(person) => {
                fake.entry(NAMES[person]).dn = format!("cn={},dc=x", NAMES[person]);
                told.people.insert(uuid(id_of(person)));
            }
            Edit::Stranger(person) => {
                told.people.insert(uuid(id_of(person)));
                told.groups.insert(uuid(99));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn what_is_said_of_some_is_what_a_whole_reading_says(
            is_active_directory: bool,
            has_member_of: bool,
            steps in prop::collection::vec(prop::collection::vec(edit(), 1..3), 1..8),
        ) {
            let (mut fake, config) = (directory(is_active_directory), two_groups());
            fake.has_member_of = is_active_directory || has_member_of;
            let (mut before, _, mut lists) = whole(&mut fake, &config, &[]);
            for edits in steps {
                let mut told = Told::default();
                for edit in &edits {
                    make(&mut fake, edit, &mut told);
                }
                let touched = again(&mut fake, &config, &lists, &told);
                let (after, disabled, read) = whole(&mut fake, &config, &before);
                lists = match touched {
                    None => read,
                    Some(touched) => {
                        let mut entries = touched.entries;
                        entries.sort_by(|a, b| (&a.address, &a.route).cmp(&(&b.address, &b.route)));
                        prop_assert_eq!(entries.iter().collect::<Vec<_>>(), of(&after, &touched.ids, true));
                        prop_assert_eq!(of(&before, &touched.ids, false), of(&after, &touched.ids, false));
                        for id in of(&before, &touched.ids, true).iter().filter_map(|entry| entry.stable_id.as_ref()) {
                            let is_gone = !after.iter().any(|entry| entry.stable_id.as_ref() == Some(id));
                            prop_assert!(!is_gone || touched.disabled.contains(id) == disabled.contains(id), "{id}");
                        }
                        lists.take(touched.news);
                        lists
                    }
                };
                before = after;
            }
        }
    }

    #[test]
    fn what_changes_in_a_group_is_told_by_its_list_and_those_whom_it_concerns_alone() {
        for is_active_directory in [false, true] {
            let (mut fake, config) = (directory(is_active_directory), two_groups());
            let (_, _, mut lists) = whole(&mut fake, &config, &[]);
            let mut told = Told::default();
            for edit in [Edit::Member { group: 2, person: 5 }, Edit::Member { group: 2, person: 0 }] {
                make(&mut fake, &edit, &mut told);
            }
            fake.asked.clear();
            let touched = again(&mut fake, &config, &lists, &told).unwrap();
            let says = |touched: &Touched| {
                let entries = touched.entries.iter();
                entries
                    .map(|it| format!("{} {:?} {}; {}", it.address, it.route, it.priority, it.origin))
                    .collect::<Vec<_>>()
            };
            let mut said = says(&touched);
            said.sort();
            assert_eq!(
                said,
                [
                    "ada@x.example None 100; cn=ada,ou=people,dc=x; member of cn=staff,ou=groups,dc=x",
                    "fay@x.example Some(\"fabrikam\") 5; cn=fay,ou=people,dc=x; member of cn=other,ou=groups,dc=x",
                ]
            );
            assert_eq!(touched.ids, [uuid(10), uuid(15)].into());
            assert!(
                !fake.asked.iter().any(|asked| asked.contains("ben") || asked.contains("memberOf=")),
                "{:?}",
                fake.asked
            );
            lists.take(touched.news);
            let nothing = again(&mut fake, &config, &lists, &told).unwrap();
            assert_eq!((nothing.ids.len(), nothing.entries.len()), (0, 0), "it is known by now");
        }
    }

    #[test]
    fn who_leaves_all_groups_and_is_disabled_at_once_is_gone_for_the_account() {
        for is_active_directory in [false, true] {
            let (mut fake, config) = (directory(is_active_directory), two_groups());
            let (_, _, lists) = whole(&mut fake, &config, &[]);
            let mut told = Told::default();
            for group in [1, 2] {
                make(&mut fake, &Edit::Member { group, person: 3 }, &mut told);
            }
            make(&mut fake, &Edit::Disabled(3), &mut told);
            let touched = again(&mut fake, &config, &lists, &told).unwrap();
            assert_eq!((touched.entries.len(), touched.disabled), (0, [uuid(13)].into()));
        }
    }

    #[test]
    fn what_is_not_plain_is_not_said() {
        let (plain, told) = (two_groups(), |people: &[u8], groups: &[u8]| {
            let ids = |all: &[u8]| all.iter().map(|id| uuid(*id)).collect();
            Told { people: ids(people), groups: ids(groups) }
        });
        let says = |change: &dyn Fn(&mut Fake), told: &Told, config: &Ldap| {
            let mut fake = directory(true);
            let (_, _, lists) = whole(&mut fake, &two_groups(), &[]);
            change(&mut fake);
            again(&mut fake, config, &lists, told).is_some()
        };
        let (ada, staff) = (told(&[10], &[]), told(&[], &[1]));
        assert!(says(&|_| {}, &ada, &plain) && says(&|_| {}, &staff, &plain));
        assert!(!says(&|it| it.set("ada", "mail", &[]), &ada, &plain), "without an address they are held");
        assert!(!says(&|it| it.set("ada", "mail", &["ben@x.example"]), &told(&[10, 11], &[]), &plain), "one of two");
        assert!(
            !says(&|it| it.set("ada", "primaryGroupID", &["1105"]), &ada, &plain),
            "a group may have them as their primary one"
        );
        assert!(
            !says(&|it| it.entry("ada").dn = "cn=ada,dc=x".to_owned(), &ada, &plain),
            "groups may not have followed"
        );
        assert!(!says(&|it| it.remove("ada"), &ada, &plain), "deleted, or out of sight");
        assert!(!says(&|it| toggle(it, "staff", "cn=other,ou=groups,dc=x"), &staff, &plain), "a whole group more");
        assert!(!says(&|it| toggle(it, "staff", "cn=inner,ou=groups,dc=x"), &staff, &plain), "a whole group less");
        assert!(!says(&|it| toggle(it, "staff", "cn=nobody,dc=x"), &staff, &plain), "a name that leads to nobody");
        let filter = super::super::filter::Filter::parse("(uid=*)").ok();
        assert!(!says(&|_| {}, &ada, &Ldap { user_filter: filter, ..plain.clone() }), "the filter may not let them in");
        let unread = again(&mut directory(true), &plain, &Lists::default(), &ada);
        assert!(unread.is_none(), "nothing is known");
        assert!(says(&|it| toggle(it, "staff", "cn=ada,ou=people,dc=x"), &told(&[], &[99]), &plain), "another group");
    }
}
