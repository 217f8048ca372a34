//! The licensing API's words: requests as bodies, answers as values. Nothing here touches the network.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// `PUT`.
    Assign,
    /// `DELETE`.
    Unassign,
}

impl Operation {
    pub fn method(self) -> &'static str {
        match self {
            Operation::Assign => "PUT",
            Operation::Unassign => "DELETE",
        }
    }
}

/// `assignmentStats` of an answer: the subscription's total, and how many of it are assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    pub available: u64,
    pub assigned: u64,
}

/// What came of one request, as far as the dispatcher cares. Every text in it is bounded and free of secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200, `success`, no errors.
    Done { stats: Option<Stats> },
    /// 400; or 200 with `success: false` or with errors.
    Refused { errors: Vec<String>, stats: Option<Stats> },
    /// 402.
    NoSeats { stats: Option<Stats>, errors: Vec<String> },
    /// 401, 403, 404: the key or the subscription is not accepted.
    KeyRefused { status: u16, words: String },
    /// 413.
    TooLarge,
    /// 408, 425, 429, 5xx: to be tried again, not before `retry_after` where given.
    Busy { status: u16, retry_after: Option<Duration>, words: String },
    /// A redirect, which is never followed: the body holds the key.
    Redirect { status: u16, target: String },
    /// Not an answer of the licensing server (not JSON, or none of the documented forms): it may or may not have taken effect.
    Strange { status: u16, words: String },
    /// The request surely never left: no connection. Nothing took effect.
    NotSent { cause: String },
    /// It left and no answer came: it may or may not have taken effect.
    Lost { cause: String },
}
