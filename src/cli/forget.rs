//! `rosterd forget`.

use super::act::{Unasked, addresses, by, confirm, with_lease};
use super::context::{Context, subscription, write_ledger};
use super::failure::Failure;
use crate::address::Address;
use crate::clock;
use crate::config::Config;
use crate::exit::ExitStatus;
use crate::ledger::{Ledger, LedgerError, MemberState};
use crate::report::similar::Similar;
use crate::report::text::{count, either, list};

/// Drop members from the ledger without a call to the server; asks on a terminal
///
/// A licence that they have stays with them, and rosterd takes it back no more. Whom a roster still names is rosterd's
/// again from the next run on. A member about whom the answer to a request is missing stays until that is settled.
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
    let name = &args.name;
    let (n, open) = with_lease(&mut ledger, name, |ledger, lease, now| {
        let n = ledger.forget(lease, &addresses, &by(), now)?;
        let is_open = |address: &&Address| -> Result<bool, LedgerError> {
            let member = ledger.candidate(name, &[], address.identity())?.member;
            Ok(member.is_some_and(|member| member.state == MemberState::Unknown))
        };
        let mut open = Vec::new();
        for address in &addresses {
            if is_open(&address)? {
                open.push(address.to_string());
            }
        }
        Ok((n, open))
    })?;
    if n > 0 || open.is_empty() {
        eprintln!("{name}: {} forgotten.", count(n, "member is", "members are"));
    }
    if open.is_empty() {
        return Ok(ExitStatus::Done);
    }
    let which = list(&open, "and");
    let failure = Failure::new(format!(
        "{name}: the answer to a request about {which} is missing, so that nobody knows whether there is a licence to forget; {} stays",
        either(open.len() as u64, "it", "each")
    ));
    Err(failure.hint(format!("`rosterd sync {name}` settles that once the server answers; then say it again")))
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
