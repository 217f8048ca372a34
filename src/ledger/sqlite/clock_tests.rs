//! Clocks that jump, by hours and by years, between any two verbs.

use chrono::TimeDelta;

use super::tests::{NOW, adopt, new_ledger};
use super::*;
use crate::address::Address;
use crate::dispatch::machine::{Commit, NewIntent, Outcome, Report};
use crate::ledger::{Owner, RunId, RunOutcome, Trigger};
use crate::licensing::wire::{Operation, Stats};
use crate::plan::{Hold, Plan, Removal};
use crate::roster::Reason;

const TERM: Duration = Duration::from_mins(2);
const JUMPS: [TimeDelta; 4] =
    [TimeDelta::hours(1), TimeDelta::hours(30), TimeDelta::days(365), TimeDelta::days(36_500)];

/// Long after the first moment of all, so that there is room to go back.
fn base() -> Timestamp {
    NOW + TimeDelta::days(100_000)
}

fn me() -> Owner {
    // Of another boot: nobody can say whether it is alive.
    Owner("boot:1:2:3:me".into())
}

fn you() -> Owner {
    Owner("boot:1:2:4:you".into())
}

#[test]
fn a_lease_from_a_clock_that_was_ahead_is_waited_for_no_longer_than_its_term() {
    for jump in JUMPS {
        let (_folder, _, mut ledger) = new_ledger();
        ledger.acquire("contoso", &me(), TERM, base() + jump).unwrap().unwrap();
        let mut taken = |after: i64| {
            let at = base() + TimeDelta::seconds(after);
            ledger.acquire("contoso", &you(), TERM, at).unwrap().is_some()
        };
        assert!(!taken(0) && !taken(119), "{jump}: its holder may be there");
        assert!(taken(120), "{jump}");
    }
}

#[test]
fn a_holder_that_is_there_keeps_the_lease_when_the_clock_is_set_back() {
    for jump in JUMPS {
        let (_folder, _, mut ledger) = new_ledger();
        let lease = ledger.acquire("contoso", &me(), TERM, base() + jump).unwrap().unwrap();
        for seconds in 0..300 {
            let now = base() + TimeDelta::seconds(seconds);
            assert!(ledger.acquire("contoso", &you(), TERM, now).unwrap().is_none(), "{jump}, after {seconds} s");
            if seconds % 40 == 39 {
                ledger.hold(&lease, TERM, now).unwrap();
            }
        }
    }
}

#[test]
fn a_holder_whose_lease_was_taken_after_a_jump_ahead_writes_nothing_more() {
    for jump in JUMPS {
        let (_folder, _, mut ledger) = new_ledger();
        let lease = ledger.acquire("contoso", &me(), TERM, base()).unwrap().unwrap();
        ledger.acquire("contoso", &you(), TERM, base() + jump).unwrap().unwrap();
        let result = ledger.hold(&lease, TERM, base() + jump);
        assert!(matches!(result, Err(LedgerError::Fenced { .. })), "{jump}");
    }
}

#[test]
fn an_approval_lasts_as_long_as_it_was_meant_to_whichever_way_the_clock_goes() {
    let (_folder, _, mut ledger) = new_ledger();
    let hold = Hold { digest: "0123456789abcdef".into(), removals: vec![], reasons: vec![], braked: false };
    ledger.approve("contoso", &hold, "ann", base() + TimeDelta::hours(24), base()).unwrap();
    let is_there = |hours: i64| !ledger.approvals("contoso", base() + TimeDelta::hours(hours)).unwrap().is_empty();
    assert!(is_there(0) && is_there(23) && is_there(-1), "a clock that is corrected by an hour takes nothing away");
    assert!(!is_there(24) && !is_there(-24) && !is_there(-8_760));
}

/// Each is unassigned at this moment, one request after the other.
fn remove(ledger: &mut Ledger, lease: &Lease, run: u128, people: std::ops::Range<usize>, at: Timestamp) {
    let run = RunId::from_u128(run);
    let addresses: Vec<Address> = people.map(|p| Address::parse(&format!("p{p}@contoso.com")).unwrap()).collect();
    ledger.begin_run(lease, run, Trigger::Start, at).unwrap();
    let removal = |address: &Address| Removal {
        address: address.clone(),
        reason: Reason::Left,
        detail: "left".into(),
        then: None,
    };
    let plan = Plan { unassign: addresses.iter().map(removal).collect(), ..Plan::default() };
    let seen = ledger.candidates("contoso", &[], Look::Touched, at).unwrap().seen;
    ledger.record_plan(lease, run, &std::sync::Arc::new(plan), "", seen, at).unwrap();
    let intent = NewIntent { operation: Operation::Unassign, addresses: addresses.clone(), again: false };
    let intent = ledger.commit(lease, run, &Commit { intent: Some(intent), ..Commit::default() }, at).unwrap().unwrap();
    let outcomes = addresses.into_iter().map(|address| (address, Outcome::Unassigned)).collect();
    let settled = Commit { settled: Some((intent, outcomes)), ..Commit::default() };
    ledger.commit(lease, run, &settled, at).unwrap();
    ledger.finish_run(lease, run, RunOutcome::Converged, &Report::default(), None, at).unwrap();
}

#[test]
fn the_removals_of_a_day_are_those_of_a_day_whichever_way_the_clock_goes() {
    for jump in JUMPS {
        let (_folder, _, mut ledger) = new_ledger();
        let lease = adopt(&mut ledger, 20);
        let removed = |ledger: &Ledger, at: Timestamp| ledger.counts("contoso", at).unwrap().removed_last_day;
        remove(&mut ledger, &lease, 1, 0..3, base());
        assert_eq!(removed(&ledger, base()), 3);
        // The clock is ahead for a while, then it is set right.
        remove(&mut ledger, &lease, 2, 3..5, base() + jump);
        let hour = base() + TimeDelta::hours(1);
        assert!(removed(&ledger, hour) >= 5, "{jump}: what was done just now counts: {}", removed(&ledger, hour));
        remove(&mut ledger, &lease, 3, 5..6, hour);
        assert!(removed(&ledger, hour) >= 6, "{jump}");
        let next_day = hour + TimeDelta::hours(25);
        assert_eq!(removed(&ledger, next_day), 0, "{jump}: none of them for ever");
    }
}

#[test]
fn the_first_run_of_a_clock_that_was_ahead_does_not_stand_for_every_day() {
    let (_folder, _, mut ledger) = new_ledger();
    let lease = adopt(&mut ledger, 20);
    remove(&mut ledger, &lease, 1, 0..1, base() + TimeDelta::days(365));
    for (run, people) in [(2, 1..5), (3, 5..9), (4, 9..13)] {
        remove(&mut ledger, &lease, run, people, base() + TimeDelta::hours(i64::try_from(run).unwrap()));
    }
    let counts = ledger.counts("contoso", base() + TimeDelta::hours(60)).unwrap();
    assert_eq!((counts.holding, counts.holding_day_ago), (7, 7));
}

#[test]
fn seats_that_were_held_in_the_future_are_forgotten_when_the_clock_is_set_right() {
    for jump in JUMPS {
        let (_folder, _, mut ledger) = new_ledger();
        let lease = adopt(&mut ledger, 20);
        remove(&mut ledger, &lease, 1, 0..1, base() + jump);
        remove(&mut ledger, &lease, 2, 1..18, base());
        let counts = ledger.counts("contoso", base() + jump + TimeDelta::hours(25)).unwrap();
        assert_eq!((counts.holding, counts.holding_day_ago), (2, 2), "{jump}");
    }
}

#[test]
fn a_refusal_by_a_clock_that_was_ahead_is_no_newer_than_what_is_told_now() {
    for jump in JUMPS {
        let (_folder, _, mut ledger) = new_ledger();
        let lease = adopt(&mut ledger, 5);
        let full = Commit { full: true, ..Commit::default() };
        ledger.commit(&lease, RunId::from_u128(1), &full, base() + jump).unwrap();
        let stats = Some(Stats { available: 5, assigned: 5 });
        ledger.commit(&lease, RunId::from_u128(1), &Commit { stats, ..Commit::default() }, base()).unwrap();
        let told = ledger.subscription("contoso").unwrap().told_full_at();
        assert_eq!(told, Some(base()), "{jump}: it is asked again when the time for it has passed, and not before");
    }
}
