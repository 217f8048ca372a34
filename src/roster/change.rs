//! How a new reading differs from the stored roster, as edits.

use super::{Entry, Reason};

/// One edit of a stored roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Added(Entry),
    /// The same address and route with other words: the new ones.
    Changed(Entry),
    Removed {
        entry: Entry,
        reason: Reason,
        /// For [`Reason::Renamed`]: the address that its stable id has now.
        renamed_to: Option<crate::address::Address>,
    },
}
