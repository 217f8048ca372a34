//! What is due when. A pure agenda: events are noted in it, and it is asked what to do at a moment.
//!
//! A wake-up carries no news: whatever made a subscription due, its pass looks at everything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;

use crate::clock::Timestamp;
use crate::ledger::Trigger;

/// After a failed pass the next one comes after this, then after twice as long, and so on …
const BACKOFF_FIRST: Duration = Duration::from_secs(30);
/// … up to this.
const BACKOFF_MAX: Duration = Duration::from_hours(1);

/// What is due when, for things of one kind: subscriptions or sources.
#[derive(Debug, Default)]
pub struct Agenda {
    items: BTreeMap<String, Item>,
    /// The items' moments, earliest first: nothing is walked through to find what is due.
    queue: BTreeSet<(Timestamp, String)>,
    /// The newest moment that was seen, to notice a clock that was set back.
    newest: Option<Timestamp>,
}

#[derive(Debug)]
struct Item {
    due: Timestamp,
    trigger: Trigger,
    running: bool,
    /// Something happened during the pass: look once more after it.
    again: Option<Trigger>,
    /// In a row.
    failures: u32,
}

impl Agenda {
    /// Puts an item on the agenda, or moves it.
    pub fn put(&mut self, name: &str, due: Timestamp, trigger: Trigger) {
        if let Some(item) = self.items.get_mut(name) {
            self.queue.remove(&(item.due, name.to_owned()));
            (item.due, item.trigger) = (due, trigger);
        } else {
            let item = Item { due, trigger, running: false, again: None, failures: 0 };
            self.items.insert(name.to_owned(), item);
        }
        if !self.items[name].running {
            self.queue.insert((due, name.to_owned()));
        }
    }

    /// Makes an item due now; one that is being looked at is looked at once more afterwards.
    pub fn want(&mut self, name: &str, now: Timestamp, trigger: Trigger) {
        match self.items.get_mut(name) {
            Some(item) if item.running => item.again = Some(trigger),
            Some(item) if item.due <= now => {}
            Some(_) => self.put(name, now, trigger),
            None => {}
        }
    }

    /// Takes what is due, in the order in which it fell due; each is running until [`Agenda::finished`].
    pub fn take_due(&mut self, now: Timestamp) -> Vec<(String, Trigger)> {
        if self.newest.is_some_and(|newest| now + TimeDelta::minutes(1) < newest) {
            self.clock_was_set_back(now);
        }
        self.newest = Some(now);
        let mut due = Vec::new();
        while let Some(first) = self.queue.first().filter(|(at, _)| *at <= now).cloned() {
            self.queue.remove(&first);
            if let Some(item) = self.items.get_mut(&first.1) {
                item.running = true;
                due.push((first.1, item.trigger));
            }
        }
        due
    }

    /// Everything that lies ahead is due now: nobody waits for hours because a clock was wrong.
    fn clock_was_set_back(&mut self, now: Timestamp) {
        let names: Vec<String> = self.queue.iter().map(|(_, name)| name.clone()).collect();
        for name in names {
            self.put(&name, now, Trigger::Schedule);
        }
    }

    /// An item has been looked at; its next moment is the earliest of `next`.
    pub fn finished(&mut self, name: &str, now: Timestamp, went_well: bool, next: &[(Timestamp, Trigger)]) {
        let Some(item) = self.items.get_mut(name) else { return };
        item.running = false;
        item.failures = if went_well { 0 } else { item.failures.saturating_add(1) };
        let failures = item.failures;
        let again = item.again.take().map(|trigger| (now, trigger));
        let retry = (failures > 0).then(|| (now + backoff(failures), Trigger::Retry));
        // A failed pass is tried again by its backoff alone, unless something new happened.
        let next = next.iter().copied().filter(|_| failures == 0);
        let next = again.into_iter().chain(retry).chain(next).min_by_key(|(at, _)| *at);
        if let Some((due, trigger)) = next {
            self.put(name, due, trigger);
        }
    }

    /// Whether anything is being looked at.
    pub fn is_running(&self) -> bool {
        self.items.values().any(|item| item.running)
    }
}

fn backoff(failures: u32) -> TimeDelta {
    let wait = BACKOFF_FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(BACKOFF_MAX);
    TimeDelta::from_std(wait).unwrap_or(TimeDelta::zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(1_000_000 + seconds, 0).unwrap()
    }

    fn names(due: Vec<(String, Trigger)>) -> Vec<String> {
        due.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn what_is_due_comes_in_order_and_once() {
        let mut agenda = Agenda::default();
        agenda.put("b", at(5), Trigger::Schedule);
        agenda.put("a", at(9), Trigger::Schedule);
        agenda.put("c", at(99), Trigger::Schedule);
        assert!(agenda.take_due(at(4)).is_empty());
        assert_eq!(names(agenda.take_due(at(10))), ["b", "a"]);
        assert!(agenda.take_due(at(11)).is_empty(), "what is being looked at is not due again");
    }

    #[test]
    fn what_happens_during_a_pass_leads_to_another_one() {
        let mut agenda = Agenda::default();
        agenda.put("a", at(0), Trigger::Start);
        agenda.take_due(at(0));
        agenda.want("a", at(1), Trigger::Roster);
        assert!(agenda.take_due(at(1)).is_empty(), "never two passes at once");
        agenda.finished("a", at(2), true, &[(at(900), Trigger::Schedule)]);
        assert_eq!(agenda.take_due(at(2)), [("a".to_owned(), Trigger::Roster)]);
        agenda.finished("a", at(3), true, &[(at(900), Trigger::Schedule)]);
        assert!(agenda.take_due(at(899)).is_empty());
        assert_eq!(agenda.take_due(at(900)).len(), 1);
    }

    #[test]
    fn a_failed_pass_is_tried_again_ever_later() {
        let mut agenda = Agenda::default();
        agenda.put("a", at(0), Trigger::Start);
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..9 {
            agenda.take_due(at(now));
            agenda.finished("a", at(now), false, &[(at(1_000_000), Trigger::Schedule)]);
            let from = now;
            while agenda.take_due(at(now)).is_empty() {
                now += 1;
            }
            agenda.items.get_mut("a").unwrap().running = false;
            waits.push(now - from);
        }
        assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
    }

    #[test]
    fn a_clock_that_is_set_back_puts_nothing_off() {
        let mut agenda = Agenda::default();
        agenda.put("a", at(900), Trigger::Schedule);
        agenda.take_due(at(0));
        assert_eq!(names(agenda.take_due(at(-86_400))), ["a"]);
    }
}
