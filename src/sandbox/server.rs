//! The sandbox on a socket, and the handle by which tests and the demo look into it.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use secrecy::SecretString;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Stopwatch;

use super::dialect::{Case, Dialect};
use super::faults::{Dice, Fault, Faults};
use super::reply::Reply;
use super::state::{State, Subscription};

/// A request with a larger body is answered with 413.
const BODY_BYTES_MAX: usize = 16 << 20;
/// The log of requests keeps this many, the newest ones.
const LOG_MAX: usize = 10_000;
/// How long requests in flight may take when the server is told to end.
const SHUTDOWN_MAX: Duration = Duration::from_secs(5);
/// The wait after the system refused a connection, as it does when it has run out of file descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What a sandbox starts with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub subscriptions: Vec<Subscription>,
    pub dialect: Dialect,
    pub faults: Faults,
}

/// A licensing server in memory. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct Sandbox {
    inner: Arc<Mutex<Inner>>,
    started: Stopwatch,
}

/// A request to the licensing API, as the sandbox saw it. Without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLog {
    /// From 1, in the order in which they came.
    pub seq: u64,
    /// Since the sandbox was made.
    pub at: Duration,
    pub method: String,
    /// `None` where the path has no id that could be one.
    pub subscription: Option<Uuid>,
    /// As sent; empty where the body has none.
    pub emails: Vec<String>,
    pub fault: Fault,
    /// The answer's; `None` where the connection was cut.
    pub status: Option<u16>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    dice: Dice,
    log: VecDeque<RequestLog>,
    requests: u64,
}

/// What the server does about a request: answers, or cuts the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Answer(Reply),
    Cut,
}

impl Sandbox {
    pub fn new(options: Options) -> Sandbox {
        let inner = Inner {
            state: State::new(options.subscriptions, options.dialect),
            dice: Dice::new(options.faults),
            log: VecDeque::new(),
            requests: 0,
        };
        Sandbox { inner: Arc::new(Mutex::new(inner)), started: Stopwatch::start() }
    }

    /// Who has a seat, as spelt when they were given it; nobody for an unknown subscription.
    pub fn assigned(&self, id: Uuid) -> BTreeSet<String> {
        let inner = self.lock();
        inner.state.subscription(id).into_iter().flat_map(Subscription::assigned).map(str::to_owned).collect()
    }

    /// Sets how many seats there are from now on. Whether there is such a subscription.
    pub fn set_seats(&self, id: Uuid, seats: u64) -> bool {
        self.change(id, |subscription, _| subscription.set_seats(seats))
    }

    /// Makes another key the right one, as the owner does who regenerates it. Whether there is such a subscription.
    pub fn set_key(&self, id: Uuid, key: SecretString) -> bool {
        self.change(id, |subscription, _| subscription.set_key(key))
    }

    /// Gives a seat as if by hand at the server, whether there is one or not. Whether there is such a subscription.
    pub fn assign_by_hand(&self, id: Uuid, email: &str) -> bool {
        self.change(id, |subscription, case| subscription.assign(email, case))
    }

    /// Takes a seat away as if by hand at the server. Whether there is such a subscription.
    pub fn unassign_by_hand(&self, id: Uuid, email: &str) -> bool {
        self.change(id, |subscription, case| {
            subscription.unassign(email, case);
        })
    }

    /// Answers in another way from now on.
    pub fn set_dialect(&self, dialect: Dialect) {
        self.lock().state.set_dialect(dialect);
    }

    /// Has other faults from now on, drawn from their seed anew.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().dice = Dice::new(faults);
    }

    /// How many requests to the licensing API have come, those that came to grief among them.
    pub fn request_count(&self) -> u64 {
        self.lock().requests
    }

    /// The requests to the licensing API, the newest ten thousand, the oldest of them first.
    pub fn requests(&self) -> Vec<RequestLog> {
        self.lock().log.iter().cloned().collect()
    }

    fn change(&self, id: Uuid, change: impl FnOnce(&mut Subscription, Case)) -> bool {
        let mut inner = self.lock();
        let case = inner.state.dialect().case;
        inner.state.subscription_mut(id).map(|subscription| change(subscription, case)).is_some()
    }

    /// A test that panics while it holds the lock leaves the state whole: every change is a single step.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn answer(&mut self, now: Duration, method: &str, path: &str, is_json: bool, body: &[u8]) -> Outcome {
        let Some(target) = path.strip_prefix("/api/manage/") else {
            return Outcome::Answer(self.state.handle(method, path, body));
        };
        let fault = self.dice.throw(now);
        let outcome = self.outcome(fault, method, path, is_json, body);
        let status = match &outcome {
            Outcome::Answer(reply) => Some(reply.status),
            Outcome::Cut => None,
        };
        self.requests += 1;
        self.note(RequestLog {
            seq: self.requests,
            at: now,
            method: method.to_owned(),
            subscription: target.split('/').nth(1).and_then(|id| Uuid::try_parse(id).ok()),
            emails: emails_of(body),
            fault,
            status,
        });
        outcome
    }

    fn outcome(&mut self, fault: Fault, method: &str, path: &str, is_json: bool, body: &[u8]) -> Outcome {
        if fault == Fault::DropBefore {
            return Outcome::Cut;
        }
        let reply = match fault.reply() {
            Some(reply) => reply,
            None if !is_json => Reply::error(400, "The Content-Type is not application/json."),
            None => self.state.handle(method, path, body),
        };
        match fault {
            Fault::DropAfter => Outcome::Cut,
            _ if self.dice.faults().echo && reply.status >= 400 => Outcome::Answer(echoing(&reply, body)),
            _ => Outcome::Answer(reply),
        }
    }

    fn note(&mut self, request: RequestLog) {
        tracing::debug!(
            seq = request.seq,
            method = request.method,
            addresses = request.emails.len(),
            status = request.status,
            fault = ?request.fault,
            "the sandbox had a request"
        );
        if self.log.len() == LOG_MAX {
            self.log.pop_front();
        }
        self.log.push_back(request);
    }
}

/// The same answer, with the request's body for its error.
fn echoing(reply: &Reply, body: &[u8]) -> Reply {
    let error = format!("This request was refused: {}", String::from_utf8_lossy(body));
    let mut echo = Reply::error(reply.status, &error);
    echo.headers.extend(reply.headers.iter().filter(|(name, _)| *name != "content-type").cloned());
    echo
}

fn emails_of(body: &[u8]) -> Vec<String> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let emails = body["emails"].as_array().map(Vec::as_slice).unwrap_or_default();
    emails.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Serves the sandbox on this listener until `shutdown` comes, and then no longer than requests in flight take.
pub async fn serve(listener: TcpListener, sandbox: Sandbox, shutdown: impl Future<Output = ()>) {
    let ending = CancellationToken::new();
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connection(stream, peer, sandbox.clone(), ending.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "the sandbox could not accept a connection");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    ending.cancel();
    let _ = tokio::time::timeout(SHUTDOWN_MAX, async { while connections.join_next().await.is_some() {} }).await;
}

async fn connection(stream: TcpStream, peer: SocketAddr, sandbox: Sandbox, ending: CancellationToken) {
    let service = service_fn(|request| respond(&sandbox, request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = ending.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection to the sandbox broke off");
    }
}

/// Why a request gets no answer. The connection ends with it.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("cut on purpose")]
    Cut,
    #[error("the request could not be read")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

async fn respond(sandbox: &Sandbox, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Unanswered> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Ok(response(Reply::error(413, "The body is larger than 16 MiB.")));
        }
        Err(error) => return Err(Unanswered::Unreadable(error)),
    };
    let is_json = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(is_json);
    let (outcome, latency) = {
        let mut inner = sandbox.lock();
        let outcome = inner.answer(sandbox.started.elapsed(), head.method.as_str(), head.uri.path(), is_json, &body);
        (outcome, inner.dice.faults().latency)
    };
    if !latency.is_zero() && head.uri.path().starts_with("/api/") {
        tokio::time::sleep(latency).await;
    }
    match outcome {
        Outcome::Answer(reply) => Ok(response(reply)),
        Outcome::Cut => Err(Unanswered::Cut),
    }
}

/// Whether a content type is JSON, with or without parameters.
fn is_json(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
}

fn response(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    // Every status and header is the sandbox's own; one that could not be sent would be a mistake in it.
    response.body(Full::from(reply.body)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
