//! Takes what waits in the outbox to its receivers, in order for each receiver and cause, until it has arrived. One process
//! at a time sends to a receiver; one receiver that does not answer keeps no other waiting, and no run.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tracing::{info, warn};

use super::look;
use super::receiver::Receiver;
use super::send::{PATIENCE, Sent, send};
use crate::clock;
use crate::config::{AlertKind, Config};
use crate::ledger::handle::LedgerHandle;
use crate::ledger::sqlite::Waiting;
use crate::ledger::{Lease, LedgerError, Owner};
use crate::metrics;
use crate::pass::World;
use crate::telemetry::chain;

/// How long a receiver that fails is left alone: this, then twice as long, and so on.
const FIRST_RETRY: Duration = Duration::from_secs(10);
const LONGEST_RETRY: Duration = Duration::from_mins(15);
/// The same for one alert that is refused.
const FIRST_REFUSAL: Duration = Duration::from_mins(5);
const LONGEST_REFUSAL: Duration = Duration::from_hours(6);
/// The right to send to a receiver lasts for so long without a sign of life.
const TERM: Duration = Duration::from_mins(2);
/// Chats take about one message each second.
const CHAT_PACE: Duration = Duration::from_secs(1);
/// What is due first of all, so that others have their turn at the ledger.
const IN_A_ROW: usize = 64;

/// Looks at what is due to be looked at, and gives the receivers for which something waits that may be sent now.
pub async fn due(ledger: &LedgerHandle, config: Arc<Config>, anew: bool) -> Result<Vec<String>, LedgerError> {
    if anew {
        let config = Arc::clone(&config);
        ledger.with(move |ledger| look::set_receivers(ledger, &config)).await?;
    }
    if config.alerts.is_empty() {
        return Ok(Vec::new());
    }
    loop {
        let looked = Arc::clone(&config);
        if !ledger.with(move |ledger| look::look(ledger, &looked, clock::now())).await? {
            break;
        }
    }
    ledger.with(|ledger| ledger.receivers_due(clock::now())).await
}

/// Sends a receiver what waits for it and may be sent now. How much has arrived.
pub async fn deliver(world: &World, mark: &str) -> Result<usize, LedgerError> {
    let Some(receiver) = Receiver::all(&world.config).into_iter().find(|receiver| receiver.mark == mark) else {
        return Ok(0);
    };
    let ledger = &world.outside.ledger;
    let (name, owner) = (receiver.mark.clone(), world.owner.clone());
    let lease = ledger.with(move |ledger| take(ledger, &name, &owner)).await?;
    let Some(lease) = lease else { return Ok(0) };
    let sent = deliver_under(world, &receiver, &lease).await;
    let released = ledger.with(move |ledger| ledger.release(lease)).await;
    let sent = sent?;
    released?;
    Ok(sent)
}

/// The right to send, where there is something to send.
fn take(ledger: &mut crate::ledger::Ledger, receiver: &str, owner: &Owner) -> Result<Option<Lease>, LedgerError> {
    let now = clock::now();
    if ledger.receivers_due(now)?.iter().any(|due| due == receiver) {
        ledger.acquire_receiver(receiver, owner, TERM, now)
    } else {
        Ok(None)
    }
}

async fn deliver_under(world: &World, receiver: &Receiver, lease: &Lease) -> Result<usize, LedgerError> {
    let mut arrived = 0;
    for _ in 0..IN_A_ROW {
        let (mark, held) = (receiver.mark.clone(), lease.clone());
        let next = world.outside.ledger.with(move |ledger| {
            let now = clock::now();
            ledger.hold(&held, PATIENCE * 2, now)?;
            ledger.next_alert(&held, &mark, now)
        });
        let Some(waiting) = next.await? else { break };
        let sent = send(receiver, &waiting.alert, &world.config.licensing, clock::now()).await;
        let went_well = matches!(sent, Sent::Arrived(_));
        arrived += usize::from(went_well);
        let goes_on = !matches!(sent, Sent::Failed(..));
        note(world, receiver, lease, waiting, sent).await?;
        if !goes_on {
            break;
        }
        if matches!(receiver.configured.way.kind(), AlertKind::Slack | AlertKind::Teams) {
            tokio::time::sleep(CHAT_PACE).await;
        }
    }
    Ok(arrived)
}

/// Writes down what came of an attempt, and says it: a failure once for each new reason.
async fn note(
    world: &World,
    receiver: &Receiver,
    lease: &Lease,
    waiting: Waiting,
    sent: Sent,
) -> Result<(), LedgerError> {
    let Receiver { mark, label, configured } = receiver.clone();
    let lease = lease.clone();
    let result = if matches!(sent, Sent::Arrived(_)) { "delivered" } else { "failed" };
    metrics::alerted(configured.way.kind().word(), result);
    let noted = world.outside.ledger.with(move |ledger| {
        let now = clock::now();
        match sent {
            Sent::Arrived(_) => {
                let failing = ledger.alert_arrived(&lease, &mark, &waiting, now)?;
                info!("alert sent, {label}: {}", waiting.alert.words.headline);
                if failing.is_some() {
                    info!("{label}: alerts arrive again");
                }
            }
            Sent::Refused(why) => {
                let next = now + backoff(FIRST_REFUSAL, LONGEST_REFUSAL, waiting.failures);
                if ledger.alert_refused(&lease, &mark, &waiting, &why, next)? {
                    let headline = &waiting.alert.words.headline;
                    warn!("{label} refuses an alert ({why}); it is kept and tried again now and then: {headline}");
                }
            }
            Sent::Failed(why, after) => {
                let next = backoff(FIRST_RETRY, LONGEST_RETRY, waiting.receiver_failures);
                let next = now + next.max(after.unwrap_or_default());
                if ledger.receiver_failed(&lease, &mark, &why, next, now)? {
                    warn!(
                        "{label}: alerts can't be sent there; they are kept and tried again until they arrive: {why}"
                    );
                }
            }
        }
        Ok(())
    });
    noted.await
}

/// How long to wait after one more failure than these.
fn backoff(first: Duration, longest: Duration, failures: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(failures)).min(longest)
}

/// For a command that ends: looks and sends what can be sent now, for no longer than this. What does not arrive waits for
/// the daemon, or the next command. What goes wrong is said, and is no failure of the command.
pub async fn finish(world: &World, patience: Duration) {
    let work = async {
        let mut anew = true;
        // It was just read, and can be used.
        world.outside.ledger.with(|ledger| ledger.put_refused_configuration(None)).await?;
        loop {
            let due = due(&world.outside.ledger, Arc::clone(&world.config), anew).await?;
            anew = false;
            let mut sends = JoinSet::new();
            for mark in due {
                let world = world.clone();
                sends.spawn(async move { deliver(&world, &mark).await });
            }
            let mut arrived = 0;
            while let Some(sent) = sends.join_next().await {
                arrived += sent.unwrap_or(Ok(0))?;
            }
            if arrived == 0 {
                return Ok::<_, LedgerError>(());
            }
        }
    };
    match world.shutdown.run_until_cancelled(tokio::time::timeout(patience, work)).await {
        Some(Ok(Err(cause))) => warn!("alerts could not be looked after: {}", chain(&cause)),
        Some(Err(_)) => warn!(
            "not every alert could be sent within {} seconds; what is left waits for the next run",
            patience.as_secs()
        ),
        Some(Ok(Ok(()))) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_fails_is_left_alone_ever_longer_and_never_for_long() {
        let waits = [0, 1, 2, 99].map(|failures| backoff(FIRST_RETRY, LONGEST_RETRY, failures).as_secs());
        assert_eq!(waits, [10, 20, 40, 900]);
    }
}
