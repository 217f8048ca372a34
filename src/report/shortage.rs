//! Too few seats for those who wait: how many are to be bought. Reckoned here alone, so that an alert, the log, `status` and
//! the pages say the same number.

use chrono::TimeDelta;

use super::text::{count, either, number};
use crate::clock::Timestamp;
use crate::config::Subscription;
use crate::ledger::SubscriptionRecord;
use crate::member::{Member, MemberState, NOT_ASKED};
use crate::roster::membership::grace;

/// Leavers whose seats come free within this time are counted on. It is less than a week, so that a weekday says which day.
const COUNTED_ON: TimeDelta = TimeDelta::days(6);

/// More people wait for a seat than seats are free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// Who waits for a seat, and for nothing else.
    pub waiting: u64,
    /// Fewer than wait.
    pub free: u64,
    /// `None`: not known.
    pub available: Option<u64>,
    /// How many leavers' seats come free that can be counted on.
    pub leavers: u64,
    /// The first and the last day on which they do, as the people of the subscription call it.
    pub(super) days: Option<(String, String)>,
}

/// Who was not asked for waits for what the problem tells, and not for a seat.
pub fn waits_for_a_seat(member: &Member) -> bool {
    member.state == MemberState::Pending && !member.reason.starts_with(NOT_ASKED)
}

impl Shortage {
    /// `None`: whoever waits is served by the next run, or nobody has said yet that no seat is free. `waiting` is how many
    /// wait for a seat, `leaving` everybody who is leaving; `braked`: removals are stopped everywhere.
    pub fn of<'a>(
        subscription: &Subscription,
        record: &SubscriptionRecord,
        waiting: u64,
        leaving: impl Iterator<Item = &'a Member>,
        braked: bool,
        now: Timestamp,
    ) -> Option<Shortage> {
        let full = record.full_since.is_some();
        let free = record.seats.map_or(0, |seats| if full { 0 } else { seats.free() });
        if waiting <= free || record.seats.is_none() && !full {
            return None;
        }
        let stopped = braked || record.restored.is_some();
        let mut moments: Vec<Timestamp> =
            leaving.filter(|_| !stopped).filter_map(|member| comes_free(subscription, record, member, now)).collect();
        moments.sort_unstable();
        let day = |at: &Timestamp| at.with_timezone(&subscription.policy.timezone).format("%A").to_string();
        Some(Shortage {
            waiting,
            free,
            available: record.seats.map(|seats| seats.available),
            leavers: moments.len() as u64,
            days: moments.first().map(day).zip(moments.last().map(day)),
        })
    }

    /// How many find no seat now.
    pub fn missing(&self) -> u64 {
        self.waiting - self.free
    }

    /// How many seats are to be bought so that nobody waits once the leavers' have come free.
    pub fn buy(&self) -> u64 {
        self.missing().saturating_sub(self.leavers)
    }

    /// The day on which the last of the leavers' seats has come free.
    pub fn last_day(&self) -> &str {
        self.days.as_ref().map_or("", |(_, last)| last)
    }

    /// `7 people wait for a licence, 0 of 40 seats are free, 3 leavers' seats come free on Friday: buy 4`.
    pub fn words(&self) -> String {
        let wait = count(self.waiting, "person waits", "people wait");
        let state = match self.available {
            Some(available) => format!("{} of {} free", number(self.free), count(available, "seat is", "seats are")),
            None => "no seat is free".to_owned(),
        };
        let coming = self.days.as_ref().map(|(first, last)| {
            let seats = count(self.leavers, "leaver's seat", "leavers' seats");
            let on = if first == last { "on" } else { "by" };
            format!(", {seats} {} free {on} {last}", either(self.leavers, "comes", "come"))
        });
        let verdict = match self.buy() {
            0 => format!("buy {} unless they can wait until then", number(self.missing())),
            buy => format!("buy {}", number(buy)),
        };
        format!("{wait} for a licence, {state}{}: {verdict}", coming.unwrap_or_default())
    }
}

/// When a leaver's seat comes free, where that can be counted on.
fn comes_free(
    subscription: &Subscription,
    record: &SubscriptionRecord,
    member: &Member,
    now: Timestamp,
) -> Option<Timestamp> {
    let policy = &subscription.policy;
    if !member.has_seat || member.state != MemberState::Leaving {
        return None;
    }
    let departure = member.departure.as_ref().filter(|departure| departure.renamed_to.is_none())?;
    let grace = TimeDelta::from_std(grace(policy, departure.reason)).ok()?;
    let until = departure.at.checked_add_signed(grace)?;
    if until <= now || now + COUNTED_ON < until {
        return None;
    }
    // Last, for whose removal is held is searched for among many, and is mostly due.
    let held = record.hold.as_ref().map(|stored| &stored.hold.removals);
    let is_held = held.is_some_and(|held| held.iter().any(|removal| removal.address == member.address));
    let stays = is_held || member.kept || policy.protect.matching(member.address.identity()).is_some();
    (!stays).then_some(until)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load_str;
    use crate::member::Seats;

    #[test]
    fn one_is_one_and_what_is_not_known_is_not_said() {
        let text = "[subscriptions.x]\ntype = \"Manual\"\nid = \"ff3d3cf5-5388-40a0-915f-970c1d2d972f\"\napi_key = { file = \"k\" }\nsources = [\"hr\"]\n[sources.hr]\nkind = \"csv\"\npath = \"drops\"\n";
        let config = load_str(std::path::Path::new("/etc/rosterd/rosterd.toml"), text).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let of = |record: &SubscriptionRecord, waiting| {
            Shortage::of(&config.subscriptions["x"], record, waiting, std::iter::empty(), false, now)
        };
        let with = |available, assigned| SubscriptionRecord {
            seats: Some(Seats { available, assigned, as_of: now }),
            ..SubscriptionRecord::default()
        };
        let words = |record: &SubscriptionRecord, waiting| of(record, waiting).map(|it| it.words()).unwrap_or_default();
        assert_eq!(words(&with(40, 40), 7), "7 people wait for a licence, 0 of 40 seats are free: buy 7");
        assert_eq!(words(&with(40, 38), 7), "7 people wait for a licence, 2 of 40 seats are free: buy 5");
        assert_eq!(words(&with(1, 1), 1), "1 person waits for a licence, 0 of 1 seat is free: buy 1");
        assert_eq!(words(&with(45, 40), 2), "", "the next run gives them out");
        assert_eq!(words(&SubscriptionRecord::default(), 2), "", "nobody has said that none is free");
        let told_full = SubscriptionRecord { full_since: Some(now), ..SubscriptionRecord::default() };
        assert_eq!(words(&told_full, 2), "2 people wait for a licence, no seat is free: buy 2");
    }
}
