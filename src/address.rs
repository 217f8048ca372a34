//! An e-mail address: its identity, by which people are compared, and its spelling, which is what is sent and shown.
//!
//! Two addresses are the same person when their identities are equal: trimmed, in Unicode normal form C, without regard
//! to case, the domain in its ASCII (IDNA) form. Case is left out as servers do that compare by upper case: letters that
//! share theirs are one, as the two forms of the Greek sigma. Tags (`+news`) and dots are never folded: on most servers they are other mailboxes.

use std::char::ToLowercase;
use std::fmt;
use std::sync::Arc;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// The licensing API takes no address longer than this many characters.
pub const CHARS_MAX: usize = 256;

/// An address that the licensing API can take.
///
/// Ordering and equality are those of the identity alone. A clone shares the text: of a million people a plan, its input
/// and its work each name everybody.
#[derive(Clone)]
pub struct Address {
    identity: Arc<str>,
    /// `None` where it equals the identity, which it nearly always does.
    spelling: Option<Arc<str>>,
}

impl Address {
    /// Reads an address as a person or a program wrote it. White space, byte order marks and zero-width characters
    /// around it are dropped.
    ///
    /// # Errors
    /// When it can't be an address of the form `local@domain`; the error says what is wrong, as a fragment that fits
    /// after "the address".
    pub fn parse(raw: &str) -> Result<Address, Invalid> {
        let spelling = raw.trim_matches(is_padding);
        let identity = identity_of(spelling)?;
        Ok(Address { spelling: (*identity != *spelling).then(|| spelling.into()), identity })
    }

    /// An address from the ledger, where both forms were valid when they were written.
    pub fn from_stored(identity: &str, spelling: Option<&str>) -> Address {
        Address { identity: identity.into(), spelling: spelling.filter(|s| *s != identity).map(Into::into) }
    }

    /// The form by which addresses are compared.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The form in which the address was written, which is sent and shown.
    pub fn spelling(&self) -> &str {
        self.spelling.as_deref().unwrap_or(&self.identity)
    }

    /// The domain, in lower case and ASCII.
    pub fn domain(&self) -> &str {
        self.identity.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// The address with all but the first character of its local part hidden: `j***@contoso.com`.
    pub fn masked(&self) -> String {
        mask(self.spelling())
    }
}

/// Hides all but the first character of the local part: `j***@contoso.com`.
pub fn mask(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => {
            let first = local.chars().next().map(String::from).unwrap_or_default();
            format!("{first}***@{domain}")
        }
        None => "***".to_owned(),
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Address) -> bool {
        self.identity == other.identity
    }
}
impl Eq for Address {}
impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Address) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Address {
    fn cmp(&self, other: &Address) -> std::cmp::Ordering {
        self.identity.cmp(&other.identity)
    }
}
impl std::hash::Hash for Address {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.identity.hash(state);
    }
}
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.spelling())
    }
}
/// Masked: debug output ends up in logs.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.masked())
    }
}
impl serde::Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.spelling())
    }
}
impl<'de> serde::Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        let raw = String::deserialize(deserializer)?;
        Address::parse(&raw).map_err(serde::de::Error::custom)
    }
}

/// Why a text can't be an address. Displays as a fragment that fits after "the address".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("is empty")]
    Empty,
    #[error("has no @")]
    NoAt,
    #[error("has more than one @")]
    SeveralAts,
    #[error("has nothing before the @")]
    NoLocalPart,
    #[error("has a space or another character that no address can have")]
    BadCharacter,
    #[error("has a quotation mark, as word processors put them in; write it without, an apostrophe as '")]
    QuotationMark,
    #[error("has a dot at an end of a part, or two in a row")]
    BadDots,
    #[error("has a domain that can't exist")]
    BadDomain,
    #[error("is longer than {CHARS_MAX} characters")]
    TooLong,
}

/// The identity of an address that is already trimmed.
fn identity_of(spelling: &str) -> Result<Arc<str>, Invalid> {
    if spelling.is_empty() {
        return Err(Invalid::Empty);
    }
    if spelling.len() > CHARS_MAX && spelling.chars().count() > CHARS_MAX {
        return Err(Invalid::TooLong);
    }
    if !spelling.is_ascii() && spelling.contains(is_quotation_mark) {
        return Err(Invalid::QuotationMark);
    }
    let (local, domain) = spelling.split_once('@').ok_or(Invalid::NoAt)?;
    if domain.contains('@') {
        return Err(Invalid::SeveralAts);
    }
    check_local(local)?;
    if spelling.is_ascii() {
        check_domain(domain)?;
        return Ok(spelling.to_ascii_lowercase().into());
    }
    let domain = if domain.is_ascii() {
        domain.to_ascii_lowercase()
    } else {
        idna::domain_to_ascii_strict(domain).map_err(|_| Invalid::BadDomain)?
    };
    check_domain(&domain)?;
    let local = without_case(local);
    // Normal form C can bring in what is not allowed, as the semicolon for the Greek question mark.
    check_local(&local)?;
    Ok(format!("{local}@{domain}").into())
}

/// A text in normal form C without regard to case, as it is in an identity.
pub fn without_case(text: &str) -> String {
    let folded: String = if is_nfc_quick(text.chars()) == IsNormalized::Yes {
        text.chars().flat_map(folded).collect()
    } else {
        text.nfc().flat_map(folded).collect()
    };
    // Lower case can leave normal form C, rarely.
    folded.nfc().collect()
}

/// The lower case of a letter's upper case, where that is one letter. No other letter becomes an ASCII one: the Turkish
/// dotless i has a mailbox of its own.
fn folded(c: char) -> ToLowercase {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) if c.is_ascii() || !upper.is_ascii() => upper.to_lowercase(),
        _ => c.to_lowercase(),
    }
}

/// What word processors make of straight quotation marks and apostrophes.
fn is_quotation_mark(c: char) -> bool {
    matches!(c, '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{2039}' | '\u{203a}' | '\u{ff02}' | '\u{ff07}')
}

fn check_local(local: &str) -> Result<(), Invalid> {
    if local.is_empty() {
        return Err(Invalid::NoLocalPart);
    }
    // Quoted local parts are legal and nobody has one; a quote in a roster is a sign of a broken file.
    let bad = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || is_padding(c)
            || matches!(c, '"' | '(' | ')' | ',' | ':' | ';' | '<' | '>' | '[' | ']' | '\\' | '\u{fffd}')
    };
    if local.chars().any(bad) {
        return Err(Invalid::BadCharacter);
    }
    if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Err(Invalid::BadDots);
    }
    Ok(())
}

/// Checks an ASCII domain: labels of letters, digits, hyphens and (seen in the wild) underscores, at least two of them.
fn check_domain(domain: &str) -> Result<(), Invalid> {
    if domain.is_empty() {
        return Err(Invalid::BadDomain);
    }
    if !domain.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
        let blank = domain.bytes().any(|b| b.is_ascii_whitespace() || b.is_ascii_control());
        return Err(if blank { Invalid::BadCharacter } else { Invalid::BadDomain });
    }
    if domain.starts_with('.') || domain.ends_with('.') || domain.contains("..") {
        return Err(Invalid::BadDots);
    }
    let label_ok = |label: &str| label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-');
    if !domain.contains('.') || domain.len() > 253 || !domain.split('.').all(label_ok) {
        return Err(Invalid::BadDomain);
    }
    Ok(())
}

/// What may stand around an address without belonging to it: white space and characters that can't be seen.
fn is_padding(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{ad}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(raw: &str) -> Result<String, Invalid> {
        Address::parse(raw).map(|a| a.identity().to_owned())
    }

    #[test]
    fn case_padding_and_idn_do_not_make_another_person() {
        assert_eq!(identity(" Jane.Doe@Contoso.COM\u{a0}"), Ok("jane.doe@contoso.com".into()));
        assert_eq!(identity("\u{feff}jane@contoso.com\u{200b}"), Ok("jane@contoso.com".into()));
        assert_eq!(identity("j@Bücher.example"), identity("J@xn--bcher-kva.example"));
        assert_eq!(identity("rene\u{301}@x.example"), identity("REN\u{c9}@x.example"));
    }

    #[test]
    fn letters_that_share_their_upper_case_make_one_person() {
        assert_eq!(identity("ΟΔΟΣ@contoso.com"), identity("οδος@contoso.com"));
        assert_eq!(identity("οδοσ@contoso.com"), identity("οδος@contoso.com"));
        assert_eq!(identity("ÅSA@contoso.com"), identity("åsa@contoso.com"));
        // Upper case of more letters than one, or of ASCII, would make one person of two.
        assert_ne!(identity("strasse@contoso.com"), identity("straße@contoso.com"));
        assert_ne!(identity("ısık@contoso.com"), identity("isik@contoso.com"));
    }

    #[test]
    fn what_is_folded_stays_as_it_is() {
        for c in char::MIN..=char::MAX {
            let once: String = folded(c).collect();
            assert_eq!(once.chars().flat_map(folded).collect::<String>(), once, "{c:?}");
            assert!(c.is_ascii() || c.to_lowercase().eq(folded(c)) || !once.is_ascii(), "{c:?}");
        }
    }

    #[test]
    fn tags_and_dots_are_other_mailboxes() {
        assert_ne!(identity("jane+news@contoso.com"), identity("jane@contoso.com"));
        assert_ne!(identity("j.ane@contoso.com"), identity("jane@contoso.com"));
    }

    #[test]
    fn the_spelling_is_kept() {
        let address = Address::parse(" Jane@Contoso.com ").unwrap();
        assert_eq!(address.spelling(), "Jane@Contoso.com");
        assert_eq!(address.domain(), "contoso.com");
        assert_eq!(address.masked(), "J***@Contoso.com");
        assert_eq!(format!("{address:?}"), "Address(J***@Contoso.com)");
        assert_eq!(Address::from_stored(address.identity(), Some("Jane@Contoso.com")).spelling(), "Jane@Contoso.com");
    }

    #[test]
    fn what_is_no_address_is_named() {
        let long = format!("{}@contoso.com", "a".repeat(250));
        for (raw, why) in [
            ("", Invalid::Empty),
            ("   ", Invalid::Empty),
            ("jane", Invalid::NoAt),
            ("@contoso.com", Invalid::NoLocalPart),
            ("jane@", Invalid::BadDomain),
            ("jane@@contoso.com", Invalid::SeveralAts),
            ("a@b@contoso.com", Invalid::SeveralAts),
            ("jane doe@contoso.com", Invalid::BadCharacter),
            ("Jane <jane@contoso.com>", Invalid::BadCharacter),
            ("jane@con toso.com", Invalid::BadCharacter),
            ("jane\0@contoso.com", Invalid::BadCharacter),
            ("jane@contoso", Invalid::BadDomain),
            ("jane@-contoso.com", Invalid::BadDomain),
            ("jane@contoso..com", Invalid::BadDots),
            (".jane@contoso.com", Invalid::BadDots),
            ("jane\u{fffd}@contoso.com", Invalid::BadCharacter),
            ("jane\u{37e}@contoso.com", Invalid::BadCharacter),
            ("“jane@contoso.com”", Invalid::QuotationMark),
            ("jane@contoso.com”", Invalid::QuotationMark),
            ("o’brien@contoso.com", Invalid::QuotationMark),
            (long.as_str(), Invalid::TooLong),
        ] {
            assert_eq!(identity(raw), Err(why), "{raw:?}");
        }
    }

    #[test]
    fn addresses_are_as_long_as_mail_allows_and_no_longer() {
        let domain = |len: usize| {
            let labels = format!("{}.", "d".repeat(49)).repeat(4);
            format!("{labels}{}.example", "e".repeat(len - labels.len() - ".example".len()))
        };
        assert_eq!(domain(253).len(), 253);
        assert!(check_domain(&domain(253)).is_ok());
        assert!(check_domain(&domain(254)).is_err());
        assert!(check_domain(&domain(255)).is_err());
        // Characters count, not bytes.
        for letter in ["a", "\u{e9}"] {
            let address = |chars: usize| format!("{}@contoso.com", letter.repeat(chars - "@contoso.com".len()));
            assert!(Address::parse(&address(256)).is_ok());
            assert_eq!(identity(&address(257)), Err(Invalid::TooLong));
        }
    }

    #[test]
    fn one_address_in_two_spellings_is_one_in_a_set_and_different_ones_are_spread() {
        use std::hash::BuildHasher as _;
        let address = |raw: &str| Address::parse(raw).unwrap();
        let hasher = std::hash::RandomState::new();
        assert_eq!(hasher.hash_one(address("Jane@X.example")), hasher.hash_one(address("jane@x.example")));
        assert_ne!(hasher.hash_one(address("jane@x.example")), hasher.hash_one(address("john@x.example")));
    }

    proptest::proptest! {
        #[test]
        fn an_identity_is_its_own_identity(raw in "\\PC{1,20}@[a-zA-Z\u{e4}-\u{fc}]{1,9}\\.[a-z]{2,5}") {
            if let Ok(address) = Address::parse(&raw) {
                let again = Address::parse(address.identity());
                proptest::prop_assert_eq!(again.as_ref().map(Address::identity), Ok(address.identity()));
            }
        }
    }
}
