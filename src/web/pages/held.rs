//! Removals that wait for a person: as it is beside as it would be, and the two buttons. What they do is bound to the very
//! set that is shown.

use maud::{Markup, html};

use super::html::{Tone, empty, foreign, pager, prose, tag, time, time_and_distance};
use super::link::Link;
use super::people::address;
use super::shell::Visitor;
use super::subscription::{Head, Page};
use crate::ledger::{Seats, StoredHold};
use crate::plan::{Removal, Then};
use crate::report::text::{count, either, number, plain, sentence};

/// So many people are on a page.
pub const PAGE: usize = 100;

/// Held removals as a value.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldView {
    pub head: Head,
    pub stored: Option<StoredHold>,
    /// From 0.
    pub page: usize,
    /// Why an approval lets nothing go yet: sentences.
    pub stopped: Option<String>,
}

pub fn page(view: &HeldView, visitor: &Visitor) -> Markup {
    let body = match &view.stored {
        None => html! {
            section #rows data-part {
                (empty("No removals are held.", &html! {
                    p { "When more people would lose their licence at once than the configuration lets go by itself, they keep it, and are shown here until somebody decides." }
                }))
            }
        },
        Some(stored) => held(view, stored, visitor),
    };
    view.head.page(Page::Held, visitor, &body)
}

fn held(view: &HeldView, stored: &StoredHold, visitor: &Visitor) -> Markup {
    let Head { row, zone, now, .. } = &view.head;
    let hold = &stored.hold;
    let n = hold.removals.len() as u64;
    html! {
        section #rows data-part aria-labelledby="held-title" {
            h2 #held-title { (count(n, "removal is", "removals are")) " held" }
            p { "Since " (time_and_distance(stored.since, *zone, *now)) ". Until somebody decides, " (either(n, "the person keeps the licence", "all of them keep their licences")) "." }
            ul.reasons { @for reason in &hold.reasons { li { (prose(&sentence(&plain(reason)))) } } }
            (both_sides(row.seats, row.members.pending, n))
            (decide(view, stored, visitor))
            (people(view, stored))
        }
    }
}

/// The seats as they are and as they would be.
fn both_sides(seats: Option<Seats>, waiting: u64, removals: u64) -> Markup {
    let Some(seats) = seats else { return html! {} };
    let left = seats.assigned.saturating_sub(removals);
    let served = waiting.min(seats.available.saturating_sub(left));
    let side = |title: &str, used: u64, waiting: u64| {
        html! {
            div {
                h3 { (title) }
                p { strong { (number(used)) } " of " (number(seats.available)) " seats used" }
                p { @if waiting == 0 { "Nobody waits for a seat" } @else { (count(waiting, "person waits", "people wait")) " for a seat" } }
            }
        }
    };
    html! {
        div.sides {
            (side("As it is", seats.assigned, waiting))
            span.turn aria-hidden="true" { "→" }
            (side("As it would be", left + served, waiting - served))
        }
    }
}

fn decide(view: &HeldView, stored: &StoredHold, visitor: &Visitor) -> Markup {
    let name = view.head.row.name.as_str();
    let digest = stored.hold.digest.as_str();
    let n = stored.hold.removals.len() as u64;
    html! {
        @if let Some(stopped) = &view.stopped { p.stopped { (tag(Tone::Look, "An approval takes nothing back yet.")) " " (prose(stopped)) } }
        @if visitor.may_act() {
            div.decide {
                (visitor.form(&Link::of(name, "approve"), &html! {
                    input type="hidden" name="digest" value=(digest);
                    label.sure { input type="checkbox" name="sure" value="yes" required; " I have looked at " (either(n, "this removal", "these removals")) }
                    button.danger type="submit" { "Approve: take " (count(n, "licence", "licences")) " back" }
                }))
                (visitor.form(&Link::of(name, "reject"), &html! {
                    input type="hidden" name="digest" value=(digest);
                    p.faint { (either(n, "The licence stays", "The licences stay")) ", until a source has named " (either(n, "the person", "these people")) " again." }
                    button type="submit" { "Reject: keep " (count(n, "licence", "licences")) }
                }))
            }
        } @else {
            p.decide-elsewhere {
                @if visitor.can_log_in { a.button href=(Link::to("/login").with("next", Link::of(name, "held").as_str())) { "Sign in to decide" } " or use " }
                @else { "To decide: " }
                code { "rosterd approve " (name) " --digest " (digest) } " or " code { "rosterd reject " (name) " --digest " (digest) }
            }
        }
        p.faint { "A decision counts for just these people. Digest " code { (digest) } "." }
    }
}

fn people(view: &HeldView, stored: &StoredHold) -> Markup {
    let name = view.head.row.name.as_str();
    let removals = &stored.hold.removals;
    let pages = removals.len().div_ceil(PAGE).max(1);
    let page = view.page.min(pages - 1);
    let to = |page: usize| Link::of(name, "held").with("page", &(page + 1).to_string());
    let (previous, next) = (page.checked_sub(1).map(to), (page + 1 < pages).then(|| to(page + 1)));
    let shown: Vec<&Removal> = removals.iter().skip(page * PAGE).take(PAGE).collect();
    let place = format!("{} to {} of {}", page * PAGE + 1, page * PAGE + shown.len(), number(removals.len() as u64));
    html! {
        table.rows.held {
            caption.hidden { "Held removals" }
            thead { tr {
                th scope="col" { "Address" }
                th scope="col" { "As it is" }
                th scope="col" { "As it would be" }
                th scope="col" { "Why" }
            } }
            tbody { @for removal in shown { (person(removal, view)) } }
        }
        (pager("the held removals", previous.as_ref().map(|it| (it, "Previous")), &place, next.as_ref().map(|it| (it, "Next"))))
    }
}

fn person(removal: &Removal, view: &HeldView) -> Markup {
    let Head { row, zone, .. } = &view.head;
    html! {
        tr {
            th scope="row" { (address(removal.address.spelling(), &row.name)) }
            td data-label="As it is" { (tag(Tone::Good, "has a licence")) }
            td data-label="As it would be" {
                @match removal.then.as_deref() {
                    None => (tag(Tone::Look, "no licence")),
                    Some(Then::Waiting(waiting)) => { (tag(Tone::Look, "no licence")) " until " (time(waiting.starts, *zone)) },
                    Some(Then::Quarantined(quarantine)) => { (tag(Tone::Look, "no licence")) " and set aside: " (foreign(&plain(&quarantine.reason))) },
                }
            }
            td data-label="Why" { (removal.reason.label()) ": " (prose(&plain(&removal.detail))) }
        }
    }
}
