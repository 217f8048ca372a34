//! A thread that listens at a directory: it keeps a connection of its own, has the source looked at when something may
//! have changed, and comes back when it is lost. What is heard means is decided in [`push`](super::super::push).
//!
//! That nothing can be heard makes no reading less whole: the source is looked at by schedule, as without.

use std::convert::Infallible;
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
use crate::source::ldap::closed::Closed;
use crate::source::ldap::directory::{Asked, Ended, Item};
use crate::source::ldap::push::{
    Ear, Heard, Manner, Meaning, NOTIFY, Pace, Wanted, Watch, again, cookie, is_refused_cookie, why,
};
use crate::source::ldap::server::{self, Server};
use crate::source::{Incomplete, Push};

/// What does not pass by itself is tried again after this: it may have been set up otherwise.
const SET_UP_AGAIN: Duration = Duration::from_hours(1);
/// A connection that held for so long was a good one.
const HELD: Duration = Duration::from_mins(1);
/// Why nobody is told of changes where no server is able to.
const NOT_OFFERED: &str = "The directory tells nobody of changes (OpenLDAP does with its overlay syncprov).";

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
    /// Begins to listen, until `stop` is cancelled. `wake` is called on a thread of its own whenever something may have
    /// changed, and `note` there when it is another server that tells of changes, or none, or for another reason.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        name: &str,
        config: config::Ldap,
        stop: CancellationToken,
        wake: impl Fn() + Send + 'static,
        note: impl Fn(Push) + Send + 'static,
    ) -> std::io::Result<Listener> {
        let listener = Listener { stop, state: Arc::default(), well: Arc::default() };
        let mut listening = Listening {
            name: name.to_owned(),
            config,
            stop: listener.stop.clone(),
            state: Arc::clone(&listener.state),
            well: Arc::clone(&listener.well),
            wake: Box::new(wake),
            note: Box::new(note),
            since: Stopwatch::start(),
            pace: Pace::default(),
            said: None,
        };
        thread::Builder::new().name("listen".to_owned()).spawn(move || listening.go_on())?;
        Ok(listener)
    }

    /// Puts the server that tells of changes before the others, which may not know of them yet.
    pub fn prefer(&self, config: &mut config::Ldap) {
        config.first.clone_from(&lock(&self.state).server);
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
    note: Box<dyn Fn(Push) + Send>,
    since: Stopwatch,
    /// For all connections, one after the other.
    pace: Pace,
    /// What was said last to be wrong.
    said: Option<String>,
}

/// Why listening at a server came to an end.
enum End {
    /// It was to.
    Stopped,
    /// The server tells nobody of changes.
    NotOffered,
    /// It does not begin from its own state.
    CookieRefused,
    /// It may have ceased to tell, though the connection lives.
    Doubted,
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
                match self.until_the_end(&url) {
                    End::Stopped => return,
                    End::NotOffered | End::CookieRefused | End::Doubted => {}
                    End::Broken(why) => {
                        passing |= why.passing;
                        reasons.push(why.reason);
                    }
                    End::Closed(why) => {
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
            // What was heard last is not kept for the next connection, which may not come soon.
            if self.pace.is_due_soon(self.since.elapsed()) {
                self.look();
            }
            failures = if self.since.elapsed().saturating_sub(began) > HELD { 1 } else { failures.saturating_add(1) };
            let wait = if passing { again(failures, fastrand::f64()) } else { SET_UP_AGAIN };
            let until_well = !passing && !reasons.is_empty();
            self.say(reasons, passing.then_some(wait));
            self.rest(wait, until_well);
        }
    }

    /// Listens at one server as long as there is a way to. It begins from the server's own state, or with all that there
    /// is; and it begins again where it is in doubt.
    fn until_the_end(&mut self, url: &Url) -> End {
        let mut with_cookie = true;
        loop {
            // A panic is said by itself, and is one more way in which a connection ends.
            let defect = |_| Err(End::Broken(Incomplete::passing("A defect in rosterd ended it.")));
            match catch_unwind(AssertUnwindSafe(|| self.at(url, with_cookie))).unwrap_or_else(defect) {
                Ok(never) => match never {},
                Err(End::CookieRefused) => with_cookie = false,
                Err(End::Doubted) => with_cookie = true,
                Err(end) => return end,
            }
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
    fn say(&mut self, mut reasons: Vec<String>, wait: Option<Duration>) {
        // DNS names servers in another order each time.
        reasons.sort_unstable();
        let (name, reason) = (&self.name, reasons.join(" "));
        if self.said.as_ref() == Some(&reason) {
            return;
        }
        (self.note)(Push::Not(if reasons.is_empty() { NOT_OFFERED.to_owned() } else { reason.clone() }));
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
    fn at(&mut self, url: &Url, with_cookie: bool) -> Result<Infallible, End> {
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
                Manner::Sync => sync(&mut connection, &watch, with_cookie, &mut asked)?,
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
        let mut hearing = Hearing { connection, ear, manner, url, with_cookie };
        // What is sent after the searches is answered when these are known.
        let changes = changes(&mut hearing.connection, manner)?;
        let meaning = changes.and_then(|changes| hearing.ear.count(changes));
        self.note(meaning, &hearing);
        self.hear(&mut hearing, heard)
    }

    fn hear(&mut self, hearing: &mut Hearing<'_>, mut heard: mpsc::Receiver<Told>) -> Result<Infallible, End> {
        let mut beat = self.since.elapsed() + hearing.manner.beat();
        loop {
            let now = self.since.elapsed();
            self.pace.spent(std::mem::take(&mut lock(&self.state).spent), now);
            let due = self.pace.due();
            if due.is_some_and(|due| due <= now) {
                if self.pace.begins_again(now) {
                    return Err(End::Doubted);
                }
                self.look();
                continue;
            }
            if beat <= now {
                beat = now + hearing.manner.beat();
                let changes = changes(&mut hearing.connection, hearing.manner)?;
                trace!(source = %self.name, ?changes, "the server is there");
                let meaning = changes.and_then(|changes| hearing.ear.count(changes));
                self.note(meaning, hearing);
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
                Ok(Some(Told::End(end))) => return Err(hearing.ended(&end)),
                Ok(None) => return Err(hearing.ended(&Err(LdapError::EndOfStream))),
                // It is time for something else.
                Err(_) => {}
            }
        }
    }

    /// Has it looked at for what was heard.
    fn look(&mut self) {
        lock(&self.state).wanted.add(self.pace.wake(self.since.elapsed()));
        trace!(source = %self.name, "looked at for it");
        (self.wake)();
    }

    fn note(&mut self, meaning: Option<Meaning>, hearing: &Hearing<'_>) {
        let Some(meaning) = meaning else { return };
        self.pace.note(meaning, self.since.elapsed());
        let mut state = lock(&self.state);
        if hearing.ear.has_begun() && state.server.as_ref() != Some(hearing.url) {
            state.server = Some(hearing.url.clone());
            self.said = None;
            let (name, server) = (&self.name, &hearing.connection.server);
            info!(source = %name, "{name}: is told of changes by {server}");
            drop(state);
            (self.note)(Push::By(server.clone()));
        }
    }
}

/// One connection that listens, and what has come of it.
struct Hearing<'a> {
    connection: Connection,
    ear: Ear,
    manner: Manner,
    url: &'a Url,
    /// Whether it began from the server's state.
    with_cookie: bool,
}

impl Hearing<'_> {
    fn ended(&self, end: &Result<Ended, LdapError>) -> End {
        let fragment = match end {
            Ok(ended) if self.with_cookie && is_refused_cookie(ended) => return End::CookieRefused,
            Ok(ended) => why(ended),
            Err(error) => words(error),
        };
        End::Broken(Incomplete::passing(format!("{} {fragment}.", self.connection.server)))
    }
}

/// Asks to be told from the directory's present state on, or of all that there is first.
fn sync(
    connection: &mut Connection,
    watch: &Watch,
    with_cookie: bool,
    asked: &mut Asked,
) -> Result<RawControl, Incomplete> {
    let what = "the state of the directory";
    let state = server::entry(connection, watch.base.text(), &["contextCSN"], what, asked)?;
    let states: Vec<&str> = state.iter().flat_map(|state| state.texts("contextCSN")).collect();
    let cookie = cookie(&states).filter(|_| with_cookie);
    let request = SyncRequest { mode: RefreshMode::RefreshAndPersist, cookie, reload_hint: false };
    Ok(RawControl { crit: true, ..request.into() })
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
