//! The names that a group lists, kept close together: a large group has a hundred thousand.

use super::dn::NotADn;
use super::members::Key;

/// Names in the order of the list; one that stands there twice is here twice.
#[derive(Debug, Default)]
pub struct Listed {
    texts: String,
    /// Where each text ends.
    ends: Vec<usize>,
    keys: Vec<Key>,
}

impl Listed {
    /// # Errors
    /// Where the text is no name.
    pub fn push(&mut self, name: &str) -> Result<(), NotADn> {
        self.keys.push(Key::of_text(name)?);
        self.texts.push_str(name);
        self.ends.push(self.texts.len());
        Ok(())
    }

    /// The keys of the names, each once, in order.
    pub fn sorted(&self) -> Vec<Key> {
        let mut keys = self.keys.clone();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    pub fn keys(&self) -> impl Iterator<Item = Key> {
        self.keys.iter().copied()
    }

    /// Each name with its key.
    pub fn names(&self) -> impl Iterator<Item = (Key, &str)> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        let texts = starts.zip(&self.ends).map(|(start, end)| self.texts.get(start..*end).unwrap_or_default());
        self.keys().zip(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_as_they_were_written_and_counted_as_they_are_meant() {
        let mut listed = Listed::default();
        let texts = ["cn=a,dc=x", "CN=B, DC=X", "cn=b,dc=x"];
        for text in texts {
            listed.push(text).unwrap();
        }
        assert_eq!(listed.names().map(|(_, text)| text).collect::<Vec<_>>(), texts);
        assert_eq!(listed.sorted().len(), 2);
    }
}
