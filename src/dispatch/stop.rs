//! Why a run stops before its end.

use serde::{Deserialize, Serialize};

/// How a subscription's problem begins where no answer came that counts.
pub const GIVES_NO_ANSWER: &str = "the licensing server gives no answer that counts";
/// How it begins where the run was stopped from this side, and needs nobody.
pub const WAS_STOPPED: &str = "rosterd was stopped, or configured anew, in the middle of the run";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The server does not accept the key.
    KeyRefused { words: String },
    /// No answer, or none that counts, within `retry_for`.
    Unreachable { cause: String },
    /// A redirect.
    Redirect { target: String },
    /// A removal was due, and what it rests on was not so any more: removals were stopped everywhere, or a roster has
    /// changed.
    Overtaken,
    /// Even a request with one address was answered 413: it is not its size that is refused.
    TooLarge,
    /// The daemon is ending.
    Shutdown,
}

impl Stop {
    /// Why a run stopped, in words that are the same each time: for everybody who was not asked for.
    pub fn in_short(&self) -> &'static str {
        match self {
            Stop::KeyRefused { .. } => "the server does not accept the API key",
            Stop::Unreachable { .. } => "the server gives no answer that counts",
            Stop::Redirect { .. } => "the server redirects to another place",
            Stop::Overtaken => "something has changed since it was planned",
            Stop::TooLarge => "the server refuses every request as too large",
            Stop::Shutdown => "rosterd was stopped",
        }
    }
}

/// Why a run stopped, as a fragment.
impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stop::KeyRefused { words } if words.is_empty() => f.write_str("the server does not accept the API key"),
            Stop::KeyRefused { words } => write!(f, "the server does not accept the API key: {words}"),
            Stop::Unreachable { cause } => write!(f, "the server can't be reached: {cause}"),
            Stop::Redirect { target } => write!(f, "the server redirects to {target}, which is not followed"),
            Stop::Overtaken => f.write_str("something has changed since it was planned"),
            Stop::TooLarge => f.write_str("the server refuses even a request with one address as too large (413)"),
            Stop::Shutdown => f.write_str("rosterd was ending"),
        }
    }
}
