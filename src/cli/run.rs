//! `rosterd run`.

use super::context::Context;
use super::failure::Failure;
use crate::exit::ExitStatus;

/// The daemon: watch the sources and keep the licences in step until it is told to end
///
/// SIGTERM or Ctrl-C: the request in flight is finished and recorded, then it ends.
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {}

pub(super) fn run(args: &RunArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let _ = (args, context);
    Err(Failure::new("`run` is not built yet"))
}
