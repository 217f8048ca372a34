//! Who may do what: the token, sessions, and who tries too often.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Problem;
use super::session::Sessions;
use super::throttle::Throttle;
use super::viewer::Person;
use crate::clock::Stopwatch;
use crate::config::{KeyMark, SecretRef};
use crate::telemetry::chain;

/// As long as a session can last, in seconds.
const COOKIE_SECONDS: u64 = 12 * 3600;

/// See the module's page.
#[derive(Debug)]
pub(super) struct Access {
    token: Option<SecretRef>,
    /// Nothing but this machine can connect.
    pub(super) is_local: bool,
    is_secure: bool,
    /// Cookies know no ports: two daemons on one machine have one each.
    cookie: String,
    since: Stopwatch,
    sessions: Mutex<Sessions>,
    throttle: Mutex<Throttle>,
}

/// Who sent a request.
#[derive(Debug, Clone)]
pub(super) enum Who {
    Nobody,
    /// Brought the token along.
    Program,
    /// Has a session.
    Person(Person),
}

/// Who sent a request, and from where.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) who: Who,
    pub(super) address: IpAddr,
}

/// Why a token gives nobody any right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Denied {
    /// None is configured.
    NoToken,
    /// What is configured can't be read.
    Unreadable(String),
    /// Wrong ones were tried too often.
    Wait(Duration),
    Wrong,
}

impl Access {
    pub(super) fn new(token: Option<SecretRef>, local: SocketAddr, is_secure: bool) -> Access {
        Access {
            token,
            is_local: local.ip().is_loopback(),
            is_secure,
            cookie: format!("rosterd_{}", local.port()),
            since: Stopwatch::start(),
            sessions: Mutex::default(),
            throttle: Mutex::default(),
        }
    }

    /// Whether there is a token, so that a person can log in.
    pub(super) fn can_log_in(&self) -> bool {
        self.token.is_some()
    }

    /// Who says so by these headers. A token counts before a session.
    pub(super) async fn who(&self, headers: &HeaderMap, from: IpAddr) -> Result<Who, Denied> {
        if let Some(given) = bearer(headers) {
            return self.check(given, from).await.map(|_| Who::Program);
        }
        let Some(id) = self.session_id(headers) else { return Ok(Who::Nobody) };
        let Ok(token) = self.token().await else { return Ok(Who::Nobody) };
        let found = locked(&self.sessions).find(id, token, self.since.elapsed());
        Ok(found.map_or(Who::Nobody, Who::Person))
    }

    /// Begins a session for whoever has the token: the value of the header that gives the cookie.
    pub(super) async fn log_in(&self, given: &str, from: IpAddr) -> Result<String, Denied> {
        let token = self.check(given, from).await?;
        let (Some(id), Some(csrf)) = (random(), random()) else {
            return Err(Denied::Unreadable("the system gives no random numbers".to_owned()));
        };
        locked(&self.sessions).begin(&id, csrf, token, self.since.elapsed());
        Ok(self.set_cookie(&id, COOKIE_SECONDS))
    }

    /// Ends the session: the value of the header that takes the cookie away.
    pub(super) fn log_out(&self, headers: &HeaderMap) -> String {
        if let Some(id) = self.session_id(headers) {
            locked(&self.sessions).end(id);
        }
        self.set_cookie("", 0)
    }

    fn set_cookie(&self, value: &str, seconds: u64) -> String {
        let secure = if self.is_secure { "; Secure" } else { "" };
        format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}", self.cookie)
    }

    fn session_id<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut cookies = lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
        cookies.find(|(name, _)| *name == self.cookie).map(|(_, id)| id)
    }

    /// Two hashes are compared, which takes the same time wherever they differ.
    async fn check(&self, given: &str, from: IpAddr) -> Result<KeyMark, Denied> {
        let token = self.token().await?;
        let (given, who, now) = (KeyMark::of(&given.to_owned().into()), neighbourhood(from), self.since.elapsed());
        // Looked at and noted under one lock: many at once are throttled as one after the other.
        let mut throttle = locked(&self.throttle);
        if let Some(wait) = throttle.wait(&who, now) {
            return Err(Denied::Wait(wait));
        }
        if given != token {
            throttle.wrong(&who, now);
            return Err(Denied::Wrong);
        }
        throttle.right(&who);
        Ok(token)
    }

    /// As it is now: one that was changed counts at once.
    async fn token(&self) -> Result<KeyMark, Denied> {
        let token = self.token.clone().ok_or(Denied::NoToken)?;
        let reading = tokio::task::spawn_blocking(move || token.read().map_err(|error| chain(&error)));
        let read = reading.await.map_err(|error| Denied::Unreadable(error.to_string()))?;
        read.map(|token| KeyMark::of(&token)).map_err(Denied::Unreadable)
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Problem {
        match denied {
            Denied::NoToken => Problem::new(
                StatusCode::FORBIDDEN,
                "Nothing can be done over HTTP without a token: set token = { file = \"web.token\" } in [http], and start \
                 rosterd anew.",
            ),
            Denied::Unreadable(why) => {
                tracing::error!("nobody can log in to the dashboard: {why}");
                let words = "The token that rosterd is configured with can't be read; its log says why.";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, words)
            }
            Denied::Wait(wait) => {
                let seconds = wait.as_secs() + 1;
                let words = format!("Wrong tokens were tried too often from here. Try again in {seconds} s.");
                Problem { retry_after: Some(seconds), ..Problem::new(StatusCode::TOO_MANY_REQUESTS, words) }
            }
            Denied::Wrong => Problem::new(StatusCode::UNAUTHORIZED, "That is not the token."),
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Who counts as one: of the newer addresses anybody has as many as they like.
fn neighbourhood(from: IpAddr) -> String {
    match from.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_string()
        }
    }
}

/// 256 bits that nobody can guess.
fn random() -> Option<String> {
    let mut bytes = [0; 32];
    rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether a form carries what its session asks for; compared as the token is.
pub(super) fn is_csrf(person: &Person, given: &str) -> bool {
    KeyMark::of(&given.to_owned().into()) == KeyMark::of(&person.csrf.clone().into())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
