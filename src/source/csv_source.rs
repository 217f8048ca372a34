//! One look at a CSV source: what lies in its folder becomes readings, and what was read is put away.
//!
//! In snapshot mode the newest file counts, and older ones never become rosters, also where the newest is refused. In
//! delta mode each file counts once, in order of name: one that comes after a later one has been taken is refused.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;

use crate::clock::Timestamp;
use crate::config::{self, After, Mode};
use crate::roster::Hasher;

use super::csv::{self, Settings, refusal};
use super::csv_archive::{self, ArchiveError};
use super::csv_pass::{self, Problem};
use super::drop_folder::{self, Candidate, Compared, PROCESSED, REJECTED, Settle};
use super::{DeltaFile, Evidence, FileDone, FileMark, Incomplete, Known, Reading};

/// A file may be dated so far ahead of the clock without its time being doubted: clocks of two machines differ.
const AHEAD_MAX: TimeDelta = TimeDelta::hours(1);

/// What a look is made with.
pub struct Look<'a> {
    pub config: &'a config::Csv,
    pub hasher: &'a Hasher,
    /// What supports the stored roster; `None` where there is none, or where the configuration of what is looked at has
    /// changed since, so that the same file has to be read again.
    pub accepted: Option<&'a Evidence>,
    /// What is known of the stored roster, under the same condition.
    pub known: Option<Known<'a>>,
    /// Whether a subscription of this name has the source.
    pub is_route: &'a dyn Fn(&str) -> bool,
    /// What became of this delta file, if it has lain there since.
    pub done: &'a mut dyn FnMut(&FileMark) -> Option<FileDone>,
    /// The name of the delta that comes last of those that have been taken.
    pub last_delta: Option<&'a str>,
    pub now: Timestamp,
}

impl std::fmt::Debug for Look<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Look").field("config", self.config).field("now", &self.now).finish_non_exhaustive()
    }
}

/// A file that a reading came from, to be handed to [`finish`] when the reading has been judged.
#[derive(Debug, Clone)]
pub struct Found {
    pub name: String,
    /// BLAKE3 of its bytes in hexadecimal; `None` where it could not be read.
    pub digest: Option<String>,
    file: Candidate,
    /// Older files that this one makes void.
    superseded: Vec<Candidate>,
}

/// One reading, and the file that it came from, where it came from one.
#[derive(Debug)]
pub struct Seen {
    pub found: Option<Found>,
    pub reading: Reading,
}

impl From<Reading> for Seen {
    fn from(reading: Reading) -> Seen {
        Seen { found: None, reading }
    }
}

/// What became of a reading.
#[derive(Debug, Clone, Copy)]
pub enum Verdict<'a> {
    /// It was accepted, or said nothing new.
    Taken,
    /// It was refused, by the reader or by who judged the reading.
    Refused(&'a Incomplete),
}

/// A CSV source, with what it remembers between looks.
#[derive(Debug, Default)]
pub struct CsvSource {
    settle: Settle,
}

impl CsvSource {
    /// Looks at the source once. At least one reading; more in delta mode, in the order in which they are to be taken,
    /// and where something lies there that is no roster. Blocks while it reads.
    pub fn look(&mut self, mut look: Look<'_>) -> Vec<Seen> {
        let listing = match drop_folder::list(look.config) {
            Ok(listing) => listing,
            Err(_) if is_taken_away(&look) => return vec![Reading::Nothing.into()],
            Err(incomplete) => return vec![Reading::Incomplete(incomplete).into()],
        };
        let unsettled = self.settle.observe(&listing.files, look.config.settle, look.now);
        let mut seen = match look.config.mode {
            Mode::Snapshot => look_at_newest(&look, listing.files, &unsettled),
            Mode::Delta => look_at_all(&mut look, listing.files, &unsettled),
        };
        if !listing.odd.is_empty() {
            seen.push(Reading::Incomplete(Incomplete::lasting(listing.odd.join(" "))).into());
        }
        if seen.is_empty() {
            seen.push(Reading::Nothing.into());
        }
        seen
    }
}

/// A single file that is archived or deleted when it has been read is not there most of the time. Where none has ever
/// been read, the path may be wrong.
fn is_taken_away(look: &Look<'_>) -> bool {
    let path = &look.config.path;
    let was_read = look.accepted.is_some() || path.with_file_name(PROCESSED).is_dir();
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    look.config.after != After::Leave
        && was_read
        && path.extension().is_some()
        && folder.is_none_or(Path::is_dir)
        && std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// The newest file, by time of writing and then by name. A file that still moves is waited for, whichever it is: only
/// when all stand still is it known which is the newest.
fn look_at_newest(look: &Look<'_>, mut files: Vec<Candidate>, unsettled: &[Option<Duration>]) -> Vec<Seen> {
    if let Some(left) = unsettled.iter().flatten().max() {
        return vec![Reading::Settling(*left).into()];
    }
    files.sort_by_cached_key(|file| (file.written(look.now), file.name.clone()));
    let Some(newest) = files.pop() else { return Vec::new() };
    if !files.is_empty() && newest.written(look.now) > look.now + AHEAD_MAX {
        return vec![
            Reading::Incomplete(Incomplete::passing(format!(
                "{} is dated {}, which is ahead of the clock, so that it can't be told whether it is the newest file. \
             `touch` it if it is, else move it away.",
                newest.name,
                newest.stamp.modified.format("%Y-%m-%d")
            )))
            .into(),
        ];
    }
    vec![read(look, newest, files, read_snapshot)]
}

fn look_at_all(look: &mut Look<'_>, files: Vec<Candidate>, unsettled: &[Option<Duration>]) -> Vec<Seen> {
    let (mut seen, mut late) = (Vec::new(), Vec::new());
    for (file, left) in files.into_iter().zip(unsettled) {
        // Files count in order of name, so none is taken before an earlier one has settled.
        if let Some(left) = left {
            seen.push(Reading::Settling(*left).into());
            break;
        }
        match done(look, &file) {
            Ok(Some(_)) if look.config.after == After::Leave => continue,
            Ok(Some((FileDone::Taken, digest))) => {
                let found = Found::new(file, Vec::new(), Some(digest));
                seen.push(Seen { found: Some(found), reading: Reading::Unchanged });
                continue;
            }
            // One that was refused and could not be put away is judged anew. What hinders it now hinders the reading,
            // too, which says so.
            Ok(Some((FileDone::Refused, _)) | None) | Err(_) => {}
        }
        if look.last_delta.is_some_and(|last| file.name.as_str() < last) {
            late.push(read(look, file, Vec::new(), refuse_late));
            continue;
        }
        let one = read(look, file, Vec::new(), read_delta);
        let passing = match &one.reading {
            Reading::Settling(_) => true,
            Reading::Incomplete(incomplete) => incomplete.passing,
            _ => false,
        };
        seen.push(one);
        if passing {
            break;
        }
    }
    // Last, so that what is taken does not hide that they were refused.
    seen.extend(late);
    seen
}

/// What became of a delta file that has lain there since, and its digest.
fn done(look: &mut Look<'_>, file: &Candidate) -> Result<Option<(FileDone, String)>, Problem> {
    let (digest, _) = csv_pass::digest(&file.open()?)?;
    let mark = mark(file, digest);
    Ok((look.done)(&mark).map(|done| (done, mark.digest)))
}

fn mark(file: &Candidate, digest: String) -> FileMark {
    FileMark { name: file.name.clone(), digest, written: file.stamp.modified.timestamp() }
}

/// A delta that comes before one that has been taken: what it says may be out of date, so nobody is added or removed.
fn refuse_late(look: &Look<'_>, file: &Candidate, _: File) -> Result<(Reading, Option<String>), Incomplete> {
    let (name, last) = (&file.name, look.last_delta.unwrap_or_default());
    Err(Incomplete::lasting(format!(
        "{name} was not applied: delta files count in order of name, and {last}, which comes after it, has been applied \
         already. If what it says is to count now, drop it again under a name that comes after {last}."
    )))
}

/// Within which names have an order: whoever names files in another way gives another folder or pattern.
pub fn place(config: &config::Csv) -> String {
    format!("{}\n{}", config.path.display(), config.pattern)
}

impl Found {
    fn new(file: Candidate, superseded: Vec<Candidate>, digest: Option<String>) -> Found {
        Found { name: file.name.clone(), digest, file, superseded }
    }

    /// When the file was written; `None` where its time can't be right.
    pub fn written_at(&self, now: Timestamp) -> Option<Timestamp> {
        let written = self.file.written(now);
        (written <= now + AHEAD_MAX).then(|| written.min(now))
    }

    /// Which file it is, where it could be read.
    pub fn mark(&self) -> Option<FileMark> {
        self.digest.clone().map(|digest| mark(&self.file, digest))
    }

    /// As the ledger keeps a delta.
    pub fn delta(&self, config: &config::Csv) -> DeltaFile {
        DeltaFile { written: self.file.stamp.modified.timestamp(), place: place(config) }
    }
}

type Reader = fn(&Look<'_>, &Candidate, File) -> Result<(Reading, Option<String>), Incomplete>;

/// Reads one file that has settled: only if the digest beside it fits, and only if it stands still meanwhile.
fn read(look: &Look<'_>, file: Candidate, superseded: Vec<Candidate>, reader: Reader) -> Seen {
    let passing = |problem: Problem| refusal(&file.name, &problem);
    let told = file.open().map_err(passing).and_then(|open| {
        if let Some(left) = compare_digest(look, &file, &open)? {
            return Ok((Reading::Settling(left), None));
        }
        let again = open.try_clone().map_err(|error| passing(error.into()))?;
        let told = reader(look, &file, open);
        // Whatever was read, it counts for nothing if the file changed meanwhile.
        file.check(&again).map_err(passing)?;
        match told {
            Ok(told) => Ok(told),
            Err(incomplete) if incomplete.passing => Err(incomplete),
            Err(incomplete) => {
                let digest = csv_pass::digest(&again).ok().map(|(digest, _)| digest);
                Ok((Reading::Incomplete(incomplete), digest))
            }
        }
    });
    let (reading, digest) = told.unwrap_or_else(|incomplete| (Reading::Incomplete(incomplete), None));
    match reading {
        Reading::Settling(_) => reading.into(),
        Reading::Complete(mut snapshot) => {
            snapshot.evidence.notes.extend(note_of(&superseded));
            Seen { found: Some(Found::new(file, superseded, digest)), reading: Reading::Complete(snapshot) }
        }
        reading => Seen { found: Some(Found::new(file, superseded, digest)), reading },
    }
}

fn note_of(superseded: &[Candidate]) -> Option<String> {
    const SHOWN: usize = 5;
    let names: Vec<&str> = superseded.iter().rev().take(SHOWN).map(|file| file.name.as_str()).collect();
    let more = if superseded.len() > SHOWN { " and more" } else { "" };
    (!names.is_empty()).then(|| format!("Older files count for nothing and were not read: {}{more}.", names.join(", ")))
}

/// How long to wait for the digest beside a file, if it does not fit yet.
fn compare_digest(look: &Look<'_>, file: &Candidate, open: &File) -> Result<Option<Duration>, Incomplete> {
    let compared = file.compare_digest(open, look.config.settle, look.now);
    let (expected, found) = match compared.map_err(|error| refusal(&file.name, &Problem::Io(error)))? {
        Compared::Fits => return Ok(None),
        Compared::Wait(left) => return Ok(Some(left)),
        Compared::Differs { expected, found } => (expected, found),
    };
    let name = &file.name;
    let expected = expected.map_or("no SHA-256 at all".to_owned(), |expected| format!("SHA-256 {expected}"));
    Err(Incomplete::lasting(format!("{name} has SHA-256 {found}, and {name}.sha256 says {expected}. Drop both again.")))
}

fn settings<'a>(look: &Look<'a>) -> Settings<'a> {
    Settings { config: look.config, hasher: look.hasher, known: look.known, is_route: look.is_route }
}

fn read_snapshot(look: &Look<'_>, file: &Candidate, open: File) -> Result<(Reading, Option<String>), Incomplete> {
    if let Some(accepted) = look.accepted.filter(|accepted| accepted.bytes == file.stamp.bytes) {
        let digest = csv_pass::digest(&open).map_err(|error| refusal(&file.name, &Problem::Io(error)))?;
        if accepted.digest.as_ref() == Some(&digest.0) {
            return Ok((Reading::Unchanged, Some(digest.0)));
        }
    }
    let snapshot = csv::read_snapshot(open, &file.name, settings(look))?;
    let digest = snapshot.evidence.digest.clone();
    Ok((Reading::Complete(snapshot), digest))
}

fn read_delta(look: &Look<'_>, file: &Candidate, open: File) -> Result<(Reading, Option<String>), Incomplete> {
    let delta = csv::read_delta(open, &file.name, settings(look))?;
    let digest = delta.evidence.digest.clone();
    Ok((Reading::Delta(delta), digest))
}

/// Puts a file away once its reading has been judged and the ledger has recorded that, as `after` says. A refused file
/// is never deleted: with `after = "delete"` it goes into `rejected/` as well. A file that is no longer the one that was
/// read stays. Blocks.
///
/// # Errors
/// When it can't be put away; it stays, and is not counted again.
pub fn finish(config: &config::Csv, found: &Found, verdict: Verdict<'_>, now: Timestamp) -> Result<(), ArchiveError> {
    if config.after == After::Leave || matches!(verdict, Verdict::Refused(why) if why.passing) {
        return Ok(());
    }
    for file in found.superseded.iter().chain([&found.file]) {
        if !csv_archive::is_still(&file.path, file.stamp) {
            continue;
        }
        match verdict {
            Verdict::Refused(why) if file == &found.file => {
                let place = csv_archive::move_into(&file.path, REJECTED)?;
                put_digest_away(file, Some(REJECTED))?;
                csv_archive::write_report(&place, &file.name, why, now)?;
            }
            Verdict::Taken if config.after == After::Delete => {
                csv_archive::delete(&file.path)?;
                put_digest_away(file, None)?;
            }
            _ => {
                csv_archive::move_into(&file.path, PROCESSED)?;
                put_digest_away(file, Some(PROCESSED))?;
            }
        }
    }
    Ok(())
}

/// The digest beside a file goes where the file goes.
fn put_digest_away(file: &Candidate, folder: Option<&str>) -> Result<(), ArchiveError> {
    let path = file.digest_path();
    match folder {
        _ if !path.is_file() => Ok(()),
        Some(folder) => csv_archive::move_into(&path, folder).map(drop),
        None => csv_archive::delete(&path),
    }
}

#[cfg(test)]
mod tests;
