//! Drift in words: what the licensing server counts and rosterd did not do.

use super::text::{count, either};
use crate::clock::Timestamp;
use crate::config::Subscription;
use crate::drift::Found;
use crate::ledger::SubscriptionRecord;

/// What is missed, and what helps: sentences.
pub fn problem(subscription: &Subscription, record: &SubscriptionRecord, now: Timestamp) -> Option<String> {
    let drift = record.drift.as_ref()?;
    let shortfall = drift.problem(now)?;
    Some(format!("{}. {}", shortfall.words(drift.surplus), remedy(subscription, record)))
}

/// What is no problem and worth knowing: fragments that can be sentences.
pub fn facts(subscription: &Subscription, record: &SubscriptionRecord) -> Vec<String> {
    let unmanaged = record.drift.as_ref().map_or(0, crate::drift::Drift::unmanaged);
    let unmanaged = (unmanaged > 0).then(|| {
        format!(
            "{} assigned by other means than rosterd, which does not touch {}; `rosterd adopt {} FILE` takes over whom the \
             file names",
            count(unmanaged, "licence was", "licences were"),
            either(unmanaged, "it", "them"),
            subscription.name,
        )
    });
    let stopped = subscription.reassert.filter(|_| record.habits.refuses_repeats()).map(|_| REFUSES.to_owned());
    unmanaged.into_iter().chain(stopped).collect()
}

/// Why `reassert` has stopped, as a fragment.
pub const REFUSES: &str = "the licensing server refuses to assign who is assigned already, so `reassert` is of no use here and has stopped \
     until `rosterd retry`";

/// A drift that was just found, and what helps: sentences.
pub fn found(subscription: &Subscription, record: &SubscriptionRecord, found: &Found) -> String {
    if found.change > 0 {
        return format!(
            "{}. rosterd takes nothing back that it did not assign; `rosterd adopt {} FILE` takes over whom the file names.",
            found.words(),
            subscription.name
        );
    }
    format!("{}. {}", found.words(), remedy(subscription, record))
}

/// How a seat that is missed comes back, as a sentence.
fn remedy(subscription: &Subscription, record: &SubscriptionRecord) -> String {
    match subscription.reassert {
        _ if record.habits.refuses_repeats() => format!(
            "The server refuses to assign who is assigned already, so `reassert` can't help: `rosterd forget {} ADDRESS` \
             has the next run assign somebody who should have one and lost it.",
            subscription.name
        ),
        Some(period) => format!(
            "`reassert` sends each known assignment again once in {}, which gives back what is missed as far as seats \
             are free.",
            humantime::format_duration(period)
        ),
        None => {
            "`reassert = \"7d\"` sends each known assignment again once in 7 days, which gives back what is missed."
                .to_owned()
        }
    }
}
