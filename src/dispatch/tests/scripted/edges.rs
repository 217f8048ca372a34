//! What an answer means at its edges: each transcript would be another if the rule were a little wider or narrower.

use super::*;

#[test]
fn a_refusal_after_which_nobody_was_done_before_leaves_the_count_of_seats() {
    let work = Work { resume: resume(Operation::Assign, "z"), seats: stats(1), ..assign("a b") };
    assert_snapshot!(script(9, work, [refused(&["z@x.example is not valid"]), done(0)]), @r#"
    PUT z
    commit | #7 z Refused { words: "z@x.example is not valid" } | intent PUT a
    PUT a
    commit | #1 a Assigned | left b NoSeat
    2 requests: 1+ 0- 1 pending, 1 quarantined, 0 unknown
    "#);
}

#[test]
fn after_a_refusal_that_hides_who_was_done_before_the_count_of_seats_is_not_known() {
    // The first refusal says it of somebody: a may have been assigned by this request, or long before it.
    let already = || refused(&["an address is already assigned"]);
    let work = Work { seats: stats(3), ..assign("a b c d e") };
    assert_snapshot!(script(2, work, [already(), already(), done(None), done(None), done(0)]), @r#"
    commit | intent PUT a b
    PUT a b
    PUT a
    commit | #1 a AssignedAlready { words: "an address is already assigned" }, b not done | intent PUT b
    PUT b
    commit | #2 b Assigned | intent PUT c d
    PUT c d
    commit | #3 c Assigned, d Assigned | intent PUT e
    PUT e
    commit | #4 e Assigned
    5 requests: 5+ 0- 0 pending, 0 quarantined, 0 unknown
    "#);
    // So it may where the request had been sent before, whatever the first refusal says.
    let work = Work { resume: resume(Operation::Assign, "z y"), seats: stats(1), ..assign("a b") };
    let words = |name: &str| refused(&[&format!("{name}@x.example is already assigned")]);
    assert_snapshot!(script(9, work, [words("z"), words("y"), done(0)]), @r#"
    PUT z y
    commit | #7 z AssignedAlready { words: "z@x.example is already assigned" }, y not done | intent PUT y
    PUT y
    commit | #1 y AssignedAlready { words: "y@x.example is already assigned" } | intent PUT a b
    PUT a b
    commit | #2 a Assigned, b Assigned
    3 requests: 4+ 0- 0 pending, 0 quarantined, 0 unknown
    "#);
}

#[test]
fn a_402_whose_stats_say_that_all_fit_is_searched_by_halves() {
    assert_snapshot!(script(8, assign("a b c d"), [full(4), done(2), done(0)]), @"
    commit | intent PUT a b c d
    PUT a b c d
    PUT a b
    commit | #1 a Assigned, b Assigned, c not done, d not done | intent PUT c d
    PUT c
    commit | #2 c Assigned, d NoSeat
    3 requests: 3+ 0- 1 pending, 0 quarantined, 0 unknown
    ");
}

#[test]
fn whether_those_who_are_left_fit_is_asked_anew_once_there_are_fewer_than_did_not() {
    assert_snapshot!(script(8, assign("a b c d"), [full(None), refused(&["b@x.example is bad"]), done(0)]), @r#"
    commit | intent PUT a b c d
    PUT a b c d
    PUT a b
    commit | #1 b Refused { words: "b@x.example is bad" }, a not done, c not done, d not done | intent PUT a c d
    PUT a c d
    commit | #2 a Assigned, c Assigned, d Assigned
    3 requests: 3+ 0- 0 pending, 1 quarantined, 0 unknown
    "#);
}

#[test]
fn an_offender_needs_no_seat_and_makes_no_room() {
    assert_snapshot!(script(8, assign("a b c"), [full(1), refused(&["a@x.example is bad"]), done(0)]), @r#"
    commit | intent PUT a b c
    PUT a b c
    PUT a
    commit | #1 a Refused { words: "a@x.example is bad" }, b not done, c not done | intent PUT b c
    PUT b
    commit | #2 b Assigned, c NoSeat
    3 requests: 1+ 0- 1 pending, 1 quarantined, 0 unknown
    "#);
}

#[test]
fn a_refused_unassignment_leaves_the_probe_to_whoever_waits() {
    let work = Work { seats: stats(0), probe: true, assign: addresses("b"), ..unassign("a") };
    let answers = [refused(&["a@x.example is not assigned"]), full(0)];
    assert_snapshot!(script(9, work, answers), @r#"
    commit | intent DELETE a
    DELETE a
    commit | #1 a UnassignedAlready { words: "a@x.example is not assigned" } | intent PUT b
    PUT b
    commit | #2 b NoSeat
    2 requests: 0+ 1- 1 pending, 0 quarantined, 0 unknown
    "#);
}

#[test]
fn a_retry_after_of_just_the_patience_of_a_run_is_waited_for() {
    assert_snapshot!(script(9, assign("a"), [busy(429, 30), done(0)]), @"
    commit | intent PUT a
    PUT a
    wait 30.0 s
    PUT a
    commit | #1 a Assigned
    2 requests: 1+ 0- 0 pending, 0 quarantined, 0 unknown
    ");
}

#[test]
fn a_key_that_is_refused_without_a_word_is_told_without_one() {
    let answer = Answer::KeyRefused { status: 401, words: String::new() };
    let told = script(9, assign("a"), [answer]);
    assert!(told.ends_with("(the server does not accept the API key)"), "{told}");
}
