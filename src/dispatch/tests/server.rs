//! A small licensing server with an answer to each open question, apart from the sandbox on purpose.

use std::collections::{BTreeSet, HashSet};

use super::{Address, Answer, Operation, Request, Stats};

/// An answer to each open question; all `false`: the simplest server.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "one for each open question")]
pub(super) struct Dialect {
    /// Assigning who is assigned is an error.
    pub(super) already_is_error: bool,
    /// The others of a request with an invalid address are assigned.
    pub(super) bad_applies_rest: bool,
    /// The others of a request with an address that is not assigned are unassigned.
    pub(super) not_assigned_applies_rest: bool,
    /// As many as fit are assigned.
    pub(super) fills: bool,
    pub(super) anonymous: bool,
    pub(super) case_sensitive: bool,
    pub(super) stats_on_402: bool,
}

impl Dialect {
    pub(super) fn all() -> impl Iterator<Item = Dialect> {
        (0..128).map(|bits: u32| {
            let flag = |place: u32| bits & (1 << place) != 0;
            Dialect {
                already_is_error: flag(0),
                bad_applies_rest: flag(1),
                not_assigned_applies_rest: flag(2),
                fills: flag(3),
                anonymous: flag(4),
                case_sensitive: flag(5),
                stats_on_402: flag(6),
            }
        })
    }
}

#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) dialect: Dialect,
    pub(super) seats: usize,
    pub(super) assigned: BTreeSet<String>,
    /// How many requests were refused for want of seats.
    pub(super) refused_402: usize,
    /// Who is assigned already needs a free seat like anybody else.
    pub(super) counts_all: bool,
    /// How many were in refused requests of people who had not been asked for before.
    pub(super) refused_at_first: usize,
    asked: HashSet<(Operation, Address)>,
}

impl Server {
    pub(super) fn new(dialect: Dialect, seats: usize) -> Server {
        Server {
            dialect,
            seats,
            assigned: BTreeSet::new(),
            refused_402: 0,
            counts_all: false,
            refused_at_first: 0,
            asked: HashSet::new(),
        }
    }

    pub(super) fn stats(&self) -> Stats {
        Stats { available: self.seats as u64, assigned: self.assigned.len() as u64 }
    }

    pub(super) fn has(&self, email: &str) -> bool {
        self.assigned.contains(&self.fold(email))
    }

    pub(super) fn fold(&self, email: &str) -> String {
        if self.dialect.case_sensitive { email.to_owned() } else { email.to_lowercase() }
    }

    /// Begins to count anew.
    pub(super) fn count(&mut self) {
        self.refused_402 = 0;
        self.refused_at_first = 0;
        self.asked.clear();
    }

    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        let mut new = 0;
        for address in &request.addresses {
            new += usize::from(self.asked.insert((request.operation, address.clone())));
        }
        let answer = self.decide(request);
        self.refused_402 += usize::from(matches!(answer, Answer::NoSeats { .. }));
        self.refused_at_first += if matches!(answer, Answer::Done { .. }) { 0 } else { new };
        answer
    }

    fn decide(&mut self, request: &Request) -> Answer {
        let emails: Vec<&str> = request.addresses.iter().map(Address::spelling).collect();
        let mut errors = Vec::new();
        let mut sound = Vec::new();
        for email in emails {
            match self.complaint(request.operation, email) {
                Some(words) if self.dialect.anonymous => errors.push(format!("An e-mail address {words}.")),
                Some(words) => errors.push(format!("'{email}' {words}.")),
                None => sound.push(self.fold(email)),
            }
        }
        let applies_rest = match request.operation {
            Operation::Assign => self.dialect.bad_applies_rest,
            Operation::Unassign => self.dialect.not_assigned_applies_rest,
        };
        if !errors.is_empty() && !applies_rest {
            return refused(errors);
        }
        match request.operation {
            Operation::Unassign => {
                for email in &sound {
                    self.assigned.remove(email);
                }
            }
            Operation::Assign => {
                let asked = sound.len();
                sound.retain(|email| !self.assigned.contains(email));
                let free = self.seats.saturating_sub(self.assigned.len());
                let fits = if self.counts_all { asked } else { sound.len() } <= free;
                sound.truncate(if fits || self.dialect.fills { free } else { 0 });
                self.assigned.extend(sound);
                if !fits {
                    let stats = self.dialect.stats_on_402.then(|| self.stats());
                    return Answer::NoSeats { stats, errors: Vec::new() };
                }
            }
        }
        if errors.is_empty() { Answer::Done { stats: Some(self.stats()) } } else { refused(errors) }
    }

    fn complaint(&self, operation: Operation, email: &str) -> Option<&'static str> {
        match operation {
            Operation::Assign if email.starts_with("bad") => Some("is not a valid e-mail address"),
            Operation::Assign if self.dialect.already_is_error && self.has(email) => Some("is already assigned"),
            Operation::Unassign if !self.has(email) => Some("is not currently assigned"),
            _ => None,
        }
    }
}

fn refused(mut errors: Vec<String>) -> Answer {
    errors.dedup();
    Answer::Refused { errors, stats: None }
}
