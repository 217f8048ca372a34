//! The traces that have begun: a look belongs to what stirred at its source, and a pass to the look that found a change.
//!
//! This is for whoever looks at traces; nothing is decided by it.

use std::collections::HashMap;

use tracing::Span;

use crate::ledger::Trigger;
use crate::telemetry::span;

#[derive(Debug, Default)]
pub(super) struct Wakes {
    sources: HashMap<String, Span>,
    subscriptions: HashMap<String, Span>,
}

impl Wakes {
    /// Something stirred where this source is, or it is due. The trace of the look at it.
    pub(super) fn source(&mut self, name: &str, trigger: Trigger) -> Span {
        self.sources.entry(name.to_owned()).or_insert_with(|| span::wake(trigger)).clone()
    }

    /// The look has ended, and does not go on later; what comes of it at these subscriptions belongs to its trace.
    pub(super) fn looked(&mut self, source: &str, changed: impl IntoIterator<Item = String>) {
        let Some(wake) = self.sources.remove(source) else { return };
        for subscription in changed {
            // One that waits for its pass already has that pass; the other trace leads to it.
            let first = self.subscriptions.entry(subscription).or_insert_with(|| wake.clone());
            if first.id() != wake.id() {
                first.follows_from(&wake);
            }
        }
    }

    /// The trace of a pass that begins.
    pub(super) fn pass(&mut self, subscription: &str, trigger: Trigger) -> Span {
        self.subscriptions.remove(subscription).unwrap_or_else(|| span::wake(trigger))
    }

    /// These are configured no more.
    pub(super) fn forget<'a>(
        &mut self,
        sources: impl IntoIterator<Item = &'a String>,
        subscriptions: impl IntoIterator<Item = &'a String>,
    ) {
        sources.into_iter().for_each(|name| drop(self.sources.remove(name)));
        subscriptions.into_iter().for_each(|name| drop(self.subscriptions.remove(name)));
    }
}
