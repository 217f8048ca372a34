//! Waiting for one's turn to send. [`turns`](super::turns) decides whose turn it is; here is only the waiting.
//!
//! A small task attends to those who wait while there are any, and ends when there are none: nothing runs and nothing
//! is kept for idle subscriptions.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::turns::{Pace, Turn, Turns};
use crate::clock::Stopwatch;
use crate::config::Licensing;
use crate::licensing::wire::Operation;

/// Gives out permits to send, at the pace of the host, to all subscriptions in turn. One for the whole process.
pub struct Pacer {
    shared: Arc<Shared>,
}

/// The right to send one request. Dropping it frees its slot.
pub struct Permit {
    shared: Arc<Shared>,
    given_at: Duration,
}

/// The server asked for a longer pause than a run waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the licensing server asked for a pause, of which {} are left", humantime::format_duration(*left))]
pub struct Paused {
    /// What is left of it, in whole seconds, rounded up.
    pub left: Duration,
}

type Waiter = oneshot::Sender<Result<Permit, Paused>>;

struct Shared {
    state: Mutex<State>,
    /// Something has changed: look again who is next.
    changed: Notify,
    since: Stopwatch,
}

struct State {
    turns: Turns<Waiter>,
    /// A pause that is longer than this is not waited for.
    patience: Duration,
    /// Whether a task attends to those who wait.
    attended: bool,
}

impl Pacer {
    /// Starts closed: the first permit is given after one interval.
    pub fn new(licensing: &Licensing) -> Pacer {
        let state = State { turns: Turns::new(pace(licensing)), patience: licensing.retry_for, attended: false };
        let shared = Shared { state: Mutex::new(state), changed: Notify::new(), since: Stopwatch::start() };
        Pacer { shared: Arc::new(shared) }
    }

    /// Keeps to another pace from now on, also for those who wait. Another pace starts closed, too.
    pub fn change(&self, licensing: &Licensing) {
        let now = self.shared.since.elapsed();
        {
            let mut state = self.shared.lock();
            state.turns.set_pace(now, pace(licensing));
            state.patience = licensing.retry_for;
        }
        self.shared.changed.notify_one();
    }

    /// Waits for a turn. Whoever stops waiting (drops the future) loses nothing but the place.
    ///
    /// # Errors
    /// At once, or when it comes to that: while the server has asked for a pause that is longer than `retry_for`.
    pub async fn permit(&self, subscription: &str, operation: Operation) -> Result<Permit, Paused> {
        let (waiter, turn) = oneshot::channel();
        self.shared.lock().turns.wait(subscription, operation, waiter);
        self.shared.attend();
        // The attending task outlives everyone who waits, unless the whole process is ending.
        turn.await.unwrap_or(Err(Paused { left: Duration::ZERO }))
    }

    /// The server answered 429 to the request that this permit was for: the pace is halved for a while, and nobody
    /// sends before `retry_after` is over (an hour at most).
    pub fn slow_down(&self, permit: &Permit, retry_after: Option<Duration>) {
        let now = self.shared.since.elapsed();
        self.shared.lock().turns.slow_down(now, permit.given_at, retry_after);
        self.shared.changed.notify_one();
    }

    /// The server said that it can't serve for so long: nobody sends before that is over (an hour at most).
    pub fn pause(&self, retry_after: Duration) {
        let now = self.shared.since.elapsed();
        self.shared.lock().turns.pause(now, retry_after);
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // What is behind the lock is whole after each statement, so that a panic elsewhere does no harm.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has somebody look after those who wait.
    fn attend(self: &Arc<Shared>) {
        if std::mem::replace(&mut self.lock().attended, true) {
            self.changed.notify_one();
            return;
        }
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            while let Some(pause) = shared.look() {
                // A change that comes between the look and this wait is kept by `changed`.
                let _ = tokio::time::timeout(pause, shared.changed.notified()).await;
            }
        });
    }

    /// Gives permits to all whose turn it is. How long to wait before the next look, unless something changes; `None`
    /// when nobody waits.
    fn look(self: &Arc<Shared>) -> Option<Duration> {
        loop {
            let now = self.since.elapsed();
            let turn = {
                let mut state = self.lock();
                let pause = state.turns.pause_left(now);
                if pause > state.patience {
                    dismiss(state.turns.dismiss(), pause);
                }
                let turn = state.turns.next(now, |waiter| !waiter.is_closed());
                state.attended = !matches!(turn, Turn::Idle);
                turn
            };
            match turn {
                // Not under the lock: a permit that nobody takes any more is dropped here, and its drop takes the lock.
                Turn::Go(waiter) => drop(waiter.send(Ok(Permit { shared: Arc::clone(self), given_at: now }))),
                Turn::At(moment) => return Some(moment.saturating_sub(now)),
                Turn::Full => return Some(Duration::MAX),
                Turn::Idle => return None,
            }
        }
    }
}

fn pace(licensing: &Licensing) -> Pace {
    Pace {
        requests_per_second: licensing.requests_per_second,
        burst: licensing.burst,
        concurrency: licensing.concurrency.get(),
    }
}

fn dismiss(waiters: Vec<Waiter>, pause: Duration) {
    let left = Duration::from_secs(pause.as_secs() + 1);
    for waiter in waiters {
        drop(waiter.send(Err(Paused { left })));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.lock().turns.finished();
        self.shared.changed.notify_one();
    }
}

impl fmt::Debug for Pacer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pacer").finish_non_exhaustive()
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("given_at", &self.given_at).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacer(requests_per_second: f64, burst: u32, concurrency: usize) -> Arc<Pacer> {
        let licensing = Licensing {
            base_url: "https://licensing.example".parse().unwrap(),
            requests_per_second,
            burst,
            concurrency: concurrency.try_into().unwrap(),
            timeout: Duration::from_secs(30),
            retry_for: Duration::from_secs(30),
            proxy: None,
            ca_file: None,
        };
        Arc::new(Pacer::new(&licensing))
    }

    #[tokio::test]
    async fn ten_permits_take_ten_intervals_from_a_fresh_start() {
        let clock = Stopwatch::start();
        let pacer = pacer(500.0, 5, 1);
        for _ in 0..10 {
            drop(pacer.permit("contoso", Operation::Assign).await.unwrap());
        }
        assert!(clock.elapsed() >= Duration::from_millis(20), "too quick: {:?}", clock.elapsed());
    }

    #[tokio::test]
    async fn a_permit_is_waited_for_until_a_slot_is_free() {
        let pacer = pacer(1_000_000.0, 100, 1);
        let first = pacer.permit("contoso", Operation::Assign).await.unwrap();
        let second = tokio::spawn({
            let pacer = Arc::clone(&pacer);
            async move { pacer.permit("fabrikam", Operation::Assign).await.is_ok() }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(first);
        assert!(second.await.unwrap());
    }

    #[tokio::test]
    async fn whoever_stops_waiting_keeps_no_slot() {
        let pacer = pacer(1_000_000.0, 100, 1);
        let first = pacer.permit("contoso", Operation::Assign).await.unwrap();
        {
            let mut given_up = std::pin::pin!(pacer.permit("fabrikam", Operation::Unassign));
            let poll = std::future::poll_fn(|context| std::task::Poll::Ready(given_up.as_mut().poll(context)));
            assert!(poll.await.is_pending());
        }
        drop(first);
        for _ in 0..3 {
            drop(pacer.permit("contoso", Operation::Assign).await.unwrap());
        }
    }

    #[tokio::test]
    async fn a_permit_that_was_given_but_never_taken_is_given_back() {
        let pacer = pacer(1_000_000.0, 100, 1);
        let mut given_up = Box::pin(pacer.permit("contoso", Operation::Assign));
        let poll = std::future::poll_fn(|context| std::task::Poll::Ready(given_up.as_mut().poll(context)));
        assert!(poll.await.is_pending());
        while pacer.shared.lock().turns.in_flight() == 0 {
            tokio::task::yield_now().await;
        }
        drop(given_up);
        drop(pacer.permit("contoso", Operation::Assign).await.unwrap());
    }

    #[tokio::test]
    async fn a_pause_that_is_longer_than_patience_sends_everyone_away() {
        let pacer = pacer(1_000_000.0, 100, 1);
        let first = pacer.permit("contoso", Operation::Assign).await.unwrap();
        let waiting = tokio::spawn({
            let pacer = Arc::clone(&pacer);
            async move { pacer.permit("fabrikam", Operation::Assign).await.err() }
        });
        tokio::task::yield_now().await;
        pacer.slow_down(&first, Some(Duration::from_mins(10)));
        assert_eq!(waiting.await.unwrap(), Some(Paused { left: Duration::from_mins(10) }));
        let refused = pacer.permit("contoso", Operation::Assign).await.unwrap_err();
        assert_eq!(refused.to_string(), "the licensing server asked for a pause, of which 10m are left");
    }

    #[tokio::test]
    async fn one_task_attends_however_many_wait() {
        let pacer = pacer(1_000_000.0, 100, 1);
        let first = pacer.permit("contoso", Operation::Assign).await.unwrap();
        let mut waiting = Vec::new();
        for number in 0..5 {
            let pacer = Arc::clone(&pacer);
            waiting.push(tokio::spawn(async move {
                drop(pacer.permit(&number.to_string(), Operation::Assign).await);
            }));
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(Arc::strong_count(&pacer.shared), 3, "the pacer's, the permit's, the task's");
        drop(first);
        for waiter in waiting {
            waiter.await.unwrap();
        }
    }

    #[tokio::test]
    async fn nothing_is_kept_for_idle_subscriptions() {
        let pacer = pacer(1e9, 10_000, 8);
        for number in 0..10_000 {
            drop(pacer.permit(&format!("client-{number}"), Operation::Assign).await.unwrap());
        }
        while pacer.shared.lock().attended {
            tokio::task::yield_now().await;
        }
        assert_eq!(Arc::strong_count(&pacer.shared), 1, "no task attends");
        assert!(pacer.shared.lock().turns.limits_kept() <= 65);
    }
}
