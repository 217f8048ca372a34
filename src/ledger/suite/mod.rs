//! What every ledger must do, whatever it stands on: each test is a function of an empty ledger, and
//! [`ledger_suite!`] lists them for a backend.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::sqlite::{Candidates, Look};
use super::*;
use crate::address::Address;
use crate::brake::{Brake, Troubles};
use crate::dispatch::machine::{Commit, Habits, NewIntent, Outcome, Report, Stop};
use crate::licensing::wire::{Operation, Stats};
use crate::member::{Departure, NOT_ASKED};
use crate::plan::{
    Assignment, Hold, Leaving, LeavingUntil, Plan, Quarantine, Removal, Rename, Settlement, Then, Waiting,
};
use crate::roster::{Entry, Fingerprint, Parts, Reason, When};
use crate::source::{DeltaFile, FileDone, FileMark, Incomplete, Push};

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
            a_rename_in_one_roster_outlives_a_departure_from_another,
            who_was_renamed_while_the_subscription_was_left_out_is_known,
            a_scope_is_known_once_a_run_has_come_to_its_end_under_it,
            who_waits_for_the_day_takes_over_the_seat_of_an_old_address,
            who_is_named_while_the_removal_is_on_its_way_comes_first,
            a_date_that_passed_while_a_clock_was_ahead_is_seen,
            both_looks_see_the_same_person,
            a_new_address_is_looked_at_with_the_old_one_however_settled,
            dates_that_fall_due_make_candidates,
            dates_that_a_clock_ran_past_are_looked_at_again,
            a_source_that_was_missed_has_all_addresses_looked_at,
            whoever_had_a_bad_row_is_looked_at_again,
            a_source_that_says_nothing_new_touches_nobody,
            a_refused_reading_changes_nothing_and_is_told_once,
            files_are_done_with_once,
            whether_a_source_tells_of_changes_is_noted_when_that_changes,
            a_seat_is_given_and_told,
            an_intent_makes_its_addresses_unknown_until_its_answer,
            every_outcome_has_its_state,
            who_was_not_asked_for_waits_and_says_why,
            whoever_waited_is_known_by_the_spelling_that_was_sent,
            an_unknown_outcome_keeps_its_intent_open,
            an_assignment_sent_again_keeps_its_past,
            whoever_is_asked_for_again_loses_nothing_by_a_refusal,
            a_seat_that_is_gone_makes_its_member_wait,
            what_the_server_counts_is_held_against_the_members,
            whose_loss_an_answer_tells_is_missed_no_more,
            a_count_that_can_not_be_compared_is_not,
            a_persons_word_is_no_drift,
            known_assignments_are_sent_again_in_turn,
            an_illegal_step_changes_nothing,
            no_address_is_in_two_open_intents,
            nobody_is_unassigned_without_a_known_seat,
            a_removal_counts_unless_renamed_approved_or_asked_for,
            a_removal_that_failed_keeps_its_reason,
            who_leaves_while_a_request_is_open_is_not_forgotten,
            a_run_that_breaks_off_leaves_everybody_to_the_next_plan,
            who_leaves_before_the_answer_comes_is_left_to_the_next_plan,
            who_gives_the_seat_back_and_is_still_named_is_not_forgotten,
            a_day_is_looked_at_until_it_has_come_everywhere,
            an_acceptance_says_how_many_came_and_went,
            what_waits_to_be_looked_at_is_known,
            a_file_that_says_the_same_is_heard_of_at_its_time,
            the_plan_is_written_as_states_with_reasons,
            a_leaver_without_a_departure_is_no_plan,
            a_hold_is_told_once_and_keeps_its_time,
            a_rejected_removal_keeps_its_member_until_named_again,
            a_rejection_leaves_alone_who_is_gone_or_asked_about,
            a_subscription_stands_for_one_at_the_server,
            an_approval_ends_by_itself,
            an_approval_is_spent_by_its_run_and_lapses_for_whoever_returns,
            full_and_free_seats_are_noted,
            problems_are_told_once,
            removals_stop_everywhere_until_a_person_says_so,
            what_began_within_the_hour_counts_once,
            what_began_in_the_future_does_not_count,
            who_may_have_lost_a_seat_is_looked_at_when_removals_go_on,
            what_was_held_a_day_ago,
            adopting_takes_over_who_has_no_seat_yet,
            forgetting_needs_no_request,
            a_quarantined_member_may_try_again,
            a_run_tells_whose_seats_it_changed,
            history_is_read_by_subscription_and_time,
            a_lease_keeps_others_out_until_it_ends,
            a_run_keeps_its_lease_by_its_commits,
            a_commit_renews_the_lease,
            a_lost_lease_fences_every_write,
            a_run_that_is_asked_for_is_taken_once,
            what_is_asked_for_during_a_run_is_not_done_by_it,
            changes_of_another_roster_than_the_stored_one_are_not_made,
            what_was_asked_for_and_done_is_not_done_again,
            why_no_run_can_begin_is_told_until_one_does,
            what_a_person_undid_stays_undone,
            a_commit_renews_the_lease_when_a_third_of_it_has_passed,
            members_are_turned_over_forwards_and_backwards,
            members_are_searched_by_how_they_begin_and_by_what_they_contain,
            members_are_found_by_state,
            a_search_that_finds_little_says_how_far_it_looked,
            the_queue_is_in_the_order_in_which_seats_are_given,
            a_line_says_how_a_subscription_stands_without_the_people_who_are_held,
            seats_are_told_at_any_moment_of_the_past,
            history_is_turned_over_from_the_newest_line_on,
            runs_are_turned_over_from_the_newest_on,
            a_line_says_how_a_source_stands,
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

mod decisions;
mod drift;
mod listing;
mod past;
mod requests;
mod rosters;
mod sequences;

pub(super) use decisions::*;
pub(super) use drift::*;
pub(super) use listing::*;
pub(super) use past::*;
pub(super) use requests::*;
pub(super) use rosters::*;
pub(super) use sequences::*;

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
        base: None,
        fingerprint: Fingerprint::default(),
        entries: 7,
        bad_rows: Vec::new(),
        evidence: Evidence::default(),
        delta: None,
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
    ledger.candidate("contoso", &sources(), address(name).identity()).unwrap().member.map(|member| *member)
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
    Assignment { address: address(name), priority: 5, since: at(-9), claim: None, detail: format!("hr: {name}'s line") }
}

fn removal(name: &str) -> Removal {
    Removal { address: address(name), reason: Reason::Left, detail: "no longer in hr".into(), then: None }
}

fn hold(names: &[&str]) -> Hold {
    Hold {
        digest: format!("digest of {}", names.join(" ")),
        removals: names.iter().map(|name| removal(name)).collect(),
        reasons: vec!["Too many.".into()],
        braked: false,
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

/// The plan with the departures of those who leave, as every computed plan has them; a test may say its own.
fn with_departures(mut plan: Plan) -> Arc<Plan> {
    let departure = |reason, renamed_to: Option<&Address>| Departure {
        reason,
        source: "hr".into(),
        at: at(1),
        renamed_to: renamed_to.cloned(),
        origin: "staff.csv line 7".into(),
    };
    let leaving = plan.leaving.iter().map(|leaving| (leaving.address.clone(), departure(leaving.reason, None)));
    let removed = plan.unassign.iter().map(|removal| (removal.address.clone(), departure(removal.reason, None)));
    let renamed = plan.rename.iter().map(|r| (r.from.clone(), departure(Reason::Renamed, Some(&r.to))));
    if plan.departures.is_empty() {
        plan.departures = leaving.chain(removed).chain(renamed).collect();
    }
    plan.departures.sort_by(|one, other| one.0.cmp(&other.0));
    Arc::new(plan)
}

/// Records a plan that looked at everything until now.
fn record(ledger: &mut Ledger, lease: &Lease, plan: Plan, minutes: i64) {
    let seen = look(ledger, minutes).seen;
    ledger.record_plan(lease, RUN, &with_departures(plan), "policy", seen, at(minutes)).unwrap();
}

fn begin(ledger: &mut Ledger, lease: &Lease, operation: Operation, names: &[&str], minutes: i64) -> IntentId {
    let intent = Some(NewIntent { operation, addresses: addresses(names), again: false });
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
