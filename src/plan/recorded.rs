//! Whether the ledger says already what a plan says: then a pass writes nothing.

use std::collections::BTreeMap;

use super::input::PlanInput;
use super::{Plan, Quarantine};
use crate::address::Address;
use crate::member::{Member, MemberState};

impl Plan {
    /// Whether every record that the plan would make without a request stands in the ledger as the input saw it. The
    /// hold is not looked at.
    pub fn is_recorded(&self, input: &PlanInput) -> bool {
        let members: BTreeMap<&str, &Member> = input
            .candidates
            .iter()
            .filter_map(|candidate| Some((candidate.address.identity(), candidate.member.as_deref()?)))
            .collect();
        let is = |address: &Address, state: MemberState| {
            members.get(address.identity()).is_some_and(|member| member.state == state)
        };
        // One that lies ahead was noted by a clock that was wrong, and is noted anew.
        let since = |address: &Address| members.get(address.identity()).and_then(|member| member.departure.as_ref());
        let leaves = |address: &Address| {
            is(address, MemberState::Leaving) && since(address).is_none_or(|departure| departure.at <= input.at)
        };
        let set_aside = |quarantine: &Quarantine| {
            members
                .get(quarantine.address.identity())
                .is_some_and(|member| member.state == MemberState::Quarantined && member.reason == quarantine.reason)
        };
        self.settle.is_empty()
            && self.waiting.iter().all(|waiting| is(&waiting.address, MemberState::Waiting))
            && self.leaving.iter().all(|leaving| leaves(&leaving.address))
            && self.quarantined.iter().all(set_aside)
            && self.assign.iter().all(|assignment| is(&assignment.address, MemberState::Pending))
    }
}
