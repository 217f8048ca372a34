//! From a header to columns, and from a record to a person or to what is wrong with it. Pure.

use std::borrow::Cow;

use crate::address::{self, Address};
use crate::config::{self, Mode};
use crate::roster::{Entry, EntryKey, Hasher, PRIORITY_DEFAULT, When};

use super::csv_record::Record;

/// The names that are understood where none is configured, the better first; compared without case, spaces, `_`, `-`
/// and `.`.
const EMAIL: &[&str] = &[
    "email",
    "mail",
    "emailaddress",
    "mailaddress",
    "primarysmtpaddress",
    "primaryemail",
    "primaryemailaddress",
    "workemail",
    "smtpaddress",
    "userprincipalname",
    "upn",
    "username",
];
const ID: &[&str] = &[
    "id",
    "employeeid",
    "employeenumber",
    "objectguid",
    "objectid",
    "entryuuid",
    "personid",
    "userid",
    "personnelnumber",
];
const ACTION: &[&str] = &["action", "operation"];
const PRIORITY: &[&str] = &["priority"];
const START: &[&str] = &["start", "startdate", "starts", "validfrom"];
const END: &[&str] = &["end", "enddate", "ends", "validuntil", "validto"];
const SUBSCRIPTION: &[&str] = &["subscription", "client", "tenant"];

/// Where in a record things stand, as indices from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    email: usize,
    id: Option<usize>,
    action: Option<usize>,
    priority: Option<usize>,
    start: Option<usize>,
    end: Option<usize>,
    subscription: Option<usize>,
    /// The number of columns that the header has; a record with fewer is broken.
    width: usize,
    mode: Mode,
}

/// Why a header can't be worked with. Displays as a sentence fragment that fits after the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    #[error("has no column with the e-mail address; its columns are {found}. Name it: columns = {{ email = \"…\" }}")]
    NoEmail { found: String },
    #[error(
        "has no header: its first line holds an address where the names of the columns should be. Add a first line such as: email"
    )]
    NoHeader,
    #[error("has no column {name:?}, which `columns` names for `{key}`; its columns are {found}")]
    Missing { key: &'static str, name: String, found: String },
    #[error("has {count} columns named {name:?}, and `columns` names it for `{key}`; give each column its own name")]
    Ambiguous { key: &'static str, name: String, count: usize },
    #[error(
        "has no column that says what to do with a person; `mode = \"delta\"` wants one named `action`. Its columns are {found}"
    )]
    NoAction { found: String },
}

impl Columns {
    /// Finds the columns that the configuration names, or that have common names; and a sentence for each choice that a
    /// person may want to know of.
    ///
    /// # Errors
    /// When there is no e-mail column, when a configured column is not there once, when a delta has no action.
    pub fn find(
        header: &[String],
        configured: &config::Columns,
        mode: Mode,
    ) -> Result<(Columns, Vec<String>), HeaderError> {
        // Delimiters behind the last name make no columns.
        let width = header.iter().rposition(|name| !clean(name).is_empty()).map_or(0, |last| last + 1);
        let header = &header[..width];
        let mut finder = Finder { header, notes: Vec::new() };
        let config::Columns { email, id, action, priority, start, end, subscription } = configured;
        let columns = Columns {
            email: finder.find("email", email.as_deref(), EMAIL)?.ok_or_else(|| no_email(header))?,
            id: finder.find("id", id.as_deref(), ID)?,
            action: match finder.find("action", action.as_deref(), ACTION) {
                // In a snapshot the column says nothing, so that a configuration may name it for all its files.
                Err(HeaderError::Missing { .. }) if mode == Mode::Snapshot => None,
                found => found?,
            },
            priority: finder.find("priority", priority.as_deref(), PRIORITY)?,
            start: finder.find("start", start.as_deref(), START)?,
            end: finder.find("end", end.as_deref(), END)?,
            subscription: finder.find("subscription", subscription.as_deref(), SUBSCRIPTION)?,
            width,
            mode,
        };
        if mode == Mode::Delta && columns.action.is_none() {
            return Err(HeaderError::NoAction { found: listed(header) });
        }
        Ok((columns, finder.notes))
    }

    /// Whether a cut at the end of a record may leave an address that looks whole.
    pub fn email_is_last(&self) -> bool {
        self.email + 1 == self.width
    }
}

struct Finder<'a> {
    header: &'a [String],
    notes: Vec<String>,
}

impl Finder<'_> {
    fn find(
        &mut self,
        key: &'static str,
        configured: Option<&str>,
        common: &[&str],
    ) -> Result<Option<usize>, HeaderError> {
        match configured {
            Some(name) => self.named(key, name).map(Some),
            None => Ok(self.common(key, common)),
        }
    }

    fn named(&self, key: &'static str, name: &str) -> Result<usize, HeaderError> {
        let wanted = clean(name).to_lowercase();
        let is_wanted = |&index: &usize| clean(&self.header[index]).to_lowercase() == wanted;
        let found: Vec<usize> = (0..self.header.len()).filter(is_wanted).collect();
        match found[..] {
            [index] => Ok(index),
            [] => Err(HeaderError::Missing { key, name: name.to_owned(), found: listed(self.header) }),
            _ => Err(HeaderError::Ambiguous { key, name: name.to_owned(), count: found.len() }),
        }
    }

    fn common(&mut self, key: &str, common: &[&str]) -> Option<usize> {
        let plain: Vec<String> = self.header.iter().map(|name| plain(name)).collect();
        let ranked = |(index, name): (usize, &String)| Some((common.iter().position(|c| c == name)?, index));
        let mut found: Vec<(usize, usize)> = plain.iter().enumerate().filter_map(ranked).collect();
        found.sort_unstable();
        let (_, index) = *found.first()?;
        if let Some((_, other)) = found.get(1) {
            self.notes.push(format!(
                "The column {:?} is taken for `{key}`, and {:?} is not; `columns = {{ {key} = \"…\" }}` says otherwise.",
                clean(&self.header[index]),
                clean(&self.header[*other]),
            ));
        }
        Some(index)
    }
}

/// Whether a header names an e-mail column: what the delimiter is told by.
pub fn names_email(header: &[String], configured: &config::Columns) -> bool {
    let email = configured.email.as_deref();
    matches!(
        Finder { header, notes: Vec::new() }.find("email", email, EMAIL),
        Ok(Some(_)) | Err(HeaderError::Ambiguous { .. })
    )
}

fn no_email(header: &[String]) -> HeaderError {
    // Addresses are not repeated where names were expected.
    if header.iter().any(|name| name.contains('@')) {
        return HeaderError::NoHeader;
    }
    HeaderError::NoEmail { found: listed(header) }
}

/// The names of columns for a person, at most a few hundred characters of them.
fn listed(header: &[String]) -> String {
    const SHOWN: usize = 20;
    let short = |name: &String| format!("{:?}", clean(name).chars().take(40).collect::<String>());
    let more = if header.len() > SHOWN { format!(" and {} more", header.len() - SHOWN) } else { String::new() };
    header.iter().take(SHOWN).map(short).collect::<Vec<_>>().join(", ") + &more
}

/// A name without what stands around it.
fn clean(name: &str) -> &str {
    name.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\u{feff}' | '\u{200b}'))
}

fn plain(name: &str) -> String {
    clean(name)
        .chars()
        .filter(|c| !matches!(c, ' ' | '_' | '-' | '.' | '\u{a0}'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// What a delta row asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Add,
    Remove,
}

impl Action {
    pub fn parse(word: &str) -> Option<Action> {
        let is = |words: &[&str]| words.iter().any(|w| w.eq_ignore_ascii_case(word));
        match () {
            () if is(&["add", "assign", "join", "+"]) => Some(Action::Add),
            () if is(&["remove", "unassign", "leave", "-"]) => Some(Action::Remove),
            () => None,
        }
    }
}

/// A usable row, borrowed from its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person<'a> {
    /// The address as it is sent and shown.
    pub spelling: Cow<'a, str>,
    pub stable_id: Option<&'a str>,
    pub route: Option<&'a str>,
    pub priority: i32,
    pub starts: Option<When>,
    pub ends: Option<When>,
    pub action: Action,
}

impl Person<'_> {
    /// Key and content; `identity` is that of the address.
    pub fn hashes(&self, identity: &str, hasher: &Hasher) -> (EntryKey, u64) {
        let Person { spelling, stable_id, route, priority, starts, ends, action: _ } = self;
        let content = hasher.content_of(spelling, *stable_id, *route, *priority, *starts, *ends);
        (hasher.entry_key(identity, *route), content)
    }

    /// The entry with this origin; `identity` is that of the address.
    pub fn entry(&self, identity: &str, origin: &str) -> Entry {
        Entry {
            address: Address::from_stored(identity, Some(&self.spelling)),
            stable_id: self.stable_id.map(Into::into),
            route: self.route.map(Into::into),
            priority: self.priority,
            starts: self.starts,
            ends: self.ends,
            origin: origin.into(),
        }
    }
}

/// What is wrong with a row, and whose it is as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// A sentence fragment.
    pub reason: String,
    pub stable_id: Option<String>,
    pub address: Option<Address>,
}

/// Reads one record. The identity of its address goes into `identity`, which is cleared first. `is_route` says whether
/// a subscription of this name takes rows from the source.
///
/// # Errors
/// What is wrong with the row.
pub fn read<'a>(
    columns: &Columns,
    record: &Record<'a>,
    is_route: &dyn Fn(&str) -> bool,
    identity: &mut String,
) -> Result<Person<'a>, Fault> {
    identity.clear();
    let row = Row { columns, record };
    row.person(is_route, identity).map_err(|reason| row.fault(reason))
}

struct Row<'r, 'a> {
    columns: &'r Columns,
    record: &'r Record<'a>,
}

impl<'a> Row<'_, 'a> {
    fn person(&self, is_route: &dyn Fn(&str) -> bool, identity: &mut String) -> Result<Person<'a>, String> {
        self.check_whole()?;
        let action = self.action()?;
        let spelling = self.spelling(identity)?;
        let stable_id = self.optional(self.columns.id)?;
        let route = self.optional(self.columns.subscription)?;
        if let Some(name) = route.filter(|name| !is_route(name)) {
            return Err(format!(
                "it is for the subscription {name:?}, and no subscription of that name has this source"
            ));
        }
        let mut person =
            Person { spelling, stable_id, route, priority: PRIORITY_DEFAULT, starts: None, ends: None, action };
        if action == Action::Remove {
            return Ok(person);
        }
        if let Some(text) = self.optional(self.columns.priority)? {
            person.priority = text.parse().map_err(|_| format!("its priority {text:?} is not a whole number"))?;
        }
        person.starts = self.date(self.columns.start, "start")?;
        person.ends = self.date(self.columns.end, "end")?;
        match (person.starts, person.ends) {
            (Some(starts), Some(ends)) if ends.about() < starts.about() => {
                Err(format!("its end {ends} is before its start {starts}"))
            }
            _ => Ok(person),
        }
    }

    fn check_whole(&self) -> Result<(), String> {
        if self.record.has_nul() {
            return Err("it has a NUL byte; the file is damaged or not a text".to_owned());
        }
        let (fields, width) = (self.record.width(), self.columns.width);
        if fields < width {
            return Err(format!("it has too few fields: {fields}, and the header has {width}"));
        }
        // More fields than names: an unquoted delimiter has shifted what stands behind it, unless they are empty.
        if (width..fields).any(|index| !self.record.field(index).trim_ascii().is_empty()) {
            return Err(format!(
                "it has too many fields: {fields}, and the header has {width}; a field that holds the delimiter needs quotes"
            ));
        }
        Ok(())
    }

    fn action(&self) -> Result<Action, String> {
        let word = self.optional(self.columns.action)?;
        let action = word.and_then(Action::parse);
        match (self.columns.mode, word, action) {
            (Mode::Snapshot, Some(word), Some(Action::Remove)) => Err(format!(
                "its action is {word:?}, and in a snapshot a row means that a person is there; leave the row out, or set mode = \"delta\""
            )),
            (Mode::Snapshot, ..) => Ok(Action::Add),
            (Mode::Delta, _, Some(action)) => Ok(action),
            (Mode::Delta, None, None) => Err("it has no action; write add or remove".to_owned()),
            (Mode::Delta, Some(word), None) => Err(format!("its action {word:?} is unknown; write add or remove")),
        }
    }

    fn spelling(&self, identity: &mut String) -> Result<Cow<'a, str>, String> {
        let raw = self.text(self.columns.email)?;
        let trimmed = raw.trim_matches([' ', '\t']);
        if plain_identity(trimmed, identity) {
            return Ok(Cow::Borrowed(trimmed));
        }
        let address = Address::parse(raw).map_err(|invalid| match invalid {
            address::Invalid::Empty => "the address is empty".to_owned(),
            invalid => format!("the address {:?} {invalid}", raw.chars().take(80).collect::<String>()),
        })?;
        identity.push_str(address.identity());
        Ok(Cow::Owned(address.spelling().to_owned()))
    }

    fn date(&self, column: Option<usize>, name: &str) -> Result<Option<When>, String> {
        let Some(text) = self.optional(column)? else { return Ok(None) };
        let when = When::parse(text).map_err(|()| {
            format!(
                "its {name} {text:?} is not a date of the years 1900 to 9999; write 2026-12-01 or 2026-12-01T09:00:00Z"
            )
        })?;
        Ok(Some(when))
    }

    /// A field without the white space around it; `None` where it is empty or there is no such column.
    fn optional(&self, column: Option<usize>) -> Result<Option<&'a str>, String> {
        let Some(column) = column else { return Ok(None) };
        Ok(Some(self.text(column)?.trim()).filter(|text| !text.is_empty()))
    }

    fn text(&self, column: usize) -> Result<&'a str, String> {
        std::str::from_utf8(self.record.field(column)).map_err(|_| "it is not valid UTF-8".to_owned())
    }

    /// The fault, with the id and the address where the row has them whole.
    fn fault(&self, reason: String) -> Fault {
        // In a row that has too few fields or too many, a field may be another column's.
        let sound = self.record.width() == self.columns.width && !self.record.has_nul();
        let id = sound.then(|| self.optional(self.columns.id).ok().flatten()).flatten();
        let address = sound.then(|| self.text(self.columns.email).ok()).flatten();
        Fault {
            reason,
            stable_id: id.map(str::to_owned),
            address: address.and_then(|address| Address::parse(address).ok()),
        }
    }
}

/// Writes the identity of an address of the plainest kind, ASCII and without anything odd, as [`Address::parse`] would
/// tell it, but without allocating. Says whether it is one; of any other nothing is said and nothing written.
fn plain_identity(raw: &str, identity: &mut String) -> bool {
    let Some(at) = memchr::memchr(b'@', raw.as_bytes()) else { return false };
    let (local, domain) = (&raw.as_bytes()[..at], &raw.as_bytes()[at + 1..]);
    let plain = raw.len() <= address::CHARS_MAX && is_plain_local(local) && is_plain_domain(domain);
    if plain {
        identity.push_str(raw);
        identity.make_ascii_lowercase();
    }
    plain
}

fn is_plain_local(local: &[u8]) -> bool {
    let mut dot = true;
    for &byte in local {
        match byte {
            b'.' if dot => return false,
            b'.' => dot = true,
            b'_' | b'-' | b'+' | b'\'' => dot = false,
            _ if byte.is_ascii_alphanumeric() => dot = false,
            _ => return false,
        }
    }
    !dot
}

fn is_plain_domain(domain: &[u8]) -> bool {
    let (mut label, mut labels, mut last) = (0, 1, b'-');
    for &byte in domain {
        match byte {
            b'.' if label == 0 || last == b'-' => return false,
            b'.' => (label, labels) = (0, labels + 1),
            b'-' if label == 0 => return false,
            b'-' => label += 1,
            _ if byte.is_ascii_alphanumeric() => label += 1,
            _ => return false,
        }
        if label > 63 {
            return false;
        }
        last = byte;
    }
    labels > 1 && label > 0 && last != b'-' && domain.len() <= 253
}

#[cfg(test)]
mod tests {
    use super::super::csv_record::Records;
    use super::*;

    fn header(names: &str) -> Vec<String> {
        names.split(',').map(str::to_owned).collect()
    }

    fn find(names: &str) -> Result<Columns, HeaderError> {
        Columns::find(&header(names), &config::Columns::default(), Mode::Snapshot).map(|(columns, _)| columns)
    }

    fn row(names: &str, mode: Mode, line: &str) -> Result<Entry, Fault> {
        let (columns, _) = Columns::find(&header(names), &config::Columns::default(), mode).unwrap();
        let mut records = Records::new(line.as_bytes(), b',');
        let record = records.next_record().unwrap().unwrap();
        let mut identity = String::new();
        read(&columns, &record, &|name| name == "contoso", &mut identity).map(|person| person.entry(&identity, "x"))
    }

    fn reason(names: &str, mode: Mode, line: &str) -> String {
        row(names, mode, line).unwrap_err().reason
    }

    #[test]
    fn common_names_in_any_case_are_understood() {
        for name in
            ["email", "E-Mail", " MAIL ", "\"Email Address\"", "userPrincipalName", "UPN", "Primary SMTP Address"]
        {
            assert_eq!(find(&format!("name,{name}")).unwrap().email, 1, "{name}");
        }
        let columns = find("Tenant,Employee_ID,Valid From,Valid_Until,Priority,Operation,e_mail").unwrap();
        let Columns { email, id, action, priority, start, end, subscription, .. } = columns;
        assert_eq!(
            (email, id, action, priority, start, end, subscription),
            (6, Some(1), Some(5), Some(4), Some(2), Some(3), Some(0))
        );
    }

    #[test]
    fn of_two_columns_that_could_be_meant_the_better_name_counts_and_is_noted() {
        let (columns, notes) =
            Columns::find(&header("userPrincipalName,mail"), &config::Columns::default(), Mode::Snapshot).unwrap();
        assert_eq!(columns.email, 1);
        insta::assert_snapshot!(notes.join(" "), @r#"The column "mail" is taken for `email`, and "userPrincipalName" is not; `columns = { email = "…" }` says otherwise."#);
    }

    #[test]
    fn a_missing_column_is_an_error_that_lists_the_columns() {
        insta::assert_snapshot!(find("Name,Phone").unwrap_err(), @r#"has no column with the e-mail address; its columns are "Name", "Phone". Name it: columns = { email = "…" }"#);
        assert_eq!(find("jane@contoso.com,Jane").unwrap_err(), HeaderError::NoHeader);
        let configured =
            config::Columns { email: Some("Dienstmail".into()), id: Some("pn".into()), ..Default::default() };
        let error = Columns::find(&header("dienstmail,email"), &configured, Mode::Snapshot).unwrap_err();
        insta::assert_snapshot!(error, @r#"has no column "pn", which `columns` names for `id`; its columns are "dienstmail", "email""#);
        let error = Columns::find(&header("pn,PN,dienstmail"), &configured, Mode::Snapshot).unwrap_err();
        insta::assert_snapshot!(error, @r#"has 2 columns named "pn", and `columns` names it for `id`; give each column its own name"#);
        let error = Columns::find(&header("email"), &config::Columns::default(), Mode::Delta).unwrap_err();
        assert!(matches!(error, HeaderError::NoAction { .. }), "{error}");
    }

    #[test]
    fn delimiters_behind_the_last_name_make_no_columns() {
        assert!(row("email,name,,", Mode::Snapshot, "jane@contoso.com,Jane").is_ok());
        assert!(row("email,name", Mode::Snapshot, "jane@contoso.com,Jane,,").is_ok());
    }

    #[test]
    fn a_configured_action_column_is_not_asked_of_a_snapshot() {
        let configured = config::Columns { action: Some("action".into()), ..Default::default() };
        assert!(Columns::find(&header("email"), &configured, Mode::Snapshot).is_ok());
    }

    #[test]
    fn a_whole_row() {
        let entry = row(
            "email,id,priority,start,end,client",
            Mode::Snapshot,
            " Jane@Contoso.com , 7 ,-1,2026-12-01,2027-01-01T00:00:00Z,contoso",
        );
        insta::assert_snapshot!(serde_json::to_string_pretty(&entry.unwrap()).unwrap(), @r#"
        {
          "address": "Jane@Contoso.com",
          "stable_id": "7",
          "route": "contoso",
          "priority": -1,
          "starts": "2026-12-01",
          "ends": "2027-01-01T00:00:00Z",
          "origin": "x"
        }
        "#);
    }

    #[test]
    fn each_kind_of_bad_row_says_what_is_wrong() {
        let names = "email,id,priority,start,end,client";
        let reasons = [
            "jane,7,,,,",
            ",7,,,,",
            "jane@contoso.com,7",
            "jane@contoso.com,7,,,,,Doe",
            "jane@con\0toso.com,7,,,,",
            "jane@contoso.com,7,high,,,",
            "jane@contoso.com,7,,01.12.2026,,",
            "jane@contoso.com,7,,,2026-02-30,",
            "jane@contoso.com,7,,2026-12-02,2026-12-01,",
            "jane@contoso.com,7,,,,fabrikam",
        ]
        .map(|line| reason(names, Mode::Snapshot, line));
        insta::assert_snapshot!(reasons.join("\n"), @r#"
        the address "jane" has no @
        the address is empty
        it has too few fields: 2, and the header has 6
        it has too many fields: 7, and the header has 6; a field that holds the delimiter needs quotes
        it has a NUL byte; the file is damaged or not a text
        its priority "high" is not a whole number
        its start "01.12.2026" is not a date of the years 1900 to 9999; write 2026-12-01 or 2026-12-01T09:00:00Z
        its end "2026-02-30" is not a date of the years 1900 to 9999; write 2026-12-01 or 2026-12-01T09:00:00Z
        its end 2026-12-01 is before its start 2026-12-02
        it is for the subscription "fabrikam", and no subscription of that name has this source
        "#);
    }

    #[test]
    fn a_bad_row_says_whose_it_is_where_that_is_known() {
        let fault = row("email,id,priority", Mode::Snapshot, "jane@contoso.com,7,high").unwrap_err();
        assert_eq!(fault.stable_id.as_deref(), Some("7"));
        assert_eq!(fault.address, Address::parse("jane@contoso.com").ok());
        let fault = row("email,id,priority", Mode::Snapshot, "jane@contoso.com,7").unwrap_err();
        assert_eq!((fault.stable_id, fault.address), (None, None), "a field may be another column's");
    }

    #[test]
    fn actions_in_any_case() {
        let action = |word: &str| {
            let (columns, _) =
                Columns::find(&header("action,email"), &config::Columns::default(), Mode::Delta).unwrap();
            let line = format!("{word},jane@contoso.com");
            let mut records = Records::new(line.as_bytes(), b',');
            let record = records.next_record().unwrap().unwrap();
            read(&columns, &record, &|_| true, &mut String::new()).map(|person| person.action).ok()
        };
        for word in ["add", "ASSIGN", "Join", "+"] {
            assert_eq!(action(word), Some(Action::Add), "{word}");
        }
        for word in ["remove", "Unassign", "LEAVE", "-"] {
            assert_eq!(action(word), Some(Action::Remove), "{word}");
        }
        assert_eq!((action("delete"), action("")), (None, None));
    }

    #[test]
    fn a_removal_in_a_snapshot_is_not_taken_for_a_person() {
        assert!(reason("action,email", Mode::Snapshot, "remove,jane@contoso.com").contains("mode = \"delta\""));
        assert!(row("action,email", Mode::Snapshot, "add,jane@contoso.com").is_ok());
    }

    proptest::proptest! {
        #[test]
        fn plain_addresses_are_told_as_the_address_module_tells_them(
            raw in "[a-zA-Z0-9.+_'-]{0,9}@{0,2}[a-zA-Z0-9.-]{0,8}(\\.[a-z-]{0,3})?"
        ) {
            let mut identity = String::new();
            if plain_identity(&raw, &mut identity) {
                let address = Address::parse(&raw).unwrap();
                proptest::prop_assert_eq!(address.identity(), identity);
                proptest::prop_assert_eq!(address.spelling(), raw);
            }
        }
    }
}
