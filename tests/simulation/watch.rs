//! What is seen of one client during one pass.

use std::collections::{BTreeMap, BTreeSet};

use rosterd::clock::Timestamp;
use rosterd::licensing::wire::Operation;

/// What is seen of one client during one pass.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    pub(crate) began: Timestamp,
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
    /// One process alone is at work.
    pub(crate) alone: bool,
    /// Who was asked for to be sure of it, and by how many requests.
    pub(crate) again: (BTreeSet<String>, usize),
    put: Vec<String>,
    deleted: Vec<String>,
}

impl Watch {
    pub(crate) fn new(began: Timestamp, open: BTreeMap<String, Operation>) -> Watch {
        Watch {
            began,
            open,
            removed: BTreeSet::new(),
            undone: BTreeSet::new(),
            given_back: BTreeSet::new(),
            added: BTreeSet::new(),
            requests: 0,
            clean: true,
            calm: true,
            alone: true,
            again: Default::default(),
            put: Vec::new(),
            deleted: Vec::new(),
        }
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
                self.deleted.extend(emails.iter().cloned());
                (self.alone && !self.put.is_empty()).then(|| "an unassignment comes after an assignment".to_owned())
            }
        }
    }

    /// How many were asked to be given a seat.
    pub(crate) fn wanted(&self) -> u64 {
        self.put.len() as u64
    }

    /// How many requests would do for what was asked.
    pub(crate) fn needed(&self, batch_size: usize) -> usize {
        let distinct = |emails: &[String]| emails.iter().collect::<BTreeSet<_>>().len();
        distinct(&self.put).div_ceil(batch_size) + distinct(&self.deleted).div_ceil(batch_size) + self.again.1
    }
}
