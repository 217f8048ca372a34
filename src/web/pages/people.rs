//! The members of a subscription, searched and paged, and its queue.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use clap::ValueEnum;
use maud::{Markup, html};

use super::html::{Tone, ago, empty, foreign, pager, prose, tag, time};
use super::link::Link;
use super::shell::Visitor;
use super::subscription::{Head, Page};
use crate::address::without_case;
use crate::clock::Timestamp;
use crate::ledger::listing::{From, LOOKED_AT_MAX, MembersPage, Search, Wanted};
use crate::ledger::{Member, MemberState};
use crate::report::members::{MemberLine, label};
use crate::report::text::{count, number};

/// So many people are on a page.
pub const PAGE: usize = 50;

/// Of a subscription with no more members than this, a search looks inside addresses; of a larger one, at their
/// beginnings, unless it is asked for more.
const INSIDE_MAX: u64 = LOOKED_AT_MAX as u64;

/// Which members somebody wants to see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ask {
    pub search: String,
    /// Look inside addresses, however many there are.
    pub inside: bool,
    pub state: Option<MemberState>,
    pub from: From,
}

impl Ask {
    /// From an address; what can't be is left out.
    pub fn read(query: &BTreeMap<String, String>) -> Ask {
        let get = |key: &str| query.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
        let from = match (get("after"), get("before")) {
            (Some(after), _) => From::After(after.to_owned()),
            (None, Some(before)) => From::Before(before.to_owned()),
            (None, None) => From::Start,
        };
        Ask {
            search: get("search").unwrap_or_default().to_owned(),
            inside: get("inside").is_some(),
            state: MemberState::value_variants().iter().copied().find(|state| Some(label(*state)) == get("state")),
            from,
        }
    }

    /// What the ledger is asked for, of so many members.
    pub fn wanted(&self, members: u64) -> Wanted {
        let text = without_case(&self.search);
        let search = if self.inside || members <= INSIDE_MAX { Search::Contains(text) } else { Search::Begins(text) };
        let search = Some(search).filter(|_| !self.search.is_empty());
        Wanted { state: self.state, search, from: self.from.clone() }
    }

    fn link(&self, subscription: &str) -> Link {
        let link = Link::of(subscription, "members")
            .with("search", &self.search)
            .with("inside", if self.inside { "yes" } else { "" })
            .with("state", self.state.map_or("", label));
        match &self.from {
            From::Start => link,
            From::After(identity) => link.with("after", identity),
            From::Before(identity) => link.with("before", identity),
        }
    }
}

/// A page of members as a value.
#[derive(Debug, Clone, PartialEq)]
pub struct MembersView {
    pub head: Head,
    pub ask: Ask,
    pub wanted: Wanted,
    /// Those of the page, with where rosters name them.
    pub lines: Vec<MemberLine>,
    pub page: MembersPage,
}

pub fn members_page(view: &MembersView, visitor: &Visitor) -> Markup {
    let body = html! {
        section aria-labelledby="members-title" {
            h2.hidden #members-title { "Members" }
            (search(view))
            div #rows data-part { (found(view)) }
            @if visitor.may_act() && view.ask.state == Some(MemberState::Quarantined) && !view.lines.is_empty() {
                div.act {
                    (visitor.form(&Link::of(&view.head.row.name, "retry"), &html! { button type="submit" { "Let all of them try again" } }))
                    p.faint { "Whoever the server refuses again is set aside again." }
                }
            }
        }
    };
    view.head.page(Page::Members, visitor, &body)
}

fn search(view: &MembersView) -> Markup {
    let Ask { search, inside, state, .. } = &view.ask;
    html! {
        form.search method="get" action=(Link::of(&view.head.row.name, "members")) role="search" aria-label="Members" {
            div.field.wide {
                label for="search" { "Address" }
                input #search type="search" name="search" value=(search) autocomplete="off" spellcheck="false";
            }
            div.field {
                label for="state" { "State" }
                select #state name="state" {
                    option value="" { "any" }
                    @for it in MemberState::value_variants() {
                        option value=(label(*it)) selected[*state == Some(*it)] { (words(*it)) }
                    }
                }
            }
            @if *inside { input type="hidden" name="inside" value="yes"; }
            button type="submit" { "Search" }
        }
    }
}

/// What people call a state.
fn words(state: MemberState) -> &'static str {
    match state {
        MemberState::Assigned => "has a licence",
        MemberState::Pending => "waits for a seat",
        MemberState::Waiting => "starts later",
        MemberState::Leaving => "leaving",
        MemberState::Quarantined => "set aside",
        MemberState::Unknown => "in doubt",
    }
}

fn tone(state: MemberState) -> Tone {
    match state {
        MemberState::Assigned => Tone::Good,
        MemberState::Waiting => Tone::Plain,
        MemberState::Pending | MemberState::Leaving | MemberState::Unknown => Tone::Look,
        MemberState::Quarantined => Tone::Bad,
    }
}

fn found(view: &MembersView) -> Markup {
    let name = view.head.row.name.as_str();
    let to = |from: Option<From>| from.map(|from| Ask { from, ..view.ask.clone() }.link(name));
    let previous = to(view.page.previous.clone().map(From::Before));
    let next = to(view.page.next.clone().map(From::After));
    let begins = matches!(view.wanted.search, Some(Search::Begins(_)));
    html! {
        @if begins {
            p.faint {
                "These are the addresses that begin so. "
                a href=(Ask { inside: true, from: From::Start, ..view.ask.clone() }.link(name)) { "Look inside all addresses" }
            }
        }
        @if view.lines.is_empty() && !view.page.is_cut { (nobody(view)) } @else {
            (table(view))
            @if view.page.is_cut {
                p role="status" { "So far " (number(LOOKED_AT_MAX as u64)) " people were looked at; there may be more further on." }
            }
            @let place = if view.lines.is_empty() { String::new() } else { count(view.lines.len() as u64, "person", "people") };
            @let further = if view.page.is_cut { "Look further" } else { "Next" };
            (pager("the members", previous.as_ref().map(|it| (it, "Previous")), &place, next.as_ref().map(|it| (it, further))))
        }
    }
}

fn nobody(view: &MembersView) -> Markup {
    let name = view.head.row.name.as_str();
    let all = Link::of(name, "members");
    html! {
        @if view.ask.search.is_empty() && view.ask.state.is_none() {
            (empty("There are no members yet.", &html! { p { "Whoever a source of this subscription names becomes one, at the next run." } }))
        } @else {
            (empty("Nobody fits.", &html! {
                p {
                    @if view.ask.search.contains('@') {
                        a href=(Link::of(name, "explain").with("address", &view.ask.search)) { "Why has this address no licence?" }
                        " · "
                    }
                    a href=(all) { "Show everybody" }
                }
            }))
        }
    }
}

fn table(view: &MembersView) -> Markup {
    let Head { row, zone, .. } = &view.head;
    html! {
        table.rows.members {
            caption.hidden { "Members of " (row.name) }
            thead {
                tr {
                    th scope="col" { "Address" }
                    th scope="col" { "State" }
                    th scope="col" { "Since" }
                    th scope="col" { "Why" }
                    th.number scope="col" { "Priority" }
                }
            }
            tbody {
                @for line in &view.lines {
                    tr {
                        th scope="row" { (address(line.address.spelling(), &row.name)) }
                        td data-label="State" { (tag(tone(line.state), words(line.state))) }
                        td data-label="Since" { (time(line.since, *zone)) }
                        td data-label="Why" { (why(line)) }
                        td.number data-label="Priority" { (line.priority) }
                    }
                }
            }
        }
    }
}

/// Where a roster's line is the whole reason, it is said once.
fn why(line: &MemberLine) -> Markup {
    html! {
        @if !line.origins.contains(&line.reason) { span { (prose(&line.reason)) } }
        @for origin in &line.origins { span.origin { (foreign(origin)) } }
    }
}

/// An address as a way to its explanation.
pub fn address(address: &str, subscription: &str) -> Markup {
    html! { a.address href=(Link::of(subscription, "explain").with("address", address)) { (foreign(address)) } }
}

/// A page of the queue as a value.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueView {
    pub head: Head,
    pub members: Vec<Member>,
    /// From 0.
    pub page: u64,
    pub next_probe: Option<Timestamp>,
}

pub fn queue_page(view: &QueueView, visitor: &Visitor) -> Markup {
    let Head { row, zone, now, .. } = &view.head;
    let skipped = view.page * PAGE as u64;
    let to = |page: u64| Link::of(&row.name, "queue").with("page", &(page + 1).to_string());
    let previous = view.page.checked_sub(1).map(to);
    let until = skipped + view.members.len() as u64;
    let next = (until < row.members.pending).then(|| to(view.page + 1));
    let place = format!("{} to {} of {}", number(skipped + 1), number(until), number(row.members.pending));
    let body = html! {
        section #rows data-part aria-labelledby="queue-title" {
            h2.hidden #queue-title { "Queue" }
            @if view.members.is_empty() {
                (empty("Nobody waits for a seat.", &html! { p { "Whoever is named by a source while no seat is free waits here, in the order in which seats are given." } }))
            } @else {
                p {
                    (prose(&row.waiting()))
                    @if let Some(at) = view.next_probe { " The server is asked again " (ago(at, *now)) "." }
                }
                p.faint { "Lower priority numbers are served first, then whoever has waited longest. Each seat that a leaver frees goes to the first." }
                (queue_list(&view.members, skipped, &row.name, *zone, *now))
                (pager("the queue", previous.as_ref().map(|it| (it, "Previous")), &place, next.as_ref().map(|it| (it, "Next"))))
            }
        }
    };
    view.head.page(Page::Queue, visitor, &body)
}

/// Those who wait, each with the place; `skipped` stand before them.
pub fn queue_list(members: &[Member], skipped: u64, subscription: &str, zone: Tz, now: Timestamp) -> Markup {
    html! {
        table.rows.queue {
            caption.hidden { "Those who wait for a seat" }
            thead {
                tr {
                    th.number scope="col" { "Place" }
                    th scope="col" { "Address" }
                    th.number scope="col" { "Priority" }
                    th scope="col" { "Waiting since" }
                    th scope="col" { "Why" }
                }
            }
            tbody {
                @for (place, member) in (skipped + 1..).zip(members) {
                    tr {
                        td.number data-label="Place" { (number(place)) }
                        th scope="row" { (address(member.address.spelling(), subscription)) }
                        td.number data-label="Priority" { (member.priority) }
                        td data-label="Waiting since" {
                            @let since = member.waiting_since.unwrap_or(member.since);
                            (time(since, zone)) " " span.faint { "(" (crate::report::text::relative(since, now)) ")" }
                        }
                        td data-label="Why" { @if member.claim.is_some() { "has a claim to the next seat; " } (prose(&member.reason)) }
                    }
                }
            }
        }
    }
}
