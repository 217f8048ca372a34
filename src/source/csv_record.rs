//! A CSV text as records, each bounded in size, with the place and the line where it begins.
//!
//! Stricter than most readers where leniency would lose people: a quote that is never closed, and text after a closing
//! quote, are errors, since either can swallow the rows that follow. A record without quotes, which is nearly every one,
//! is split where it stands, without a copy.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memchr2, memchr2_iter};

/// No record is longer than this many bytes; a file with a longer one is refused.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// Bytes asked of the input at once when a text is read from its beginning to its end.
pub const STRIDE: usize = 256 << 10;

/// Why there is no next record. Each refuses the whole text.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("it can't be read")]
    Io(#[from] io::Error),
    #[error(
        "the record that begins in line {line} is longer than {} KiB; perhaps a quote is never closed",
        RECORD_BYTES_MAX >> 10
    )]
    TooLong { line: u64 },
    #[error(
        "a quote is opened in the record that begins in line {line} and never closed; the file may have been cut off"
    )]
    Unclosed { line: u64 },
    #[error(
        "in the record that begins in line {line}, text follows a closing quote; a quote inside a quoted field is written twice"
    )]
    StrayQuote { line: u64 },
}

/// One record, borrowed from its reader.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    text: &'a [u8],
    bounds: &'a [(usize, usize)],
    /// Where it begins, in bytes from the beginning of the text.
    pub offset: u64,
    /// The line in which it begins, from 1.
    pub line: u64,
    /// Whether a line end follows.
    pub terminated: bool,
}

impl<'a> Record<'a> {
    /// The number of its fields, at least 1.
    pub fn width(&self) -> usize {
        self.bounds.len()
    }

    /// The field with this index from 0, without its quotes; empty where there is none.
    pub fn field(&self, index: usize) -> &'a [u8] {
        self.bounds.get(index).map_or(&[], |&(from, to)| &self.text[from..to])
    }

    pub fn fields(&self) -> impl Iterator<Item = &'a [u8]> {
        let text = self.text;
        self.bounds.iter().map(move |&(from, to)| &text[from..to])
    }

    pub fn has_nul(&self) -> bool {
        memchr(0, self.text).is_some()
    }

    /// Whether no field holds anything but white space.
    pub fn is_blank(&self) -> bool {
        self.fields().all(|field| field.trim_ascii().is_empty())
    }
}

/// Reads records one after the other.
#[derive(Debug)]
pub struct Records<R> {
    input: R,
    delimiter: u8,
    stride: usize,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Of `buffer[start]`.
    offset: u64,
    line: u64,
    at_end: bool,
    bounds: Vec<(usize, usize)>,
    unquoted: Vec<u8>,
}

/// What was found at the beginning of the buffer.
enum Found {
    /// A record of so many bytes, its line end not counted.
    Plain { bytes: usize, terminated: bool },
    /// The same with quotes: its fields are in `unquoted`.
    Quoted { bytes: usize, terminated: bool },
    /// Its end is not in the buffer yet.
    More,
}

impl<R: Read> Records<R> {
    /// A reader of a text from its beginning.
    pub fn new(input: R, delimiter: u8) -> Records<R> {
        Records {
            input,
            delimiter,
            stride: STRIDE,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            offset: 0,
            line: 1,
            at_end: false,
            bounds: Vec::new(),
            unquoted: Vec::new(),
        }
    }

    /// Asks the input for so many bytes at once from now on.
    pub fn set_stride(&mut self, stride: usize) {
        self.stride = stride;
    }

    /// The input, for what it has counted.
    pub fn into_input(self) -> R {
        self.input
    }

    /// Goes on at another place, where a record begins; `seek` moves the input there where the place is not in the
    /// buffer.
    ///
    /// # Errors
    /// What `seek` says.
    pub fn jump(&mut self, offset: u64, line: u64, seek: impl FnOnce(&mut R, u64) -> io::Result<()>) -> io::Result<()> {
        let ahead = offset.checked_sub(self.offset).and_then(|ahead| usize::try_from(ahead).ok());
        match ahead {
            Some(ahead) if ahead < self.end - self.start => self.start += ahead,
            _ => {
                seek(&mut self.input, offset)?;
                (self.start, self.end, self.at_end) = (0, 0, false);
            }
        }
        (self.offset, self.line) = (offset, line);
        Ok(())
    }

    /// The next record that is not an empty line; `None` at the end.
    ///
    /// # Errors
    /// See [`RecordError`]; nothing more can be read after one.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, RecordError> {
        if !self.skip_line_ends()? {
            return Ok(None);
        }
        let (bytes, terminated, quoted) = loop {
            match self.find()? {
                Found::Plain { bytes, terminated } => break (bytes, terminated, false),
                Found::Quoted { bytes, terminated } => break (bytes, terminated, true),
                Found::More if self.end - self.start > RECORD_BYTES_MAX => {
                    return Err(RecordError::TooLong { line: self.line });
                }
                Found::More => self.fill()?,
            }
        };
        if bytes > RECORD_BYTES_MAX {
            return Err(RecordError::TooLong { line: self.line });
        }
        let raw = self.start..self.start + bytes;
        let (offset, line) = (self.offset, self.line);
        if quoted {
            self.line += lines_in(&self.buffer[raw.clone()]);
        }
        self.start += bytes;
        self.offset += bytes as u64;
        let text = if quoted { &self.unquoted[..] } else { &self.buffer[raw] };
        Ok(Some(Record { text, bounds: &self.bounds, offset, line, terminated }))
    }

    /// Skips what ended the last record, and empty lines. Says whether anything is left.
    fn skip_line_ends(&mut self) -> Result<bool, RecordError> {
        loop {
            // A carriage return is judged with the byte that follows.
            if self.end - self.start < 2 && !self.at_end {
                self.fill()?;
                continue;
            }
            let (bytes, lines) = match &self.buffer[self.start..self.end] {
                [] => return Ok(false),
                [b'\r', b'\n', ..] => (2, 1),
                [b'\r' | b'\n', ..] => (1, 1),
                [0xef, 0xbb, 0xbf, ..] if self.offset == 0 => (3, 0),
                [0xef, ..] if self.offset == 0 && self.end - self.start < 3 && !self.at_end => {
                    self.fill()?;
                    (0, 0)
                }
                _ => return Ok(true),
            };
            self.start += bytes;
            self.offset += bytes as u64;
            self.line += lines;
        }
    }

    /// Reads on, behind what has not been used yet.
    fn fill(&mut self) -> Result<(), RecordError> {
        let used = self.start..self.end;
        (self.start, self.end) = (0, used.len());
        if self.buffer.len() < self.end + self.stride / 2 {
            let mut larger = vec![0; self.end + self.stride];
            larger[..self.end].copy_from_slice(&self.buffer[used]);
            self.buffer = larger;
        } else {
            self.buffer.copy_within(used, 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.at_end = true,
                Ok(bytes) => self.end += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            }
            return Ok(());
        }
    }

    fn find(&mut self) -> Result<Found, RecordError> {
        let text = &self.buffer[self.start..self.end];
        // A carriage return ends a record, too, with or without a line feed behind it.
        let line_end = memchr2(b'\n', b'\r', text);
        if line_end.is_none() && !self.at_end {
            return Ok(Found::More);
        }
        let bytes = line_end.unwrap_or(text.len());
        self.bounds.clear();
        let mut from = 0;
        for at in memchr2_iter(self.delimiter, b'"', &text[..bytes]) {
            if text[at] == b'"' {
                return self.find_quoted();
            }
            self.bounds.push((from, at));
            from = at + 1;
        }
        self.bounds.push((from, bytes));
        Ok(Found::Plain { bytes, terminated: line_end.is_some() })
    }

    /// The same for a record that has a quote, byte by byte.
    fn find_quoted(&mut self) -> Result<Found, RecordError> {
        let text = &self.buffer[self.start..self.end];
        self.bounds.clear();
        self.unquoted.clear();
        let mut at = 0;
        loop {
            let from = self.unquoted.len();
            if text.get(at) == Some(&b'"') {
                at = match unquote(text, at + 1, &mut self.unquoted) {
                    Some(at) => at,
                    None if self.at_end => return Err(RecordError::Unclosed { line: self.line }),
                    None => return Ok(Found::More),
                };
                at += text[at..].iter().take_while(|&&byte| byte == b' ').count();
            } else {
                let ends = |byte: &u8| *byte == self.delimiter || matches!(byte, b'\r' | b'\n');
                let bytes = text[at..].iter().position(ends).unwrap_or(text.len() - at);
                self.unquoted.extend_from_slice(&text[at..at + bytes]);
                at += bytes;
            }
            self.bounds.push((from, self.unquoted.len()));
            match text.get(at) {
                Some(&byte) if byte == self.delimiter => at += 1,
                Some(b'\r' | b'\n') => return Ok(Found::Quoted { bytes: at, terminated: true }),
                Some(_) => return Err(RecordError::StrayQuote { line: self.line }),
                None if self.at_end => return Ok(Found::Quoted { bytes: at, terminated: false }),
                None => return Ok(Found::More),
            }
        }
    }
}

/// Appends what a quoted field holds, from behind its opening quote; gives the place behind the closing one.
fn unquote(text: &[u8], mut at: usize, into: &mut Vec<u8>) -> Option<usize> {
    loop {
        let quote = at + memchr(b'"', text.get(at..)?)?;
        into.extend_from_slice(&text[at..quote]);
        if text.get(quote + 1) != Some(&b'"') {
            return Some(quote + 1);
        }
        into.push(b'"');
        at = quote + 2;
    }
}

/// The line ends in a raw record.
fn lines_in(raw: &[u8]) -> u64 {
    let lone = memchr_iter(b'\r', raw).filter(|&at| raw.get(at + 1) != Some(&b'\n')).count();
    (memchr_iter(b'\n', raw).count() + lone) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out a few bytes at a time, so that every record is met at the end of a buffer.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let bytes = self.1.min(self.0.len()).min(buffer.len());
            buffer[..bytes].copy_from_slice(&self.0[..bytes]);
            self.0 = &self.0[bytes..];
            Ok(bytes)
        }
    }

    type Rows = Vec<(u64, Vec<String>)>;

    fn read(text: &[u8], drip: usize) -> Result<Rows, String> {
        let mut records = Records::new(Drip(text, drip), b',');
        let mut rows = Vec::new();
        while let Some(record) = records.next_record().map_err(|error| error.to_string())? {
            let fields = record.fields().map(|field| String::from_utf8_lossy(field).into_owned()).collect();
            rows.push((record.line, fields));
        }
        Ok(rows)
    }

    /// The reference: csv-core, which is lenient.
    fn reference(text: &[u8]) -> Vec<Vec<String>> {
        let mut reader = csv_core::Reader::new();
        let (mut out, mut ends, mut rows, mut input) = (vec![0; text.len() + 8], vec![0; text.len() + 8], vec![], text);
        loop {
            let (mut bytes, mut fields) = (0, 0);
            loop {
                let (result, read, written, ended) = reader.read_record(input, &mut out[bytes..], &mut ends[fields..]);
                input = &input[read..];
                bytes += written;
                fields += ended;
                match result {
                    csv_core::ReadRecordResult::Record => break,
                    csv_core::ReadRecordResult::End => return rows,
                    _ => {}
                }
            }
            let mut from = 0;
            rows.push(
                ends[..fields]
                    .iter()
                    .map(|&to| {
                        let field = String::from_utf8_lossy(&out[from..to]).into_owned();
                        from = to;
                        field
                    })
                    .collect(),
            );
        }
    }

    fn row(line: u64, fields: &[&str]) -> (u64, Vec<String>) {
        (line, fields.iter().map(|field| (*field).to_owned()).collect())
    }

    #[test]
    fn quotes_line_ends_and_empty_lines() {
        let text = b"\xef\xbb\xbfa,b\r\n\r\n\"x\"\"y\",\"1\n2\"\n,\n\"last\" ,z";
        for drip in [1, 2, 3, 7, 100] {
            let rows = read(text, drip).unwrap();
            let expected =
                vec![row(1, &["a", "b"]), row(3, &["x\"y", "1\n2"]), row(5, &["", ""]), row(6, &["last", "z"])];
            assert_eq!(rows, expected, "{drip} bytes at a time");
        }
    }

    #[test]
    fn a_lone_carriage_return_ends_a_line() {
        assert_eq!(read(b"a,b\rc,d\r\re", 1).unwrap(), vec![row(1, &["a", "b"]), row(2, &["c", "d"]), row(4, &["e"])]);
    }

    #[test]
    fn an_unclosed_quote_refuses_the_text() {
        let error = read(b"a\nb\n\"c,d\ne,f\n", 4).unwrap_err();
        assert!(error.contains("begins in line 3 and never closed"), "{error}");
    }

    #[test]
    fn a_quote_that_swallows_rows_refuses_the_text() {
        let error = read(b"\"Jane,j@x.example\nBob,b@x.example\n\"Ann\",a@x.example\n", 9).unwrap_err();
        assert!(error.contains("line 1, text follows a closing quote"), "{error}");
    }

    #[test]
    fn a_line_of_ten_megabytes_is_refused_in_bounded_memory() {
        let text = [b"a\nb\n".to_vec(), vec![b'x'; 10 << 20]].concat();
        let mut records = Records::new(&text[..], b',');
        records.next_record().unwrap();
        records.next_record().unwrap();
        let error = records.next_record().unwrap_err();
        assert!(matches!(error, RecordError::TooLong { line: 3 }), "{error}");
        assert!(records.buffer.len() <= RECORD_BYTES_MAX + 2 * STRIDE);
    }

    proptest::proptest! {
        #[test]
        fn what_is_accepted_is_read_as_csv_core_reads_it(text in "[ab,\"\r\n]{0,40}", drip in 1usize..9) {
            if let Ok(rows) = read(text.as_bytes(), drip) {
                let blank = |field: &String| field.trim_end_matches(' ').to_owned();
                let rows: Vec<Vec<String>> = rows.iter().map(|(_, fields)| fields.iter().map(blank).collect()).collect();
                proptest::prop_assert_eq!(rows, reference(text.as_bytes()));
            }
        }

        #[test]
        fn what_is_written_is_read_back(table in proptest::collection::vec(proptest::collection::vec("[ -~\u{e4}\n\r]{0,9}", 2..4), 0..9), drip in 1usize..30) {
            let quote = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
            let text: String =
                table.iter().map(|row| row.iter().map(quote).collect::<Vec<_>>().join(",") + "\r\n").collect();
            let rows = read(text.as_bytes(), drip).unwrap();
            proptest::prop_assert_eq!(rows.into_iter().map(|(_, fields)| fields).collect::<Vec<_>>(), table);
        }
    }
}
