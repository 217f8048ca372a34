//! What an explanation rests on, read from a ledger.

use std::collections::BTreeSet;

use crate::address::Address;
use crate::clock::Timestamp;
use crate::config::{Config, Source, SourceKind, Subscription};
use crate::ledger::{Ledger, LedgerError, Member, MemberState, SubscriptionRecord};
use crate::pass::next_probe;
use crate::plan::display::EvidenceJson;
use crate::plan::input::Candidate;
use crate::report::drift;
use crate::report::explain::{ExplainInput, SourceView, View};
use crate::report::similar::Similar;
use crate::roster::EntryKey;

/// How much of an address's history is shown.
const HISTORY_LINES_MAX: usize = 20;

/// Of an address, as somebody wrote it, in every subscription.
pub fn explained(typed: &str, config: &Config, ledger: &Ledger, now: Timestamp) -> Result<ExplainInput, LedgerError> {
    let all: Vec<_> = config.subscriptions.values().collect();
    let mut input = explained_in(typed, config, &all, ledger, now)?;
    if input.history.is_empty() && !input.subscriptions.iter().any(View::has_heard_of_it) {
        let wanted = input.address.as_ref().map_or(typed, Address::identity);
        input.similar = similar(wanted, config, ledger)?;
    }
    Ok(input)
}

/// The same in these subscriptions. It looks for no similar ones, which is to look at everybody.
pub fn explained_in(
    typed: &str,
    config: &Config,
    subscriptions: &[&Subscription],
    ledger: &Ledger,
    now: Timestamp,
) -> Result<ExplainInput, LedgerError> {
    let mut input = ExplainInput {
        typed: typed.to_owned(),
        address: Address::parse(typed),
        now,
        subscriptions: Vec::new(),
        history: Vec::new(),
        similar: Vec::new(),
    };
    if let Ok(address) = &input.address {
        for subscription in subscriptions {
            input.subscriptions.push(view(address, subscription, config, ledger, now)?);
        }
        input.history = ledger.history_of(address.identity(), HISTORY_LINES_MAX)?;
    }
    Ok(input)
}

/// The subscriptions that may have something to say of an address: a roster names it, or it was ever a member.
pub fn that_know<'c>(
    identity: &str,
    config: &'c Config,
    ledger: &Ledger,
) -> Result<Vec<&'c Subscription>, LedgerError> {
    let mut names: BTreeSet<String> = ledger.subscriptions_with(identity)?.into_iter().collect();
    names.extend(ledger.history_of(identity, HISTORY_LINES_MAX)?.into_iter().filter_map(|line| line.subscription));
    let hasher = ledger.hasher();
    let key_of = |route: Option<&str>| hasher.entry_key(identity, route);
    let keys = |it: &Subscription| [key_of(None), key_of(Some(&it.name))];
    let subscriptions = || config.subscriptions.values();
    let mut wanted: Vec<(&str, EntryKey)> = subscriptions()
        .filter(|it| !names.contains(&it.name))
        .flat_map(|it| it.sources.iter().flat_map(|source| keys(it).map(|key| (source.as_str(), key))))
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let found: BTreeSet<(&str, EntryKey)> = ledger.rosters_with(&wanted)?.into_iter().collect();
    let is_named = |it: &Subscription| {
        let mut sources = it.sources.iter();
        sources.any(|source| keys(it).iter().any(|key| found.contains(&(source.as_str(), *key))))
    };
    Ok(subscriptions().filter(|it| names.contains(&it.name) || !found.is_empty() && is_named(it)).collect())
}

fn view(
    address: &Address,
    subscription: &Subscription,
    config: &Config,
    ledger: &Ledger,
    now: Timestamp,
) -> Result<View, LedgerError> {
    let name = &subscription.name;
    let candidate = ledger.candidate(name, &subscription.sources, address.identity())?;
    let record = ledger.subscription(name)?;
    let next_probe = next_probe(subscription, &record).filter(|at| *at > now);
    // Whose seat is missed can't be told: it may be this one.
    let missed = drift::problem(subscription, &record, now).filter(|_| has_seat(&candidate));
    let SubscriptionRecord { seats, hold, problem, .. } = record;
    let pending = candidate.member.as_ref().filter(|member| member.state == MemberState::Pending);
    let (place, waiting) = pending.map(|member| queue_place(name, member, ledger)).transpose()?.unzip();
    let sources = subscription.sources.iter().filter_map(|source| config.sources.get(source));
    let source_views = sources.map(|source| source_view(source, &candidate, ledger)).collect::<Result<_, _>>()?;
    Ok(View {
        subscription: name.clone(),
        policy: subscription.policy.clone(),
        candidate,
        sources: source_views,
        seats,
        pending: waiting.unwrap_or(0),
        place,
        hold,
        problem: problem
            .map(|(words, _)| words)
            .into_iter()
            .chain(missed)
            .reduce(|one, other| format!("{one}. {other}")),
        next_run: subscription.schedule.next_after(now),
        next_probe,
    })
}

fn has_seat(candidate: &Candidate) -> bool {
    candidate.member.as_ref().is_some_and(|member| member.has_seat)
}

/// The place of a pending member, and how many are pending.
fn queue_place(subscription: &str, member: &Member, ledger: &Ledger) -> Result<(u64, u64), LedgerError> {
    let counts = ledger.member_counts(subscription)?;
    let pending = counts.iter().find(|(state, _)| *state == MemberState::Pending).map_or(0, |(_, count)| *count);
    Ok((ledger.queue_place(subscription, member)?, pending))
}

fn source_view(source: &Source, candidate: &Candidate, ledger: &Ledger) -> Result<SourceView, LedgerError> {
    let place = match &source.kind {
        SourceKind::Csv(csv) => csv.path.display().to_string(),
        SourceKind::Ldap(ldap) => ldap.urls.first().map(ToString::to_string).unwrap_or_default(),
    };
    let record = ledger.source(&source.name)?;
    let evidence = record.as_ref().and_then(|record| EvidenceJson::of(&record.evidence, record.accepted_at));
    let (accepted_at, problem, mut bad_rows) = match record {
        Some(record) => (record.accepted_at, record.problem.map(|(words, _)| words), record.bad_rows),
        None => (None, None, Vec::new()),
    };
    let entries = candidate.entries.iter().filter(|(name, _)| *name == source.name);
    let ids: Vec<&str> = entries.filter_map(|(_, entry)| entry.stable_id.as_deref()).collect();
    bad_rows.retain(|row| {
        row.address.as_ref() == Some(&candidate.address) || row.stable_id.as_deref().is_some_and(|id| ids.contains(&id))
    });
    Ok(SourceView { name: source.name.clone(), place, accepted_at, problem, bad_rows, evidence })
}

/// The known addresses nearest to one that nobody knows.
fn similar(wanted: &str, config: &Config, ledger: &Ledger) -> Result<Vec<String>, LedgerError> {
    let mut similar = Similar::to(wanted);
    for name in config.subscriptions.keys() {
        ledger.for_each_member(name, None, &mut |member| similar.offer(member.address.identity()))?;
    }
    Ok(similar.into_found())
}
