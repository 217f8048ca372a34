//! `rosterd approve`.

use super::act::{Unasked, by, carry_out, confirm};
use super::context::{Context, subscription};
use super::failure::Failure;
use super::held::{HeldArgs, show_held};
use crate::clock::{self, Timestamp};
use crate::config::Subscription;
use crate::exit::ExitStatus;
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
    if let Some(restored) = ledger.restored()? {
        return Err(Failure::new(format!("{}; nothing was approved", restored.cause()))
            .hint("`rosterd ledger accept` says what that means, and asks"));
    }
    let removals = count(stored.hold.removals.len() as u64, "licence", "licences");
    confirm(&format!("Take {removals} back?"), args.held.yes, Unasked::Refuse)?;
    let now = clock::now();
    let expires_at = expires_at(subscription(&config, name)?, now);
    ledger.approve(name, &stored.hold, &by(), expires_at, now)?;
    match ledger.brake()? {
        None => eprintln!("{name}: approved."),
        Some(brake) => eprintln!("{name}: approved, and nothing is taken back yet. {}", brake.words()),
    }
    carry_out(config, ledger, name)
}

fn expires_at(subscription: &Subscription, now: Timestamp) -> Timestamp {
    let valid = chrono::TimeDelta::from_std(subscription.policy.guard.approval_expires).ok();
    valid.and_then(|valid| now.checked_add_signed(valid)).unwrap_or(Timestamp::MAX_UTC)
}
