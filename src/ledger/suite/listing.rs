//! What is read to be shown, a page at a time.

use super::*;
use crate::ledger::listing::{From, HoldInShort, LOOKED_AT_MAX, Lines, MembersPage, Place, Search, Wanted};

fn numbered(numbers: std::ops::Range<usize>) -> Vec<Address> {
    numbers.map(|number| address(&format!("p{number:05}"))).collect()
}

/// So many members, adopted.
fn adopted(ledger: &mut Ledger, count: usize) -> Lease {
    let lease = lease(ledger);
    ledger.adopt(&lease, &numbered(0..count), "eva", at(0)).unwrap();
    lease
}

fn shown(page: &MembersPage) -> Vec<String> {
    names(page.members.iter().map(|member| &member.address))
}

pub(in crate::ledger) fn members_are_turned_over_forwards_and_backwards(ledger: &mut Ledger) {
    adopted(ledger, 5);
    let turn = |from: From| ledger.members_page("contoso", &Wanted { from, ..Wanted::default() }, 2).unwrap();
    let first = turn(From::Start);
    assert_eq!((shown(&first), &first.previous), (vec!["p00000".to_owned(), "p00001".into()], &None));
    let second = turn(From::After(first.next.unwrap()));
    assert_eq!(shown(&second), ["p00002", "p00003"]);
    let third = turn(From::After(second.next.clone().unwrap()));
    assert_eq!((shown(&third), &third.next, third.is_cut), (vec!["p00004".to_owned()], &None, false));
    let back = turn(From::Before(third.previous.unwrap()));
    assert_eq!(back, MembersPage { previous: back.previous.clone(), ..second });
    let front = turn(From::Before(back.previous.unwrap()));
    assert_eq!((shown(&front), &front.previous), (shown(&first_again(ledger)), &None));
    assert_eq!(ledger.members_page("nobody", &Wanted::default(), 2).unwrap(), MembersPage::default());
}

fn first_again(ledger: &Ledger) -> MembersPage {
    ledger.members_page("contoso", &Wanted::default(), 2).unwrap()
}

pub(in crate::ledger) fn members_are_searched_by_how_they_begin_and_by_what_they_contain(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.adopt(&lease, &addresses(&["ann", "anna", "bob", "joanna", "zoë"]), "eva", at(0)).unwrap();
    let find = |search: Search, state: Option<MemberState>| {
        shown(&ledger.members_page("contoso", &Wanted { search: Some(search), state, from: From::Start }, 9).unwrap())
    };
    assert_eq!(find(Search::Begins("ann".into()), None), ["ann", "anna"]);
    assert_eq!(find(Search::Begins("ann@contoso.com".into()), None), ["ann"], "the very text");
    assert_eq!(find(Search::Contains("ann".into()), None), ["ann", "anna", "joanna"]);
    assert_eq!(find(Search::Contains("%".into()), None), Vec::<String>::new(), "it is no pattern");
    assert_eq!(find(Search::Begins("zoë".into()), Some(MemberState::Assigned)), ["zoë"]);
    assert_eq!(find(Search::Begins("ann".into()), Some(MemberState::Pending)), Vec::<String>::new());
    let after =
        Wanted { search: Some(Search::Begins("ann".into())), state: None, from: From::After("ann@contoso.com".into()) };
    assert_eq!(shown(&ledger.members_page("contoso", &after, 9).unwrap()), ["anna"]);
}

pub(in crate::ledger) fn members_are_found_by_state(ledger: &mut Ledger) {
    let lease = adopted(ledger, 3);
    let quarantine = |name: &str| Quarantine { address: address(name), reason: "no such domain".into() };
    let plan = Plan { quarantined: vec![quarantine("xavier"), quarantine("yves")], ..Plan::default() };
    record(ledger, &lease, plan, 1);
    let find = |state: MemberState, limit: usize, from: From| {
        ledger.members_page("contoso", &Wanted { state: Some(state), search: None, from }, limit).unwrap()
    };
    let first = find(MemberState::Quarantined, 1, From::Start);
    assert_eq!(shown(&first), ["xavier"]);
    assert_eq!(shown(&find(MemberState::Quarantined, 1, From::After(first.next.unwrap()))), ["yves"]);
    assert_eq!(shown(&find(MemberState::Assigned, 9, From::Start)).len(), 3);
}

pub(in crate::ledger) fn a_search_that_finds_little_says_how_far_it_looked(ledger: &mut Ledger) {
    adopted(ledger, LOOKED_AT_MAX + 2);
    let last = format!("p{:05}", LOOKED_AT_MAX + 1);
    let wanted = |from| Wanted { search: Some(Search::Contains(last.clone())), state: None, from };
    let page = ledger.members_page("contoso", &wanted(From::Start), 9).unwrap();
    assert_eq!((shown(&page), page.is_cut), (vec![], true));
    let page = ledger.members_page("contoso", &wanted(From::After(page.next.unwrap())), 9).unwrap();
    assert_eq!((shown(&page), page.is_cut, page.next), (vec![last], false, None));
}

pub(in crate::ledger) fn the_queue_is_in_the_order_in_which_seats_are_given(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let waits = |name: &str, priority, since| Assignment { priority, since: at(since), ..assignment(name) };
    let mut assign = vec![waits("boss", 1, 3), waits("first", 5, 1), waits("last", 5, 2)];
    assign.push(Assignment { claim: Some(Box::new(crate::member::Claim::Own)), ..waits("owner", 9, 4) });
    let plan = Plan { assign, fits: Some(0), ..Plan::default() };
    record(ledger, &lease, plan, 5);
    let left = |name: &str| (address(name), Outcome::NoSeat);
    let left = ["boss", "first", "last", "owner"].map(left).to_vec();
    ledger.commit(&lease, RUN, &Commit { left, ..Commit::default() }, at(6)).unwrap();
    let queue = |skipped, limit| {
        names(ledger.queue_page("contoso", skipped, limit).unwrap().iter().map(|member| &member.address))
    };
    assert_eq!(queue(0, 9), ["owner", "boss", "first", "last"]);
    assert_eq!(queue(1, 2), ["boss", "first"]);
    assert_eq!(queue(9, 2), Vec::<String>::new());
    let place = |member: &Member| ledger.queue_place("contoso", member).unwrap();
    let all = ledger.queue_page("contoso", 0, 9).unwrap();
    assert_eq!(all.iter().map(place).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let beside = |name: &str| Member { address: address(name), ..all[2].clone() };
    assert_eq!([place(&beside("aaron")), place(&beside("zoe"))], [3, 4], "who waits for as long goes by address");
}

pub(in crate::ledger) fn a_line_says_how_a_subscription_stands_without_the_people_who_are_held(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.adopt(&lease, &addresses(&["ann", "bob"]), "eva", at(0)).unwrap();
    let hold = hold(&["ann"]);
    let plan = Plan { leaving: vec![leaving("ann")], hold: Some(hold.clone()), ..Plan::default() };
    record(ledger, &lease, plan, 2);
    let stats = Commit { stats: Some(Stats { available: 10, assigned: 2 }), ..Commit::default() };
    ledger.commit(&lease, RUN, &stats, at(3)).unwrap();
    let line = ledger.subscription_line("contoso").unwrap().unwrap();
    assert_eq!(line.hold, Some((HoldInShort::of(&hold), at(2))));
    assert_eq!(line.members, [(MemberState::Assigned, 1), (MemberState::Leaving, 1)]);
    let whole = ledger.subscription("contoso").unwrap();
    assert_eq!(line.record, SubscriptionRecord { hold: None, last_run: None, restored: None, ..whole });
    assert_eq!(ledger.subscription_lines().unwrap(), [("contoso".to_owned(), line)].into());
    ledger.reject(&lease, &hold, "eva", at(4)).unwrap();
    assert_eq!(ledger.subscription_line("contoso").unwrap().unwrap().hold, None);
    assert_eq!(ledger.subscription_line("nobody").unwrap(), None);
}

pub(in crate::ledger) fn seats_are_told_at_any_moment_of_the_past(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assert_eq!(ledger.seats_known_since("contoso").unwrap(), None);
    let stats = |ledger: &mut Ledger, available, minutes| {
        let stats = Commit { stats: Some(Stats { available, assigned: 0 }), ..Commit::default() };
        ledger.commit(&lease, RUN, &stats, at(minutes)).unwrap();
    };
    stats(ledger, 10, 1);
    ledger.adopt(&lease, &addresses(&["ann", "bob"]), "eva", at(2)).unwrap();
    stats(ledger, 10, 3);
    stats(ledger, 12, 5);
    ledger.forget(&lease, &addresses(&["ann"]), "eva", at(6)).unwrap();
    let moments: Vec<Timestamp> = [0, 1, 2, 4, 5, 9].map(at).to_vec();
    assert_eq!(ledger.seats_held_at("contoso", &moments).unwrap(), [None, None, Some(2), Some(2), Some(2), Some(1)]);
    assert_eq!(
        ledger.seats_available_at("contoso", &moments).unwrap(),
        [None, Some(10), Some(10), Some(10), Some(12), Some(12)]
    );
    assert_eq!(ledger.seats_known_since("contoso").unwrap(), Some(at(2)));
    assert_eq!(ledger.seats_held_at("nobody", &moments[..2]).unwrap(), [None, None]);
    // A clock that was ahead: what it wrote is not of the future.
    stats(ledger, 20, 60);
    stats(ledger, 15, 7);
    assert_eq!(ledger.seats_available_at("contoso", &[at(8), at(99)]).unwrap(), [Some(15), Some(15)]);
}

pub(in crate::ledger) fn history_is_turned_over_from_the_newest_line_on(ledger: &mut Ledger) {
    let lease = adopted(ledger, 3);
    ledger.accept(&acceptance(added(&["ann"])), at(0)).unwrap();
    let stats = Commit { stats: Some(Stats { available: 10, assigned: 3 }), ..Commit::default() };
    ledger.commit(&lease, RUN, &stats, at(1)).unwrap();
    let other = ledger.acquire("fabrikam", &Owner("me".into()), TERM, at(1)).unwrap().unwrap();
    ledger.adopt(&other, &addresses(&["zoe"]), "eva", at(2)).unwrap();
    let all = |subscription: Option<&str>, of_nobody: bool| {
        let (mut before, mut lines): (Option<Place>, Vec<String>) = (None, Vec::new());
        loop {
            let page = ledger.history_page(Lines { subscription, of_nobody, before }, 2).unwrap();
            lines.extend(page.iter().map(|it| {
                let whom = it.line.email.as_deref().map_or("", |email| email.split('@').next().unwrap_or_default());
                format!("{:?} {whom}", it.line.event)
            }));
            match page.last() {
                Some(last) => before = Some(last.place),
                None => return lines,
            }
        }
    };
    assert_eq!(
        all(None, false),
        ["Adopted zoe", "SeatsChanged ", "RosterAccepted ", "Adopted p00002", "Adopted p00001", "Adopted p00000"]
    );
    assert_eq!(all(Some("contoso"), false), ["SeatsChanged ", "Adopted p00002", "Adopted p00001", "Adopted p00000"]);
    assert_eq!(all(None, true), ["SeatsChanged ", "RosterAccepted "]);
    assert_eq!(all(Some("contoso"), true), ["SeatsChanged "]);
    assert_eq!(all(Some("nobody"), false), Vec::<String>::new());
    assert_eq!(ledger.subscriptions_with(address("zoe").identity()).unwrap(), ["fabrikam"]);
}

pub(in crate::ledger) fn runs_are_turned_over_from_the_newest_on(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assert_eq!(ledger.last_run("contoso").unwrap(), None);
    let runs: Vec<RunId> = (1..=3).map(uuid::Uuid::from_u128).collect();
    for (minutes, run) in (1..).zip(&runs) {
        ledger.begin_run(&lease, *run, Trigger::Schedule, at(minutes)).unwrap();
        let report = Report::default();
        ledger.finish_run(&lease, *run, RunOutcome::Converged, &report, None, at(minutes)).unwrap();
    }
    let ids = |before: Option<RunId>, limit| -> Vec<RunId> {
        ledger.runs_before("contoso", before, limit).unwrap().into_iter().map(|run| run.id).collect()
    };
    assert_eq!(ids(None, 2), [runs[2], runs[1]]);
    assert_eq!(ids(Some(runs[1]), 2), [runs[0]]);
    assert_eq!(ledger.last_run("contoso").unwrap().unwrap().id, runs[2]);
}

pub(in crate::ledger) fn a_line_says_how_a_source_stands(ledger: &mut Ledger) {
    let bad = crate::source::BadRow {
        origin: "staff.csv line 9".into(),
        reason: "no @".into(),
        stable_id: None,
        address: None,
    };
    ledger.accept(&Acceptance { bad_rows: vec![bad], ..acceptance(added(&["ann"])) }, at(1)).unwrap();
    ledger.refuse("hr", &Incomplete::lasting("The header is wrong."), at(2)).unwrap();
    ledger.note_push("hr", &Push::By("dc1".into()), &Owner::this_process(), at(3)).unwrap();
    let lines = ledger.source_lines().unwrap();
    let line = &lines["hr"];
    assert_eq!((line.entries, line.bad_rows, line.accepted_at), (7, 1, Some(at(1))));
    assert_eq!(line.problem, Some(("The header is wrong.".into(), at(2))));
    assert_eq!(line.push, Some((Push::By("dc1".into()), at(3))));
}
