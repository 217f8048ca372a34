//! `rosterd undo`.

use super::context::Context;
use super::failure::Failure;
use crate::exit::ExitStatus;

/// Do the reverse of a run, as far as seats allow; shows it and asks
#[derive(Debug, clap::Args)]
pub(super) struct UndoArgs {
    /// The run, as `history` shows it
    #[arg(value_name = "RUN")]
    pub(super) run: crate::ledger::RunId,
    /// Do it without asking
    #[arg(long)]
    pub(super) yes: bool,
}

pub(super) fn run(args: &UndoArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let _ = (args, context);
    Err(Failure::new("`undo` is not built yet"))
}
