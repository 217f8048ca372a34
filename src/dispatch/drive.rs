//! Does what the [`machine`](super::machine) asks, step by step, and decides nothing.

use std::future::Future;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::machine::{Commit, Machine, Report, Request, Step};
use super::pace::Pacer;
use crate::clock::Stopwatch;
use crate::ledger::{IntentId, LedgerError};
use crate::licensing::wire::Answer;
use crate::telemetry::Masked;

/// Where steps become durable: the ledger, for one subscription and run.
pub trait Commits {
    /// Makes it durable, whole or not at all. The id of the intent that begins with it, where one does.
    fn commit(&self, commit: Commit) -> impl Future<Output = Result<Option<IntentId>, LedgerError>> + Send;
}

/// What sends requests: the licensing client, for one subscription.
pub trait Sends {
    /// Sends it once. Never fails: what went wrong is an answer, too.
    fn send(&self, request: &Request) -> impl Future<Output = Answer> + Send;
}

/// Drives a run to its end. On `shutdown` no new request starts; one in flight is finished and recorded.
///
/// # Errors
/// When the ledger can't record a step. The run ends at once: what was in doubt is an open intent, which the next run
/// settles.
pub async fn drive(
    mut machine: Machine,
    subscription: &str,
    ledger: &impl Commits,
    client: &impl Sends,
    pacer: &Pacer,
    shutdown: &CancellationToken,
) -> Result<Report, LedgerError> {
    let since = Stopwatch::start();
    loop {
        if shutdown.is_cancelled() {
            machine.stop();
        }
        match machine.next(since.elapsed()) {
            Step::Commit(commit) => {
                let intent = ledger.commit(commit).await?;
                machine.committed(intent);
            }
            Step::Send(request) => {
                // No answer: the run is to end, and the request has not been sent.
                let sending = send(subscription, &request, client, pacer, shutdown);
                if let Some(answer) = sending.await {
                    machine.answered(since.elapsed(), answer);
                }
            }
            Step::Wait(until) => pause(until.saturating_sub(since.elapsed()), shutdown).await,
            Step::Done(report) => return Ok(report),
        }
    }
}

/// Waits for a turn and sends. Once the turn has come the request is seen through, whatever happens.
async fn send(
    subscription: &str,
    request: &Request,
    client: &impl Sends,
    pacer: &Pacer,
    shutdown: &CancellationToken,
) -> Option<Answer> {
    let turn = pacer.permit(subscription, request.operation);
    let permit = match shutdown.run_until_cancelled(turn).await? {
        Ok(permit) => permit,
        Err(paused) => return Some(Answer::NotSent { cause: paused.to_string() }),
    };
    let answer = client.send(request).await;
    if let Answer::Busy { status: 429, retry_after, .. } = &answer {
        pacer.slow_down(&permit, *retry_after);
    }
    log(subscription, request, &answer);
    Some(answer)
}

/// Waits so long, or until the shutdown.
async fn pause(time: Duration, shutdown: &CancellationToken) {
    shutdown.run_until_cancelled(sleep(time)).await;
}

fn log(subscription: &str, request: &Request, answer: &Answer) {
    let (method, addresses, attempt) = (request.operation.method(), request.addresses.len(), request.attempt);
    match answer {
        Answer::Done { .. } => tracing::debug!(subscription, method, addresses, attempt, "accepted"),
        other => {
            let words = format!("{other:?}");
            tracing::debug!(subscription, method, addresses, attempt, answer = %Masked(&words), "not accepted");
        }
    }
}
