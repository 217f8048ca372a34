//! The sentences of an explanation, one function for each case.

use super::{Evidence, Part, SourceView, View, count, list, members, number, sentence};
use crate::address::{Address, Invalid};
use crate::clock::Timestamp;
use crate::ledger::{Event, HistoryLine, Member, MemberState};
use crate::member::{Departure, NOT_ASKED, TAKEN_BACK};
use crate::report::text::{either, moment, moment_and_distance, plain, relative, span};
use crate::roster::membership::{Desired, NotDesired, day_in, desired, grace, membership};
use crate::roster::{Entry, Reason};

/// What there is to say of a text that is no address.
pub(super) fn invalid(invalid: Invalid) -> Vec<String> {
    vec![
        format!("This can't be given a licence: the address {invalid}."),
        "A roster's row with such an address is listed as a bad row, and takes nothing away from anybody.".to_owned(),
    ]
}

/// What there is to say of an address that nobody has heard of.
pub(super) fn unheard_of(address: &Address, views: &[View]) -> Vec<String> {
    let mut sentences =
        vec![format!("No roster names {address}; rosterd has never seen it, and it has no licence through rosterd.")];
    let mut sources: Vec<String> = views.iter().flat_map(|view| &view.sources).map(place).collect();
    sources.sort_unstable();
    sources.dedup();
    if !sources.is_empty() {
        sentences.push(format!("To give them a licence, add them to {}.", list(&sources, "or")));
    }
    for view in views {
        let rule = standing_rule(address, view);
        sentences.extend(rule.map(|rule| format!("{}: even so, {rule}", view.subscription)));
    }
    let mut problems: Vec<String> = views.iter().flat_map(|view| &view.sources).filter_map(source_problem).collect();
    problems.sort_unstable();
    problems.dedup();
    sentences.extend(problems);
    sentences.extend(views.iter().filter_map(|view| {
        let problem = view.problem.as_ref()?;
        Some(format!("{} has a problem: {}", view.subscription, sentence(&plain(problem))))
    }));
    sentences
}

/// A rule of the configuration that stands against an address, whatever a roster says.
fn standing_rule(address: &Address, view: &View) -> Option<String> {
    if let Some(pattern) = view.policy.exclude.matching(address.identity()) {
        return Some(format!("the `exclude` pattern {pattern} keeps it from having one."));
    }
    (!view.policy.allows_domain(address))
        .then(|| format!("{} is none of its `domains` ({}).", address.domain(), view.policy.domains.join(", ")))
}

/// One subscription's answer. `past` is how a licence ended there.
pub(super) fn part(address: &Address, view: &View, past: Option<&HistoryLine>, now: Timestamp) -> Part {
    let candidate = &view.candidate;
    let case = Case { address, view, desired: desired(&candidate.entries, &view.policy, now), now };
    let answer = match &candidate.member {
        Some(member) => match member.state {
            MemberState::Assigned => case.assigned(member),
            MemberState::Pending => case.pending(member),
            MemberState::Waiting => case.waiting(member),
            MemberState::Leaving => case.leaving(member),
            MemberState::Quarantined => case.quarantined(member),
            MemberState::Unknown => case.unknown(member),
        },
        None => case.no_member(past),
    };
    let mut because = answer.because;
    because.extend(case.bad_rows());
    because.extend(view.sources.iter().filter_map(|source| case.seen_in(source)));
    because.extend(
        view.problem.as_ref().map(|problem| format!("The subscription has a problem: {}", sentence(&plain(problem)))),
    );
    because.extend(view.sources.iter().filter_map(source_problem));
    Part {
        name: view.subscription.clone(),
        has_licence: answer.has_licence,
        state: candidate.member.as_ref().map(|member| member.state),
        answer: answer.words,
        because,
        what_would_change_it: answer.changes,
        origins: candidate.entries.iter().map(|(source, entry)| members::origin(source, entry)).collect(),
        queue_place: view.place,
        evidence: view.sources.iter().filter_map(evidence).collect(),
    }
}

/// `hr (drops/hr)`.
fn place(source: &SourceView) -> String {
    format!("{} ({})", source.name, source.place)
}

fn evidence(source: &SourceView) -> Option<Evidence> {
    Some(Evidence { source: source.name.clone(), seen: source.evidence.clone()? })
}

fn source_problem(source: &SourceView) -> Option<String> {
    let problem = source.problem.as_ref()?;
    let stands = match source.accepted_at {
        Some(at) => format!("what it said last, on {}, stays in force.", moment(at)),
        None => "it has never been read whole.".to_owned(),
    };
    Some(format!("{} could not be read whole and sound: {} So {stands}", source.name, sentence(&plain(problem))))
}

/// So many groups are told with what was seen of them.
const GROUPS_TOLD_MAX: usize = 5;

struct Answer {
    has_licence: Option<bool>,
    words: String,
    because: Vec<String>,
    changes: Vec<String>,
}

struct Case<'a> {
    address: &'a Address,
    view: &'a View,
    desired: Desired,
    now: Timestamp,
}

impl Case<'_> {
    fn is_wanted(&self) -> bool {
        matches!(self.desired, Desired::Wanted { .. })
    }

    /// When it stops being wanted, if no roster and no policy changes before.
    fn ends(&self) -> Option<Timestamp> {
        let at = |moment| membership(&self.view.candidate.entries, &self.view.policy, moment);
        let mut changes_at = at(self.now).changes_at?;
        loop {
            let then = at(changes_at);
            if !matches!(then.desired, Desired::Wanted { .. }) {
                return Some(changes_at);
            }
            changes_at = then.changes_at?;
        }
    }

    fn assigned(&self, member: &Member) -> Answer {
        Answer {
            has_licence: Some(true),
            words: format!("has a licence, since {}.", self.at(member.since)),
            because: self.why_kept(member),
            changes: self.what_takes_it_away(member),
        }
    }

    /// Why somebody has a seat, also where no roster names them.
    fn why_kept(&self, member: &Member) -> Vec<String> {
        let mut because = self.named();
        if member.kept {
            because
                .push("Its removal was rejected by a person, so it is kept until a roster names it again.".to_owned());
        } else if !self.is_wanted() {
            because.extend(self.why_not_desired());
        }
        if !self.is_wanted() {
            because.extend(self.departure());
            because.extend(recorded(member));
        }
        because.extend(self.protected());
        because
    }

    fn what_takes_it_away(&self, member: &Member) -> Vec<String> {
        if self.protecting().is_some() {
            return vec![unprotect()];
        }
        if member.kept {
            return vec![format!(
                "Name it in {} and take it out again, and its removal is planned anew; or drop it from the ledger with \
                 `rosterd forget {} {}`, which leaves the licence as it is.",
                self.sources("or"),
                self.view.subscription,
                self.address
            )];
        }
        if !self.is_wanted() && self.bad_rows().next().is_some() {
            return vec!["Correct the row that can't be used: then it counts again.".to_owned()];
        }
        if !self.is_wanted() {
            let held = "unless a guard holds it for an approval";
            return vec![format!("The next run{} takes the licence back, {held}.", self.next_run())];
        }
        let grace = self.view.policy.removal_grace.left;
        let after = if grace.is_zero() { String::new() } else { format!(", {} later", span(grace)) };
        let mut changes = vec![format!(
            "When no roster of {} names it any more, the licence is taken back{after}.",
            self.view.subscription
        )];
        changes.extend(
            self.ends().map(|at| format!("On {} its end date is past, and the licence is taken back.", self.day(at))),
        );
        changes
    }

    fn pending(&self, member: &Member) -> Answer {
        let view = self.view;
        let queue = view.place.map_or_else(String::new, |place| {
            format!(" It is number {} of {} in the queue.", number(place), number(view.pending.max(place)))
        });
        let seats = match view.seats {
            Some(seats) => {
                format!(
                    "{} of {} free, as of {}.",
                    number(seats.free()),
                    count(seats.available, "seat is", "seats are"),
                    self.at(seats.as_of)
                )
            }
            None => "How many seats are free is not known yet.".to_owned(),
        };
        let mut because = self.named();
        if let Some(why) = member.reason.strip_prefix(NOT_ASKED) {
            because.push(format!("The server has not been asked for it yet: {}", sentence(&plain(why))));
            let changes = vec![format!("The next run{} asks for it, once that is over.", self.next_run())];
            let words = format!("has no licence yet: it waits to be asked for.{queue}");
            return Answer { has_licence: Some(false), words, because, changes };
        }
        because.push(seats);
        because.push(format!(
            "Its priority is {} (lower is served first), and it has been waiting since {}.",
            member.priority,
            self.at(member.waiting_since.unwrap_or(member.since))
        ));
        Answer {
            has_licence: Some(false),
            words: format!("has no licence yet: it waits for a seat.{queue}"),
            because,
            changes: self.what_gives_a_seat(),
        }
    }

    fn what_gives_a_seat(&self) -> Vec<String> {
        let view = self.view;
        let free = view.seats.map_or(0, |seats| seats.free());
        let mut changes = Vec::new();
        if let Some(place) = view.place {
            let all = view.pending.max(place);
            changes.push(match (place.saturating_sub(free), all.saturating_sub(free)) {
                (0, _) => format!("A seat is free for it: the next run{} gives it out.", self.next_run()),
                (reach, serve) if reach == serve => {
                    format!("Buy {}: that serves everybody who waits.", count(reach, "seat", "seats"))
                }
                (reach, serve) => format!(
                    "Buy {}, and the queue reaches it; {} {} everybody who waits.",
                    count(reach, "seat", "seats"),
                    number(serve),
                    either(serve, "serves", "serve")
                ),
            });
        }
        changes.push("Each seat that a leaver frees goes to the first in the queue.".to_owned());
        changes.push("A lower priority number in the roster moves it forward.".to_owned());
        if let Some(at) = view.next_probe.or(view.next_run) {
            changes.push(format!(
                "rosterd looks for free seats again by itself, next on {}; `rosterd sync {}` looks now.",
                self.at(at),
                view.subscription
            ));
        }
        changes
    }

    fn waiting(&self, member: &Member) -> Answer {
        let starts = match &self.desired {
            Desired::Waiting { starts, .. } => format!("its start is ahead: {}.", self.day(*starts)),
            _ => sentence(&plain(&member.reason)),
        };
        Answer {
            has_licence: Some(false),
            words: format!("has no licence yet: {starts}"),
            because: self.named(),
            changes: self.what_starts_it(),
        }
    }

    fn what_starts_it(&self) -> Vec<String> {
        vec![
            "On that day rosterd asks for a seat by itself; nobody has to do anything.".to_owned(),
            format!("An earlier start date in {} brings it forward.", self.sources("or")),
        ]
    }

    fn leaving(&self, member: &Member) -> Answer {
        let (why, mut changes) = self.what_keeps_a_leaver(member);
        let mut because = self.why_not_desired();
        if let Some(departure) = member.departure.as_ref().or(self.view.candidate.departure.as_deref()) {
            because = vec![self.departed(departure)];
            because.extend(departure.renamed_to.as_ref().map(|to| format!("The same person's address is now {to}.")));
        } else {
            because.extend(recorded(member));
        }
        because.push(why);
        changes.push(format!("Naming it again in {} keeps the licence.", self.sources("or")));
        Answer {
            has_licence: Some(true),
            words: format!("still has its licence, and is leaving since {}.", self.at(member.since)),
            because,
            changes,
        }
    }

    /// Protection, a hold, or the time of grace: why the seat is not taken yet, and what ends that.
    fn what_keeps_a_leaver(&self, member: &Member) -> (String, Vec<String>) {
        if let Some(words) = self.protected() {
            return (words, vec![unprotect()]);
        }
        if let Some(stored) = self.view.hold.as_ref().filter(|stored| self.is_held(stored)) {
            let why = format!(
                "Its removal is held for a person's word since {}: {}",
                self.at(stored.since),
                stored.hold.reasons.iter().map(|reason| sentence(&plain(reason))).collect::<Vec<_>>().join(" ")
            );
            let name = &self.view.subscription;
            let decide = if stored.hold.braked {
                format!("`rosterd resume` lets removals go on; `rosterd reject {name}` keeps it.")
            } else {
                format!("`rosterd approve {name}` takes the licence back; `rosterd reject {name}` keeps it.")
            };
            return (why, vec![decide]);
        }
        let departure = member.departure.as_ref();
        if let Some(to) = departure.and_then(|departure| departure.renamed_to.as_ref()) {
            return (
                format!("Its seat goes over to {to} as soon as {to} can have one."),
                vec![format!("`rosterd explain {to}` says what stands in its way.")],
            );
        }
        let grace = departure.map(|departure| grace(&self.view.policy, departure.reason)).unwrap_or_default();
        let since = departure.map_or(member.since, |departure| departure.at);
        match chrono::TimeDelta::from_std(grace).ok().and_then(|grace| since.checked_add_signed(grace)) {
            Some(until) if until > self.now => (
                format!("Its time of grace lasts until {}.", self.at(until)),
                vec!["After that the licence is taken back.".to_owned()],
            ),
            _ => (
                "Its time of grace is over.".to_owned(),
                vec![format!("The next run{} takes the licence back, unless a guard holds it.", self.next_run())],
            ),
        }
    }

    fn is_held(&self, stored: &crate::ledger::StoredHold) -> bool {
        stored.hold.removals.iter().any(|removal| removal.address == *self.address)
    }

    /// How it stopped being wanted. A rule's departure has neither source nor origin.
    fn departed(&self, departure: &Departure) -> String {
        let Departure { reason, source, at, renamed_to: _, origin } = departure;
        let from = match (source.is_empty(), origin.is_empty()) {
            (true, _) => "the rosters".to_owned(),
            (false, true) => source.clone(),
            (false, false) => format!("{source} (where it stood: {origin})"),
        };
        let at = self.at(*at);
        match reason {
            Reason::Left => format!("It is no longer in {from}, since {at}."),
            Reason::Disabled => format!("Its account in {from} is disabled, since {at}."),
            Reason::Vanished => format!("Its entry in {from} can't be found any more, since {at}."),
            Reason::Ended => format!("Its end date in {from} is past, since {at}."),
            Reason::Removed => format!("A row of {from} removed it, on {at}."),
            Reason::Renamed => format!("The person has another address in {from}, since {at}."),
            Reason::Excluded => format!("An `exclude` pattern matches it, since {at}."),
            Reason::Scope => {
                format!("What is looked at leaves it out since {at}: no source that is looked at names it.")
            }
        }
    }

    fn quarantined(&self, member: &Member) -> Answer {
        let reason = sentence(&plain(&member.reason));
        let mut because = self.named();
        let changes = match &self.desired {
            Desired::Quarantined { .. } => {
                because.push(self.wrong_domain());
                self.what_lets_the_domain_in()
            }
            Desired::Wanted { .. } if member.refused && member.reason.starts_with(TAKEN_BACK) => {
                because.push(format!("A person had it set aside on {}: {reason}", self.at(member.since)));
                vec![format!(
                    "`rosterd retry {} {}` lets it have a licence again.",
                    self.view.subscription, self.address
                )]
            }
            Desired::Wanted { .. } if member.refused => {
                because.push(format!(
                    "The server refused the address on {}: “{}”",
                    self.at(member.since),
                    plain(&member.reason)
                ));
                vec![
                    format!("Correct the address in {}, where it is wrong.", self.sources("or")),
                    format!(
                        "Where it is right, `rosterd retry {} {}` lets it try again.",
                        self.view.subscription, self.address
                    ),
                ]
            }
            Desired::Wanted { .. } => {
                because.push(format!("It was set aside on {}: {reason}", self.at(member.since)));
                vec![format!("The next run{} judges it anew.", self.next_run())]
            }
            _ => {
                because.extend(self.why_not_desired());
                because.push(format!("It was set aside on {}: {reason}", self.at(member.since)));
                vec![format!("Naming it in {} gives it another try.", self.sources("or"))]
            }
        };
        let words = if member.has_seat {
            "has a licence, and its entry is set aside (quarantined)."
        } else {
            "has no licence: it is set aside (quarantined)."
        };
        Answer { has_licence: Some(member.has_seat), words: words.to_owned(), because, changes }
    }

    fn unknown(&self, member: &Member) -> Answer {
        let mut because = vec![format!(
            "The answer to a request for it was lost on {}: {}",
            self.at(member.since),
            sentence(&plain(&member.reason))
        )];
        because.extend(self.named());
        because.extend(match &self.desired {
            Desired::Wanted { .. } => Vec::new(),
            _ => self.why_not_desired(),
        });
        let before = if member.has_seat { "had one" } else { "had none" };
        Answer {
            has_licence: None,
            words: format!("nobody knows whether it has a licence; before the last request it {before}."),
            because,
            changes: vec![format!(
                "The next run{} settles it before anything else; `rosterd sync {}` does so now.",
                self.next_run(),
                self.view.subscription
            )],
        }
    }

    /// Nothing is recorded of it: no run has looked at it yet, a rule keeps it out, or it is past.
    fn no_member(&self, past: Option<&HistoryLine>) -> Answer {
        let mut because = self.named();
        let changes = match &self.desired {
            Desired::Wanted { .. } => {
                because.push("No run has looked at it since it was named.".to_owned());
                vec![format!(
                    "The next run{} asks for a seat; `rosterd sync {}` does so now.",
                    self.next_run(),
                    self.view.subscription
                )]
            }
            Desired::Waiting { starts, .. } => {
                because.push(format!("Its start is ahead: {}.", self.day(*starts)));
                self.what_starts_it()
            }
            Desired::Not(NotDesired::Ended(_)) => {
                because.extend(self.why_not_desired());
                vec![format!("A later end date in {}, or none, gives it a licence again.", self.sources("or"))]
            }
            Desired::Not(NotDesired::Excluded(pattern)) => {
                because.extend(self.why_not_desired());
                vec![format!(
                    "Take the pattern {pattern} out of `exclude`, or make it match less, and it is given a licence."
                )]
            }
            Desired::Quarantined { .. } => {
                because.push(self.wrong_domain());
                self.what_lets_the_domain_in()
            }
            Desired::Not(NotDesired::Unnamed) => {
                because.extend(self.departure());
                because.extend(past.map(|line| self.ended_by(line)));
                because.extend(self.why_not_desired());
                let mut changes = vec![format!("Add it to {}, and it is given a licence.", self.sources("or"))];
                if self.view.sources.iter().any(|source| source.evidence.is_some()) {
                    changes.push(
                        "Where it is in a group there and its account is disabled, enable the account.".to_owned(),
                    );
                }
                changes
            }
        };
        let words = if self.is_wanted() { "has no licence yet." } else { "has no licence." };
        Answer { has_licence: Some(false), words: words.to_owned(), because, changes }
    }

    fn departure(&self) -> Option<String> {
        let candidate = &self.view.candidate;
        let kept = candidate.member.as_ref().and_then(|member| member.departure.as_ref());
        candidate.departure.as_deref().or(kept).map(|departure| self.departed(departure))
    }

    fn ended_by(&self, line: &HistoryLine) -> String {
        let what = match line.event {
            Event::Unassigned => "Its licence was taken back",
            Event::Renamed => "Its licence went to the same person's other address",
            Event::Forgotten => "It was dropped from the ledger by a person",
            _ => "It was dropped from the queue",
        };
        format!("{what} on {}: {}", self.at(line.at), sentence(&plain(&line.detail)))
    }

    /// Which rosters name it, and where.
    fn named(&self) -> Vec<String> {
        let entries = &self.view.candidate.entries;
        let said = |(source, entry): &(String, Entry)| {
            let seen = self.view.sources.iter().find(|view| view.name == *source).and_then(|view| view.accepted_at);
            let seen = seen.map_or_else(String::new, |at| format!(", last read {}", relative(at, self.now)));
            format!("{source} names it ({}{seen}).", entry.origin)
        };
        entries.iter().map(said).collect()
    }

    /// Where a directory was read, and how many were seen in the groups through which it names the address; in all of
    /// them where it does not name it.
    fn seen_in(&self, source: &SourceView) -> Option<String> {
        let observed = &source.evidence.as_ref()?.observed;
        let named = self.view.candidate.entries.iter().filter(|(name, _)| *name == source.name);
        let origins: Vec<&str> = named.map(|(_, entry)| &*entry.origin).collect();
        let is_meant = |dn: &str| origins.is_empty() || origins.iter().any(|origin| origin.contains(dn));
        let mut groups: Vec<String> = observed
            .groups
            .iter()
            .filter(|group| is_meant(&group.dn))
            .map(|group| format!("{} in {}", count(group.people, "person", "people"), group.dn))
            .collect();
        let more = groups.len().saturating_sub(GROUPS_TOLD_MAX);
        groups.truncate(GROUPS_TOLD_MAX);
        if more > 0 {
            groups.push(count(more as u64, "more group", "more groups"));
        }
        let showed = if groups.is_empty() { String::new() } else { format!(", which showed {}", list(&groups, "and")) };
        Some(format!("{} was read from {} ({}){showed}.", source.name, observed.server, observed.kind))
    }

    fn why_not_desired(&self) -> Vec<String> {
        match &self.desired {
            Desired::Wanted { .. } => Vec::new(),
            Desired::Waiting { starts, .. } => vec![format!("Its start is ahead: {}.", self.day(*starts))],
            Desired::Not(NotDesired::Ended(ended)) => vec![format!("Its end date is past: {}.", self.day(*ended))],
            Desired::Not(NotDesired::Excluded(pattern)) => {
                vec![format!("The `exclude` pattern {pattern} of the configuration matches it.")]
            }
            Desired::Quarantined { .. } => vec![self.wrong_domain()],
            Desired::Not(NotDesired::Unnamed) => vec![format!("No roster of {} names it now.", self.view.subscription)],
        }
    }

    fn wrong_domain(&self) -> String {
        format!(
            "Its domain, {}, is none of the subscription's `domains` ({}).",
            self.address.domain(),
            self.view.policy.domains.join(", ")
        )
    }

    fn what_lets_the_domain_in(&self) -> Vec<String> {
        vec![
            format!("Where it belongs to another client, take it out of {}.", self.sources("or")),
            format!("Where it belongs here, add {} to `domains`.", self.address.domain()),
        ]
    }

    fn bad_rows(&self) -> impl Iterator<Item = String> {
        let rows = self.view.sources.iter().flat_map(|source| source.bad_rows.iter().map(move |row| (source, row)));
        rows.map(|(source, row)| {
            let reason = sentence(&plain(&row.reason));
            format!("{}: {} can't be used: {reason} What the person has now stays as it is.", source.name, row.origin)
        })
    }

    fn protecting(&self) -> Option<&str> {
        self.view.policy.protect.matching(self.address.identity())
    }

    fn protected(&self) -> Option<String> {
        self.protecting().map(|pattern| {
            format!("The `protect` pattern {pattern} matches it: rosterd never takes this licence back.")
        })
    }

    /// The subscription's sources, with their places.
    fn sources(&self, last: &str) -> String {
        list(&self.view.sources.iter().map(place).collect::<Vec<_>>(), last)
    }

    fn next_run(&self) -> String {
        self.view.next_run.map_or_else(String::new, |at| format!(" ({})", relative(at, self.now)))
    }

    /// A day of the subscription's time zone, or a moment of it.
    fn day(&self, at: Timestamp) -> String {
        format!("{} ({})", day_in(at, self.view.policy.timezone), relative(at, self.now))
    }

    fn at(&self, at: Timestamp) -> String {
        moment_and_distance(at, self.now)
    }
}

/// The reason that the ledger keeps with a member.
fn recorded(member: &Member) -> Option<String> {
    (!member.reason.is_empty()).then(|| format!("The ledger says: {}", sentence(&plain(&member.reason))))
}

fn unprotect() -> String {
    "Only a change of `protect` in the configuration lets rosterd take it back.".to_owned()
}
