//! `/metrics`: what was counted, and how everything stands.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::{Snapshot, Web, process};
use crate::clock::{self, Timestamp};
use crate::metrics::{self, Text};
use crate::report::status::SubscriptionStatus;

const FORM: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What was counted is there also while the ledger can't be read.
pub(super) async fn show(State(web): State<Web>) -> Response {
    let mut text = metrics::text();
    let snapshot = web.snapshot();
    text.gauges("rosterd_build_info", "Which rosterd this is.", ["version"], [([env!("CARGO_PKG_VERSION")], 1)]);
    text.gauges(
        "rosterd_ledger_readable",
        "Whether the ledger can be read; what rests on it is left out while it can't.",
        [],
        [([], u8::from(snapshot.is_ok()))],
    );
    text.gauges(
        "rosterd_config_refused",
        "Whether the configuration has changed and can't be used, so that the old one is in force.",
        [],
        [([], u8::from(web.signs.refused().is_some()))],
    );
    if let Ok(snapshot) = snapshot {
        standing(&mut text, &snapshot, clock::now());
    }
    process::metrics(&mut text);
    ([(header::CONTENT_TYPE, FORM)], text.into_string()).into_response()
}

fn standing(text: &mut Text, snapshot: &Snapshot, now: Timestamp) {
    let all = &snapshot.status.subscriptions;
    let seats = all.iter().filter_map(|one| Some((one.name.as_str(), one.seats?)));
    text.gauges(
        "rosterd_seats",
        "Seats as the licensing server counted them last.",
        ["subscription", "kind"],
        seats.flat_map(|(name, seats)| [([name, "available"], seats.available), ([name, "assigned"], seats.assigned)]),
    );
    text.gauges("rosterd_members", "Members by state.", ["subscription", "state"], all.iter().flat_map(members));
    let oldest = snapshot.oldest_pending.iter().map(|(name, since)| ([name.as_str()], age(*since, now)));
    text.gauges(
        "rosterd_pending_oldest_seconds",
        "For how long the member who waits longest for a seat has waited.",
        ["subscription"],
        oldest,
    );
    text.gauges(
        "rosterd_held_removals",
        "Removals that wait for a person.",
        ["subscription"],
        all.iter().map(|one| ([one.name.as_str()], one.hold.as_ref().map_or(0, |hold| hold.removals))),
    );
    text.gauges(
        "rosterd_problem",
        "Whether something is wrong that a person should see; status says what.",
        ["subscription"],
        all.iter().map(|one| ([one.name.as_str()], u8::from(one.problem.is_some()))),
    );
    text.gauges(
        "rosterd_brake",
        "Whether removals are stopped everywhere.",
        [],
        [([], u8::from(snapshot.status.brake.is_some()))],
    );
    let sources = snapshot.sources.iter().filter_map(|(name, read)| Some(([name.as_str()], age((*read)?, now))));
    text.gauges(
        "rosterd_source_age_seconds",
        "How long ago the roster of a source was last new, or confirmed by a look at something new.",
        ["source"],
        sources,
    );
}

fn members(one: &SubscriptionStatus) -> [([&str; 2], u64); 6] {
    let (name, members) = (one.name.as_str(), one.members);
    [
        ([name, "assigned"], members.assigned),
        ([name, "pending"], members.pending),
        ([name, "waiting"], members.waiting),
        ([name, "leaving"], members.leaving),
        ([name, "quarantined"], members.quarantined),
        ([name, "unknown"], members.unknown),
    ]
}

/// In seconds.
fn age(since: Timestamp, now: Timestamp) -> i64 {
    (now - since).num_seconds().max(0)
}
