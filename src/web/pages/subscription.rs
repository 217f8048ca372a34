//! One subscription: its seats over time, who waits, where its rosters come from, what happened last.

use chrono_tz::Tz;
use maud::{Markup, html};
use uuid::Uuid;

use super::chart::{ChartView, chart};
use super::html::{Tone, ago, bar, empty, foreign, prose, tag, time_and_distance, upper};
use super::link::Link;
use super::needs::{self, Need, Row};
use super::past::{events, runs};
use super::people::queue_list;
use super::shell::{Part, Shell, Visitor};
use super::sources::{SourceRow, sources_list};
use crate::clock::Timestamp;
use crate::ledger::listing::PlacedLine;
use crate::ledger::{Member, RunRecord};
use crate::report::text::{number, sentence};

/// What every page of a subscription shows above its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    pub row: Row,
    pub id: Uuid,
    pub zone: Tz,
    pub now: Timestamp,
}

/// The pages of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    Overview,
    Members,
    Queue,
    Held,
    Runs,
    History,
    Explain,
}

const PAGES: [(Page, &str, &str); 7] = [
    (Page::Overview, "", "Overview"),
    (Page::Members, "members", "Members"),
    (Page::Queue, "queue", "Queue"),
    (Page::Held, "held", "Held"),
    (Page::Runs, "runs", "Runs"),
    (Page::History, "history", "History"),
    (Page::Explain, "explain", "Explain"),
];

impl Head {
    /// A page of this subscription.
    pub fn page(&self, page: Page, visitor: &Visitor, body: &Markup) -> Markup {
        let name = self.row.name.as_str();
        let word = PAGES.into_iter().find(|(it, ..)| *it == page).map_or("", |(.., word)| word);
        let title = if page == Page::Overview { name.to_owned() } else { format!("{word} · {name}") };
        let main = html! {
            (self.top(page))
            (body)
        };
        Shell { title: &title, part: Part::Subscriptions, visitor, about: Some(name) }.page(&main)
    }

    fn top(&self, page: Page) -> Markup {
        let name = self.row.name.as_str();
        html! {
            nav.crumbs aria-label="Where this is" { a href="/" { "Subscriptions" } span aria-hidden="true" { " / " } span { (foreign(name)) } }
            div.headline #headline data-part {
                h1 { (foreign(name)) }
                p.facts {
                    span.tags { @for (tone, word) in self.row.tags() { (tag(tone, &word)) } }
                    span { (self.row.kind.label()) " " code { (self.id) } }
                }
            }
            nav.tabs aria-label={ "Pages of " (name) } {
                ul {
                    @for (it, path, word) in PAGES {
                        li {
                            a href=(Link::of(name, path)) aria-current=[(it == page).then_some("page")] {
                                (word)
                                @if let Some(n) = self.number(it) { " " span.count { (number(n)) } }
                            }
                        }
                    }
                }
            }
        }
    }

    fn number(&self, page: Page) -> Option<u64> {
        let members = self.row.members;
        let n = match page {
            Page::Members => {
                members.assigned
                    + members.pending
                    + members.waiting
                    + members.leaving
                    + members.quarantined
                    + members.unknown
            }
            Page::Queue => members.pending,
            Page::Held => self.row.hold.as_ref().map_or(0, |(hold, _)| hold.removals),
            _ => 0,
        };
        (n > 0).then_some(n)
    }
}

/// The first page of a subscription, as a value.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscriptionView {
    pub head: Head,
    pub needs: Vec<Need>,
    /// What is no problem and worth knowing, fragments.
    pub facts: Vec<String>,
    pub schedule: String,
    pub next_run: Option<Timestamp>,
    /// When a full subscription is next asked whether a seat is free.
    pub next_probe: Option<Timestamp>,
    pub chart: ChartView,
    /// The first of those who wait.
    pub queue: Vec<Member>,
    pub sources: Vec<SourceRow>,
    /// The newest first.
    pub runs: Vec<RunRecord>,
    /// The newest lines that are about nobody in particular.
    pub events: Vec<PlacedLine>,
}

pub fn page(view: &SubscriptionView, visitor: &Visitor) -> Markup {
    let Head { row, zone, now, .. } = &view.head;
    let body = html! {
        section #needs data-part aria-label="What needs a person" { @if !view.needs.is_empty() { (needs::of_one(&view.needs, *now, visitor)) } }
        @if row.is_new { (no_run_yet(view)) }
        section.card #seats data-part aria-labelledby="seats-title" {
            h2 #seats-title { "Seats" }
            (seats(row, *now))
            (chart(&view.chart))
            @for fact in &view.facts { p.faint { (prose(&sentence(&upper(fact)))) } }
        }
        section.card #queue data-part aria-labelledby="queue-title" {
            h2 #queue-title { "Queue" }
            (queue(view))
        }
        section.card #schedule data-part aria-labelledby="schedule-title" {
            h2 #schedule-title { "Runs" }
            (schedule(view, visitor))
            (runs(&view.runs, *zone, *now, false))
            @if !view.runs.is_empty() { p { a href=(Link::of(&row.name, "runs")) { "All runs" } } }
        }
        section.card #sources data-part aria-labelledby="sources-title" {
            h2 #sources-title { "Sources" }
            (sources_list(&view.sources, *now))
        }
        section.card #events data-part aria-labelledby="events-title" {
            h2 #events-title { "What happened last" }
            (events(&view.events, *zone, false))
            p { a href=(Link::of(&row.name, "history")) { "The whole history" } }
        }
    };
    view.head.page(Page::Overview, visitor, &body)
}

fn no_run_yet(view: &SubscriptionView) -> Markup {
    empty(
        "No run has come to an answer yet.",
        &html! {
            p {
                "As soon as a source has a roster, the people in it are given licences. "
                @if let Some(at) = view.next_run { "The next run comes " (ago(at, view.head.now)) "." }
            }
            p { code { "rosterd check" } " tries the folders, directories and keys that the configuration names, and changes nothing." }
        },
    )
}

/// The numbers, each a way to its people.
fn seats(row: &Row, now: Timestamp) -> Markup {
    let people = |state: &'static str| Link::of(&row.name, "members").with("state", state);
    let members = row.members;
    let others = [
        ("Leaving", "leaving", members.leaving),
        ("Start later", "waiting", members.waiting),
        ("Set aside", "quarantined", members.quarantined),
        ("In doubt", "unknown", members.unknown),
    ];
    html! {
        dl.numbers {
            div.wide {
                dt { "Used" }
                dd {
                    @match row.seats {
                        Some(seats) => { strong { (number(seats.assigned)) } " of " (number(seats.available)) (bar(seats.assigned, seats.available)) span.faint { "as of " (ago(seats.as_of, now)) } },
                        None => span.faint { "not known yet" },
                    }
                }
            }
            div { dt { "Free" } dd { strong { (row.free().map_or_else(|| "–".to_owned(), number)) } } }
            div { dt { "Waiting for a seat" } dd { a href=(Link::of(&row.name, "queue")) { strong { (number(members.pending)) } } } }
            @for (word, state, n) in others {
                @if n > 0 { div { dt { (word) } dd { a href=(people(state)) { strong { (number(n)) } } } } }
            }
        }
    }
}

fn queue(view: &SubscriptionView) -> Markup {
    let Head { row, zone, now, .. } = &view.head;
    html! {
        @if view.queue.is_empty() {
            p.faint { "Nobody waits for a seat." }
        } @else {
            (queue_list(&view.queue, 0, &row.name, *zone, *now))
            @if row.members.pending > view.queue.len() as u64 {
                p { a href=(Link::of(&row.name, "queue")) { "All " (number(row.members.pending)) " who wait" } }
            }
        }
    }
}

fn schedule(view: &SubscriptionView, visitor: &Visitor) -> Markup {
    let Head { row, zone, now, .. } = &view.head;
    html! {
        dl.facts {
            div { dt { "Next" } dd { @match view.next_run { Some(at) => (time_and_distance(at, *zone, *now)), None => "–" } } }
            @if let Some(at) = view.next_probe { div { dt { "Looks for free seats" } dd { (time_and_distance(at, *zone, *now)) } } }
            div { dt { "Schedule" } dd { code { (view.schedule) } " " (zone.name()) } }
        }
        (visitor.form(&Link::of(&row.name, "sync"), &html! { button type="submit" { "Run now" } }))
    }
}

/// A word for how a run ended.
pub fn outcome(run: &RunRecord) -> Markup {
    use crate::ledger::RunOutcome;
    match run.outcome {
        Some(RunOutcome::Converged) => tag(Tone::Good, "converged"),
        Some(RunOutcome::Incomplete) => tag(Tone::Look, "incomplete"),
        Some(RunOutcome::Failed) => tag(Tone::Bad, "failed"),
        None if run.finished_at.is_none() => tag(Tone::Plain, "under way"),
        None => tag(Tone::Plain, "ended"),
    }
}
