//! How one source is watched and looked at, and how a look is given up that would never end or come too late.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Hint;
use super::schedule::next_run;
use crate::clock::{self, Stopwatch, Timestamp};
use crate::config::{self, Source, SourceKind};
use crate::intake::{self, Files, Intake, Memory};
use crate::ledger::handle::LedgerHandle;
use crate::ledger::{LedgerError, Owner};
use crate::outside::Host;
use crate::pass::World;
use crate::source::Push;
use crate::source::ldap::connect::few::Few;
use crate::source::ldap::connect::listen::Listener;
use crate::source::ldap::push::Wanted;
use crate::source::watch::Watcher;
use crate::telemetry::chain;

/// One look at a time has the eye, and may have it for ever.
#[derive(Default)]
pub(super) struct Eye {
    open: Arc<Mutex<Open>>,
    /// Of the looks that have begun: once it is cancelled they change nothing any more.
    end: CancellationToken,
    /// Whoever listens does so until it is cancelled, though a look that hangs may keep the rest of the eye.
    gone: CancellationToken,
}

impl Drop for Eye {
    fn drop(&mut self) {
        self.gone.cancel();
    }
}

/// What whoever listens to a directory needs beside it.
struct Around {
    hints: mpsc::Sender<Hint>,
    /// Closed once the eye is gone: another one may note what it hears by then.
    ledger: LedgerHandle,
    owner: Owner,
    stop: CancellationToken,
}

impl Around {
    fn new(world: &World, hints: mpsc::Sender<Hint>, gone: &CancellationToken) -> Around {
        let ledger = world.outside.ledger.until(gone.clone());
        Around { hints, ledger, owner: world.owner.clone(), stop: gone.clone() }
    }

    fn listener(&self, name: &str, ldap: config::Ldap, wake: impl Fn() + Send + 'static) -> io::Result<Listener> {
        let (ledger, owner, source) = (self.ledger.clone(), self.owner.clone(), name.to_owned());
        let note = move |push: Push| {
            let (owner, source) = (owner.clone(), source.clone());
            // Only for whoever asks how things stand: a ledger that fails says so at the next look.
            drop(ledger.blocking_with(move |ledger| ledger.note_push(&source, &push, &owner, clock::now())));
        };
        Listener::start(name, ldap, self.stop.clone(), wake, note)
    }
}

#[derive(Default)]
struct Open {
    memory: Memory,
    watcher: Option<Watcher>,
    listener: Option<Listener>,
    /// Where those are looked at of whom a directory tells.
    few: Few,
    /// When it was last looked at everything.
    looked_at: Option<Timestamp>,
    /// Whether it has been tried to watch.
    tried: bool,
}

impl Eye {
    /// What watches the source, where that was not tried before. Blocks.
    pub(super) fn watch(
        &self,
        world: &World,
        source: Source,
        hints: mpsc::Sender<Hint>,
    ) -> impl FnOnce() + Send + 'static {
        let (open, around) = (Arc::clone(&self.open), Around::new(world, hints, &self.gone));
        move || open.lock().unwrap_or_else(PoisonError::into_inner).watch(&source, &around)
    }

    /// What looks at the source, and what tells whether the look was given up meanwhile: then the ledger was closed to it
    /// from that moment on, so that it can't come after a look that knows better. Blocks.
    pub(super) fn look(
        &self,
        world: &World,
        source: Source,
        hints: mpsc::Sender<Hint>,
    ) -> (impl FnOnce() -> Result<Vec<Intake>, LedgerError> + Send + 'static, CancellationToken) {
        let (open, around) = (Arc::clone(&self.open), Around::new(world, hints, &self.gone));
        let (ledger, client) = (world.outside.ledger.until(self.end.clone()), Arc::clone(&world.outside.client));
        let world = World { outside: Host { ledger, client }, ..world.clone() };
        let look = move || {
            let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
            open.watch(&source, &around);
            open.look(&world, source)
        };
        (look, self.end.clone())
    }

    /// Gives up the looks that have begun.
    pub(super) fn give_up(&mut self) {
        self.end.cancel();
        self.end = CancellationToken::new();
    }
}

impl Open {
    /// An event is only a hint: where nothing can be watched, the timed looks remain.
    fn watch(&mut self, source: &Source, around: &Around) {
        if std::mem::replace(&mut self.tried, true) {
            return;
        }
        let (name, hints) = (source.name.clone(), around.hints.clone());
        let stirred = move || drop(hints.try_send(Hint::Stirred(name.clone())));
        let told = match &source.kind {
            SourceKind::Csv(csv) => Watcher::new(&csv.path, csv.watch, stirred)
                .map(|watcher| self.watcher = Some(watcher))
                .map_err(|cause| chain(&cause)),
            SourceKind::Ldap(ldap) if ldap.push => {
                let listener = around.listener(&source.name, ldap.clone(), stirred);
                self.memory.remember_lists();
                listener.map(|listener| self.listener = Some(listener)).map_err(|cause| {
                    format!("can't be listened to, so it is looked at by schedule alone: the system gives no thread ({cause})")
                })
            }
            SourceKind::Ldap(_) => Ok(()),
        };
        if let Err(why) = told {
            warn!(source = %source.name, "{}: {why}", source.name);
        }
    }

    fn look(&mut self, world: &World, mut source: Source) -> Result<Vec<Intake>, LedgerError> {
        // A folder that was made again is watched again.
        if let Some(Err(cause)) = self.watcher.as_mut().map(Watcher::refresh) {
            warn!(source = %source.name, "{}: {}", source.name, chain(&cause));
            self.watcher = None;
        }
        let began = Stopwatch::start();
        let intakes = if let Some(intake) = self.touch(world, &mut source)? {
            Ok(vec![intake])
        } else {
            self.looked_at = Some(clock::now());
            intake::take_in(&world.config, &world.outside, &source, &mut self.memory, Files::PutAway)
        };
        if let Some(listener) = &self.listener {
            let went_well = |intake: &Intake| !matches!(intake, Intake::Refused(_));
            listener.looked(began.elapsed(), intakes.as_ref().is_ok_and(|intakes| intakes.iter().all(went_well)));
        }
        intakes
    }

    /// Looks at those alone of whom the directory tells, where it tells of nothing else and that is enough.
    fn touch(&mut self, world: &World, source: &mut Source) -> Result<Option<Intake>, LedgerError> {
        let (Some(listener), SourceKind::Ldap(ldap)) = (&self.listener, &mut source.kind) else { return Ok(None) };
        listener.prefer(ldap);
        let wanted = listener.take();
        let due = self.looked_at.map(|at| next_run(&source.name, &ldap.schedule, at));
        let is_due = due.is_none_or(|due| due.is_some_and(|due| due <= clock::now()));
        match wanted {
            Wanted::These(told) if !is_due => {
                intake::touch::told(&world.config, &world.outside, source, &told, &mut self.memory, &mut self.few)
            }
            _ => Ok(None),
        }
    }
}
