//! The fleet's brake: when removals are held or sources fail in many subscriptions within an hour, the cause is ours or the
//! network's, and not that so many people left. Removals then stop everywhere until a person says that they go on.
//!
//! Here is what decides. The ledger keeps what began when, and the brake itself, so that every process that works on it
//! heeds it and a restart does not lift it; a guard of the plan holds what is due while it is on.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::config::BrakeLimits;
use crate::report::text::{count, moment};

/// What began within this time counts.
pub const WINDOW: TimeDelta = TimeDelta::hours(1);

/// Removals are stopped everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brake {
    pub since: Timestamp,
    /// Why, as a sentence.
    pub reason: String,
}

impl Brake {
    /// What is the matter, why, and how it ends, as sentences.
    pub fn words(&self) -> String {
        let Brake { since, reason } = self;
        format!("Removals are stopped everywhere since {}. {reason} `rosterd resume` lets them go on.", moment(*since))
    }

    /// The same without why, for each of many subscriptions.
    pub fn in_short(&self) -> String {
        let since = moment(self.since);
        format!(
            "Removals are stopped everywhere since {since} (`rosterd status` says why); `rosterd resume` lets them go on."
        )
    }
}

/// What went wrong within the hour: by name, where it began.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Troubles {
    /// Subscriptions whose removals began to be held.
    pub held: BTreeSet<String>,
    /// Sources that began to fail.
    pub failed: BTreeSet<String>,
}

/// Whether so much is wrong at once that removals are to stop everywhere, and why. `fleet` is every subscription with the
/// sources that it names: a source counts for each that names it.
pub fn judge<'a>(
    limits: BrakeLimits,
    fleet: impl IntoIterator<Item = (&'a str, &'a [String])>,
    troubles: &Troubles,
) -> Option<String> {
    let (mut all, mut concerned, mut held, mut failed) = (0_u64, 0_u64, 0_u64, 0_u64);
    for (name, sources) in fleet {
        let is_held = troubles.held.contains(name);
        let has_failed = sources.iter().any(|source| troubles.failed.contains(source));
        all += 1;
        concerned += u64::from(is_held || has_failed);
        held += u64::from(is_held);
        failed += u64::from(has_failed);
    }
    if concerned < limits.at_least || concerned <= limits.share.of(all) {
        return None;
    }
    Some(format!(
        "Within an hour removals were held in {held} and sources failed in {failed} of {}. More than {} in trouble at once looks like a fault of ours or of the network, not like people leaving.",
        count(all, "subscription", "subscriptions"),
        limits.share,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limit;

    const FIFTH: BrakeLimits = BrakeLimits { share: Limit::Share(0.2), at_least: 5 };

    fn fleet(size: usize) -> Vec<(String, Vec<String>)> {
        (0..size).map(|n| (format!("client-{n:02}"), vec![format!("csv-{n:02}"), "people".to_owned()])).collect()
    }

    fn judged(limits: BrakeLimits, fleet: &[(String, Vec<String>)], held: &[&str], failed: &[&str]) -> Option<String> {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let troubles = Troubles { held: set(held), failed: set(failed) };
        judge(limits, fleet.iter().map(|(name, sources)| (name.as_str(), sources.as_slice())), &troubles)
    }

    #[test]
    fn more_than_the_share_and_no_fewer_than_the_least_put_it_on() {
        let fleet = fleet(30);
        let held: Vec<String> = (0..7).map(|n| format!("client-{n:02}")).collect();
        let held: Vec<&str> = held.iter().map(String::as_str).collect();
        assert_eq!(judged(FIFTH, &fleet, &held[..6], &[]), None, "six are a fifth of thirty");
        insta::assert_snapshot!(judged(FIFTH, &fleet, &held, &[]).unwrap(), @"Within an hour removals were held in 7 and sources failed in 0 of 30 subscriptions. More than 20% in trouble at once looks like a fault of ours or of the network, not like people leaving.");
        assert_eq!(judged(FIFTH, &fleet[..4], &held, &[]), None, "a handful does not brake itself");
        assert!(judged(FIFTH, &fleet[..5], &held, &[]).is_some());
        assert!(judged(BrakeLimits { share: Limit::Count(7), ..FIFTH }, &fleet, &held, &[]).is_none());
        assert!(judged(BrakeLimits { share: Limit::Share(1.0), ..FIFTH }, &fleet, &[], &["people"]).is_none());
    }

    #[test]
    fn a_source_counts_for_each_that_names_it_and_a_subscription_once() {
        let fleet = fleet(10);
        insta::assert_snapshot!(judged(FIFTH, &fleet, &[], &["people"]).unwrap(), @"Within an hour removals were held in 0 and sources failed in 10 of 10 subscriptions. More than 20% in trouble at once looks like a fault of ours or of the network, not like people leaving.");
        let held = ["client-00", "client-01", "client-02"];
        let failed = ["csv-00", "csv-01", "csv-02"];
        assert_eq!(judged(FIFTH, &fleet, &held, &failed), None, "three, each in trouble twice");
        let failed = ["csv-03", "csv-04", "elsewhere"];
        insta::assert_snapshot!(judged(FIFTH, &fleet, &held, &failed).unwrap(), @"Within an hour removals were held in 3 and sources failed in 2 of 10 subscriptions. More than 20% in trouble at once looks like a fault of ours or of the network, not like people leaving.");
    }

    #[test]
    fn what_is_not_configured_any_more_does_not_count() {
        assert_eq!(judged(FIFTH, &fleet(9), &["a", "b", "c", "d", "e", "f"], &["x", "y"]), None);
        assert_eq!(judged(FIFTH, &[], &["a"], &[]), None);
    }
}
