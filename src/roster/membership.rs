//! What is desired of one address at one moment: the union of what all sources say of it, less exclusions and dates.

use std::time::Duration;

use chrono::NaiveTime;
use chrono_tz::Tz;

use super::{Entry, Reason, When};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::config::Policy;

/// What is desired of an address, and until when that stays so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    pub desired: Desired,
    /// The next moment at which `desired` is another, if no roster and no policy changes before; `None`: never.
    pub changes_at: Option<Timestamp>,
}

/// What is desired of an address at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Desired {
    /// It should have a seat now.
    Wanted {
        /// As the entry of the lowest priority spells it.
        address: Address,
        /// The lowest of the live entries.
        priority: i32,
    },
    /// It should have a seat from this moment on.
    Waiting { address: Address, starts: Timestamp, priority: i32 },
    /// A roster names it, and the policy sets it aside.
    Quarantined { address: Address, reason: String },
    /// It should have no seat.
    Not(NotDesired),
}

/// Why an address should have no seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotDesired {
    /// This `exclude` pattern matches.
    Excluded(String),
    /// The last of its entries ended at this moment.
    Ended(Timestamp),
    /// No roster names it.
    Unnamed,
}

/// What is desired of the address that these entries name, and until when.
pub fn membership(entries: &[(String, Entry)], policy: &Policy, now: Timestamp) -> Membership {
    let now_desired = desired(entries, policy, now);
    let mut moments: Vec<Timestamp> = entries.iter().flat_map(|(_, entry)| moments(entry, policy.timezone)).collect();
    moments.retain(|moment| *moment > now);
    moments.sort_unstable();
    let changes_at = moments.into_iter().find(|moment| desired(entries, policy, *moment) != now_desired);
    Membership { desired: now_desired, changes_at }
}

/// What is desired of the address that these entries name, each with its source's name. One person in several groups is
/// one seat; it is live while any of its entries is.
pub fn desired(entries: &[(String, Entry)], policy: &Policy, now: Timestamp) -> Desired {
    let Some((_, any)) = entries.first() else {
        return Desired::Not(NotDesired::Unnamed);
    };
    if let Some(pattern) = policy.exclude.matching(any.address.identity()) {
        return Desired::Not(NotDesired::Excluded(pattern.to_owned()));
    }
    let dated = entries.iter().map(|(_, entry)| (phase(entry, policy.timezone, now), entry));
    let Some((phase, entry)) = dated.min_by_key(|(phase, entry)| (*phase, entry.priority, entry.address.spelling()))
    else {
        return Desired::Not(NotDesired::Unnamed);
    };
    let address = entry.address.clone();
    match phase {
        Phase::Ended(std::cmp::Reverse(moment)) => Desired::Not(NotDesired::Ended(moment)),
        Phase::Live | Phase::Ahead(_) if !policy.allows_domain(&address) => Desired::Quarantined {
            reason: format!("the domain {} is not among this subscription's domains", address.domain()),
            address,
        },
        Phase::Live => Desired::Wanted { address, priority: entry.priority },
        Phase::Ahead(starts) => Desired::Waiting { address, starts, priority: entry.priority },
    }
}

/// Where a moment stands to an entry's dates. In the order in which one entry outweighs another: any live one, then the
/// earliest start, then the latest end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Live,
    Ahead(Timestamp),
    Ended(std::cmp::Reverse<Timestamp>),
}

/// An entry that ends no later than it starts has ended: there is no moment at which it is live.
fn phase(entry: &Entry, zone: Tz, now: Timestamp) -> Phase {
    let starts = entry.starts.map(|when| when.moment(zone));
    let ends = entry.ends.map(|when| when.moment(zone));
    match (starts, ends) {
        (_, Some(ends)) if ends <= now => Phase::Ended(std::cmp::Reverse(ends)),
        (Some(starts), Some(ends)) if ends <= starts => Phase::Ended(std::cmp::Reverse(ends)),
        (Some(starts), _) if starts > now => Phase::Ahead(starts),
        _ => Phase::Live,
    }
}

fn moments(entry: &Entry, zone: Tz) -> impl Iterator<Item = Timestamp> {
    entry.starts.into_iter().chain(entry.ends).map(move |when: When| when.moment(zone))
}

/// How long a leaver keeps the seat for this reason.
pub fn grace(policy: &Policy, reason: Reason) -> Duration {
    match reason {
        Reason::Left => policy.removal_grace.left,
        Reason::Disabled => policy.removal_grace.disabled,
        Reason::Vanished => policy.removal_grace.vanished,
        Reason::Ended | Reason::Removed | Reason::Renamed | Reason::Excluded | Reason::Scope => Duration::ZERO,
    }
}

/// A moment as the people of a subscription read it: a day where it is a midnight of theirs, else day and time.
pub fn day_in(moment: Timestamp, zone: Tz) -> String {
    let local = moment.with_timezone(&zone);
    if local.time() == NaiveTime::MIN { local.format("%Y-%m-%d") } else { local.format("%Y-%m-%d %H:%M %Z") }
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Globs;

    fn policy() -> Policy {
        Policy { exclude: Globs::new(&["svc-*".to_owned()]).unwrap(), ..Policy::plain() }
    }

    /// `priority`, `starts` and `ends` of an entry for `address`.
    fn entry(source: &str, address: &str, priority: i32, starts: &str, ends: &str) -> (String, Entry) {
        let entry = Entry {
            address: Address::parse(address).unwrap(),
            stable_id: None,
            route: None,
            priority,
            starts: When::parse(starts).ok(),
            ends: When::parse(ends).ok(),
            origin: "staff.csv line 7".into(),
        };
        (source.to_owned(), entry)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The whole answer as one line.
    fn line(entries: &[(String, Entry)], policy: &Policy, now: &str) -> String {
        let Membership { desired, changes_at } = membership(entries, policy, at(now));
        let desired = match desired {
            Desired::Wanted { address, priority } => format!("wanted {address} {priority}"),
            Desired::Waiting { address, starts, priority } => format!("waiting {address} {starts:?} {priority}"),
            Desired::Quarantined { address, reason } => format!("quarantined {address}: {reason}"),
            Desired::Not(why) => format!("{why:?}"),
        };
        format!("{desired}, {}", changes_at.map_or("for ever".to_owned(), |moment| format!("until {moment:?}")))
    }

    #[test]
    fn one_person_in_three_groups_is_one_seat_with_the_lowest_priority_and_one_spelling() {
        let mut entries = vec![
            entry("ad", "Jane@contoso.com", 100, "", ""),
            entry("hr", "jane@contoso.com", 5, "", ""),
            entry("hr", "JANE@contoso.com", 5, "", ""),
        ];
        let expected = "wanted JANE@contoso.com 5, for ever";
        for _ in 0..3 {
            entries.rotate_left(1);
            assert_eq!(line(&entries, &policy(), "2026-11-23T08:00:00Z"), expected);
        }
    }

    #[test]
    fn a_membership_starts_and_ends_at_midnight_in_the_zone_of_the_subscription() {
        let entries = [entry("hr", "jane@contoso.com", 7, "2026-12-01", "2026-12-24")];
        assert_eq!(
            line(&entries, &policy(), "2026-11-30T22:59:59Z"),
            "waiting jane@contoso.com 2026-11-30T23:00:00Z 7, until 2026-11-30T23:00:00Z"
        );
        assert_eq!(
            line(&entries, &policy(), "2026-11-30T23:00:00Z"),
            "wanted jane@contoso.com 7, until 2026-12-23T23:00:00Z"
        );
        assert_eq!(line(&entries, &policy(), "2026-12-23T23:00:00Z"), "Ended(2026-12-23T23:00:00Z), for ever");
    }

    #[test]
    fn a_person_is_live_while_any_entry_is() {
        let entries = [
            entry("hr", "jane@contoso.com", 1, "", "2026-12-01"),
            entry("ad", "jane@contoso.com", 50, "", ""),
            entry("ad", "jane@contoso.com", 9, "2027-01-01", ""),
        ];
        assert_eq!(
            line(&entries, &policy(), "2026-11-23T08:00:00Z"),
            "wanted jane@contoso.com 1, until 2026-11-30T23:00:00Z"
        );
        assert_eq!(
            line(&entries, &policy(), "2026-12-05T08:00:00Z"),
            "wanted jane@contoso.com 50, until 2026-12-31T23:00:00Z"
        );
        assert_eq!(line(&entries, &policy(), "2027-02-01T08:00:00Z"), "wanted jane@contoso.com 9, for ever");
    }

    #[test]
    fn a_start_or_end_that_changes_nothing_is_no_change() {
        let entries = [
            entry("hr", "jane@contoso.com", 1, "", ""),
            entry("ad", "jane@contoso.com", 5, "2026-12-01", "2026-12-09"),
        ];
        assert_eq!(line(&entries, &policy(), "2026-11-23T08:00:00Z"), "wanted jane@contoso.com 1, for ever");
    }

    #[test]
    fn between_two_contracts_one_waits_for_the_next() {
        let entries = [
            entry("hr", "jane@contoso.com", 1, "", "2026-11-01"),
            entry("hr", "jane@contoso.com", 3, "2026-12-01", ""),
            entry("hr", "jane@contoso.com", 2, "2027-12-01", ""),
        ];
        assert_eq!(
            line(&entries, &policy(), "2026-11-23T08:00:00Z"),
            "waiting jane@contoso.com 2026-11-30T23:00:00Z 3, until 2026-11-30T23:00:00Z"
        );
    }

    #[test]
    fn the_last_end_is_the_one_that_is_told() {
        let entries = [
            entry("hr", "jane@contoso.com", 1, "", "2026-03-01T00:00:00Z"),
            entry("ad", "jane@contoso.com", 1, "", "2026-11-01T00:00:00Z"),
            entry("ad", "jane@contoso.com", 1, "2027-01-01", "2026-12-01"),
        ];
        assert_eq!(line(&entries[..2], &policy(), "2026-11-23T08:00:00Z"), "Ended(2026-11-01T00:00:00Z), for ever");
        assert!(line(&entries[2..], &policy(), "2026-11-23T08:00:00Z").starts_with("Ended"));
    }

    #[test]
    fn exclusions_and_domains_set_aside() {
        let now = "2026-11-23T08:00:00Z";
        let service = [entry("hr", "SVC-Backup@contoso.com", 1, "", "")];
        assert_eq!(line(&service, &policy(), now), "Excluded(\"svc-*\"), for ever");
        let elsewhere = [entry("hr", "jane@Fabrikam.com", 1, "", "")];
        let policy = Policy { domains: vec!["contoso.com".to_owned()], ..policy() };
        assert_eq!(
            line(&elsewhere, &policy, now),
            "quarantined jane@Fabrikam.com: the domain fabrikam.com is not among this subscription's domains, for ever"
        );
        assert_eq!(line(&[], &policy, now), "Unnamed, for ever");
    }
}
