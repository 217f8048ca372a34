//! `rosterd check`.

use super::context::Context;
use super::failure::Failure;
use crate::exit::ExitStatus;

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

pub(super) fn run(args: &CheckArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let _ = (args, context);
    Err(Failure::new("`check` is not built yet"))
}
