//! What is worth telling a person, in words that say what happened, to whom, what rosterd did, what is to be done, and
//! what happens if nobody does it.
//!
//! A *cause* is a fact that stands in the ledger: somebody waits for a seat that is not there, a key is not accepted.
//! [`cause`] derives the causes of one subject from what is known of it, and [`news`] says what of them a receiver is to
//! hear: what is new, what is another now, a reminder, and that it is over. Both are pure. [`look`] does that for the
//! subjects that something touched, which the ledger marks by itself, so that nothing is looked at where nothing
//! happens; what is to be told goes into the ledger's outbox in the transaction that notes that it was told. [`deliver`]
//! takes it from there: in order for each receiver and cause, again and again until it has arrived, with an id that
//! stays the same. [`pace`] says how many messages a receiver gets, and [`digest`] makes one of many. [`receiver`] knows the receivers, [`render`] puts an alert into their words, [`signature`] signs it,
//! and [`send`] sends it once. [`line`] says the same in the log's one line, receivers or none.

pub mod cause;
pub mod deliver;
pub mod digest;
pub mod line;
pub mod look;
pub mod news;
pub mod pace;
pub mod receiver;
pub mod render;
pub mod send;
pub mod signature;
mod words;

#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use receiver::Receiver;

use crate::clock::Timestamp;
use crate::config::AlertEvent;

/// What a cause is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    Subscription(String),
    Source(String),
    /// All subscriptions together.
    Fleet,
    /// The ledger itself.
    Ledger,
    /// The files of the configuration.
    Configuration,
}

impl Subject {
    /// As the ledger keeps it. `None` where the text is no subject.
    pub fn parse(text: &str) -> Option<Subject> {
        match text.split_once('/') {
            Some(("subscription", name)) => Some(Subject::Subscription(name.to_owned())),
            Some(("source", name)) => Some(Subject::Source(name.to_owned())),
            None if text == "fleet" => Some(Subject::Fleet),
            None if text == "ledger" => Some(Subject::Ledger),
            None if text == "configuration" => Some(Subject::Configuration),
            _ => None,
        }
    }

    pub fn subscription(&self) -> Option<&str> {
        match self {
            Subject::Subscription(name) => Some(name),
            _ => None,
        }
    }

    pub fn source(&self) -> Option<&str> {
        match self {
            Subject::Source(name) => Some(name),
            _ => None,
        }
    }
}

/// As [`Subject::parse`] reads it.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Subscription(name) => write!(f, "subscription/{name}"),
            Subject::Source(name) => write!(f, "source/{name}"),
            Subject::Fleet => f.write_str("fleet"),
            Subject::Ledger => f.write_str("ledger"),
            Subject::Configuration => f.write_str("configuration"),
        }
    }
}

/// Why a cause is told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    New,
    /// Its meaning is another: see [`cause::Mark`].
    Changed,
    Reminder,
    Over,
    /// It tells of many at once: see [`digest`].
    Digest,
    /// It tells of nothing: somebody wants to know whether it arrives.
    Test,
}

impl Phase {
    pub fn word(self) -> &'static str {
        match self {
            Phase::New => "new",
            Phase::Changed => "changed",
            Phase::Reminder => "reminder",
            Phase::Over => "over",
            Phase::Digest => "digest",
            Phase::Test => "test",
        }
    }
}

/// The words of a cause. Sentences, but for the headline, which has no stop at its end. Empty where there is nothing to
/// say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Words {
    /// What happened, to whom, in one line that reads alone in a mailbox.
    pub headline: String,
    /// What there is to know besides.
    pub detail: String,
    /// The people concerned, the first of them …
    pub people: Vec<String>,
    /// … and how many others.
    pub others: u64,
    /// What rosterd did about it.
    pub done: String,
    /// What the person has to do.
    pub to_do: String,
    /// What happens if nobody does anything.
    pub otherwise: String,
}

impl Words {
    /// The same with each text put through this.
    #[must_use]
    pub fn map(&self, each: impl Fn(&str) -> String) -> Words {
        let Words { headline, detail, people, others, done, to_do, otherwise } = self;
        Words {
            headline: each(headline),
            detail: each(detail),
            people: people.iter().map(|one| each(one)).collect(),
            others: *others,
            done: each(done),
            to_do: each(to_do),
            otherwise: each(otherwise),
        }
    }
}

/// What one receiver is told of one cause at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Stays the same however often it is sent.
    pub id: String,
    /// The same in all that is told of a cause, from its beginning to its end.
    pub cause: String,
    pub phase: Phase,
    pub event: AlertEvent,
    pub subject: Subject,
    /// Since when the cause stands, or stood.
    pub since: Timestamp,
    /// The moment of which this tells.
    pub at: Timestamp,
    pub words: Words,
    /// Of a digest: all that it tells of, in order.
    #[serde(skip)]
    pub gathered: Vec<Alert>,
}

impl Alert {
    /// One that tells of nothing, to see whether it arrives.
    pub fn test(receiver: &Receiver, now: Timestamp) -> Alert {
        let id = &blake3::hash(format!("{} {}", receiver.mark, now.timestamp_micros()).as_bytes()).to_hex()[..24];
        Alert {
            id: format!("msg_{id}"),
            cause: format!("test{id}"),
            phase: Phase::Test,
            event: AlertEvent::SeatsExhausted,
            subject: Subject::Fleet,
            since: now,
            at: now,
            words: Words {
                headline: "A test of rosterd's alerts: nothing is wrong".to_owned(),
                detail: "Somebody ran `rosterd check --send-test-alert`. What needs a person is told here.".to_owned(),
                to_do: "Nothing.".to_owned(),
                ..Words::default()
            },
            gathered: Vec::new(),
        }
    }
}

/// How many people an alert names; the rest is a number.
const NAMED_MAX: usize = 20;
