//! The stages of a run as spans of one trace, from what stirred to the last answer. They are for OpenTelemetry alone: the
//! log knows nothing of them, and without the feature `otel` there are none.
//!
//! `wake` is around all of it; in it are `look` (with `judge`, and `accept` where the roster changed) for a source, and
//! `pass` (with `plan`, `record` and `request`) for each subscription. No address and no key is in any of them.

use tracing::Span;
use tracing::field::{Empty, display};

use crate::config::Subscription;
use crate::dispatch::machine::Request;
use crate::ledger::Trigger;
use crate::licensing::wire::{Answer, Operation};

/// By this the log leaves them out.
pub(super) const TARGET: &str = "rosterd::trace";

macro_rules! stage {
    ($($what:tt)*) => {
        if cfg!(feature = "otel") { tracing::info_span!(target: TARGET, $($what)*) } else { Span::none() }
    };
}

/// The root of a trace: something is to be looked at, and why. It ends with the last that comes of it.
pub fn wake(trigger: Trigger) -> Span {
    stage!(parent: None, "wake", trigger = ?trigger)
}

/// Whether a reading is believed.
pub fn judge() -> Span {
    stage!("judge")
}

/// A reading becomes the roster.
pub fn accept() -> Span {
    stage!("accept")
}

/// What is known of a subscription is gathered, and planned with.
pub fn plan() -> Span {
    stage!("plan")
}

/// Something becomes durable.
pub fn record() -> Span {
    stage!("record")
}

/// A request to the licensing server.
pub fn request(subscription: &Subscription, request: &Request) -> Span {
    let operation = match request.operation {
        Operation::Assign => "assign",
        Operation::Unassign => "unassign",
    };
    stage!(
        "request",
        otel.kind = "client",
        otel.status_code = Empty,
        subscription = %subscription.name,
        operation,
        addresses = request.addresses.len(),
        attempt = request.attempt,
        status = Empty,
    )
}

/// What came of it.
pub fn answered(span: &Span, answer: &Answer) {
    if span.is_none() {
        return;
    }
    span.record("status", display(answer.status()));
    span.record("otel.status_code", if matches!(answer, Answer::Done { .. }) { "OK" } else { "ERROR" });
}
