//! `rosterd status`.

use super::context::{Context, read_ledger, subscriptions};
use super::failure::Failure;
use super::output::{print, print_json, style};
use crate::alert::receiver::Receiver;
use crate::clock::{self, Timestamp};
use crate::config::{Config, SourceKind, Subscription};
use crate::exit::ExitStatus;
use crate::ledger::{Ledger, LedgerError};
use crate::report::alerts::ReceiverStatus;
use crate::report::status::{SourceStatus, Status, SubscriptionStatus};
use crate::report::unusable::{ENTRIES, ROWS};

/// Seats, members by state, last and next run, problems and holds
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status: 3 where something is left: pending, held, quarantined or unknown members, or a problem,
also one of a receiver of alerts.")]
pub(super) struct StatusArgs {
    /// Subscriptions [default: all]
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &StatusArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let config = context.config()?;
    let subscriptions = subscriptions(&config, &args.names)?;
    let now = clock::now();
    let status = gather(&config, &subscriptions, &read_ledger(&config)?, now)?;
    if args.json {
        print_json(&status)?;
    } else {
        print(&status.render(now, style()))?;
    }
    Ok(if status.is_left() { ExitStatus::Left } else { ExitStatus::Done })
}

pub(super) fn gather(
    config: &Config,
    subscriptions: &[&Subscription],
    ledger: &Ledger,
    now: Timestamp,
) -> Result<Status, LedgerError> {
    let of_one = |subscription: &&Subscription| {
        let name = &subscription.name;
        let problems = source_problems(config, subscription, ledger)?;
        let record = ledger.subscription(name)?;
        Ok(SubscriptionStatus::new(subscription, &record, &ledger.member_counts(name)?, &problems, now))
    };
    Ok(Status {
        brake: ledger.brake()?,
        subscriptions: subscriptions.iter().map(of_one).collect::<Result<_, LedgerError>>()?,
        sources: sources(config, subscriptions, ledger)?,
        alerts: receivers(config, ledger)?,
    })
}

/// The receivers of alerts that are configured, in the order in which they are.
fn receivers(config: &Config, ledger: &Ledger) -> Result<Vec<ReceiverStatus>, LedgerError> {
    if config.alerts.is_empty() {
        return Ok(Vec::new());
    }
    let known = ledger.receivers()?;
    let of_one = |receiver: Receiver| {
        let known = known.iter().find(|known| known.mark == receiver.mark);
        ReceiverStatus {
            kind: receiver.configured.way.kind(),
            receiver: receiver.label,
            waiting: known.map_or(0, |known| known.waiting),
            problem: known.and_then(|known| known.problem.clone()),
            failing_since: known.and_then(|known| known.failing_since),
        }
    };
    Ok(Receiver::all(config).into_iter().map(of_one).collect())
}

/// The sources of these subscriptions.
fn sources(
    config: &Config,
    subscriptions: &[&Subscription],
    ledger: &Ledger,
) -> Result<Vec<SourceStatus>, LedgerError> {
    let wanted = |name: &&String| subscriptions.iter().any(|subscription| subscription.sources.contains(name));
    let of_one = |name: &String| {
        let kind = config.sources.get(name).map(|source| &source.kind);
        let push = if matches!(kind, Some(SourceKind::Ldap(ldap)) if ldap.push) { ledger.push(name)? } else { None };
        let nouns = if matches!(kind, Some(SourceKind::Ldap(_))) { ENTRIES } else { ROWS };
        let bad_rows = ledger.source(name)?.map(|record| record.bad_rows).unwrap_or_default();
        Ok(SourceStatus::new(name, push, nouns, &bad_rows))
    };
    config.sources.keys().filter(wanted).map(of_one).collect()
}

/// The problems of a subscription's sources, each with the source's name.
fn source_problems(
    config: &Config,
    subscription: &Subscription,
    ledger: &Ledger,
) -> Result<Vec<(String, String)>, LedgerError> {
    let mut problems = Vec::new();
    for name in subscription.sources.iter().filter(|name| config.sources.contains_key(*name)) {
        let problem = ledger.source(name)?.and_then(|source| source.problem);
        problems.extend(problem.map(|(words, _)| (name.clone(), words)));
    }
    Ok(problems)
}
