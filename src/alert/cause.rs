//! The causes that stand for one subject: a pure function of what is known of it.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::words;
use super::{NAMED_MAX, Words};
use crate::brake::Brake;
use crate::clock::Timestamp;
use crate::config::{AlertEvent, Subscription};
use crate::dispatch::stop::{GIVES_NO_ANSWER, WAS_STOPPED};
use crate::ledger::SubscriptionRecord;
use crate::member::{Member, MemberState, Restored, TAKEN_BACK};
use crate::plan::Hold;
use crate::report::drift;
use crate::report::shortage::{Shortage, waits_for_a_seat};
use crate::report::status::MemberCounts;
use crate::report::text::sentence;

/// A licensing server that gives no answer for less than this needs nobody: it is tried again by itself.
pub const SERVER_PATIENCE: TimeDelta = TimeDelta::minutes(5);
/// The same for a source that may be well again by itself: a share that is away, a directory that starts anew.
pub const SOURCE_PATIENCE: TimeDelta = TimeDelta::minutes(10);
/// The same for a configuration that can't be used: somebody may be writing it.
pub const CONFIGURATION_PATIENCE: TimeDelta = TimeDelta::minutes(5);
/// What may stand or not is looked at again after this, though nothing marks it.
const OPEN: TimeDelta = TimeDelta::minutes(5);

/// A cause that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub event: AlertEvent,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    pub mark: Mark,
    pub words: Words,
}

/// The causes of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Causes {
    pub standing: Vec<Cause>,
    /// What may stand or not: what was told of it stays as it is.
    pub undecided: Vec<AlertEvent>,
    /// When something is to be seen that no change tells of: a patience ends.
    pub next: Option<Timestamp>,
}

/// What a cause means, as far as a change of it is worth a word before the next reminder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// It means the same for as long as it stands: a key is not accepted, in whatever words; removals are stopped.
    Same,
    /// Seats: it is another matter when the number of seats is another (somebody bought some, and not enough), or when
    /// twice as many are missing as were told. That one more person waits is for the next reminder.
    Seats { available: Option<u64>, buy: u64 },
    /// People who are held or quarantined: it is another matter when there are more of them, or others in the same
    /// number; not when some of them are well again.
    People { number: u64, digest: String },
    /// A reason in words: it is another matter when these are others. Numbers in them do not count.
    Reason(String),
    /// It is another matter each time it is found: drift.
    Found(Timestamp),
}

/// What has become of what a cause meant when it was told last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shift {
    /// Nothing that counts.
    None,
    /// It is measured by this from now on, and not told.
    Less,
    /// It is another matter.
    Changed,
}

impl Mark {
    fn reason(words: &str) -> Mark {
        let mut shape = String::with_capacity(words.len());
        for c in words.chars() {
            match c {
                '0'..='9' if shape.ends_with('#') => {}
                '0'..='9' => shape.push('#'),
                c => shape.push(c),
            }
        }
        Mark::Reason(short_hash(&shape))
    }

    fn people<'a>(identities: impl Iterator<Item = &'a str>) -> Mark {
        let (mut hasher, mut number) = (blake3::Hasher::new(), 0);
        for identity in identities {
            hasher.update(identity.as_bytes()).update(b"\n");
            number += 1;
        }
        Mark::People { number, digest: hasher.finalize().to_hex()[..16].to_owned() }
    }

    /// How this differs from what was told.
    pub fn shift_from(&self, told: &Mark) -> Shift {
        match (told, self) {
            (told, now) if told == now => Shift::None,
            (Mark::Seats { available: had, buy: told }, Mark::Seats { available: has, buy: now }) => {
                if had != has || *now >= (2 * told).max(1) {
                    Shift::Changed
                } else if now < told {
                    Shift::Less
                } else {
                    Shift::None
                }
            }
            (Mark::People { number: told, .. }, Mark::People { number: now, .. }) if now < told => Shift::Less,
            _ => Shift::Changed,
        }
    }
}

/// What is known of a subscription.
#[derive(Debug)]
pub struct Facts<'a> {
    pub subscription: &'a Subscription,
    pub record: &'a SubscriptionRecord,
    pub counts: MemberCounts,
    /// Everybody who waits for a seat, who is quarantined, or who is leaving; in order of address.
    pub unsettled: &'a [Member],
    pub brake: Option<&'a Brake>,
    pub now: Timestamp,
}

/// The causes of a subscription.
pub fn of_subscription(facts: &Facts<'_>) -> Causes {
    let failed = run_failed(facts);
    let (failed, next) = match failed {
        Some((_, from)) if from > facts.now => (None, Some(from)),
        Some((cause, _)) => (Some(cause), None),
        None => (None, None),
    };
    let (drift, drift_ends) = drift(facts).unzip();
    let seats = seats_exhausted(facts);
    // Whether they have a seat, or would get one, is seen when the server answers.
    let is_open = facts.counts.unknown > 0 || facts.in_state(MemberState::Pending).any(was_not_asked);
    let seats_are_open = seats.is_none() && is_open;
    let all = [seats, key_rejected(facts), removals_held(facts), quarantined(facts), drift, failed];
    let look_again = seats_are_open.then(|| facts.now + OPEN);
    let next = next.into_iter().chain(drift_ends.flatten()).chain(look_again).filter(|at| *at > facts.now).min();
    let undecided = if seats_are_open { vec![AlertEvent::SeatsExhausted] } else { Vec::new() };
    Causes { standing: all.into_iter().flatten().collect(), undecided, next }
}

fn seats_exhausted(facts: &Facts<'_>) -> Option<Cause> {
    let record = facts.record;
    let mut queue: Vec<&Member> = facts.unsettled.iter().filter(|member| waits_for_a_seat(member)).collect();
    let (leaving, braked) = (facts.in_state(MemberState::Leaving), facts.brake.is_some());
    let shortage = Shortage::of(facts.subscription, record, queue.len() as u64, leaving, braked, facts.now)?;
    queue.sort_by_key(|member| (member.claim.is_none(), member.priority, member.waiting_since, member.address.clone()));
    let people = queue.iter().take(NAMED_MAX).map(|member| member.address.spelling().to_owned()).collect();
    Some(Cause {
        event: AlertEvent::SeatsExhausted,
        since: record.full_since.or_else(|| queue.iter().filter_map(|member| member.waiting_since).min()),
        mark: Mark::Seats { available: shortage.available, buy: shortage.buy() },
        words: Words {
            people,
            others: shortage.waiting.saturating_sub(NAMED_MAX as u64),
            ..words::seats_exhausted(facts.subscription, &shortage)
        },
    })
}

fn was_not_asked(member: &Member) -> bool {
    !waits_for_a_seat(member)
}

fn key_rejected(facts: &Facts<'_>) -> Option<Cause> {
    let (problem, since) = facts.record.problem.as_ref().filter(|_| facts.record.key_rejected)?;
    Some(Cause {
        event: AlertEvent::KeyRejected,
        since: Some(*since),
        mark: Mark::Same,
        words: words::key_rejected(facts.subscription, problem, facts.counts),
    })
}

/// The cause, and from when on it is to be told.
fn run_failed(facts: &Facts<'_>) -> Option<(Cause, Timestamp)> {
    let (problem, since) = facts.record.problem.as_ref().filter(|_| !facts.record.key_rejected)?;
    if problem.starts_with(WAS_STOPPED) {
        return None;
    }
    let passing = problem.starts_with(GIVES_NO_ANSWER);
    let patience = if passing { SERVER_PATIENCE } else { TimeDelta::zero() };
    let cause = Cause {
        event: AlertEvent::RunFailed,
        since: Some(*since),
        // That no answer comes is one matter, whatever comes in its place.
        mark: if passing { Mark::Same } else { Mark::reason(problem) },
        words: words::run_failed(facts.subscription, problem, facts.counts, passing),
    };
    // A clock that was set back must not put it off for long.
    Some((cause, (*since).min(facts.now) + patience))
}

fn removals_held(facts: &Facts<'_>) -> Option<Cause> {
    let stored = facts.record.hold.as_ref().filter(|_| facts.record.restored.is_none())?;
    let hold = &stored.hold;
    if is_by_brake_alone(hold, facts.brake) {
        return None;
    }
    let mut identities: Vec<&str> = hold.removals.iter().map(|removal| removal.address.identity()).collect();
    identities.sort_unstable();
    let people = hold.removals.iter().take(NAMED_MAX);
    Some(Cause {
        event: AlertEvent::RemovalsHeld,
        since: Some(stored.since),
        mark: Mark::people(identities.into_iter()),
        words: Words {
            people: people.map(|removal| format!("{} ({})", removal.address.spelling(), removal.reason)).collect(),
            others: (hold.removals.len() as u64).saturating_sub(NAMED_MAX as u64),
            ..words::removals_held(facts.subscription, hold)
        },
    })
}

/// That removals are stopped everywhere is told once, and not for each subscription.
fn is_by_brake_alone(hold: &Hold, brake: Option<&Brake>) -> bool {
    let by_brake = brake.map(Brake::in_short);
    by_brake.is_some() && hold.reasons.iter().all(|reason| by_brake.as_ref() == Some(reason))
}

fn quarantined(facts: &Facts<'_>) -> Option<Cause> {
    let mut all: Vec<&Member> = facts.in_state(MemberState::Quarantined).collect();
    // Whom a person set aside is known to a person.
    all.retain(|member| !member.reason.starts_with(TAKEN_BACK));
    let since = all.iter().map(|member| member.since).min()?;
    let people = all.iter().take(NAMED_MAX).map(|member| format!("{}: {}", member.address.spelling(), member.reason));
    Some(Cause {
        event: AlertEvent::MembersQuarantined,
        since: Some(since),
        mark: Mark::people(all.iter().map(|member| member.address.identity())),
        words: Words {
            people: people.collect(),
            others: (all.len() as u64).saturating_sub(NAMED_MAX as u64),
            ..words::quarantined(facts.subscription, all.len() as u64)
        },
    })
}

/// With when it ends by itself.
fn drift(facts: &Facts<'_>) -> Option<(Cause, Option<Timestamp>)> {
    const SHOWN: TimeDelta = TimeDelta::hours(24);
    let drift = facts.record.drift.as_ref()?;
    let found = drift.newest?;
    let fresh = facts.now - found.by < SHOWN;
    let (detail, missed) = match drift::problem(facts.subscription, facts.record, facts.now) {
        Some(problem) => (problem, true),
        None if fresh && found.change > 0 => (drift::found(facts.subscription, facts.record, &found), false),
        None => return None,
    };
    let by = drift.shortfall.map_or(found.by, |shortfall| shortfall.by.max(found.by));
    let cause = Cause {
        event: AlertEvent::Drift,
        since: Some(drift.shortfall.and_then(|shortfall| shortfall.after).unwrap_or(found.by).min(found.by)),
        mark: Mark::Found(found.by),
        words: words::drift(facts.subscription, &sentence(&detail), missed),
    };
    Some((cause, Some(by + SHOWN)))
}

/// What is known of a source that can't be read.
#[derive(Debug, Clone, Copy)]
pub struct SourceFacts<'a> {
    pub name: &'a str,
    /// Why, and since when.
    pub problem: Option<(&'a str, Timestamp)>,
    /// It may be well by itself later.
    pub passing: bool,
    /// People in the roster that stays in force, and when that was last accepted; `None`: there is none.
    pub roster: Option<(u64, Timestamp)>,
    /// A file that is refused is put into the folder `rejected`.
    pub rejected: bool,
    /// Who names it.
    pub subscriptions: &'a [String],
    pub now: Timestamp,
}

/// The cause of a source that gives nothing that can be believed.
pub fn of_source(facts: SourceFacts<'_>) -> Causes {
    let Some((problem, since)) = facts.problem else { return Causes::default() };
    let patience = if facts.passing { SOURCE_PATIENCE } else { TimeDelta::zero() };
    let from = since.min(facts.now) + patience;
    if from > facts.now {
        return Causes { next: Some(from), ..Causes::default() };
    }
    let cause = Cause {
        event: AlertEvent::SourceFailed,
        since: Some(since),
        mark: Mark::reason(problem),
        words: words::source_failed(&facts, problem),
    };
    Causes { standing: vec![cause], ..Causes::default() }
}

/// The cause of the whole fleet: its brake.
pub fn of_fleet(brake: Option<&Brake>) -> Causes {
    let cause = brake.map(|brake| Cause {
        event: AlertEvent::RemovalsHeld,
        since: Some(brake.since),
        mark: Mark::Same,
        words: words::removals_stopped(brake),
    });
    Causes { standing: cause.into_iter().collect(), ..Causes::default() }
}

/// The cause of a configuration that was changed and can't be used: why, and since when.
pub fn of_configuration(refused: Option<&(String, Timestamp)>, now: Timestamp) -> Causes {
    let Some((why, since)) = refused else { return Causes::default() };
    let from = (*since).min(now) + CONFIGURATION_PATIENCE;
    if from > now {
        return Causes { next: Some(from), ..Causes::default() };
    }
    let cause = Cause {
        event: AlertEvent::ConfigurationRefused,
        since: Some(*since),
        mark: Mark::reason(why),
        words: words::configuration_refused(why),
    };
    Causes { standing: vec![cause], ..Causes::default() }
}

/// The cause of a ledger that may not be the newest.
pub fn of_ledger(restored: Option<&Restored>) -> Causes {
    let cause = restored.map(|restored| Cause {
        event: AlertEvent::RemovalsHeld,
        since: None,
        mark: Mark::Same,
        words: words::restored(restored),
    });
    Causes { standing: cause.into_iter().collect(), ..Causes::default() }
}

impl Facts<'_> {
    fn in_state(&self, state: MemberState) -> impl Iterator<Item = &Member> {
        self.unsettled.iter().filter(move |member| member.state == state)
    }
}

fn short_hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::address::Address;
    use crate::config::{Config, load_str};
    use crate::member::{Departure, NOT_ASKED, Seats};
    use crate::plan::Removal;
    use crate::roster::Reason;

    fn config() -> Config {
        let text = r#"
            [subscriptions.Contoso]
            type = "Manual"
            id = "ff3d3cf5-5388-40a0-915f-970c1d2d972f"
            api_key = { file = "contoso.key" }
            sources = ["hr"]
            timezone = "Europe/Berlin"
            removal_grace = { left = "4d" }
            protect = ["ceo@*"]
            [sources.hr]
            kind = "csv"
            path = "drops"
        "#;
        load_str(Path::new("/etc/rosterd/rosterd.toml"), text).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// A Tuesday.
    fn now() -> Timestamp {
        at("2026-11-24T08:00:00Z")
    }

    fn member(address: &str, state: MemberState, reason: &str) -> Member {
        Member {
            address: Address::parse(address).unwrap(),
            state,
            since: now(),
            reason: reason.to_owned(),
            priority: 100,
            has_seat: state == MemberState::Leaving,
            waiting_since: None,
            departure: None,
            kept: false,
            refused: false,
            claim: None,
        }
    }

    fn leaver(address: &str, left: &str) -> Member {
        let departure = Departure {
            reason: Reason::Left,
            source: "hr".into(),
            at: at(left),
            renamed_to: None,
            origin: "staff.csv line 7".into(),
        };
        Member { departure: Some(departure), ..member(address, MemberState::Leaving, "") }
    }

    fn waiting(number: usize) -> Vec<Member> {
        (0..number).map(|n| member(&format!("p{n}@contoso.com"), MemberState::Pending, "no seat is free")).collect()
    }

    fn full(seats: u64) -> SubscriptionRecord {
        let seats = Seats { available: seats, assigned: seats, as_of: now() };
        SubscriptionRecord { seats: Some(seats), ..SubscriptionRecord::default() }
    }

    fn causes(record: &SubscriptionRecord, unsettled: &[Member], brake: Option<&Brake>, now: Timestamp) -> Causes {
        let config = config();
        let subscription = &config.subscriptions["Contoso"];
        of_subscription(&Facts { subscription, record, counts: MemberCounts::default(), unsettled, brake, now })
    }

    fn headlines(record: &SubscriptionRecord, unsettled: &[Member]) -> Vec<String> {
        causes(record, unsettled, None, now()).standing.into_iter().map(|cause| cause.words.headline).collect()
    }

    #[test]
    fn how_many_seats_to_buy_takes_leavers_into_account() {
        let gone = |n: usize, day: &str| (0..n).map(|n| leaver(&format!("l{n}@contoso.com"), day)).collect::<Vec<_>>();
        let with = |mut people: Vec<Member>, leavers: Vec<Member>| {
            people.extend(leavers);
            headlines(&full(40), &people)
        };
        // What ends on Thursday at 23:30 in UTC ends on Friday in Berlin.
        let monday = "2026-11-22T23:30:00Z";
        let said = with(waiting(7), gone(3, monday));
        assert_eq!(
            said,
            [
                "Contoso: 7 people wait for a licence, 0 of 40 seats are free, 3 leavers' seats come free on Friday: buy 4"
            ]
        );
        let said = with(waiting(1), gone(1, monday));
        assert_eq!(
            said,
            [
                "Contoso: 1 person waits for a licence, 0 of 40 seats are free, 1 leaver's seat comes free on Friday: buy 1 unless they can wait until then"
            ]
        );
        let other_day = Member {
            address: Address::parse("x@contoso.com").unwrap(),
            ..leaver("x@contoso.com", "2026-11-21T08:00:00Z")
        };
        let said = with(waiting(7), gone(1, monday).into_iter().chain([other_day]).collect());
        assert_eq!(
            said,
            [
                "Contoso: 7 people wait for a licence, 0 of 40 seats are free, 2 leavers' seats come free by Friday: buy 5"
            ]
        );
        let said = with(waiting(2), vec![leaver("ceo@contoso.com", monday)]);
        assert_eq!(
            said,
            ["Contoso: 2 people wait for a licence, 0 of 40 seats are free: buy 2"],
            "a protected seat never comes free"
        );
    }

    #[test]
    fn who_waits_for_something_else_than_a_seat_is_no_reason_to_buy() {
        let not_asked = member("a@contoso.com", MemberState::Pending, &format!("{NOT_ASKED}the key is refused"));
        let seen = causes(&full(4), &[not_asked], None, now());
        assert_eq!((seen.standing, seen.undecided), (vec![], vec![AlertEvent::SeatsExhausted]));
        let counts = MemberCounts { unknown: 1, ..MemberCounts::default() };
        let (config, record) = (config(), full(4));
        let subscription = &config.subscriptions["Contoso"];
        let facts = Facts { subscription, record: &record, counts, unsettled: &[], brake: None, now: now() };
        assert_eq!(of_subscription(&facts).undecided, [AlertEvent::SeatsExhausted], "an answer was lost");
        assert_eq!(causes(&full(4), &[], None, now()), Causes::default());
        let roomy = SubscriptionRecord {
            seats: Some(Seats { available: 9, assigned: 4, as_of: now() }),
            ..SubscriptionRecord::default()
        };
        assert_eq!(headlines(&roomy, &waiting(5)), [""; 0], "the next run serves them");
        assert_eq!(
            headlines(&SubscriptionRecord::default(), &waiting(5)),
            [""; 0],
            "nobody has said that none is free"
        );
        let told_full = SubscriptionRecord { full_since: Some(now()), ..roomy };
        assert_eq!(
            headlines(&told_full, &waiting(1)),
            ["Contoso: 1 person waits for a licence, 0 of 9 seats are free: buy 1"]
        );
    }

    #[test]
    fn a_problem_is_a_rejected_key_or_a_run_that_failed_and_not_the_end_of_the_program() {
        let record = |problem: &str, key_rejected| SubscriptionRecord {
            problem: Some((problem.to_owned(), now())),
            key_rejected,
            ..SubscriptionRecord::default()
        };
        assert_eq!(headlines(&record("no", true), &[]), ["Contoso: the licensing server does not accept the key"]);
        assert_eq!(headlines(&record(&format!("{WAS_STOPPED}; the next one goes on"), false), &[]), [""; 0]);
        assert_eq!(
            headlines(&record("it redirects to x.example. Is it right?", false), &[]),
            ["Contoso: it redirects to x.example"]
        );
        let away = record(&format!("{GIVES_NO_ANSWER}: refused"), false);
        let soon = causes(&away, &[], None, now());
        assert_eq!((soon.standing.len(), soon.next), (0, Some(now() + SERVER_PATIENCE)));
        assert_eq!(causes(&away, &[], None, now() + SERVER_PATIENCE).standing.len(), 1);
    }

    #[test]
    fn removals_that_are_held_by_the_brake_alone_are_told_once_for_all() {
        let brake = Brake { since: now(), reason: "Much is wrong.".into() };
        let removal = Removal {
            address: Address::parse("a@contoso.com").unwrap(),
            reason: Reason::Left,
            detail: String::new(),
            then: None,
        };
        let held = |reasons: Vec<String>| SubscriptionRecord {
            hold: Some(crate::ledger::StoredHold {
                hold: Hold { digest: "d".into(), removals: vec![removal.clone()], reasons, braked: true },
                since: now(),
            }),
            ..SubscriptionRecord::default()
        };
        assert_eq!(causes(&held(vec![brake.in_short()]), &[], Some(&brake), now()).standing, []);
        let more = causes(&held(vec!["1 removal is more than 0.".into(), brake.in_short()]), &[], Some(&brake), now());
        assert_eq!(more.standing[0].words.headline, "Contoso: 1 removal is held until a person decides");
        assert_eq!(more.standing[0].words.people, ["a@contoso.com (left)"]);
        assert_eq!(
            of_fleet(Some(&brake)).standing[0].words.headline,
            "Removals are stopped everywhere until a person decides"
        );
    }

    #[test]
    fn whom_a_person_set_aside_is_not_told_as_quarantined() {
        let aside = member("a@contoso.com", MemberState::Quarantined, &format!("{TAKEN_BACK}undone"));
        let bad = member("b@contoso.com", MemberState::Quarantined, "the server refused it");
        let told = causes(&SubscriptionRecord::default(), &[aside, bad], None, now()).standing;
        assert_eq!(told[0].words.headline, "Contoso: 1 address is quarantined and can't be given a licence");
        assert_eq!(told[0].words.people, ["b@contoso.com: the server refused it"]);
    }
}
