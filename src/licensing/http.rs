//! The thin rim: sends one request and gives back a [`wire::Answer`]. It decides nothing but one thing, and that with
//! care: whether a request that failed can have reached the server.
//!
//! No redirect is ever followed, no request is ever sent twice behind our back: the body holds the key, and each
//! attempt is on record before it leaves.

use std::error::Error as _;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName};
use reqwest::{Certificate, ClientBuilder, Method, Proxy, Response, Url, redirect, retry};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::wire::{self, Answer, Headers, Operation};
use crate::address::Address;
use crate::clock;
use crate::config::{Licensing, SubscriptionType};
use crate::telemetry::Masked;

/// What we call ourselves to the server.
const USER_AGENT: &str = concat!("rosterd/", env!("CARGO_PKG_VERSION"));
/// An answer is read up to here; no documented one comes near. One that is longer is cut, and so is no valid JSON.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Connecting, TLS included, takes no longer than this.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(10);
/// An idle connection is closed after this time, before servers and proxies commonly do: a request on a connection
/// that is being closed is one of which nobody knows what became.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// Sends requests to the licensing server. Its connections are used again; one for the whole process.
pub struct Client {
    http: reqwest::Client,
    /// Without a slash at the end.
    base_url: String,
}

/// Why no client can be made. Each names the setting to look at.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("`ca_file`: {path} can't be read")]
    CaUnreadable {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    #[error("`ca_file`: {path} is not a file of certificates in PEM form")]
    CaInvalid {
        path: PathBuf,
        #[source]
        cause: reqwest::Error,
    },
    #[error("`ca_file`: {path} holds no certificate; it should have a `-----BEGIN CERTIFICATE-----`")]
    CaEmpty { path: PathBuf },
    #[error("`base_url`: the API key would go to {host} in clear; only https:// is allowed there")]
    Plaintext { host: String },
    #[error("`proxy`: {host} can't be used as a proxy")]
    Proxy {
        host: String,
        #[source]
        cause: reqwest::Error,
    },
    #[error("the HTTP client can't be set up")]
    Setup(#[source] reqwest::Error),
}

impl Client {
    /// Reads `ca_file`, opens no connection.
    pub fn new(licensing: &Licensing) -> Result<Client, ClientError> {
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(retry::never())
            .timeout(licensing.timeout)
            .connect_timeout(licensing.timeout.min(CONNECT_TIMEOUT_MAX))
            .pool_idle_timeout(IDLE_MAX);
        let builder =
            if is_plain(&licensing.base_url)? { beside_the_network(builder) } else { secured(builder, licensing)? };
        let base_url = licensing.base_url.as_str().trim_end_matches('/').to_owned();
        Ok(Client { http: builder.build().map_err(ClientError::Setup)?, base_url })
    }

    /// Sends one request, once. Never fails: what went wrong is an answer, too.
    pub async fn send(
        &self,
        kind: SubscriptionType,
        id: Uuid,
        key: &SecretString,
        operation: Operation,
        addresses: &[Address],
    ) -> Answer {
        tracing::trace!(method = operation.method(), %id, addresses = %list(addresses), "request");
        let answer = self.exchange(kind, id, key, operation, addresses).await;
        tracing::trace!(method = operation.method(), %id, answer = %Masked(&format!("{answer:?}")), "answer");
        answer
    }

    /// Asks whether the server accepts the key, without changing anything: an assignment of nobody. A server that
    /// accepts the key answers [`Answer::Refused`], since a request has to have an address.
    pub async fn probe(&self, kind: SubscriptionType, id: Uuid, key: &SecretString) -> Answer {
        self.send(kind, id, key, Operation::Assign, &[]).await
    }

    async fn exchange(
        &self,
        kind: SubscriptionType,
        id: Uuid,
        key: &SecretString,
        operation: Operation,
        addresses: &[Address],
    ) -> Answer {
        let method = match operation {
            Operation::Assign => Method::PUT,
            Operation::Unassign => Method::DELETE,
        };
        let request = self
            .http
            .request(method, format!("{}{}", self.base_url, wire::path(kind, id)))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(wire::body(key, addresses));
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return failed(error),
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        match read_bounded(response).await {
            Ok(body) => wire::read(status, of_interest(&headers), &body, key.expose_secret(), clock::now()),
            Err(error) => Answer::Lost { cause: chain(error) },
        }
    }
}

/// Whether the server is spoken to without TLS, which is allowed on this machine alone.
fn is_plain(base_url: &Url) -> Result<bool, ClientError> {
    match base_url.scheme() {
        "https" => Ok(false),
        "http" if is_loopback(base_url) => Ok(true),
        _ => Err(ClientError::Plaintext { host: base_url.host_str().unwrap_or("no host").to_owned() }),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// For a server on this machine: no proxy, which would see the key in clear, and no certificates, which take time to
/// load and which a bare container does not have.
fn beside_the_network(builder: ClientBuilder) -> ClientBuilder {
    builder.no_proxy().tls_certs_only([])
}

fn secured(builder: ClientBuilder, licensing: &Licensing) -> Result<ClientBuilder, ClientError> {
    let mut builder = builder.https_only(true);
    if let Some(path) = &licensing.ca_file {
        builder = builder.tls_certs_merge(certificates(path)?);
    }
    if let Some(url) = &licensing.proxy {
        let host = || url.host_str().unwrap_or("no host").to_owned();
        let proxy =
            Proxy::all(url.clone()).map_err(|cause| ClientError::Proxy { host: host(), cause: cause.without_url() })?;
        builder = builder.no_proxy().proxy(proxy);
    }
    Ok(builder)
}

/// The certificates of a PEM file, at least one.
fn certificates(path: &Path) -> Result<Vec<Certificate>, ClientError> {
    let pem = std::fs::read(path).map_err(|cause| ClientError::CaUnreadable { path: path.to_owned(), cause })?;
    let certificates =
        Certificate::from_pem_bundle(&pem).map_err(|cause| ClientError::CaInvalid { path: path.to_owned(), cause })?;
    if certificates.is_empty() {
        return Err(ClientError::CaEmpty { path: path.to_owned() });
    }
    Ok(certificates)
}

/// A request that failed before its connection was there has surely had no effect. Of any other nobody knows.
fn failed(error: reqwest::Error) -> Answer {
    if error.is_connect() || error.is_builder() {
        Answer::NotSent { cause: chain(error) }
    } else {
        Answer::Lost { cause: chain(error) }
    }
}

/// What went wrong and why, in one line, without the URL.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some say what their cause says, too.
        if !words.ends_with(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        cause = error.source();
    }
    words.replace(char::is_control, " ")
}

fn of_interest(headers: &HeaderMap) -> Headers<'_> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    Headers {
        retry_after: text(header::RETRY_AFTER),
        location: text(header::LOCATION),
        content_type: text(header::CONTENT_TYPE),
    }
}

/// The body, or its first mebibyte.
async fn read_bounded(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = BODY_BYTES_MAX - body.len();
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if body.len() == BODY_BYTES_MAX {
            break;
        }
    }
    Ok(body)
}

/// Addresses as a log may show them.
fn list(addresses: &[Address]) -> impl fmt::Display + '_ {
    fmt::from_fn(move |f| {
        for (place, address) in addresses.iter().enumerate() {
            let between = if place == 0 { "" } else { ", " };
            write!(f, "{between}{}", Masked(address.spelling()))?;
        }
        Ok(())
    })
}

/// Without the proxy, whose URL may hold a password.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
