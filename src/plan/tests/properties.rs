//! What holds of every plan, whatever the world is like.

use std::collections::BTreeSet;

use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::*;
use crate::config::{Guard, Limit};
use crate::roster::membership::{Desired, NotDesired, desired};

const ADDRESSES: [&str; 8] = [
    "p0@contoso.com",
    "p1@contoso.com",
    "p2@contoso.com",
    "p3@contoso.com",
    "p4@contoso.com",
    "p5@contoso.com",
    "p6@fabrikam.com",
    "p7@fabrikam.com",
];

fn any_departure() -> impl Strategy<Value = Departure> {
    let since = select(vec!["2026-10-01T00:00:00Z", "2026-11-23T07:55:00Z"]);
    let to = option::of(select(ADDRESSES.to_vec()));
    (select(Reason::ALL.to_vec()), select(vec!["hr", "ad", "old", ""]), since, to).prop_map(
        |(reason, source, moment, to)| Departure {
            source: source.to_owned(),
            at: at(moment),
            ..departure(reason, to.filter(|_| matches!(reason, Reason::Renamed | Reason::Scope)))
        },
    )
}

fn any_entry(raw: &'static str) -> impl Strategy<Value = (String, Entry)> {
    let dates = select(vec![("", ""), ("", ""), ("2026-12-01", ""), ("", "2026-11-01"), ("2026-11-01", "2026-12-24")]);
    (select(vec!["hr", "ad"]), 1..4, dates).prop_map(move |(source, priority, (starts, ends))| {
        let mut entries = candidate(raw).named(7, priority, starts, ends).entries;
        entries[0].0 = source.to_owned();
        entries.remove(0)
    })
}

fn any_member(raw: &'static str) -> impl Strategy<Value = Member> {
    use MemberState::{Assigned, Leaving, Pending, Quarantined, Unknown, Waiting};
    let state = select(vec![Assigned, Assigned, Assigned, Leaving, Pending, Waiting, Quarantined, Unknown]);
    (state, option::of(any_departure()), proptest::bool::weighted(0.1), any::<bool>(), any::<bool>()).prop_map(
        move |(state, departure, kept, refused, waited)| Member {
            departure: departure.filter(|_| state == Leaving),
            kept: kept && state == Assigned,
            refused: refused && state == Quarantined,
            waiting_since: (waited && state == Pending).then(|| at("2026-11-01T00:00:00Z")),
            ..member(raw, state)
        },
    )
}

fn any_candidate(raw: &'static str) -> impl Strategy<Value = Candidate> {
    let entries = proptest::collection::vec(any_entry(raw), 0..3);
    (entries, option::weighted(0.8, any_member(raw)), option::of(any_departure())).prop_map(
        move |(entries, member, departure)| Candidate {
            address: address(raw),
            entries,
            member: member.map(Box::new),
            departure: departure.map(Box::new),
        },
    )
}

fn any_limit() -> impl Strategy<Value = Limit> {
    prop_oneof![(0..5_u64).prop_map(Limit::Count), (0..5_u8).prop_map(|n| Limit::Share(f64::from(n) / 5.0))]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let some = |pattern: &'static str| subsequence(vec![pattern], 0..=1);
    let grace = || select(vec![Duration::ZERO, DAY]);
    (
        some("p1*"),
        some("p2*"),
        some("contoso.com"),
        (grace(), grace(), grace()),
        any_limit(),
        any_limit(),
        0..4_u64,
        any::<bool>(),
    )
        .prop_map(|(exclude, protect, domains, (left, disabled, vanished), run, day, always_allow, hold)| Policy {
            exclude: globs(&exclude),
            protect: globs(&protect),
            domains: domains.into_iter().map(str::to_owned).collect(),
            removal_grace: Grace { left, disabled, vanished },
            guard: Guard {
                max_removals: run,
                max_removals_per_day: day,
                always_allow,
                hold_after_change: hold,
                ..policy().guard
            },
            ..policy()
        })
}

fn any_source(name: &'static str) -> impl Strategy<Value = SourceFacts> {
    (proptest::bool::weighted(0.9), select(vec![0, 0, 0, 1])).prop_map(move |(read, anonymous_bad_rows)| SourceFacts {
        accepted_at: read.then(now),
        anonymous_bad_rows,
        ..source(name)
    })
}

fn any_approval() -> impl Strategy<Value = Approval> {
    (subsequence(ADDRESSES.to_vec(), 0..=8), any::<bool>()).prop_map(|(members, valid)| Approval {
        digest: String::new(),
        members: members.into_iter().map(str::to_owned).collect(),
        expires_at: if valid { now() + TimeDelta::hours(1) } else { now() },
        by: "ann".to_owned(),
    })
}

prop_compose! {
    fn any_input()(
        policy in any_policy(),
        candidates in ADDRESSES.map(any_candidate),
        present in subsequence((0..8).collect::<Vec<usize>>(), 0..=8),
        sources in [any_source("hr"), any_source("ad")],
        removed_last_day in 0..6_u64,
        holding_day_ago in 0..12_u64,
        seats in option::of((0..10_u64, 0..10_u64)),
        approvals in proptest::collection::vec(any_approval(), 0..2),
        braked in proptest::bool::weighted(0.1),
        is_restored in proptest::bool::weighted(0.2),
    ) -> PlanInput {
        let candidates: Vec<Candidate> = present.into_iter().map(|at| candidates[at].clone()).collect();
        let holding = candidates.iter().filter(|c| holds(c)).count() as u64;
        PlanInput {
            policy,
            seats: seats.map(|(available, assigned)| Seats { available, assigned, as_of: now() }),
            counts: Counts { holding, removed_last_day, holding_day_ago },
            sources: sources.to_vec(),
            brake: braked.then(brake),
            approvals,
            restored: is_restored.then(restored),
            candidates,
            ..world()
        }
    }
}

fn holds(candidate: &Candidate) -> bool {
    candidate.member.as_ref().is_some_and(|member| member.has_seat)
}

fn judged(candidate: &Candidate, input: &PlanInput) -> Desired {
    desired(&candidate.entries, &input.policy, input.at)
}

fn wants(candidate: &Candidate, input: &PlanInput) -> bool {
    matches!(judged(candidate, input), Desired::Wanted { .. })
}

fn state(candidate: &Candidate) -> Option<MemberState> {
    candidate.member.as_ref().map(|member| member.state)
}

/// Whether the plan has nothing to say of it.
fn right(candidate: &Candidate, input: &PlanInput) -> bool {
    match &candidate.member {
        None => matches!(judged(candidate, input), Desired::Not(_)),
        Some(member) if member.state == MemberState::Unknown => true,
        Some(member) if member.kept && member.has_seat => !wants(candidate, input),
        Some(member) if member.state == MemberState::Assigned => wants(candidate, input),
        Some(_) => false,
    }
}

/// Who loses a seat by the plan.
fn losers(plan: &Plan) -> BTreeSet<&str> {
    let renamed = plan.rename.iter().map(|rename| rename.from.identity());
    plan.unassign.iter().map(|removal| removal.address.identity()).chain(renamed).collect()
}

/// Every address in the lists of a plan, as often as it stands there.
fn listed(plan: &Plan) -> Vec<&str> {
    let mut all: Vec<&Address> = vec![];
    all.extend(plan.unassign.iter().map(|r| &r.address));
    all.extend(plan.rename.iter().flat_map(|r| [&r.from, &r.to]));
    all.extend(plan.assign.iter().map(|a| &a.address));
    all.extend(plan.waiting.iter().map(|w| &w.address));
    all.extend(plan.leaving.iter().map(|l| &l.address));
    all.extend(plan.quarantined.iter().map(|q| &q.address));
    all.extend(plan.settle.iter().map(|s| match s {
        Settlement::Returned { address } | Settlement::Dropped { address, .. } => address,
    }));
    let mut all: Vec<&str> = all.into_iter().map(Address::identity).collect();
    all.sort_unstable();
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_candidate_is_in_exactly_one_list_or_right_as_it_is(input in any_input()) {
        let plan = Plan::compute(&input);
        let not_right: Vec<&str> =
            input.candidates.iter().filter(|c| !right(c, &input)).map(|c| c.address.identity()).collect();
        prop_assert_eq!(listed(&plan), not_right);
        let mut departed: Vec<&str> = losers(&plan).into_iter().collect();
        departed.extend(plan.leaving.iter().map(|l| l.address.identity()));
        departed.sort_unstable();
        prop_assert_eq!(plan.departures.iter().map(|(a, _)| a.identity()).collect::<Vec<_>>(), departed);
    }

    #[test]
    fn whoever_is_wanted_keeps_the_seat_or_is_to_get_one(input in any_input()) {
        let plan = Plan::compute(&input);
        let losers = losers(&plan);
        let to_get: BTreeSet<&str> = plan.assign.iter().map(|a| &a.address)
            .chain(plan.rename.iter().map(|r| &r.to)).map(Address::identity).collect();
        for candidate in &input.candidates {
            let identity = candidate.address.identity();
            let refused = candidate.member.as_ref().is_some_and(|m| m.refused);
            let may_get = !holds(candidate) && !refused && state(candidate) != Some(MemberState::Unknown);
            prop_assert_eq!(to_get.contains(identity), wants(candidate, &input) && may_get, "{}", identity);
            let may_lose = holds(candidate) && !wants(candidate, &input)
                && input.policy.protect.matching(identity).is_none()
                && candidate.member.as_ref().is_some_and(|m| !m.kept);
            prop_assert!(may_lose || !losers.contains(identity), "{}", identity);
        }
    }

    #[test]
    fn without_an_approval_the_limits_hold(mut input in any_input()) {
        input.approvals.clear();
        let plan = Plan::compute(&input);
        let guard = &input.policy.guard;
        let count = plan.unassign.iter().filter(|r| r.reason != Reason::Renamed).count() as u64;
        let of_the_day = input.counts.removed_last_day + count;
        let within = count <= guard.max_removals.of(input.counts.holding)
            && of_the_day <= guard.max_removals_per_day.of(input.counts.holding_day_ago);
        // Those with reason `Scope` may be renamed and have their new seat: these the limits do not count.
        if !plan.unassign.iter().any(|r| r.reason == Reason::Scope) {
            prop_assert!(count == 0 || within || of_the_day <= guard.always_allow, "{:#?}", plan);
        }
        let renamed = plan.rename.len() as u64;
        prop_assert!(renamed <= guard.max_removals.of(input.counts.holding).max(guard.always_allow));
        let by_configuration = |r: &Removal| matches!(r.reason, Reason::Scope | Reason::Excluded);
        prop_assert!(!guard.hold_after_change || !plan.unassign.iter().any(by_configuration));
        if input.sources.iter().any(|s| s.accepted_at.is_none() || s.anonymous_bad_rows > 0 && s.name == "hr") {
            let unnamed = |r: &Removal| matches!(r.reason, Reason::Left | Reason::Vanished) && r.detail.contains(" in hr");
            prop_assert!(!plan.unassign.iter().any(unnamed), "{:#?}", plan);
        }
    }

    #[test]
    fn an_approval_releases_no_more_than_its_set_and_holds_back_nothing(input in any_input()) {
        let with = Plan::compute(&input);
        let without = Plan::compute(&PlanInput { approvals: vec![], ..input.clone() });
        let (lost, lost_anyway) = (losers(&with), losers(&without));
        prop_assert!(lost.is_superset(&lost_anyway));
        let held: BTreeSet<&str> = without.hold.iter().flat_map(|h| &h.removals).map(|r| r.address.identity()).collect();
        // It is recorded with each of them that they wait, so that no plan forgets who is held.
        let waits = |l: &Leaving| l.until == LeavingUntil::Approval;
        let waiting = without.leaving.iter().filter(|l| waits(l)).map(|l| l.address.identity());
        prop_assert_eq!(&waiting.collect::<BTreeSet<_>>(), &held);
        let released: BTreeSet<&str> = lost.intersection(&held).copied().collect();
        // Seats that an approval frees can let a rename go on that no guard had stopped.
        prop_assert!(!released.is_empty() || lost == lost_anyway);
        let covers = |a: &Approval| a.expires_at > input.at && released.iter().all(|r| a.members.iter().any(|m| m == r));
        prop_assert!(released.is_empty() || input.approvals.iter().any(covers));
        if with.hold.is_some() {
            prop_assert_eq!(with, without);
        }
    }

    #[test]
    fn while_removals_are_stopped_nobody_loses_anything_and_joiners_lose_nothing_by_it(input in any_input()) {
        let braked = Plan::compute(&PlanInput { brake: Some(brake()), ..input.clone() });
        let free = Plan::compute(&PlanInput { brake: None, ..input.clone() });
        prop_assert!(losers(&braked).is_empty());
        let served = |plan: &Plan| plan.assign.iter().map(|a| a.address.clone()).collect::<BTreeSet<_>>();
        prop_assert!(served(&braked).is_superset(&served(&free)));
        prop_assert!(braked.hold.is_some_and(|hold| hold.braked) || losers(&free).is_empty());
    }

    #[test]
    fn a_ledger_in_doubt_takes_nothing_back_and_gives_as_ever(input in any_input()) {
        let in_doubt = Plan::compute(&PlanInput { restored: Some(restored()), ..input.clone() });
        prop_assert!(in_doubt.unassign.is_empty() && in_doubt.rename.is_empty());
        prop_assert_eq!(&in_doubt.restored, &Some(restored()), "and says why");
        let believed = Plan::compute(&PlanInput { restored: None, ..input });
        let assigned = |plan: &Plan| -> BTreeSet<String> {
            let to = plan.rename.iter().map(|rename| &rename.to);
            plan.assign.iter().map(|a| &a.address).chain(to).map(|a| a.identity().to_owned()).collect()
        };
        prop_assert_eq!(assigned(&in_doubt), assigned(&believed));
    }

    #[test]
    fn the_settled_change_nothing_and_neither_does_the_order(input in any_input(), to in any::<Index>()) {
        let whole = Plan::compute(&input);
        let mut fewer = input.clone();
        // The ledger gives the new addresses of renames along with the old ones.
        let named: BTreeSet<String> = input.candidates.iter()
            .flat_map(|c| [c.departure.as_deref(), c.member.as_ref().and_then(|m| m.departure.as_ref())])
            .filter_map(|d| Some(d?.renamed_to.as_ref()?.identity().to_owned())).collect();
        fewer.candidates.retain(|c| {
            let settled = state(c) == Some(MemberState::Assigned) && right(c, &input) && wants(c, &input);
            !settled || named.contains(c.address.identity())
        });
        if !fewer.candidates.is_empty() {
            let middle = to.index(fewer.candidates.len());
            fewer.candidates.rotate_left(middle);
        }
        prop_assert_eq!(Plan::compute(&fewer), whole);
    }

    #[test]
    fn seats_that_are_promised_are_there(input in any_input()) {
        let plan = Plan::compute(&input);
        prop_assert_eq!(plan.fits.is_some(), input.seats.is_some());
        if let (Some(seats), Some(fits)) = (input.seats, plan.fits) {
            prop_assert!(fits <= plan.assign.len() as u64);
            let after = (seats.assigned + fits).saturating_sub(plan.unassign.len() as u64);
            prop_assert!(fits == 0 || after <= seats.available);
        }
        let served = plan.assign.windows(2).all(|w| (w[0].priority, w[0].since) <= (w[1].priority, w[1].since));
        prop_assert!(served, "{:#?}", plan.assign);
        let unnamed = |c: &Candidate| judged(c, &input) == Desired::Not(NotDesired::Unnamed);
        prop_assert!(!plan.assign.iter().any(|a| input.candidates.iter().any(|c| c.address == a.address && unnamed(c))));
    }
}
