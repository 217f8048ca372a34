//! What is known of the world without asking rosterd, and which rule a step breaks by that.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use rosterd::address::Address;
use rosterd::clock::Timestamp;
use rosterd::dispatch::machine::Request;
use rosterd::licensing::wire::Operation;
use rosterd::sandbox::State;

use crate::host::id;
use crate::rules::{Mistake, Rule};
use crate::script::{CLIENTS, Edit, OFFENDERS, SOURCES, Setting};
use crate::watch::Watch;

/// One person as a source lists them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listing {
    pub(crate) person: usize,
    pub(crate) version: u32,
    pub(crate) shouted: bool,
    pub(crate) priority: i32,
    pub(crate) starts: Option<Timestamp>,
    pub(crate) ends: Option<Timestamp>,
    pub(crate) only: Option<usize>,
}

impl Listing {
    pub(crate) fn email(&self) -> String {
        let email = email(self.person, self.version);
        if self.shouted { email.to_uppercase() } else { email }
    }

    fn is_live(&self, client: usize, at: Timestamp) -> bool {
        self.is_for(client) && self.starts.is_none_or(|starts| starts <= at) && self.ends.is_none_or(|ends| at < ends)
    }

    fn is_for(&self, client: usize) -> bool {
        self.only.is_none_or(|only| only == client)
    }
}

/// The first two people have addresses that the server refuses, and the third has every other one.
pub(crate) fn email(person: usize, version: u32) -> String {
    let is_refused = person < OFFENDERS || person == OFFENDERS && version % 2 == 1;
    let refused = if is_refused { "!" } else { "" };
    format!("p{person}.v{version}{refused}@x.example")
}

pub(crate) fn is_offender(identity: &str) -> bool {
    identity.contains("!@")
}

pub(crate) fn person(email: &str) -> usize {
    email[1..].split('.').next().unwrap_or_default().parse().unwrap()
}

pub(crate) fn same_person(one: &str, other: &str) -> bool {
    person(one) == person(other)
}

/// Whether a stable id tells that it is the same person under another address.
pub(crate) fn has_id(email: &str) -> bool {
    !person(email).is_multiple_of(5)
}

/// What names the person of an address as far as rosterd can know: the stable id, else the address itself.
pub(crate) fn who(email: &str) -> String {
    if has_id(email) { format!("p{}", person(email)) } else { email.to_owned() }
}

/// What is so, apart from what rosterd believes.
#[derive(Debug)]
pub(crate) struct Truth {
    /// With the configuration in force.
    setting: Setting,
    /// What each source lists now.
    pub(crate) listed: [BTreeMap<usize, Listing>; SOURCES],
    /// What each source said when it was last believed, by identity.
    pub(crate) accepted: [BTreeMap<String, Listing>; SOURCES],
    /// The address that each person had last, in any source.
    versions: BTreeMap<usize, u32>,
    /// Whom rosterd may unassign: everybody for whom it ever asked, and who was adopted.
    pub(crate) ours: [BTreeSet<String>; CLIENTS],
    /// Whose seat was given by a request of rosterd's.
    pub(crate) given: [BTreeSet<String>; CLIENTS],
    /// Whose seat was taken away behind rosterd's back.
    pub(crate) taken: [BTreeSet<String>; CLIENTS],
    /// Whose removal a person turned down.
    pub(crate) kept: [BTreeSet<String>; CLIENTS],
    /// Whose removal a person approved, ever.
    pub(crate) approved: [BTreeSet<String>; CLIENTS],
    /// Who had a seat and fell out of what the configuration looks at.
    pub(crate) fallen: [BTreeSet<String>; CLIENTS],
    /// Whose seat a person took back: set aside until `retry`.
    pub(crate) undone: [BTreeSet<String>; CLIENTS],
    /// Who is listed and was given the seat back by a person: kept, until a pass finds them listed.
    pub(crate) spared: [BTreeSet<String>; CLIENTS],
    /// Who has or had a seat, and has been named and desired by this source ever since, under one address or another.
    pub(crate) owed: [BTreeSet<(usize, String)>; CLIENTS],
    /// The ledger may not be the newest.
    pub(crate) restored: bool,
    /// The sources whose newest look failed.
    pub(crate) failing: [bool; SOURCES],
    pub(crate) keys: Vec<String>,
}

/// What a copy of the ledger remembers.
#[derive(Debug)]
pub(crate) struct Memory {
    setting: Setting,
    accepted: [BTreeMap<String, Listing>; SOURCES],
    ours: [BTreeSet<String>; CLIENTS],
    kept: [BTreeSet<String>; CLIENTS],
    spared: [BTreeSet<String>; CLIENTS],
    fallen: [BTreeSet<String>; CLIENTS],
    undone: [BTreeSet<String>; CLIENTS],
    failing: [bool; SOURCES],
}

impl Truth {
    pub(crate) fn new(setting: Setting) -> Truth {
        Truth {
            setting,
            listed: Default::default(),
            accepted: Default::default(),
            versions: BTreeMap::new(),
            ours: Default::default(),
            given: Default::default(),
            taken: Default::default(),
            kept: Default::default(),
            approved: Default::default(),
            fallen: Default::default(),
            undone: Default::default(),
            spared: Default::default(),
            owed: Default::default(),
            restored: false,
            failing: Default::default(),
            keys: Vec::new(),
        }
    }

    /// The configuration changes. `seated`: who has a seat at each client, and nobody knows of their leaving.
    pub(crate) fn configure(&mut self, setting: Setting, seated: &[BTreeSet<String>; CLIENTS], now: Timestamp) {
        let looked_at = self.setting.sources;
        self.setting = setting;
        for (client, seated) in seated.iter().enumerate() {
            for email in seated {
                let lived = listings(&self.accepted, looked_at[client], client, email).any(|l| l.is_live(client, now));
                let named = self.listings(client, email).next().is_some();
                if named {
                    self.fallen[client].remove(email);
                } else if lived {
                    self.fallen[client].insert(email.clone());
                }
            }
        }
    }

    pub(crate) fn memory(&self) -> Memory {
        Memory {
            setting: self.setting.clone(),
            accepted: self.accepted.clone(),
            ours: self.ours.clone(),
            kept: self.kept.clone(),
            spared: self.spared.clone(),
            fallen: self.fallen.clone(),
            undone: self.undone.clone(),
            failing: self.failing,
        }
    }

    /// A copy of the ledger is put into its place, `seated`: who has a seat by
    /// that copy at each client, and nobody knows of their leaving.
    pub(crate) fn restore(&mut self, memory: &Memory, now: Timestamp, seated: &[BTreeSet<String>; CLIENTS]) {
        let setting = std::mem::replace(&mut self.setting, memory.setting.clone());
        self.accepted.clone_from(&memory.accepted);
        // What was forgotten since is known again, and nothing that was asked for since is undone.
        for (ours, known) in self.ours.iter_mut().zip(&memory.ours) {
            ours.extend(known.iter().cloned());
        }
        self.kept.clone_from(&memory.kept);
        self.spared.clone_from(&memory.spared);
        self.fallen.clone_from(&memory.fallen);
        self.undone.clone_from(&memory.undone);
        self.failing = memory.failing;
        self.restored = true;
        self.approved = Default::default();
        self.owed = Default::default();
        self.configure(setting, seated, now);
    }

    pub(crate) fn edit(&mut self, source: usize, person: usize, edit: &Edit, now: Timestamp) {
        let version = *self.versions.entry(person).or_default();
        let list = &mut self.listed[source];
        match edit {
            Edit::Join { priority, starts, ends, only } => {
                let at = |seconds: &i64| now + TimeDelta::seconds(*seconds);
                let (starts, ends) = (starts.as_ref().map(at), ends.as_ref().map(at));
                let listing =
                    Listing { person, version, shouted: false, priority: *priority, starts, ends, only: *only };
                list.insert(person, listing);
            }
            Edit::Leave => drop(list.remove(&person)),
            Edit::Rename => {
                self.versions.insert(person, version + 1);
                for list in &mut self.listed {
                    if let Some(listing) = list.get_mut(&person) {
                        listing.version = version + 1;
                    }
                }
            }
            Edit::Respell => {
                if let Some(listing) = list.get_mut(&person) {
                    listing.shouted = !listing.shouted;
                }
            }
            Edit::Priority(priority) => {
                if let Some(listing) = list.get_mut(&person) {
                    listing.priority = *priority;
                }
            }
        }
    }

    /// What was listed is believed from now on.
    pub(crate) fn accept(&mut self, source: usize) {
        let listed = self.listed[source].values();
        let listed = listed.map(|listing| (listing.email().to_lowercase(), listing.clone())).collect();
        let before = std::mem::replace(&mut self.accepted[source], listed);
        for client in self.setting.clients_of(source) {
            let named = |email: &String| self.listings(client, email).next().is_some();
            let back: Vec<String> = self.fallen[client].iter().filter(|email| named(email)).cloned().collect();
            self.fallen[client].retain(|email| !back.contains(email));
        }
        // Whoever is named as before is not named again.
        for (email, listing) in &self.accepted[source] {
            for client in self
                .setting
                .clients_of(source)
                .filter(|client| before.get(email) != Some(listing) && listing.is_for(*client))
            {
                self.kept[client].remove(email);
            }
        }
    }

    /// The listings of an address, at a client's sources.
    pub(crate) fn listings<'a>(&'a self, client: usize, email: &'a str) -> impl Iterator<Item = &'a Listing> {
        listings(&self.accepted, self.setting.sources[client], client, email)
    }

    pub(crate) fn is_excluded(&self, email: &str) -> bool {
        self.setting.exclude && email.starts_with("p3.")
    }

    pub(crate) fn is_protected(&self, email: &str) -> bool {
        self.setting.protect && email.starts_with("p4.")
    }

    pub(crate) fn is_desired(&self, client: usize, email: &str, at: Timestamp) -> bool {
        !self.is_excluded(email) && self.listings(client, email).any(|listing| listing.is_live(client, at))
    }

    /// Who should have a seat, as far as there are seats.
    pub(crate) fn desired(&self, client: usize, at: Timestamp) -> BTreeSet<String> {
        let emails = self.setting.sources[client].iter().flat_map(|source| self.accepted[*source].keys());
        emails.filter(|email| self.is_desired(client, email, at)).cloned().collect()
    }

    /// Everybody whom the client's rosters name and who has neither ended nor is excluded.
    pub(crate) fn has_a_state(&self, client: usize, at: Timestamp) -> BTreeSet<String> {
        let emails = self.setting.sources[client].iter().flat_map(|source| self.accepted[*source].keys());
        let lasts =
            |email: &&String| self.listings(client, email).any(|listing| listing.ends.is_none_or(|ends| at < ends));
        emails.filter(lasts).filter(|email| !self.is_excluded(email)).cloned().collect()
    }

    /// The people whom a client's sources want to have a seat, and who wants that.
    pub(crate) fn wanted(&self, client: usize, at: Timestamp) -> impl Iterator<Item = (usize, &String)> {
        let by = move |source: &usize| {
            let source = *source;
            let live =
                move |(email, listing): &(&String, &Listing)| listing.is_live(client, at) && !self.is_excluded(email);
            self.accepted[source].iter().filter(live).map(move |(email, _)| (source, email))
        };
        self.setting.sources[client].iter().flat_map(by)
    }

    /// The lowest priority of the live listings.
    pub(crate) fn priority(&self, client: usize, email: &str, at: Timestamp) -> Option<i32> {
        self.listings(client, email).filter(|l| l.is_live(client, at)).map(|l| l.priority).min()
    }

    /// Whether the person of this address is listed with another one: then losing it is no removal.
    pub(crate) fn is_renamed(&self, client: usize, email: &str) -> bool {
        let person = |email: &str| -> Option<usize> { email.strip_prefix('p')?.split('.').next()?.parse().ok() };
        let Some(person) = person(email) else { return false };
        let listed = |source: &usize| self.accepted[*source].values().any(|l| l.person == person && l.is_for(client));
        self.setting.sources[client].iter().any(listed)
    }

    /// Whether the person of this address is known to have another one now, whose start is ahead: the old one keeps its
    /// seat until the new one can have it. A clock that was set back makes it so.
    pub(crate) fn has_heir_to_come(&self, client: usize, email: &str, at: Timestamp) -> bool {
        let heirs = self.setting.sources[client].iter().flat_map(|source| self.accepted[*source].values());
        has_id(email)
            && heirs
                .filter(|heir| heir.email().to_lowercase() != email && same_person(&heir.email().to_lowercase(), email))
                .any(|heir| heir.is_for(client) && heir.starts.is_some_and(|starts| at < starts))
    }

    /// Whether the person of this address has another one now, which the server refuses: the old one keeps its seat.
    pub(crate) fn has_refused_heir(&self, client: usize, email: &str, at: Timestamp) -> bool {
        has_id(email) && self.wanted(client, at).any(|(_, heir)| is_offender(heir) && same_person(heir, email))
    }

    /// rosterd has asked for this.
    pub(crate) fn asked(&mut self, client: usize, operation: Operation, emails: &[String]) {
        if operation == Operation::Assign {
            self.ours[client].extend(emails.iter().cloned());
        }
    }

    /// Who is asked for in a pass and should have no seat.
    pub(crate) fn beyond(&self, client: usize, emails: &[String], watch: &Watch, now: Timestamp) -> Option<String> {
        let may = |email: &&String| {
            self.is_desired(client, email, now)
                || watch.desired.contains(*email)
                || watch.disturbed.as_ref().is_some_and(|desired| desired.contains(*email))
                || watch.open.contains_key(*email)
                || watch.given_back.contains(*email)
                // Once the new address has been refused the old one is to have its seat again.
                || self.has_refused_heir(client, email, now)
        };
        emails.iter().find(|email| !may(email)).cloned()
    }

    /// A request of rosterd's gave somebody a seat.
    pub(crate) fn gets(&mut self, client: usize, email: &str) {
        self.given[client].insert(email.to_lowercase());
        self.taken[client].remove(&email.to_lowercase());
    }

    /// A request of rosterd's took somebody's seat, one that was sent now or that was `late`. Which rule that breaks.
    pub(crate) fn loses(
        &mut self,
        client: usize,
        email: &str,
        late: bool,
        watch: Option<&mut Watch>,
        now: Timestamp,
    ) -> Option<(Rule, String)> {
        let email = email.to_lowercase();
        self.given[client].remove(&email);
        self.taken[client].remove(&email);
        if !self.ours[client].contains(&email) {
            return Some((Rule::OnlyOurs, format!("{email} was unassigned and never assigned")));
        }
        // Nobody knows what has become of an old removal in between.
        if self.restored {
            return Some((Rule::Guarded, format!("{email} was unassigned from a ledger that may not be the newest")));
        }
        let watch = watch?;
        // What a person asks for who has seen it.
        if watch.undone.contains(&email) {
            return None;
        }
        let stays = self.is_desired(client, &email, now)
            && watch.desired.contains(&email)
            && watch.disturbed.as_ref().is_none_or(|desired| desired.contains(&email));
        if stays && !late {
            return Some((Rule::OnlyLeavers, format!("{email} is listed and was unassigned")));
        }
        // What was asked for before the pass is settled as it was asked for, whatever else is so by now.
        if stays || watch.open.get(&email) == Some(&Operation::Unassign) {
            return None;
        }
        let is_approved = self.approved[client].contains(&email);
        if !self.is_renamed(client, &email) && !is_approved {
            watch.removed.insert(email.clone());
        }
        let excluded = self.is_excluded(&email) && self.listings(client, &email).next().is_some();
        // What becomes of the new address of whoever was renamed, becomes of the old one.
        let fell_out = self.fallen[client].contains(&email) && !(has_id(&email) && self.is_renamed(client, &email));
        if self.setting.hold_after_change && !is_approved && (excluded || fell_out) {
            return Some((Rule::Guarded, format!("{email} was unassigned for a change of the configuration, unasked")));
        }
        let protected = self.is_protected(&email).then(|| format!("{email} is protected and was unassigned"));
        protected.map(|what| (Rule::OnlyLeavers, what))
    }

    /// Makes the mistake that a request can have in it.
    pub(crate) fn err(&self, mistake: Option<Mistake>, client: usize, request: &mut Request, server: &State) {
        let more = match (mistake, request.operation) {
            (Some(Mistake::StrangerTaken), Operation::Unassign) => {
                let assigned = server.subscription(id(client)).unwrap();
                assigned.assigned().find(|email| !self.ours[client].contains(&email.to_lowercase())).map(str::to_owned)
            }
            (Some(Mistake::BeyondIntent), Operation::Assign) => {
                self.accepted[1].keys().find(|email| !is_offender(email)).cloned()
            }
            _ => None,
        };
        let more = more.and_then(|email| Address::parse(&email).ok());
        request.addresses.extend(more.filter(|address| !request.addresses.contains(address)));
    }

    pub(crate) fn setting(&self) -> &Setting {
        &self.setting
    }
}

fn listings<'a>(
    accepted: &'a [BTreeMap<String, Listing>; SOURCES],
    sources: &'static [usize],
    client: usize,
    email: &'a str,
) -> impl Iterator<Item = &'a Listing> {
    sources.iter().filter_map(move |source| accepted[*source].get(email)).filter(move |listing| listing.is_for(client))
}
