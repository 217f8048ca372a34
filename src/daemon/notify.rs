//! What systemd is told: that rosterd is ready, that it reads its configuration again, that it ends, and that its loop goes
//! round. Where nobody listens nothing is told.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::clock::Stopwatch;

/// What is told of the loop, as often as systemd wants to hear it.
#[derive(Debug)]
pub(super) struct Watchdog {
    /// Twice as often as it has to be.
    every: Option<Duration>,
    told: Stopwatch,
}

impl Watchdog {
    pub(super) fn new() -> Watchdog {
        Watchdog { every: sd_notify::watchdog_enabled().map(|longest| longest / 2), told: Stopwatch::start() }
    }

    /// The loop has come round.
    pub(super) fn come_round(&mut self) {
        if self.every.is_some_and(|every| self.told.elapsed() >= every) {
            self.told = Stopwatch::start();
            tell(&[NotifyState::Watchdog]);
        }
    }
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
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("systemd could not be told how rosterd is: {error}");
    }
}
