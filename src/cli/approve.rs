//! `rosterd approve`.

use super::act::{Unasked, by, carry_out, confirm};
use super::context::{Context, subscription};
use super::failure::Failure;
use super::held::{HeldArgs, show_held};
use crate::clock;
use crate::exit::ExitStatus;
use crate::person;
use crate::report::text::count;

/// Let held removals happen; shows them and asks
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rosterd approve contoso
  rosterd approve contoso --yes --digest 0123456789abcdef")]
pub(super) struct ApproveArgs {
    #[command(flatten)]
    pub(super) held: HeldArgs,
}

pub(super) fn run(args: &ApproveArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let Some((config, mut ledger, stored)) = show_held(&args.held, context)? else { return Ok(ExitStatus::Done) };
    let name = &args.held.name;
    person::check_approvable(&ledger)?;
    let removals = count(stored.hold.removals.len() as u64, "licence", "licences");
    confirm(&format!("Take {removals} back?"), args.held.yes, Unasked::Refuse)?;
    match person::approve(&mut ledger, subscription(&config, name)?, &stored, &by(), clock::now())? {
        None => eprintln!("{name}: approved."),
        Some(brake) => eprintln!("{name}: approved, and nothing is taken back yet. {}", brake.words()),
    }
    carry_out(config, ledger, name)
}
