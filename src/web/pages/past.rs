//! What happened: runs and the audit trail, the newest first, a page at a time.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use maud::{Markup, html};
use uuid::Uuid;

use super::html::{ago, empty, foreign, pager, prose, time};
use super::link::Link;
use super::people::address;
use super::shell::{Part, Shell, Visitor};
use super::subscription::{Head, Page, outcome};
use crate::clock::Timestamp;
use crate::ledger::listing::{Place, PlacedLine};
use crate::ledger::{Event, RunRecord, Trigger};
use crate::report::history::word;
use crate::report::text::number;

/// So many lines are on a page.
pub const PAGE: usize = 50;

/// A page of runs as a value.
#[derive(Debug, Clone, PartialEq)]
pub struct RunsView {
    pub head: Head,
    pub runs: Vec<RunRecord>,
    /// The page begins before this run; `None`: with the newest.
    pub before: Option<Uuid>,
    pub is_more: bool,
}

pub fn runs_page(view: &RunsView, visitor: &Visitor) -> Markup {
    let Head { row, zone, now, .. } = &view.head;
    let link = Link::of(&row.name, "runs");
    let older = view.runs.last().filter(|_| view.is_more).map(|run| link.clone().with("before", &run.id.to_string()));
    let body = html! {
        section #rows data-part aria-labelledby="runs-title" {
            h2.hidden #runs-title { "Runs" }
            @if view.runs.is_empty() {
                (empty("There was no run yet.", &html! { p { "A run looks who should have a licence, and asks the server for what is different." } }))
            } @else {
                (runs(&view.runs, *zone, *now, true))
                (pager("the runs", view.before.map(|_| (&link, "Newest")), "", older.as_ref().map(|it| (it, "Older"))))
            }
        }
    };
    view.head.page(Page::Runs, visitor, &body)
}

/// Runs with what they did; `whole`: and how to undo it.
pub fn runs(runs: &[RunRecord], zone: Tz, now: Timestamp, whole: bool) -> Markup {
    html! {
        @if runs.is_empty() { p.faint { "There was no run yet." } } @else {
            table.rows.runs {
                caption.hidden { "Runs" }
                thead {
                    tr {
                        th scope="col" { "Began" }
                        th scope="col" { "Because of" }
                        th scope="col" { "Ended" }
                        th.number scope="col" { "Given" }
                        th.number scope="col" { "Taken back" }
                        th.number scope="col" { "Requests" }
                    }
                }
                tbody {
                    @for run in runs {
                        tr {
                            td data-label="Began" { (time(run.started_at, zone)) " " span.faint { "(" (ago(run.started_at, now)) ")" } }
                            td data-label="Because of" { (cause(run.trigger)) }
                            td data-label="Ended" {
                                (outcome(run))
                                @if whole && run.assigned + run.unassigned > 0 {
                                    details { summary { "Undo" } p { code { "rosterd undo " (run.id) } " shows what that gives and takes, and asks." } }
                                }
                            }
                            td.number data-label="Given" { (number(run.assigned)) }
                            td.number data-label="Taken back" { (number(run.unassigned)) }
                            td.number data-label="Requests" { (number(run.requests)) }
                        }
                    }
                }
            }
        }
    }
}

fn cause(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Schedule => "the schedule",
        Trigger::Roster => "a roster’s change",
        Trigger::Date => "a date",
        Trigger::Probe => "a look for free seats",
        Trigger::Reassert => "sending assignments again",
        Trigger::Start => "the daemon’s start",
        Trigger::Reload => "another configuration",
        Trigger::Retry => "an earlier run that failed",
        Trigger::Command => "somebody’s word",
    }
}

/// A page of the history as a value.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryView {
    /// `None`: of the whole fleet.
    pub head: Option<Head>,
    pub ask: Ask,
    pub lines: Vec<PlacedLine>,
    pub is_more: bool,
}

/// Which lines of the history somebody wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ask {
    /// Only what is about nobody in particular.
    pub of_nobody: bool,
    pub before: Option<Place>,
}

impl Ask {
    /// From an address; what can't be is left out.
    pub fn read(query: &BTreeMap<String, String>) -> Ask {
        let before = query.get("before").and_then(|text| {
            let (at, id) = text.split_once('-')?;
            Some(Place { at: Timestamp::from_timestamp_millis(at.parse().ok()?)?, id: id.parse().ok()? })
        });
        Ask { of_nobody: query.get("show").is_some_and(|show| show == "events"), before }
    }

    fn link(self, head: Option<&Head>) -> Link {
        let link = head.map_or_else(|| Link::to("/history"), |head| Link::of(&head.row.name, "history"));
        let before = self.before.map(|Place { at, id }| format!("{}-{id}", at.timestamp_millis()));
        link.with("show", if self.of_nobody { "events" } else { "" }).with("before", &before.unwrap_or_default())
    }
}

pub fn history_page(view: &HistoryView, visitor: &Visitor) -> Markup {
    let head = view.head.as_ref();
    let zone = head.map_or(Tz::UTC, |head| head.zone);
    let newest = Ask { before: None, ..view.ask };
    let older =
        view.lines.last().filter(|_| view.is_more).map(|line| Ask { before: Some(line.place), ..view.ask }.link(head));
    let newest_link = newest.link(head);
    let choice = |of_nobody, words: &str| {
        let current = (view.ask.of_nobody == of_nobody).then_some("true");
        html! { li { a href=(Ask { of_nobody, before: None }.link(head)) aria-current=[current] { (words) } } }
    };
    let body = html! {
        section #rows data-part aria-labelledby="history-title" {
            h2.hidden #history-title { "History" }
            nav.choice aria-label="What is shown" { ul { (choice(false, "Everything")) (choice(true, "Without single people")) } }
            @if view.lines.is_empty() {
                (empty("Nothing has happened yet.", &html! { p { "Each licence that is given or taken back, each roster and each decision stands here, with when and why." } }))
            } @else {
                (events(&view.lines, zone, head.is_none()))
                (pager("the history", view.ask.before.map(|_| (&newest_link, "Newest")), "", older.as_ref().map(|it| (it, "Older"))))
            }
        }
    };
    if let Some(head) = head {
        return head.page(Page::History, visitor, &body);
    }
    let main = html! { div.headline { h1 { "History" } p.facts { span { "of all subscriptions" } } } (body) };
    Shell { title: "History", part: Part::History, visitor, about: None }.page(&main)
}

/// Lines of the history; with their subscriptions where they are of several.
pub fn events(lines: &[PlacedLine], zone: Tz, of_several: bool) -> Markup {
    html! {
        @if lines.is_empty() { p.faint { "Nothing has happened yet." } } @else {
            table.rows.history {
                caption.hidden { "History" }
                thead {
                    tr {
                        th scope="col" { "When" }
                        @if of_several { th scope="col" { "Subscription" } }
                        th scope="col" { "What" }
                        th scope="col" { "Whom" }
                        th scope="col" { "Why" }
                    }
                }
                tbody { @for PlacedLine { line, .. } in lines {
                    tr {
                        td data-label="When" { (time(line.at, zone)) }
                        @if of_several {
                            td data-label="Subscription" {
                                @if let Some(name) = &line.subscription { a href=(Link::of(name, "")) { (foreign(name)) } }
                                @else { span.faint { "–" } }
                            }
                        }
                        td data-label="What" { span.event.(tone(line.event)) { (word(line.event)) } }
                        td data-label="Whom" { @match (&line.email, &line.subscription) {
                            (Some(email), Some(subscription)) => (address(email, subscription)),
                            (Some(email), None) => (foreign(email)),
                            (None, _) => span.faint { "–" },
                        } }
                        td data-label="Why" { (prose(&line.detail)) }
                    }
                } }
            }
        }
    }
}

fn tone(event: Event) -> &'static str {
    match event {
        Event::Assigned | Event::Adopted | Event::Returned | Event::Resumed | Event::Approved => "good",
        Event::KeyRejected | Event::RunFailed | Event::RosterRefused | Event::Braked | Event::Quarantined => "bad",
        Event::Held | Event::SeatsExhausted | Event::Drift | Event::Pending | Event::Leaving | Event::Unknown => "look",
        _ => "plain",
    }
}
