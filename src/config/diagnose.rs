//! What is wrong with a configuration, shown with its place: file, line, column, a caret, and what to write instead.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use super::raw::File;
use super::redact;

/// What is wrong with a value, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) says: String,
    pub(super) help: String,
    /// A narrower place than that of the whole value.
    pub(super) span: Option<Range<usize>>,
}

impl Complaint {
    pub(super) fn new(says: impl Into<String>, help: impl Into<String>) -> Complaint {
        Complaint { says: printable(&says.into()), help: printable(&help.into()), span: None }
    }
}

/// Everything that is wrong with a configuration, in the order of the files.
///
/// Displays as text without colour, with a line between two problems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub file: PathBuf,
    /// `None` when the file as a whole is meant.
    place: Option<Place>,
    /// What is wrong, as a fragment.
    pub says: String,
    /// What to write instead, as a fragment.
    pub help: String,
    /// Another place that belongs to it, with a word about it.
    other: Option<(PathBuf, Place, String)>,
}

/// A place in a file, with the line as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    offset: usize,
    line: usize,
    column: usize,
    shown: redact::Line,
}

impl Problem {
    pub(super) fn at(file: &File, span: Range<usize>, complaint: Complaint) -> Problem {
        let place = Place::new(&file.text, complaint.span.unwrap_or(span));
        Problem {
            file: file.shown.clone(),
            place: Some(place),
            says: complaint.says,
            help: complaint.help,
            other: None,
        }
    }

    pub(super) fn of_file(file: PathBuf, complaint: Complaint) -> Problem {
        Problem { file, place: None, says: complaint.says, help: complaint.help, other: None }
    }

    /// Adds a second place.
    pub(super) fn and(mut self, file: &File, span: Range<usize>, label: &str) -> Problem {
        self.other = Some((file.shown.clone(), Place::new(&file.text, span), label.to_owned()));
        self
    }

    /// The line, from 1.
    pub fn line(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.line)
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.column)
    }

    fn offset(&self) -> usize {
        self.place.as_ref().map_or(0, |place| place.offset)
    }

    fn render(&self, f: &mut impl fmt::Write, paint: Paint) -> fmt::Result {
        writeln!(f, "{}error: {}{}", paint.red, self.says, paint.off)?;
        let lines = self.place.iter().chain(self.other.iter().map(|(_, place, _)| place));
        let gutter = lines.map(|place| place.line.to_string().len()).max().unwrap_or(1);
        match &self.place {
            Some(place) => place.render(f, &self.file, gutter, "", paint)?,
            None => writeln!(f, "{}--> {}", " ".repeat(gutter), self.file.display())?,
        }
        if let Some((file, place, label)) = &self.other {
            place.render(f, file, gutter, label, paint)?;
        }
        writeln!(f, "{} {}={} {}", " ".repeat(gutter), paint.blue, paint.off, self.help)
    }
}

impl Place {
    fn new(text: &str, span: Range<usize>) -> Place {
        let offset = floor(text, span.start);
        let start = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[offset..].find('\n').map_or(text.len(), |newline| offset + newline);
        let marked = offset - start..floor(text, span.end.min(end)).max(offset) - start;
        Place {
            offset,
            line: text[..start].matches('\n').count() + 1,
            column: text[start..offset].chars().count() + 1,
            shown: redact::line(text, start..end, marked),
        }
    }

    fn render(
        &self,
        f: &mut impl fmt::Write,
        file: &std::path::Path,
        gutter: usize,
        label: &str,
        paint: Paint,
    ) -> fmt::Result {
        let Paint { red, blue, off } = paint;
        let margin = " ".repeat(gutter);
        writeln!(f, "{margin}{blue}-->{off} {}:{}:{}", file.display(), self.line, self.column)?;
        writeln!(f, "{margin} {blue}|{off}")?;
        writeln!(f, "{blue}{:gutter$} |{off} {}", self.line, self.shown.text)?;
        let caret = format!("{}{}", " ".repeat(self.shown.marked.start), "^".repeat(self.shown.marked.len().max(1)));
        writeln!(f, "{}", format!("{margin} {blue}|{off} {red}{caret}{off} {label}").trim_end())
    }
}

/// The nearest place at or before this one that is not within a character.
fn floor(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Escape sequences, or nothing.
#[derive(Clone, Copy)]
struct Paint {
    red: &'static str,
    blue: &'static str,
    off: &'static str,
}

const PLAIN: Paint = Paint { red: "", blue: "", off: "" };
const COLOUR: Paint = Paint { red: "\x1b[1;31m", blue: "\x1b[1;34m", off: "\x1b[0m" };

impl Problems {
    /// In the order of the files and of their lines, each once. Not empty.
    pub(super) fn new(mut problems: Vec<Problem>, files: &[PathBuf]) -> Problems {
        let rank = |problem: &Problem| files.iter().position(|file| *file == problem.file);
        problems.sort_by_cached_key(|problem| (rank(problem), problem.offset(), problem.says.clone()));
        problems.dedup();
        Problems(problems)
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// As text; with colour for a terminal.
    pub fn render(&self, colour: bool) -> String {
        let mut text = String::new();
        let paint = if colour { COLOUR } else { PLAIN };
        // Writing to a text does not fail.
        let _ = self.write(&mut text, paint);
        text
    }

    fn write(&self, f: &mut impl fmt::Write, paint: Paint) -> fmt::Result {
        for problem in &self.0 {
            problem.render(f, paint)?;
            writeln!(f)?;
        }
        let count = self.0.len();
        let (noun, them) = if count == 1 { ("problem", "it is") } else { ("problems", "they are") };
        writeln!(f, "{count} {noun} in the configuration; nothing is done until {them} mended")
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, PLAIN)
    }
}

impl std::error::Error for Problems {}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A text from a file without what would disturb a terminal, and not without end.
fn printable(text: &str) -> String {
    text.chars().take(400).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// What was meant, where one of these is near enough to what was written.
pub(super) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = written.to_lowercase();
    let distance = |name: &&str| (strsim::jaro_winkler(&folded, &name.to_lowercase()) * 1000.0).round();
    let best = known.into_iter().max_by(|a, b| distance(a).total_cmp(&distance(b)))?;
    let edits = strsim::damerau_levenshtein(&folded, &best.to_lowercase());
    (edits <= 1 + written.chars().count() / 4 || distance(&best) >= 900.0).then_some(best)
}

/// `a`, `b` or `c`.
pub(super) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>, quote: &str) -> String {
    let words: Vec<_> = words.into_iter().map(|word| format!("{quote}{word}{quote}")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
