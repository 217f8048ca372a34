//! Holds what a file says against [`super::keys`]: keys that don't exist, values that can't be, keys that are missing.

use std::ops::Range;

use toml::de::DeTable;

use super::diagnose::{Complaint, Problem, nearest, one_of};
use super::keys::{self, Key, Kind, Table};
use super::raw::{File, Value};
use super::value::At;

/// Goes through one file and gathers what is wrong with each key and value by itself.
#[derive(Debug)]
pub(super) struct Check<'a> {
    pub(super) file: &'a File,
    /// The `[defaults]` of the main file: what a subscription has there it does not have to have itself.
    pub(super) defaults: Option<&'a DeTable<'a>>,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    pub(super) fn new(file: &'a File, defaults: Option<&'a DeTable<'a>>) -> Check<'a> {
        Check { file, defaults, problems: Vec::new() }
    }

    fn complain(&mut self, span: Range<usize>, says: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::at(self.file, span, Complaint::new(says, help)));
    }

    /// The main file.
    pub(super) fn main(&mut self, document: &'a DeTable<'a>) {
        self.table(&keys::ROOT, document, 0..0, false);
    }

    /// A file that was included.
    pub(super) fn included(&mut self, document: &'a DeTable<'a>) {
        for (name, value) in document {
            match keys::ROOT.key(name.get_ref()) {
                Some(key) if keys::INCLUDED.contains(&key.name) => self.value(key, value),
                Some(key) => self.complain(
                    name.span(),
                    format!("an included file can't hold `{}`", key.name),
                    "move it to the main file; an included one holds [subscriptions.NAME] and [sources.NAME]",
                ),
                None => self.unknown(&keys::ROOT, name.get_ref(), name.span()),
            }
        }
    }

    fn table(&mut self, table: &'static Table, values: &'a DeTable<'a>, header: Range<usize>, complete: bool) {
        for (name, value) in values {
            match table.key(name.get_ref()) {
                Some(key) => self.value(key, value),
                None => self.unknown(table, name.get_ref(), name.span()),
            }
        }
        if complete {
            self.missing(table, values, header);
        }
    }

    fn missing(&mut self, table: &'static Table, values: &DeTable<'_>, header: Range<usize>) {
        let inherits = std::ptr::eq(table, &raw const keys::SUBSCRIPTION);
        let inherited = |name: &str| inherits && self.defaults.is_some_and(|defaults| defaults.contains_key(name));
        let missing: Vec<_> =
            table.keys().filter(|key| key.required && !values.contains_key(key.name) && !inherited(key.name)).collect();
        for key in missing {
            self.complain(header.clone(), format!("`{}` is missing here", key.name), format!("add {}", example(key)));
        }
    }

    fn unknown(&mut self, table: &'static Table, name: &str, span: Range<usize>) {
        let help = match nearest(name, table.keys().map(|key| key.name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => elsewhere(name)
                .unwrap_or_else(|| format!("the keys here are {}", one_of(table.keys().map(|key| key.name), "`"))),
        };
        self.complain(span, format!("unknown key `{name}`"), help);
    }

    fn value(&mut self, key: &'static Key, value: &'a Value<'a>) {
        let at = At { file: self.file, kind: &key.kind, value };
        let values = value.get_ref().as_table();
        match (&key.kind, values) {
            (Kind::Table(inner), Some(values)) => self.table(inner, values, value.span(), true),
            (Kind::Grace(inner) | Kind::Defaults(inner), Some(values)) => {
                self.table(inner, values, value.span(), false);
            }
            (Kind::Named(inner), Some(values)) => {
                for (name, value) in values {
                    self.named(name, value, |check, values| check.table(inner, values, value.span(), true));
                }
            }
            (Kind::NamedKinds(kinds), Some(values)) => {
                for (name, value) in values {
                    self.named(name, value, |check, values| check.of_a_kind(kinds, values, value.span()));
                }
            }
            (kind, _) => match (at.check(), kind) {
                (Err(complaint), _) => self.problems.push(Problem::at(self.file, value.span(), complaint)),
                (Ok(()), Kind::ListKinds(kinds)) => self.each(at, |check, element| {
                    check.element(element, |check, values| check.of_a_kind(kinds, values, element.span()));
                }),
                (Ok(()), Kind::Groups(inner)) => self.each(at, |check, element| {
                    if element.get_ref().is_str() {
                        let at = At { file: check.file, kind: &Kind::Dn, value: element };
                        if let Err(complaint) = at.dn() {
                            check.problems.push(Problem::at(check.file, element.span(), complaint));
                        }
                    } else {
                        check.element(element, |check, values| check.table(inner, values, element.span(), true));
                    }
                }),
                (Ok(()), _) => {}
            },
        }
    }

    fn each(&mut self, at: At<'a>, each: impl Fn(&mut Self, &'a Value<'a>)) {
        for element in at.value.get_ref().as_array().into_iter().flat_map(|list| list.iter()) {
            each(self, element);
        }
    }

    fn element(&mut self, value: &'a Value<'a>, then: impl FnOnce(&mut Self, &'a DeTable<'a>)) {
        let at = At { file: self.file, kind: &Kind::Text, value };
        match at.table() {
            Ok(values) => then(self, values),
            Err(complaint) => self.problems.push(Problem::at(self.file, value.span(), complaint)),
        }
    }

    fn named(
        &mut self,
        name: &toml::Spanned<toml::de::DeString<'_>>,
        value: &'a Value<'a>,
        then: impl FnOnce(&mut Self, &'a DeTable<'a>),
    ) {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let text = name.get_ref();
        if text.is_empty() || text.len() > 64 || !text.chars().all(good) || text.starts_with(['-', '.']) {
            self.complain(
                name.span(),
                "this name can't be",
                "use up to 64 letters (a to z), digits, `-`, `_` and `.`, a letter or digit first",
            );
        }
        self.element(value, then);
    }

    fn of_a_kind(
        &mut self,
        kinds: &'static [(&'static str, &'static Table)],
        values: &'a DeTable<'a>,
        header: Range<usize>,
    ) {
        let known = one_of(kinds.iter().map(|(kind, _)| *kind), "\"");
        let Some(value) = values.get("kind") else {
            return self.complain(header, "`kind` is missing here", format!("add kind = {known}"));
        };
        let written = value.get_ref().as_str();
        if let Some((_, table)) = kinds.iter().find(|(kind, _)| Some(*kind) == written) {
            return self.table(table, values, header, true);
        }
        let near = written.and_then(|written| nearest(written, kinds.iter().map(|(kind, _)| *kind)));
        let help =
            near.map_or_else(|| format!("write {known}"), |near| format!("did you mean \"{near}\"? It takes {known}"));
        self.complain(value.span(), "there is no such kind", help);
    }
}

/// Where a key belongs that is known, but not here.
fn elsewhere(name: &str) -> Option<String> {
    let kinds = keys::SOURCES.iter().chain(keys::ALERTS);
    let kinds: Vec<_> = kinds.filter(|(_, table)| table.key(name).is_some()).collect();
    if let Some((_, table)) = kinds.first() {
        let kinds = one_of(kinds.iter().map(|(kind, _)| *kind), "\"");
        return Some(format!("`{name}` belongs to [{}] with kind = {kinds}", table.name));
    }
    let table = keys::tables().into_iter().find(|table| table.key(name).is_some())?;
    Some(match table.name {
        "" => format!("`{name}` belongs to the top of the file, before the first [header], or is a header of its own"),
        "subscriptions.NAME" => format!("`{name}` belongs to [subscriptions.NAME] or [defaults]"),
        "guard" => format!("`{name}` belongs to [defaults.guard] or [subscriptions.NAME.guard]"),
        place => format!("`{name}` belongs to [{place}]"),
    })
}

/// How a missing key may look.
fn example(key: &Key) -> String {
    let value = match key.kind {
        Kind::Secret => "{ file = \"…\" }".to_owned(),
        Kind::Word(words) => one_of(words.iter().copied(), "\""),
        Kind::Texts | Kind::Attributes | Kind::LdapUrls | Kind::Addresses => "[\"…\"]".to_owned(),
        _ => "\"…\"".to_owned(),
    };
    format!("{} = {value}: {}", key.name, key.doc)
}
