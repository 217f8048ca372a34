//! `rosterd plan`.

use super::context::Context;
use super::failure::Failure;
use crate::exit::ExitStatus;

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
    pub(super) roster: Option<std::path::PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &PlanArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let _ = (args, context);
    Err(Failure::new("`plan` is not built yet"))
}
