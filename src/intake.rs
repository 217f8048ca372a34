//! One look at one source: read it, judge what was read, make it the roster, and only then move the file aside.
//!
//! A reading that is not complete changes nothing but the note that says so. What is accepted is one transaction,
//! together with the note of which subscriptions have to be looked at again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use crate::alert;
use crate::clock;
use crate::config::{Config, Csv, Source, SourceKind};
use crate::ledger::handle::LedgerHandle;
use crate::ledger::{Acceptance, Ledger, LedgerError, SourceRecord};
use crate::roster::change::{self, Change};
use crate::roster::{Fingerprint, Hasher, Reason};
use crate::source::{Delta, Incomplete, Reading, Snapshot};

/// What a look at a source came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intake {
    /// The roster changed in this many places.
    Accepted { changes: usize },
    /// It says what it said before, or there is nothing to read.
    Unchanged,
    /// A file is still being written; look again after this.
    Settling(Duration),
    /// It gave nothing that can be believed; why.
    Refused(Incomplete),
}

/// Judges a complete reading against what was known: an empty answer where people were, a canary that is missing.
pub fn judge(source: &Source, snapshot: &Snapshot, hasher: &Hasher, routes: &[String]) -> Result<(), String> {
    if snapshot.rows.is_empty() && !source.allow_empty {
        return Err(format!(
            "names nobody, and an empty roster is not believed. If it is meant, set allow_empty = true for sources.{}",
            source.name
        ));
    }
    let named = |identity: &str| {
        let routes = routes.iter().map(|route| Some(route.as_str())).chain([None]);
        routes.map(|route| hasher.entry_key(identity, route)).any(|key| snapshot.rows.binary_search_by_key(&key, |row| row.key).is_ok())
    };
    let missing: Vec<String> =
        source.must_include.iter().filter(|canary| !named(canary.identity())).map(ToString::to_string).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("does not name {}, whom must_include asks for, so it is not believed", missing.join(" and ")))
}
