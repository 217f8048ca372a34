//! The members of subscriptions, one a line.

use serde::Serialize;

use super::text::{Columns, plain, stamp};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::ledger::{Member, MemberState};
use crate::roster::Entry;

/// A member as `members --json` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberLine {
    pub subscription: String,
    #[serde(rename = "email")]
    pub address: Address,
    pub state: MemberState,
    pub since: Timestamp,
    pub reason: String,
    pub priority: i32,
    /// Where rosters name it: `hr: staff.csv line 7`.
    pub origins: Vec<String>,
}

impl MemberLine {
    /// `entries` are what the subscription's rosters say of the member, each with its source's name.
    pub fn new(subscription: &str, member: Member, entries: &[(String, Entry)]) -> MemberLine {
        MemberLine {
            subscription: subscription.to_owned(),
            address: member.address,
            state: member.state,
            since: member.since,
            reason: member.reason,
            priority: member.priority,
            origins: entries.iter().map(|(source, entry)| origin(source, entry)).collect(),
        }
    }

    /// # Errors
    /// None in practice: every field has a form in JSON.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn cells(&self) -> Vec<String> {
        let MemberLine { subscription, address, state, since, reason, priority, origins } = self;
        // Where a roster's line is the whole reason, it is said once.
        let reason = if origins.contains(reason) { "" } else { reason };
        vec![
            subscription.clone(),
            plain(address.spelling()),
            label(*state).to_owned(),
            stamp(*since),
            priority.to_string(),
            plain(&origins.join(", ")),
            plain(reason),
        ]
    }
}

/// `hr: staff.csv line 7`.
pub fn origin(source: &str, entry: &Entry) -> String {
    format!("{source}: {}", entry.origin)
}

/// The state's word, in text as in JSON.
pub fn label(state: MemberState) -> &'static str {
    match state {
        MemberState::Assigned => "assigned",
        MemberState::Pending => "pending",
        MemberState::Waiting => "waiting",
        MemberState::Leaving => "leaving",
        MemberState::Quarantined => "quarantined",
        MemberState::Unknown => "unknown",
    }
}

/// The line that names the columns.
pub fn header() -> Vec<String> {
    ["subscription", "email", "state", "since", "priority", "origins", "reason"].map(str::to_owned).to_vec()
}

/// These members in columns, with the header where they are the first; widths carry over from one call to the next.
pub fn render(members: &[MemberLine], columns: &mut Columns, first: bool) -> String {
    let head = first.then(header);
    columns.render(&head.into_iter().chain(members.iter().map(MemberLine::cells)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::When;

    fn lines() -> Vec<MemberLine> {
        let line = |email: &str, state, reason: &str, origins: &[&str]| MemberLine {
            subscription: "contoso".into(),
            address: Address::parse(email).unwrap(),
            state,
            since: When::parse("2026-11-23T08:00:00Z").unwrap().about(),
            reason: reason.into(),
            priority: 100,
            origins: origins.iter().map(ToString::to_string).collect(),
        };
        vec![
            line("Jane@contoso.com", MemberState::Assigned, "assigned by rosterd", &["hr: staff.csv line 7", "ad: 3"]),
            line("bob@contoso.com", MemberState::Leaving, "no longer in hr", &[]),
        ]
    }

    #[test]
    fn members_line_up_under_their_header() {
        insta::assert_snapshot!(render(&lines(), &mut Columns::default(), true), @r"
            subscription  email             state     since                 priority  origins                      reason
            contoso       Jane@contoso.com  assigned  2026-11-23T08:00:00Z  100       hr: staff.csv line 7, ad: 3  assigned by rosterd
            contoso       bob@contoso.com   leaving   2026-11-23T08:00:00Z  100                                    no longer in hr
            ");
    }

    #[test]
    fn json_lines_are_as_the_interface_has_them() {
        insta::assert_snapshot!(lines()[0].json().unwrap(), @r#"{"subscription":"contoso","email":"Jane@contoso.com","state":"assigned","since":"2026-11-23T08:00:00Z","reason":"assigned by rosterd","priority":100,"origins":["hr: staff.csv line 7","ad: 3"]}"#);
    }

    #[test]
    fn labels_are_the_words_of_json() {
        use clap::ValueEnum;
        for state in MemberState::value_variants() {
            assert_eq!(serde_json::to_value(state).unwrap(), label(*state));
        }
    }
}
