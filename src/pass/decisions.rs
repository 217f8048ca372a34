//! What was decided and why, person by person, for whoever asks to see it (`-v`).

use tracing::{Level, debug, enabled};

use crate::plan::{LeavingUntil, Plan, Settlement};
use crate::telemetry::Masked;

/// A line for each decision, in the order in which they are carried out. Why removals are held is said once, by
/// [`tell`](super::tell). Nothing is put together where nobody looks.
pub(super) fn tell_decisions(subscription: &str, plan: &Plan) {
    if !enabled!(Level::DEBUG) {
        return;
    }
    let tell = |what: &str, address: &str, why: &str| {
        let (address, why) = (Masked(address), Masked(why));
        debug!("{subscription}: decided to {what} {address}: {why}");
    };
    for removal in &plan.unassign {
        tell("take the seat of", removal.address.spelling(), &removal.detail);
    }
    for rename in &plan.rename {
        tell("move the seat to", rename.to.spelling(), &format!("it was {}'s", rename.from));
    }
    for (place, assignment) in plan.assign.iter().enumerate() {
        let fits = plan.fits.is_none_or(|fits| (place as u64) < fits);
        tell(if fits { "give a seat to" } else { "queue" }, assignment.address.spelling(), &assignment.detail);
    }
    for waiting in &plan.waiting {
        tell("wait with", waiting.address.spelling(), &format!("starts {}", waiting.starts));
    }
    for leaving in &plan.leaving {
        let until = match &leaving.until {
            LeavingUntil::Grace(until) => format!("until {until}"),
            LeavingUntil::Approval => "until a person approves".to_owned(),
            LeavingUntil::Protected(pattern) => format!("protected by `{pattern}`"),
            LeavingUntil::Renamed(why) => format!("the new address can't have one ({why})"),
        };
        tell("leave the seat to", leaving.address.spelling(), &format!("{}; {until}", leaving.detail));
    }
    for quarantine in &plan.quarantined {
        tell("set aside", quarantine.address.spelling(), &quarantine.reason);
    }
    for settlement in &plan.settle {
        match settlement {
            Settlement::Returned { address } => tell("keep", address.spelling(), "named again"),
            Settlement::Dropped { address, reason } => {
                tell("forget", address.spelling(), &format!("{reason}, and never had a seat"));
            }
        }
    }
}
