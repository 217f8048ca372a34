//! What pages are made of, read from the ledger: no more than a page shows.

use std::collections::HashMap;

use uuid::Uuid;

use super::chart::{self, ChartView, Point};
use super::explain::ExplainView;
use super::fleet::{self, FleetView, More, Sources, Totals};
use super::held::HeldView;
use super::needs::{self, Row};
use super::past::{self, HistoryView, RunsView};
use super::people::{self, MembersView, QueueView};
use super::sources::SourceRow;
use super::subscription::{Head, SubscriptionView};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::config::{Config, Refused, Subscription};
use crate::facts;
use crate::ledger::listing::{Lines, SourceLine};
use crate::ledger::{Ledger, LedgerError};
use crate::pass::next_probe;
use crate::report::drift;
use crate::report::explain::explain;
use crate::report::forecast::{self, Forecast};
use crate::report::status::SubscriptionStatus;

type Result<T> = std::result::Result<T, LedgerError>;

/// Of more subscriptions than this, those are asked alone that may know an address.
const ALL_MAX: usize = 20;
/// So many of those who wait are on a subscription's first page, and so many runs and events.
const FIRST: usize = 5;
const EVENTS: usize = 8;

/// How all of it stands. `status` is what takes long to reckon, and may be a moment old.
pub(super) fn fleet(
    config: &Config,
    ledger: &Ledger,
    status: &[SubscriptionStatus],
    ask: fleet::Ask,
    refused: Option<&Refused>,
    now: Timestamp,
) -> Result<FleetView> {
    let (lines, mut sources) = (ledger.subscription_lines()?, ledger.source_lines()?);
    sources.retain(|name, _| config.sources.contains_key(name));
    let failed = |name: &str| has_failed(sources.get(name));
    let standing: HashMap<&str, &SubscriptionStatus> = status.iter().map(|one| (one.name.as_str(), one)).collect();
    let mut rows: Vec<Row> = Vec::with_capacity(config.subscriptions.len());
    for subscription in config.subscriptions.values() {
        let mut row = Row::new(subscription, lines.get(&subscription.name), failed, now);
        let status = standing.get(row.name.as_str());
        let forecast = status.and_then(|status| status.forecast.as_ref());
        row.soon = forecast.filter(|forecast| forecast.is_soon(now)).cloned();
        row.shortage = status.and_then(|status| status.shortage.clone());
        rows.push(row);
    }
    let mut needs = needs::of_all(ledger.brake()?.as_ref(), ledger.restored()?.as_ref(), refused);
    needs.extend(rows.iter().flat_map(Row::needs));
    needs.extend(sources.values().filter_map(needs::of_source));
    needs::sort(&mut needs);
    let chosen = ask.choose(&rows);
    let mut shown = Vec::with_capacity(chosen.rows.len());
    for row in chosen.rows {
        let subscription = config.subscriptions.get(&row.name);
        let next_run = subscription.and_then(|subscription| subscription.schedule.next_after(now));
        let forecast = standing.get(row.name.as_str()).and_then(|status| status.forecast.clone());
        let more = More { last_run: ledger.last_run(&row.name)?, next_run, forecast };
        shown.push((row, more));
    }
    let next_run = shown.iter().filter_map(|(_, more)| more.next_run).min();
    let sources = summary(config, &sources);
    let totals = Totals::of(&rows);
    Ok(FleetView { totals, needs, shown, all: chosen.all, page: chosen.page, sources, next_run, ask, now })
}

fn has_failed(line: Option<&SourceLine>) -> bool {
    line.is_some_and(|line| line.problem.is_some())
}

fn summary(config: &Config, lines: &HashMap<String, SourceLine>) -> Sources {
    use crate::source::Push;
    let telling = |line: &&SourceLine| matches!(line.push, Some((Push::By(_), _)));
    Sources {
        all: config.sources.len() as u64,
        failed: lines.values().filter(|line| line.problem.is_some()).count() as u64,
        telling: lines.values().filter(telling).count() as u64,
        newest: lines.values().filter_map(|line| line.accepted_at).max(),
    }
}

/// The sources of the configuration, by name.
pub(super) fn sources(config: &Config, ledger: &Ledger, now: Timestamp) -> Result<Vec<SourceRow>> {
    let mut lines = ledger.source_lines()?;
    Ok(config.sources.values().map(|source| SourceRow::new(source, lines.remove(&source.name), now)).collect())
}

/// What stands above every page of a subscription.
pub(super) fn head(subscription: &Subscription, ledger: &Ledger, now: Timestamp) -> Result<Head> {
    let line = ledger.subscription_line(&subscription.name)?;
    let sources = ledger.source_lines()?;
    let mut row = Row::new(subscription, line.as_ref(), |name| has_failed(sources.get(name)), now);
    row.shortage = facts::shortage(subscription, &ledger.subscription(&row.name)?, row.members, ledger, now)?;
    Ok(Head { row, id: subscription.id, zone: subscription.policy.timezone, now })
}

/// A subscription's first page.
pub(super) fn subscription(
    config: &Config,
    subscription: &Subscription,
    ledger: &Ledger,
    now: Timestamp,
) -> Result<SubscriptionView> {
    let name = &subscription.name;
    let mut head = head(subscription, ledger, now)?;
    let chart = chart(subscription, &head, ledger, now)?;
    head.row.soon = chart.forecast.clone().filter(|forecast| forecast.is_soon(now));
    let named = config.sources.values().filter(|source| subscription.sources.contains(&source.name));
    let mut lines = ledger.source_lines()?;
    let sources: Vec<SourceRow> = named.map(|source| SourceRow::new(source, lines.remove(&source.name), now)).collect();
    let mut needs = needs::of_all(ledger.brake()?.as_ref(), ledger.restored()?.as_ref(), None);
    needs.extend(head.row.needs());
    needs.extend(sources.iter().filter_map(|row| row.line.as_ref().and_then(needs::of_source)));
    needs::sort(&mut needs);
    let record = ledger.subscription_line(name)?.map(|line| line.record).unwrap_or_default();
    Ok(SubscriptionView {
        needs,
        facts: drift::facts(subscription, &record),
        schedule: subscription.schedule.cron.as_str().to_owned(),
        next_run: subscription.schedule.next_after(now),
        next_probe: next_probe(subscription, &record).filter(|at| *at > now),
        chart,
        queue: ledger.queue_page(name, 0, FIRST)?,
        sources,
        runs: ledger.runs_before(name, None, FIRST)?,
        events: ledger.history_page(Lines { subscription: Some(name), of_nobody: true, before: None }, EVENTS)?,
        head,
    })
}

fn chart(subscription: &Subscription, head: &Head, ledger: &Ledger, now: Timestamp) -> Result<ChartView> {
    let name = &subscription.name;
    let since = ledger.seats_known_since(name)?;
    let moments = since.map_or_else(Vec::new, |since| chart::moments(since, now));
    let (taken, available) = (ledger.seats_held_at(name, &moments)?, ledger.seats_available_at(name, &moments)?);
    let both = taken.into_iter().zip(available);
    let points =
        moments.into_iter().zip(both).map(|(at, (taken, available))| Point { at, held: taken, available }).collect();
    let seats = head.row.seats;
    let forecast = match seats {
        Some(seats) => Some(Forecast::new(&ledger.seats_held_at(name, &forecast::moments(now))?, seats, now)),
        None => None,
    };
    Ok(ChartView { points, seats, forecast, zone: head.zone, now })
}

pub(super) fn members(
    subscription: &Subscription,
    ledger: &Ledger,
    ask: people::Ask,
    now: Timestamp,
) -> Result<MembersView> {
    let head = head(subscription, ledger, now)?;
    let members = head.row.members;
    let all =
        members.assigned + members.pending + members.waiting + members.leaving + members.quarantined + members.unknown;
    let wanted = ask.wanted(all);
    let mut page = ledger.members_page(&subscription.name, &wanted, people::PAGE)?;
    let lines = facts::member_lines(ledger, subscription, std::mem::take(&mut page.members))?;
    Ok(MembersView { head, ask, wanted, lines, page })
}

pub(super) fn queue(subscription: &Subscription, ledger: &Ledger, page: u64, now: Timestamp) -> Result<QueueView> {
    let head = head(subscription, ledger, now)?;
    let page = page.min(head.row.members.pending.saturating_sub(1) / people::PAGE as u64);
    let members = ledger.queue_page(&subscription.name, page * people::PAGE as u64, people::PAGE)?;
    let record = ledger.subscription_line(&subscription.name)?.map(|line| line.record).unwrap_or_default();
    Ok(QueueView { head, members, page, next_probe: next_probe(subscription, &record).filter(|at| *at > now) })
}

pub(super) fn held(subscription: &Subscription, ledger: &Ledger, page: usize, now: Timestamp) -> Result<HeldView> {
    let record = ledger.subscription(&subscription.name)?;
    let stopped = match (&record.restored, ledger.brake()?) {
        (Some(restored), _) => Some(format!("{restored}.")),
        (None, brake) => brake.map(|brake| brake.in_short()),
    };
    Ok(HeldView { head: head(subscription, ledger, now)?, stored: record.hold, page, stopped })
}

pub(super) fn runs(
    subscription: &Subscription,
    ledger: &Ledger,
    before: Option<Uuid>,
    now: Timestamp,
) -> Result<RunsView> {
    let mut runs = ledger.runs_before(&subscription.name, before, past::PAGE + 1)?;
    let is_more = runs.len() > past::PAGE;
    runs.truncate(past::PAGE);
    Ok(RunsView { head: head(subscription, ledger, now)?, runs, before, is_more })
}

/// Of a subscription, or of all.
pub(super) fn history(
    subscription: Option<&Subscription>,
    ledger: &Ledger,
    ask: past::Ask,
    now: Timestamp,
) -> Result<HistoryView> {
    let name = subscription.map(|subscription| subscription.name.as_str());
    let wanted = Lines { subscription: name, of_nobody: ask.of_nobody, before: ask.before };
    let mut lines = ledger.history_page(wanted, past::PAGE + 1)?;
    let is_more = lines.len() > past::PAGE;
    lines.truncate(past::PAGE);
    let head = subscription.map(|subscription| head(subscription, ledger, now)).transpose()?;
    Ok(HistoryView { head, ask, lines, is_more })
}

/// Of a subscription, or of all of them that have heard of the address.
pub(super) fn explained(
    config: &Config,
    subscription: Option<&Subscription>,
    ledger: &Ledger,
    typed: &str,
    now: Timestamp,
) -> Result<ExplainView> {
    let typed = typed.trim();
    let head = subscription.map(|subscription| head(subscription, ledger, now)).transpose()?;
    let all: Vec<&Subscription> = config.subscriptions.values().collect();
    let asked = match (subscription, Address::parse(typed)) {
        (Some(one), _) => vec![one],
        (None, Ok(address)) if all.len() > ALL_MAX => facts::that_know(address.identity(), config, ledger)?,
        (None, _) => all,
    };
    let mut explanation = None;
    if !typed.is_empty() {
        explanation = Some(explain(&facts::explained_in(typed, config, &asked, ledger, now)?));
    }
    Ok(ExplainView { head, typed: typed.to_owned(), explanation })
}
