//! One pass over a CSV file: from its bytes to persons and faults, its digest on the way.
//!
//! UTF-8 streams from the file; any other encoding is transcoded in memory first.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use crate::config;

use super::csv_record::{RecordError, Records};
use super::csv_row::{self, Columns, Fault, HeaderError, Person};
use super::csv_text::{self, Encoding, Mismatch, Utf8Check};

/// A file in another encoding than UTF-8 is read when it has at most this many bytes.
const TRANSCODED_BYTES_MAX: u64 = 512 << 20;

/// So many bytes at the beginning tell encoding and delimiter.
const HEAD_BYTES: usize = 64 << 10;

/// A place has room for lines below this number and for offsets below 2^38.
const LINES_MAX: u64 = 1 << PLACE_LINE_BITS;
const PLACE_LINE_BITS: u32 = 26;

/// Why a file could not be read whole and sound. Displays as a fragment that fits after the file's name.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("is empty: it has not even a header")]
    Empty,
    #[error("ends in its header: it seems to be cut off")]
    HeaderCut,
    #[error("can't be read ({0}){advice}", advice = advice(.0))]
    Io(io::Error),
    #[error(transparent)]
    Text(#[from] Mismatch),
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("can't be used: {0}")]
    Record(RecordError),
    #[error("has more lines than {LINES_MAX} or is larger than 256 GiB; split it")]
    TooLarge,
    #[error("is larger than {} MiB and not UTF-8; save it as UTF-8", TRANSCODED_BYTES_MAX >> 20)]
    TranscodedTooLarge,
    #[error("changed while it was being read; it is read again when it stands still")]
    Changed,
    #[error("vanished before it had been read whole; nothing is concluded from that")]
    Vanished,
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; give the user that runs rosterd the right to read it",
        _ => "; it is tried again",
    }
}

impl Problem {
    /// Whether trying again later may help without anybody's doing.
    pub fn is_passing(&self) -> bool {
        matches!(self, Problem::Io(_) | Problem::Changed | Problem::Vanished)
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Problem {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Mismatch>()) {
            Some(mismatch) => Problem::Text(*mismatch),
            None => Problem::Io(error),
        }
    }
}

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Problem {
        match error {
            RecordError::Io(error) => error.into(),
            error => Problem::Record(error),
        }
    }
}

/// Where a text is: UTF-8 in its file, anything else in memory.
#[derive(Debug)]
pub enum Text {
    File(File),
    Memory(Vec<u8>),
}

impl Text {
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Text::File(file) => file.read_at(buffer, offset),
            Text::Memory(text) => {
                let rest = usize::try_from(offset).ok().and_then(|offset| text.get(offset..)).unwrap_or_default();
                let bytes = rest.len().min(buffer.len());
                buffer[..bytes].copy_from_slice(&rest[..bytes]);
                Ok(bytes)
            }
        }
    }
}

/// A text from a place on.
#[derive(Debug)]
pub struct Tail<'a> {
    pub text: &'a Text,
    pub offset: u64,
}

impl Read for Tail<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.text.read_at(buffer, self.offset)?;
        self.offset += bytes as u64;
        Ok(bytes)
    }
}

/// Digests a file while it is read, and checks that it is UTF-8.
struct Checked<'a> {
    input: Tail<'a>,
    hasher: blake3::Hasher,
    /// `None` for a text that was made here.
    utf8: Option<Utf8Check>,
}

impl Read for Checked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.input.read(buffer)?;
        let Some(utf8) = &mut self.utf8 else { return Ok(bytes) };
        self.hasher.update(&buffer[..bytes]);
        let told = if bytes == 0 && !buffer.is_empty() { utf8.finish() } else { utf8.feed(&buffer[..bytes]) };
        told.map_err(|mismatch| io::Error::new(io::ErrorKind::InvalidData, mismatch))?;
        Ok(bytes)
    }
}

/// BLAKE3 of a file in hexadecimal, and its bytes.
///
/// # Errors
/// When it can't be read.
pub fn digest(file: &File) -> io::Result<(String, u64)> {
    let mut hasher = blake3::Hasher::new();
    let bytes = for_each_piece(file, |piece| {
        hasher.update(piece);
    })?;
    Ok((hasher.finalize().to_hex().to_string(), bytes))
}

/// Hands over a file piece by piece, from its beginning; gives its bytes.
///
/// # Errors
/// When it can't be read.
pub fn for_each_piece(file: &File, mut each: impl FnMut(&[u8])) -> io::Result<u64> {
    let (mut buffer, mut offset) = (vec![0; 128 << 10], 0);
    loop {
        match file.read_at(&mut buffer, offset) {
            Ok(0) => return Ok(offset),
            Ok(bytes) => {
                each(&buffer[..bytes]);
                offset += bytes as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A text whose encoding is settled, ready to be passed over, more than once if need be.
#[derive(Debug)]
pub struct Opened {
    pub text: Text,
    pub encoding: Encoding,
    pub delimiter: u8,
    /// Of the file's bytes, where they were all read already.
    digest: Option<(String, u64)>,
    head: String,
}

/// What a pass says of the whole.
#[derive(Debug)]
pub struct Totals {
    pub columns: Columns,
    /// Rows read, the header and blank ones not counted, the bad ones counted.
    pub rows: u64,
    pub digest: String,
    pub bytes: u64,
    pub notes: Vec<String>,
}

/// Where a record stands: its offset and its line in one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64);

impl Place {
    fn new(offset: u64, line: u64) -> Option<Place> {
        (line < LINES_MAX && offset < 1 << (64 - PLACE_LINE_BITS)).then_some(Place(offset << PLACE_LINE_BITS | line))
    }

    pub fn offset(self) -> u64 {
        self.0 >> PLACE_LINE_BITS
    }

    pub fn line(self) -> u64 {
        self.0 & (LINES_MAX - 1)
    }
}

/// What is done with each row: a person and the identity of its address, or a fault.
pub type Each<'e> = dyn FnMut(Place, Result<(&Person<'_>, &str), Fault>) + 'e;

impl Opened {
    /// Opens a file in the encoding that its beginning shows.
    ///
    /// # Errors
    /// See [`Problem`].
    pub fn new(file: File, config: &config::Csv) -> Result<Opened, Problem> {
        let head = head_of(&file)?;
        if head.is_empty() {
            return Err(Problem::Empty);
        }
        match csv_text::detect(&head, config.encoding)? {
            Encoding::Utf8 => {
                let head = String::from_utf8_lossy(&head).into_owned();
                Ok(Opened::with(Text::File(file), Encoding::Utf8, head, None, config))
            }
            encoding => Opened::transcoded(&file, encoding, config),
        }
    }

    /// The file again as Windows-1252, where it turned out not to be UTF-8 and the encoding is not configured.
    ///
    /// # Errors
    /// See [`Problem`].
    pub fn as_windows_1252(self, config: &config::Csv) -> Result<Opened, Problem> {
        match self.text {
            Text::File(file) => Opened::transcoded(&file, Encoding::Windows1252, config),
            Text::Memory(_) => Ok(self),
        }
    }

    fn transcoded(file: &File, encoding: Encoding, config: &config::Csv) -> Result<Opened, Problem> {
        if file.metadata()?.len() > TRANSCODED_BYTES_MAX {
            return Err(Problem::TranscodedTooLarge);
        }
        let mut raw = Vec::new();
        let bytes = for_each_piece(file, |piece| raw.extend_from_slice(piece))?;
        let text = csv_text::decode(&raw, encoding)?;
        let digest = blake3::hash(&raw).to_hex().to_string();
        let head = text.chars().take(HEAD_BYTES).collect();
        Ok(Opened::with(Text::Memory(text.into_bytes()), encoding, head, Some((digest, bytes)), config))
    }

    fn with(
        text: Text,
        encoding: Encoding,
        head: String,
        digest: Option<(String, u64)>,
        config: &config::Csv,
    ) -> Opened {
        let fits = |header: &[String]| csv_row::names_email(header, &config.columns);
        let told = || csv_text::named_delimiter(&head).unwrap_or_else(|| csv_text::guess_delimiter(&head, &fits));
        Opened { text, encoding, delimiter: config.delimiter.unwrap_or_else(told), digest, head }
    }

    /// Reads the text from beginning to end.
    ///
    /// # Errors
    /// See [`Problem`]; then what `each` was told counts for nothing.
    pub fn pass(
        &self,
        config: &config::Csv,
        is_route: &dyn Fn(&str) -> bool,
        each: &mut Each<'_>,
    ) -> Result<Totals, Problem> {
        let utf8 = self.digest.is_none().then(Utf8Check::default);
        let input = Checked { input: Tail { text: &self.text, offset: 0 }, hasher: blake3::Hasher::new(), utf8 };
        let mut records = Records::new(input, self.delimiter);
        if csv_text::named_delimiter(&self.head).is_some() {
            records.next_record()?;
        }
        let header: Vec<String> = match records.next_record()? {
            Some(header) if !header.terminated => return Err(Problem::HeaderCut),
            Some(header) => header.fields().map(|name| String::from_utf8_lossy(name).into_owned()).collect(),
            None => return Err(Problem::Empty),
        };
        let (columns, notes) = Columns::find(&header, &config.columns, config.mode)?;
        let mut rows = Rows { columns: &columns, is_route, count: 0, blank: 0, cut: false, notes };
        rows.read(&mut records, each)?;
        let Rows { count: rows, notes, .. } = rows.noted();
        let Checked { input, hasher, .. } = records.into_input();
        let (digest, bytes) =
            self.digest.clone().unwrap_or_else(|| (hasher.finalize().to_hex().to_string(), input.offset));
        Ok(Totals { columns, rows, digest, bytes, notes })
    }
}

struct Rows<'a> {
    columns: &'a Columns,
    is_route: &'a dyn Fn(&str) -> bool,
    count: u64,
    blank: u64,
    /// Whether the last line has no end.
    cut: bool,
    notes: Vec<String>,
}

impl Rows<'_> {
    fn read(&mut self, records: &mut Records<Checked<'_>>, each: &mut Each<'_>) -> Result<(), Problem> {
        let (mut identity, mut previous) = (String::new(), String::new());
        while let Some(record) = records.next_record()? {
            if record.is_blank() {
                self.blank += 1;
                continue;
            }
            let place = Place::new(record.offset, record.line).ok_or(Problem::TooLarge)?;
            self.count += 1;
            self.cut = !record.terminated;
            let row = csv_row::read(self.columns, &record, self.is_route, &mut identity);
            let row = match row {
                Ok(_) if self.cut && self.columns.email_is_last() && is_cut_from(&identity, &previous) => {
                    let reason = "it is the last one, has no line end, and its domain is the beginning of the one above: \
                                  the file seems to be cut off";
                    Err(Fault { reason: reason.to_owned(), stable_id: None, address: None })
                }
                row => row,
            };
            match row {
                Ok(person) => each(place, Ok((&person, &identity))),
                Err(fault) => each(place, Err(fault)),
            }
            std::mem::swap(&mut identity, &mut previous);
        }
        Ok(())
    }

    /// With what is worth a word about the whole.
    fn noted(mut self) -> Self {
        if self.blank > 0 {
            self.notes.push(format!("Rows without any content, passed over: {}.", self.blank));
        }
        if self.cut {
            self.notes.push("The last line has no line end.".to_owned());
        }
        self
    }
}

/// Whether the domain of one address is the beginning of the other's.
fn is_cut_from(identity: &str, other: &str) -> bool {
    let domain = |identity: &str| identity.rsplit_once('@').map(|(_, domain)| domain.to_owned());
    match (domain(identity), domain(other)) {
        (Some(domain), Some(other)) => domain.len() < other.len() && other.starts_with(&domain),
        _ => false,
    }
}

fn head_of(file: &File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEAD_BYTES];
    let mut bytes = 0;
    while bytes < head.len() {
        match file.read_at(&mut head[bytes..], bytes as u64) {
            Ok(0) => break,
            Ok(more) => bytes += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    head.truncate(bytes);
    Ok(head)
}
