//! Why an address has a licence or not: a question, and its answer in sentences.

use chrono_tz::Tz;
use maud::{Markup, html};

use super::html::{Tone, empty, foreign, prose, tag, upper};
use super::link::Link;
use super::past::events;
use super::shell::{Part as Whole, Shell, Visitor};
use super::subscription::{Head, Page};
use crate::ledger::HistoryLine;
use crate::ledger::listing::{Place, PlacedLine};
use crate::report::explain::{Explanation, Part};
use crate::report::text::list;

/// A question and, where one was asked, its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainView {
    /// `None`: of the whole fleet.
    pub head: Option<Head>,
    pub typed: String,
    pub explanation: Option<Explanation>,
}

pub fn page(view: &ExplainView, visitor: &Visitor) -> Markup {
    let head = view.head.as_ref();
    let action = head.map_or_else(|| Link::to("/explain"), |head| Link::of(&head.row.name, "explain"));
    let body = html! {
        form.search method="get" action=(action) role="search" aria-label="Explain" {
            div.field.wide {
                label for="address" { "Why has this address a licence, or none?" }
                input #address type="text" inputmode="email" name="address" value=(view.typed) autocomplete="off" spellcheck="false" autocapitalize="none" required;
            }
            button type="submit" { "Explain" }
        }
        section #rows data-part aria-label="Answer" {
            @match &view.explanation {
                Some(explanation) => (answer(explanation, head.map_or(Tz::UTC, |head| head.zone))),
                None => (empty("Ask for anybody.", &html! { p { "The answer says whether they have a licence, which source names them, and what would change it." } })),
            }
        }
    };
    if let Some(head) = head {
        return head.page(Page::Explain, visitor, &body);
    }
    let main = html! { div.headline { h1 { "Explain" } } (body) };
    Shell { title: "Explain", part: Whole::Explain, visitor, about: None }.page(&main)
}

fn answer(explanation: &Explanation, zone: Tz) -> Markup {
    let lines: Vec<PlacedLine> = explanation.history.iter().rev().map(placed).collect();
    html! {
        h2 { (foreign(&explanation.address)) }
        @for part in &explanation.subscriptions { (one(part)) }
        @for words in &explanation.advice { p { (prose(words)) } }
        @if explanation.subscriptions.is_empty() && !explanation.similar.is_empty() {
            p { "Did you mean " (foreign(&list(&explanation.similar, "or"))) "?" }
        }
        @if !lines.is_empty() {
            h3 { "What happened to it" }
            (events(&lines, zone, true))
        }
    }
}

/// It is not turned over.
fn placed(line: &HistoryLine) -> PlacedLine {
    PlacedLine { line: line.clone(), place: Place { at: line.at, id: 0 } }
}

fn one(part: &Part) -> Markup {
    let (tone, word) = match part.has_licence {
        Some(true) => (Tone::Good, "has a licence"),
        Some(false) => (Tone::Look, "no licence"),
        None => (Tone::Look, "in doubt"),
    };
    html! {
        article.card.answer {
            h3 { a href=(Link::of(&part.name, "")) { (foreign(&part.name)) } " " (tag(tone, word)) }
            p.lead { (prose(&upper(&part.answer))) }
            @if !part.because.is_empty() { h4 { "Why" } ul { @for words in &part.because { li { (prose(words)) } } } }
            @if !part.what_would_change_it.is_empty() {
                h4 { "What would change it" }
                ul { @for words in &part.what_would_change_it { li { (prose(words)) } } }
            }
        }
    }
}
