//! Looks over the whole fleet when something has gone wrong in a part of it, and puts its brake on where that is called
//! for.

use tracing::error;

use crate::alert;
use crate::brake::{Brake, judge};
use crate::clock::Timestamp;
use crate::config::{BrakeLimits, Config, Subscription};
use crate::ledger::{Ledger, LedgerError};

/// The whole fleet, as it is configured.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// `None`: there is no brake.
    limits: Option<BrakeLimits>,
    subscriptions: Vec<(String, Vec<String>)>,
}

impl Fleet {
    pub fn of(config: &Config) -> Fleet {
        let names = |one: &Subscription| (one.name.clone(), one.sources.clone());
        Fleet { limits: config.brake, subscriptions: config.subscriptions.values().map(names).collect() }
    }

    /// To be called when removals are held, or a source fails, somewhere. Says it where this puts the brake on.
    pub fn look(&self, ledger: &mut Ledger, now: Timestamp) -> Result<(), LedgerError> {
        let Some(limits) = self.limits else { return Ok(()) };
        if ledger.brake()?.is_some() {
            return Ok(());
        }
        let fleet = self.subscriptions.iter().map(|(name, sources)| (name.as_str(), sources.as_slice()));
        let Some(reason) = judge(limits, fleet, &ledger.troubles(now)?) else { return Ok(()) };
        let brake = Brake { since: now, reason };
        if ledger.put_on_brake(&brake)? {
            error!("{}", alert::removals_stopped(&brake));
        }
        Ok(())
    }
}
