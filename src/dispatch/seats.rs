//! How many seats are free, as far as answers tell.

use crate::licensing::wire::Stats;

/// The newest stats, carried on where an answer has none.
#[derive(Debug)]
pub(super) struct Seats(Option<Stats>);

impl Seats {
    pub(super) fn new(known: Option<Stats>) -> Seats {
        Seats(known)
    }

    /// `None`: not known. Nothing is free where more are assigned than there are.
    pub(super) fn free(&self) -> Option<u64> {
        self.0.map(|stats| stats.available.saturating_sub(stats.assigned))
    }

    pub(super) fn learn(&mut self, stats: Stats) {
        self.0 = Some(stats);
    }

    /// An answer without stats may have changed how many are assigned.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }

    /// This many were assigned, by an answer without stats.
    pub(super) fn took(&mut self, seats: usize) {
        if let Some(stats) = &mut self.0 {
            stats.assigned = stats.assigned.saturating_add(seats as u64);
        }
    }

    /// This many were unassigned, by an answer without stats.
    pub(super) fn freed(&mut self, seats: usize) {
        if let Some(stats) = &mut self.0 {
            stats.assigned = stats.assigned.saturating_sub(seats as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_assigned_than_there_are_leaves_none_free() {
        let mut seats = Seats::new(Some(Stats { available: 10, assigned: 12 }));
        assert_eq!(seats.free(), Some(0));
        seats.freed(3);
        assert_eq!(seats.free(), Some(1));
        seats.freed(usize::MAX);
        assert_eq!(seats.free(), Some(10));
        seats.took(usize::MAX);
        assert_eq!(seats.free(), Some(0));
    }

    #[test]
    fn what_is_not_known_stays_so_until_an_answer_tells() {
        let mut seats = Seats::new(None);
        seats.took(1);
        assert_eq!(seats.free(), None);
        seats.learn(Stats { available: 10, assigned: 7 });
        assert_eq!(seats.free(), Some(3));
        seats.forget();
        assert_eq!(seats.free(), None);
    }
}
