//! Leases, and the past.

use super::*;

pub(in crate::ledger) fn a_run_tells_whose_seats_it_changed(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann"], 0);
    let other: RunId = uuid::Uuid::from_u128(2);
    let commit = |ledger: &mut Ledger, commit: Commit| ledger.commit(&lease, other, &commit, at(1)).unwrap();
    let intent = |operation, names: &[&str]| Commit {
        intent: Some(NewIntent { operation, addresses: addresses(names), again: false }),
        ..Commit::default()
    };
    let id = commit(ledger, intent(Operation::Unassign, &["ann"])).unwrap();
    commit(ledger, settled(id, &[("ann", Outcome::Unassigned)]));
    let id = commit(ledger, intent(Operation::Assign, &["dan", "bob", "cid"])).unwrap();
    let already = Outcome::AssignedAlready { words: words() };
    commit(ledger, settled(id, &[("dan", Outcome::Assigned), ("bob", Outcome::Assigned), ("cid", already)]));
    let (given, taken) = ledger.run_effects(other).unwrap();
    assert_eq!((names(&given), names(&taken)), (vec!["bob".to_owned(), "dan".into()], vec!["ann".to_owned()]));
    assert_eq!(ledger.run(other).unwrap(), None);
}

pub(in crate::ledger) fn history_is_read_by_subscription_and_time(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann"])), at(0)).unwrap();
    assign(ledger, &lease, &["ann", "bob"], 1);
    let other = ledger.acquire("fabrikam", &Owner("me".into()), TERM, at(0)).unwrap().unwrap();
    ledger.adopt(&other, &addresses(&["ann"]), "eva", at(2)).unwrap();
    let read = |subscriptions: &[&str], since: Option<Timestamp>| {
        let subscriptions: Vec<String> = subscriptions.iter().map(|name| (*name).to_owned()).collect();
        let mut events = Vec::new();
        ledger
            .for_each_history(&subscriptions, since, &mut |line| events.push((line.subscription, line.event)))
            .unwrap();
        events
    };
    assert_eq!(read(&[], None).len(), 4);
    assert_eq!(read(&["contoso"], None), vec![(Some("contoso".to_owned()), Event::Assigned); 2]);
    assert_eq!(read(&["contoso", "fabrikam"], Some(at(2))), [(Some("fabrikam".to_owned()), Event::Adopted)]);
    assert_eq!(read(&["nobody"], None), []);
    let lines = ledger.history_of(address("ann").identity(), 9).unwrap();
    assert_eq!(
        lines.iter().map(|line| (line.event, line.at)).collect::<Vec<_>>(),
        [(Event::Assigned, at(1)), (Event::Adopted, at(2))]
    );
    assert_eq!(lines[0].run, Some(RUN));
    assert_eq!(ledger.history_of(address("ann").identity(), 1).unwrap()[0].event, Event::Adopted);
}

pub(in crate::ledger) fn a_lease_keeps_others_out_until_it_ends(ledger: &mut Ledger) {
    let (me, you) = (Owner("me".into()), Owner("you".into()));
    let lease = ledger.acquire("contoso", &me, TERM, at(0)).unwrap().unwrap();
    assert!(ledger.acquire("contoso", &you, TERM, at(0)).unwrap().is_none());
    assert!(ledger.acquire("contoso", &me, TERM, at(0)).unwrap().is_none(), "not twice in one process either");
    assert!(ledger.acquire("fabrikam", &you, TERM, at(0)).unwrap().is_some());
    ledger.hold(&lease, 3 * TERM, at(1)).unwrap();
    assert!(ledger.acquire("contoso", &you, TERM, at(3)).unwrap().is_none());
    ledger.release(lease).unwrap();
    assert!(ledger.acquire("contoso", &you, TERM, at(3)).unwrap().is_some());
    assert!(ledger.acquire("contoso", &me, TERM, at(4)).unwrap().is_some(), "its time is over");

    let gone = Owner::this_process()
        .0
        .rsplit_once(':')
        .map(|(place, _)| place.replace(&std::process::id().to_string(), "4999999"))
        .unwrap();
    ledger.acquire("tailspin", &Owner(format!("{gone}:x")), TERM, at(0)).unwrap().unwrap();
    assert!(ledger.acquire("tailspin", &me, TERM, at(0)).unwrap().is_some(), "its holder is gone");
}

pub(in crate::ledger) fn a_run_keeps_its_lease_by_its_commits(ledger: &mut Ledger) {
    let (me, you) = (Owner("me".into()), Owner("you".into()));
    let second = TimeDelta::seconds(1);
    let lease = ledger.acquire("contoso", &me, TERM, at(0)).unwrap().unwrap();
    for step in 0..30 {
        let now = at(0) + second * (step * 25);
        ledger.commit(&lease, RUN, &Commit::default(), now).unwrap();
        assert!(ledger.acquire("contoso", &you, TERM, now + second * 30).unwrap().is_none(), "after {step} commits");
    }
    // What must not outlast the lease asks for its time before it begins; what was lost is not had again by asking.
    let end = at(0) + second * (29 * 25 + 59);
    ledger.hold(&lease, TERM / 2, end).unwrap();
    assert!(ledger.acquire("contoso", &you, TERM, end + second * 59).unwrap().is_none());
    assert!(ledger.acquire("contoso", &you, TERM, end + second * 60).unwrap().is_some());
    assert!(matches!(ledger.hold(&lease, TERM / 2, end + second * 60), Err(LedgerError::Fenced { .. })));
}

pub(in crate::ledger) fn a_commit_renews_the_lease(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let begun = begin(ledger, &lease, Operation::Assign, &["ann"], 0);
    // Its time is over, and nobody has taken it.
    ledger.commit(&lease, RUN, &settled(begun, &[("ann", Outcome::Assigned)]), at(7)).unwrap();
    let you = Owner("you".into());
    let almost = at(8) - TimeDelta::seconds(1);
    assert!(ledger.acquire("contoso", &you, TERM, almost).unwrap().is_none());
    assert!(ledger.acquire("contoso", &you, TERM, at(8)).unwrap().is_some());
}

pub(in crate::ledger) fn a_lost_lease_fences_every_write(ledger: &mut Ledger) {
    let old = lease(ledger);
    assign(ledger, &old, &["ann"], 0);
    let seen = look(ledger, 0).seen;
    let new = ledger.acquire("contoso", &Owner("me".into()), TERM, at(2)).unwrap().unwrap();
    let before = told(ledger);
    let plan = with_departures(Plan { leaving: vec![leaving("ann")], ..Plan::default() });
    let intent = Some(NewIntent { operation: Operation::Unassign, addresses: addresses(&["ann"]), again: false });
    let results = [
        ledger.hold(&old, Duration::ZERO, at(3)),
        ledger.begin_run(&old, RUN, Trigger::Start, at(3)),
        ledger.record_plan(&old, RUN, &plan, "policy", seen, at(3)),
        ledger.commit(&old, RUN, &Commit { intent, ..Commit::default() }, at(3)).map(drop),
        ledger.finish_run(&old, RUN, RunOutcome::Failed, &Report::default(), Some("x"), at(3)),
        ledger.reject(&old, &hold(&["ann"]), "eva", at(3)),
        ledger.adopt(&old, &addresses(&["bob"]), "eva", at(3)).map(drop),
        ledger.forget(&old, &addresses(&["ann"]), "eva", at(3)).map(drop),
        ledger.retry(&old, &addresses(&["ann"]), "eva", at(3)).map(drop),
    ];
    for (number, result) in results.into_iter().enumerate() {
        assert!(
            matches!(&result, Err(LedgerError::Fenced { subscription }) if subscription == "contoso"),
            "{number}: {result:?}"
        );
    }
    assert_eq!(told(ledger), before);
    ledger.release(old).unwrap();
    ledger.hold(&new, TERM, at(3)).unwrap();
}

pub(in crate::ledger) fn a_commit_renews_the_lease_when_a_third_of_it_has_passed(ledger: &mut Ledger) {
    let (me, you) = (Owner("me".into()), Owner("you".into()));
    let second = |seconds| at(0) + TimeDelta::seconds(seconds);
    for (subscription, commit, end) in [("contoso", 20, 60), ("fabrikam", 21, 81)] {
        let lease = ledger.acquire(subscription, &me, TERM, at(0)).unwrap().unwrap();
        ledger.commit(&lease, RUN, &Commit::default(), second(commit)).unwrap();
        assert!(ledger.acquire(subscription, &you, TERM, second(end - 1)).unwrap().is_none(), "{subscription}");
        assert!(ledger.acquire(subscription, &you, TERM, second(end)).unwrap().is_some(), "{subscription}");
    }
    // Where enough is left, asking for it writes nothing.
    let lease = ledger.acquire("tailspin", &me, TERM, at(0)).unwrap().unwrap();
    ledger.hold(&lease, TERM / 2, second(29)).unwrap();
    assert!(ledger.acquire("tailspin", &you, TERM, second(60)).unwrap().is_some());
    // By a clock that was set back it would last for an hour.
    let lease = ledger.acquire("wingtip", &me, TERM, at(60)).unwrap().unwrap();
    ledger.commit(&lease, RUN, &Commit::default(), at(0)).unwrap();
    assert!(ledger.acquire("wingtip", &you, TERM, second(59)).unwrap().is_none());
    assert!(ledger.acquire("wingtip", &you, TERM, second(60)).unwrap().is_some());
}
