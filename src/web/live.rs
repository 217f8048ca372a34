//! The live stream: a word whenever something has changed, so that a page that is open asks anew.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as HttpBody, Frame};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use super::{Problem, Web};

/// So many pages are kept live at once.
pub(super) const STREAMS_MAX: usize = 64;
/// A line that says nothing is sent this often, so that both ends notice when the other is gone.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// `event: changed` with a number, whenever something has changed, at most once a second. Ends when rosterd does.
pub(super) async fn events(State(web): State<Web>) -> Response {
    let Ok(turn) = Arc::clone(&web.streams).try_acquire_owned() else {
        let words = "Too many pages are kept live at once; reload to see what is new.";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, words).into_response();
    };
    let (lines, receiver) = mpsc::channel(1);
    web.tasks.spawn(tell(web.clone(), lines, turn));
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::new(Lines(receiver))).into_response()
}

pub(super) fn streams() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(STREAMS_MAX))
}

/// Until nobody listens any more, or the end.
async fn tell(web: Web, lines: mpsc::Sender<Bytes>, _turn: OwnedSemaphorePermit) {
    let mut changes = web.keeper.changes();
    let mut line = Bytes::from_static(b"retry: 2000\n\n");
    loop {
        let sent = web.shutdown.run_until_cancelled(lines.send(line)).await;
        if !matches!(sent, Some(Ok(()))) {
            return;
        }
        let next = tokio::select! {
            () = web.shutdown.cancelled() => return,
            () = lines.closed() => return,
            next = timeout(SIGN_OF_LIFE, changes.next()) => next,
        };
        line = match next {
            Ok(Some(number)) => Bytes::from(format!("event: changed\ndata: {number}\n\n")),
            Ok(None) => return,
            Err(_) => Bytes::from_static(b":\n\n"),
        };
    }
}

/// A body of lines as they come.
struct Lines(mpsc::Receiver<Bytes>);

impl HttpBody for Lines {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}
