//! A connection to a directory's server, over `ldap3`: what [`Directory`] asks for goes over the wire here, and nothing is
//! decided.
//!
//! A look at a source has a thread of its own, and its connection a small runtime of its own: when the look ends, so do
//! the connection and all that belongs to it. Each request is a task, for the library panics at malformed answers: such a
//! panic is one more way in which an answer does not come to its end.

use std::time::Duration;

use ldap3::asn1::{PL, StructureTag};
use ldap3::controls::{Control, ControlType, PagedResults};
use ldap3::exop::{WhoAmI, WhoAmIResp};
use ldap3::{Ldap, LdapError, LdapResult, SearchOptions};
use reqwest::Url;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::config;
use crate::source::{Incomplete, Reading};
use crate::telemetry::chain;

use super::closed::{Closed, Tried};
use super::directory::{Ask, Broken, Directory, Ended, Item, Page, RawEntry, Scope};
use super::discover::discover;
use super::read::{Settings, read};
use super::schema;
use super::sign_in::sign_in;

pub mod few;
pub mod listen;

/// Entries that wait for the reader, who is quicker than any server.
const ENTRIES_WAITING_MAX: usize = 64;

/// Reads a directory from the first of its servers that can be read.
pub fn look(settings: Settings<'_>) -> Reading {
    let mut tried = Tried::default();
    let Settings { config, known, .. } = settings;
    let first: Vec<Url> = config.first.iter().cloned().collect();
    let others = config.urls.iter().map(|url| {
        let mut servers = servers(config, url, known.map(|known| known.server.as_str()))?;
        servers.retain(|server| !first.contains(server));
        Ok(servers)
    });
    for servers in std::iter::once(Ok(first.clone())).chain(others) {
        let servers = match servers {
            Ok(servers) => servers,
            Err(why) => {
                tried.add(why);
                continue;
            }
        };
        for server in &servers {
            let reading = match Connection::open(config, server) {
                Ok(mut connection) => read(&mut connection, settings),
                Err(closed) if closed.elsewhere => {
                    tried.add(closed.why);
                    continue;
                }
                Err(closed) => Reading::Incomplete(closed.why),
            };
            match reading {
                // What this server can't tell now, another one may.
                Reading::Incomplete(why) if why.passing => tried.add(why),
                Reading::Incomplete(why) => return tried.before(Reading::Incomplete(why)),
                told => {
                    for reason in tried.reasons() {
                        warn!("{reason} The next server was read instead.");
                    }
                    return tried.before(told);
                }
            }
        }
    }
    tried.in_vain()
}

/// The servers that an address stands for: itself, or those of the domain. The one that was read last comes first among
/// its equals.
fn servers(config: &config::Ldap, url: &Url, last: Option<&str>) -> Result<Vec<Url>, Incomplete> {
    if !config.discover {
        return Ok(vec![url.clone()]);
    }
    let domain = shown_url(url);
    let runtime = runtime(&domain)?;
    let found = runtime.block_on(async { timeout(config.connect_timeout, discover(config, url, last)).await });
    runtime.shutdown_background();
    found.unwrap_or_else(|_| {
        Err(Incomplete::passing(format!(
            "DNS did not say within {} (connect_timeout) which servers {domain} has.",
            humantime::format_duration(config.connect_timeout)
        )))
    })
}

fn shown_url(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// What a connection runs on.
fn runtime(server: &str) -> Result<Runtime, Incomplete> {
    let started = tokio::runtime::Builder::new_current_thread().enable_all().build();
    started.map_err(|cause| Incomplete::passing(format!("{server} can't be asked: {cause}.")))
}

/// What is wrong with the attributes that the configuration names, each a sentence, as the first server that can be asked
/// sees it. Nothing where none can be: a reading says so.
pub fn examine(config: &config::Ldap) -> Vec<String> {
    let told = |url: Url| schema::complaints(&mut Connection::open(config, &url).ok()?, config).ok();
    let mut servers = config.urls.iter().flat_map(|url| servers(config, url, None).unwrap_or_default());
    servers.find_map(told).unwrap_or_default()
}

/// A connection that has signed in.
pub struct Connection {
    runtime: Runtime,
    ldap: Ldap,
    server: String,
    page_timeout: Duration,
    read_timeout: Duration,
    /// When the whole reading has to be over; `None`: it stays.
    deadline: Option<Instant>,
    /// After an answer that did not come to its end nothing more is asked: the rest of it may still come.
    is_broken: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Connection {
    /// Ends it at once, also where nothing may wait: a runtime that is dropped there is a panic.
    fn close(self) {
        self.runtime.shutdown_background();
    }

    /// Connects, turns to TLS where that is configured, and signs in.
    ///
    /// # Errors
    /// When one of these fails, with what to do about it.
    pub fn open(config: &config::Ldap, url: &Url) -> Result<Connection, Closed> {
        let server = shown_url(url);
        let limit = config.connect_timeout;
        let runtime = runtime(&server).map_err(Closed::here)?;
        let (deadline, opened) = runtime.block_on(async {
            let deadline = Some(Instant::now() + config.read_timeout);
            (deadline, timeout(limit, sign_in(config, url, &server)).await)
        });
        let opened = opened.unwrap_or_else(|_| {
            Err(Closed::here(Incomplete::passing(format!(
                "{server} did not let rosterd connect and sign in within {} (connect_timeout). Is its port right, for TLS or without it as configured, and may this machine reach it?",
                humantime::format_duration(limit)
            ))))
        });
        let ldap = match opened {
            Ok(ldap) => ldap,
            Err(closed) => {
                // A name server or a Kerberos server that is waited for is not waited for any more.
                runtime.shutdown_background();
                return Err(closed);
            }
        };
        Ok(Connection {
            runtime,
            ldap,
            server,
            page_timeout: config.page_timeout,
            read_timeout: config.read_timeout,
            deadline,
            is_broken: false,
        })
    }

    fn broken(&mut self, words: String) -> Broken {
        self.is_broken = true;
        Broken(words)
    }

    /// How long the next answer may take.
    fn limit(&self) -> Result<Duration, Broken> {
        if self.is_broken {
            return Err(Broken("is not asked any more after an answer that broke off".to_owned()));
        }
        let Some(deadline) = self.deadline else { return Ok(self.page_timeout) };
        let left = self.runtime.block_on(async { deadline.saturating_duration_since(Instant::now()) });
        if left.is_zero() { Err(Broken(self.too_long())) } else { Ok(left.min(self.page_timeout)) }
    }

    fn too_long(&self) -> String {
        format!("took longer than {} in all (read_timeout)", humantime::format_duration(self.read_timeout))
    }

    fn silent(&self, limit: Duration) -> String {
        if limit < self.page_timeout {
            return self.too_long();
        }
        format!("did not answer within {} (page_timeout)", humantime::format_duration(limit))
    }
}

impl Directory for Connection {
    fn ask(&mut self, ask: &Ask<'_>, each: &mut dyn FnMut(Item)) -> Result<Ended, Broken> {
        let limit = self.limit()?;
        let (sender, mut items) = mpsc::channel(ENTRIES_WAITING_MAX);
        let task = self.runtime.spawn(stream(self.ldap.clone(), Owned::from(ask), sender));
        let whole = async {
            while let Some(item) = items.recv().await {
                each(item);
            }
            task.await
        };
        // The time-out begins within the runtime: a thread that looks at a source has no other.
        let answer = self.runtime.block_on(async { timeout(limit, whole).await });
        match answer {
            Ok(Ok(Ok(ended))) => Ok(ended),
            Ok(Ok(Err(error))) => Err(self.broken(words(&error))),
            Ok(Err(_)) => Err(self.broken("sent something that is no answer".to_owned())),
            Err(_) => {
                let silent = self.silent(limit);
                Err(self.broken(silent))
            }
        }
    }

    fn who_am_i(&mut self) -> Result<Option<String>, Broken> {
        let limit = self.limit()?;
        let mut ldap = self.ldap.clone();
        let task = self.runtime.spawn(async move {
            let (exop, result) = ldap.extended(WhoAmI).await.map(|answer| (answer.0, answer.1))?;
            // Some servers do not know the question.
            let known = result.rc == 0 && exop.val.is_some();
            Ok::<_, LdapError>(known.then(|| exop.parse::<WhoAmIResp>().authzid))
        });
        match self.runtime.block_on(async { timeout(limit, task).await }) {
            Ok(Ok(Ok(name))) => Ok(name.map(|name| shown(&name))),
            Ok(Ok(Err(error))) => Err(self.broken(words(&error))),
            Ok(Err(_)) => Err(self.broken("sent something that is no answer".to_owned())),
            Err(_) => {
                let silent = self.silent(limit);
                Err(self.broken(silent))
            }
        }
    }

    fn server(&self) -> &str {
        &self.server
    }
}

/// `dn:cn=rosterd,…` or `u:CONTOSO\rosterd`, as a person would write it.
fn shown(name: &str) -> String {
    let name = name.strip_prefix("dn:").or_else(|| name.strip_prefix("u:")).unwrap_or(name);
    if name.is_empty() { "nobody (anonymous)".to_owned() } else { name.to_owned() }
}

/// A request that a task can own.
struct Owned {
    base: String,
    scope: ldap3::Scope,
    filter: String,
    attributes: Vec<String>,
    page: Option<PagedResults>,
}

impl From<&Ask<'_>> for Owned {
    fn from(ask: &Ask<'_>) -> Owned {
        let paged = |page: Page<'_>| PagedResults {
            size: i32::try_from(page.size).unwrap_or(i32::MAX),
            cookie: page.cookie.to_vec(),
        };
        Owned {
            base: ask.base.to_owned(),
            scope: match ask.scope {
                Scope::Base => ldap3::Scope::Base,
                Scope::Subtree => ldap3::Scope::Subtree,
            },
            filter: ask.filter.to_owned(),
            attributes: ask.attributes.iter().map(|name| (*name).to_owned()).collect(),
            page: ask.page.map(paged),
        }
    }
}

/// One request and its whole answer. Both are looked at: whether the stream broke off, and how the answer ended.
async fn stream(mut ldap: Ldap, ask: Owned, items: mpsc::Sender<Item>) -> Result<Ended, LdapError> {
    ldap.with_search_options(SearchOptions::new());
    if let Some(page) = ask.page {
        ldap.with_controls(ldap3::controls::RawControl { crit: true, ..page.into() });
    }
    let mut stream = ldap.streaming_search(&ask.base, ask.scope, &ask.filter, ask.attributes).await?;
    while let Some(found) = stream.next().await? {
        if found.is_intermediate() {
            continue;
        }
        let item = if found.is_ref() { reference(found.0) } else { entry(found.0) };
        // Whoever asked waits for the end, or is gone.
        let Some(item) = item else { return Err(LdapError::DecodingUTF8) };
        if items.send(item).await.is_err() {
            break;
        }
    }
    Ok(ended(stream.finish().await))
}

fn ended(result: LdapResult) -> Ended {
    let cookie = result.ctrls.iter().find_map(|control| match control {
        Control(Some(ControlType::PagedResults), raw) => Some(raw.parse::<PagedResults>().cookie),
        _ => None,
    });
    let LdapResult { rc: code, matched, text, refs: referrals, .. } = result;
    Ended { code, matched, text, referrals, cookie }
}

/// An entry from its encoding (RFC 4511, 4.5.2); `None` where it is none.
fn entry(tag: StructureTag) -> Option<Item> {
    let mut parts = constructed(tag)?.into_iter();
    let dn = String::from_utf8(primitive(parts.next()?)?).ok()?;
    let mut attributes = Vec::new();
    for attribute in constructed(parts.next()?)? {
        let mut parts = constructed(attribute)?.into_iter();
        let name = String::from_utf8(primitive(parts.next()?)?).ok()?;
        let values = constructed(parts.next()?)?.into_iter().map(primitive).collect::<Option<Vec<_>>>()?;
        attributes.push((name, values));
    }
    Some(Item::Entry(RawEntry { dn, attributes }))
}

fn reference(tag: StructureTag) -> Option<Item> {
    let urls = constructed(tag)?.into_iter().map(|url| String::from_utf8(primitive(url)?).ok());
    urls.collect::<Option<Vec<_>>>().map(Item::Reference)
}

fn constructed(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(inner) => Some(inner),
        PL::P(_) => None,
    }
}

fn primitive(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(bytes) => Some(bytes),
        PL::C(_) => None,
    }
}

/// What went wrong, as a fragment that fits after the server's name.
pub(super) fn words(error: &LdapError) -> String {
    match error {
        LdapError::EndOfStream
        | LdapError::ResultRecv { .. }
        | LdapError::OpSend { .. }
        | LdapError::IdScrubSend { .. } => "closed the connection".to_owned(),
        LdapError::Io { source } => format!("can't be reached any more ({source})"),
        LdapError::FilterParsing => "was to be asked with a filter that can't be sent".to_owned(),
        LdapError::DecodingUTF8 => "sent something that is no answer".to_owned(),
        error => format!("could not be asked ({})", chain(error)),
    }
}
