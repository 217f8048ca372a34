//! When a pass has nothing to write.

use super::*;

/// Whether the ledger says what the plan of this one candidate says.
fn is_recorded(candidate: Candidate) -> bool {
    let mut input = world();
    input.policy.domains = vec!["contoso.com".to_owned()];
    let plan = plan(&mut input, vec![candidate]);
    plan.is_recorded(&input)
}

#[test]
fn what_the_ledger_says_already_need_not_be_written() {
    let ahead = |raw: &str| candidate(raw).named(7, 100, "2026-12-01", "");
    let gone = || candidate("gus@contoso.com").gone(Reason::Vanished);
    let words = "the domain fabrikam.com is not among this subscription's domains";
    let set_aside = |reason: &str| {
        wanted("fay@fabrikam.com").is(MemberState::Quarantined).with(|member| member.reason = reason.to_owned())
    };
    assert!(is_recorded(wanted("anna@contoso.com").is(MemberState::Assigned)));
    assert!(is_recorded(wanted("anna@contoso.com").is(MemberState::Pending)));
    assert!(is_recorded(ahead("anna@contoso.com").is(MemberState::Waiting)));
    assert!(is_recorded(gone().is(MemberState::Leaving)));
    assert!(is_recorded(set_aside(words)));
}

#[test]
fn what_the_ledger_does_not_say_is_to_be_written() {
    let ahead = |raw: &str| candidate(raw).named(7, 100, "2026-12-01", "");
    assert!(!is_recorded(wanted("anna@contoso.com")));
    assert!(!is_recorded(wanted("anna@contoso.com").is(MemberState::Waiting)));
    assert!(!is_recorded(ahead("anna@contoso.com")));
    assert!(!is_recorded(ahead("anna@contoso.com").is(MemberState::Pending)));
    assert!(!is_recorded(candidate("gus@contoso.com").is(MemberState::Assigned).gone(Reason::Vanished)));
    assert!(!is_recorded(wanted("fay@fabrikam.com")));
    assert!(!is_recorded(wanted("fay@fabrikam.com").is(MemberState::Pending)));
    assert!(!is_recorded(wanted("fay@fabrikam.com").is(MemberState::Quarantined)), "for another reason");
    assert!(!is_recorded(wanted("ida@contoso.com").is(MemberState::Leaving)));
}

#[test]
fn only_who_waits_for_a_seat_is_pending() {
    let states = [MemberState::Pending, MemberState::Assigned, MemberState::Pending, MemberState::Waiting];
    let mut input = world();
    input.candidates = (0..).zip(states).map(|(n, state)| wanted(&format!("p{n}@contoso.com")).is(state)).collect();
    input.candidates.push(wanted("new@contoso.com"));
    input.candidates.push(wanted("away@contoso.com").is(MemberState::Leaving));
    assert_eq!(input.pending_members(), 2);
}
