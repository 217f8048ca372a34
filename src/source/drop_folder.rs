//! The place where CSV files are dropped: what lies there, what may be opened, what has settled.
//!
//! Only regular files inside the folder are ever opened. [`Settle`] is pure: it is told what was seen and when.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::DateTime;
use globset::{GlobBuilder, GlobMatcher};
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::config;

use super::Incomplete;
use super::csv_pass::{Problem, for_each_piece};

/// Where archived files go.
pub const PROCESSED: &str = "processed";
/// Where refused files go, each with a report beside it.
pub const REJECTED: &str = "rejected";
/// What a file's SHA-256 stands in is named as the file, and this.
pub const SHA256: &str = ".sha256";

/// How names end while a program still writes or downloads under them.
const TEMPORARY: &[&str] =
    &["~", ".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".swp"];

/// A digest that does not fit is waited for at least this long: file and digest come one after the other.
const DIGEST_PATIENCE: Duration = Duration::from_mins(1);

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    pub bytes: u64,
    pub modified: Timestamp,
}

impl Stamp {
    pub fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: moment(metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

fn moment(seconds: i64, nanoseconds: i64) -> Timestamp {
    DateTime::from_timestamp(seconds, u32::try_from(nanoseconds).unwrap_or_default()).unwrap_or_default()
}

/// A file that may be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// What is opened: the same, or what a link inside the folder leads to.
    target: PathBuf,
    pub stamp: Stamp,
    /// When anything about it last changed, its time of writing and its name among that. Nobody can set it.
    changed: Timestamp,
}

/// What lies in a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// In order of name.
    pub files: Vec<Candidate>,
    /// What has the name of a roster and can't be one; each a sentence.
    pub odd: Vec<String>,
}

/// Lists a folder, or the one file that is configured.
///
/// # Errors
/// When the folder or the file is not there or can't be read.
pub fn list(config: &config::Csv) -> Result<Listing, Incomplete> {
    let path = &config.path;
    let failed = |error: io::Error| absent(path, &error);
    if fs::metadata(path).map_err(failed)?.is_dir() {
        return list_folder(path, &config.pattern).map_err(failed);
    }
    // Whoever names one file may name a link.
    let mut listing = Listing::default();
    let target = path.canonicalize().map_err(failed)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    listing.add(name, path.clone(), target).map_err(failed)?;
    Ok(listing)
}

fn absent(path: &Path, error: &io::Error) -> Incomplete {
    let is_file = path.extension().is_some();
    let path = path.display();
    let reason = match error.kind() {
        io::ErrorKind::NotFound if is_file => format!("{path} is not there; put the file there, or correct `path`."),
        io::ErrorKind::NotFound => format!("{path} is not there; make the folder, or mount what holds it."),
        io::ErrorKind::PermissionDenied => {
            format!("{path} can't be looked into; give the user that runs rosterd the right to read it.")
        }
        _ => format!("{path} can't be looked into: {error}."),
    };
    Incomplete::passing(reason)
}

fn list_folder(folder: &Path, pattern: &str) -> io::Result<Listing> {
    let pattern = matcher(pattern)?;
    let folder_itself = folder.canonicalize()?;
    let mut listing = Listing::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if !pattern.is_match(&name) || is_ignored(&name.to_string_lossy()) {
            continue;
        }
        let Some(name) = name.to_str().map(str::to_owned) else {
            listing.odd.push(format!("The name {} is not UTF-8; rename the file.", name.display()));
            continue;
        };
        match listing.add_entry(name, &entry, &folder_itself) {
            // It has gone since the folder was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            added => added?,
        }
    }
    listing.files.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    listing.odd.sort_unstable();
    Ok(listing)
}

/// A glob over file names, in any case.
fn matcher(pattern: &str) -> io::Result<GlobMatcher> {
    let glob = GlobBuilder::new(pattern).case_insensitive(true).build();
    Ok(glob.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?.compile_matcher())
}

/// Hidden files, what a program still writes to, digests, and the folders that rosterd makes.
fn is_ignored(name: &str) -> bool {
    let name = name.to_lowercase();
    name.starts_with(['.', '~'])
        || TEMPORARY.iter().any(|end| name.ends_with(end))
        || name.ends_with(SHA256)
        || name == PROCESSED
        || name == REJECTED
}

impl Listing {
    fn add_entry(&mut self, name: String, entry: &fs::DirEntry, folder: &Path) -> io::Result<()> {
        if !entry.file_type()?.is_symlink() {
            return self.add(name, entry.path(), entry.path());
        }
        match entry.path().canonicalize() {
            Ok(target) if target.starts_with(folder) => self.add(name, entry.path(), target)?,
            Ok(_) => self.odd.push(format!(
                "{name} is a link that leads out of the folder, and is not followed; put the file itself there."
            )),
            Err(_) => self.odd.push(format!("{name} is a link that leads nowhere; put the file itself there.")),
        }
        Ok(())
    }

    fn add(&mut self, name: String, path: PathBuf, target: PathBuf) -> io::Result<()> {
        let metadata = fs::symlink_metadata(&target)?;
        if metadata.is_file() {
            let changed = moment(metadata.ctime(), metadata.ctime_nsec());
            self.files.push(Candidate { name, path, target, stamp: Stamp::of(&metadata), changed });
        } else if metadata.is_dir() {
            self.odd.push(format!("{name} is a folder and not a file; move it away."));
        } else {
            self.odd.push(format!("{name} is not a regular file, and is never opened; move it away."));
        }
        Ok(())
    }
}

impl Candidate {
    /// Opens the file that was listed, and no other.
    ///
    /// # Errors
    /// When it can't be opened, or has changed since it was listed.
    pub fn open(&self) -> Result<File, Problem> {
        // Never wait for a pipe, never follow a link, that took the file's place.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&self.target);
        let file = file.map_err(vanished_or)?;
        self.check(&file)?;
        Ok(file)
    }

    /// Says whether the file still is as it was listed: the one that is open, and the one that has the name.
    ///
    /// # Errors
    /// When it changed, or vanished.
    pub fn check(&self, file: &File) -> Result<(), Problem> {
        let named = fs::symlink_metadata(&self.target).map_err(vanished_or)?;
        let open = file.metadata()?;
        let same = open.is_file() && Stamp::of(&open) == self.stamp && Stamp::of(&named) == self.stamp;
        if same { Ok(()) } else { Err(Problem::Changed) }
    }

    /// When it was written. A time ahead of the clock was given to it by a program whose clock is wrong; then it was
    /// written when that was done, at the latest.
    pub fn written(&self, now: Timestamp) -> Timestamp {
        let modified = self.stamp.modified;
        if modified > now { modified.min(self.changed) } else { modified }
    }

    /// Where the file's SHA-256 would stand.
    pub fn digest_path(&self) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(SHA256);
        path.into()
    }

    /// Compares the file with the digest beside it.
    ///
    /// # Errors
    /// When either can't be read.
    pub fn compare_digest(&self, file: &File, settle: Duration, now: Timestamp) -> io::Result<Compared> {
        let path = self.digest_path();
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            // No file can have a name that is too long, so there is none.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidFilename) => {
                return Ok(Compared::Fits);
            }
            Err(error) => return Err(error),
        };
        let expected = if metadata.is_file() { expected_digest(&path)? } else { None };
        let found = sha256(file)?;
        if expected.as_deref() == Some(found.as_str()) {
            return Ok(Compared::Fits);
        }
        let newest = self.stamp.modified.max(Stamp::of(&metadata).modified);
        let left = left(newest, settle.max(DIGEST_PATIENCE), now);
        Ok(match left {
            Some(left) => Compared::Wait(left),
            None => Compared::Differs { expected, found },
        })
    }
}

/// How a file and the digest beside it compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    /// They fit, or there is no digest.
    Fits,
    /// They don't, and one of them is so new that the other may still come.
    Wait(Duration),
    Differs {
        /// `None`: there is no SHA-256 in it.
        expected: Option<String>,
        found: String,
    },
}

fn vanished_or(error: io::Error) -> Problem {
    if error.kind() == io::ErrorKind::NotFound { Problem::Vanished } else { Problem::Io(error) }
}

/// The digest in a file as `sha256sum` writes it, or alone.
fn expected_digest(path: &Path) -> io::Result<Option<String>> {
    use io::Read;
    let mut text = Vec::new();
    File::open(path)?.take(4096).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text).to_ascii_lowercase();
    let word = text.trim_start_matches(['\u{feff}', '\\']).split_ascii_whitespace().next().unwrap_or_default();
    let is_digest = word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok(is_digest.then(|| word.to_owned()))
}

fn sha256(file: &File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    for_each_piece(file, |piece| hasher.update(piece))?;
    Ok(hex(&hasher.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// How long until `quiet` has passed since a moment; `None`: it has.
fn left(since: Timestamp, quiet: Duration, now: Timestamp) -> Option<Duration> {
    // A moment ahead of the clock counts as the present one.
    let passed = (now - since.min(now)).to_std().unwrap_or_default();
    quiet.checked_sub(passed).filter(|left| !left.is_zero())
}

/// Remembers, between looks, since when each file has stood still.
#[derive(Debug, Default)]
pub struct Settle {
    seen: BTreeMap<PathBuf, (Stamp, Timestamp)>,
}

impl Settle {
    /// What was seen at a moment: for each file how long it still has to stand still, `None` for one that has settled.
    ///
    /// A file that is seen for the first time, or has taken another's place, has stood still since it was written; one
    /// that is seen to change, since that moment: its time of writing may have been set.
    pub fn observe(&mut self, files: &[Candidate], settle: Duration, now: Timestamp) -> Vec<Option<Duration>> {
        let before = std::mem::take(&mut self.seen);
        let observe = |file: &Candidate| {
            let since = match before.get(&file.path) {
                Some((stamp, since)) if *stamp == file.stamp => (*since).min(now),
                Some((stamp, _)) if stamp.inode == file.stamp.inode => now,
                Some(_) | None => file.stamp.modified.min(now),
            };
            self.seen.insert(file.path.clone(), (file.stamp, since));
            left(since, settle, now)
        };
        files.iter().map(observe).collect()
    }
}
