//! A thread that listens at a directory: it keeps a connection of its own, has the source looked at when something may
//! have changed, and comes back when it is lost. What is heard means is decided in [`push`](super::super::push).
//!
//! That nothing can be heard makes no reading less whole: the source is looked at by schedule, as without.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use ldap3::controls::Control;
use ldap3::controls::{
    ControlType, EntryState, RawControl, RefreshMode, SyncInfo, SyncRequest, SyncState, parse_syncinfo,
};
use ldap3::{Ldap, LdapError, ResultEntry, SearchOptions};
use reqwest::Url;
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, trace, warn};

use super::{Connection, ENTRIES_WAITING_MAX, ended, entry, servers, words};
use crate::clock::Stopwatch;
use crate::config;
use crate::source::Incomplete;
use crate::source::ldap::closed::Closed;
use crate::source::ldap::directory::{Asked, Ended, Item};
use crate::source::ldap::push::{
    Ear, Heard, Manner, Meaning, NOTIFY, Pace, Wanted, Watch, again, cookie, is_refused_cookie, why,
};
use crate::source::ldap::server::{self, Server};

/// What does not pass by itself is tried again after this: it may have been set up otherwise.
const SET_UP_AGAIN: Duration = Duration::from_hours(1);
/// A connection that held for so long was a good one.
const HELD: Duration = Duration::from_mins(1);

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Listener {
    stop: CancellationToken,
    state: Arc<Mutex<State>>,
    well: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    /// Where it listens.
    server: Option<Url>,
    /// For how long it was looked, since that was asked last.
    spent: Duration,
    /// What is to be looked at.
    wanted: Wanted,
}

impl Listener {
    /// Begins to listen; `wake` is called on a thread of its own whenever something may have changed.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(name: &str, config: config::Ldap, wake: impl Fn() + Send + 'static) -> std::io::Result<Listener> {
        let listener = Listener { stop: CancellationToken::new(), state: Arc::default(), well: Arc::default() };
        let mut listening = Listening {
            name: name.to_owned(),
            config,
            stop: listener.stop.clone(),
            state: Arc::clone(&listener.state),
            well: Arc::clone(&listener.well),
            wake: Box::new(wake),
            since: Stopwatch::start(),
            without_cookie: false,
            said: None,
        };
        thread::Builder::new().name("listen".to_owned()).spawn(move || listening.go_on())?;
        Ok(listener)
    }

    /// Puts the server that tells of changes before the others, which may not know of them yet; one that DNS named is
    /// asked alone, as long as it tells.
    pub fn prefer(&self, config: &mut config::Ldap) {
        let Some(server) = lock(&self.state).server.clone() else { return };
        match config.urls.iter().position(|url| *url == server) {
            Some(at) if !config.discover => config.urls[..=at].rotate_right(1),
            _ => (config.urls, config.discover) = (vec![server], false),
        }
    }

    /// What was told that nobody has looked at: whoever takes it looks at it.
    pub fn take(&self) -> Wanted {
        std::mem::take(&mut lock(&self.state).wanted)
    }

    /// A look took so long; whether the directory could be read.
    pub fn looked(&self, took: Duration, well: bool) {
        lock(&self.state).spent += took;
        if well {
            self.well.notify_one();
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Listening {
    name: String,
    config: config::Ldap,
    stop: CancellationToken,
    state: Arc<Mutex<State>>,
    /// The directory could be read.
    well: Arc<Notify>,
    wake: Box<dyn Fn() + Send>,
    since: Stopwatch,
    /// The last one was refused.
    without_cookie: bool,
    /// What was said last to be wrong.
    said: Option<String>,
}

/// Why listening at a server came to an end.
enum End {
    /// It was to.
    Stopped,
    /// The server tells nobody of changes.
    NotOffered,
    Broken(Incomplete),
    /// So would every other one: an account is locked after a few wrong passwords.
    Closed(Incomplete),
}

impl From<Closed> for End {
    fn from(Closed { why, elsewhere }: Closed) -> End {
        if elsewhere { End::Broken(why) } else { End::Closed(why) }
    }
}

impl From<Incomplete> for End {
    fn from(why: Incomplete) -> End {
        End::Broken(why)
    }
}

impl Listening {
    /// Listens at the first server that tells of changes, again and again.
    fn go_on(&mut self) {
        let mut failures = 0_u32;
        while !self.stop.is_cancelled() {
            let began = self.since.elapsed();
            let (mut reasons, mut passing) = (Vec::new(), false);
            for url in self.servers(&mut reasons, &mut passing) {
                // A panic is said by itself, and is one more way in which a connection ends.
                let defect = |_| Err(End::Broken(Incomplete::passing("A defect in rosterd ended it.")));
                match catch_unwind(AssertUnwindSafe(|| self.at(&url))).unwrap_or_else(defect) {
                    Err(End::Stopped) | Ok(()) => return,
                    Err(End::NotOffered) => {}
                    Err(End::Broken(why)) => {
                        passing |= why.passing;
                        reasons.push(why.reason);
                    }
                    Err(End::Closed(why)) => {
                        passing |= why.passing;
                        reasons.push(why.reason);
                        break;
                    }
                }
                if lock(&self.state).server.take().is_some() {
                    // It was lost; the first one is tried first again.
                    break;
                }
            }
            failures = if self.since.elapsed().saturating_sub(began) > HELD { 1 } else { failures.saturating_add(1) };
            let wait = if passing { again(failures, fastrand::f64()) } else { SET_UP_AGAIN };
            self.say(&reasons, passing.then_some(wait));
            self.rest(wait, !passing && !reasons.is_empty());
        }
    }

    /// All that may be listened to, in turn.
    fn servers(&self, reasons: &mut Vec<String>, passing: &mut bool) -> Vec<Url> {
        let mut all = Vec::new();
        for url in &self.config.urls {
            match servers(&self.config, url, None) {
                Ok(servers) => all.extend(servers),
                Err(why) => {
                    *passing |= why.passing;
                    reasons.push(why.reason);
                }
            }
        }
        all
    }

    /// Once for each reason. It is tried again after `wait`, or when something has been mended.
    fn say(&mut self, reasons: &[String], wait: Option<Duration>) {
        let (name, reason) = (&self.name, reasons.join(" "));
        if self.said.as_ref() == Some(&reason) {
            return;
        }
        if reasons.is_empty() {
            info!(source = %name, "{name}: the directory tells nobody of changes; it is looked at by schedule alone");
        } else {
            let again = match wait {
                Some(wait) => {
                    let wait = Duration::from_secs(wait.as_secs().max(1));
                    format!("in about {}", humantime::format_duration(wait))
                }
                None => "when it can be read again".to_owned(),
            };
            let rest = "until then it is looked at by schedule alone";
            warn!(source = %name, "{name}: is not told of changes now; that is tried again {again}, and {rest}. {reason}");
        }
        self.said = Some(reason);
    }

    /// Waits, unless it is to stop, or until the directory can be read where that is waited for: an account that tries a
    /// wrong password again and again is locked.
    fn rest(&self, wait: Duration, until_well: bool) {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else {
            return thread::park_timeout(wait);
        };
        let over = async {
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.well.notified(), if until_well => {}
                () = sleep(wait) => {}
            }
        };
        runtime.block_on(over);
    }

    /// Listens at one server, until that ends.
    fn at(&mut self, url: &Url) -> Result<(), End> {
        let mut connection = Connection::open(&self.config, url)?;
        connection.deadline = None;
        let mut asked = Asked::default();
        let server = Server::ask(&mut connection, self.config.flavor, &mut asked)?;
        let root = server::entry(&mut connection, "", &["supportedControl"], "the root DSE", &mut asked)?;
        let manner = root.and_then(|root| Manner::of(&root, &server)).ok_or(End::NotOffered)?;
        let base = server.base(&self.config)?;
        let watches = Watch::all(manner, &server, &base, &self.config);
        let ear = Ear::new(manner, watches.len());
        let (sender, heard) = mpsc::channel(ENTRIES_WAITING_MAX);
        for watch in watches {
            let control = match manner {
                Manner::Sync => self.sync(&mut connection, &watch, &mut asked)?,
                Manner::Notify => RawControl { ctype: NOTIFY.to_owned(), crit: true, val: None },
            };
            let (ldap, sender) = (connection.ldap.clone(), sender.clone());
            connection.runtime.spawn(async move {
                // The library panics at malformed answers.
                let told = tokio::spawn(follow(ldap, watch, control, sender.clone())).await;
                let _ = sender.send(Told::End(told.unwrap_or(Err(LdapError::DecodingUTF8)))).await;
            });
        }
        drop(sender);
        let mut hearing = Hearing { connection, ear, pace: Pace::default(), manner, url };
        // What is sent after the searches is answered when these are known.
        let changes = changes(&mut hearing.connection, manner)?;
        self.note(changes.and_then(|changes| hearing.ear.count(changes)), &mut hearing);
        self.hear(&mut hearing, heard)
    }

    /// Asks to be told from the directory's present state on.
    fn sync(&self, connection: &mut Connection, watch: &Watch, asked: &mut Asked) -> Result<RawControl, Incomplete> {
        let what = "the state of the directory";
        let state = server::entry(connection, watch.base.text(), &["contextCSN"], what, asked)?;
        let states: Vec<&str> = state.iter().flat_map(|state| state.texts("contextCSN")).collect();
        let cookie = cookie(&states).filter(|_| !self.without_cookie);
        let request = SyncRequest { mode: RefreshMode::RefreshAndPersist, cookie, reload_hint: false };
        Ok(RawControl { crit: true, ..request.into() })
    }

    fn hear(&mut self, hearing: &mut Hearing<'_>, mut heard: mpsc::Receiver<Told>) -> Result<(), End> {
        let mut beat = self.since.elapsed() + hearing.manner.beat();
        loop {
            let now = self.since.elapsed();
            hearing.pace.spent(std::mem::take(&mut lock(&self.state).spent), now);
            let due = hearing.pace.due();
            if due.is_some_and(|due| due <= now) {
                lock(&self.state).wanted.add(hearing.pace.wake(now));
                trace!(source = %self.name, "looked at for it");
                (self.wake)();
                continue;
            }
            if beat <= now {
                beat = now + hearing.manner.beat();
                let changes = changes(&mut hearing.connection, hearing.manner)?;
                trace!(source = %self.name, ?changes, "the server is there");
                self.note(changes.and_then(|changes| hearing.ear.count(changes)), hearing);
                continue;
            }
            let wait = due.map_or(beat, |due| due.min(beat)).saturating_sub(now);
            let next = async {
                tokio::select! {
                    () = self.stop.cancelled() => Err(End::Stopped),
                    told = timeout(wait, heard.recv()) => Ok(told),
                }
            };
            match hearing.connection.runtime.block_on(next)? {
                Ok(Some(Told::Heard(heard))) => {
                    let meaning = hearing.ear.hear(&heard);
                    trace!(source = %self.name, ?meaning, "the server tells of a change");
                    self.note(meaning, hearing);
                }
                Ok(Some(Told::End(end))) => return Err(self.ended(&hearing.connection, &end)),
                Ok(None) => return Err(self.ended(&hearing.connection, &Err(LdapError::EndOfStream))),
                // It is time for something else.
                Err(_) => {}
            }
        }
    }

    fn note(&mut self, meaning: Option<Meaning>, hearing: &mut Hearing<'_>) {
        let Some(meaning) = meaning else { return };
        hearing.pace.note(meaning, self.since.elapsed());
        let mut state = lock(&self.state);
        if hearing.ear.has_begun() && state.server.as_ref() != Some(hearing.url) {
            state.server = Some(hearing.url.clone());
            (self.said, self.without_cookie) = (None, false);
            let (name, server) = (&self.name, &hearing.connection.server);
            info!(source = %name, "{name}: is told of changes by {server}");
        }
    }

    fn ended(&mut self, connection: &Connection, end: &Result<Ended, LdapError>) -> End {
        let fragment = match end {
            Ok(ended) => {
                self.without_cookie = !self.without_cookie && is_refused_cookie(ended);
                why(ended)
            }
            Err(error) => words(error),
        };
        End::Broken(Incomplete::passing(format!("{} {fragment}.", connection.server)))
    }
}

/// One connection that listens, and what has come of it.
struct Hearing<'a> {
    connection: Connection,
    ear: Ear,
    pace: Pace,
    manner: Manner,
    url: &'a Url,
}

/// Whether the server is still there, and what it has counted.
fn changes(connection: &mut Connection, manner: Manner) -> Result<Option<i64>, Incomplete> {
    let attribute = if manner == Manner::Notify { "highestCommittedUSN" } else { "1.1" };
    let root = server::entry(connection, "", &[attribute], "the state of the server", &mut Asked::default())?;
    Ok(root.and_then(|root| root.number(attribute)))
}

/// What comes of a search that goes on.
enum Told {
    Heard(Heard),
    End(Result<Ended, LdapError>),
}

/// One search, as long as it goes on.
async fn follow(
    mut ldap: Ldap,
    watch: Watch,
    control: RawControl,
    told: mpsc::Sender<Told>,
) -> Result<Ended, LdapError> {
    ldap.with_search_options(SearchOptions::new()).with_controls(vec![control]);
    let Watch { base, filter, attributes } = watch;
    let mut stream = ldap.streaming_search(base.text(), ldap3::Scope::Subtree, &filter, attributes).await?;
    while let Some(found) = stream.next().await? {
        if told.send(Told::Heard(heard(found)?)).await.is_err() {
            break;
        }
    }
    Ok(ended(stream.finish().await))
}

fn heard(found: ResultEntry) -> Result<Heard, LdapError> {
    if found.is_intermediate() {
        return Ok(match parse_syncinfo(found) {
            SyncInfo::RefreshDelete { refresh_done: true, .. }
            | SyncInfo::RefreshPresent { refresh_done: true, .. } => Heard::Caught,
            SyncInfo::SyncIdSet { .. } => Heard::Several,
            _ => Heard::Nothing,
        });
    }
    if found.is_ref() {
        return Ok(Heard::Nothing);
    }
    let is_gone = found.1.iter().any(|control| match control {
        Control(Some(ControlType::SyncState), raw) => matches!(raw.parse::<SyncState>().state, EntryState::Delete),
        _ => false,
    });
    match entry(found.0) {
        Some(Item::Entry(entry)) => Ok(Heard::Entry { entry, is_gone }),
        _ => Err(LdapError::DecodingUTF8),
    }
}
