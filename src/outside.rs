//! What a pass and a look at a source touch of the world: the moment, the ledger, a key, the licensing server.
//!
//! The program works with [`Host`]. A simulation plays another world, in which any of it can fail at any time.

use std::future::Future;
use std::sync::Arc;

use secrecy::SecretString;

use crate::clock::{self, Stopwatch, Timestamp};
use crate::config::{SecretError, Subscription};
use crate::dispatch::machine::Request;
use crate::ledger::handle::LedgerHandle;
use crate::ledger::{Ledger, LedgerError};
use crate::licensing::http::Client;
use crate::licensing::wire::Answer;
use crate::metrics;

/// See the module's page.
pub trait Outside: Send + Sync {
    fn now(&self) -> Timestamp;

    /// Does this on the ledger, and waits for it; the moment is that of the doing. What was begun is done whether or not
    /// the caller still waits.
    fn on_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger, Timestamp) -> Result<T, LedgerError> + Send + 'static,
    ) -> impl Future<Output = Result<T, LedgerError>> + Send;

    /// The same for callers that are not async.
    fn blocking_on_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger, Timestamp) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError>;

    /// The API key of a subscription, as it is now.
    fn key(&self, subscription: &Subscription) -> Result<SecretString, SecretError>;

    /// Sends a request once. Never fails: what went wrong is an answer, too.
    fn send(
        &self,
        subscription: &Subscription,
        key: &SecretString,
        request: &Request,
    ) -> impl Future<Output = Answer> + Send;
}

/// The world as it is.
#[derive(Debug, Clone)]
pub struct Host {
    pub ledger: LedgerHandle,
    pub client: Arc<Client>,
}

impl Outside for Host {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn on_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger, Timestamp) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.ledger.with(|ledger| work(ledger, clock::now())).await
    }

    fn blocking_on_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger, Timestamp) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.ledger.blocking_with(|ledger| work(ledger, clock::now()))
    }

    fn key(&self, subscription: &Subscription) -> Result<SecretString, SecretError> {
        subscription.api_key.read_api_key()
    }

    async fn send(&self, subscription: &Subscription, key: &SecretString, request: &Request) -> Answer {
        let Subscription { kind, id, .. } = subscription;
        let since = Stopwatch::start();
        let answer = self.client.send(*kind, *id, key, request.operation, &request.addresses).await;
        metrics::requested(request.operation.method(), &answer.status(), since.elapsed());
        answer
    }
}
