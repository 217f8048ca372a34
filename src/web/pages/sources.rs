//! Where rosters come from: how old they are, and what is wrong.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::html::{Tone, ago, empty, foreign, pager, prose, tag};
use super::link::Link;
use super::shell::{Part, Shell, Visitor};
use crate::clock::Timestamp;
use crate::config::{Source, SourceKind};
use crate::ledger::listing::SourceLine;
use crate::report::text::{count, number, sentence};
use crate::source::Push;

/// So many sources are on a page.
pub const PAGE: usize = 50;

/// What is told of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRow {
    pub name: String,
    /// `CSV`, `directory`.
    pub kind: &'static str,
    /// A folder, a file, a server.
    pub place: String,
    /// `None`: nobody has looked at it yet.
    pub line: Option<SourceLine>,
    /// Nothing new has come for longer than `max_age` allows.
    pub is_old: bool,
}

impl SourceRow {
    pub fn new(source: &Source, line: Option<SourceLine>, now: Timestamp) -> SourceRow {
        let (kind, place) = match &source.kind {
            SourceKind::Csv(csv) => ("CSV", csv.path.display().to_string()),
            SourceKind::Ldap(ldap) => ("directory", ldap.urls.first().map(ToString::to_string).unwrap_or_default()),
        };
        let accepted = line.as_ref().and_then(|line| line.accepted_at);
        let age = accepted.and_then(|at| (now - at).to_std().ok());
        let is_old = source.max_age.is_some_and(|max| age.is_some_and(|age| age > max));
        SourceRow { name: source.name.clone(), kind, place, line, is_old }
    }

    fn has_failed(&self) -> bool {
        self.line.as_ref().is_some_and(|line| line.problem.is_some())
    }
}

/// Which sources somebody wants to see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ask {
    pub search: String,
    pub failed: bool,
    /// From 0.
    pub page: usize,
}

impl Ask {
    /// From an address; what can't be is left out.
    pub fn read(query: &BTreeMap<String, String>) -> Ask {
        let get = |key: &str| query.get(key).map_or("", |value| value.trim());
        let page = get("page").parse::<usize>().unwrap_or(1).saturating_sub(1);
        Ask { search: get("search").to_owned(), failed: get("only") == "failed", page }
    }

    fn link(&self) -> Link {
        let page = if self.page == 0 { String::new() } else { (self.page + 1).to_string() };
        let only = if self.failed { "failed" } else { "" };
        Link::to("/sources").with("search", &self.search).with("only", only).with("page", &page)
    }
}

/// Those that are wanted of these, by name.
pub fn page(rows: &[SourceRow], ask: &Ask, now: Timestamp, visitor: &Visitor) -> Markup {
    let text = ask.search.to_lowercase();
    let fits = |row: &&SourceRow| {
        (text.is_empty() || row.name.to_lowercase().contains(&text)) && (!ask.failed || row.has_failed())
    };
    let wanted: Vec<&SourceRow> = rows.iter().filter(fits).collect();
    let pages = wanted.len().div_ceil(PAGE).max(1);
    let page = ask.page.min(pages - 1);
    let to = |page: usize| Ask { page, ..ask.clone() }.link();
    let (previous, next) = (page.checked_sub(1).map(to), (page + 1 < pages).then(|| to(page + 1)));
    let shown: Vec<SourceRow> = wanted.iter().skip(page * PAGE).take(PAGE).map(|row| (*row).clone()).collect();
    let place = format!("{} to {} of {}", page * PAGE + 1, page * PAGE + shown.len(), number(wanted.len() as u64));
    let failed = rows.iter().filter(|row| row.has_failed()).count() as u64;
    let main = html! {
        div.headline #headline data-part {
            h1 { "Sources" }
            p.facts { span { (count(rows.len() as u64, "source", "sources")) } @if failed > 0 { span { (number(failed)) " with a problem" } } }
        }
        (search(ask))
        section #rows data-part aria-label="Sources" {
            @if rows.is_empty() {
                (empty("There is no source yet.", &html! { p { "A table " code { "[sources.NAME]" } " in the configuration says where a roster comes from: a folder for CSV files, or a directory." } }))
            } @else if shown.is_empty() {
                (empty("No source fits.", &html! { p { a href="/sources" { "Show all of them" } } }))
            } @else {
                (sources_list(&shown, now))
                (pager("the sources", previous.as_ref().map(|it| (it, "Previous")), &place, next.as_ref().map(|it| (it, "Next"))))
            }
        }
    };
    Shell { title: "Sources", part: Part::Sources, visitor, about: None }.page(&main)
}

fn search(ask: &Ask) -> Markup {
    html! {
        form.search method="get" action="/sources" role="search" aria-label="Sources" {
            div.field {
                label for="search" { "Name" }
                input #search type="search" name="search" value=(ask.search) autocomplete="off" spellcheck="false";
            }
            div.field {
                label for="only" { "Show" }
                select #only name="only" {
                    option value="" { "all" }
                    option value="failed" selected[ask.failed] { "those with a problem" }
                }
            }
            button type="submit" { "Search" }
        }
    }
}

/// Sources with how they stand.
pub fn sources_list(rows: &[SourceRow], now: Timestamp) -> Markup {
    html! {
        table.rows.sources {
            caption.hidden { "Sources" }
            thead { tr {
                th scope="col" { "Source" }
                th scope="col" { "Where" }
                th.number scope="col" { "Entries" }
                th scope="col" { "Roster of" }
                th scope="col" { "Changes" }
                th scope="col" { "State" }
            } }
            tbody { @for row in rows { (source(row, now)) } }
        }
    }
}

fn source(row: &SourceRow, now: Timestamp) -> Markup {
    let line = row.line.as_ref();
    html! {
        tr {
            th scope="row" { (foreign(&row.name)) }
            td data-label="Where" { (row.kind) " " code { (foreign(&row.place)) } }
            td.number data-label="Entries" { (line.filter(|line| line.accepted_at.is_some()).map_or_else(|| "–".to_owned(), |line| number(line.entries))) }
            td data-label="Roster of" {
                @match line.and_then(|line| line.accepted_at) {
                    Some(at) => (ago(at, now)),
                    None => span.faint { "none yet" },
                }
            }
            td data-label="Changes" { (changes(line, now)) }
            td data-label="State" { (state(row, now)) }
        }
    }
}

fn changes(line: Option<&SourceLine>, now: Timestamp) -> Markup {
    html! {
        @match line.and_then(|line| line.push.as_ref()) {
            Some((Push::By(server), since)) => { "told by " (foreign(server)) " since " (ago(*since, now)) },
            Some((Push::Not(_), _)) => "looked for by schedule; not told of",
            None => "looked for by schedule",
        }
    }
}

/// What counts while a source fails: a sentence.
pub fn in_force(line: &SourceLine) -> &'static str {
    match line.accepted_at {
        Some(_) => "The roster of before stays in force.",
        None => "It has never been read whole.",
    }
}

fn state(row: &SourceRow, now: Timestamp) -> Markup {
    html! {
        @match row.line.as_ref() {
            None => (tag(Tone::Plain, "not read yet")),
            Some(line @ SourceLine { problem: Some((words, since)), .. }) => {
                (tag(Tone::Bad, "failed")) " " (ago(*since, now)) ". " (prose(&sentence(words))) " " (in_force(line))
            },
            Some(SourceLine { accepted_at: None, .. }) => (tag(Tone::Plain, "nothing to read yet")),
            Some(line) => {
                @if row.is_old { (tag(Tone::Look, "too old")) } @else { (tag(Tone::Good, "in order")) }
                @if line.bad_rows > 0 { " " (count(line.bad_rows, "row", "rows")) " can’t be used." }
            },
        }
    }
}
