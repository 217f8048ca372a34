//! One writer per subscription at a time, across processes: a lease in the ledger with an epoch that fences every write.

/// Who holds a lease: this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner(pub String);

/// The proof that this process may write for a subscription. Only the ledger mints it.
#[derive(Debug, Clone)]
pub struct Lease {
    pub(super) subscription: String,
    pub(super) owner: Owner,
    pub(super) epoch: i64,
}

impl Lease {
    pub fn subscription(&self) -> &str {
        &self.subscription
    }
}
