//! What a person says: approve, reject, undo, resume, and what else is done to the ledger and the configuration between
//! two passes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use rosterd::address::Address;
use rosterd::clock::Timestamp;
use rosterd::ledger::{Lease, Ledger, LedgerError, MemberState, Owner, Restored};
use rosterd::member::Doubt;
use rosterd::pass::{self, PassError, Reverse};

use crate::host::{Shared, members, name};
use crate::life::Life;
use crate::rules::{Mistake, Rule};
use crate::script::{CLIENTS, Chances, Change};
use crate::setting::configuration;
use crate::truth::{Truth, email};

impl Life {
    pub(crate) fn approve(&self, client: usize) {
        if !self.has(client) {
            return;
        }
        let mut shared = self.hosts[0].lock();
        let now = shared.now();
        let Some(stored) = shared.ledger.subscription(&name(client)).unwrap().hold else { return };
        let until = now + TimeDelta::hours(24);
        shared.ledger.approve(&name(client), &stored.hold, "somebody", until, now).unwrap();
        let approved = stored.hold.removals.iter().map(|removal| removal.address.identity().to_owned());
        shared.truth.approved[client].extend(approved);
    }

    pub(crate) fn reject(&self, client: usize) {
        self.decide(client, |ledger, lease, now, truth| {
            let Some(stored) = ledger.subscription(lease.subscription())?.hold else { return Ok(()) };
            let turned_down = stored.hold.removals.iter().map(|removal| removal.address.identity().to_owned());
            truth.kept[client].extend(turned_down);
            ledger.reject(lease, &stored.hold, "somebody", now)
        });
    }

    pub(crate) fn adopt(&self, client: usize, email: &str) {
        self.decide(client, |ledger, lease, now, truth| {
            let address = Address::parse(email).unwrap();
            ledger.adopt(lease, &[address], "somebody", now)?;
            truth.ours[client].insert(email.to_owned());
            truth.taken[client].insert(email.to_owned());
            Ok(())
        });
    }

    /// Whether it could be said.
    pub(crate) fn retry(&self, client: usize) -> bool {
        self.decide(client, |ledger, lease, now, truth| {
            // What was asked for is done all the same.
            let members = members(ledger, client);
            let is_asked = |email: &String| members.get(email).is_some_and(|it| it.state == MemberState::Unknown);
            truth.undone[client].retain(is_asked);
            ledger.retry(lease, &[], "somebody", now).map(drop)
        })
    }

    /// Somebody's seat is nobody's business any more.
    pub(crate) fn forget(&self, client: usize, person: usize) {
        // What is on its way arrives before it.
        self.hosts[0].lock().deliver(client);
        self.decide(client, |ledger, lease, now, truth| {
            let email = email(person, 0);
            let known = ledger.candidate(lease.subscription(), &[], &email)?.member;
            if known.is_none_or(|member| member.state == MemberState::Unknown) {
                return Ok(());
            }
            ledger.forget(lease, &[Address::parse(&email).unwrap()], "somebody", now)?;
            for about in [&mut truth.ours, &mut truth.given, &mut truth.taken, &mut truth.fallen] {
                about[client].remove(&email);
            }
            Ok(())
        });
    }

    /// The newest run of a client is undone, as far as it still is as it was.
    pub(crate) async fn undo(&mut self, client: usize, chances: &Chances) {
        let Some(reverse) = self.has(client).then(|| self.reverse(client)).flatten() else { return };
        // Who is listed when a person says so decides what is kept.
        self.begin(0, &Chances { read: None, ..chances.clone() }, None);
        let before = self.before(client);
        {
            let mut shared = self.hosts[0].lock();
            shared.note(|| format!("undo: {reverse:?}"));
            let identities = |list: &[Address]| list.iter().map(|it| it.identity().to_owned()).collect::<BTreeSet<_>>();
            let (taken, given) = (identities(&reverse.take_back), identities(&reverse.give_back));
            let now = shared.now();
            let (listed, unlisted): (Vec<String>, Vec<String>) =
                given.iter().cloned().partition(|email| shared.truth.is_desired(client, email, now));
            shared.truth.kept[client].extend(unlisted);
            shared.truth.spared[client].extend(listed);
            shared.truth.undone[client].extend(taken.iter().cloned());
            if let Some(watch) = &mut shared.watches[client] {
                watch.undone = taken;
                watch.given_back = given;
            }
        }
        let stopped = Arc::clone(&self.hosts[0].lock().processes[0].stopped);
        let (world, subscription) = (self.worlds[0].clone(), self.config.subscriptions[&name(client)].clone());
        let undoing =
            async move { Box::pin(pass::undo(&world, &subscription, reverse, "somebody said so".to_owned())).await };
        let mut task = tokio::spawn(undoing);
        let undone = tokio::select! {
            biased;
            ended = &mut task => ended.unwrap(),
            () = stopped.notified() => {
                task.abort();
                drop(task.await);
                self.rebirth(0);
                self.after(client, None, &before);
                return;
            }
        };
        {
            let mut shared = self.hosts[0].lock();
            match undone {
                Err(PassError::Ledger(LedgerError::Restored(_))) if shared.truth.restored => {}
                Err(PassError::Key { .. }) if shared.is_keyless() => {}
                Ok(_) | Err(PassError::Ledger(LedgerError::DiskFull | LedgerError::Fenced { .. })) => {
                    shared.note(|| format!("c{client}: {undone:?}"));
                }
                Err(other) => shared.breaks(Rule::NothingDropped, format!("c{client}: {other:?}")),
            }
        }
        self.after(client, None, &before);
    }

    /// What is still as the newest run left it, turned round.
    fn reverse(&self, client: usize) -> Option<Reverse> {
        let shared = self.hosts[0].lock();
        let run = shared.ledger.subscription(&name(client)).unwrap().last_run?;
        let (assigned, unassigned) = shared.ledger.run_effects(run.id).unwrap();
        let members = members(&shared.ledger, client);
        let seated = |address: &Address| members.get(address.identity()).is_some_and(|member| member.has_seat);
        let take_back: Vec<Address> = assigned.into_iter().filter(|address| seated(address)).collect();
        let give_back: Vec<Address> = unassigned.into_iter().filter(|address| !seated(address)).collect();
        (!take_back.is_empty() || !give_back.is_empty()).then_some(Reverse { give_back, take_back })
    }

    // ---- the fleet, the ledger, the configuration

    pub(crate) fn is_braked(&self) -> bool {
        self.hosts[0].lock().ledger.brake().unwrap().is_some()
    }

    pub(crate) fn resume(&self) {
        let mut shared = self.hosts[0].lock();
        let now = shared.now();
        if shared.ledger.release_brake("somebody", now).unwrap() {
            shared.note(|| "removals go on".to_owned());
        }
    }

    /// Whether the configuration names this client.
    pub(crate) fn has(&self, client: usize) -> bool {
        self.config.subscriptions.contains_key(&name(client))
    }

    pub(crate) fn configure(&mut self, change: &Change) {
        let mut shared = self.hosts[0].lock();
        let mut setting = shared.truth.setting().clone();
        setting.change(change);
        self.config = Arc::new(configuration(&setting, shared.mistake));
        shared.config = Arc::clone(&self.config);
        let (now, seated) = (shared.now(), shared.seated());
        shared.truth.configure(setting, &seated, now);
        (0..CLIENTS).for_each(|client| shared.owes(client));
        for world in &mut self.worlds {
            world.config = Arc::clone(&self.config);
        }
    }

    pub(crate) fn copy(&mut self) {
        let shared = self.hosts[0].lock();
        self.copy = Some((shared.ledger.copy(None).unwrap(), shared.truth.memory()));
    }

    pub(crate) fn restore(&mut self) {
        let Some((ledger, memory)) = &self.copy else { return };
        let mut shared = self.hosts[0].lock();
        for client in 0..CLIENTS {
            shared.deliver(client);
        }
        let doubt = Restored { doubt: Doubt::Older { file: 1 << 40 }, generation: 0, as_of: None };
        let told = shared.mistake != Some(Mistake::RestoredBelieved);
        shared.ledger = ledger.copy(told.then_some(&doubt)).unwrap();
        let (now, seated) = (shared.now(), shared.seated());
        shared.truth.restore(memory, now, &seated);
        shared.remembers();
    }

    pub(crate) fn believe(&self) {
        let mut shared = self.hosts[0].lock();
        let now = shared.now();
        shared.ledger.believe("somebody", now).unwrap();
        if std::mem::take(&mut shared.truth.restored) {
            shared.note(|| "the ledger is believed".to_owned());
            shared.truth.approved = Default::default();
        }
    }

    /// Whether the lease was free.
    pub(crate) fn decide(
        &self,
        client: usize,
        act: impl FnOnce(&mut Ledger, &Lease, Timestamp, &mut Truth) -> Result<(), LedgerError>,
    ) -> bool {
        if !self.has(client) {
            return true;
        }
        let mut shared = self.hosts[0].lock();
        let now = shared.now();
        let Shared { ledger, truth, .. } = &mut *shared;
        let owner = Owner("somebody".to_owned());
        let Some(lease) = ledger.acquire(&name(client), &owner, Duration::from_mins(1), now).unwrap() else {
            return false;
        };
        act(ledger, &lease, now, truth).unwrap();
        ledger.release(lease).unwrap();
        true
    }
}
