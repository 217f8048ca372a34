//! Moves a file that has been read out of the way: into `processed/` or `rejected/`, with a report beside a rejected one.
//!
//! Nothing is ever overwritten, and a file that is no longer the one that was read stays where it is.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::clock::Timestamp;

use super::Incomplete;
use super::drop_folder::Stamp;

/// Names are tried up to `NAME.9999`.
const NAMES_MAX: u32 = 10_000;

/// Why a file could not be put away. It stays where it is, and its digest keeps it from being counted twice.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("{path} can't be made; give the user that runs rosterd the right to write there, or set after = \"leave\"")]
    Folder {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error(
        "{path} can't be moved into {folder}; give the user that runs rosterd the right to write there, or set after = \"leave\""
    )]
    Move {
        path: PathBuf,
        folder: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error(
        "{path} can't be deleted; give the user that runs rosterd the right to write there, or set after = \"leave\""
    )]
    Delete {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("the report {path} can't be written; give the user that runs rosterd the right to write there")]
    Report {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

/// Whether a file is still the one that was read. One that is not, is new: it is read in its turn.
pub fn is_still(path: &Path, stamp: Stamp) -> bool {
    fs::metadata(path).is_ok_and(|metadata| Stamp::of(&metadata) == stamp)
}

/// Moves a file into a folder beside it, under a name that is free there; gives its new place.
///
/// # Errors
/// When the folder can't be made or written to; the file stays.
pub fn move_into(path: &Path, folder: &str) -> Result<PathBuf, ArchiveError> {
    let parent = path.parent().unwrap_or(Path::new(""));
    let folder = parent.join(folder);
    let made = DirBuilder::new().recursive(true).create(&folder);
    made.map_err(|cause| ArchiveError::Folder { path: folder.clone(), cause })?;
    let name = path.file_name().unwrap_or_default();
    let moved = move_to_free_name(path, &folder, name).and_then(|place| {
        sync_folder(&folder)?;
        sync_folder(parent)?;
        Ok(place)
    });
    moved.map_err(|cause| ArchiveError::Move { path: path.to_owned(), folder, cause })
}

fn move_to_free_name(path: &Path, folder: &Path, name: &std::ffi::OsStr) -> io::Result<PathBuf> {
    for number in 0..NAMES_MAX {
        let place = folder.join(numbered(name, number));
        match rename_new(path, &place) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            moved => return moved.map(|()| place),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many files of this name"))
}

/// `NAME`, `NAME.1`, `NAME.2` …
fn numbered(name: &std::ffi::OsStr, number: u32) -> OsString {
    let mut name = name.to_owned();
    if number > 0 {
        name.push(format!(".{number}"));
    }
    name
}

/// Renames without overwriting, also on file systems that can't do so in one step.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if fs::symlink_metadata(to).is_ok() => {
            Err(io::ErrorKind::AlreadyExists.into())
        }
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => fs::rename(from, to),
        renamed => Ok(renamed?),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match File::open(folder)?.sync_all() {
        // Some network file systems can't.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

/// Deletes a file.
///
/// # Errors
/// When that is not allowed; the file stays.
pub fn delete(path: &Path) -> Result<(), ArchiveError> {
    fs::remove_file(path).map_err(|cause| ArchiveError::Delete { path: path.to_owned(), cause })
}

/// Writes `NAME.report.txt` beside a rejected file: whole or not at all.
///
/// # Errors
/// When it can't be written.
pub fn write_report(rejected: &Path, name: &str, why: &Incomplete, now: Timestamp) -> Result<(), ArchiveError> {
    let beside = |end: &str| {
        let mut path = rejected.to_owned().into_os_string();
        path.push(end);
        PathBuf::from(path)
    };
    let (path, temporary) = (beside(".report.txt"), beside(".report.tmp"));
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&temporary)?;
        file.write_all(report(name, why, now).as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        sync_folder(path.parent().unwrap_or(Path::new("")))
    };
    write().map_err(|cause| {
        // What is left of a failed attempt is of no use; whether it can be removed changes nothing.
        let _ = fs::remove_file(&temporary);
        ArchiveError::Report { path: path.clone(), cause }
    })
}

/// The report on a rejected file.
fn report(name: &str, why: &Incomplete, now: Timestamp) -> String {
    use std::fmt::Write;
    let at = now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let mut text =
        format!("{name} was refused at {at}. Nobody was added or removed because of it.\n\n{}\n", why.reason);
    if !why.bad_rows.is_empty() {
        text.push_str("\nRows that can't be used:\n");
    }
    for row in &why.bad_rows {
        let id = row.stable_id.as_ref().map(|id| format!(" (id {id})")).unwrap_or_default();
        // Writing to a string can't fail.
        let _ = writeln!(text, "{}{id}: {}", row.origin, row.reason);
    }
    text
}
