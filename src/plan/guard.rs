//! What stops removals: a list of small rules, each able to hold some and to say why.
//!
//! Guards hold removals only; joiners go on. A rule sees what the rules before it let pass, so that what is held for
//! another reason does not count towards a limit. What is held goes on when a person approves of that very set, but not
//! while the fleet's brake is on.

use super::change::{Kind, Leaver};
use super::input::{PlanInput, SourceFacts};
use super::{Hold, Removal, digest};
use crate::config::Limit;
use crate::member::Approval;
use crate::roster::Reason;

/// Sorts what is due into what may go, which is returned, and what is held, which goes to `keep`.
pub(super) fn judge(input: &PlanInput, due: Vec<Leaver>, keep: &mut dyn FnMut(Leaver)) -> (Vec<Leaver>, Option<Hold>) {
    let mut held = vec![false; due.len()];
    let mut reasons = Vec::new();
    for guard in GUARDS {
        let passing = Passing { input, leavers: passing(&due, &held).collect() };
        if let Some(Stop { leavers, reason }) = guard(&passing) {
            for index in leavers {
                held[index] = true;
            }
            reasons.push(reason);
        }
    }
    let identities: Vec<&str> =
        due.iter().zip(&held).filter(|(_, held)| **held).map(|(leaver, _)| leaver.address.identity()).collect();
    let braked = input.brake.is_some();
    let approved = || input.approvals.iter().any(|approval| covers(approval, &identities, input));
    // What a copy remembers of an approval may have been carried out since, and its people be back.
    if identities.is_empty() || !braked && input.restored.is_none() && approved() {
        return (due, None);
    }
    let digest = digest::of_members(&input.subscription, identities);
    let (mut released, mut removals) = (Vec::new(), Vec::new());
    for (leaver, held) in due.into_iter().zip(held) {
        if held {
            let (address, detail) = (leaver.address.clone(), leaver.detail.clone());
            removals.push(Removal { address, reason: leaver.reason(), detail, then: None });
            keep(leaver);
        } else {
            released.push(leaver);
        }
    }
    (released, Some(Hold { digest, removals, reasons, braked }))
}

/// Whether an approval is for these members, or for more of whom these are left, and has not expired.
fn covers(approval: &Approval, identities: &[&str], input: &PlanInput) -> bool {
    let approved: std::collections::BTreeSet<&str> = approval.members.iter().map(String::as_str).collect();
    input.at < approval.expires_at && identities.iter().all(|identity| approved.contains(identity))
}

/// In order. The limits count what nothing before them stopped; the brake stops the rest, so that what this subscription
/// has against its removals by itself is said, too, and stays when the brake is off.
const GUARDS: [Guard; 9] = [
    restored_ledger,
    never_read,
    changed_scope,
    unusable_rows,
    nobody_stays,
    renames,
    removals_of_a_run,
    removals_of_a_day,
    fleet_brake,
];

/// From so many members on, a roster that names none of them is taken for another's file.
const STRANGERS_MIN: u64 = 3;

type Guard = fn(&Passing<'_>) -> Option<Stop>;

/// What the rules so far let pass, each with its index.
struct Passing<'a> {
    input: &'a PlanInput,
    leavers: Vec<(usize, &'a Leaver)>,
}

/// What a guard stops, and why, as a sentence.
struct Stop {
    leavers: Vec<usize>,
    reason: String,
}

fn passing<'a>(due: &'a [Leaver], held: &[bool]) -> impl Iterator<Item = (usize, &'a Leaver)> {
    due.iter().enumerate().zip(held).filter(|(_, held)| !**held).map(|(leaver, _)| leaver)
}

impl Passing<'_> {
    fn select(&self, which: impl Fn(&Leaver) -> bool) -> Vec<usize> {
        self.leavers.iter().filter(|(_, leaver)| which(leaver)).map(|(index, _)| *index).collect()
    }

    /// Those whose people go, the renamed left out.
    fn counted(&self) -> Vec<usize> {
        self.select(|leaver| leaver.kind == Kind::Leaves)
    }

    /// The day's removals, when these are added.
    fn of_the_day(&self, now: usize) -> u64 {
        self.input.counts.removed_last_day.saturating_add(now as u64)
    }

    /// Removals this few, over the day so that a leak of a few in each run shows, are never held by the limits.
    fn few(&self, now: usize) -> bool {
        self.of_the_day(now) <= self.input.policy.guard.always_allow
    }
}

impl Stop {
    fn new(leavers: Vec<usize>, reason: impl FnOnce(usize) -> String) -> Option<Stop> {
        let reason = (!leavers.is_empty()).then(|| reason(leavers.len()))?;
        Some(Stop { leavers, reason })
    }
}

/// The person is missed, and nobody said that they went: another source could name them.
fn missed(leaver: &Leaver) -> bool {
    let silent = matches!(leaver.reason(), Reason::Left | Reason::Vanished | Reason::Scope | Reason::Renamed);
    silent && leaver.kind == Kind::Leaves
}

/// While the ledger may not be the newest, nobody can be said to have what it says: the person may have been taken back and
/// given the seat anew since. Renames wait, too.
fn restored_ledger(passing: &Passing<'_>) -> Option<Stop> {
    let restored = passing.input.restored.as_ref()?;
    Stop::new(passing.select(|_| true), |_| format!("{restored}."))
}

/// While a source has never been read whole, nobody can be said to be missing: it may name them.
fn never_read(passing: &Passing<'_>) -> Option<Stop> {
    let unread: Vec<&str> = names(&passing.input.sources, |source| source.accepted_at.is_none());
    if unread.is_empty() {
        return None;
    }
    Stop::new(passing.select(missed), |count| {
        format!(
            "{} on nobody's naming a person, and {} not been read whole yet: it may be there that they are named.",
            count_of(count, "removal rests", "removals rest"),
            list_has(&unread),
        )
    })
}

/// Removals that follow a change of what is looked at: a slip in the configuration looks just so.
fn changed_scope(passing: &Passing<'_>) -> Option<Stop> {
    if !passing.input.policy.guard.hold_after_change {
        return None;
    }
    let follows = |leaver: &Leaver| matches!(leaver.reason(), Reason::Scope | Reason::Excluded);
    // The configuration may be what it was: who was adopted and is in no roster is just so.
    let unnamed = |leaver: &Leaver| leaver.reason() == Reason::Scope && leaver.departure.source.is_empty();
    let all_unnamed = passing.select(|leaver| follows(leaver) && !unnamed(leaver)).is_empty();
    Stop::new(passing.select(follows), |count| {
        let whence = if all_unnamed {
            let are = count_of(count, "removal is of somebody", "removals are of people");
            format!("{are} whom no source names, adopted or left over from another configuration")
        } else {
            format!("{} from a change of the configuration", count_of(count, "removal comes", "removals come"))
        };
        format!(
            "{whence}, not from anybody's leaving; such removals wait for a person, however few (hold_after_change)."
        )
    })
}

/// A row that can't be used and does not say whose it is may be the row of anybody who is missing.
fn unusable_rows(passing: &Passing<'_>) -> Option<Stop> {
    let sources = &passing.input.sources;
    let unusable: Vec<&str> = names(sources, |source| source.anonymous_bad_rows > 0);
    if unusable.is_empty() {
        return None;
    }
    let may_be = |leaver: &Leaver| {
        let source = leaver.departure.source.as_str();
        missed(leaver) && (unusable.contains(&source) || !sources.iter().any(|known| known.name == source))
    };
    let rows: u64 = sources.iter().map(|source| source.anonymous_bad_rows).sum();
    Stop::new(passing.select(may_be), |count| {
        format!(
            "{}, and {} in {} can't be used and {} not say whose {}: these people may be meant.",
            count_of(count, "person is missing", "people are missing"),
            count_of(usize::try_from(rows).unwrap_or(usize::MAX), "row", "rows"),
            unusable.join(", "),
            if rows == 1 { "does" } else { "do" },
            if rows == 1 { "it is" } else { "they are" },
        )
    })
}

/// A roster that names people, and not one of those who have a seat, looks like another client's file. However few they
/// are: `always_allow` is for leavers, not for everybody.
fn nobody_stays(passing: &Passing<'_>) -> Option<Stop> {
    let holding = passing.input.counts.holding;
    let leaving = passing.select(|leaver| missed(leaver) && leaver.reason() != Reason::Scope);
    let named: u64 = passing.input.sources.iter().map(|source| source.entries).sum();
    if holding < STRANGERS_MIN || (leaving.len() as u64) < holding || named == 0 {
        return None;
    }
    Stop::new(leaving, |count| {
        format!(
            "all {count} members would lose the seat, and the roster names others only: another client's file looks just so."
        )
    })
}

/// A rename takes nobody's seat, and so does not count as a removal. A wrong file with the right ids would look like
/// renames, though, of everybody at once: more than `max_removals` of them are held.
fn renames(passing: &Passing<'_>) -> Option<Stop> {
    let renamed = passing.select(|leaver| leaver.kind != Kind::Leaves);
    let guard = &passing.input.policy.guard;
    let limit = guard.max_removals.of(passing.input.counts.holding).max(guard.always_allow);
    if renamed.len() as u64 <= limit {
        return None;
    }
    Stop::new(renamed, |count| {
        format!(
            "{} at once, and no more than {limit} go unasked (max_removals = {}): a wrong file looks just so.",
            count_of(count, "address changes", "addresses change"),
            quoted(guard.max_removals)
        )
    })
}

/// `max_removals`: all of a run's removals are held, not an arbitrary part.
fn removals_of_a_run(passing: &Passing<'_>) -> Option<Stop> {
    let counted = passing.counted();
    let limit = passing.input.policy.guard.max_removals;
    let holding = passing.input.counts.holding;
    if counted.len() as u64 <= limit.of(holding) || passing.few(counted.len()) {
        return None;
    }
    Stop::new(counted, |count| {
        format!(
            "{} of {holding} would lose the seat in one run, and no more than {} may (max_removals = {}; always_allow = {} in 24 hours).",
            count_of(count, "member", "members"),
            limit.of(holding),
            quoted(limit),
            passing.input.policy.guard.always_allow
        )
    })
}

/// `max_removals_per_day`.
fn removals_of_a_day(passing: &Passing<'_>) -> Option<Stop> {
    let counted = passing.counted();
    let limit = passing.input.policy.guard.max_removals_per_day;
    let holding = passing.input.counts.holding_day_ago;
    let of_the_day = passing.of_the_day(counted.len());
    if of_the_day <= limit.of(holding) || passing.few(counted.len()) {
        return None;
    }
    Stop::new(counted, |count| {
        format!(
            "{} would make {of_the_day} in 24 hours, of {holding} members at their start, and no more than {} may be (max_removals_per_day = {}; always_allow = {}).",
            count_of(count, "removal", "removals"),
            limit.of(holding),
            quoted(limit),
            passing.input.policy.guard.always_allow
        )
    })
}

/// While the fleet's brake is on, nobody loses anything anywhere: not by a rename either, which begins with a removal.
fn fleet_brake(passing: &Passing<'_>) -> Option<Stop> {
    let brake = passing.input.brake.as_ref()?;
    Stop::new(passing.select(|_| true), |_| brake.in_short())
}

fn names(sources: &[SourceFacts], which: impl Fn(&SourceFacts) -> bool) -> Vec<&str> {
    sources.iter().filter(|source| which(source)).map(|source| source.name.as_str()).collect()
}

fn count_of(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn list_has(names: &[&str]) -> String {
    format!("{} {}", names.join(", "), if names.len() == 1 { "has" } else { "have" })
}

/// As it is written in the configuration.
fn quoted(limit: Limit) -> String {
    match limit {
        Limit::Count(count) => count.to_string(),
        Limit::Share(_) => format!("\"{limit}\""),
    }
}
