//! `rosterd sandbox`.

use super::context::runtime;
use super::failure::Failure;
use crate::exit::ExitStatus;
use crate::sandbox::SandboxArgs;

pub(super) fn run(args: SandboxArgs) -> Result<ExitStatus, Failure> {
    match runtime()?.block_on(crate::sandbox::command::run(args)) {
        Ok(()) => Ok(ExitStatus::Done),
        Err(error) if error.is_usage() => Err(Failure::usage(error.to_string())),
        Err(error) => Err(Failure::from_error(&error)),
    }
}
