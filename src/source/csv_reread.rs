//! Fetches entries from a CSV file that has been read, and proves that it still says what it said.

use crate::roster::{Entry, EntryKey, Hasher};

use super::csv::{origin, refusal};
use super::csv_pass::{Opened, Place, Problem, Tail, Text};
use super::csv_record::{Records, STRIDE};
use super::csv_row::{self, Columns};
use super::{Incomplete, Row};

/// Records further apart than this are read one by one.
const SPARSE_BYTES: u64 = 2 << 10;

/// The file behind a snapshot, held open: whatever becomes of its name, its rows can be fetched.
#[derive(Debug)]
pub struct Rereader {
    text: Text,
    delimiter: u8,
    columns: Columns,
    name: String,
    hasher: Hasher,
    /// What no single row says: the entries of addresses whose rows differ, in order of key.
    merged: Vec<(EntryKey, Entry)>,
}

impl Rereader {
    pub(super) fn new(opened: Opened, columns: Columns, name: &str, hasher: &Hasher) -> Rereader {
        let Opened { text, delimiter, .. } = opened;
        Rereader { text, delimiter, columns, name: name.to_owned(), hasher: hasher.clone(), merged: Vec::new() }
    }

    /// Keeps an entry that no single row says. Keys come in ascending order.
    pub(super) fn keep(&mut self, key: EntryKey, entry: Entry) {
        self.merged.push((key, entry));
    }

    /// The entries of these rows, in the order of the rows.
    ///
    /// # Errors
    /// When the file does not say any more what it said when it was read.
    pub fn fetch(&mut self, rows: &[Row]) -> Result<Vec<Entry>, Incomplete> {
        self.read(rows).map_err(|problem| refusal(&self.name, &problem))
    }

    fn read(&self, rows: &[Row]) -> Result<Vec<Entry>, Problem> {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_unstable_by_key(|&index| rows[index].place);
        let mut records = Records::new(Tail { text: &self.text, offset: 0 }, self.delimiter);
        records.set_stride(stride(rows, &order));
        let mut entries: Vec<Option<Entry>> = vec![None; rows.len()];
        for index in order {
            entries[index] = Some(match self.merged(rows[index].key) {
                Some(entry) => entry.clone(),
                None => self.entry(&mut records, rows[index])?,
            });
        }
        Ok(entries.into_iter().flatten().collect())
    }

    fn merged(&self, key: EntryKey) -> Option<&Entry> {
        self.merged.binary_search_by_key(&key, |(key, _)| *key).ok().map(|at| &self.merged[at].1)
    }

    fn entry(&self, records: &mut Records<Tail<'_>>, row: Row) -> Result<Entry, Problem> {
        let place = Place(row.place);
        records.jump(place.offset(), place.line(), |input, offset| {
            input.offset = offset;
            Ok(())
        })?;
        let record = records.next_record().map_err(|_| Problem::Changed)?.ok_or(Problem::Changed)?;
        let mut identity = String::new();
        // The route was judged when the row was read.
        let person = csv_row::read(&self.columns, &record, &|_| true, &mut identity).map_err(|_| Problem::Changed)?;
        if person.hashes(&identity, &self.hasher) != (row.key, row.content) {
            return Err(Problem::Changed);
        }
        Ok(person.entry(&identity, &origin(&self.name, place)))
    }
}

/// How much to read at once: a lot where the rows are close together, else little more than a record.
fn stride(rows: &[Row], order: &[usize]) -> usize {
    let offset = |index: Option<&usize>| index.map_or(0, |&index| Place(rows[index].place).offset());
    let span = offset(order.last()) - offset(order.first());
    if span / (rows.len().max(1) as u64) < SPARSE_BYTES { STRIDE } else { 1 << 10 }
}
