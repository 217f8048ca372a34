//! How many alerts this process has sent, and how many attempts failed, for whoever measures: `rosterd_alerts_total`.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::AlertKind;

/// What came of an attempt to send an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Sent,
    Failed,
}

impl Outcome {
    pub const ALL: [Outcome; 2] = [Outcome::Sent, Outcome::Failed];

    /// The value of the label `result`.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Sent => "sent",
            Outcome::Failed => "failed",
        }
    }
}

static COUNTS: [[AtomicU64; Outcome::ALL.len()]; AlertKind::ALL.len()] =
    [const { [const { AtomicU64::new(0) }; Outcome::ALL.len()] }; AlertKind::ALL.len()];

pub(super) fn count(kind: AlertKind, outcome: Outcome) {
    COUNTS[kind as usize][outcome as usize].fetch_add(1, Ordering::Relaxed);
}

/// How many attempts of this kind came to this, since the process began.
pub fn attempts(kind: AlertKind, outcome: Outcome) -> u64 {
    COUNTS[kind as usize][outcome as usize].load(Ordering::Relaxed)
}
