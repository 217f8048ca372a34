//! A plan's records: what it says of members without a request, and its hold.

use std::collections::HashSet;

use chrono::TimeDelta;
use rusqlite::{Connection, params};

use super::super::listing::HoldInShort;
use super::super::operation::{State, Step};
use super::super::{Event, LedgerError, Member};
use super::Result;
use super::books::{Books, Record, Seat, step};
use super::generation::standing;
use super::people::lapse;
use super::planning::Seen;
use super::values::{Json, Ms};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::member::Departure;
use crate::plan::{Hold, Leaving, LeavingUntil, Plan, Quarantine, Settlement, Then, Waiting};
use crate::report::text::count;
use crate::roster::PRIORITY_DEFAULT;

/// Writes what the plan says without a request.
pub(super) fn put_plan(connection: &Connection, subscription: i64, books: &mut Books<'_>, plan: &Plan) -> Result<()> {
    plan.settle.iter().try_for_each(|settlement| settle(books, settlement))?;
    let returned = plan.settle.iter().filter_map(|settlement| match settlement {
        Settlement::Returned { address } => Some(address.identity()),
        Settlement::Dropped { .. } => None,
    });
    let returned: HashSet<&str> = returned.collect();
    lapse(connection, subscription, |approved| returned.contains(approved))?;
    plan.leaving.iter().try_for_each(|leaving| leave(books, leaving, departure(plan, &leaving.address)))?;
    plan.waiting.iter().try_for_each(|waiting| wait(books, waiting))?;
    plan.quarantined.iter().try_for_each(|quarantine| set_aside(books, quarantine))?;
    put_hold(connection, subscription, books, plan.hold.as_ref())
}

fn settle(books: &mut Books<'_>, settlement: &Settlement) -> Result<()> {
    let (Settlement::Returned { address } | Settlement::Dropped { address, .. }) = settlement;
    let old = books.record(address.identity())?;
    let to = |what| step(old.as_ref(), address, what);
    match settlement {
        Settlement::Dropped { reason, .. } => {
            to(Step::Dropped)?;
            old.iter().try_for_each(|old| books.remove(old))?;
            let detail = format!("no longer wants a seat ({reason}), and never had one");
            books.tell(Event::Dropped, address, &detail, Seat::Same)
        }
        Settlement::Returned { .. } => {
            let state = to(Step::Returns)?;
            change(books, old, state, "named again before the seat was taken", Event::Returned, |member| {
                member.departure = None;
                member.kept = false;
            })
        }
    }
}

/// Writes a member that was there before in another state or for another reason, and says so in the history.
fn change(
    books: &mut Books<'_>,
    old: Option<Record>,
    state: State,
    reason: &str,
    event: Event,
    edit: impl FnOnce(&mut Member),
) -> Result<()> {
    let Some(old) = old else { return Ok(()) };
    let mut new = old.clone();
    new.turn(state, reason, books.now);
    edit(&mut new.member);
    let told = (old.member.state, &old.member.reason) != (new.member.state, &new.member.reason);
    books.put(Some(&old), &new)?;
    if told { books.tell(event, &new.member.address, reason, Seat::Same) } else { Ok(()) }
}

/// How this leaver stopped being desired.
pub(super) fn departure<'p>(plan: &'p Plan, address: &Address) -> Option<&'p Departure> {
    let at = plan.departures.binary_search_by(|(leaver, _)| leaver.cmp(address)).ok()?;
    Some(&plan.departures[at].1)
}

fn leave(books: &mut Books<'_>, leaving: &Leaving, departure: Option<&Departure>) -> Result<()> {
    let Leaving { address, detail, until, .. } = leaving;
    let old = books.record(address.identity())?;
    let state = step(old.as_ref(), address, Step::Leaves)?;
    let Some(departure) = departure else {
        let why = format!("{}: the plan has it leave and does not say how it departed", address.masked());
        return Err(LedgerError::Illegal(why));
    };
    let why = match until {
        LeavingUntil::Grace(until) => format!("{detail}; keeps the seat until {}", told_moment(*until)),
        LeavingUntil::Approval => format!("{detail}; the removal waits for an approval"),
        LeavingUntil::Protected(pattern) => format!("{detail}; protected by `{pattern}`"),
        LeavingUntil::Renamed(why) => format!("{detail}; keeps the seat while the new address can't have one ({why})"),
    };
    change(books, old, state, &why, Event::Leaving, |member| member.departure = Some(departure.clone()))
}

/// Writes what a member is that has given its seat back.
pub(super) fn put_then(books: &mut Books<'_>, then: &Then) -> Result<()> {
    match then {
        Then::Waiting(waiting) => wait(books, waiting),
        Then::Quarantined(quarantine) => set_aside(books, quarantine),
    }
}

fn wait(books: &mut Books<'_>, waiting: &Waiting) -> Result<()> {
    let Waiting { address, starts, priority } = waiting;
    let reason = format!("starts {}", told_moment(*starts));
    seatless(books, address, Step::Waits, &reason, Some(*priority), Event::Waiting, |member| {
        member.waiting_since = None;
    })
}

fn set_aside(books: &mut Books<'_>, quarantine: &Quarantine) -> Result<()> {
    let Quarantine { address, reason } = quarantine;
    let old = books.record(address.identity())?;
    // What the server refused stays as it is until a person says `retry`.
    if old.is_some_and(|old| old.member.refused) {
        return Ok(());
    }
    seatless(books, address, Step::SetAside, reason, None, Event::Quarantined, |member| member.waiting_since = None)
}

/// Writes a member without a seat, new or not, and says so in the history where its state or the reason is another.
pub(super) fn seatless(
    books: &mut Books<'_>,
    address: &Address,
    what: Step,
    reason: &str,
    priority: Option<i32>,
    event: Event,
    edit: impl FnOnce(&mut Member),
) -> Result<()> {
    let old = books.record(address.identity())?;
    let state = step(old.as_ref(), address, what)?;
    let mut new = old.clone().unwrap_or_else(|| Record::new(address.clone(), PRIORITY_DEFAULT, books.now));
    new.turn(state, reason, books.now);
    // Nothing was assigned yet: the spelling is the roster's.
    new.member.address = address.clone();
    new.member.priority = priority.unwrap_or(new.member.priority);
    edit(&mut new.member);
    let told = old.as_ref().map(|old| (old.member.state, old.member.reason.as_str()))
        != Some((new.member.state, new.member.reason.as_str()));
    books.put(old.as_ref(), &new)?;
    if told { books.tell(event, address, reason, Seat::Same) } else { Ok(()) }
}

fn put_hold(connection: &Connection, subscription: i64, books: &Books<'_>, hold: Option<&Hold>) -> Result<()> {
    let sql = "SELECT hold FROM subscription WHERE id = ?1";
    let old: Option<Json<Hold>> = connection.prepare_cached(sql)?.query_row([subscription], |row| row.get(0))?;
    let old = old.map(|hold| hold.0);
    if old.as_ref() == hold {
        return Ok(());
    }
    // That a ledger which may not be the newest holds everything is no sign of a fault elsewhere. What is held still when
    // a person believes it begins then.
    let doubted = standing(connection)?.1.is_some();
    let begins = old.is_none();
    let in_short = hold.map(HoldInShort::of);
    let same_set = old.map(|old| old.digest) == hold.map(|hold| hold.digest.clone());
    let sql = "
        UPDATE subscription SET hold = ?2, hold_in_short = ?7,
          held_at = CASE WHEN ?6 AND ?5 THEN NULL WHEN NOT ?6 AND ?2 IS NOT NULL AND (?5 OR held_at IS NULL) THEN ?3
                    ELSE held_at END,
          hold_since = CASE WHEN ?4 THEN hold_since WHEN ?2 IS NULL THEN NULL ELSE ?3 END
        WHERE id = ?1";
    let values = params![subscription, hold.map(Json), Ms(books.now), same_set, begins, doubted, in_short.map(Json)];
    connection.prepare_cached(sql)?.execute(values)?;
    match hold {
        Some(hold) if !same_set => books.tell_of_all(
            Event::Held,
            &format!(
                "{} for an approval ({}): {}",
                count(hold.removals.len() as u64, "removal waits", "removals wait"),
                hold.digest,
                hold.reasons.join(" ")
            ),
        ),
        _ => Ok(()),
    }
}

/// Notes up to where a plan has looked, where that is news. It could decide nothing about whoever is asked about in an
/// open request.
pub(super) fn looked(connection: &Connection, subscription: i64, scope: &str, seen: Seen) -> Result<()> {
    let sql = "
        DELETE FROM touched WHERE subscription_id = ?1 AND seq <= ?2
          AND NOT EXISTS (
            SELECT 1 FROM member WHERE member.subscription_id = ?1 AND member.identity = touched.identity
              AND intent_id IS NOT NULL)";
    connection.prepare_cached(sql)?.execute(params![subscription, seen.seq])?;
    // Looking at the same dates again does no harm, and a commit for each pass that changes nothing would. What lies ahead
    // was written by a clock that was wrong.
    let sql = "
        UPDATE subscription SET scope = ?2, dates_until = ?4,
          look_at_all = CASE WHEN look_at_all <= ?3 THEN NULL ELSE look_at_all END
        WHERE id = ?1 AND (scope IS NOT ?2 OR look_at_all <= ?3 OR dates_until IS NULL
          OR dates_until NOT BETWEEN ?5 AND ?4)";
    let day_ago = Ms(seen.at - TimeDelta::hours(24));
    connection.prepare_cached(sql)?.execute(params![subscription, scope, seen.seq, Ms(seen.at), day_ago])?;
    Ok(())
}

fn told_moment(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
