//! A small licensing server with an answer to each open question, apart from the sandbox on purpose; and the sandbox,
//! whose replies are read as any server's are.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{Address, Answer, Operation, Request, Stats};
use crate::config::SubscriptionType;
use crate::licensing::wire::{self, Headers};
use crate::sandbox::{State, Subscription, dialect};

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
    /// The form by which the server compares addresses.
    pub(super) fn fold(self, email: &str) -> String {
        if self.case_sensitive { email.to_owned() } else { email.to_lowercase() }
    }

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

/// A server as the tests see it: it answers, and what it holds can be looked at and changed behind rosterd's back.
pub(super) trait Serves {
    fn new(dialect: Dialect, seats: usize) -> Self;
    fn answer(&mut self, request: &Request) -> Answer;
    fn stats(&self) -> Stats;
    /// Who has a seat, as the server compares addresses.
    fn assigned(&self) -> BTreeSet<String>;
    fn give(&mut self, email: &str);
    /// Whether there was a seat to take.
    fn take(&mut self, email: &str) -> bool;
    fn set_seats(&mut self, seats: usize);
}

#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) dialect: Dialect,
    pub(super) seats: usize,
    pub(super) assigned: BTreeSet<String>,
    /// Who is assigned already needs a free seat like anybody else.
    pub(super) counts_all: bool,
}

impl Serves for Server {
    fn new(dialect: Dialect, seats: usize) -> Server {
        Server { dialect, seats, assigned: BTreeSet::new(), counts_all: false }
    }

    fn answer(&mut self, request: &Request) -> Answer {
        let emails: Vec<&str> = request.addresses.iter().map(Address::spelling).collect();
        let mut errors = Vec::new();
        let mut sound = Vec::new();
        for email in emails {
            match self.complaint(request.operation, email) {
                Some(words) if self.dialect.anonymous => errors.push(format!("An e-mail address {words}.")),
                Some(words) => errors.push(format!("'{email}' {words}.")),
                None => sound.push(self.dialect.fold(email)),
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

    fn stats(&self) -> Stats {
        Stats { available: self.seats as u64, assigned: self.assigned.len() as u64 }
    }

    fn assigned(&self) -> BTreeSet<String> {
        self.assigned.clone()
    }

    fn give(&mut self, email: &str) {
        self.assigned.insert(self.dialect.fold(email));
    }

    fn take(&mut self, email: &str) -> bool {
        self.assigned.remove(&self.dialect.fold(email))
    }

    fn set_seats(&mut self, seats: usize) {
        self.seats = seats;
    }
}

impl Server {
    pub(super) fn has(&self, email: &str) -> bool {
        self.assigned.contains(&self.dialect.fold(email))
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

/// What the sandbox knows, behind bodies and replies as they go over the wire.
pub(super) struct Sandbox {
    state: State,
    case: dialect::Case,
}

const ID: Uuid = Uuid::from_u128(1);
const KEY: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";

impl Sandbox {
    fn subscription(&self) -> &Subscription {
        self.state.subscription(ID).unwrap()
    }

    fn subscription_mut(&mut self) -> &mut Subscription {
        self.state.subscription_mut(ID).unwrap()
    }
}

impl Serves for Sandbox {
    fn new(dialect: Dialect, seats: usize) -> Sandbox {
        use dialect::{AlreadyAssigned, Case, Errors, NoSeats, Partial, StatsOn402};
        let partial = |applies_rest| if applies_rest { Partial::ApplyRest } else { Partial::RefuseAll };
        let case = if dialect.case_sensitive { Case::Sensitive } else { Case::Insensitive };
        let spoken = dialect::Dialect {
            already_assigned: if dialect.already_is_error { AlreadyAssigned::Error } else { AlreadyAssigned::Ok },
            bad_address: partial(dialect.bad_applies_rest),
            not_assigned: partial(dialect.not_assigned_applies_rest),
            no_seats: if dialect.fills { NoSeats::Fill } else { NoSeats::RefuseAll },
            errors: if dialect.anonymous { Errors::Anonymous } else { Errors::Named },
            case,
            stats_on_402: if dialect.stats_on_402 { StatsOn402::Yes } else { StatsOn402::No },
        };
        let subscription = Subscription::new(SubscriptionType::Manual, ID, KEY.into(), seats as u64);
        Sandbox { state: State::new([subscription], spoken), case }
    }

    fn answer(&mut self, request: &Request) -> Answer {
        let body = wire::body(&KEY.into(), &request.addresses);
        let path = wire::path(SubscriptionType::Manual, ID);
        let reply = self.state.handle(request.operation.method(), &path, &body);
        let headers = Headers { content_type: reply.header("content-type"), ..Headers::default() };
        wire::read(reply.status, headers, reply.body.as_bytes(), KEY, crate::clock::Timestamp::UNIX_EPOCH)
    }

    fn stats(&self) -> Stats {
        let stats = self.subscription().stats();
        Stats { available: stats.available_licenses, assigned: stats.assigned_licenses }
    }

    fn assigned(&self) -> BTreeSet<String> {
        self.subscription().assigned().map(|email| self.case.fold(email).into()).collect()
    }

    fn give(&mut self, email: &str) {
        let case = self.case;
        self.subscription_mut().assign(email, case);
    }

    fn take(&mut self, email: &str) -> bool {
        let case = self.case;
        self.subscription_mut().unassign(email, case)
    }

    fn set_seats(&mut self, seats: usize) {
        self.subscription_mut().set_seats(seats as u64);
    }
}
