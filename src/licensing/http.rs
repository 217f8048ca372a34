//! The thin rim: sends one request and gives back a [`wire::Answer`]. It decides nothing but one thing, and that with
//! care: whether a request that failed can have reached the server.
//!
//! No redirect is ever followed, no request is ever sent twice behind our back: the body holds the key, and each
//! attempt is on record before it leaves.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName};
use reqwest::{Certificate, ClientBuilder, Method, Proxy, Response, Url, redirect, retry};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::wire::{self, Answer, Headers, Operation};
use crate::address::Address;
use crate::clock;
use crate::config::{Licensing, SubscriptionType, is_loopback};
use crate::telemetry::{Masked, chain};

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
    /// Without a slash at the end.
    base_url: String,
    /// No TLS and no proxy: the server is on this machine.
    plain: bool,
    timeout: Duration,
    certificates: Vec<Certificate>,
    proxy: Option<Proxy>,
    /// Made for the first request: the system's certificates take a while to load, and most passes send nothing.
    http: OnceLock<Result<reqwest::Client, String>>,
}

/// Why no client can be made. Each names the setting to look at.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(
        "`ca_file`: {path} can't be read; correct the path, or give the user that runs rosterd the right to read it"
    )]
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
}

impl Client {
    /// Reads `ca_file`, opens no connection.
    pub fn new(licensing: &Licensing) -> Result<Client, ClientError> {
        Ok(Client {
            base_url: licensing.base_url.as_str().trim_end_matches('/').to_owned(),
            plain: is_plain(&licensing.base_url)?,
            timeout: licensing.timeout,
            certificates: licensing.ca_file.as_deref().map_or(Ok(Vec::new()), certificates)?,
            proxy: licensing.proxy.as_ref().map(proxy).transpose()?,
            http: OnceLock::new(),
        })
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
        tracing::trace!(method = operation.method(), %id, addresses = %list(addresses), "request to the licensing server");
        let answer = self.exchange(kind, id, key, operation, addresses).await;
        tracing::trace!(method = operation.method(), %id, answer = %Masked(&answer.to_string()), "answer of the licensing server");
        answer
    }

    /// Asks whether the server accepts the key, without changing anything: an assignment of nobody. A server that
    /// accepts the key answers [`Answer::Refused`], since a request has to have an address.
    pub async fn try_key(&self, kind: SubscriptionType, id: Uuid, key: &SecretString) -> Answer {
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
        let http = match self.http.get_or_init(|| self.connectable()) {
            Ok(http) => http,
            Err(cause) => return Answer::NotSent { cause: cause.clone() },
        };
        let request = http
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
            Err(error) => Answer::Lost { cause: cause_of(error) },
        }
    }

    fn connectable(&self) -> Result<reqwest::Client, String> {
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(retry::never())
            .timeout(self.timeout)
            .connect_timeout(self.timeout.min(CONNECT_TIMEOUT_MAX))
            .pool_idle_timeout(IDLE_MAX);
        let builder = if self.plain { builder.no_proxy().tls_certs_only([]) } else { self.secured(builder) };
        builder.build().map_err(|error| format!("the HTTP client can't be set up: {}", cause_of(error)))
    }

    /// For a server that is not on this machine. One that is has neither: a proxy would see the key in clear, and a
    /// bare container has no certificates.
    fn secured(&self, builder: ClientBuilder) -> ClientBuilder {
        let mut builder = builder.https_only(true);
        if !self.certificates.is_empty() {
            builder = builder.tls_certs_merge(self.certificates.iter().cloned());
        }
        if let Some(proxy) = &self.proxy {
            builder = builder.no_proxy().proxy(proxy.clone());
        }
        builder
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

pub(crate) fn proxy(url: &Url) -> Result<Proxy, ClientError> {
    let host = url.host_str().unwrap_or("no host").to_owned();
    Proxy::all(url.clone()).map_err(|cause| ClientError::Proxy { host, cause: cause.without_url() })
}

/// The certificates of a PEM file, at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<Certificate>, ClientError> {
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
        Answer::NotSent { cause: cause_of(error) }
    } else {
        Answer::Lost { cause: cause_of(error) }
    }
}

/// What went wrong and why, in one line, without the URL.
fn cause_of(error: reqwest::Error) -> String {
    chain(&error.without_url())
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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::licensing::wire::Stats;

    const KEY: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
    const DONE: &str =
        r#"{"success":true,"errors":[],"assignmentStats":{"availableLicenses":10,"assignedLicenses":7}}"#;

    /// What the server does with a request that it has read.
    enum Act {
        Answer(String),
        /// Closes the connection.
        Close,
        /// Says nothing more.
        Hang,
    }

    fn answer(status: &str, headers: &str, body: &str) -> Act {
        Act::Answer(format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()))
    }

    /// A server that reads requests and does one act after the other.
    struct Server {
        port: u16,
        connections: Arc<AtomicUsize>,
        requests: Arc<Mutex<Vec<String>>>,
    }

    impl Server {
        async fn start(acts: impl IntoIterator<Item = Act>) -> Server {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = Server { port, connections: Arc::default(), requests: Arc::default() };
            let (connections, requests) = (Arc::clone(&server.connections), Arc::clone(&server.requests));
            let acts = Arc::new(Mutex::new(acts.into_iter().collect::<VecDeque<_>>()));
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::Relaxed);
                    tokio::spawn(serve(stream, Arc::clone(&acts), Arc::clone(&requests)));
                }
            });
            server
        }

        fn client(&self) -> Client {
            Client::new(&licensing(&format!("http://127.0.0.1:{}", self.port))).unwrap()
        }

        fn requests(&self) -> Vec<String> {
            self.requests.lock().unwrap().clone()
        }
    }

    async fn serve(mut stream: TcpStream, acts: Arc<Mutex<VecDeque<Act>>>, requests: Arc<Mutex<Vec<String>>>) {
        while let Some(request) = read_request(&mut stream).await {
            requests.lock().unwrap().push(request);
            let act = acts.lock().unwrap().pop_front();
            match act {
                Some(Act::Answer(text)) => {
                    // The client may have read as much as it wanted.
                    let _ = stream.write_all(text.as_bytes()).await;
                }
                Some(Act::Close) | None => return,
                Some(Act::Hang) => std::future::pending().await,
            }
        }
    }

    async fn read_request(stream: &mut TcpStream) -> Option<String> {
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                    return Some(text);
                }
            }
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
    }

    fn licensing(base_url: &str) -> Licensing {
        Licensing {
            base_url: base_url.parse().unwrap(),
            requests_per_second: 5.0,
            burst: 5,
            concurrency: 8.try_into().unwrap(),
            timeout: Duration::from_secs(20),
            retry_for: Duration::from_secs(30),
            proxy: None,
            ca_file: None,
        }
    }

    async fn assign(client: &Client) -> Answer {
        let addresses = [Address::parse("Jane@Contoso.com").unwrap(), Address::parse("bob@contoso.com").unwrap()];
        client.send(SubscriptionType::Paddle, Uuid::nil(), &KEY.into(), Operation::Assign, &addresses).await
    }

    #[tokio::test]
    async fn a_request_goes_out_as_documented_and_connections_are_used_again() {
        let server = Server::start([answer("200 OK", "", DONE), answer("200 OK", "", DONE)]).await;
        let client = server.client();
        let stats = Some(Stats { available: 10, assigned: 7 });
        assert_eq!(assign(&client).await, Answer::Done { stats });
        let removed = [Address::parse("bob@contoso.com").unwrap()];
        let answer =
            client.send(SubscriptionType::Manual, Uuid::nil(), &KEY.into(), Operation::Unassign, &removed).await;
        assert_eq!(answer, Answer::Done { stats });
        let requests = server.requests();
        let lines: Vec<_> = requests.iter().map(|request| request.lines().next().unwrap()).collect();
        assert_eq!(
            lines,
            [
                "PUT /api/manage/Paddle/00000000-0000-0000-0000-000000000000 HTTP/1.1",
                "DELETE /api/manage/Manual/00000000-0000-0000-0000-000000000000 HTTP/1.1"
            ]
        );
        assert!(requests[0].contains("content-type: application/json\r\n"));
        assert!(requests[0].contains(concat!("user-agent: rosterd/", env!("CARGO_PKG_VERSION"))));
        assert!(
            requests[0].ends_with(&format!(r#"{{"apiKey":"{KEY}","emails":["Jane@Contoso.com","bob@contoso.com"]}}"#))
        );
        assert!(requests[1].ends_with(&format!(r#"{{"apiKey":"{KEY}","emails":["bob@contoso.com"]}}"#)));
        assert_eq!(server.connections.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn trying_a_key_names_nobody() {
        let server = Server::start([answer("400 Bad Request", "", r#"{"success":false,"errors":["nobody"]}"#)]).await;
        let answer = server.client().try_key(SubscriptionType::Azure, Uuid::nil(), &KEY.into()).await;
        assert_eq!(answer, Answer::Refused { errors: vec!["nobody".into()], stats: None });
        assert!(server.requests()[0].starts_with("PUT /api/manage/Azure/"));
        assert!(server.requests()[0].ends_with(r#""emails":[]}"#));
    }

    #[tokio::test]
    async fn no_redirect_is_followed() {
        for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
            let elsewhere = Server::start([answer("200 OK", "", DONE)]).await;
            let target = format!("http://127.0.0.1:{}/elsewhere", elsewhere.port);
            let server = Server::start([answer(status, &format!("location: {target}\r\n"), "")]).await;
            let status = status[..3].parse().unwrap();
            assert_eq!(assign(&server.client()).await, Answer::Redirect { status, target });
            assert_eq!(elsewhere.connections.load(Ordering::Relaxed), 0);
        }
    }

    #[tokio::test]
    async fn retry_after_is_read() {
        let server = Server::start([answer("429 Too Many", "retry-after: 7\r\n", "slow down")]).await;
        let (retry_after, words) = (Some(Duration::from_secs(7)), "slow down".to_owned());
        assert_eq!(assign(&server.client()).await, Answer::Busy { status: 429, retry_after, words });
    }

    #[tokio::test]
    async fn without_a_connection_nothing_was_sent() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let client = Client::new(&licensing(&format!("http://127.0.0.1:{free}"))).unwrap();
        let Answer::NotSent { cause } = assign(&client).await else { panic!("it was not sent") };
        assert!(cause.contains("onnection refused"), "{cause}");
        assert!(!cause.contains("http://") && !cause.contains('\n'), "{cause}");
    }

    #[tokio::test]
    async fn a_connection_that_is_cut_leaves_the_request_in_doubt_and_it_is_not_sent_again() {
        for acts in [vec![Act::Close], vec![answer("200 OK", "", DONE), Act::Close]] {
            let sent = acts.len();
            let server = Server::start(acts).await;
            let client = server.client();
            for _ in 1..sent {
                assert!(matches!(assign(&client).await, Answer::Done { .. }));
            }
            let answer = assign(&client).await;
            assert!(matches!(answer, Answer::Lost { .. }), "{answer:?}");
            assert_eq!(server.requests().len(), sent);
        }
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_leaves_the_request_in_doubt() {
        let half = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"success\":true";
        for act in [Act::Hang, Act::Answer(half.to_owned())] {
            let server = Server::start([act]).await;
            let base_url = format!("http://127.0.0.1:{}", server.port);
            let client =
                Client::new(&Licensing { timeout: Duration::from_millis(300), ..licensing(&base_url) }).unwrap();
            let answer = assign(&client).await;
            let Answer::Lost { cause } = &answer else { panic!("it was sent: {answer:?}") };
            assert!(cause.contains("timed out"), "{cause}");
        }
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut() {
        let body = "x".repeat(BODY_BYTES_MAX * 3);
        let server = Server::start([answer("200 OK", "", &body)]).await;
        let answer = assign(&server.client()).await;
        assert!(matches!(answer, Answer::Strange { status: 200, .. }), "{answer:?}");
    }

    #[tokio::test]
    async fn a_key_that_is_echoed_is_not_shown() {
        let server = Server::start([answer("404 Not Found", "", &format!(r#"{{"errors":["no key {KEY}"]}}"#))]).await;
        let answer = assign(&server.client()).await;
        assert!(matches!(answer, Answer::KeyRefused { status: 404, .. }));
        assert!(!answer.to_string().contains(KEY));
    }

    #[tokio::test]
    async fn what_is_for_this_machine_goes_through_no_proxy() {
        let server = Server::start([answer("200 OK", "", DONE)]).await;
        let proxy = Server::start([]).await;
        let mut settings = licensing(&format!("http://127.0.0.1:{}", server.port));
        settings.proxy = Some(format!("http://127.0.0.1:{}", proxy.port).parse().unwrap());
        assert!(matches!(assign(&Client::new(&settings).unwrap()).await, Answer::Done { .. }));
        assert_eq!(proxy.connections.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_proxy_is_asked_for_a_tunnel_and_its_password_is_not_shown() {
        let proxy = Server::start([answer("407 Proxy Authentication Required", "", "")]).await;
        let mut settings = licensing("https://licensing.example");
        settings.proxy = Some(format!("http://user:hunter2@127.0.0.1:{}", proxy.port).parse().unwrap());
        let client = Client::new(&settings).unwrap();
        let answer = assign(&client).await;
        let Answer::NotSent { cause } = &answer else { panic!("there was no tunnel: {answer:?}") };
        assert!(proxy.requests()[0].starts_with("CONNECT licensing.example:443 "));
        assert!(!cause.contains("hunter2") && !format!("{client:?}").contains("hunter2"), "{cause}");
    }

    #[test]
    fn the_key_never_goes_out_in_clear() {
        let error = Client::new(&licensing("http://licensing.example")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`base_url`: the API key would go to licensing.example in clear; only https:// is allowed there"
        );
        for local in ["http://localhost:1", "http://127.1.2.3:1", "http://[::1]:1"] {
            assert!(Client::new(&licensing(local)).is_ok(), "{local}");
        }
    }

    #[test]
    fn a_bad_ca_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("corporate-ca.pem");
        let why = || {
            let settings = Licensing { ca_file: Some(path.clone()), ..licensing("https://licensing.example") };
            let error = Client::new(&settings).unwrap_err();
            error.to_string().replace(&folder.path().display().to_string(), "")
        };
        assert_eq!(
            why(),
            "`ca_file`: /corporate-ca.pem can't be read; correct the path, or give the user that runs rosterd the right to read it"
        );
        std::fs::write(&path, "not a certificate").unwrap();
        assert_eq!(
            why(),
            "`ca_file`: /corporate-ca.pem holds no certificate; it should have a `-----BEGIN CERTIFICATE-----`"
        );
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n").unwrap();
        assert_eq!(why(), "`ca_file`: /corporate-ca.pem is not a file of certificates in PEM form");
    }
}
