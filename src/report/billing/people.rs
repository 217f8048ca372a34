//! Who joined and who left in a month: people, not addresses, so that somebody whose address changed did neither.
//!
//! All that ever happened to seats is played through, because whether somebody had a seat when the month began stands
//! nowhere else.

use std::collections::HashMap;

use crate::clock::Timestamp;

/// What happened to an address that may concern its seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatEvent {
    pub at: Timestamp,
    pub identity: String,
    pub turn: Turn,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It has a seat from now on.
    Gains,
    /// It has the seat from now on that its person had under another address, this one by identity.
    Moves(String),
    /// It has no seat from now on, and wants one.
    Waits,
    /// It has no seat from now on.
    Loses,
    /// Its person has another address from now on, by identity. The seat has been given back for that one.
    Renamed(String),
}

#[expect(clippy::struct_excessive_bools, reason = "each says something else, and most of their combinations occur")]
#[derive(Debug, Clone, Copy, Default)]
struct Person {
    at_start: bool,
    /// Since the month began.
    had_seat: bool,
    has_seat: bool,
    /// Between two addresses: the seat is as good as theirs.
    moving: bool,
}

impl Person {
    fn holds(self) -> bool {
        self.has_seat || self.moving
    }

    fn joined(self) -> bool {
        !self.at_start && self.had_seat
    }

    fn left(self) -> bool {
        (self.at_start || self.had_seat) && !self.holds()
    }
}

/// The people of a subscription, as what happened is played through.
#[derive(Debug, Default)]
pub struct People {
    start: Option<Timestamp>,
    begun: bool,
    everybody: Vec<Person>,
    by_address: HashMap<String, usize>,
    /// Whose address this was.
    moved_from: HashMap<String, usize>,
}

impl People {
    /// `start` is when the month begins.
    pub fn new(start: Timestamp) -> People {
        People { start: Some(start), ..People::default() }
    }

    /// What happens next, in the order of the ledger. Nothing after the month is played.
    pub fn play(&mut self, event: SeatEvent) {
        if !self.begun && self.start.is_some_and(|start| start <= event.at) {
            self.begin();
        }
        let SeatEvent { identity, turn, .. } = event;
        match turn {
            Turn::Gains => self.gains(identity),
            Turn::Moves(from) => self.moves(&from, identity),
            Turn::Waits => self.change(&identity, |person| person.has_seat = false),
            Turn::Loses => self.change(&identity, |person| (person.has_seat, person.moving) = (false, false)),
            Turn::Renamed(to) => self.renamed(identity, to),
        }
    }

    /// The month is over.
    #[must_use]
    pub fn end(mut self) -> People {
        if !self.begun {
            self.begin();
        }
        self
    }

    /// People who had no seat when the month began, and were given one in it.
    pub fn joiners(&self) -> u64 {
        self.everybody.iter().filter(|person| person.joined()).count() as u64
    }

    /// People who had a seat in the month, and have none at its end.
    pub fn leavers(&self) -> u64 {
        self.everybody.iter().filter(|person| person.left()).count() as u64
    }

    fn begin(&mut self) {
        self.begun = true;
        for person in &mut self.everybody {
            *person = Person { at_start: person.holds(), had_seat: false, ..*person };
        }
    }

    fn gains(&mut self, identity: String) {
        let known = self.by_address.get(&identity).copied();
        // An address that was refused gives the seat back to the one before it.
        let returns = || self.moved_from.get(&identity).copied().filter(|place| self.everybody[*place].moving);
        let place = known.or_else(returns).unwrap_or_else(|| {
            self.everybody.push(Person::default());
            self.everybody.len() - 1
        });
        self.by_address.insert(identity, place);
        let person = &mut self.everybody[place];
        *person = Person { had_seat: true, has_seat: true, moving: false, ..*person };
    }

    /// Where the new address has its seat before the old one gives it back, what becomes of the old one is nothing more.
    fn moves(&mut self, from: &str, to: String) {
        if !self.by_address.contains_key(&to)
            && let Some(place) = self.by_address.remove(from)
        {
            self.by_address.insert(to.clone(), place);
        }
        self.gains(to);
    }

    fn change(&mut self, identity: &str, change: impl FnOnce(&mut Person)) {
        if let Some(place) = self.by_address.get(identity) {
            change(&mut self.everybody[*place]);
        }
    }

    fn renamed(&mut self, from: String, to: String) {
        let Some(place) = self.by_address.remove(&from) else { return };
        let other = self.by_address.insert(to, place).map(|other| std::mem::take(&mut self.everybody[other]));
        let other = other.unwrap_or_default();
        let person = &mut self.everybody[place];
        // Whoever had a seat at the new address, too, goes on with that one.
        *person = Person {
            at_start: person.at_start || other.at_start,
            had_seat: person.had_seat || other.had_seat,
            has_seat: other.has_seat,
            moving: !other.has_seat,
        };
        self.moved_from.insert(from, place);
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    /// The month begins at minute 100.
    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn played(events: &[(i64, &str, Turn)]) -> (u64, u64) {
        let mut people = People::new(at(100));
        for (minute, identity, turn) in events {
            people.play(SeatEvent { at: at(*minute), identity: (*identity).to_owned(), turn: turn.clone() });
        }
        let people = people.end();
        (people.joiners(), people.leavers())
    }

    fn to(address: &str) -> Turn {
        Turn::Renamed(address.to_owned())
    }

    fn from(address: &str) -> Turn {
        Turn::Moves(address.to_owned())
    }

    use Turn::{Gains, Loses, Waits};

    #[test]
    fn who_had_a_seat_before_the_month_has_not_joined() {
        assert_eq!(played(&[(1, "ann", Gains), (2, "bob", Gains), (150, "bob", Loses), (160, "cid", Gains)]), (1, 1));
        assert_eq!(played(&[(1, "ann", Gains)]), (0, 0));
        assert_eq!(played(&[(1, "ann", Gains), (2, "ann", Loses)]), (0, 0), "left before");
        assert_eq!(played(&[]), (0, 0));
    }

    #[test]
    fn who_joins_and_leaves_in_the_month_did_both_once() {
        let (gain, loss) = ((110, "ann", Gains), (120, "ann", Loses));
        assert_eq!(played(&[gain.clone(), loss.clone()]), (1, 1));
        assert_eq!(played(&[gain.clone(), loss.clone(), gain.clone(), loss.clone()]), (1, 1));
        assert_eq!(played(&[gain.clone(), loss, gain]), (1, 0), "joined again");
    }

    #[test]
    fn who_left_and_came_back_did_neither() {
        assert_eq!(played(&[(1, "ann", Gains), (110, "ann", Loses), (120, "ann", Gains)]), (0, 0));
    }

    #[test]
    fn a_rename_is_neither_joiner_nor_leaver() {
        let moved = [(110, "ann", Loses), (110, "ann", to("anne")), (111, "anne", Gains)];
        let before = [(1, "ann", Gains)];
        assert_eq!(played(&[&before[..], &moved].concat()), (0, 0));
        assert_eq!(played(&[&before[..], &moved, &[(130, "anne", Loses)]].concat()), (0, 1), "left under the new name");
        assert_eq!(played(&[&before[..], &moved[..2]].concat()), (0, 0), "between two addresses");
        let late = [(99, "ann", Loses), (99, "ann", to("anne")), (101, "anne", Gains)];
        assert_eq!(played(&[&before[..], &late].concat()), (0, 0), "while the month changes");
        assert_eq!(
            played(&[&before[..], &moved[..2], &[(112, "anne", Waits)]].concat()),
            (0, 0),
            "no seat is free yet"
        );
        assert_eq!(played(&[&before[..], &moved[..2], &[(112, "anne", Loses)]].concat()), (0, 1), "and then given up");
    }

    #[test]
    fn a_rename_whose_new_address_is_served_first_is_neither() {
        let before = [(1, "ann", Gains)];
        let moved = [(110, "anne", from("ann")), (110, "ann", Loses), (110, "ann", to("anne"))];
        assert_eq!(played(&[&before[..], &moved].concat()), (0, 0));
        assert_eq!(played(&[&before[..], &moved[..1]].concat()), (0, 0), "the old one has not been given back yet");
        assert_eq!(played(&[&before[..], &moved, &[(130, "anne", Loses)]].concat()), (0, 1));
        assert_eq!(played(&[&before[..], &moved, &[(130, "ann", Gains)]].concat()), (1, 0), "somebody else's now");
        let plain = [(110, "anne", Gains), (110, "ann", Loses), (110, "ann", to("anne"))];
        assert_eq!(played(&[&before[..], &plain].concat()), (0, 0), "known by the end of it");
        let late = [(99, "anne", from("ann")), (101, "ann", Loses), (101, "ann", to("anne"))];
        assert_eq!(played(&[&before[..], &late].concat()), (0, 0), "while the month changes");
        assert_eq!(played(&[(110, "ann", Gains), moved[0].clone(), moved[1].clone()]), (1, 0), "joined this month");
    }

    #[test]
    fn a_rename_that_is_taken_back_is_neither() {
        let refused = [(1, "ann", Gains), (110, "ann", Loses), (110, "ann", to("b@d")), (111, "ann", Gains)];
        assert_eq!(played(&refused), (0, 0));
    }

    #[test]
    fn an_address_that_is_given_to_somebody_else_is_somebody_else() {
        let moved = [(1, "ann", Gains), (110, "ann", Loses), (110, "ann", to("anne")), (111, "anne", Gains)];
        assert_eq!(played(&[&moved[..], &[(120, "ann", Gains)]].concat()), (1, 0));
    }

    #[test]
    fn two_addresses_of_one_person_that_become_one_are_no_leaver() {
        let both = [(1, "ann", Gains), (2, "anne", Gains), (110, "ann", Loses), (110, "ann", to("anne"))];
        assert_eq!(played(&both), (0, 0));
        assert_eq!(played(&[&both[..], &[(120, "anne", Loses)]].concat()), (0, 1));
    }

    #[test]
    fn who_lost_the_seat_to_other_hands_and_waits_has_left() {
        assert_eq!(played(&[(1, "ann", Gains), (110, "ann", Waits)]), (0, 1));
        assert_eq!(played(&[(1, "ann", Gains), (110, "ann", Waits), (120, "ann", Gains)]), (0, 0));
        assert_eq!(played(&[(110, "bob", Waits)]), (0, 0), "never had one");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Without renames, seats at the end are those at the start and the joiners, less the leavers; with renames in
        /// between, the same.
        #[test]
        fn joiners_and_leavers_account_for_the_seats(
            events in prop::collection::vec((0_i64..200, 0_usize..6, 0_u8..4), 0..60)
        ) {
            let mut events = events;
            events.sort_by_key(|(minute, _, _)| *minute);
            let mut seats: Vec<Option<u8>> = vec![None; 6];
            // Each person has a name and the number of their address.
            let mut story = Vec::new();
            let name = |person: usize, number: u8| format!("p{person}.{number}");
            let mut at_start = None;
            for (minute, person, what) in events {
                if minute >= 100 && at_start.is_none() {
                    at_start = Some(seats.iter().flatten().count());
                }
                match (what, seats[person]) {
                    (0 | 1, None) => {
                        story.push((minute, name(person, 0), Gains));
                        seats[person] = Some(0);
                    }
                    (2, Some(number)) => {
                        story.push((minute, name(person, number), Loses));
                        seats[person] = None;
                    }
                    (3, Some(number)) => {
                        let (old, new) = (name(person, number), name(person, number + 1));
                        let gives = [(minute, old.clone(), Loses), (minute, old.clone(), to(&new))];
                        let gains = (minute, new, from(&old));
                        let (first, last) = if number % 2 == 0 { (Some(gains.clone()), None) } else { (None, Some(gains)) };
                        story.extend(first.into_iter().chain(gives).chain(last));
                        seats[person] = Some(number + 1);
                    }
                    _ => {}
                }
            }
            let at_start = at_start.unwrap_or_else(|| seats.iter().flatten().count());
            let story: Vec<(i64, &str, Turn)> =
                story.iter().map(|(minute, name, turn)| (*minute, name.as_str(), turn.clone())).collect();
            let (joiners, leavers) = played(&story);
            let at_end = seats.iter().flatten().count();
            prop_assert_eq!(at_start as u64 + joiners, at_end as u64 + leavers);
        }
    }
}
