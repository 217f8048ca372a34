//! The schema, as a numbered list of steps: a ledger's `user_version` says how many it has taken. A step that has been
//! released is never edited; a change is a new step.

use rusqlite::{Connection, TransactionBehavior};

const STEPS: [&str; 1] = [include_str!("migrations/0001_first.sql")];

/// The version that this program writes and reads.
pub const KNOWN: i64 = 1;

/// Marks the file as rosterd's: `rstr`.
pub const APPLICATION_ID: i32 = 0x7273_7472;

/// How many steps the ledger has taken; 0 for an empty file.
pub fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Takes the steps that are missing, each in a transaction of its own, so that a crash in between leaves a ledger of
/// some version. Another process may do the same at once; the version is read again under the lock.
pub fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    while version(connection)? < KNOWN {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let taken = version(&transaction)?;
        if let Some(step) = usize::try_from(taken).ok().and_then(|taken| STEPS.get(taken)) {
            transaction.execute_batch(step)?;
            if taken == 0 {
                transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
                // The key of the hashes: made by SQLite's own generator, which the system seeds.
                transaction.execute("INSERT INTO meta (key, value) VALUES ('hash_key', randomblob(16))", [])?;
            }
            transaction.pragma_update(None, "user_version", taken + 1)?;
        }
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_step_is_the_version() {
        assert_eq!(usize::try_from(KNOWN), Ok(STEPS.len()));
    }

    #[test]
    fn every_step_is_taken_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        assert_eq!(version(&connection).unwrap(), KNOWN);
        let key = |connection: &Connection| -> Vec<u8> {
            connection.query_row("SELECT value FROM meta WHERE key = 'hash_key'", [], |row| row.get(0)).unwrap()
        };
        let first = key(&connection);
        assert_eq!(first.len(), 16);
        migrate(&mut connection).unwrap();
        assert_eq!(key(&connection), first);
    }

    #[test]
    fn every_table_is_strict() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let loose: Vec<String> = connection
            .prepare(
                "SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 0 AND name NOT LIKE 'sqlite_%'",
            )
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        assert_eq!(loose, Vec::<String>::new());
    }
}
