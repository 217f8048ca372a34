//! Seats that move from an old address of a person to a new one.

use std::collections::BTreeMap;

use super::machine::Outcome;
use crate::address::Address;

/// Those that move from an old address to a new one.
#[derive(Debug, Default)]
pub(super) struct Renames {
    /// By the new address.
    old: BTreeMap<Address, Address>,
    /// There are seats enough to assign all new ones before the old ones are unassigned: nobody is without a seat in
    /// between, and who is refused loses nothing.
    pub(super) assigned_first: bool,
    /// A new address was refused whose old one had given its seat back.
    pub(super) heirless: bool,
}

impl Renames {
    pub(super) fn new(renames: &[(Address, Address)], room: u64) -> Renames {
        let old = renames.iter().map(|(from, to)| (to.clone(), from.clone())).collect();
        Renames { old, assigned_first: renames.len() as u64 <= room, heirless: false }
    }

    /// What became of an address. The old one that is to be unassigned now.
    pub(super) fn settled(&mut self, address: &Address, outcome: &Outcome) -> Option<Address> {
        match outcome {
            Outcome::Assigned | Outcome::AssignedAlready { .. } if self.assigned_first => self.old.remove(address),
            Outcome::Refused { .. } if !self.assigned_first => {
                self.heirless |= self.old.contains_key(address);
                None
            }
            _ => None,
        }
    }

    /// The run is at its end: at most so many of those old addresses that keep their seat because the new one has none.
    pub(super) fn kept(&mut self, most: usize) -> Vec<Address> {
        if !self.assigned_first {
            self.old.clear();
        }
        let kept: Vec<Address> = self.old.keys().take(most).cloned().collect();
        kept.iter().filter_map(|to| self.old.remove(to)).collect()
    }
}
