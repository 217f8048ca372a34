//! The ledger for async callers: one thread owns it, and work is handed to that thread in order.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{Builder, JoinHandle};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{Ledger, LedgerError};

type Work = Box<dyn FnOnce(&mut Ledger) + Send>;

enum Message {
    Work(Work),
    Close,
}

/// Hands work to the thread that owns the ledger. Clones share the thread.
#[derive(Clone)]
pub struct LedgerHandle {
    sender: mpsc::Sender<Message>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
    /// Once it is cancelled nothing is done any more for whoever has this handle.
    end: CancellationToken,
}

impl std::fmt::Debug for LedgerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LedgerHandle")
    }
}

impl LedgerHandle {
    /// Moves the ledger to a thread of its own.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(mut ledger: Ledger) -> std::io::Result<LedgerHandle> {
        let (sender, receiver) = mpsc::channel();
        let thread = Builder::new().name("ledger".to_owned()).spawn(move || {
            while let Ok(Message::Work(work)) = receiver.recv() {
                work(&mut ledger);
            }
        })?;
        Ok(LedgerHandle { sender, thread: Arc::new(Mutex::new(Some(thread))), end: CancellationToken::new() })
    }

    /// A handle to the same ledger that is closed once `end` is cancelled: what was handed over through it and has not
    /// begun is not done. The others stay open.
    #[must_use]
    pub fn until(&self, end: CancellationToken) -> LedgerHandle {
        LedgerHandle { end, ..self.clone() }
    }

    /// Does this on the ledger and waits for it. The work is done, once handed over, whether or not the caller still
    /// waits: a dropped future never leaves half a transaction.
    ///
    /// # Errors
    /// What the work gives; [`LedgerError::Closed`] after [`LedgerHandle::close`].
    ///
    /// # Panics
    /// When the work panics; its transaction is rolled back, and the ledger goes on.
    pub async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (sender, receiver) = oneshot::channel();
        self.hand_over(work, move |result| drop(sender.send(result)))?;
        settle(receiver.await.ok())
    }

    /// The same for callers that are not async.
    pub fn blocking_with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.hand_over(work, move |result| drop(sender.send(result)))?;
        settle(receiver.recv().ok())
    }

    /// Does what was handed over before, then closes the ledger. All clones are closed with it.
    pub fn close(&self) {
        // Nobody listens any more where it is closed already.
        drop(self.sender.send(Message::Close));
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && let Err(panic) = thread.join()
        {
            resume_unwind(panic);
        }
    }

    fn hand_over<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger) -> Result<T, LedgerError> + Send + 'static,
        answer: impl FnOnce(Worked<T>) + Send + 'static,
    ) -> Result<(), LedgerError> {
        // A transaction that a panic cuts short is rolled back as it is dropped, so the ledger is sound after it.
        let end = self.end.clone();
        let work = move |ledger: &mut Ledger| if end.is_cancelled() { Err(LedgerError::Closed) } else { work(ledger) };
        let work: Work = Box::new(move |ledger| answer(catch_unwind(AssertUnwindSafe(|| work(ledger)))));
        self.sender.send(Message::Work(work)).map_err(|_| LedgerError::Closed)
    }
}

/// What the work gave, or the panic that ended it.
type Worked<T> = Result<Result<T, LedgerError>, Box<dyn Any + Send>>;

fn settle<T>(worked: Option<Worked<T>>) -> Result<T, LedgerError> {
    match worked {
        None => Err(LedgerError::Closed),
        Some(Ok(result)) => result,
        Some(Err(panic)) => resume_unwind(panic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn handle() -> (tempfile::TempDir, LedgerHandle) {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("rosterd.db"), Timestamp::UNIX_EPOCH).unwrap();
        (folder, LedgerHandle::start(ledger).unwrap())
    }

    #[tokio::test]
    async fn work_is_done_in_order_and_clones_share_the_ledger() {
        let (_folder, handle) = handle();
        let other = handle.clone();
        handle.with(|ledger| ledger.ask_for_run("contoso", Timestamp::UNIX_EPOCH)).await.unwrap();
        assert_eq!(other.with(Ledger::take_asked).await.unwrap(), ["contoso"]);
    }

    #[tokio::test]
    async fn a_panic_reaches_its_caller_and_the_ledger_goes_on() {
        let (_folder, handle) = handle();
        let clone = handle.clone();
        let failed = tokio::spawn(async move { clone.with::<()>(|_| panic!("a defect")).await }).await;
        assert!(failed.unwrap_err().is_panic());
        handle.with(|ledger| ledger.ask_for_run("contoso", Timestamp::UNIX_EPOCH)).await.unwrap();
    }

    #[tokio::test]
    async fn a_handle_whose_time_is_over_does_nothing_any_more_and_the_others_do() {
        let (_folder, handle) = handle();
        let end = CancellationToken::new();
        let bounded = handle.until(end.clone());
        bounded.with(|ledger| ledger.ask_for_run("contoso", Timestamp::UNIX_EPOCH)).await.unwrap();
        // What has been handed over and waits for its turn counts as not begun.
        let (release, held) = std::sync::mpsc::channel::<()>();
        handle.hand_over(move |_| Ok(held.recv().is_ok()), |_| ()).unwrap();
        let (answered, answer) = std::sync::mpsc::channel();
        let late = |ledger: &mut Ledger| ledger.ask_for_run("fabrikam", Timestamp::UNIX_EPOCH);
        bounded.hand_over(late, move |worked| answered.send(worked.unwrap()).unwrap()).unwrap();
        end.cancel();
        release.send(()).unwrap();
        assert!(matches!(answer.recv().unwrap(), Err(LedgerError::Closed)));
        assert_eq!(handle.with(Ledger::take_asked).await.unwrap(), ["contoso"]);
    }

    #[test]
    fn closing_does_what_was_handed_over_and_refuses_the_rest() {
        let (folder, handle) = handle();
        handle.hand_over(|ledger| ledger.ask_for_run("contoso", Timestamp::UNIX_EPOCH), |_| ()).unwrap();
        handle.close();
        handle.close();
        assert!(matches!(handle.blocking_with(Ledger::take_asked), Err(LedgerError::Closed)));
        let mut again = Ledger::open(&folder.path().join("rosterd.db"), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(again.take_asked().unwrap(), ["contoso"]);
    }
}
