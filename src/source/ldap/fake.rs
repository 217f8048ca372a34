//! A directory in memory, for tests: answers as OpenLDAP or as Active Directory does, and goes wrong where it is told to.

use super::directory::{Ask, Broken, Directory, Ended, Item, RawEntry, Scope};
use super::dn::Dn;
use super::person::raw;

/// What goes wrong, and at which message of the whole reading, counted from 0. The end of an answer is a message, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection is lost.
    Cut,
    /// The answer ends with this result.
    Code(u32),
    /// The answer says nothing of pages.
    NoControl,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Fake {
    pub(super) is_active_directory: bool,
    /// Whether entries know their groups.
    pub(super) has_member_of: bool,
    pub(super) entries: Vec<RawEntry>,
    /// More values than this are given in ranges.
    pub(super) values_max: Option<usize>,
    /// What a search from the root is given beside.
    pub(super) references: Vec<String>,
    /// Names that this account may not see, and all below them.
    pub(super) hidden: Vec<&'static str>,
    pub(super) fault: Option<(usize, Fault)>,
    pub(super) messages: usize,
    /// Filters and bases of what was asked, for tests that look.
    pub(super) asked: Vec<String>,
    /// Whether it says that it has not caught up with the other controllers.
    pub(super) is_behind: bool,
    /// What its state is called.
    pub(super) state: u32,
}

pub(super) const ROOT: &str = "dc=x";

impl Fake {
    pub(super) fn new(is_active_directory: bool) -> Fake {
        let mut fake = Fake { is_active_directory, has_member_of: true, ..Fake::default() };
        for name in ["dc=x", "ou=people,dc=x", "ou=groups,dc=x"] {
            fake.entries.push(raw(name, &[("objectClass", "organizationalUnit")]));
        }
        fake
    }

    fn put(&mut self, dn: &str, id: u8, attributes: &[(&str, &str)]) {
        let mut entry = raw(dn, attributes);
        let uuid = uuid::Uuid::from_bytes([id; 16]);
        let id = if self.is_active_directory {
            ("objectGUID".to_owned(), vec![uuid.to_bytes_le().to_vec()])
        } else {
            ("entryUUID".to_owned(), vec![uuid.to_string().into_bytes()])
        };
        entry.attributes.push(id);
        self.entries.push(entry);
    }

    pub(super) fn person(&mut self, name: &str, id: u8, more: &[(&str, &str)]) {
        let mail = format!("{name}@x.example");
        let mut attributes = vec![("objectClass", "person"), ("uid", name), ("mail", &mail)];
        attributes.extend_from_slice(more);
        self.put(&format!("cn={name},ou=people,dc=x"), id, &attributes);
    }

    pub(super) fn group(&mut self, name: &str, id: u8, members: &[&str]) {
        let class = if self.is_active_directory { "group" } else { "groupOfNames" };
        let mut attributes = vec![("objectClass", class)];
        attributes.extend(members.iter().map(|member| ("member", *member)));
        self.put(&format!("cn={name},ou=groups,dc=x"), id, &attributes);
    }

    pub(super) fn entry(&mut self, name: &str) -> &mut RawEntry {
        let found = self.entries.iter_mut().find(|entry| Dn::parse(&entry.dn).unwrap().name() == name);
        found.unwrap_or_else(|| panic!("{name}"))
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.entries.retain(|entry| Dn::parse(&entry.dn).unwrap().name() != name);
    }

    pub(super) fn set(&mut self, name: &str, attribute: &str, values: &[&str]) {
        let entry = self.entry(name);
        entry.attributes.retain(|(known, _)| known != attribute);
        entry.attributes.push((attribute.to_owned(), values.iter().map(|value| value.as_bytes().to_vec()).collect()));
    }

    pub(super) fn disable(&mut self, name: &str) {
        self.set(name, "userAccountControl", &["514"]);
        self.set(name, "nsAccountLock", &["TRUE"]);
    }

    fn is_hidden(&self, dn: &Dn) -> bool {
        self.hidden.iter().any(|hidden| dn.is_within(&Dn::parse(hidden).unwrap()))
    }

    /// The next message; `Err` where it is the one that goes wrong.
    fn message(&mut self) -> Result<(), Fault> {
        let at = self.messages;
        self.messages += 1;
        match self.fault {
            Some((when, fault)) if when == at => Err(fault),
            _ => Ok(()),
        }
    }

    fn root_dse(&self) -> RawEntry {
        let mut root = raw("", &[("namingContexts", ROOT)]);
        if self.is_active_directory {
            root = raw(
                "",
                &[
                    ("namingContexts", ROOT),
                    ("namingContexts", "cn=configuration,dc=x"),
                    ("defaultNamingContext", ROOT),
                    ("supportedCapabilities", "1.2.840.113556.1.4.800"),
                    ("isSynchronized", if self.is_behind { "FALSE" } else { "TRUE" }),
                ],
            );
        }
        root
    }

    fn member_of(&self, dn: &Dn) -> Vec<Vec<u8>> {
        let names = |entry: &RawEntry| entry.texts("member").any(|member| Dn::parse(member).is_ok_and(|it| it == *dn));
        self.entries.iter().filter(|entry| names(entry)).map(|entry| entry.dn.clone().into_bytes()).collect()
    }

    /// The entry as filters see it.
    fn whole(&self, entry: &RawEntry) -> RawEntry {
        let mut whole = entry.clone();
        if self.has_member_of
            && let Ok(dn) = Dn::parse(&entry.dn)
        {
            whole.attributes.push(("memberOf".to_owned(), self.member_of(&dn)));
        }
        if entry.dn == ROOT && !self.is_active_directory {
            whole.attributes.push(("contextCSN".to_owned(), vec![self.state.to_string().into_bytes()]));
        }
        whole
    }

    /// The attributes that were asked for, in ranges where they have many values.
    fn shown(&self, whole: &RawEntry, wanted: &[&str]) -> RawEntry {
        let mut shown = RawEntry { dn: whole.dn.clone(), attributes: Vec::new() };
        for (name, values) in &whole.attributes {
            for asked in wanted {
                let (base, range) = asked.split_once(";range=").unwrap_or((asked, "0-*"));
                if !base.eq_ignore_ascii_case(name) {
                    continue;
                }
                let start: usize = range.split('-').next().unwrap().parse().unwrap();
                match self.values_max {
                    Some(max) if values.len() > max => {
                        let rest = &values[start.min(values.len())..];
                        let last = if rest.len() <= max { "*".to_owned() } else { (start + max - 1).to_string() };
                        let part = rest[..rest.len().min(max)].to_vec();
                        shown.attributes.push((name.clone(), Vec::new()));
                        shown.attributes.push((format!("{name};range={start}-{last}"), part));
                    }
                    _ => shown.attributes.push((name.clone(), values.clone())),
                }
            }
        }
        shown
    }

    fn found(&self, ask: &Ask<'_>) -> Result<Vec<Item>, Ended> {
        if ask.base.is_empty() {
            return Ok(vec![Item::Entry(self.root_dse())]);
        }
        let base = Dn::parse(ask.base).unwrap();
        let there = |dn: &Dn| !self.is_hidden(dn) && self.entries.iter().any(|it| Dn::parse(&it.dn).unwrap() == *dn);
        if !there(&base) {
            let mut above = base.parent().map(|parent| Dn::parse(parent).unwrap());
            while above.as_ref().is_some_and(|dn| !there(dn)) {
                above = above.and_then(|dn| dn.parent().map(|parent| Dn::parse(parent).unwrap()));
            }
            let matched = above.map(|dn| dn.text().to_owned()).unwrap_or_default();
            return Err(Ended { code: 32, matched, ..Ended::default() });
        }
        let mut items = Vec::new();
        for entry in &self.entries {
            let dn = Dn::parse(&entry.dn).unwrap();
            let in_scope = if ask.scope == Scope::Base { dn == base } else { dn.is_within(&base) };
            let whole = self.whole(entry);
            if in_scope && !self.is_hidden(&dn) && matches(&whole, ask.filter) {
                items.push(Item::Entry(self.shown(&whole, ask.attributes)));
            }
        }
        if ask.scope == Scope::Subtree && base.text() == ROOT {
            items.extend(self.references.iter().map(|url| Item::Reference(vec![url.clone()])));
        }
        Ok(items)
    }
}

impl Directory for Fake {
    fn ask(&mut self, ask: &Ask<'_>, each: &mut dyn FnMut(Item)) -> Result<Ended, Broken> {
        self.asked.push(format!("{} {}", ask.base, ask.filter));
        let cut = || Err(Broken("closed the connection".to_owned()));
        let ended = |code| Ok(Ended { code, ..Ended::default() });
        let items = match self.found(ask) {
            Ok(items) => items,
            Err(ended) => {
                return match self.message() {
                    Err(Fault::Cut) => cut(),
                    Err(Fault::Code(code)) => Ok(Ended { code, ..Ended::default() }),
                    _ => Ok(ended),
                };
            }
        };
        let start: usize = ask.page.map_or(0, |page| std::str::from_utf8(page.cookie).unwrap().parse().unwrap_or(0));
        let size = ask.page.map_or(usize::MAX, |page| page.size as usize);
        let end = items.len().min(start.saturating_add(size));
        for item in &items[start..end] {
            match self.message() {
                Err(Fault::Cut) => return cut(),
                Err(Fault::Code(code)) => return ended(code),
                _ => each(item.clone()),
            }
        }
        let next = if end < items.len() { end.to_string().into_bytes() } else { Vec::new() };
        match self.message() {
            Err(Fault::Cut) => cut(),
            Err(Fault::Code(code)) => ended(code),
            Err(Fault::NoControl) => ended(0),
            Ok(()) => Ok(Ended { cookie: ask.page.map(|_| next), ..Ended::default() }),
        }
    }

    fn who_am_i(&mut self) -> Result<Option<String>, Broken> {
        match self.message() {
            Err(Fault::Cut) => Err(Broken("closed the connection".to_owned())),
            _ => Ok(Some("cn=rosterd,dc=x".to_owned())),
        }
    }

    fn server(&self) -> &'static str {
        "ldaps://dc1.x.example"
    }
}

/// Whether an entry matches a filter of equalities and presences.
fn matches(entry: &RawEntry, filter: &str) -> bool {
    let (matched, rest) = one(entry, filter);
    assert!(rest.is_empty(), "{filter}");
    matched
}

fn one<'a>(entry: &RawEntry, filter: &'a str) -> (bool, &'a str) {
    let inner = filter.strip_prefix('(').unwrap_or_else(|| panic!("{filter}"));
    let sign = inner.as_bytes()[0];
    if !b"&|!".contains(&sign) {
        let (item, rest) = inner.split_once(')').unwrap();
        let (name, value) = item.split_once('=').unwrap();
        return (item_matches(entry, name, value), rest);
    }
    let (mut rest, mut results) = (&inner[1..], Vec::new());
    while rest.starts_with('(') {
        let (matched, after) = one(entry, rest);
        results.push(matched);
        rest = after;
    }
    let matched = match sign {
        b'&' => results.iter().all(|it| *it),
        b'|' => results.iter().any(|it| *it),
        _ => !results[0],
    };
    (matched, rest.strip_prefix(')').unwrap())
}

fn item_matches(entry: &RawEntry, name: &str, value: &str) -> bool {
    if value == "*" {
        return name.eq_ignore_ascii_case("objectClass") || !entry.values(name).is_empty();
    }
    let wanted = unescaped(value);
    entry.values(name).iter().any(|known| {
        let (known_text, wanted_text) = (String::from_utf8_lossy(known), String::from_utf8_lossy(&wanted));
        let same_name = match (Dn::parse(&known_text), Dn::parse(&wanted_text)) {
            (Ok(known), Ok(wanted)) => known == wanted,
            _ => false,
        };
        *known == wanted || known_text.eq_ignore_ascii_case(&wanted_text) || same_name
    })
}

fn unescaped(value: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), value.as_bytes());
    while let [first, tail @ ..] = rest {
        if *first == b'\\' {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    bytes
}
