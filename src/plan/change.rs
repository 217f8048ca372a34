//! What one candidate's state should become: each is judged by itself, with a look at the new address of a renamed
//! person.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::TimeDelta;

use super::input::{Candidate, PlanInput};
use super::{Leaving, LeavingUntil, Quarantine, Settlement, Then, Waiting};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::config::Policy;
use crate::member::{Claim, Departure, Member, MemberState};
use crate::roster::membership::{Desired, NotDesired, day_in, desired, grace};
use crate::roster::{Entry, Reason};

/// A candidate with what is desired of it.
#[derive(Debug)]
pub(super) struct Judged<'a> {
    pub(super) candidate: &'a Candidate,
    pub(super) desired: Desired,
}

impl Judged<'_> {
    /// Why it wants a seat, as a fragment.
    pub(super) fn wanted_by(&self) -> String {
        match (&self.candidate.member, &self.desired) {
            (Some(member), Desired::Not(_)) => member.reason.clone(),
            _ => origins(&self.candidate.entries),
        }
    }
}

/// What a candidate's state should become.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is right as it is.
    Right,
    Assign {
        address: Address,
        priority: i32,
    },
    Wait(Waiting),
    Quarantine(Quarantine),
    Settle(Settlement),
    /// Keeps the seat for now, for a reason that is no guard's.
    Leave(Leaver, LeavingUntil),
    /// Is to be unassigned, if the guards let it.
    Remove(Leaver),
}

/// A member that is to lose the seat, if the guards let it.
#[derive(Debug, Clone)]
pub(super) struct Leaver {
    /// In the spelling in which it was assigned.
    pub(super) address: Address,
    pub(super) departure: Departure,
    pub(super) detail: String,
    pub(super) kind: Kind,
    pub(super) then: Option<Box<Then>>,
}

/// Whether a leaver's person loses anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The person goes. These are what the limits count.
    Leaves,
    /// The person has a seat under the new address already.
    Moved,
    /// The person's new address, this candidate, takes over the seat.
    Takes(usize),
}

/// What an address without a seat is that a roster names and that is not to have one now.
fn then(desired: &Desired) -> Option<Then> {
    match desired {
        Desired::Waiting { address, starts, priority } => {
            Some(Then::Waiting(Waiting { address: address.clone(), starts: *starts, priority: *priority }))
        }
        Desired::Quarantined { address, reason } => {
            Some(Then::Quarantined(Quarantine { address: address.clone(), reason: reason.clone() }))
        }
        Desired::Wanted { .. } | Desired::Not(_) => None,
    }
}

impl Leaver {
    pub(super) fn reason(&self) -> Reason {
        self.departure.reason
    }
}

/// All candidates, each with what is desired of it, by identity.
#[derive(Debug)]
pub(super) struct Judgement<'a> {
    input: &'a PlanInput,
    pub(super) all: Vec<Judged<'a>>,
}

impl<'a> Judgement<'a> {
    pub(super) fn new(input: &'a PlanInput) -> Judgement<'a> {
        let judge = |candidate: &'a Candidate| Judged {
            candidate,
            desired: desired(&candidate.entries, &input.policy, input.at),
        };
        let mut all: Vec<Judged<'_>> = input.candidates.iter().map(judge).collect();
        all.sort_by(|a, b| a.candidate.address.cmp(&b.candidate.address));
        Judgement { input, all }
    }

    /// Since when those have waited that wait for a seat already, by index. Whoever is renamed keeps the place.
    pub(super) fn queue(&self) -> BTreeMap<usize, Timestamp> {
        let mut queue = BTreeMap::new();
        for (index, judged) in self.all.iter().enumerate() {
            let waiting = judged.candidate.member.as_ref().filter(|member| !member.has_seat);
            let Some(since) = waiting.and_then(|member| member.waiting_since) else { continue };
            let index = self.heir(judged).unwrap_or(index);
            queue.entry(index).and_modify(|earlier| *earlier = since.min(*earlier)).or_insert(since);
        }
        queue
    }

    /// Who comes before all others who wait, by index, and why. Whoever is renamed keeps the claim.
    pub(super) fn claims(&self) -> BTreeMap<usize, Claim> {
        let mut claims = BTreeMap::new();
        for (index, judged) in self.all.iter().enumerate() {
            let Some(member) = &judged.candidate.member else { continue };
            let Some(claim) = &member.claim else { continue };
            match (self.heir(judged), known_departure(judged.candidate)) {
                (Some(heir), Some(departure)) => {
                    let inherited = || self.inherited(member, claim, departure, heir);
                    claims.entry(heir).or_insert_with(inherited);
                }
                _ => drop(claims.insert(index, claim.clone())),
            }
        }
        claims
    }

    /// What a member's claim is under the address that the person has now: the seat was that of the same old one.
    fn inherited(&self, member: &Member, claim: &Claim, departure: &Departure, heir: usize) -> Claim {
        let (old, departure) = match claim {
            Claim::Own => (&member.address, departure),
            Claim::From { old, departure } => (old, &**departure),
        };
        let to = &self.all[heir].candidate.address;
        if old == to {
            return Claim::Own;
        }
        let departure = Departure { renamed_to: Some(to.clone()), ..departure.clone() };
        Claim::From { old: old.clone(), departure: Box::new(departure) }
    }

    fn has_claim(&self, index: usize) -> bool {
        self.all[index].candidate.member.as_ref().is_some_and(|member| member.claim.is_some())
    }

    /// The new address of whoever waits under an old one.
    fn heir(&self, judged: &Judged<'_>) -> Option<usize> {
        match self.fate(judged, known_departure(judged.candidate)?) {
            Fate::Takes(heir) => Some(heir),
            _ => None,
        }
    }

    pub(super) fn verdict(&self, judged: &Judged<'_>) -> Verdict {
        match &judged.candidate.member {
            Some(member) if member.state == MemberState::Unknown => Verdict::Right,
            Some(member) if member.has_seat => self.verdict_on_holder(judged, member),
            member => self.verdict_on_other(judged, member.as_deref()),
        }
    }

    /// Of an address that has no seat.
    fn verdict_on_other(&self, judged: &Judged<'_>, member: Option<&Member>) -> Verdict {
        if let (Desired::Not(_) | Desired::Waiting { .. }, Some(member)) = (&judged.desired, member)
            && member.claim.is_some()
        {
            match known_departure(judged.candidate).map(|departure| self.fate(judged, departure)) {
                // The new address was refused: this one has its seat again.
                Some(Fate::Unusable(_)) => {
                    return Verdict::Assign { address: member.address.clone(), priority: member.priority };
                }
                // Until it is on disk that the claim is the new address's.
                Some(Fate::Takes(heir)) if !self.has_claim(heir) => return Verdict::Right,
                _ => {}
            }
        }
        if let (Desired::Not(why), Some(member)) = (&judged.desired, member) {
            let reason = self.departure(judged.candidate, why).reason;
            return Verdict::Settle(Settlement::Dropped { address: member.address.clone(), reason });
        }
        if let Some(refused) = member.filter(|member| refused(member)) {
            return Verdict::Quarantine(Quarantine {
                address: refused.address.clone(),
                reason: refused.reason.clone(),
            });
        }
        match &judged.desired {
            Desired::Wanted { address, priority } => Verdict::Assign { address: address.clone(), priority: *priority },
            desired => match then(desired) {
                Some(Then::Waiting(waiting)) => Verdict::Wait(waiting),
                Some(Then::Quarantined(quarantine)) => Verdict::Quarantine(quarantine),
                None => Verdict::Right,
            },
        }
    }

    fn verdict_on_holder(&self, judged: &Judged<'_>, member: &Member) -> Verdict {
        if matches!(judged.desired, Desired::Wanted { .. }) {
            let settled = member.state == MemberState::Assigned && !member.kept && member.departure.is_none();
            return if settled {
                Verdict::Right
            } else {
                Verdict::Settle(Settlement::Returned { address: member.address.clone() })
            };
        }
        // A person turned the removal down.
        if member.kept { Verdict::Right } else { self.verdict_on_leaver(judged, member) }
    }

    fn verdict_on_leaver(&self, judged: &Judged<'_>, member: &Member) -> Verdict {
        let mut departure = self.departure_of_holder(judged);
        let fate = self.fate(judged, &departure);
        if let Fate::Gone { reason, at } = fate {
            (departure.reason, departure.at) = (reason, at.unwrap_or(departure.at));
        }
        // By a clock that ran ahead: the grace runs from now, and not from then.
        departure.at = departure.at.min(self.input.at);
        let detail = self.detail(judged, &departure);
        let until = if let Some(pattern) = self.input.policy.protect.matching(member.address.identity()) {
            Some(LeavingUntil::Protected(pattern.to_owned()))
        } else if let Fate::Unusable(why) = &fate {
            Some(LeavingUntil::Renamed(why.clone()))
        } else {
            self.grace(&departure).map(LeavingUntil::Grace)
        };
        let address = member.address.clone();
        let leaver =
            Leaver { address, departure, detail, kind: fate.kind(), then: then(&judged.desired).map(Box::new) };
        match until {
            Some(until) => Verdict::Leave(leaver, until),
            None => Verdict::Remove(leaver),
        }
    }

    /// Until when the seat is kept for the reason of this departure, if that is ahead.
    fn grace(&self, departure: &Departure) -> Option<Timestamp> {
        let length = grace(&self.input.policy, departure.reason);
        let length = TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX);
        let until = departure.at.checked_add_signed(length).unwrap_or(Timestamp::MAX_UTC);
        (until > self.input.at).then_some(until)
    }

    /// How a member that is not wanted now stopped being wanted.
    fn departure_of_holder(&self, judged: &Judged<'_>) -> Departure {
        let because = |reason| by_policy(judged.candidate, reason, self.input.at);
        match &judged.desired {
            Desired::Not(why) => self.departure(judged.candidate, why),
            // A change of `domains` is a change of what is looked at.
            Desired::Quarantined { .. } => because(Reason::Scope),
            // Where one source says that the address has its day ahead and another that it is renamed, the person stays.
            Desired::Waiting { .. } => known_rename(judged.candidate).cloned().unwrap_or_else(|| because(Reason::Left)),
            Desired::Wanted { .. } => because(Reason::Left),
        }
    }

    /// How an address that should have no seat stopped being wanted. One that no roster names, and of which none said
    /// that it left, fell out of what is looked at: a source was taken away, or it was adopted and never named.
    fn departure(&self, candidate: &Candidate, why: &NotDesired) -> Departure {
        let because = |reason, at| by_policy(candidate, reason, at);
        match why {
            // Where one source says that the address ended and another that it is renamed, the person stays.
            NotDesired::Ended(moment) => {
                known_rename(candidate).cloned().unwrap_or_else(|| because(Reason::Ended, *moment))
            }
            NotDesired::Excluded(_) => because(Reason::Excluded, self.input.at),
            NotDesired::Unnamed => {
                known_departure(candidate).cloned().unwrap_or_else(|| because(Reason::Scope, self.input.at))
            }
        }
    }

    /// What became of the person of a renamed address.
    fn fate(&self, judged: &Judged<'_>, departure: &Departure) -> Fate {
        let may_move = match &judged.desired {
            Desired::Not(why) => !matches!(why, NotDesired::Excluded(_)),
            Desired::Waiting { .. } => true,
            Desired::Wanted { .. } | Desired::Quarantined { .. } => false,
        };
        if !may_move {
            return Fate::Leaves;
        }
        let mut departure = departure;
        // A rename that leads back ends after as many steps as there are candidates.
        for _ in 0..self.all.len() {
            let Some(to) = &departure.renamed_to else { return Fate::Leaves };
            let Ok(index) = self.all.binary_search_by(|judged| judged.candidate.address.cmp(to)) else {
                // Nobody knows the new address any more.
                return Fate::Gone { reason: Reason::Left, at: None };
            };
            let next = &self.all[index];
            match (&next.desired, known_departure(next.candidate)) {
                (Desired::Not(NotDesired::Unnamed), Some(further)) if further.renamed_to.is_some() => {
                    departure = further;
                }
                (Desired::Not(why), _) => return self.gone(next, why),
                (Desired::Wanted { .. }, _) => return taken_over(next, index),
                (Desired::Waiting { address, starts, .. }, _) => {
                    let day = day_in(*starts, self.input.policy.timezone);
                    return Fate::Unusable(format!("{address} starts on {day}"));
                }
                (Desired::Quarantined { address, reason }, _) => {
                    return Fate::Unusable(format!("{address} is set aside: {reason}"));
                }
            }
        }
        Fate::Gone { reason: Reason::Left, at: None }
    }

    /// The new address should have no seat either: the person goes as it does.
    fn gone(&self, next: &Judged<'_>, why: &NotDesired) -> Fate {
        if *why == NotDesired::Unnamed && known_departure(next.candidate).is_none() {
            return Fate::Gone { reason: Reason::Left, at: None };
        }
        let departure = self.departure(next.candidate, why);
        Fate::Gone { reason: departure.reason, at: Some(departure.at) }
    }

    /// Where a leaver stood and what became of it, as a fragment.
    fn detail(&self, judged: &Judged<'_>, departure: &Departure) -> String {
        match &judged.desired {
            Desired::Quarantined { reason, .. } => reason.clone(),
            Desired::Waiting { starts, .. } if departure.renamed_to.is_none() => {
                let day = day_in(*starts, self.input.policy.timezone);
                format!("starts on {day} only{}", place(departure, " in "))
            }
            Desired::Not(NotDesired::Excluded(pattern)) => format!("excluded by the pattern {pattern}"),
            _ => in_words(departure, &self.input.policy),
        }
    }
}

impl Leaver {
    /// Keeps the seat until then.
    pub(super) fn waits(self, until: LeavingUntil) -> Leaving {
        let Leaver { address, departure, detail, kind: _, then: _ } = self;
        Leaving { address, reason: departure.reason, detail, since: departure.at, until }
    }
}

/// What became of the person of an address that no roster names any more.
enum Fate {
    /// Nobody says that the person has another address.
    Leaves,
    /// The new address has a seat.
    Moved,
    /// The new address, this candidate, wants a seat.
    Takes(usize),
    /// The new address can't have a seat now, for this reason.
    Unusable(String),
    /// The new address should have no seat either.
    Gone { reason: Reason, at: Option<Timestamp> },
}

impl Fate {
    fn kind(&self) -> Kind {
        match self {
            Fate::Moved => Kind::Moved,
            Fate::Takes(index) => Kind::Takes(*index),
            Fate::Leaves | Fate::Unusable(_) | Fate::Gone { .. } => Kind::Leaves,
        }
    }
}

/// The new address is wanted.
fn taken_over(next: &Judged<'_>, index: usize) -> Fate {
    let address = &next.candidate.address;
    match &next.candidate.member {
        Some(member) if member.state == MemberState::Unknown => {
            Fate::Unusable(format!("the answer to a request for {address} was lost"))
        }
        Some(member) if member.has_seat => Fate::Moved,
        Some(member) if refused(member) => Fate::Unusable(format!("{address} was refused: {}", member.reason)),
        _ => Fate::Takes(index),
    }
}

/// What is known of how an address stopped being named: the news before what the ledger keeps.
fn known_departure(candidate: &Candidate) -> Option<&Departure> {
    let kept = || candidate.member.as_ref().and_then(|member| member.departure.as_ref());
    candidate.departure.as_deref().or_else(kept)
}

fn known_rename(candidate: &Candidate) -> Option<&Departure> {
    known_departure(candidate).filter(|departure| departure.renamed_to.is_some())
}

/// The server refused the address, and nobody has asked to try again. What the policy sets aside is judged anew each time.
fn refused(member: &Member) -> bool {
    member.state == MemberState::Quarantined && member.refused
}

/// A departure that no roster noted. It is as old as the one that is known for the same reason.
fn by_policy(candidate: &Candidate, reason: Reason, at: Timestamp) -> Departure {
    let kept = candidate.member.as_ref().and_then(|member| member.departure.as_ref());
    let known = kept.filter(|departure| departure.reason == reason);
    let at = known.map_or(at, |departure| departure.at.min(at));
    let (source, origin) =
        candidate.entries.first().map_or(("", ""), |(source, entry)| (source.as_str(), &*entry.origin));
    Departure { reason, source: source.to_owned(), at, renamed_to: None, origin: origin.to_owned() }
}

fn in_words(departure: &Departure, policy: &Policy) -> String {
    let Departure { reason, source, at, renamed_to, origin: _ } = departure;
    match (reason, renamed_to) {
        (Reason::Scope, _) if source.is_empty() => {
            "no source of this subscription names it, and none said that it left".to_owned()
        }
        (Reason::Renamed | Reason::Scope, Some(to)) => format!("renamed to {to}{}", place(departure, " in ")),
        (Reason::Left | Reason::Renamed, _) => format!("no longer{}", place(departure, " in ")),
        (Reason::Disabled, _) => format!("disabled{}", place(departure, " in ")),
        (Reason::Vanished, _) => format!("its entry can't be found any more{}", place(departure, " in ")),
        (Reason::Ended, _) => format!("ended on {}{}", day_in(*at, policy.timezone), place(departure, " in ")),
        (Reason::Removed, _) => format!("removed{}", place(departure, " from ")),
        (Reason::Excluded, _) => "excluded by the configuration".to_owned(),
        (Reason::Scope, None) => {
            format!("no longer in what the configuration looks at{}", place(departure, " in "))
        }
    }
}

/// ` in hr (staff.csv line 7)`.
fn place(departure: &Departure, preposition: &str) -> String {
    let mut text = String::new();
    if !departure.source.is_empty() {
        text.push_str(preposition);
        text.push_str(&departure.source);
    }
    if !departure.origin.is_empty() {
        // Writing to a string can't fail.
        let _ = write!(text, " ({})", departure.origin);
    }
    text
}

/// Where an address is named, as a fragment: `hr: staff.csv line 7`.
fn origins(entries: &[(String, Entry)]) -> String {
    const SHOWN_MAX: usize = 3;
    let mut origins: Vec<String> =
        entries.iter().take(SHOWN_MAX).map(|(source, entry)| format!("{source}: {}", entry.origin)).collect();
    if let Some(more) = entries.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
        origins.push(format!("and {more} more"));
    }
    origins.join(", ")
}
