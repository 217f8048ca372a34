//! What is checked after each pass, and when everything stands still.

use std::collections::{BTreeMap, BTreeSet};

use rosterd::clock::Timestamp;
use rosterd::config::Config;
use rosterd::dispatch::machine::Work;
use rosterd::ledger::{Member, MemberState};
use rosterd::licensing::wire::Operation;
use rosterd::pass;

use crate::host::{Shared, id, members, name};
use crate::rules::Rule;
use crate::script::{CLIENTS, OFFENDERS};
use crate::truth::{Truth, has_id, is_offender, person, same_person, who};
use crate::watch::Watch;

/// What a pass found.
pub(crate) struct Before {
    pub(crate) began: Timestamp,
    pub(crate) holding: u64,
    pub(crate) is_open: bool,
    /// Seats, as far as they were known.
    pub(crate) free: Option<u64>,
    pub(crate) batch_size: usize,
    /// Since when members wait for a seat.
    pub(crate) waiting: BTreeMap<String, Timestamp>,
    pub(crate) seated: BTreeSet<String>,
    /// Whose person has given up a seat on the way to this one.
    pub(crate) claims: BTreeSet<String>,
}

impl Shared {
    /// How many hold a seat as far as the ledger knows, and who may come to hold one by what is open.
    pub(crate) fn may_hold(&self, client: usize) -> u64 {
        let open = self.ledger.open_intents(&name(client)).unwrap();
        let asked = open.iter().filter(|(_, intent)| intent.operation == Operation::Assign);
        let asked: u64 = asked.map(|(_, intent)| intent.addresses.len() as u64).sum();
        self.ledger.counts(&name(client), self.now()).unwrap().holding + asked
    }

    pub(crate) fn guarded(&mut self, client: usize, watch: &Watch, before: &Before) {
        let setting = self.truth.setting();
        // Who is settled first may come to hold a seat by that.
        let holding = before.holding + watch.open.values().filter(|open| **open == Operation::Assign).count() as u64;
        let limit = (holding * setting.max_removals.0 / 100).max(setting.always_allow);
        let removed = watch.removed.len() as u64;
        if removed > limit {
            let what = format!("c{client}: {removed} of {} were unassigned, {limit} may be", before.holding);
            self.breaks(Rule::Guarded, what);
        }
    }

    /// A source fails. Where that is trouble for more than a third of the clients, removals stop everywhere.
    pub(crate) fn brakes(&mut self, source: usize, news: bool) {
        let setting = self.truth.setting();
        let concerned = setting.clients_of(source).count();
        // Two of two or three are more than 34 %.
        if setting.brake && news && concerned >= 2 && self.ledger.brake().unwrap().is_none() {
            let what = format!("s{source} fails, which {concerned} clients name, and removals go on");
            self.breaks(Rule::Guarded, what);
        }
    }

    /// Who has a seat as far as the ledger knows, and nobody knows of their leaving.
    pub(crate) fn seated(&self) -> [BTreeSet<String>; CLIENTS] {
        std::array::from_fn(|client| {
            let stay = |member: &Member| member.has_seat && member.departure.is_none();
            let members = members(&self.ledger, client).into_iter().filter(|(_, member)| stay(member));
            let candidate = |email: &str| self.ledger.candidate(&name(client), &[], email).unwrap();
            members.map(|(email, _)| email).filter(|email| candidate(email).departure.is_none()).collect()
        })
    }

    /// Another ledger is in force: what it does not know of is forgotten, and what it believes wrongly was taken away
    /// behind its back.
    pub(crate) fn remembers(&mut self) {
        for client in 0..CLIENTS {
            let assigned: BTreeSet<String> = self.assigned(client).iter().map(|email| email.to_lowercase()).collect();
            let members = members(&self.ledger, client);
            let may_hold = |email: &String| {
                members.get(email).is_some_and(|member| member.has_seat || member.state == MemberState::Unknown)
            };
            self.truth.given[client].retain(may_hold);
            let seated = members.iter().filter(|(_, member)| member.has_seat).map(|(email, _)| email);
            self.truth.taken[client] = seated.filter(|email| !assigned.contains(*email)).cloned().collect();
        }
    }

    /// No batch was cut short for want of seats.
    pub(crate) fn has_room(&self, client: usize) -> bool {
        let stats = self.server.subscription(id(client)).unwrap().stats();
        stats.available_licenses >= stats.assigned_licenses + self.truth.setting().batch_size as u64
    }

    /// What the ledger believes is so, where no answer is missing.
    pub(crate) fn believes(&mut self, client: usize) {
        if self.is_late(client) || !self.ledger.open_intents(&name(client)).unwrap().is_empty() {
            return;
        }
        let assigned: BTreeSet<String> = self.assigned(client).iter().map(|email| email.to_lowercase()).collect();
        let members = members(&self.ledger, client);
        for (email, member) in &members {
            if member.has_seat && !assigned.contains(email) && !self.truth.taken[client].contains(email) {
                let what = format!("c{client}: {email} is {:?} with a seat, and has none", member.state);
                self.breaks(Rule::IntentFirst, what);
            }
        }
        for email in self.truth.given[client].clone() {
            if assigned.contains(&email) && !members.get(&email).is_some_and(|member| member.has_seat) {
                self.breaks(Rule::IntentFirst, format!("c{client}: {email} was given a seat, and that is forgotten"));
            }
        }
    }

    /// Another roster is believed.
    pub(crate) fn accepts(&mut self, source: usize) {
        (0..CLIENTS).for_each(|client| self.owes(client));
        self.truth.accept(source);
        (0..CLIENTS).for_each(|client| self.owes(client));
    }

    /// Whoever has a seat and is desired is to have one for as long as they are.
    pub(crate) fn owes(&mut self, client: usize) {
        let assigned: BTreeSet<String> = self.assigned(client).iter().map(|email| email.to_lowercase()).collect();
        let wanted: Vec<(usize, &String)> = self.truth.wanted(client, self.now()).collect();
        let still: BTreeSet<(usize, String)> = wanted.iter().map(|(source, email)| (*source, who(email))).collect();
        let has = wanted.iter().filter(|(_, email)| assigned.contains(*email));
        let has: Vec<(usize, String)> = has.map(|(source, email)| (*source, who(email))).collect();
        let owed = &mut self.truth.owed[client];
        owed.retain(|owed| still.contains(owed));
        owed.extend(has);
    }

    /// Nobody who is desired all the time loses a seat, or else they are the next to be given one.
    pub(crate) fn keeps(&mut self, client: usize) {
        self.owes(client);
        let people = |emails: &BTreeSet<String>| emails.iter().map(|email| who(email)).collect::<BTreeSet<_>>();
        let holders: BTreeSet<String> = self.assigned(client).iter().map(|email| who(&email.to_lowercase())).collect();
        // By hand, by a person's word.
        let Truth { taken, undone, approved, .. } = &self.truth;
        let let_go: BTreeSet<String> =
            [taken, undone, approved].into_iter().flat_map(|emails| people(&emails[client])).collect();
        let is_let_go = |who: &String| let_go.contains(who) || person(who) < OFFENDERS;
        self.truth.owed[client].retain(|(_, who)| !is_let_go(who));
        let without: BTreeSet<&String> =
            self.truth.owed[client].iter().map(|(_, who)| who).filter(|who| !holders.contains(*who)).collect();
        if without.is_empty() {
            return;
        }
        let is_next = |member: &Member| {
            member.state == MemberState::Unknown || member.state == MemberState::Pending && member.claim.is_some()
        };
        let members = members(&self.ledger, client);
        let next: BTreeSet<String> = members.iter().filter(|(_, m)| is_next(m)).map(|(email, _)| who(email)).collect();
        let lost: Vec<String> = without.into_iter().filter(|who| !next.contains(*who)).cloned().collect();
        for lost in lost {
            let what = format!("c{client}: {lost} had a seat and is desired as before, and has neither seat nor claim");
            self.breaks(Rule::OnlyLeavers, what);
        }
    }

    /// A pass that follows at once has nothing to do.
    pub(crate) fn is_done(&mut self, client: usize, config: &Config, began: Timestamp) {
        let subscription = &config.subscriptions[&name(client)];
        let work = |at| pass::look_at(&self.ledger, config, subscription, false, at).unwrap().work;
        let asks = |work: &Work| {
            let Work { resume, unassign, rename, assign, .. } = work;
            !(resume.is_empty() && unassign.is_empty() && rename.is_empty() && assign.is_empty())
        };
        let left = work(self.now());
        // A date may have fallen due since the plan.
        if asks(&left) && asks(&work(began)) {
            self.breaks(Rule::FewRequests, format!("c{client}: converged, and to be done again: {left:?}"));
        }
    }

    pub(crate) fn has_states(&mut self, client: usize, watch: &Watch) {
        let members = members(&self.ledger, client);
        // Of whom that can be said, wherever in the pass the clock was set.
        let now = self.truth.has_a_state(client, self.now());
        for email in watch.lasting.intersection(&now) {
            let wrong = match members.get(email) {
                None => "is in no state".to_owned(),
                Some(member) if member.reason.is_empty() => format!("is {:?} without a reason", member.state),
                Some(_) if self.truth.undone[client].contains(email) => continue,
                Some(member) if member.state == MemberState::Quarantined && !is_offender(email) => {
                    format!("is quarantined: {}", member.reason)
                }
                Some(_) => continue,
            };
            self.breaks(Rule::NothingDropped, format!("c{client}: {email} {wrong}"));
        }
    }

    /// Nobody who waits would have come before somebody who was given a seat.
    pub(crate) fn in_order(&mut self, client: usize, watch: &Watch, before: &Before) {
        let members = members(&self.ledger, client);
        let now = before.began;
        // Who did not wait before the pass, waits since it.
        let rank = |email: &str, claim: bool| {
            // A person who is renamed keeps the place, but for one whom another roster names by the old address still.
            let renamed = |known: &str| same_person(known, email) && !self.truth.is_desired(client, known, now);
            let same = |known: &&String| *known == email || has_id(email) && renamed(known);
            let since = before.waiting.iter().filter(|(known, _)| same(known)).map(|(_, since)| *since).min();
            let since = since.unwrap_or(now);
            Some((!claim, self.truth.priority(client, email, now)?, since, email.to_owned()))
        };
        let given = watch.added.iter().filter(|email| !is_offender(email));
        // A renamed person takes the old address's seat along.
        let given = given.filter(|email| !before.seated.iter().any(|seated| same_person(seated, email)));
        let last = given.filter_map(|email| rank(email, before.claims.contains(email))).max();
        let waits = members.values().filter(|member| member.state == MemberState::Pending);
        // Whose seat was found to be gone only when it was asked for again, after the others, waits from now on.
        let first = waits
            .filter(|member| !is_offender(member.address.identity()))
            .filter(|member| member.claim.is_some() || !before.seated.contains(member.address.identity()))
            .filter_map(|member| rank(member.address.identity(), member.claim.is_some()))
            .min();
        if let (Some(last), Some(first)) = (last, first)
            && first < last
        {
            self.breaks(Rule::Converges, format!("c{client}: {last:?} was given a seat, and {first:?} waits"));
        }
    }

    /// What is not as it should be when everything stands still.
    pub(crate) fn unconverged(&self, client: usize) -> Vec<String> {
        let now = self.now();
        let desired = self.truth.desired(client, now);
        let assigned: BTreeSet<String> = self.assigned(client).iter().map(|email| email.to_lowercase()).collect();
        let seats = self.server.subscription(id(client)).unwrap().seats();
        // Two spellings of one address are two seats on some servers.
        let free = seats.saturating_sub(self.assigned(client).len() as u64);
        let mut wrong = Vec::new();
        if !self.ledger.open_intents(&name(client)).unwrap().is_empty() {
            wrong.push("an intent is open".to_owned());
        }
        for email in &self.truth.given[client] {
            // A renamed person keeps the old address while a seat that is given back would be gone.
            let has_heir = assigned.len() as u64 > seats && self.truth.is_renamed(client, email);
            let has_heir = has_heir
                || self.truth.has_heir_to_come(client, email, now)
                || self.truth.has_refused_heir(client, email, now);
            let stays = self.truth.kept[client].contains(email) || self.truth.spared[client].contains(email);
            let stays = stays || self.truth.is_protected(email) || has_heir;
            if assigned.contains(email) && !desired.contains(email) && !stays {
                wrong.push(format!("{email} has a seat and should have none"));
            }
        }
        // What was taken behind rosterd's back comes back where assignments are sent again.
        let stays_taken = !self.truth.setting().sends_again();
        let without = |email: &&String| {
            let is_taken = self.truth.taken[client].contains(*email);
            !(assigned.contains(*email) || is_offender(email) || is_taken && stays_taken)
        };
        let without: Vec<&String> = desired.iter().filter(without).collect();
        if free > 0 && !without.is_empty() {
            wrong.push(format!("{free} seats are free, and {without:?} have none"));
        }
        wrong
    }

    pub(crate) fn key_is_nowhere(&mut self, client: usize) {
        let mut texts: Vec<String> = members(&self.ledger, client).into_values().map(|member| member.reason).collect();
        texts.extend(self.ledger.subscription(&name(client)).unwrap().problem.map(|(problem, _)| problem));
        self.ledger.for_each_history(&[name(client)], None, &mut |line| texts.push(line.detail)).unwrap();
        for key in self.truth.keys.clone() {
            if let Some(text) = texts.iter().find(|text| text.contains(&key)) {
                self.breaks(Rule::KeyNowhere, text.clone());
            }
        }
    }
}
