//! `rosterd reject`.

use super::act::{Unasked, by, carry_out, confirm, with_lease};
use super::approve::held;
use super::context::{Context, subscription, write_ledger};
use super::failure::Failure;
use super::output::print;
use crate::clock;
use crate::exit::ExitStatus;
use crate::report::hold::render;
use crate::report::text::{count, either};

/// Turn held removals down: their people keep the licence until a roster names them again; shows them and asks
#[derive(Debug, clap::Args)]
pub(super) struct RejectArgs {
    /// The subscription
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// Do it without asking
    #[arg(long)]
    pub(super) yes: bool,
    /// Only if this is what is held: the digest that was shown with it
    #[arg(long, value_name = "DIGEST")]
    pub(super) digest: Option<String>,
}

pub(super) fn run(args: &RejectArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let config = context.config()?;
    subscription(&config, &args.name)?;
    let mut ledger = write_ledger(&config, clock::now())?;
    let Some(seen) = held(&ledger, &args.name, args.digest.as_deref())? else {
        eprintln!("{}: no removals are held.", args.name);
        return Ok(ExitStatus::Done);
    };
    print(&render(&args.name, &seen, clock::now()))?;
    let people = seen.hold.removals.len() as u64;
    let question =
        format!("Let {} keep {} licence?", count(people, "person", "people"), either(people, "the", "their"));
    confirm(&question, args.yes, Unasked::Refuse)?;
    with_lease(&mut ledger, &args.name, |ledger, lease, now| {
        // A run may have come in between: only what was seen is turned down.
        held(ledger, &args.name, Some(&seen.hold.digest))?;
        Ok(ledger.reject(lease, &seen.hold, &by(), now)?)
    })?;
    eprintln!("{}: rejected; {} kept.", args.name, count(people, "licence is", "licences are"));
    carry_out(config, ledger, &args.name)
}
