//! Search filters (RFC 4515): read when the configuration is, put together, and values put into them safely.

use std::fmt::Write;

/// A filter that a server can take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    text: Box<str>,
    /// The attributes that it names, in lower case, each once.
    attributes: Vec<Box<str>>,
}

/// Why a text is no filter, and where: a fragment that fits after "this filter".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NotAFilter {
    /// In bytes from the beginning.
    pub at: usize,
    pub why: &'static str,
}

/// Filters within filters: deeper ones are nobody's.
const DEPTH_MAX: usize = 50;

impl Filter {
    /// # Errors
    /// Where the text is no filter.
    pub fn parse(text: &str) -> Result<Filter, NotAFilter> {
        let trimmed = text.trim_end();
        let mut parser = Parser { text: trimmed, at: text.len() - text.trim_start().len(), attributes: Vec::new() };
        let start = parser.at;
        parser.filter(0)?;
        if parser.at < trimmed.len() {
            return Err(parser.wrong("goes on after its last bracket"));
        }
        parser.attributes.sort_unstable();
        parser.attributes.dedup();
        Ok(Filter { text: trimmed[start..].into(), attributes: parser.attributes })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The attributes that it names, in lower case, each once.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().map(AsRef::as_ref)
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    attributes: Vec<Box<str>>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn wrong(&self, why: &'static str) -> NotAFilter {
        NotAFilter { at: self.at.min(self.text.len()), why }
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn filter(&mut self, depth: usize) -> Result<(), NotAFilter> {
        if depth > DEPTH_MAX {
            return Err(self.wrong("goes too deep here"));
        }
        match self.peek() {
            Some(b'(') => self.at += 1,
            None => return Err(self.wrong("ends where a ( should be")),
            Some(_) => return Err(self.wrong("needs a ( here")),
        }
        self.skip_spaces();
        match self.peek() {
            Some(b'&' | b'|') => {
                self.at += 1;
                self.list(depth)?;
            }
            Some(b'!') => {
                self.at += 1;
                self.skip_spaces();
                self.filter(depth + 1)?;
                self.skip_spaces();
            }
            _ => self.item()?,
        }
        match self.peek() {
            Some(b')') => {
                self.at += 1;
                Ok(())
            }
            None => Err(self.wrong("ends where a ) should be")),
            Some(_) => Err(self.wrong("needs a ) here")),
        }
    }

    fn list(&mut self, depth: usize) -> Result<(), NotAFilter> {
        let mut any = false;
        loop {
            self.skip_spaces();
            if self.peek() != Some(b'(') {
                return if any { Ok(()) } else { Err(self.wrong("has an & or | of nothing")) };
            }
            self.filter(depth + 1)?;
            any = true;
        }
    }

    /// `attribute=value`, with `~=`, `>=`, `<=`, `:rule:=`, `*`.
    fn item(&mut self) -> Result<(), NotAFilter> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b';' | b'_'))
        {
            self.at += 1;
        }
        let name = &self.text[start..self.at];
        let extensible = self.rule(name.is_empty())?;
        if name.is_empty() && !extensible {
            return Err(self.wrong("needs the name of an attribute here"));
        }
        if !name.is_empty() {
            self.attributes.push(name.split(';').next().unwrap_or_default().to_ascii_lowercase().into());
        }
        let mut takes_stars = !extensible;
        if !extensible {
            if matches!(self.peek(), Some(b'~' | b'>' | b'<')) {
                self.at += 1;
                takes_stars = false;
            }
            if self.peek() != Some(b'=') {
                return Err(self.wrong("needs an = after the name of an attribute"));
            }
            self.at += 1;
        }
        self.value(takes_stars)
    }

    /// `:dn:1.2.3:=`, where there is one. Without an attribute it has to name a rule.
    fn rule(&mut self, needed: bool) -> Result<bool, NotAFilter> {
        if self.peek() != Some(b':') {
            return Ok(false);
        }
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'.')) {
            self.at += 1;
        }
        let between = &self.text[start + 1..self.at];
        if self.peek() != Some(b'=') || !(between.is_empty() || between.ends_with(':')) {
            return Err(self.wrong("needs := after a matching rule"));
        }
        let names_a_rule = match between {
            "" | "dn:" => false,
            _ => {
                let rule = between.strip_prefix("dn:").unwrap_or(between);
                if rule.len() < 2 || rule.matches(':').count() != 1 {
                    return Err(self.wrong("needs one matching rule before :="));
                }
                true
            }
        };
        if needed && !names_a_rule {
            return Err(NotAFilter { at: start, why: "needs the name of an attribute here" });
        }
        self.at += 1;
        Ok(true)
    }

    /// A star stands for any text only where a value is looked for by `=` (RFC 4515, section 3).
    fn value(&mut self, takes_stars: bool) -> Result<(), NotAFilter> {
        loop {
            match self.peek() {
                None | Some(b')') => return Ok(()),
                Some(b'(') => return Err(self.wrong(r"has a bracket in a value: write it as \28")),
                Some(b'*') if !takes_stars => {
                    return Err(self.wrong(r"has a * where a value is compared as a whole: write it as \2a"));
                }
                Some(b'*') if self.text[..self.at].ends_with('*') => {
                    return Err(self.wrong("has two * in a row: one says the same"));
                }
                Some(0) => return Err(self.wrong(r"has a zero byte: write it as \00")),
                Some(b'\\') => {
                    let digits = self.text.as_bytes().get(self.at + 1..self.at + 3);
                    if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                        return Err(
                            self.wrong(r"has a backslash without two hexadecimal digits: write a backslash as \5c")
                        );
                    }
                    self.at += 3;
                }
                Some(_) => self.at += 1,
            }
        }
    }
}

/// All of these at once.
pub fn all<'a>(filters: impl IntoIterator<Item = &'a str>) -> String {
    joined('&', filters)
}

/// Any of these.
pub fn any<'a>(filters: impl IntoIterator<Item = &'a str>) -> String {
    joined('|', filters)
}

fn joined<'a>(sign: char, filters: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = format!("({sign}");
    for filter in filters {
        text.push_str(filter);
    }
    text.push(')');
    text
}

/// `(attribute=value)`, whatever the value has in it.
pub fn equals(attribute: &str, value: &str) -> String {
    let mut text = format!("({attribute}=");
    for c in value.chars() {
        match c {
            // Writing to a text does not fail.
            '*' | '(' | ')' | '\\' | '\0' => drop(write!(text, "\\{:02x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push(')');
    text
}

/// `(attribute=value)` for a value of bytes.
pub fn equals_bytes(attribute: &str, value: &[u8]) -> String {
    let mut text = format!("({attribute}=");
    for byte in value {
        // Writing to a text does not fail.
        let _ = write!(text, "\\{byte:02x}");
    }
    text.push(')');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_as_people_write_them_are_taken() {
        for (text, attributes) in [
            ("(objectClass=user)", "objectclass"),
            ("(&(objectCategory=person)(!(mail=*x*))(|(a>=1)(b<=2)(c~=3)))", "a b c mail objectcategory"),
            (" ( & (a=1) (b=2) ) ", "a b"),
            (r"(cn=a\28b\29\2a\5c)", "cn"),
            ("(memberOf:1.2.840.113556.1.4.1941:=cn=x,dc=y)", "memberof"),
            ("(ou:dn:=Sales)", "ou"),
            ("(ou:=Sales)", "ou"),
            ("(ou:dn:2.5.13.5:=Sales)", "ou"),
            ("(:caseExactMatch:=x)", ""),
            ("(cn;lang-de=Müller)", "cn"),
            ("(mail=)", "mail"),
        ] {
            let filter = Filter::parse(text).unwrap_or_else(|wrong| panic!("{text}: {wrong}"));
            assert_eq!(filter.attributes().collect::<Vec<_>>().join(" "), attributes, "{text}");
            assert!(ldap3::parse_filter(filter.text()).is_ok() || text.contains(' '), "{text}");
        }
    }

    #[test]
    fn what_is_no_filter_is_told_with_its_place() {
        for (text, at, why) in [
            ("", 0, "ends where a ( should be"),
            ("objectClass=user", 0, "needs a ( here"),
            ("(objectClass=user", 17, "ends where a ) should be"),
            ("(objectClass=user))", 18, "goes on after its last bracket"),
            ("(&(a=1)b=2)", 7, "needs a ) here"),
            ("(&)", 2, "has an & or | of nothing"),
            ("(mail)", 5, "needs an = after the name of an attribute"),
            ("(=x)", 1, "needs the name of an attribute here"),
            ("(a=(b))", 3, r"has a bracket in a value: write it as \28"),
            (r"(a=\x)", 3, r"has a backslash without two hexadecimal digits: write a backslash as \5c"),
            ("(a:1.2=x)", 6, "needs := after a matching rule"),
            ("(a~=*)", 4, r"has a * where a value is compared as a whole: write it as \2a"),
            ("(a>=1*)", 5, r"has a * where a value is compared as a whole: write it as \2a"),
            ("(a=x**)", 5, "has two * in a row: one says the same"),
            ("(a:=*)", 4, r"has a * where a value is compared as a whole: write it as \2a"),
            ("(:=x)", 1, "needs the name of an attribute here"),
            ("(:dn:=x)", 1, "needs the name of an attribute here"),
            ("(a:b:c:=x)", 7, "needs one matching rule before :="),
        ] {
            assert_eq!(Filter::parse(text).unwrap_err(), NotAFilter { at, why }, "{text}");
        }
        assert!(Filter::parse(&format!("{}(a=1){}", "(!".repeat(99), ")".repeat(99))).is_err());
    }

    #[test]
    fn no_value_breaks_out_of_its_filter() {
        assert_eq!(equals("cn", r"a*(b)\c"), r"(cn=a\2a\28b\29\5cc)");
        assert_eq!(equals_bytes("objectGUID", &[0, 0x2a, 0xff]), r"(objectGUID=\00\2a\ff)");
        assert_eq!(all(["(a=1)", &any(["(b=2)", "(c=3)"])]), "(&(a=1)(|(b=2)(c=3)))");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(3000))]
        #[test]
        fn what_is_taken_here_is_taken_by_who_sends_it(text in r"\([&|!(]{0,3}[a-c]{0,2}[=~:*]{0,2}[x-z\\0-9* ]{0,4}\){0,4}") {
            if let Ok(filter) = Filter::parse(&text) && !text.contains(' ') {
                proptest::prop_assert!(ldap3::parse_filter(filter.text()).is_ok(), "{}", filter.text());
            }
        }

        #[test]
        fn any_value_makes_a_filter(value in ".{0,12}") {
            proptest::prop_assert!(Filter::parse(&equals("cn", &value)).is_ok());
        }
    }
}
