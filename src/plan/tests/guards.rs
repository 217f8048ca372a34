//! What holds removals: each rule, and its edges.

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

#[test]
fn a_roster_cut_to_half_holds_its_removals_and_lets_joiners_in() {
    let mut input = world();
    input.counts = Counts { holding: 200, removed_last_day: 0, holding_day_ago: 200 };
    let mut candidates = leavers(100);
    candidates.push(wanted("zoe@contoso.com"));
    let plan = plan(&mut input, candidates.clone());
    assert_eq!((plan.unassign.len(), plan.leaving.len(), plan.assign.len()), (0, 100, 1));
    insta::assert_snapshot!(shown(&plan), @r#"
    contoso:
      1 seat to give
        + zoe@contoso.com  hr: staff.csv line 7
      100 removals wait for an approval
        ! p000@contoso.com  no longer in hr (staff.csv line 3)
        ! p001@contoso.com  no longer in hr (staff.csv line 3)
        ! p002@contoso.com  no longer in hr (staff.csv line 3)
        ! p003@contoso.com  no longer in hr (staff.csv line 3)
        ! p004@contoso.com  no longer in hr (staff.csv line 3)
          and 95 more
        100 members of 200 would lose the seat in one run, and no more than 40 may (max_removals = "20%"; always_allow = 5 in 24 hours).
    "#);

    let hold = plan.hold.unwrap();
    let members: Vec<String> = hold.removals.iter().map(|r| r.address.identity().to_owned()).collect();
    let expires_at = now() + TimeDelta::hours(1);
    input.approvals = vec![Approval { digest: hold.digest, members, expires_at, by: "ann".to_owned() }];
    let approved = Plan::compute(&input);
    assert_eq!((approved.unassign.len(), approved.leaving.len(), approved.hold), (100, 0, None));

    input.at = expires_at;
    assert_eq!(Plan::compute(&input).unassign.len(), 0, "an expired approval releases nothing");
    input.at = now();
    candidates.pop();
    candidates.push(leaver("zoe@contoso.com"));
    input.candidates = candidates;
    let more = Plan::compute(&input);
    assert_eq!((more.unassign.len(), more.hold.unwrap().removals.len()), (0, 101), "one more is another set");
}

#[test]
fn while_removals_are_stopped_everywhere_all_are_held_whatever_was_approved() {
    let mut input = world();
    input.candidates = vec![leaver("ann@contoso.com"), wanted("bob@contoso.com")];
    input.brake = Some(brake());
    let plan = Plan::compute(&input);
    assert_eq!((plan.unassign.len(), plan.assign.len()), (0, 1), "joiners go on");
    let hold = plan.hold.unwrap();
    assert!(hold.braked);
    assert_eq!(
        hold.reasons,
        [
            "Removals are stopped everywhere since 2026-11-23 07:00 UTC (`rosterd status` says why); `rosterd resume` lets them go on."
        ]
    );
    let members = vec!["ann@contoso.com".to_owned()];
    let expires_at = at("2026-11-24T08:00:00Z");
    input.approvals = vec![Approval { digest: hold.digest, members, expires_at, by: "ann".to_owned() }];
    assert_eq!(Plan::compute(&input).unassign.len(), 0, "an approval of one set is no word about the fleet");
    input.brake = None;
    assert_eq!(Plan::compute(&input).unassign.len(), 1, "nothing else holds it");
}

#[test]
fn what_a_subscription_holds_by_itself_is_said_beside_the_brake() {
    let mut input = world();
    input.candidates = (0..7).map(|n| leaver(&format!("p{n}@contoso.com"))).collect();
    let own = Plan::compute(&input).hold.unwrap();
    input.brake = Some(brake());
    let hold = Plan::compute(&input).hold.unwrap();
    assert_eq!((&hold.digest, hold.removals.len()), (&own.digest, 7));
    assert_eq!(hold.reasons, own.reasons, "the brake adds nothing where all are held already");
    input.sources[0].accepted_at = None;
    input.candidates.truncate(6);
    input.candidates.push(leaver("ended@contoso.com").gone(Reason::Ended));
    let hold = Plan::compute(&input).hold.unwrap();
    assert!(hold.removals.len() == 7 && hold.reasons.last().unwrap().contains("rosterd resume"), "{hold:?}");
}

#[test]
fn an_approval_still_holds_for_those_who_are_left_of_its_set() {
    let mut input = world();
    input.counts = Counts { holding: 20, removed_last_day: 90, holding_day_ago: 200 };
    let members = leavers(100).iter().map(|c| c.address.identity().to_owned()).collect();
    let expires_at = now() + TimeDelta::hours(1);
    input.approvals = vec![Approval { digest: String::new(), members, expires_at, by: "ann".to_owned() }];
    assert_eq!(plan(&mut input, leavers(10)).unassign.len(), 10);
}

#[test]
fn a_few_removals_go_until_they_are_many_in_a_day() {
    let mut input = world();
    input.counts = Counts { holding: 10, removed_last_day: 0, holding_day_ago: 10 };
    assert_eq!(plan(&mut input, leavers(5)).unassign.len(), 5, "always_allow");
    assert_eq!(plan(&mut input, leavers(6)).unassign.len(), 0);
    input.counts.removed_last_day = 1;
    assert_eq!(plan(&mut input, leavers(5)).unassign.len(), 0, "six in a day, and more than 20% now");
    input.counts.removed_last_day = 3;
    assert_eq!(plan(&mut input, leavers(2)).unassign.len(), 2, "five in a day");
    assert_eq!(plan(&mut input, leavers(3)).unassign.len(), 0, "six in a day");
}

#[test]
fn a_slow_leak_is_seen_over_the_day() {
    let mut input = world();
    input.counts = Counts { holding: 80, removed_last_day: 28, holding_day_ago: 100 };
    assert_eq!(plan(&mut input, leavers(2)).unassign.len(), 2);
    let held = plan(&mut input, leavers(3));
    insta::assert_snapshot!(held.hold.unwrap().reasons.join("\n"), @r#"3 removals would make 31 in 24 hours, of 100 members at their start, and no more than 30 may be (max_removals_per_day = "30%"; always_allow = 5)."#);
}

#[test]
fn what_is_held_for_another_reason_does_not_count_towards_a_limit() {
    let mut input = world();
    input.counts = Counts { holding: 30, removed_last_day: 0, holding_day_ago: 30 };
    let mut candidates: Vec<Candidate> = (0..20)
        .map(|n| candidate(&format!("a{n:02}@contoso.com")).is(MemberState::Assigned).gone(Reason::Scope))
        .collect();
    candidates.extend(leavers(2));
    let plan = plan(&mut input, candidates);
    assert_eq!(plan.unassign.len(), 2);
    assert_eq!(plan.hold.as_ref().unwrap().removals.len(), 20);
    insta::assert_snapshot!(plan.hold.unwrap().reasons.join("\n"), @"20 removals come from a change of the configuration, not from anybody's leaving; such removals wait for a person, however few (hold_after_change).");
}

#[test]
fn one_removal_after_a_change_of_the_configuration_waits_for_a_person() {
    for (input, candidate) in [
        {
            let mut input = world();
            input.policy.exclude = globs(&["anna@*"]);
            (input, wanted("anna@contoso.com").is(MemberState::Assigned))
        },
        {
            let mut input = world();
            input.policy.domains = vec!["fabrikam.com".to_owned()];
            (input, wanted("anna@contoso.com").is(MemberState::Assigned))
        },
        (world(), candidate("anna@contoso.com").is(MemberState::Assigned)),
        (world(), candidate("anna@contoso.com").is(MemberState::Assigned).gone(Reason::Scope)),
    ] {
        let mut input = input;
        let held = plan(&mut input, vec![candidate.clone()]);
        assert_eq!((held.unassign.len(), held.leaving.len()), (0, 1), "{held:#?}");
        assert_eq!(held.departures.len(), 1);
        input.policy.guard.hold_after_change = false;
        assert_eq!(plan(&mut input, vec![candidate]).unassign.len(), 1);
    }
}

#[test]
fn rows_that_do_not_say_whose_they_are_hold_the_missing() {
    let mut input = world();
    input.sources[0].anonymous_bad_rows = 1;
    let candidates =
        vec![leaver("anna@contoso.com"), candidate("ben@contoso.com").is(MemberState::Assigned).gone(Reason::Removed)];
    let plan = plan(&mut input, candidates);
    insta::assert_snapshot!(shown(&plan), @"
    contoso:
      1 seat to take back
        - ben@contoso.com  removed from hr (staff.csv line 3)
      1 removal waits for an approval
        ! anna@contoso.com  no longer in hr (staff.csv line 3)
        1 person is missing, and 1 row in hr can't be used and does not say whose it is: these people may be meant.
    ");
}

#[test]
fn while_a_source_was_never_read_nobody_is_missing() {
    let mut input = world();
    input.sources.push(SourceFacts { accepted_at: None, ..source("ad") });
    let plan = plan(&mut input, vec![leaver("anna@contoso.com"), wanted("ben@contoso.com")]);
    insta::assert_snapshot!(shown(&plan), @"
    contoso:
      1 seat to give
        + ben@contoso.com  hr: staff.csv line 7
      1 removal waits for an approval
        ! anna@contoso.com  no longer in hr (staff.csv line 3)
        1 removal rests on nobody's naming a person, and ad has not been read whole yet: it may be there that they are named.
    ");
}
