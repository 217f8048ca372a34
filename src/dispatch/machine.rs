//! The dispatcher as a machine without I/O: ask it for the next step, do it, tell it what happened.
//!
//! ```text
//! machine.next(now)              -> Commit(..) | Send(request) | Wait(until) | Done(report)
//! machine.committed(intent id)   after a Commit is on disk
//! machine.answered(now, answer)  after a Send
//! ```
//!
//! `now` is the time since the run began, by a clock that can't be set.
//! Intent before effect shows in the order of its steps: a `Send` is always preceded by a `Commit` that carries its
//! intent. The outcome of one request and the intent of the next are one `Commit`, so that the disk is asked once for
//! each request. Never are two intents open for one address.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::batch::{Batch, Decided};
use super::offenders;
use super::retry::Backoff;
use super::seats::Seats;
use super::wording;
use crate::address::Address;
use crate::licensing::wire::{Answer, Operation, Stats};
use crate::member::IntentId;

/// At most so many are said to be left in one commit.
pub const LEFT_MAX: usize = 1000;

/// The next thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Make this durable, whole or not at all, then call [`Machine::committed`].
    Commit(Commit),
    /// Send this, at the pace that is set, then call [`Machine::answered`].
    Send(Request),
    /// Nothing to do before this moment; then call `next` again.
    Wait(Duration),
    /// There is nothing more to do in this run.
    Done(Report),
}

/// What goes to the ledger in one transaction.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Commit {
    /// What became of each address of an intent; all of them are named. The intent ends with this commit, unless the
    /// outcomes are [`Outcome::Unknown`]: then all of them are, and the intent stays open, to be sent again by the
    /// next run. Addresses that are still to be decided are `NotDone` here and in `intent` again.
    pub settled: Option<(IntentId, Vec<(Address, Outcome)>)>,
    /// The intent that begins with it.
    pub intent: Option<NewIntent>,
    /// What is left of the work at the end of a run, never asked for in it: `NoSeat`, or `NotDone` where the run
    /// stopped before its end: who wants a seat waits for the next run. Where it was overtaken, nothing.
    pub left: Vec<(Address, Outcome)>,
    /// From the answer.
    pub stats: Option<Stats>,
    /// The stats are of the newest answer, and with this commit nothing that was sent is in doubt: they can be held
    /// against what the ledger knows then.
    pub comparable: bool,
    /// Seats were refused, and no stats say that none is free: nobody asks again before the next probe.
    pub full: bool,
    /// What the server was seen to do, where that changed.
    pub habits: Option<Habits>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewIntent {
    pub operation: Operation,
    /// In the order in which they are sent: by one request, or where that was refused, by several for parts of them.
    pub addresses: Vec<Address>,
    /// They hold a seat as far as is known, and are assigned again to be sure. Nothing but a seat that is certainly gone
    /// becomes of it.
    pub again: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub operation: Operation,
    pub addresses: Vec<Address>,
    /// Counts from 1.
    pub attempt: u32,
}

/// What became of one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Assigned,
    /// The server said that it was assigned before.
    AssignedAlready {
        words: String,
    },
    Unassigned,
    /// The server said that it was not assigned.
    UnassignedAlready {
        words: String,
    },
    /// The server refused the address, in these words: quarantined.
    Refused {
        words: String,
    },
    /// No seat is free: pending.
    NoSeat,
    /// It is to be decided anew: back to the state before the intent. It surely had no effect, or an intent of the same
    /// commit goes on with it.
    NotDone {
        cause: String,
    },
    /// Nobody knows whether it took effect. The intent stays open.
    Unknown {
        cause: String,
    },
}

/// What a server was seen to do, remembered for the subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Habits {
    /// Halved at each 413 but those of a run in which even one address was too large; `None`: as configured.
    pub batch_size: Option<usize>,
    /// A refused `PUT` was seen to have been applied but for its offenders, and what was applied is refused when
    /// repeated.
    pub puts_apply_rest: bool,
    /// The same of `DELETE`.
    pub deletes_apply_rest: bool,
    /// Assigning who has a seat already was refused when it was tried to be sure of known assignments.
    pub refuses_again: bool,
}

impl Habits {
    /// Whether it is of no use to assign again who has a seat.
    pub fn refuses_repeats(&self) -> bool {
        self.refuses_again || self.puts_apply_rest
    }
}

/// How a run went.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// Those that left, each attempt counted.
    pub requests: u64,
    /// With those that were assigned already.
    pub assigned: u64,
    /// With those that were not assigned any more.
    pub unassigned: u64,
    /// Without a seat for want of a free one.
    pub pending: u64,
    pub quarantined: u64,
    pub unknown: u64,
    /// Who has a seat, and was assigned again to be sure.
    pub reasserted: u64,
    /// Why the run stopped before its end.
    pub stopped: Option<Stop>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The server does not accept the key.
    KeyRefused { words: String },
    /// No answer, or none that counts, within `retry_for`.
    Unreachable { cause: String },
    /// A redirect.
    Redirect { target: String },
    /// A removal was due, and what it rests on was not so any more: removals were stopped everywhere, or a roster has
    /// changed.
    Overtaken,
    /// Even a request with one address was answered 413: it is not its size that is refused.
    TooLarge,
    /// The daemon is ending.
    Shutdown,
}

/// What a run is to do.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Work {
    /// Open intents of earlier runs, oldest first. They are sent again, as they are, before anything else.
    pub resume: Vec<(IntentId, NewIntent)>,
    /// In order.
    pub unassign: Vec<Address>,
    /// Old address, new address: the new one is assigned before all others. Where there are seats for all of them the old
    /// one is unassigned when the new one has its seat; else its DELETE goes with `unassign`.
    pub rename: Vec<(Address, Address)>,
    /// In the order in which seats are given.
    pub assign: Vec<Address>,
    /// Who holds a seat, to be assigned again after everything else.
    pub reassert: Vec<Address>,
    /// The newest stats, as free seats; `None`: not known.
    pub seats: Option<Stats>,
    /// With no seat free as far as is known: may one request ask whether that still holds?
    pub probe: bool,
    pub habits: Habits,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    pub batch_size: usize,
    /// How long one run keeps trying one request.
    pub retry_for: Duration,
    /// For the jitter.
    pub seed: u64,
}

/// See the module's page.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the run")]
pub struct Machine {
    retry_for: Duration,
    backoff: Backoff,
    batch_size: usize,
    resume: VecDeque<(IntentId, NewIntent)>,
    unassign: VecDeque<Address>,
    assign: VecDeque<Address>,
    renames: Renames,
    reassert: VecDeque<Address>,
    seats: Seats,
    probe: bool,
    habits: Habits,
    /// The batch size among the habits when the run began.
    batch_size_before: Option<usize>,
    /// What this run has seen of the server's treatment of a refused batch: of `PUT`, of `DELETE`.
    applies_rest: [Option<bool>; 2],
    /// No seat is left, by the server's own word.
    seatless: bool,
    /// The newest answer had stats.
    told: bool,
    flight: Option<Flight>,
    /// What the next commit has to say.
    news: Commit,
    phase: Phase,
    stopped: Option<Stop>,
    /// Something was not asked, or not answered, because the run stopped.
    cut_short: bool,
    report: Report,
}

/// The batch in hand.
#[derive(Debug)]
struct Flight {
    /// `None` until its commit is on disk.
    intent: Option<IntentId>,
    batch: Batch,
    /// Decided by answers, not yet committed.
    decided: Decided,
    request: Attempts,
}

/// One request and its repetitions.
#[derive(Debug, Default)]
struct Attempts {
    /// How many of the batch it is about, from its start.
    len: usize,
    /// Made so far.
    made: u32,
    /// When the first was last handed out.
    first: Option<Duration>,
}

#[derive(Debug)]
enum Phase {
    Decide,
    Commit(Commit),
    Wait(Duration),
    Send,
    Done,
}

impl Machine {
    pub fn new(settings: Settings, work: Work) -> Machine {
        let seats = Seats::new(work.seats);
        let room = seats.free().map_or(0, |free| free.saturating_add(work.unassign.len() as u64));
        let renames = Renames::new(&work.rename, room);
        let (from, to): (Vec<_>, Vec<_>) = work.rename.into_iter().unzip();
        let from = if renames.assigned_first { Vec::new() } else { from };
        let batch_size = work.habits.batch_size.map_or(settings.batch_size, |seen| seen.min(settings.batch_size));
        Machine {
            retry_for: settings.retry_for,
            backoff: Backoff::new(settings.seed),
            batch_size: batch_size.max(1),
            resume: work.resume.into(),
            unassign: work.unassign.into_iter().chain(from).collect(),
            assign: to.into_iter().chain(work.assign).collect(),
            reassert: work.reassert.into(),
            seats,
            renames,
            probe: work.probe,
            habits: work.habits,
            batch_size_before: work.habits.batch_size,
            applies_rest: [work.habits.puts_apply_rest, work.habits.deletes_apply_rest]
                .map(|seen| seen.then_some(true)),
            seatless: false,
            told: false,
            flight: None,
            news: Commit::default(),
            phase: Phase::Decide,
            stopped: None,
            cut_short: false,
            report: Report::default(),
        }
    }

    /// The next step. Calling it again without doing the step gives the same step; who waits for a turn before the first
    /// attempt of a `Send` calls it again after that, since `retry_for` counts from there.
    pub fn next(&mut self, now: Duration) -> Step {
        loop {
            match &self.phase {
                Phase::Commit(commit) => return Step::Commit(commit.clone()),
                Phase::Done => return Step::Done(self.report.clone()),
                Phase::Wait(_) | Phase::Send if self.stopped.is_some() => self.phase = Phase::Decide,
                Phase::Wait(until) if now < *until => return Step::Wait(*until),
                Phase::Wait(_) => self.phase = Phase::Send,
                Phase::Send => match self.request(now) {
                    Some(request) => return Step::Send(request),
                    None => self.phase = Phase::Decide,
                },
                Phase::Decide => self.phase = self.decide(),
            }
        }
    }

    /// The last `Commit` is on disk; `intent` is the id of its new intent, where it had one.
    pub fn committed(&mut self, intent: Option<IntentId>) {
        if let Phase::Commit(commit) = &self.phase {
            if let (Some(_), Some(flight)) = (&commit.intent, &mut self.flight) {
                flight.intent = intent;
            }
            self.phase = Phase::Decide;
        }
    }

    /// What came of the last `Send`.
    pub fn answered(&mut self, now: Duration, answer: Answer) {
        let Phase::Send = self.phase else { return };
        let want_of_seats = self.is_want_of_seats(&answer);
        let Some(flight) = &mut self.flight else { return };
        flight.request.made += 1;
        self.report.requests += u64::from(!matches!(answer, Answer::NotSent { .. }));
        self.phase = Phase::Decide;
        self.told = false;
        match answer {
            Answer::Done { stats } => self.accepted(stats),
            Answer::Refused { stats, .. } if want_of_seats => self.no_seats(stats),
            Answer::Refused { errors, stats } => self.refused(&errors, stats),
            Answer::NoSeats { stats, .. } if flight.batch.operation() == Operation::Assign => self.no_seats(stats),
            Answer::TooLarge => self.too_large(),
            Answer::KeyRefused { words, .. } => self.stopped = Some(Stop::KeyRefused { words }),
            Answer::Redirect { target, .. } => self.stopped = Some(Stop::Redirect { target }),
            Answer::NotSent { cause } => self.retry(now, None, cause),
            Answer::Busy { status: 429, retry_after, words } => self.retry(now, retry_after, cause_of(429, &words)),
            Answer::Busy { status, retry_after, words } => {
                flight.batch.doubt();
                self.retry(now, retry_after, cause_of(status, &words));
            }
            Answer::Strange { status, words } => {
                flight.batch.doubt();
                self.retry(now, None, format!("not an answer of the licensing server: {}", cause_of(status, &words)));
            }
            Answer::Lost { cause } => {
                flight.batch.doubt();
                self.retry(now, None, cause);
            }
            Answer::NoSeats { errors, .. } => {
                flight.batch.doubt();
                self.retry(now, None, format!("an unassignment was answered 402: {}", offenders::words(&errors)));
            }
        }
    }

    /// No new request from now on: `next` settles what is there and is done. A request in flight is still to be
    /// answered with `answered`. A committed intent whose request has not been sent is withdrawn (`NotDone`).
    pub fn stop(&mut self) {
        self.stopped.get_or_insert(Stop::Shutdown);
    }

    /// The next request was a removal, and what it rests on is not so any more: what was planned is not to be carried out.
    /// Settles as [`Machine::stop`] does.
    pub fn overtake(&mut self) {
        self.stopped.get_or_insert(Stop::Overtaken);
    }

    // ---- answers

    fn accepted(&mut self, stats: Option<Stats>) {
        let Some(flight) = &mut self.flight else { return };
        let len = flight.request.len;
        flight.decided.extend(flight.batch.accepted(len));
        flight.request = Attempts::default();
        match (stats, flight.batch.operation()) {
            (Some(stats), operation) => {
                self.learn(stats);
                // A probe that was accepted has told how many seats are free; nothing else is to be tried.
                self.probe &= operation == Operation::Unassign;
            }
            (None, Operation::Assign) if flight.batch.is_again() => {}
            (None, Operation::Assign) => self.seats.took(len),
            (None, Operation::Unassign) => self.seats.freed(len),
        }
    }

    fn refused(&mut self, errors: &[String], stats: Option<Stats>) {
        let Some(flight) = &mut self.flight else { return };
        let len = flight.request.len;
        let refusal = flight.batch.refused(len, errors);
        // One refused request is all that a probe may cost, whatever it was refused for.
        self.probe &= flight.batch.operation() == Operation::Unassign || self.seats.free() != Some(0);
        flight.decided.extend(refusal.decided);
        flight.request = Attempts::default();
        if flight.batch.refuses_repeats() && !self.habits.refuses_again {
            self.habits.refuses_again = true;
            self.news.habits = Some(self.habits);
            self.reassert.clear();
        }
        match (stats, refusal.done_before, flight.batch.operation()) {
            (Some(stats), ..) => self.learn(stats),
            (None, None, _) => self.seats.forget(),
            (None, Some(done), Operation::Assign) => self.seats.took(done),
            (None, Some(done), Operation::Unassign) => self.seats.freed(done),
        }
    }

    /// Whether a refusal has only words of want of seats, and as many seats as were asked for are not known to be free.
    fn is_want_of_seats(&self, answer: &Answer) -> bool {
        let Answer::Refused { errors, stats } = answer else { return false };
        let Some(Flight { batch, request, .. }) = &self.flight else { return false };
        let free = stats.map_or(self.seats.free(), |stats| Some(stats.available.saturating_sub(stats.assigned)));
        batch.operation() == Operation::Assign
            && !batch.is_again()
            && !errors.is_empty()
            && errors.iter().all(|error| wording::speaks_of_seats(error))
            && (request.len == 1 || free.is_none_or(|free| free < request.len as u64))
    }

    fn no_seats(&mut self, stats: Option<Stats>) {
        let Some(flight) = &mut self.flight else { return };
        let decided = flight.batch.no_seats(flight.request.len, stats);
        flight.decided.extend(decided);
        flight.request = Attempts::default();
        match stats {
            Some(stats) => self.learn(stats),
            None if flight.batch.is_again() => {}
            None => self.seats.forget(),
        }
    }

    /// Half of it next. Where there is no half, whatever refuses it refuses everything, which says nothing about the
    /// people in it, nor about the size.
    fn too_large(&mut self) {
        let Some(flight) = &mut self.flight else { return };
        let len = flight.request.len;
        flight.request = Attempts::default();
        if len > 1 {
            self.batch_size = len / 2;
            self.habits.batch_size = Some(self.batch_size);
        } else {
            self.habits.batch_size = self.batch_size_before;
            self.stopped = Some(Stop::TooLarge);
        }
        self.news.habits = Some(self.habits);
    }

    /// The same request again after a while, or the end of the run where that would be too late.
    fn retry(&mut self, now: Duration, retry_after: Option<Duration>, cause: String) {
        let Some(Flight { request, .. }) = &self.flight else { return };
        let again = now.saturating_add(self.backoff.wait(request.made, retry_after));
        if again > request.first.unwrap_or(now).saturating_add(self.retry_for) {
            self.stopped.get_or_insert(Stop::Unreachable { cause });
        } else {
            self.phase = Phase::Wait(again);
        }
    }

    fn learn(&mut self, stats: Stats) {
        self.seats.learn(stats);
        self.news.stats = Some(stats);
        self.told = true;
    }

    // ---- decisions

    /// What is to be done now that nothing is in flight. Each commit takes all the news with it.
    fn decide(&mut self) -> Phase {
        if let Some(flight) = self.flight.take() {
            if flight.batch.is_decided() {
                self.finish(flight);
            } else if let Some(phase) = self.go_on(flight) {
                return phase;
            }
        }
        if self.stopped.is_some() {
            return self.end();
        }
        if !self.resume.is_empty() {
            if self.news != Commit::default() {
                return self.commit();
            }
            return self.resume();
        }
        match self.take() {
            Some(intent) => {
                self.flight = Some(Flight::new(None, &intent, false));
                self.news.intent = Some(intent);
                self.commit()
            }
            None => self.end(),
        }
    }

    fn commit(&mut self) -> Phase {
        Phase::Commit(std::mem::take(&mut self.news))
    }

    /// A batch of which something is not decided. `None`: the run has stopped, and it is settled as far as can be.
    fn go_on(&mut self, mut flight: Flight) -> Option<Phase> {
        if let Some(stop) = &self.stopped {
            let (cause, in_short) = (stop.to_string(), stop.in_short().to_owned());
            self.cut_short = true;
            if flight.batch.is_uncertain() && !flight.decided.is_empty() {
                return Some(self.carry(flight));
            }
            let outcome = if flight.batch.is_uncertain() {
                Outcome::Unknown { cause }
            } else {
                Outcome::NotDone { cause: in_short }
            };
            flight.decided.extend(flight.batch.undecided().map(|address| (address.clone(), outcome.clone())));
            self.settle(flight);
            return None;
        }
        if !flight.decided.is_empty() {
            return Some(self.carry(flight));
        }
        self.flight = Some(flight);
        Some(Phase::Send)
    }

    /// Commits what is decided and goes on with the rest of the batch under a new intent.
    fn carry(&mut self, mut flight: Flight) -> Phase {
        let addresses: Vec<Address> = flight.batch.undecided().cloned().collect();
        let decided = std::mem::take(&mut flight.decided);
        let again = flight.batch.is_again();
        self.count(&decided, again);
        let go_on = Outcome::NotDone { cause: "refused together with others, and asked for again".to_owned() };
        let open = addresses.iter().map(|address| (address.clone(), go_on.clone()));
        self.news.settled = flight.intent.take().map(|id| (id, decided.into_iter().chain(open).collect()));
        self.news.intent = Some(NewIntent { operation: flight.batch.operation(), addresses, again });
        self.flight = Some(flight);
        self.commit()
    }

    fn finish(&mut self, flight: Flight) {
        if let Some(applies_rest) = flight.batch.applies_rest() {
            self.note_habit(flight.batch.operation(), applies_rest);
        }
        self.settle(flight);
        if self.renames.heirless {
            // The seat is the old address's again, and nobody else's.
            self.overtake();
        }
        self.news.comparable = self.told && self.resume.is_empty();
    }

    fn settle(&mut self, flight: Flight) {
        self.count(&flight.decided, flight.batch.is_again());
        if flight.decided.iter().any(|(_, outcome)| *outcome == Outcome::NoSeat) {
            self.seatless = true;
            self.news.full = self.seats.free() != Some(0);
        }
        self.news.settled = flight.intent.map(|id| (id, flight.decided));
    }

    fn note_habit(&mut self, operation: Operation, applies_rest: bool) {
        self.applies_rest[place(operation)] = Some(applies_rest);
        let habit = match operation {
            Operation::Assign => &mut self.habits.puts_apply_rest,
            Operation::Unassign => &mut self.habits.deletes_apply_rest,
        };
        if *habit != applies_rest {
            *habit = applies_rest;
            self.news.habits = Some(self.habits);
        }
    }

    /// An intent that an earlier run left open is sent as it is; it is on disk already.
    fn resume(&mut self) -> Phase {
        if let Some((id, intent)) = self.resume.pop_front() {
            self.flight = Some(Flight::new(Some(id), &intent, true));
        }
        Phase::Decide
    }

    /// The next batch of the work: who is to be unassigned, then as many as fit of who is to be assigned, then who is to
    /// be assigned again: that takes a seat only for somebody who had lost theirs.
    fn take(&mut self) -> Option<NewIntent> {
        if !self.unassign.is_empty() {
            let len = self.unassign.len().min(self.batch_size);
            let addresses = self.unassign.drain(..len).collect();
            return Some(NewIntent { operation: Operation::Unassign, addresses, again: false });
        }
        let fit = match self.seats.free() {
            _ if self.seatless => 0,
            None => usize::MAX,
            Some(0) => usize::from(self.probe),
            Some(free) => usize::try_from(free).unwrap_or(usize::MAX),
        };
        let len = self.assign.len().min(self.batch_size).min(fit);
        let again = len == 0;
        let (queue, len) = if again { (&mut self.reassert, self.batch_size) } else { (&mut self.assign, len) };
        let addresses: Vec<Address> = queue.drain(..len.min(queue.len())).collect();
        (!addresses.is_empty()).then_some(NewIntent { operation: Operation::Assign, addresses, again })
    }

    /// Nothing more is asked: what is left is said in last commits, none of them so large that others wait long for the
    /// ledger.
    fn end(&mut self) -> Phase {
        let outcome = match &self.stopped {
            // All of it is planned anew in this run.
            Some(Stop::Overtaken) => {
                self.cut_short |= !(self.unassign.is_empty() && self.assign.is_empty() && self.resume.is_empty());
                self.unassign.clear();
                self.assign.clear();
                Outcome::NoSeat
            }
            Some(stop) => Outcome::NotDone { cause: stop.in_short().to_owned() },
            None => Outcome::NoSeat,
        };
        let now = self.unassign.len().min(LEFT_MAX);
        let mut left: Decided = self.unassign.drain(..now).map(|address| (address, outcome.clone())).collect();
        let now = self.assign.len().min(LEFT_MAX - left.len());
        left.extend(self.assign.drain(..now).map(|address| (address, outcome.clone())));
        self.count(&left, false);
        self.cut_short |= self.stopped.is_some() && !(left.is_empty() && self.resume.is_empty());
        self.news.left = left;
        if self.news != Commit::default() {
            return self.commit();
        }
        self.report.unknown += self.resume.drain(..).map(|(_, intent)| intent.addresses.len() as u64).sum::<u64>();
        // A shutdown that came after the last answer stopped nothing.
        self.report.stopped = self.stopped.clone().filter(|stop| self.cut_short || *stop != Stop::Shutdown);
        Phase::Done
    }

    /// `again`: of a batch of those who hold a seat.
    fn count(&mut self, decided: &Decided, again: bool) {
        for (address, outcome) in decided {
            self.unassign.extend(self.renames.settled(address, outcome));
            let counter = match outcome {
                Outcome::Assigned | Outcome::AssignedAlready { .. } if again => &mut self.report.reasserted,
                Outcome::Assigned | Outcome::AssignedAlready { .. } => &mut self.report.assigned,
                Outcome::Unassigned | Outcome::UnassignedAlready { .. } => &mut self.report.unassigned,
                Outcome::Refused { .. } => &mut self.report.quarantined,
                Outcome::NoSeat => &mut self.report.pending,
                Outcome::Unknown { .. } => &mut self.report.unknown,
                Outcome::NotDone { .. } => continue,
            };
            *counter += 1;
        }
    }

    fn request(&mut self, now: Duration) -> Option<Request> {
        let flight = self.flight.as_mut()?;
        let operation = flight.batch.operation();
        if flight.request.made == 0 {
            flight.request.len = flight.batch.next_len(self.batch_size, self.applies_rest[place(operation)]);
            flight.request.first = Some(now);
        }
        let addresses = flight.batch.start(flight.request.len).cloned().collect();
        Some(Request { operation, addresses, attempt: flight.request.made.saturating_add(1) })
    }
}

/// Those that move from an old address to a new one.
#[derive(Debug)]
struct Renames {
    /// By the new address.
    old: HashMap<Address, Address>,
    /// There are seats enough to assign all new ones before the old ones are unassigned: nobody is without a seat in
    /// between, and who is refused loses nothing.
    assigned_first: bool,
    /// A new address was refused whose old one had given its seat back.
    heirless: bool,
}

impl Renames {
    fn new(renames: &[(Address, Address)], room: u64) -> Renames {
        let old = renames.iter().map(|(from, to)| (to.clone(), from.clone())).collect();
        Renames { old, assigned_first: renames.len() as u64 <= room, heirless: false }
    }

    /// What became of an address. The old one that is to be unassigned now.
    fn settled(&mut self, address: &Address, outcome: &Outcome) -> Option<Address> {
        match outcome {
            Outcome::Assigned | Outcome::AssignedAlready { .. } if self.assigned_first => self.old.remove(address),
            Outcome::Refused { .. } if !self.assigned_first => {
                self.heirless |= self.old.contains_key(address);
                None
            }
            _ => None,
        }
    }
}

impl Flight {
    /// `uncertain`: see [`Batch::new`].
    fn new(id: Option<IntentId>, intent: &NewIntent, uncertain: bool) -> Flight {
        let batch = Batch::new(intent.operation, intent.addresses.clone(), uncertain).again(intent.again);
        Flight { intent: id, batch, decided: Decided::new(), request: Attempts::default() }
    }
}

fn place(operation: Operation) -> usize {
    match operation {
        Operation::Assign => 0,
        Operation::Unassign => 1,
    }
}

fn cause_of(status: u16, words: &str) -> String {
    if words.is_empty() { format!("status {status}") } else { format!("status {status}: {words}") }
}

impl Stop {
    /// Why a run stopped, in words that are the same each time: for everybody who was not asked for.
    pub fn in_short(&self) -> &'static str {
        match self {
            Stop::KeyRefused { .. } => "the server does not accept the API key",
            Stop::Unreachable { .. } => "the server gives no answer that counts",
            Stop::Redirect { .. } => "the server redirects to another place",
            Stop::Overtaken => "something has changed since it was planned",
            Stop::TooLarge => "the server refuses every request as too large",
            Stop::Shutdown => "rosterd was stopped",
        }
    }
}

/// Why a run stopped, as a fragment.
impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stop::KeyRefused { words } if words.is_empty() => f.write_str("the server does not accept the API key"),
            Stop::KeyRefused { words } => write!(f, "the server does not accept the API key: {words}"),
            Stop::Unreachable { cause } => write!(f, "the server can't be reached: {cause}"),
            Stop::Redirect { target } => write!(f, "the server redirects to {target}, which is not followed"),
            Stop::Overtaken => f.write_str("something has changed since it was planned"),
            Stop::TooLarge => f.write_str("the server refuses even a request with one address as too large (413)"),
            Stop::Shutdown => f.write_str("rosterd was ending"),
        }
    }
}
