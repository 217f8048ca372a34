//! What servers say of several people at once, in sentences that can be misread: nobody is believed to have a seat, or
//! refused one, for what is said of somebody else.

use super::*;

/// What became of each, in order, and what was sent.
fn told(run: &Run) -> (String, usize) {
    let one = |(address, outcome): (&Address, &Outcome)| {
        let what = match outcome {
            Outcome::Assigned => "assigned",
            Outcome::AssignedAlready { .. } => "already",
            Outcome::Unassigned => "unassigned",
            Outcome::UnassignedAlready { .. } => "not assigned",
            Outcome::Refused { .. } => "refused",
            Outcome::NoSeat => "pending",
            other => panic!("{address}: {other:?}"),
        };
        format!("{} {what}", local(address))
    };
    (run.records.outcomes.iter().map(one).collect::<Vec<_>>().join(", "), run.requests.len())
}

/// A server that refuses what this says, in these words, and is content with anything else.
fn talk(work: Work, refuses: impl Fn(&[&str]) -> Option<String>) -> (String, usize) {
    let run = run(settings(9), work, |request| {
        let names: Vec<&str> = request.addresses.iter().map(local).collect();
        refuses(&names).map_or(done(None), |words| refused(&[&words]))
    });
    told(&run)
}

fn all(names: &[&str]) -> String {
    names.iter().map(|name| format!("{name}@x.example")).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_list_of_people_assigned_already_or_invalid_says_nothing_of_anybody() {
    let words = |names: &[&str]| format!("Some addresses are already assigned or invalid: {}", all(names));
    // Each is accepted alone.
    let (outcomes, sent) = talk(assign("a b c d e f"), |names| (names.len() > 1).then(|| words(names)));
    assert_eq!(outcomes, "a assigned, b assigned, c assigned, d assigned, e assigned, f assigned");
    assert!(sent <= 6 + 4, "{sent} requests");
    // One is not, and no word is plain enough to say that it has a seat.
    let (outcomes, sent) = talk(assign("a b c d"), |names| names.contains(&"b").then(|| words(names)));
    assert_eq!(outcomes, "a assigned, b refused, c assigned, d assigned");
    assert!(sent <= 5, "{sent} requests");
}

#[test]
fn one_sentence_about_a_bad_address_and_one_that_is_assigned_already_takes_neither_for_the_other() {
    let sentence = "Could not assign: a@x.example (mailbox unknown), b@x.example (already assigned)";
    let server = |names: &[&str]| match names {
        ["b"] => Some("b@x.example is already assigned".to_owned()),
        names => names.iter().any(|name| "ab".contains(name)).then(|| sentence.to_owned()),
    };
    assert_eq!(talk(assign("a b d"), server).0, "a refused, b already, d assigned");
    assert_eq!(talk(assign("d b a"), server).0, "a refused, b already, d assigned");
}

#[test]
fn a_400_that_says_that_all_licences_are_taken_makes_people_wait() {
    for words in [
        "Cannot assign a@x.example: all licenses are already in use",
        "a@x.example: the maximum number of licences has already been reached",
        "No licences left.",
    ] {
        assert_eq!(talk(assign("a"), |_| Some(words.to_owned())), ("a pending".to_owned(), 1), "{words}");
        // Two fit.
        let server = |names: &[&str]| (names.len() > 2 || names == ["c"]).then(|| words.to_owned());
        assert_eq!(talk(assign("a b c d"), server).0, "a assigned, b assigned, c pending, d pending", "{words}");
        // Nine are free, by the server's own count: so it says it of one.
        let server = |names: &[&str]| names.contains(&"a").then(|| words.to_owned());
        let work = Work { seats: stats(9), ..assign("a b c d") };
        let (outcomes, _) = talk(work, server);
        assert!(outcomes.starts_with("a pending"), "{words}: {outcomes}");
    }
}

#[test]
fn what_has_already_happened_to_the_subscription_is_no_assignment() {
    for words in [
        "Cannot assign a@x.example: the subscription has already expired",
        "a@x.example was already rejected",
        "a@x.example is already assigned to another subscription",
    ] {
        assert_eq!(talk(assign("a"), |_| Some(words.to_owned())), ("a refused".to_owned(), 1), "{words}");
        let server = |names: &[&str]| names.contains(&"a").then(|| words.to_owned());
        assert_eq!(talk(assign("a b c"), server), ("a refused, b assigned, c assigned".to_owned(), 3), "{words}");
    }
}

#[test]
fn who_could_not_be_unassigned_keeps_the_seat() {
    let sentence =
        "a@x.example could not be unassigned: a@x.example is locked by an administrator, b@x.example is not assigned";
    let server = |names: &[&str]| match names {
        ["a"] => Some("a@x.example: a licence can not be unassigned within 30 days".to_owned()),
        ["b"] => Some("b@x.example is not assigned".to_owned()),
        names => names.iter().any(|name| "ab".contains(name)).then(|| sentence.to_owned()),
    };
    assert_eq!(talk(unassign("a b c"), server).0, "a refused, b not assigned, c unassigned");
    let server = |names: &[&str]| names.contains(&"a").then(|| "a@x.example could not be unassigned".to_owned());
    assert_eq!(talk(unassign("a b"), server).0, "a refused, b unassigned");
}

#[test]
fn who_is_only_suggested_is_not_refused() {
    for words in [
        "jnae@x.example does not exist; did you mean jane@x.example?",
        "An address does not exist; did you mean jane@x.example?",
    ] {
        let server = |names: &[&str]| names.contains(&"jnae").then(|| words.to_owned());
        let (outcomes, sent) = talk(assign("jane jnae p q r"), server);
        assert_eq!(outcomes, "jane assigned, jnae refused, p assigned, q assigned, r assigned", "{words}");
        assert!(sent <= 5, "{sent} requests");
    }
}
