//! Whether the ledger is the newest that ever stood here.
//!
//! The ledger counts its flushed commits, and a small file beside it, `FILE.generation`, has the count, too. The file is
//! written when the commit is on disk, never before: whatever breaks off in between, the file is behind and never ahead.
//! So a ledger that is behind its file was put back from a copy. The file is flushed once for each run that asks for a new
//! request, before the first of them; a run that only sends again what is open writes no intent, and needs none. Between two
//! flushes only a power cut can set the file back, and then by what was not flushed alone.
//!
//! The file has two lines, which are written in turn, each with the ledger's name and a checksum: one that was torn
//! leaves the other.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};
use tracing::warn;

use super::values::{Json, count, counted, moment};
use super::{Ledger, Result};
use crate::clock::Timestamp;
use crate::ledger::LedgerError;
use crate::member::{Doubt, Restored};
use crate::telemetry::chain;

/// The file beside a ledger, and whose it is.
#[derive(Debug)]
pub(super) struct Generation {
    path: PathBuf,
    ledger: String,
    /// The newest count that this process has written or seen.
    newest: u64,
    /// That the file can't be written is said once.
    told: bool,
}

/// What stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beside {
    Missing,
    Illegible,
    /// It is another ledger's.
    Another,
    Is(u64),
}

impl Generation {
    /// The file of the ledger of this path.
    pub(super) fn of(path: &Path, connection: &Connection) -> Result<Generation> {
        let sql = "SELECT lower(hex(ledger)) FROM generation";
        let ledger = connection.query_row(sql, [], |row| row.get(0))?;
        Ok(Generation { path: file_of(path), ledger, newest: 0, told: false })
    }

    fn read(&self) -> Result<Beside> {
        Ok(bytes_of(&self.path)?.map_or(Beside::Missing, |bytes| beside(&bytes, &self.ledger)))
    }

    fn failed(&self, cause: io::Error) -> LedgerError {
        LedgerError::Generation { path: self.path.clone(), cause }
    }

    fn open(&self) -> io::Result<File> {
        must_be_a_file(&self.path)?;
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.path)
    }

    /// Writes one of the two lines.
    fn note(&mut self, number: u64) {
        let slot = (number % 2) * LINE_BYTES as u64;
        let noted = self.open().and_then(|file| file.write_all_at(line(&self.ledger, number).as_bytes(), slot));
        self.tell(noted);
    }

    fn flush(&mut self) {
        let flushed = self.open().and_then(|file| file.sync_data());
        self.tell(flushed);
    }

    /// Makes the file this ledger's, whatever it was. Only while the ledger holds nothing, or says of itself that it is in
    /// doubt: what breaks off here must not look like a copy.
    fn replace(&self, number: u64) -> io::Result<()> {
        let file = self.open()?;
        file.write_all_at(line(&self.ledger, number).repeat(2).as_bytes(), 0)?;
        file.set_len(2 * LINE_BYTES as u64)?;
        file.sync_all()?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    /// The commit stands, whatever became of the file.
    fn tell(&mut self, done: io::Result<()>) {
        if let Err(cause) = done
            && !self.told
        {
            self.told = true;
            warn!("{}", chain(&self.failed(cause)));
        }
    }
}

impl Ledger {
    /// Compares the ledger with its file as it is opened for writing. One that is in doubt says so itself from now on,
    /// until [`Ledger::believe`], whatever becomes of the file.
    pub(super) fn compare_generation(&mut self) -> Result<()> {
        let Some(generation) = &self.generation else { return Ok(()) };
        let beside = generation.read()?;
        let (number, marked) = standing(&self.connection)?;
        if marked.is_none() && matches!(beside, Beside::Is(file) if file <= number && number > 0) {
            self.generation_is(number);
        } else {
            self.settle_generation()?;
        }
        if let Some(restored) = self.restored()? {
            warn!("{restored}");
        }
        Ok(())
    }

    fn settle_generation(&mut self) -> Result<()> {
        let Some(generation) = &self.generation else { return Ok(()) };
        // While nobody else can commit, neither count can move.
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let beside = generation.read()?;
        let (mut number, marked) = standing(&transaction)?;
        let doubt = doubt(beside, number);
        if let Some(doubt) = doubt {
            let restored = Restored { doubt, generation: number, as_of: newest_entry(&transaction)? };
            if let Beside::Is(file) = beside {
                number = number.max(file);
            }
            number += 1;
            let sql = "UPDATE generation SET number = ?1, restored = ?2";
            transaction.execute(sql, params![count(number), Json(&restored)])?;
        }
        transaction.commit()?;
        let is_open_to_doubt = number == 0 || doubt.is_some() || marked.is_some();
        if is_open_to_doubt && beside != Beside::Is(number) {
            generation.replace(number).map_err(|cause| generation.failed(cause))?;
        }
        self.generation_is(number);
        Ok(())
    }

    /// The ledger has this count, on disk.
    pub(super) fn generation_is(&mut self, number: u64) {
        if let Some(generation) = &mut self.generation {
            generation.newest = number;
            generation.note(number);
        }
    }

    /// Nothing leaves before the file is on disk, too.
    pub(super) fn flush_generation(&mut self) {
        if let Some(generation) = &mut self.generation {
            generation.flush();
        }
    }

    /// The newest count that this process knows; another process may have written since.
    pub(super) fn newest_generation(&self) -> u64 {
        self.generation.as_ref().map_or(0, |generation| generation.newest)
    }

    /// Why the ledger may not be the newest; `None`: it is.
    pub fn restored(&self) -> Result<Option<Restored>> {
        // In this order: a commit that comes in between makes the ledger newer than what was read of the file.
        let beside = match &self.generation {
            // What is read within another verb is read as it stood when that began.
            Some(generation) if self.connection.is_autocommit() => Some(generation.read()?),
            _ => None,
        };
        let (number, marked, as_of) = self.read(|connection| {
            let (number, marked) = standing(connection)?;
            Ok((number, marked, newest_entry(connection)?))
        })?;
        let doubt = beside.and_then(|beside| doubt(beside, number));
        let Some(doubt) = doubt.filter(|_| marked.is_none()) else { return Ok(marked) };
        // It may have been made by the process that makes the ledger, in between.
        let is_there = self.generation.as_ref().is_some_and(|now| !matches!(now.read(), Ok(Beside::Missing)));
        let made_meanwhile = doubt == Doubt::NoFile && is_there;
        Ok((!made_meanwhile).then_some(Restored { doubt, generation: number, as_of }))
    }
}

/// The file beside the ledger of this path.
fn file_of(path: &Path) -> PathBuf {
    let mut file = path.as_os_str().to_owned();
    file.push(".generation");
    file.into()
}

/// Nothing is waited for that a link leads to, such as a device or a pipe.
fn must_be_a_file(path: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(metadata) if !metadata.is_file() => Err(io::Error::other("it is no file, or a link to what is none")),
        _ => Ok(()),
    }
}

/// What stands in the file; `None`: there is none.
fn bytes_of(path: &Path) -> Result<Option<Vec<u8>>> {
    let read = || -> io::Result<Vec<u8>> {
        must_be_a_file(path)?;
        let mut bytes = Vec::new();
        File::open(path)?.take(READ_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(LedgerError::Generation { path: path.to_owned(), cause }),
    }
}

/// Whether a ledger stood here to which something was written, as far as its file tells. To be asked before looking
/// whether one stands there now: it is made before its file.
pub(super) fn stood(path: &Path) -> Result<bool> {
    let is_young = |bytes: &[u8]| {
        let mut lines = bytes.chunks(LINE_BYTES).filter_map(parse).peekable();
        lines.peek().is_some() && lines.all(|(_, number)| number == 0)
    };
    Ok(bytes_of(&file_of(path))?.is_some_and(|bytes| !is_young(&bytes)))
}

/// The error for a ledger that is not there where one was.
pub(super) fn lost(path: &Path) -> LedgerError {
    LedgerError::Lost { path: path.to_owned(), generation: file_of(path) }
}

/// Counts a commit, in its transaction.
pub(super) fn grow(connection: &Connection) -> Result<u64> {
    let sql = "UPDATE generation SET number = number + 1 RETURNING number";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| counted(row, 0))?)
}

/// Puts a doubt into a copy in memory, beside which no file can stand.
pub(super) fn put_doubt(connection: &Connection, restored: &Restored) -> Result<()> {
    connection.execute("UPDATE generation SET restored = ?1", [Json(restored)])?;
    Ok(())
}

/// The count, and the doubt where there is one.
pub(super) fn standing(connection: &Connection) -> Result<(u64, Option<Restored>)> {
    let mut statement = connection.prepare_cached("SELECT number, restored FROM generation")?;
    Ok(statement.query_row([], |row| {
        let restored: Option<Json<Restored>> = row.get(1)?;
        Ok((counted(row, 0)?, restored.map(|restored| restored.0)))
    })?)
}

/// The moment of the newest line of the history.
fn newest_entry(connection: &Connection) -> Result<Option<Timestamp>> {
    let mut statement = connection.prepare_cached("SELECT at FROM history ORDER BY id DESC LIMIT 1")?;
    Ok(statement.query_row([], |row| moment(row, 0)).optional()?)
}

/// A ledger to which nothing was ever written is as good as any.
fn doubt(beside: Beside, number: u64) -> Option<Doubt> {
    match beside {
        _ if number == 0 => None,
        Beside::Missing => Some(Doubt::NoFile),
        Beside::Illegible => Some(Doubt::Illegible),
        Beside::Another => Some(Doubt::Another),
        Beside::Is(file) => (file > number).then_some(Doubt::Older { file }),
    }
}

const LINE_BYTES: usize = line_bytes();

/// Both lines are far shorter.
const READ_MAX: u64 = 4096;

const fn line_bytes() -> usize {
    "rosterd ledger ".len() + 32 + " generation ".len() + 20 + " check ".len() + 8 + "\n".len()
}

fn line(ledger: &str, number: u64) -> String {
    let words = format!("rosterd ledger {ledger} generation {number:020}");
    let check = blake3::hash(words.as_bytes()).to_hex();
    format!("{words} check {}\n", &check[..8])
}

fn beside(bytes: &[u8], ledger: &str) -> Beside {
    let lines: Vec<(&str, u64)> = bytes.chunks(LINE_BYTES).filter_map(parse).collect();
    match lines.iter().filter(|(of, _)| *of == ledger).map(|(_, number)| *number).max() {
        Some(number) => Beside::Is(number),
        None if lines.is_empty() => Beside::Illegible,
        None => Beside::Another,
    }
}

fn parse(bytes: &[u8]) -> Option<(&str, u64)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (ledger, rest) = text.strip_prefix("rosterd ledger ")?.split_once(" generation ")?;
    let number = rest.split_once(' ')?.0.parse().ok()?;
    (line(ledger, number) == text).then_some((ledger, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: &str = "00112233445566778899aabbccddeeff";
    const THEM: &str = "ffeeddccbbaa99887766554433221100";

    #[test]
    fn the_file_reads_by_itself() {
        insta::assert_snapshot!(line(US, 102), @"rosterd ledger 00112233445566778899aabbccddeeff generation 00000000000000000102 check e9918f90");
        assert_eq!(line(US, u64::MAX).len(), LINE_BYTES);
    }

    #[test]
    fn a_line_that_was_torn_anywhere_leaves_the_other() {
        let whole = [line(US, 8), line(US, 7)].concat().into_bytes();
        assert_eq!(beside(&whole, US), Beside::Is(8));
        let next = line(US, 9).into_bytes();
        for written in 0..LINE_BYTES {
            let mut torn = whole.clone();
            torn[LINE_BYTES..LINE_BYTES + written].copy_from_slice(&next[..written]);
            assert!(matches!(beside(&torn, US), Beside::Is(8 | 9)), "{written} bytes");
            torn[LINE_BYTES + written..].fill(0);
            assert_eq!(beside(&torn, US), Beside::Is(8), "{written} bytes");
        }
    }

    #[test]
    fn what_stands_in_the_file_is_ours_or_another_ledgers_or_nonsense() {
        assert_eq!(beside(line(THEM, 3).as_bytes(), US), Beside::Another);
        assert_eq!(beside([line(THEM, 8), line(US, 3)].concat().as_bytes(), US), Beside::Is(3));
        for nonsense in [&b""[..], b"57\n", &[0; 300], line(US, 3).replace("03 check", "04 check").as_bytes()] {
            assert_eq!(beside(nonsense, US), Beside::Illegible);
        }
    }

    #[test]
    fn only_a_ledger_that_is_behind_or_unknown_is_in_doubt() {
        assert_eq!(doubt(Beside::Is(8), 8), None);
        assert_eq!(doubt(Beside::Is(7), 8), None);
        assert_eq!(doubt(Beside::Is(9), 8), Some(Doubt::Older { file: 9 }));
        assert_eq!(doubt(Beside::Missing, 8), Some(Doubt::NoFile));
        for beside in [Beside::Missing, Beside::Illegible, Beside::Another, Beside::Is(9)] {
            assert_eq!(doubt(beside, 0), None, "nothing was ever written to it");
        }
    }
}
