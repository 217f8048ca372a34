//! What the server counts, held against the members; and known assignments that are sent again.

use super::*;
use crate::drift::Shortfall;

/// Asks for these again, who have a seat.
fn again(ledger: &mut Ledger, lease: &Lease, names: &[&str], minutes: i64) -> IntentId {
    let intent = Some(NewIntent { operation: Operation::Assign, addresses: addresses(names), again: true });
    ledger.commit(lease, RUN, &Commit { intent, ..Commit::default() }, at(minutes)).unwrap().unwrap()
}

/// An answer that settles nothing and counts so many.
fn counts(ledger: &mut Ledger, lease: &Lease, assigned: u64, minutes: i64) {
    let commit = Commit { stats: Some(Stats { available: 50, assigned }), comparable: true, ..Commit::default() };
    ledger.commit(lease, RUN, &commit, at(minutes)).unwrap();
}

/// How many are others', and how many are missed.
fn drift(ledger: &Ledger) -> (u64, u64) {
    let drift = ledger.subscription("contoso").unwrap().drift.unwrap();
    (drift.unmanaged(), drift.shortfall.map_or(0, |shortfall| shortfall.seats))
}

fn told_of_drift(ledger: &Ledger) -> Vec<String> {
    told(ledger).into_iter().filter(|line| line.starts_with("Drift")).collect()
}

pub(in crate::ledger) fn whoever_is_asked_for_again_loses_nothing_by_a_refusal(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann", "bob", "cid", "dan"], 0);
    let all = |ledger: &Ledger| ["ann", "bob", "cid", "dan"].map(|name| member(ledger, name).unwrap());
    let (before, history) = (all(ledger), told(ledger));
    let intent = again(ledger, &lease, &["ann", "bob", "cid", "dan"], 1);
    assert!(ledger.open_intents("contoso").unwrap()[0].1.again);
    assert_eq!(state(ledger, "ann"), Some(MemberState::Unknown));
    let outcomes = [
        ("ann", Outcome::Refused { words: words() }),
        ("bob", Outcome::NotDone { cause: words() }),
        ("cid", Outcome::Assigned),
        ("dan", Outcome::AssignedAlready { words: words() }),
    ];
    ledger.commit(&lease, RUN, &settled(intent, &outcomes), at(2)).unwrap();
    assert_eq!(all(ledger), before);
    assert_eq!(told(ledger), history, "nothing has become of anybody");
}

pub(in crate::ledger) fn a_seat_that_is_gone_makes_its_member_wait(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann", "bob"], 0);
    let intent = again(ledger, &lease, &["ann", "bob"], 1);
    let outcomes = [("ann", Outcome::NoSeat), ("bob", Outcome::Assigned)];
    ledger.commit(&lease, RUN, &settled(intent, &outcomes), at(2)).unwrap();
    let ann = member(ledger, "ann").unwrap();
    assert_eq!((ann.state, ann.has_seat, ann.waiting_since), (MemberState::Pending, false, Some(at(2))));
    let why = "somebody unassigned it by other means than rosterd, and no seat is free";
    assert_eq!(ann.reason, why);
    assert_eq!(told(ledger).last().unwrap(), &format!("Pending ann: {why}"));
}

pub(in crate::ledger) fn what_the_server_counts_is_held_against_the_members(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let intent = begin(ledger, &lease, Operation::Assign, &["ann", "bob", "cid"], 0);
    let outcomes = ["ann", "bob", "cid"].map(|name| (name, Outcome::Assigned));
    let stats = Some(Stats { available: 50, assigned: 8 });
    let commit = Commit { stats, comparable: true, ..settled(intent, &outcomes) };
    ledger.commit(&lease, RUN, &commit, at(1)).unwrap();
    // Five people had a seat before; the roster names two of them.
    assert_eq!((drift(ledger), told_of_drift(ledger)), ((5, 0), vec![]));
    assign(ledger, &lease, &["dan", "eva"], 2);
    counts(ledger, &lease, 8, 3);
    assert_eq!(drift(ledger), (3, 0));
    counts(ledger, &lease, 9, 4);
    counts(ledger, &lease, 3, 5);
    assert_eq!(drift(ledger), (0, 6));
    let shortfall = Shortfall { seats: 6, after: Some(at(4)), by: at(5) };
    assert_eq!(ledger.subscription("contoso").unwrap().drift.unwrap().problem(at(9999)), Some(shortfall));
    // One of those who lost it leaves; another one is assigned again.
    let intent = begin(ledger, &lease, Operation::Unassign, &["ann"], 6);
    let outcomes = [("ann", Outcome::UnassignedAlready { words: words() })];
    ledger.commit(&lease, RUN, &settled(intent, &outcomes), at(6)).unwrap();
    let intent = again(ledger, &lease, &["bob", "cid", "dan", "eva"], 7);
    let outcomes = ["bob", "cid", "dan", "eva"].map(|name| (name, Outcome::Assigned));
    let stats = Some(Stats { available: 50, assigned: 4 });
    let commit = Commit { stats, comparable: true, ..settled(intent, &outcomes) };
    ledger.commit(&lease, RUN, &commit, at(8)).unwrap();
    counts(ledger, &lease, 8, 9);
    assert_eq!(drift(ledger), (4, 0));
    insta::assert_snapshot!(told_of_drift(ledger).join("\n"), @"
    Drift: 2 licences of others are rosterd's now, because rosters name their people; or somebody unassigned as many
    Drift: 1 licence was assigned between 2027-01-15 08:03:00 UTC and 2027-01-15 08:04:00 UTC by other means than rosterd
    Drift: 6 licences were unassigned between 2027-01-15 08:04:00 UTC and 2027-01-15 08:05:00 UTC by other means than rosterd: rosterd had assigned or adopted at least 2 of them
    Drift: 4 licences were assigned between 2027-01-15 08:08:00 UTC and 2027-01-15 08:09:00 UTC by other means than rosterd
    Drift: no seat is missed any more
    ");
}

pub(in crate::ledger) fn whose_loss_an_answer_tells_is_missed_no_more(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann", "bob", "cid"], 0);
    counts(ledger, &lease, 3, 1);
    counts(ledger, &lease, 1, 2);
    assert_eq!((drift(ledger), told_of_drift(ledger).len()), ((0, 2), 1));
    // One turns out to have none when asked for again, while somebody takes another one.
    let intent = again(ledger, &lease, &["ann"], 3);
    ledger.commit(&lease, RUN, &settled(intent, &[("ann", Outcome::NoSeat)]), at(3)).unwrap();
    counts(ledger, &lease, 0, 4);
    assert_eq!((drift(ledger), told_of_drift(ledger).len()), ((0, 2), 2));
    // The others when they are unassigned.
    for (name, minutes) in [("bob", 5), ("cid", 7)] {
        assert_eq!(told_of_drift(ledger).len(), 2);
        let intent = begin(ledger, &lease, Operation::Unassign, &[name], minutes);
        let already = Outcome::UnassignedAlready { words: words() };
        ledger.commit(&lease, RUN, &settled(intent, &[(name, already)]), at(minutes)).unwrap();
        counts(ledger, &lease, 0, minutes + 1);
    }
    assert_eq!(drift(ledger), (0, 0));
    assert_eq!(told_of_drift(ledger)[2..], ["Drift: no seat is missed any more"]);
}

pub(in crate::ledger) fn a_count_that_can_not_be_compared_is_not(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann", "bob"], 0);
    let stats = Some(Stats { available: 50, assigned: 1 });
    ledger.commit(&lease, RUN, &Commit { stats, ..Commit::default() }, at(1)).unwrap();
    assert_eq!(ledger.subscription("contoso").unwrap().drift, None);
    // The next request is open already when the answer is written; nobody in it has a seat yet.
    let intent = Some(NewIntent { operation: Operation::Assign, addresses: addresses(&["cid"]), again: false });
    let stats = Some(Stats { available: 50, assigned: 2 });
    ledger.commit(&lease, RUN, &Commit { stats, comparable: true, intent, ..Commit::default() }, at(2)).unwrap();
    assert_eq!(drift(ledger), (0, 0));
    // A removal of which nothing is known, while another request is answered.
    begin(ledger, &lease, Operation::Unassign, &["ann"], 3);
    counts(ledger, &lease, 1, 4);
    assert_eq!(drift(ledger), (0, 0));
}

pub(in crate::ledger) fn a_persons_word_is_no_drift(ledger: &mut Ledger) {
    let lease = lease(ledger);
    counts(ledger, &lease, 3, 0);
    assert_eq!(ledger.adopt(&lease, &addresses(&["ann", "bob"]), "eva", at(1)).unwrap(), 2);
    assert_eq!(drift(ledger), (1, 0));
    counts(ledger, &lease, 3, 2);
    assert_eq!(ledger.forget(&lease, &addresses(&["ann"]), "eva", at(3)).unwrap(), 1);
    counts(ledger, &lease, 3, 4);
    assert_eq!((drift(ledger), told_of_drift(ledger)), ((2, 0), vec![]));
}

pub(in crate::ledger) fn known_assignments_are_sent_again_in_turn(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann", "bob", "cid", "dan", "eva", "fay"])), at(0)).unwrap();
    assign(ledger, &lease, &["ann", "bob", "cid", "dan", "eva", "fay"], 0);
    record(ledger, &lease, Plan { leaving: vec![leaving("bob")], ..Plan::default() }, 1);
    ledger.reject(&lease, &hold(&["dan"]), "eva", at(1)).unwrap();
    let next = |ledger: &Ledger| {
        let next = ledger.next_to_reassert("contoso", &sources(), 3).unwrap();
        assert!(next.iter().all(|candidate| candidate.member.is_some() && !candidate.entries.is_empty()));
        names(next.iter().map(|candidate| &candidate.address))
    };
    assert_eq!(next(ledger), ["ann", "cid", "eva"], "neither a leaver nor whom a person keeps");
    assert_eq!(ledger.subscription("contoso").unwrap().reasserted_at, None);
    let intent = again(ledger, &lease, &["ann", "cid", "eva"], 5);
    assert_eq!(ledger.subscription("contoso").unwrap().reasserted_at, Some(at(5)));
    assert_eq!(next(ledger), ["fay"], "also when the answer never comes");
    let outcomes = ["ann", "cid", "eva"].map(|name| (name, Outcome::Assigned));
    ledger.commit(&lease, RUN, &settled(intent, &outcomes), at(6)).unwrap();
    again(ledger, &lease, &["fay"], 7);
    assert_eq!(next(ledger), ["ann", "cid", "eva"], "and from the beginning");
}

pub(in crate::ledger) fn a_scope_is_known_once_a_run_has_come_to_its_end_under_it(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let scope = |ledger: &Ledger| ledger.subscription("contoso").unwrap().scope;
    let under = |ledger: &mut Ledger, scope: &str, name: &str, minutes: i64| {
        let seen = look(ledger, minutes).seen;
        let plan = with_departures(Plan { assign: vec![assignment(name)], ..Plan::default() });
        ledger.record_plan(&lease, RUN, &plan, scope, seen, at(minutes)).unwrap();
        assign(ledger, &lease, &[name], minutes);
    };
    under(ledger, "policy", "ann", 0);
    // Whatever the server says to those who are asked for again, everybody was judged.
    let intent = again(ledger, &lease, &["ann"], 1);
    let not_done = Outcome::NotDone { cause: "assigned already".into() };
    ledger.commit(&lease, RUN, &settled(intent, &[("ann", not_done)]), at(1)).unwrap();
    finish(ledger, &lease, None, 1);
    assert_eq!(scope(ledger).as_deref(), Some("policy"));

    // What a run under another scope has begun is undone by none that takes the first one for known.
    under(ledger, "other", "bob", 2);
    finish(ledger, &lease, Some(Stop::Shutdown), 2);
    assert_eq!(scope(ledger), None);
    under(ledger, "policy", "cid", 3);
    finish(ledger, &lease, None, 3);
    assert_eq!(scope(ledger).as_deref(), Some("policy"));
}
