//! Work that may block for ever, as on a network share whose server is gone: on a thread of its own, never in the pool
//! of the runtime, which the resolver of names needs, and which keeps a process from ending.

use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

/// Does this on a thread, in turn with others; when it has taken longer than `slow` it keeps them waiting no more.
/// `None` where the system gives no thread, or the work panicked.
pub(super) async fn aside<T: Send + 'static>(
    turns: Arc<Semaphore>,
    slow: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let turn = turns.acquire_owned().await.ok()?;
    let (sender, mut done) = oneshot::channel();
    Builder::new().name("look".to_owned()).spawn(move || drop(sender.send(work()))).ok()?;
    let quickly = timeout(slow, &mut done).await;
    drop(turn);
    match quickly {
        Ok(done) => done.ok(),
        Err(_) => done.await.ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_share_that_does_not_answer_keeps_nobody_waiting() {
        let turns = Arc::new(Semaphore::new(1));
        let slow = Duration::from_millis(20);
        let (release, blocked) = mpsc::channel::<()>();
        let (begun, has_begun) = oneshot::channel();
        let stuck = move || begun.send(()).is_ok() && blocked.recv().is_ok();
        let stuck = tokio::spawn(aside(Arc::clone(&turns), slow, stuck));
        has_begun.await.unwrap();
        assert_eq!(aside(turns, slow, || 7).await, Some(7), "the other one has its turn after a while");
        assert!(!stuck.is_finished());
        release.send(()).unwrap();
        assert_eq!(stuck.await.unwrap(), Some(true));
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let work = || -> i32 { panic!("a defect") };
        assert_eq!(aside(Arc::new(Semaphore::new(1)), Duration::from_secs(1), work).await, None);
    }
}
