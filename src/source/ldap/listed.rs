//! The names that a group lists, kept close together: a large group has a hundred thousand.

use super::dn::NotADn;
use super::members::Key;
use super::people::place_of;

/// Names in the order of the list; one that stands there twice is here twice.
#[derive(Debug, Default)]
pub struct Listed {
    /// The beginnings of all texts. Names in one place end alike: the end that a text has in common with the one before
    /// it is left out.
    beginnings: String,
    parts: Vec<Lengths>,
    keys: Vec<Key>,
    last: String,
}

/// The lengths of what is kept of a text, and of what the one before it ends with, too.
#[derive(Debug)]
struct Lengths {
    beginning: u32,
    end: u32,
}

impl Listed {
    /// # Errors
    /// Where the text is no name.
    pub fn push(&mut self, name: &str) -> Result<(), NotADn> {
        self.keys.push(Key::of_text(name)?);
        let alike = name.bytes().rev().zip(self.last.bytes().rev()).take_while(|(one, other)| one == other).count();
        let beginning = name.ceil_char_boundary(name.len() - alike);
        self.beginnings.push_str(&name[..beginning]);
        self.parts.push(Lengths { beginning: place_of(beginning), end: place_of(name.len() - beginning) });
        name.clone_into(&mut self.last);
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
    pub fn names(&self) -> impl Iterator<Item = (Key, String)> {
        let (mut ahead, mut last) = (self.beginnings.as_str(), String::new());
        let texts = self.parts.iter().map(move |part| {
            let (beginning, rest) = ahead.split_at(part.beginning as usize);
            ahead = rest;
            last.replace_range(..last.len() - part.end as usize, beginning);
            last.clone()
        });
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

    #[test]
    fn names_that_end_alike_are_given_back_whole() {
        let mut listed = Listed::default();
        // The first two letters after `cn=` differ in their first byte and not in their second.
        let texts =
            ["cn=ä,dc=x", "cn=Ĥ,dc=x", "cn=Ĥ,dc=x", "cn=aĤ,dc=x", "dc=x", "cn=jane,ou=a,dc=y", "cn=a,ou=a,dc=y"];
        for text in texts {
            listed.push(text).unwrap();
        }
        assert_eq!(listed.names().map(|(_, text)| text).collect::<Vec<_>>(), texts);
        assert!(listed.names().map(|(key, _)| key).eq(texts.map(|text| Key::of_text(text).unwrap())));
    }
}
