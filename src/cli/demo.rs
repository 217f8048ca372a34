//! `rosterd demo`.

use super::context::Context;
use super::failure::Failure;
use crate::exit::ExitStatus;

/// The main job from end to end: leavers, joiners, a full subscription, seats bought, the queue drained
///
/// Needs nothing but this binary, and leaves nothing behind.
#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Keep the folder, and keep running until Ctrl-C
    #[arg(long)]
    pub(super) keep: bool,
}

pub(super) fn run(args: &DemoArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let _ = (args, context);
    Err(Failure::new("`demo` is not built yet"))
}
