//! A connection that shows whether anything moves on it: whoever takes nothing and gives nothing is not waited for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::sleep;

/// A connection on which nothing moves for so long is ended, twice that at most.
const STILL_MAX: Duration = Duration::from_secs(45);

/// See the module's page.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    moved: Arc<AtomicU64>,
}

/// The other end of [`Watched`].
#[derive(Debug)]
pub(super) struct Watch(Arc<AtomicU64>);

impl<S> Watched<S> {
    pub(super) fn new(stream: S) -> (Watched<S>, Watch) {
        let moved = Arc::<AtomicU64>::default();
        (Watched { stream, moved: Arc::clone(&moved) }, Watch(moved))
    }
}

impl Watch {
    /// Ends when nothing has moved for a while.
    pub(super) async fn stands_still(self) {
        let mut seen = None;
        loop {
            let moved = self.0.load(Ordering::Relaxed);
            if seen.replace(moved) == Some(moved) {
                return;
            }
            sleep(STILL_MAX).await;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.moved.fetch_add(1, Ordering::Relaxed);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            self.moved.fetch_add(1, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
