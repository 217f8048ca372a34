//! Whom to tell when something needs a person, as the configuration has it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SecretRef;
use crate::address::Address;

/// A receiver of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    pub way: Way,
    /// Certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// What is told; never empty.
    pub events: Vec<AlertEvent>,
    /// How long after it was told last a cause that still stands is told again.
    pub remind_every: Duration,
}

/// How a receiver is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    Smtp {
        /// Not empty.
        to: Vec<Address>,
        from: Address,
        /// `smtp` or `smtps`.
        server: reqwest::Url,
        login: Option<Login>,
    },
    Slack {
        url: SecretRef,
    },
    Teams {
        url: SecretRef,
    },
    Webhook {
        url: SecretRef,
        /// What messages are signed with.
        secret: Option<SecretRef>,
    },
    /// A program and its arguments; not empty.
    Command {
        command: Vec<String>,
    },
}

impl Way {
    /// As `kind` has it in the configuration.
    pub fn kind(&self) -> AlertKind {
        match self {
            Way::Smtp { .. } => AlertKind::Smtp,
            Way::Slack { .. } => AlertKind::Slack,
            Way::Teams { .. } => AlertKind::Teams,
            Way::Webhook { .. } => AlertKind::Webhook,
            Way::Command { .. } => AlertKind::Command,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertKind {
    Smtp,
    Slack,
    Teams,
    Webhook,
    Command,
}

impl AlertKind {
    pub const ALL: [AlertKind; 5] =
        [AlertKind::Smtp, AlertKind::Slack, AlertKind::Teams, AlertKind::Webhook, AlertKind::Command];

    /// The word of the configuration.
    pub fn word(self) -> &'static str {
        match self {
            AlertKind::Smtp => "smtp",
            AlertKind::Slack => "slack",
            AlertKind::Teams => "teams",
            AlertKind::Webhook => "webhook",
            AlertKind::Command => "command",
        }
    }
}

/// Who rosterd is to a mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub username: String,
    pub password: SecretRef,
}

/// What is worth telling a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertEvent {
    SeatsExhausted,
    KeyRejected,
    RemovalsHeld,
    SourceFailed,
    MembersQuarantined,
    Drift,
    RunFailed,
    ConfigurationRefused,
}

impl AlertEvent {
    pub const ALL: [AlertEvent; 8] = [
        AlertEvent::SeatsExhausted,
        AlertEvent::KeyRejected,
        AlertEvent::RemovalsHeld,
        AlertEvent::SourceFailed,
        AlertEvent::MembersQuarantined,
        AlertEvent::Drift,
        AlertEvent::RunFailed,
        AlertEvent::ConfigurationRefused,
    ];

    /// The word of the configuration.
    pub const fn word(self) -> &'static str {
        match self {
            AlertEvent::SeatsExhausted => "seats-exhausted",
            AlertEvent::KeyRejected => "key-rejected",
            AlertEvent::RemovalsHeld => "removals-held",
            AlertEvent::SourceFailed => "source-failed",
            AlertEvent::MembersQuarantined => "members-quarantined",
            AlertEvent::Drift => "drift",
            AlertEvent::RunFailed => "run-failed",
            AlertEvent::ConfigurationRefused => "configuration-refused",
        }
    }
}

impl std::fmt::Display for AlertEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}
