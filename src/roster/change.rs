//! How a new reading differs from the stored roster, as edits.
//!
//! [`Merge`] walks the stored rows and those of a snapshot side by side and keeps what differs. [`changes`] turns that
//! into edits; [`apply_edits`] does so for a delta file. Where it can't be told what became of a person, both leave
//! what is stored: an entry that can't be used never takes away what its person has.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, EntryKey, Reason};
use crate::address::Address;
use crate::source::{BadRow, Edit, Row};

/// One edit of a stored roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Added(Entry),
    /// The same address and route with other words: the new ones.
    Changed(Entry),
    Removed {
        /// As it is stored; where a row of a delta took it away, its origin is that row.
        entry: Entry,
        reason: Reason,
        /// The address that its stable id has now, where it has one. The reason then is [`Reason::Renamed`], or
        /// [`Reason::Scope`] where the configuration brought it about.
        renamed_to: Option<Address>,
    },
}

/// The difference between the stored rows and a snapshot's, in order of key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    pub added: Vec<Row>,
    pub changed: Vec<Row>,
    pub removed: Vec<EntryKey>,
}

/// A merge of stored rows, told one by one, with a snapshot's. What is equal costs nothing but the comparison.
#[derive(Debug)]
pub struct Merge<'a> {
    /// Those of the snapshot that have not been met yet.
    ahead: &'a [Row],
    difference: Difference,
}

impl<'a> Merge<'a> {
    /// `snapshot` is sorted by key, without doubles.
    pub fn new(snapshot: &'a [Row]) -> Merge<'a> {
        Merge { ahead: snapshot, difference: Difference::default() }
    }

    /// The next stored row, in order of key.
    pub fn stored(&mut self, key: EntryKey, content: u64) {
        let met = self.ahead.iter().take_while(|row| row.key < key).count();
        let (added, ahead) = self.ahead.split_at(met);
        self.difference.added.extend_from_slice(added);
        self.ahead = ahead;
        match ahead.split_first() {
            Some((row, rest)) if row.key == key => {
                if row.content != content {
                    self.difference.changed.push(*row);
                }
                self.ahead = rest;
            }
            _ => self.difference.removed.push(key),
        }
    }

    /// After the last stored row.
    pub fn finish(mut self) -> Difference {
        self.difference.added.extend_from_slice(self.ahead);
        self.difference
    }
}

/// The edits that a snapshot makes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SnapshotEdits {
    pub changes: Vec<Change>,
    /// Stored entries that the snapshot lacks and that stay, because a row that can't be used may be theirs. They are
    /// part of the roster, and of its fingerprint, after the changes.
    pub kept: Vec<Entry>,
}

/// The edits that a snapshot makes, from the entries behind a [`Difference`] (the removed as they are stored).
///
/// A removed and an added entry of one stable id and route are a rename, if there is one of each; so are those of one
/// stable id of which one is for all subscriptions, if the id has one old and one new address. Where an id names
/// several, nobody can tell who became whom, and the removal is an ordinary one, which the guards count. An added entry
/// whose id a stored and unchanged entry has, too, is added and takes nothing from the other. `missing` gives the
/// reason of an ordinary removal; it is [`Reason::Scope`] where what is looked at was configured anew.
pub fn changes(
    added: Vec<Entry>,
    changed: Vec<Entry>,
    removed: Vec<Entry>,
    bad_rows: &[BadRow],
    missing: impl Fn(&Entry) -> Reason,
) -> SnapshotEdits {
    let doubtful = Doubtful::new(bad_rows, &removed);
    let (kept, removed): (Vec<_>, Vec<_>) = removed.into_iter().partition(|entry| doubtful.may_be(entry));
    let arrivals = Arrivals::new(&added, &removed);
    let mut edits = SnapshotEdits { changes: Vec::with_capacity(removed.len() + added.len() + changed.len()), kept };
    for entry in &removed {
        let renamed_to = arrivals.of(entry).cloned();
        let reason = match missing(entry) {
            Reason::Scope => Reason::Scope,
            _ if renamed_to.is_some() => Reason::Renamed,
            reason => reason,
        };
        edits.changes.push(Change::Removed { entry: entry.clone(), reason, renamed_to });
    }
    edits.changes.extend(changed.into_iter().map(Change::Changed));
    edits.changes.extend(added.into_iter().map(Change::Added));
    edits
}

/// Who of those that are added was there before under another address.
struct Arrivals<'a> {
    added: Names<'a>,
    removed: Names<'a>,
}

/// Entries by what names a person in a source; `None` where that names several.
struct Names<'a> {
    by_route: BTreeMap<(&'a str, Option<&'a str>), Option<&'a Entry>>,
    /// Of one address, whatever its routes.
    by_id: BTreeMap<&'a str, Option<&'a Entry>>,
}

impl<'a> Arrivals<'a> {
    fn new(added: &'a [Entry], removed: &'a [Entry]) -> Arrivals<'a> {
        Arrivals { added: Names::new(added), removed: Names::new(removed) }
    }

    /// The new address of the person of a removed entry.
    fn of(&self, entry: &Entry) -> Option<&'a Address> {
        let id = entry.stable_id.as_deref()?;
        let person = (id, entry.route.as_deref());
        let arrival = if let Some(same_route) = self.added.by_route.get(&person) {
            same_route.filter(|_| self.removed.by_route.get(&person).is_some_and(Option::is_some))
        } else {
            let other_route = self.added.by_id.get(id).copied().flatten();
            // Routed to one subscription before and to another now, the person left the first.
            let overlaps = |new: &&Entry| new.route.is_none() || entry.route.is_none();
            other_route.filter(|_| self.removed.by_id.get(id).is_some_and(Option::is_some)).filter(overlaps)
        };
        arrival.map(|entry| &entry.address)
    }
}

impl<'a> Names<'a> {
    fn new(entries: &'a [Entry]) -> Names<'a> {
        let mut names = Names { by_route: BTreeMap::new(), by_id: BTreeMap::new() };
        for entry in entries {
            let Some(id) = entry.stable_id.as_deref() else { continue };
            let person = (id, entry.route.as_deref());
            names.by_route.entry(person).and_modify(|seen| *seen = None).or_insert(Some(entry));
            let several = |seen: &mut Option<&Entry>| {
                seen.take_if(|seen| seen.address != entry.address);
            };
            names.by_id.entry(id).and_modify(several).or_insert(Some(entry));
        }
        names
    }
}

/// Whom the rows that can't be used may name.
struct Doubtful<'a> {
    ids: BTreeSet<&'a str>,
    addresses: BTreeSet<&'a str>,
    /// A row has an id that none of the missing has, and no address: it may be any of those that are stored without an
    /// id, as when the column is new.
    any_without_id: bool,
}

impl<'a> Doubtful<'a> {
    fn new(bad_rows: &'a [BadRow], missing: &[Entry]) -> Doubtful<'a> {
        let missing: BTreeSet<&str> = missing.iter().filter_map(|entry| entry.stable_id.as_deref()).collect();
        let stray =
            |row: &BadRow| row.address.is_none() && row.stable_id.as_deref().is_some_and(|id| !missing.contains(id));
        Doubtful {
            ids: bad_rows.iter().filter_map(|row| row.stable_id.as_deref()).collect(),
            addresses: bad_rows.iter().filter_map(|row| Some(row.address.as_ref()?.identity())).collect(),
            any_without_id: bad_rows.iter().any(stray),
        }
    }

    fn may_be(&self, entry: &Entry) -> bool {
        self.addresses.contains(entry.address.identity())
            || entry.stable_id.as_deref().map_or(self.any_without_id, |id| self.ids.contains(id))
    }
}

/// The edits that a delta file makes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeltaEdits {
    pub changes: Vec<Change>,
    /// What was asked for and could not be done, each a sentence.
    pub notes: Vec<String>,
}

/// The edits that a delta file makes. `stored` are the stored entries that have the address and route, or the stable
/// id, of any of the edits.
///
/// A later row wins. An addition with a known id and another address is a rename, unless that address is stored under
/// an id of its own, or the id at several: then nobody is taken away; so are a removal and an addition of one id. A removal goes by its address; where that is
/// unknown, by its id; where the two name different people it does nothing. What does nothing is noted.
pub fn apply_edits(edits: Vec<Edit>, stored: Vec<Entry>) -> DeltaEdits {
    let mut overlay = Overlay::new(&stored);
    for edit in edits {
        match edit {
            Edit::Add(entry) => overlay.add(entry),
            Edit::Remove(entry) => overlay.remove(&entry),
        }
    }
    overlay.into_edits(stored)
}

/// Identity and route.
type Key = (Box<str>, Option<Box<str>>);

fn key(entry: &Entry) -> Key {
    (entry.address.identity().into(), entry.route.clone())
}

/// The part of the roster that a delta file touches, as it is after the rows so far.
struct Overlay {
    entries: BTreeMap<Key, Entry>,
    /// The keys of each stable id and route.
    ids: BTreeMap<Key, BTreeSet<Key>>,
    /// Why the entries that are gone went.
    gone: BTreeMap<Key, Gone>,
    notes: Vec<String>,
}

/// Why an entry is gone, and which row took it away.
struct Gone {
    reason: Reason,
    renamed_to: Option<Address>,
    row: Box<str>,
}

impl Overlay {
    fn new(stored: &[Entry]) -> Overlay {
        let mut overlay =
            Overlay { entries: BTreeMap::new(), ids: BTreeMap::new(), gone: BTreeMap::new(), notes: Vec::new() };
        for entry in stored {
            overlay.put(entry.clone());
        }
        overlay
    }

    fn put(&mut self, entry: Entry) {
        let key = key(&entry);
        self.gone.remove(&key);
        if let Some(id) = id_key(&entry) {
            self.ids.entry(id).or_default().insert(key.clone());
        }
        self.entries.insert(key, entry);
    }

    fn take(&mut self, key: &Key) {
        if let Some(id) = self.entries.remove(key).as_ref().and_then(id_key)
            && let Some(keys) = self.ids.get_mut(&id)
        {
            keys.remove(key);
        }
    }

    fn add(&mut self, mut entry: Entry) {
        let key = key(&entry);
        let before = self.entries.get(&key).and_then(|stored| stored.stable_id.clone());
        // A row that leaves the id out does not take it away.
        entry.stable_id = entry.stable_id.or_else(|| before.clone());
        let news = before != entry.stable_id;
        match self.others(&entry).as_slice() {
            [other] if news && before.is_none() => {
                self.take(other);
                let renamed_to = Some(entry.address.clone());
                let gone = Gone { reason: Reason::Renamed, renamed_to, row: entry.origin.clone() };
                self.gone.insert(other.clone(), gone);
            }
            [_, ..] if news => self.notes.push(format!(
                "{}: the id of {} is stored at another address, too, and it is not plain who became whom; nobody was removed.",
                entry.origin, entry.address
            )),
            _ => {}
        }
        self.take(&key);
        self.put(entry);
    }

    fn remove(&mut self, row: &Entry) {
        let key = key(row);
        let others = self.others(row);
        let found = match self.entries.get(&key) {
            Some(stored) => {
                let same = row.stable_id.is_none() || stored.stable_id.is_none() || stored.stable_id == row.stable_id;
                if same { Ok(key) } else { Err("is stored under another id; nothing was removed") }
            }
            None => match <[Key; 1]>::try_from(others) {
                Ok([only]) => Ok(only),
                Err(others) if others.is_empty() => Err("is not in the roster; there was nothing to remove"),
                Err(_) => Err("is not in the roster, and its id names several; nothing was removed"),
            },
        };
        match found {
            Ok(key) => {
                self.take(&key);
                self.gone.insert(key, Gone { reason: Reason::Removed, renamed_to: None, row: row.origin.clone() });
            }
            Err(why) => self.notes.push(format!("{}: {} {why}.", row.origin, row.address)),
        }
    }

    /// The entries at other addresses that have this one's stable id and route.
    fn others(&self, entry: &Entry) -> Vec<Key> {
        let own = key(entry);
        let keys = id_key(entry).and_then(|id| self.ids.get(&id));
        keys.into_iter().flatten().filter(|key| **key != own).cloned().collect()
    }

    /// What became of an entry that is gone: renames followed to where they end.
    fn fate(&self, key: &Key) -> (Reason, Option<Address>) {
        let mut at = key.clone();
        // A rename that leads back ends after as many steps as there are.
        for _ in 0..=self.gone.len() {
            match self.gone.get(&at) {
                Some(Gone { reason: Reason::Renamed, renamed_to: Some(to), .. }) => {
                    let next = (to.identity().into(), key.1.clone());
                    if self.entries.contains_key(&next) {
                        return (Reason::Renamed, Some(to.clone()));
                    }
                    at = next;
                }
                _ => break,
            }
        }
        (Reason::Removed, None)
    }

    fn into_edits(self, stored: Vec<Entry>) -> DeltaEdits {
        // An entry may be given twice: by its address and by its id.
        let stored: BTreeMap<Key, Entry> = stored.into_iter().map(|entry| (key(&entry), entry)).collect();
        let added = self.entries.iter().filter(|(key, _)| !stored.contains_key(key));
        let added: Vec<Entry> = added.map(|(_, entry)| entry.clone()).collect();
        let gone = stored.iter().filter(|(key, _)| !self.entries.contains_key(key));
        let gone: Vec<Entry> = gone.map(|(_, entry)| entry.clone()).collect();
        // Whom one row removes and another adds under the same id is renamed, too.
        let arrivals = Arrivals::new(&added, &gone);
        let mut changes = Vec::new();
        for (key, before) in &stored {
            match self.entries.get(key) {
                None => {
                    let (reason, renamed_to) = match self.fate(key) {
                        (Reason::Removed, None) if let Some(to) = arrivals.of(before) => {
                            (Reason::Renamed, Some(to.clone()))
                        }
                        fate => fate,
                    };
                    let row = self.gone.get(key).map_or(&before.origin, |gone| &gone.row);
                    let entry = Entry { origin: row.clone(), ..before.clone() };
                    changes.push(Change::Removed { entry, reason, renamed_to });
                }
                Some(after) if !says_the_same(before, after) => changes.push(Change::Changed(after.clone())),
                Some(_) => {}
            }
        }
        changes.extend(added.into_iter().map(Change::Added));
        DeltaEdits { changes, notes: self.notes }
    }
}

fn id_key(entry: &Entry) -> Option<Key> {
    Some((entry.stable_id.clone()?, entry.route.clone()))
}

/// Whether two entries of one address and route say the same, wherever they stand.
fn says_the_same(a: &Entry, b: &Entry) -> bool {
    let words = |entry: &Entry| {
        let Entry { address, stable_id, route, priority, starts, ends, origin: _ } = entry.clone();
        (address.spelling().to_owned(), stable_id, route, priority, starts, ends)
    };
    words(a) == words(b)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::roster::Hasher;

    /// An entry from `address id route`; a dash for none.
    fn entry(text: &str) -> Entry {
        let mut words = text.split(' ').map(|word| (word != "-").then_some(word));
        let mut next = || words.next().flatten();
        Entry {
            address: Address::parse(&format!("{}@contoso.com", next().unwrap())).unwrap(),
            stable_id: next().map(Into::into),
            route: next().map(Into::into),
            priority: 100,
            starts: None,
            ends: None,
            origin: "staff.csv line 7".into(),
        }
    }

    fn entries(texts: &[&str]) -> Vec<Entry> {
        texts.iter().map(|text| entry(text)).collect()
    }

    fn bad(id: Option<&str>, address: Option<&str>) -> BadRow {
        BadRow {
            origin: "staff.csv line 9".to_owned(),
            reason: "the end is no date".to_owned(),
            stable_id: id.map(str::to_owned),
            address: address.map(|address| entry(address).address),
        }
    }

    fn lines(changes: &[Change]) -> String {
        let name = |address: &Address| address.identity().trim_end_matches("@contoso.com").to_owned();
        changes.iter().fold(String::new(), |mut text, change| {
            match change {
                Change::Added(entry) => write!(text, "+{} ", name(&entry.address)),
                Change::Changed(entry) => write!(text, "~{} ", name(&entry.address)),
                Change::Removed { entry, reason, renamed_to: None } => {
                    write!(text, "-{} {reason} ", name(&entry.address))
                }
                Change::Removed { entry, reason, renamed_to: Some(to) } => {
                    write!(text, "-{} {reason} to {} ", name(&entry.address), name(to))
                }
            }
            .unwrap();
            text
        })
    }

    fn snapshot(added: &[&str], removed: &[&str], bad_rows: &[BadRow], missing: Reason) -> (String, usize) {
        let edits = changes(entries(added), vec![], entries(removed), bad_rows, |_| missing);
        (lines(&edits.changes), edits.kept.len())
    }

    #[test]
    fn the_same_id_at_another_address_is_a_rename() {
        let expected = "-jane.old renamed to jane -ben left +jane +zoe ".to_owned();
        assert_eq!(snapshot(&["jane 1", "zoe 3"], &["jane.old 1", "ben 2"], &[], Reason::Left), (expected, 0));
    }

    #[test]
    fn a_rename_that_the_configuration_brought_about_is_its_doing() {
        let expected = "-jane.old scope to jane -ben scope +jane ".to_owned();
        assert_eq!(snapshot(&["jane 1"], &["jane.old 1", "ben 2"], &[], Reason::Scope), (expected, 0));
    }

    #[test]
    fn the_same_id_in_another_subscription_is_somebody_who_left_this_one() {
        let expected = "-jane.old left +jane ".to_owned();
        assert_eq!(snapshot(&["jane 1 fabrikam"], &["jane.old 1 contoso"], &[], Reason::Left), (expected, 0));
    }

    #[test]
    fn the_same_id_for_all_subscriptions_at_another_address_is_a_rename_in_each_that_it_was_for() {
        let of = |added: &[&str], removed: &[&str]| snapshot(added, removed, &[], Reason::Left).0;
        assert_eq!(of(&["jane 1"], &["jane.old 1 contoso"]), "-jane.old renamed to jane +jane ");
        assert_eq!(of(&["jane 1 contoso"], &["jane.old 1"]), "-jane.old renamed to jane +jane ");
        let both = of(&["jane 1"], &["jane.old 1 contoso", "jane.old 1 fabrikam"]);
        assert_eq!(both, "-jane.old renamed to jane -jane.old renamed to jane +jane ");
        assert_eq!(of(&["b 1"], &["a 1 contoso", "c 1 fabrikam"]), "-a left -c left +b ");
    }

    #[test]
    fn an_id_that_names_several_pairs_nobody() {
        assert_eq!(snapshot(&["b 1", "c 1"], &["a 1"], &[], Reason::Left).0, "-a left +b +c ");
        assert_eq!(snapshot(&["c 1"], &["a 1", "b 1"], &[], Reason::Left).0, "-a left -b left +c ");
    }

    #[test]
    fn whoever_a_bad_row_may_name_stays() {
        let jane = ["jane 1"];
        let stays = (String::new(), 1);
        assert_eq!(snapshot(&[], &jane, &[bad(Some("1"), None)], Reason::Left), stays);
        assert_eq!(snapshot(&[], &jane, &[bad(None, Some("jane"))], Reason::Left), stays);
        assert_eq!(snapshot(&[], &["jane"], &[bad(Some("1"), None)], Reason::Left), stays, "the id column is new");
        let leaves = ("-jane left ".to_owned(), 0);
        assert_eq!(snapshot(&[], &jane, &[bad(Some("2"), None)], Reason::Left), leaves);
        assert_eq!(snapshot(&[], &["jane"], &[bad(Some("2"), Some("ben"))], Reason::Left), leaves);
        assert_eq!(snapshot(&[], &jane, &[bad(None, None)], Reason::Left), leaves, "the plan holds these");
        let both = snapshot(&["jane.new 1"], &jane, &[bad(Some("1"), None)], Reason::Left);
        assert_eq!(both, ("+jane.new ".to_owned(), 1), "no rename while it is in doubt");
    }

    /// Edits as `+address id` and `-address id`.
    fn delta(edits: &[&str], stored: &[&str]) -> (String, Vec<String>) {
        let parse = |text: &&str| match text.split_at(1) {
            ("+", rest) => Edit::Add(entry(rest)),
            (_, rest) => Edit::Remove(entry(rest)),
        };
        let DeltaEdits { changes, notes } = apply_edits(edits.iter().map(parse).collect(), entries(stored));
        (lines(&changes), notes)
    }

    fn quiet(edits: &[&str], stored: &[&str]) -> String {
        let (changes, notes) = delta(edits, stored);
        assert_eq!(notes, [""; 0]);
        changes
    }

    #[test]
    fn rows_of_a_delta_add_remove_and_change() {
        assert_eq!(quiet(&["+zoe 3", "-ben", "+jane 1"], &["ben 2", "jane"]), "-ben removed ~jane +zoe ");
        assert_eq!(quiet(&["+jane"], &["jane 1"]), "", "a row without an id does not take it away");
    }

    #[test]
    fn a_later_row_of_a_delta_wins() {
        assert_eq!(quiet(&["+zoe", "-zoe"], &[]), "");
        assert_eq!(quiet(&["-ben", "+ben"], &["ben"]), "");
        assert_eq!(quiet(&["+zoe", "-zoe", "+zoe"], &[]), "+zoe ");
    }

    #[test]
    fn a_known_id_at_another_address_is_a_rename_in_a_delta() {
        assert_eq!(quiet(&["+jane 1"], &["jane.old 1"]), "-jane.old renamed to jane +jane ");
        assert_eq!(quiet(&["+b 1", "+c 1"], &["a 1"]), "-a renamed to c +c ");
        assert_eq!(quiet(&["+b 1", "+a 1"], &["a 1"]), "");
        assert_eq!(quiet(&["+b 1", "-b"], &["a 1"]), "-a removed ");
        assert_eq!(quiet(&["+b 1"], &["a 1", "b"]), "-a renamed to b ~b ");
        assert_eq!(quiet(&["+jane 1 fabrikam"], &["jane.old 1 contoso"]), "+jane ");
        assert_eq!(quiet(&["-a 1", "+b 1"], &["a 1"]), "-a renamed to b +b ");
        assert_eq!(quiet(&["+b 1 contoso", "-a 1"], &["a 1"]), "-a renamed to b +b ");
        assert_eq!(quiet(&["-a 1 contoso", "+b 1 fabrikam"], &["a 1 contoso"]), "-a removed +b ");
    }

    #[test]
    fn an_address_under_an_id_of_its_own_takes_nobody_away() {
        let (changes, notes) = delta(&["+b 1"], &["a 1", "b 2"]);
        assert_eq!(changes, "~b ");
        assert!(notes[0].contains("the id of b@contoso.com is stored at another address, too"), "{notes:?}");
        let (changes, notes) = delta(&["+c 1"], &["a 1", "b 1"]);
        assert_eq!((changes.as_str(), notes.len()), ("+c ", 1));
        assert_eq!(quiet(&["+a 1"], &["a 1", "b 1"]), "");
    }

    #[test]
    fn a_removal_goes_by_address_and_then_by_id() {
        assert_eq!(quiet(&["-jane.new 1"], &["jane 1"]), "-jane removed ");
        assert_eq!(quiet(&["-jane 1"], &["jane"]), "-jane removed ");
        for (edit, stored, note) in [
            ("-zoe", &["jane 1"][..], "is not in the roster; there was nothing to remove"),
            ("-jane 2", &["jane 1"], "is stored under another id; nothing was removed"),
            ("-jane 2", &["jane 1", "ben 2"], "is stored under another id; nothing was removed"),
            ("-zoe 1", &["a 1", "b 1"], "is not in the roster, and its id names several; nothing was removed"),
        ] {
            let (changes, notes) = delta(&[edit], stored);
            assert_eq!(changes, "");
            assert!(notes[0].contains(note), "{notes:?}");
        }
    }

    fn rows(contents: &BTreeMap<u8, u64>) -> Vec<Row> {
        let row = |(key, content): (&u8, &u64)| Row { key: EntryKey([*key; 16]), content: *content, place: 0 };
        contents.iter().map(row).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_difference_is_what_leads_from_one_to_the_other(
            stored in proptest::collection::btree_map(0..20_u8, 0..3_u64, 0..20),
            new in proptest::collection::btree_map(0..20_u8, 0..3_u64, 0..20),
        ) {
            let snapshot = rows(&new);
            let mut merge = Merge::new(&snapshot);
            for row in rows(&stored) {
                merge.stored(row.key, row.content);
            }
            let found = merge.finish();
            let keys = |which: &dyn Fn(u8) -> bool| -> Vec<EntryKey> {
                (0..20).filter(|key| which(*key)).map(|key| EntryKey([key; 16])).collect()
            };
            let of = |rows: &[Row]| -> Vec<EntryKey> { rows.iter().map(|row| row.key).collect() };
            prop_assert_eq!(of(&found.added), keys(&|key| new.contains_key(&key) && !stored.contains_key(&key)));
            prop_assert_eq!(found.removed, keys(&|key| !new.contains_key(&key) && stored.contains_key(&key)));
            let differs = |key| new.get(&key).zip(stored.get(&key)).is_some_and(|(new, old)| new != old);
            prop_assert_eq!(of(&found.changed), keys(&differs));
        }

        /// A delta leaves what the same rows, done one by one on a map by address, leave.
        #[test]
        fn without_ids_a_delta_is_a_map_edited_row_by_row(
            stored in proptest::collection::btree_set("[a-d]", 0..4),
            edits in proptest::collection::vec(("[+-]", "[a-d]"), 0..8),
        ) {
            let before: Vec<&str> = stored.iter().map(String::as_str).collect();
            let mut after = stored.clone();
            for (sign, name) in &edits {
                if sign == "+" { after.insert(name.clone()); } else { after.remove(name); }
            }
            let texts: Vec<String> = edits.iter().map(|(sign, name)| format!("{sign}{name}")).collect();
            let (changes, _) = delta(&texts.iter().map(String::as_str).collect::<Vec<_>>(), &before);
            let removed = stored.difference(&after).map(|name| format!("-{name} removed "));
            let added = after.difference(&stored).map(|name| format!("+{name} "));
            prop_assert_eq!(changes, removed.chain(added).collect::<String>());
        }
    }

    #[test]
    fn what_stands_elsewhere_and_says_the_same_is_no_change() {
        let hasher = Hasher::new([7; 16]);
        let before = entry("jane 1");
        let after = Entry { origin: "new.csv line 1".into(), ..before.clone() };
        assert_eq!(hasher.content(&before), hasher.content(&after));
        assert_eq!(apply_edits(vec![Edit::Add(after)], vec![before]), DeltaEdits::default());
    }
}
