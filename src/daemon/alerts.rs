//! Alerts, beside everything else: with each tick what is due is looked at, and each receiver for which something waits is
//! sent it by a task of its own. No run waits for any of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Daemon;
use super::reload::Refused;
use super::tasks::Tasks;
use crate::alert::deliver;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::ledger::LedgerError;

/// What is under way.
pub(super) struct Alerts {
    /// Gives the receivers for which something waits.
    pub(super) looks: Tasks<Result<Vec<String>, LedgerError>>,
    /// One for each receiver, by its mark.
    pub(super) sends: Tasks<Result<usize, LedgerError>>,
    sending: BTreeSet<String>,
    /// The configuration that the ledger knows the receivers of.
    known: Option<Arc<Config>>,
    /// What the ledger knows of a configuration that was refused, once that is so.
    refused: Option<Refused>,
    is_noted: bool,
}

impl Alerts {
    pub(super) fn new() -> Alerts {
        Alerts {
            looks: Tasks::new(),
            sends: Tasks::new(),
            sending: BTreeSet::new(),
            known: None,
            refused: None,
            is_noted: false,
        }
    }
}

impl Daemon {
    /// Looks what is to be told, unless that is being done.
    pub(super) fn look_at_alerts(&mut self) {
        let alerts = &mut self.alerts;
        let config = Arc::clone(&self.world.config);
        let anew = !alerts.known.as_ref().is_some_and(|known| Arc::ptr_eq(known, &config));
        if !alerts.looks.is_empty() || config.alerts.is_empty() && !anew {
            return;
        }
        let ledger = self.world.outside.ledger.clone();
        alerts.known = Some(Arc::clone(&config));
        let refused = self.reload.refused().cloned();
        let is_news = !alerts.is_noted || alerts.refused != refused;
        (alerts.refused, alerts.is_noted) = (refused.clone(), true);
        alerts.looks.start("alerts".to_owned(), async move {
            if is_news {
                ledger.with(move |ledger| ledger.put_refused_configuration(refused.as_ref())).await?;
            }
            deliver::due(&ledger, config, anew).await
        });
    }

    pub(super) fn alerts_looked_at(&mut self, due: Result<Vec<String>, LedgerError>, now: Timestamp) {
        let due = match due {
            Ok(due) => due,
            Err(cause) => {
                // Whether the ledger took the receivers in is not known.
                self.alerts.known = None;
                self.alerts.is_noted = false;
                self.ledger_failed(&cause, now);
                return;
            }
        };
        for mark in due {
            if self.alerts.sending.insert(mark.clone()) {
                let (world, receiver) = (Arc::clone(&self.world), mark.clone());
                self.alerts.sends.start(mark, async move { deliver::deliver(&world, &receiver).await });
            }
        }
    }

    /// A receiver has been sent what could be sent to it, or a defect ended that, which has been said.
    pub(super) fn alerts_sent(&mut self, mark: &str, sent: Option<Result<usize, LedgerError>>, now: Timestamp) {
        self.alerts.sending.remove(mark);
        if let Some(Err(cause)) = sent {
            self.ledger_failed(&cause, now);
        }
    }
}
