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

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::ledger::{IntentId, MemberState};
use crate::licensing::wire::{Answer, Operation, Stats};

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
    /// The intent that ends with this commit, and what became of each of its addresses. All of the intent's addresses are named.
    pub settled: Option<(IntentId, Vec<(Address, Outcome)>)>,
    /// The intent that begins with it.
    pub intent: Option<NewIntent>,
    /// Members that change without an intent: what is left waiting at the end of a run.
    pub left: Vec<(Address, Outcome)>,
    /// From the answer.
    pub stats: Option<Stats>,
    /// Seats were refused though none is known to be free: nobody asks again before the next probe.
    pub full: bool,
    /// What the server was seen to do, where that changed.
    pub habits: Option<Habits>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewIntent {
    pub operation: Operation,
    /// In the order in which they are sent.
    pub addresses: Vec<Address>,
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
    /// It surely had no effect, and is to be decided anew: back to the state before the intent.
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
    /// Halved at each 413; `None`: as configured.
    pub batch_size: Option<usize>,
    /// A refused batch was seen to have been applied but for its offenders, and what was applied is refused when repeated.
    pub applies_rest: bool,
}

/// How a run went.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    pub requests: u64,
    pub assigned: u64,
    pub unassigned: u64,
    /// Refused for want of a seat, in the order of the queue.
    pub pending: u64,
    pub quarantined: u64,
    pub unknown: u64,
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
    /// Old address, new address: the old one's DELETE goes with `unassign`, the new one is assigned before all others.
    pub rename: Vec<(Address, Address)>,
    /// In the order in which seats are given.
    pub assign: Vec<Address>,
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
pub struct Machine {}

impl Machine {
    pub fn new(settings: Settings, work: Work) -> Machine {
        let _ = (settings, work, MemberState::Assigned);
        Machine {}
    }

    /// The next step. Calling it again without doing the step gives the same step.
    pub fn next(&mut self, now: Duration) -> Step {
        let _ = now;
        unimplemented!("dispatch helper")
    }

    /// The last `Commit` is on disk; `intent` is the id of its new intent, where it had one.
    pub fn committed(&mut self, intent: Option<IntentId>) {
        let _ = intent;
        unimplemented!("dispatch helper")
    }

    /// What came of the last `Send`.
    pub fn answered(&mut self, now: Duration, answer: Answer) {
        let _ = (now, answer);
        unimplemented!("dispatch helper")
    }

    /// No new request from now on: `next` settles what is there and is done. A request in flight is still to be
    /// answered with `answered`. A committed intent whose request has not been sent is withdrawn (`NotDone`).
    pub fn stop(&mut self) {
        unimplemented!("dispatch helper")
    }
}
