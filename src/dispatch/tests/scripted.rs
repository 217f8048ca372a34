//! Runs as transcripts: what is committed, sent, answered and waited for, line by line.

mod edges;
mod sentences;

use std::fmt::Write;

use insta::assert_snapshot;

use super::*;
use crate::licensing::wire;

fn done(free: impl Into<Option<u64>>) -> Answer {
    Answer::Done { stats: stats(free) }
}

fn stats(free: impl Into<Option<u64>>) -> Option<Stats> {
    free.into().map(|free| Stats { available: 10 + free, assigned: 10 })
}

fn refused(errors: &[&str]) -> Answer {
    Answer::Refused { errors: errors.iter().map(|&error| error.to_owned()).collect(), stats: None }
}

fn full(free: impl Into<Option<u64>>) -> Answer {
    Answer::NoSeats { stats: stats(free), errors: Vec::new() }
}

fn busy(status: u16, retry_after: impl Into<Option<u64>>) -> Answer {
    Answer::Busy { status, retry_after: retry_after.into().map(Duration::from_secs), words: "busy".to_owned() }
}

/// As many as one request takes in a run, with the settings of these tests.
const LOSSES: usize = 7;
/// As many as a batch of eight takes whose members are all refused.
const GONE: usize = 13;

fn lost() -> Answer {
    Answer::Lost { cause: "no answer within 30s".to_owned() }
}

fn assign(names: &str) -> Work {
    Work { assign: addresses(names), ..Work::default() }
}

fn unassign(names: &str) -> Work {
    Work { unassign: addresses(names), ..Work::default() }
}

fn resume(operation: Operation, names: &str) -> Vec<(IntentId, NewIntent)> {
    vec![(IntentId(7), NewIntent { operation, addresses: addresses(names), again: false })]
}

fn local(address: &Address) -> &str {
    address.spelling().split('@').next().unwrap()
}

fn names(addresses: &[Address]) -> String {
    addresses.iter().map(local).collect::<Vec<_>>().join(" ")
}

fn outcomes(outcomes: &[(Address, Outcome)]) -> String {
    let one = |(address, outcome): &(Address, Outcome)| match outcome {
        Outcome::NotDone { .. } => format!("{} not done", local(address)),
        Outcome::Unknown { .. } => format!("{} unknown", local(address)),
        other => format!("{} {other:?}", local(address)),
    };
    outcomes.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn commit_line(commit: &Commit) -> String {
    let mut line = "commit".to_owned();
    if let Some((id, settled)) = &commit.settled {
        write!(line, " | #{} {}", id.0, outcomes(settled)).unwrap();
    }
    if let Some(intent) = &commit.intent {
        write!(line, " | intent {} {}", intent.operation.method(), names(&intent.addresses)).unwrap();
    }
    if !commit.left.is_empty() {
        write!(line, " | left {}", outcomes(&commit.left)).unwrap();
    }
    if let Some(habits) = commit.habits {
        write!(line, " | {habits:?}").unwrap();
    }
    if commit.full {
        line.push_str(" | full");
    }
    line
}

/// Answers in order; where they end, the run is stopped.
fn script(batch_size: usize, work: Work, answers: impl IntoIterator<Item = Answer>) -> String {
    let mut answers = answers.into_iter();
    let (mut now, mut next_id, mut lines) = (Duration::ZERO, 0, String::new());
    let mut machine = Machine::new(settings(batch_size), work);
    loop {
        let line = match machine.next(now) {
            Step::Commit(commit) => {
                let intent = commit.intent.is_some().then(|| {
                    next_id += 1;
                    IntentId(next_id)
                });
                machine.committed(intent);
                commit_line(&commit)
            }
            Step::Send(request) => {
                let line = format!("{} {}", request.operation.method(), names(&request.addresses));
                match answers.next() {
                    Some(answer) => machine.answered(now, answer),
                    None => machine.stop(),
                }
                line
            }
            Step::Wait(until) => {
                let line = format!("wait {:.1} s", until.saturating_sub(now).as_secs_f64());
                now = until;
                line
            }
            Step::Done(report) => {
                assert_eq!(answers.next(), None, "an answer that nobody asked for\n{lines}");
                let Report { requests, assigned, unassigned, pending, quarantined, unknown, stopped, .. } = report;
                let stopped = stopped.map_or(String::new(), |stop| format!(" ({stop})"));
                write!(lines, "{requests} requests: {assigned}+ {unassigned}- {pending} pending, {quarantined} ")
                    .unwrap();
                write!(lines, "quarantined, {unknown} unknown{stopped}").unwrap();
                return lines;
            }
        };
        writeln!(lines, "{line}").unwrap();
    }
}

#[test]
fn nothing_to_do_is_done_at_once() {
    assert_snapshot!(script(2, Work::default(), []), @r"
    0 requests: 0+ 0- 0 pending, 0 quarantined, 0 unknown
    ");
}

#[test]
fn leavers_go_before_joiners_and_each_request_has_one_commit() {
    let rename = addresses("old new");
    let work = Work {
        unassign: addresses("a b"),
        rename: vec![(rename[0].clone(), rename[1].clone())],
        assign: addresses("c d"),
        ..Work::default()
    };
    assert_snapshot!(script(2, work, [done(3), done(4), done(2), done(1)]), @r"
    commit | intent DELETE a b
    DELETE a b
    commit | #1 a Unassigned, b Unassigned | intent DELETE old
    DELETE old
    commit | #2 old Unassigned | intent PUT new c
    PUT new c
    commit | #3 new Assigned, c Assigned | intent PUT d
    PUT d
    commit | #4 d Assigned
    4 requests: 3+ 3- 0 pending, 0 quarantined, 0 unknown
    ");
}

#[test]
fn named_offenders_are_set_aside_and_the_rest_goes_again() {
    let words = ["'b@x.example' is not valid", "bb@x.example is already assigned", "a@elsewhere.example is bad"];
    assert_snapshot!(script(9, assign("a b bb c"), [refused(&words), done(5)]), @r#"
    commit | intent PUT a b bb c
    PUT a b bb c
    commit | #1 b Refused { words: "'b@x.example' is not valid" }, bb AssignedAlready { words: "bb@x.example is already assigned" }, a not done, c not done | intent PUT a c
    PUT a c
    commit | #2 a Assigned, c Assigned
    2 requests: 3+ 0- 0 pending, 1 quarantined, 0 unknown
    "#);
}

#[test]
fn an_offender_that_nobody_names_is_found_by_halves() {
    let bad = || refused(&["an address is not valid"]);
    assert_snapshot!(script(8, assign("a b c d e f g h"), [bad(), done(9), bad(), done(9), done(9)]), @r#"
    commit | intent PUT a b c d e f g h
    PUT a b c d e f g h
    PUT a b c d
    commit | #1 a Assigned, b Assigned, c Assigned, d Assigned, e not done, f not done, g not done, h not done | intent PUT e f g h
    PUT e f
    PUT e
    commit | #2 e Assigned, f Refused { words: "an address is not valid" }, g not done, h not done | intent PUT g h
    PUT g h
    commit | #3 g Assigned, h Assigned
    5 requests: 7+ 0- 0 pending, 1 quarantined, 0 unknown
    "#);
}

#[test]
fn an_unassignment_named_for_another_reason_is_tried_alone() {
    let answers = [
        refused(&["a@x.example is not currently assigned", "b@x.example is locked"]),
        done(5),
        refused(&["b@x.example is locked"]),
    ];
    assert_snapshot!(script(9, unassign("a b c"), answers), @r#"
    commit | intent DELETE a b c
    DELETE a b c
    commit | #1 a UnassignedAlready { words: "a@x.example is not currently assigned" }, c not done, b not done | intent DELETE c b
    DELETE c
    commit | #2 c Unassigned, b not done | intent DELETE b
    DELETE b
    commit | #3 b Refused { words: "b@x.example is locked" }
    3 requests: 0+ 2- 0 pending, 1 quarantined, 0 unknown
    "#);
}

#[test]
fn a_complaint_about_the_request_itself_says_nothing_about_who_is_assigned() {
    for words in ["The field 'client' is missing.", "The ApiVersion field is required."] {
        let transcript = script(9, unassign("a"), [refused(&[words])]);
        assert!(transcript.contains(&format!("a Refused {{ words: {words:?} }}")), "{transcript}");
    }
    for words in ["Nothing to do.", "The person is missing.", "It left the field."] {
        let unclear = script(9, unassign("a"), [refused(&[words])]);
        assert!(unclear.contains("a UnassignedAlready"), "{unclear}");
    }
    // Of several it is said of nobody before they are asked for alone.
    let several = script(9, unassign("a b"), [refused(&["b@x.example: a field is missing"]), done(0), done(0)]);
    assert!(several.contains("b Unassigned") && !several.contains("b Refused"), "{several}");
}

#[test]
fn no_more_are_asked_for_than_fit() {
    let work = Work { seats: stats(3), ..assign("a b c d e") };
    assert_snapshot!(script(2, work, [done(1), done(0)]), @r"
    commit | intent PUT a b
    PUT a b
    commit | #1 a Assigned, b Assigned | intent PUT c
    PUT c
    commit | #2 c Assigned | left d NoSeat, e NoSeat
    2 requests: 3+ 0- 2 pending, 0 quarantined, 0 unknown
    ");
}

#[test]
fn a_full_subscription_is_asked_by_one_probe_only() {
    let work = Work { seats: stats(0), ..assign("a b c") };
    assert_snapshot!(script(2, work.clone(), []), @r"
    commit | left a NoSeat, b NoSeat, c NoSeat
    0 requests: 0+ 0- 3 pending, 0 quarantined, 0 unknown
    ");
    assert_snapshot!(script(2, Work { probe: true, ..work.clone() }, [full(None)]), @r"
    commit | intent PUT a
    PUT a
    commit | #1 a NoSeat | left b NoSeat, c NoSeat | full
    1 requests: 0+ 0- 3 pending, 0 quarantined, 0 unknown
    ");
    assert_snapshot!(script(2, Work { probe: true, ..work }, [done(1), done(0)]), @r"
    commit | intent PUT a
    PUT a
    commit | #1 a Assigned | intent PUT b
    PUT b
    commit | #2 b Assigned | left c NoSeat
    2 requests: 2+ 0- 1 pending, 0 quarantined, 0 unknown
    ");
}

#[test]
fn a_probe_that_is_refused_for_another_reason_is_over() {
    let work = Work { seats: stats(0), probe: true, ..assign("a b") };
    assert_snapshot!(script(2, work, [refused(&["bad"])]), @r#"
    commit | intent PUT a
    PUT a
    commit | #1 a Refused { words: "bad" } | left b NoSeat
    1 requests: 0+ 0- 1 pending, 1 quarantined, 0 unknown
    "#);
}

#[test]
fn how_many_fit_is_found_by_halves_where_nothing_tells() {
    let answers = [full(None), done(None), full(None), done(None)];
    assert_snapshot!(script(8, assign("a b c d e f g h i"), answers), @r"
    commit | intent PUT a b c d e f g h
    PUT a b c d e f g h
    PUT a b c d
    commit | #1 a Assigned, b Assigned, c Assigned, d Assigned, e not done, f not done, g not done, h not done | intent PUT e f g h
    PUT e f
    PUT e
    commit | #2 e Assigned, f NoSeat, g NoSeat, h NoSeat | left i NoSeat | full
    4 requests: 5+ 0- 4 pending, 0 quarantined, 0 unknown
    ");
}

#[test]
fn stats_of_a_402_say_how_many_fit() {
    assert_snapshot!(script(8, assign("a b c d e"), [full(3), done(0)]), @r"
    commit | intent PUT a b c d e
    PUT a b c d e
    PUT a b c
    commit | #1 a Assigned, b Assigned, c Assigned, d NoSeat, e NoSeat
    2 requests: 3+ 0- 2 pending, 0 quarantined, 0 unknown
    ");
}

#[test]
fn freed_seats_are_given_to_those_who_wait() {
    let work = Work { seats: stats(0), ..unassign("a b") };
    assert_snapshot!(script(9, Work { assign: addresses("c d e"), ..work }, [done(2), done(0)]), @r"
    commit | intent DELETE a b
    DELETE a b
    commit | #1 a Unassigned, b Unassigned | intent PUT c d
    PUT c d
    commit | #2 c Assigned, d Assigned | left e NoSeat
    2 requests: 2+ 2- 1 pending, 0 quarantined, 0 unknown
    ");
}

#[test]
fn a_refused_key_changes_nothing_and_ends_the_run() {
    let refused = Answer::KeyRefused { status: 404, words: "not found".to_owned() };
    let work = Work { assign: addresses("c"), ..unassign("a b") };
    assert_snapshot!(script(1, work, [refused.clone()]), @r"
    commit | intent DELETE a
    DELETE a
    commit | #1 a not done | left b not done, c not done
    1 requests: 0+ 0- 0 pending, 0 quarantined, 0 unknown (the server does not accept the API key: not found)
    ");
    let work = Work { resume: resume(Operation::Unassign, "z"), ..assign("c") };
    assert_snapshot!(script(1, work, [refused]), @r"
    DELETE z
    commit | #7 z unknown | left c not done
    1 requests: 0+ 0- 0 pending, 0 quarantined, 1 unknown (the server does not accept the API key: not found)
    ");
}

#[test]
fn a_refused_key_says_nothing_of_anybody_whatever_it_looks_like() {
    // A 404 to a DELETE looks like "not assigned", the more so with these words.
    let body = br#"{"success": false, "errors": ["a@x.example is not assigned"]}"#;
    for (status, operation, names) in [401, 403, 404].into_iter().flat_map(|status| {
        let both = [Operation::Assign, Operation::Unassign];
        both.into_iter().flat_map(move |operation| ["a", "a b c"].map(|names| (status, operation, names)))
    }) {
        let now = chrono::DateTime::UNIX_EPOCH;
        let answer = wire::read(status, wire::Headers::default(), body, "5c3d4b1a-0000-4000-8000-000000000001", now);
        let fresh = match operation {
            Operation::Assign => assign(names),
            Operation::Unassign => unassign(names),
        };
        let resumed = Work { resume: resume(operation, names), ..Work::default() };
        for (work, in_doubt) in [(fresh, false), (resumed, true)] {
            let run = run(settings(9), work, |_| answer.clone());
            let case = format!("{status} to {operation:?} {names}, in doubt: {in_doubt}");
            assert_eq!(run.requests.len(), 1, "{case}");
            assert!(matches!(run.report.stopped, Some(Stop::KeyRefused { .. })), "{case}");
            let as_before = |outcome: &Outcome| match outcome {
                Outcome::Unknown { .. } => in_doubt,
                Outcome::NotDone { .. } => !in_doubt,
                _ => false,
            };
            assert!(run.records.outcomes.values().all(as_before), "{case}: {:?}", run.records.outcomes);
            assert_eq!(run.records.open.len(), usize::from(in_doubt), "{case}");
        }
    }
}

#[test]
fn a_redirect_ends_the_run() {
    let answer = Answer::Redirect { status: 307, target: "https://elsewhere.example".to_owned() };
    assert_snapshot!(script(9, assign("a b"), [answer]), @r"
    commit | intent PUT a b
    PUT a b
    commit | #1 a not done, b not done
    1 requests: 0+ 0- 0 pending, 0 quarantined, 0 unknown (the server redirects to https://elsewhere.example, which is not followed)
    ");
}

#[test]
fn a_busy_server_is_asked_again_without_another_commit() {
    assert_snapshot!(script(9, assign("a b"), [busy(429, 5), busy(503, None), lost(), done(5)]), @r"
    commit | intent PUT a b
    PUT a b
    wait 5.0 s
    PUT a b
    wait 0.5 s
    PUT a b
    wait 0.5 s
    PUT a b
    commit | #1 a Assigned, b Assigned
    4 requests: 2+ 0- 0 pending, 0 quarantined, 0 unknown
    ");
}

#[test]
fn a_retry_after_beyond_the_patience_of_a_run_ends_it() {
    assert_snapshot!(script(9, assign("a b"), [busy(429, 31)]), @r"
    commit | intent PUT a b
    PUT a b
    commit | #1 a not done, b not done
    1 requests: 0+ 0- 0 pending, 0 quarantined, 0 unknown (the server can't be reached: status 429: busy)
    ");
    assert_snapshot!(script(9, assign("a b"), [busy(503, 31)]), @r"
    commit | intent PUT a b
    PUT a b
    commit | #1 a unknown, b unknown
    1 requests: 0+ 0- 0 pending, 0 quarantined, 2 unknown (the server can't be reached: status 503: busy)
    ");
}

#[test]
fn what_stays_lost_is_unknown_and_behind_its_open_intent() {
    let lost_for = std::iter::repeat_with(lost).take(LOSSES);
    assert_snapshot!(script(1, assign("a b"), lost_for), @r"
    commit | intent PUT a
    PUT a
    wait 0.3 s
    PUT a
    wait 0.5 s
    PUT a
    wait 0.5 s
    PUT a
    wait 3.1 s
    PUT a
    wait 0.1 s
    PUT a
    wait 12.5 s
    PUT a
    commit | #1 a unknown | left b not done
    7 requests: 0+ 0- 0 pending, 0 quarantined, 1 unknown (the server can't be reached: no answer within 30s)
    ");
}

#[test]
fn open_intents_are_sent_again_before_anything_else() {
    let work = Work { resume: resume(Operation::Assign, "z y"), ..unassign("a") };
    assert_snapshot!(script(9, work, [done(5), done(6)]), @r"
    PUT z y
    commit | #7 z Assigned, y Assigned | intent DELETE a
    DELETE a
    commit | #1 a Unassigned
    2 requests: 2+ 1- 0 pending, 0 quarantined, 0 unknown
    ");
}

#[test]
fn a_request_that_is_too_large_is_halved_for_good() {
    let answers = [Answer::TooLarge, Answer::TooLarge, done(9), done(9), done(9), done(9), done(9)];
    assert_snapshot!(script(4, assign("a b c d e"), answers), @r"
    commit | intent PUT a b c d
    PUT a b c d
    PUT a b
    PUT a
    commit | #1 a Assigned, b not done, c not done, d not done | intent PUT b c d | Habits { batch_size: Some(1), puts_apply_rest: false, deletes_apply_rest: false, refuses_again: false }
    PUT b
    commit | #2 b Assigned, c not done, d not done | intent PUT c d
    PUT c
    commit | #3 c Assigned, d not done | intent PUT d
    PUT d
    commit | #4 d Assigned | intent PUT e
    PUT e
    commit | #5 e Assigned
    7 requests: 5+ 0- 0 pending, 0 quarantined, 0 unknown
    ");
}

#[test]
fn a_server_that_refuses_even_one_address_as_too_large_ends_the_run_and_nobody_is_quarantined() {
    let too_large = || std::iter::repeat_with(|| Answer::TooLarge);
    assert_snapshot!(script(4, assign("a b c d e"), too_large().take(3)), @r"
    commit | intent PUT a b c d
    PUT a b c d
    PUT a b
    PUT a
    commit | #1 a not done, b not done, c not done, d not done | left e not done | Habits { batch_size: None, puts_apply_rest: false, deletes_apply_rest: false, refuses_again: false }
    3 requests: 0+ 0- 0 pending, 0 quarantined, 0 unknown (the server refuses even a request with one address as too large (413))
    ");
    assert_snapshot!(script(1, unassign("a b"), too_large().take(1)), @r"
    commit | intent DELETE a
    DELETE a
    commit | #1 a not done | left b not done | Habits { batch_size: None, puts_apply_rest: false, deletes_apply_rest: false, refuses_again: false }
    1 requests: 0+ 0- 0 pending, 0 quarantined, 0 unknown (the server refuses even a request with one address as too large (413))
    ");
    let habits = Habits { batch_size: Some(2), ..Habits::default() };
    assert_snapshot!(script(4, Work { habits, ..assign("a b c") }, too_large().take(2)), @r"
    commit | intent PUT a b
    PUT a b
    PUT a
    commit | #1 a not done, b not done | left c not done | Habits { batch_size: Some(2), puts_apply_rest: false, deletes_apply_rest: false, refuses_again: false }
    2 requests: 0+ 0- 0 pending, 0 quarantined, 0 unknown (the server refuses even a request with one address as too large (413))
    ");
    let work = Work { resume: resume(Operation::Unassign, "z"), ..assign("c") };
    assert_snapshot!(script(4, work, too_large().take(1)), @r"
    DELETE z
    commit | #7 z unknown | left c not done | Habits { batch_size: None, puts_apply_rest: false, deletes_apply_rest: false, refuses_again: false }
    1 requests: 0+ 0- 0 pending, 0 quarantined, 1 unknown (the server refuses even a request with one address as too large (413))
    ");
}

#[test]
fn a_run_that_is_stopped_withdraws_what_it_has_not_sent() {
    assert_snapshot!(script(2, assign("a b c"), []), @r"
    commit | intent PUT a b
    PUT a b
    commit | #1 a not done, b not done | left c not done
    0 requests: 0+ 0- 0 pending, 0 quarantined, 0 unknown (rosterd was ending)
    ");
    assert_snapshot!(script(2, assign("a b c"), [busy(503, None)]), @r"
    commit | intent PUT a b
    PUT a b
    wait 0.3 s
    PUT a b
    commit | #1 a unknown, b unknown | left c not done
    1 requests: 0+ 0- 0 pending, 0 quarantined, 2 unknown (rosterd was ending)
    ");
    assert_snapshot!(script(4, assign("a b c d e"), [refused(&["bad"]), done(5)]), @r"
    commit | intent PUT a b c d
    PUT a b c d
    PUT a b
    commit | #1 a Assigned, b Assigned, c not done, d not done | intent PUT c d
    PUT c
    commit | #2 c unknown, d unknown | left e not done
    2 requests: 2+ 0- 0 pending, 0 quarantined, 2 unknown (rosterd was ending)
    ");
}

#[test]
fn a_request_in_flight_is_still_recorded_after_a_stop() {
    let mut machine = Machine::new(settings(2), assign("a b c"));
    assert!(matches!(machine.next(Duration::ZERO), Step::Commit(_)));
    machine.committed(Some(IntentId(1)));
    assert!(matches!(machine.next(Duration::ZERO), Step::Send(_)));
    machine.stop();
    machine.answered(Duration::ZERO, done(5));
    let Step::Commit(commit) = machine.next(Duration::ZERO) else { panic!("nothing is recorded") };
    assert_snapshot!(commit_line(&commit), @r"
    commit | #1 a Assigned, b Assigned | left c not done
    ");
    machine.committed(None);
    assert!(matches!(machine.next(Duration::ZERO), Step::Done(Report { stopped: Some(Stop::Shutdown), .. })));
}

#[test]
fn a_402_to_an_unassignment_is_never_taken_for_an_answer() {
    let answers = std::iter::repeat_with(|| full(0)).take(LOSSES);
    assert_snapshot!(script(9, unassign("a"), answers), @r"
    commit | intent DELETE a
    DELETE a
    wait 0.3 s
    DELETE a
    wait 0.5 s
    DELETE a
    wait 0.5 s
    DELETE a
    wait 3.1 s
    DELETE a
    wait 0.1 s
    DELETE a
    wait 12.5 s
    DELETE a
    commit | #1 a unknown
    7 requests: 0+ 0- 0 pending, 0 quarantined, 1 unknown (the server can't be reached: an unassignment was answered 402: refused without a word why)
    ");
}

#[test]
fn a_server_that_refuses_what_it_applied_is_known_again_in_the_next_run() {
    let gone = || refused(&["not assigned"]);
    let first = script(8, unassign("a b c d e f g h"), std::iter::repeat_with(gone).take(GONE));
    assert_snapshot!(first, @r#"
    commit | intent DELETE a b c d e f g h
    DELETE a b c d e f g h
    DELETE a b c d
    DELETE a b
    DELETE a
    commit | #1 a UnassignedAlready { words: "not assigned" }, b not done, c not done, d not done, e not done, f not done, g not done, h not done | intent DELETE b c d e f g h
    DELETE b c d e f g h
    DELETE b c d
    DELETE b
    commit | #2 b UnassignedAlready { words: "not assigned" }, c not done, d not done, e not done, f not done, g not done, h not done | intent DELETE c d e f g h
    DELETE c
    commit | #3 c UnassignedAlready { words: "not assigned" }, d not done, e not done, f not done, g not done, h not done | intent DELETE d e f g h
    DELETE d
    commit | #4 d UnassignedAlready { words: "not assigned" }, e not done, f not done, g not done, h not done | intent DELETE e f g h
    DELETE e
    commit | #5 e UnassignedAlready { words: "not assigned" }, f not done, g not done, h not done | intent DELETE f g h
    DELETE f
    commit | #6 f UnassignedAlready { words: "not assigned" }, g not done, h not done | intent DELETE g h
    DELETE g
    commit | #7 g UnassignedAlready { words: "not assigned" }, h not done | intent DELETE h
    DELETE h
    commit | #8 h UnassignedAlready { words: "not assigned" } | Habits { batch_size: None, puts_apply_rest: false, deletes_apply_rest: true, refuses_again: false }
    13 requests: 0+ 8- 0 pending, 0 quarantined, 0 unknown
    "#);
    let habits = Habits { deletes_apply_rest: true, ..Habits::default() };
    let answers = [gone(), gone(), done(5), done(5)];
    assert_snapshot!(script(8, Work { habits, ..unassign("a b c d") }, answers), @r#"
    commit | intent DELETE a b c d
    DELETE a b c d
    DELETE a
    commit | #1 a UnassignedAlready { words: "not assigned" }, b not done, c not done, d not done | intent DELETE b c d
    DELETE b
    commit | #2 b Unassigned, c not done, d not done | intent DELETE c d
    DELETE c d
    commit | #3 c Unassigned, d Unassigned | Habits { batch_size: None, puts_apply_rest: false, deletes_apply_rest: false, refuses_again: false }
    4 requests: 0+ 4- 0 pending, 0 quarantined, 0 unknown
    "#);
}
