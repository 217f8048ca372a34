//! `rosterd adopt`.

use std::path::{Path, PathBuf};

use super::act::{Unasked, by, confirm, with_lease};
use super::context::{Context, make_ledger, subscription};
use super::failure::Failure;
use crate::address::Address;
use crate::clock;
use crate::exit::ExitStatus;
use crate::report::text::count;

/// Take over assignments that exist already, from a CSV, so that they are managed from now on; asks on a terminal
///
/// No call is made. Whom no roster names is planned to be removed at the next run, within the guards.
#[derive(Debug, clap::Args)]
pub(super) struct AdoptArgs {
    /// The subscription
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// A CSV with a header and a column of e-mail addresses
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
}

pub(super) fn run(args: &AdoptArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let config = context.config()?;
    subscription(&config, &args.name)?;
    let addresses = read(&args.file)?;
    let assignments = count(addresses.len() as u64, "assignment", "assignments");
    confirm(&format!("Take over {assignments} of {}?", args.name), false, Unasked::GoOn)?;
    let mut ledger = make_ledger(&config, clock::now())?;
    let n =
        with_lease(&mut ledger, &args.name, |ledger, lease, now| Ok(ledger.adopt(lease, &addresses, &by(), now)?))?;
    let before = addresses.len() as u64 - n;
    eprintln!("{}: {} adopted.", args.name, count(n, "assignment is", "assignments are"));
    if before > 0 {
        eprintln!("{} rosterd's before.", count(before, "was", "were"));
    }
    Ok(ExitStatus::Done)
}

/// The addresses of a CSV, all of them or none.
fn read(path: &Path) -> Result<Vec<Address>, Failure> {
    let _ = path;
    Err(Failure::new("reading a CSV is not built yet"))
}
