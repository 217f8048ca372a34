//! How the subscriptions stand: seats, members by state, runs, and what needs a person.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde::Serialize;
use uuid::Uuid;

use super::alerts::ReceiverStatus;
use super::drift;
use super::forecast::{Forecast, Outlook};
use super::shortage::Shortage;
use super::text::{Columns, Style, count, either, moment, moment_and_distance, number, plain, relative, sentence};
use super::unusable::unusable;
use crate::brake::Brake;
use crate::clock::Timestamp;
use crate::config::{Subscription, SubscriptionType};
use crate::drift::Drift;
use crate::ledger::{MemberState, PushRecord, RunOutcome, RunRecord, Seats, StoredHold, SubscriptionRecord};
use crate::source::{BadRow, Push};

/// What `status --json` says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// Removals are stopped everywhere.
    pub brake: Option<Brake>,
    pub subscriptions: Vec<SubscriptionStatus>,
    /// Those of the subscriptions.
    pub sources: Vec<SourceStatus>,
    /// The receivers of alerts.
    pub alerts: Vec<ReceiverStatus>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceStatus {
    pub name: String,
    /// How many of the roster's rows or entries can't be used.
    pub bad_rows: u64,
    /// What is said of these, as a fragment.
    #[serde(skip)]
    pub unusable: Option<String>,
    /// Of a directory that a daemon listens to.
    pub push: Option<PushStatus>,
}

/// Whether a directory tells of its changes; one of `server` and `reason` is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PushStatus {
    /// Which of its servers does.
    pub server: Option<String>,
    /// Why none does: sentences.
    pub reason: Option<String>,
    pub since: Timestamp,
}

impl From<PushRecord> for PushStatus {
    fn from(PushRecord { push, since, .. }: PushRecord) -> PushStatus {
        let (server, reason) = match push {
            Push::By(server) => (Some(server), None),
            Push::Not(reason) => (None, Some(reason)),
        };
        PushStatus { server, reason, since }
    }
}

impl SourceStatus {
    /// `nouns` is what a source of its kind is made of.
    pub fn new(name: &str, push: Option<PushRecord>, nouns: [&str; 2], bad_rows: &[BadRow]) -> SourceStatus {
        SourceStatus {
            name: name.to_owned(),
            bad_rows: bad_rows.len() as u64,
            unusable: unusable(bad_rows, nouns, "its roster", plain),
            push: push.map(PushStatus::from),
        }
    }

    /// Whom a row that can't be used is about keeps what they have, and is given nothing.
    fn told_of_unusable(&self) -> Option<String> {
        let words = self.unusable.as_ref()?;
        Some(format!(
            "source {}: {words}. Who has a licence keeps it; who has none gets none until that is mended.",
            self.name
        ))
    }

    /// Nobody has to do anything: it is looked at by schedule all the same. A reason that the problem of a subscription is
    /// already is not told again.
    fn told_of_push(&self, subscriptions: &[SubscriptionStatus], now: Timestamp) -> Option<String> {
        let push = self.push.as_ref()?;
        let (name, since) = (&self.name, moment_and_distance(push.since, now));
        if let Some(server) = &push.server {
            return Some(format!("source {name}: {server} tells of changes since {since}."));
        }
        let is_told = |reason: &&String| {
            let mut problems = subscriptions.iter().filter_map(|one| one.problem.as_ref());
            !problems.any(|problem| problem.contains(reason.as_str()))
        };
        let reason = push.reason.as_ref().filter(is_told).map(|reason| format!(" {}", plain(reason)));
        let reason = reason.unwrap_or_default();
        Some(format!("source {name}: not told of changes since {since}, so it is looked at by schedule alone.{reason}"))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SubscriptionStatus {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: SubscriptionType,
    pub id: Uuid,
    /// `None` until a stats answer has been seen.
    pub seats: Option<Seats>,
    pub members: MemberCounts,
    pub hold: Option<HoldStatus>,
    /// Sentences.
    pub problem: Option<String>,
    /// `None` until the server's count has been held against the members.
    pub drift: Option<DriftStatus>,
    /// `None` until a stats answer has been seen.
    pub forecast: Option<Forecast>,
    /// Where seats are missing.
    #[serde(skip)]
    pub shortage: Option<Shortage>,
    /// What is no problem and worth knowing, fragments.
    #[serde(skip)]
    pub facts: Vec<String>,
    /// The ledger may not be the newest, which `problem` tells: no approval lets anything go.
    #[serde(skip)]
    pub restored: bool,
    pub last_run: Option<RunRecord>,
    /// When its schedule has the next run, if the daemon runs.
    pub next_run: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct MemberCounts {
    pub assigned: u64,
    pub pending: u64,
    pub waiting: u64,
    pub leaving: u64,
    pub quarantined: u64,
    pub unknown: u64,
}

impl MemberCounts {
    pub fn of(counts: &[(MemberState, u64)]) -> MemberCounts {
        let mut members = MemberCounts::default();
        for &(state, n) in counts {
            *match state {
                MemberState::Assigned => &mut members.assigned,
                MemberState::Pending => &mut members.pending,
                MemberState::Waiting => &mut members.waiting,
                MemberState::Leaving => &mut members.leaving,
                MemberState::Quarantined => &mut members.quarantined,
                MemberState::Unknown => &mut members.unknown,
            } += n;
        }
        members
    }
}

/// What the licensing server counts, beside what rosterd knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DriftStatus {
    /// Seats that were assigned by other means.
    pub unmanaged: u64,
    /// Seats that were unassigned by other means: all that are missed, those that may be others' among them.
    pub missing: u64,
    /// Between which two answers they were unassigned; the first is `None` where there was none before.
    pub missing_after: Option<Timestamp>,
    pub missing_by: Option<Timestamp>,
    /// When the counts were last held against each other.
    pub as_of: Timestamp,
}

impl From<&Drift> for DriftStatus {
    fn from(drift: &Drift) -> DriftStatus {
        DriftStatus {
            unmanaged: drift.unmanaged(),
            missing: drift.shortfall.map_or(0, |shortfall| shortfall.seats),
            missing_after: drift.shortfall.and_then(|shortfall| shortfall.after),
            missing_by: drift.shortfall.map(|shortfall| shortfall.by),
            as_of: drift.as_of,
        }
    }
}

/// Removals that wait for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldStatus {
    pub digest: String,
    pub removals: u64,
    /// Sentences.
    pub reason: String,
    pub since: Timestamp,
    /// Whether an approval is not enough: removals are stopped everywhere.
    #[serde(skip)]
    pub braked: bool,
}

impl From<&StoredHold> for HoldStatus {
    fn from(stored: &StoredHold) -> HoldStatus {
        HoldStatus {
            digest: stored.hold.digest.clone(),
            removals: stored.hold.removals.len() as u64,
            reason: stored.hold.reasons.iter().map(|reason| sentence(reason)).collect::<Vec<_>>().join(" "),
            since: stored.since,
            braked: stored.hold.braked,
        }
    }
}

impl SubscriptionStatus {
    /// `source_problems` are those of the subscription's sources, each with the source's name.
    pub fn new(
        subscription: &Subscription,
        record: &SubscriptionRecord,
        counts: &[(MemberState, u64)],
        source_problems: &[(String, String)],
        now: Timestamp,
    ) -> SubscriptionStatus {
        let drift = drift::problem(subscription, record, now);
        SubscriptionStatus {
            name: subscription.name.clone(),
            kind: subscription.kind,
            id: subscription.id,
            seats: record.seats,
            members: MemberCounts::of(counts),
            hold: record.hold.as_ref().map(HoldStatus::from),
            problem: problem(record, source_problems)
                .into_iter()
                .chain(drift)
                .reduce(|one, other| format!("{one} {other}")),
            drift: record.drift.as_ref().map(DriftStatus::from),
            forecast: None,
            shortage: None,
            facts: drift::facts(subscription, record),
            restored: record.restored.is_some(),
            last_run: record.last_run.clone(),
            next_run: subscription.schedule.next_after(now),
        }
    }

    /// With when the seats run out: `held` is how many were held at each of [`super::forecast::moments`].
    #[must_use]
    pub fn with_forecast(mut self, held: &[Option<u64>], now: Timestamp) -> SubscriptionStatus {
        self.forecast = self.seats.map(|seats| Forecast::new(held, seats, now));
        self
    }

    /// With how many seats are missing.
    #[must_use]
    pub fn with_shortage(self, shortage: Option<Shortage>) -> SubscriptionStatus {
        SubscriptionStatus { shortage, ..self }
    }

    /// Whether something is left that a person may want to see.
    pub fn is_left(&self) -> bool {
        let MemberCounts { assigned: _, pending, waiting: _, leaving: _, quarantined, unknown } = self.members;
        pending + quarantined + unknown > 0 || self.hold.is_some() || self.problem.is_some()
    }

    /// What a person should know, a sentence or two for each thing, each beginning with the subscription's name.
    pub fn sentences(&self, now: Timestamp) -> Vec<String> {
        let parts = [
            self.problem.as_ref().map(|problem| sentence(&plain(problem))),
            self.hold.as_ref().map(|hold| self.held(hold, now)),
            pending(self.members.pending, self.seats, self.shortage.as_ref()),
            self.quarantined(),
            self.unknown(),
            self.forecast.as_ref().filter(|forecast| forecast.is_soon(now)).map(Forecast::words),
        ];
        let facts = self.facts.iter().map(|fact| sentence(fact));
        parts.into_iter().flatten().chain(facts).map(|words| format!("{}: {words}", self.name)).collect()
    }

    fn held(&self, hold: &HoldStatus, now: Timestamp) -> String {
        if self.restored {
            let removals = count(hold.removals, "removal is", "removals are");
            return format!("{removals} held until `rosterd ledger accept`.");
        }
        let name = &self.name;
        let ends = if hold.braked {
            format!("`rosterd reject {name}` keeps the licences.")
        } else {
            format!("`rosterd approve {name}` shows them and asks; `rosterd reject {name}` keeps the licences.")
        };
        format!(
            "{} held since {} ({}). {} {ends}",
            count(hold.removals, "removal is", "removals are"),
            moment(hold.since),
            relative(hold.since, now),
            plain(&hold.reason),
        )
    }

    fn quarantined(&self) -> Option<String> {
        let n = self.members.quarantined;
        (n > 0).then(|| {
            format!(
                "{} quarantined: `rosterd members {} --state quarantined` says why.",
                count(n, "address is", "addresses are"),
                self.name
            )
        })
    }

    fn unknown(&self) -> Option<String> {
        let n = self.members.unknown;
        (n > 0).then(|| {
            format!(
                "a request's answer was lost for {}; the next run settles that before anything else.",
                count(n, "person", "people")
            )
        })
    }
}

/// How many wait, how many seats are free, and how many to buy.
pub fn pending(pending: u64, seats: Option<Seats>, shortage: Option<&Shortage>) -> Option<String> {
    if let Some(shortage) = shortage {
        return Some(sentence(&shortage.words()));
    }
    if pending == 0 {
        return None;
    }
    let wait = format!("{} for a licence", count(pending, "person waits", "people wait"));
    let Some(seats) = seats else {
        return Some(format!("{wait}; how many seats are free is not known yet."));
    };
    let available = count(seats.available, "seat is", "seats are");
    let them = either(pending, "it", "them");
    // Who waits for what the problem tells may be more than seats are free.
    let served = if pending <= seats.free() { format!(": the next run gives {them} out") } else { String::new() };
    Some(format!("{wait}, {} of {available} free{served}.", number(seats.free())))
}

/// The ledger's doubt, the subscription's own problem, and those of its sources where it does not name them itself.
fn problem(record: &SubscriptionRecord, sources: &[(String, String)]) -> Option<String> {
    let own = record.problem.as_ref().map(|(words, _)| words.as_str());
    let mut sentences: Vec<String> = record.restored.iter().map(|restored| sentence(&restored.to_string())).collect();
    sentences.extend(own.map(sentence));
    for (source, words) in sources {
        if !own.is_some_and(|own| own.contains(words.trim_end_matches('.'))) {
            sentences.push(sentence(&format!("source {source}: {words}")));
        }
    }
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

impl Status {
    /// Whether anything is left that a person may want to see.
    pub fn is_left(&self) -> bool {
        self.brake.is_some()
            || self.subscriptions.iter().any(SubscriptionStatus::is_left)
            || self.sources.iter().any(|source| source.bad_rows > 0)
            || self.alerts.iter().any(|receiver| receiver.problem.is_some())
    }

    /// A table, and below it what a person should know; above it what stops everything.
    pub fn render(&self, now: Timestamp, style: Style) -> String {
        let banner = self.brake.as_ref().map(|brake| format!("{}\n\n", style.red(&plain(&brake.words()))));
        let mut text = banner.unwrap_or_default();
        text.push_str(&self.table(now, style));
        let sentences = self.subscriptions.iter().flat_map(|one| one.sentences(now)).map(|words| style.yellow(&words));
        let of_alerts = self.alerts.iter().filter_map(|receiver| receiver.told(now)).map(|words| style.yellow(&words));
        let unusable = self.sources.iter().filter_map(SourceStatus::told_of_unusable).map(|words| style.yellow(&words));
        let push = self.sources.iter().filter_map(|source| source.told_of_push(&self.subscriptions, now));
        for (place, words) in sentences.chain(of_alerts).chain(unusable).chain(push).enumerate() {
            text.push_str(if place == 0 { "\n" } else { "" });
            text.push_str(&words);
            text.push('\n');
        }
        text
    }

    fn table(&self, now: Timestamp, style: Style) -> String {
        let shown = self.columns();
        let header = shown.iter().map(|column| column.title.to_owned()).collect();
        let row = |one| shown.iter().map(|column| (column.cell)(one, now)).collect();
        let rows: Vec<Vec<String>> = std::iter::once(header).chain(self.subscriptions.iter().map(row)).collect();
        if !style.terminal {
            return Columns::default().render(&rows);
        }
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(&rows[0]).add_rows(&rows[1..]);
        for (column, cells) in shown.iter().zip(table.column_iter_mut()) {
            if column.is_number {
                cells.set_cell_alignment(CellAlignment::Right);
            }
        }
        if let Some(width) = style.width {
            fit(&mut table, &rows, width);
        }
        format!("{table}\n")
    }

    /// The columns that say something: states that nobody is in are left out, but for the two that everybody looks for.
    fn columns(&self) -> Vec<&'static Column> {
        let says = |column: &&Column| !column.only_if_any || self.subscriptions.iter().any(|one| (column.any)(one));
        COLUMNS.iter().filter(says).collect()
    }
}

/// Makes a table as narrow as the terminal. Words stay whole where there is room for all of them.
fn fit(table: &mut Table, rows: &[Vec<String>], width: u16) {
    const PADDING: usize = 2;
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    let longest_word = |cell: &String| cell.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
    let columns = 0..rows.first().map_or(0, Vec::len);
    let widths = columns.map(|i| rows.iter().map(|row| longest_word(&row[i])).max().unwrap_or(0) + PADDING);
    let widths: Vec<u16> = widths.filter_map(|width| u16::try_from(width).ok()).collect();
    if widths.iter().sum::<u16>() <= width {
        table.set_constraints(widths.iter().map(|width| ColumnConstraint::LowerBoundary(Width::Fixed(*width))));
    }
}

struct Column {
    title: &'static str,
    cell: fn(&SubscriptionStatus, Timestamp) -> String,
    is_number: bool,
    only_if_any: bool,
    any: fn(&SubscriptionStatus) -> bool,
}

const fn words(title: &'static str, cell: fn(&SubscriptionStatus, Timestamp) -> String) -> Column {
    Column { title, cell, is_number: false, only_if_any: false, any: |_| true }
}

/// A state's column.
macro_rules! state {
    ($field:ident, $only_if_any:literal) => {
        Column {
            title: stringify!($field),
            cell: |one, _| number(one.members.$field),
            is_number: true,
            only_if_any: $only_if_any,
            any: |one| one.members.$field > 0,
        }
    };
}

const COLUMNS: [Column; 12] = [
    words("subscription", |one, _| one.name.clone()),
    words("seats used", |one, _| match one.seats {
        Some(seats) => format!("{} of {}", number(seats.assigned), number(seats.available)),
        None => "not known yet".to_owned(),
    }),
    words("as of", |one, now| one.seats.map_or_else(|| "-".to_owned(), |seats| relative(seats.as_of, now))),
    state!(assigned, false),
    state!(pending, false),
    state!(waiting, true),
    state!(leaving, true),
    state!(quarantined, true),
    state!(unknown, true),
    Column {
        title: "seats last until",
        cell: |one, _| one.forecast.as_ref().map_or_else(|| "-".to_owned(), Forecast::in_short),
        is_number: false,
        only_if_any: true,
        any: |one| one.forecast.as_ref().is_some_and(|forecast| forecast.outlook == Outlook::RunsOut),
    },
    words("last run", |one, now| one.last_run.as_ref().map_or_else(|| "never".to_owned(), |run| last_run(run, now))),
    words("next run", |one, now| one.next_run.map_or_else(|| "-".to_owned(), |at| relative(at, now))),
];

fn last_run(run: &RunRecord, now: Timestamp) -> String {
    let outcome = match run.outcome {
        Some(RunOutcome::Converged) => "converged",
        Some(RunOutcome::Incomplete) => "incomplete",
        Some(RunOutcome::Failed) => "failed",
        None => return format!("began {}", relative(run.started_at, now)),
    };
    format!("{outcome} {}", relative(run.finished_at.unwrap_or(run.started_at), now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Trigger;
    use crate::plan::{Hold, Removal};
    use crate::report::unusable::{ENTRIES, ROWS};
    use crate::roster::{Reason, When};

    fn at(text: &str) -> Timestamp {
        When::parse(text).unwrap().about()
    }

    fn now() -> Timestamp {
        at("2026-11-23T08:05:00Z")
    }

    fn seats(available: u64, assigned: u64) -> Seats {
        Seats { available, assigned, as_of: at("2026-11-23T08:00:00Z") }
    }

    fn contoso() -> SubscriptionStatus {
        SubscriptionStatus {
            name: "contoso".into(),
            kind: SubscriptionType::Paddle,
            id: Uuid::parse_str("ff3d3cf5-5388-40a0-915f-970c1d2d972f").unwrap(),
            seats: Some(seats(10, 7)),
            members: MemberCounts { assigned: 7, ..MemberCounts::default() },
            hold: None,
            problem: None,
            drift: None,
            forecast: None,
            shortage: None,
            facts: Vec::new(),
            restored: false,
            last_run: Some(RunRecord {
                id: Uuid::parse_str("01936c5e-8f00-7000-8000-000000000001").unwrap(),
                started_at: at("2026-11-23T08:00:00Z"),
                finished_at: Some(at("2026-11-23T08:00:01Z")),
                trigger: Trigger::Schedule,
                outcome: Some(RunOutcome::Converged),
                requests: 3,
                assigned: 2,
                unassigned: 1,
            }),
            next_run: Some(at("2026-11-23T08:15:00Z")),
        }
    }

    /// Everything that can be the matter.
    fn fabrikam() -> SubscriptionStatus {
        let removal = Removal {
            address: crate::address::Address::parse("jane@fabrikam.com").unwrap(),
            reason: Reason::Left,
            detail: "no longer in hr".into(),
            then: None,
        };
        let hold = Hold {
            digest: "0123456789abcdef".into(),
            removals: vec![removal.clone(), removal],
            reasons: vec!["2 removals are more than 20% of 5".into()],
            braked: false,
        };
        SubscriptionStatus {
            name: "fabrikam".into(),
            seats: Some(seats(40, 40)),
            members: MemberCounts::of(&[
                (MemberState::Assigned, 38),
                (MemberState::Pending, 7),
                (MemberState::Leaving, 2),
                (MemberState::Quarantined, 1),
                (MemberState::Unknown, 3),
            ]),
            hold: Some(HoldStatus::from(&StoredHold { hold, since: at("2026-11-23T06:00:00Z") })),
            problem: Some("the server does not accept the key".into()),
            shortage: Some(Shortage {
                waiting: 7,
                free: 0,
                available: Some(40),
                leavers: 3,
                days: Some(("Friday".into(), "Friday".into())),
            }),
            last_run: None,
            ..contoso()
        }
    }

    #[test]
    fn json_is_as_the_interface_has_it() {
        let status = Status { brake: None, subscriptions: vec![contoso()], sources: Vec::new(), alerts: Vec::new() };
        insta::assert_snapshot!(serde_json::to_string_pretty(&status).unwrap(), @r#"
            {
              "brake": null,
              "subscriptions": [
                {
                  "name": "contoso",
                  "type": "Paddle",
                  "id": "ff3d3cf5-5388-40a0-915f-970c1d2d972f",
                  "seats": {
                    "available": 10,
                    "assigned": 7,
                    "as_of": "2026-11-23T08:00:00Z"
                  },
                  "members": {
                    "assigned": 7,
                    "pending": 0,
                    "waiting": 0,
                    "leaving": 0,
                    "quarantined": 0,
                    "unknown": 0
                  },
                  "hold": null,
                  "problem": null,
                  "drift": null,
                  "forecast": null,
                  "last_run": {
                    "id": "01936c5e-8f00-7000-8000-000000000001",
                    "started_at": "2026-11-23T08:00:00Z",
                    "finished_at": "2026-11-23T08:00:01Z",
                    "trigger": "schedule",
                    "outcome": "converged",
                    "requests": 3,
                    "assigned": 2,
                    "unassigned": 1
                  },
                  "next_run": "2026-11-23T08:15:00Z"
                }
              ],
              "sources": [],
              "alerts": []
            }
            "#);
    }

    #[test]
    fn json_of_a_subscription_that_never_ran_has_nulls() {
        let status = SubscriptionStatus { seats: None, last_run: None, next_run: None, ..contoso() };
        let json = serde_json::to_value(&status).unwrap();
        for key in ["seats", "hold", "problem", "drift", "last_run", "next_run"] {
            assert!(json[key].is_null() && json.as_object().unwrap().contains_key(key), "{key}");
        }
    }

    #[test]
    fn plain_text_lines_up_and_says_what_is_left() {
        let status =
            Status { brake: None, subscriptions: vec![contoso(), fabrikam()], sources: Vec::new(), alerts: Vec::new() };
        assert!(status.is_left());
        insta::assert_snapshot!(status.render(now(), Style::PLAIN), @r"
            subscription  seats used  as of          assigned  pending  leaving  quarantined  unknown  last run                 next run
            contoso       7 of 10     5 minutes ago  7         0        0        0            0        converged 4 minutes ago  in 10 minutes
            fabrikam      40 of 40    5 minutes ago  38        7        2        1            3        never                    in 10 minutes

            fabrikam: the server does not accept the key.
            fabrikam: 2 removals are held since 2026-11-23 06:00 UTC (2 hours ago). 2 removals are more than 20% of 5. `rosterd approve fabrikam` shows them and asks; `rosterd reject fabrikam` keeps the licences.
            fabrikam: 7 people wait for a licence, 0 of 40 seats are free, 3 leavers' seats come free on Friday: buy 4.
            fabrikam: 1 address is quarantined: `rosterd members fabrikam --state quarantined` says why.
            fabrikam: a request's answer was lost for 3 people; the next run settles that before anything else.
            ");
    }

    #[test]
    fn when_all_is_well_there_is_the_table_alone() {
        let status = Status { brake: None, subscriptions: vec![contoso()], sources: Vec::new(), alerts: Vec::new() };
        assert!(!status.is_left());
        insta::assert_snapshot!(status.render(now(), Style::PLAIN), @r"
            subscription  seats used  as of          assigned  pending  last run                 next run
            contoso       7 of 10     5 minutes ago  7         0        converged 4 minutes ago  in 10 minutes
            ");
    }

    #[test]
    fn whether_a_directory_tells_of_changes_is_told_below_and_is_no_problem() {
        let source = |name: &str, push: Push, since: &str| {
            let owner = crate::ledger::Owner(String::new());
            let push = Some(PushRecord { push, since: at(since), owner }.into());
            SourceStatus { push, ..SourceStatus::new(name, None, ROWS, &[]) }
        };
        let gone = "ldaps://dc2 can't be reached: refused. Does it run?";
        let sources = vec![
            source("ad", Push::By("ldaps://dc1".into()), "2026-11-23T08:00:00Z"),
            source("far", Push::Not(gone.into()), "2026-11-23T06:00:00Z"),
            SourceStatus::new("hr", None, ROWS, &[]),
        ];
        let status = Status { brake: None, subscriptions: vec![contoso()], sources, alerts: Vec::new() };
        assert!(!status.is_left());
        let told = |status: &Status| status.render(now(), Style::PLAIN).lines().skip(3).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(told(&status), @r"
            source ad: ldaps://dc1 tells of changes since 2026-11-23 08:00 UTC (5 minutes ago).
            source far: not told of changes since 2026-11-23 06:00 UTC (2 hours ago), so it is looked at by schedule alone. ldaps://dc2 can't be reached: refused. Does it run?
            ");
        let problem = Some(format!("source far: {gone}"));
        let also = Status { subscriptions: vec![SubscriptionStatus { problem, ..contoso() }], ..status.clone() };
        insta::assert_snapshot!(told(&also), @r"
            contoso: source far: ldaps://dc2 can't be reached: refused. Does it run?
            source ad: ldaps://dc1 tells of changes since 2026-11-23 08:00 UTC (5 minutes ago).
            source far: not told of changes since 2026-11-23 06:00 UTC (2 hours ago), so it is looked at by schedule alone.
            ");
        let json = |at: usize| serde_json::to_string(&status.sources[at]).unwrap();
        insta::assert_snapshot!(json(1), @r#"{"name":"far","bad_rows":0,"push":{"server":null,"reason":"ldaps://dc2 can't be reached: refused. Does it run?","since":"2026-11-23T06:00:00Z"}}"#);
        insta::assert_snapshot!(json(2), @r#"{"name":"hr","bad_rows":0,"push":null}"#);
    }

    #[test]
    fn who_is_in_a_roster_and_can_t_be_given_a_licence_is_told_of() {
        let jane = BadRow {
            origin: "CN=Jane,DC=x, member of CN=Staff,DC=x".to_owned(),
            reason: "it has no address: nothing in mail".to_owned(),
            stable_id: Some("4a7f".to_owned()),
            address: None,
        };
        let sources = vec![SourceStatus::new("ad", None, ENTRIES, &[jane])];
        let status = Status { brake: None, subscriptions: vec![contoso()], sources, alerts: Vec::new() };
        assert!(status.is_left(), "somebody who should have a licence has none");
        insta::assert_snapshot!(status.render(now(), Style::PLAIN).lines().next_back().unwrap(), @"source ad: 1 entry of its roster can't be used: CN=Jane,DC=x, member of CN=Staff,DC=x: it has no address: nothing in mail. Who has a licence keeps it; who has none gets none until that is mended.");
    }

    #[test]
    fn that_removals_are_stopped_everywhere_stands_above_all() {
        let brake = Brake { since: at("2026-11-23T08:00:00Z"), reason: "Seven of ten are in trouble.".into() };
        let mut held = fabrikam().hold.unwrap();
        (held.reason, held.braked) = (brake.in_short(), true);
        let contoso = SubscriptionStatus { hold: Some(held), ..contoso() };
        let status =
            Status { brake: Some(brake), subscriptions: vec![contoso], sources: Vec::new(), alerts: Vec::new() };
        insta::assert_snapshot!(status.render(now(), Style::PLAIN), @r"
            Removals are stopped everywhere since 2026-11-23 08:00 UTC. Seven of ten are in trouble. `rosterd resume` lets them go on.

            subscription  seats used  as of          assigned  pending  last run                 next run
            contoso       7 of 10     5 minutes ago  7         0        converged 4 minutes ago  in 10 minutes

            contoso: 2 removals are held since 2026-11-23 06:00 UTC (2 hours ago). Removals are stopped everywhere since 2026-11-23 08:00 UTC (`rosterd status` says why); `rosterd resume` lets them go on. `rosterd reject contoso` keeps the licences.
            ");
        let calm = Status { subscriptions: Vec::new(), ..status.clone() };
        assert!(calm.is_left(), "though nothing is held yet");
        let json = serde_json::to_string(&calm.brake).unwrap();
        insta::assert_snapshot!(json, @r#"{"since":"2026-11-23T08:00:00Z","reason":"Seven of ten are in trouble."}"#);
    }

    #[test]
    fn a_terminal_gets_a_table() {
        let status =
            Status { brake: None, subscriptions: vec![contoso(), fabrikam()], sources: Vec::new(), alerts: Vec::new() };
        let style = Style { terminal: true, colour: false, width: Some(120) };
        insta::assert_snapshot!(status.render(now(), style), @r"
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             subscription   seats used   as of        assigned   pending   leaving   quarantined   unknown   last run    next run   
            ════════════════════════════════════════════════════════════════════════════════════════════════════════════════════════
             contoso        7 of 10      5 minutes           7         0         0             0         0   converged   in 10      
                                         ago                                                                 4 minutes   minutes    
                                                                                                             ago                    
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
             fabrikam       40 of 40     5 minutes          38         7         2             1         3   never       in 10      
                                         ago                                                                             minutes    
            ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

            fabrikam: the server does not accept the key.
            fabrikam: 2 removals are held since 2026-11-23 06:00 UTC (2 hours ago). 2 removals are more than 20% of 5. `rosterd approve fabrikam` shows them and asks; `rosterd reject fabrikam` keeps the licences.
            fabrikam: 7 people wait for a licence, 0 of 40 seats are free, 3 leavers' seats come free on Friday: buy 4.
            fabrikam: 1 address is quarantined: `rosterd members fabrikam --state quarantined` says why.
            fabrikam: a request's answer was lost for 3 people; the next run settles that before anything else.
            ");
    }

    #[test]
    fn who_waits_and_is_served_by_the_next_run_is_no_reason_to_buy() {
        let words = |waiting, seats| pending(waiting, seats, None).unwrap();
        assert_eq!(
            words(2, Some(seats(45, 40))),
            "2 people wait for a licence, 5 of 45 seats are free: the next run gives them out."
        );
        assert_eq!(words(7, Some(seats(45, 40))), "7 people wait for a licence, 5 of 45 seats are free.");
        assert_eq!(words(2, None), "2 people wait for a licence; how many seats are free is not known yet.");
        assert_eq!(pending(0, Some(seats(1, 1)), None), None);
    }

    #[test]
    fn each_thing_that_is_left_counts_and_leavers_in_their_grace_do_not() {
        let with = |members| SubscriptionStatus { members, ..contoso() }.is_left();
        assert!(with(MemberCounts { pending: 1, ..MemberCounts::default() }));
        assert!(with(MemberCounts { quarantined: 1, ..MemberCounts::default() }));
        assert!(with(MemberCounts { unknown: 1, ..MemberCounts::default() }));
        assert!(!with(MemberCounts { waiting: 1, leaving: 1, ..MemberCounts::default() }));
        assert!(SubscriptionStatus { hold: fabrikam().hold, ..contoso() }.is_left());
        assert!(SubscriptionStatus { problem: fabrikam().problem, ..contoso() }.is_left());
    }

    #[test]
    fn a_sources_problem_is_told_once() {
        let hr = [("hr".to_owned(), "staff.csv has no e-mail column".to_owned())];
        let problem = |own: Option<&str>, sources: &[(String, String)]| {
            let own = own.map(|words| (words.to_owned(), now()));
            problem(&SubscriptionRecord { problem: own, ..SubscriptionRecord::default() }, sources)
        };
        assert_eq!(problem(None, &hr).unwrap(), "source hr: staff.csv has no e-mail column.");
        assert_eq!(
            problem(Some("hr was not believed: staff.csv has no e-mail column."), &hr).unwrap(),
            "hr was not believed: staff.csv has no e-mail column."
        );
        assert_eq!(problem(None, &[]), None);
    }
}
