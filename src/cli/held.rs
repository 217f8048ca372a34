//! What `approve` and `reject` share: whose held removals are meant, and which.

use super::context::{Context, subscription, write_ledger};
use super::failure::Failure;
use super::output::print;
use crate::clock;
use crate::config::Config;
use crate::ledger::{Ledger, StoredHold};
use crate::person::held;
use crate::report::hold::render;

/// Whose held removals, and which.
#[derive(Debug, clap::Args)]
pub(super) struct HeldArgs {
    /// The subscription
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// Do it without asking
    #[arg(long)]
    pub(super) yes: bool,
    /// Only if this is what is held: the digest that was shown with it
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
}

/// The configuration, the ledger for writing, and what is held, which has been shown; `None` where nothing is, which
/// has been said.
pub(super) fn show_held(args: &HeldArgs, context: &Context) -> Result<Option<(Config, Ledger, StoredHold)>, Failure> {
    let config = context.config()?;
    subscription(&config, &args.name)?;
    let ledger = write_ledger(&config, clock::now())?;
    let Some(stored) = held(&ledger, &args.name, args.digest.as_deref())? else {
        eprintln!("{}: no removals are held.", args.name);
        return Ok(None);
    };
    print(&render(&args.name, &stored, clock::now()))?;
    Ok(Some((config, ledger, stored)))
}
