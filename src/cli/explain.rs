//! `rosterd explain`.

use super::context::{Context, read_ledger};
use super::failure::Failure;
use super::output::{print, print_json, style};
use crate::clock;
use crate::config::{After, Source, SourceKind};
use crate::exit::ExitStatus;
use crate::facts;
use crate::report::explain::explain;
use crate::report::text::plain;
use crate::source::drop_folder;

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
    for source in config.sources.values().filter(|source| !config.subscriptions_of(&source.name).is_empty()) {
        if let Some(file) = newest_waiting(source) {
            eprintln!(
                "{}: {file} waits to be read, and nothing of it is in this; `rosterd sync` reads it.",
                source.name
            );
        }
    }
    Ok(ExitStatus::Done)
}

/// The last of the files that lie in a source's folder and are put away when they have been read.
fn newest_waiting(source: &Source) -> Option<String> {
    let SourceKind::Csv(csv) = &source.kind else { return None };
    let listing = drop_folder::list(csv).ok().filter(|_| csv.after != After::Leave)?;
    listing.files.last().map(|file| plain(&file.name))
}
