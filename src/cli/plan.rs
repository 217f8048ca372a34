//! `rosterd plan`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::context::{Context, runtime, scratch_ledger, subscriptions, world};
use super::failure::Failure;
use super::output::{print, print_json, style};
use super::sync::read_sources;
use crate::clock;
use crate::config::Subscription;
use crate::dispatch::machine::NewIntent;
use crate::exit::ExitStatus;
use crate::intake::{self, Files, Intake};
use crate::ledger::{Ledger, LedgerError};
use crate::licensing::wire::Operation;
use crate::pass::{self, Seen, World};
use crate::plan::display::{BadRowJson, EvidenceJson, OpenJson, PlanJson, SourceJson, Style};
use crate::report::text::count;

/// What `sync` would do; changes nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rosterd plan
  rosterd plan contoso --roster next-month.csv

Exit status: 0 there are no changes, 3 there are.")]
pub(super) struct PlanArgs {
    /// Subscriptions [default: all]
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
    /// Plan against this CSV instead of the sources
    #[arg(long, value_name = "FILE")]
    pub(super) roster: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// How many of each list are printed for people.
const SHOWN_MAX: usize = 50;

/// Everything is done as `sync` does it, on a copy of the ledger in memory, up to where a request would be sent.
pub(super) fn run(args: &PlanArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let config = context.config()?;
    let chosen: Vec<Subscription> = subscriptions(&config, &args.names)?.into_iter().cloned().collect();
    let ledger = scratch_ledger(&config)?;
    let world = world(config, ledger)?;
    let sources_well = match &args.roster {
        Some(roster) => read_instead(&world, &chosen, roster)?,
        None => runtime()?.block_on(read_sources(&world, &chosen, Files::Leave))?,
    };
    let config = Arc::clone(&world.config);
    let plans = world.outside.ledger.blocking_with(move |ledger| {
        let plan = |subscription: &Subscription| {
            let seen = pass::look_at(ledger, &config, subscription, true, clock::now())?;
            Ok((subscription.clone(), sources(ledger, subscription)?, seen))
        };
        chosen.iter().map(plan).collect::<Result<Vec<_>, LedgerError>>()
    })?;
    show(&plans, args.json)?;
    let changes = plans.iter().any(|(_, _, seen)| seen.changes_something());
    Ok(match (sources_well, changes) {
        (false, _) => ExitStatus::Failed,
        (true, true) => ExitStatus::Left,
        (true, false) => ExitStatus::Done,
    })
}

/// What `plan --json` prints.
#[derive(Debug, serde::Serialize)]
struct Plans {
    subscriptions: Vec<PlanJson>,
}

type Planned = (Subscription, Vec<SourceJson>, Seen);

fn show(plans: &[Planned], json: bool) -> Result<(), Failure> {
    if json {
        let plans: Vec<PlanJson> = plans
            .iter()
            .map(|(it, sources, seen)| PlanJson {
                unsettled: unsettled(seen).map(|(email, open)| OpenJson { email, operation: open.operation }).collect(),
                ..PlanJson::new(&it.name, &seen.plan, sources.clone())
            })
            .collect();
        return print_json(&Plans { subscriptions: plans });
    }
    let mut text = String::new();
    for (subscription, sources, seen) in plans {
        let zone = subscription.policy.timezone;
        let style = Style { shown_max: SHOWN_MAX, colour: style().colour, zone };
        text.push_str(&settled_first(&subscription.name, seen));
        text.push_str(&seen.plan.display(&subscription.name, style).to_string());
        let again = seen.work.reassert.len() as u64;
        if again > 0 {
            let again = count(again, "known assignment is", "known assignments are");
            let _ = writeln!(text, "{}: {again} sent again to be sure (`reassert`)", subscription.name);
        }
        for (heading, told) in sources.iter().filter_map(|source| Some(source.evidence.as_ref()?.told(&source.name))) {
            let _ = writeln!(text, "  {heading}");
            for line in told {
                let _ = writeln!(text, "    {line}");
            }
        }
    }
    print(&text)
}

/// Whom a request names whose answer is missing.
fn unsettled(seen: &Seen) -> impl Iterator<Item = (String, &NewIntent)> {
    seen.work.resume.iter().flat_map(|(_, open)| open.addresses.iter().map(move |address| (address.to_string(), open)))
}

/// What is done before anything that is planned.
fn settled_first(name: &str, seen: &Seen) -> String {
    let people: Vec<(String, &NewIntent)> = unsettled(seen).collect();
    if people.is_empty() {
        return String::new();
    }
    let number = people.len() as u64;
    let mut text = format!(
        "{name}: the answers to requests about {} are missing; they are sent again first, and the rest is planned anew after that\n",
        count(number, "person", "people")
    );
    for (address, open) in people.iter().take(SHOWN_MAX) {
        let what = match open.operation {
            Operation::Assign => "to be given a seat",
            Operation::Unassign => "to have it taken back",
        };
        let _ = writeln!(text, "    ? {address}  {what}");
    }
    if let Some(more) = number.checked_sub(SHOWN_MAX as u64).filter(|more| *more > 0) {
        let _ = writeln!(text, "      and {more} more");
    }
    text
}

fn sources(ledger: &Ledger, subscription: &Subscription) -> Result<Vec<SourceJson>, LedgerError> {
    let source = |name: &String| {
        let record = ledger.source(name)?;
        Ok(SourceJson {
            name: name.clone(),
            entries: record.as_ref().map_or(0, |record| record.entries),
            bad_rows: record.iter().flat_map(|record| &record.bad_rows).map(BadRowJson::from).collect(),
            evidence: record.as_ref().and_then(|record| EvidenceJson::of(&record.evidence, record.accepted_at)),
            error: record.and_then(|record| record.problem).map(|(why, _)| why),
        })
    };
    subscription.sources.iter().map(source).collect()
}

/// The chosen subscriptions' first source says what the file says, and their others nobody.
fn read_instead(world: &World, chosen: &[Subscription], roster: &Path) -> Result<bool, Failure> {
    let first: BTreeSet<&String> = chosen.iter().filter_map(|it| it.sources.first()).collect();
    let all: BTreeSet<&String> = chosen.iter().flat_map(|it| &it.sources).collect();
    let mut well = true;
    for (name, source) in all.into_iter().filter_map(|name| Some((name, world.config.sources.get(name)?))) {
        let file = first.contains(name).then_some(roster);
        let intake = intake::take_instead(&world.config, &world.outside, source, file)?;
        well &= !matches!(intake, Intake::Refused(_));
    }
    Ok(well)
}
