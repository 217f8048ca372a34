//! A look at the keys of frozen subscriptions.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::SLOW;
use super::thread::aside;
use crate::config::{KeyMark, SecretRef};
use crate::ledger::handle::LedgerHandle;

/// What a look at a frozen subscription gave.
#[derive(Debug, Clone, Copy)]
pub(super) enum KeySeen {
    /// Another process got through meanwhile.
    Accepted,
    Readable(KeyMark),
}

/// A key that can't be read gives nothing: without one there is nothing to try.
pub(super) async fn look_at_keys(
    ledger: LedgerHandle,
    turns: Arc<Semaphore>,
    keys: Vec<(SecretRef, String)>,
) -> Vec<(String, KeySeen)> {
    let names: Vec<String> = keys.iter().map(|(_, name)| name.clone()).collect();
    let read = move || {
        let mark =
            |(key, name): (SecretRef, String)| Some((name, KeySeen::Readable(KeyMark::of(&key.read_api_key().ok()?))));
        keys.into_iter().filter_map(mark).collect::<Vec<_>>()
    };
    let mut seen = aside(turns, SLOW, read).await.unwrap_or_default();
    let well = ledger.with(move |ledger| {
        let mut well = Vec::new();
        for name in names {
            if ledger.subscription(&name)?.problem.is_none() {
                well.push((name, KeySeen::Accepted));
            }
        }
        Ok(well)
    });
    // A ledger that fails is told elsewhere.
    seen.extend(well.await.unwrap_or_default());
    seen
}
