//! What is said of each address, and of whose departure a plan speaks.

use super::*;

/// The details of all leavers of one plan, with the moments of their departures.
fn leaving(input: &mut PlanInput, candidates: Vec<Candidate>) -> Vec<(Reason, String, Timestamp)> {
    input.policy.guard.hold_after_change = true;
    let plan = plan(input, candidates);
    plan.leaving.into_iter().map(|leaving| (leaving.reason, leaving.detail, leaving.since)).collect()
}

#[test]
fn a_leaver_is_told_why_in_the_words_of_the_policy() {
    let mut input = world();
    input.policy.domains = vec!["contoso.com".to_owned()];
    let scope = |raw: &str, source: &str| {
        let mut candidate = candidate(raw).is(MemberState::Assigned).gone(Reason::Scope);
        candidate.departure.as_mut().unwrap().source = source.to_owned();
        candidate
    };
    let elsewhere = wanted("a@fabrikam.com").is(MemberState::Assigned);
    let details = leaving(&mut input, vec![elsewhere, scope("b@contoso.com", "hr"), scope("c@contoso.com", "")]);
    let details: Vec<_> = details.into_iter().map(|(reason, detail, _)| format!("{reason}: {detail}")).collect();
    insta::assert_snapshot!(details.join("\n"), @"
    scope: the domain fabrikam.com is not among this subscription's domains
    scope: no longer in what the configuration looks at in hr (staff.csv line 3)
    scope: no source of this subscription names it, and none said that it left
    ");
    let early = candidate("d@contoso.com").is(MemberState::Assigned).named(7, 100, "2026-12-01", "");
    assert_eq!(plan(&mut input, vec![early]).unassign[0].detail, "starts on 2026-12-01 only in hr (staff.csv line 7)");
}

#[test]
fn a_departure_is_as_old_as_the_one_that_is_known_for_the_same_reason() {
    let mut input = world();
    input.policy.exclude = globs(&["svc-*"]);
    let known = at("2026-11-01T00:00:00Z");
    let excluded = |reason| {
        wanted("svc-a@contoso.com")
            .is(MemberState::Leaving)
            .with(|m| m.departure = Some(Departure { at: known, ..departure(reason, None) }))
    };
    let since = |input: &mut PlanInput, candidate| leaving(input, vec![candidate])[0].2;
    assert_eq!(since(&mut input, excluded(Reason::Excluded)), known);
    assert_eq!(since(&mut input, excluded(Reason::Left)), now());
}

#[test]
fn a_renamed_person_goes_as_the_new_address_does() {
    let renamed_to = |new: Candidate| {
        let mut input = world();
        input.policy.exclude = globs(&["svc-*"]);
        let old = candidate("a@contoso.com").is(MemberState::Assigned).renamed(new.address.spelling());
        let plan = plan(&mut input, vec![old, new]);
        let (address, departure) = plan.departures[0].clone();
        assert_eq!((plan.departures.len(), address.spelling()), (1, "a@contoso.com"));
        (departure.reason, departure.at)
    };
    let (news, ended) = (at("2026-11-23T07:55:00Z"), at("2026-11-19T23:00:00Z"));
    assert_eq!(renamed_to(candidate("b@contoso.com")), (Reason::Left, news), "nobody names it any more");
    assert_eq!(renamed_to(candidate("b@contoso.com").gone(Reason::Removed)), (Reason::Removed, news));
    assert_eq!(renamed_to(wanted("svc-b@contoso.com")), (Reason::Excluded, now()));
    let over = candidate("b@contoso.com").named(7, 100, "", "2026-11-20");
    assert_eq!(renamed_to(over), (Reason::Ended, ended));
}

#[test]
fn a_renamed_person_keeps_the_seat_though_another_source_has_the_old_address_for_later() {
    let old = || candidate("a@contoso.com").named(7, 100, "2026-12-01", "").renamed("b@contoso.com");
    let moved = plan(&mut world(), vec![old().is(MemberState::Assigned), wanted("b@contoso.com")]);
    let [rename] = &moved.rename[..] else { panic!("{moved:?}") };
    assert_eq!((moved.fits, moved.unassign.len(), rename.to.spelling()), (Some(0), 0, "b@contoso.com"));
    assert!(matches!(rename.then.as_deref(), Some(Then::Waiting(_))), "{rename:?}");
    // Where the new address is refused the old one has the seat meanwhile.
    let refused = || wanted("b@contoso.com").is(MemberState::Quarantined).with(|m| m.refused = true);
    let kept = plan(&mut world(), vec![old().is(MemberState::Assigned), refused()]);
    assert!(matches!(kept.leaving[0].until, LeavingUntil::Renamed(_)), "{kept:?}");
    let claim = |m: &mut Member| (m.has_seat, m.claim) = (false, Some(Claim::Own));
    let back = plan(&mut world(), vec![old().is(MemberState::Pending).with(claim), refused()]);
    assert_eq!(back.assign[0].address.spelling(), "a@contoso.com");
}

#[test]
fn a_new_address_that_waits_for_a_seat_takes_over_the_old_ones() {
    for state in [MemberState::Pending, MemberState::Waiting, MemberState::Quarantined] {
        let candidates = vec![
            candidate("a@contoso.com").is(MemberState::Assigned).renamed("b@contoso.com"),
            wanted("b@contoso.com").is(state),
        ];
        assert_eq!(plan(&mut world(), candidates).rename.len(), 1, "{state:?}");
    }
}

#[test]
fn a_second_seat_of_one_person_is_given_back_while_there_are_too_few() {
    let mut input = world();
    input.seats = Some(Seats { available: 5, assigned: 6, as_of: now() });
    let candidates = vec![
        candidate("a@contoso.com").is(MemberState::Assigned).renamed("b@contoso.com"),
        wanted("b@contoso.com").is(MemberState::Assigned),
    ];
    assert_eq!(plan(&mut input, candidates).unassign[0].address, address("a@contoso.com"));
}

#[test]
fn whoever_is_named_often_is_told_the_first_three_places() {
    let named = |times: u32| (1..=times).fold(candidate("a@contoso.com"), |a, line| a.named(line, 100, "", ""));
    let detail = |times| plan(&mut world(), vec![named(times)]).assign[0].detail.clone();
    let three = "hr: staff.csv line 1, hr: staff.csv line 2, hr: staff.csv line 3";
    assert_eq!(detail(3), three);
    assert_eq!(detail(4), format!("{three}, and 1 more"));
    assert_eq!(detail(5), format!("{three}, and 2 more"));
}

#[test]
fn a_digest_moves_with_whoever_keeps_the_seat_and_with_what_is_settled() {
    let digest = |candidates| plan(&mut world(), candidates).digest;
    let gus = |reason| candidate("gus@contoso.com").is(MemberState::Assigned).gone(reason);
    let mut graces = world();
    graces.policy.removal_grace = Grace { left: DAY, disabled: DAY, vanished: DAY };
    let mut in_grace = |reason| plan(&mut graces, vec![gus(reason)]).digest;
    let (left, vanished) = (in_grace(Reason::Left), in_grace(Reason::Vanished));
    assert_ne!(left, vanished);
    let returned = |raw: &str| vec![wanted(raw).is(MemberState::Leaving)];
    assert_ne!(digest(returned("a@contoso.com")), digest(returned("b@contoso.com")));
    let dropped = |reason| vec![candidate("a@contoso.com").is(MemberState::Pending).gone(reason)];
    assert_ne!(digest(dropped(Reason::Left)), digest(dropped(Reason::Removed)));
}

#[test]
fn who_waits_for_a_free_seat_is_shown_and_signs_have_colours_on_a_terminal() {
    let mut input = world();
    input.seats = Some(Seats { available: 8, assigned: 7, as_of: now() });
    let plan = plan(&mut input, vec![wanted("a@contoso.com"), wanted("b@contoso.com"), wanted("c@contoso.com")]);
    insta::assert_snapshot!(shown(&plan), @"
    contoso:
      1 seat to give
        + a@contoso.com  hr: staff.csv line 7
      2 people wait for a free seat
        ? b@contoso.com  priority 100, waits since 2026-11-23 09:00 CET
        ? c@contoso.com  priority 100, waits since 2026-11-23 09:00 CET
    ");
    let style = |colour| Style { shown_max: 5, colour, ..Style::default() };
    let coloured = plan.display("contoso", style(true)).to_string();
    assert!(coloured.contains("\u{1b}[32m+\u{1b}[0m a@contoso.com"), "{coloured}");
    let bare = ["\u{1b}[32m", "\u{1b}[33m", "\u{1b}[0m"].iter().fold(coloured, |text, code| text.replace(code, ""));
    assert_eq!(bare, plan.display("contoso", style(false)).to_string());
}
