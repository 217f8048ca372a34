//! `rosterd ledger`.

use std::fmt::Write as _;

use super::act::{Unasked, by, confirm, with_lease};
use super::context::{Context, scratch_ledger, subscription, write_ledger};
use super::failure::Failure;
use super::output::print;
use crate::clock::{self, Timestamp};
use crate::config::{Config, Subscription};
use crate::exit::ExitStatus;
use crate::ledger::{Ledger, LedgerError, Restored};
use crate::pass;
use crate::plan::Plan;
use crate::report::status::MemberCounts;
use crate::report::text::{count, relative, sentence};

/// What concerns the ledger as a whole
#[derive(Debug, clap::Args)]
pub(super) struct LedgerArgs {
    #[command(subcommand)]
    verb: LedgerVerb,
}

#[derive(Debug, clap::Subcommand)]
enum LedgerVerb {
    Accept(AcceptArgs),
    Rename(RenameArgs),
}

/// Believe a ledger that was restored from a copy; says what that means and asks
///
/// Until then licences are given, and none is taken back: a copy does not know who was given or lost a licence after it
/// was made. Give it the newest rosters first, as the README says.
#[derive(Debug, clap::Args)]
struct AcceptArgs {
    /// Do it without asking
    #[arg(long)]
    yes: bool,
}

/// Give a subscription its new name, after it got one in the configuration
///
/// Everybody who has a licence in it is known under the old name until then, and nothing is done under the new one.
#[derive(Debug, clap::Args)]
struct RenameArgs {
    /// The name under which the ledger knows it
    #[arg(value_name = "OLD")]
    old: String,
    /// Its name in the configuration
    #[arg(value_name = "NEW")]
    new: String,
}

/// So many of those are named who would lose the licence next.
const SHOWN_MAX: usize = 20;

pub(super) fn run(args: &LedgerArgs, context: &Context) -> Result<ExitStatus, Failure> {
    match &args.verb {
        LedgerVerb::Accept(args) => accept(args, context),
        LedgerVerb::Rename(args) => rename(args, context),
    }
}

fn rename(args: &RenameArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let RenameArgs { old, new } = args;
    let config = context.config()?;
    let remote = subscription(&config, new)?.remote();
    if config.subscriptions.contains_key(old) {
        let failure = Failure::usage(format!("{old} has its name in the configuration still; nothing was done"));
        return Err(failure.hint("change the name in the configuration first"));
    }
    let mut ledger = write_ledger(&config, clock::now())?;
    if !ledger.knows(old)? {
        return Err(Failure::usage(format!("the ledger knows no subscription {old}; nothing was done")));
    }
    // Members are never taken for those of another.
    ledger.subscription(old)?.check_remote(new, &remote)?;
    with_lease(&mut ledger, old, |ledger, from, _| {
        let (from, name) = (from.clone(), new.clone());
        with_lease(ledger, &name, |ledger, to, _| Ok(ledger.rename(&from, to)?))
    })?;
    eprintln!("{old} is {new} in the ledger from now on; the next run goes on with it.");
    Ok(ExitStatus::Done)
}

fn accept(args: &AcceptArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let AcceptArgs { yes } = *args;
    let config = context.config()?;
    let now = clock::now();
    let mut ledger = write_ledger(&config, now)?;
    let Some(restored) = ledger.restored()? else {
        eprintln!("The ledger is the newest that there was: there is nothing to accept.");
        return Ok(ExitStatus::Done);
    };
    print(&told(&config, &restored, now)?)?;
    confirm("Believe it?", yes, Unasked::Refuse)?;
    ledger.believe(&by(), clock::now())?;
    eprintln!("The ledger is believed from now on; the next run does what it says.");
    Ok(ExitStatus::Done)
}

/// What will be believed, and what comes of it.
fn told(config: &Config, restored: &Restored, now: Timestamp) -> Result<String, Failure> {
    let mut text = format!("{}\n", sentence(&restored.cause()));
    if let Some(as_of) = restored.as_of {
        let _ = writeln!(text, "Its newest entry was made {}.", relative(as_of, now));
    }
    // On a copy that believes already.
    let mut believing = scratch_ledger(config)?;
    believing.believe("nobody yet", now)?;
    for subscription in config.subscriptions.values() {
        text.push_str(&told_of_one(config, &believing, subscription, now)?);
    }
    text.push_str(
        "A licence that somebody got since it was made, and should not have, is taken back by nobody: adopt it.\n",
    );
    Ok(text)
}

fn told_of_one(
    config: &Config,
    believing: &Ledger,
    subscription: &Subscription,
    now: Timestamp,
) -> Result<String, LedgerError> {
    let name = &subscription.name;
    let MemberCounts { assigned, leaving, .. } = MemberCounts::of(&believing.member_counts(name)?);
    let mut text = format!("{name}: {} with a licence as it has them", count(assigned + leaving, "member", "members"));
    let plan = match pass::look_at(believing, config, subscription, false, now) {
        Ok(seen) => seen.plan,
        Err(another @ (LedgerError::Another { .. } | LedgerError::AnotherName { .. })) => {
            return Ok(format!("{text}; {another}\n"));
        }
        Err(error) => return Err(error),
    };
    let Plan { unassign, rename, hold, .. } = &*plan;
    let lost: Vec<String> = unassign.iter().map(|removal| removal.address.to_string()).collect();
    let changed = rename.iter().map(|rename| format!("{} (renamed to {})", rename.from, rename.to));
    let taken: Vec<String> = lost.into_iter().chain(changed).collect();
    let held = hold.as_ref().map_or(0, |hold| hold.removals.len() as u64);
    if held > 0 {
        let _ = write!(text, "; {} held for an approval", count(held, "removal stays", "removals stay"));
    }
    if taken.is_empty() {
        return Ok(text + "; none is taken back next\n");
    }
    let _ = writeln!(text, "; {} taken back next:", count(taken.len() as u64, "licence is", "licences are"));
    for address in taken.iter().take(SHOWN_MAX) {
        let _ = writeln!(text, "  - {address}");
    }
    if let Some(more) = taken.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
        let _ = writeln!(text, "    and {more} more");
    }
    Ok(text)
}
