//! Who looks at a page.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;

/// Who looks at a page, as an argument of its handler.
#[derive(Debug, Clone)]
pub enum Viewer {
    /// May read.
    Reader {
        /// Whether there is a token, so that a person can log in and act.
        can_log_in: bool,
    },
    /// Has logged in, and may act.
    Person(Person),
}

/// Somebody with a session.
#[derive(Clone)]
pub struct Person {
    /// What each form has to carry in its field `csrf`.
    pub csrf: String,
    notices: Arc<Mutex<Notices>>,
    /// Which of them the page that is asked for is to say.
    told: Option<u64>,
}

/// What came of forms, until the page is asked for that each led to.
#[derive(Default)]
struct Notices {
    /// The newest last.
    kept: VecDeque<(u64, String)>,
    newest: u64,
}

/// A page that is never asked for has its notice kept until there are so many newer ones.
const NOTICES_MAX: usize = 16;
/// By this the page says which notice is its own.
const TOLD: &str = "told";

/// What a form has to carry is for its page alone.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person")
    }
}

impl Person {
    pub(super) fn new(csrf: String) -> Person {
        Person { csrf, notices: Arc::default(), told: None }
    }

    /// The same person, who asks for the page at this address.
    pub(super) fn asking_for(mut self, uri: &Uri) -> Person {
        let mut asked = uri.query().unwrap_or_default().split('&').filter_map(|part| part.split_once('='));
        self.told = asked.find(|(key, _)| *key == TOLD).and_then(|(_, number)| number.parse().ok());
        self
    }

    /// Has a page say this once, and no other: where to, at `path`, which has no query.
    pub(super) fn put_notice(&self, path: &str, words: String) -> String {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.newest += 1;
        let number = notices.newest;
        notices.kept.push_back((number, words));
        if notices.kept.len() > NOTICES_MAX {
            notices.kept.pop_front();
        }
        format!("{path}?{TOLD}={number}")
    }

    fn take_notice(&self) -> Option<String> {
        let told = self.told?;
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        let at = notices.kept.iter().position(|(number, _)| *number == told)?;
        notices.kept.remove(at).map(|(_, words)| words)
    }
}

impl Viewer {
    /// What each form has to carry in its field `csrf`; `None`: nothing can be done.
    pub fn csrf(&self) -> Option<&str> {
        match self {
            Viewer::Reader { .. } => None,
            Viewer::Person(person) => Some(&person.csrf),
        }
    }

    /// What came of the form that led to the page that is asked for, to be shown once: a sentence.
    pub fn take_notice(&self) -> Option<String> {
        match self {
            Viewer::Reader { .. } => None,
            Viewer::Person(person) => person.take_notice(),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Viewer {
    type Rejection = Infallible;

    /// Whoever was let in; who came by no gate may only read.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Viewer, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or(Viewer::Reader { can_log_in: false }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(person: &Person, place: &str) -> Option<String> {
        Viewer::Person(person.clone().asking_for(&place.parse().unwrap())).take_notice()
    }

    #[test]
    fn a_notice_is_for_the_page_that_it_leads_to_and_is_said_once() {
        let person = Person::new("form".to_owned());
        let (one, two) = (person.put_notice("/one", "first".into()), person.put_notice("/two", "second".into()));
        for elsewhere in ["/", "/one", "/two?told=", "/two?told=99", "/two?x=1&told=x"] {
            assert_eq!(at(&person, elsewhere), None, "{elsewhere}");
        }
        assert_eq!(at(&person, &two).as_deref(), Some("second"));
        assert_eq!((at(&person, &one).as_deref(), at(&person, &one)), (Some("first"), None));
    }

    #[test]
    fn notices_that_nobody_comes_for_are_bounded() {
        let person = Person::new("form".to_owned());
        let places: Vec<String> = (0..=NOTICES_MAX).map(|_| person.put_notice("/", "done".into())).collect();
        assert_eq!((at(&person, &places[0]), at(&person, &places[1])), (None, Some("done".to_owned())));
    }
}
