//! The socket: who may connect, for how long, and how it ends.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::server::conn::http1;
use hyper::service::Service as _;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info, warn};

use super::access::Access;
use super::readers::Readers;
use super::snapshot::Keeper;
use super::tls::{Tls, TlsError};
use super::watched::Watched;
use super::{Web, live, routes};
use crate::config::{Http, LedgerUrl};
use crate::daemon::Signs;
use crate::ledger::handle::LedgerHandle;
use crate::telemetry::chain;

/// So many connections at once; who comes later waits until one ends.
const CONNECTIONS_MAX: usize = 256;
/// A request's head is there within this time, or the connection ends; so does one on which nothing is asked.
const HEAD_MAX: Duration = Duration::from_secs(10);
/// The largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// The wait after the system refused a connection, as it does when it has run out of file descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// How long requests in flight may take at the end.
const END_MAX: Duration = Duration::from_secs(5);
/// An address that can't be listened on is tried again after this.
const LISTEN_AGAIN: Duration = Duration::from_secs(10);

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    #[error(
        "the dashboard, the API and the metrics are not served, for {address} can't be listened on; end the program \
         that has it, or set `listen` in [http] to another address"
    )]
    Listen {
        address: SocketAddr,
        #[source]
        cause: io::Error,
    },
    #[error("the dashboard, the API and the metrics are not served for want of a certificate")]
    Tls(#[from] TlsError),
}

/// What serves.
#[derive(Debug)]
pub struct Served {
    /// Where people look at it.
    pub url: String,
    /// Ends when everything has been answered.
    pub ended: JoinHandle<()>,
}

/// Who sent a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Listens, and serves until `shutdown`; `None` where the configuration wants nothing served.
///
/// # Errors
/// When the address can't be listened on, or the certificate can't be used.
pub async fn start(
    signs: &Signs,
    ledger: &LedgerHandle,
    shutdown: &CancellationToken,
) -> Result<Option<Served>, WebError> {
    let config = signs.config();
    let Http { listen, token, certificate } = &config.http;
    let (Some(address), LedgerUrl::Sqlite(path)) = (*listen, &config.ledger) else { return Ok(None) };
    let not_listening = |cause| WebError::Listen { address, cause };
    let tls = certificate.clone().map(Tls::new).transpose()?.map(Arc::new);
    let listener = TcpListener::bind(address).await.map_err(not_listening)?;
    let local = listener.local_addr().map_err(not_listening)?;
    let readers = Readers::new(path.clone());
    let keeper = Keeper::start(signs.clone(), readers.clone(), shutdown.clone()).await;
    let access = Arc::new(Access::new(token.clone(), local, tls.is_some()));
    let (signs, ledger, shutdown) = (signs.clone(), ledger.clone(), shutdown.clone());
    let (streams, tasks) = (live::streams(), TaskTracker::new());
    let web = Web { signs, ledger, readers, keeper, access, local, shutdown, streams, tasks };
    let url = format!("{}://{local}/", if tls.is_some() { "https" } else { "http" });
    info!("the dashboard is at {url}");
    Ok(Some(Served { url, ended: tokio::spawn(serve(listener, tls, web)) }))
}

/// The same for the daemon, whose work is to keep licences in step: that goes on though nothing can be served, which is
/// said, and tried again until it works. Ends after `shutdown`, when everything has been answered.
pub async fn keep_serving(signs: Signs, ledger: LedgerHandle, shutdown: CancellationToken) {
    let mut said = None;
    loop {
        match start(&signs, &ledger, &shutdown).await {
            Ok(None) => return,
            Ok(Some(served)) => {
                if served.ended.await.is_err() {
                    error!("the dashboard ended by a defect in rosterd; it is served again");
                    continue;
                }
                return;
            }
            Err(error) => {
                let words = chain(&error);
                if said.as_ref() != Some(&words) {
                    error!("{words}. Licences are kept in step all the same, and it is tried again until it works");
                    said = Some(words);
                }
            }
        }
        if shutdown.run_until_cancelled(sleep(LISTEN_AGAIN)).await.is_none() {
            return;
        }
    }
}

async fn serve(listener: TcpListener, tls: Option<Arc<Tls>>, web: Web) {
    let (router, turns) = (routes::all(&web), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
    let next = || async {
        let turn = Arc::clone(&turns).acquire_owned().await;
        (turn, listener.accept().await)
    };
    while let Some((turn, accepted)) = web.shutdown.run_until_cancelled(next()).await {
        match accepted {
            Ok((stream, peer)) => {
                let (tls, router, shutdown) = (tls.clone(), router.clone(), web.shutdown.clone());
                web.tasks.spawn(async move {
                    begin(stream, peer, tls, router, shutdown).await;
                    drop(turn);
                });
            }
            Err(error) => {
                warn!("a connection to the dashboard could not be accepted: {error}");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    drop(listener);
    web.tasks.close();
    if timeout(END_MAX, web.tasks.wait()).await.is_err() {
        warn!("requests to the dashboard that did not come to an end are broken off");
    }
}

/// A connection, with TLS where there is a certificate.
async fn begin(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<Tls>>,
    router: Router,
    shutdown: CancellationToken,
) {
    let Some(tls) = tls else { return connection(stream, peer, router, shutdown).await };
    let Ok(acceptor) = tokio::task::spawn_blocking(move || tls.acceptor()).await else { return };
    match timeout(HEAD_MAX, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => connection(stream, peer, router, shutdown).await,
        Ok(Err(error)) => debug!(%peer, %error, "TLS could not be agreed on with a visitor of the dashboard"),
        Err(_) => debug!(%peer, "a visitor of the dashboard took too long to agree on TLS"),
    }
}

async fn connection<S>(stream: S, peer: SocketAddr, router: Router, shutdown: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |mut request: Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        service.call(request)
    });
    let (stream, watch) = Watched::new(stream);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX).max_buf_size(HEAD_BYTES_MAX);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut still = pin!(watch.stands_still());
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = still.as_mut() => return,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! { ended = connection => ended, () = still => return }
        }
    };
    if let Err(error) = ended {
        debug!(%peer, %error, "a connection to the dashboard broke off");
    }
}
