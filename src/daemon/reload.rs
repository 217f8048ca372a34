//! A configuration that has changed: it is read when its files have stood still for a moment, or when a person asks, and
//! comes into force whole, at one moment, as if the daemon had been started anew with it. One that can't be used is
//! refused whole, and the old one goes on.
//!
//! A pass or a look under way whose configuration is another now is broken off, as at an end of the program: a pass
//! between two requests, a look before it changes anything. The others go on undisturbed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Semaphore;
use tracing::{error, info, warn};

use super::change::Change;
use super::eye::Eye;
use super::notify;
use super::tasks::Tasks;
use super::thread::aside;
use super::{Daemon, SLOW};
use crate::clock::{Stopwatch, Timestamp};
use crate::config::{self, Config, Standing};
use crate::ledger::Trigger;
use crate::licensing::http::Client;
use crate::outside::Host;
use crate::pass::World;
use crate::telemetry::{self, chain};

/// The files have stood still when nothing about them has changed for so long.
const SETTLE: Duration = Duration::from_secs(2);
/// After a look at the files there is a rest of so many times its length: ten thousand files are no load.
const REST: u32 = 50;

/// Requests of a person to read the configuration again: SIGHUP, which no longer ends the process once this is made.
#[derive(Debug)]
pub struct Hangups(Signal);

impl Hangups {
    /// # Errors
    /// When the system gives no signals.
    pub fn new() -> std::io::Result<Hangups> {
        Ok(Hangups(signal(SignalKind::hangup())?))
    }
}

/// The next one; never where there are none.
pub(super) async fn hangup(hangups: &mut Option<Hangups>) -> Option<()> {
    match hangups {
        Some(Hangups(signal)) => signal.recv().await,
        None => std::future::pending().await,
    }
}

/// Why what was read last can't be used, and since when nothing could.
pub(super) type Refused = (String, Timestamp);

/// What the daemon knows of its configuration's files.
pub(super) struct Reload {
    pub(super) hangups: Option<Hangups>,
    watch: Arc<Mutex<Watch>>,
    pub(super) looks: Tasks<Seen>,
    turn: Arc<Semaphore>,
    since: Stopwatch,
    /// No look at the files before this, unless a person asks.
    rests_until: Duration,
    /// A person has asked, and no look has begun since.
    asked: bool,
    /// systemd has been told of a reload that has not ended.
    told: bool,
    /// What was refused last; nothing where what was read last is in force.
    refused: Option<(blake3::Hash, Refused)>,
    /// What has been said to need a new start.
    kept: Vec<String>,
}

impl Reload {
    pub(super) fn new(config: &Config, hangups: Option<Hangups>) -> Reload {
        Reload {
            hangups,
            watch: Arc::new(Mutex::new(Watch::new(config.standing.clone()))),
            looks: Tasks::new(),
            turn: Arc::new(Semaphore::new(1)),
            since: Stopwatch::start(),
            rests_until: Duration::ZERO,
            asked: false,
            told: false,
            refused: None,
            kept: Vec::new(),
        }
    }

    /// Why the configuration in the files, which is another than the one in force, can't be used.
    pub(super) fn refused(&self) -> Option<&Refused> {
        self.refused.as_ref().map(|(_, refused)| refused)
    }
}

/// What a look at the configuration's files gave.
#[derive(Debug)]
pub(super) struct Seen {
    /// How long it took to see that there is nothing to read.
    took: Duration,
    /// `None`: nothing was read.
    read: Option<Reading>,
}

/// What was read.
#[derive(Debug)]
struct Reading {
    asked: bool,
    /// Or why it can't be used.
    usable: Result<(Box<Config>, Client), String>,
    /// Of what was read and what is said of it.
    digest: blake3::Hash,
}

/// How the configuration's files stood, look by look.
struct Watch {
    /// What was read last.
    read: Standing,
    /// What was seen last, and since when.
    seen: Standing,
    since: Duration,
}

impl Watch {
    fn new(read: Standing) -> Watch {
        Watch { seen: read.clone(), read, since: Duration::ZERO }
    }

    /// Whether the files are to be read: they are others than those that were read last, and have stood still. Moments are
    /// counted by a clock that nobody sets.
    fn is_settled(&mut self, found: Standing, now: Duration) -> bool {
        if found != self.seen {
            (self.seen, self.since) = (found, now);
        }
        self.seen != self.read && now.saturating_sub(self.since) >= SETTLE
    }

    /// Whether what was read counts: it is what has stood still. Else it has to stand still first, with the files that are
    /// included now.
    fn counts(&mut self, read: &Standing, asked: bool, now: Duration) -> bool {
        if !asked && *read != self.seen {
            (self.seen, self.since) = (read.clone(), now);
            return false;
        }
        (self.read, self.seen) = (read.clone(), read.clone());
        true
    }

    /// Looks at the files, and reads them where that is called for. Blocks.
    fn look(&mut self, asked: bool, since: Stopwatch) -> Seen {
        let began = since.elapsed();
        let is_settled = self.is_settled(self.seen.now(), began);
        let nothing = Seen { took: since.elapsed().saturating_sub(began), read: None };
        if !is_settled && !asked {
            return nothing;
        }
        let read = config::read(self.read.main());
        if !self.counts(&read.standing, asked, since.elapsed()) {
            return nothing;
        }
        let usable = read.config.map_err(|problems| problems.to_string()).and_then(|config| {
            let client = Client::new(&config.licensing).map_err(|cause| chain(&cause))?;
            Ok((Box::new(config), client))
        });
        let mut digest = blake3::Hasher::new();
        digest.update(read.digest.as_bytes());
        digest.update(usable.as_ref().err().map_or("", String::as_str).as_bytes());
        Seen { read: Some(Reading { asked, usable, digest: digest.finalize() }), ..nothing }
    }
}

impl Daemon {
    /// Looks whether the configuration's files have changed, as often as they are no load.
    pub(super) fn look_at_config(&mut self) {
        let reload = &mut self.reload;
        let rests = reload.since.elapsed() < reload.rests_until && !reload.asked;
        if rests || !reload.looks.is_empty() {
            return;
        }
        let (asked, since, watch) = (std::mem::take(&mut reload.asked), reload.since, Arc::clone(&reload.watch));
        let look = move || watch.lock().unwrap_or_else(PoisonError::into_inner).look(asked, since);
        let look = aside(Arc::clone(&reload.turn), SLOW, look);
        let nothing = Seen { took: SLOW, read: None };
        reload.looks.start("the configuration".to_owned(), async move { look.await.unwrap_or(nothing) });
    }

    /// A person asked for the configuration to be read again. One request stands for all until it is.
    pub(super) fn hung_up(&mut self) {
        self.reload.asked = true;
        self.reload.told = true;
        notify::reloading();
        self.look_at_config();
    }

    pub(super) fn config_seen(&mut self, seen: Seen, now: Timestamp) {
        self.reload.rests_until = self.reload.since.elapsed() + seen.took.saturating_mul(REST);
        if let Some(Reading { asked, usable, digest }) = seen.read {
            match usable {
                Ok((config, client)) => self.accept(*config, client, asked, now),
                Err(why) => {
                    self.signs.put_refused(Some((&why, now)));
                    self.refuse(why, digest, asked, now);
                }
            }
        }
        if self.reload.asked {
            self.look_at_config();
        } else if std::mem::take(&mut self.reload.told) {
            notify::ready();
        }
    }

    /// Said once for each content, and to whoever asks.
    fn refuse(&mut self, why: String, digest: blake3::Hash, asked: bool, now: Timestamp) {
        let known = self.reload.refused.take();
        if asked || known.as_ref().is_none_or(|(known, _)| *known != digest) {
            error!("the configuration has changed and can't be used; rosterd goes on with the old one\n{why}");
        }
        let since = known.map_or(now, |(_, (_, since))| since);
        self.reload.refused = Some((digest, (why, since)));
    }

    fn accept(&mut self, mut config: Config, client: Client, asked: bool, now: Timestamp) {
        let old = Arc::clone(&self.world.config);
        let change = Change::to(&old, &mut config);
        let was_refused = self.reload.refused.take().is_some();
        self.signs.put_refused(None);
        if !change.is_nothing() {
            info!("reloaded: {}", change.words());
        } else if was_refused {
            info!("the configuration can be used again; it says what it said before");
        } else if asked && change.kept.is_empty() {
            info!("the configuration was read again; it says what it said before");
        }
        for kept in change.kept.iter().filter(|kept| asked || !self.reload.kept.contains(kept)) {
            warn!("{kept}");
        }
        for warning in config.warnings.iter().filter(|warning| !old.warnings.contains(warning)) {
            warn!("{warning}");
        }
        self.reload.kept.clone_from(&change.kept);
        self.work_with(config, client, &change);
        self.put_sources(&change, now);
        self.put_subscriptions(&change, now);
    }

    /// What begins from now on works with this configuration.
    fn work_with(&mut self, config: Config, client: Client, change: &Change) {
        self.world.pacer.change(&config.licensing);
        telemetry::show_addresses(config.log.clear_addresses);
        let mut world = World::clone(&self.world);
        if change.way() {
            world.outside = Host { client: Arc::new(client), ..world.outside };
        }
        world.config = Arc::new(config);
        self.signs.put_config(Arc::clone(&world.config));
        self.world = Arc::new(world);
    }

    /// A look whose source is another now, or is named by others, can't come to an end that counts: it is given up, also
    /// where it hangs for ever.
    fn put_sources(&mut self, change: &Change, now: Timestamp) {
        self.wakes.forget(&change.sources.removed, &change.subscriptions.removed);
        for name in &change.sources.removed {
            self.give_up_look(name);
            self.eyes.remove(name);
            self.sources.remove(name);
        }
        for name in change.looked_at_anew() {
            self.give_up_look(name);
        }
        for name in change.sources.changed.keys().chain(&change.sources.added) {
            self.eyes.insert(name.clone(), Eye::default());
        }
        for name in change.looked_at_anew().chain(&change.sources.added) {
            self.sources.renew(name, now, Trigger::Reload);
        }
    }

    fn give_up_look(&mut self, name: &str) {
        if let Some(eye) = self.eyes.get_mut(name) {
            eye.give_up();
        }
        self.sources.give_up(name);
    }

    /// Those that are others now are due as at a start, whatever kept them waiting. What they have waited for may come by
    /// the new configuration: a key, a way to the server.
    fn put_subscriptions(&mut self, change: &Change, now: Timestamp) {
        for name in &change.subscriptions.removed {
            self.break_off(name);
            self.subscriptions.remove(name);
        }
        let changed = change.subscriptions.changed.keys().chain(&change.scopes);
        let all = self.world.config.subscriptions.keys().filter(|_| change.way());
        let others: BTreeSet<String> = changed.chain(&change.subscriptions.added).chain(all).cloned().collect();
        for name in &others {
            self.break_off(name);
            self.subscriptions.renew(name, now + TimeDelta::seconds(1), Trigger::Reload);
        }
        // A look that was given up may have taken in a roster and told nobody.
        let sources: BTreeSet<&String> = change.looked_at_anew().collect();
        let config = Arc::clone(&self.world.config);
        let told = config.subscriptions.values().filter(|it| it.sources.iter().any(|name| sources.contains(name)));
        for subscription in told {
            self.subscriptions.want(&subscription.name, now, Trigger::Reload);
        }
        // What is being looked at is the keys that were configured.
        self.keys = Tasks::new();
    }

    fn break_off(&mut self, name: &str) {
        self.frozen.thaw(name);
        self.troubles.is_over(name);
        if let Some(end) = self.ends.get(name) {
            end.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LEAST: &str = "[log]\n";

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// A folder with a configuration, and a watch that has read it.
    fn watch() -> (tempfile::TempDir, Watch) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("rosterd.toml"), LEAST).unwrap();
        let read = config::read(&folder.path().join("rosterd.toml"));
        (folder, Watch::new(read.standing))
    }

    /// How the files stand after this has been written.
    fn written(folder: &tempfile::TempDir, text: &str) -> Standing {
        fs::write(folder.path().join("rosterd.toml"), text).unwrap();
        config::read(&folder.path().join("rosterd.toml")).standing
    }

    #[test]
    fn a_file_is_read_when_it_has_stood_still() {
        let (folder, mut watch) = watch();
        let first = watch.read.clone();
        assert!(!watch.is_settled(first.clone(), secs(100)), "nothing has changed");
        let second = written(&folder, "[log]\nformat");
        assert!(!watch.is_settled(second.clone(), secs(101)));
        assert!(!watch.is_settled(second, secs(102)));
        let third = written(&folder, "[log]\nformat = \"json\"\n");
        assert!(!watch.is_settled(third.clone(), secs(103)), "it was still being written");
        assert!(watch.is_settled(third.clone(), secs(105)));
        assert!(watch.counts(&third, false, secs(105)));
        assert!(!watch.is_settled(third, secs(999)), "it is read once");
        assert!(!watch.is_settled(first.clone(), secs(1000)));
        assert!(watch.is_settled(first, secs(1002)), "what it was before is news, too");
    }

    #[test]
    fn what_changes_while_it_is_read_or_is_included_since_has_to_stand_still_first() {
        let (folder, mut watch) = watch();
        let second = written(&folder, "include = [\"clients/*.toml\"]\n");
        // The watch does not know yet what is included.
        let found = watch.read.now();
        assert!(!watch.is_settled(found.clone(), secs(10)));
        assert!(watch.is_settled(found, secs(12)));
        assert!(!watch.counts(&second, false, secs(12)), "the included files have not been looked at before");
        assert!(!watch.is_settled(watch.seen.now(), secs(13)));
        assert!(watch.is_settled(watch.seen.now(), secs(14)));
        assert!(watch.counts(&second, false, secs(14)));
    }

    #[test]
    fn whoever_asks_does_not_wait() {
        let (folder, mut watch) = watch();
        let since = Stopwatch::start();
        assert!(watch.look(false, since).read.is_none());
        assert!(watch.look(true, since).read.is_some_and(|read| read.asked && read.usable.is_ok()));
        written(&folder, "[log");
        assert!(watch.look(false, since).read.is_none(), "it may still be written to");
        let refused = watch.look(true, since).read.and_then(|read| read.usable.err());
        assert!(refused.is_some_and(|why| why.contains("rosterd.toml:1")));
    }
}
