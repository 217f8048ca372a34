//! What `approve` and `reject` share: whose held removals are meant, and which.

use super::context::{Context, subscription, write_ledger};
use super::failure::Failure;
use super::output::print;
use crate::clock;
use crate::config::Config;
use crate::ledger::{Ledger, StoredHold};
use crate::report::hold::render;

/// Whose held removals, and which.
#[derive(Debug, clap::Args)]
pub(super) struct HeldArgs {
    /// The subscription
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// Do it without asking
    #[arg(long)]
    pub(super) yes: bool,
    /// Only if this is what is held: the digest that was shown with it
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
}

/// The configuration, the ledger for writing, and what is held, which has been shown; `None` where nothing is, which
/// has been said.
pub(super) fn show_held(args: &HeldArgs, context: &Context) -> Result<Option<(Config, Ledger, StoredHold)>, Failure> {
    let config = context.config()?;
    subscription(&config, &args.name)?;
    let ledger = write_ledger(&config, clock::now())?;
    let Some(stored) = held(&ledger, &args.name, args.digest.as_deref())? else {
        eprintln!("{}: no removals are held.", args.name);
        return Ok(None);
    };
    print(&render(&args.name, &stored, clock::now()))?;
    Ok(Some((config, ledger, stored)))
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
        StoredHold {
            hold: Hold { digest: "0123456789abcdef".into(), removals: vec![], reasons: vec![], braked: false },
            since,
        }
    }

    #[test]
    fn only_what_was_seen_is_approved() {
        assert!(check_digest("contoso", Some(&stored()), None).is_ok());
        assert!(check_digest("contoso", Some(&stored()), Some("0123456789ABCDEF")).is_ok());
        assert!(check_digest("contoso", Some(&stored()), Some("0123")).is_err());
        assert!(check_digest("contoso", None, Some("0123456789abcdef")).is_err());
    }
}
