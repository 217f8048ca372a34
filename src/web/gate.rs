//! What every request passes before it is answered, and every answer before it is sent.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use tokio::time::timeout;

use super::access::{Caller, Who};
use super::origin::{came_through_proxy, may_act, may_read, names_this_machine};
use super::serve::Peer;
use super::{Problem, Viewer, Web};

/// An answer has begun within this time; a body that is sent has been read within it.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// The largest body that is read, in bytes.
pub(super) const BODY_BYTES_MAX: usize = 64 << 10;

/// Sent with every answer. Nothing is loaded but from here, nothing is written into a page but by us, and no page elsewhere
/// shows or reads what is here. A policy of no referrer at all would make browsers hide where a form comes from.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

/// Lets in whoever may come in, and says who it is.
pub(super) async fn enter(State(web): State<Web>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let caller = match admit(&web, &head).await {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    let mut request = Request::from_parts(head, body);
    let viewer = match &caller.who {
        Who::Person(person) => Viewer::Person(person.clone().asking_for(request.uri())),
        Who::Nobody | Who::Program => Viewer::Reader { can_log_in: web.access.can_log_in() },
    };
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(viewer.clone());
    let mut response = match timeout(ANSWER_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(StatusCode::REQUEST_TIMEOUT, "That took too long.").into_response(),
    };
    response.extensions_mut().insert(viewer);
    response
}

/// Who it is, or what they are told instead.
async fn admit(web: &Web, head: &Parts) -> Result<Caller, Box<Response>> {
    let refused = |problem: Problem| Box::new(problem.into_response());
    let Parts { method, headers, uri, extensions, .. } = head;
    let path = uri.path();
    let Some(Peer(peer)) = extensions.get() else {
        return Err(refused(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Nobody knows who asks.")));
    };
    // Before any of it is waited for.
    if announced(headers) > BODY_BYTES_MAX as u64 {
        return Err(refused(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "What was sent is too large.")));
    }
    let access = &web.access;
    if access.is_local && !names_this_machine(headers, uri) {
        let words = format!("rosterd answers as {} alone, and was asked under another name.", web.local);
        return Err(refused(Problem::new(StatusCode::MISDIRECTED_REQUEST, words)));
    }
    let is_reading = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    if !(if is_reading { may_read(method, headers) } else { may_act(headers) }) {
        return Err(refused(Problem::new(StatusCode::FORBIDDEN, "A page elsewhere asked for that; it was not done.")));
    }
    let address = peer.ip().to_canonical();
    let who = access.who(headers, address).await.map_err(|denied| refused(denied.into()))?;
    let may_look = access.is_local && !came_through_proxy(headers);
    if matches!(who, Who::Nobody) && !may_look && !is_for_everybody(path) {
        let is_page = is_reading && !path.starts_with("/api/") && !matches!(path, "/metrics" | "/events");
        return Err(if is_page {
            let next = uri.path_and_query().map_or("/", |it| it.as_str());
            Box::new(to_login(next).into_response())
        } else {
            refused(Problem::new(StatusCode::UNAUTHORIZED, "This needs the token, as Authorization: Bearer."))
        });
    }
    Ok(Caller { who, address })
}

/// How large the body is by what is said of it; what comes without a word is bounded as it is read.
fn announced(headers: &HeaderMap) -> u64 {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or_default()
}

/// What whoever can connect may see.
fn is_for_everybody(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/login") || path.starts_with("/assets/")
}

/// To the form, and from there on to `next`.
pub(super) fn to_login(next: &str) -> Redirect {
    let next = form_urlencoded(next);
    Redirect::to(&format!("/login?next={next}"))
}

/// Everything but letters and digits as `%XX`.
fn form_urlencoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Puts on every answer what browsers are to know.
pub(super) async fn leave(request: Request, next: Next) -> Response {
    let may_have_body = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let mut response = next.run(request).await;
    let is_refused = response.status().is_client_error() || response.status().is_server_error();
    let headers = response.headers_mut();
    // What was not read of the body would be taken for the next request: nobody is to wait for another answer here.
    if may_have_body && is_refused {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
