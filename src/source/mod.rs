//! Where a roster comes from, and what one look at it gives.
//!
//! A look gives a [`Reading`]: complete or incomplete, two different things. Only a complete one can become a roster,
//! and only a roster can lead to a removal: no error, limit or missing file ever turns into an empty list.
//!
//! A CSV source, from the folder inwards: [`csv_source`] is one look at it, [`drop_folder`] what lies there and may be
//! opened, [`csv`] one file as a roster or as edits, [`csv_pass`] one pass over its bytes, [`csv_text`] its encoding and
//! delimiter, [`csv_record`] its records, [`csv_row`] what a record says, [`csv_doubles`] what several say of one person.
//! [`csv_reread`] fetches entries from the file again, [`csv_archive`] puts it away, [`watch`] says when to look.
//!
//! [`ldap`] is a directory.

pub mod csv;
pub mod csv_archive;
pub mod csv_doubles;
pub mod csv_pass;
pub mod csv_record;
pub mod csv_reread;
pub mod csv_row;
pub mod csv_source;
pub mod csv_text;
pub mod drop_folder;
pub mod ldap;
pub mod watch;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::roster::{Entry, EntryKey, Fingerprint, Hasher, Parts, Reason};

/// What one look at a source gave.
#[derive(Debug)]
pub enum Reading {
    /// The whole roster.
    Complete(Snapshot),
    /// Edits of the stored roster: one delta file.
    Delta(Delta),
    /// What was looked at is what was accepted before: the same file, to the byte.
    Unchanged,
    /// There is nothing to read: a folder without a file. The stored roster stays.
    Nothing,
    /// Somebody is still writing, or the settle time has not passed: look again at this distance.
    Settling(std::time::Duration),
    /// It could not be read whole and sound; the stored roster stays.
    Incomplete(Incomplete),
}

/// A complete reading: who should have a licence, and what was seen that supports it.
#[derive(Debug)]
pub struct Snapshot {
    /// Sorted by key, without doubles: those in the parts that are not as they were known to be.
    pub rows: Vec<Row>,
    /// Those in the other parts, in any order, without doubles: the stored roster has the same.
    pub alike: Vec<Row>,
    /// The parts that differ; all of them where nothing was known.
    pub parts: Parts,
    pub fingerprint: Fingerprint,
    /// Rows that can't be used. What their people have now stays as it is.
    pub bad_rows: Vec<BadRow>,
    pub evidence: Evidence,
    /// Where the entries behind `rows` are found.
    pub entries: Entries,
    /// Why people who are missing left, by their stable ids, where that is known; else they are [`Reason::Left`].
    pub departed: BTreeMap<Box<str>, Reason>,
}

impl Snapshot {
    /// These entries and no others, each with another key, with nothing known of the stored roster.
    pub fn of(entries: Vec<Entry>, hasher: &Hasher) -> Snapshot {
        let row = |(place, entry): (u64, &Entry)| Row {
            key: hasher.entry_key(entry.address.identity(), entry.route.as_deref()),
            content: hasher.content(entry),
            place,
        };
        let mut rows: Vec<Row> = (0..).zip(&entries).map(row).collect();
        rows.sort_unstable_by_key(|row| row.key);
        let mut fingerprint = Fingerprint::default();
        for row in &rows {
            fingerprint.add(row.key, row.content);
        }
        Snapshot {
            rows,
            alike: Vec::new(),
            parts: Parts::all(),
            fingerprint,
            bad_rows: Vec::new(),
            evidence: Evidence::default(),
            entries: Entries::Memory(entries),
            departed: BTreeMap::new(),
        }
    }
}

/// What is known of the stored roster when a file is read: what is alike need not be looked at closely.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// [`Fingerprint::to_bytes`] of the roster.
    pub fingerprint: &'a [u8],
    /// Whether it came from a reading without bad rows: then it is what that reading said, and nothing else.
    pub sound: bool,
}

/// One row of a snapshot in 32 bytes; its entry is fetched only where it differs from the stored roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub key: EntryKey,
    /// [`crate::roster::Hasher::content`] of the entry.
    pub content: u64,
    /// Where [`Entries`] finds it.
    pub place: u64,
}

/// The entries of a snapshot: in memory, still in the file, or still people and groups.
#[derive(Debug)]
pub enum Entries {
    /// `place` is an index.
    Memory(Vec<Entry>),
    /// `place` is as the CSV reader wants it.
    Csv(Box<csv::Rereader>),
    /// `place` is as the reading of a directory wants it.
    Directory(Box<ldap::claims::Claimed>),
}

impl Entries {
    /// The entries of these rows, in the order of the rows.
    ///
    /// # Errors
    /// When the file does not say any more what it said when it was read.
    pub fn fetch(&mut self, rows: &[Row]) -> Result<Vec<Entry>, Incomplete> {
        match self {
            #[expect(clippy::cast_possible_truncation, reason = "the places of entries in memory are indices")]
            Entries::Memory(entries) => Ok(rows.iter().map(|row| entries[row.place as usize].clone()).collect()),
            Entries::Csv(reader) => reader.fetch(rows),
            Entries::Directory(claimed) => {
                let entries: Option<Vec<Entry>> = rows.iter().map(|row| claimed.entry(row)).collect();
                entries.ok_or_else(|| Incomplete::passing("What was read of the directory is no longer there."))
            }
        }
    }
}

/// One delta file: edits in the order of its rows.
#[derive(Debug)]
pub struct Delta {
    pub edits: Vec<Edit>,
    pub bad_rows: Vec<BadRow>,
    pub evidence: Evidence,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    Add(Entry),
    /// The entry's dates and priority mean nothing here.
    Remove(Entry),
}

/// A row that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    /// Where it stands: `staff.csv line 7`.
    pub origin: String,
    /// What is wrong and what to do, as a sentence fragment without a full stop.
    pub reason: String,
    /// Its stable id, where it has one: then it is known whose row it is.
    pub stable_id: Option<String>,
    /// Its address, where that is valid (the row is bad for another reason): then it is known whose row it is.
    pub address: Option<crate::address::Address>,
}

impl BadRow {
    /// Whether nothing in it tells whose row it is: it may be anybody's.
    pub fn is_anonymous(&self) -> bool {
        self.stable_id.is_none() && self.address.is_none()
    }
}

/// What was seen, so that a person can see what was believed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// The file's name.
    pub file: Option<String>,
    /// BLAKE3 of the file's bytes, in hexadecimal.
    pub digest: Option<String>,
    pub bytes: u64,
    /// Rows read, the header not counted, the bad ones counted.
    pub rows: u64,
    /// `UTF-8`, `UTF-16LE`, `windows-1252` …
    pub encoding: Option<String>,
    pub delimiter: Option<char>,
    /// Things that a person may want to know, each a sentence.
    pub notes: Vec<String>,
    /// What was seen of a directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<Box<ldap::evidence::Observed>>,
}

/// Which file it is: one of this name that differs in any of the rest has been put there anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMark {
    pub name: String,
    /// BLAKE3 of its bytes, in hexadecimal.
    pub digest: String,
    /// The time that the file bears, in whole seconds since 1970: not every file system keeps finer ones for ever.
    pub written: i64,
}

/// What became of a file that, as far as is known, has lain there ever since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileDone {
    /// It was made part of the roster.
    Taken,
    /// It was refused, and would be judged today as it was then.
    Refused,
}

/// A delta file, as the ledger keeps it so that it counts once and in order of name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaFile {
    /// [`FileMark::written`].
    pub written: i64,
    /// The folder and pattern within which names have an order.
    pub place: String,
}

/// Why a look at a source gave no roster. Displays as sentences: what, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incomplete {
    /// What is wrong and what to do, as sentences.
    pub reason: String,
    pub bad_rows: Vec<BadRow>,
    /// Whether trying again later may help without anybody's doing (a vanished file, an unreachable share); a file
    /// that is wrong in itself stays wrong.
    pub passing: bool,
}

impl Incomplete {
    /// What is wrong until somebody mends it.
    pub fn lasting(reason: impl Into<String>) -> Incomplete {
        Incomplete { reason: reason.into(), bad_rows: Vec::new(), passing: false }
    }

    /// What may be well by itself later.
    pub fn passing(reason: impl Into<String>) -> Incomplete {
        Incomplete { passing: true, ..Incomplete::lasting(reason) }
    }
}

/// Whether a directory tells of its changes, for whoever asks how things stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Push {
    /// This server does, as it stands in the configuration or in DNS.
    By(String),
    /// None does; why, as sentences.
    Not(String),
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}
