//! A plan for people, and a plan for programs.

use std::fmt;

use chrono_tz::Tz;
use serde::Serialize;

use super::{Hold, Leaving, LeavingUntil, Plan, Removal, Settlement};
use crate::clock::Timestamp;
use crate::licensing::wire::Operation;
use crate::report::text::moment;
use crate::roster::membership::day_in;
use crate::source::ldap::evidence::Observed;
use crate::source::{BadRow, Evidence};

/// How a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// How many of each list are shown; of the others, their number.
    pub shown_max: usize,
    /// Whether the signs of what is added and taken away have colours. They never carry a meaning alone.
    pub colour: bool,
    /// In which moments are told: the subscription's.
    pub zone: Tz,
}

impl Default for Style {
    fn default() -> Style {
        Style { shown_max: 20, colour: false, zone: Tz::UTC }
    }
}

impl Plan {
    /// The plan of this subscription as people read it: a line for each part of it, with the first few members.
    pub fn display<'a>(&'a self, subscription: &'a str, style: Style) -> impl fmt::Display + use<'a> {
        Shown { subscription, plan: self, style }
    }
}

struct Shown<'a> {
    subscription: &'a str,
    plan: &'a Plan,
    style: Style,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { unassign, rename, waiting, leaving, quarantined, settle, hold, restored, .. } = self.plan;
        restored.iter().try_for_each(|restored| writeln!(f, "{}: {restored}", self.subscription))?;
        let (assign, pending) = self.plan.fitting();
        let lists = [
            (unassign.len(), rename.len(), assign.len(), pending.len()) == (0, 0, 0, 0),
            (waiting.len(), leaving.len(), quarantined.len(), settle.len()) == (0, 0, 0, 0),
        ];
        if lists == [true, true] {
            return writeln!(f, "{}: no changes", self.subscription);
        }
        writeln!(f, "{}:", self.subscription)?;
        self.list(f, RED, '-', &counted(unassign.len(), "seat", "to take back"), unassign, |r| {
            (r.address.to_string(), r.detail.clone())
        })?;
        self.list(f, YELLOW, '~', &counted(rename.len(), "address", "to change"), rename, |r| {
            (r.from.to_string(), format!("becomes {}", r.to))
        })?;
        self.list(f, GREEN, '+', &counted(assign.len(), "seat", "to give"), assign, |a| {
            (a.address.to_string(), a.detail.clone())
        })?;
        self.list(f, YELLOW, '?', &wait_for_a_seat(pending.len()), pending, |a| {
            (
                a.address.to_string(),
                format!("priority {}, waits since {}", a.priority, day_in(a.since, self.style.zone)),
            )
        })?;
        self.list(f, PLAIN, '.', &wait(waiting.len(), "their start"), waiting, |w| {
            (w.address.to_string(), format!("starts {}", day_in(w.starts, self.style.zone)))
        })?;
        let staying: Vec<&Leaving> = leaving.iter().filter(|l| l.until != LeavingUntil::Approval).collect();
        self.list(f, PLAIN, '.', &counted(staying.len(), "leaver", "with a seat"), &staying, |l| {
            (l.address.to_string(), format!("{}; {}", l.detail, until(&l.until, self.style.zone)))
        })?;
        self.list(f, YELLOW, '?', &counted(quarantined.len(), "address", "set aside"), quarantined, |q| {
            (q.address.to_string(), q.reason.clone())
        })?;
        self.list(f, PLAIN, '=', &counted(settle.len(), "record", "to settle without a request"), settle, settled)?;
        hold.as_ref().map_or(Ok(()), |hold| self.held(f, hold))
    }
}

impl Shown<'_> {
    /// A heading, and under it one line for each of the first few.
    fn list<T>(
        &self,
        f: &mut fmt::Formatter<'_>,
        colour: &str,
        sign: char,
        heading: &str,
        items: &[T],
        columns: impl Fn(&T) -> (String, String),
    ) -> fmt::Result {
        if items.is_empty() {
            return Ok(());
        }
        writeln!(f, "  {heading}")?;
        let rows: Vec<(String, String)> = items.iter().take(self.style.shown_max).map(columns).collect();
        let width = rows.iter().map(|(first, _)| first.chars().count()).max().unwrap_or_default();
        let (on, off) = if self.style.colour && colour != PLAIN { (colour, RESET) } else { ("", "") };
        for (first, second) in rows {
            writeln!(f, "    {on}{sign}{off} {first:width$}  {second}")?;
        }
        match items.len().checked_sub(self.style.shown_max) {
            None | Some(0) => Ok(()),
            Some(more) => writeln!(f, "      and {more} more"),
        }
    }

    fn held(&self, f: &mut fmt::Formatter<'_>, hold: &Hold) -> fmt::Result {
        let heading = format!("{} for an approval", wait_noun(hold.removals.len(), "removal"));
        self.list(f, YELLOW, '!', &heading, &hold.removals, |r: &Removal| (r.address.to_string(), r.detail.clone()))?;
        if self.plan.restored.is_some() {
            return writeln!(f, "    These wait for `rosterd ledger accept`.");
        }
        hold.reasons.iter().try_for_each(|reason| writeln!(f, "    {reason}"))?;
        if hold.braked {
            return writeln!(f, "    To let removals go on everywhere: rosterd resume");
        }
        writeln!(f, "    To let these go: rosterd approve {} --digest {}", self.subscription, hold.digest)
    }
}

const PLAIN: &str = "";
const RED: &str = "\u{1b}[31m";
const GREEN: &str = "\u{1b}[32m";
const YELLOW: &str = "\u{1b}[33m";
const RESET: &str = "\u{1b}[0m";

/// `3 seats to give`.
fn counted(count: usize, noun: &str, rest: &str) -> String {
    format!("{} {rest}", plural(count, noun))
}

/// `1 seat`, `2 addresses`.
fn plural(count: usize, noun: &str) -> String {
    match (count, noun.ends_with('s')) {
        (1, _) => format!("1 {noun}"),
        (_, true) => format!("{count} {noun}es"),
        (_, false) => format!("{count} {noun}s"),
    }
}

/// `2 removals wait`.
fn wait_noun(count: usize, noun: &str) -> String {
    format!("{} {}", plural(count, noun), if count == 1 { "waits" } else { "wait" })
}

fn wait(count: usize, what: &str) -> String {
    if count == 1 { format!("1 person waits for {what}") } else { format!("{count} people wait for {what}") }
}

fn wait_for_a_seat(count: usize) -> String {
    wait(count, "a free seat")
}

fn until(until: &LeavingUntil, zone: Tz) -> String {
    match until {
        LeavingUntil::Grace(end) => format!("keeps the seat until {}", day_in(*end, zone)),
        LeavingUntil::Approval => "waits for an approval".to_owned(),
        LeavingUntil::Protected(pattern) => format!("protected by {pattern}"),
        LeavingUntil::Renamed(why) => format!("keeps the seat while the new address can't have one ({why})"),
    }
}

fn settled(settlement: &Settlement) -> (String, String) {
    match settlement {
        Settlement::Returned { address } => (address.to_string(), "is wanted again, and keeps the seat".to_owned()),
        Settlement::Dropped { address, reason } => (address.to_string(), format!("no longer wanted ({reason})")),
    }
}

/// A plan as `plan --json` shows it, for one subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanJson {
    pub name: String,
    /// Those that fit the seats; all of them where the seats are not known.
    pub assign: Vec<String>,
    pub unassign: Vec<MemberJson>,
    pub rename: Vec<RenameJson>,
    /// Who wants a seat, and none is free.
    pub pending: Vec<String>,
    pub waiting: Vec<String>,
    pub leaving: Vec<MemberJson>,
    pub quarantined: Vec<MemberJson>,
    /// The answers to requests about them are missing; settled before anything else. Filled in by whoever knows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unsettled: Vec<OpenJson>,
    pub held: bool,
    /// Of the removals that are held, where any are, as `approve --digest` takes it; else of the plan.
    pub digest: String,
    /// Filled in by whoever read them.
    pub sources: Vec<SourceJson>,
    /// Why nothing is taken back at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberJson {
    pub email: String,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RenameJson {
    pub from: String,
    pub to: String,
}

/// Whom an open request names, and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenJson {
    pub email: String,
    pub operation: Operation,
}

/// What one look at a source gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceJson {
    pub name: String,
    pub entries: u64,
    pub bad_rows: Vec<BadRowJson>,
    /// Why it could not be read.
    pub error: Option<String>,
    /// What was seen of a directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceJson>,
}

/// What supports the roster of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EvidenceJson {
    /// When it was read.
    pub read_at: Option<Timestamp>,
    #[serde(flatten)]
    pub observed: Observed,
}

impl EvidenceJson {
    /// Nothing where the source is no directory, or has never been read.
    pub fn of(evidence: &Evidence, read_at: Option<Timestamp>) -> Option<EvidenceJson> {
        evidence.directory.as_ref().map(|observed| EvidenceJson { read_at, observed: (**observed).clone() })
    }

    /// For people, of the source of this name: a heading, then sentences.
    pub fn told(&self, source: &str) -> (String, Vec<String>) {
        let at = self.read_at.map_or_else(String::new, |at| format!(", read {}", moment(at)));
        (format!("What {source} rests on{at}:"), self.observed.told())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadRowJson {
    pub origin: String,
    pub reason: String,
}

impl From<&BadRow> for BadRowJson {
    fn from(row: &BadRow) -> BadRowJson {
        BadRowJson { origin: row.origin.clone(), reason: row.reason.clone() }
    }
}

impl PlanJson {
    pub fn new(subscription: &str, plan: &Plan, sources: Vec<SourceJson>) -> PlanJson {
        let (assign, pending) = plan.fitting();
        PlanJson {
            name: subscription.to_owned(),
            assign: emails(assign.iter().map(|a| &a.address)),
            unassign: plan.unassign.iter().map(|r| member(&r.address, &r.reason)).collect(),
            rename: plan.rename.iter().map(|r| RenameJson { from: r.from.to_string(), to: r.to.to_string() }).collect(),
            pending: emails(pending.iter().map(|a| &a.address)),
            waiting: emails(plan.waiting.iter().map(|w| &w.address)),
            leaving: plan.leaving.iter().map(|l| member(&l.address, &l.reason)).collect(),
            quarantined: plan.quarantined.iter().map(|q| member(&q.address, &q.reason)).collect(),
            unsettled: Vec::new(),
            held: plan.hold.is_some(),
            digest: plan.hold.as_ref().map_or(&plan.digest, |hold| &hold.digest).clone(),
            sources,
            problem: plan.restored.as_ref().map(ToString::to_string),
        }
    }
}

fn emails<'a>(addresses: impl Iterator<Item = &'a crate::address::Address>) -> Vec<String> {
    addresses.map(ToString::to_string).collect()
}

fn member(address: &crate::address::Address, reason: &dyn fmt::Display) -> MemberJson {
    MemberJson { email: address.to_string(), reason: reason.to_string() }
}
