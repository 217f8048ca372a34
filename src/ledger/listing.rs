//! What the ledger tells to be shown: a line for each subscription, and lists a page at a time, however long they are.

use serde::{Deserialize, Serialize};

use super::{HistoryLine, Member, MemberState, SubscriptionRecord};
use crate::clock::Timestamp;
use crate::plan::Hold;
use crate::source::Push;

/// Of a search inside addresses, or for a state that is rare, no more members than this are looked at for one page.
pub const LOOKED_AT_MAX: usize = 20_000;

/// What a list of subscriptions says of one.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscriptionLine {
    pub name: String,
    /// Without its hold and its last run, and without the doubt about the ledger as a whole.
    pub record: SubscriptionRecord,
    /// The hold, and since when.
    pub hold: Option<(HoldInShort, Timestamp)>,
    /// A state that nobody is in is not named.
    pub members: Vec<(MemberState, u64)>,
}

/// A hold without its people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldInShort {
    pub digest: String,
    pub removals: u64,
    /// A sentence for each guard that stopped them.
    pub reasons: Vec<String>,
    pub braked: bool,
}

impl HoldInShort {
    pub fn of(hold: &Hold) -> HoldInShort {
        let Hold { digest, removals, reasons, braked } = hold;
        let (digest, reasons) = (digest.clone(), reasons.clone());
        HoldInShort { digest, removals: removals.len() as u64, reasons, braked: *braked }
    }
}

/// What a list of sources says of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLine {
    pub name: String,
    pub entries: u64,
    pub bad_rows: u64,
    /// `None`: it was never read whole.
    pub accepted_at: Option<Timestamp>,
    pub problem: Option<(String, Timestamp)>,
    /// Whether it tells a daemon that runs of its changes, and since when.
    pub push: Option<(Push, Timestamp)>,
}

/// Which members are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    pub state: Option<MemberState>,
    pub search: Option<Search>,
    pub from: From,
}

/// A text in the form of an identity: without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// The address begins with it.
    Begins(String),
    /// It stands anywhere in the address.
    Contains(String),
}

/// Where a page begins, by identity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum From {
    #[default]
    Start,
    After(String),
    /// The page that ends before it.
    Before(String),
}

/// Some members, by address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MembersPage {
    pub members: Vec<Member>,
    /// The page before ends before this identity; `None`: there is none.
    pub previous: Option<String>,
    /// The next page begins after this identity; `None`: there is none.
    pub next: Option<String>,
    /// [`LOOKED_AT_MAX`] members were looked at and the page is not full: there may be more where `next` or, when looking
    /// backwards, `previous` begins.
    pub is_cut: bool,
}

/// A line of the history, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedLine {
    pub line: HistoryLine,
    pub place: Place,
}

/// Where a line stands in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub at: Timestamp,
    pub id: i64,
}

/// Which lines of the history are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lines<'a> {
    /// `None`: of all, and of what belongs to none.
    pub subscription: Option<&'a str>,
    /// Only those that are about nobody in particular.
    pub of_nobody: bool,
    /// Those that are older than this.
    pub before: Option<Place>,
}
