//! The heartbeat: an address that is fetched while every subscription is looked after, so that silence is noticed.
//!
//! A *round* is the time from one heartbeat to the next, `every`. Every subscription was looked after in it when nothing
//! that was due at its beginning still waits for its turn at its end, no look or pass takes unduly long, and the ledger
//! works. What a pass came to does not matter here: whatever is wrong with one subscription is told by alerts, and must
//! not silence the word that all others are well.

use std::sync::Arc;

use chrono::TimeDelta;
use tracing::{info, warn};

use super::tasks::Tasks;
use super::wake::Agenda;
use super::{Daemon, THE_LEDGER, delta};
use crate::alert::send;
use crate::clock::Timestamp;

/// A look or a pass that takes longer than this hangs, or as good as.
const UNDER_WAY_MAX: TimeDelta = TimeDelta::hours(6);
/// What is said of the heartbeat is said of it.
const THE_HEARTBEAT: &str = "the heartbeat";

/// When it beats.
pub(super) struct Heartbeat {
    /// The end of this round; `None` before the first.
    due: Option<Timestamp>,
    pub(super) fetches: Tasks<Result<(), String>>,
}

impl Heartbeat {
    pub(super) fn new() -> Heartbeat {
        Heartbeat { due: None, fetches: Tasks::new() }
    }

    /// Whether a round has come to its end. A clock that was set back makes none longer than one `every`.
    fn is_over(&self, every: TimeDelta, now: Timestamp) -> bool {
        self.due.is_none_or(|due| due <= now || now + every < due)
    }
}

/// Whether everything on an agenda was looked after in the round that ends now.
fn is_looked_after(agenda: &Agenda, every: TimeDelta, now: Timestamp) -> bool {
    agenda.waits_since().is_none_or(|since| now - since <= every)
        && agenda.under_way_since().is_none_or(|since| now - since <= UNDER_WAY_MAX.max(every))
}

impl Daemon {
    /// Fetches the heartbeat's address at the end of a round in which every subscription was looked after.
    pub(super) fn beat(&mut self, now: Timestamp) {
        let Some(heartbeat) = self.world.config.heartbeat.clone() else { return };
        if !self.heartbeat.fetches.is_empty() {
            return;
        }
        let every = delta(heartbeat.every);
        if !self.heartbeat.is_over(every, now) {
            return;
        }
        let agendas = [&self.sources, &self.subscriptions];
        // The first word comes when all have been looked at once.
        let begun = self.heartbeat.due.is_some() || agendas.iter().all(|agenda| agenda.all_seen());
        let well = begun
            && agendas.iter().all(|agenda| is_looked_after(agenda, every, now))
            && !self.troubles.is_known(THE_LEDGER);
        // A round that is not well goes on until it is: then the word comes at once.
        if !well {
            return;
        }
        self.heartbeat.due = Some(now + every);
        let config = Arc::clone(&self.world.config);
        self.heartbeat.fetches.start(THE_HEARTBEAT.to_owned(), async move {
            send::fetch(send::web_url(&heartbeat.url)?, &config.licensing).await
        });
    }

    /// Said once for each reason, and when it is over.
    pub(super) fn beaten(&mut self, fetched: Result<(), String>, now: Timestamp) {
        match fetched {
            Ok(()) if self.troubles.is_over(THE_HEARTBEAT) => info!("the heartbeat arrives again"),
            Ok(()) => {}
            Err(why) => {
                if self.troubles.is_news(THE_HEARTBEAT, &why, now) {
                    warn!("the heartbeat does not arrive: {why}; it is tried again with each round");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::wake::Went;
    use crate::ledger::Trigger;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    const EVERY: TimeDelta = TimeDelta::minutes(5);

    #[test]
    fn a_round_ends_after_its_time_whatever_the_clock_does() {
        let mut heartbeat = Heartbeat::new();
        assert!(heartbeat.is_over(EVERY, at(100)), "the first word comes as soon as all is well");
        heartbeat.due = Some(at(105));
        assert!(!heartbeat.is_over(EVERY, at(104)));
        assert!(heartbeat.is_over(EVERY, at(105)));
        assert!(heartbeat.is_over(EVERY, at(0)), "the clock was set back");
    }

    #[test]
    fn a_subscription_that_waits_or_hangs_silences_it_and_one_that_fails_does_not() {
        let mut agenda = Agenda::default();
        agenda.put("contoso", at(0), Trigger::Start);
        assert!(!agenda.all_seen());
        assert!(is_looked_after(&agenda, EVERY, at(5)), "it may still have its turn");
        assert!(!is_looked_after(&agenda, EVERY, at(6)), "nobody looked after it for a whole round");
        agenda.take_due(at(6));
        assert!(is_looked_after(&agenda, EVERY, at(360)), "a long run is looked after");
        assert!(!is_looked_after(&agenda, EVERY, at(367)), "a run for ever is not");
        let retry = super::super::RETRY;
        agenda.finished("contoso", at(400), Went::Wrong(retry), &[]);
        assert!(is_looked_after(&agenda, EVERY, at(400)) && agenda.all_seen());
    }
}
