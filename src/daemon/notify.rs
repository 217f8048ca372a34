//! What systemd is told: that rosterd is ready, that it reads its configuration again, that it ends, that its loop goes
//! round, and in a sentence how it is, which `systemctl status` shows. Where nobody listens nothing is told.

use std::fmt::Write as _;
use std::time::Duration;

use sd_notify::NotifyState;

use super::{Daemon, THE_LEDGER};
use crate::clock::Stopwatch;
use crate::report::text::{count, either};

/// What is told of the loop, as often as systemd wants to hear it.
#[derive(Debug)]
pub(super) struct Watchdog {
    /// Four times as often as it has to be: the loop comes round only now and then.
    every: Option<Duration>,
    told: Stopwatch,
}

impl Watchdog {
    pub(super) fn new() -> Watchdog {
        Watchdog { every: sd_notify::watchdog_enabled().map(|longest| longest / 4), told: Stopwatch::start() }
    }

    /// The loop has come round.
    pub(super) fn come_round(&mut self) {
        if self.is_due() {
            tell(&[NotifyState::Watchdog]);
        }
    }

    fn is_due(&mut self) -> bool {
        let is_due = self.every.is_some_and(|every| self.told.elapsed() >= every);
        if is_due {
            self.told = Stopwatch::start();
        }
        is_due
    }
}

/// How it is, said where it is another than before.
#[derive(Debug, Default)]
pub(super) struct Status(String);

impl Status {
    fn put(&mut self, words: String) {
        if self.0 != words {
            tell(&[NotifyState::Status(&words)]);
            self.0 = words;
        }
    }
}

/// What is wrong, as far as the daemon's loop knows it; `rosterd status` knows more.
#[derive(Debug, Default)]
struct Ills {
    ledger_fails: bool,
    /// So many subscriptions.
    frozen: usize,
    config_is_refused: bool,
}

/// A sentence without a full stop, as systemd's own.
fn words(subscriptions: usize, sources: usize, ills: &Ills) -> String {
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let (subscriptions, frozen) = (number(subscriptions), number(ills.frozen));
    let looked_after =
        [count(subscriptions, "subscription", "subscriptions"), count(number(sources), "source", "sources")];
    let mut text = format!("Looks after {}", looked_after.join(" and "));
    if ills.ledger_fails {
        text.push_str("; the ledger fails, and is tried again until it works");
    }
    if frozen > 0 {
        let (stands, keys) = (either(frozen, "stands still", "stand still"), either(frozen, "its key", "their keys"));
        let _ = write!(text, "; {} {stands} for want of {keys}", count(frozen, "subscription", "subscriptions"));
    }
    if ills.config_is_refused {
        text.push_str("; the changed configuration can't be used, and the old one is in force");
    }
    text
}

impl Daemon {
    pub(super) fn say_how_it_is(&mut self) {
        let ills = Ills {
            ledger_fails: self.troubles.is_known(THE_LEDGER),
            frozen: self.frozen.len(),
            config_is_refused: self.reload.refused().is_some(),
        };
        self.status.put(words(self.world.config.subscriptions.len(), self.world.config.sources.len(), &ills));
    }
}

/// Before the ledger is opened: one of a million people is looked through after a crash.
pub fn opening() {
    tell(&[NotifyState::Status("Opens the ledger")]);
}

pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// To be followed by [`ready`].
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!("systemd is not told of the reload: {error}"),
    }
}

pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("Ends: requests in flight are finished and recorded")]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("systemd could not be told how rosterd is: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_hears_of_each_round_in_time() {
        let longest = Duration::from_secs(5);
        let mut watchdog = Watchdog { every: Some(longest / 4), told: Stopwatch::start() };
        let mut silent = Duration::ZERO;
        for round in 0..60 {
            // The loop goes round at least every two seconds.
            let took = Duration::from_secs(1 + round % 2);
            tokio::time::advance(took).await;
            silent += took;
            assert!(silent < longest, "systemd would have given up");
            if watchdog.is_due() {
                silent = Duration::ZERO;
            }
        }
        let mut nobody = Watchdog { every: None, told: Stopwatch::start() };
        tokio::time::advance(longest * 9).await;
        assert!(!nobody.is_due());
    }

    #[test]
    fn how_it_is_is_a_sentence() {
        assert_eq!(words(1, 2, &Ills::default()), "Looks after 1 subscription and 2 sources");
        let ills = Ills { ledger_fails: true, frozen: 2, config_is_refused: true };
        insta::assert_snapshot!(words(2000, 1, &ills), @"Looks after 2,000 subscriptions and 1 source; the ledger fails, and is tried again until it works; 2 subscriptions stand still for want of their keys; the changed configuration can't be used, and the old one is in force");
    }
}
