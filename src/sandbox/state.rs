//! What the sandbox knows and how it answers, without any network: the licensing API as its documentation has it.
//!
//! A request is looked at in this order, and the first objection is the answer: the path (404), the method (405), the
//! body as JSON and its key (400), whether the key is right (404), the addresses (400), the seats (402). So an empty
//! list of addresses is a probe of the key that changes nothing: 404 when it is wrong, 400 when it is right.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::config::SubscriptionType;
use crate::licensing::wire::Operation;

use super::dialect::{AlreadyAssigned, Case, Dialect, Errors, NoSeats, Partial, StatsOn402};
use super::page;
use super::reply::{AssignmentStats, Reply};

/// The API takes no address longer than this many characters.
const EMAIL_CHARS_MAX: usize = 256;

/// The same words whether the subscription or the key is wrong, so that nobody learns which.
const NOT_FOUND: &str = "The subscription was not found, or the API key does not match.";

/// Every subscription of the server, and how it answers.
#[derive(Debug, Clone)]
pub struct State {
    subscriptions: BTreeMap<Uuid, Subscription>,
    dialect: Dialect,
}

impl State {
    /// Of several subscriptions with one id the last one stays.
    pub fn new(subscriptions: impl IntoIterator<Item = Subscription>, dialect: Dialect) -> State {
        State { subscriptions: subscriptions.into_iter().map(|s| (s.id, s)).collect(), dialect }
    }

    /// Answers one request. `path` is without a query.
    pub fn handle(&mut self, method: &str, path: &str, body: &[u8]) -> Reply {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match (parts.as_slice(), method) {
            (["api", "manage", kind, id], _) => self.manage(method, kind, id, body),
            ([""], "GET" | "HEAD") => page::reply(self),
            (["state"], "GET" | "HEAD") => self.describe(),
            (["" | "state"], _) => Reply::wrong_method("GET"),
            (["seats", id], "POST") => self.sell(id, body),
            (["seats", _], _) => Reply::wrong_method("POST"),
            _ => Reply::error(404, "There is nothing at this address."),
        }
    }

    /// In the order of their ids.
    pub fn subscriptions(&self) -> impl Iterator<Item = &Subscription> {
        self.subscriptions.values()
    }

    pub fn subscription(&self, id: Uuid) -> Option<&Subscription> {
        self.subscriptions.get(&id)
    }

    pub fn subscription_mut(&mut self, id: Uuid) -> Option<&mut Subscription> {
        self.subscriptions.get_mut(&id)
    }

    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Answers differently from now on. Addresses that become the same by it become one assignment.
    pub fn set_dialect(&mut self, dialect: Dialect) {
        self.dialect = dialect;
        for subscription in self.subscriptions.values_mut() {
            let emails: Vec<String> = subscription.assigned().map(str::to_owned).collect();
            subscription.assigned.clear();
            for email in &emails {
                subscription.assign(email, dialect.case);
            }
        }
    }

    fn manage(&mut self, method: &str, kind: &str, id: &str, body: &[u8]) -> Reply {
        let dialect = self.dialect;
        let Some(subscription) = self.named(kind, id) else { return Reply::error(404, NOT_FOUND) };
        let operation = match method {
            "PUT" => Operation::Assign,
            "DELETE" => Operation::Unassign,
            _ => return Reply::wrong_method("PUT, DELETE"),
        };
        match emails_of(body, subscription) {
            Err(refusal) => refusal,
            Ok(emails) => subscription.change(operation, &emails, dialect),
        }
    }

    fn named(&mut self, kind: &str, id: &str) -> Option<&mut Subscription> {
        let id = Uuid::try_parse(id).ok()?;
        self.subscriptions.get_mut(&id).filter(|subscription| subscription.kind.label() == kind)
    }

    fn sell(&mut self, id: &str, body: &[u8]) -> Reply {
        let id = Uuid::try_parse(id).ok();
        let Some(subscription) = id.and_then(|id| self.subscriptions.get_mut(&id)) else {
            return Reply::error(404, "There is no subscription with this id.");
        };
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(seats) = body["seats"].as_u64() else {
            return Reply::error(400, "Say how many seats there are from now on: {\"seats\": 20}.");
        };
        subscription.set_seats(seats);
        Reply::json(200, &json!({"seats": seats, "assigned": subscription.stats().assigned_licenses}))
    }

    fn describe(&self) -> Reply {
        let subscriptions: Vec<Described> = self.subscriptions().map(Described::from).collect();
        Reply::json(200, &BTreeMap::from([("subscriptions", subscriptions)]))
    }
}

/// What `GET /state` says of a subscription.
#[derive(Serialize)]
struct Described<'a> {
    #[serde(rename = "type")]
    kind: SubscriptionType,
    id: Uuid,
    seats: u64,
    assigned: Vec<&'a str>,
}

impl<'a> From<&'a Subscription> for Described<'a> {
    fn from(subscription: &'a Subscription) -> Described<'a> {
        let Subscription { kind, id, seats, .. } = *subscription;
        Described { kind, id, seats, assigned: subscription.assigned().collect() }
    }
}

/// One subscription: its key, its seats and who has one.
#[derive(Debug, Clone)]
pub struct Subscription {
    kind: SubscriptionType,
    id: Uuid,
    key: SecretString,
    seats: u64,
    /// By the form that is compared; the spelling in which it was assigned, where it is another.
    assigned: BTreeMap<Box<str>, Option<Box<str>>>,
}

impl Subscription {
    pub fn new(kind: SubscriptionType, id: Uuid, key: SecretString, seats: u64) -> Subscription {
        Subscription { kind, id, key, seats, assigned: BTreeMap::new() }
    }

    pub fn kind(&self) -> SubscriptionType {
        self.kind
    }

    pub fn id(&self) -> Uuid {
        self.id
    }

    pub fn seats(&self) -> u64 {
        self.seats
    }

    /// Sets the number of seats. Nobody is unassigned when there are fewer than were assigned.
    pub fn set_seats(&mut self, seats: u64) {
        self.seats = seats;
    }

    /// Makes another key the right one, from this moment.
    pub fn set_key(&mut self, key: SecretString) {
        self.key = key;
    }

    /// Who has a seat, as spelt when they were given it.
    pub fn assigned(&self) -> impl ExactSizeIterator<Item = &str> {
        self.assigned.iter().map(|(folded, spelling)| spelling.as_deref().unwrap_or(folded))
    }

    pub fn stats(&self) -> AssignmentStats {
        AssignmentStats { available_licenses: self.seats, assigned_licenses: self.assigned.len() as u64 }
    }

    /// Gives a seat, whether there is one or not. Who has one keeps it and its spelling.
    pub fn assign(&mut self, email: &str, case: Case) {
        let folded = case.fold(email);
        let spelling = (*folded != *email).then(|| email.into());
        self.assigned.entry(folded).or_insert(spelling);
    }

    /// Takes a seat away; whether there was one.
    pub fn unassign(&mut self, email: &str, case: Case) -> bool {
        self.assigned.remove(&case.fold(email)).is_some()
    }

    fn is_assigned(&self, email: &str, case: Case) -> bool {
        self.assigned.contains_key(&case.fold(email))
    }

    fn change(&mut self, operation: Operation, emails: &[String], dialect: Dialect) -> Reply {
        let (sound, complaints) = self.judge(operation, emails, dialect);
        let errors = words(&complaints, dialect.errors);
        if complaints.iter().any(|(_, complaint)| complaint.refuses_all(dialect)) {
            return Reply::refused(400, &errors, None);
        }
        match operation {
            Operation::Assign => self.assign_all(&sound, errors, dialect),
            Operation::Unassign => {
                for email in sound {
                    self.unassign(email, dialect.case);
                }
                self.applied(&errors)
            }
        }
    }

    fn assign_all(&mut self, emails: &[&str], mut errors: Vec<String>, dialect: Dialect) -> Reply {
        let new: Vec<&str> = emails.iter().copied().filter(|email| !self.is_assigned(email, dialect.case)).collect();
        let free = usize::try_from(self.seats).unwrap_or(usize::MAX).saturating_sub(self.assigned.len());
        let fitting = match dialect.no_seats {
            _ if new.len() <= free => new.len(),
            NoSeats::RefuseAll => 0,
            NoSeats::Fill => free,
        };
        for email in &new[..fitting] {
            self.assign(email, dialect.case);
        }
        if new.len() <= free {
            return self.applied(&errors);
        }
        errors.push("There are not enough licences available.".to_owned());
        match dialect.stats_on_402 {
            StatsOn402::Yes => Reply::refused(402, &errors, Some(self.stats())),
            StatsOn402::No => Reply::empty(402),
        }
    }

    fn applied(&self, errors: &[String]) -> Reply {
        if errors.is_empty() { Reply::done(self.stats()) } else { Reply::refused(400, errors, None) }
    }

    /// Parts the addresses that can be done from those that can't, with the reason.
    fn judge<'a>(
        &self,
        operation: Operation,
        emails: &'a [String],
        dialect: Dialect,
    ) -> (Vec<&'a str>, Vec<(&'a str, Complaint)>) {
        let (mut sound, mut complaints) = (Vec::new(), Vec::new());
        let mut seen = BTreeSet::new();
        for email in emails {
            let complaint = if seen.insert(dialect.case.fold(email)) {
                format_complaint(email).or_else(|| self.state_complaint(operation, email, dialect))
            } else {
                Some(Complaint::Duplicate)
            };
            match complaint {
                Some(complaint) => complaints.push((email.as_str(), complaint)),
                None => sound.push(email.as_str()),
            }
        }
        (sound, complaints)
    }

    fn state_complaint(&self, operation: Operation, email: &str, dialect: Dialect) -> Option<Complaint> {
        match (operation, self.is_assigned(email, dialect.case)) {
            (Operation::Assign, true) if dialect.already_assigned == AlreadyAssigned::Error => {
                Some(Complaint::AlreadyAssigned)
            }
            (Operation::Unassign, false) => Some(Complaint::NotAssigned),
            _ => None,
        }
    }
}

/// What is wrong with one address of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Complaint {
    Malformed,
    TooLong,
    Duplicate,
    AlreadyAssigned,
    NotAssigned,
}

impl Complaint {
    /// Duplicates always do: the documentation says that they are rejected, not that one of them is ignored.
    fn refuses_all(self, dialect: Dialect) -> bool {
        let partial = match self {
            Complaint::Duplicate => Partial::RefuseAll,
            Complaint::NotAssigned => dialect.not_assigned,
            Complaint::Malformed | Complaint::TooLong | Complaint::AlreadyAssigned => dialect.bad_address,
        };
        partial == Partial::RefuseAll
    }

    fn words(self) -> &'static str {
        match self {
            Complaint::Malformed => "does not have a valid format",
            Complaint::TooLong => "is longer than 256 characters",
            Complaint::Duplicate => "is in the request more than once",
            Complaint::AlreadyAssigned => "is already assigned",
            Complaint::NotAssigned => "is not currently assigned",
        }
    }
}

/// One error for each complaint, or one for each kind of complaint where they must not say who is meant.
fn words(complaints: &[(&str, Complaint)], errors: Errors) -> Vec<String> {
    let word = |(email, complaint): &(&str, Complaint)| match errors {
        Errors::Named => format!("'{email}' {}.", complaint.words()),
        Errors::Anonymous => format!("An e-mail address {}.", complaint.words()),
    };
    let mut words: Vec<String> = complaints.iter().map(word).collect();
    let mut seen = BTreeSet::new();
    words.retain(|word| seen.insert(word.clone()));
    words
}

/// What the form of an address has against it. The server's own judgement, apart from the client's on purpose.
fn format_complaint(email: &str) -> Option<Complaint> {
    if email.chars().count() > EMAIL_CHARS_MAX {
        return Some(Complaint::TooLong);
    }
    let strange = |c: char| c.is_whitespace() || c.is_control() || "\"(),:;<>[\\]".contains(c);
    let dotted = |part: &str| part.starts_with('.') || part.ends_with('.') || part.contains("..");
    let sound = email.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !dotted(local) && domain.contains('.') && !domain.contains('@') && !dotted(domain)
    });
    (!sound || email.contains(strange)).then_some(Complaint::Malformed)
}

/// The addresses of a request to this subscription, or the answer that refuses it.
fn emails_of(body: &[u8], subscription: &Subscription) -> Result<Vec<String>, Reply> {
    let refuse = |error| Err(Reply::error(400, error));
    let Ok(Value::Object(mut body)) = serde_json::from_slice(body) else {
        return refuse("The body is not a JSON object.");
    };
    let Some(Value::String(key)) = body.get("apiKey") else {
        return refuse("The field 'apiKey' is missing or not a string.");
    };
    if !key.eq_ignore_ascii_case(subscription.key.expose_secret()) {
        return Err(Reply::error(404, NOT_FOUND));
    }
    let emails = body.remove("emails").unwrap_or_default();
    let Ok(emails) = serde_json::from_value::<Vec<String>>(emails) else {
        return refuse("The field 'emails' is missing or not an array of strings.");
    };
    if emails.is_empty() {
        return refuse("At least one e-mail address is needed.");
    }
    Ok(emails)
}

#[cfg(test)]
mod tests;
