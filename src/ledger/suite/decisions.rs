//! What plans and people decide.

use super::*;

pub(in crate::ledger) fn the_plan_is_written_as_states_with_reasons(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann", "bob", "cid"], 0);
    let left = vec![(address("dan"), Outcome::NoSeat)];
    ledger.commit(&lease, RUN, &Commit { left, ..Commit::default() }, at(0)).unwrap();
    let until = |name: &str, until| Leaving { until, ..leaving(name) };
    let plan = || Plan {
        leaving: vec![
            until("ann", LeavingUntil::Grace(at(90))),
            until("bob", LeavingUntil::Protected("b*".into())),
            until("cid", LeavingUntil::Approval),
        ],
        waiting: vec![Waiting { address: address("eva"), starts: at(600), priority: 2 }],
        quarantined: vec![Quarantine { address: address("fay"), reason: "her domain is not one of ours".into() }],
        settle: vec![Settlement::Dropped { address: address("dan"), reason: Reason::Left }],
        ..Plan::default()
    };
    record(ledger, &lease, plan(), 1);
    let plan_again = Plan { settle: Vec::new(), ..plan() };
    record(ledger, &lease, plan_again, 2);
    let settle = vec![Settlement::Returned { address: address("ann") }];
    record(ledger, &lease, Plan { settle, ..Plan::default() }, 3);
    insta::assert_snapshot!(told(ledger)[4..].join("\n"), @"
    Dropped dan: no longer wants a seat (left), and never had one
    Leaving ann: no longer in hr; keeps the seat until 2027-01-15T09:30:00Z
    Leaving bob: no longer in hr; protected by `b*`
    Leaving cid: no longer in hr; the removal waits for an approval
    Waiting eva: starts 2027-01-15T18:00:00Z
    Quarantined fay: her domain is not one of ours
    Returned ann: named again before the seat was taken
    ");
    let shown = |name: &str| member(ledger, name).map(|member| (member.state, member.since, member.has_seat));
    assert_eq!(shown("ann"), Some((MemberState::Assigned, at(3), true)));
    assert_eq!(shown("bob"), Some((MemberState::Leaving, at(1), true)));
    assert_eq!(shown("dan"), None);
    assert_eq!(shown("eva"), Some((MemberState::Waiting, at(1), false)));
    assert_eq!(shown("fay"), Some((MemberState::Quarantined, at(1), false)));
    assert!(!member(ledger, "fay").unwrap().refused);
    assert_eq!(touched(ledger, 4), ["bob", "cid", "eva", "fay"]);
}

pub(in crate::ledger) fn a_leaver_without_a_departure_is_no_plan(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann", "bob"], 0);
    let before = told(ledger);
    let seen = look(ledger, 1).seen;
    let plan = Plan { leaving: vec![leaving("ann")], ..Plan::default() };
    let result = ledger.record_plan(&lease, RUN, &Arc::new(plan), "policy", seen, at(1));
    assert!(matches!(result, Err(LedgerError::Illegal(_))), "{result:?}");
    assert_eq!(state(ledger, "ann"), Some(MemberState::Assigned));
    assert_eq!(told(ledger), before);
}

pub(in crate::ledger) fn a_hold_is_told_once_and_keeps_its_time(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann", "bob"], 0);
    let plan = |hold: Option<Hold>| Plan { leaving: vec![leaving("ann"), leaving("bob")], hold, ..Plan::default() };
    record(ledger, &lease, plan(Some(hold(&["ann"]))), 1);
    record(ledger, &lease, plan(Some(hold(&["ann"]))), 2);
    let known = ledger.subscription("contoso").unwrap().hold.unwrap();
    assert_eq!((known.since, known.hold), (at(1), hold(&["ann"])));
    let more = Hold { reasons: vec!["Too many.".into(), "Too many in a day.".into()], ..hold(&["ann"]) };
    record(ledger, &lease, plan(Some(more.clone())), 2);
    let known = ledger.subscription("contoso").unwrap().hold.unwrap();
    assert_eq!((known.since, known.hold), (at(1), more), "the same people for one reason more");
    record(ledger, &lease, plan(Some(hold(&["ann", "bob"]))), 3);
    assert_eq!(ledger.subscription("contoso").unwrap().hold.unwrap().since, at(3));
    record(ledger, &lease, plan(None), 4);
    assert_eq!(ledger.subscription("contoso").unwrap().hold, None);
    assert_eq!(told(ledger).iter().filter(|line| line.starts_with("Held")).count(), 2);
}

pub(in crate::ledger) fn a_rejected_removal_keeps_its_member_until_named_again(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann", "bob"])), at(0)).unwrap();
    assign(ledger, &lease, &["ann", "bob"], 0);
    record(ledger, &lease, Plan::default(), 0);
    ledger.accept(&acceptance(vec![removed("ann"), removed("bob")]), at(1)).unwrap();
    let plan =
        Plan { leaving: vec![leaving("ann"), leaving("bob")], hold: Some(hold(&["ann", "bob"])), ..Plan::default() };
    record(ledger, &lease, plan, 2);
    ledger.reject(&lease, &hold(&["ann", "bob"]), "eva", at(3)).unwrap();
    assert_eq!(ledger.subscription("contoso").unwrap().hold, None);
    let ann = member(ledger, "ann").unwrap();
    assert_eq!((ann.state, ann.kept, ann.departure), (MemberState::Assigned, true, None));
    assert_eq!(ann.reason, "kept: the removal was rejected by eva");
    assert_eq!(touched(ledger, 4), Vec::<String>::new());

    ledger.accept(&acceptance(added(&["bob"])), at(5)).unwrap();
    assert_eq!(touched(ledger, 6), ["bob"]);
    assert!(!member(ledger, "bob").unwrap().kept);
    assert!(member(ledger, "ann").unwrap().kept);
}

pub(in crate::ledger) fn a_rejection_leaves_alone_who_is_gone_or_asked_about(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann", "bob", "cid"], 0);
    unassign(ledger, &lease, &["bob"], 1);
    let left = vec![(address("bob"), Outcome::NoSeat)];
    ledger.commit(&lease, RUN, &Commit { left, ..Commit::default() }, at(1)).unwrap();
    begin(ledger, &lease, Operation::Unassign, &["cid"], 1);
    ledger.reject(&lease, &hold(&["ann", "bob", "cid", "dan"]), "eva", at(2)).unwrap();
    let shown = |name| member(ledger, name).map(|member| (member.state, member.kept));
    assert_eq!(shown("ann"), Some((MemberState::Assigned, true)));
    assert_eq!(shown("bob"), Some((MemberState::Pending, false)));
    assert_eq!(shown("cid"), Some((MemberState::Unknown, false)));
    assert_eq!(shown("dan"), None);
}

pub(in crate::ledger) fn a_subscription_stands_for_one_at_the_server(ledger: &mut Ledger) {
    let lease = lease(ledger);
    for _ in 0..2 {
        ledger.stand_for(&lease, "1234").unwrap();
    }
    assert_eq!(ledger.subscription("contoso").unwrap().remote.as_deref(), Some("1234"));
    assert!(matches!(ledger.stand_for(&lease, "5678"), Err(LedgerError::Another { .. })));
}

pub(in crate::ledger) fn an_approval_ends_by_itself(ledger: &mut Ledger) {
    ledger.approve("contoso", &hold(&["bob", "ann"]), "eva", at(60), at(0)).unwrap();
    let approvals = ledger.approvals("contoso", at(59)).unwrap();
    let members = vec![address("bob").identity().to_owned(), address("ann").identity().to_owned()];
    let approval = Approval { digest: "digest of bob ann".into(), members, expires_at: at(60), by: "eva".into() };
    assert_eq!(approvals, [approval]);
    assert_eq!(ledger.approvals("contoso", at(60)).unwrap(), []);
    assert_eq!(ledger.approvals("fabrikam", at(0)).unwrap(), []);
}

pub(in crate::ledger) fn an_approval_is_spent_by_its_run_and_lapses_for_whoever_returns(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann", "bob", "cid"])), at(0)).unwrap();
    assign(ledger, &lease, &["ann", "bob", "cid"], 0);
    let approved = |ledger: &Ledger| -> Vec<Vec<String>> {
        ledger.approvals("contoso", at(9)).unwrap().into_iter().map(|approval| approval.members).collect()
    };
    let identity = |name: &str| address(name).identity().to_owned();
    ledger.accept(&acceptance(vec![removed("ann"), removed("bob"), removed("cid")]), at(1)).unwrap();
    ledger.approve("contoso", &hold(&["ann", "bob", "cid"]), "eva", at(90), at(2)).unwrap();
    ledger.accept(&acceptance(added(&["ann"])), at(3)).unwrap();
    assert_eq!(approved(ledger), [[identity("bob"), identity("cid")]], "ann was named again");

    // Back by another way than a roster's change: what had excluded her was taken back.
    ledger.approve("contoso", &hold(&["ann"]), "eva", at(90), at(3)).unwrap();
    record(ledger, &lease, Plan { leaving: vec![leaving("ann")], ..Plan::default() }, 3);
    assert_eq!(approved(ledger).len(), 2);
    let returned = Settlement::Returned { address: address("ann") };
    record(ledger, &lease, Plan { settle: vec![returned], ..Plan::default() }, 3);
    assert_eq!(approved(ledger).len(), 1);

    record(ledger, &lease, Plan { unassign: vec![removal("bob")], ..Plan::default() }, 4);
    unassign(ledger, &lease, &["bob"], 4);
    finish(ledger, &lease, Some(Stop::Unreachable { cause: words() }), 5);
    assert_eq!(approved(ledger).len(), 1, "a run that broke off goes on with it");
    record(ledger, &lease, Plan { unassign: vec![removal("cid")], ..Plan::default() }, 6);
    unassign(ledger, &lease, &["cid"], 6);
    finish(ledger, &lease, None, 7);
    assert_eq!(approved(ledger), Vec::<Vec<String>>::new());
}

pub(in crate::ledger) fn full_and_free_seats_are_noted(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let full = |assigned: u64| Commit {
        left: vec![(address("ann"), Outcome::NoSeat)],
        stats: Some(Stats { available: 10, assigned }),
        full: true,
        ..Commit::default()
    };
    ledger.commit(&lease, RUN, &full(10), at(1)).unwrap();
    ledger.commit(&lease, RUN, &full(10), at(2)).unwrap();
    let known = ledger.subscription("contoso").unwrap();
    assert_eq!((known.full_since, known.probed_at), (Some(at(1)), Some(at(2))));
    let more = Commit { stats: Some(Stats { available: 12, assigned: 10 }), ..Commit::default() };
    ledger.commit(&lease, RUN, &more, at(3)).unwrap();
    assert_eq!(ledger.subscription("contoso").unwrap().full_since, None);
    // Nobody waits any more: it does not matter that it is full.
    ledger.commit(&lease, RUN, &full(12), at(4)).unwrap();
    assign(ledger, &lease, &["ann"], 5);
    finish(ledger, &lease, None, 6);
    assert_eq!(ledger.subscription("contoso").unwrap().full_since, None);
    let told: Vec<String> = told(ledger).into_iter().filter(|line| line.starts_with("Seats")).collect();
    assert_eq!(
        told,
        [
            "SeatsChanged: 10 seats",
            "SeatsExhausted: no seat is free for those who wait",
            "SeatsChanged: 10 seats, now 12",
            "SeatsChanged: 12 seats, now 10",
            "SeatsExhausted: no seat is free for those who wait",
        ]
    );
}

pub(in crate::ledger) fn problems_are_told_once(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let refused = Report { stopped: Some(Stop::KeyRefused { words: words() }), ..Report::default() };
    for minutes in 1..4 {
        let problem = Some("The key is refused.");
        ledger.finish_run(&lease, RUN, RunOutcome::Failed, &refused, problem, at(minutes)).unwrap();
    }
    assert_eq!(ledger.subscription("contoso").unwrap().problem, Some(("The key is refused.".into(), at(1))));
    assert_eq!(told(ledger), ["KeyRejected: The key is refused."]);
    let problem = Some("The key is refused (request 4711).");
    ledger.finish_run(&lease, RUN, RunOutcome::Failed, &refused, problem, at(4)).unwrap();
    let record = ledger.subscription("contoso").unwrap();
    assert_eq!(
        record.problem,
        Some(("The key is refused (request 4711).".into(), at(1))),
        "other words, the same cause"
    );
    assert!(record.key_rejected);
    assert_eq!(told(ledger).len(), 1);
    finish(ledger, &lease, None, 5);
    let record = ledger.subscription("contoso").unwrap();
    assert_eq!((record.problem, record.key_rejected), (None, false));
    ledger.finish_run(&lease, RUN, RunOutcome::Failed, &refused, Some("The key is refused."), at(6)).unwrap();
    assert_eq!(told(ledger).len(), 2, "after it was over it is news again");
}

pub(in crate::ledger) fn removals_stop_everywhere_until_a_person_says_so(ledger: &mut Ledger) {
    let brake = |minutes| Brake { since: at(minutes), reason: "Seven of ten are in trouble.".to_owned() };
    assert_eq!(ledger.brake().unwrap(), None);
    assert!(!ledger.release_brake("ann", at(0)).unwrap());
    assert!(ledger.put_on_brake(&brake(1)).unwrap());
    assert!(!ledger.put_on_brake(&brake(2)).unwrap(), "it is on already");
    assert_eq!(ledger.brake().unwrap(), Some(brake(1)));
    let lease = lease(ledger);
    let held = Plan { hold: Some(hold(&["ann"])), ..Plan::default() };
    record(ledger, &lease, held, 3);
    assert!(ledger.release_brake("ann", at(4)).unwrap());
    assert_eq!(ledger.brake().unwrap(), None);
    assert_eq!(ledger.take_asked().unwrap(), ["contoso"], "who holds removals looks again");
    let mut lines = Vec::new();
    let fleet = |line: &HistoryLine| matches!(line.event, Event::Braked | Event::Resumed);
    ledger.for_each_history(&[], None, &mut |line| lines.extend(Some(line).filter(fleet))).unwrap();
    let lines: Vec<_> = lines.into_iter().map(|line| (line.at, line.event, line.subscription, line.detail)).collect();
    let reason = "Seven of ten are in trouble.".to_owned();
    assert_eq!(lines, [(at(1), Event::Braked, None, reason), (at(4), Event::Resumed, None, "by ann".to_owned())]);
}

pub(in crate::ledger) fn what_began_within_the_hour_counts_once(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let names = |ledger: &Ledger, minutes| {
        let Troubles { held, failed } = ledger.troubles(at(minutes)).unwrap();
        held.into_iter().chain(failed).collect::<Vec<_>>().join(" ")
    };
    let held = |names: &[&str]| Plan { hold: Some(hold(names)), ..Plan::default() };
    record(ledger, &lease, held(&["ann"]), 0);
    ledger.refuse("hr", &Incomplete::lasting("no header"), at(10)).unwrap();
    assert_eq!(names(ledger, 11), "contoso hr");
    record(ledger, &lease, held(&["ann", "bob"]), 30);
    ledger.refuse("hr", &Incomplete::lasting("another reason"), at(40)).unwrap();
    assert_eq!(names(ledger, 59), "contoso hr");
    assert_eq!(names(ledger, 61), "hr", "that it goes on is no beginning");
    assert_eq!(names(ledger, 71), "");

    ledger.source_well("hr").unwrap();
    record(ledger, &lease, Plan::default(), 80);
    ledger.refuse("hr", &Incomplete::lasting("no header"), at(90)).unwrap();
    record(ledger, &lease, held(&["ann"]), 91);
    ledger.source_well("hr").unwrap();
    assert_eq!(names(ledger, 92), "contoso hr", "that it is over does not undo that it began");
    ledger.put_on_brake(&Brake { since: at(92), reason: String::new() }).unwrap();
    ledger.release_brake("ann", at(93)).unwrap();
    assert_eq!(names(ledger, 94), "", "a person knows of these");
    assert_eq!(names(ledger, 92), "contoso hr", "a clock that was ahead then hides nothing");
}

pub(in crate::ledger) fn what_was_held_a_day_ago(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let day = 24 * 60;
    assert_eq!(ledger.counts("contoso", at(0)).unwrap().holding_day_ago, 0);
    ledger.begin_run(&lease, RUN, Trigger::Start, at(0)).unwrap();
    assign(ledger, &lease, &["ann"], 0);
    assert_eq!(ledger.counts("contoso", at(1)).unwrap().holding_day_ago, 1, "before the first run's end: now");
    assign(ledger, &lease, &["bob", "cid"], 2);
    finish(ledger, &lease, None, 3);
    unassign(ledger, &lease, &["bob"], 60);
    assert_eq!(ledger.counts("contoso", at(61)).unwrap().holding_day_ago, 3, "as at the end of the first run");
    assert_eq!(ledger.counts("contoso", at(59 + day)).unwrap().holding_day_ago, 3);
    let later = ledger.counts("contoso", at(60 + day)).unwrap();
    assert_eq!((later.holding, later.holding_day_ago), (2, 2));
}

pub(in crate::ledger) fn adopting_takes_over_who_has_no_seat_yet(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann"], 0);
    begin(ledger, &lease, Operation::Assign, &["bob"], 1);
    let spelled = Address::parse("Cid@contoso.com").unwrap();
    let all = [address("ann"), address("bob"), spelled.clone(), spelled];
    assert_eq!(ledger.adopt(&lease, &all, "eva", at(2)).unwrap(), 1);
    let cid = member(ledger, "cid").unwrap();
    assert_eq!((cid.state, cid.has_seat, cid.address.spelling()), (MemberState::Assigned, true, "Cid@contoso.com"));
    assert_eq!(state(ledger, "bob"), Some(MemberState::Unknown));
    assert_eq!(touched(ledger, 3), ["bob", "Cid"]);
    assert_eq!(told(ledger)[1..], ["Adopted Cid: by eva"]);
    assert_eq!(ledger.counts("contoso", at(3)).unwrap().holding, 2);
}

pub(in crate::ledger) fn forgetting_needs_no_request(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann"], 0);
    assert_eq!(ledger.forget(&lease, &addresses(&["ann", "nobody"]), "eva", at(1)).unwrap(), 1);
    assert_eq!(member(ledger, "ann"), None);
    assert_eq!(ledger.member_counts("contoso").unwrap(), []);
    begin(ledger, &lease, Operation::Assign, &["bob"], 1);
    assert_eq!(ledger.forget(&lease, &addresses(&["bob"]), "eva", at(1)).unwrap(), 0, "its answer is missing");
    assert_eq!(member(ledger, "bob").unwrap().state, MemberState::Unknown);
}

pub(in crate::ledger) fn a_quarantined_member_may_try_again(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann"], 0);
    let intent = begin(ledger, &lease, Operation::Assign, &["bob", "cid"], 1);
    let refused = || Outcome::Refused { words: words() };
    ledger.commit(&lease, RUN, &settled(intent, &[("bob", refused()), ("cid", refused())]), at(1)).unwrap();
    let intent = begin(ledger, &lease, Operation::Unassign, &["ann"], 1);
    ledger.commit(&lease, RUN, &settled(intent, &[("ann", refused())]), at(1)).unwrap();

    assert_eq!(ledger.retry(&lease, &addresses(&["bob", "nobody"]), "eva", at(2)).unwrap(), 1);
    let bob = member(ledger, "bob").unwrap();
    assert_eq!((bob.state, bob.refused, bob.waiting_since), (MemberState::Pending, false, Some(at(2))));
    assert_eq!(ledger.retry(&lease, &[], "eva", at(3)).unwrap(), 2);
    let ann = member(ledger, "ann").unwrap();
    assert_eq!((ann.state, ann.has_seat), (MemberState::Assigned, true));
    assert_eq!(touched(ledger, 4), ["ann", "bob", "cid"]);
}

pub(in crate::ledger) fn a_run_that_is_asked_for_is_taken_once(ledger: &mut Ledger) {
    ledger.ask_for_run("fabrikam", at(0)).unwrap();
    ledger.ask_for_run("contoso", at(0)).unwrap();
    ledger.ask_for_run("contoso", at(1)).unwrap();
    assert_eq!(ledger.take_asked().unwrap(), ["contoso", "fabrikam"]);
    assert_eq!(ledger.take_asked().unwrap(), Vec::<String>::new());
}

pub(in crate::ledger) fn what_was_asked_for_and_done_is_not_done_again(ledger: &mut Ledger) {
    ledger.ask_for_run("contoso", at(0)).unwrap();
    ledger.ask_for_run("fabrikam", at(0)).unwrap();
    ledger.forget_asked("contoso", at(0)).unwrap();
    assert_eq!(ledger.take_asked().unwrap(), ["fabrikam"]);
}

pub(in crate::ledger) fn why_no_run_can_begin_is_told_until_one_does(ledger: &mut Ledger) {
    for minutes in [1, 2] {
        ledger.note_problem("contoso", "The key can't be read.", at(minutes)).unwrap();
    }
    let known = ledger.subscription("contoso").unwrap();
    assert_eq!((known.problem, known.key_rejected), (Some(("The key can't be read.".into(), at(1))), false));
    assert_eq!(told(ledger), ["RunFailed: The key can't be read."]);
    let lease = lease(ledger);
    finish(ledger, &lease, None, 3);
    assert_eq!(ledger.subscription("contoso").unwrap().problem, None);
}

pub(in crate::ledger) fn what_a_person_undid_stays_undone(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann", "bob"])), at(0)).unwrap();
    assign(ledger, &lease, &["ann", "bob"], 0);
    record(ledger, &lease, Plan::default(), 0);
    ledger.accept(&acceptance(vec![removed("ann")]), at(1)).unwrap();
    unassign(ledger, &lease, &["bob"], 2);
    let why = "a run was undone by eva";
    ledger.note_undone(&lease, &addresses(&["ann"]), &addresses(&["bob"]), why, at(3)).unwrap();
    let shown = |name| member(ledger, name).map(|it| (it.state, it.has_seat, it.kept, it.refused, it.reason));
    let (kept, aside) = (format!("kept: {why}"), format!("taken back: {why}"));
    assert_eq!(shown("ann"), Some((MemberState::Assigned, true, true, false, kept)));
    assert_eq!(shown("bob"), Some((MemberState::Quarantined, false, false, true, aside)));
    assert_eq!(told(ledger)[5..], [format!("Kept ann: kept: {why}"), format!("Quarantined bob: taken back: {why}")]);
}

pub(in crate::ledger) fn what_began_in_the_future_does_not_count(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let year = 365 * 24 * 60;
    record(ledger, &lease, Plan { hold: Some(hold(&["ann"])), ..Plan::default() }, year);
    ledger.refuse("hr", &Incomplete::lasting("no header"), at(year)).unwrap();
    assert_ne!(ledger.troubles(at(year)).unwrap(), Troubles::default());
    assert_eq!(ledger.troubles(at(1)).unwrap(), Troubles::default(), "the clock that was ahead has been set right");
}

pub(in crate::ledger) fn who_may_have_lost_a_seat_is_looked_at_when_removals_go_on(ledger: &mut Ledger) {
    let brake = |minutes| Brake { since: at(minutes), reason: "Seven of ten are in trouble.".to_owned() };
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann"], 0);
    begin(ledger, &lease, Operation::Assign, &["bob"], 1);
    ledger.put_on_brake(&brake(2)).unwrap();
    ledger.release_brake("eva", at(3)).unwrap();
    assert_eq!(ledger.take_asked().unwrap(), Vec::<String>::new(), "an assignment did not wait for this");
    begin(ledger, &lease, Operation::Unassign, &["ann"], 4);
    ledger.put_on_brake(&brake(5)).unwrap();
    ledger.release_brake("eva", at(6)).unwrap();
    assert_eq!(ledger.take_asked().unwrap(), ["contoso"]);
}

pub(in crate::ledger) fn what_is_asked_for_during_a_run_is_not_done_by_it(ledger: &mut Ledger) {
    let mut is_done = |asks: &[i64]| {
        for minutes in asks {
            ledger.ask_for_run("contoso", at(*minutes)).unwrap();
        }
        let done = ledger.forget_asked("contoso", at(1)).unwrap();
        (done, ledger.take_asked().unwrap().len())
    };
    assert_eq!(is_done(&[1]), (true, 0));
    assert_eq!(is_done(&[0, 1]), (true, 0), "what was asked for before is within it");
    assert_eq!(is_done(&[1, 2]), (false, 1), "somebody relies on it");
    assert_eq!(is_done(&[1, -60]), (false, 1), "whatever the clock says");
}
