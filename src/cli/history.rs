//! `rosterd history`.

use super::context::{Context, read_ledger, subscriptions};
use super::failure::Failure;
use super::output::Output;
use crate::clock;
use crate::exit::ExitStatus;
use crate::ledger::HistoryLine;
use crate::report::history::{json, render, since};
use crate::report::text::Columns;

/// How many lines are lined up at once.
const BATCH: usize = 500;

/// What happened, oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rosterd history contoso --since 2d
  rosterd history --since 2026-11-01 --json")]
pub(super) struct HistoryArgs {
    /// Subscriptions [default: all, and what belongs to none]
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
    /// Only what happened since: a duration (2d, 12h), a date (2026-11-23) or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Print JSON, an object a line
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &HistoryArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let now = clock::now();
    let since = args.since.as_deref().map(|text| since(text, now)).transpose().map_err(Failure::usage)?;
    let config = context.config()?;
    subscriptions(&config, &args.names)?;
    let ledger = read_ledger(&config)?;
    let mut listing = Listing { output: Output::stdout(), columns: Columns::default(), json: args.json, lines: vec![] };
    let mut result = Ok(());
    ledger.for_each_history(&args.names, since, &mut |line| {
        if result.is_ok() && !listing.output.is_closed() {
            result = listing.push(line);
        }
    })?;
    result?;
    listing.write()?;
    listing.output.flush()?;
    Ok(ExitStatus::Done)
}

/// Writes lines as they come, some at a time.
struct Listing {
    output: Output,
    columns: Columns,
    json: bool,
    lines: Vec<HistoryLine>,
}

impl Listing {
    fn push(&mut self, line: HistoryLine) -> Result<(), Failure> {
        self.lines.push(line);
        if self.lines.len() == BATCH { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), Failure> {
        let lines = std::mem::take(&mut self.lines);
        if !self.json {
            return self.output.write(&render(&lines, &mut self.columns));
        }
        let json = |line: &HistoryLine| json(line).map_err(|error| Failure::from_error(&error));
        lines.iter().try_for_each(|line| self.output.line(&json(line)?))
    }
}
