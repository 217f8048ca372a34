//! Connections that only read: a page never waits for the daemon's own, and never keeps that waiting.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::ledger::{Ledger, LedgerError};

/// So many read at once; the others wait for their turn.
const READERS_MAX: usize = 4;

/// See the module's page. Clones share the connections.
#[derive(Debug, Clone)]
pub(super) struct Readers {
    path: Arc<PathBuf>,
    turns: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Ledger>>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Readers {
        Readers { path: Arc::new(path), turns: Arc::new(Semaphore::new(READERS_MAX)), idle: Arc::default() }
    }

    /// See [`super::Web::read`].
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let readers = self.clone();
        let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else { return Err(LedgerError::Closed) };
        let reading = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            readers.read_now(read)
        });
        reading.await.unwrap_or(Err(LedgerError::Closed))
    }

    /// The same on a thread that may wait. A connection that failed is not used again, nor one to a file that has been
    /// replaced.
    pub(super) fn read_now<T>(&self, read: impl FnOnce(&Ledger) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        let idle = self.lock().pop().filter(Ledger::is_in_place);
        let ledger = idle.map_or_else(|| self.open(), Ok)?;
        let value = read(&ledger)?;
        self.lock().push(ledger);
        Ok(value)
    }

    /// A connection more, for whoever keeps one.
    pub(super) fn open(&self) -> Result<Ledger, LedgerError> {
        Ledger::open_readonly(&self.path)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Ledger>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
