//! Who looks at a page.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
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
    notice: Arc<Mutex<Option<String>>>,
}

/// What a form has to carry is for its page alone.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person")
    }
}

impl Person {
    pub(super) fn new(csrf: String) -> Person {
        Person { csrf, notice: Arc::default() }
    }

    /// Has the next page say this.
    pub(super) fn put_notice(&self, words: String) {
        *self.notice.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
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

    /// What came of the form that was sent last, to be shown once: a sentence.
    pub fn take_notice(&self) -> Option<String> {
        match self {
            Viewer::Reader { .. } => None,
            Viewer::Person(person) => person.notice.lock().unwrap_or_else(PoisonError::into_inner).take(),
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
