//! `/healthz` and `/readyz`: a word for whoever watches.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;

use super::{Problem, Web};

/// The daemon's loop comes round every two seconds; what takes so long is stuck.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// The ledger is looked at every second or so; one that takes so long does not answer.
const LOOK_MAX: Duration = Duration::from_mins(1);

/// Whether the program works; if not, starting it anew may help.
pub(super) async fn healthz(State(web): State<Web>) -> Result<&'static str, Problem> {
    is_healthy(&web)?;
    Ok("ok\n")
}

/// Whether it watches its sources.
pub(super) async fn readyz(State(web): State<Web>) -> Result<&'static str, Problem> {
    is_healthy(&web)?;
    if web.shutdown.is_cancelled() {
        return Err(unavailable("rosterd is ending."));
    }
    if !web.signs.is_ready() {
        return Err(unavailable("rosterd is starting: not every source is being watched yet."));
    }
    Ok("ready\n")
}

fn is_healthy(web: &Web) -> Result<(), Problem> {
    let silent = web.signs.silent_for();
    if silent > SILENCE_MAX && web.signs.is_ready() {
        return Err(unavailable(format!("The daemon's loop has been stuck for {} s.", silent.as_secs())));
    }
    let unread = web.keeper.silent_for();
    if unread > LOOK_MAX {
        return Err(unavailable(format!("The ledger has not answered for {} s.", unread.as_secs())));
    }
    web.snapshot().map(drop)
}

fn unavailable(words: impl Into<String>) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, words)
}
