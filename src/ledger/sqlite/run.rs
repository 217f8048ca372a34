//! A run: its lease, what its plan says, its requests one by one, its end.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use rusqlite::{Connection, OptionalExtension, params};

use super::super::lease::{Held, is_free};
use super::super::operation::{State, Step, step_of};
use super::super::{Event, IntentId, Lease, LedgerError, Owner, RunId, RunOutcome, Trigger};
use super::books::{Before, Books, Errand, Record, Seat, step};
use super::planning::{Seen, approvals};
use super::values::{Json, Ms, Word, count, counted, moment};
use super::work::{Order, Work};
use super::{Ledger, Result, known_subscription};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::dispatch::machine::{Commit, NewIntent, Outcome, Report, Stop};
use crate::licensing::wire::{Operation, Stats};
use crate::plan::input::Departure;
use crate::plan::{Hold, Leaving, LeavingUntil, Plan, Quarantine, Settlement, Waiting};
use crate::roster::PRIORITY_DEFAULT;

impl Ledger {
    // ---- the lease

    /// Takes the lease of a subscription for this long; `None` where another holds it. A holder that is certainly gone
    /// is not waited for.
    pub fn acquire(
        &mut self,
        subscription: &str,
        owner: &Owner,
        term: Duration,
        now: Timestamp,
    ) -> Result<Option<Lease>> {
        self.write(|transaction| {
            let sql = "SELECT owner, expires FROM lease WHERE subscription = ?1 AND owner <> ''";
            let held = transaction.prepare_cached(sql)?.query_row([subscription], |row| {
                Ok(Held { alive: Owner(row.get(0)?).may_be_alive(), expires: moment(row, 1)? })
            });
            if !is_free(held.optional()?.as_ref(), now) {
                return Ok(None);
            }
            let sql = "
                INSERT INTO lease (subscription, owner, epoch, expires) VALUES (?1, ?2, 1, ?3)
                ON CONFLICT (subscription) DO UPDATE SET
                  owner = excluded.owner, epoch = epoch + 1, expires = excluded.expires
                RETURNING epoch";
            let values = params![subscription, owner.0, Ms(end_of(term, now))];
            let epoch = transaction.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
            Ok(Some(Lease { subscription: subscription.to_owned(), owner: owner.clone(), epoch }))
        })
    }

    /// Holds the lease for this long from now.
    pub fn renew(&mut self, lease: &Lease, term: Duration, now: Timestamp) -> Result<()> {
        self.write(|transaction| {
            check_fence(transaction, lease)?;
            let sql = "UPDATE lease SET expires = ?2 WHERE subscription = ?1";
            transaction.prepare_cached(sql)?.execute(params![lease.subscription, Ms(end_of(term, now))])?;
            Ok(())
        })
    }

    /// Gives the lease back. One that was lost in the meantime is another's, and stays so.
    pub fn release(&mut self, lease: Lease) -> Result<()> {
        let Lease { subscription, owner, epoch } = lease;
        self.works.remove(&subscription);
        self.write(|transaction| {
            // The row stays: an epoch is never given twice.
            let sql = "UPDATE lease SET owner = '', expires = 0 WHERE subscription = ?1 AND owner = ?2 AND epoch = ?3";
            transaction.prepare_cached(sql)?.execute(params![subscription, owner.0, epoch])?;
            Ok(())
        })
    }

    // ---- the run

    pub fn begin_run(&mut self, lease: &Lease, run: RunId, trigger: Trigger, now: Timestamp) -> Result<()> {
        self.fenced(lease, |transaction, subscription| {
            let sql = "INSERT INTO run (id, subscription_id, started_at, cause) VALUES (?1, ?2, ?3, ?4)";
            transaction.execute(sql, params![run.into_bytes(), subscription, Ms(now), Word(trigger)])?;
            Ok(())
        })
    }

    /// What requests may have been sent without their answer being recorded, the oldest first.
    pub fn open_intents(&self, subscription: &str) -> Result<Vec<(IntentId, NewIntent)>> {
        self.read(|connection| {
            let Some(id) = known_subscription(connection, subscription)? else { return Ok(Vec::new()) };
            let sql = "SELECT id, operation, addresses FROM intent WHERE subscription_id = ?1 ORDER BY id";
            let mut statement = connection.prepare_cached(sql)?;
            let intents = statement.query_map([id], |row| {
                let operation = row.get::<_, Word<Operation>>(1)?.0;
                let addresses = row.get::<_, Json<Vec<Address>>>(2)?.0;
                Ok((IntentId(row.get(0)?), NewIntent { operation, addresses }))
            })?;
            Ok(intents.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Writes what the plan says without a request: settlements, leavers, waiting, quarantined, the hold. Remembers why
    /// the rest is asked for, until [`Ledger::finish_run`].
    ///
    /// What the plan has looked at (what touched the subscription until the candidates were `seen`, the dates until
    /// then, the `scope`) is done with now where the plan asks for no request, or else when the run has come to its
    /// end: a run that breaks off leaves everybody to the next plan. Where nothing is new, nothing is written.
    pub fn record_plan(
        &mut self,
        lease: &Lease,
        run: RunId,
        plan: &Arc<Plan>,
        scope: &str,
        seen: Seen,
        now: Timestamp,
    ) -> Result<()> {
        let work = self.fenced(lease, |transaction, subscription| {
            let mut books = Books::open(transaction, subscription, Some(run), now);
            plan.settle.iter().try_for_each(|settlement| settle(&mut books, settlement))?;
            plan.leaving.iter().try_for_each(|leaving| leave(&mut books, leaving))?;
            plan.waiting.iter().try_for_each(|waiting| wait(&mut books, waiting))?;
            plan.quarantined.iter().try_for_each(|quarantine| set_aside(&mut books, quarantine))?;
            put_hold(transaction, subscription, &books, plan.hold.as_ref())?;
            books.close()?;
            if !Work::asks(plan) {
                looked(transaction, subscription, scope, seen)?;
                return Ok(None);
            }
            Ok(Some(Work::new(run, plan, scope, seen, &approvals(transaction, subscription, now)?)))
        })?;
        self.works.remove(&lease.subscription);
        if let Some(work) = work {
            self.works.insert(lease.subscription.clone(), work);
        }
        Ok(())
    }

    /// One dispatch step: the outcome of one request and the intent of the next.
    pub fn commit(&mut self, lease: &Lease, run: RunId, commit: &Commit, now: Timestamp) -> Result<Option<IntentId>> {
        let mut work = self.works.remove(&lease.subscription).filter(|work| work.run == run);
        let result = self.fenced(lease, |transaction, subscription| {
            let mut books = Books::open(transaction, subscription, Some(run), now);
            if let Some((intent, outcomes)) = &commit.settled {
                settle_intent(transaction, &mut books, subscription, *intent, outcomes)?;
            }
            let intent = match &commit.intent {
                None => None,
                Some(intent) => Some(put_intent(transaction, &mut books, subscription, run, intent, work.as_ref())?),
            };
            for (address, outcome) in &commit.left {
                left(&mut books, address, outcome, work.as_ref())?;
            }
            put_answer(transaction, subscription, &books, commit)?;
            books.close()?;
            Ok(intent)
        });
        if let Some(mut work) = work.take() {
            let settled = commit.settled.iter().flat_map(|(_, outcomes)| outcomes);
            let mut outcomes = settled.chain(&commit.left);
            // A commit that failed leaves its outcomes unknown to the ledger: those addresses, too, are for the next plan.
            work.unfinished |=
                result.is_err() || outcomes.any(|(_, outcome)| matches!(outcome, Outcome::NotDone { .. }));
            self.works.insert(lease.subscription.clone(), work);
        }
        result
    }

    /// Ends a run. `problem` is a sentence for the status, or nothing is wrong any more.
    pub fn finish_run(
        &mut self,
        lease: &Lease,
        run: RunId,
        outcome: RunOutcome,
        report: &Report,
        problem: Option<&str>,
        now: Timestamp,
    ) -> Result<()> {
        let done = report.stopped.is_none() && outcome != RunOutcome::Failed;
        let work = self.works.remove(&lease.subscription).filter(|work| work.run == run && !work.unfinished && done);
        self.fenced(lease, |transaction, subscription| {
            let Report { requests, assigned, unassigned, stopped, .. } = report;
            let sql = "
                UPDATE run SET finished_at = ?2, outcome = ?3, requests = ?4, assigned = ?5, unassigned = ?6
                WHERE id = ?1";
            let values = params![
                run.into_bytes(),
                Ms(now),
                Word(outcome),
                count(*requests),
                count(*assigned),
                count(*unassigned),
            ];
            transaction.execute(sql, values)?;
            if let Some(work) = work {
                looked(transaction, subscription, &work.scope, work.seen)?;
            }
            let books = Books::open(transaction, subscription, Some(run), now);
            put_problem(transaction, subscription, &books, problem, stopped.as_ref())?;
            let sql = "
                UPDATE subscription SET full_since = NULL WHERE id = ?1 AND full_since IS NOT NULL AND NOT EXISTS (
                  SELECT 1 FROM member_count WHERE subscription_id = ?1 AND state = 'pending' AND members > 0)";
            transaction.execute(sql, [subscription])?;
            Ok(())
        })
    }
}

// ---- the lease

/// Says that the lease is still this one, in the transaction of what is written under it.
pub(super) fn check_fence(connection: &Connection, lease: &Lease) -> Result<()> {
    let sql = "SELECT 1 FROM lease WHERE subscription = ?1 AND owner = ?2 AND epoch = ?3";
    if connection.prepare_cached(sql)?.exists(params![lease.subscription, lease.owner.0, lease.epoch])? {
        Ok(())
    } else {
        Err(LedgerError::Fenced { subscription: lease.subscription.clone() })
    }
}

fn end_of(term: Duration, now: Timestamp) -> Timestamp {
    TimeDelta::from_std(term).ok().and_then(|term| now.checked_add_signed(term)).unwrap_or(now)
}

// ---- the plan

fn settle(books: &mut Books<'_>, settlement: &Settlement) -> Result<()> {
    let (Settlement::Returned { address } | Settlement::Dropped { address, .. } | Settlement::Kept { address, .. }) =
        settlement;
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
        Settlement::Kept { reason, .. } => {
            let state = to(Step::Kept)?;
            let departed = books.touched_departure(address.identity())?;
            change(books, old, state, reason, Event::Kept, |member| {
                // Why it is not named stands nowhere else. One that a person kept has no departure any more.
                if !member.kept {
                    member.departure = departed.or(member.departure.take());
                }
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
    edit: impl FnOnce(&mut super::super::Member),
) -> Result<()> {
    let Some(old) = old else { return Ok(()) };
    let mut new = old.clone();
    new.turn(state, reason, books.now);
    edit(&mut new.member);
    let told = (old.member.state, &old.member.reason) != (new.member.state, &new.member.reason);
    if books.put(Some(&old), &new)? && told {
        books.tell(event, &new.member.address, reason, Seat::Same)?;
    }
    Ok(())
}

fn leave(books: &mut Books<'_>, leaving: &Leaving) -> Result<()> {
    let Leaving { address, reason, detail, since, until } = leaving;
    let old = books.record(address.identity())?;
    let state = step(old.as_ref(), address, Step::Leaves)?;
    let noted = books.touched_departure(address.identity())?;
    let known = old.as_ref().and_then(|old| old.member.departure.clone());
    let departure = [noted, known].into_iter().flatten().find(|departure| departure.reason == *reason);
    let departure = match departure {
        Some(departure) => Departure { at: *since, ..departure },
        None => {
            Departure { reason: *reason, source: String::new(), at: *since, renamed_to: None, origin: String::new() }
        }
    };
    let why = match until {
        LeavingUntil::Grace(until) => format!("{detail}; keeps the seat until {}", told_moment(*until)),
        LeavingUntil::Approval => format!("{detail}; the removal waits for an approval"),
        LeavingUntil::Protected(pattern) => format!("{detail}; protected by `{pattern}`"),
        LeavingUntil::Renamed(why) => format!("{detail}; {why}"),
    };
    change(books, old, state, &why, Event::Leaving, |member| member.departure = Some(departure))
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
fn seatless(
    books: &mut Books<'_>,
    address: &Address,
    what: Step,
    reason: &str,
    priority: Option<i32>,
    event: Event,
    edit: impl FnOnce(&mut super::super::Member),
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
    if books.put(old.as_ref(), &new)? && told {
        books.tell(event, address, reason, Seat::Same)?;
    }
    Ok(())
}

fn put_hold(connection: &Connection, subscription: i64, books: &Books<'_>, hold: Option<&Hold>) -> Result<()> {
    let sql = "SELECT hold FROM subscription WHERE id = ?1";
    let old: Option<Json<Hold>> = connection.prepare_cached(sql)?.query_row([subscription], |row| row.get(0))?;
    let old = old.map(|hold| hold.0);
    if old.as_ref() == hold {
        return Ok(());
    }
    let same_set = old.map(|old| old.digest) == hold.map(|hold| hold.digest.clone());
    let sql = "
        UPDATE subscription SET hold = ?2, hold_since = CASE WHEN ?4 THEN hold_since WHEN ?2 IS NULL THEN NULL ELSE ?3 END
        WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![subscription, hold.map(Json), Ms(books.now), same_set])?;
    match hold {
        Some(hold) if !same_set => books.tell_of_all(
            Event::Held,
            &format!(
                "{} removals wait for an approval ({}): {}",
                hold.removals.len(),
                hold.digest,
                hold.reasons.join(" ")
            ),
        ),
        _ => Ok(()),
    }
}

/// Notes up to where a plan has looked, where that is news.
fn looked(connection: &Connection, subscription: i64, scope: &str, seen: Seen) -> Result<()> {
    let sql = "DELETE FROM touched WHERE subscription_id = ?1 AND seq <= ?2";
    connection.prepare_cached(sql)?.execute(params![subscription, seen.seq])?;
    // Looking at the same dates again does no harm, and a commit for each pass that changes nothing would.
    let sql = "
        UPDATE subscription SET scope = ?2, dates_until = ?4,
          look_at_all = CASE WHEN look_at_all <= ?3 THEN NULL ELSE look_at_all END
        WHERE id = ?1 AND (scope IS NOT ?2 OR look_at_all <= ?3 OR dates_until IS NULL OR dates_until < ?5)";
    let day_ago = Ms(seen.at - TimeDelta::hours(24));
    connection.prepare_cached(sql)?.execute(params![subscription, scope, seen.seq, Ms(seen.at), day_ago])?;
    Ok(())
}

fn told_moment(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

// ---- requests

/// Opens an intent: its addresses are unknown until its answer is recorded.
fn put_intent(
    connection: &Connection,
    books: &mut Books<'_>,
    subscription: i64,
    run: RunId,
    intent: &NewIntent,
    work: Option<&Work>,
) -> Result<IntentId> {
    let NewIntent { operation, addresses } = intent;
    let sql = "INSERT INTO intent (subscription_id, run, operation, addresses, at) VALUES (?1, ?2, ?3, ?4, ?5)";
    connection.prepare_cached(sql)?.execute(params![
        subscription,
        run.into_bytes(),
        Word(operation),
        Json(addresses),
        Ms(books.now),
    ])?;
    let id = connection.last_insert_rowid();
    for address in addresses {
        ask(books, id, *operation, address, work)?;
    }
    Ok(IntentId(id))
}

fn ask(books: &mut Books<'_>, intent: i64, operation: Operation, address: &Address, work: Option<&Work>) -> Result<()> {
    let old = books.record(address.identity())?;
    let state = step(old.as_ref(), address, Step::Asked(operation))?;
    let order = work.and_then(|work| work.order(operation, address.identity()));
    let approved = work.and_then(|work| work.approved_by(address.identity()));
    let before = old.as_ref().map(|old| Before {
        state: old.member.state,
        since: old.member.since,
        reason: old.member.reason.clone(),
    });
    let mut new = old.clone().unwrap_or_else(|| Record::new(address.clone(), PRIORITY_DEFAULT, books.now));
    new.turn(state, format!("a request to {operation} it is open", operation = word(operation)), books.now);
    new.member.refused = old.as_ref().is_some_and(|old| old.member.refused);
    if let Some(priority) = order.and_then(|order| order.priority()) {
        new.member.priority = priority;
    }
    if operation == Operation::Assign && !new.member.has_seat {
        let since = new.member.waiting_since.or_else(|| order.and_then(|order| order.since()));
        new.member.waiting_since = Some(since.unwrap_or(books.now));
    }
    if operation == Operation::Unassign && new.member.departure.is_none() {
        // The request may not succeed before a later plan has forgotten why it was sent.
        new.member.departure = books.touched_departure(address.identity())?;
    }
    let detail = match (order, approved) {
        (None, _) => "as a person asked".to_owned(),
        (Some(order @ Order::Unassign(_)), Some(by)) => format!("{}; approved by {by}", order.detail()),
        (Some(order), _) => order.detail(),
    };
    let counts = matches!(order, Some(Order::Unassign(_))) && approved.is_none();
    let renamed_to = match order {
        Some(Order::RenameFrom(rename)) => Some(rename.to.clone()),
        _ => None,
    };
    new.intent = Some(intent);
    new.errand = Some(Errand { before, detail, counts, renamed_to });
    books.put(old.as_ref(), &new)?;
    Ok(())
}

/// Records what became of an intent's addresses. The intent ends, but for those whose answer is unknown.
fn settle_intent(
    connection: &Connection,
    books: &mut Books<'_>,
    subscription: i64,
    intent: IntentId,
    outcomes: &[(Address, Outcome)],
) -> Result<()> {
    let sql = "SELECT operation, addresses FROM intent WHERE id = ?1 AND subscription_id = ?2";
    let open = connection.prepare_cached(sql)?.query_row(params![intent.0, subscription], |row| {
        Ok((row.get::<_, Word<Operation>>(0)?.0, row.get::<_, Json<Vec<Address>>>(1)?.0))
    });
    let Some((operation, mut addresses)) = open.optional()? else {
        return Err(LedgerError::Illegal(format!("intent {} is not open", intent.0)));
    };
    if addresses.len() != outcomes.len() {
        let (named, there) = (outcomes.len(), addresses.len());
        return Err(LedgerError::Illegal(format!("intent {} has {there} addresses, settled are {named}", intent.0)));
    }
    let mut unknown = Vec::new();
    for (address, outcome) in outcomes {
        if settle_address(books, intent, operation, address, outcome)?.is_open() {
            unknown.push(address);
        }
    }
    if unknown.is_empty() {
        connection.prepare_cached("DELETE FROM intent WHERE id = ?1")?.execute([intent.0])?;
    } else if unknown.len() < addresses.len() {
        addresses.retain(|address| unknown.contains(&address));
        let sql = "UPDATE intent SET addresses = ?2 WHERE id = ?1";
        connection.prepare_cached(sql)?.execute(params![intent.0, Json(addresses)])?;
    }
    Ok(())
}

/// Records what became of one address of an intent; gives what it is now.
fn settle_address(
    books: &mut Books<'_>,
    intent: IntentId,
    operation: Operation,
    address: &Address,
    outcome: &Outcome,
) -> Result<State> {
    let illegal = |why: &str| LedgerError::Illegal(format!("intent {}, {}: {why}", intent.0, address.masked()));
    let old = books.record(address.identity())?.filter(|old| old.intent == Some(intent.0));
    let Some(old) = old else { return Err(illegal("it is not one of the intent's, or is settled already")) };
    let Some(errand) = old.errand.clone() else { return Err(illegal("nothing says what the request was for")) };
    let before = old.state_before()?;
    let what = step_of(operation, outcome, before).ok_or_else(|| illegal("no outcome of this operation"))?;
    let state = step(Some(&old), address, what)?;
    let mut new = old.clone();
    if !state.is_open() {
        new.intent = None;
        new.errand = None;
    }
    match outcome {
        Outcome::Assigned | Outcome::AssignedAlready { .. } => assigned(books, &old, new, &errand, before, outcome)?,
        Outcome::Unassigned | Outcome::UnassignedAlready { .. } => unassigned(books, &old, &errand, outcome)?,
        Outcome::Refused { words } => {
            new.turn(state, words.clone(), books.now);
            new.member.refused = true;
            new.member.waiting_since = None;
            books.put(Some(&old), &new)?;
            books.tell(Event::Quarantined, address, words, Seat::Same)?;
        }
        Outcome::NoSeat => queue(books, Some(&old), new, state, errand.before.as_ref())?,
        Outcome::NotDone { .. } => match &errand.before {
            None => books.remove(&old)?,
            Some(Before { state: _, since, reason }) => {
                new.turn(state, reason.clone(), *since);
                new.member.since = *since;
                new.member.refused = old.member.refused;
                books.put(Some(&old), &new)?;
            }
        },
        Outcome::Unknown { cause } => {
            let reason = format!("no answer to the request to {} it: {cause}", word(operation));
            new.turn(state, reason.clone(), books.now);
            if books.put(Some(&old), &new)? {
                books.tell(Event::Unknown, address, &reason, Seat::Same)?;
            }
        }
    }
    Ok(state)
}

fn assigned(
    books: &mut Books<'_>,
    old: &Record,
    mut new: Record,
    errand: &Errand,
    before: State,
    outcome: &Outcome,
) -> Result<()> {
    let detail = match outcome {
        Outcome::AssignedAlready { words } => format!("{}; it was assigned already: {words}", errand.detail),
        _ => errand.detail.clone(),
    };
    new.turn(State::Assigned, detail.clone(), books.now);
    new.member.departure = None;
    new.member.kept = false;
    if let (State::Assigned, Some(before)) = (before, &errand.before) {
        // Sent again to be sure: nothing has become of it.
        new.member.since = before.since;
        new.member.reason.clone_from(&before.reason);
        books.put(Some(old), &new)?;
        return Ok(());
    }
    books.put(Some(old), &new)?;
    let given = !old.member.has_seat && *outcome == Outcome::Assigned;
    books.tell(Event::Assigned, &new.member.address, &detail, if given { Seat::Given } else { Seat::Same })
}

fn unassigned(books: &mut Books<'_>, old: &Record, errand: &Errand, outcome: &Outcome) -> Result<()> {
    let address = &old.member.address;
    books.remove(old)?;
    match outcome {
        Outcome::UnassignedAlready { words } => {
            let detail = format!("{}; it was not assigned: {words}", errand.detail);
            books.tell(Event::Unassigned, address, &detail, Seat::Same)?;
        }
        _ => books.tell(Event::Unassigned, address, &errand.detail, Seat::Taken { counts: errand.counts })?,
    }
    match &errand.renamed_to {
        Some(to) => books.tell(Event::Renamed, address, &format!("to {to}"), Seat::Same),
        None => Ok(()),
    }
}

/// A member that waits for a seat. Who waited before keeps their place.
fn queue(
    books: &mut Books<'_>,
    old: Option<&Record>,
    mut new: Record,
    state: State,
    before: Option<&Before>,
) -> Result<()> {
    let waited = before.filter(|before| before.state == super::super::MemberState::Pending);
    new.turn(state, "no seat is free", books.now);
    if let Some(before) = waited {
        new.member.since = before.since;
    }
    new.member.waiting_since = new.member.waiting_since.or(Some(books.now));
    if books.put(old, &new)? && waited.is_none() {
        books.tell(Event::Pending, &new.member.address, "no seat is free", Seat::Same)?;
    }
    Ok(())
}

/// Records what is left of a run's work without a request.
fn left(books: &mut Books<'_>, address: &Address, outcome: &Outcome, work: Option<&Work>) -> Result<()> {
    let order = work.and_then(|work| work.order(Operation::Assign, address.identity()));
    match outcome {
        Outcome::NoSeat => {
            let old = books.record(address.identity())?;
            let state = step(old.as_ref(), address, Step::Queued)?;
            let before = old.as_ref().map(|old| Before {
                state: old.member.state,
                since: old.member.since,
                reason: old.member.reason.clone(),
            });
            let mut new = old.clone().unwrap_or_else(|| Record::new(address.clone(), PRIORITY_DEFAULT, books.now));
            new.member.address = address.clone();
            if let Some(order) = order {
                new.member.priority = order.priority().unwrap_or(new.member.priority);
                new.member.waiting_since = new.member.waiting_since.or(order.since());
            }
            queue(books, old.as_ref(), new, state, before.as_ref())
        }
        Outcome::Refused { words } => {
            seatless(books, address, Step::SetAside, words, None, Event::Quarantined, |member| member.refused = true)
        }
        // Nothing has become of it; that it is still to be done is known from the work.
        Outcome::NotDone { .. } => Ok(()),
        _ => Err(LedgerError::Illegal(format!("{}: {outcome:?} without a request", address.masked()))),
    }
}

/// What an answer said of the subscription as a whole.
fn put_answer(connection: &Connection, subscription: i64, books: &Books<'_>, commit: &Commit) -> Result<()> {
    if let Some(habits) = &commit.habits {
        connection.execute("UPDATE subscription SET habits = ?2 WHERE id = ?1", params![subscription, Json(habits)])?;
    }
    if let Some(stats) = commit.stats {
        put_stats(connection, subscription, books, stats)?;
    }
    if commit.full {
        let sql = "SELECT full_since IS NULL FROM subscription WHERE id = ?1";
        let news: bool = connection.prepare_cached(sql)?.query_row([subscription], |row| row.get(0))?;
        let sql = "UPDATE subscription SET full_since = coalesce(full_since, ?2), probed_at = ?2 WHERE id = ?1";
        connection.prepare_cached(sql)?.execute(params![subscription, Ms(books.now)])?;
        if news {
            books.tell_of_all(Event::SeatsExhausted, "no seat is free for those who wait")?;
        }
    }
    Ok(())
}

fn put_stats(connection: &Connection, subscription: i64, books: &Books<'_>, stats: Stats) -> Result<()> {
    let Stats { available, assigned } = stats;
    let sql = "SELECT seats_available FROM subscription WHERE id = ?1 AND seats_available IS NOT NULL";
    let known = connection.prepare_cached(sql)?.query_row([subscription], |row| counted(row, 0)).optional()?;
    let sql = "
        UPDATE subscription SET seats_available = ?2, seats_assigned = ?3, seats_as_of = ?4,
          full_since = CASE WHEN ?2 > ?3 THEN NULL ELSE full_since END
        WHERE id = ?1";
    let values = params![subscription, count(available), count(assigned), Ms(books.now)];
    connection.prepare_cached(sql)?.execute(values)?;
    match known {
        Some(known) if known == available => Ok(()),
        Some(known) => books.tell_of_all(Event::SeatsChanged, &format!("{known} seats, now {available}")),
        None => books.tell_of_all(Event::SeatsChanged, &format!("{available} seats")),
    }
}

fn put_problem(
    connection: &Connection,
    subscription: i64,
    books: &Books<'_>,
    problem: Option<&str>,
    stopped: Option<&Stop>,
) -> Result<()> {
    let sql = "
        UPDATE subscription SET problem = ?2, problem_since = CASE WHEN ?2 IS NULL THEN NULL ELSE ?3 END
        WHERE id = ?1 AND problem IS NOT ?2";
    let news = connection.prepare_cached(sql)?.execute(params![subscription, problem, Ms(books.now)])? > 0;
    let event = match stopped {
        Some(Stop::KeyRefused { .. }) => Event::KeyRejected,
        _ => Event::RunFailed,
    };
    match problem {
        Some(problem) if news => books.tell_of_all(event, problem),
        _ => Ok(()),
    }
}

fn word(operation: Operation) -> &'static str {
    match operation {
        Operation::Assign => "assign",
        Operation::Unassign => "unassign",
    }
}
