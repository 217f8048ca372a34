//! What a CSV file is written in: its encoding and its delimiter.

use std::fmt;

use crate::config;

use super::csv_record::Records;

/// An encoding that a file was found to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
    Windows1252,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Encoding::Utf8 => "UTF-8",
            Encoding::Utf16Le => "UTF-16LE",
            Encoding::Utf16Be => "UTF-16BE",
            Encoding::Windows1252 => "windows-1252",
        })
    }
}

/// Why bytes are not text. Displays as a sentence fragment that fits after the file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    #[error("is not valid UTF-8 (line {line}); save it as UTF-8, or set `encoding` to what it is")]
    NotUtf8 { line: u64 },
    #[error("ends in the middle of a character: it has been cut off")]
    CutOff,
    #[error("is not valid UTF-16; save it as UTF-8, or set `encoding` to what it is")]
    NotUtf16,
    #[error("begins as a {0} text does, and `encoding` says otherwise; set `encoding = \"auto\"`")]
    OtherMark(Encoding),
    #[error("is neither UTF-8 nor Windows-1252; save it as UTF-8")]
    NotWindows1252,
}

/// The encoding of a file that begins with these bytes. For `auto`, UTF-8 is a guess: where the rest is not valid UTF-8,
/// the file is Windows-1252.
///
/// # Errors
/// When the file's byte order mark contradicts the configured encoding.
pub fn detect(head: &[u8], configured: config::Encoding) -> Result<Encoding, Mismatch> {
    let marked = match head {
        [0xef, 0xbb, 0xbf, ..] => Some(Encoding::Utf8),
        [0xff, 0xfe, ..] => Some(Encoding::Utf16Le),
        [0xfe, 0xff, ..] => Some(Encoding::Utf16Be),
        _ => None,
    };
    let fits = |encoding| match configured {
        config::Encoding::Auto => true,
        config::Encoding::Utf8 => encoding == Encoding::Utf8,
        config::Encoding::Utf16 => matches!(encoding, Encoding::Utf16Le | Encoding::Utf16Be),
        config::Encoding::Windows1252 => encoding == Encoding::Windows1252,
    };
    match (marked, configured) {
        (Some(encoding), _) if fits(encoding) => Ok(encoding),
        (Some(encoding), _) => Err(Mismatch::OtherMark(encoding)),
        (None, config::Encoding::Auto) => Ok(by_nul(head).unwrap_or(Encoding::Utf8)),
        (None, config::Encoding::Utf8) => Ok(Encoding::Utf8),
        (None, config::Encoding::Utf16) => Ok(by_nul(head).unwrap_or(Encoding::Utf16Le)),
        (None, config::Encoding::Windows1252) => Ok(Encoding::Windows1252),
    }
}

/// UTF-16 without a mark: in a header of Western letters, every other byte is zero.
fn by_nul(head: &[u8]) -> Option<Encoding> {
    let head = &head[..head.len().min(1024)];
    let zeros = |first: usize| head.iter().skip(first).step_by(2).filter(|&&byte| byte == 0).count();
    let (even, odd, pairs) = (zeros(0), zeros(1), head.len() / 2);
    let many = |zeros: usize| pairs > 0 && zeros * 10 >= pairs * 8;
    let few = |zeros: usize| zeros * 10 <= pairs;
    match () {
        () if many(odd) && few(even) => Some(Encoding::Utf16Le),
        () if many(even) && few(odd) => Some(Encoding::Utf16Be),
        () => None,
    }
}

/// The text of a whole file, as UTF-8.
///
/// # Errors
/// When the bytes are not of this encoding; nothing is ever replaced.
pub fn decode(bytes: &[u8], encoding: Encoding) -> Result<String, Mismatch> {
    match encoding {
        Encoding::Utf8 => {
            let mut check = Utf8Check::default();
            check.feed(bytes)?;
            check.finish()?;
            Ok(String::from_utf8_lossy(bytes).into_owned())
        }
        Encoding::Utf16Le | Encoding::Utf16Be if bytes.len() % 2 == 1 => Err(Mismatch::CutOff),
        Encoding::Utf16Le => whole(encoding_rs::UTF_16LE, bytes).ok_or(Mismatch::NotUtf16),
        Encoding::Utf16Be => whole(encoding_rs::UTF_16BE, bytes).ok_or(Mismatch::NotUtf16),
        // Five bytes mean nothing in Windows-1252; a decoder for the web makes control characters of them.
        Encoding::Windows1252 if bytes.iter().any(|byte| matches!(byte, 0 | 0x81 | 0x8d | 0x8f | 0x90 | 0x9d)) => {
            Err(Mismatch::NotWindows1252)
        }
        Encoding::Windows1252 => whole(encoding_rs::WINDOWS_1252, bytes).ok_or(Mismatch::NotWindows1252),
    }
}

fn whole(encoding: &'static encoding_rs::Encoding, bytes: &[u8]) -> Option<String> {
    let (text, bad) = encoding.decode_with_bom_removal(bytes);
    (!bad).then(|| text.into_owned())
}

/// Checks that a text that comes in pieces is UTF-8.
#[derive(Debug, Default)]
pub struct Utf8Check {
    /// The beginning of a character whose rest is in the next piece.
    pending: Vec<u8>,
    lines: u64,
    wide: bool,
}

impl Utf8Check {
    /// # Errors
    /// At the first byte that can't be.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), Mismatch> {
        let mut rest = piece;
        while !self.pending.is_empty() {
            let Some((&byte, behind)) = rest.split_first() else { return Ok(()) };
            self.pending.push(byte);
            rest = behind;
            match std::str::from_utf8(&self.pending) {
                Ok(_) => self.pending.clear(),
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(self.bad()),
            }
        }
        match std::str::from_utf8(rest) {
            Ok(text) => self.wide |= !text.is_ascii(),
            Err(error) => {
                let (good, bad) = rest.split_at(error.valid_up_to());
                self.wide |= !good.is_ascii();
                if error.error_len().is_some() {
                    self.lines += memchr::memchr_iter(b'\n', good).count() as u64;
                    return Err(self.bad());
                }
                self.pending = bad.to_vec();
            }
        }
        self.lines += memchr::memchr_iter(b'\n', piece).count() as u64;
        Ok(())
    }

    /// # Errors
    /// When a character has no end: the text was cut off if it had wide characters before, and else it is no UTF-8.
    pub fn finish(&self) -> Result<(), Mismatch> {
        match (self.pending.is_empty(), self.wide) {
            (true, _) => Ok(()),
            (false, true) => Err(Mismatch::CutOff),
            (false, false) => Err(self.bad()),
        }
    }

    fn bad(&self) -> Mismatch {
        Mismatch::NotUtf8 { line: self.lines + 1 }
    }
}

/// The delimiters that are looked for, the more usual first.
pub const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// How many records the delimiter is told from.
const SAMPLE_RECORDS: usize = 50;

/// Tells the delimiter from the beginning of a text: the one with which the header names what is wanted, then the one
/// that splits most records as it splits the header, then the one that makes the most columns.
pub fn guess_delimiter(sample: &str, header_fits: &dyn Fn(&[String]) -> bool) -> u8 {
    let score = |delimiter: u8| {
        let mut records = Records::new(sample.as_bytes(), delimiter);
        let (mut header, mut alike, mut seen) = (Vec::new(), 0, 0);
        // The sample may end in the middle of a record, or of a quoted field: what came before counts.
        while let Ok(Some(record)) = records.next_record() {
            if header.is_empty() {
                header = record.fields().map(|field| String::from_utf8_lossy(field).into_owned()).collect();
            } else {
                seen += 1;
                alike += usize::from(record.width() == header.len());
            }
            if seen == SAMPLE_RECORDS {
                break;
            }
        }
        let share = (alike * 100).checked_div(seen).unwrap_or(100);
        (header_fits(&header), header.len() > 1 && share >= 50, header.len() > 1, share, header.len())
    };
    // Of equals the first: `max_by_key` would give the last.
    DELIMITERS.into_iter().rev().max_by_key(|&delimiter| score(delimiter)).unwrap_or(b',')
}

/// The delimiter that a first line `sep=;` names, as Excel writes it.
pub fn named_delimiter(sample: &str) -> Option<u8> {
    let line = sample.trim_start_matches('\u{feff}').lines().next()?;
    match line.trim_matches('"').strip_prefix("sep=")?.as_bytes() {
        [delimiter] if DELIMITERS.contains(delimiter) => Some(*delimiter),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(sample: &str) -> char {
        let fits = |header: &[String]| header.iter().any(|name| name.trim().eq_ignore_ascii_case("email"));
        char::from(guess_delimiter(sample, &fits))
    }

    #[test]
    fn the_delimiter_is_told_from_header_and_rows() {
        for (sample, delimiter) in [
            ("email\njane@contoso.com\n", ','),
            ("email", ','),
            ("email,name\n", ','),
            ("email;name\njane@contoso.com;\"Doe, Jane\"\n", ';'),
            ("name;email\nDoe, Jane, Dr.;jane@contoso.com\nRoe, Jo, Dr.;jo@contoso.com\n", ';'),
            ("email\tname\njane@contoso.com\tJane\n", '\t'),
            ("email|name|id\njane@contoso.com|Jane|1\n", '|'),
            ("email;name\r\n\"a@x.example\";\"two\nlines, with | and \t\"\r\n", ';'),
            ("email,name\na@x.example\nb@x.example,b,c\nc@x.example,c\n", ','),
            ("", ','),
        ] {
            assert_eq!(guess(sample), delimiter, "{sample:?}");
        }
    }

    #[test]
    fn a_first_line_of_excel_names_it() {
        assert_eq!(named_delimiter("\u{feff}sep=;\r\nemail;name"), Some(b';'));
        assert_eq!(named_delimiter("email;name"), None);
    }

    #[test]
    fn encodings_are_told_by_mark_and_by_zeros() {
        let auto = |head: &[u8]| detect(head, config::Encoding::Auto).unwrap();
        assert_eq!(auto(b"\xef\xbb\xbfemail"), Encoding::Utf8);
        assert_eq!(auto(b"\xff\xfee\0"), Encoding::Utf16Le);
        assert_eq!(auto(b"\xfe\xff\0e"), Encoding::Utf16Be);
        assert_eq!(auto(b"e\0m\0a\0i\0l\0\n\0"), Encoding::Utf16Le);
        assert_eq!(auto(b"\0e\0m\0a\0i\0l\0\n"), Encoding::Utf16Be);
        assert_eq!(auto(b"email\njane\0@contoso.com\n"), Encoding::Utf8, "one NUL is a broken row, not UTF-16");
        assert_eq!(auto(b""), Encoding::Utf8);
    }

    #[test]
    fn a_mark_that_contradicts_the_configuration_is_refused() {
        let told = detect(b"\xff\xfee\0", config::Encoding::Utf8);
        assert_eq!(told, Err(Mismatch::OtherMark(Encoding::Utf16Le)));
        let told = detect(b"\xef\xbb\xbfe", config::Encoding::Windows1252);
        assert_eq!(told, Err(Mismatch::OtherMark(Encoding::Utf8)));
    }

    #[test]
    fn nothing_is_replaced_silently() {
        assert_eq!(decode(b"Ren\xe9", Encoding::Windows1252).unwrap(), "René");
        assert_eq!(decode(b"\xff\xfeR\0\xe9\0", Encoding::Utf16Le).unwrap(), "Ré");
        assert_eq!(decode(b"R\0\xe9", Encoding::Utf16Le), Err(Mismatch::CutOff));
        assert_eq!(decode(b"\0\xd8a\0", Encoding::Utf16Le), Err(Mismatch::NotUtf16));
        assert_eq!(decode(b"\x81", Encoding::Windows1252), Err(Mismatch::NotWindows1252));
        assert_eq!(decode(b"a\nb\xff", Encoding::Utf8), Err(Mismatch::NotUtf8 { line: 2 }));
    }

    proptest::proptest! {
        #[test]
        fn pieces_are_checked_as_the_whole_is(text in "[a\n\u{e4}\u{20ac}\u{1f600}]{0,12}", bytes in 1usize..5, cut in 0usize..4) {
            let whole = &text.as_bytes()[..text.len().saturating_sub(cut)];
            let mut check = Utf8Check::default();
            let told = whole.chunks(bytes).try_for_each(|piece| check.feed(piece)).and_then(|()| check.finish());
            proptest::prop_assert_eq!(told.is_ok(), std::str::from_utf8(whole).is_ok());
        }
    }
}
