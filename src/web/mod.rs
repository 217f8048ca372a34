//! The dashboard, the API, metrics and health, over HTTP.
//!
//! It stands beside the daemon and reads the ledger by connections of its own, so that nobody who looks is waited for.
//! `routes` is the table of everything that is answered; `pages` makes what people see.

mod access;
mod act;
mod api;
mod gate;
mod health;
mod live;
mod login;
mod metrics;
mod origin;
pub mod pages;
mod problem;
mod process;
mod readers;
mod routes;
mod serve;
mod session;
mod snapshot;
mod throttle;
mod tls;
mod viewer;
mod watched;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::daemon::Signs;
use crate::ledger::handle::LedgerHandle;
use crate::ledger::{Ledger, LedgerError};
use access::Access;
pub use problem::Problem;
use readers::Readers;
pub use serve::{Served, WebError, keep_serving, start};
use snapshot::Keeper;
pub use snapshot::Snapshot;
pub use viewer::{Person, Viewer};

/// What every answer is made from. Clones share it.
#[derive(Debug, Clone)]
pub struct Web {
    signs: Signs,
    /// The daemon's own, for what a person says.
    ledger: LedgerHandle,
    readers: Readers,
    keeper: Keeper,
    access: Arc<Access>,
    /// Where it listens.
    local: SocketAddr,
    shutdown: CancellationToken,
    /// One for each page that is kept live.
    streams: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Web {
    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        self.signs.config()
    }

    /// How everything stood a moment ago, without asking the ledger.
    ///
    /// # Errors
    /// As long as it can't be read.
    pub fn snapshot(&self) -> Result<Arc<Snapshot>, Problem> {
        self.keeper.newest()
    }

    /// Reads the ledger, by a connection that is nobody else's meanwhile, on a thread that may wait.
    ///
    /// # Errors
    /// What the reading gives, or that the ledger can't be opened.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.readers.read(read).await
    }
}
