//! What is seen of one client during one pass.

use std::collections::{BTreeMap, BTreeSet};

use rosterd::licensing::wire::Operation;

use crate::truth::{has_id, same_person};

/// What is seen of one client during one pass.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about a pass")]
pub(crate) struct Watch {
    /// Who was desired when it began.
    pub(crate) desired: BTreeSet<String>,
    /// Who was to be in a state when it began.
    pub(crate) lasting: BTreeSet<String>,
    /// What was open before, and is settled first.
    pub(crate) open: BTreeMap<String, Operation>,
    /// Who lost a seat, renames and what a person approved left out.
    pub(crate) removed: BTreeSet<String>,
    /// Whose seat a person wants to be taken back.
    pub(crate) undone: BTreeSet<String>,
    /// Whose seat a person wants to be given back.
    pub(crate) given_back: BTreeSet<String>,
    pub(crate) added: BTreeSet<String>,
    pub(crate) requests: usize,
    /// Every request was answered with 200.
    pub(crate) clean: bool,
    /// Nothing went wrong on the way.
    pub(crate) calm: bool,
    /// A roster has been read during it, and who was desired then.
    pub(crate) disturbed: Option<BTreeSet<String>>,
    /// One process alone is at work.
    pub(crate) alone: bool,
    /// The clock was set during it.
    pub(crate) jumped: bool,
    /// Who was asked for to be sure of it, and by how many requests.
    pub(crate) again: (BTreeSet<String>, usize),
    put: Vec<String>,
    deleted: Vec<String>,
    /// Of the unassigned, who had been given a seat under another address.
    moved: Vec<String>,
}

impl Watch {
    pub(crate) fn new(
        desired: BTreeSet<String>,
        lasting: BTreeSet<String>,
        open: BTreeMap<String, Operation>,
    ) -> Watch {
        Watch {
            desired,
            lasting,
            open,
            removed: BTreeSet::new(),
            undone: BTreeSet::new(),
            given_back: BTreeSet::new(),
            added: BTreeSet::new(),
            requests: 0,
            clean: true,
            calm: true,
            disturbed: None,
            alone: true,
            jumped: false,
            again: Default::default(),
            put: Vec::new(),
            deleted: Vec::new(),
            moved: Vec::new(),
        }
    }

    /// By which clock it planned with which roster can't be told from outside.
    pub(crate) fn is_blurred(&self) -> bool {
        self.jumped && self.disturbed.is_some()
    }

    /// A request arrives. What is wrong with its coming now.
    pub(crate) fn sees(&mut self, operation: Operation, emails: &[String]) -> Option<String> {
        let is_settled = emails.iter().any(|email| self.open.contains_key(email));
        if is_settled {
            return None;
        }
        match operation {
            Operation::Assign => {
                self.put.extend(emails.iter().filter(|email| !self.again.0.contains(*email)).cloned());
                None
            }
            Operation::Unassign => {
                // Whoever was renamed may have the new seat before the old one goes.
                let (moved, left): (Vec<_>, Vec<_>) = emails.iter().cloned().partition(|email| self.moves(email));
                let wrong =
                    self.alone && !self.jumped && !self.put.is_empty() && (moved.is_empty() || !left.is_empty());
                self.moved.extend(moved);
                self.deleted.extend(left);
                wrong.then(|| "an unassignment comes after an assignment".to_owned())
            }
        }
    }

    fn moves(&self, email: &str) -> bool {
        self.put.iter().any(|put| *put != *email && has_id(put) && same_person(put, email))
    }

    /// How many were asked to be given a seat.
    pub(crate) fn wanted(&self) -> u64 {
        self.put.len() as u64
    }

    /// How many requests would do for what was asked.
    pub(crate) fn needed(&self, batch_size: usize) -> usize {
        let distinct = |emails: &[String]| emails.iter().collect::<BTreeSet<_>>().len();
        let puts = distinct(&self.put).div_ceil(batch_size);
        // Those who move go batch by batch, as they got their new seats.
        let moves = puts.min(distinct(&self.moved));
        puts + moves + distinct(&self.deleted).div_ceil(batch_size) + self.again.1
    }
}
