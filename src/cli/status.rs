//! `rosterd status`.

use super::context::{Context, read_ledger, subscriptions};
use super::failure::Failure;
use super::output::{print, print_json, style};
use crate::clock;
use crate::exit::ExitStatus;
use crate::facts;

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
    let status = facts::status(&config, &subscriptions, &read_ledger(&config)?, now)?;
    if args.json {
        print_json(&status)?;
    } else {
        print(&status.render(now, style()))?;
    }
    Ok(if status.is_left() { ExitStatus::Left } else { ExitStatus::Done })
}
