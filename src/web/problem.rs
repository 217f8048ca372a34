//! Why there is no answer: for people a page, for programs JSON, for machines that watch a line of text.

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{Viewer, pages};
use crate::ledger::LedgerError;
use crate::person::Refused;
use crate::telemetry::chain;

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub status: StatusCode,
    /// Sentences: what, and what to do.
    pub words: String,
    /// In seconds.
    pub retry_after: Option<u64>,
}

impl Problem {
    pub fn new(status: StatusCode, words: impl Into<String>) -> Problem {
        Problem { status, words: words.into(), retry_after: None }
    }

    /// There is no such page, subscription, run …
    pub fn not_found(words: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, words)
    }

    /// What was asked for can't be understood.
    pub fn bad_request(words: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, words)
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, as_sentence(&error))
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        let status = match refused {
            Refused::Ledger(error) => return error.into(),
            Refused::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Refused::NothingHeld { .. } | Refused::OtherHeld { .. } | Refused::Restored(_) => StatusCode::CONFLICT,
        };
        Problem::new(status, as_sentence(&refused))
    }
}

fn as_sentence(error: &dyn std::error::Error) -> String {
    let words = chain(error);
    let mut letters = words.trim_end_matches('.').chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives a problem the form that whoever asked understands.
pub(super) async fn worded(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let Some(problem) = problem_of(&response) else { return response };
    let viewer = response.extensions().get().cloned().unwrap_or(Viewer::Reader { can_log_in: false });
    let body = if path.starts_with("/api/") {
        Json(json!({ "error": problem.words })).into_response()
    } else if matches!(path.as_str(), "/healthz" | "/readyz" | "/metrics") {
        format!("{}\n", problem.words).into_response()
    } else {
        pages::problem(&viewer, problem.status, &problem.words).into_response()
    };
    let mut worded = (problem.status, body).into_response();
    if let Some(seconds) = problem.retry_after {
        worded.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.status == StatusCode::UNAUTHORIZED {
        worded.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(allow) = response.headers().get(header::ALLOW) {
        worded.headers_mut().insert(header::ALLOW, allow.clone());
    }
    worded
}

/// Ours, or what the library says by a status and its own words.
fn problem_of(response: &Response) -> Option<Problem> {
    if let Some(problem) = response.extensions().get::<Problem>() {
        return Some(problem.clone());
    }
    let status = response.status();
    let is_worded =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind != "text/plain; charset=utf-8");
    if is_worded || !(status.is_client_error() || status.is_server_error()) {
        return None;
    }
    let words = match status {
        StatusCode::NOT_FOUND => "There is no such page.",
        StatusCode::METHOD_NOT_ALLOWED => "That can't be done here.",
        StatusCode::PAYLOAD_TOO_LARGE => "What was sent is too large.",
        _ if status.is_client_error() => "What was sent can't be understood.",
        _ => "Something went wrong in rosterd; its log says what.",
    };
    Some(Problem::new(status, words))
}
