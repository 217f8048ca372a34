//! Requests, and what is left after them.

use super::*;
use crate::member::Claim;

pub(in crate::ledger) fn a_seat_is_given_and_told(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.begin_run(&lease, RUN, Trigger::Roster, at(1)).unwrap();
    record(ledger, &lease, Plan { assign: vec![assignment("ann")], ..Plan::default() }, 1);
    let intent = begin(ledger, &lease, Operation::Assign, &["ann"], 2);
    let commit = Commit {
        stats: Some(Stats { available: 10, assigned: 1 }),
        habits: Some(Habits { batch_size: Some(50), puts_apply_rest: true, ..Habits::default() }),
        ..settled(intent, &[("ann", Outcome::Assigned)])
    };
    ledger.commit(&lease, RUN, &commit, at(3)).unwrap();
    let report = Report { requests: 1, assigned: 1, ..Report::default() };
    ledger.finish_run(&lease, RUN, RunOutcome::Converged, &report, None, at(4)).unwrap();

    let ann = member(ledger, "ann").unwrap();
    assert_eq!((ann.state, ann.since, ann.has_seat, ann.priority), (MemberState::Assigned, at(3), true, 5));
    assert_eq!((&*ann.reason, ann.waiting_since), ("hr: ann's line", None));
    let known = ledger.subscription("contoso").unwrap();
    assert_eq!(known.seats, Some(Seats { available: 10, assigned: 1, as_of: at(3) }));
    assert_eq!(known.habits.batch_size, Some(50));
    assert!(ledger.forget_habits(&lease).unwrap());
    assert_eq!(ledger.subscription("contoso").unwrap().habits, Habits::default());
    assert!(!ledger.forget_habits(&lease).unwrap());
    let run = known.last_run.unwrap();
    assert_eq!((run.id, run.trigger, run.outcome), (RUN, Trigger::Roster, Some(RunOutcome::Converged)));
    assert_eq!((run.started_at, run.finished_at, run.requests, run.assigned), (at(1), Some(at(4)), 1, 1));
    assert_eq!(ledger.run(RUN).unwrap().unwrap(), ("contoso".to_owned(), run));
    assert_eq!(ledger.member_counts("contoso").unwrap(), [(MemberState::Assigned, 1)]);
    assert_eq!(told(ledger), ["Assigned ann: hr: ann's line", "SeatsChanged: 10 seats"]);
}

pub(in crate::ledger) fn an_intent_makes_its_addresses_unknown_until_its_answer(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann"], 0);
    record(ledger, &lease, Plan { assign: vec![assignment("bob")], ..Plan::default() }, 1);
    let one = begin(ledger, &lease, Operation::Unassign, &["ann"], 2);
    let two = begin(ledger, &lease, Operation::Assign, &["bob"], 2);
    let ann = member(ledger, "ann").unwrap();
    let bob = member(ledger, "bob").unwrap();
    assert_eq!(
        (ann.state, ann.has_seat, bob.state, bob.has_seat),
        (MemberState::Unknown, true, MemberState::Unknown, false)
    );
    assert_eq!(bob.waiting_since, Some(at(-9)));
    let intents = ledger.open_intents("contoso").unwrap();
    assert_eq!(intents.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [one, two]);
    assert_eq!(
        intents[0].1,
        NewIntent { operation: Operation::Unassign, addresses: addresses(&["ann"]), again: false }
    );

    let outcome = Outcome::NotDone { cause: words() };
    ledger.commit(&lease, RUN, &settled(one, &[("ann", outcome.clone())]), at(3)).unwrap();
    ledger.commit(&lease, RUN, &settled(two, &[("bob", outcome)]), at(3)).unwrap();
    let ann = member(ledger, "ann").unwrap();
    assert_eq!((ann.state, ann.since, ann.has_seat), (MemberState::Assigned, at(0), true));
    let bob = member(ledger, "bob").unwrap();
    let told = (bob.state, bob.waiting_since, bob.reason.strip_prefix(NOT_ASKED));
    assert_eq!(told, (MemberState::Pending, Some(at(-9)), Some(&*words())));
    assert_eq!(ledger.open_intents("contoso").unwrap(), []);
}

pub(in crate::ledger) fn who_was_not_asked_for_waits_and_says_why(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let record_left = |ledger: &mut Ledger, fits: u64, minutes: i64| {
        let all = ["ann", "bob", "cid"];
        let plan = Plan { assign: all.map(assignment).to_vec(), fits: Some(fits), ..Plan::default() };
        record(ledger, &lease, plan, minutes);
        let left = addresses(&all).into_iter().map(|address| (address, Outcome::NotDone { cause: words() })).collect();
        ledger.commit(&lease, RUN, &Commit { left, ..Commit::default() }, at(minutes)).unwrap();
        all.map(|name| {
            let Member { state, waiting_since, reason, .. } = member(ledger, name).unwrap();
            assert_eq!((state, waiting_since), (MemberState::Pending, Some(at(-9))), "{name}");
            reason.starts_with(NOT_ASKED)
        })
    };
    assert_eq!(record_left(ledger, 1, 1), [true; 3], "nobody was told that no seat is free");
    let left = vec![(address("bob"), Outcome::NoSeat), (address("cid"), Outcome::NoSeat)];
    ledger.commit(&lease, RUN, &Commit { left, ..Commit::default() }, at(2)).unwrap();
    assert_eq!(told(ledger), ["Pending bob: no seat is free", "Pending cid: no seat is free"], "which is news");
    assert_eq!(record_left(ledger, 2, 3), [true, true, false], "there is none for cid still");
}

pub(in crate::ledger) fn whoever_waited_is_known_by_the_spelling_that_was_sent(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann"], 0);
    let full = begin(ledger, &lease, Operation::Assign, &["bob"], 1);
    ledger.commit(&lease, RUN, &settled(full, &[("bob", Outcome::NoSeat)]), at(1)).unwrap();
    let intent = begin(ledger, &lease, Operation::Assign, &["BOB"], 2);
    ledger.commit(&lease, RUN, &settled(intent, &[("BOB", Outcome::Assigned)]), at(3)).unwrap();
    // Who has a seat has it under the spelling of then, however they are asked about.
    let again = begin(ledger, &lease, Operation::Assign, &["ANN"], 3);
    ledger.commit(&lease, RUN, &settled(again, &[("ANN", Outcome::Assigned)]), at(3)).unwrap();
    begin(ledger, &lease, Operation::Unassign, &["ANN"], 4);
    let spelling = |name| member(ledger, name).unwrap().address.spelling().to_owned();
    assert_eq!((spelling("ann"), spelling("bob")), (address("ann").to_string(), address("BOB").to_string()));
}

pub(in crate::ledger) fn every_outcome_has_its_state(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let all = ["ann", "bob", "cid", "dan"];
    let plan = Plan { assign: all.map(assignment).to_vec(), ..Plan::default() };
    record(ledger, &lease, plan, 0);
    let intent = begin(ledger, &lease, Operation::Assign, &all, 1);
    let outcomes = [
        ("ann", Outcome::Assigned),
        ("bob", Outcome::AssignedAlready { words: words() }),
        ("cid", Outcome::Refused { words: words() }),
        ("dan", Outcome::NoSeat),
    ];
    let left = vec![(address("eva"), Outcome::NoSeat)];
    ledger.commit(&lease, RUN, &Commit { left, ..settled(intent, &outcomes) }, at(2)).unwrap();
    let intent = begin(ledger, &lease, Operation::Unassign, &["ann", "bob"], 3);
    let outcomes =
        [("ann", Outcome::UnassignedAlready { words: words() }), ("bob", Outcome::Refused { words: "not him".into() })];
    ledger.commit(&lease, RUN, &settled(intent, &outcomes), at(4)).unwrap();

    assert_eq!(member(ledger, "ann"), None);
    let bob = member(ledger, "bob").unwrap();
    assert_eq!((bob.state, bob.has_seat, bob.refused, &*bob.reason), (MemberState::Quarantined, true, true, "not him"));
    let cid = member(ledger, "cid").unwrap();
    assert_eq!(
        (cid.state, cid.has_seat, cid.refused, &*cid.reason),
        (MemberState::Quarantined, false, true, "so it is")
    );
    let dan = member(ledger, "dan").unwrap();
    assert_eq!((dan.state, dan.priority, dan.waiting_since), (MemberState::Pending, 5, Some(at(-9))));
    let eva = member(ledger, "eva").unwrap();
    assert_eq!((eva.state, eva.priority, eva.waiting_since), (MemberState::Pending, 100, Some(at(2))));
    assert_eq!(
        told(ledger),
        [
            "Assigned ann: hr: ann's line",
            "Assigned bob: hr: bob's line; it was assigned already: so it is",
            "Quarantined cid: so it is",
            "Pending dan: no seat is free",
            "Pending eva: no seat is free",
            "Unassigned ann: as a person asked; it was not assigned: so it is",
            "Quarantined bob: not him",
        ]
    );

    // Asked again in vain, a pending one keeps its place and tells nothing new.
    let intent = begin(ledger, &lease, Operation::Assign, &["dan"], 5);
    let left = vec![(address("eva"), Outcome::NoSeat)];
    ledger.commit(&lease, RUN, &Commit { left, ..settled(intent, &[("dan", Outcome::NoSeat)]) }, at(6)).unwrap();
    assert_eq!(member(ledger, "dan").unwrap(), dan);
    assert_eq!(member(ledger, "eva").unwrap(), eva);
    assert_eq!(told(ledger).len(), 7);
}

pub(in crate::ledger) fn an_unknown_outcome_keeps_its_intent_open(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let intent = begin(ledger, &lease, Operation::Assign, &["ann", "bob", "cid"], 1);
    let lost = Outcome::Unknown { cause: "timed out".into() };
    let outcomes = [("ann", lost.clone()), ("bob", Outcome::Assigned), ("cid", lost.clone())];
    ledger.commit(&lease, RUN, &settled(intent, &outcomes), at(2)).unwrap();
    let open = ledger.open_intents("contoso").unwrap();
    assert_eq!(
        open,
        [(intent, NewIntent { operation: Operation::Assign, addresses: addresses(&["ann", "cid"]), again: false })]
    );
    assert_eq!(member(ledger, "ann").unwrap().reason, "no answer to the request to assign it: timed out");
    // Lost again for the same cause: nothing new to tell. Then answered.
    ledger.commit(&lease, RUN, &settled(intent, &[("ann", lost.clone()), ("cid", lost)]), at(3)).unwrap();
    let outcomes = [("ann", Outcome::Assigned), ("cid", Outcome::NoSeat)];
    ledger.commit(&lease, RUN, &settled(intent, &outcomes), at(4)).unwrap();
    assert_eq!(ledger.open_intents("contoso").unwrap(), []);
    assert_eq!([state(ledger, "ann"), state(ledger, "cid")], [Some(MemberState::Assigned), Some(MemberState::Pending)]);
    assert_eq!(told(ledger).iter().filter(|line| line.starts_with("Unknown")).count(), 2);
}

pub(in crate::ledger) fn an_assignment_sent_again_keeps_its_past(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann"], 0);
    let before = member(ledger, "ann");
    assign(ledger, &lease, &["ann"], 5);
    assert_eq!(member(ledger, "ann"), before);
    assert_eq!(told(ledger).len(), 1);
}

pub(in crate::ledger) fn an_illegal_step_changes_nothing(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let intent = begin(ledger, &lease, Operation::Assign, &["ann", "bob"], 1);
    let wrong = [
        settled(intent, &[("ann", Outcome::Assigned)]),
        settled(intent, &[("ann", Outcome::Assigned), ("ann", Outcome::Assigned)]),
        settled(intent, &[("ann", Outcome::Assigned), ("cid", Outcome::Assigned)]),
        settled(intent, &[("ann", Outcome::Assigned), ("bob", Outcome::Unassigned)]),
        settled(IntentId(intent.0 + 1), &[("ann", Outcome::Assigned), ("bob", Outcome::Assigned)]),
        Commit {
            left: vec![(address("cid"), Outcome::NoSeat), (address("dan"), Outcome::Assigned)],
            ..Commit::default()
        },
        Commit {
            left: vec![(address("cid"), Outcome::NoSeat), (address("ann"), Outcome::NoSeat)],
            ..Commit::default()
        },
    ];
    for commit in wrong {
        let result = ledger.commit(&lease, RUN, &commit, at(2));
        assert!(matches!(result, Err(LedgerError::Illegal(_))), "{commit:?}: {result:?}");
    }
    assert_eq!([state(ledger, "ann"), state(ledger, "bob")], [Some(MemberState::Unknown); 2]);
    assert_eq!(state(ledger, "cid"), None);
    assert_eq!(told(ledger), Vec::<String>::new());
    let settle = settled(intent, &[("ann", Outcome::Assigned), ("bob", Outcome::Assigned)]);
    ledger.commit(&lease, RUN, &settle, at(3)).unwrap();
    assert!(matches!(ledger.commit(&lease, RUN, &settle, at(3)), Err(LedgerError::Illegal(_))));
}

pub(in crate::ledger) fn no_address_is_in_two_open_intents(ledger: &mut Ledger) {
    let lease = lease(ledger);
    begin(ledger, &lease, Operation::Assign, &["ann"], 1);
    for names in [["bob", "ann"], ["cid", "cid"]] {
        let intent = Some(NewIntent { operation: Operation::Assign, addresses: addresses(&names), again: false });
        let result = ledger.commit(&lease, RUN, &Commit { intent, ..Commit::default() }, at(2));
        assert!(matches!(result, Err(LedgerError::Illegal(_))), "{result:?}");
    }
    assert_eq!(ledger.open_intents("contoso").unwrap().len(), 1);
}

pub(in crate::ledger) fn nobody_is_unassigned_without_a_known_seat(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let left = vec![(address("ann"), Outcome::NoSeat)];
    ledger.commit(&lease, RUN, &Commit { left, ..Commit::default() }, at(0)).unwrap();
    for name in ["ann", "nobody"] {
        let intent = Some(NewIntent { operation: Operation::Unassign, addresses: addresses(&[name]), again: false });
        let result = ledger.commit(&lease, RUN, &Commit { intent, ..Commit::default() }, at(2));
        assert!(matches!(result, Err(LedgerError::Illegal(_))), "{result:?}");
    }
    let plan = Plan { leaving: vec![leaving("ann")], ..Plan::default() };
    let seen = look(ledger, 1).seen;
    let result = ledger.record_plan(&lease, RUN, &with_departures(plan), "policy", seen, at(2));
    assert!(matches!(result, Err(LedgerError::Illegal(_))), "{result:?}");
}

pub(in crate::ledger) fn a_removal_counts_unless_renamed_approved_or_asked_for(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann", "bob", "cid", "dan", "eve"], 0);
    finish(ledger, &lease, None, 0);
    ledger.approve("contoso", &hold(&["bob"]), "eva", at(90), at(1)).unwrap();
    let rename = Rename { from: address("cid"), to: address("kid"), priority: 1, then: None };
    // The person has a seat under the new address already.
    let moved = Removal { reason: Reason::Renamed, detail: "renamed to dan".into(), ..removal("eve") };
    let unassigned = vec![removal("ann"), removal("bob"), moved];
    let assigned = vec![assignment("fay"), assignment("gil")];
    record(ledger, &lease, Plan { unassign: unassigned, rename: vec![rename], assign: assigned, ..Plan::default() }, 2);
    unassign(ledger, &lease, &["ann", "bob", "cid", "eve"], 3);
    assign(ledger, &lease, &["kid"], 3);
    finish(ledger, &lease, None, 4);
    // Without a plan: a person's doing.
    unassign(ledger, &lease, &["dan"], 5);
    let counts = ledger.counts("contoso", at(6)).unwrap();
    assert_eq!((counts.holding, counts.removed_last_day), (1, 1));
    assert_eq!(ledger.counts("contoso", at(3 + 24 * 60)).unwrap().removed_last_day, 0);
    assert_eq!(
        told(ledger)[5..],
        [
            "Approved: 1 removal (digest of bob) by eva",
            "Unassigned ann: no longer in hr",
            "Unassigned bob: no longer in hr; approved by eva",
            "Unassigned cid: renamed to kid@contoso.com",
            "Renamed cid: to kid@contoso.com",
            "Unassigned eve: renamed to dan",
            "Assigned kid: renamed from cid@contoso.com",
            "Unassigned dan: as a person asked",
        ]
    );
}

pub(in crate::ledger) fn a_removal_that_failed_keeps_its_reason(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann"])), at(0)).unwrap();
    assign(ledger, &lease, &["ann"], 0);
    record(ledger, &lease, Plan::default(), 1);
    ledger.accept(&acceptance(vec![removed("ann")]), at(2)).unwrap();
    record(ledger, &lease, Plan { unassign: vec![removal("ann")], ..Plan::default() }, 3);
    let intent = begin(ledger, &lease, Operation::Unassign, &["ann"], 3);
    let outcome = Outcome::NotDone { cause: words() };
    ledger.commit(&lease, RUN, &settled(intent, &[("ann", outcome)]), at(4)).unwrap();
    finish(ledger, &lease, None, 5);
    assert_eq!(touched(ledger, 6), ["ann"]);
    record(ledger, &lease, Plan::default(), 7);
    assert_eq!(touched(ledger, 8), ["ann"], "it has a departure, so every plan looks at it");
    assert_eq!(member(ledger, "ann").unwrap().departure.unwrap().reason, Reason::Left);

    ledger.accept(&acceptance(added(&["ann"])), at(9)).unwrap();
    assert_eq!(member(ledger, "ann").unwrap().departure, None);
    record(ledger, &lease, Plan::default(), 9);
    assert_eq!(touched(ledger, 10), Vec::<String>::new());
}

pub(in crate::ledger) fn a_run_that_breaks_off_leaves_everybody_to_the_next_plan(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann", "bob"])), at(0)).unwrap();
    let plan = || Plan { assign: vec![assignment("ann"), assignment("bob")], ..Plan::default() };
    record(ledger, &lease, plan(), 1);
    assign(ledger, &lease, &["ann"], 1);
    assert_eq!(touched(ledger, 2), ["ann", "bob"], "as after a crash");
    finish(ledger, &lease, Some(Stop::Shutdown), 2);
    assert_eq!(touched(ledger, 3), ["ann", "bob"]);
    assert_eq!(ledger.subscription("contoso").unwrap().scope, None);

    // Not stopped, but one was not done.
    record(ledger, &lease, plan(), 3);
    let left = vec![(address("bob"), Outcome::NotDone { cause: words() })];
    ledger.commit(&lease, RUN, &Commit { left, ..Commit::default() }, at(3)).unwrap();
    finish(ledger, &lease, None, 3);
    assert_eq!(touched(ledger, 4), ["ann", "bob"]);

    record(ledger, &lease, plan(), 4);
    assign(ledger, &lease, &["bob"], 4);
    ledger.accept(&acceptance(added(&["cid"])), at(4)).unwrap();
    finish(ledger, &lease, None, 5);
    assert_eq!(touched(ledger, 6), ["cid"]);
    assert_eq!(ledger.subscription("contoso").unwrap().scope.as_deref(), Some("policy"));
}

pub(in crate::ledger) fn who_leaves_while_a_request_is_open_is_not_forgotten(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann"])), at(0)).unwrap();
    record(ledger, &lease, Plan { assign: vec![assignment("ann")], ..Plan::default() }, 1);
    let intent = begin(ledger, &lease, Operation::Assign, &["ann"], 1);
    let lost = Outcome::Unknown { cause: words() };
    ledger.commit(&lease, RUN, &settled(intent, &[("ann", lost.clone())]), at(2)).unwrap();
    finish(ledger, &lease, None, 2);
    ledger.accept(&acceptance(vec![removed("ann")]), at(3)).unwrap();

    // A run that is in the dark as well, then one that hears the answer.
    let mut later = |number: u128, outcome: Outcome, minutes: i64| {
        let run = uuid::Uuid::from_u128(number);
        let seen = look(ledger, minutes).seen;
        ledger.record_plan(&lease, run, &Arc::default(), "policy", seen, at(minutes)).unwrap();
        ledger.commit(&lease, run, &settled(intent, &[("ann", outcome)]), at(minutes)).unwrap();
        ledger.finish_run(&lease, run, RunOutcome::Incomplete, &Report::default(), None, at(minutes)).unwrap();
        look(ledger, minutes).list
    };
    assert_eq!(later(2, lost, 4)[0].departure.as_ref().unwrap().reason, Reason::Left);
    let known = later(3, Outcome::Assigned, 5);
    assert_eq!(known[0].member.as_ref().unwrap().state, MemberState::Assigned);
    assert_eq!(known[0].departure.as_ref().unwrap().reason, Reason::Left);
}

pub(in crate::ledger) fn who_leaves_before_the_answer_comes_is_left_to_the_next_plan(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann"])), at(0)).unwrap();
    record(ledger, &lease, Plan { assign: vec![assignment("ann")], ..Plan::default() }, 1);
    let intent = begin(ledger, &lease, Operation::Assign, &["ann"], 1);
    finish(ledger, &lease, Some(Stop::Shutdown), 2);
    ledger.accept(&acceptance(vec![removed("ann"), Change::Added(entry("bob"))]), at(3)).unwrap();

    // The next run hears the answer, and has bob to assign; its plan could decide nothing about ann.
    let run = uuid::Uuid::from_u128(2);
    let seen = look(ledger, 4).seen;
    let plan = with_departures(Plan { assign: vec![assignment("bob")], ..Plan::default() });
    ledger.record_plan(&lease, run, &plan, "policy", seen, at(4)).unwrap();
    ledger.commit(&lease, run, &settled(intent, &[("ann", Outcome::Assigned)]), at(4)).unwrap();
    ledger.finish_run(&lease, run, RunOutcome::Converged, &Report::default(), None, at(5)).unwrap();
    assert_eq!(touched(ledger, 6), ["ann"]);
    assert_eq!(look(ledger, 6).list[0].departure.as_ref().unwrap().reason, Reason::Left);
}

pub(in crate::ledger) fn who_gives_the_seat_back_and_is_still_named_is_not_forgotten(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann", "bob"], 0);
    let waiting = Then::Waiting(Waiting { address: address("ann"), starts: at(600), priority: 2 });
    let aside = Then::Quarantined(Quarantine { address: address("bob"), reason: "not one of our domains".into() });
    let gone = |name, then| Removal { then: Some(Box::new(then)), ..removal(name) };
    let plan = Plan { unassign: vec![gone("ann", waiting), gone("bob", aside)], ..Plan::default() };
    record(ledger, &lease, plan, 1);
    unassign(ledger, &lease, &["ann", "bob"], 2);
    let shown = |name| member(ledger, name).map(|it| (it.state, it.since, it.has_seat, it.priority, it.departure));
    assert_eq!(shown("ann"), Some((MemberState::Waiting, at(2), false, 2, None)));
    assert_eq!(shown("bob"), Some((MemberState::Quarantined, at(2), false, 100, None)));
    assert_eq!(
        told(ledger)[2..],
        [
            "Unassigned ann: no longer in hr",
            "Waiting ann: starts 2027-01-15T18:00:00Z",
            "Unassigned bob: no longer in hr",
            "Quarantined bob: not one of our domains",
        ]
    );
}

pub(in crate::ledger) fn who_waits_for_the_day_takes_over_the_seat_of_an_old_address(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann"])), at(0)).unwrap();
    assign(ledger, &lease, &["ann"], 0);
    let later = |name: &str| Waiting { address: address(name), starts: at(600), priority: 2 };
    record(ledger, &lease, Plan { waiting: vec![later("eve")], ..Plan::default() }, 1);
    let renamed = Change::Removed { entry: entry("ann"), reason: Reason::Renamed, renamed_to: Some(address("eve")) };
    ledger.accept(&acceptance(vec![renamed]), at(2)).unwrap();
    let then = Some(Box::new(Then::Waiting(later("ann"))));
    let rename = Rename { from: address("ann"), to: address("eve"), priority: 1, then };
    record(ledger, &lease, Plan { rename: vec![rename], ..Plan::default() }, 3);
    unassign(ledger, &lease, &["ann"], 4);
    let shown = |name| member(ledger, name).map(|it| (it.state, it.has_seat, it.claim.is_some()));
    assert_eq!(shown("eve"), Some((MemberState::Pending, false, true)));
    assert_eq!(shown("ann"), Some((MemberState::Waiting, false, false)), "named for later, and not forgotten");
}

pub(in crate::ledger) fn who_is_named_while_the_removal_is_on_its_way_comes_first(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann", "bob"])), at(0)).unwrap();
    assign(ledger, &lease, &["ann", "bob"], 0);
    record(ledger, &lease, Plan::default(), 0);
    ledger.accept(&acceptance(vec![removed("ann"), removed("bob")]), at(1)).unwrap();
    record(ledger, &lease, Plan { unassign: vec![removal("ann"), removal("bob")], ..Plan::default() }, 2);
    let intent = begin(ledger, &lease, Operation::Unassign, &["ann", "bob"], 2);
    // The first roster of another source, for which everybody is looked at.
    ledger.accept(&Acceptance { source: "ad".into(), ..acceptance(added(&["ann"])) }, at(3)).unwrap();
    let answer = settled(intent, &[("ann", Outcome::Unassigned), ("bob", Outcome::Unassigned)]);
    ledger.commit(&lease, RUN, &answer, at(4)).unwrap();
    let ann = member(ledger, "ann").unwrap();
    assert_eq!((ann.state, ann.has_seat, ann.claim), (MemberState::Pending, false, Some(Claim::Own)));
    assert_eq!(ann.reason, "named again while the seat was being given back");
    assert_eq!(member(ledger, "bob"), None);
}
