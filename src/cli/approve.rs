//! `rosterd approve`.

use super::act::{Unasked, by, carry_out, confirm};
use super::context::{Context, subscription, write_ledger};
use super::failure::Failure;
use super::output::print;
use crate::clock::{self, Timestamp};
use crate::config::Subscription;
use crate::exit::ExitStatus;
use crate::ledger::{Ledger, StoredHold};
use crate::report::hold::render;
use crate::report::text::count;

/// Let held removals happen; shows them and asks
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rosterd approve contoso
  rosterd approve contoso --yes --digest 0123456789abcdef")]
pub(super) struct ApproveArgs {
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

pub(super) fn run(args: &ApproveArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let config = context.config()?;
    let subscription = subscription(&config, &args.name)?;
    let mut ledger = write_ledger(&config, clock::now())?;
    let Some(stored) = held(&ledger, &args.name, args.digest.as_deref())? else {
        eprintln!("{}: no removals are held.", args.name);
        return Ok(ExitStatus::Done);
    };
    print(&render(&args.name, &stored, clock::now()))?;
    let removals = count(stored.hold.removals.len() as u64, "licence", "licences");
    confirm(&format!("Take {removals} back?"), args.yes, Unasked::Refuse)?;
    let now = clock::now();
    ledger.approve(&args.name, &stored.hold, &by(), expires_at(subscription, now), now)?;
    eprintln!("{}: approved.", args.name);
    carry_out(config, ledger, &args.name)
}

fn expires_at(subscription: &Subscription, now: Timestamp) -> Timestamp {
    let valid = chrono::TimeDelta::from_std(subscription.policy.guard.approval_expires).ok();
    valid.and_then(|valid| now.checked_add_signed(valid)).unwrap_or(Timestamp::MAX_UTC)
}

/// What is held, if it is what the person saw.
pub(super) fn held(ledger: &Ledger, name: &str, digest: Option<&str>) -> Result<Option<StoredHold>, Failure> {
    let stored = ledger.subscription(name)?.hold;
    check_digest(name, stored.as_ref(), digest)?;
    Ok(stored)
}

fn check_digest(name: &str, stored: Option<&StoredHold>, digest: Option<&str>) -> Result<(), Failure> {
    let Some(wanted) = digest else { return Ok(()) };
    match stored {
        Some(stored) if stored.hold.digest.eq_ignore_ascii_case(wanted.trim()) => Ok(()),
        Some(stored) => Err(Failure::new(format!(
            "{name} holds other removals by now (digest {}, not {wanted}); nothing was done",
            stored.hold.digest
        ))
        .hint(format!("`rosterd approve {name}` shows them"))),
        None => Err(Failure::new(format!("{name} holds no removals by now; nothing was done"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Hold;
    use crate::roster::When;

    fn stored() -> StoredHold {
        let since = When::parse("2026-11-23").unwrap().about();
        StoredHold { hold: Hold { digest: "0123456789abcdef".into(), removals: vec![], reasons: vec![] }, since }
    }

    #[test]
    fn only_what_was_seen_is_approved() {
        assert!(check_digest("contoso", Some(&stored()), None).is_ok());
        assert!(check_digest("contoso", Some(&stored()), Some("0123456789ABCDEF")).is_ok());
        assert!(check_digest("contoso", Some(&stored()), Some("0123")).is_err());
        assert!(check_digest("contoso", None, Some("0123456789abcdef")).is_err());
    }
}
