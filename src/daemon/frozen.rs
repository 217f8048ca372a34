//! Subscriptions that are frozen because of their key, and which of them are looked at next: whether the key is another
//! by now.
//!
//! Few are looked at with each tick, each in its turn: when a whole fleet is frozen its keys are no load. What counts
//! is what a key is, not when its file was written: files are replaced, rewritten, and swapped behind a link.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};

use crate::config::KeyMark;

/// The subscriptions that are frozen, each with the key that was refused; `None`: it could not be read.
#[derive(Debug, Default)]
pub(super) struct Frozen {
    keys: BTreeMap<String, Option<KeyMark>>,
    /// The last one that was looked at.
    last: String,
}

impl Frozen {
    pub(super) fn freeze(&mut self, name: &str, refused: Option<KeyMark>) {
        self.keys.insert(name.to_owned(), refused);
    }

    pub(super) fn thaw(&mut self, name: &str) {
        self.keys.remove(name);
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The next ones to look at, at most so many; each comes once before any comes again.
    pub(super) fn next(&mut self, at_most: usize) -> Vec<String> {
        let after = self.keys.range::<str, _>((Excluded(self.last.as_str()), Unbounded));
        let all = after.chain(self.keys.range::<str, _>((Unbounded, Included(self.last.as_str()))));
        let names: Vec<String> = all.map(|(name, _)| name.clone()).take(at_most).collect();
        if let Some(last) = names.last() {
            self.last.clone_from(last);
        }
        names
    }

    /// Whether this key, which can be read, is another one than the refused.
    pub(super) fn is_another(&self, name: &str, key: KeyMark) -> bool {
        self.keys.get(name).is_some_and(|refused| *refused != Some(key))
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn mark(key: &str) -> KeyMark {
        KeyMark::of(&SecretString::from(key))
    }

    #[test]
    fn each_is_looked_at_before_any_is_again() {
        let mut frozen = Frozen::default();
        for name in ["a", "b", "c", "d", "e"] {
            frozen.freeze(name, None);
        }
        assert_eq!(frozen.next(2), ["a", "b"]);
        frozen.thaw("c");
        assert_eq!(frozen.next(2), ["d", "e"]);
        assert_eq!(frozen.next(9), ["a", "b", "d", "e"]);
        assert_eq!(Frozen::default().next(9), Vec::<String>::new());
    }

    #[test]
    fn another_key_is_one_that_was_not_refused() {
        let mut frozen = Frozen::default();
        frozen.freeze("contoso", Some(mark("old")));
        frozen.freeze("fabrikam", None);
        assert!(!frozen.is_another("contoso", mark("old")));
        assert!(frozen.is_another("contoso", mark("new")));
        assert!(frozen.is_another("fabrikam", mark("old")), "any that can be read");
        assert!(!frozen.is_another("northwind", mark("new")), "one that is not frozen");
    }
}
