//! What holds removals, at the edges of each rule.

use super::*;

/// A world in which so many have a seat.
fn held_by(count: u64) -> PlanInput {
    PlanInput { counts: Counts { holding: count, removed_last_day: 0, holding_day_ago: count }, ..world() }
}

#[test]
fn a_roster_that_names_others_only_is_taken_for_another_clients() {
    for count in [3, 4, 5] {
        let mut candidates = leavers(count);
        candidates.push(wanted("stranger@fabrikam.com"));
        let plan = plan(&mut held_by(count as u64), candidates);
        assert_eq!((plan.unassign.len(), plan.assign.len()), (0, 1), "always_allow is not for everybody");
        let reason = &plan.hold.unwrap().reasons[..];
        let expected = format!(
            "all {count} members would lose the seat, and the roster names others only: another client's file looks just so."
        );
        assert_eq!(reason, [expected]);
    }
}

#[test]
fn a_roster_is_not_taken_for_another_clients_while_anything_speaks_for_it() {
    // Two people are too few to tell.
    assert_eq!(plan(&mut held_by(2), leavers(2)).unassign.len(), 2);
    // One of them stays.
    assert_eq!(plan(&mut held_by(4), leavers(3)).unassign.len(), 3);
    // Nobody else is named: it is empty, which is allowed or not where it is read.
    let mut empty = held_by(3);
    empty.sources[0].entries = 0;
    assert_eq!(plan(&mut empty, leavers(3)).unassign.len(), 3);
    // One of them was removed by name.
    let mut candidates = leavers(2);
    candidates.push(candidate("z@contoso.com").is(MemberState::Assigned).gone(Reason::Removed));
    assert_eq!(plan(&mut held_by(3), candidates).unassign.len(), 3);
    // The configuration stopped looking at one of them, and may do so.
    let mut input = held_by(3);
    input.policy.guard.hold_after_change = false;
    let mut candidates = leavers(2);
    candidates.push(candidate("z@contoso.com").is(MemberState::Assigned).gone(Reason::Scope));
    assert_eq!(plan(&mut input, candidates).unassign.len(), 3);
}

#[test]
fn rows_that_do_not_say_whose_they_are_hold_the_missing_of_that_source_and_of_none_that_is_known() {
    let mut input = world();
    input.sources = vec![SourceFacts { anonymous_bad_rows: 2, ..source("hr") }, source("ad")];
    let from = |raw: &str, name: &str| {
        let mut leaver = leaver(raw);
        leaver.departure.as_mut().unwrap().source = name.to_owned();
        leaver
    };
    let candidates = vec![from("a@contoso.com", "ad"), from("b@contoso.com", "hr"), from("c@contoso.com", "former")];
    let plan = plan(&mut input, candidates);
    assert_eq!(plan.unassign.iter().map(|r| r.address.spelling()).collect::<Vec<_>>(), ["a@contoso.com"]);
    let hold = plan.hold.unwrap();
    assert_eq!(
        hold.removals.iter().map(|r| r.address.spelling()).collect::<Vec<_>>(),
        ["b@contoso.com", "c@contoso.com"]
    );
    insta::assert_snapshot!(hold.reasons.join("\n"), @"2 people are missing, and 2 rows in hr can't be used and do not say whose they are: these people may be meant.");
}

#[test]
fn an_approval_is_bound_to_the_people_and_to_the_subscription() {
    let digest = |subscription: &str, who: &str| {
        let mut input = PlanInput { subscription: subscription.to_owned(), ..world() };
        let hold = plan(&mut input, vec![candidate(who).is(MemberState::Assigned)]).hold.unwrap();
        assert_eq!(hold.digest.len(), 16);
        hold.digest
    };
    let one = digest("contoso", "a@contoso.com");
    assert_eq!(one, digest("contoso", "A@contoso.com"), "by identity");
    assert_ne!(one, digest("contoso", "b@contoso.com"));
    assert_ne!(one, digest("fabrikam", "a@contoso.com"));
}
