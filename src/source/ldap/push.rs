//! Being told of changes: what a server's message means, when a source is to be looked at for it, and when a connection
//! that was lost is tried again.
//!
//! A message is no news by itself: whoever is woken asks the directory, about everything or about those of whom it told
//! ([`Wanted`]). So nothing has to be remembered from one connection to the next. Each begins with a wake-up once the server has begun to tell, and what happened in between is seen by that.
//!
//! OpenLDAP and others tell of every change of an entry that a search would find (RFC 4533). Active Directory tells of
//! changes (1.2.840.113556.1.4.528) and not of what was deleted; but it counts all of them, so that one of which it did not
//! tell is missing in the count.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::config::Ldap;

use super::directory::{Ended, RawEntry, name_of};
use super::dn::Dn;
use super::filter::{self, Filter};
use super::person::{self, ENTRY_UUID, GROUP_CLASSES, Kind, OBJECT_GUID};
use super::server::Server;

/// The control of a search that goes on and tells of changes (RFC 4533).
pub const SYNC: &str = "1.3.6.1.4.1.4203.1.9.1.1";
/// The control of Active Directory's.
pub const NOTIFY: &str = "1.2.840.113556.1.4.528";
/// Each change on a controller has the number after the one before.
pub const CHANGED: &str = "uSNChanged";

/// Changes that come one after the other are one, when they come within this …
const QUIET: Duration = Duration::from_millis(20);
/// … but no longer than this after the first of them.
const QUIET_MAX: Duration = Duration::from_millis(200);
/// For so much of the time a directory is read that never stands still …
const SHARE: f64 = 0.2;
/// … beyond so many seconds of reading without a rest.
const SPARE_MAX: f64 = 30.0;
/// What only may be news wakes at once, then after this, then after twice as long, and so on.
const DOUBT_FIRST: Duration = Duration::from_mins(1);
const DOUBT_MAX: Duration = Duration::from_hours(1);
/// A connection that was lost is tried again after about this, then after twice as long, and so on.
const AGAIN_FIRST: Duration = Duration::from_millis(500);
const AGAIN_MAX: Duration = Duration::from_mins(5);
/// So many entries are remembered; more than these are met for the first time again.
const SEEN_MAX: usize = 100_000;

/// How a server tells of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// RFC 4533.
    Sync,
    /// As Active Directory.
    Notify,
}

impl Manner {
    /// By what the root DSE says; `None`: the server tells nobody.
    pub fn of(root: &RawEntry, server: &Server) -> Option<Manner> {
        let offers = |control: &str| root.texts("supportedControl").any(|known| known == control);
        let (control, manner) =
            if server.is_active_directory { (NOTIFY, Manner::Notify) } else { (SYNC, Manner::Sync) };
        offers(control).then_some(manner)
    }

    /// How often the server is asked whether it is still there, and what it has counted.
    pub fn beat(self) -> Duration {
        match self {
            Manner::Sync => Duration::from_secs(30),
            Manner::Notify => Duration::from_secs(1),
        }
    }
}

/// A search that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    pub base: Dn,
    pub filter: String,
    pub attributes: Vec<String>,
}

impl Watch {
    /// The searches that tell of every change of people and groups, wherever they stand, as far as this server has them.
    /// A group is watched without its members, which may be a hundred thousand.
    pub fn all(manner: Manner, server: &Server, base: &Dn, config: &Ldap) -> Vec<Watch> {
        let attributes = attributes(manner, config);
        if manner == Manner::Notify {
            // Nothing else is allowed than all that is below the root of a domain.
            let base = server.domain.as_ref().unwrap_or(base).clone();
            return vec![Watch { base, filter: "(objectClass=*)".to_owned(), attributes }];
        }
        let filter = match &config.user_filter {
            Some(people) => {
                let groups = GROUP_CLASSES.map(|class| format!("(objectClass={class})"));
                filter::any([people.text()].into_iter().chain(groups.iter().map(String::as_str)))
            }
            None => "(objectClass=*)".to_owned(),
        };
        let mut bases: Vec<Dn> = Vec::new();
        for place in [base].into_iter().chain(config.groups.iter().map(|group| &group.dn)) {
            let context = server.context_of(place).unwrap_or(base);
            if !bases.contains(context) {
                bases.push(context.clone());
            }
        }
        bases.into_iter().map(|base| Watch { base, filter: filter.clone(), attributes: attributes.clone() }).collect()
    }
}

/// What tells whether a change concerns anybody: all by which people are read and found, and no member of a group.
fn attributes(manner: Manner, config: &Ldap) -> Vec<String> {
    let (own, of_kind): (&[&str], _) = match manner {
        Manner::Sync => (&[ENTRY_UUID, "uid"], person::attributes(false)),
        Manner::Notify => (&[OBJECT_GUID, "primaryGroupID", CHANGED], person::attributes(true)),
    };
    let configured = config.email_attributes.iter().map(String::as_str);
    let named = config.user_filter.iter().flat_map(Filter::attributes);
    let mut all: Vec<String> = Vec::new();
    for name in own.iter().chain(of_kind).copied().chain(configured).chain(named) {
        let has_members =
            ["member", "uniqueMember", "memberUid", "memberOf"].iter().any(|it| it.eq_ignore_ascii_case(name));
        if !has_members && !all.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            all.push(name.to_owned());
        }
    }
    all
}

/// From where on a server that knows RFC 4533 is to tell, by what its state is (`contextCSN`), in OpenLDAP's own words. It
/// takes any other for none, and begins with all that there is. `None` where it does not show its state.
pub fn cookie(states: &[&str]) -> Option<Vec<u8>> {
    let mut states = states.to_vec();
    states.sort_unstable();
    (!states.is_empty()).then(|| format!("rid=000,csn={}", states.join(";")).into_bytes())
}

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// An entry as it is now; or one that is not there any more, or not among those that are asked for.
    Entry { entry: RawEntry, is_gone: bool },
    /// Several entries at once.
    Several,
    /// One of the searches has told what had changed before it began, and tells from now on what changes.
    Caught,
    /// What says nothing.
    Nothing,
}

/// What it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// Only the entry of this stable id, a person, has changed.
    Person(Box<str>),
    /// The group of this stable id has changed.
    Group(Box<str>),
    News,
    /// Something has changed, and it can't be told what.
    Doubt,
}

/// What there is to look at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Wanted {
    #[default]
    Nothing,
    These(Told),
    Everything,
}

/// People and groups by their stable ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    pub people: BTreeSet<Box<str>>,
    pub groups: BTreeSet<Box<str>>,
}

impl Wanted {
    /// This, too.
    pub fn add(&mut self, other: Wanted) {
        match (&mut *self, other) {
            (_, Wanted::Nothing) => {}
            (Wanted::These(known), Wanted::These(more)) => {
                known.people.extend(more.people);
                known.groups.extend(more.groups);
            }
            (Wanted::Nothing, other) => *self = other,
            _ => *self = Wanted::Everything,
        }
    }
}

/// What has been heard on one connection.
#[derive(Debug)]
pub struct Ear {
    manner: Manner,
    /// So many searches have not caught up.
    behind: usize,
    /// Digests of entries as they were told last.
    seen: HashMap<Box<str>, [u8; 8]>,
    count: Count,
}

impl Ear {
    pub fn new(manner: Manner, searches: usize) -> Ear {
        Ear { manner, behind: searches, seen: HashMap::new(), count: Count::default() }
    }

    /// Whether the server tells of all that changes.
    pub fn has_begun(&self) -> bool {
        self.behind == 0
    }

    /// What a message means.
    pub fn hear(&mut self, heard: &Heard) -> Option<Meaning> {
        let had_begun = self.has_begun();
        let meaning = match heard {
            Heard::Nothing => None,
            Heard::Several => Some(Meaning::News),
            Heard::Caught => {
                self.behind = self.behind.saturating_sub(1);
                // What happened before anybody listened.
                return (!had_begun && self.has_begun()).then_some(Meaning::News);
            }
            Heard::Entry { entry, is_gone } => self.meaning(entry, *is_gone),
        };
        meaning.filter(|_| had_begun)
    }

    /// What the controller's count of changes means.
    pub fn count(&mut self, changes: i64) -> Option<Meaning> {
        let missing = self.count.is_missing_some(changes);
        if self.manner == Manner::Notify && !self.has_begun() {
            // It has answered what came after the search.
            return self.hear(&Heard::Caught);
        }
        missing.then_some(Meaning::Doubt)
    }

    fn meaning(&mut self, entry: &RawEntry, is_gone: bool) -> Option<Meaning> {
        self.count.told.extend(entry.number(CHANGED));
        let Some(id) = entry.stable_id().filter(|_| !is_gone) else { return Some(Meaning::News) };
        match Kind::of(entry) {
            Kind::Group => return Some(Meaning::Group(id)),
            // Nobody who has a licence.
            Kind::Computer | Kind::Contact | Kind::Foreign => return None,
            Kind::Person => {}
        }
        if self.seen.len() >= SEEN_MAX && !self.seen.contains_key(&id) {
            self.seen.clear();
        }
        let digest = digest(entry);
        (self.seen.insert(id.clone(), digest) != Some(digest)).then_some(Meaning::Person(id))
    }
}

/// The same for the same content, in whatever order; the count of changes aside.
fn digest(entry: &RawEntry) -> [u8; 8] {
    let mut attributes: Vec<(String, Vec<&[u8]>)> = Vec::new();
    for (name, values) in &entry.attributes {
        let mut values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        values.sort_unstable();
        attributes.push((name.to_ascii_lowercase(), values));
    }
    attributes.retain(|(name, _)| *name != CHANGED.to_ascii_lowercase());
    attributes.sort_unstable();
    let whole = blake3::hash(format!("{} {attributes:?}", entry.dn).as_bytes());
    let mut digest = [0; 8];
    digest.copy_from_slice(&whole.as_bytes()[..8]);
    digest
}

/// A controller's count of changes, held against those that were told.
#[derive(Debug, Default)]
struct Count {
    /// What is up to this number has been looked at.
    looked: Option<i64>,
    /// What the controller had counted when it was asked before: what it has not told of by now, it never will.
    before: Option<i64>,
    told: BTreeSet<i64>,
}

impl Count {
    fn is_missing_some(&mut self, changes: i64) -> bool {
        let (Some(looked), Some(before)) = (self.looked, self.before) else {
            (self.looked, self.before) = (Some(changes), Some(changes));
            return false;
        };
        if changes < before {
            // It was restored from a copy.
            *self = Count { looked: Some(changes), before: Some(changes), told: BTreeSet::new() };
            return true;
        }
        let later = self.told.split_off(&(before + 1));
        let told = std::mem::replace(&mut self.told, later).split_off(&(looked + 1)).len();
        (self.looked, self.before) = (Some(before), Some(changes));
        i64::try_from(told).is_ok_and(|told| told < before - looked)
    }
}

/// When to look for what was heard, and at what. Moments are counted by a clock that nobody sets.
#[derive(Debug)]
pub struct Pace {
    /// The first and the newest of the news that no look has been made for, and what they are of.
    news: Option<(Duration, Duration)>,
    wanted: Wanted,
    doubt: Option<Duration>,
    /// So many seconds may be spent reading beside them at the moment; below zero there is a rest.
    spare: (f64, Duration),
    /// How often in a row it was doubt alone that woke, and when last.
    doubted: Option<(u32, Duration)>,
}

impl Default for Pace {
    fn default() -> Pace {
        let spare = (SPARE_MAX, Duration::ZERO);
        Pace { news: None, wanted: Wanted::Nothing, doubt: None, spare, doubted: None }
    }
}

impl Pace {
    pub fn note(&mut self, meaning: Meaning, now: Duration) {
        let wanted = match meaning {
            Meaning::Person(id) => Wanted::These(Told { people: [id].into(), ..Told::default() }),
            Meaning::Group(id) => Wanted::These(Told { groups: [id].into(), ..Told::default() }),
            Meaning::News => Wanted::Everything,
            Meaning::Doubt => {
                self.doubt.get_or_insert(now);
                return;
            }
        };
        self.wanted.add(wanted);
        self.news = Some((self.news.map_or(now, |(first, _)| first), now));
    }

    /// So much time was spent reading.
    pub fn spent(&mut self, spent: Duration, now: Duration) {
        let (spare, at) = self.spare;
        let spare = (spare + now.saturating_sub(at).as_secs_f64() * SHARE).min(SPARE_MAX);
        self.spare = (spare - spent.as_secs_f64(), now);
    }

    /// When to look. A few people are looked at at once; for more it is worth while to wait for what comes with it.
    pub fn due(&self) -> Option<Duration> {
        let news = self.news.map(|(first, newest)| match &self.wanted {
            Wanted::These(told) if told.groups.is_empty() => first,
            Wanted::These(_) | Wanted::Everything | Wanted::Nothing => (newest + QUIET).min(first + QUIET_MAX),
        });
        let due = news.into_iter().chain(self.doubt_due()).min()?;
        let (spare, at) = self.spare;
        Some(due.max(at + Duration::from_secs_f64((-spare).max(0.0) / SHARE)))
    }

    fn doubt_due(&self) -> Option<Duration> {
        let at = self.doubt?;
        Some(self.doubted.map_or(at, |(times, last)| at.max(last + pause(times))))
    }

    /// Whether a look is due, or will be when what comes with it has come.
    pub fn is_due_soon(&self, now: Duration) -> bool {
        self.due().is_some_and(|due| due <= now + QUIET_MAX)
    }

    /// Whether it is doubt alone that is due: then the one who tells is asked anew, for a search may have ended though
    /// nobody said so. It is looked at as at each beginning.
    pub fn begins_again(&mut self, now: Duration) -> bool {
        let in_doubt = self.wanted != Wanted::Everything && self.doubt_due().is_some_and(|due| due <= now);
        if in_doubt {
            let _ = self.wake(now);
            self.note(Meaning::News, now);
        }
        in_doubt
    }

    /// A look begins, at this.
    pub fn wake(&mut self, now: Duration) -> Wanted {
        let doubts = self.doubt_due().is_some_and(|due| due <= now);
        self.news = None;
        let wanted = std::mem::take(&mut self.wanted);
        if wanted == Wanted::Everything {
            self.doubt = None;
        } else if doubts {
            let was_quiet = |(times, last): (u32, Duration)| now.saturating_sub(last) > pause(times) * 3;
            let before = self.doubted.filter(|doubted| !was_quiet(*doubted)).map_or(0, |(times, _)| times);
            (self.doubt, self.doubted) = (None, Some((before.saturating_add(1), now)));
            return Wanted::Everything;
        }
        wanted
    }
}

/// How long doubt alone does not wake when it has woken so many times in a row.
fn pause(times: u32) -> Duration {
    DOUBT_FIRST.saturating_mul(2_u32.saturating_pow(times.saturating_sub(1))).min(DOUBT_MAX)
}

/// How long to wait before a connection is tried again that has failed so many times in a row, at least once; `chance` is
/// between 0 and 1, so that many who lost the same server don't come back at once.
pub fn again(failures: u32, chance: f64) -> Duration {
    let wait = AGAIN_FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(AGAIN_MAX);
    wait.mul_f64(0.5 + chance.clamp(0.0, 1.0))
}

/// Whether a search that ended with this result may go on when it begins with all that there is.
pub fn is_refused_cookie(ended: &Ended) -> bool {
    // e-syncRefreshRequired (RFC 4533), and "consumer state is newer than provider".
    matches!(ended.code, 4096 | 53)
}

/// Why a search ended that should have gone on, as a fragment that fits after the server's name.
pub fn why(ended: &Ended) -> String {
    let words = match ended.text.trim_matches(['\0', ' ', '\n', '\r']) {
        "" => String::new(),
        text => format!(" (in its own words: {text})"),
    };
    let advice = match ended.code {
        0 => return "has ended the search that tells of changes".to_owned(),
        3 | 4 | 11 => {
            ". Give this account an unlimited size and time (OpenLDAP: `limits … size=unlimited time=unlimited`)"
        }
        12 | 53 => ". Does it offer it for this part of the directory?",
        50 => ". This account may not: give it the right to",
        _ => "",
    };
    format!("does not tell of changes: it answered {} ({}){words}{advice}", ended.code, name_of(ended.code))
}

#[cfg(test)]
mod tests {
    use super::super::person::raw;
    use super::*;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn entry(id: u8, attributes: &[(&str, &str)]) -> Heard {
        let uuid = uuid::Uuid::from_bytes([id; 16]).to_string();
        let entry = raw(&format!("cn={id},dc=x"), &[attributes, &[(ENTRY_UUID, uuid.as_str())]].concat());
        Heard::Entry { entry, is_gone: false }
    }

    fn person(id: u8, mail: &str, changed: i64) -> Heard {
        entry(id, &[("objectClass", "person"), ("mail", mail), (CHANGED, &changed.to_string())])
    }

    fn begun(manner: Manner) -> Ear {
        let mut ear = Ear::new(manner, 1);
        match manner {
            Manner::Sync => assert_eq!(ear.hear(&Heard::Caught), Some(Meaning::News)),
            Manner::Notify => assert_eq!(ear.count(100), Some(Meaning::News)),
        }
        ear
    }

    #[test]
    fn a_connection_begins_with_a_look_when_all_of_its_searches_have_caught_up() {
        let mut ear = Ear::new(Manner::Sync, 2);
        let heard = [person(1, "a", 1), Heard::Several, Heard::Nothing, Heard::Caught];
        assert!(heard.iter().all(|heard| ear.hear(heard).is_none()), "what is told before is seen then");
        assert!(!ear.has_begun());
        assert_eq!(ear.hear(&Heard::Caught), Some(Meaning::News));
        assert!(ear.has_begun());
        assert_eq!(ear.hear(&Heard::Caught), None);
    }

    #[test]
    fn what_changes_for_a_person_is_news_and_a_sign_in_is_none() {
        let mut ear = begun(Manner::Notify);
        let changed = Some(Meaning::Person(uuid::Uuid::from_bytes([1; 16]).to_string().into()));
        assert_eq!(ear.hear(&person(1, "a@x", 101)), changed, "nobody knows how it was before");
        assert_eq!(ear.hear(&person(1, "a@x", 102)), None, "it was something that nobody asked for");
        assert_eq!(ear.hear(&person(1, "b@x", 103)), changed);
        assert_eq!(ear.hear(&person(1, "a@x", 104)), changed, "and back");
        for class in ["computer", "contact"] {
            assert_eq!(ear.hear(&entry(2, &[("objectClass", class)])), None);
        }
        let group = Some(Meaning::Group(uuid::Uuid::from_bytes([3; 16]).to_string().into()));
        for _ in 0..2 {
            assert_eq!(ear.hear(&entry(3, &[("objectClass", "group")])), group, "of its members nothing is told");
        }
    }

    #[test]
    fn who_is_gone_or_not_known_or_one_of_several_is_news() {
        let mut ear = begun(Manner::Sync);
        ear.hear(&person(1, "a@x", 1));
        let Heard::Entry { entry, .. } = person(1, "a@x", 1) else { unreachable!() };
        assert_eq!(ear.hear(&Heard::Entry { entry, is_gone: true }), Some(Meaning::News));
        let nobody = Heard::Entry { entry: raw("cn=x", &[("objectClass", "person")]), is_gone: false };
        assert_eq!((ear.hear(&nobody), ear.hear(&nobody)), (Some(Meaning::News), Some(Meaning::News)));
        assert_eq!((ear.hear(&Heard::Several), ear.hear(&Heard::Nothing)), (Some(Meaning::News), None));
    }

    #[test]
    fn a_change_that_is_counted_and_never_told_is_looked_for() {
        let mut ear = begun(Manner::Notify);
        assert_eq!(ear.count(100), None);
        ear.hear(&person(1, "a@x", 101));
        assert_eq!(ear.count(101), None);
        // One was told, one was not: for the length of a beat it may still come.
        ear.hear(&person(1, "b@x", 103));
        assert_eq!(ear.count(103), None);
        assert_eq!(ear.count(103), Some(Meaning::Doubt));
        assert_eq!(ear.count(103), None, "once");
        assert_eq!(ear.count(104), None);
        ear.hear(&person(1, "c@x", 104));
        assert_eq!(ear.count(104), None, "it was late");
        assert_eq!(ear.count(7), Some(Meaning::Doubt), "restored from a copy");
        assert_eq!(ear.count(7), None);
    }

    #[test]
    fn a_burst_is_one_look() {
        let (mut pace, ms) = (Pace::default(), Duration::from_millis);
        assert_eq!(pace.due(), None);
        for at in 0..10 {
            pace.note(Meaning::News, secs(1) + ms(at));
        }
        assert_eq!(pace.due(), Some(secs(1) + ms(9) + QUIET));
        for at in 0..1000 {
            pace.note(Meaning::News, secs(1) + ms(at));
        }
        assert_eq!(pace.due(), Some(secs(1) + QUIET_MAX), "it does not wait for ever");
        assert_eq!(pace.wake(secs(2)), Wanted::Everything);
        assert_eq!(pace.due(), None);
    }

    #[test]
    fn a_directory_that_never_stands_still_is_read_for_a_fifth_of_the_time() {
        let (mut pace, mut now, mut looks) = (Pace::default(), Duration::ZERO, 0_u32);
        let takes = secs(3);
        while now < secs(3600) {
            pace.note(Meaning::News, now);
            now = now.max(pace.due().unwrap());
            pace.wake(now);
            now += takes;
            pace.spent(takes, now);
            looks += 1;
        }
        let share = f64::from(looks) * takes.as_secs_f64() / 3600.0;
        assert!((0.19..0.22).contains(&share), "{share}");
        // After an hour of quiet the next change is looked at at once.
        pace.note(Meaning::News, now + secs(3600));
        assert_eq!(pace.due(), Some(now + secs(3600) + QUIET));
    }

    #[test]
    fn a_few_people_are_looked_at_at_once_and_alone_unless_there_is_more() {
        let mut pace = Pace::default();
        let told = |people: &[&str], groups: &[&str]| {
            let ids = |all: &[&str]| all.iter().map(|id| (*id).into()).collect();
            Wanted::These(Told { people: ids(people), groups: ids(groups) })
        };
        let people = |ids: &[&str]| told(ids, &[]);
        pace.note(Meaning::Person("ada".into()), secs(1));
        pace.note(Meaning::Person("ben".into()), secs(1));
        assert_eq!(pace.due(), Some(secs(1)));
        assert_eq!(pace.wake(secs(1)), people(&["ada", "ben"]));
        pace.note(Meaning::Person("ada".into()), secs(1));
        pace.note(Meaning::Group("staff".into()), secs(1));
        assert_eq!(pace.due(), Some(secs(1) + QUIET), "more of a group comes with it");
        assert_eq!(pace.wake(secs(2)), told(&["ada"], &["staff"]));
        pace.note(Meaning::Person("ada".into()), secs(2));
        pace.note(Meaning::News, secs(2));
        assert_eq!(pace.wake(secs(3)), Wanted::Everything);
        pace.note(Meaning::Doubt, secs(4));
        assert_eq!(pace.wake(secs(4)), Wanted::Everything);
        pace.note(Meaning::Doubt, secs(5));
        pace.note(Meaning::Person("ada".into()), secs(5));
        assert_eq!(pace.wake(secs(5)), people(&["ada"]), "what is doubtful has to wait");
        assert_eq!(pace.due(), Some(secs(4) + DOUBT_FIRST));
    }

    #[test]
    fn doubt_wakes_ever_more_seldom_and_never_delays_news() {
        let (mut pace, mut now, mut waits) = (Pace::default(), secs(10), Vec::new());
        for _ in 0..9 {
            pace.note(Meaning::Doubt, now);
            let due = pace.due().unwrap();
            waits.push(due.saturating_sub(now).as_secs());
            assert_eq!(pace.wake(due), Wanted::Everything);
            now = due;
        }
        assert_eq!(waits, [0, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        pace.note(Meaning::Doubt, now);
        pace.note(Meaning::News, now);
        assert_eq!(pace.due(), Some(now + QUIET));
        pace.wake(now);
        // A long time without any.
        now += DOUBT_MAX * 4;
        pace.note(Meaning::Doubt, now);
        assert_eq!(pace.due(), Some(now));
        pace.wake(now);
        pace.note(Meaning::Doubt, now);
        assert_eq!(pace.due(), Some(now + DOUBT_FIRST));
    }

    #[test]
    fn doubt_alone_has_listening_begin_again_and_is_looked_at_then() {
        let mut pace = Pace::default();
        pace.note(Meaning::Person("ada".into()), secs(1));
        assert!(!pace.begins_again(secs(1)), "there is no doubt");
        pace.note(Meaning::Doubt, secs(1));
        assert!(pace.begins_again(secs(1)));
        assert_eq!(pace.due(), Some(secs(1) + QUIET), "also where the next connection never comes");
        assert_eq!(pace.wake(secs(2)), Wanted::Everything);
        pace.note(Meaning::Doubt, secs(3));
        assert!(!pace.begins_again(secs(3)), "it was just asked anew");
        assert!(pace.begins_again(secs(1) + DOUBT_FIRST));
        pace.wake(secs(62));
        pace.note(Meaning::Doubt, secs(900));
        pace.note(Meaning::News, secs(900));
        assert!(!pace.begins_again(secs(900)), "whoever tells news tells");
    }

    #[test]
    fn a_lost_connection_is_tried_again_soon_and_then_ever_later() {
        let waits: Vec<_> = (1..=12).map(|failures| again(failures, 0.5).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000]);
        assert!(again(1, 0.0) < again(1, 1.0) && again(u32::MAX, 1.0) <= AGAIN_MAX * 2);
    }

    #[test]
    fn a_state_becomes_a_cookie() {
        let told = |states: &[&str]| cookie(states).map(|cookie| String::from_utf8(cookie).unwrap());
        assert_eq!(told(&[]), None);
        assert_eq!(told(&["2#000002#b", "1#000001#a"]).as_deref(), Some("rid=000,csn=1#000001#a;2#000002#b"));
    }

    #[test]
    fn a_refused_cookie_is_no_reason_to_give_up() {
        let ended = |code, text: &str| Ended { code, text: text.to_owned(), ..Ended::default() };
        let newer = ended(53, "consumer state is newer than provider!");
        assert!(is_refused_cookie(&newer) && is_refused_cookie(&ended(4096, "")) && !is_refused_cookie(&ended(4, "")));
        insta::assert_snapshot!(why(&newer), @"does not tell of changes: it answered 53 (unwilling to perform) (in its own words: consumer state is newer than provider!). Does it offer it for this part of the directory?");
        insta::assert_snapshot!(why(&ended(4, "")), @"does not tell of changes: it answered 4 (size limit exceeded). Give this account an unlimited size and time (OpenLDAP: `limits … size=unlimited time=unlimited`)");
        insta::assert_snapshot!(why(&ended(0, "")), @"has ended the search that tells of changes");
    }
}
