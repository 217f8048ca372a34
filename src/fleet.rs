//! Looks over the whole fleet when something has gone wrong in a part of it, and puts its brake on where that is called
//! for.

use tracing::error;

use crate::alert::line;
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
            error!("{}", line::removals_stopped(&brake));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limit;
    use crate::source::Incomplete;

    #[test]
    fn a_source_of_many_that_fails_stops_removals_everywhere_until_a_person_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let mut ledger = Ledger::open(&folder.path().join("rosterd.db"), now).unwrap();
        let subscriptions = (0..5).map(|number| (format!("client-{number}"), vec!["people".to_owned()])).collect();
        let limits = BrakeLimits { share: Limit::Share(0.2), at_least: 5 };
        let fleet = Fleet { limits: Some(limits), subscriptions };
        fleet.look(&mut ledger, now).unwrap();
        assert_eq!(ledger.brake().unwrap(), None, "nothing is wrong");
        ledger.refuse("people", &Incomplete::passing("The share is away."), now).unwrap();
        Fleet { limits: None, ..fleet.clone() }.look(&mut ledger, now).unwrap();
        assert_eq!(ledger.brake().unwrap(), None, "there is no brake");
        fleet.look(&mut ledger, now).unwrap();
        assert_eq!(ledger.brake().unwrap().unwrap().since, now);
        ledger.release_brake("ann", now).unwrap();
        fleet.look(&mut ledger, now).unwrap();
        assert_eq!(ledger.brake().unwrap(), None, "a person knows of it");
    }
}
