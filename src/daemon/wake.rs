//! What is due when. A pure agenda: events are noted in it, and it is asked what to do at a moment.
//!
//! A wake-up carries no news: whatever made a subscription due, its pass looks at everything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;

use crate::clock::Timestamp;
use crate::ledger::Trigger;

/// What another process has at this moment is looked at again after this.
const ELSEWHERE: TimeDelta = TimeDelta::seconds(5);
/// The clock alone makes nothing due more often than this.
const BREATH: TimeDelta = TimeDelta::seconds(1);
/// A clock that goes back by more than this was set; less is a correction.
const SET_BACK: TimeDelta = TimeDelta::seconds(5);

/// How a look or a pass went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Went {
    Well,
    /// Another process is at work on it.
    Elsewhere,
    /// It is tried again, ever later.
    Wrong(Backoff),
    /// As wrong, and nothing that happens to it would change that: no news make it due, but for a person's word, until it
    /// is thawed.
    Frozen(Backoff),
}

/// When what failed is tried again: after `first`, then after twice as long, and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    pub first: Duration,
    pub longest: Duration,
}

impl Backoff {
    /// After so many failures in a row, at least one.
    fn after(self, failures: u32) -> TimeDelta {
        let wait = self.first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(self.longest);
        TimeDelta::from_std(wait).unwrap_or(TimeDelta::zero())
    }
}

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
    /// Since when it is being looked at.
    running: Option<Timestamp>,
    /// Whether it was ever finished.
    seen: bool,
    /// Something happened during the pass: look once more after it.
    again: Option<Trigger>,
    /// In a row.
    failures: u32,
    frozen: bool,
    /// It is off the agenda when what runs has ended.
    leaves: bool,
}

impl Agenda {
    /// Puts an item on the agenda, or moves it.
    pub fn put(&mut self, name: &str, due: Timestamp, trigger: Trigger) {
        if let Some(item) = self.items.get_mut(name) {
            self.queue.remove(&(item.due, name.to_owned()));
            (item.due, item.trigger) = (due, trigger);
        } else {
            let item = Item {
                due,
                trigger,
                running: None,
                seen: false,
                again: None,
                failures: 0,
                frozen: false,
                leaves: false,
            };
            self.items.insert(name.to_owned(), item);
        }
        if self.items[name].running.is_none() {
            self.queue.insert((due, name.to_owned()));
        }
    }

    /// Makes an item due now; one that is being looked at is looked at once more afterwards. A frozen one hears a person
    /// alone.
    pub fn want(&mut self, name: &str, now: Timestamp, trigger: Trigger) {
        match self.items.get_mut(name) {
            // A person's word is not drowned by what comes after it.
            Some(item) if item.running.is_some() && item.again == Some(Trigger::Command) => {}
            Some(item) if item.running.is_some() => item.again = Some(trigger),
            Some(item) if item.due <= now || item.frozen && trigger != Trigger::Command => {}
            Some(_) => self.put(name, now, trigger),
            None => {}
        }
    }

    /// Puts an item on the agenda as if it had never been there. What runs is not overtaken: it is looked at once more
    /// afterwards.
    pub fn renew(&mut self, name: &str, due: Timestamp, trigger: Trigger) {
        match self.items.get_mut(name) {
            Some(item) => {
                (item.frozen, item.failures, item.leaves) = (false, 0, false);
                if item.running.is_some() {
                    // A person's word is not drowned by what comes after it.
                    item.again = item.again.filter(|again| *again == Trigger::Command).or(Some(trigger));
                } else {
                    self.put(name, due, trigger);
                }
            }
            None => self.put(name, due, trigger),
        }
    }

    /// Takes an item off the agenda; one that is being looked at is off it when that has ended.
    pub fn remove(&mut self, name: &str) {
        match self.items.get_mut(name) {
            Some(item) if item.running.is_some() => item.leaves = true,
            Some(item) => {
                self.queue.remove(&(item.due, name.to_owned()));
                self.items.remove(name);
            }
            None => {}
        }
    }

    /// What looks at an item counts no more, however it ends and if it never does.
    pub fn give_up(&mut self, name: &str) {
        if let Some(item) = self.items.get_mut(name).filter(|item| item.running.is_some()) {
            item.running = None;
            if item.leaves {
                self.remove(name);
            }
        }
    }

    /// What kept a frozen item from its work may be over: it is due now, as if it had never failed.
    pub fn thaw(&mut self, name: &str, now: Timestamp) {
        if let Some(item) = self.items.get_mut(name) {
            (item.frozen, item.failures) = (false, 0);
            self.want(name, now, Trigger::Retry);
        }
    }

    /// Takes what is due, in the order in which it fell due; each is running until [`Agenda::finished`].
    pub fn take_due(&mut self, now: Timestamp) -> Vec<(String, Trigger)> {
        if self.newest.is_some_and(|newest| now + SET_BACK < newest) {
            self.clock_was_set_back(now);
        }
        self.newest = Some(now);
        let mut due = Vec::new();
        while let Some(first) = self.queue.first().filter(|(at, _)| *at <= now).cloned() {
            self.queue.remove(&first);
            if let Some(item) = self.items.get_mut(&first.1) {
                item.running = Some(now);
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

    /// Whether each item has been looked at, however that went.
    pub fn all_seen(&self) -> bool {
        self.items.values().all(|item| item.seen)
    }

    /// When the item fell due that has waited longest for its turn.
    pub fn waits_since(&self) -> Option<Timestamp> {
        self.queue.first().map(|(due, _)| *due)
    }

    /// When the item was begun that is being looked at for longest.
    pub fn under_way_since(&self) -> Option<Timestamp> {
        self.items.values().filter_map(|item| item.running).min()
    }

    /// An item has been looked at; its next moment is the earliest of `next`, unless something happened meanwhile. After
    /// a failure it is tried again by the backoff alone.
    pub fn finished(&mut self, name: &str, now: Timestamp, went: Went, next: &[(Timestamp, Trigger)]) {
        let Some(item) = self.items.get_mut(name) else { return };
        (item.running, item.seen) = (None, true);
        if item.leaves {
            self.remove(name);
            return;
        }
        item.failures = match went {
            Went::Well => 0,
            Went::Elsewhere => item.failures,
            Went::Wrong(_) | Went::Frozen(_) => item.failures.saturating_add(1),
        };
        item.frozen = matches!(went, Went::Frozen(_));
        let heard = |trigger: &Trigger| !item.frozen || *trigger == Trigger::Command;
        let again = item.again.take().filter(heard).map(|trigger| (now, trigger));
        let next = match went {
            Went::Well => next.iter().copied().min_by_key(|(at, _)| *at),
            Went::Elsewhere => Some((now + ELSEWHERE, Trigger::Retry)),
            Went::Wrong(backoff) | Went::Frozen(backoff) => Some((now + backoff.after(item.failures), Trigger::Retry)),
        };
        let next = next.map(|(at, trigger)| (at.max(now + BREATH), trigger));
        if let Some((due, trigger)) = again.or(next) {
            self.put(name, due, trigger);
        }
    }
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
        agenda.finished("a", at(2), Went::Well, &[(at(900), Trigger::Schedule)]);
        assert_eq!(agenda.take_due(at(2)), [("a".to_owned(), Trigger::Roster)]);
        agenda.finished("a", at(3), Went::Well, &[(at(900), Trigger::Schedule)]);
        assert!(agenda.take_due(at(899)).is_empty());
        assert_eq!(agenda.take_due(at(900)).len(), 1);
    }

    const HOUR: Went = Went::Wrong(Backoff { first: Duration::from_secs(30), longest: Duration::from_hours(1) });

    /// How long after each of these ends "a" is due again.
    fn waits(ends: impl IntoIterator<Item = Went>) -> Vec<i64> {
        let mut agenda = Agenda::default();
        agenda.put("a", at(0), Trigger::Start);
        let mut now = 0;
        let mut waits = Vec::new();
        for went in ends {
            assert_eq!(agenda.take_due(at(now)).len(), 1);
            agenda.finished("a", at(now), went, &[(at(now + 9_999), Trigger::Schedule)]);
            let from = now;
            now = agenda.queue.first().unwrap().0.timestamp() - 1_000_000;
            waits.push(now - from);
        }
        waits
    }

    #[test]
    fn a_failed_pass_is_tried_again_ever_later() {
        assert_eq!(waits([HOUR; 9]), [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        let minute = Went::Wrong(Backoff { first: Duration::from_secs(30), longest: Duration::from_mins(1) });
        assert_eq!(waits([minute, minute, minute, Went::Well, minute]), [30, 60, 60, 9_999, 30]);
    }

    #[test]
    fn what_another_process_has_is_looked_at_again_soon() {
        assert_eq!(waits([Went::Elsewhere, Went::Elsewhere, HOUR, Went::Elsewhere, HOUR]), [5, 5, 30, 5, 60]);
    }

    #[test]
    fn news_do_not_wait_for_a_backoff() {
        let mut agenda = Agenda::default();
        agenda.put("a", at(0), Trigger::Start);
        agenda.take_due(at(0));
        agenda.finished("a", at(0), HOUR, &[]);
        agenda.want("a", at(1), Trigger::Roster);
        assert_eq!(agenda.take_due(at(1)), [("a".to_owned(), Trigger::Roster)]);
    }

    const FROZEN: Went = Went::Frozen(Backoff { first: Duration::from_secs(30), longest: Duration::from_hours(1) });

    #[test]
    fn what_is_frozen_hears_a_person_and_no_other_news() {
        assert_eq!(waits([FROZEN; 9]), [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        let mut agenda = Agenda::default();
        agenda.put("a", at(0), Trigger::Start);
        agenda.take_due(at(0));
        agenda.want("a", at(0), Trigger::Roster);
        agenda.finished("a", at(0), FROZEN, &[]);
        agenda.want("a", at(1), Trigger::Roster);
        assert!(agenda.take_due(at(29)).is_empty(), "neither news during the pass nor after it");
        agenda.want("a", at(29), Trigger::Command);
        assert_eq!(agenda.take_due(at(29)), [("a".to_owned(), Trigger::Command)]);
        agenda.want("a", at(29), Trigger::Command);
        agenda.want("a", at(29), Trigger::Roster);
        agenda.finished("a", at(29), FROZEN, &[]);
        assert_eq!(agenda.take_due(at(29)), [("a".to_owned(), Trigger::Command)], "a person asked during the pass");
        agenda.finished("a", at(29), Went::Well, &[(at(900), Trigger::Schedule)]);
        agenda.want("a", at(40), Trigger::Roster);
        assert_eq!(agenda.take_due(at(40)).len(), 1, "it listens again");
    }

    #[test]
    fn what_is_thawed_is_due_at_once_and_has_never_failed() {
        let mut agenda = Agenda::default();
        agenda.put("a", at(0), Trigger::Start);
        for now in [0, 30, 90] {
            assert_eq!(agenda.take_due(at(now)).len(), 1);
            agenda.finished("a", at(now), FROZEN, &[]);
        }
        agenda.thaw("a", at(91));
        assert_eq!(agenda.take_due(at(91)), [("a".to_owned(), Trigger::Retry)]);
        agenda.finished("a", at(91), FROZEN, &[]);
        assert_eq!(agenda.take_due(at(121)).len(), 1, "the backoff begins anew");
    }

    #[test]
    fn what_is_renewed_has_never_failed_and_overtakes_nothing_that_runs() {
        let mut agenda = Agenda::default();
        agenda.put("a", at(0), Trigger::Start);
        agenda.take_due(at(0));
        agenda.finished("a", at(0), FROZEN, &[]);
        agenda.renew("a", at(1), Trigger::Reload);
        agenda.renew("b", at(1), Trigger::Start);
        let due = agenda.take_due(at(1));
        assert_eq!(due, [("a".to_owned(), Trigger::Reload), ("b".to_owned(), Trigger::Start)]);
        agenda.renew("a", at(2), Trigger::Reload);
        assert!(agenda.take_due(at(9)).is_empty(), "never two passes at once");
        agenda.finished("a", at(9), Went::Well, &[(at(900), Trigger::Schedule)]);
        assert_eq!(agenda.take_due(at(9)), [("a".to_owned(), Trigger::Reload)]);
        agenda.finished("a", at(9), HOUR, &[]);
        assert_eq!(agenda.take_due(at(39)).len(), 1, "the backoff begins anew");
    }

    #[test]
    fn what_is_removed_is_due_no_more_and_may_come_back() {
        let mut agenda = Agenda::default();
        agenda.put("a", at(0), Trigger::Start);
        agenda.put("b", at(5), Trigger::Start);
        agenda.take_due(at(0));
        agenda.remove("a");
        agenda.remove("b");
        agenda.remove("c");
        agenda.want("a", at(1), Trigger::Roster);
        agenda.finished("a", at(1), Went::Well, &[(at(2), Trigger::Schedule)]);
        agenda.want("a", at(2), Trigger::Roster);
        assert!(agenda.take_due(at(99_999)).is_empty());
        assert!(agenda.items.is_empty(), "nothing is kept");

        agenda.put("a", at(0), Trigger::Start);
        agenda.take_due(at(100_000));
        agenda.remove("a");
        agenda.renew("a", at(100_001), Trigger::Start);
        assert!(agenda.take_due(at(100_002)).is_empty(), "what ran when it was removed still runs");
        agenda.finished("a", at(100_003), Went::Well, &[]);
        assert_eq!(agenda.take_due(at(100_003)).len(), 1);
    }

    #[test]
    fn what_is_given_up_is_overtaken() {
        let mut agenda = Agenda::default();
        agenda.put("a", at(0), Trigger::Start);
        agenda.put("b", at(0), Trigger::Start);
        agenda.take_due(at(0));
        for name in ["a", "b"] {
            agenda.give_up(name);
        }
        agenda.renew("a", at(1), Trigger::Reload);
        agenda.remove("b");
        assert_eq!(agenda.take_due(at(1)), [("a".to_owned(), Trigger::Reload)]);
        assert_eq!(agenda.items.len(), 1);
    }

    #[test]
    fn a_moment_that_has_passed_is_no_storm() {
        let mut agenda = Agenda::default();
        agenda.put("a", at(0), Trigger::Start);
        agenda.take_due(at(0));
        agenda.finished("a", at(9), Went::Well, &[(at(5), Trigger::Probe)]);
        assert!(agenda.take_due(at(9)).is_empty());
        assert_eq!(agenda.take_due(at(10)), [("a".to_owned(), Trigger::Probe)]);
    }

    #[test]
    fn a_clock_that_jumps_ahead_makes_due_what_it_passed_over_once() {
        let mut agenda = Agenda::default();
        agenda.put("a", at(900), Trigger::Schedule);
        agenda.put("b", at(999_999), Trigger::Schedule);
        agenda.take_due(at(0));
        assert_eq!(names(agenda.take_due(at(86_400))), ["a"]);
        assert!(agenda.take_due(at(86_401)).is_empty());
    }

    #[test]
    fn a_clock_that_is_set_back_puts_nothing_off() {
        let mut agenda = Agenda::default();
        agenda.put("a", at(900), Trigger::Schedule);
        agenda.take_due(at(0));
        assert_eq!(names(agenda.take_due(at(-86_400))), ["a"]);
    }
}
