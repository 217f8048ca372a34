//! Many alerts told as one: when a brake, a server or a directory is the matter of hundreds of subscriptions at once, a
//! receiver gets one message that says how many, of what, and names the first few.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{Alert, Phase, Subject, Words};
use crate::config::AlertEvent;
use crate::report::text::{count, either, list, number, sentence};

/// So many of a kind are told in their own words …
const TOLD_MAX: usize = 3;
/// … and so many others are named.
const NAMED_MAX: usize = 20;

/// The id of a digest of so many alerts, the first of which has this one.
pub fn id(first: &str, number: usize) -> String {
    format!("msg_{}", &blake3::hash(format!("{first} of {number}").as_bytes()).to_hex()[..24])
}

/// What is told in one message of this id: an alert by itself, or many as one.
pub fn together(message: &str, mut alerts: Vec<Alert>) -> Option<Alert> {
    if alerts.first()?.id == message { Some(alerts.swap_remove(0)) } else { Some(of(message, alerts)) }
}

/// These as one, in the order in which they were put into the outbox.
fn of(id: &str, alerts: Vec<Alert>) -> Alert {
    let (since, at) = (alerts.iter().map(|alert| alert.since).min(), alerts.iter().map(|alert| alert.at).max());
    let (since, at) = (since.unwrap_or_default(), at.unwrap_or_default());
    let headline = headline(&alerts);
    let words = if alerts.iter().all(|alert| alert.phase == Phase::Over) {
        Words { headline, to_do: "Nothing.".to_owned(), ..Words::default() }
    } else {
        Words {
            headline,
            done: "It does about each what it does about one, and tells them together.".to_owned(),
            to_do: "Look first whether one reason is behind many of them: `rosterd status` says what each needs."
                .to_owned(),
            otherwise: "Each goes on until it is mended.".to_owned(),
            ..Words::default()
        }
    };
    Alert {
        id: id.to_owned(),
        cause: id.to_owned(),
        phase: Phase::Digest,
        event: alerts.first().map_or(AlertEvent::RunFailed, |alert| alert.event),
        subject: Subject::Fleet,
        since,
        at,
        words,
        gathered: alerts,
    }
}

fn headline(alerts: &[Alert]) -> String {
    let kinds = kinds(alerts);
    let causes: usize = kinds.iter().map(|(_, of_kind)| of_kind.len()).sum();
    let parts: Vec<String> = kinds.iter().map(|(kind, of_kind)| kind.words(of_kind.len() as u64)).collect();
    format!("{}: {}", count(causes as u64, "alert", "alerts"), list(&parts, "and"))
}

/// What alerts of one kind have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// It concerns everybody, and says so itself.
    All,
    Of(AlertEvent),
    Over,
}

impl Kind {
    fn of(alert: &Alert) -> Kind {
        match (alert.phase, &alert.subject) {
            (Phase::Over, _) => Kind::Over,
            (_, Subject::Fleet | Subject::Ledger) => Kind::All,
            _ => Kind::Of(alert.event),
        }
    }

    fn words(self, n: u64) -> String {
        let subscriptions = count(n, "subscription", "subscriptions");
        match self {
            Kind::All => "removals are stopped everywhere".to_owned(),
            Kind::Over => format!("{} {} over", number(n), either(n, "is", "are")),
            Kind::Of(AlertEvent::SeatsExhausted) => format!("seats are missing in {subscriptions}"),
            Kind::Of(AlertEvent::KeyRejected) => {
                format!("the {} of {subscriptions} {} not accepted", either(n, "key", "keys"), either(n, "is", "are"))
            }
            Kind::Of(AlertEvent::RemovalsHeld) => format!("removals are held in {subscriptions}"),
            Kind::Of(AlertEvent::SourceFailed) => {
                format!("{} {}", count(n, "source", "sources"), either(n, "fails", "fail"))
            }
            Kind::Of(AlertEvent::MembersQuarantined) => format!("addresses are quarantined in {subscriptions}"),
            Kind::Of(AlertEvent::Drift) => format!("others changed licences in {subscriptions}"),
            Kind::Of(AlertEvent::RunFailed) => format!("runs fail in {subscriptions}"),
            Kind::Of(AlertEvent::ConfigurationRefused) => "the configuration can't be used".to_owned(),
        }
    }
}

/// The last that is told of each matter, by kind: what concerns everybody first, then the most, and what is over last.
fn kinds(alerts: &[Alert]) -> Vec<(Kind, Vec<&Alert>)> {
    let mut seen = BTreeSet::new();
    let mut is_last = |alert: &&Alert| seen.insert((alert.subject.to_string(), alert.event.to_string()));
    let mut last: Vec<&Alert> = alerts.iter().rev().filter(&mut is_last).collect();
    last.reverse();
    let mut kinds = BTreeMap::<Kind, Vec<&Alert>>::new();
    for alert in last {
        kinds.entry(Kind::of(alert)).or_default().push(alert);
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(kind, of_kind)| (*kind != Kind::All, *kind == Kind::Over, Reverse(of_kind.len())));
    kinds
}

/// What a person reads of them: for each kind how many there are, the first in their own words, and the names of others.
pub(super) fn parts(alerts: &[Alert]) -> Vec<(String, String)> {
    let part = |(kind, of_kind): (Kind, Vec<&Alert>)| {
        let (told, others) = of_kind.split_at(of_kind.len().min(TOLD_MAX));
        let mut text: Vec<String> = in_short(told);
        if !others.is_empty() {
            let mut names: Vec<String> = others.iter().take(NAMED_MAX).map(|alert| name(alert).to_owned()).collect();
            if others.len() > NAMED_MAX {
                names.push(format!("{} more", number((others.len() - NAMED_MAX) as u64)));
            }
            text.push(format!("And {}.", list(&names, "and")));
        }
        (first_upper(&kind.words(of_kind.len() as u64)), text.join(" "))
    };
    kinds(alerts).into_iter().map(part).collect()
}

/// What happened, and what is to be done, which is said once where it is the same.
fn in_short(told: &[&Alert]) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for (place, alert) in told.iter().enumerate() {
        texts.push(sentence(&alert.words.headline));
        let to_do = &alert.words.to_do;
        let is_last = told.get(place + 1).is_none_or(|next| next.words.to_do != *to_do);
        if is_last && !to_do.is_empty() && alert.phase != Phase::Over {
            texts.push(to_do.clone());
        }
    }
    texts
}

fn name(alert: &Alert) -> &str {
    alert.subject.subscription().or(alert.subject.source()).unwrap_or("all")
}

fn first_upper(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::render;
    use crate::clock::Timestamp;

    fn alert(name: &str, event: AlertEvent, phase: Phase, headline: &str) -> Alert {
        Alert {
            id: format!("msg_{name}{}", phase.word()),
            cause: format!("{name}{event}"),
            phase,
            event,
            subject: Subject::Subscription(name.to_owned()),
            since: Timestamp::UNIX_EPOCH,
            at: Timestamp::UNIX_EPOCH,
            words: Words { headline: format!("{name}: {headline}"), ..Words::default() },
            gathered: Vec::new(),
        }
    }

    #[test]
    fn hundreds_are_one_message_that_says_how_many_and_names_the_first() {
        let mut alerts: Vec<Alert> = (0..214)
            .map(|n| alert(&format!("c{n}"), AlertEvent::RunFailed, Phase::New, "the licensing server gives no answer"))
            .collect();
        alerts.push(alert("z", AlertEvent::SeatsExhausted, Phase::Reminder, "1 person waits for a licence: buy 1"));
        alerts.push(alert("c0", AlertEvent::RunFailed, Phase::Over, "its runs go on"));
        let digest = of("msg_1", alerts);
        insta::assert_snapshot!(render::text(&digest, std::time::Duration::from_hours(24)), @r"
        215 alerts: runs fail in 213 subscriptions, seats are missing in 1 subscription and 1 is over.

        Runs fail in 213 subscriptions: c1: the licensing server gives no answer. c2: the licensing server gives no answer. c3: the licensing server gives no answer. And c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16, c17, c18, c19, c20, c21, c22, c23 and 190 more.

        Seats are missing in 1 subscription: z: 1 person waits for a licence: buy 1.

        1 is over: c0: its runs go on.

        What rosterd did: It does about each what it does about one, and tells them together.

        What you have to do: Look first whether one reason is behind many of them: `rosterd status` says what each needs.

        If nobody does it: Each goes on until it is mended.

        Told by rosterd at 1970-01-01 00:00 UTC.
        ");
    }

    #[test]
    fn one_of_a_kind_is_one() {
        for event in AlertEvent::ALL {
            for n in [1, 2] {
                let words = Kind::Of(event).words(n);
                assert!(!words.contains("1 subscriptions") && !words.contains("1 sources"), "{words}");
            }
        }
        let over = of(
            "m",
            vec![alert("a", AlertEvent::Drift, Phase::Over, "x"), alert("b", AlertEvent::Drift, Phase::Over, "x")],
        );
        assert_eq!(over.words.headline, "2 alerts: 2 are over");
    }
}
