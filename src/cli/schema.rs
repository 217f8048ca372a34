//! `rosterd schema`.

use super::failure::Failure;
use super::output::print_json;
use crate::exit::ExitStatus;

/// Print a JSON Schema of the configuration, for editors
#[derive(Debug, clap::Args)]
pub(super) struct SchemaArgs {}

pub(super) fn run(args: &SchemaArgs) -> Result<ExitStatus, Failure> {
    let SchemaArgs {} = args;
    print_json(&crate::config::schema())?;
    Ok(ExitStatus::Done)
}
