//! Whom a server's errors are about: finds the addresses of a request in free text.

use std::collections::BTreeMap;
use std::collections::HashMap;

use crate::address::Address;

/// The places in `addresses` that an error names, each with all that is said of it. An address counts only as a whole:
/// `bob@x.example` is not named by `jim.bob@x.example`. Upper and lower case are the same.
pub(super) fn named<'a>(errors: &[String], addresses: impl Iterator<Item = &'a Address>) -> BTreeMap<usize, String> {
    let places = places_of(addresses);
    let mut said: BTreeMap<usize, String> = BTreeMap::new();
    for error in errors {
        for place in places_in(&error.to_lowercase(), &places) {
            let words = said.entry(place).or_default();
            if !words.contains(error.as_str()) {
                join(words, error);
            }
        }
    }
    said
}

/// The places in `addresses` of those about whom something is said, each with the errors which name it and nobody else,
/// be it in the request or not. What asks (`did you mean`) or is cut short is about nobody.
pub(super) fn singled_out<'a, 'e>(
    errors: &'e [String],
    addresses: impl Iterator<Item = &'a Address>,
) -> BTreeMap<usize, Vec<&'e str>> {
    let places = places_of(addresses);
    let mut about: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for error in errors.iter().filter(|error| !error.contains('?') && !error.ends_with('\u{2026}')) {
        let text = error.to_lowercase();
        let mut found = text.match_indices('@').map(|(at, _)| place_at(&text, at, &places));
        if let Some(Some(place)) = found.next()
            && found.all(|other| other == Some(place))
        {
            about.entry(place).or_default().push(error);
        }
    }
    about
}

/// All that the errors say, in one line, each once.
pub(super) fn words<E: AsRef<str>>(errors: &[E]) -> String {
    let mut words = String::new();
    for error in errors.iter().map(AsRef::as_ref) {
        if !words.contains(error) {
            join(&mut words, error);
        }
    }
    if words.is_empty() { "refused without a word why".to_owned() } else { words }
}

/// What is kept of what a server says of one address, in characters.
const WORDS_MAX: usize = 500;

fn join(words: &mut String, error: &str) {
    if !words.is_empty() {
        words.push_str("; ");
    }
    let room = WORDS_MAX.saturating_sub(words.chars().count());
    words.extend(error.chars().take(room));
}

fn places_of<'a>(addresses: impl Iterator<Item = &'a Address>) -> HashMap<String, usize> {
    let mut places = HashMap::new();
    for (place, address) in addresses.enumerate() {
        places.insert(address.identity().to_owned(), place);
        places.insert(address.spelling().to_lowercase(), place);
    }
    places
}

fn places_in(text: &str, places: &HashMap<String, usize>) -> Vec<usize> {
    text.match_indices('@').filter_map(|(at, _)| place_at(text, at, places)).collect()
}

/// The address around this `@`, if it is one of the request's. Quotes and the like may belong to the address
/// (`o'brien@…`) or stand before it, so the longest reading is tried first.
fn place_at(text: &str, at: usize, places: &HashMap<String, usize>) -> Option<usize> {
    let (before, after) = (text.get(..at)?, text.get(at + 1..)?);
    let domain_len = after.find(|c| !is_domain(c)).unwrap_or(after.len());
    let domain = after.get(..domain_len)?.trim_end_matches(['.', '-', '_']);
    let local_start = before.rfind(is_boundary).map_or(0, |i| i + before[i..].chars().next().map_or(1, char::len_utf8));
    let local = before.get(local_start..)?;
    let shorter = local.char_indices().filter(|(_, c)| is_soft(*c)).map(|(i, c)| i + c.len_utf8());
    std::iter::once(0).chain(shorter).find_map(|start| places.get(&format!("{}@{domain}", &local[start..])).copied())
}

/// Stands in no address.
fn is_boundary(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "@\"(),:;<>[]\\\u{201c}\u{201d}\u{201e}\u{ab}\u{bb}".contains(c)
}

/// May stand in an address, and before one.
fn is_soft(c: char) -> bool {
    "'`={}/|*\u{2018}\u{2019}".contains(c)
}

fn is_domain(c: char) -> bool {
    matches!(c, '-' | '_' | '.') || c.is_ascii_alphanumeric() || (!c.is_ascii() && !is_boundary(c) && !is_soft(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(error: &str, addresses: &[&str]) -> Vec<usize> {
        let addresses: Vec<Address> = addresses.iter().map(|raw| Address::parse(raw).unwrap()).collect();
        named(&[error.to_owned()], addresses.iter()).into_keys().collect()
    }

    #[test]
    fn only_a_whole_address_is_named() {
        let request =
            ["bob@x.example", "jim.bob@x.example", "o'brien@x.example", "brien@x.example", "bob@x.example.org"];
        for (error, who) in [
            ("bob@x.example is bad", vec![0]),
            ("jim.bob@x.example is bad", vec![1]),
            ("'jim.bob@x.example' and 'bob@x.example' are bad.", vec![0, 1]),
            ("'o'brien@x.example' is bad", vec![2]),
            ("o'brien@x.example is bad", vec![2]),
            ("'brien@x.example' is bad", vec![3]),
            ("email=bob@x.example.", vec![0]),
            ("the address bob@x.example is bad", vec![0]),
            ("the address\u{1}bob@x.example\u{1}is bad", vec![0]),
            ("\"BOB@X.Example\"", vec![0]),
            ("[bob@x.example.org]", vec![4]),
            ("\u{201c}bob@x.example\u{201d}", vec![0]),
            ("a+bob@x.example", vec![]),
            ("bob@x.example.net, bob@x.examples", vec![]),
            ("<bob@x.example>,<bob@x.example>", vec![0]),
            ("nobody is named, not even bob at x.example", vec![]),
            ("@ @@ bob@ @x.example", vec![]),
        ] {
            assert_eq!(found(error, &request), who, "{error}");
        }
    }

    #[test]
    fn an_international_address_is_known_in_both_forms() {
        let request = ["J\u{f6}rg@B\u{fc}cher.example"];
        assert_eq!(found("j\u{f6}rg@xn--bcher-kva.example is bad", &request), [0]);
        assert_eq!(found("J\u{d6}RG@b\u{fc}cher.example is bad", &request), [0]);
    }

    #[test]
    fn what_is_said_is_gathered_and_bounded() {
        let address = Address::parse("a@x.example").unwrap();
        let errors = vec!["a@x.example: one".to_owned(), "a@x.example: two".to_owned(), "b".repeat(9000)];
        let said = named(&errors, std::iter::once(&address));
        assert_eq!(said.get(&0).map(String::as_str), Some("a@x.example: one; a@x.example: two"));
        assert_eq!(words(&errors).chars().count(), WORDS_MAX);
        assert_eq!(words::<&str>(&[]), "refused without a word why");
    }

    #[test]
    fn only_who_is_named_without_anybody_else_is_singled_out() {
        let request: Vec<Address> =
            ["jane@x.example", "jnae@x.example"].iter().map(|raw| Address::parse(raw).unwrap()).collect();
        for (error, who) in [
            ("'jnae@x.example' is not valid", Some(1)),
            ("jnae@x.example (JNAE@x.example) is not valid", Some(1)),
            ("jnae@x.example does not exist; did you mean jane@x.example?", None),
            ("an address does not exist; did you mean jane@x.example?", None),
            ("jane@x.example is an alias of boss@x.example", None),
            ("already assigned or invalid: jane@x.example, jnae@x.example", None),
            ("already assigned or invalid: jane@x.example,\u{2026}", None),
            ("an address is not valid", None),
        ] {
            let errors = [error.to_owned()];
            let about = singled_out(&errors, request.iter());
            assert_eq!(about.keys().next().copied(), who, "{error}");
            assert!(about.len() <= 1, "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_searched(errors in proptest::collection::vec("\\PC{0,60}|.{0,5}@.{0,5}@x.example.{0,3}", 0..5)) {
            let address = Address::parse("a@x.example").unwrap();
            let said = named(&errors, std::iter::once(&address));
            proptest::prop_assert!(said.len() <= 1);
            proptest::prop_assert!(singled_out(&errors, std::iter::once(&address)).len() <= said.len());
        }
    }
}
