//! Distinguished names (RFC 4514), compared as servers compare them: whatever the case, the spaces and the escapes.
//!
//! Servers print one name in several ways (`cn=Doe\2C John` for `cn=Doe\, John`), and keep in `member` what somebody
//! typed years ago. Texts of names are never compared.

use std::fmt;

/// A name, parsed. Equality is that of the normal form.
#[derive(Clone)]
pub struct Dn {
    text: Box<str>,
    /// From the entry up to the root, each in normal form, with a `,` between any two.
    normal: Box<str>,
    /// Where each part of `normal` ends.
    ends: Box<[u32]>,
}

/// Why a text is no name, and where: as a fragment that fits after "a DN".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NotADn {
    /// In bytes from the beginning.
    pub at: usize,
    pub why: &'static str,
}

impl Dn {
    /// # Errors
    /// Where the text is no name. An empty text is none.
    pub fn parse(text: &str) -> Result<Dn, NotADn> {
        let mut parser = Parser { text, at: 0 };
        let mut normal = String::with_capacity(text.len());
        let mut ends = Vec::new();
        loop {
            parser.rdn(&mut normal)?;
            ends.push(u32::try_from(normal.len()).map_err(|_| parser.wrong("is too long"))?);
            match parser.peek() {
                None => break,
                // A semicolon is how LDAP version 2 wrote it; servers still take it.
                Some(b',' | b';') => parser.at += 1,
                Some(_) => return Err(parser.wrong("has something after a value that should be a comma")),
            }
            normal.push(',');
        }
        Ok(Dn { text: text.trim().into(), normal: normal.into(), ends: ends.into() })
    }

    /// The normal form alone, of which a large group needs a hundred thousand.
    ///
    /// # Errors
    /// Where the text is no name.
    pub fn normal_of(text: &str) -> Result<Box<str>, NotADn> {
        plain(text).map_or_else(|| Dn::parse(text).map(|name| name.normal), Ok)
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same for all ways in which one name is written; a valid name itself.
    pub fn normal(&self) -> &str {
        &self.normal
    }

    /// The first part in normal form: `cn=jane doe`.
    pub fn first(&self) -> &str {
        &self.normal[..self.ends.first().map_or(0, |end| *end as usize)]
    }

    /// What the first part names, for people: `Jane Doe` of `cn=Jane Doe,…`, in the case in which it was written.
    pub fn name(&self) -> String {
        let mut parser = Parser { text: &self.text, at: 0 };
        let mut ignored = String::new();
        match parser.attribute(&mut ignored).and_then(|()| parser.value()) {
            Ok(name) if !name.is_empty() => name,
            _ => self.text.to_string(),
        }
    }

    /// The name of what it stands under, in normal form; `None` at the root.
    pub fn parent(&self) -> Option<&str> {
        let first = *self.ends.first()? as usize;
        self.normal.get(first + 1..)
    }

    /// Whether it is this one, or stands somewhere below.
    pub fn is_within(&self, above: &Dn) -> bool {
        let Some(extra) = self.ends.len().checked_sub(above.ends.len()) else { return false };
        let start = extra.checked_sub(1).map_or(0, |last| self.ends[last] as usize + 1);
        self.normal[start..] == *above.normal
    }

    /// How many parts it has.
    pub fn depth(&self) -> usize {
        self.ends.len()
    }
}

impl PartialEq for Dn {
    fn eq(&self, other: &Dn) -> bool {
        self.normal == other.normal
    }
}

impl Eq for Dn {}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dn({})", self.text)
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn wrong(&self, why: &'static str) -> NotADn {
        NotADn { at: self.at.min(self.text.len()), why }
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// One part: `cn=Jane`, or `cn=Jane+uid=jd`, whose two may stand in any order.
    fn rdn(&mut self, normal: &mut String) -> Result<(), NotADn> {
        let mut parts: Vec<String> = Vec::with_capacity(1);
        loop {
            let mut part = String::new();
            self.attribute(&mut part)?;
            part.push('=');
            escape(&fold(&self.value()?), &mut part);
            parts.push(part);
            self.skip_spaces();
            if self.peek() != Some(b'+') {
                break;
            }
            self.at += 1;
        }
        parts.sort_unstable();
        normal.push_str(&parts.join("+"));
        Ok(())
    }

    /// The attribute's type and the `=`.
    fn attribute(&mut self, into: &mut String) -> Result<(), NotADn> {
        self.skip_spaces();
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')) {
            self.at += 1;
        }
        let name = self.text[start..self.at].to_ascii_lowercase();
        self.skip_spaces();
        if name.is_empty() || self.peek() != Some(b'=') {
            let why = if name.is_empty() && self.peek().is_none() {
                "ends where a name should follow"
            } else {
                "lacks a name and `=` such as `CN=`"
            };
            return Err(NotADn { at: start, why });
        }
        self.at += 1;
        let name = name.strip_prefix("oid.").unwrap_or(&name);
        into.push_str(short(name));
        Ok(())
    }

    /// A value, its escapes undone.
    fn value(&mut self) -> Result<String, NotADn> {
        self.skip_spaces();
        match self.peek() {
            Some(b'#') => self.hexadecimal(),
            Some(b'"') => self.quoted(),
            _ => self.plain(),
        }
    }

    fn plain(&mut self) -> Result<String, NotADn> {
        let mut bytes = Vec::new();
        // Spaces at the end do not count, but for escaped ones.
        let mut kept = 0;
        while let Some(byte) = self.peek() {
            match byte {
                b',' | b'+' | b';' => break,
                b'\\' => {
                    bytes.push(self.escaped()?);
                    kept = bytes.len();
                }
                b'"' | b'<' | b'>' => return Err(self.wrong("has a character that needs a backslash before it")),
                _ => {
                    self.at += 1;
                    bytes.push(byte);
                    if byte != b' ' {
                        kept = bytes.len();
                    }
                }
            }
        }
        bytes.truncate(kept);
        self.text_of(bytes)
    }

    fn quoted(&mut self) -> Result<String, NotADn> {
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            match self.peek() {
                None => return Err(self.wrong("has a quotation mark that is not closed")),
                Some(b'"') => break,
                Some(b'\\') => bytes.push(self.escaped()?),
                Some(byte) => {
                    self.at += 1;
                    bytes.push(byte);
                }
            }
        }
        self.at += 1;
        self.skip_spaces();
        self.text_of(bytes)
    }

    fn escaped(&mut self) -> Result<u8, NotADn> {
        let rest = &self.text.as_bytes()[self.at + 1..];
        let hex = rest.get(..2).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match (hex, rest.first()) {
            (Some(byte), Some(first)) if first.is_ascii_hexdigit() => {
                self.at += 3;
                Ok(byte)
            }
            (_, Some(byte)) if byte.is_ascii_punctuation() || *byte == b' ' => {
                self.at += 2;
                Ok(*byte)
            }
            _ => Err(self.wrong("has a backslash without something to escape after it")),
        }
    }

    /// `#` and the BER of a value. Of a text, the text; else the digits themselves.
    fn hexadecimal(&mut self) -> Result<String, NotADn> {
        let start = self.at + 1;
        self.at = start;
        while self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
            self.at += 1;
        }
        let digits = &self.text[start..self.at];
        if digits.is_empty() || !digits.len().is_multiple_of(2) {
            return Err(self.wrong("has a # without pairs of hexadecimal digits after it"));
        }
        self.skip_spaces();
        let bytes: Option<Vec<u8>> =
            (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect();
        // UTF8String, PrintableString, TeletexString, IA5String, OCTET STRING, with a length of one byte.
        let text = bytes.as_deref().and_then(|bytes| match bytes {
            [0x0c | 0x13 | 0x14 | 0x16 | 0x04, length, text @ ..]
                if usize::from(*length) == text.len() && *length < 128 =>
            {
                std::str::from_utf8(text).ok()
            }
            _ => None,
        });
        Ok(text.map_or_else(|| format!("#{}", digits.to_ascii_lowercase()), str::to_owned))
    }

    fn text_of(&self, bytes: Vec<u8>) -> Result<String, NotADn> {
        String::from_utf8(bytes).map_err(|_| self.wrong("has escapes that are no UTF-8"))
    }
}

/// The normal form of a name that needs no care, as nearly all: letters, digits and a few signs, without an escape, a
/// space that may not count, or an attribute that has two names.
fn plain(text: &str) -> Option<Box<str>> {
    let normal = text.to_ascii_lowercase();
    let is_name = |attribute: &[u8]| matches!(attribute, b"cn" | b"ou" | b"dc" | b"uid" | b"o");
    let is_sign = |byte: u8| matches!(byte, b'-' | b'_' | b'.' | b'@' | b'\'' | b'(' | b')' | b' ');
    let is_plain = |value: &[u8]| {
        let mut last = b' ';
        let all = value.iter().all(|&byte| {
            let counts = byte != b' ' || last != b' ';
            last = byte;
            counts && (byte.is_ascii_alphanumeric() || is_sign(byte))
        });
        all && last != b' '
    };
    let mut parts = normal.as_bytes().split(|byte| *byte == b',');
    let all = parts.all(|part| {
        let equals = part.iter().position(|byte| *byte == b'=');
        equals.is_some_and(|at| is_name(&part[..at]) && is_plain(&part[at + 1..]))
    });
    all.then(|| normal.into())
}

/// In lower case and normal form C, with one space for any number.
fn fold(value: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    let mut folded = String::with_capacity(value.len());
    for word in value.split(' ').filter(|word| !word.is_empty()) {
        if !folded.is_empty() {
            folded.push(' ');
        }
        if word.is_ascii() {
            folded.push_str(&word.to_ascii_lowercase());
        } else {
            folded.extend(word.to_lowercase().nfc());
        }
    }
    folded
}

fn escape(value: &str, into: &mut String) {
    use std::fmt::Write;
    for (at, c) in value.char_indices() {
        match c {
            ',' | '+' | ';' | '"' | '\\' | '<' | '>' | '=' | '\0'..='\x1f' => {
                // Writing to a text does not fail.
                let _ = write!(into, "\\{:02x}", u32::from(c));
            }
            '#' if at == 0 => into.push_str("\\23"),
            _ => into.push(c),
        }
    }
}

/// The name by which an attribute is known by: its object identifier and its long name mean the same.
fn short(name: &str) -> &str {
    match name {
        "2.5.4.3" | "commonname" => "cn",
        "2.5.4.6" | "countryname" => "c",
        "2.5.4.7" | "localityname" => "l",
        "2.5.4.8" | "stateorprovincename" => "st",
        "2.5.4.9" | "streetaddress" => "street",
        "2.5.4.10" | "organizationname" => "o",
        "2.5.4.11" | "organizationalunitname" => "ou",
        "0.9.2342.19200300.100.1.1" | "userid" => "uid",
        "0.9.2342.19200300.100.1.25" | "domaincomponent" => "dc",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dn(text: &str) -> Dn {
        Dn::parse(text).unwrap()
    }

    #[test]
    fn one_name_in_many_ways_is_one() {
        for (one, other) in [
            ("uid=u1,ou=people,dc=example,dc=test", "UID=U1, OU=people, DC=EXAMPLE,DC=TEST"),
            (r"cn=Doe\, John,dc=x", r"CN=Doe\2C John,DC=x"),
            (r#"cn="Doe, John",dc=x"#, r"CN=Doe\2C John,DC=x"),
            ("cn=Jane  van   Doe,dc=x", "cn=jane van doe , dc=X"),
            ("cn=a+uid=b,dc=x", "UID=B+CN=A,DC=X"),
            ("cn=Ren\u{e9}e,dc=x", "cn=Rene\u{301}e,dc=x"),
            ("2.5.4.3=Jane,OID.0.9.2342.19200300.100.1.25=x", "cn=Jane,dc=x"),
            ("cn=#0c044a616e65,dc=x", "cn=Jane,dc=x"),
            ("cn=Jane;dc=x", "cn=Jane,dc=x"),
            (r"cn=M\c3\bcller,dc=x", "CN=MÜLLER,dc=x"),
            (r"cn=\23one,dc=x", r"cn=\#One,dc=x"),
        ] {
            assert_eq!(dn(one), dn(other), "{one}\n{other}");
            assert_eq!(dn(dn(one).normal()), dn(one), "the normal form is a name itself: {}", dn(one).normal());
        }
    }

    #[test]
    fn different_names_stay_different() {
        for (one, other) in [
            ("cn=a,dc=x", "cn=a,dc=x,dc=y"),
            (r"cn=a\,b,dc=x", "cn=a,cn=b,dc=x"),
            (r"cn=a\+uid\=b,dc=x", "cn=a+uid=b,dc=x"),
            ("cn=ab,dc=x", "cn=a b,dc=x"),
            (r"cn=\#0c0141,dc=x", "cn=#0c0141,dc=x"),
        ] {
            assert_ne!(dn(one), dn(other), "{one}\n{other}");
        }
    }

    #[test]
    fn a_name_knows_its_place() {
        let jane = dn(r"CN=Doe\, Jane,OU=Staff,DC=contoso,DC=com");
        assert_eq!(jane.name(), "Doe, Jane");
        assert_eq!(jane.first(), r"cn=doe\2c jane");
        assert_eq!(jane.parent(), Some("ou=staff,dc=contoso,dc=com"));
        assert!(jane.is_within(&dn("dc=Contoso, dc=com")) && jane.is_within(&jane));
        assert!(!jane.is_within(&dn("dc=toso,dc=com")), "a part is whole");
        assert!(!dn("dc=com").is_within(&jane));
        assert_eq!((dn("dc=com").parent(), jane.depth()), (None, 4));
    }

    #[test]
    fn what_is_no_name_is_told_with_its_place() {
        for (text, at, why) in [
            ("", 0, "ends where a name should follow"),
            ("Domain Users", 0, "lacks a name and `=` such as `CN=`"),
            ("cn=a,", 5, "ends where a name should follow"),
            ("cn=a,,dc=x", 5, "lacks a name and `=` such as `CN=`"),
            ("cn=a\\", 4, "has a backslash without something to escape after it"),
            ("cn=\"a", 5, "has a quotation mark that is not closed"),
            ("cn=#4", 5, "has a # without pairs of hexadecimal digits after it"),
            (r"cn=\ff,dc=x", 6, "has escapes that are no UTF-8"),
            ("cn=a<b", 4, "has a character that needs a backslash before it"),
        ] {
            assert_eq!(Dn::parse(text).unwrap_err(), NotADn { at, why }, "{text}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]
        #[test]
        fn the_short_way_to_the_normal_form_leads_to_the_same(
            parts in proptest::collection::vec(r"(cn|CN|Ou|dc|uid|o|c|2\.5\.4\.3| cn)=[a-cA-C0-9 ._@()'#=+\\ä-]{0,6}", 1..4),
        ) {
            let text = parts.join(",");
            proptest::prop_assert_eq!(Dn::normal_of(&text).ok(), Dn::parse(&text).ok().map(|name| name.normal));
        }

        #[test]
        fn any_text_is_taken_or_refused_and_the_normal_form_is_settled(text in r"[a-c=,+;\\# \x22<ÄäZ0-9]{0,24}") {
            if let Ok(one) = Dn::parse(&text) {
                let again = dn(one.normal());
                proptest::prop_assert_eq!(again.normal(), one.normal());
                proptest::prop_assert!(one.is_within(&again));
            }
        }
    }
}
