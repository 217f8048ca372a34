//! The reference file, the schema and the code know the same keys and the same defaults.

use std::collections::BTreeSet;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::super::keys::{self, Key, Kind, Table};
use super::super::{REFERENCE, load_str, schema, schema::default};

/// The reference with every key in use.
pub(super) fn uncommented() -> String {
    REFERENCE.lines().map(|line| commented(line).unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// A key or header behind a `#`; prose has a space there.
fn commented(line: &str) -> Option<&str> {
    line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '['))
}

/// Each key with a value in these tables, with the table that it is in.
fn keys_in(table: &'static Table, values: &DeTable<'_>, found: &mut Vec<(&'static Table, &'static Key, String)>) {
    for (name, value) in values {
        let key = table.key(name.get_ref()).unwrap_or_else(|| panic!("{} in [{}]", name.get_ref(), table.name));
        found.push((table, key, json(value.get_ref()).to_string()));
        let inner: Vec<_> = match (value.get_ref(), &key.kind) {
            (DeValue::Table(named), Kind::Named(_) | Kind::NamedKinds(_)) => {
                named.values().filter_map(|value| value.get_ref().as_table()).collect()
            }
            (DeValue::Array(list), _) => list.iter().filter_map(|value| value.get_ref().as_table()).collect(),
            (value, _) => value.as_table().into_iter().collect(),
        };
        for values in inner {
            let kind = values.get("kind").and_then(|kind| kind.get_ref().as_str());
            match key.kind {
                Kind::Table(inner)
                | Kind::Grace(inner)
                | Kind::Defaults(inner)
                | Kind::Named(inner)
                | Kind::Groups(inner) => {
                    keys_in(inner, values, found);
                }
                Kind::NamedKinds(kinds) | Kind::ListKinds(kinds) => {
                    let (_, inner) = kinds.iter().find(|(name, _)| Some(*name) == kind).unwrap();
                    keys_in(inner, values, found);
                }
                _ => {}
            }
        }
    }
}

fn json(value: &DeValue<'_>) -> serde_json::Value {
    match value {
        DeValue::String(text) => serde_json::json!(text),
        DeValue::Integer(number) => number.as_str().parse::<i64>().unwrap().into(),
        DeValue::Float(number) => number.as_str().parse::<f64>().unwrap().into(),
        DeValue::Boolean(flag) => (*flag).into(),
        DeValue::Datetime(date) => date.to_string().into(),
        DeValue::Array(list) => list.iter().map(|value| json(value.get_ref())).collect(),
        DeValue::Table(table) => {
            table.iter().map(|(name, value)| (name.get_ref().to_string(), json(value.get_ref()))).collect()
        }
    }
}

#[test]
fn the_reference_loads_as_it_stands_and_says_nothing() {
    let config = load_str(Path::new("/etc/rosterd/rosterd.toml"), REFERENCE).unwrap();
    assert_eq!(config.warnings, [""; 0]);
    assert_eq!(config.subscriptions_of("hr"), ["contoso"]);
}

#[test]
fn the_reference_loads_with_every_key_in_use() {
    let config =
        load_str(Path::new("/etc/rosterd/rosterd.toml"), &uncommented()).unwrap_or_else(|error| panic!("{error}"));
    insta::assert_snapshot!(config.warnings.join("\n"), @"
    No subscription names the source `contoso-ad`: it is not read.
    ");
}

#[test]
fn every_key_is_in_the_reference_with_its_default_and_its_sentence() {
    let text = uncommented();
    let document = DeTable::parse(&text).unwrap();
    let mut found = Vec::new();
    keys_in(&keys::ROOT, document.get_ref(), &mut found);

    let shown: BTreeSet<_> = found.iter().map(|(table, key, _)| (table.name, key.name)).collect();
    let known: BTreeSet<_> =
        keys::tables().iter().flat_map(|table| table.keys().map(|key| (table.name, key.name))).collect();
    assert_eq!(shown, known);

    for (table, key, value) in &found {
        if let Some(text) = key.default {
            assert_eq!(*value, default(text).unwrap().to_string(), "{} of [{}]", key.name, table.name);
        }
    }
    for key in keys::tables().iter().flat_map(|table| table.keys()) {
        let sentence = key.doc;
        assert!(REFERENCE.contains(sentence), "{}: {sentence}", key.name);
        assert!(sentence.ends_with('.') && sentence.len() < 140, "{}: {sentence}", key.name);
    }
}

#[test]
fn every_default_is_sound() {
    let empty = super::GOOD;
    let config = super::parse(empty).unwrap();
    let spelt_out = super::parse(&uncommented()).unwrap();
    assert_eq!(config.subscriptions["contoso"].policy, spelt_out.subscriptions["contoso"].policy);
    assert_eq!(config.ledger, spelt_out.ledger);
    assert_eq!(config.log, spelt_out.log);
}

#[test]
fn the_schema_describes_every_key() {
    let schema = schema();
    let text = schema.to_string();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    for key in keys::tables().iter().flat_map(|table| table.keys()) {
        assert!(text.contains(&serde_json::json!(key.doc).to_string()), "{}", key.name);
    }
    let mut guard = schema["properties"]["defaults"]["properties"]["guard"].clone();
    // Whether objects keep their order depends on what is built beside it.
    guard.sort_all_objects();
    insta::assert_snapshot!(serde_json::to_string_pretty(&guard["properties"]["max_removals"]).unwrap(), @r#"
    {
      "default": "20%",
      "description": "Removals in one run: a share of the assigned, or a number; more are held for approval.",
      "oneOf": [
        {
          "minimum": 0,
          "type": "integer"
        },
        {
          "pattern": "^[0-9]+(\\.[0-9]+)?%$",
          "type": "string"
        }
      ]
    }
    "#);
}
