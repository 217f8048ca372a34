//! What is wrong, said once: a cause that stays is not said again with each try.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::clock::Timestamp;

/// What goes on being wrong is said again after this.
const AGAIN: TimeDelta = TimeDelta::hours(24);

/// What has been said, by what it is about.
#[derive(Debug, Default)]
pub(super) struct Troubles(BTreeMap<String, (String, Timestamp)>);

impl Troubles {
    /// Whether this is to be said: it is new, or was said long ago.
    pub(super) fn is_news(&mut self, about: &str, what: &str, now: Timestamp) -> bool {
        if self.0.get(about).is_some_and(|(said, at)| said == what && (now - *at).abs() < AGAIN) {
            return false;
        }
        self.0.insert(about.to_owned(), (what.to_owned(), now));
        true
    }

    /// Whether something is wrong with this.
    pub(super) fn is_known(&self, about: &str) -> bool {
        self.0.contains_key(about)
    }

    /// Whether something was wrong with this. It is not any more.
    pub(super) fn is_over(&mut self, about: &str) -> bool {
        self.0.remove(about).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once_and_its_end_once() {
        let at = |hours| Timestamp::UNIX_EPOCH + TimeDelta::hours(hours);
        let mut troubles = Troubles::default();
        assert!(troubles.is_news("the ledger", "the disk is full", at(0)));
        assert!(!troubles.is_news("the ledger", "the disk is full", at(1)));
        assert!(troubles.is_news("the ledger", "it is busy", at(2)));
        assert!(troubles.is_news("the ledger", "it is busy", at(26)), "again on the next day");
        assert!(troubles.is_over("the ledger"));
        assert!(!troubles.is_over("the ledger"));
        assert!(troubles.is_news("the ledger", "it is busy", at(27)));
    }
}
