//! `rosterd check`.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::context::{Context, read_ledger, runtime, scratch_ledger, world};
use super::failure::Failure;
use super::output::{print, print_json};
use super::sync::read_sources;
use crate::alert::Alert;
use crate::alert::receiver::Receiver;
use crate::alert::send::{self, Sent};
use crate::clock;
use crate::config::{self, SourceKind, Subscription};
use crate::exit::ExitStatus;
use crate::intake::Files;
use crate::ledger::{Ledger, LedgerError, SourceRecord};
use crate::licensing::wire::Answer;
use crate::pass::World;
use crate::report::difference;
use crate::report::text::{count, sentence};
use crate::roster::change::{self, Change, Merge};
use crate::roster::{Entry, Parts, Reason};
use crate::source::Row;
use crate::source::ldap::connect;
use crate::telemetry::chain;

/// Try everything that the configuration names, without changing anything
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// Send a test alert to each receiver
    #[arg(long)]
    pub(super) send_test_alert: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What one try came to.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    what: String,
    pub(super) ok: bool,
    detail: String,
    /// What a person may want to know besides, each a sentence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// Rows that can't be used, each with its place and reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bad_rows: Vec<String>,
}

impl Finding {
    /// As a person reads it, in one line or more.
    pub(super) fn shown(&self) -> String {
        let Finding { what, ok, detail, notes, bad_rows } = self;
        let mut text = format!("{} {what}: {detail}", if *ok { "ok    " } else { "FAILED" });
        for line in notes.iter().chain(bad_rows) {
            let _ = write!(text, "\n         {line}");
        }
        text
    }
}

pub(super) fn run(args: &CheckArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let config = context.config()?;
    if args.send_test_alert && config.alerts.is_empty() {
        return Err(Failure::usage("there is no receiver to send a test alert to").hint("add a table [[alerts]]"));
    }
    let files = config.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    let mut findings = vec![Finding { notes: config::readable(&config), ..well("configuration", files) }];
    let ledger = scratch_ledger(&config);
    findings.push(ledger_finding(ledger.as_ref().err()));
    let world = world(config, ledger.or_else(|_| Ok::<_, Failure>(Ledger::scratch(Path::new(""))?))?)?;
    runtime()?.block_on(async {
        findings.extend(try_sources(&world).await?);
        for subscription in world.config.subscriptions.values() {
            findings.push(try_key(&world, subscription).await);
        }
        for receiver in Receiver::all(&world.config) {
            findings.push(try_receiver(&world, &receiver, args.send_test_alert).await);
        }
        Ok::<_, Failure>(())
    })?;
    show(&findings, args.json)?;
    Ok(if findings.iter().all(|finding| finding.ok) { ExitStatus::Done } else { ExitStatus::Failed })
}

fn well(what: impl Into<String>, detail: impl Into<String>) -> Finding {
    Finding { what: what.into(), ok: true, detail: detail.into(), notes: Vec::new(), bad_rows: Vec::new() }
}

pub(super) fn ill(what: impl Into<String>, detail: impl Into<String>) -> Finding {
    Finding { ok: false, ..well(what, detail) }
}

fn ledger_finding(failure: Option<&Failure>) -> Finding {
    match failure {
        None => well("ledger", "can be read, or will be made by the first run"),
        Some(failure) => ill("ledger", failure.message.clone()),
    }
}

/// Reads each source into a copy of the ledger that is thrown away, and moves no file. Where nothing new has come, the
/// roster that is in force is told.
pub(super) async fn try_sources(world: &World) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    let everybody: Vec<Subscription> = world.config.subscriptions.values().cloned().collect();
    let names: Vec<String> = world.config.sources.keys().cloned().collect();
    world.outside.ledger.with(move |ledger| names.iter().try_for_each(|name| forget_mark(ledger, name))).await?;
    read_sources(world, &everybody, Files::Leave).await?;
    // The ledger itself, which this has not touched.
    let before = read_ledger(&world.config).ok();
    for (name, record, changes) in held_against(world, before).await? {
        let is_named = !world.config.subscriptions_of(&name).is_empty();
        findings.push(source_finding(&name, is_named, record.as_ref(), changes));
        findings.extend(try_attributes(world, &name).await?);
    }
    Ok(findings)
}

/// A directory that has not changed is read all the same: whether it can be read is what a person wants to know.
fn forget_mark(ledger: &mut Ledger, name: &str) -> Result<(), LedgerError> {
    let Some(SourceRecord { mut evidence, bad_rows, accepted_at: Some(accepted_at), .. }) = ledger.source(name)? else {
        return Ok(());
    };
    let Some(directory) = &mut evidence.directory else { return Ok(()) };
    directory.mark = None;
    ledger.accept_unchanged(name, &evidence, &bad_rows, accepted_at)
}

type Read = (String, Option<SourceRecord>, Vec<String>);

/// Each source with what was read, and how that differs from the roster that is in force.
async fn held_against(world: &World, before: Option<Ledger>) -> Result<Vec<Read>, Failure> {
    let sources: Vec<(String, Vec<String>)> =
        world.config.sources.keys().map(|name| (name.clone(), world.config.subscriptions_of(name))).collect();
    let read = world.outside.ledger.with(move |after| {
        let read = |(name, subscriptions): &(String, Vec<String>)| {
            let accepted = before.as_ref().map(|before| before.source(name)).transpose()?.flatten();
            let accepted = accepted.and_then(|record| record.accepted_at).zip(before.as_ref());
            let told = match accepted {
                Some((at, before)) => difference::told(&changes(before, after, name, subscriptions)?, at),
                None => Vec::new(),
            };
            Ok((name.clone(), after.source(name)?, told))
        };
        sources.iter().map(read).collect::<Result<Vec<Read>, LedgerError>>()
    });
    Ok(read.await?)
}

/// How the roster of a source differs in two ledgers.
fn changes(
    before: &Ledger,
    after: &Ledger,
    source: &str,
    subscriptions: &[String],
) -> Result<Vec<Change>, LedgerError> {
    let mut rows = Vec::new();
    after.for_each_row(source, &Parts::all(), &mut |key, content| rows.push(Row { key, content, place: 0 }))?;
    let mut merge = Merge::new(&rows);
    before.for_each_row(source, &Parts::all(), &mut |key, content| merge.stored(key, content))?;
    let difference = merge.finish();
    let now = |rows: &[Row]| after.entries_by_key(source, &rows.iter().map(|row| row.key).collect::<Vec<_>>());
    let removed = before.entries_by_key(source, &difference.removed)?;
    let edits = change::changes(now(&difference.added)?, now(&difference.changed)?, removed, &[], |_| Reason::Left);
    let mut changes = edits.changes;
    let gone = changes.iter_mut().filter_map(|change| match change {
        Change::Removed { entry, reason, renamed_to: None } => Some((entry, reason)),
        _ => None,
    });
    for (entry, reason) in gone.take(difference::NAMED_MAX) {
        *reason = departed(after, source, subscriptions, entry)?.unwrap_or(*reason);
    }
    Ok(changes)
}

/// Why somebody left a source's roster, as any of its subscriptions knows.
fn departed(
    ledger: &Ledger,
    source: &str,
    subscriptions: &[String],
    entry: &Entry,
) -> Result<Option<Reason>, LedgerError> {
    for subscription in subscriptions {
        let candidate = ledger.candidate(subscription, &[source.to_owned()], entry.address.identity())?;
        if let Some(departure) = candidate.departure {
            return Ok(Some(departure.reason));
        }
    }
    Ok(None)
}

/// What a directory's schema has to say of the attributes that are named.
async fn try_attributes(world: &World, name: &str) -> Result<Vec<Finding>, Failure> {
    let Some(SourceKind::Ldap(ldap)) = world.config.sources.get(name).map(|source| source.kind.clone()) else {
        return Ok(Vec::new());
    };
    let told = tokio::task::spawn_blocking(move || connect::examine(&ldap)).await;
    let told = told.map_err(|error| Failure::from_error(&error))?;
    Ok(told.into_iter().map(|complaint| ill(format!("source {name}"), complaint.trim_end_matches('.'))).collect())
}

fn source_finding(name: &str, is_named: bool, record: Option<&SourceRecord>, changes: Vec<String>) -> Finding {
    let what = format!("source {name}");
    let Some(record) = record else {
        let why = if is_named { "there is nothing to read yet" } else { "it is not read: no subscription names it" };
        return well(what, why);
    };
    if let Some((problem, _)) = &record.problem {
        return ill(what, problem.clone());
    }
    let evidence = &record.evidence;
    let bad_rows: Vec<String> = record.bad_rows.iter().map(|row| format!("{}: {}", row.origin, row.reason)).collect();
    let mut detail = format!(
        "{} in {}",
        count(record.entries, "person", "people"),
        evidence.file.as_deref().unwrap_or("its roster")
    );
    if let Some(encoding) = &evidence.encoding {
        let _ = write!(detail, " ({encoding})");
    }
    if !bad_rows.is_empty() {
        let rows = count(bad_rows.len() as u64, "row that can't be used", "rows that can't be used");
        let _ = write!(detail, ", {rows}");
    }
    let mut notes: Vec<String> = evidence.notes.iter().map(|note| sentence(note)).collect();
    notes.extend(changes);
    Finding { notes, bad_rows, ..well(what, detail) }
}

/// An assignment of nobody: the server looks at the key, and changes nothing.
pub(super) async fn try_key(world: &World, subscription: &Subscription) -> Finding {
    let what = format!("subscription {}", subscription.name);
    let key = match subscription.api_key.read_api_key() {
        Ok(key) => key,
        Err(error) => return ill(what, chain(&error)),
    };
    let client = Arc::clone(&world.outside.client);
    match client.try_key(subscription.kind, subscription.id, &key).await {
        Answer::Done { .. } | Answer::Refused { .. } | Answer::NoSeats { .. } => {
            well(what, "the licensing server accepts the key")
        }
        Answer::KeyRefused { status, words } => ill(
            what,
            format!("the licensing server answers {status} ({words}): is the id right, and the key the newest?"),
        ),
        Answer::Redirect { target, .. } => {
            ill(what, format!("the licensing server redirects to {target}; is base_url right?"))
        }
        Answer::TooLarge => ill(what, "the licensing server says that an empty request is too large"),
        Answer::Busy { status, words, .. } => {
            ill(what, format!("the licensing server is busy ({status}: {words}); try again"))
        }
        Answer::Strange { status, words } => {
            ill(what, format!("what answers ({status}) is not the licensing server: {words}"))
        }
        Answer::NotSent { cause } | Answer::Lost { cause } => {
            ill(what, format!("no answer from the licensing server: {cause}"))
        }
    }
}

/// Sends a test alert, or says what would be done with one.
async fn try_receiver(world: &World, receiver: &Receiver, sends: bool) -> Finding {
    let what = format!("alerts, {}", receiver.label);
    if !sends {
        return match send::examine(receiver).await {
            Ok(plan) => well(what, plan),
            Err(why) => ill(what, why),
        };
    }
    let now = clock::now();
    match send::send(receiver, &Alert::test(receiver, now), &world.config.licensing, now).await {
        Sent::Arrived(said) => well(what, format!("the test alert was taken: {said}")),
        Sent::Refused(why) | Sent::Failed(why, _) => ill(what, format!("the test alert was not taken: {why}")),
    }
}

fn show(findings: &[Finding], json: bool) -> Result<(), Failure> {
    if json {
        return print_json(&serde_json::json!({ "checks": findings }));
    }
    print(&findings.iter().map(|finding| finding.shown() + "\n").collect::<String>())
}
