//! Any sequence of verbs.

use super::*;

/// What a property test may do to a ledger. Steps that the rules forbid are refused whole, and that is part of it.
#[derive(Debug, Clone)]
enum Act {
    Accept(Vec<(u8, bool)>),
    Plan(Vec<(u8, u8)>),
    Ask(bool, Vec<u8>),
    Answer(Vec<u8>),
    Left(Vec<u8>),
    Person(u8, Vec<u8>),
    Finish(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let who = || 0..5u8;
    let some = move || prop::collection::vec(who(), 1..4);
    prop_oneof![
        prop::collection::vec((who(), any::<bool>()), 0..4).prop_map(Act::Accept),
        prop::collection::vec((who(), 0..6u8), 0..4).prop_map(Act::Plan),
        (any::<bool>(), some()).prop_map(|(assign, who)| Act::Ask(assign, who)),
        prop::collection::vec(0..6u8, 3).prop_map(Act::Answer),
        prop::collection::vec(0..6u8, 3).prop_map(Act::Answer),
        some().prop_map(Act::Left),
        (0..4u8, some()).prop_map(|(what, who)| Act::Person(what, who)),
        any::<bool>().prop_map(Act::Finish),
    ]
}

fn name(who: u8) -> &'static str {
    ["ann", "bob", "cid", "dan", "eva"][usize::from(who)]
}

fn all_names(who: &[u8]) -> Vec<&'static str> {
    who.iter().map(|who| name(*who)).collect()
}

fn perform(ledger: &mut Ledger, lease: &Lease, act: &Act, minutes: i64) -> Result<(), LedgerError> {
    match act {
        Act::Accept(edits) => {
            let edit =
                |(who, add): &(u8, bool)| if *add { Change::Added(entry(name(*who))) } else { removed(name(*who)) };
            ledger.accept(&acceptance(edits.iter().map(edit).collect()), at(minutes)).map(drop)
        }
        Act::Plan(parts) => {
            let mut plan = Plan::default();
            for (who, part) in parts {
                let (name, address) = (name(*who), address(name(*who)));
                match part {
                    0 => plan.leaving.push(leaving(name)),
                    1 => plan.waiting.push(Waiting { address, starts: at(900), priority: 1 }),
                    2 => plan.quarantined.push(Quarantine { address, reason: "odd".into() }),
                    3 => plan.settle.push(Settlement::Returned { address }),
                    4 => plan.settle.push(Settlement::Dropped { address, reason: Reason::Left }),
                    _ => plan.assign.push(assignment(name)),
                }
            }
            let seen = look(ledger, minutes).seen;
            ledger.record_plan(lease, RUN, &with_departures(plan), "policy", seen, at(minutes))
        }
        Act::Ask(assign, who) => {
            let operation = if *assign { Operation::Assign } else { Operation::Unassign };
            let intent = Some(NewIntent { operation, addresses: addresses(&all_names(who)), again: false });
            ledger.commit(lease, RUN, &Commit { intent, ..Commit::default() }, at(minutes)).map(drop)
        }
        Act::Answer(outcomes) => {
            let Some((id, intent)) = ledger.open_intents("contoso")?.into_iter().next() else { return Ok(()) };
            let outcome = |number: u8| match (number, intent.operation) {
                (0 | 1, Operation::Assign) => Outcome::Assigned,
                (0 | 1, Operation::Unassign) => Outcome::Unassigned,
                (2, _) => Outcome::Refused { words: words() },
                (3, _) => Outcome::NoSeat,
                (4, _) => Outcome::NotDone { cause: words() },
                _ => Outcome::Unknown { cause: words() },
            };
            let settled: Vec<_> = intent
                .addresses
                .into_iter()
                .zip(outcomes)
                .map(|(address, number)| (address, outcome(*number)))
                .collect();
            ledger
                .commit(lease, RUN, &Commit { settled: Some((id, settled)), ..Commit::default() }, at(minutes))
                .map(drop)
        }
        Act::Left(who) => {
            let left = addresses(&all_names(who)).into_iter().map(|address| (address, Outcome::NoSeat)).collect();
            ledger.commit(lease, RUN, &Commit { left, ..Commit::default() }, at(minutes)).map(drop)
        }
        Act::Person(what, who) => {
            let (names, addresses) = (all_names(who), addresses(&all_names(who)));
            match what {
                0 => ledger.adopt(lease, &addresses, "eva", at(minutes)).map(drop),
                1 => ledger.forget(lease, &addresses, "eva", at(minutes)).map(drop),
                2 => ledger.retry(lease, &[], "eva", at(minutes)).map(drop),
                _ => ledger.reject(lease, &hold(&names), "eva", at(minutes)),
            }
        }
        Act::Finish(well) => {
            let stopped = (!well).then_some(Stop::Shutdown);
            let report = Report { stopped, ..Report::default() };
            ledger.finish_run(lease, RUN, RunOutcome::Incomplete, &report, None, at(minutes))
        }
    }
}

fn check_books(ledger: &Ledger, minutes: i64) -> Result<(), TestCaseError> {
    let mut members = Vec::new();
    ledger.for_each_member("contoso", None, &mut |member| members.push(member)).unwrap();
    for (state, count) in ledger.member_counts("contoso").unwrap() {
        let scanned = members.iter().filter(|member| member.state == state).count() as u64;
        prop_assert_eq!(scanned, count, "{:?}", state);
        let mut by_state = 0;
        ledger.for_each_member("contoso", Some(state), &mut |_| by_state += 1).unwrap();
        prop_assert_eq!(scanned, by_state, "{:?}", state);
    }
    let total: u64 = ledger.member_counts("contoso").unwrap().iter().map(|(_, count)| count).sum();
    prop_assert_eq!(total, members.len() as u64);
    let holding = members.iter().filter(|member| member.has_seat).count() as u64;
    prop_assert_eq!(ledger.counts("contoso", at(minutes)).unwrap().holding, holding);

    let mut asked: Vec<Address> =
        ledger.open_intents("contoso").unwrap().into_iter().flat_map(|(_, intent)| intent.addresses).collect();
    asked.sort();
    let unknown: Vec<Address> = members
        .iter()
        .filter(|member| member.state == MemberState::Unknown)
        .map(|member| member.address.clone())
        .collect();
    prop_assert_eq!(asked, unknown, "each unknown member is in one open intent, and nobody else is in any");
    for member in &members {
        prop_assert!(operation::State::of(member.state, member.has_seat).is_some(), "{:?}", member);
        prop_assert!(member.state != MemberState::Leaving || member.departure.is_some(), "{:?}", member);
    }
    let some: Vec<_> = look(ledger, minutes).list;
    let all = ledger.candidates("contoso", &sources(), Look::All, at(minutes)).unwrap().list;
    for candidate in &some {
        prop_assert!(all.contains(candidate) || (candidate.entries.is_empty() && candidate.member.is_none()));
    }
    Ok(())
}

pub(in crate::ledger) fn any_sequence_keeps_the_books_right(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let ledger = std::cell::RefCell::new(ledger);
    let minutes = std::cell::Cell::new(1);
    // One ledger for all cases: what one leaves is where the next begins.
    proptest!(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() },
    |(acts in prop::collection::vec(act(), 1..25))| {
        for act in &acts {
            let ledger = &mut **ledger.borrow_mut();
            minutes.set(minutes.get() + 1);
            match perform(ledger, &lease, act, minutes.get()) {
                Ok(()) | Err(LedgerError::Illegal(_)) => {}
                Err(error) => return Err(TestCaseError::fail(format!("{act:?}: {error:?}"))),
            }
            check_books(ledger, minutes.get())?;
        }
    });
}
