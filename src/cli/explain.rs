//! `rosterd explain`.

use super::context::{Context, read_ledger};
use super::failure::Failure;
use super::output::{print, print_json, style};
use crate::clock;
use crate::exit::ExitStatus;
use crate::facts;
use crate::report::explain::explain;

/// Why an address has a licence or not, and what would change that
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  rosterd explain jane@contoso.com")]
pub(super) struct ExplainArgs {
    /// The e-mail address
    #[arg(value_name = "ADDRESS")]
    pub(super) address: String,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &ExplainArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let config = context.config()?;
    let ledger = read_ledger(&config)?;
    let explanation = explain(&facts::explained(&args.address, &config, &ledger, clock::now())?);
    if args.json {
        print_json(&explanation)?;
    } else {
        print(&explanation.render(style()))?;
    }
    Ok(ExitStatus::Done)
}
