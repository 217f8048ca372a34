//! `rosterd forget`.

use super::act::{Unasked, addresses, by, confirm, with_lease};
use super::context::{Context, subscription, write_ledger};
use super::failure::Failure;
use crate::address::Address;
use crate::clock;
use crate::config::Config;
use crate::exit::ExitStatus;
use crate::ledger::Ledger;
use crate::report::similar::Similar;
use crate::report::text::{count, list};

/// Drop members from the ledger without a call to the server; asks on a terminal
///
/// A licence that they have stays with them, and rosterd takes it back no more. Whom a roster still names is rosterd's
/// again from the next run on.
#[derive(Debug, clap::Args)]
pub(super) struct ForgetArgs {
    /// The subscription
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// E-mail addresses
    #[arg(value_name = "ADDRESS", required = true)]
    pub(super) addresses: Vec<String>,
}

pub(super) fn run(args: &ForgetArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let (_, mut ledger, addresses) = members(context, &args.name, &args.addresses)?;
    let dropped = count(addresses.len() as u64, "member", "members");
    confirm(
        &format!("Drop {dropped} of {} from the ledger, and leave their licences to them?", args.name),
        false,
        Unasked::GoOn,
    )?;
    let n =
        with_lease(&mut ledger, &args.name, |ledger, lease, now| Ok(ledger.forget(lease, &addresses, &by(), now)?))?;
    eprintln!("{}: {} forgotten.", args.name, count(n, "member is", "members are"));
    Ok(ExitStatus::Done)
}

/// The configuration, the ledger for writing, and the members of a subscription that somebody named: all of them, or
/// an error.
pub(super) fn members(
    context: &Context,
    name: &str,
    words: &[String],
) -> Result<(Config, Ledger, Vec<Address>), Failure> {
    let addresses = addresses(words)?;
    let config = context.config()?;
    subscription(&config, name)?;
    let ledger = write_ledger(&config, clock::now())?;
    addresses.iter().try_for_each(|address| must_be_member(&ledger, name, address))?;
    Ok((config, ledger, addresses))
}

/// A name that is none is a usage error that names the nearest.
pub(super) fn must_be_member(ledger: &Ledger, name: &str, address: &Address) -> Result<(), Failure> {
    if ledger.candidate(name, &[], address.identity())?.member.is_some() {
        return Ok(());
    }
    let mut similar = Similar::to(address.identity());
    ledger.for_each_member(name, None, &mut |member| similar.offer(member.address.identity()))?;
    let failure = Failure::usage(format!("{address} is no member of {name}; nothing was done"));
    let near = similar.into_found();
    Err(if near.is_empty() { failure } else { failure.hint(format!("did you mean {}?", list(&near, "or"))) })
}
