//! What a person may decide about a subscription, on the command line and over HTTP alike.
//!
//! An approval is of what the person saw: it names the digest that was shown, and other removals are not approved by it.

use std::time::Duration;

use chrono::TimeDelta;

use crate::address::Address;
use crate::brake::Brake;
use crate::clock::Timestamp;
use crate::config::Subscription;
use crate::ledger::{Lease, Ledger, LedgerError, Restored, StoredHold};

/// How long a lease lasts that is taken for a person's word, if this process dies.
pub const LEASE_TERM: Duration = Duration::from_mins(1);
/// How soon a lease that another holds is asked for again.
pub const LEASE_LOOK: Duration = Duration::from_millis(200);

/// Why what a person said was not done; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("{subscription} holds no removals by now; nothing was done")]
    NothingHeld { subscription: String },
    #[error("{subscription} holds other removals by now (digest {held}, not {seen}); nothing was done")]
    OtherHeld { subscription: String, held: String, seen: String },
    #[error("{}; nothing was approved", .0.cause())]
    Restored(Restored),
    #[error("{subscription} has been busy with a run for a while; nothing was done")]
    Busy { subscription: String },
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What is held, if it is what the person saw; without a digest, whatever is.
pub fn held(ledger: &Ledger, subscription: &str, digest: Option<&str>) -> Result<Option<StoredHold>, Refused> {
    let stored = ledger.subscription(subscription)?.hold;
    check_digest(subscription, stored.as_ref(), digest)?;
    Ok(stored)
}

/// The same where something has to be held.
pub fn still_held(ledger: &Ledger, subscription: &str, digest: &str) -> Result<StoredHold, Refused> {
    held(ledger, subscription, Some(digest))?
        .ok_or_else(|| Refused::NothingHeld { subscription: subscription.to_owned() })
}

fn check_digest(subscription: &str, stored: Option<&StoredHold>, digest: Option<&str>) -> Result<(), Refused> {
    let Some(seen) = digest else { return Ok(()) };
    let subscription = subscription.to_owned();
    match stored {
        Some(stored) if stored.hold.digest.eq_ignore_ascii_case(seen.trim()) => Ok(()),
        Some(stored) => {
            Err(Refused::OtherHeld { subscription, held: stored.hold.digest.clone(), seen: seen.to_owned() })
        }
        None => Err(Refused::NothingHeld { subscription }),
    }
}

/// Nobody can approve while the ledger may not be the newest.
pub fn check_approvable(ledger: &Ledger) -> Result<(), Refused> {
    ledger.restored()?.map_or(Ok(()), |restored| Err(Refused::Restored(restored)))
}

/// Lets the removals happen that were seen. What stops them all the same, if anything does.
pub fn approve(
    ledger: &mut Ledger,
    subscription: &Subscription,
    seen: &StoredHold,
    by: &str,
    now: Timestamp,
) -> Result<Option<Brake>, Refused> {
    check_approvable(ledger)?;
    let valid = TimeDelta::from_std(subscription.policy.guard.approval_expires).ok();
    let expires_at = valid.and_then(|valid| now.checked_add_signed(valid)).unwrap_or(Timestamp::MAX_UTC);
    ledger.approve(&subscription.name, &seen.hold, by, expires_at, now)?;
    Ok(ledger.brake()?)
}

/// Turns the removals down that were seen: a run may have come in between, and only what was seen is turned down. How
/// many people keep the licence.
pub fn reject(ledger: &mut Ledger, lease: &Lease, digest: &str, by: &str, now: Timestamp) -> Result<u64, Refused> {
    let stored = still_held(ledger, lease.subscription(), digest)?;
    ledger.reject(lease, &stored.hold, by, now)?;
    Ok(stored.hold.removals.len() as u64)
}

/// What came of [`retry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retried {
    pub members: u64,
    /// Whether what was learned of the server is learned anew.
    pub habits: bool,
}

impl Retried {
    pub fn is_nothing(self) -> bool {
        self == Retried { members: 0, habits: false }
    }
}

/// Lets quarantined members try again; without addresses all of them, and the server's habits are learned anew, too.
pub fn retry(
    ledger: &mut Ledger,
    lease: &Lease,
    addresses: &[Address],
    by: &str,
    now: Timestamp,
) -> Result<Retried, Refused> {
    let habits = addresses.is_empty() && ledger.forget_habits(lease)?;
    Ok(Retried { members: ledger.retry(lease, addresses, by, now)?, habits })
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
        let other = check_digest("contoso", Some(&stored()), Some("0123")).unwrap_err();
        assert!(matches!(other, Refused::OtherHeld { .. }), "{other}");
        let none = check_digest("contoso", None, Some("0123456789abcdef")).unwrap_err();
        assert!(matches!(none, Refused::NothingHeld { .. }), "{none}");
    }
}
