//! The configuration as a JSON Schema, for editors.

use serde_json::{Map, Value, json};

use super::keys::{self, Key, Kind, Table};

/// A JSON Schema (draft 2020-12) of the configuration, from the list of keys that the check of a file uses.
pub fn schema() -> Value {
    let Value::Object(mut root) = table(&keys::ROOT, false) else { return Value::Null };
    root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    root.insert("title".to_owned(), json!("The configuration of rosterd"));
    Value::Object(root)
}

fn table(table: &Table, complete: bool) -> Value {
    let properties: Map<_, _> = table.keys().map(|key| (key.name.to_owned(), property(key))).collect();
    let mut object = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    // What a subscription needs may stand in [defaults].
    let required: Vec<_> = table.keys().filter(|key| key.required).map(|key| key.name).collect();
    if complete && !required.is_empty() && !std::ptr::eq(table, &raw const keys::SUBSCRIPTION) {
        object["required"] = json!(required);
    }
    object
}

fn property(key: &Key) -> Value {
    let mut property = of_kind(&key.kind);
    property["description"] = json!(key.doc);
    if let Some(default) = key.default.and_then(default) {
        property["default"] = default;
    }
    property
}

/// A default, from TOML to JSON.
pub(super) fn default(text: &str) -> Option<Value> {
    let document: toml::Table = toml::from_str(&format!("value = {text}")).ok()?;
    serde_json::to_value(document.get("value")?).ok()
}

const DURATION: &str = "^([0-9]+(ms|s|m|h|d|w))+$";

fn of_kind(kind: &Kind) -> Value {
    let text = json!({ "type": "string" });
    let list = |items: Value| json!({ "type": "array", "items": items });
    match kind {
        Kind::Text
        | Kind::Dn
        | Kind::Filter
        | Kind::Cron
        | Kind::Zone
        | Kind::Path
        | Kind::Pattern
        | Kind::Address
        | Kind::WebUrl
        | Kind::Proxy
        | Kind::SmtpUrl
        | Kind::Listen
        | Kind::Ledger => text,
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Whole { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Rate => json!({ "type": "number", "exclusiveMinimum": 0 }),
        Kind::Duration { off: false, .. } => json!({ "type": "string", "pattern": DURATION }),
        Kind::Duration { off: true, .. } => json!({ "type": "string", "pattern": format!("{DURATION}|^off$") }),
        Kind::Limit => json!({ "oneOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?%$" },
        ] }),
        Kind::LimitOrOff => json!({ "oneOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?%$|^off$" },
        ] }),
        Kind::Guid | Kind::GroupId => json!({ "type": "string", "format": "uuid" }),
        Kind::Secret => secret(),
        Kind::SecretUrl => json!({ "oneOf": [text, secret()] }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Words(words) => list(json!({ "enum": words })),
        Kind::Globs | Kind::Addresses | Kind::Domains | Kind::Include => list(text),
        Kind::Texts | Kind::Attributes | Kind::LdapUrls => json!({ "type": "array", "items": text, "minItems": 1 }),
        Kind::Delimiter => json!({ "enum": ["auto", ",", ";", "|", "tab"] }),
        Kind::Grace(inner) => json!({ "oneOf": [{ "type": "string", "pattern": DURATION }, table(inner, false)] }),
        Kind::Table(inner) => table(inner, true),
        Kind::Defaults(inner) => table(inner, false),
        Kind::Named(inner) => json!({ "type": "object", "additionalProperties": table(inner, true) }),
        Kind::NamedKinds(kinds) => json!({ "type": "object", "additionalProperties": of_kinds(kinds) }),
        Kind::ListKinds(kinds) => list(of_kinds(kinds)),
        Kind::Groups(inner) => list(json!({ "oneOf": [text, table(inner, true)] })),
    }
}

fn of_kinds(kinds: &[(&str, &Table)]) -> Value {
    json!({ "oneOf": kinds.iter().map(|(_, inner)| table(inner, true)).collect::<Vec<_>>() })
}

fn secret() -> Value {
    let place = |name: &str, says: &str| {
        json!({
            "type": "object",
            "properties": { name: { "type": "string", "description": says } },
            "required": [name],
            "additionalProperties": false,
        })
    };
    json!({ "oneOf": [
        place("file", "A file that holds the secret and nothing else, relative to this file."),
        place("env", "An environment variable."),
        place("credential", "A systemd credential (LoadCredential=)."),
    ] })
}
