//! How everything stands, kept ready: renewed when the ledger has changed, at most once a second, so that nobody who looks
//! waits for thousands of subscriptions to be read.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Problem;
use super::readers::Readers;
use crate::clock::{self, Stopwatch, Timestamp};
use crate::config::Config;
use crate::daemon::Signs;
use crate::facts;
use crate::ledger::{Ledger, LedgerError};
use crate::report::status::Status;
use crate::telemetry::chain;

/// Whether the ledger has changed is looked at this often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// After a renewal there is a rest of so many times its length: ten thousand subscriptions are no load.
const REST: u32 = 8;
/// What depends on the time alone (the next run, what is overdue) is renewed this often.
const AGE_MAX: Duration = Duration::from_secs(15);

/// How everything stood at one moment.
#[derive(Debug)]
pub struct Snapshot {
    pub at: Timestamp,
    /// The configuration by which it was read.
    pub config: Arc<Config>,
    /// Of all subscriptions, by name.
    pub status: Status,
    /// Since when the member has waited who waits longest for a seat, by subscription; who has nobody is not in it.
    pub oldest_pending: HashMap<String, Timestamp>,
    /// When the roster of each source was last new, or confirmed; `None`: it has never been read whole.
    pub sources: BTreeMap<String, Option<Timestamp>>,
    /// Counts the changes that were seen: what the live stream tells.
    pub number: u64,
    json: OnceLock<Bytes>,
}

impl Snapshot {
    /// The status as `status --json` has it, but for the line's end.
    pub(super) fn json(&self) -> Bytes {
        let made = || serde_json::to_vec(&self.status).map_or_else(|_| Bytes::new(), Bytes::from);
        self.json.get_or_init(made).clone()
    }
}

/// Keeps the newest snapshot. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Keeper {
    newest: watch::Receiver<Result<Arc<Snapshot>, Problem>>,
    since: Stopwatch,
    /// When the ledger was last looked at, in milliseconds after `since`.
    looked: Arc<AtomicU64>,
}

impl Keeper {
    /// Begins to keep; ends with `shutdown`. The first snapshot is there when this returns.
    pub(super) async fn start(signs: Signs, readers: Readers, shutdown: CancellationToken) -> Keeper {
        let nothing_yet = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "rosterd is starting; try again in a moment.");
        let (sender, newest) = watch::channel(Err(nothing_yet));
        let mut keeping = Keeping { signs, readers, seen: None, number: 0, since: Stopwatch::start() };
        keeping = keeping.renew(&sender).await;
        let keeper = Keeper { newest, since: Stopwatch::start(), looked: Arc::default() };
        let kept = keeper.clone();
        tokio::spawn(async move {
            let mut rest = LOOK_AGAIN;
            while shutdown.run_until_cancelled(tokio::time::sleep(rest)).await.is_some() {
                let began = Stopwatch::start();
                keeping = keeping.renew(&sender).await;
                rest = began.elapsed().saturating_mul(REST).max(LOOK_AGAIN);
                let looked = u64::try_from(kept.since.elapsed().as_millis()).unwrap_or(u64::MAX);
                kept.looked.store(looked, Ordering::Release);
            }
        });
        keeper
    }

    /// How long ago the ledger was last looked at.
    pub(super) fn silent_for(&self) -> Duration {
        self.since.elapsed().saturating_sub(Duration::from_millis(self.looked.load(Ordering::Acquire)))
    }

    /// What tells of changes from now on.
    pub(super) fn changes(&self) -> Changes {
        let newest = self.newest.clone();
        let told = newest.borrow().as_ref().map_or(0, |snapshot| snapshot.number);
        Changes { newest, told }
    }

    pub(super) fn newest(&self) -> Result<Arc<Snapshot>, Problem> {
        self.newest.borrow().clone()
    }
}

/// See [`Keeper::changes`].
pub(super) struct Changes {
    newest: watch::Receiver<Result<Arc<Snapshot>, Problem>>,
    told: u64,
}

impl Changes {
    /// The number of the next change; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<u64> {
        let told = self.told;
        let is_news = |snapshot: &Result<Arc<Snapshot>, Problem>| snapshot.as_ref().is_ok_and(|it| it.number != told);
        self.told = self.newest.wait_for(is_news).await.ok()?.as_ref().ok()?.number;
        Some(self.told)
    }
}

/// What is known of the snapshot that was made last.
struct Keeping {
    signs: Signs,
    readers: Readers,
    /// The connection by which it was made, which alone can tell whether the ledger has changed, and its word.
    seen: Option<(Ledger, i64)>,
    number: u64,
    since: Stopwatch,
}

impl Keeping {
    async fn renew(self, sender: &watch::Sender<Result<Arc<Snapshot>, Problem>>) -> Keeping {
        let before = sender.borrow().clone().ok();
        let work = move || self.renew_now(before.as_deref());
        match tokio::task::spawn_blocking(work).await {
            Ok((keeping, Some(renewed))) => {
                drop(sender.send_replace(renewed));
                keeping
            }
            Ok((keeping, None)) => keeping,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }

    fn renew_now(mut self, before: Option<&Snapshot>) -> (Keeping, Option<Result<Arc<Snapshot>, Problem>>) {
        let renewed = match self.is_news(before) {
            Ok(false) => None,
            Ok(true) => Some(self.make()),
            Err(error) => Some(Err(error)),
        };
        let failed = |error: LedgerError| {
            tracing::debug!("the ledger can't be read for the dashboard: {}", chain(&error));
            Problem::from(error)
        };
        let renewed = renewed.map(|renewed| renewed.map(Arc::new).map_err(failed));
        if let Some(Err(_)) = renewed {
            self.seen = None;
        }
        (self, renewed)
    }

    fn is_news(&mut self, before: Option<&Snapshot>) -> Result<bool, LedgerError> {
        let Some((ledger, seen)) = self.seen.take().filter(|(ledger, _)| ledger.is_in_place()) else {
            self.seen = Some((self.readers.open()?, -1));
            return Ok(true);
        };
        let now = ledger.changes()?;
        let is_news = now != seen
            || self.since.elapsed() >= AGE_MAX
            || before.is_none_or(|before| !Arc::ptr_eq(&before.config, &self.signs.config()));
        self.seen = Some((ledger, seen));
        Ok(is_news)
    }

    fn make(&mut self) -> Result<Snapshot, LedgerError> {
        let Some((ledger, seen)) = self.seen.take() else { return Err(LedgerError::Closed) };
        let (config, now) = (self.signs.config(), clock::now());
        // Asked before the rest is read: what comes between is news the next time.
        let changes = ledger.changes()?;
        let (status, oldest_pending, sources) = ledger.in_one_snapshot(|ledger| {
            let all: Vec<_> = config.subscriptions.values().collect();
            let lines = ledger.source_lines()?;
            let accepted_at = |name: &String| (name.clone(), lines.get(name).and_then(|line| line.accepted_at));
            Ok((
                facts::status(&config, &all, ledger, now)?,
                ledger.oldest_pending()?,
                config.sources.keys().map(accepted_at).collect(),
            ))
        })?;
        self.number += u64::from(changes != seen);
        self.since = Stopwatch::start();
        self.seen = Some((ledger, changes));
        let (number, json) = (self.number, OnceLock::new());
        Ok(Snapshot { at: now, config, status, oldest_pending, sources, number, json })
    }
}
