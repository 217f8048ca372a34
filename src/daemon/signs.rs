//! What a running daemon shows of itself to whoever stands beside it: the configuration in force, that its loop goes
//! round, that it watches; and where it takes a person's word.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::clock::Stopwatch;
use crate::config::Config;

/// So many words of persons wait for the loop.
const WORDS_MAX: usize = 64;

/// See the module's page. Clones show the same.
#[derive(Debug, Clone)]
pub struct Signs {
    config: watch::Sender<Arc<Config>>,
    ready: Arc<AtomicBool>,
    since: Stopwatch,
    /// When the loop last came round, in milliseconds after `since`.
    round: Arc<AtomicU64>,
    words: mpsc::Sender<String>,
}

impl Signs {
    /// Of a daemon that begins with this configuration; the other end is for the daemon.
    pub fn new(config: Arc<Config>) -> (Signs, mpsc::Receiver<String>) {
        let (words, heard) = mpsc::channel(WORDS_MAX);
        let (since, round) = (Stopwatch::start(), Arc::default());
        (Signs { config: watch::Sender::new(config), ready: Arc::default(), since, round, words }, heard)
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.borrow())
    }

    /// Whether every source is being watched.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// How long ago the loop last came round. It does so every two seconds, whatever happens.
    pub fn silent_for(&self) -> Duration {
        self.since.elapsed().saturating_sub(Duration::from_millis(self.round.load(Ordering::Acquire)))
    }

    /// Has the sources of a subscription looked at, and a run made that asks for seats, too. `false`: too many have been
    /// asked for at once.
    pub fn ask_for_sync(&self, subscription: &str) -> bool {
        self.words.try_send(subscription.to_owned()).is_ok()
    }

    pub(super) fn put_config(&self, config: Arc<Config>) {
        self.config.send_replace(config);
    }

    pub(super) fn be_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    pub(super) fn come_round(&self) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.round.store(now, Ordering::Release);
    }
}
