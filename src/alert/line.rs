//! What is worth telling, in the log: one line for each new cause, whether somebody receives alerts or not.

use super::NAMED_MAX;
use crate::brake::Brake;
use crate::ledger::{Member, Seats};
use crate::plan::Hold;
use crate::report::text::count;
use crate::telemetry::Masked;

/// How many seats have to be bought so that everybody who waits has one.
pub fn shortage(seats: Option<Seats>, pending: u64) -> u64 {
    pending.saturating_sub(seats.map_or(0, |seats| seats.free()))
}

/// Seats ran out: exactly how many are missing, and for whom, first in the queue first.
pub fn seats_exhausted(subscription: &str, seats: Option<Seats>, pending: &[Member]) -> String {
    let number = pending.len() as u64;
    let free = match seats {
        Some(seats) => format!("{} of {} free", seats.free(), count(seats.available, "seat is", "seats are")),
        None => "no seat is free".to_owned(),
    };
    let mut queue: Vec<&Member> = pending.iter().collect();
    queue.sort_by_key(|member| (member.priority, member.waiting_since, member.address.clone()));
    let mut names: Vec<String> =
        queue.iter().take(NAMED_MAX).map(|member| Masked(member.address.spelling()).to_string()).collect();
    if queue.len() > NAMED_MAX {
        names.push(format!("{} more", queue.len() - NAMED_MAX));
    }
    format!(
        "{subscription}: {} for a licence, {free}: buy {}. Nobody has to do anything else: who waits is given a seat as soon as one is free. Waiting: {}",
        count(number, "person waits", "people wait"),
        shortage(seats, number),
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
    use chrono::DateTime;

    use super::*;
    use crate::address::Address;
    use crate::ledger::MemberState;

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
        let seats = Seats { available: 10, assigned: 9, as_of: DateTime::UNIX_EPOCH };
        let queue = [
            waiting("late@contoso.com", 100, 9),
            waiting("early@contoso.com", 100, 5),
            waiting("boss@contoso.com", 1, 9),
        ];
        insta::assert_snapshot!(seats_exhausted("contoso", Some(seats), &queue), @"contoso: 3 people wait for a licence, 1 of 10 seats are free: buy 2. Nobody has to do anything else: who waits is given a seat as soon as one is free. Waiting: b***@contoso.com, e***@contoso.com, l***@contoso.com");
        assert_eq!(shortage(None, 2), 2);
        assert_eq!(shortage(Some(seats), 1), 0);
    }
}
