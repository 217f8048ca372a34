//! `rosterd sync`.

use super::context::Context;
use super::failure::Failure;
use crate::exit::ExitStatus;

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

pub(super) fn run(args: &SyncArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let _ = (args, context);
    Err(Failure::new("`sync` is not built yet"))
}
