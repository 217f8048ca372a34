//! When a subscription is due: a cron expression in a time zone.

use chrono_tz::Tz;

use crate::clock::Timestamp;

/// A cron expression, five fields or six with seconds, in a time zone.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub cron: croner::Cron,
    pub zone: Tz,
}

impl Schedule {
    /// The next moment after this one; `None` where there is none in the years that cron can see.
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let local = now.with_timezone(&self.zone);
        self.cron.find_next_occurrence(&local, false).ok().map(|at| at.with_timezone(&chrono::Utc))
    }
}
