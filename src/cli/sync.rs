//! `rosterd sync`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use tokio::task::JoinSet;
use tracing::{Instrument as _, Span, info};

use super::context::{Context, make_ledger, runtime, subscriptions, world};
use super::failure::Failure;
use super::output::{Output, print_json};
use super::run::end_on_signals;
use crate::alert::deliver;
use crate::clock;
use crate::config::{Source, Subscription};
use crate::dispatch::machine::Report;
use crate::exit::ExitStatus;
use crate::intake::{self, Files, Intake, Memory};
use crate::ledger::{LedgerError, RunId, RunOutcome, SubscriptionRecord, Trigger};
use crate::pass::{self, PassError, Passed, World};
use crate::report::text::count;
use crate::telemetry::{chain, span};

/// One run now: read the sources, and assign and unassign what follows
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rosterd sync
  rosterd sync contoso --json")]
pub(super) struct SyncArgs {
    /// Subscriptions [default: all]
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Alerts are sent for no longer than this; what is left waits for the next run, or for the daemon.
const ALERTS_PATIENCE: Duration = Duration::from_secs(20);
/// Waits longer than this are said.
const SAID_AFTER: Duration = Duration::from_secs(5);

/// What one subscription came to.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    name: String,
    run: Option<RunId>,
    outcome: RunOutcome,
    requests: u64,
    assigned: u64,
    unassigned: u64,
    problem: Option<String>,
    #[serde(skip)]
    reasserted: u64,
    #[serde(skip)]
    status: ExitStatus,
    #[serde(skip)]
    elsewhere: bool,
}

pub(super) fn run(args: &SyncArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let config = context.config()?;
    let chosen: Vec<Subscription> = subscriptions(&config, &args.names)?.into_iter().cloned().collect();
    let ledger = make_ledger(&config, clock::now())?;
    let world = world(config, ledger)?;
    let work = async {
        end_on_signals(world.shutdown.clone())?;
        let sources_well = read_sources(&world, &chosen, Files::PutAway).await?;
        let lines = pass_all(&world, chosen).await;
        deliver::finish(&world, ALERTS_PATIENCE).await;
        Ok::<_, Failure>((sources_well, lines))
    };
    let (sources_well, mut lines) = runtime()?.block_on(work.instrument(span::wake(Trigger::Command)))?;
    let brake = world.outside.ledger.blocking_with(|ledger| ledger.brake())?;
    world.outside.ledger.close();
    lines.sort_by(|one, other| one.name.cmp(&other.name));
    if args.json {
        print_json(&serde_json::json!({ "subscriptions": lines }))?;
    } else {
        print_lines(&lines)?;
    }
    if let Some(brake) = brake {
        eprintln!("{}", brake.words());
    }
    let passes = lines.iter().map(|line| line.status).max().unwrap_or(ExitStatus::Done);
    let failed = !sources_well || lines.iter().any(|line| line.status == ExitStatus::Failed);
    Ok(if failed { ExitStatus::Failed } else { passes })
}

/// Reads every source that these subscriptions name, and waits for files that are settling. Whether each could be read
/// whole; what was refused has been said.
pub(super) async fn read_sources(world: &World, chosen: &[Subscription], files: Files) -> Result<bool, Failure> {
    let names: BTreeSet<&String> = chosen.iter().flat_map(|subscription| &subscription.sources).collect();
    let mut well = true;
    for source in names.into_iter().filter_map(|name| world.config.sources.get(name)) {
        well &= read_source(world, source.clone(), files).await?;
    }
    Ok(well)
}

async fn read_source(world: &World, source: Source, files: Files) -> Result<bool, Failure> {
    let mut memory = Memory::default();
    let name = source.name.clone();
    loop {
        let (world, source) = (world.clone(), source.clone());
        let wake = Span::current();
        let look = tokio::task::spawn_blocking(move || {
            let _wake = wake.entered();
            let intakes = intake::take_in(&world.config, &world.outside, &source, &mut memory, files);
            (memory, intakes)
        });
        let (back, intakes) = look.await.map_err(|error| Failure::from_error(&error))?;
        memory = back;
        let intakes = intakes?;
        let settling = intakes.iter().filter_map(|intake| match intake {
            Intake::Settling(wait) => Some(*wait),
            _ => None,
        });
        match settling.max() {
            Some(wait) => {
                if wait > SAID_AFTER {
                    info!(source = %name, "{name}: waiting until its files, and the digests beside them, stand still");
                }
                tokio::time::sleep(wait).await;
            }
            None => return Ok(!intakes.iter().any(|intake| matches!(intake, Intake::Refused(_)))),
        }
    }
}

/// A pass for each, all at once: the pace is the requests'.
async fn pass_all(world: &World, chosen: Vec<Subscription>) -> Vec<Line> {
    let mut passes = JoinSet::new();
    for subscription in chosen {
        let world = world.clone();
        passes.spawn(async move { pass_one(&world, subscription).await }.in_current_span());
    }
    passes.join_all().await
}

/// A pass that a person asked for.
pub(super) async fn pass_one(world: &World, subscription: Subscription) -> Line {
    let passed = pass::pass(world, &subscription, Trigger::Command, true).await;
    line(world, subscription.name, passed).await
}

async fn line(world: &World, name: String, passed: Result<Passed, PassError>) -> Line {
    let (outcome, status) = left(world, &name).await;
    let line = Line {
        name,
        run: None,
        outcome,
        requests: 0,
        assigned: 0,
        unassigned: 0,
        problem: None,
        reasserted: 0,
        status,
        elsewhere: false,
    };
    match passed {
        Ok(Passed::Quiet { .. }) => line,
        Ok(Passed::Elsewhere) => {
            let problem = Some("another process is at work on it, and looks at the same".to_owned());
            Line { problem, elsewhere: true, ..line }
        }
        Ok(Passed::Ran { run, report, outcome, problem, .. }) => {
            let status = if report.stopped.is_some() { ExitStatus::Failed } else { status };
            let Report { requests, assigned, unassigned, reasserted, .. } = report;
            Line { run: Some(run), outcome, requests, assigned, unassigned, reasserted, problem, status, ..line }
        }
        Err(error) => {
            let problem = Some(chain(&error));
            Line { outcome: RunOutcome::Failed, problem, status: ExitStatus::Failed, ..line }
        }
    }
}

/// How a subscription stands, and whether something is left that a person may want to see.
async fn left(world: &World, name: &str) -> (RunOutcome, ExitStatus) {
    let name = name.to_owned();
    let left = world.outside.ledger.with(move |ledger| {
        let counts = crate::report::status::MemberCounts::of(&ledger.member_counts(&name)?);
        let SubscriptionRecord { hold, restored, drift, .. } = ledger.subscription(&name)?;
        let waits = hold.is_some() || restored.is_some() || counts.pending + counts.quarantined + counts.unknown > 0;
        Ok::<_, LedgerError>((waits, drift.is_some_and(|drift| drift.problem(clock::now()).is_some())))
    });
    match left.await {
        Ok((false, false)) => (RunOutcome::Converged, ExitStatus::Done),
        Ok((false, true)) => (RunOutcome::Converged, ExitStatus::Left),
        Ok((true, _)) => (RunOutcome::Incomplete, ExitStatus::Left),
        Err(_) => (RunOutcome::Incomplete, ExitStatus::Failed),
    }
}

fn print_lines(lines: &[Line]) -> Result<(), Failure> {
    let mut output = Output::stdout();
    for line in lines {
        output.write(&line.told())?;
    }
    output.flush()
}

impl Line {
    pub(super) fn status(&self) -> ExitStatus {
        self.status
    }

    /// Whether another process has the subscription at this moment.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.elsewhere
    }

    /// What came of it, in lines for a person.
    pub(super) fn told(&self) -> String {
        let Line { name, requests, assigned, unassigned, reasserted, problem, .. } = self;
        let again = if *reasserted > 0 { format!(", {reasserted} sent again") } else { String::new() };
        let mut text = match problem {
            Some(problem) => format!("{name}: {problem}\n"),
            None if *requests == 0 => format!("{name}: nothing to do\n"),
            None => format!(
                "{name}: {assigned} assigned, {unassigned} unassigned{again}, in {}\n",
                count(*requests, "request", "requests")
            ),
        };
        if self.status == ExitStatus::Left {
            let _ = writeln!(text, "{name}: something is left; `rosterd status {name}` says what");
        }
        text
    }
}
