//! What every ledger must do, whatever it stands on: each test is a function of an empty ledger, and
//! [`ledger_suite!`] lists them for a backend.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::sqlite::{Candidates, Look};
use super::*;
use crate::address::Address;
use crate::dispatch::machine::{Commit, Habits, NewIntent, Outcome, Report, Stop};
use crate::licensing::wire::{Operation, Stats};
use crate::plan::{Assignment, Hold, Leaving, LeavingUntil, Plan, Quarantine, Removal, Rename, Settlement, Waiting};
use crate::roster::{Entry, Fingerprint, Reason, When};
use crate::source::Incomplete;

/// Lists the suite for one backend: `$with` makes an empty ledger and gives it to the test.
macro_rules! ledger_suite {
    ($with:path) => {
        $crate::ledger::suite::ledger_suite!($with:
            an_accepted_roster_reads_back,
            changes_edit_the_roster_and_touch_their_addresses,
            an_entry_with_a_route_touches_its_subscription_alone,
            a_departure_stays_noted_until_a_plan_is_done_with_it,
            a_first_roster_has_all_addresses_looked_at,
            a_large_change_keeps_its_departures,
            both_looks_see_the_same_person,
            dates_that_fall_due_make_candidates,
            whoever_had_a_bad_row_is_looked_at_again,
            a_source_that_says_nothing_new_touches_nobody,
            a_refused_reading_changes_nothing_and_is_told_once,
            files_are_done_with_once,
            a_seat_is_given_and_told,
            an_intent_makes_its_addresses_unknown_until_its_answer,
            every_outcome_has_its_state,
            an_unknown_outcome_keeps_its_intent_open,
            an_assignment_sent_again_keeps_its_past,
            an_illegal_step_changes_nothing,
            no_address_is_in_two_open_intents,
            nobody_is_unassigned_without_a_known_seat,
            a_removal_counts_unless_renamed_approved_or_asked_for,
            a_removal_that_failed_keeps_its_reason,
            a_run_that_breaks_off_leaves_everybody_to_the_next_plan,
            the_plan_is_written_as_states_with_reasons,
            a_hold_is_told_once_and_keeps_its_time,
            a_rejected_removal_keeps_its_member_until_named_again,
            an_approval_ends_by_itself,
            full_and_free_seats_are_noted,
            problems_are_told_once,
            what_was_held_a_day_ago,
            adopting_takes_over_who_has_no_seat_yet,
            forgetting_needs_no_request,
            a_quarantined_member_may_try_again,
            a_run_tells_whose_seats_it_changed,
            history_is_read_by_subscription_and_time,
            a_lease_keeps_others_out_until_it_ends,
            a_lost_lease_fences_every_write,
            a_run_that_is_asked_for_is_taken_once,
            any_sequence_keeps_the_books_right,
        );
    };
    ($with:path: $($test:ident,)*) => {
        $(#[test]
        fn $test() {
            $with($crate::ledger::suite::$test);
        })*
    };
}
pub(super) use ledger_suite;

const TERM: Duration = Duration::from_mins(1);
const RUN: RunId = uuid::Uuid::from_u128(1);

/// Minutes after the beginning of the test's time.
fn at(minutes: i64) -> Timestamp {
    Timestamp::from_timestamp_millis(1_800_000_000_000).unwrap() + TimeDelta::minutes(minutes)
}

fn address(name: &str) -> Address {
    Address::parse(&format!("{name}@contoso.com")).unwrap()
}

fn addresses(names: &[&str]) -> Vec<Address> {
    names.iter().map(|name| address(name)).collect()
}

fn entry(name: &str) -> Entry {
    Entry {
        address: address(name),
        stable_id: None,
        route: None,
        priority: 100,
        starts: None,
        ends: None,
        origin: format!("{name}'s line").into(),
    }
}

fn removed(name: &str) -> Change {
    Change::Removed { entry: entry(name), reason: Reason::Left, renamed_to: None }
}

fn added(names: &[&str]) -> Vec<Change> {
    names.iter().map(|name| Change::Added(entry(name))).collect()
}

fn acceptance(changes: Vec<Change>) -> Acceptance {
    Acceptance {
        source: "hr".into(),
        scope: "columns".into(),
        subscriptions: vec!["contoso".into()],
        changes,
        fingerprint: Fingerprint::default(),
        entries: 7,
        bad_rows: Vec::new(),
        evidence: Evidence::default(),
    }
}

fn sources() -> Vec<String> {
    vec!["hr".into(), "ad".into()]
}

fn look(ledger: &Ledger, minutes: i64) -> Candidates {
    ledger.candidates("contoso", &sources(), Look::Touched, at(minutes)).unwrap()
}

/// The names of those that the next plan looks at.
fn touched(ledger: &Ledger, minutes: i64) -> Vec<String> {
    names(look(ledger, minutes).list.iter().map(|candidate| &candidate.address))
}

fn names<'a>(addresses: impl IntoIterator<Item = &'a Address>) -> Vec<String> {
    addresses.into_iter().map(|address| address.spelling().replace("@contoso.com", "")).collect()
}

fn lease(ledger: &mut Ledger) -> Lease {
    ledger.acquire("contoso", &Owner("me".into()), TERM, at(0)).unwrap().expect("nobody holds it")
}

fn member(ledger: &Ledger, name: &str) -> Option<Member> {
    ledger.candidate("contoso", &sources(), address(name).identity()).unwrap().member
}

fn state(ledger: &Ledger, name: &str) -> Option<MemberState> {
    member(ledger, name).map(|member| member.state)
}

/// The history as lines `event name: detail`.
fn told(ledger: &Ledger) -> Vec<String> {
    let mut lines = Vec::new();
    let line = |line: HistoryLine| {
        let email = line.email.map(|email| format!(" {}", email.replace("@contoso.com", ""))).unwrap_or_default();
        format!("{:?}{email}: {}", line.event, line.detail)
    };
    ledger.for_each_history(&[], None, &mut |history| lines.push(line(history))).unwrap();
    lines
}

fn assignment(name: &str) -> Assignment {
    Assignment { address: address(name), priority: 5, since: at(-9), detail: format!("hr: {name}'s line") }
}

fn removal(name: &str) -> Removal {
    Removal { address: address(name), reason: Reason::Left, detail: "no longer in hr".into() }
}

fn hold(names: &[&str]) -> Hold {
    Hold {
        digest: format!("digest of {}", names.join(" ")),
        removals: names.iter().map(|name| removal(name)).collect(),
        reasons: vec!["Too many.".into()],
    }
}

fn leaving(name: &str) -> Leaving {
    Leaving {
        address: address(name),
        reason: Reason::Left,
        detail: "no longer in hr".into(),
        since: at(1),
        until: LeavingUntil::Approval,
    }
}

/// Records a plan that looked at everything until now.
fn record(ledger: &mut Ledger, lease: &Lease, plan: Plan, minutes: i64) {
    let seen = look(ledger, minutes).seen;
    ledger.record_plan(lease, RUN, &Arc::new(plan), "policy", seen, at(minutes)).unwrap();
}

fn begin(ledger: &mut Ledger, lease: &Lease, operation: Operation, names: &[&str], minutes: i64) -> IntentId {
    let intent = Some(NewIntent { operation, addresses: addresses(names) });
    let commit = Commit { intent, ..Commit::default() };
    ledger.commit(lease, RUN, &commit, at(minutes)).unwrap().unwrap()
}

fn settled(intent: IntentId, outcomes: &[(&str, Outcome)]) -> Commit {
    let outcomes = outcomes.iter().map(|(name, outcome)| (address(name), outcome.clone())).collect();
    Commit { settled: Some((intent, outcomes)), ..Commit::default() }
}

/// Assigns these, whole, with an answer to each.
fn assign(ledger: &mut Ledger, lease: &Lease, names: &[&str], minutes: i64) {
    let intent = begin(ledger, lease, Operation::Assign, names, minutes);
    let outcomes: Vec<_> = names.iter().map(|name| (*name, Outcome::Assigned)).collect();
    ledger.commit(lease, RUN, &settled(intent, &outcomes), at(minutes)).unwrap();
}

fn unassign(ledger: &mut Ledger, lease: &Lease, names: &[&str], minutes: i64) {
    let intent = begin(ledger, lease, Operation::Unassign, names, minutes);
    let outcomes: Vec<_> = names.iter().map(|name| (*name, Outcome::Unassigned)).collect();
    ledger.commit(lease, RUN, &settled(intent, &outcomes), at(minutes)).unwrap();
}

fn words() -> String {
    "so it is".into()
}

fn finish(ledger: &mut Ledger, lease: &Lease, stopped: Option<Stop>, minutes: i64) {
    let report = Report { stopped, ..Report::default() };
    ledger.finish_run(lease, RUN, RunOutcome::Converged, &report, None, at(minutes)).unwrap();
}

// ---- rosters

pub(super) fn an_accepted_roster_reads_back(ledger: &mut Ledger) {
    let full = Entry {
        address: Address::parse("Ann@Contoso.com").unwrap(),
        stable_id: Some("e1".into()),
        route: Some("contoso".into()),
        priority: -3,
        starts: Some(When::parse("2026-12-01").unwrap()),
        ends: Some(When::parse("2027-01-01T08:00:00+01:00").unwrap()),
        origin: "staff.csv line 2".into(),
    };
    let plain = entry("bob");
    let mut accepted = acceptance(vec![Change::Added(full.clone()), Change::Added(plain.clone())]);
    accepted.evidence.file = Some("staff.csv".into());
    ledger.accept(&accepted, at(1)).unwrap();

    let record = ledger.source("hr").unwrap().unwrap();
    assert_eq!((record.entries, record.accepted_at, &*record.scope), (7, Some(at(1)), "columns"));
    assert_eq!(record.evidence, accepted.evidence);
    assert_eq!(record.fingerprint, Fingerprint::default().to_bytes());

    let key = |entry: &Entry| ledger.hasher().entry_key(entry.address.identity(), entry.route.as_deref());
    let mut rows = Vec::new();
    ledger.for_each_row("hr", &mut |key, content| rows.push((key, content))).unwrap();
    let mut expected = [&full, &plain].map(|entry| (key(entry), ledger.hasher().content(entry)));
    expected.sort_unstable();
    assert_eq!(rows, expected);

    let found = ledger.entries_by_key("hr", &[key(&plain), key(&entry("nobody")), key(&full)]).unwrap();
    assert_eq!(found, [plain, full.clone()]);
    assert_eq!(found[1].address.spelling(), "Ann@Contoso.com");
    assert_eq!(ledger.entries_by_id("hr", &["e0", "e1"]).unwrap(), [full]);
    assert_eq!(ledger.source("another").unwrap(), None);
    assert_eq!(told(ledger), ["RosterAccepted: hr: 7 entries from staff.csv: 2 new, 0 changed, 0 gone"]);
}

pub(super) fn changes_edit_the_roster_and_touch_their_addresses(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann", "bob", "cid"])), at(0)).unwrap();
    record(ledger, &lease, Plan::default(), 1);
    assert_eq!(touched(ledger, 2), Vec::<String>::new());

    let changed = Entry { priority: 1, ..entry("bob") };
    ledger
        .accept(&acceptance(vec![removed("ann"), Change::Changed(changed.clone()), Change::Added(entry("dan"))]), at(2))
        .unwrap();
    assert_eq!(touched(ledger, 3), ["ann", "bob", "dan"]);
    let list = look(ledger, 3).list;
    assert_eq!(list[0].entries, []);
    let departure = list[0].departure.as_ref().unwrap();
    assert_eq!((departure.reason, &*departure.source, &*departure.origin), (Reason::Left, "hr", "ann's line"));
    assert_eq!(list[1].entries, [("hr".to_owned(), changed)]);
    assert_eq!(list[1].departure, None);
}

pub(super) fn an_entry_with_a_route_touches_its_subscription_alone(ledger: &mut Ledger) {
    let both = || vec!["contoso".to_owned(), "fabrikam".to_owned()];
    ledger.accept(&Acceptance { subscriptions: both(), ..acceptance(added(&["ann"])) }, at(0)).unwrap();
    for name in both() {
        let lease = ledger.acquire(&name, &Owner("me".into()), TERM, at(0)).unwrap().unwrap();
        let seen = ledger.candidates(&name, &sources(), Look::Touched, at(1)).unwrap().seen;
        ledger.record_plan(&lease, RUN, &Arc::default(), "policy", seen, at(1)).unwrap();
    }
    let routed = Entry { route: Some("fabrikam".into()), ..entry("bob") };
    let changes = vec![Change::Added(routed), Change::Added(entry("cid"))];
    ledger.accept(&Acceptance { subscriptions: both(), ..acceptance(changes) }, at(2)).unwrap();
    assert_eq!(touched(ledger, 3), ["cid"]);
    let others = ledger.candidates("fabrikam", &sources(), Look::Touched, at(3)).unwrap().list;
    assert_eq!(names(others.iter().map(|candidate| &candidate.address)), ["bob", "cid"]);
    assert_eq!(others[0].entries.len(), 1);
    let all = ledger.candidates("contoso", &sources(), Look::All, at(3)).unwrap().list;
    assert_eq!(names(all.iter().map(|candidate| &candidate.address)), ["ann", "cid"]);
}

pub(super) fn a_departure_stays_noted_until_a_plan_is_done_with_it(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann", "bob"])), at(0)).unwrap();
    assign(ledger, &lease, &["ann", "bob"], 0);
    record(ledger, &lease, Plan::default(), 1);
    ledger.accept(&acceptance(vec![removed("ann"), removed("bob")]), at(2)).unwrap();
    let seen = look(ledger, 3).seen;

    // Named again before a plan: nothing has departed. And what comes after the look is for the next plan.
    ledger.accept(&acceptance(added(&["ann"])), at(3)).unwrap();
    assert_eq!(look(ledger, 4).list[0].departure, None);
    let plan = Plan { leaving: vec![leaving("bob")], ..Plan::default() };
    ledger.record_plan(&lease, RUN, &Arc::new(plan), "policy", seen, at(4)).unwrap();
    assert_eq!(touched(ledger, 5), ["ann", "bob"]);
    let list = look(ledger, 5).list;
    assert_eq!(list[1].departure, None);
    let departure = list[1].member.as_ref().unwrap().departure.as_ref().unwrap();
    assert_eq!((&*departure.source, &*departure.origin, departure.at), ("hr", "bob's line", at(1)));
}

pub(super) fn a_first_roster_has_all_addresses_looked_at(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.adopt(&lease, &addresses(&["zoe"]), "it", at(0)).unwrap();
    record(ledger, &lease, Plan::default(), 0);
    ledger.accept(&acceptance(added(&["ann", "bob"])), at(1)).unwrap();
    assert_eq!(touched(ledger, 2), ["ann", "bob", "zoe"]);
    record(ledger, &lease, Plan::default(), 2);
    assert_eq!(touched(ledger, 3), Vec::<String>::new());
    assert_eq!(ledger.subscription("contoso").unwrap().scope.as_deref(), Some("policy"));
}

pub(super) fn a_large_change_keeps_its_departures(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann", "bob"])), at(0)).unwrap();
    record(ledger, &lease, Plan::default(), 1);
    ledger.accept(&acceptance(vec![removed("ann"), removed("bob")]), at(2)).unwrap();
    let mut many: Vec<Change> = (0..10_001).map(|number| Change::Added(entry(&format!("p{number}")))).collect();
    many.push(Change::Added(entry("bob")));
    ledger.accept(&acceptance(many), at(3)).unwrap();
    let list = look(ledger, 4).list;
    assert_eq!(list.len(), 10_003);
    let of = |name: &str| list.iter().find(|candidate| candidate.address == address(name)).unwrap();
    assert!(of("ann").departure.is_some() && of("ann").entries.is_empty());
    assert!(of("bob").departure.is_none() && of("bob").entries.len() == 1);
}

pub(super) fn both_looks_see_the_same_person(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let spelled = Entry { address: Address::parse("ANN@contoso.com").unwrap(), ..entry("ann") };
    ledger.accept(&acceptance(vec![]), at(0)).unwrap();
    ledger.accept(&Acceptance { source: "ad".into(), ..acceptance(vec![]) }, at(0)).unwrap();
    record(ledger, &lease, Plan::default(), 0);
    assign(ledger, &lease, &["ann", "bob"], 0);
    let routed = Entry { route: Some("contoso".into()), ..entry("ann") };
    let changes = vec![Change::Added(routed), Change::Added(spelled.clone()), removed("bob")];
    ledger.accept(&acceptance(changes), at(1)).unwrap();
    let spelled_otherwise =
        Change::Added(Entry { address: Address::parse("Cid@contoso.com").unwrap(), ..entry("cid") });
    let changes = vec![Change::Added(spelled), spelled_otherwise];
    ledger.accept(&Acceptance { source: "ad".into(), ..acceptance(changes) }, at(1)).unwrap();

    let some = look(ledger, 2).list;
    let all = ledger.candidates("contoso", &sources(), Look::All, at(2)).unwrap().list;
    assert_eq!(some, all);
    let spellings = |list: &[crate::plan::input::Candidate]| -> Vec<String> {
        list.iter().map(|candidate| candidate.address.spelling().to_owned()).collect()
    };
    assert_eq!(spellings(&some), ["ann@contoso.com", "bob@contoso.com", "Cid@contoso.com"]);
    assert_eq!(spellings(&all), spellings(&some));
    assert_eq!(some[0].entries.len(), 3);
}

pub(super) fn dates_that_fall_due_make_candidates(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let starts = When::At(at(60 * 100));
    let ends = When::At(at(60 * 200));
    let changes = vec![
        Change::Added(Entry { starts: Some(starts), ..entry("ann") }),
        Change::Added(Entry { ends: Some(ends), ..entry("bob") }),
        Change::Added(Entry { ends: Some(ends), route: Some("fabrikam".into()), ..entry("cid") }),
    ];
    ledger.accept(&acceptance(changes), at(0)).unwrap();
    record(ledger, &lease, Plan::default(), 0);
    assert_eq!(touched(ledger, 60 * 50), Vec::<String>::new());
    assert_eq!(touched(ledger, 60 * 101), ["ann"]);
    record(ledger, &lease, Plan::default(), 60 * 150);
    assert_eq!(touched(ledger, 60 * 160), Vec::<String>::new());
    assert_eq!(touched(ledger, 60 * 200), ["bob"]);
}

pub(super) fn whoever_had_a_bad_row_is_looked_at_again(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann", "bob"])), at(0)).unwrap();
    assign(ledger, &lease, &["ann", "bob"], 0);
    record(ledger, &lease, Plan::default(), 1);
    let bad = |name: &str| BadRow {
        origin: "staff.csv line 2".into(),
        reason: "has too few fields".into(),
        stable_id: None,
        address: Some(address(name)),
    };
    let rows = [bad("ann"), bad("nobody")];
    ledger.accept_unchanged("hr", &Evidence::default(), &rows, at(2)).unwrap();
    assert_eq!(touched(ledger, 2), ["ann"]);
    record(ledger, &lease, Plan::default(), 3);
    ledger.accept_unchanged("hr", &Evidence::default(), &rows, at(4)).unwrap();
    assert_eq!(touched(ledger, 4), Vec::<String>::new());
    ledger.accept_unchanged("hr", &Evidence::default(), &[], at(5)).unwrap();
    assert_eq!(touched(ledger, 5), ["ann"]);
}

pub(super) fn a_source_that_says_nothing_new_touches_nobody(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann"])), at(0)).unwrap();
    record(ledger, &lease, Plan::default(), 1);
    let evidence = Evidence { file: Some("b.csv".into()), digest: Some("d".into()), ..Evidence::default() };
    ledger.accept_unchanged("hr", &evidence, &[], at(2)).unwrap();
    let record = ledger.source("hr").unwrap().unwrap();
    assert_eq!((record.accepted_at, record.entries), (Some(at(2)), 7));
    assert_eq!(touched(ledger, 3), Vec::<String>::new());
    // The very same is not even written.
    ledger.accept_unchanged("hr", &evidence, &[], at(3)).unwrap();
    assert_eq!(ledger.source("hr").unwrap().unwrap().accepted_at, Some(at(2)));
}

pub(super) fn a_refused_reading_changes_nothing_and_is_told_once(ledger: &mut Ledger) {
    let why = |reason: &str| Incomplete { reason: reason.into(), file: None, bad_rows: Vec::new(), passing: true };
    ledger.refuse("hr", &why("The share is away."), at(0)).unwrap();
    assert_eq!(ledger.source("hr").unwrap().unwrap().accepted_at, None);
    ledger.accept(&acceptance(added(&["ann"])), at(1)).unwrap();
    assert_eq!(ledger.source("hr").unwrap().unwrap().problem, None);
    for minutes in 2..5 {
        ledger.refuse("hr", &why("The file is empty."), at(minutes)).unwrap();
    }
    ledger.refuse("hr", &why("The share is away."), at(6)).unwrap();
    let record = ledger.source("hr").unwrap().unwrap();
    assert_eq!(record.problem, Some(("The share is away.".into(), at(2))));
    assert_eq!((record.accepted_at, record.entries), (Some(at(1)), 7));
    ledger.source_well("hr").unwrap();
    assert_eq!(ledger.source("hr").unwrap().unwrap().problem, None);
    assert_eq!(
        told(ledger),
        [
            "RosterRefused: hr: The share is away.",
            "RosterAccepted: hr: 7 entries: 1 new, 0 changed, 0 gone",
            "RosterRefused: hr: The file is empty.",
            "RosterRefused: hr: The share is away.",
        ]
    );
}

pub(super) fn files_are_done_with_once(ledger: &mut Ledger) {
    let evidence = Evidence { file: Some("1.csv".into()), digest: Some("d1".into()), ..Evidence::default() };
    ledger.accept(&Acceptance { evidence, ..acceptance(vec![]) }, at(0)).unwrap();
    ledger.refuse_file("hr", "2.csv", "d2", at(1)).unwrap();
    assert!(ledger.file_done("hr", "1.csv", "d1").unwrap());
    assert!(!ledger.file_refused("hr", "1.csv", "d1").unwrap());
    assert!(ledger.file_done("hr", "2.csv", "d2").unwrap());
    assert!(ledger.file_refused("hr", "2.csv", "d2").unwrap());
    assert!(!ledger.file_done("hr", "1.csv", "d2").unwrap());
    assert!(!ledger.file_done("ad", "1.csv", "d1").unwrap());
}

// ---- a run

pub(super) fn a_seat_is_given_and_told(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.begin_run(&lease, RUN, Trigger::Roster, at(1)).unwrap();
    record(ledger, &lease, Plan { assign: vec![assignment("ann")], ..Plan::default() }, 1);
    let intent = begin(ledger, &lease, Operation::Assign, &["ann"], 2);
    let commit = Commit {
        stats: Some(Stats { available: 10, assigned: 1 }),
        habits: Some(Habits { batch_size: Some(50), applies_rest: false }),
        ..settled(intent, &[("ann", Outcome::Assigned)])
    };
    ledger.commit(&lease, RUN, &commit, at(3)).unwrap();
    let report = Report { requests: 1, assigned: 1, ..Report::default() };
    ledger.finish_run(&lease, RUN, RunOutcome::Converged, &report, None, at(4)).unwrap();

    let ann = member(ledger, "ann").unwrap();
    assert_eq!((ann.state, ann.since, ann.has_seat, ann.priority), (MemberState::Assigned, at(3), true, 5));
    assert_eq!((&*ann.reason, ann.waiting_since), ("hr: ann's line", None));
    let known = ledger.subscription("contoso").unwrap();
    assert_eq!(known.seats, Some(Seats { available: 10, assigned: 1, as_of: at(3) }));
    assert_eq!(known.habits.batch_size, Some(50));
    let run = known.last_run.unwrap();
    assert_eq!((run.id, run.trigger, run.outcome), (RUN, Trigger::Roster, Some(RunOutcome::Converged)));
    assert_eq!((run.started_at, run.finished_at, run.requests, run.assigned), (at(1), Some(at(4)), 1, 1));
    assert_eq!(ledger.run(RUN).unwrap().unwrap(), ("contoso".to_owned(), run));
    assert_eq!(ledger.member_counts("contoso").unwrap(), [(MemberState::Assigned, 1)]);
    assert_eq!(told(ledger), ["Assigned ann: hr: ann's line", "SeatsChanged: 10 seats"]);
}

pub(super) fn an_intent_makes_its_addresses_unknown_until_its_answer(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann"], 0);
    record(ledger, &lease, Plan { assign: vec![assignment("bob")], ..Plan::default() }, 1);
    let one = begin(ledger, &lease, Operation::Unassign, &["ann"], 2);
    let two = begin(ledger, &lease, Operation::Assign, &["bob"], 2);
    let ann = member(ledger, "ann").unwrap();
    let bob = member(ledger, "bob").unwrap();
    assert_eq!(
        (ann.state, ann.has_seat, bob.state, bob.has_seat),
        (MemberState::Unknown, true, MemberState::Unknown, false)
    );
    assert_eq!(bob.waiting_since, Some(at(-9)));
    let intents = ledger.open_intents("contoso").unwrap();
    assert_eq!(intents.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [one, two]);
    assert_eq!(intents[0].1, NewIntent { operation: Operation::Unassign, addresses: addresses(&["ann"]) });

    let outcome = Outcome::NotDone { cause: words() };
    ledger.commit(&lease, RUN, &settled(one, &[("ann", outcome.clone())]), at(3)).unwrap();
    ledger.commit(&lease, RUN, &settled(two, &[("bob", outcome)]), at(3)).unwrap();
    let ann = member(ledger, "ann").unwrap();
    assert_eq!((ann.state, ann.since, ann.has_seat), (MemberState::Assigned, at(0), true));
    assert_eq!(member(ledger, "bob"), None);
    assert_eq!(ledger.open_intents("contoso").unwrap(), []);
}

pub(super) fn every_outcome_has_its_state(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let all = ["ann", "bob", "cid", "dan"];
    let plan = Plan { assign: all.map(assignment).to_vec(), ..Plan::default() };
    record(ledger, &lease, plan, 0);
    let intent = begin(ledger, &lease, Operation::Assign, &all, 1);
    let outcomes = [
        ("ann", Outcome::Assigned),
        ("bob", Outcome::AssignedAlready { words: words() }),
        ("cid", Outcome::Refused { words: words() }),
        ("dan", Outcome::NoSeat),
    ];
    let left = vec![(address("eva"), Outcome::NoSeat)];
    ledger.commit(&lease, RUN, &Commit { left, ..settled(intent, &outcomes) }, at(2)).unwrap();
    let intent = begin(ledger, &lease, Operation::Unassign, &["ann", "bob"], 3);
    let outcomes =
        [("ann", Outcome::UnassignedAlready { words: words() }), ("bob", Outcome::Refused { words: "not him".into() })];
    ledger.commit(&lease, RUN, &settled(intent, &outcomes), at(4)).unwrap();

    assert_eq!(member(ledger, "ann"), None);
    let bob = member(ledger, "bob").unwrap();
    assert_eq!((bob.state, bob.has_seat, bob.refused, &*bob.reason), (MemberState::Quarantined, true, true, "not him"));
    let cid = member(ledger, "cid").unwrap();
    assert_eq!(
        (cid.state, cid.has_seat, cid.refused, &*cid.reason),
        (MemberState::Quarantined, false, true, "so it is")
    );
    let dan = member(ledger, "dan").unwrap();
    assert_eq!((dan.state, dan.priority, dan.waiting_since), (MemberState::Pending, 5, Some(at(-9))));
    let eva = member(ledger, "eva").unwrap();
    assert_eq!((eva.state, eva.priority, eva.waiting_since), (MemberState::Pending, 100, Some(at(2))));
    assert_eq!(
        told(ledger),
        [
            "Assigned ann: hr: ann's line",
            "Assigned bob: hr: bob's line; it was assigned already: so it is",
            "Quarantined cid: so it is",
            "Pending dan: no seat is free",
            "Pending eva: no seat is free",
            "Unassigned ann: as a person asked; it was not assigned: so it is",
            "Quarantined bob: not him",
        ]
    );

    // Asked again in vain, a pending one keeps its place and tells nothing new.
    let intent = begin(ledger, &lease, Operation::Assign, &["dan"], 5);
    let left = vec![(address("eva"), Outcome::NoSeat)];
    ledger.commit(&lease, RUN, &Commit { left, ..settled(intent, &[("dan", Outcome::NoSeat)]) }, at(6)).unwrap();
    assert_eq!(member(ledger, "dan").unwrap(), dan);
    assert_eq!(member(ledger, "eva").unwrap(), eva);
    assert_eq!(told(ledger).len(), 7);
}

pub(super) fn an_unknown_outcome_keeps_its_intent_open(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let intent = begin(ledger, &lease, Operation::Assign, &["ann", "bob", "cid"], 1);
    let lost = Outcome::Unknown { cause: "timed out".into() };
    let outcomes = [("ann", lost.clone()), ("bob", Outcome::Assigned), ("cid", lost.clone())];
    ledger.commit(&lease, RUN, &settled(intent, &outcomes), at(2)).unwrap();
    let open = ledger.open_intents("contoso").unwrap();
    assert_eq!(open, [(intent, NewIntent { operation: Operation::Assign, addresses: addresses(&["ann", "cid"]) })]);
    assert_eq!(member(ledger, "ann").unwrap().reason, "no answer to the request to assign it: timed out");
    // Lost again for the same cause: nothing new to tell. Then answered.
    ledger.commit(&lease, RUN, &settled(intent, &[("ann", lost.clone()), ("cid", lost)]), at(3)).unwrap();
    let outcomes = [("ann", Outcome::Assigned), ("cid", Outcome::NoSeat)];
    ledger.commit(&lease, RUN, &settled(intent, &outcomes), at(4)).unwrap();
    assert_eq!(ledger.open_intents("contoso").unwrap(), []);
    assert_eq!([state(ledger, "ann"), state(ledger, "cid")], [Some(MemberState::Assigned), Some(MemberState::Pending)]);
    assert_eq!(told(ledger).iter().filter(|line| line.starts_with("Unknown")).count(), 2);
}

pub(super) fn an_assignment_sent_again_keeps_its_past(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann"], 0);
    let before = member(ledger, "ann");
    assign(ledger, &lease, &["ann"], 5);
    assert_eq!(member(ledger, "ann"), before);
    assert_eq!(told(ledger).len(), 1);
}

pub(super) fn an_illegal_step_changes_nothing(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let intent = begin(ledger, &lease, Operation::Assign, &["ann", "bob"], 1);
    let wrong = [
        settled(intent, &[("ann", Outcome::Assigned)]),
        settled(intent, &[("ann", Outcome::Assigned), ("ann", Outcome::Assigned)]),
        settled(intent, &[("ann", Outcome::Assigned), ("cid", Outcome::Assigned)]),
        settled(intent, &[("ann", Outcome::Assigned), ("bob", Outcome::Unassigned)]),
        settled(IntentId(intent.0 + 1), &[("ann", Outcome::Assigned), ("bob", Outcome::Assigned)]),
        Commit {
            left: vec![(address("cid"), Outcome::NoSeat), (address("dan"), Outcome::Assigned)],
            ..Commit::default()
        },
        Commit {
            left: vec![(address("cid"), Outcome::NoSeat), (address("ann"), Outcome::NoSeat)],
            ..Commit::default()
        },
    ];
    for commit in wrong {
        let result = ledger.commit(&lease, RUN, &commit, at(2));
        assert!(matches!(result, Err(LedgerError::Illegal(_))), "{commit:?}: {result:?}");
    }
    assert_eq!([state(ledger, "ann"), state(ledger, "bob")], [Some(MemberState::Unknown); 2]);
    assert_eq!(state(ledger, "cid"), None);
    assert_eq!(told(ledger), Vec::<String>::new());
    let settle = settled(intent, &[("ann", Outcome::Assigned), ("bob", Outcome::Assigned)]);
    ledger.commit(&lease, RUN, &settle, at(3)).unwrap();
    assert!(matches!(ledger.commit(&lease, RUN, &settle, at(3)), Err(LedgerError::Illegal(_))));
}

pub(super) fn no_address_is_in_two_open_intents(ledger: &mut Ledger) {
    let lease = lease(ledger);
    begin(ledger, &lease, Operation::Assign, &["ann"], 1);
    for names in [["bob", "ann"], ["cid", "cid"]] {
        let intent = Some(NewIntent { operation: Operation::Assign, addresses: addresses(&names) });
        let result = ledger.commit(&lease, RUN, &Commit { intent, ..Commit::default() }, at(2));
        assert!(matches!(result, Err(LedgerError::Illegal(_))), "{result:?}");
    }
    assert_eq!(ledger.open_intents("contoso").unwrap().len(), 1);
}

pub(super) fn nobody_is_unassigned_without_a_known_seat(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let left = vec![(address("ann"), Outcome::NoSeat)];
    ledger.commit(&lease, RUN, &Commit { left, ..Commit::default() }, at(0)).unwrap();
    for name in ["ann", "nobody"] {
        let intent = Some(NewIntent { operation: Operation::Unassign, addresses: addresses(&[name]) });
        let result = ledger.commit(&lease, RUN, &Commit { intent, ..Commit::default() }, at(2));
        assert!(matches!(result, Err(LedgerError::Illegal(_))), "{result:?}");
    }
    let plan = Plan { leaving: vec![leaving("ann")], ..Plan::default() };
    let seen = look(ledger, 1).seen;
    let result = ledger.record_plan(&lease, RUN, &Arc::new(plan), "policy", seen, at(2));
    assert!(matches!(result, Err(LedgerError::Illegal(_))), "{result:?}");
}

pub(super) fn a_removal_counts_unless_renamed_approved_or_asked_for(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann", "bob", "cid", "dan"], 0);
    finish(ledger, &lease, None, 0);
    ledger.approve("contoso", &hold(&["bob"]), "eva", at(90), at(1)).unwrap();
    let rename = Rename { from: address("cid"), to: address("kid"), priority: 1 };
    let plan = Plan { unassign: vec![removal("ann"), removal("bob")], rename: vec![rename], ..Plan::default() };
    record(ledger, &lease, plan, 2);
    unassign(ledger, &lease, &["ann", "bob", "cid"], 3);
    assign(ledger, &lease, &["kid"], 3);
    finish(ledger, &lease, None, 4);
    // Without a plan: a person's doing.
    unassign(ledger, &lease, &["dan"], 5);
    let counts = ledger.counts("contoso", at(6)).unwrap();
    assert_eq!((counts.holding, counts.removed_last_day), (1, 1));
    assert_eq!(ledger.counts("contoso", at(3 + 24 * 60)).unwrap().removed_last_day, 0);
    assert_eq!(
        told(ledger)[4..],
        [
            "Approved: 1 removals (digest of bob) by eva",
            "Unassigned ann: no longer in hr",
            "Unassigned bob: no longer in hr; approved by eva",
            "Unassigned cid: renamed to kid@contoso.com",
            "Renamed cid: to kid@contoso.com",
            "Assigned kid: renamed from cid@contoso.com",
            "Unassigned dan: as a person asked",
        ]
    );
}

pub(super) fn a_removal_that_failed_keeps_its_reason(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann"])), at(0)).unwrap();
    assign(ledger, &lease, &["ann"], 0);
    record(ledger, &lease, Plan::default(), 1);
    ledger.accept(&acceptance(vec![removed("ann")]), at(2)).unwrap();
    record(ledger, &lease, Plan { unassign: vec![removal("ann")], ..Plan::default() }, 3);
    let intent = begin(ledger, &lease, Operation::Unassign, &["ann"], 3);
    let outcome = Outcome::NotDone { cause: words() };
    ledger.commit(&lease, RUN, &settled(intent, &[("ann", outcome)]), at(4)).unwrap();
    finish(ledger, &lease, None, 5);
    assert_eq!(touched(ledger, 6), ["ann"]);
    record(ledger, &lease, Plan::default(), 7);
    assert_eq!(touched(ledger, 8), ["ann"], "it has a departure, so every plan looks at it");
    assert_eq!(member(ledger, "ann").unwrap().departure.unwrap().reason, Reason::Left);

    ledger.accept(&acceptance(added(&["ann"])), at(9)).unwrap();
    assert_eq!(member(ledger, "ann").unwrap().departure, None);
    record(ledger, &lease, Plan::default(), 9);
    assert_eq!(touched(ledger, 10), Vec::<String>::new());
}

pub(super) fn a_run_that_breaks_off_leaves_everybody_to_the_next_plan(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann", "bob"])), at(0)).unwrap();
    let plan = || Plan { assign: vec![assignment("ann"), assignment("bob")], ..Plan::default() };
    record(ledger, &lease, plan(), 1);
    assign(ledger, &lease, &["ann"], 1);
    assert_eq!(touched(ledger, 2), ["ann", "bob"], "as after a crash");
    finish(ledger, &lease, Some(Stop::Shutdown), 2);
    assert_eq!(touched(ledger, 3), ["ann", "bob"]);
    assert_eq!(ledger.subscription("contoso").unwrap().scope, None);

    // Not stopped, but one was not done.
    record(ledger, &lease, plan(), 3);
    let left = vec![(address("bob"), Outcome::NotDone { cause: words() })];
    ledger.commit(&lease, RUN, &Commit { left, ..Commit::default() }, at(3)).unwrap();
    finish(ledger, &lease, None, 3);
    assert_eq!(touched(ledger, 4), ["ann", "bob"]);

    record(ledger, &lease, plan(), 4);
    assign(ledger, &lease, &["bob"], 4);
    ledger.accept(&acceptance(added(&["cid"])), at(4)).unwrap();
    finish(ledger, &lease, None, 5);
    assert_eq!(touched(ledger, 6), ["cid"]);
    assert_eq!(ledger.subscription("contoso").unwrap().scope.as_deref(), Some("policy"));
}

// ---- the plan

pub(super) fn the_plan_is_written_as_states_with_reasons(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann", "bob", "cid"], 0);
    let left = vec![(address("dan"), Outcome::NoSeat)];
    ledger.commit(&lease, RUN, &Commit { left, ..Commit::default() }, at(0)).unwrap();
    let until = |name: &str, until| Leaving { until, ..leaving(name) };
    let plan = || Plan {
        leaving: vec![
            until("ann", LeavingUntil::Grace(at(90))),
            until("bob", LeavingUntil::Protected("b*".into())),
            until("cid", LeavingUntil::Approval),
        ],
        waiting: vec![Waiting { address: address("eva"), starts: at(600), priority: 2 }],
        quarantined: vec![Quarantine { address: address("fay"), reason: "her domain is not one of ours".into() }],
        settle: vec![Settlement::Dropped { address: address("dan"), reason: Reason::Left }],
        ..Plan::default()
    };
    record(ledger, &lease, plan(), 1);
    let plan_again = Plan { settle: Vec::new(), ..plan() };
    record(ledger, &lease, plan_again, 2);
    let settle = vec![
        Settlement::Returned { address: address("ann") },
        Settlement::Kept { address: address("cid"), reason: "the row can't be used".into() },
    ];
    record(ledger, &lease, Plan { settle, ..Plan::default() }, 3);
    insta::assert_snapshot!(told(ledger)[4..].join("\n"), @"
    Dropped dan: no longer wants a seat (left), and never had one
    Leaving ann: no longer in hr; keeps the seat until 2027-01-15T09:30:00Z
    Leaving bob: no longer in hr; protected by `b*`
    Leaving cid: no longer in hr; the removal waits for an approval
    Waiting eva: starts 2027-01-15T18:00:00Z
    Quarantined fay: her domain is not one of ours
    Returned ann: named again before the seat was taken
    Kept cid: the row can't be used
    ");
    let shown = |name: &str| member(ledger, name).map(|member| (member.state, member.since, member.has_seat));
    assert_eq!(shown("ann"), Some((MemberState::Assigned, at(3), true)));
    assert_eq!(shown("bob"), Some((MemberState::Leaving, at(1), true)));
    assert_eq!(shown("dan"), None);
    assert_eq!(shown("eva"), Some((MemberState::Waiting, at(1), false)));
    assert_eq!(shown("fay"), Some((MemberState::Quarantined, at(1), false)));
    assert!(!member(ledger, "fay").unwrap().refused);
    // Kept without being named: every plan looks at it, and knows why it is not named.
    assert!(member(ledger, "cid").unwrap().departure.is_some());
    assert_eq!(touched(ledger, 4), ["bob", "cid", "eva", "fay"]);
}

pub(super) fn a_hold_is_told_once_and_keeps_its_time(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann", "bob"], 0);
    let plan = |hold: Option<Hold>| Plan { leaving: vec![leaving("ann"), leaving("bob")], hold, ..Plan::default() };
    record(ledger, &lease, plan(Some(hold(&["ann"]))), 1);
    record(ledger, &lease, plan(Some(hold(&["ann"]))), 2);
    let known = ledger.subscription("contoso").unwrap().hold.unwrap();
    assert_eq!((known.since, known.hold), (at(1), hold(&["ann"])));
    record(ledger, &lease, plan(Some(hold(&["ann", "bob"]))), 3);
    assert_eq!(ledger.subscription("contoso").unwrap().hold.unwrap().since, at(3));
    record(ledger, &lease, plan(None), 4);
    assert_eq!(ledger.subscription("contoso").unwrap().hold, None);
    assert_eq!(told(ledger).iter().filter(|line| line.starts_with("Held")).count(), 2);
}

pub(super) fn a_rejected_removal_keeps_its_member_until_named_again(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann", "bob"])), at(0)).unwrap();
    assign(ledger, &lease, &["ann", "bob"], 0);
    record(ledger, &lease, Plan::default(), 0);
    ledger.accept(&acceptance(vec![removed("ann"), removed("bob")]), at(1)).unwrap();
    let plan =
        Plan { leaving: vec![leaving("ann"), leaving("bob")], hold: Some(hold(&["ann", "bob"])), ..Plan::default() };
    record(ledger, &lease, plan, 2);
    ledger.reject(&lease, &hold(&["ann", "bob"]), "eva", at(3)).unwrap();
    assert_eq!(ledger.subscription("contoso").unwrap().hold, None);
    let ann = member(ledger, "ann").unwrap();
    assert_eq!((ann.state, ann.kept, ann.departure), (MemberState::Assigned, true, None));
    assert_eq!(ann.reason, "kept: the removal was rejected by eva");
    assert_eq!(touched(ledger, 4), Vec::<String>::new());

    ledger.accept(&acceptance(added(&["bob"])), at(5)).unwrap();
    assert_eq!(touched(ledger, 6), ["bob"]);
    assert!(!member(ledger, "bob").unwrap().kept);
    assert!(member(ledger, "ann").unwrap().kept);
}

pub(super) fn an_approval_ends_by_itself(ledger: &mut Ledger) {
    ledger.approve("contoso", &hold(&["bob", "ann"]), "eva", at(60), at(0)).unwrap();
    let approvals = ledger.approvals("contoso", at(59)).unwrap();
    let members = vec![address("bob").identity().to_owned(), address("ann").identity().to_owned()];
    let approval = Approval { digest: "digest of bob ann".into(), members, expires_at: at(60), by: "eva".into() };
    assert_eq!(approvals, [approval]);
    assert_eq!(ledger.approvals("contoso", at(60)).unwrap(), []);
    assert_eq!(ledger.approvals("fabrikam", at(0)).unwrap(), []);
}

pub(super) fn full_and_free_seats_are_noted(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let full = |assigned: u64| Commit {
        left: vec![(address("ann"), Outcome::NoSeat)],
        stats: Some(Stats { available: 10, assigned }),
        full: true,
        ..Commit::default()
    };
    ledger.commit(&lease, RUN, &full(10), at(1)).unwrap();
    ledger.commit(&lease, RUN, &full(10), at(2)).unwrap();
    let known = ledger.subscription("contoso").unwrap();
    assert_eq!((known.full_since, known.probed_at), (Some(at(1)), Some(at(2))));
    let more = Commit { stats: Some(Stats { available: 12, assigned: 10 }), ..Commit::default() };
    ledger.commit(&lease, RUN, &more, at(3)).unwrap();
    assert_eq!(ledger.subscription("contoso").unwrap().full_since, None);
    // Nobody waits any more: it does not matter that it is full.
    ledger.commit(&lease, RUN, &full(12), at(4)).unwrap();
    assign(ledger, &lease, &["ann"], 5);
    finish(ledger, &lease, None, 6);
    assert_eq!(ledger.subscription("contoso").unwrap().full_since, None);
    let told: Vec<String> = told(ledger).into_iter().filter(|line| line.starts_with("Seats")).collect();
    assert_eq!(
        told,
        [
            "SeatsChanged: 10 seats",
            "SeatsExhausted: no seat is free for those who wait",
            "SeatsChanged: 10 seats, now 12",
            "SeatsChanged: 12 seats, now 10",
            "SeatsExhausted: no seat is free for those who wait",
        ]
    );
}

pub(super) fn problems_are_told_once(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let refused = Report { stopped: Some(Stop::KeyRefused { words: words() }), ..Report::default() };
    for minutes in 1..4 {
        let problem = Some("The key is refused.");
        ledger.finish_run(&lease, RUN, RunOutcome::Failed, &refused, problem, at(minutes)).unwrap();
    }
    assert_eq!(ledger.subscription("contoso").unwrap().problem, Some(("The key is refused.".into(), at(1))));
    assert_eq!(told(ledger), ["KeyRejected: The key is refused."]);
    finish(ledger, &lease, None, 5);
    assert_eq!(ledger.subscription("contoso").unwrap().problem, None);
}

pub(super) fn what_was_held_a_day_ago(ledger: &mut Ledger) {
    let lease = lease(ledger);
    let day = 24 * 60;
    assert_eq!(ledger.counts("contoso", at(0)).unwrap().holding_day_ago, 0);
    ledger.begin_run(&lease, RUN, Trigger::Start, at(0)).unwrap();
    assign(ledger, &lease, &["ann"], 0);
    assert_eq!(ledger.counts("contoso", at(1)).unwrap().holding_day_ago, 1, "before the first run's end: now");
    assign(ledger, &lease, &["bob", "cid"], 2);
    finish(ledger, &lease, None, 3);
    unassign(ledger, &lease, &["bob"], 60);
    assert_eq!(ledger.counts("contoso", at(61)).unwrap().holding_day_ago, 3, "as at the end of the first run");
    assert_eq!(ledger.counts("contoso", at(59 + day)).unwrap().holding_day_ago, 3);
    let later = ledger.counts("contoso", at(60 + day)).unwrap();
    assert_eq!((later.holding, later.holding_day_ago), (2, 2));
}

// ---- people

pub(super) fn adopting_takes_over_who_has_no_seat_yet(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann"], 0);
    begin(ledger, &lease, Operation::Assign, &["bob"], 1);
    let spelled = Address::parse("Cid@contoso.com").unwrap();
    let all = [address("ann"), address("bob"), spelled.clone(), spelled];
    assert_eq!(ledger.adopt(&lease, &all, "eva", at(2)).unwrap(), 1);
    let cid = member(ledger, "cid").unwrap();
    assert_eq!((cid.state, cid.has_seat, cid.address.spelling()), (MemberState::Assigned, true, "Cid@contoso.com"));
    assert_eq!(state(ledger, "bob"), Some(MemberState::Unknown));
    assert_eq!(touched(ledger, 3), ["bob", "Cid"]);
    assert_eq!(told(ledger)[1..], ["Adopted Cid: by eva"]);
    assert_eq!(ledger.counts("contoso", at(3)).unwrap().holding, 2);
}

pub(super) fn forgetting_needs_no_request(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann"], 0);
    assert_eq!(ledger.forget(&lease, &addresses(&["ann", "nobody"]), "eva", at(1)).unwrap(), 1);
    assert_eq!(member(ledger, "ann"), None);
    assert_eq!(ledger.member_counts("contoso").unwrap(), []);
    begin(ledger, &lease, Operation::Assign, &["bob"], 1);
    let result = ledger.forget(&lease, &addresses(&["bob"]), "eva", at(1));
    assert!(matches!(result, Err(LedgerError::Illegal(_))), "{result:?}");
}

pub(super) fn a_quarantined_member_may_try_again(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann"], 0);
    let intent = begin(ledger, &lease, Operation::Assign, &["bob", "cid"], 1);
    let refused = || Outcome::Refused { words: words() };
    ledger.commit(&lease, RUN, &settled(intent, &[("bob", refused()), ("cid", refused())]), at(1)).unwrap();
    let intent = begin(ledger, &lease, Operation::Unassign, &["ann"], 1);
    ledger.commit(&lease, RUN, &settled(intent, &[("ann", refused())]), at(1)).unwrap();

    assert_eq!(ledger.retry(&lease, &addresses(&["bob", "nobody"]), "eva", at(2)).unwrap(), 1);
    let bob = member(ledger, "bob").unwrap();
    assert_eq!((bob.state, bob.refused, bob.waiting_since), (MemberState::Pending, false, Some(at(2))));
    assert_eq!(ledger.retry(&lease, &[], "eva", at(3)).unwrap(), 2);
    let ann = member(ledger, "ann").unwrap();
    assert_eq!((ann.state, ann.has_seat), (MemberState::Assigned, true));
    assert_eq!(touched(ledger, 4), ["ann", "bob", "cid"]);
}

pub(super) fn a_run_that_is_asked_for_is_taken_once(ledger: &mut Ledger) {
    ledger.ask_for_run("fabrikam", at(0)).unwrap();
    ledger.ask_for_run("contoso", at(0)).unwrap();
    ledger.ask_for_run("contoso", at(1)).unwrap();
    assert_eq!(ledger.take_asked().unwrap(), ["contoso", "fabrikam"]);
    assert_eq!(ledger.take_asked().unwrap(), Vec::<String>::new());
}

// ---- the past

pub(super) fn a_run_tells_whose_seats_it_changed(ledger: &mut Ledger) {
    let lease = lease(ledger);
    assign(ledger, &lease, &["ann"], 0);
    let other: RunId = uuid::Uuid::from_u128(2);
    let commit = |ledger: &mut Ledger, commit: Commit| ledger.commit(&lease, other, &commit, at(1)).unwrap();
    let intent = |operation, names: &[&str]| Commit {
        intent: Some(NewIntent { operation, addresses: addresses(names) }),
        ..Commit::default()
    };
    let id = commit(ledger, intent(Operation::Unassign, &["ann"])).unwrap();
    commit(ledger, settled(id, &[("ann", Outcome::Unassigned)]));
    let id = commit(ledger, intent(Operation::Assign, &["dan", "bob", "cid"])).unwrap();
    let already = Outcome::AssignedAlready { words: words() };
    commit(ledger, settled(id, &[("dan", Outcome::Assigned), ("bob", Outcome::Assigned), ("cid", already)]));
    let (given, taken) = ledger.run_effects(other).unwrap();
    assert_eq!((names(&given), names(&taken)), (vec!["bob".to_owned(), "dan".into()], vec!["ann".to_owned()]));
    assert_eq!(ledger.run(other).unwrap(), None);
}

pub(super) fn history_is_read_by_subscription_and_time(ledger: &mut Ledger) {
    let lease = lease(ledger);
    ledger.accept(&acceptance(added(&["ann"])), at(0)).unwrap();
    assign(ledger, &lease, &["ann", "bob"], 1);
    let other = ledger.acquire("fabrikam", &Owner("me".into()), TERM, at(0)).unwrap().unwrap();
    ledger.adopt(&other, &addresses(&["ann"]), "eva", at(2)).unwrap();
    let read = |subscriptions: &[&str], since: Option<Timestamp>| {
        let subscriptions: Vec<String> = subscriptions.iter().map(|name| (*name).to_owned()).collect();
        let mut events = Vec::new();
        ledger
            .for_each_history(&subscriptions, since, &mut |line| events.push((line.subscription, line.event)))
            .unwrap();
        events
    };
    assert_eq!(read(&[], None).len(), 4);
    assert_eq!(read(&["contoso"], None), vec![(Some("contoso".to_owned()), Event::Assigned); 2]);
    assert_eq!(read(&["contoso", "fabrikam"], Some(at(2))), [(Some("fabrikam".to_owned()), Event::Adopted)]);
    assert_eq!(read(&["nobody"], None), []);
    let lines = ledger.history_of(address("ann").identity(), 9).unwrap();
    assert_eq!(
        lines.iter().map(|line| (line.event, line.at)).collect::<Vec<_>>(),
        [(Event::Assigned, at(1)), (Event::Adopted, at(2))]
    );
    assert_eq!(lines[0].run, Some(RUN));
    assert_eq!(ledger.history_of(address("ann").identity(), 1).unwrap()[0].event, Event::Adopted);
}

// ---- leases

pub(super) fn a_lease_keeps_others_out_until_it_ends(ledger: &mut Ledger) {
    let (me, you) = (Owner("me".into()), Owner("you".into()));
    let lease = ledger.acquire("contoso", &me, TERM, at(0)).unwrap().unwrap();
    assert!(ledger.acquire("contoso", &you, TERM, at(0)).unwrap().is_none());
    assert!(ledger.acquire("contoso", &me, TERM, at(0)).unwrap().is_none(), "not twice in one process either");
    assert!(ledger.acquire("fabrikam", &you, TERM, at(0)).unwrap().is_some());
    ledger.renew(&lease, 3 * TERM, at(1)).unwrap();
    assert!(ledger.acquire("contoso", &you, TERM, at(3)).unwrap().is_none());
    ledger.release(lease).unwrap();
    assert!(ledger.acquire("contoso", &you, TERM, at(3)).unwrap().is_some());
    assert!(ledger.acquire("contoso", &me, TERM, at(4)).unwrap().is_some(), "its time is over");

    let gone = Owner::this_process()
        .0
        .rsplit_once(':')
        .map(|(place, _)| place.replace(&std::process::id().to_string(), "4999999"))
        .unwrap();
    ledger.acquire("tailspin", &Owner(format!("{gone}:x")), TERM, at(0)).unwrap().unwrap();
    assert!(ledger.acquire("tailspin", &me, TERM, at(0)).unwrap().is_some(), "its holder is gone");
}

pub(super) fn a_lost_lease_fences_every_write(ledger: &mut Ledger) {
    let old = lease(ledger);
    assign(ledger, &old, &["ann"], 0);
    let seen = look(ledger, 0).seen;
    let new = ledger.acquire("contoso", &Owner("me".into()), TERM, at(2)).unwrap().unwrap();
    let before = told(ledger);
    let plan = Arc::new(Plan { leaving: vec![leaving("ann")], ..Plan::default() });
    let intent = Some(NewIntent { operation: Operation::Unassign, addresses: addresses(&["ann"]) });
    let results = [
        ledger.renew(&old, TERM, at(3)),
        ledger.begin_run(&old, RUN, Trigger::Start, at(3)),
        ledger.record_plan(&old, RUN, &plan, "policy", seen, at(3)),
        ledger.commit(&old, RUN, &Commit { intent, ..Commit::default() }, at(3)).map(drop),
        ledger.finish_run(&old, RUN, RunOutcome::Failed, &Report::default(), Some("x"), at(3)),
        ledger.reject(&old, &hold(&["ann"]), "eva", at(3)),
        ledger.adopt(&old, &addresses(&["bob"]), "eva", at(3)).map(drop),
        ledger.forget(&old, &addresses(&["ann"]), "eva", at(3)).map(drop),
        ledger.retry(&old, &addresses(&["ann"]), "eva", at(3)).map(drop),
    ];
    for (number, result) in results.into_iter().enumerate() {
        assert!(
            matches!(&result, Err(LedgerError::Fenced { subscription }) if subscription == "contoso"),
            "{number}: {result:?}"
        );
    }
    assert_eq!(told(ledger), before);
    ledger.release(old).unwrap();
    ledger.renew(&new, TERM, at(3)).unwrap();
}

// ---- any sequence

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
            ledger.accept(&acceptance(edits.iter().map(edit).collect()), at(minutes))
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
            ledger.record_plan(lease, RUN, &Arc::new(plan), "policy", seen, at(minutes))
        }
        Act::Ask(assign, who) => {
            let operation = if *assign { Operation::Assign } else { Operation::Unassign };
            let intent = Some(NewIntent { operation, addresses: addresses(&all_names(who)) });
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

pub(super) fn any_sequence_keeps_the_books_right(ledger: &mut Ledger) {
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
