//! Whether a directory knows the attributes that the configuration names. A misspelled one in a filter lets nobody in, and
//! no server complains.

use std::collections::BTreeSet;

use crate::config::Ldap;
use crate::source::Incomplete;

use super::directory::{Asked, Directory};
use super::filter::Filter;
use super::server::entry;

/// Where addresses are looked for unless the configuration says otherwise: which of them there are depends on the kind
/// of directory.
const USUAL: [&str; 3] = ["mail", "proxyaddresses", "userprincipalname"];

/// What is wrong with the attributes that are named, each a sentence. Nothing where the server does not show its schema.
///
/// # Errors
/// When the server does not answer whole.
pub fn complaints(directory: &mut dyn Directory, config: &Ldap) -> Result<Vec<String>, Incomplete> {
    let mut asked = Asked::default();
    let root = entry(directory, "", &["subschemaSubentry"], "the root DSE", &mut asked)?;
    let place = root.as_ref().and_then(|root| root.text("subschemaSubentry"));
    let Some(place) = place else { return Ok(Vec::new()) };
    let schema = entry(directory, place, &["attributeTypes"], "the schema", &mut asked)?;
    let known: BTreeSet<String> = schema.iter().flat_map(|it| it.texts("attributeTypes")).flat_map(names_of).collect();
    Ok(if known.is_empty() { Vec::new() } else { unknown(config, &known) })
}

/// The names in `( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name )`, in lower case.
fn names_of(definition: &str) -> Vec<String> {
    let Some((_, rest)) = definition.split_once(" NAME ") else { return Vec::new() };
    let rest = rest.trim_start();
    let names = match rest.strip_prefix('(') {
        Some(list) => list.split(')').next().unwrap_or_default(),
        None => rest.get(..rest.match_indices('\'').nth(1).map_or(0, |(at, _)| at + 1)).unwrap_or_default(),
    };
    names.split('\'').skip(1).step_by(2).map(str::to_ascii_lowercase).collect()
}

fn unknown(config: &Ldap, known: &BTreeSet<String>) -> Vec<String> {
    let mut told = Vec::new();
    // An object identifier is no name, and known by another list.
    let is_unknown = |name: &str| !known.contains(name) && !name.starts_with(|c: char| c.is_ascii_digit());
    for name in config.user_filter.iter().flat_map(Filter::attributes).filter(|name| is_unknown(name)) {
        told.push(format!(
            "`user_filter` names `{name}`, which this directory does not know, so that it lets nobody in by it{}",
            instead(name, known)
        ));
    }
    let email: Vec<String> = config.email_attributes.iter().map(|name| name.to_ascii_lowercase()).collect();
    for name in email.iter().filter(|name| is_unknown(name)) {
        if !USUAL.contains(&name.as_str()) || email.iter().all(|name| is_unknown(name)) {
            let instead = instead(name, known);
            told.push(format!("`email_attributes` names `{name}`, which this directory does not know{instead}"));
        }
    }
    told
}

fn instead(name: &str, known: &BTreeSet<String>) -> String {
    let near = known.iter().filter(|other| strsim::damerau_levenshtein(name, other) <= 2);
    let nearest = near.min_by_key(|other| strsim::damerau_levenshtein(name, other));
    nearest.map_or_else(|| ".".to_owned(), |nearest| format!("; is `{nearest}` meant?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_definitions() {
        assert_eq!(names_of("( 2.5.4.3 NAME ( 'cn' 'commonName' ) DESC 'a (b) name' SUP name )"), ["cn", "commonname"]);
        assert_eq!(names_of("( 2.5.4.35 NAME 'userPassword' DESC 'x' )"), ["userpassword"]);
        assert_eq!(names_of("( 1.2.3 DESC 'x' )"), [""; 0]);
    }

    #[test]
    fn a_near_name_is_offered() {
        let known: BTreeSet<String> = ["department", "cn"].map(str::to_owned).into();
        assert_eq!(instead("departmnet", &known), "; is `department` meant?");
        assert_eq!(instead("shoesize", &known), ".");
    }
}
