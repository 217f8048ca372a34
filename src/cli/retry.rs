//! `rosterd retry`.

use super::act::{Unasked, by, carry_out, confirm, with_lease};
use super::context::Context;
use super::failure::Failure;
use super::forget::members;
use crate::exit::ExitStatus;
use crate::person;
use crate::report::text::count;

/// Let quarantined members try again; asks on a terminal. Without addresses the server's habits are learned anew, too
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rosterd retry contoso
  rosterd retry contoso jane@contoso.com")]
pub(super) struct RetryArgs {
    /// The subscription
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// E-mail addresses [default: all that are quarantined]
    #[arg(value_name = "ADDRESS")]
    pub(super) addresses: Vec<String>,
}

pub(super) fn run(args: &RetryArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let (config, mut ledger, addresses) = members(context, &args.name, &args.addresses)?;
    let whom = match addresses.len() as u64 {
        0 => "all quarantined members".to_owned(),
        n => count(n, "member", "members"),
    };
    confirm(&format!("Let {whom} of {} try again?", args.name), false, Unasked::GoOn)?;
    let retried = with_lease(&mut ledger, &args.name, |ledger, lease, now| {
        Ok(person::retry(ledger, lease, &addresses, &by(), now)?)
    })?;
    if retried.habits {
        eprintln!("{}: what was learned of its server is forgotten, and learned anew.", args.name);
    }
    match retried.members {
        0 => eprintln!("{}: none of them is quarantined.", args.name),
        n => eprintln!("{}: {} again.", args.name, count(n, "member tries", "members try")),
    }
    if retried.is_nothing() {
        return Ok(ExitStatus::Done);
    }
    carry_out(config, ledger, &args.name)
}
