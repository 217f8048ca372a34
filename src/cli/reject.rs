//! `rosterd reject`.

use super::act::{Unasked, by, carry_out, confirm, with_lease};
use super::context::Context;
use super::failure::Failure;
use super::held::{HeldArgs, show_held};
use crate::exit::ExitStatus;
use crate::person;
use crate::report::text::{count, either};

/// Turn held removals down: their people keep the licence until a roster names them again; shows them and asks
#[derive(Debug, clap::Args)]
pub(super) struct RejectArgs {
    #[command(flatten)]
    pub(super) held: HeldArgs,
}

pub(super) fn run(args: &RejectArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let Some((config, mut ledger, seen)) = show_held(&args.held, context)? else { return Ok(ExitStatus::Done) };
    let name = &args.held.name;
    let people = seen.hold.removals.len() as u64;
    let question =
        format!("Let {} keep {} licence?", count(people, "person", "people"), either(people, "the", "their"));
    confirm(&question, args.held.yes, Unasked::Refuse)?;
    with_lease(&mut ledger, name, |ledger, lease, now| {
        Ok(person::reject(ledger, lease, &seen.hold.digest, &by(), now)?)
    })?;
    eprintln!("{name}: rejected; {} kept.", count(people, "licence is", "licences are"));
    carry_out(config, ledger, name)
}
