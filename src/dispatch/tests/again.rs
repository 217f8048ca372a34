//! Known assignments that are sent again to be sure: what somebody took away comes back, and no answer takes anything
//! away from anybody.

use proptest::prelude::*;

use super::server::{Dialect, Server, Serves};
use super::*;

const PEOPLE: usize = 40;

fn people() -> Vec<Address> {
    (0..PEOPLE).map(|number| address(&format!("p{number:02}@x.example"))).collect()
}

/// A server at which all people have a seat, but for those of these places, and others have so many.
fn server(dialect: Dialect, lost: &[usize], others: usize, seats: usize) -> Server {
    let mut server = Server::new(dialect, seats);
    let all = people();
    let kept = all.iter().enumerate().filter(|(place, _)| !lost.contains(place));
    server.assigned = kept.map(|(_, address)| address.to_string()).collect();
    server.assigned.extend((0..others).map(|number| format!("other{number}@x.example")));
    server
}

fn again(server: &mut Server) -> Run {
    let work = Work { reassert: people(), seats: Some(server.stats()), ..Work::default() };
    run(settings(PEOPLE), work, |request| server.answer(request))
}

fn pending(run: &Run) -> Vec<Address> {
    let pending = run.records.outcomes.iter().filter(|(_, outcome)| **outcome == Outcome::NoSeat);
    pending.map(|(address, _)| address.clone()).collect()
}

/// Whatever a server answers, somebody who is asked for again keeps the seat, or it was gone before.
fn takes_nothing_away(run: &Run, server: &Server) {
    for (address, outcome) in &run.records.outcomes {
        match outcome {
            Outcome::Assigned => assert!(server.has(address.spelling()), "{address}"),
            Outcome::NoSeat => assert!(!server.has(address.spelling()), "{address}"),
            Outcome::NotDone { .. } => {}
            other => panic!("{address}: {other:?}"),
        }
    }
    assert_eq!(run.records.outcomes.len(), PEOPLE);
    assert!(run.records.open.is_empty());
}

#[test]
fn known_assignments_go_last_and_count_for_themselves() {
    let work = Work {
        unassign: addresses("a"),
        assign: addresses("b c d"),
        reassert: addresses("e f"),
        seats: Some(Stats { available: 9, assigned: 8 }),
        ..Work::default()
    };
    let run = run(settings(2), work, |_| Answer::Done { stats: None });
    insta::assert_snapshot!(run.sent(), @r"
    DELETE a
    PUT b c
    PUT e f
    ");
    assert_eq!((run.report.assigned, run.report.reasserted, run.report.pending), (2, 2, 1));
}

#[test]
fn what_somebody_took_away_comes_back_in_one_request() {
    for dialect in Dialect::all().filter(|dialect| !dialect.already_is_error) {
        let mut server = server(dialect, &[0, 7, 39], 0, PEOPLE);
        let run = again(&mut server);
        takes_nothing_away(&run, &server);
        assert_eq!((server.assigned.len(), run.requests.len()), (PEOPLE, 1), "{dialect:?}");
    }
}

#[test]
fn a_server_that_refuses_repetitions_is_asked_once() {
    for dialect in Dialect::all().filter(|dialect| dialect.already_is_error) {
        let mut server = server(dialect, &[3], 0, PEOPLE);
        let run = again(&mut server);
        takes_nothing_away(&run, &server);
        assert_eq!((run.requests.len(), pending(&run)), (1, vec![]), "{dialect:?}");
        assert!(run.records.habits.unwrap().refuses_repeats());
    }
}

#[test]
fn whose_seat_went_to_somebody_else_is_found() {
    for dialect in Dialect::all().filter(|dialect| !dialect.already_is_error) {
        for lost in [&[0][..], &[39], &[0, 1], &[0, 1, 2, 3, 4], &[5, 6, 20], &[0, 39]] {
            let mut server = server(dialect, lost, lost.len(), PEOPLE);
            let run = again(&mut server);
            takes_nothing_away(&run, &server);
            let expected: Vec<Address> = lost.iter().map(|place| people()[*place].clone()).collect();
            assert_eq!(pending(&run), expected, "{dialect:?}");
            assert_eq!(run.report.pending, lost.len() as u64);
            // ⌈log2 40⌉ + 2 for each, and the first.
            assert!(run.requests.len() <= 1 + 8 * lost.len(), "{} for {lost:?}", run.requests.len());
        }
    }
}

#[test]
fn a_server_that_counts_repetitions_as_new_takes_nothing_away() {
    for dialect in Dialect::all().filter(|dialect| !dialect.already_is_error && !dialect.fills) {
        for (others, seats) in [(0, PEOPLE), (0, PEOPLE + 1), (3, PEOPLE + 9), (0, PEOPLE + 30)] {
            let mut server = server(dialect, &[], others, seats);
            server.counts_all = true;
            let run = again(&mut server);
            takes_nothing_away(&run, &server);
            assert_eq!(pending(&run), [], "{others} others of {seats}");
            assert!(run.requests.len() <= 30, "{} requests", run.requests.len());
        }
    }
}

#[test]
fn a_named_offender_stays_as_it_is_and_the_rest_is_sent() {
    let answers = [
        Answer::Refused { errors: vec!["'b@x.example' has no mailbox".to_owned()], stats: None },
        Answer::Done { stats: None },
    ];
    let mut answers = answers.into_iter();
    let work = Work { reassert: addresses("a b c"), ..Work::default() };
    let run = run(settings(9), work, |_| answers.next().unwrap());
    insta::assert_snapshot!(run.sent(), @r"
    PUT a b c
    PUT a c
    ");
    assert!(matches!(run.records.outcomes[&addresses("b")[0]], Outcome::NotDone { .. }));
    assert_eq!((run.report.quarantined, run.report.reasserted, run.records.habits), (0, 2, None));
}

#[test]
fn an_offender_whom_nobody_names_is_found_and_keeps_nobody_from_coming_back() {
    for offenders in [&[0][..], &[17], &[39], &[5, 6], &[3, 20, 38]] {
        let dialect = Dialect::all().find(|dialect| !dialect.already_is_error).unwrap();
        let mut server = server(dialect, &[9, 30], 0, PEOPLE);
        let bad: Vec<Address> = offenders.iter().map(|place| people()[*place].clone()).collect();
        let work = Work { reassert: people(), seats: Some(server.stats()), ..Work::default() };
        let run = run(settings(PEOPLE), work, |request| {
            let refused = request.addresses.iter().any(|address| bad.contains(address));
            let errors = vec!["An e-mail address does not have a valid format.".to_owned()];
            if refused { Answer::Refused { errors, stats: None } } else { server.answer(request) }
        });
        takes_nothing_away(&run, &server);
        let not_done = run.records.outcomes.iter().filter(|(_, it)| matches!(it, Outcome::NotDone { .. }));
        assert_eq!(not_done.map(|(address, _)| address.clone()).collect::<Vec<_>>(), bad);
        assert_eq!((server.assigned.len(), run.records.habits), (PEOPLE, None), "{offenders:?}");
        assert!(run.requests.len() <= 1 + 7 * bad.len(), "{} for {offenders:?}", run.requests.len());
    }
}

#[test]
fn a_server_that_refuses_one_after_the_other_in_words_that_nobody_knows_refuses_repetitions() {
    let refuse = |_: &Request| Answer::Refused { errors: vec!["nein".to_owned()], stats: None };
    let all = run(settings(PEOPLE), Work { reassert: people(), ..Work::default() }, refuse);
    assert!(all.requests.len() <= 14, "{}", all.requests.len());
    assert!(all.records.habits.unwrap().refuses_repeats());
    assert!(all.records.outcomes.values().all(|outcome| matches!(outcome, Outcome::NotDone { .. })));

    // A few who had lost their seats are accepted, the others are refused.
    let lost = [people()[2].clone(), people()[3].clone()];
    let some = run(settings(PEOPLE), Work { reassert: people(), ..Work::default() }, |request| {
        let is_new = request.addresses.iter().all(|address| lost.contains(address));
        if is_new { Answer::Done { stats: None } } else { refuse(request) }
    });
    assert!(some.requests.len() <= 1 + 7 * 10, "{}", some.requests.len());
    assert!(some.records.habits.unwrap().refuses_repeats());
}

#[test]
fn a_server_that_refuses_everybody_by_name_refuses_repetitions_and_one_who_is_named_alone_says_nothing() {
    let refused = |names: &str| {
        let errors = addresses(names).iter().map(|address| format!("'{address}' has a seat")).collect();
        let work = Work { reassert: addresses(names), ..Work::default() };
        run(settings(9), work, |_| Answer::Refused { errors: Vec::clone(&errors), stats: None })
    };
    let (all, one) = (refused("a b c"), refused("a"));
    assert_eq!((all.requests.len(), one.requests.len()), (1, 1));
    assert!(all.records.outcomes.values().all(|outcome| matches!(outcome, Outcome::NotDone { .. })));
    assert!(all.records.habits.unwrap().refuses_repeats());
    assert_eq!(one.records.habits, None);
    assert!(!Habits::default().refuses_repeats(), "a server that was not asked yet is asked");
}

#[test]
fn what_a_crash_left_open_is_sent_again_as_what_it_was() {
    let intent = NewIntent { operation: Operation::Assign, addresses: addresses("a b c"), again: true };
    let work = Work { resume: vec![(IntentId(7), intent)], ..Work::default() };
    let refused = || Answer::Refused { errors: vec!["a@x.example has a seat already".to_owned()], stats: None };
    let run = run(settings(9), work, |_| refused());
    assert_eq!(run.requests.len(), 1);
    assert!(run.records.outcomes.values().all(|outcome| matches!(outcome, Outcome::NotDone { .. })));
}

/// For each commit, whether its stats can be held against the ledger.
fn comparable(work: Work, answers: Vec<Answer>) -> Vec<bool> {
    let mut answers = answers.into_iter();
    run_until(settings(3), work, |_, _| answers.next()).records.comparable
}

#[test]
fn only_what_the_newest_answer_counts_without_a_doubt_is_compared() {
    let stats = Some(Stats { available: 10, assigned: 2 });
    let done = || Answer::Done { stats };
    let bad = || Answer::Refused { errors: vec!["bad".to_owned()], stats: None };
    let assign = |names| Work { assign: addresses(names), ..Work::default() };
    assert_eq!(comparable(assign("a b c d"), vec![done(), done()]), [false, true, true]);
    assert_eq!(comparable(assign("a b"), vec![Answer::Done { stats: None }]), [false, false]);
    // One of three is accepted: the others may be assigned as well, until they are decided.
    assert_eq!(comparable(assign("a b c"), vec![bad(), done(), done()]), [false, false, true]);
    assert_eq!(comparable(assign("a b c"), vec![bad(), done()]), [false, false, false]);
    // The count is of before the last answer.
    let full = Answer::NoSeats { stats, errors: vec![] };
    assert_eq!(comparable(assign("a b"), vec![full, Answer::Done { stats: None }]).last(), Some(&false));
    let open = |id| {
        (
            IntentId(id),
            NewIntent { operation: Operation::Assign, addresses: addresses(&format!("p{id}")), again: false },
        )
    };
    let resume = Work { resume: vec![open(1), open(2)], ..Work::default() };
    assert_eq!(comparable(resume, vec![done(), done()]), [false, true]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Any seats lost, any seats free, any server: nobody loses anything, whoever can be helped is.
    #[test]
    fn nobody_loses_a_seat_by_being_asked_for_again(
        dialect in (0_usize..128).prop_map(|number| Dialect::all().nth(number).unwrap()),
        lost in prop::collection::btree_set(0..PEOPLE, 0..7),
        others in 0_usize..7,
        free in 0_usize..7,
        counts_all: bool,
    ) {
        let lost: Vec<usize> = lost.into_iter().collect();
        let mut server = server(dialect, &lost, others, PEOPLE - lost.len() + others + free);
        server.counts_all = counts_all && !dialect.fills;
        let before = server.assigned.clone();
        let run = again(&mut server);
        takes_nothing_away(&run, &server);
        prop_assert!(server.assigned.is_superset(&before));
        if !dialect.already_is_error && !server.counts_all {
            prop_assert_eq!(server.assigned.len(), before.len() + lost.len().min(free));
            prop_assert_eq!(pending(&run).len(), lost.len().saturating_sub(free));
        }
        prop_assert!(run.requests.len() <= 1 + 8 * 7, "{} requests", run.requests.len());
    }
}
