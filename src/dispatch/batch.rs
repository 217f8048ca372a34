//! One batch and the search through it when it was refused: what to send next of it, and what each answer means for
//! whom. A batch shrinks with each answer that decides about someone, and what is searched shrinks with each other one,
//! so that it ends whatever is answered.
//!
//! A refused request may have been applied in part, so everything in it counts as open until an answer about itself
//! decides it. The search runs through the addresses in order, always sending a start of what is open:
//!
//! - 400 with sentences about one address each (see `wording`, also for what is believed of them): these are set aside,
//!   the rest goes whole.
//! - 400 with no such sentence: an offender is in what was sent. Half of that is sent; an accepted half is done with,
//!   and the offender is in the other. So the first offender is found, and the rest goes whole. Where the words leave
//!   open what the matter is, the offender is sent alone; where it is accepted then, each of the rest is, too.
//! - 402: what was sent does not fit. Half of it is sent (or what fits, where stats say so), until it is known how many
//!   fit; the others are without a seat. A server that fills, fills in the order in which it was asked.
//!
//! A server that applies the rest of a refused batch, names nobody and then refuses what it has applied accepts no part
//! of it, ever. After two offenders in a row at the start of a batch each address is sent alone, until one is accepted.
//!
//! A batch of people who hold a seat, as far as is known, is sent *again* to be sure. No answer to it takes away what they
//! have. 400 says that the server refuses repetitions where it says that somebody is assigned already, or refuses one
//! after the other alone; where it names a few, the rest goes whole, and where it names nobody, the offender is searched
//! for, who stays as they are. 402 says that
//! somebody's seat is gone and none is free, or that the server counts as if all of them were new. Whose seat it is, is
//! searched for as an offender is; and it is believed only once somebody else of the batch is accepted after that, as
//! no one ever is by such a server.

use std::collections::{BTreeMap, VecDeque};

use super::machine::Outcome;
use super::{offenders, wording};
use crate::address::Address;
use crate::licensing::wire::{Operation, Stats};

/// A batch of at least this many, each refused alone, is taken for one that had been applied.
const FRONTS_TELLING: usize = 8;

/// When so many at the start of a batch sent again are told that no seat is free, the server counts them as new; when so
/// many anywhere in it are refused alone, it refuses repetitions.
const LOST_MAX: usize = 8;
/// As many at its start, before anybody was accepted, say so, too.
const REFUSED_FIRST: usize = 2;
const COUNTS_ALL: &str = "the server finds no seat for people who have one, so that nothing can be told from it";

/// What an answer decides: about whom, and what.
pub(super) type Decided = Vec<(Address, Outcome)>;

#[derive(Debug)]
pub(super) struct Batch {
    operation: Operation,
    /// Not decided, in order.
    open: VecDeque<Address>,
    /// Named by a refusal that can't be read: each is sent alone, after the others.
    aside: VecDeque<Address>,
    /// How many of `open`, from its start, are known to hold an offender, and the words.
    invalid: Option<(usize, String)>,
    /// How many of `open`, from its start, are known not to fit.
    overfull: Option<Overfull>,
    /// What is open may have taken effect.
    uncertain: bool,
    /// It was so before anything of it was sent: of a run that came to no end.
    doubted: bool,
    /// Each is asked for alone, since somebody in doubt had no seat.
    singly: bool,
    blind: Blind,
    /// The first refusal; `None`: there was none.
    first: Option<First>,
    /// Only of a batch of people who hold a seat as far as is known.
    again: Option<Again>,
}

/// What is found out about people who hold a seat as far as is known.
#[derive(Debug, Default)]
struct Again {
    /// Alone answered that no seat is free, which is not believed yet.
    lost: Vec<Address>,
    /// One who was accepted, held back to be asked for once more after somebody is answered that no seat is free.
    witness: Option<Address>,
    /// The first of what is open is the witness.
    hearing: bool,
    /// Somebody was accepted while no seat was free.
    proven: bool,
    /// How many were refused alone, for a reason that does not name them.
    refused: usize,
    /// The server refuses to assign who is assigned.
    refuses: bool,
}

/// What the first refusal of a batch says about later ones: who is found to be done already after it, and was not
/// before it, was done by the refused request itself.
#[derive(Debug, Clone, Copy)]
struct First {
    /// The batch was sent once, and this was the answer.
    certain: bool,
    /// It did not say of anybody, by name or not, what is said of those who are done already, or it named them.
    telling: bool,
}

/// What a refusal came to.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) decided: Decided,
    /// How many were found to be done already by an earlier request of this batch; `None`: that can't be told.
    pub(super) done_before: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Overfull {
    len: usize,
    /// All but one are known to fit.
    exact: bool,
}

/// The search for offenders that nobody names.
#[derive(Debug, Default)]
struct Blind {
    /// How many were open when a refusal first named nobody; `None`: none has.
    size: Option<usize>,
    /// Offenders found before any part was accepted.
    fronts: usize,
    /// A part of what had been refused was accepted.
    accepted: bool,
    /// An offender turned out to be assigned already.
    already: bool,
    /// Somebody was accepted alone who was an offender among others: nothing can be told from a refusal of several.
    contradicted: bool,
}

impl Batch {
    /// `uncertain`: it was sent before, and nobody knows what came of it.
    pub(super) fn new(operation: Operation, addresses: Vec<Address>, uncertain: bool) -> Batch {
        Batch {
            operation,
            open: addresses.into(),
            aside: VecDeque::new(),
            invalid: None,
            overfull: None,
            uncertain,
            doubted: uncertain,
            singly: false,
            blind: Blind::default(),
            first: None,
            again: None,
        }
    }

    /// Whether they hold a seat as far as is known.
    pub(super) fn again(self, again: bool) -> Batch {
        Batch { again: again.then(Again::default), ..self }
    }

    pub(super) fn is_again(&self) -> bool {
        self.again.is_some()
    }

    /// Whether the server refused to assign who is assigned, of those who hold a seat.
    pub(super) fn refuses_repeats(&self) -> bool {
        self.again.as_ref().is_some_and(|again| again.refuses)
    }

    pub(super) fn operation(&self) -> Operation {
        self.operation
    }

    pub(super) fn is_uncertain(&self) -> bool {
        self.uncertain
    }

    /// An attempt may have taken effect without an answer that says so.
    pub(super) fn doubt(&mut self) {
        self.uncertain = true;
    }

    pub(super) fn is_decided(&self) -> bool {
        self.open.is_empty()
    }

    /// Everybody about whom nothing is decided.
    pub(super) fn undecided(&self) -> impl Iterator<Item = &Address> {
        let held_back = self.again.iter().flat_map(|again| again.lost.iter().chain(&again.witness));
        self.open.iter().chain(&self.aside).chain(held_back)
    }

    /// The first `len` of what is open: see [`Batch::next_len`].
    pub(super) fn start(&self, len: usize) -> impl Iterator<Item = &Address> {
        self.open.iter().take(len)
    }

    /// How many to send next. `applies_rest`: the server is known to refuse what it has applied of a refused batch.
    pub(super) fn next_len(&self, batch_size: usize, applies_rest: Option<bool>) -> usize {
        let invalid = self.invalid.as_ref().map_or(usize::MAX, |(len, _)| *len);
        let len = match self.overfull {
            _ if self.singly || self.goes_singly(applies_rest) || self.is_hearing() => 1,
            Some(overfull) if overfull.exact && overfull.len <= invalid => overfull.len - 1,
            Some(overfull) => overfull.len.min(invalid) / 2,
            None if invalid == usize::MAX => self.open.len(),
            None => invalid / 2,
        };
        len.clamp(1, batch_size.max(1))
    }

    fn is_hearing(&self) -> bool {
        self.again.as_ref().is_some_and(|again| again.hearing)
    }

    fn goes_singly(&self, applies_rest: Option<bool>) -> bool {
        let suspected = self.blind.fronts >= 2 && (self.is_again() || applies_rest.is_none());
        let refused_again = !self.blind.accepted && (suspected || applies_rest == Some(true));
        self.blind.contradicted || self.blind.size.is_some() && refused_again
    }

    /// Whether this batch, all of which is decided, showed that the server applies the rest of a refused batch and then
    /// refuses what it applied.
    pub(super) fn applies_rest(&self) -> Option<bool> {
        if self.is_again() {
            return None;
        }
        if self.blind.accepted {
            return Some(false);
        }
        let all_refused = self.blind.size == Some(self.blind.fronts);
        let telling = match self.operation {
            // They are assigned already, and the first refusal did not say so of anybody.
            Operation::Assign => self.blind.already && self.first.is_some_and(|first| first.certain && first.telling),
            // So many who all had lost their seats before are not likely, and a wrong guess costs one request, later.
            Operation::Unassign => self.blind.fronts >= FRONTS_TELLING,
        };
        (all_refused && telling).then_some(true)
    }

    /// The first `len` were accepted.
    pub(super) fn accepted(&mut self, len: usize) -> Decided {
        let outcome = match self.operation {
            Operation::Assign => Outcome::Assigned,
            Operation::Unassign => Outcome::Unassigned,
        };
        let len = len.min(self.open.len());
        let mut accepted: Vec<Address> = self.open.drain(..len).collect();
        // Each alone is given what all of them together are not.
        let contradicts = self.invalid.as_ref().is_some_and(|(known, _)| *known <= len);
        self.blind.contradicted |= contradicts;
        self.blind.accepted |= self.blind.size.is_some();
        if let Some(again) = &mut self.again {
            again.proven |= !again.lost.is_empty();
            again.hearing = false;
            if self.blind.accepted && again.witness.is_none() && !again.proven {
                again.witness = accepted.pop();
            }
        }
        let mut decided: Decided = accepted.into_iter().map(|address| (address, outcome.clone())).collect();
        if contradicts && self.is_again() {
            let words = self.invalid.as_ref().map(|(_, words)| words.clone()).filter(|words| !words.is_empty());
            decided.extend(self.give_up(words.as_deref().unwrap_or(COUNTS_ALL)));
        }
        self.invalid = self.invalid.take().and_then(|(known, words)| Some((known.checked_sub(len)?, words)));
        self.invalid.take_if(|(known, _)| *known == 0);
        if let Some(overfull) = &mut self.overfull {
            overfull.len = overfull.len.saturating_sub(len);
        }
        self.overfull.take_if(|overfull| overfull.len == 0);
        self.conclude(&mut decided);
        decided
    }

    /// The first `len` were refused.
    pub(super) fn refused(&mut self, len: usize, errors: &[String]) -> Refusal {
        if self.is_again() {
            let named = offenders::named(errors, self.start(len));
            return Refusal { decided: self.refused_again(len, errors, &named), done_before: Some(0) };
        }
        let about = offenders::singled_out(errors, self.start(len));
        let before = self.first;
        self.first.get_or_insert(First {
            certain: !self.uncertain,
            telling: !about.is_empty() || !errors.iter().any(|error| wording::mentions_done(self.operation, error)),
        });
        self.uncertain = true;
        if about.is_empty() {
            self.blind.size.get_or_insert(self.open.len());
        }
        let mut decided = if len == 1 {
            self.refused_alone(errors, about.get(&0))
        } else if about.is_empty() {
            self.invalid = Some((len, offenders::words(errors)));
            Decided::new()
        } else {
            self.set_aside(&about)
        };
        self.conclude(&mut decided);
        let done = decided.iter().filter(|(_, outcome)| is_done_already(outcome)).count();
        let done_before = match before {
            _ if done == 0 => Some(0),
            None => self.first.is_some_and(|first| first.certain).then_some(0),
            Some(first) => (first.certain && first.telling).then_some(done),
        };
        Refusal { decided, done_before }
    }

    /// The same of those who hold a seat: nothing becomes of who is refused.
    fn refused_again(&mut self, len: usize, errors: &[String], named: &BTreeMap<usize, String>) -> Decided {
        self.uncertain = true;
        let words = offenders::words(errors);
        let already = errors.iter().any(|error| wording::mentions_done(Operation::Assign, error));
        let all = named.len() == len && len > 1;
        let mut decided = Decided::new();
        let refuses = already || all || named.is_empty() && self.refused_unnamed(len, &words, &mut decided);
        if refuses {
            decided.extend(self.give_up(&words));
        }
        if let Some(again) = &mut self.again {
            again.refuses |= refuses;
            again.hearing = false;
        }
        for (place, cause) in named.iter().rev() {
            self.invalid = None;
            let Some(address) = self.open.remove(*place) else { continue };
            decided.push((address, Outcome::NotDone { cause: cause.clone() }));
        }
        self.conclude(&mut decided);
        decided
    }

    /// Goes on with the search for whom it refuses. Whether that is all of them, as far as can be told.
    fn refused_unnamed(&mut self, len: usize, words: &str, decided: &mut Decided) -> bool {
        self.blind.size.get_or_insert(self.open.len());
        self.invalid = (len > 1).then(|| (len, words.to_owned()));
        let Some(again) = self.again.as_mut().filter(|_| len == 1) else { return false };
        again.refused += 1;
        let alone = self.open.pop_front();
        decided.extend(alone.map(|address| (address, Outcome::NotDone { cause: words.to_owned() })));
        again.refused >= LOST_MAX || again.refused >= REFUSED_FIRST && !self.blind.accepted
    }

    /// Nothing becomes of anybody who is not decided.
    fn give_up(&mut self, cause: &str) -> Decided {
        let outcome = Outcome::NotDone { cause: cause.to_owned() };
        let decided = self.undecided().map(|address| (address.clone(), outcome.clone())).collect();
        self.open.clear();
        self.aside.clear();
        self.again.iter_mut().for_each(|again| {
            again.lost.clear();
            again.witness = None;
        });
        decided
    }

    /// The first of what is open was refused alone. `about`: what is said of it by its name.
    fn refused_alone(&mut self, errors: &[String], about: Option<&Vec<&str>>) -> Decided {
        self.invalid = None;
        let Some(address) = self.open.pop_front() else { return Decided::new() };
        let all: Vec<&str> = errors.iter().map(String::as_str).collect();
        let sentences = about.unwrap_or(&all);
        let words = offenders::words(sentences);
        let outcome = wording::of_one_alone(self.operation, sentences, about.is_some(), words);
        if self.blind.size.is_some() {
            self.note_offender(&outcome);
        }
        self.fit_overfull();
        vec![(address, outcome)]
    }

    /// Takes those who are singled out, by their places, out of what is open.
    fn set_aside(&mut self, about: &BTreeMap<usize, Vec<&str>>) -> Decided {
        let mut decided = Decided::new();
        self.invalid = None;
        for (place, sentences) in about.iter().rev() {
            let Some(address) = self.open.remove(*place) else { continue };
            match wording::of_several(self.operation, sentences, offenders::words(sentences)) {
                Some(outcome) => decided.push((address, outcome)),
                None => self.aside.push_front(address),
            }
        }
        decided.reverse();
        self.fit_overfull();
        decided
    }

    fn note_offender(&mut self, outcome: &Outcome) {
        self.blind.fronts += usize::from(!self.blind.accepted);
        self.blind.already |= matches!(outcome, Outcome::AssignedAlready { .. });
    }

    /// The first `len` were refused for want of seats. `stats`: from this answer.
    pub(super) fn no_seats(&mut self, len: usize, stats: Option<Stats>) -> Decided {
        let free = stats.map_or(0, |stats| stats.available.saturating_sub(stats.assigned));
        let fit = usize::try_from(free).unwrap_or(usize::MAX);
        // A server that fills leaves none free; so where some are, it has assigned nobody.
        let exact = fit > 0 && fit < len && !self.uncertain;
        self.uncertain = true;
        let mut decided = Vec::new();
        if self.is_again() {
            decided.extend(self.no_seats_again(len));
            self.conclude(&mut decided);
            return decided;
        }
        self.overfull = Some(Overfull { len: if exact { fit + 1 } else { len }, exact });
        self.conclude(&mut decided);
        decided
    }

    /// The same of those who hold a seat: somebody's is gone, and none is free. Only of one who was asked for alone is
    /// it said whose; and where that is the witness, who has one, it is said of nobody.
    fn no_seats_again(&mut self, len: usize) -> Decided {
        self.blind.size.get_or_insert(self.open.len());
        if self.is_hearing() {
            return self.give_up(COUNTS_ALL);
        }
        self.invalid = (len > 1).then(|| (len, String::new()));
        if len == 1
            && let Some(again) = &mut self.again
        {
            again.lost.extend(self.open.pop_front());
            self.blind.fronts += usize::from(!self.blind.accepted);
        }
        Decided::new()
    }

    /// Draws the conclusions that need no further request.
    fn conclude(&mut self, decided: &mut Decided) {
        if !self.is_again()
            && let Some((1, words)) = &self.invalid
            && let Some(outcome) = wording::of_one_found(self.operation, words)
            && let Some(address) = self.open.pop_front()
        {
            self.invalid = None;
            self.note_offender(&outcome);
            decided.push((address, outcome));
            self.fit_overfull();
        }
        decided.extend(self.conclude_lost());
        if self.overfull.is_some_and(|overfull| overfull.len == 1) {
            // Of those in doubt each may have got a seat by the request whose answer was lost: only of who was asked for
            // alone it is known that there is none.
            let without = if self.doubted { 1 } else { self.open.len() };
            let without = self.open.drain(..without.min(self.open.len()));
            decided.extend(without.map(|address| (address, Outcome::NoSeat)));
            (self.invalid, self.overfull) = (None, None);
            self.singly = self.doubted;
        }
        if self.open.is_empty() {
            self.open.extend(self.aside.pop_front());
        }
    }

    /// Whose seats are gone, once that can be believed.
    fn conclude_lost(&mut self) -> Decided {
        let fronts = self.blind.fronts;
        let Some(again) = &mut self.again else { return Decided::new() };
        if again.proven {
            let mut decided: Decided = again.lost.drain(..).map(|address| (address, Outcome::NoSeat)).collect();
            decided.extend(again.witness.take().map(|address| (address, Outcome::Assigned)));
            return decided;
        }
        if !again.lost.is_empty()
            && let Some(witness) = again.witness.take()
        {
            again.hearing = true;
            self.open.push_front(witness);
            return Decided::new();
        }
        if self.open.is_empty() && again.lost.is_empty() {
            return again.witness.take().map(|address| (address, Outcome::Assigned)).into_iter().collect();
        }
        if fronts >= LOST_MAX || self.open.is_empty() { self.give_up(COUNTS_ALL) } else { Decided::new() }
    }

    /// After offenders were taken out: as many as did not fit do not fit now, since offenders need no seat.
    fn fit_overfull(&mut self) {
        let open = self.open.len();
        self.overfull.take_if(|overfull| overfull.len > open);
    }
}

fn is_done_already(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::AssignedAlready { .. } | Outcome::UnassignedAlready { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(n: usize) -> Vec<Address> {
        (0..n).map(|i| Address::parse(&format!("p{i}@x.example")).unwrap()).collect()
    }

    /// How many requests a batch takes at a server that refuses a request whole, without a name, for any of these.
    fn requests(operation: Operation, people: &[Address], offenders: &[usize]) -> usize {
        let bad: Vec<&Address> = offenders.iter().map(|place| &people[*place]).collect();
        let mut batch = Batch::new(operation, people.to_vec(), false);
        let (mut sent, mut decided) = (0, Decided::new());
        while !batch.is_decided() {
            let len = batch.next_len(people.len(), None);
            let refused = batch.start(len).any(|address| bad.contains(&address));
            sent += 1;
            decided.extend(if refused { batch.refused(len, &["no".to_owned()]).decided } else { batch.accepted(len) });
        }
        assert_eq!(decided.len(), people.len());
        for (address, outcome) in decided {
            let found = matches!(outcome, Outcome::Refused { .. } | Outcome::UnassignedAlready { .. });
            assert_eq!(found, bad.contains(&&address), "{address}: {outcome:?} of {}", people.len());
        }
        sent
    }

    fn promised(batch_size: usize, offenders: usize) -> usize {
        1 + offenders * (batch_size.next_power_of_two().trailing_zeros() as usize + 1)
    }

    #[test]
    fn one_offender_anywhere_is_found_within_the_promise() {
        for n in (1..=20).chain([31, 32, 33, 64, 65, 100, 128]) {
            let people = people(n);
            for place in 0..n {
                let sent = requests(Operation::Assign, &people, &[place]);
                assert!(sent <= promised(n, 1), "{sent} requests for {place} of {n}");
            }
        }
    }

    #[test]
    fn three_offenders_anywhere_are_found_within_the_promise() {
        for n in [3, 4, 5, 8, 9, 16, 17] {
            let people = people(n);
            for a in 0..n {
                for b in a + 1..n {
                    for c in b + 1..n {
                        let sent = requests(Operation::Unassign, &people, &[a, b, c]);
                        assert!(sent <= promised(n, 3), "{sent} requests for {a}, {b}, {c} of {n}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_offender_among_a_hundred_costs_fewer_than_eight_requests_on_average() {
        let people = people(100);
        let all: usize = (0..100).map(|place| requests(Operation::Assign, &people, &[place]) - 1).sum();
        // 6.72 to find it, which is the least that halving takes, and one for the rest.
        assert!(all <= 771, "{all} for a hundred");
    }

    #[test]
    fn offenders_alone_cost_one_request_each_and_few_more() {
        let people = people(100);
        let all: Vec<usize> = (0..100).collect();
        assert!(requests(Operation::Unassign, &people, &all) <= 115);
    }
}
