//! What of a cause one receiver is to hear: what is new, what is another matter now, a reminder, and that it is over.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::Phase;
use super::cause::{Mark, Shift};
use crate::clock::Timestamp;
use crate::config::AlertEvent;

/// What a receiver was told of a cause last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub event: AlertEvent,
    /// [`super::Alert::cause`].
    pub cause: String,
    pub since: Timestamp,
    pub mark: Mark,
    pub at: Timestamp,
    /// Whether something of it still waits to be sent.
    pub waits: bool,
}

/// What is to be done about one cause and one receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Quiet,
    /// To be told, and noted as told now.
    Tell(Phase),
    /// Nothing is told; from now on it counts as told with this mark, at this moment.
    Note(Mark, Timestamp),
    /// What was told counts no more: the receiver does not want to hear of such causes now.
    Forget,
}

/// `stands` is what the cause means now, if it stands.
///
/// A reminder is not told while something of the cause still waits to be sent: that says as much.
pub fn verdict(
    stands: Option<&Mark>,
    told: Option<&Told>,
    wanted: bool,
    remind_every: TimeDelta,
    now: Timestamp,
) -> Verdict {
    match (stands, told) {
        (_, None) if !wanted => Verdict::Quiet,
        (_, Some(_)) if !wanted => Verdict::Forget,
        (None, None) => Verdict::Quiet,
        (Some(_), None) => Verdict::Tell(Phase::New),
        (None, Some(_)) => Verdict::Tell(Phase::Over),
        (Some(mark), Some(told)) => match mark.shift_from(&told.mark) {
            Shift::Changed => Verdict::Tell(Phase::Changed),
            _ if now - told.at >= remind_every && told.waits => Verdict::Note(told.mark.clone(), now),
            _ if now - told.at >= remind_every => Verdict::Tell(Phase::Reminder),
            Shift::Less => Verdict::Note(mark.clone(), told.at.min(now)),
            // A clock that was ahead then must not put the reminder off for long.
            Shift::None if told.at > now => Verdict::Note(told.mark.clone(), now),
            Shift::None => Verdict::Quiet,
        },
    }
}

/// When a cause that was told at this moment, and stands, is to be looked at again.
pub fn reminder(told_at: Timestamp, remind_every: TimeDelta) -> Timestamp {
    told_at.checked_add_signed(remind_every).unwrap_or(Timestamp::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: TimeDelta = TimeDelta::hours(24);

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + TimeDelta::hours(hours)
    }

    fn told(mark: Mark, hours: i64) -> Told {
        let event = AlertEvent::SeatsExhausted;
        Told { event, cause: "c".into(), since: at(0), mark, at: at(hours), waits: false }
    }

    fn people(number: u64, digest: &str) -> Mark {
        Mark::People { number, digest: digest.to_owned() }
    }

    fn seats(available: u64, buy: u64) -> Mark {
        Mark::Seats { available: Some(available), buy }
    }

    #[test]
    fn a_cause_is_told_when_it_is_new_again_after_a_day_and_when_it_is_over() {
        let mark = Mark::Same;
        let judged =
            |stands: bool, told: Option<&Told>, hours| verdict(stands.then_some(&mark), told, true, DAY, at(hours));
        assert_eq!(judged(false, None, 0), Verdict::Quiet);
        assert_eq!(judged(true, None, 0), Verdict::Tell(Phase::New));
        let known = told(Mark::Same, 0);
        assert_eq!(judged(true, Some(&known), 23), Verdict::Quiet);
        assert_eq!(judged(true, Some(&known), 24), Verdict::Tell(Phase::Reminder));
        assert_eq!(judged(false, Some(&known), 1), Verdict::Tell(Phase::Over));
        let waits = Told { waits: true, ..known };
        assert_eq!(judged(true, Some(&waits), 24), Verdict::Note(Mark::Same, at(24)), "what waits says as much");
        assert_eq!(
            judged(true, Some(&told(Mark::Same, 99)), 24),
            Verdict::Note(Mark::Same, at(24)),
            "the clock was ahead"
        );
    }

    #[test]
    fn what_a_receiver_does_not_want_to_hear_is_not_told() {
        let judged = |stands: Option<&Mark>, told: Option<&Told>| verdict(stands, told, false, DAY, at(99));
        assert_eq!(judged(Some(&Mark::Same), None), Verdict::Quiet);
        assert_eq!(judged(Some(&Mark::Same), Some(&told(Mark::Same, 0))), Verdict::Forget);
        assert_eq!(judged(None, Some(&told(Mark::Same, 0))), Verdict::Forget);
    }

    #[test]
    fn each_kind_of_cause_has_its_own_change() {
        for (before, now, shift) in [
            (seats(10, 4), seats(10, 5), Shift::None),
            (seats(10, 4), seats(10, 8), Shift::Changed),
            (seats(10, 4), seats(12, 2), Shift::Changed),
            (seats(10, 4), seats(10, 2), Shift::Less),
            (seats(10, 0), seats(10, 1), Shift::Changed),
            (people(3, "a"), people(3, "b"), Shift::Changed),
            (people(3, "a"), people(4, "b"), Shift::Changed),
            (people(3, "a"), people(2, "b"), Shift::Less),
            (Mark::Same, Mark::Same, Shift::None),
            (Mark::Reason("a".into()), Mark::Reason("b".into()), Shift::Changed),
            (Mark::Found(at(1)), Mark::Found(at(2)), Shift::Changed),
        ] {
            assert_eq!(now.shift_from(&before), shift, "{before:?} to {now:?}");
        }
        let less = verdict(Some(&people(2, "b")), Some(&told(people(3, "a"), 5)), true, DAY, at(6));
        assert_eq!(less, Verdict::Note(people(2, "b"), at(5)), "growing again is measured from here");
    }

    fn a_mark() -> impl Strategy<Value = Mark> {
        prop_oneof![
            (0..4_u64, 0..9_u64).prop_map(|(available, buy)| seats(available, buy)),
            (0..4_u64, "[ab]").prop_map(|(number, digest)| people(number, &digest)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever becomes of a cause and of the clock: beginnings and ends alternate, reminders keep their distance, and
        /// nothing is told twice for nothing.
        #[test]
        fn beginnings_and_ends_alternate_and_reminders_keep_their_distance(
            steps in proptest::collection::vec((proptest::option::weighted(0.8, a_mark()), 0..30_i64), 1..60)
        ) {
            let (mut known, mut now): (Option<Told>, i64) = (None, 0);
            let mut last_reminder = None;
            for (stands, hours) in steps {
                now += hours;
                match verdict(stands.as_ref(), known.as_ref(), true, DAY, at(now)) {
                    Verdict::Tell(phase) => {
                        prop_assert_eq!(phase == Phase::New, known.is_none());
                        prop_assert_eq!(phase == Phase::Over, stands.is_none());
                        if phase == Phase::Reminder {
                            prop_assert!(known.as_ref().is_some_and(|known| at(now) - known.at >= DAY));
                            prop_assert_ne!(last_reminder, Some(now));
                            last_reminder = Some(now);
                        }
                        known = stands.clone().map(|mark| told(mark, now));
                    }
                    Verdict::Note(mark, at) => known = known.map(|known| Told { mark, at, ..known }),
                    Verdict::Quiet | Verdict::Forget => {
                        prop_assert!(stands.is_none() == known.is_none(), "a cause that stands has been told");
                    }
                }
                let again = verdict(stands.as_ref(), known.as_ref(), true, DAY, at(now));
                prop_assert_eq!(again, Verdict::Quiet, "a second look at the same moment tells nothing");
            }
        }
    }
}
