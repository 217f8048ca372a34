//! A line of the configuration as it may be shown: without what is or could be a secret.
//!
//! This works on the text, for it has to be right where the syntax is wrong. What is not known to be harmless is
//! hidden: values of unknown keys, of keys that take secrets or addresses, and of everything on a line that speaks of
//! keys or passwords.

use std::ops::Range;

use super::keys::{self, Kind};

/// A line as it is shown, and the characters of it that are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) marked: Range<usize>,
}

/// Longer lines are shown in part …
const CHARS_MAX: usize = 160;
/// … and such a line not at all: with a mistake in each of its values it would be looked through for each.
const BYTES_MAX: usize = 10_000;

/// What of a line may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    All,
    /// Scheme and host of an address.
    Hosts,
    /// No value.
    Shape,
}

/// The line at this place of the text; `marked` is relative to it.
pub(super) fn line(text: &str, place: Range<usize>, marked: Range<usize>) -> Line {
    let whole = text[place.clone()].trim_end_matches('\r');
    if whole.len() > BYTES_MAX {
        return Line { text: "(a line too long to be shown)".to_owned(), marked: 0..0 };
    }
    let (shown, from) = visibility(&text[..place.start], whole);
    let (hidden, columns) = hide(whole, shown, from);
    let column = |offset: usize| columns.get(offset.min(columns.len() - 1)).copied().unwrap_or(0);
    cut(&hidden, column(marked.start)..column(marked.end))
}

/// What may be seen of a line, and from which byte on something is hidden.
fn visibility(before: &str, line: &str) -> (Shown, usize) {
    let from = line.find('=').map_or(0, |equals| equals + 1);
    if is_header(line) {
        return (Shown::Shape, line.find('#').unwrap_or(line.len()));
    }
    if suspicious(line) {
        return (Shown::Shape, from);
    }
    if let Some(name) = key_of(line) {
        return (shown_for(name, line), from);
    }
    // A line within a longer value is shown as its first line would be.
    let first = before.lines().rev().take(1000).find(|line| key_of(line).is_some() || is_header(line));
    let shown = first.and_then(|first| Some(shown_for(key_of(first)?, line)));
    (shown.unwrap_or(Shown::Shape), 0)
}

/// Whether a line speaks of secrets, whatever its key is called.
fn suspicious(line: &str) -> bool {
    let letters: String = line.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    ["key", "pass", "pwd", "secret", "token", "credential"].iter().any(|word| letters.contains(word))
}

/// A header of a table, and nothing else on the line.
fn is_header(line: &str) -> bool {
    let line = line.split('#').next().unwrap_or_default().trim();
    line.starts_with('[') && line.ends_with(']') && !line.contains(['=', ',', '\'', '"'])
}

/// The last part of the key that a line gives a value to.
fn key_of(line: &str) -> Option<&str> {
    let (key, _) = line.split_once('=')?;
    let name = key.rsplit('.').next()?.trim();
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    bare.then_some(name)
}

/// What every key of this name allows to be seen, whatever table it is in.
fn shown_for(name: &str, line: &str) -> Shown {
    let known = keys::tables().into_iter().filter_map(|table| table.key(name));
    let nested = line.contains('{');
    let shown: Vec<_> = known.filter_map(|key| shown_of(&key.kind, nested)).collect();
    if shown.is_empty() || shown.contains(&Shown::Shape) {
        Shown::Shape
    } else if shown.contains(&Shown::Hosts) {
        Shown::Hosts
    } else {
        Shown::All
    }
}

/// `None` for a table whose line can't be meant.
fn shown_of(kind: &Kind, nested: bool) -> Option<Shown> {
    match kind {
        Kind::SecretUrl | Kind::WebUrl | Kind::Proxy | Kind::LdapUrls | Kind::SmtpUrl | Kind::Ledger => {
            Some(Shown::Hosts)
        }
        Kind::Secret => Some(Shown::Shape),
        Kind::Table(table) if table.keys().all(|key| shown_of(&key.kind, true) == Some(Shown::All)) => Some(Shown::All),
        Kind::Table(_) | Kind::Defaults(_) | Kind::Named(_) | Kind::NamedKinds(_) | Kind::ListKinds(_) => {
            nested.then_some(Shown::Shape)
        }
        _ => Some(Shown::All),
    }
}

/// The line with what has to be hidden replaced, and for each of its bytes the column where that is shown now.
fn hide(line: &str, shown: Shown, from: usize) -> (String, Vec<usize>) {
    let mut text = String::new();
    let mut columns = Vec::with_capacity(line.len() + 1);
    let mut width = 0;
    let mut put = |original: &str, instead: Option<&str>| match instead {
        Some(instead) => {
            columns.extend(std::iter::repeat_n(width, original.len()));
            text.push_str(instead);
            width += instead.chars().count();
        }
        None => {
            for c in original.chars() {
                columns.extend(std::iter::repeat_n(width, c.len_utf8()));
                text.push(if c == '\t' {
                    ' '
                } else if c.is_control() {
                    '\u{fffd}'
                } else {
                    c
                });
                width += 1;
            }
        }
    };
    let from = if shown == Shown::All { line.len() } else { from };
    put(&line[..from], None);
    let mut rest = &line[from..];
    while let Some(first) = rest.chars().next() {
        let (piece, kind) = piece(rest, first);
        match kind {
            Piece::Structure => put(piece, None),
            Piece::Word if is_place_of_secret(piece, &rest[piece.len()..]) => put(piece, None),
            Piece::Word => put(piece, Some("…")),
            Piece::Comment => put(piece, Some("# …")),
            Piece::Text(inner) => {
                let quote = first.to_string();
                match if shown == Shown::Hosts { host(inner) } else { None } {
                    Some(whole) if whole == inner => put(piece, None),
                    part => put(piece, Some(&format!("{quote}{}…{quote}", part.unwrap_or_default()))),
                }
            }
        }
        rest = &rest[piece.len()..];
    }
    columns.push(width);
    (text, columns)
}

enum Piece<'a> {
    Structure,
    Word,
    Comment,
    Text(&'a str),
}

fn piece(rest: &str, first: char) -> (&str, Piece<'_>) {
    match first {
        '"' | '\'' => {
            let mut escaped = false;
            let end = rest[1..].char_indices().find(|(_, c)| {
                let ends = *c == first && !escaped;
                escaped = *c == '\\' && first == '"' && !escaped;
                ends
            });
            let (inner, whole) = end.map_or((rest.len(), rest.len()), |(at, _)| (1 + at, 2 + at));
            (&rest[..whole], Piece::Text(&rest[1..inner]))
        }
        '#' => (rest, Piece::Comment),
        c if is_structure(c) => (&rest[..c.len_utf8()], Piece::Structure),
        _ => {
            let end = rest.find(|c| is_structure(c) || matches!(c, '"' | '\'' | '#')).unwrap_or(rest.len());
            (&rest[..end], Piece::Word)
        }
    }
}

fn is_structure(c: char) -> bool {
    c.is_whitespace() || matches!(c, '{' | '}' | '[' | ']' | ',' | '=')
}

/// `file`, `env` or `credential` before its value.
fn is_place_of_secret(word: &str, rest: &str) -> bool {
    matches!(word, "file" | "env" | "credential") && rest.trim_start().starts_with('=')
}

/// Scheme and host of an address without credentials.
fn host(address: &str) -> Option<&str> {
    let start = address.find("://")? + 3;
    let end = address[start..].find(['/', '?', '#']).map_or(address.len(), |at| start + at);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let harmless = !address.contains('@') && address[start..end].chars().all(plain);
    (harmless && address[..start - 3].chars().all(|c| c.is_ascii_alphabetic())).then_some(&address[..end])
}

/// A part of a long line around what is meant.
fn cut(text: &str, marked: Range<usize>) -> Line {
    let count = text.chars().count();
    if count <= CHARS_MAX {
        return Line { text: text.to_owned(), marked };
    }
    let start = marked.start.saturating_sub(CHARS_MAX / 3).min(count - CHARS_MAX);
    let part: String = text.chars().skip(start).take(CHARS_MAX).collect();
    let (before, after) = (if start > 0 { "…" } else { "" }, if start + CHARS_MAX < count { "…" } else { "" });
    let shift = |column: usize| (column.saturating_sub(start) + before.chars().count()).min(CHARS_MAX + 1);
    Line { text: format!("{before}{part}{after}"), marked: shift(marked.start)..shift(marked.end) }
}
