//! Who has logged in: held in memory alone, so that a new start logs everybody out.

use std::collections::HashMap;
use std::time::Duration;

use crate::config::KeyMark;

use super::viewer::Person;

/// A session that is not used ends after this …
const IDLE_MAX: Duration = Duration::from_hours(1);
/// … and every session after this.
const AGE_MAX: Duration = Duration::from_hours(12);
/// Where more log in, the one that has not been used for longest ends.
const SESSIONS_MAX: usize = 64;

/// See the module's page. Moments are counted from any fixed one, by a clock that nobody sets.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// By the hash of its id, so that how long looking takes tells nothing about ids.
    known: HashMap<blake3::Hash, Session>,
}

#[derive(Debug)]
struct Session {
    person: Person,
    /// The token that it was begun with: another token ends it.
    token: KeyMark,
    began: Duration,
    used: Duration,
}

impl Session {
    fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.used) >= IDLE_MAX || now.saturating_sub(self.began) >= AGE_MAX
    }
}

impl Sessions {
    /// Begins one with an id and a form token that nobody can guess.
    pub(super) fn begin(&mut self, id: &str, csrf: String, token: KeyMark, now: Duration) {
        self.known.retain(|_, session| !session.is_over(now));
        if self.known.len() >= SESSIONS_MAX {
            let oldest = self.known.iter().min_by_key(|(_, session)| session.used).map(|(id, _)| *id);
            oldest.and_then(|id| self.known.remove(&id));
        }
        let person = Person::new(csrf);
        self.known.insert(hash(id), Session { person, token, began: now, used: now });
    }

    /// Who has this session, as long as `token` is the one to log in with.
    pub(super) fn find(&mut self, id: &str, token: KeyMark, now: Duration) -> Option<Person> {
        let session = self.known.get_mut(&hash(id))?;
        if session.is_over(now) || session.token != token {
            self.known.remove(&hash(id));
            return None;
        }
        session.used = now;
        Some(session.person.clone())
    }

    pub(super) fn end(&mut self, id: &str) {
        self.known.remove(&hash(id));
    }
}

fn hash(id: &str) -> blake3::Hash {
    blake3::hash(id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> KeyMark {
        KeyMark::of(&text.to_owned().into())
    }

    fn mins(mins: u64) -> Duration {
        Duration::from_mins(mins)
    }

    fn begun(id: &str) -> Sessions {
        let mut sessions = Sessions::default();
        sessions.begin(id, "form".to_owned(), token("hunter2"), mins(0));
        sessions
    }

    #[test]
    fn a_session_is_found_by_its_id_alone_until_it_is_ended() {
        let mut sessions = begun("one");
        assert_eq!(sessions.find("one", token("hunter2"), mins(1)).unwrap().csrf, "form");
        assert!(sessions.find("two", token("hunter2"), mins(1)).is_none());
        sessions.end("one");
        assert!(sessions.find("one", token("hunter2"), mins(1)).is_none());
    }

    #[test]
    fn it_ends_when_it_is_not_used_and_when_it_is_old() {
        assert!(begun("one").find("one", token("hunter2"), mins(60)).is_none());
        let mut sessions = begun("one");
        let used = (1..)
            .map(|half_hour| mins(half_hour * 30))
            .take_while(|now| sessions.find("one", token("hunter2"), *now).is_some());
        assert_eq!(used.last(), Some(mins(12 * 60 - 30)));
    }

    #[test]
    fn another_token_ends_what_was_begun_with_the_old_one() {
        let mut sessions = begun("one");
        assert!(sessions.find("one", token("another"), mins(1)).is_none());
        assert!(sessions.find("one", token("hunter2"), mins(1)).is_none());
    }

    #[test]
    fn there_are_never_more_than_so_many() {
        let mut sessions = begun("first");
        for n in 0..SESSIONS_MAX {
            sessions.begin(&n.to_string(), String::new(), token("hunter2"), mins(1));
        }
        assert_eq!(sessions.known.len(), SESSIONS_MAX);
        assert!(sessions.find("first", token("hunter2"), mins(1)).is_none());
        assert!(sessions.find("0", token("hunter2"), mins(1)).is_some());
    }
}
