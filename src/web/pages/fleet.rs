//! The first page: what needs a person, then all subscriptions, searched, sorted and paged.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use maud::{Markup, html};

use super::html::{Tone, ago, bar, empty, foreign, pager, tag};
use super::link::Link;
use super::needs::{self, Kind, Need, Row};
use super::shell::{Part, Shell, Visitor};
use crate::clock::Timestamp;
use crate::ledger::RunRecord;
use crate::report::forecast::{Forecast, Outlook};
use crate::report::text::{count, either, number};

/// So many subscriptions are on a page.
pub const PAGE: usize = 50;

/// Which subscriptions somebody wants to see, in what order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ask {
    pub search: String,
    pub only: Option<Only>,
    pub sort: Sort,
    /// From 0.
    pub page: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// Those that need a person, whatever for.
    Any,
    Of(Kind),
}

impl Only {
    fn word(self) -> &'static str {
        match self {
            Only::Any => "needs",
            Only::Of(kind) => kind.word(),
        }
    }

    fn lets_in(self, row: &Row) -> bool {
        let kinds = row.kinds();
        match self {
            Only::Any => !kinds.is_empty(),
            Only::Of(kind) => kinds.contains(&kind),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    #[default]
    Name,
    /// The largest number of seats first.
    Seats,
    /// The fewest free seats first.
    Free,
    /// The longest queue first.
    Waiting,
}

impl Sort {
    const ALL: [Sort; 4] = [Sort::Name, Sort::Seats, Sort::Free, Sort::Waiting];

    fn word(self) -> &'static str {
        match self {
            Sort::Name => "",
            Sort::Seats => "seats",
            Sort::Free => "free",
            Sort::Waiting => "waiting",
        }
    }
}

impl Ask {
    /// From an address; what can't be is left out.
    pub fn read(query: &BTreeMap<String, String>) -> Ask {
        let get = |key: &str| query.get(key).map_or("", |value| value.trim());
        let kinds = Kind::OF_ONE.into_iter().map(Only::Of);
        Ask {
            search: get("search").to_owned(),
            only: [Only::Any].into_iter().chain(kinds).find(|only| only.word() == get("only")),
            sort: Sort::ALL.into_iter().find(|sort| sort.word() == get("sort")).unwrap_or_default(),
            page: get("page").parse::<usize>().unwrap_or(1).saturating_sub(1),
        }
    }

    fn link(&self) -> Link {
        let page = if self.page == 0 { String::new() } else { (self.page + 1).to_string() };
        Link::to("/")
            .with("search", &self.search)
            .with("only", self.only.map_or("", Only::word))
            .with("sort", self.sort.word())
            .with("page", &page)
            .at("subscriptions")
    }

    /// The rows that are wanted, in their order; then those of the page, and how many there are.
    pub fn choose(&self, rows: &[Row]) -> Chosen {
        let text = self.search.to_lowercase();
        let fits = |row: &&Row| {
            (text.is_empty() || row.name.to_lowercase().contains(&text))
                && self.only.is_none_or(|only| only.lets_in(row))
        };
        let mut wanted: Vec<&Row> = rows.iter().filter(fits).collect();
        match self.sort {
            Sort::Name => wanted.sort_by(|a, b| a.name.cmp(&b.name)),
            Sort::Seats => wanted.sort_by_key(|row| Reverse(row.seats.map(|seats| seats.available))),
            Sort::Free => wanted.sort_by_key(|row| row.free().unwrap_or(u64::MAX)),
            Sort::Waiting => wanted.sort_by_key(|row| Reverse(row.members.pending)),
        }
        let all = wanted.len();
        let page = self.page.min(all.saturating_sub(1) / PAGE);
        let rows = wanted.into_iter().skip(page * PAGE).take(PAGE).cloned().collect();
        Chosen { rows, all, page }
    }
}

/// One page of the rows that are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    pub rows: Vec<Row>,
    /// How many rows all pages have.
    pub all: usize,
    pub page: usize,
}

/// What is looked up for the rows of one page alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct More {
    pub last_run: Option<RunRecord>,
    pub next_run: Option<Timestamp>,
    pub forecast: Option<Forecast>,
}

/// The whole page as a value.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetView {
    pub ask: Ask,
    pub totals: Totals,
    /// Sorted.
    pub needs: Vec<Need>,
    pub shown: Vec<(Row, More)>,
    /// How many rows all pages have, and which page this is.
    pub all: usize,
    pub page: usize,
    pub sources: Sources,
    pub next_run: Option<Timestamp>,
    pub now: Timestamp,
}

/// Of all subscriptions together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    pub subscriptions: u64,
    pub used: u64,
    pub seats: u64,
    pub waiting: u64,
    /// How many subscriptions have not come to an answer yet.
    pub new: u64,
}

impl Totals {
    pub fn of(rows: &[Row]) -> Totals {
        let mut totals = Totals { subscriptions: rows.len() as u64, ..Totals::default() };
        for row in rows {
            totals.used += row.seats.map_or(0, |seats| seats.assigned);
            totals.seats += row.seats.map_or(0, |seats| seats.available);
            totals.waiting += row.members.pending;
            totals.new += u64::from(row.is_new);
        }
        totals
    }
}

/// The sources in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sources {
    pub all: u64,
    pub failed: u64,
    /// Those that tell of their changes.
    pub telling: u64,
    /// When a roster last came into force.
    pub newest: Option<Timestamp>,
}

pub fn page(view: &FleetView, visitor: &Visitor) -> Markup {
    let main = html! {
        (headline(view))
        @if !view.needs.is_empty() {
            section #needs aria-labelledby="needs-title" data-part {
                h2.hidden #needs-title { "What needs a person" }
                (needs::of_fleet(&view.needs, view.now, visitor))
            }
        } @else { section #needs data-part {} }
        @if view.totals.subscriptions == 0 { (nothing_yet()) } @else { (list(view)) }
    };
    Shell { title: "Subscriptions", part: Part::Subscriptions, visitor, about: None }.page(&main)
}

fn headline(view: &FleetView) -> Markup {
    let Totals { subscriptions, used, seats, waiting, new } = view.totals;
    let needs = view.needs.len() as u64;
    html! {
        div.headline #headline data-part {
            h1 data-told {
                @if subscriptions == 0 { "Welcome" }
                @else if needs == 0 && new == subscriptions { "Nothing has happened yet" }
                @else if needs == 0 { "Nothing needs you" }
                @else { (count(needs, "thing needs", "things need")) " a person" }
            }
            @if subscriptions > 0 {
                p.facts {
                    span { (count(subscriptions, "subscription", "subscriptions")) }
                    @if seats > 0 { span { (number(used)) " of " (count(seats, "seat", "seats")) " used" } }
                    span { @if waiting == 0 { "nobody waits" } @else { (count(waiting, "person waits", "people wait")) } }
                    (sources(&view.sources, view.now))
                    @if let Some(at) = view.next_run { span { "next run " (ago(at, view.now)) } }
                }
            }
        }
    }
}

fn sources(sources: &Sources, now: Timestamp) -> Markup {
    let Sources { all, failed, telling, newest } = *sources;
    html! {
        span {
            a href="/sources" { (count(all, "source", "sources")) }
            @if failed > 0 { ", " (number(failed)) " " (either(failed, "fails", "fail")) }
            @if telling > 0 { ", " (number(telling)) " " (either(telling, "tells", "tell")) " of changes" }
            @if let Some(at) = newest { ", newest roster " (ago(at, now)) }
        }
    }
}

fn nothing_yet() -> Markup {
    empty(
        "There is no subscription yet.",
        &html! {
            ol {
                li { "Give the configuration a table " code { "[subscriptions.NAME]" } " with its type, its id and its API key, and a source that says who should have a licence." }
                li { code { "rosterd check" } " tries everything that is written there, and changes nothing." }
                li { "The daemon notices the new configuration by itself, and the subscription is here." }
            }
            p { code { "rosterd demo" } " shows all of it on a server of its own." }
        },
    )
}

fn list(view: &FleetView) -> Markup {
    html! {
        section #subscriptions aria-labelledby="subscriptions-title" {
            h2 #subscriptions-title { "Subscriptions" }
            (search(&view.ask))
            div #rows data-part {
                @if view.shown.is_empty() {
                    (empty("No subscription fits.", &html! { p { a href="/#subscriptions" { "Show all of them" } } }))
                } @else {
                    (table(view))
                    (pages(view))
                }
            }
        }
    }
}

fn search(ask: &Ask) -> Markup {
    html! {
        form.search method="get" action="/#subscriptions" role="search" aria-label="Subscriptions" {
            div.field {
                label for="search" { "Name" }
                input #search type="search" name="search" value=(ask.search) autocomplete="off" spellcheck="false";
            }
            div.field {
                label for="only" { "Show" }
                select #only name="only" {
                    option value="" { "all" }
                    option value=(Only::Any.word()) selected[ask.only == Some(Only::Any)] { "those that need a person" }
                    @for kind in Kind::OF_ONE {
                        option value=(kind.word()) selected[ask.only == Some(Only::Of(kind))] { (kind.title()) }
                    }
                }
            }
            @if ask.sort != Sort::Name { input type="hidden" name="sort" value=(ask.sort.word()); }
            button type="submit" { "Search" }
        }
    }
}

fn table(view: &FleetView) -> Markup {
    let sorted = |sort, title: &str, class: &str| head(&view.ask, sort, title, class);
    html! {
        table.rows.fleet role="table" {
            caption.hidden { "Subscriptions" }
            thead {
                tr {
                    (sorted(Sort::Name, "Subscription", ""))
                    (sorted(Sort::Seats, "Seats used", ""))
                    (sorted(Sort::Free, "Free", "number"))
                    (sorted(Sort::Waiting, "Waiting", "number"))
                    th scope="col" { "State" }
                    th scope="col" { "Seats last until" }
                    th scope="col" { "Last run" }
                    th scope="col" { "Next run" }
                }
            }
            tbody { @for (row, more) in &view.shown { (line(row, more, view.now)) } }
        }
    }
}

fn head(ask: &Ask, sort: Sort, title: &str, class: &str) -> Markup {
    let current = ask.sort == sort;
    let order = if matches!(sort, Sort::Name | Sort::Free) { "ascending" } else { "descending" };
    let link = Ask { sort, page: 0, ..ask.clone() }.link();
    html! {
        th.(class) scope="col" aria-sort=[current.then_some(order)] {
            a href=(link) { (title) @if current { span.sorted aria-hidden="true" { @if order == "ascending" { " ↑" } @else { " ↓" } } } }
        }
    }
}

fn line(row: &Row, more: &More, now: Timestamp) -> Markup {
    html! {
        tr {
            th scope="row" { a href=(Link::of(&row.name, "")) { (foreign(&row.name)) } }
            td data-label="Seats used" {
                @match row.seats {
                    Some(seats) => div.used { span { (number(seats.assigned)) " of " (number(seats.available)) } (bar(seats.assigned, seats.available)) },
                    None => span.faint { "not known yet" },
                }
            }
            td.number data-label="Free" { (row.free().map_or_else(|| "–".to_owned(), number)) }
            td.number data-label="Waiting" { @if row.members.pending == 0 { span.faint { "0" } } @else { (number(row.members.pending)) } }
            td data-label="State" { span.tags { @for (tone, word) in row.tags() { (tag(tone, &word)) } } }
            td data-label="Seats last until" { (until(more.forecast.as_ref())) }
            td data-label="Last run" { @match &more.last_run {
                Some(run) => (ago(run.finished_at.unwrap_or(run.started_at), now)),
                None => span.faint { "never" },
            } }
            td data-label="Next run" { @match more.next_run { Some(at) => (ago(at, now)), None => "–" } }
        }
    }
}

/// When the seats run out, in a word.
pub fn until(forecast: Option<&Forecast>) -> Markup {
    html! {
        @match forecast.map(|forecast| (forecast.outlook, forecast.runs_out_on)) {
            Some((Outlook::RunsOut, Some(day))) => time datetime=(day) { (day) },
            Some((Outlook::Full, _)) => (tag(Tone::Look, "none is free")),
            Some((Outlook::NotEnoughYet, _)) => span.faint { "not enough days yet" },
            Some(_) => span.faint { "over a year" },
            None => "–",
        }
    }
}

fn pages(view: &FleetView) -> Markup {
    let pages = view.all.div_ceil(PAGE);
    let to = |page: usize| Ask { page, ..view.ask.clone() }.link();
    let previous = view.page.checked_sub(1).map(to);
    let next = Some(view.page + 1).filter(|page| *page < pages).map(to);
    let place =
        format!("{} to {} of {}", view.page * PAGE + 1, view.page * PAGE + view.shown.len(), number(view.all as u64));
    pager(
        "the subscriptions",
        previous.as_ref().map(|it| (it, "Previous")),
        &place,
        next.as_ref().map(|it| (it, "Next")),
    )
}
