//! `rosterd resume`.

use super::act::{Unasked, by, confirm};
use super::context::{Context, write_ledger};
use super::failure::Failure;
use super::output::print;
use crate::clock;
use crate::exit::ExitStatus;
use crate::report::text::count;

/// Let removals go on after they were stopped everywhere; shows why they were, and asks
///
/// Removals stop everywhere when they are held or sources fail in many subscriptions within an hour ([brake] in the
/// configuration). What a subscription has against removals of its own stays held; an approval is for that.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rosterd resume
  rosterd resume --yes")]
pub(super) struct ResumeArgs {
    /// Do it without asking
    #[arg(long)]
    pub(super) yes: bool,
}

pub(super) fn run(args: &ResumeArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let config = context.config()?;
    let mut ledger = write_ledger(&config, clock::now())?;
    let Some(brake) = ledger.brake()? else {
        eprintln!("removals are not stopped.");
        return Ok(ExitStatus::Done);
    };
    let (mut subscriptions, mut removals) = (0, 0);
    for name in config.subscriptions.keys() {
        if let Some(stored) = ledger.subscription(name)?.hold {
            subscriptions += 1;
            removals += stored.hold.removals.len() as u64;
        }
    }
    let held = count(removals, "removal is", "removals are");
    let places = count(subscriptions, "subscription", "subscriptions");
    print(&format!("{}\n{held} held, in {places}. `rosterd status` shows what is wrong.\n", brake.words()))?;
    confirm("Let removals go on everywhere?", args.yes, Unasked::Refuse)?;
    ledger.release_brake(&by(), clock::now())?;
    eprintln!("removals go on: the daemon does what is due now; without one `rosterd sync` does.");
    Ok(ExitStatus::Done)
}
