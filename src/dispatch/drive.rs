//! Does what the [`machine`](super::machine) asks, step by step, and decides nothing.

use std::future::Future;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::machine::{Commit, Machine, Report, Request, Step};
use super::pace::Pacer;
use crate::clock::Stopwatch;
use crate::ledger::LedgerError;
use crate::licensing::wire::Answer;
use crate::member::IntentId;
use crate::report::text::{count, plain};
use crate::telemetry::Masked;

/// Where steps become durable: the ledger, for one subscription and run.
pub trait Commits {
    /// Makes it durable, whole or not at all. The id of the intent that begins with it, where one does.
    fn commit(&self, commit: Commit) -> impl Future<Output = Result<Option<IntentId>, LedgerError>> + Send;

    /// Asked when the turn to send has come, however long that took: an error says that another process may be at work
    /// on the subscription by now, or would be before the answer. `false`: this is a removal, and what it rests on is not
    /// so any more.
    fn may_send(&self, request: &Request) -> impl Future<Output = Result<bool, LedgerError>> + Send;
}

/// What sends requests: the licensing client, for one subscription.
pub trait Sends {
    /// Sends it once. Never fails: what went wrong is an answer, too.
    fn send(&self, request: &Request) -> impl Future<Output = Answer> + Send;
}

/// Drives a run to its end. On `shutdown` no new request starts; one in flight is finished and recorded.
///
/// # Errors
/// When the ledger can't record a step, or the right to send was lost. The run ends at once: what was in doubt is an open
/// intent, which the next run settles.
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
                let sending = send(subscription, &request, ledger, client, pacer, shutdown);
                match sending.await? {
                    Sent::Answered(answer) => machine.answered(since.elapsed(), answer),
                    Sent::Overtaken => machine.overtake(),
                    Sent::Ending => {}
                }
            }
            Step::Wait(until) => pause(until.saturating_sub(since.elapsed()), shutdown).await,
            Step::Done(report) => return Ok(report),
        }
    }
}

/// What came of a request.
enum Sent {
    Answered(Answer),
    /// Not sent: a removal that rests on what is not so any more.
    Overtaken,
    /// Not sent: the run is to end.
    Ending,
}

/// Waits for a turn and sends. Once the turn has come the request is seen through, whatever happens.
async fn send(
    subscription: &str,
    request: &Request,
    ledger: &impl Commits,
    client: &impl Sends,
    pacer: &Pacer,
    shutdown: &CancellationToken,
) -> Result<Sent, LedgerError> {
    let turn = pacer.permit(subscription, request.operation);
    let permit = match shutdown.run_until_cancelled(turn).await {
        None => return Ok(Sent::Ending),
        Some(Ok(permit)) => permit,
        Some(Err(paused)) => return Ok(Sent::Answered(Answer::NotSent { cause: paused.to_string() })),
    };
    if !ledger.may_send(request).await? {
        return Ok(Sent::Overtaken);
    }
    let answer = client.send(request).await;
    match &answer {
        Answer::Busy { status: 429, retry_after, .. } => pacer.slow_down(&permit, *retry_after),
        // Also kept to by the runs to come.
        Answer::Busy { status: 503, retry_after: Some(pause), .. } => pacer.pause(*pause),
        _ => {}
    }
    log(subscription, request, &answer);
    Ok(Sent::Answered(answer))
}

/// Waits so long, or until the shutdown.
async fn pause(time: Duration, shutdown: &CancellationToken) {
    shutdown.run_until_cancelled(sleep(time)).await;
}

fn log(subscription: &str, request: &Request, answer: &Answer) {
    let (method, addresses, attempt) = (request.operation.method(), request.addresses.len(), request.attempt);
    let what = count(addresses as u64, "address", "addresses");
    match answer {
        Answer::Done { .. } => {
            tracing::debug!(subscription, method, addresses, attempt, "{subscription}: {method} of {what} accepted");
        }
        other => {
            let words = plain(&other.to_string());
            let answer = Masked(&words);
            tracing::debug!(subscription, method, addresses, attempt, %answer, "{subscription}: {method} of {what} not accepted");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Mutex, PoisonError};

    use super::*;
    use crate::address::Address;
    use crate::config::Licensing;
    use crate::dispatch::machine::{Outcome, Settings, Stop, Work};
    use crate::ledger::LedgerError;
    use crate::licensing::wire::{Operation, Stats};

    /// A world that notes what happens in which order, and answers as it is told.
    #[derive(Default)]
    struct World {
        log: Mutex<Vec<String>>,
        answers: Mutex<VecDeque<Answer>>,
        /// Cancelled while a request is in flight.
        cancel_in_flight: Option<CancellationToken>,
        disk_full: bool,
        fenced: bool,
        braked: bool,
    }

    impl World {
        fn note(&self, line: String) {
            self.log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    }

    impl Commits for World {
        async fn commit(&self, commit: Commit) -> Result<Option<IntentId>, LedgerError> {
            if self.disk_full {
                return Err(LedgerError::DiskFull);
            }
            let settled = commit.settled.iter().flat_map(|(_, outcomes)| outcomes).chain(&commit.left);
            let words: Vec<_> = settled.map(|(address, outcome)| format!("{address} {}", word(outcome))).collect();
            let intent = commit.intent.map(|intent| intent.addresses.len());
            self.note(format!("commit [{}] intent for {}", words.join(", "), intent.unwrap_or(0)));
            Ok(intent.map(|_| IntentId(1)))
        }

        async fn may_send(&self, request: &Request) -> Result<bool, LedgerError> {
            if self.fenced {
                return Err(LedgerError::Fenced { subscription: "contoso".to_owned() });
            }
            Ok(!self.braked || request.operation == Operation::Assign)
        }
    }

    impl Sends for World {
        async fn send(&self, request: &Request) -> Answer {
            self.note(format!("{} {}", request.operation.method(), request.addresses.len()));
            if let Some(shutdown) = &self.cancel_in_flight {
                shutdown.cancel();
                tokio::task::yield_now().await;
            }
            let answer = self.answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            answer.unwrap_or(Answer::Done { stats: None })
        }
    }

    fn word(outcome: &Outcome) -> &'static str {
        match outcome {
            Outcome::Assigned => "assigned",
            Outcome::Unassigned => "unassigned",
            Outcome::NotDone { .. } => "not done",
            _ => "otherwise",
        }
    }

    fn machine() -> Machine {
        let address = |text: &str| Address::parse(text).unwrap();
        let work = Work {
            unassign: vec![address("left@x.example")],
            assign: vec![address("a@x.example"), address("b@x.example"), address("c@x.example")],
            seats: Some(Stats { available: 10, assigned: 1 }),
            ..Work::default()
        };
        Machine::new(Settings { batch_size: 2, retry_for: Duration::from_secs(30), seed: 1 }, work)
    }

    fn pacer() -> Pacer {
        Pacer::new(&Licensing {
            base_url: "https://licensing.example".parse().unwrap(),
            requests_per_second: 1e9,
            burst: 1000,
            concurrency: 8.try_into().unwrap(),
            timeout: Duration::from_secs(30),
            retry_for: Duration::from_secs(30),
            proxy: None,
            ca_file: None,
        })
    }

    #[tokio::test]
    async fn each_intent_is_on_disk_before_its_request_leaves_and_each_request_has_one_commit() {
        let world = World::default();
        let report = drive(machine(), "contoso", &world, &world, &pacer(), &CancellationToken::new()).await.unwrap();
        assert_eq!((report.requests, report.unassigned, report.assigned, report.stopped), (3, 1, 3, None));
        insta::assert_snapshot!(world.log.into_inner().unwrap().join("\n"), @r"
        commit [] intent for 1
        DELETE 1
        commit [left@x.example unassigned] intent for 2
        PUT 2
        commit [a@x.example assigned, b@x.example assigned] intent for 1
        PUT 1
        commit [c@x.example assigned] intent for 0
        ");
    }

    #[tokio::test]
    async fn on_shutdown_the_request_in_flight_is_recorded_and_no_other_starts() {
        let shutdown = CancellationToken::new();
        let world = World { cancel_in_flight: Some(shutdown.clone()), ..World::default() };
        let report = drive(machine(), "contoso", &world, &world, &pacer(), &shutdown).await.unwrap();
        assert_eq!((report.unassigned, report.assigned, report.stopped), (1, 0, Some(Stop::Shutdown)));
        insta::assert_snapshot!(world.log.into_inner().unwrap().join("\n"), @r"
        commit [] intent for 1
        DELETE 1
        commit [left@x.example unassigned, a@x.example not done, b@x.example not done, c@x.example not done] intent for 0
        ");
    }

    #[tokio::test]
    async fn a_shutdown_during_the_last_request_stops_nothing() {
        let shutdown = CancellationToken::new();
        let world = World { cancel_in_flight: Some(shutdown.clone()), ..World::default() };
        let work = Work { assign: vec![Address::parse("a@x.example").unwrap()], ..Work::default() };
        let settings = Settings { batch_size: 10, retry_for: Duration::from_secs(1), seed: 1 };
        let machine = Machine::new(settings, work);
        let report = drive(machine, "contoso", &world, &world, &pacer(), &shutdown).await.unwrap();
        assert_eq!((report.assigned, report.stopped), (1, None));
    }

    #[tokio::test]
    async fn a_shutdown_while_waiting_for_a_turn_sends_nothing() {
        let shutdown = CancellationToken::new();
        let pacer = pacer();
        let paused = pacer.permit("fabrikam", crate::licensing::wire::Operation::Assign).await.unwrap();
        pacer.slow_down(&paused, Some(Duration::from_secs(20)));
        let world = World::default();
        let driven = drive(machine(), "contoso", &world, &world, &pacer, &shutdown);
        let (report, ()) = tokio::join!(driven, async {
            while world.log.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            shutdown.cancel();
        });
        let report = report.unwrap();
        assert_eq!((report.requests, report.stopped), (0, Some(Stop::Shutdown)));
        assert!(!world.log.lock().unwrap().iter().any(|line| line.starts_with("DELETE") || line.starts_with("PUT")));
    }

    #[tokio::test]
    async fn a_shutdown_while_waiting_to_ask_again_ends_the_run_at_once() {
        let since = Stopwatch::start();
        let shutdown = CancellationToken::new();
        let busy = Answer::Busy { status: 503, retry_after: Some(Duration::from_secs(20)), words: String::new() };
        let world = World { answers: Mutex::new([busy].into()), ..World::default() };
        let pacer = pacer();
        let driven = drive(machine(), "contoso", &world, &world, &pacer, &shutdown);
        let (report, ()) = tokio::join!(driven, async {
            while world.log.lock().unwrap().len() < 2 {
                tokio::task::yield_now().await;
            }
            shutdown.cancel();
        });
        let report = report.unwrap();
        assert_eq!((report.requests, report.unknown, report.stopped), (1, 1, Some(Stop::Shutdown)));
        assert!(since.elapsed() < Duration::from_secs(15));
    }

    #[tokio::test]
    async fn a_ledger_that_can_not_record_ends_the_run_before_anything_is_sent() {
        let world = World { disk_full: true, ..World::default() };
        let end = drive(machine(), "contoso", &world, &world, &pacer(), &CancellationToken::new()).await;
        assert!(matches!(end, Err(LedgerError::DiskFull)));
        assert!(world.log.into_inner().unwrap().is_empty());
    }

    #[tokio::test]
    async fn whoever_lost_the_lease_while_waiting_sends_nothing() {
        let world = World { fenced: true, ..World::default() };
        let end = drive(machine(), "contoso", &world, &world, &pacer(), &CancellationToken::new()).await;
        assert!(matches!(end, Err(LedgerError::Fenced { .. })));
        assert_eq!(world.log.into_inner().unwrap(), ["commit [] intent for 1"]);
    }

    #[tokio::test]
    async fn a_removal_whose_turn_comes_after_removals_were_stopped_is_not_sent() {
        let world = World { braked: true, ..World::default() };
        let driven = drive(machine(), "contoso", &world, &world, &pacer(), &CancellationToken::new()).await;
        assert_eq!(driven.unwrap().stopped, Some(Stop::Overtaken));
        let log = world.log.into_inner().unwrap().join("\n");
        assert!(!log.contains("DELETE") && log.contains("left@x.example not done"), "{log}");
    }

    #[tokio::test]
    async fn a_429_or_503_parks_the_whole_host_and_a_long_pause_ends_the_run() {
        for status in [429, 503] {
            let pacer = pacer();
            let answer = Answer::Busy { status, retry_after: Some(Duration::from_mins(10)), words: String::new() };
            let world = World { answers: Mutex::new([answer].into()), ..World::default() };
            let report = drive(machine(), "contoso", &world, &world, &pacer, &CancellationToken::new()).await.unwrap();
            assert!(matches!(report.stopped, Some(Stop::Unreachable { .. })), "{report:?}");
            assert!(pacer.permit("fabrikam", crate::licensing::wire::Operation::Unassign).await.is_err(), "{status}");
        }
    }
}
