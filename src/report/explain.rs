//! Why an address has a licence or not, and what would change that: for the help desk, in plain sentences.

mod sentences;
#[cfg(test)]
mod tests;

use serde::Serialize;

use super::history;
use super::members;
use super::text::{Columns, Style, count, list, number, sentence};
use crate::address::{Address, Invalid};
use crate::clock::Timestamp;
use crate::config::Policy;
use crate::ledger::{Event, HistoryLine, MemberState, Seats, StoredHold};
use crate::plan::display::EvidenceJson;
use crate::plan::input::Candidate;
use crate::source::BadRow;

/// Everything that an explanation rests on.
#[derive(Debug, Clone)]
pub struct ExplainInput {
    /// What the person wrote.
    pub typed: String,
    pub address: Result<Address, Invalid>,
    pub now: Timestamp,
    /// Each subscription of the configuration, or those that were asked for.
    pub subscriptions: Vec<View>,
    /// What has happened to this address, oldest first.
    pub history: Vec<HistoryLine>,
    /// Known addresses that may have been meant, nearest first.
    pub similar: Vec<String>,
}

/// What one subscription has to say of the address.
#[derive(Debug, Clone)]
pub struct View {
    pub subscription: String,
    pub policy: Policy,
    pub candidate: Candidate,
    pub sources: Vec<SourceView>,
    pub seats: Option<Seats>,
    /// Members that wait for a seat.
    pub pending: u64,
    /// The place in the queue, counted from 1, of a pending member.
    pub place: Option<u64>,
    pub hold: Option<StoredHold>,
    pub problem: Option<String>,
    pub next_run: Option<Timestamp>,
    /// When a full subscription is next asked whether a seat is free.
    pub next_probe: Option<Timestamp>,
}

/// A source that the subscription names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceView {
    pub name: String,
    /// Where it is: a folder, a file, a directory server.
    pub place: String,
    pub accepted_at: Option<Timestamp>,
    /// Why the newest look at it gave nothing.
    pub problem: Option<String>,
    /// Rows of this address that can't be used.
    pub bad_rows: Vec<BadRow>,
    /// What was seen of a directory.
    pub evidence: Option<EvidenceJson>,
}

/// What a person is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    pub address: String,
    /// Those that have something to say of it.
    pub subscriptions: Vec<Part>,
    /// Names of those in which nobody has heard of it.
    pub silent: Vec<String>,
    /// Where nobody has heard of it, or it is no address: what is wrong, and what would help. Sentences.
    pub advice: Vec<String>,
    /// Known addresses that may have been meant.
    pub similar: Vec<String>,
    pub history: Vec<HistoryLine>,
}

/// One subscription's answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    pub name: String,
    /// `None`: not known.
    pub has_licence: Option<bool>,
    pub state: Option<MemberState>,
    /// The answer in one sentence.
    pub answer: String,
    /// Sentences.
    pub because: Vec<String>,
    /// Sentences.
    pub what_would_change_it: Vec<String>,
    /// Where rosters name it: `hr: staff.csv line 7`.
    pub origins: Vec<String>,
    pub queue_place: Option<u64>,
    /// The directories among its sources, and what was seen of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

/// What was seen of a directory when its roster was read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    pub source: String,
    #[serde(flatten)]
    pub seen: EvidenceJson,
}

/// Explains what is known of an address.
pub fn explain(input: &ExplainInput) -> Explanation {
    let mut explanation = Explanation {
        address: input.typed.trim().to_owned(),
        subscriptions: Vec::new(),
        silent: Vec::new(),
        advice: Vec::new(),
        similar: input.similar.clone(),
        history: input.history.clone(),
    };
    let address = match &input.address {
        Ok(address) => address,
        Err(invalid) => {
            explanation.advice = sentences::invalid(*invalid);
            return explanation;
        }
    };
    explanation.address = address.to_string();
    for view in &input.subscriptions {
        let past = past(&input.history, &view.subscription);
        if view.has_heard_of_it() || past.is_some() {
            explanation.subscriptions.push(sentences::part(address, view, past, input.now));
        } else {
            explanation.silent.push(view.subscription.clone());
        }
    }
    if explanation.subscriptions.is_empty() {
        explanation.advice = sentences::unheard_of(address, &input.subscriptions);
    }
    explanation
}

/// How an address's licence in this subscription ended, as far as history tells.
fn past<'a>(lines: &'a [HistoryLine], subscription: &str) -> Option<&'a HistoryLine> {
    let of_it = |line: &&HistoryLine| line.subscription.as_deref() == Some(subscription);
    let ends = |line: &&HistoryLine| {
        matches!(line.event, Event::Unassigned | Event::Dropped | Event::Forgotten | Event::Renamed)
    };
    lines.iter().filter(of_it).rfind(ends)
}

impl View {
    /// Whether a roster names the address, or the ledger knows of it.
    pub fn has_heard_of_it(&self) -> bool {
        let Candidate { address: _, entries, member, departure } = &self.candidate;
        !entries.is_empty()
            || member.is_some()
            || departure.is_some()
            || self.sources.iter().any(|source| !source.bad_rows.is_empty())
    }
}

impl Explanation {
    /// Sentences for a person, the history below.
    pub fn render(&self, style: Style) -> String {
        let mut lines = vec![style.bold(&self.address), String::new()];
        for part in &self.subscriptions {
            lines.extend(part.lines(style));
            lines.push(String::new());
        }
        lines.extend(self.advice.iter().cloned());
        if !self.similar.is_empty() && self.subscriptions.is_empty() {
            lines.push(format!("Did you mean {}?", list(&self.similar, "or")));
        }
        if !self.silent.is_empty() && !self.subscriptions.is_empty() {
            lines.push(self.others());
        }
        let text = lines.join("\n").trim_end().to_owned();
        if self.history.is_empty() {
            return format!("{text}\n");
        }
        let history = history::render(&self.history, &mut Columns::default());
        format!("{text}\n\n{}\n{history}", style.bold("History"))
    }

    fn others(&self) -> String {
        const NAMED_MAX: usize = 5;
        match self.silent.len() {
            0..=NAMED_MAX => format!("{}: nobody has heard of it there.", list(&self.silent, "and")),
            n => {
                format!("The other {}: nobody has heard of it there.", count(n as u64, "subscription", "subscriptions"))
            }
        }
    }
}

impl Part {
    fn lines(&self, style: Style) -> Vec<String> {
        let mut lines = vec![format!("{} {}", style.bold(&format!("{}:", self.name)), self.answer)];
        let mut section = |title: &str, sentences: &[String]| {
            if !sentences.is_empty() {
                lines.push(format!("  {title}"));
                lines.extend(sentences.iter().map(|words| format!("  - {words}")));
            }
        };
        section("Why:", &self.because);
        section("What would change it:", &self.what_would_change_it);
        lines
    }
}
