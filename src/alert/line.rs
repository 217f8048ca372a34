//! What is worth telling, in the log: one line for each new cause, whether somebody receives alerts or not.

use super::NAMED_MAX;
use crate::brake::Brake;
use crate::ledger::Member;
use crate::plan::Hold;
use crate::report::shortage::{Shortage, waits_for_a_seat};
use crate::report::text::count;
use crate::telemetry::Masked;

/// Seats ran out: exactly how many are missing, and for whom, first in the queue first.
pub fn seats_exhausted(subscription: &str, shortage: &Shortage, pending: &[Member]) -> String {
    let mut queue: Vec<&Member> = pending.iter().filter(|member| waits_for_a_seat(member)).collect();
    queue.sort_by_key(|member| (member.claim.is_none(), member.priority, member.waiting_since, member.address.clone()));
    let mut names: Vec<String> =
        queue.iter().take(NAMED_MAX).map(|member| Masked(member.address.spelling()).to_string()).collect();
    if queue.len() > NAMED_MAX {
        names.push(format!("{} more", queue.len() - NAMED_MAX));
    }
    format!(
        "{subscription}: {}. Nobody has to do anything else: who waits is given a seat as soon as one is free. Waiting: {}",
        shortage.words(),
        names.join(", "),
    )
}

/// A guard stopped removals.
pub fn removals_held(subscription: &str, hold: &Hold) -> String {
    format!(
        "{subscription}: {} until a person decides. {} Nobody loses a licence meanwhile. Look with `rosterd plan {subscription}`, then `rosterd approve {subscription}` or `rosterd reject {subscription}`.",
        count(hold.removals.len() as u64, "removal is held", "removals are held"),
        hold.reasons.join(" "),
    )
}

/// The server's count moved without rosterd's doing. `words` are [`crate::report::drift::found`]'s.
pub fn drift(subscription: &str, words: &str) -> String {
    format!("{subscription}: {words}")
}

/// The fleet's brake was put on.
pub fn removals_stopped(brake: &Brake) -> String {
    format!(
        "{} Nobody loses a licence meanwhile, and joiners are served. `rosterd status` says what is wrong.",
        brake.words()
    )
}

/// A source could not be read whole and sound.
pub fn source_failed(source: &str, why: &str) -> String {
    let why = why.trim_end_matches('.');
    let stop = if why.ends_with('?') { "" } else { "." };
    format!("{source}: {why}{stop} The roster of before stays in force; nobody loses a licence by this.")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use chrono::DateTime;

    use super::*;
    use crate::address::Address;
    use crate::config::load_str;
    use crate::ledger::{MemberState, Seats, SubscriptionRecord};

    fn waiting(address: &str, priority: i32, since: i64) -> Member {
        Member {
            address: Address::parse(address).unwrap(),
            state: MemberState::Pending,
            since: DateTime::from_timestamp(since, 0).unwrap(),
            reason: "no seat is free".into(),
            priority,
            has_seat: false,
            waiting_since: DateTime::from_timestamp(since, 0),
            departure: None,
            kept: false,
            refused: false,
            claim: None,
        }
    }

    #[test]
    fn a_full_subscription_names_the_seats_to_buy_and_the_queue_in_order() {
        let text = "[subscriptions.contoso]\ntype = \"Manual\"\nid = \"ff3d3cf5-5388-40a0-915f-970c1d2d972f\"\napi_key = { file = \"k\" }\nsources = [\"hr\"]\n[sources.hr]\nkind = \"csv\"\npath = \"drops\"\n";
        let config = load_str(Path::new("/etc/rosterd/rosterd.toml"), text).unwrap();
        let seats = Some(Seats { available: 10, assigned: 9, as_of: DateTime::UNIX_EPOCH });
        let record = SubscriptionRecord { seats, ..SubscriptionRecord::default() };
        let queue = [
            waiting("late@contoso.com", 100, 9),
            waiting("early@contoso.com", 100, 5),
            waiting("boss@contoso.com", 1, 9),
        ];
        let nobody = std::iter::empty();
        let shortage =
            Shortage::of(&config.subscriptions["contoso"], &record, 3, nobody, false, DateTime::UNIX_EPOCH).unwrap();
        insta::assert_snapshot!(seats_exhausted("contoso", &shortage, &queue), @"contoso: 3 people wait for a licence, 1 of 10 seats are free: buy 2. Nobody has to do anything else: who waits is given a seat as soon as one is free. Waiting: b***@contoso.com, e***@contoso.com, l***@contoso.com");
    }
}
