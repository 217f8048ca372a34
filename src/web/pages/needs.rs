//! What needs a person, most pressing first: of the whole fleet, or of one subscription.

use maud::{Markup, html};

use super::html::{Tone, ago, foreign, prose, shape, upper};
use super::link::Link;
use super::shell::Visitor;
use super::sources::in_force;
use crate::brake::Brake;
use crate::clock::Timestamp;
use crate::config::{Refused, Subscription, SubscriptionType};
use crate::ledger::Seats;
use crate::ledger::listing::{HoldInShort, SourceLine, SubscriptionLine};
use crate::member::Restored;
use crate::report::forecast::Forecast;
use crate::report::shortage::Shortage;
use crate::report::status::{MemberCounts, pending};
use crate::report::text::{count, either, plain, sentence};
use crate::report::{drift, text};

/// Of each kind so many are shown; the others are counted.
const SHOWN_MAX: usize = 4;

/// What may need a person, in the order in which it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Brake,
    Config,
    Restored,
    Held,
    Key,
    Failed,
    Source,
    Seats,
    Drift,
    Quarantined,
    Soon,
}

impl Kind {
    /// Those that a subscription can be chosen by.
    pub const OF_ONE: [Kind; 8] =
        [Kind::Held, Kind::Key, Kind::Failed, Kind::Source, Kind::Seats, Kind::Drift, Kind::Quarantined, Kind::Soon];

    /// In an address.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Brake => "brake",
            Kind::Config => "config",
            Kind::Restored => "restored",
            Kind::Held => "held",
            Kind::Key => "key",
            Kind::Failed => "failed",
            Kind::Source => "source",
            Kind::Seats => "seats",
            Kind::Drift => "drift",
            Kind::Quarantined => "quarantined",
            Kind::Soon => "soon",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Kind::Brake => "Removals are stopped",
            Kind::Config => "Configuration refused",
            Kind::Restored => "Restored ledger",
            Kind::Held => "Removals are held",
            Kind::Key => "Key refused",
            Kind::Failed => "Run failed",
            Kind::Source => "Source failed",
            Kind::Seats => "Seats are missing",
            Kind::Drift => "Changed by others",
            Kind::Quarantined => "Set aside",
            Kind::Soon => "Seats run out soon",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Kind::Brake | Kind::Config | Kind::Restored | Kind::Key | Kind::Failed => Tone::Bad,
            _ => Tone::Look,
        }
    }

    /// What a person does about it.
    fn action(self) -> &'static str {
        match self {
            Kind::Held => "Look and decide",
            Kind::Quarantined => "See who",
            Kind::Seats => "See the queue",
            Kind::Source => "See the source",
            _ => "Look closer",
        }
    }
}

/// One thing that needs a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    pub kind: Kind,
    /// Whose it is: a subscription or a source; `None`: the whole fleet's.
    pub whose: Option<String>,
    /// Sentences.
    pub words: String,
    pub since: Option<Timestamp>,
    pub link: Option<Link>,
}

/// What is known of a subscription, as far as anything in a list may depend on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub name: String,
    pub kind: SubscriptionType,
    /// No run has come to an answer yet.
    pub is_new: bool,
    pub seats: Option<Seats>,
    pub members: MemberCounts,
    pub hold: Option<(HoldInShort, Timestamp)>,
    pub problem: Option<(String, Timestamp)>,
    pub key_rejected: bool,
    /// Sentences.
    pub drift: Option<String>,
    /// Names of sources at which the newest look gave nothing.
    pub failed_sources: Vec<String>,
    /// Where the seats run out within weeks.
    pub soon: Option<Forecast>,
    /// Where seats are missing.
    pub shortage: Option<Shortage>,
}

impl Row {
    /// `failed` says whether the newest look at a source gave nothing.
    pub fn new(
        subscription: &Subscription,
        line: Option<&SubscriptionLine>,
        failed: impl Fn(&str) -> bool,
        now: Timestamp,
    ) -> Row {
        let record = line.map(|line| &line.record);
        Row {
            name: subscription.name.clone(),
            kind: subscription.kind,
            is_new: line.is_none_or(|line| line.record.seats.is_none() && line.members.is_empty()),
            seats: record.and_then(|record| record.seats),
            members: line.map(|line| MemberCounts::of(&line.members)).unwrap_or_default(),
            hold: line.and_then(|line| line.hold.clone()),
            problem: record.and_then(|record| record.problem.clone()),
            key_rejected: record.is_some_and(|record| record.key_rejected),
            drift: record.and_then(|record| drift::problem(subscription, record, now)),
            failed_sources: subscription.sources.iter().filter(|name| failed(name)).cloned().collect(),
            soon: None,
            shortage: None,
        }
    }

    pub fn free(&self) -> Option<u64> {
        self.seats.map(|seats| seats.free())
    }

    /// How many find no seat.
    pub fn missing(&self) -> u64 {
        self.shortage.as_ref().map_or(0, Shortage::missing)
    }

    /// How many wait, and how many seats to buy.
    pub fn waiting(&self) -> String {
        pending(self.members.pending, self.seats, self.shortage.as_ref()).unwrap_or_default()
    }

    /// In the order of [`Kind`].
    pub fn kinds(&self) -> Vec<Kind> {
        let failed = self.problem.is_some();
        let is = |kind: &Kind| match kind {
            Kind::Brake | Kind::Config | Kind::Restored => false,
            Kind::Held => self.hold.is_some(),
            Kind::Key => failed && self.key_rejected,
            Kind::Failed => failed && !self.key_rejected,
            Kind::Source => !self.failed_sources.is_empty(),
            Kind::Seats => self.missing() > 0,
            Kind::Drift => self.drift.is_some(),
            Kind::Quarantined => self.members.quarantined > 0,
            Kind::Soon => self.soon.is_some(),
        };
        Kind::OF_ONE.into_iter().filter(is).collect()
    }

    /// What needs a person, but for its sources, which may be many subscriptions'.
    pub fn needs(&self) -> Vec<Need> {
        self.kinds().into_iter().filter(|kind| *kind != Kind::Source).map(|kind| self.need(kind)).collect()
    }

    fn need(&self, kind: Kind) -> Need {
        let name = self.name.as_str();
        let (words, since, page) = match kind {
            Kind::Held => (self.held(), self.hold.as_ref().map(|(_, since)| *since), "held"),
            Kind::Seats => (self.waiting(), None, "queue"),
            Kind::Drift => (self.drift.clone().unwrap_or_default(), None, ""),
            Kind::Quarantined => (quarantined(self.members.quarantined), None, "members"),
            Kind::Soon => (self.soon.as_ref().map(Forecast::words).unwrap_or_default(), None, ""),
            _ => {
                let (words, since) = self.problem.clone().unzip();
                (sentence(&plain(&upper(&words.unwrap_or_default()))), since, "")
            }
        };
        let mut link = Link::of(name, page);
        if kind == Kind::Quarantined {
            link = link.with("state", "quarantined");
        }
        Need { kind, whose: Some(name.to_owned()), words, since, link: Some(link) }
    }

    fn held(&self) -> String {
        let Some((hold, _)) = &self.hold else { return String::new() };
        let reasons: Vec<String> = hold.reasons.iter().map(|reason| sentence(&plain(reason))).collect();
        let people = count(hold.removals, "person keeps the licence", "people keep their licences");
        format!("{} {people} until somebody decides.", reasons.join(" "))
    }

    /// What a list says of it in a word or two, most pressing first.
    pub fn tags(&self) -> Vec<(Tone, String)> {
        let word = |kind: Kind| match kind {
            Kind::Held => format!("{} held", text::number(self.hold.as_ref().map_or(0, |(hold, _)| hold.removals))),
            Kind::Key => "key refused".to_owned(),
            Kind::Failed => "run failed".to_owned(),
            Kind::Source => "source failed".to_owned(),
            Kind::Seats => count(self.missing(), "seat missing", "seats missing"),
            Kind::Drift => "changed by others".to_owned(),
            Kind::Quarantined => format!("{} set aside", text::number(self.members.quarantined)),
            Kind::Soon => "runs out soon".to_owned(),
            Kind::Brake | Kind::Config | Kind::Restored => String::new(),
        };
        let tags: Vec<_> = self.kinds().into_iter().map(|kind| (kind.tone(), word(kind))).collect();
        if !tags.is_empty() {
            return tags;
        }
        let (tone, word) = if self.is_new { (Tone::Plain, "no run yet") } else { (Tone::Good, "in order") };
        vec![(tone, word.to_owned())]
    }
}

fn quarantined(n: u64) -> String {
    format!(
        "{} can't be given a licence, because of {} address: each says why.",
        count(n, "person", "people"),
        either(n, "the", "their")
    )
}

/// What a source that failed says, whoever names it.
pub fn of_source(source: &SourceLine) -> Option<Need> {
    let (words, since) = source.problem.as_ref()?;
    Some(Need {
        kind: Kind::Source,
        whose: Some(source.name.clone()),
        words: format!("{} {}", sentence(&plain(words)), in_force(source)),
        since: Some(*since),
        link: Some(Link::to("/sources").with("search", &source.name)),
    })
}

/// What concerns every subscription.
pub fn of_all(brake: Option<&Brake>, restored: Option<&Restored>, refused: Option<&Refused>) -> Vec<Need> {
    let need = |kind, words, since| Need { kind, whose: None, words, since, link: None };
    let brake = brake.map(|brake| need(Kind::Brake, brake.words(), Some(brake.since)));
    let restored = restored.map(|restored| need(Kind::Restored, sentence(&restored.to_string()), None));
    let refused = refused.map(|refused| need(Kind::Config, plain(&refused.words), Some(refused.since)));
    brake.into_iter().chain(refused).chain(restored).collect()
}

/// In order, those of one kind together, the oldest first.
pub fn sort(needs: &mut [Need]) {
    needs.sort_by(|a, b| (a.kind, a.since, &a.whose).cmp(&(b.kind, b.since, &b.whose)));
}

/// The list, for the fleet; `needs` are sorted. Of each kind the first are shown.
pub fn of_fleet(needs: &[Need], now: Timestamp, visitor: &Visitor) -> Markup {
    html! {
        ul.needs {
            @for of_kind in needs.chunk_by(|a, b| a.kind == b.kind) {
                @for need in of_kind.iter().take(SHOWN_MAX) { (item(need, true, now, visitor)) }
                @if let (Some(first), more @ 1..) = (of_kind.first(), of_kind.len().saturating_sub(SHOWN_MAX)) {
                    li.more { a href=(all_of(first.kind)) { (first.kind.title()) " at " (count(more as u64, "other", "others")) } }
                }
            }
        }
    }
}

fn all_of(kind: Kind) -> Link {
    if kind == Kind::Source {
        Link::to("/sources").with("only", "failed")
    } else {
        Link::to("/").with("only", kind.word()).at("subscriptions")
    }
}

/// The list on a subscription's own page.
pub fn of_one(needs: &[Need], now: Timestamp, visitor: &Visitor) -> Markup {
    html! { ul.needs { @for need in needs { (item(need, need.kind == Kind::Source, now, visitor)) } } }
}

fn item(need: &Need, named: bool, now: Timestamp, visitor: &Visitor) -> Markup {
    let Need { kind, whose, words, since, link } = need;
    html! {
        li.need.(kind.tone().class()) {
            (shape(kind.tone()))
            div.said {
                p.head {
                    strong { (kind.title()) }
                    @if let (true, Some(whose)) = (named, whose) { span.whose { (foreign(whose)) } }
                    @if let Some(since) = since { span.faint { (ago(*since, now)) } }
                }
                p { (prose(words)) }
            }
            @if *kind == Kind::Brake {
                (visitor.form(&Link::to("/resume"), &html! {
                    @if let Some(since) = since { input type="hidden" name="since" value=(since.timestamp_millis()); }
                    label.sure { input type="checkbox" name="sure" value="yes" required; " I have looked at what is wrong" }
                    button.danger type="submit" { "Let removals go on" }
                }))
            }
            @if let Some(link) = link {
                a.button href=(link) aria-label=[whose.as_ref().map(|whose| format!("{}: {whose}", kind.action()))] { (kind.action()) }
            }
        }
    }
}
