//! Small worlds, each planned whole; the properties stand in `properties`, what holds removals in `guards`.

mod details;
mod guards;
mod properties;
mod recorded;

use std::fmt::Write as _;
use std::time::Duration;

use super::display::{PlanJson, Style};
use super::input::{Candidate, Counts, PlanInput, SourceFacts};
use super::*;
use crate::brake::Brake;
use crate::config::{Globs, Grace, Policy};
use crate::member::{Approval, Departure, Doubt, Member, MemberState, Seats};
use crate::roster::{Entry, When};
use chrono::TimeDelta;

const DAY: Duration = Duration::from_hours(24);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-23T08:00:00Z")
}

fn address(raw: &str) -> Address {
    Address::parse(raw).unwrap()
}

fn globs(patterns: &[&str]) -> Globs {
    Globs::new(&patterns.iter().map(|&pattern| pattern.to_owned()).collect::<Vec<_>>()).unwrap()
}

fn policy() -> Policy {
    Policy::plain()
}

/// A subscription with one source that is well, ten seats, seven of them taken, and nobody to look at.
fn world() -> PlanInput {
    PlanInput {
        subscription: "contoso".to_owned(),
        at: now(),
        policy: policy(),
        seats: Some(Seats { available: 10, assigned: 7, as_of: now() }),
        counts: Counts { holding: 7, removed_last_day: 0, holding_day_ago: 7 },
        brake: None,
        sources: vec![source("hr")],
        approvals: vec![],
        restored: None,
        candidates: vec![],
    }
}

fn restored() -> Restored {
    Restored { doubt: Doubt::Older { file: 102 }, generation: 57, as_of: None }
}

fn source(name: &str) -> SourceFacts {
    SourceFacts { name: name.to_owned(), accepted_at: Some(now()), entries: 7, anonymous_bad_rows: 0, problem: None }
}

fn candidate(raw: &str) -> Candidate {
    Candidate { address: address(raw), entries: vec![], member: None, departure: None }
}

fn member(raw: &str, state: MemberState) -> Member {
    Member {
        address: address(raw),
        state,
        since: at("2026-10-01T00:00:00Z"),
        reason: String::new(),
        priority: 100,
        has_seat: matches!(state, MemberState::Assigned | MemberState::Leaving),
        waiting_since: None,
        departure: None,
        kept: false,
        refused: false,
        claim: None,
    }
}

impl Candidate {
    fn named(mut self, line: u32, priority: i32, starts: &str, ends: &str) -> Candidate {
        let entry = Entry {
            address: self.address.clone(),
            stable_id: None,
            route: None,
            priority,
            starts: When::parse(starts).ok(),
            ends: When::parse(ends).ok(),
            origin: format!("staff.csv line {line}").into(),
        };
        self.entries.push(("hr".to_owned(), entry));
        self
    }

    fn is(mut self, state: MemberState) -> Candidate {
        self.member = Some(Box::new(member(self.address.spelling(), state)));
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Member)) -> Candidate {
        change(self.member.as_mut().unwrap());
        self
    }

    fn gone(mut self, reason: Reason) -> Candidate {
        self.departure = Some(Box::new(departure(reason, None)));
        self
    }

    fn renamed(mut self, to: &str) -> Candidate {
        self.departure = Some(Box::new(departure(Reason::Renamed, Some(to))));
        self
    }
}

fn departure(reason: Reason, renamed_to: Option<&str>) -> Departure {
    Departure {
        reason,
        source: "hr".to_owned(),
        at: at("2026-11-23T07:55:00Z"),
        renamed_to: renamed_to.map(address),
        origin: "staff.csv line 3".to_owned(),
    }
}

fn wanted(raw: &str) -> Candidate {
    candidate(raw).named(7, 100, "", "")
}

fn leaver(raw: &str) -> Candidate {
    candidate(raw).is(MemberState::Assigned).gone(Reason::Left)
}

fn leavers(count: usize) -> Vec<Candidate> {
    (0..count).map(|n| leaver(&format!("p{n:03}@contoso.com"))).collect()
}

fn plan(input: &mut PlanInput, candidates: Vec<Candidate>) -> Plan {
    input.candidates = candidates;
    Plan::compute(input)
}

/// The plan as people see it, without the line that names the digest.
fn shown(plan: &Plan) -> String {
    let style = Style { shown_max: 5, zone: chrono_tz::Europe::Berlin, ..Style::default() };
    let text = plan.display("contoso", style).to_string();
    let lines = text.lines().filter(|line| !line.contains("--digest"));
    lines.fold(String::new(), |mut text, line| {
        writeln!(text, "{line}").unwrap();
        text
    })
}

#[test]
fn the_main_story() {
    let mut input = world();
    input.policy.exclude = globs(&["svc-*"]);
    input.policy.protect = globs(&["ceo@*"]);
    input.policy.domains = vec!["contoso.com".to_owned()];
    let plan = plan(
        &mut input,
        vec![
            wanted("anna@contoso.com"),
            candidate("ben@contoso.com").named(9, 1, "", ""),
            leaver("ceo@contoso.com"),
            candidate("dora@contoso.com").named(10, 100, "2026-12-01", ""),
            candidate("emil@contoso.com").is(MemberState::Assigned).named(11, 100, "", "2026-11-20"),
            wanted("fay@fabrikam.com"),
            candidate("gus@contoso.com").is(MemberState::Assigned).gone(Reason::Vanished),
            leaver("Hans@Contoso.com"),
            candidate("ida@contoso.com").is(MemberState::Leaving).named(12, 100, "", ""),
            candidate("jo@contoso.com").is(MemberState::Pending).gone(Reason::Removed),
            candidate("kim.old@contoso.com").is(MemberState::Assigned).renamed("kim@contoso.com"),
            wanted("kim@contoso.com"),
            candidate("svc-backup@contoso.com").is(MemberState::Assigned).named(13, 100, "", ""),
        ],
    );
    insta::assert_snapshot!(shown(&plan), @"
    contoso:
      2 seats to take back
        - emil@contoso.com  ended on 2026-11-20 in hr (staff.csv line 11)
        - Hans@Contoso.com  no longer in hr (staff.csv line 3)
      1 address to change
        ~ kim.old@contoso.com  becomes kim@contoso.com
      2 seats to give
        + ben@contoso.com   hr: staff.csv line 9
        + anna@contoso.com  hr: staff.csv line 7
      1 person waits for their start
        . dora@contoso.com  starts 2026-12-01
      2 leavers with a seat
        . ceo@contoso.com  no longer in hr (staff.csv line 3); protected by ceo@*
        . gus@contoso.com  its entry can't be found any more in hr (staff.csv line 3); keeps the seat until 2026-11-24 08:55 CET
      1 address set aside
        ? fay@fabrikam.com  the domain fabrikam.com is not among this subscription's domains
      2 records to settle without a request
        = ida@contoso.com  is wanted again, and keeps the seat
        = jo@contoso.com   no longer wanted (removed)
      1 removal waits for an approval
        ! svc-backup@contoso.com  excluded by the pattern svc-*
        1 removal comes from a change of the configuration, not from anybody's leaving; such removals wait for a person, however few (hold_after_change).
    ");
}

#[test]
fn the_json_of_a_plan_has_what_programs_rely_on() {
    let mut input = world();
    input.seats = Some(Seats { available: 7, assigned: 7, as_of: now() });
    let plan = plan(
        &mut input,
        vec![
            wanted("anna@contoso.com"),
            wanted("ben@contoso.com"),
            leaver("hans@contoso.com"),
            candidate("kim.old@contoso.com").is(MemberState::Assigned).renamed("kim@contoso.com"),
            wanted("kim@contoso.com"),
        ],
    );
    let json = PlanJson::new("contoso", &plan, vec![]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap(), @r#"
    {
      "name": "contoso",
      "assign": [
        "anna@contoso.com"
      ],
      "unassign": [
        {
          "email": "hans@contoso.com",
          "reason": "left"
        }
      ],
      "rename": [
        {
          "from": "kim.old@contoso.com",
          "to": "kim@contoso.com"
        }
      ],
      "pending": [
        "ben@contoso.com"
      ],
      "waiting": [],
      "leaving": [],
      "quarantined": [],
      "held": false,
      "digest": "c4144a8babedfa7d",
      "sources": []
    }
    "#);
}

#[test]
fn nothing_to_do_is_said_in_one_line() {
    let plan = plan(&mut world(), vec![wanted("anna@contoso.com").is(MemberState::Assigned)]);
    assert_eq!((plan.unassign.len(), plan.rename.len(), plan.assign.len(), plan.settle.len()), (0, 0, 0, 0));
    assert_eq!(shown(&plan), "contoso: no changes\n");
}

fn brake() -> Brake {
    Brake { since: at("2026-11-23T07:00:00Z"), reason: "Seven of ten are in trouble.".to_owned() }
}

#[test]
fn grace_counts_from_the_departure_and_ends() {
    let mut input = world();
    let gus = || candidate("gus@contoso.com").is(MemberState::Assigned).gone(Reason::Vanished);
    let end = at("2026-11-24T07:55:00Z");
    assert_eq!(plan(&mut input, vec![gus()]).leaving[0].until, LeavingUntil::Grace(end));
    input.at = end;
    assert_eq!(plan(&mut input, vec![gus()]).unassign.len(), 1);
    // The same from what the ledger kept.
    let kept = candidate("gus@contoso.com")
        .is(MemberState::Leaving)
        .with(|m| m.departure = Some(departure(Reason::Vanished, None)));
    assert_eq!(plan(&mut input, vec![kept]).unassign.len(), 1);
}

#[test]
fn a_rename_takes_the_seat_along_and_is_no_removal() {
    let mut input = world();
    input.seats = Some(Seats { available: 7, assigned: 7, as_of: now() });
    input.counts.removed_last_day = 100;
    let candidates =
        vec![candidate("b@contoso.com").is(MemberState::Assigned).renamed("a@contoso.com"), wanted("a@contoso.com")];
    let plan = plan(&mut input, candidates);
    assert_eq!(
        plan.rename,
        [Rename { from: address("b@contoso.com"), to: address("a@contoso.com"), priority: 100, then: None }]
    );
    assert_eq!((plan.assign.len(), plan.unassign.len(), plan.hold), (0, 0, None));
}

#[test]
fn an_old_address_keeps_the_seat_while_the_new_one_can_have_none() {
    let mut input = world();
    input.policy.domains = vec!["contoso.com".to_owned()];
    let old = |to: &str| candidate("a@contoso.com").is(MemberState::Assigned).renamed(to);
    for new in [
        wanted("b@fabrikam.com"),
        candidate("b@contoso.com").named(7, 100, "2026-12-01", ""),
        wanted("b@contoso.com").is(MemberState::Quarantined).with(|m| m.refused = true),
        wanted("b@contoso.com").is(MemberState::Unknown),
    ] {
        let plan = plan(&mut input, vec![old(new.address.spelling()), new]);
        assert!(plan.unassign.is_empty() && plan.rename.is_empty() && plan.hold.is_none());
        assert!(matches!(plan.leaving[0].until, LeavingUntil::Renamed(_)), "{:?}", plan.leaving);
    }
}

#[test]
fn a_renamed_person_who_has_the_new_seat_gives_the_old_one_back() {
    let mut input = world();
    input.counts.removed_last_day = 100;
    let candidates = vec![
        candidate("a@contoso.com").is(MemberState::Assigned).renamed("b@contoso.com"),
        wanted("b@contoso.com").is(MemberState::Assigned),
    ];
    let plan = plan(&mut input, candidates);
    assert_eq!(plan.unassign[0].reason, Reason::Renamed);
    assert_eq!(plan.hold, None);
}

#[test]
fn nobody_is_renamed_out_of_a_seat_while_there_are_too_few() {
    let mut input = world();
    input.seats = Some(Seats { available: 5, assigned: 6, as_of: now() });
    let renamed =
        || vec![candidate("a@contoso.com").is(MemberState::Assigned).renamed("b@contoso.com"), wanted("b@contoso.com")];
    let over = plan(&mut input, renamed());
    assert_eq!((over.rename.len(), over.unassign.len(), over.fits), (0, 0, Some(0)));
    assert!(matches!(over.leaving[0].until, LeavingUntil::Renamed(_)));
    let mut candidates = renamed();
    candidates.push(leaver("c@contoso.com"));
    assert_eq!(plan(&mut input, candidates).rename.len(), 1, "a leaver's seat makes room");
}

#[test]
fn two_old_addresses_of_one_person_hand_over_one_seat() {
    let old = |raw: &str| candidate(raw).is(MemberState::Assigned).renamed("c@contoso.com");
    let plan = plan(&mut world(), vec![old("a@contoso.com"), old("b@contoso.com"), wanted("c@contoso.com")]);
    assert_eq!(
        plan.rename,
        [Rename { from: address("a@contoso.com"), to: address("c@contoso.com"), priority: 100, then: None }]
    );
    assert_eq!(plan.unassign[0].address, address("b@contoso.com"));
}

#[test]
fn a_person_renamed_twice_between_two_plans_is_followed_to_the_end() {
    let candidates = vec![
        candidate("a@contoso.com").is(MemberState::Assigned).renamed("b@contoso.com"),
        candidate("b@contoso.com").renamed("c@contoso.com"),
        wanted("c@contoso.com"),
    ];
    let plan = plan(&mut world(), candidates);
    assert_eq!(
        plan.rename,
        [Rename { from: address("a@contoso.com"), to: address("c@contoso.com"), priority: 100, then: None }]
    );
}

#[test]
fn a_rename_goes_on_where_the_missing_are_held() {
    let mut input = world();
    input.sources[0].anonymous_bad_rows = 1;
    input.sources.push(SourceFacts { accepted_at: None, ..source("ad") });
    let old = candidate("a@contoso.com").is(MemberState::Assigned).renamed("b@contoso.com");
    let plan = plan(&mut input, vec![old, wanted("b@contoso.com"), leaver("c@contoso.com")]);
    assert_eq!((plan.rename.len(), plan.unassign.len(), plan.leaving.len()), (1, 0, 1));
}

#[test]
fn whoever_is_renamed_and_leaves_then_counts_as_a_leaver() {
    let mut input = world();
    input.counts.removed_last_day = 100;
    let candidates = vec![
        candidate("a@contoso.com").is(MemberState::Assigned).renamed("b@contoso.com"),
        candidate("b@contoso.com").gone(Reason::Left),
    ];
    let plan = plan(&mut input, candidates);
    assert_eq!(plan.hold.unwrap().removals[0].reason, Reason::Left);
}

#[test]
fn a_chain_and_a_swap_of_addresses_take_nobodys_seat() {
    // a became b, whose former holder became c; d and e changed places.
    let has = |raw: &str| wanted(raw).is(MemberState::Assigned);
    let candidates = vec![
        candidate("a@contoso.com").is(MemberState::Assigned).renamed("b@contoso.com"),
        Candidate {
            departure: Some(Box::new(departure(Reason::Renamed, Some("c@contoso.com")))),
            ..has("b@contoso.com")
        },
        wanted("c@contoso.com"),
        Candidate {
            departure: Some(Box::new(departure(Reason::Renamed, Some("e@contoso.com")))),
            ..has("d@contoso.com")
        },
        Candidate {
            departure: Some(Box::new(departure(Reason::Renamed, Some("d@contoso.com")))),
            ..has("e@contoso.com")
        },
    ];
    let plan = plan(&mut world(), candidates);
    assert_eq!(plan.unassign.iter().map(|r| r.address.to_string()).collect::<Vec<_>>(), ["a@contoso.com"]);
    assert_eq!(plan.assign.iter().map(|a| a.address.to_string()).collect::<Vec<_>>(), ["c@contoso.com"]);
}

#[test]
fn a_wrong_file_that_renames_everybody_is_held_and_its_addresses_join() {
    let mut input = world();
    input.counts.holding = 20;
    let mut candidates = vec![];
    for n in 0..10 {
        let (old, new) = (format!("a{n}@contoso.com"), format!("b{n}@contoso.com"));
        candidates.push(candidate(&old).is(MemberState::Assigned).renamed(&new));
        candidates.push(wanted(&new));
    }
    candidates.sort_by(|a, b| a.address.cmp(&b.address));
    let plan = plan(&mut input, candidates);
    assert_eq!((plan.rename.len(), plan.assign.len(), plan.leaving.len()), (0, 10, 10));
    insta::assert_snapshot!(plan.hold.unwrap().reasons.join("\n"), @r#"10 addresses change at once, and no more than 5 go unasked (max_removals = "20%"): a wrong file looks just so."#);
}

#[test]
fn seats_go_by_priority_then_by_age_then_by_address() {
    let since = |text: &str| {
        let since = at(text);
        move |member: &mut Member| member.waiting_since = Some(since)
    };
    let mut input = world();
    input.seats = Some(Seats { available: 10, assigned: 9, as_of: now() });
    let plan = plan(
        &mut input,
        vec![
            wanted("a@contoso.com"),
            wanted("b@contoso.com").is(MemberState::Pending).with(since("2026-11-20T00:00:00Z")),
            candidate("c@contoso.com").named(3, 1, "", ""),
            candidate("d.old@contoso.com")
                .is(MemberState::Pending)
                .with(since("2026-11-01T00:00:00Z"))
                .renamed("d@contoso.com"),
            wanted("d@contoso.com"),
            leaver("e@contoso.com"),
        ],
    );
    let order: Vec<_> = plan.assign.iter().map(|a| a.address.to_string()).collect();
    assert_eq!(order, ["c@contoso.com", "d@contoso.com", "b@contoso.com", "a@contoso.com"]);
    assert_eq!(plan.fits, Some(2), "one is free, and one becomes free");
}

#[test]
fn a_subscription_over_its_seats_gives_none_before_it_is_below() {
    let mut input = world();
    input.seats = Some(Seats { available: 5, assigned: 7, as_of: now() });
    assert_eq!(plan(&mut input, vec![leaver("a@contoso.com"), wanted("b@contoso.com")]).fits, Some(0));
    input.seats = None;
    assert_eq!(Plan::compute(&input).fits, None);
}

#[test]
fn a_refused_address_is_not_sent_again_and_one_set_aside_is_judged_anew() {
    let quarantined = |raw: &str, refused| wanted(raw).is(MemberState::Quarantined).with(|m| m.refused = refused);
    let plan = plan(&mut world(), vec![quarantined("a@contoso.com", true), quarantined("b@contoso.com", false)]);
    assert_eq!(plan.quarantined[0].address, address("a@contoso.com"));
    assert_eq!((plan.quarantined.len(), plan.assign[0].address.spelling()), (1, "b@contoso.com"));
}

#[test]
fn a_rejected_removal_stays_rejected_until_a_roster_names_the_person_again() {
    let kept = |state| leaver("a@contoso.com").is(state).with(|m| m.kept = true);
    assert_eq!(plan(&mut world(), vec![kept(MemberState::Assigned)]), plan(&mut world(), vec![]));
    let named = kept(MemberState::Assigned).named(7, 100, "", "");
    assert!(matches!(plan(&mut world(), vec![named]).settle[..], [Settlement::Returned { .. }]));
}

#[test]
fn a_digest_does_not_move_with_the_clock_and_does_with_the_facts() {
    let mut input = world();
    let candidates =
        vec![leaver("a@contoso.com"), candidate("b@contoso.com").is(MemberState::Assigned), wanted("c@contoso.com")];
    let before = plan(&mut input, candidates);
    input.at += TimeDelta::minutes(1);
    let after = Plan::compute(&input);
    assert_eq!((before.digest.len(), &before.digest), (16, &after.digest));
    assert_eq!(before.hold.unwrap().digest, after.hold.unwrap().digest);
    input.candidates.pop();
    assert_ne!(Plan::compute(&input).digest, after.digest);
}

#[test]
fn an_input_that_was_saved_is_replayed() {
    let mut input = world();
    let before = plan(&mut input, vec![leaver("a@contoso.com"), wanted("c@contoso.com")]);
    let saved = serde_json::to_string(&input).unwrap();
    assert_eq!(Plan::compute(&serde_json::from_str(&saved).unwrap()), before);
}

#[test]
fn a_grace_ends_in_its_time_though_a_clock_that_was_ahead_noted_the_departure() {
    for ahead in [TimeDelta::hours(5), TimeDelta::days(3_650)] {
        let gone = departure(Reason::Left, None);
        let mut noted = candidate("ann@contoso.com").is(MemberState::Leaving);
        noted = noted.with(|member| member.departure = Some(Departure { at: now() + ahead, ..gone }));
        let mut input = PlanInput { candidates: vec![noted], ..world() };
        input.policy.removal_grace.left = DAY;
        let plan = Plan::compute(&input);
        assert!(!plan.is_recorded(&input), "it is noted anew");
        let until = now() + TimeDelta::hours(24);
        assert_eq!(plan.leaving[0].until, LeavingUntil::Grace(until));
        // As the ledger has it then.
        let noted = &plan.departures[0].1;
        input.candidates[0] = input.candidates[0].clone().with(|member| member.departure = Some(noted.clone()));
        assert!(Plan::compute(&input).is_recorded(&input));
        input.at = until;
        assert_eq!(Plan::compute(&input).unassign.len(), 1);
    }
}

/// The clock is believed: a time of grace ends by it, be it by a year in one go. What is left are the limits.
#[test]
fn a_clock_that_jumps_ahead_ends_graces_within_the_limits_alone() {
    for (count, held) in [(5, 0), (6, 6), (60, 60)] {
        let mut input = PlanInput { candidates: leavers(count), ..world() };
        input.counts = Counts { holding: count as u64, removed_last_day: 0, holding_day_ago: count as u64 };
        input.sources[0].entries = count as u64 * 2;
        input.counts.holding += 1;
        input.policy.removal_grace.left = DAY;
        assert_eq!(Plan::compute(&input).leaving.len(), count, "in their time of grace");
        input.at += TimeDelta::days(365);
        let plan = Plan::compute(&input);
        assert_eq!(plan.hold.map_or(0, |hold| hold.removals.len()), held);
        assert_eq!(plan.unassign.len(), count - held);
    }
}
