//! What the licensing server counts, held against what the ledger knows.
//!
//! Nobody can ask who has a seat; but each answer says how many have. What the server counts beyond the ledger was
//! assigned by others. That *surplus* moves only where a request explains it, or somebody did something by hand: that is
//! drift. What it moves by is known, and between which two answers; whose seat it is, is not.
//!
//! Two moves explain themselves, each towards agreement and by no more than was asked for: a roster names people who
//! had a seat from somebody else (the surplus shrinks), and people who had lost theirs are assigned again or unassigned
//! for good (the deficit shrinks).

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::report::text::{count, either, number};

/// How long a loss that may be none is shown.
const DOUBT: TimeDelta = TimeDelta::hours(24);

/// The newest comparison of both counts, and what is known since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// How many seats the server counts that the ledger does not know. Below zero: so many that the ledger knows are
    /// gone, at least.
    pub surplus: i64,
    /// The moment of the answer that was compared last.
    pub as_of: Timestamp,
    /// Seats gone that no request explains, and that have not come back.
    pub shortfall: Option<Shortfall>,
    /// The newest drift.
    pub newest: Option<Found>,
    #[serde(default, skip_serializing_if = "Moves::is_nothing")]
    since: Moves,
}

/// Seats that somebody took away by other means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortfall {
    pub seats: u64,
    /// The newest answer before the first of them was missed; `None`: they were missed in the very first answer.
    pub after: Option<Timestamp>,
    /// The answer in which the last of them was missed.
    pub by: Timestamp,
}

/// A change of the server's count that no request explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// How many seats more; below zero: fewer.
    pub change: i64,
    /// The surplus that this leaves.
    pub surplus: i64,
    /// The answer before; `None`: there was none.
    pub after: Option<Timestamp>,
    /// The answer that showed it.
    pub by: Timestamp,
}

/// What a comparison showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct News {
    pub found: Option<Found>,
    /// So many seats are others' no more, as far as requests explain it.
    pub taken_over: u64,
}

/// What answered requests did that may move the surplus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Moves {
    /// Assigned that the ledger knew of no seat of: they may have had one from somebody else.
    pub given: u64,
    /// Asked for again although they have a seat, or unassigned: they may have lost it before.
    pub righted: u64,
    /// The ledger learnt that their seat is gone.
    pub lost: u64,
}

impl Moves {
    fn is_nothing(&self) -> bool {
        *self == Moves::default()
    }
}

impl Drift {
    /// The first comparison. Seats that the ledger does not know are nothing new: they were there before rosterd.
    pub fn first(counted: u64, held: u64, now: Timestamp) -> Drift {
        let surplus = difference(counted, held);
        let mut drift = Drift { surplus, as_of: now, shortfall: None, newest: None, since: Moves::default() };
        if surplus < 0 {
            drift.newest = Some(Found { change: surplus, surplus, after: None, by: now });
            drift.shortfall = Some(Shortfall { seats: surplus.unsigned_abs(), after: None, by: now });
        }
        drift
    }

    /// Requests were answered.
    pub fn moved(&mut self, moves: Moves) {
        self.since.given += moves.given;
        self.since.righted += moves.righted;
        self.recounted(signed(moves.lost));
    }

    /// The ledger knows so many seats fewer (or more, below zero) by a person's word or by an answer, while the server
    /// counts as before.
    pub fn recounted(&mut self, fewer: i64) {
        self.surplus += fewer;
        self.came_back(fewer);
    }

    /// Holds an answer's count against the ledger's, at a moment at which no request is in doubt. Says what is new.
    pub fn compare(&mut self, counted: u64, held: u64, now: Timestamp) -> News {
        let surplus = difference(counted, held);
        let least = self.surplus - self.surplus.clamp(0, signed(self.since.given));
        let most = self.surplus + self.surplus.saturating_neg().clamp(0, signed(self.since.righted));
        let change = (surplus - least).min(0) + (surplus - most).max(0);
        let after = self.as_of.min(now);
        self.came_back(surplus - self.surplus);
        let known = self.missing();
        let missing = (known + below_zero(change)).max(below_zero(surplus));
        if missing > known {
            let after = self.shortfall.map_or(Some(after), |shortfall| shortfall.after);
            self.shortfall = Some(Shortfall { seats: missing, after, by: now });
        }
        let taken_over = below_zero(surplus.max(least) - self.surplus);
        (self.surplus, self.as_of, self.since) = (surplus, now, Moves::default());
        // Who was adopted and has no seat is missed, too.
        let change = if change == 0 { signed(known) - signed(missing) } else { change };
        let found = (change != 0).then_some(Found { change, surplus, after: Some(after), by: now });
        self.newest = found.or(self.newest);
        News { found, taken_over }
    }

    /// What is to be shown as a problem: seats that are certainly gone, and for a day those that may be.
    pub fn problem(&self, now: Timestamp) -> Option<Shortfall> {
        self.shortfall.filter(|shortfall| self.surplus < 0 || now - shortfall.by < DOUBT)
    }

    /// How many seats the server counts that are not rosterd's.
    pub fn unmanaged(&self) -> u64 {
        self.surplus.max(0).unsigned_abs()
    }

    /// How many seats are missed.
    fn missing(&self) -> u64 {
        self.shortfall.map_or(0, |shortfall| shortfall.seats)
    }

    fn came_back(&mut self, seats: i64) {
        if let Some(shortfall) = &mut self.shortfall {
            shortfall.seats = shortfall.seats.saturating_sub(seats.max(0).unsigned_abs());
        }
        self.shortfall.take_if(|shortfall| shortfall.seats == 0);
    }
}

fn difference(counted: u64, held: u64) -> i64 {
    signed(counted) - signed(held)
}

/// A count as a number that can be added to; a server may name any.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX).min(i64::MAX / 4)
}

fn below_zero(number: i64) -> u64 {
    number.min(0).unsigned_abs()
}

impl Found {
    /// What happened, as a fragment.
    pub fn words(&self) -> String {
        let seats = count(self.change.unsigned_abs(), "licence was", "licences were");
        let when = between(self.after, self.by);
        if self.change > 0 {
            return format!("{seats} assigned {when} by other means than rosterd");
        }
        format!(
            "{seats} unassigned {when} by other means than rosterd: {}",
            of_whom(self.change.unsigned_abs(), self.surplus)
        )
    }
}

impl Shortfall {
    /// What is missing, as a fragment. `surplus` is [`Drift::surplus`].
    pub fn words(&self, surplus: i64) -> String {
        let seats = count(self.seats, "licence was", "licences were");
        let (when, whom) = (between(self.after, self.by), of_whom(self.seats, surplus));
        format!("{seats} unassigned {when} by other means than rosterd: {whom}")
    }
}

/// Seats of others that are rosterd's now, as a fragment.
pub fn taken_over(seats: u64) -> String {
    format!(
        "{} of others {} rosterd's now, because rosters name their people; or somebody unassigned as many",
        count(seats, "licence", "licences"),
        either(seats, "is", "are")
    )
}

fn between(after: Option<Timestamp>, by: Timestamp) -> String {
    match after {
        Some(after) => format!("between {} and {}", second(after), second(by)),
        None => format!("before {}", second(by)),
    }
}

fn second(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Of whom these seats were that are gone.
fn of_whom(seats: u64, surplus: i64) -> String {
    let certain = below_zero(surplus).min(seats);
    let it = either(seats, "it", "them");
    match certain {
        0 => "whether of those that rosterd assigned or of others can't be told".to_owned(),
        _ if certain == seats => format!("rosterd had assigned or adopted {it}"),
        _ => format!("rosterd had assigned or adopted at least {} of {it}", number(certain)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_timestamp_millis(1_800_000_000_000).unwrap() + TimeDelta::minutes(minutes)
    }

    fn given(given: u64) -> Moves {
        Moves { given, ..Moves::default() }
    }

    fn righted(righted: u64) -> Moves {
        Moves { righted, ..Moves::default() }
    }

    fn change(drift: &mut Drift, counted: u64, held: u64, minutes: i64) -> i64 {
        drift.compare(counted, held, at(minutes)).found.map_or(0, |found| found.change)
    }

    fn missing(drift: &Drift) -> u64 {
        drift.shortfall.map_or(0, |shortfall| shortfall.seats)
    }

    #[test]
    fn people_who_had_a_seat_before_rosterd_are_no_drift() {
        let mut drift = Drift::first(1000, 100, at(0));
        assert_eq!((drift.unmanaged(), drift.newest, drift.problem(at(0))), (900, None, None));
        // The roster names them, batch after batch.
        for batch in 1..10 {
            drift.moved(given(100));
            let news = drift.compare(1000, 100 + batch * 100, at(1));
            assert_eq!(news, News { found: None, taken_over: 100 });
        }
        assert_eq!(drift.unmanaged(), 0);
    }

    #[test]
    fn a_seat_that_somebody_took_away_is_missed_until_it_is_back() {
        let mut drift = Drift::first(50, 50, at(0));
        drift.moved(given(10));
        assert_eq!(change(&mut drift, 60, 60, 15), 0);
        assert_eq!(change(&mut drift, 58, 60, 30), -2);
        assert_eq!(drift.problem(at(9_999)), Some(Shortfall { seats: 2, after: Some(at(15)), by: at(30) }));
        assert_eq!(change(&mut drift, 58, 60, 45), 0, "it is told once");
        assert_eq!(change(&mut drift, 57, 60, 60), -1);
        assert_eq!(drift.shortfall, Some(Shortfall { seats: 3, after: Some(at(15)), by: at(60) }));
        // Two were assigned again by rosterd, one by hand.
        drift.moved(righted(100));
        assert_eq!(change(&mut drift, 59, 60, 75), 0);
        assert_eq!(missing(&drift), 1);
        assert_eq!(change(&mut drift, 60, 60, 90), 1);
        assert_eq!((drift.shortfall, drift.unmanaged()), (None, 0));
    }

    #[test]
    fn where_both_count_the_same_nothing_is_missed() {
        let mut drift = Drift::first(50, 50, at(0));
        assert_eq!((drift.newest, drift.shortfall, drift.unmanaged()), (None, None, 0));
        // One of others, and one that may have been rosterd's.
        assert_eq!(change(&mut drift, 51, 50, 1), 1);
        assert_eq!(change(&mut drift, 50, 50, 2), -1);
        assert_eq!((drift.unmanaged(), missing(&drift)), (0, 1));
        assert!(drift.problem(at(3)).is_some());
        assert_eq!(drift.problem(at(2 + 24 * 60)), None, "as many as there should be");
    }

    #[test]
    fn a_leaver_who_had_lost_the_seat_is_missed_no_more() {
        let mut drift = Drift::first(50, 50, at(0));
        assert_eq!(change(&mut drift, 49, 50, 1), -1);
        drift.moved(righted(3));
        assert_eq!(change(&mut drift, 47, 47, 2), 0);
        assert_eq!(drift.shortfall, None);
        // The next leaver does not explain that somebody was assigned.
        drift.moved(righted(1));
        assert_eq!(change(&mut drift, 47, 46, 3), 1);
    }

    #[test]
    fn a_loss_among_seats_of_others_can_not_be_told_from_theirs() {
        let mut drift = Drift::first(55, 50, at(0));
        assert_eq!(change(&mut drift, 53, 50, 15), -2);
        assert_eq!((drift.unmanaged(), missing(&drift)), (3, 2));
        assert!(drift.problem(at(15 + 24 * 60 - 1)).is_some());
        assert_eq!(drift.problem(at(15 + 24 * 60)), None, "nobody could ever say that it is over");
        assert_eq!(change(&mut drift, 49, 50, 9_000), -4);
        assert_eq!(drift.problem(at(99_999)).unwrap().seats, 6);
    }

    #[test]
    fn a_persons_word_moves_what_is_known_and_not_what_is_there() {
        let mut drift = Drift::first(55, 50, at(0));
        drift.recounted(-5);
        assert_eq!(change(&mut drift, 55, 55, 1), 0);
        assert_eq!(drift.unmanaged(), 0);
        // Adopted without having a seat.
        drift.recounted(-2);
        assert_eq!(change(&mut drift, 55, 57, 2), -2);
        assert_eq!(missing(&drift), 2);
        // And forgotten again.
        drift.recounted(2);
        assert_eq!(missing(&drift), 0);
        assert_eq!(change(&mut drift, 55, 55, 3), 0);
    }

    #[test]
    fn whoever_is_known_to_have_lost_the_seat_is_not_missed() {
        let mut drift = Drift::first(50, 50, at(0));
        assert_eq!(change(&mut drift, 49, 50, 1), -1);
        drift.moved(Moves { lost: 1, righted: 99, ..Moves::default() });
        assert_eq!(change(&mut drift, 49, 49, 2), 0);
        assert_eq!(drift.shortfall, None);
    }

    #[test]
    fn what_was_missed_in_the_first_answer_has_no_beginning() {
        let drift = Drift::first(7, 10, at(0));
        assert_eq!(drift.problem(at(0)), Some(Shortfall { seats: 3, after: None, by: at(0) }));
        assert_eq!(drift.newest.unwrap().change, -3);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_turn_time_around() {
        let mut drift = Drift::first(10, 10, at(60));
        let found = drift.compare(9, 10, at(0)).found.unwrap();
        assert_eq!((found.after, found.by), (Some(at(0)), at(0)));
    }

    #[test]
    fn it_says_what_is_known_and_what_is_not() {
        let found = |change, surplus| Found { change, surplus, after: Some(at(0)), by: at(15) }.words();
        let lines = [found(3, 3), found(-1, -1), found(-2, -2), found(-2, 3), found(-5, -2), found(-1, 0)].join("\n");
        insta::assert_snapshot!(lines, @"
        3 licences were assigned between 2027-01-15 08:00:00 UTC and 2027-01-15 08:15:00 UTC by other means than rosterd
        1 licence was unassigned between 2027-01-15 08:00:00 UTC and 2027-01-15 08:15:00 UTC by other means than rosterd: rosterd had assigned or adopted it
        2 licences were unassigned between 2027-01-15 08:00:00 UTC and 2027-01-15 08:15:00 UTC by other means than rosterd: rosterd had assigned or adopted them
        2 licences were unassigned between 2027-01-15 08:00:00 UTC and 2027-01-15 08:15:00 UTC by other means than rosterd: whether of those that rosterd assigned or of others can't be told
        5 licences were unassigned between 2027-01-15 08:00:00 UTC and 2027-01-15 08:15:00 UTC by other means than rosterd: rosterd had assigned or adopted at least 2 of them
        1 licence was unassigned between 2027-01-15 08:00:00 UTC and 2027-01-15 08:15:00 UTC by other means than rosterd: whether of those that rosterd assigned or of others can't be told
        ");
        let first = Shortfall { seats: 2, after: None, by: at(0) }.words(-2);
        insta::assert_snapshot!(first, @"2 licences were unassigned before 2027-01-15 08:00:00 UTC by other means than rosterd: rosterd had assigned or adopted them");
    }

    proptest! {
        /// Whatever requests do and are answered, a world in which nobody else does anything shows no drift.
        #[test]
        fn requests_alone_are_never_drift(
            others in 0_u64..20,
            steps in prop::collection::vec((0_u64..9, 0_u64..9, 0_u64..9, 0_u64..9, any::<bool>()), 0..30),
        ) {
            // Seats of others, and those of rosterd.
            let (mut others, mut held) = (others, 0);
            let mut drift = Drift::first(others, held, at(0));
            for (assigned, taken_over, unassigned, again, told) in steps {
                let taken_over = taken_over.min(others);
                let unassigned = unassigned.min(held + assigned + taken_over);
                others -= taken_over;
                held = held + assigned + taken_over - unassigned;
                drift.moved(given(assigned + taken_over));
                drift.moved(righted(unassigned + again));
                if told {
                    prop_assert_eq!(drift.compare(others + held, held, at(1)).found, None);
                    prop_assert_eq!((drift.unmanaged(), drift.problem(at(1))), (others, None));
                }
            }
        }

        /// What others took away while they gave nothing is found whole, to the seat.
        #[test]
        fn what_others_take_is_found(held in 10_u64..50, taken in prop::collection::vec(0_u64..3, 1..5)) {
            let mut drift = Drift::first(held, held, at(0));
            let mut counted = held;
            for (step, taken) in (1..).zip(taken) {
                counted -= taken;
                prop_assert_eq!(change(&mut drift, counted, held, step), -i64::try_from(taken).unwrap());
                prop_assert_eq!(missing(&drift), held - counted);
            }
        }

        /// No numbers, however wild, break it.
        #[test]
        fn any_numbers_can_be_compared(numbers in prop::collection::vec(any::<(u64, u64, i32, u32)>(), 1..9)) {
            let mut drift = Drift::first(numbers[0].0, numbers[0].1, at(0));
            for (counted, held, fewer, moved) in numbers {
                drift.recounted(fewer.into());
                drift.moved(Moves { given: moved.into(), righted: moved.into(), lost: moved.into() });
                drift.compare(counted, held, at(1));
                prop_assert!(drift.surplus >= 0 || missing(&drift) > 0);
            }
        }
    }
}
