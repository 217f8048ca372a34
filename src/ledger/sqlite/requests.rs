//! Requests, as intents before they leave and as outcomes after their answers.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::operation::{State, Step, step_of};
use super::super::{Event, IntentId, LedgerError, MemberState, RunId};
use super::Result;
use super::books::{Before, Books, Errand, Record, Seat, step};
use super::listing::note_available;
use super::planning::Seen;
use super::recorded::put_then;
use super::rosters::look_again;
use super::run::open_intents;
use super::values::{Json, Ms, Word, count, counted};
use super::work::{Order, Work};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::dispatch::machine::{Commit, NewIntent, Outcome, Stop};
use crate::licensing::wire::{Operation, Stats};
use crate::member::{Claim, Departure, Member, NOT_ASKED};
use crate::roster::{PRIORITY_DEFAULT, Reason};

/// Opens an intent: its addresses are unknown until its answer is recorded.
pub(super) fn put_intent(
    connection: &Connection,
    books: &mut Books<'_>,
    subscription: i64,
    run: RunId,
    intent: &NewIntent,
    work: Option<&Work>,
) -> Result<IntentId> {
    let NewIntent { operation, addresses, again } = intent;
    let sql = "
        INSERT INTO intent (subscription_id, run, operation, addresses, again, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    connection.prepare_cached(sql)?.execute(params![
        subscription,
        run.into_bytes(),
        Word(operation),
        Json(addresses),
        again,
        Ms(books.now),
    ])?;
    let id = connection.last_insert_rowid();
    for address in addresses {
        ask(books, id, *operation, address, work)?;
    }
    if *again {
        reasserted(connection, subscription, books.now, addresses)?;
    }
    Ok(IntentId(id))
}

fn ask(books: &mut Books<'_>, intent: i64, operation: Operation, address: &Address, work: Option<&Work>) -> Result<()> {
    let old = books.record(address.identity())?;
    let state = step(old.as_ref(), address, Step::Asked(operation))?;
    let order = work.and_then(|work| work.order(operation, address.identity()));
    let approved = work.and_then(|work| work.approved_by(address.identity()));
    let before = old.as_ref().map(Before::of);
    let mut new = old.clone().unwrap_or_else(|| Record::new(address.clone(), PRIORITY_DEFAULT, books.now));
    new.turn(state, format!("a request to {operation} it is open", operation = word(operation)), books.now);
    new.member.refused = old.as_ref().is_some_and(|old| old.member.refused);
    if let Some(priority) = order.and_then(|order| order.priority()) {
        new.member.priority = priority;
    }
    if operation == Operation::Assign && !new.member.has_seat {
        // The server will know it as this request spells it, and takes the seat back under no other spelling.
        new.member.address = address.clone();
        new.member.claim = order.as_ref().and_then(Order::claim).cloned().or(new.member.claim);
        let since = new.member.waiting_since.or_else(|| order.and_then(|order| order.since()));
        new.member.waiting_since = Some(since.unwrap_or(books.now));
    }
    if operation == Operation::Unassign
        && let Some(departure) = work.and_then(|work| work.departure(address))
    {
        // The request may not succeed, and a later plan is to know why it was sent.
        new.member.departure = Some(departure.clone());
    }
    let detail = match (order, approved) {
        (None, _) => "as a person asked".to_owned(),
        (Some(order @ Order::Unassign(_)), Some(by)) => format!("{}; approved by {by}", order.detail()),
        (Some(order), _) => order.detail(),
    };
    // Whoever was renamed has the seat of the new address: nobody loses anything.
    let leaves = matches!(order, Some(Order::Unassign(removal)) if removal.reason != Reason::Renamed);
    let counts = leaves && approved.is_none();
    let renamed_to = match order {
        Some(Order::RenameFrom(rename)) => Some(rename.to.clone()),
        _ => None,
    };
    new.intent = Some(intent);
    let then = match order {
        Some(Order::Unassign(removal)) => removal.then.clone(),
        Some(Order::RenameFrom(rename)) => rename.then.clone(),
        _ => None,
    };
    new.errand = Some(Errand { before, detail, counts, renamed_to, then });
    books.put(old.as_ref(), &new)?;
    Ok(())
}

/// Makes open requests to unassign these into requests to assign them.
pub(super) fn turn_back(
    connection: &Connection,
    books: &mut Books<'_>,
    subscription: i64,
    wanted: &[Address],
) -> Result<()> {
    let removals = open_intents(connection, subscription)?;
    for (id, intent) in removals.into_iter().filter(|(_, intent)| intent.operation == Operation::Unassign) {
        let (back, rest): (Vec<Address>, Vec<Address>) =
            intent.addresses.into_iter().partition(|address| wanted.contains(address));
        if back.is_empty() {
            continue;
        }
        // Still that run's: what comes of it is news for the run that settles it.
        let sql = "
            INSERT INTO intent (subscription_id, run, operation, addresses, again, at)
            SELECT subscription_id, run, ?2, ?3, 0, ?4 FROM intent WHERE id = ?1";
        connection.prepare_cached(sql)?.execute(params![id.0, Word(&Operation::Assign), Json(&back), Ms(books.now)])?;
        let turned = connection.last_insert_rowid();
        keep_open(connection, id, rest)?;
        for address in &back {
            wants_back(books, turned, address)?;
        }
    }
    Ok(())
}

fn wants_back(books: &mut Books<'_>, intent: i64, address: &Address) -> Result<()> {
    let old = books.record(address.identity())?;
    let Some((old, errand)) = old.and_then(|old| Some((old.clone(), old.errand?))) else {
        return Err(LedgerError::Illegal(format!("{}: no request about it is open", address.masked())));
    };
    let mut new = old.clone();
    let why = "named again while the answer to its removal is missing";
    new.turn(old.state()?, why, books.now);
    new.member.claim = Some(Claim::Own);
    new.intent = Some(intent);
    let detail = why.to_owned();
    new.errand = Some(Errand { detail, counts: false, renamed_to: None, then: None, ..errand });
    books.put(Some(&old), &new)?;
    Ok(())
}

/// An intent stays open for these; with none it ends.
fn keep_open(connection: &Connection, intent: IntentId, addresses: Vec<Address>) -> Result<()> {
    if addresses.is_empty() {
        connection.prepare_cached("DELETE FROM intent WHERE id = ?1")?.execute([intent.0])?;
    } else {
        let sql = "UPDATE intent SET addresses = ?2 WHERE id = ?1";
        connection.prepare_cached(sql)?.execute(params![intent.0, Json(addresses)])?;
    }
    Ok(())
}

/// Records what became of an intent's addresses. The intent ends, but for those whose answer is unknown.
pub(super) fn settle_intent(
    connection: &Connection,
    books: &mut Books<'_>,
    subscription: i64,
    run: RunId,
    intent: IntentId,
    outcomes: &[(Address, Outcome)],
) -> Result<()> {
    let sql = "SELECT operation, addresses, run <> ?3 FROM intent WHERE id = ?1 AND subscription_id = ?2";
    let values = params![intent.0, subscription, run.into_bytes()];
    let open = connection.prepare_cached(sql)?.query_row(values, |row| {
        Ok((row.get::<_, Word<Operation>>(0)?.0, row.get::<_, Json<Vec<Address>>>(1)?.0, row.get::<_, bool>(2)?))
    });
    let Some((operation, mut addresses, resumed)) = open.optional()? else {
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
        } else if resumed {
            // The plan of this run could decide nothing about it.
            look_again(connection, subscription, address)?;
        }
    }
    if unknown.len() < addresses.len() {
        addresses.retain(|address| unknown.contains(&address));
        keep_open(connection, intent, addresses)?;
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
    books.moves.add(operation, before, outcome);
    let state = step(Some(&old), address, what)?;
    let mut new = old.clone();
    if !state.is_open() {
        new.intent = None;
        new.errand = None;
    }
    match outcome {
        _ if matches!(what, Step::NotDone { .. }) => not_done(books, &old, new, state, &errand)?,
        Outcome::Assigned | Outcome::AssignedAlready { .. } => assigned(books, &old, new, &errand, before, outcome)?,
        Outcome::Unassigned | Outcome::UnassignedAlready { .. } => unassigned(books, &old, &errand, outcome)?,
        Outcome::Refused { words } => {
            new.turn(state, words.clone(), books.now);
            new.member.refused = true;
            new.member.waiting_since = None;
            books.put(Some(&old), &new)?;
            books.tell(Event::Quarantined, address, words, Seat::Same)?;
            if let Some(Claim::From { old, departure }) = old.member.claim {
                hand_back(books, address, &old, *departure)?;
            }
        }
        Outcome::NoSeat => queue(books, Some(&old), new, state, errand.before.as_ref())?,
        Outcome::NotDone { .. } => {}
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

/// The request had no effect: back to what it was.
fn not_done(books: &mut Books<'_>, old: &Record, mut new: Record, state: State, errand: &Errand) -> Result<()> {
    let Some(Before { state: _, since, reason }) = &errand.before else { return books.remove(old) };
    new.turn(state, reason.clone(), *since);
    new.member.since = *since;
    new.member.refused = old.member.refused;
    books.put(Some(old), &new)?;
    Ok(())
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
    // Who has the seat back because the new address was refused is to give it up as soon as that can have one.
    let moves = new.member.departure.as_ref().is_some_and(|departure| departure.renamed_to.is_some());
    if !(moves && old.member.claim == Some(Claim::Own)) {
        new.member.departure = None;
    }
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
    if let Some(to) = &errand.renamed_to {
        books.tell(Event::Renamed, address, &format!("to {to}"), Seat::Same)?;
        take_over(books, &old.member, to)?;
    }
    errand.then.as_deref().map_or(Ok(()), |then| put_then(books, then))
}

/// Whom a roster has named since the plan was `seen`, while the removal was on its way, is to have the seat again before
/// anybody else. Whether they should have one is the next plan's to say.
pub(super) fn named_meanwhile(
    connection: &Connection,
    books: &mut Books<'_>,
    subscription: i64,
    outcomes: &[(Address, Outcome)],
    seen: Seen,
) -> Result<()> {
    let sql = "
        SELECT 1 FROM touched WHERE subscription_id = ?1 AND identity = ?2 AND departure IS NULL AND seq > ?3";
    let mut named = connection.prepare_cached(sql)?;
    for (address, outcome) in outcomes {
        if !matches!(outcome, Outcome::Unassigned | Outcome::UnassignedAlready { .. })
            || !named.exists(params![subscription, address.identity(), seen.seq])?
            || books.record(address.identity())?.is_some()
        {
            continue;
        }
        let why = "named again while the seat was being given back";
        put_claim(books, Record::new(address.clone(), PRIORITY_DEFAULT, books.now), why)?;
    }
    Ok(())
}

/// Writes somebody new who comes before all others who wait, for a seat that was their own.
fn put_claim(books: &mut Books<'_>, mut new: Record, why: &str) -> Result<()> {
    let state = step(None, &new.member.address, Step::Queued)?;
    new.turn(state, why, books.now);
    new.member.waiting_since = Some(books.now);
    new.member.claim = Some(Claim::Own);
    books.put(None, &new)?;
    books.tell(Event::Pending, &new.member.address, why, Seat::Same)
}

/// The seat that was given back under the old address is for the new one, whenever that is asked for.
fn take_over(books: &mut Books<'_>, from: &Member, to: &Address) -> Result<()> {
    let Some(departure) = from.departure.clone() else { return Ok(()) };
    let old = books.record(to.identity())?;
    // Whoever was given a seat meanwhile, or was set aside, has no use for another.
    if !matches!(old.as_ref().map(Record::state).transpose()?, None | Some(State::Pending | State::Waiting)) {
        return Ok(());
    }
    let state = step(old.as_ref(), to, Step::Queued)?;
    let mut new = old.clone().unwrap_or_else(|| Record::new(to.clone(), PRIORITY_DEFAULT, books.now));
    new.turn(state, format!("takes over the seat of {}", from.address), books.now);
    new.member.waiting_since = new.member.waiting_since.or(Some(books.now));
    new.member.claim = Some(Claim::From { old: from.address.clone(), departure: Box::new(departure) });
    books.put(old.as_ref(), &new)?;
    Ok(())
}

/// The server refuses the new address: the person's old one is to have its seat again, and keeps it while the new one
/// can't have one.
fn hand_back(books: &mut Books<'_>, refused: &Address, old: &Address, departure: Departure) -> Result<()> {
    // Somebody may have been given the old address meanwhile.
    if books.record(old.identity())?.is_some() {
        return Ok(());
    }
    let mut new = Record::new(old.clone(), PRIORITY_DEFAULT, books.now);
    new.member.departure = Some(departure);
    put_claim(books, new, &format!("{refused} was refused, so that the seat is given back to this address"))
}

/// Why somebody waits.
const NONE_FREE: &str = "no seat is free";
/// Why somebody waits whose own removal was no longer wanted.
const GONE: &str = "it was named again when its seat had been given back, and no seat is free";
/// Why somebody waits who had a seat.
const LOST: &str = "somebody unassigned it by other means than rosterd, and no seat is free";

/// A member that waits for a seat. Who waited before keeps their place.
fn queue(
    books: &mut Books<'_>,
    old: Option<&Record>,
    mut new: Record,
    state: State,
    before: Option<&Before>,
) -> Result<()> {
    // Who has a claim was to be given the seat at once, and nobody was told that they wait.
    let is_known = |before: &Before| matches!(&*before.reason, NONE_FREE | LOST | GONE);
    let was_not_asked = before.is_some_and(|before| before.reason.starts_with(NOT_ASKED));
    let is_news = new.member.claim.is_some() && !before.is_some_and(is_known) || was_not_asked;
    let waited = before.filter(|before| before.state == MemberState::Pending && !is_news);
    let had_seat = old.is_some_and(|old| old.member.has_seat);
    let why = match waited.map(|before| &*before.reason) {
        Some(known @ (LOST | GONE)) => known,
        _ if had_seat && new.member.claim.is_some() => GONE,
        _ if had_seat => LOST,
        _ => NONE_FREE,
    };
    new.turn(state, why, books.now);
    if let Some(before) = waited {
        new.member.since = before.since;
    }
    new.member.waiting_since = new.member.waiting_since.or(Some(books.now));
    if books.put(old, &new)? && waited.is_none() {
        books.tell(Event::Pending, &new.member.address, why, Seat::Same)?;
    }
    Ok(())
}

/// Records what is left of a run's work without a request.
pub(super) fn left(books: &mut Books<'_>, address: &Address, outcome: &Outcome, work: Option<&Work>) -> Result<()> {
    let order = work.and_then(|work| work.order(Operation::Assign, address.identity()));
    match outcome {
        Outcome::NoSeat => {
            let old = books.record(address.identity())?;
            let state = step(old.as_ref(), address, Step::Queued)?;
            let before = old.as_ref().map(Before::of);
            let mut new = old.clone().unwrap_or_else(|| Record::new(address.clone(), PRIORITY_DEFAULT, books.now));
            new.member.address = address.clone();
            if let Some(order) = order {
                new.member.priority = order.priority().unwrap_or(new.member.priority);
                new.member.waiting_since = new.member.waiting_since.or(order.since());
                new.member.claim = order.claim().cloned().or(new.member.claim);
            }
            queue(books, old.as_ref(), new, state, before.as_ref())
        }
        Outcome::NotDone { cause } => work.map_or(Ok(()), |work| not_asked(books, address, cause, work)),
        _ => Err(LedgerError::Illegal(format!("{}: {outcome:?} without a request", address.masked()))),
    }
}

/// Whoever wants a seat and was not asked for, because the run stopped, waits for the next one. Whoever has a seat, or
/// waits for a reason that still holds, is as before.
pub(super) fn not_asked(books: &mut Books<'_>, address: &Address, cause: &str, work: &Work) -> Result<()> {
    let Some(order) = work.order(Operation::Assign, address.identity()) else { return Ok(()) };
    let old = books.record(address.identity())?;
    if old.as_ref().is_some_and(|old| waits_anyway(old, work)) {
        return Ok(());
    }
    let state = step(old.as_ref(), address, Step::Queued)?;
    let mut new = old.clone().unwrap_or_else(|| Record::new(address.clone(), PRIORITY_DEFAULT, books.now));
    new.turn(state, format!("{NOT_ASKED}{cause}"), books.now);
    new.member.address = address.clone();
    new.member.priority = order.priority().unwrap_or(new.member.priority);
    new.member.waiting_since = new.member.waiting_since.or(order.since()).or(Some(books.now));
    new.member.claim = order.claim().cloned().or(new.member.claim);
    books.put(old.as_ref(), &new)?;
    Ok(())
}

fn waits_anyway(old: &Record, work: &Work) -> bool {
    let Member { address, state, has_seat, reason, .. } = &old.member;
    let is_full = reason == NONE_FREE && !work.fits(address.identity());
    let has_another = reason != NONE_FREE && !reason.starts_with(NOT_ASKED);
    *has_seat || old.intent.is_some() || *state == MemberState::Pending && (is_full || has_another)
}

/// What an answer said of the subscription as a whole.
pub(super) fn put_answer(connection: &Connection, subscription: i64, books: &Books<'_>, commit: &Commit) -> Result<()> {
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
    // A refusal that a clock that was ahead noted is no newer than what is told now.
    let sql = "
        UPDATE subscription SET seats_available = ?2, seats_assigned = ?3, seats_as_of = ?4,
          full_since = CASE WHEN ?2 > ?3 THEN NULL ELSE full_since END, probed_at = min(probed_at, ?4)
        WHERE id = ?1";
    let values = params![subscription, count(available), count(assigned), Ms(books.now)];
    connection.prepare_cached(sql)?.execute(values)?;
    if known != Some(available) {
        note_available(connection, subscription, available, books.now)?;
    }
    match known {
        Some(known) if known == available => Ok(()),
        Some(known) => books.tell_of_all(Event::SeatsChanged, &format!("{known} seats, now {available}")),
        None => books.tell_of_all(Event::SeatsChanged, &format!("{available} seats")),
    }
}

/// Known assignments are being sent again, up to the last of these.
fn reasserted(connection: &Connection, subscription: i64, now: Timestamp, addresses: &[Address]) -> Result<()> {
    let last = addresses.iter().map(Address::identity).max();
    let sql = "UPDATE subscription SET reasserted_at = ?2, reasserted_to = ?3 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![subscription, Ms(now), last])?;
    Ok(())
}

pub(super) fn put_problem(
    connection: &Connection,
    subscription: i64,
    books: &Books<'_>,
    problem: Option<&str>,
    stopped: Option<&Stop>,
) -> Result<()> {
    let rejected = matches!(stopped, Some(Stop::KeyRefused { .. }));
    let sql = "SELECT key_rejected FROM subscription WHERE id = ?1";
    let known: bool = connection.prepare_cached(sql)?.query_row([subscription], |row| row.get(0))?;
    // A refused key is one problem, in whatever words the server refuses it.
    let same = rejected && known;
    let sql = "
        UPDATE subscription SET problem = ?2, key_rejected = ?4,
          problem_since = CASE WHEN ?2 IS NULL THEN NULL WHEN ?5 THEN problem_since ELSE ?3 END
        WHERE id = ?1 AND problem IS NOT ?2";
    let values = params![subscription, problem, Ms(books.now), rejected, same];
    let news = connection.prepare_cached(sql)?.execute(values)? > 0 && !same;
    let event = if rejected { Event::KeyRejected } else { Event::RunFailed };
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
