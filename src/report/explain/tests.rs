//! Every state and every rule, as the help desk reads it.

use std::time::Duration;

use super::*;
use crate::config::Globs;
use crate::member::{Departure, Member};
use crate::plan::{Hold, Removal};
use crate::roster::{Entry, PRIORITY_DEFAULT, Reason, When};

fn at(text: &str) -> Timestamp {
    When::parse(text).unwrap().about()
}

fn entry(email: &str) -> Entry {
    Entry {
        address: Address::parse(email).unwrap(),
        stable_id: None,
        route: None,
        priority: PRIORITY_DEFAULT,
        starts: None,
        ends: None,
        origin: "staff.csv line 7".into(),
    }
}

fn policy() -> Policy {
    Policy {
        exclude: Globs::new(&["svc-*".to_owned()]).unwrap(),
        protect: Globs::new(&["ceo@*".to_owned()]).unwrap(),
        domains: vec!["contoso.com".to_owned()],
        ..Policy::plain()
    }
}

const NOW: &str = "2026-11-23T08:00:00Z";

/// What contoso says of an address that nobody has heard of.
fn view(email: &str) -> View {
    let hr = SourceView {
        name: "hr".into(),
        place: "drops/hr".into(),
        accepted_at: Some(at("2026-11-23T07:50:00Z")),
        problem: None,
        bad_rows: Vec::new(),
        evidence: None,
    };
    View {
        subscription: "contoso".into(),
        policy: policy(),
        candidate: Candidate {
            address: Address::parse(email).unwrap(),
            entries: vec![],
            member: None,
            departure: None,
        },
        sources: vec![hr],
        seats: Some(Seats { available: 40, assigned: 40, as_of: at("2026-11-23T07:45:00Z") }),
        pending: 0,
        place: None,
        hold: None,
        problem: None,
        next_run: Some(at("2026-11-23T08:15:00Z")),
        next_probe: None,
    }
}

fn named(email: &str) -> View {
    let mut view = view(email);
    view.candidate.entries = vec![("hr".into(), entry(email))];
    view
}

fn member(email: &str, state: MemberState, reason: &str) -> Member {
    Member {
        address: Address::parse(email).unwrap(),
        state,
        since: at("2026-11-20T08:00:00Z"),
        reason: reason.into(),
        priority: PRIORITY_DEFAULT,
        has_seat: matches!(state, MemberState::Assigned | MemberState::Leaving),
        waiting_since: (state == MemberState::Pending).then(|| at("2026-11-20T08:00:00Z")),
        departure: None,
        kept: false,
        refused: false,
        claim: None,
    }
}

fn with_member(mut view: View, state: MemberState, reason: &str) -> View {
    view.candidate.member = Some(Box::new(member(view.candidate.address.spelling(), state, reason)));
    view
}

fn departure(reason: Reason, renamed_to: Option<&str>) -> Departure {
    Departure {
        reason,
        source: "hr".into(),
        at: at("2026-11-22T12:00:00Z"),
        renamed_to: renamed_to.map(|to| Address::parse(to).unwrap()),
        origin: "staff.csv line 7".into(),
    }
}

fn leaving(email: &str, reason: Reason) -> View {
    let mut view = with_member(view(email), MemberState::Leaving, "no longer in hr");
    view.candidate.member.as_mut().unwrap().departure = Some(departure(reason, None));
    view
}

fn input(email: &str, views: Vec<View>) -> ExplainInput {
    ExplainInput {
        typed: email.into(),
        address: Address::parse(email),
        now: at(NOW),
        subscriptions: views,
        history: Vec::new(),
        similar: Vec::new(),
    }
}

fn told(view: View) -> String {
    let email = view.candidate.address.spelling().to_owned();
    explain(&input(&email, vec![view])).render(Style::PLAIN)
}

#[test]
fn assigned() {
    insta::assert_snapshot!(told(with_member(named("jane@contoso.com"), MemberState::Assigned, "")), @r"
        jane@contoso.com

        contoso: has a licence, since 2026-11-20 08:00 UTC (3 days ago).
          Why:
          - hr names it (staff.csv line 7, last read 10 minutes ago).
          What would change it:
          - When no roster of contoso names it any more, the licence is taken back.
        ");
}

#[test]
fn assigned_until_an_end_date() {
    let mut view = with_member(named("jane@contoso.com"), MemberState::Assigned, "");
    view.candidate.entries[0].1.ends = Some(When::parse("2026-12-01").unwrap());
    view.policy.removal_grace.left = Duration::from_hours(72);
    insta::assert_snapshot!(told(view), @r"
        jane@contoso.com

        contoso: has a licence, since 2026-11-20 08:00 UTC (3 days ago).
          Why:
          - hr names it (staff.csv line 7, last read 10 minutes ago).
          What would change it:
          - When no roster of contoso names it any more, the licence is taken back, 3 days later.
          - On 2026-12-01 (in 7 days) its end date is past, and the licence is taken back.
        ");
}

#[test]
fn assigned_and_protected() {
    insta::assert_snapshot!(told(with_member(named("ceo@contoso.com"), MemberState::Assigned, "")), @r"
        ceo@contoso.com

        contoso: has a licence, since 2026-11-20 08:00 UTC (3 days ago).
          Why:
          - hr names it (staff.csv line 7, last read 10 minutes ago).
          - The `protect` pattern ceo@* matches it: rosterd never takes this licence back.
          What would change it:
          - Only a change of `protect` in the configuration lets rosterd take it back.
        ");
}

#[test]
fn kept_after_a_rejection() {
    let mut view = with_member(view("jane@contoso.com"), MemberState::Assigned, "the removal was rejected by ann");
    view.candidate.member.as_mut().unwrap().kept = true;
    insta::assert_snapshot!(told(view), @r"
        jane@contoso.com

        contoso: has a licence, since 2026-11-20 08:00 UTC (3 days ago).
          Why:
          - Its removal was rejected by a person, so it is kept until a roster names it again.
          - The ledger says: the removal was rejected by ann.
          What would change it:
          - Name it in hr (drops/hr) and take it out again, and its removal is planned anew; or drop it from the ledger with `rosterd forget contoso jane@contoso.com`, which leaves the licence as it is.
        ");
}

#[test]
fn assigned_and_its_row_can_not_be_used() {
    let mut view = with_member(view("jane@contoso.com"), MemberState::Assigned, "");
    view.sources[0].bad_rows = vec![BadRow {
        origin: "staff.csv line 9".into(),
        reason: "the start date 1.12.26 is none; write 2026-12-01".into(),
        stable_id: None,
        address: Some(Address::parse("jane@contoso.com").unwrap()),
    }];
    insta::assert_snapshot!(told(view), @r"
        jane@contoso.com

        contoso: has a licence, since 2026-11-20 08:00 UTC (3 days ago).
          Why:
          - No roster of contoso names it now.
          - hr: staff.csv line 9 can't be used: the start date 1.12.26 is none; write 2026-12-01. What the person has now stays as it is.
          What would change it:
          - Correct the row that can't be used: then it counts again.
        ");
}

#[test]
fn pending_with_a_place_in_the_queue() {
    let mut view = with_member(named("jane@contoso.com"), MemberState::Pending, "no seat is free");
    (view.place, view.pending, view.next_probe) = (Some(3), 7, Some(at("2026-11-23T08:05:00Z")));
    insta::assert_snapshot!(told(view), @r"
        jane@contoso.com

        contoso: has no licence yet: it waits for a seat. It is number 3 of 7 in the queue.
          Why:
          - hr names it (staff.csv line 7, last read 10 minutes ago).
          - 0 of 40 seats are free, as of 2026-11-23 07:45 UTC (15 minutes ago).
          - Its priority is 100 (lower is served first), and it has been waiting since 2026-11-20 08:00 UTC (3 days ago).
          What would change it:
          - Buy 3 seats, and the queue reaches it; 7 serve everybody who waits.
          - Each seat that a leaver frees goes to the first in the queue.
          - A lower priority number in the roster moves it forward.
          - rosterd looks for free seats again by itself, next on 2026-11-23 08:05 UTC (in 5 minutes); `rosterd sync contoso` looks now.
        ");
}

#[test]
fn the_last_in_the_queue_is_served_when_all_are() {
    let mut view = with_member(named("jane@contoso.com"), MemberState::Pending, "no seat is free");
    (view.place, view.pending) = (Some(2), 2);
    let text = told(view);
    assert!(text.contains("Buy 2 seats: that serves everybody who waits."), "{text}");
}

#[test]
fn pending_where_seats_came_free() {
    let mut view = with_member(named("jane@contoso.com"), MemberState::Pending, "no seat is free");
    (view.place, view.pending) = (Some(1), 7);
    view.seats = Some(Seats { available: 42, assigned: 40, as_of: at("2026-11-23T07:45:00Z") });
    let text = told(view);
    assert!(text.contains("A seat is free for it: the next run (in 15 minutes) gives it out."), "{text}");
}

#[test]
fn its_start_is_ahead() {
    let mut view = with_member(named("jane@contoso.com"), MemberState::Waiting, "starts 2026-12-01");
    view.candidate.entries[0].1.starts = Some(When::parse("2026-12-01").unwrap());
    insta::assert_snapshot!(told(view), @r"
        jane@contoso.com

        contoso: has no licence yet: its start is ahead: 2026-12-01 (in 7 days).
          Why:
          - hr names it (staff.csv line 7, last read 10 minutes ago).
          What would change it:
          - On that day rosterd asks for a seat by itself; nobody has to do anything.
          - An earlier start date in hr (drops/hr) brings it forward.
        ");
}

#[test]
fn leaving_in_its_time_of_grace() {
    insta::assert_snapshot!(told(leaving("jane@contoso.com", Reason::Vanished)), @r"
        jane@contoso.com

        contoso: still has its licence, and is leaving since 2026-11-20 08:00 UTC (3 days ago).
          Why:
          - Its entry in hr (where it stood: staff.csv line 7) can't be found any more, since 2026-11-22 12:00 UTC (20 hours ago).
          - Its time of grace lasts until 2026-11-23 12:00 UTC (in 4 hours).
          What would change it:
          - After that the licence is taken back.
          - Naming it again in hr (drops/hr) keeps the licence.
        ");
}

#[test]
fn leaving_and_held() {
    let mut view = leaving("jane@contoso.com", Reason::Left);
    let removal = Removal {
        address: Address::parse("jane@contoso.com").unwrap(),
        reason: Reason::Left,
        detail: String::new(),
        then: None,
    };
    let reasons = vec!["12 removals are more than 20% of 40".to_owned()];
    let hold = Hold { digest: "0123456789abcdef".into(), removals: vec![removal], reasons, braked: false };
    view.hold = Some(StoredHold { hold, since: at("2026-11-23T06:00:00Z") });
    insta::assert_snapshot!(told(view), @r"
        jane@contoso.com

        contoso: still has its licence, and is leaving since 2026-11-20 08:00 UTC (3 days ago).
          Why:
          - It is no longer in hr (where it stood: staff.csv line 7), since 2026-11-22 12:00 UTC (20 hours ago).
          - Its removal is held for a person's word since 2026-11-23 06:00 UTC (2 hours ago): 12 removals are more than 20% of 40.
          What would change it:
          - `rosterd approve contoso` takes the licence back; `rosterd reject contoso` keeps it.
          - Naming it again in hr (drops/hr) keeps the licence.
        ");
}

#[test]
fn leaving_and_protected() {
    insta::assert_snapshot!(told(leaving("ceo@contoso.com", Reason::Left)), @r"
        ceo@contoso.com

        contoso: still has its licence, and is leaving since 2026-11-20 08:00 UTC (3 days ago).
          Why:
          - It is no longer in hr (where it stood: staff.csv line 7), since 2026-11-22 12:00 UTC (20 hours ago).
          - The `protect` pattern ceo@* matches it: rosterd never takes this licence back.
          What would change it:
          - Only a change of `protect` in the configuration lets rosterd take it back.
          - Naming it again in hr (drops/hr) keeps the licence.
        ");
}

#[test]
fn leaving_because_of_another_address() {
    let mut view = leaving("jane.smith@contoso.com", Reason::Renamed);
    view.candidate.member.as_mut().unwrap().departure = Some(departure(Reason::Renamed, Some("jane.doe@contoso.com")));
    insta::assert_snapshot!(told(view), @r"
        jane.smith@contoso.com

        contoso: still has its licence, and is leaving since 2026-11-20 08:00 UTC (3 days ago).
          Why:
          - The person has another address in hr (where it stood: staff.csv line 7), since 2026-11-22 12:00 UTC (20 hours ago).
          - The same person's address is now jane.doe@contoso.com.
          - Its seat goes over to jane.doe@contoso.com as soon as jane.doe@contoso.com can have one.
          What would change it:
          - `rosterd explain jane.doe@contoso.com` says what stands in its way.
          - Naming it again in hr (drops/hr) keeps the licence.
        ");
}

#[test]
fn leaving_since_an_exclusion() {
    let mut view = leaving("jane@contoso.com", Reason::Excluded);
    view.policy.exclude = Globs::new(&["jane@*".to_owned()]).unwrap();
    let departure = view.candidate.member.as_mut().unwrap().departure.as_mut().unwrap();
    (departure.source, departure.origin) = (String::new(), String::new());
    let text = told(view);
    assert!(text.contains("- An `exclude` pattern matches it, since 2026-11-22 12:00 UTC (20 hours ago).\n"), "{text}");
    assert!(
        text.contains("- The next run (in 15 minutes) takes the licence back, unless a guard holds it.\n"),
        "{text}"
    );
}

#[test]
fn quarantined_by_the_server() {
    let mut view = with_member(named("jane@contoso.com"), MemberState::Quarantined, "Invalid email jane@contoso.com");
    view.candidate.member.as_mut().unwrap().refused = true;
    insta::assert_snapshot!(told(view), @r"
        jane@contoso.com

        contoso: has no licence: it is set aside (quarantined).
          Why:
          - hr names it (staff.csv line 7, last read 10 minutes ago).
          - The server refused the address on 2026-11-20 08:00 UTC (3 days ago): “Invalid email jane@contoso.com”
          What would change it:
          - Correct the address in hr (drops/hr), where it is wrong.
          - Where it is right, `rosterd retry contoso jane@contoso.com` lets it try again.
        ");
}

#[test]
fn quarantined_for_its_domain() {
    let view = with_member(named("jane@fabrikam.com"), MemberState::Quarantined, "fabrikam.com is not in domains");
    insta::assert_snapshot!(told(view), @r"
        jane@fabrikam.com

        contoso: has no licence: it is set aside (quarantined).
          Why:
          - hr names it (staff.csv line 7, last read 10 minutes ago).
          - Its domain, fabrikam.com, is none of the subscription's `domains` (contoso.com).
          What would change it:
          - Where it belongs to another client, take it out of hr (drops/hr).
          - Where it belongs here, add fabrikam.com to `domains`.
        ");
}

#[test]
fn unknown() {
    let view = with_member(named("jane@contoso.com"), MemberState::Unknown, "the connection was cut after the request");
    insta::assert_snapshot!(told(view), @r"
        jane@contoso.com

        contoso: nobody knows whether it has a licence; before the last request it had none.
          Why:
          - The answer to a request for it was lost on 2026-11-20 08:00 UTC (3 days ago): the connection was cut after the request.
          - hr names it (staff.csv line 7, last read 10 minutes ago).
          What would change it:
          - The next run (in 15 minutes) settles it before anything else; `rosterd sync contoso` does so now.
        ");
}

#[test]
fn excluded() {
    insta::assert_snapshot!(told(named("svc-backup@contoso.com")), @r"
        svc-backup@contoso.com

        contoso: has no licence.
          Why:
          - hr names it (staff.csv line 7, last read 10 minutes ago).
          - The `exclude` pattern svc-* of the configuration matches it.
          What would change it:
          - Take the pattern svc-* out of `exclude`, or make it match less, and it is given a licence.
        ");
}

#[test]
fn of_another_domain_before_any_run() {
    let text = told(named("jane@fabrikam.com"));
    assert!(
        text.contains("Its domain, fabrikam.com, is none of the subscription's `domains` (contoso.com)."),
        "{text}"
    );
}

#[test]
fn ended() {
    let mut view = named("jane@contoso.com");
    view.candidate.entries[0].1.ends = Some(When::parse("2026-11-01").unwrap());
    insta::assert_snapshot!(told(view), @r"
        jane@contoso.com

        contoso: has no licence.
          Why:
          - hr names it (staff.csv line 7, last read 10 minutes ago).
          - Its end date is past: 2026-11-01 (22 days ago).
          What would change it:
          - A later end date in hr (drops/hr), or none, gives it a licence again.
        ");
}

#[test]
fn named_and_not_looked_at_yet() {
    let mut view = named("jane@contoso.com");
    view.problem = Some("the server does not accept the key".into());
    insta::assert_snapshot!(told(view), @r"
        jane@contoso.com

        contoso: has no licence yet.
          Why:
          - hr names it (staff.csv line 7, last read 10 minutes ago).
          - No run has looked at it since it was named.
          - The subscription has a problem: the server does not accept the key.
          What would change it:
          - The next run (in 15 minutes) asks for a seat; `rosterd sync contoso` does so now.
        ");
}

#[test]
fn gone_with_its_history() {
    let line = HistoryLine {
        at: at("2026-11-22T12:00:00Z"),
        run: None,
        subscription: Some("contoso".into()),
        event: Event::Unassigned,
        email: Some("jane@contoso.com".into()),
        detail: "left: no longer in hr (staff.csv)".into(),
    };
    let input = ExplainInput { history: vec![line], ..input("jane@contoso.com", vec![view("jane@contoso.com")]) };
    insta::assert_snapshot!(explain(&input).render(Style::PLAIN), @r"
        jane@contoso.com

        contoso: has no licence.
          Why:
          - Its licence was taken back on 2026-11-22 12:00 UTC (20 hours ago): left: no longer in hr (staff.csv).
          - No roster of contoso names it now.
          What would change it:
          - Add it to hr (drops/hr), and it is given a licence.

        History
        2026-11-22T12:00:00Z  contoso  unassigned  jane@contoso.com  left: no longer in hr (staff.csv)
        ");
}

#[test]
fn nobody_has_heard_of_it() {
    let mut fabrikam = view("jane.deo@contoso.com");
    fabrikam.subscription = "fabrikam".into();
    fabrikam.policy.domains = vec!["fabrikam.com".into()];
    fabrikam.sources[0].problem = Some("staff.csv has no e-mail column".into());
    let similar = vec!["jane.doe@contoso.com".to_owned()];
    let views = vec![view("jane.deo@contoso.com"), fabrikam];
    let input = ExplainInput { similar, ..input("jane.deo@contoso.com", views) };
    insta::assert_snapshot!(explain(&input).render(Style::PLAIN), @r"
        jane.deo@contoso.com

        No roster names jane.deo@contoso.com; rosterd has never seen it, and it has no licence through rosterd.
        To give them a licence, add them to hr (drops/hr).
        fabrikam: even so, contoso.com is none of its `domains` (fabrikam.com).
        hr could not be read whole and sound: staff.csv has no e-mail column. So what it said last, on 2026-11-23 07:50 UTC, stays in force.
        Did you mean jane.doe@contoso.com?
        ");
}

#[test]
fn no_address_at_all() {
    let input = ExplainInput { similar: vec!["jane@contoso.com".into()], ..input("jane", vec![]) };
    insta::assert_snapshot!(explain(&input).render(Style::PLAIN), @r"
        jane

        This can't be given a licence: the address has no @.
        A roster's row with such an address is listed as a bad row, and takes nothing away from anybody.
        Did you mean jane@contoso.com?
        ");
}

#[test]
fn where_nobody_has_heard_of_it_is_said_in_a_line() {
    let known = with_member(named("jane@contoso.com"), MemberState::Assigned, "");
    let silent = |name: &str| View { subscription: name.into(), ..view("jane@contoso.com") };
    let text = explain(&input("jane@contoso.com", vec![known.clone(), silent("a"), silent("b")])).render(Style::PLAIN);
    assert!(text.ends_with("\na and b: nobody has heard of it there.\n"), "{text}");
    let many = (0..1999).map(|i| silent(&format!("s{i}")));
    let text = explain(&input("jane@contoso.com", std::iter::once(known).chain(many).collect())).render(Style::PLAIN);
    assert!(text.ends_with("\nThe other 1,999 subscriptions: nobody has heard of it there.\n"), "{text}");
}

#[test]
fn json_has_the_same_answers() {
    let mut view = with_member(named("jane@contoso.com"), MemberState::Pending, "no seat is free");
    (view.place, view.pending) = (Some(3), 7);
    let json = serde_json::to_value(explain(&input("jane@contoso.com", vec![view]))).unwrap();
    let part = &json["subscriptions"][0];
    assert_eq!(part["has_licence"], false);
    assert_eq!(part["state"], "pending");
    assert_eq!(part["queue_place"], 3);
    assert_eq!(part["origins"][0], "hr: staff.csv line 7");
}
