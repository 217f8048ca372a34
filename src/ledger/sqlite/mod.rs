//! The ledger on SQLite: a write-ahead log that is flushed at every commit, one writer at a time, tables in the order
//! of their keys.
//!
//! Each room holds the verbs of one subject; [`books`] alone writes members. Every verb goes through [`Ledger::read`],
//! [`Ledger::write`] or [`Ledger::fenced`], which open its transaction and give its errors their names.

mod alerts;
mod billing;
mod books;
mod brake;
mod drift;
mod generation;
mod listing;
mod names;
mod past;
mod people;
mod planning;
mod push;
mod recorded;
mod requests;
mod rosters;
mod run;
mod values;
mod work;

#[cfg(test)]
mod clock_tests;
#[cfg(test)]
mod figures;
#[cfg(test)]
mod restored_tests;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};

use self::generation::Generation;
use self::work::Work;
use super::{Lease, LedgerError, Restored, migrations};
use crate::clock::{Stopwatch, Timestamp};
use crate::roster::Hasher;

pub use alerts::{Noted, ReceiverRecord, Waiting};
pub use planning::{Candidates, Look, Seen};

type Result<T> = std::result::Result<T, LedgerError>;

/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How soon after it was found busy it is opened again.
const BUSY_LOOK: Duration = Duration::from_millis(20);

/// A ledger up to this size is checked whole when it is opened; of a larger one, damage shows where it is read.
const CHECKED_BYTES_MAX: u64 = 4 << 20;

/// A copy is made in steps of so many pages.
const SCRATCH_PAGES: i32 = 4096;

/// What SQLite calls a ledger without a file.
const IN_MEMORY: &str = ":memory:";

/// SQLite's smallest page, which holds its header.
const HEADER_BYTES: u64 = 512;

/// A connection to the ledger. One for all writing in a process (see [`super::handle`]); any number for reading.
pub struct Ledger {
    connection: Connection,
    path: PathBuf,
    /// Device and number of the file that is open; `None` for one in memory.
    file: Option<(u64, u64)>,
    hasher: Hasher,
    /// What is under way, by subscription: from `record_plan` to `finish_run`.
    works: HashMap<String, Work>,
    /// `None` in memory.
    generation: Option<Generation>,
    /// Subscriptions whose run has asked for no request yet.
    begun: HashSet<String>,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens for reading and writing, makes it where there is none, and migrates it. The folder must be there.
    pub fn open(path: &Path, now: Timestamp) -> Result<Ledger> {
        let since = Stopwatch::start();
        loop {
            match Ledger::open_once(path, now) {
                // Two that make it at once get in each other's way where SQLite does not wait.
                Err(LedgerError::Busy) if since.elapsed() < BUSY_TIMEOUT => pause(),
                opened => return opened,
            }
        }
    }

    fn open_once(path: &Path, now: Timestamp) -> Result<Ledger> {
        let stood = generation::stood(path)?;
        if stood && is_empty(path) {
            return Err(generation::lost(path));
        }
        make_private(path);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut ledger = Ledger::connect(path, flags, |connection| {
            if connection.is_readonly("main")? {
                return Err(LedgerError::ReadOnly { path: path.to_owned() });
            }
            let version = check_version(connection, path)?;
            check_sound(connection, path)?;
            if version == 0 && stood {
                return Err(generation::lost(path));
            }
            prepare_for_writing(connection)?;
            migrations::migrate(connection)?;
            let noted = "INSERT OR IGNORE INTO meta (key, value) VALUES ('made_at', CAST (?1 AS BLOB))";
            connection.execute(noted, [now.to_rfc3339()])?;
            Ok(())
        })?;
        ledger.compare_generation().map_err(|error| named(path, error))?;
        Ok(ledger)
    }

    /// Opens for reading; never makes or migrates.
    pub fn open_readonly(path: &Path) -> Result<Ledger> {
        let stood = generation::stood(path);
        let none = || match stood {
            Ok(true) => generation::lost(path),
            Ok(false) => LedgerError::Missing { path: path.to_owned() },
            Err(error) => error,
        };
        if is_empty(path) {
            return Err(none());
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Ledger::connect(path, flags, |connection| match check_version(connection, path)? {
            0 => Err(none()),
            found if found < migrations::KNOWN => {
                Err(LedgerError::Older { path: path.to_owned(), found, known: migrations::KNOWN })
            }
            _ => Ok(()),
        })
    }

    /// A copy in memory, to try things on: what happens to it touches nothing. An empty one where there is no ledger.
    pub fn scratch(path: &Path) -> Result<Ledger> {
        match Ledger::open_readonly(path) {
            Ok(ledger) => ledger.copy(ledger.restored()?.as_ref()),
            Err(LedgerError::Missing { .. }) => {
                Ledger::connect(Path::new(IN_MEMORY), OpenFlags::default(), |connection| {
                    Ok(migrations::migrate(connection)?)
                })
            }
            Err(error) => Err(error),
        }
    }

    /// A copy in memory of what is committed, with this doubt about it.
    pub fn copy(&self, doubt: Option<&Restored>) -> Result<Ledger> {
        Ledger::connect(Path::new(IN_MEMORY), OpenFlags::default(), |connection| {
            let backup = Backup::new(&self.connection, connection)?;
            backup.run_to_completion(SCRATCH_PAGES, Duration::ZERO, None)?;
            drop(backup);
            doubt.map_or(Ok(()), |doubt| generation::put_doubt(connection, doubt))
        })
    }

    fn connect(path: &Path, flags: OpenFlags, check: impl FnOnce(&mut Connection) -> Result<()>) -> Result<Ledger> {
        let open = || -> Result<Ledger> {
            let mut connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.set_prepared_statement_cache_capacity(256);
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.pragma_update(None, "cache_size", -8192)?;
            check(&mut connection)?;
            let key = connection.query_row("SELECT value FROM meta WHERE key = 'hash_key'", [], |row| row.get(0))?;
            let (file, hasher) = (file_at(path), Hasher::new(key));
            let generation = file.map(|_| Generation::of(path, &connection)).transpose()?;
            let (path, works, begun) = (path.to_owned(), HashMap::new(), HashSet::new());
            Ok(Ledger { connection, path, file, hasher, works, generation, begun })
        };
        open().map_err(|error| named(path, error))
    }

    /// Makes the keys of this ledger's rosters.
    pub fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// Whether the file that is open is still the ledger: none was put into its place.
    pub fn is_in_place(&self) -> bool {
        self.file.is_none() || self.file == file_at(&self.path)
    }

    /// A number that is another one after each commit by anybody but this connection.
    pub fn changes(&self) -> Result<i64> {
        let changes = self.connection.pragma_query_value(None, "data_version", |row| row.get(0));
        changes.map_err(|error| named(&self.path, error.into()))
    }

    /// What is read in here is read as it stood at one moment, whatever another process writes meanwhile. Whether the
    /// ledger is the newest is for before: the file beside it has no such moment.
    pub fn in_one_snapshot<T>(&self, read: impl FnOnce(&Ledger) -> Result<T>) -> Result<T> {
        self.read(|_| read(self))
    }

    /// Reads in one snapshot of the ledger; what is read for each row of an outer verb is read in the outer's.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let snapshot = || -> Result<T> {
            if !self.connection.is_autocommit() {
                return read(&self.connection);
            }
            let transaction = self.connection.unchecked_transaction()?;
            read(&transaction)
        };
        snapshot().map_err(|error| named(&self.path, error))
    }

    /// Writes in one transaction: all of it or, at any error, nothing. Where nothing changes the disk is not asked.
    fn write<T>(&mut self, write: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        self.transact(Flush::Yes, write)
    }

    /// Writes what may be lost when the power fails, though not when the process dies. The next commit that is flushed
    /// flushes it, too, for both stand in one log.
    fn write_unflushed<T>(&mut self, write: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        self.transact(Flush::No, write)
    }

    fn transact<T>(&mut self, flush: Flush, write: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let path = &self.path;
        let newest = self.newest_generation();
        // What is written to a file that has no name any more is lost with this process, and another process would not
        // see the lease.
        if self.file.is_some() && self.file != file_at(path) {
            return Err(LedgerError::Gone { path: path.to_owned() });
        }
        let transact = || -> Result<(T, Option<u64>)> {
            // Said anew for each: what a panic left of the one before counts for nothing.
            let synchronous = if flush == Flush::Yes { "FULL" } else { "NORMAL" };
            self.connection.pragma_update(None, "synchronous", synchronous)?;
            // Immediate: a lock that is asked for after reading can be refused at once, however long the time-out.
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let before = transaction.total_changes();
            let result = write(&transaction)?;
            let counts = flush == Flush::Yes && transaction.total_changes() != before;
            let grown = counts.then(|| generation::grow(&transaction)).transpose()?;
            // A copy was put into the place of what this process wrote.
            if grown.is_some_and(|grown| grown <= newest) {
                return Err(LedgerError::Gone { path: path.to_owned() });
            }
            transaction.commit()?;
            Ok((result, grown))
        };
        let (result, grown) = transact().map_err(|error| named(path, error))?;
        if let Some(grown) = grown {
            self.generation_is(grown);
        }
        Ok(result)
    }

    /// Writes for a subscription (by its row's id) while the lease holds, checked in the same transaction.
    fn fenced<T>(&mut self, lease: &Lease, write: impl FnOnce(&Transaction<'_>, i64) -> Result<T>) -> Result<T> {
        self.write(|transaction| write(transaction, fence(transaction, lease)?))
    }
}

/// Whether a commit is to outlast a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flush {
    Yes,
    No,
}

/// The subscription's row, while the lease holds.
fn fence(transaction: &Transaction<'_>, lease: &Lease) -> Result<i64> {
    run::check_fence(transaction, lease)?;
    subscription_id(transaction, &lease.subscription)
}

/// The id of a subscription that the ledger knows.
fn known_subscription(connection: &Connection, name: &str) -> Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT id FROM subscription WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// The id of a subscription, which becomes known by this.
fn subscription_id(connection: &Connection, name: &str) -> Result<i64> {
    if let Some(id) = known_subscription(connection, name)? {
        return Ok(id);
    }
    connection.execute("INSERT INTO subscription (name) VALUES (?1)", [name])?;
    Ok(connection.last_insert_rowid())
}

/// Makes the file, for this user alone: SQLite gives its other files the same rights. Where that fails, opening fails,
/// too, and says why.
fn make_private(path: &Path) {
    drop(OpenOptions::new().write(true).create_new(true).mode(0o600).open(path));
}

/// Whether there is no file, or one without anything in it.
fn is_empty(path: &Path) -> bool {
    path.metadata().map_or(true, |metadata| metadata.len() == 0)
}

#[expect(clippy::disallowed_methods, reason = "another process makes the ledger, and nothing tells when it is done")]
fn pause() {
    std::thread::sleep(BUSY_LOOK);
}

/// Which file has this name now.
fn file_at(path: &Path) -> Option<(u64, u64)> {
    let metadata = path.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}

fn prepare_for_writing(connection: &Connection) -> Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // A checkpoint flushes twice; with 16 MiB between two of them that is rare beside the commits.
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 4096, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", 64 << 20, |_| Ok(()))?;
    Ok(())
}

/// The ledger's version, where this program can work with it; before anything is changed in the file.
fn check_version(connection: &Connection, path: &Path) -> Result<i64> {
    let found = migrations::version(connection)?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && application != migrations::APPLICATION_ID {
        let detail = "it is another program's database".to_owned();
        return Err(LedgerError::Damaged { path: path.to_owned(), detail });
    }
    if found > migrations::KNOWN {
        return Err(LedgerError::Newer { path: path.to_owned(), found, known: migrations::KNOWN });
    }
    Ok(found)
}

/// Looks for damage: for a file that was cut short, and in a small one everywhere.
fn check_sound(connection: &Connection, path: &Path) -> Result<()> {
    let damaged = |detail: String| LedgerError::Damaged { path: path.to_owned(), detail };
    let length = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| values::counted(row, 0));
    let bytes = number("page_count")? * number("page_size")?;
    // SQLite takes a file without a whole header for an empty one; only one without anything is.
    if (1..HEADER_BYTES).contains(&length(path)) {
        return Err(damaged(format!("it has {} bytes", length(path))));
    }
    // With a log beside it, pages may stand there alone.
    if length(Path::new(&log)) == 0 && length(path) < bytes {
        return Err(damaged(format!("it has {} bytes of {bytes}", length(path))));
    }
    if bytes <= CHECKED_BYTES_MAX {
        let verdict: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
        if verdict != "ok" {
            return Err(damaged(verdict.replace('\n', " ")));
        }
    }
    Ok(())
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> LedgerError {
        LedgerError::Sqlite(error)
    }
}

/// Gives SQLite's errors their names: the one place that reads its codes.
fn named(path: &Path, error: LedgerError) -> LedgerError {
    let LedgerError::Sqlite(cause) = error else { return error };
    let path = path.to_owned();
    // A full disk is another error where SQLite makes room for what it shares in memory.
    let extended = cause.sqlite_error().map(|error| error.extended_code);
    match cause.sqlite_error_code() {
        _ if extended == Some(SQLITE_IOERR_SHMSIZE) => LedgerError::DiskFull,
        Some(ErrorCode::DiskFull) => LedgerError::DiskFull,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => LedgerError::Busy,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            LedgerError::Damaged { path, detail: cause.to_string() }
        }
        Some(ErrorCode::ReadOnly) => LedgerError::ReadOnly { path },
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => LedgerError::Open { path, cause },
        None if is_unreadable(&cause) => LedgerError::Damaged { path, detail: cause.to_string() },
        _ => LedgerError::Sqlite(cause),
    }
}

/// Whether a value was read that this program never wrote.
fn is_unreadable(cause: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    matches!(cause, FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..))
}
