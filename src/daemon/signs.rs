//! What a running daemon shows of itself to whoever stands beside it: the configuration in force, that its loop goes
//! round, that it watches; and where it takes a person's word.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::clock::{Stopwatch, Timestamp};
use crate::config::{Config, Refused};

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
    refused: Arc<Mutex<Option<Refused>>>,
}

impl Signs {
    /// Of a daemon that begins with this configuration; the other end is for the daemon.
    pub fn new(config: Arc<Config>) -> (Signs, mpsc::Receiver<String>) {
        let (words, heard) = mpsc::channel(WORDS_MAX);
        let (since, round) = (Stopwatch::start(), Arc::default());
        let config = watch::Sender::new(config);
        (Signs { config, ready: Arc::default(), since, round, words, refused: Arc::default() }, heard)
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.borrow())
    }

    /// What lies there in the place of the configuration in force, where that can't be used.
    pub fn refused(&self) -> Option<Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

    /// `None`: what was read last is in force.
    pub(super) fn put_refused(&self, refused: Option<(&str, Timestamp)>) {
        let mut known = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let since = known.as_ref().map(|known| known.since);
        *known = refused.map(|(why, now)| Refused::new(why, since.unwrap_or(now)));
    }

    pub(super) fn be_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    pub(super) fn come_round(&self) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.round.store(now, Ordering::Release);
    }
}
