//! The configuration, parsed and checked: whoever holds a [`Config`] holds one that can be worked with.
//!
//! `raw` finds and reads the files; `keys` lists every key; `check` holds the files against that list; `value` reads
//! single values; `build` turns it all into a [`Config`] and gathers every complaint; `diagnose` shows complaints with
//! their place, and `redact` keeps secrets out of what is shown; `standing` tells whether the files have changed since. The reference file `config/rosterd.toml` is embedded,
//! and tests hold it and the code together.

mod alert;
mod build;
mod check;
mod diagnose;
mod keys;
mod raw;
mod redact;
mod refused;
mod schedule;
mod schema;
mod scope;
mod secret;
mod standing;
mod value;
mod warn;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::address::{Address, without_case};
use crate::source::ldap::dn::Dn;
use crate::source::ldap::filter::Filter;

pub use alert::{Alert, AlertEvent, AlertKind, Login, Way};
pub use build::{Read, load, load_str, read};
pub use diagnose::{Problem, Problems};
pub use raw::{NotFound, find};
pub use refused::Refused;
pub use schedule::{NoSchedule, Schedule};
pub use schema::schema;
pub(crate) use secret::is_guid;
pub use secret::{KeyMark, SecretError, SecretRef};
pub use standing::Standing;
pub use value::is_loopback;
pub use warn::readable;

/// The reference configuration: every key, its default, a sentence. Loads as it stands.
pub const REFERENCE: &str = include_str!("../../config/rosterd.toml");

/// Everything the configuration says, with every default filled in.
#[derive(Debug, Clone)]
pub struct Config {
    /// The files that were read, the main one first.
    pub files: Vec<PathBuf>,
    /// Of these files, when they were read.
    pub standing: Standing,
    pub ledger: LedgerUrl,
    pub log: Log,
    pub http: Http,
    pub licensing: Licensing,
    /// `None`: off.
    pub brake: Option<BrakeLimits>,
    pub subscriptions: BTreeMap<String, Subscription>,
    pub sources: BTreeMap<String, Source>,
    pub heartbeat: Option<Heartbeat>,
    pub alerts: Vec<Alert>,
    /// What is not wrong but worth a word, each a sentence.
    pub warnings: Vec<String>,
}

impl Config {
    /// The keytab of those sources that sign in with Kerberos: all of them have the same.
    pub fn keytab(&self) -> Option<&Path> {
        self.sources.values().find_map(|source| match &source.kind {
            SourceKind::Ldap(Ldap { auth: Auth::Gssapi { keytab }, .. }) => keytab.as_deref(),
            _ => None,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerUrl {
    Sqlite(PathBuf),
    /// Kept for the error that says what this version can do.
    Postgres(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    pub format: LogFormat,
    /// Whether addresses stand in logs and alerts in clear.
    pub clear_addresses: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// `None`: off.
    pub listen: Option<SocketAddr>,
    pub token: Option<SecretRef>,
    /// `None`: plain HTTP.
    pub certificate: Option<Certificate>,
}

/// The files of a certificate and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    pub cert: PathBuf,
    pub key: PathBuf,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Licensing {
    /// `https`, or `http` for a loopback address. Its path has no slash at the end, but for the `/` that a URL without
    /// a path has.
    pub base_url: reqwest::Url,
    /// For the host, over all subscriptions; more than 0.
    pub requests_per_second: f64,
    pub burst: u32,
    /// Requests in flight at once.
    pub concurrency: NonZeroUsize,
    pub timeout: Duration,
    /// How long one run keeps trying one request.
    pub retry_for: Duration,
    pub proxy: Option<reqwest::Url>,
    pub ca_file: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    pub name: String,
    pub kind: SubscriptionType,
    pub id: Uuid,
    pub api_key: SecretRef,
    /// Names of sources, each of which exists; not empty.
    pub sources: Vec<String>,
    pub schedule: Schedule,
    pub batch_size: NonZeroUsize,
    /// How often a full subscription is asked again for a waiting member.
    pub seat_probe: Duration,
    /// The period over which known assignments are sent again; `None`: never.
    pub reassert: Option<Duration>,
    pub policy: Policy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SubscriptionType {
    Paddle,
    Azure,
    Manual,
}

impl SubscriptionType {
    /// The word in the licensing API's path.
    pub fn label(self) -> &'static str {
        match self {
            SubscriptionType::Paddle => "Paddle",
            SubscriptionType::Azure => "Azure",
            SubscriptionType::Manual => "Manual",
        }
    }
}

/// What a plan has to obey: the part of a subscription's configuration that decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    pub timezone: Tz,
    pub removal_grace: Grace,
    /// Globs over addresses that are never given a seat.
    pub exclude: Globs,
    /// Globs over addresses that are never unassigned.
    pub protect: Globs,
    /// In lower case and ASCII; empty: any domain.
    pub domains: Vec<String>,
    pub guard: Guard,
}

impl Policy {
    /// Whether an address of this domain belongs to the subscription.
    pub fn allows_domain(&self, address: &Address) -> bool {
        self.domains.is_empty() || self.domains.iter().any(|domain| domain == address.domain())
    }

    /// Every default, in Berlin: from this tests make theirs.
    #[cfg(test)]
    pub(crate) fn plain() -> Policy {
        let day = Duration::from_hours(24);
        Policy {
            timezone: chrono_tz::Europe::Berlin,
            removal_grace: Grace { left: Duration::ZERO, disabled: Duration::ZERO, vanished: day },
            exclude: Globs::default(),
            protect: Globs::default(),
            domains: Vec::new(),
            guard: Guard {
                max_removals: Limit::Share(0.2),
                max_removals_per_day: Limit::Share(0.3),
                always_allow: 5,
                hold_after_change: true,
                approval_expires: day,
            },
        }
    }
}

/// How long a leaver keeps the seat, by reason. The other reasons have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grace {
    pub left: Duration,
    pub disabled: Duration,
    pub vanished: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    pub max_removals: Limit,
    pub max_removals_per_day: Limit,
    pub always_allow: u64,
    pub hold_after_change: bool,
    pub approval_expires: Duration,
}

/// When removals stop everywhere: more subscriptions in trouble at once than either allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BrakeLimits {
    pub share: Limit,
    pub at_least: u64,
}

/// A number, or a share of a whole.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    Count(u64),
    /// From 0 to 1.
    Share(f64),
}

impl Limit {
    /// The largest number within the limit, of a whole of this size. A share is rounded down.
    pub fn of(self, whole: u64) -> u64 {
        match self {
            Limit::Count(count) => count,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a share from 0 to 1 of a number of people"
            )]
            Limit::Share(share) => (whole as f64 * share + 1e-9).floor() as u64,
        }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Limit::Count(count) => write!(f, "{count}"),
            Limit::Share(share) => write!(f, "{}%", (share * 10_000.0).round() / 100.0),
        }
    }
}

/// Globs over addresses: `*`, `?` and `[…]`, in any case. A pattern has to match the whole address.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Globs {
    patterns: Vec<globset::GlobMatcher>,
}

impl Globs {
    /// # Errors
    /// The first pattern that is none, with what is wrong with it.
    pub fn new(patterns: &[String]) -> Result<Globs, globset::Error> {
        let compile = |pattern: &String| {
            // The matcher knows the case of ASCII letters only.
            let pattern = if pattern.is_ascii() { pattern.clone() } else { without_case(pattern) };
            let glob = globset::GlobBuilder::new(&pattern).case_insensitive(true).backslash_escape(true).build()?;
            Ok(glob.compile_matcher())
        };
        Ok(Globs { patterns: patterns.iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// The first pattern that matches this identity.
    pub fn matching(&self, identity: &str) -> Option<&str> {
        self.patterns.iter().find(|pattern| pattern.is_match(identity)).map(|pattern| pattern.glob().glob())
    }

    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().map(|pattern| pattern.glob().glob())
    }
}

impl PartialEq for Globs {
    fn eq(&self, other: &Globs) -> bool {
        self.patterns().eq(other.patterns())
    }
}

impl TryFrom<Vec<String>> for Globs {
    type Error = globset::Error;
    fn try_from(patterns: Vec<String>) -> Result<Globs, globset::Error> {
        Globs::new(&patterns)
    }
}

impl From<Globs> for Vec<String> {
    fn from(globs: Globs) -> Vec<String> {
        globs.patterns().map(str::to_owned).collect()
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    pub name: String,
    /// A reading that turns empty is believed.
    pub allow_empty: bool,
    /// Canaries: identities without which a reading is not believed.
    pub must_include: Vec<Address>,
    /// Alert when nothing new has come for so long.
    pub max_age: Option<Duration>,
    pub kind: SourceKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum SourceKind {
    Csv(Csv),
    Ldap(Ldap),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Csv {
    /// A folder that is watched, or one file.
    pub path: PathBuf,
    /// A glob over file names, for a folder.
    pub pattern: String,
    pub mode: Mode,
    pub settle: Duration,
    pub watch: Watch,
    pub poll_interval: Duration,
    pub after: After,
    pub max_bad_rows: Limit,
    pub encoding: Encoding,
    /// `None`: told from the header.
    pub delimiter: Option<u8>,
    pub columns: Columns,
}

impl Csv {
    /// One file as a whole roster, with every default.
    pub fn plain(path: &Path) -> Csv {
        Csv {
            path: path.to_owned(),
            pattern: "*.csv".to_owned(),
            mode: Mode::Snapshot,
            settle: Duration::ZERO,
            watch: Watch::Auto,
            poll_interval: Duration::from_secs(30),
            after: After::Leave,
            max_bad_rows: Limit::Share(0.05),
            encoding: Encoding::Auto,
            delimiter: None,
            columns: Columns::default(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Each file is the whole roster.
    Snapshot,
    /// Rows add and remove.
    Delta,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Watch {
    Auto,
    Native,
    Poll,
}

/// What becomes of a file that has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum After {
    Archive,
    Leave,
    Delete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    #[serde(rename = "auto")]
    Auto,
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "utf-16")]
    Utf16,
    #[serde(rename = "windows-1252")]
    Windows1252,
}

/// Names of columns; `None`: the common names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Columns {
    pub email: Option<String>,
    pub id: Option<String>,
    pub action: Option<String>,
    pub priority: Option<String>,
    pub start: Option<String>,
    pub end: Option<String>,
    pub subscription: Option<String>,
}

/// A directory.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own in the file")]
pub struct Ldap {
    /// `ldaps`, or `ldap`; tried in turn. Not empty.
    pub urls: Vec<reqwest::Url>,
    pub auth: Auth,
    /// Whether an `ldap` connection turns to TLS before anything is said.
    pub start_tls: bool,
    /// Certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    pub flavor: Flavor,
    /// Where searches begin; `None`: at the root of the naming context that the server says is its own.
    pub base_dn: Option<Dn>,
    pub groups: Vec<Group>,
    /// Whom it lets in, of the groups' members, or of everybody where there is no group.
    pub user_filter: Option<Filter>,
    /// Whether members of groups in a group count.
    pub nested: bool,
    /// Whether disabled and expired accounts keep a licence.
    pub include_disabled: bool,
    /// Where the address is found: the first that has a value. Not empty.
    pub email_attributes: Vec<String>,
    pub page_size: u32,
    /// For connecting, TLS and bind together.
    pub connect_timeout: Duration,
    /// For one answer, or one page of it.
    pub page_timeout: Duration,
    pub read_timeout: Duration,
    pub discover: bool,
    pub schedule: Schedule,
    /// Whether to listen for changes where the server tells of them.
    pub push: bool,
    /// Not of the file: the server that is asked before all others, because it tells of changes that they may not know of
    /// yet.
    pub first: Option<reqwest::Url>,
    /// Every key as it stands in the file: the same text reads in the same manner.
    pub table: String,
}

/// Who rosterd is to a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    Simple {
        /// As the server takes it: a DN, or for Active Directory `user@realm` or `DOMAIN\user`.
        name: String,
        password: SecretRef,
    },
    /// By a client certificate; both files are PEM.
    External {
        certificate: PathBuf,
        key: PathBuf,
    },
    Gssapi {
        keytab: Option<PathBuf>,
    },
}

/// What kind of directory it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flavor {
    /// What its root DSE says, and what each group looks like.
    Auto,
    ActiveDirectory,
    /// Groups name people by `memberUid`.
    Rfc2307,
    /// Groups name people by their DNs.
    Rfc2307bis,
}

/// A group whose members should have a licence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub dn: Dn,
    pub priority: i32,
    /// The one subscription that it is for.
    pub subscription: Option<String>,
    /// Its stable id, where a person has said which group is meant; else it is bound to the one that is seen first.
    pub id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    pub url: SecretRef,
    pub every: Duration,
}
