//! What programs read: the JSON of the commands.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::{Problem, Web};

/// `GET /api/v1/status`: as `status --json`, of a moment ago.
pub(super) async fn status(State(web): State<Web>) -> Result<Response, Problem> {
    Ok(([(header::CONTENT_TYPE, "application/json")], web.snapshot()?.json()).into_response())
}
