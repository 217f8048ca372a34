//! Logging in and out.

use axum::Form;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::access::{Caller, Denied, Who, is_csrf};
use super::{Problem, Viewer, Web, pages};

/// Where to go afterwards.
#[derive(Debug, Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(super) struct Login {
    token: String,
    #[serde(default)]
    next: String,
}

/// The form; whoever has logged in goes on at once.
pub(super) async fn form(State(web): State<Web>, viewer: Viewer, Query(to): Query<Next>) -> Response {
    if matches!(viewer, Viewer::Person(_)) {
        return Redirect::to(path(&to.next)).into_response();
    }
    if !web.access.can_log_in() {
        return Problem::from(Denied::NoToken).into_response();
    }
    pages::login(&viewer, path(&to.next), None).into_response()
}

/// The form was sent.
pub(super) async fn log_in(
    State(web): State<Web>,
    viewer: Viewer,
    Extension(caller): Extension<Caller>,
    Form(Login { token, next }): Form<Login>,
) -> Response {
    let next = path(&next);
    match web.access.log_in(token.trim(), caller.address).await {
        Ok(cookie) => {
            tracing::info!("{} logged in to the dashboard", caller.address);
            ([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response()
        }
        Err(Denied::Wrong) => {
            tracing::warn!("{} tried to log in to the dashboard with a wrong token", caller.address);
            let page = pages::login(&viewer, next, Some(&Problem::from(Denied::Wrong).words));
            (StatusCode::UNAUTHORIZED, page).into_response()
        }
        Err(Denied::Wait(wait)) => {
            let problem = Problem::from(Denied::Wait(wait));
            let seconds = problem.retry_after.unwrap_or_default().to_string();
            let page = pages::login(&viewer, next, Some(&problem.words));
            (problem.status, [(header::RETRY_AFTER, seconds)], page).into_response()
        }
        Err(denied) => Problem::from(denied).into_response(),
    }
}

#[derive(Deserialize)]
pub(super) struct Logout {
    csrf: String,
}

pub(super) async fn log_out(
    State(web): State<Web>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Form(form): Form<Logout>,
) -> Response {
    match &caller.who {
        Who::Person(person) if is_csrf(person, &form.csrf) => {
            ([(header::SET_COOKIE, web.access.log_out(&headers))], Redirect::to("/")).into_response()
        }
        _ => Redirect::to("/").into_response(),
    }
}

/// A place here; whatever could be elsewhere is the first page.
fn path(next: &str) -> &str {
    let is_here = next.starts_with('/')
        && !next[1..].starts_with(['/', '\\'])
        && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_here { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        assert_eq!(path("/subscriptions/contoso?page=2"), "/subscriptions/contoso?page=2");
        for next in ["", "//evil.example", "/\\evil.example", "https://evil.example", "evil", "/\tx", "/a\\b", "/é"] {
            assert_eq!(path(next), "/", "{next}");
        }
    }
}
