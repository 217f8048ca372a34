//! What reports are made of, read from a ledger: for commands, pages and the API alike.

mod explain;

use std::collections::HashMap;

use crate::alert::receiver::Receiver;
use crate::clock::Timestamp;
use crate::config::{Config, SourceKind, Subscription};
use crate::ledger::listing::SourceLine;
use crate::ledger::{Ledger, LedgerError, Member, MemberState, SubscriptionRecord};
use crate::report::alerts::ReceiverStatus;
use crate::report::forecast::moments;
use crate::report::members::MemberLine;
use crate::report::shortage::{Shortage, waits_for_a_seat};
use crate::report::status::{MemberCounts, SourceStatus, Status, SubscriptionStatus};
use crate::report::unusable::{ENTRIES, ROWS};
use crate::roster::Entry;

pub use explain::{explained, explained_in, that_know};

/// How these subscriptions stand.
pub fn status(
    config: &Config,
    subscriptions: &[&Subscription],
    ledger: &Ledger,
    now: Timestamp,
) -> Result<Status, LedgerError> {
    let lines = ledger.source_lines()?;
    let of_one = |subscription: &&Subscription| {
        let name = &subscription.name;
        let problems = source_problems(config, subscription, &lines);
        let record = ledger.subscription(name)?;
        let counts = ledger.member_counts(name)?;
        let shortage = shortage(subscription, &record, MemberCounts::of(&counts), ledger, now)?;
        let status = SubscriptionStatus::new(subscription, &record, &counts, &problems, now).with_shortage(shortage);
        Ok(status.with_forecast(&ledger.seats_held_at(name, &moments(now))?, now))
    };
    Ok(Status {
        brake: ledger.brake()?,
        subscriptions: subscriptions.iter().map(of_one).collect::<Result<_, LedgerError>>()?,
        sources: sources(config, subscriptions, ledger)?,
        alerts: receivers(config, ledger)?,
    })
}

/// How many seats a subscription is short of.
pub fn shortage(
    subscription: &Subscription,
    record: &SubscriptionRecord,
    counts: MemberCounts,
    ledger: &Ledger,
    now: Timestamp,
) -> Result<Option<Shortage>, LedgerError> {
    if counts.pending == 0 {
        return Ok(None);
    }
    let (name, mut waiting, mut leaving) = (&subscription.name, counts.pending, Vec::new());
    // Nobody waits for anything but a seat where nothing is wrong.
    if record.problem.is_some() {
        waiting = 0;
        let mut count = |member: Member| waiting += u64::from(waits_for_a_seat(&member));
        ledger.for_each_member(name, Some(MemberState::Pending), &mut count)?;
    }
    if counts.leaving > 0 {
        ledger.for_each_member(name, Some(MemberState::Leaving), &mut |member| leaving.push(member))?;
    }
    let braked = ledger.brake()?.is_some();
    Ok(Shortage::of(subscription, record, waiting, leaving.iter(), braked, now))
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
    lines: &HashMap<String, SourceLine>,
) -> Vec<(String, String)> {
    let known = subscription.sources.iter().filter(|name| config.sources.contains_key(*name));
    known.filter_map(|name| Some((name.clone(), lines.get(name)?.problem.clone()?.0))).collect()
}

/// These members with what the subscription's rosters say of them. Where members are being listed the ledger is another
/// connection than theirs.
pub fn member_lines(
    ledger: &Ledger,
    subscription: &Subscription,
    members: Vec<Member>,
) -> Result<Vec<MemberLine>, LedgerError> {
    let mut entries = entries(ledger, subscription, &members)?;
    entries.sort_by(|(_, a), (_, b)| a.address.cmp(&b.address));
    let line = |member: Member| {
        let start = entries.partition_point(|(_, entry)| entry.address < member.address);
        let end = entries.partition_point(|(_, entry)| entry.address <= member.address);
        MemberLine::new(&subscription.name, member, &entries[start..end])
    };
    Ok(members.into_iter().map(line).collect())
}

/// What the subscription's rosters say of these members, each entry with its source's name.
fn entries(
    ledger: &Ledger,
    subscription: &Subscription,
    members: &[Member],
) -> Result<Vec<(String, Entry)>, LedgerError> {
    let hasher = ledger.hasher();
    let routes = [None, Some(subscription.name.as_str())];
    let keys = |member: &Member| routes.map(|route| hasher.entry_key(member.address.identity(), route));
    let mut keys: Vec<_> = members.iter().flat_map(keys).collect();
    keys.sort_unstable();
    let mut found = Vec::new();
    for source in &subscription.sources {
        found.extend(ledger.entries_by_key(source, &keys)?.into_iter().map(|entry| (source.clone(), entry)));
    }
    Ok(found)
}
