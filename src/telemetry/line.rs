//! A line of the log, as a value: what is said, with the fields of the event and of the spans around it. It is written as
//! text for people, or as JSON for machines; the journal's form is in [`super::journal`].

use std::fmt::{self, Write as _};

use chrono::SecondsFormat;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, Scope};

use crate::clock::Timestamp;

/// Names and values, each name once. What was said last counts: the event's own comes after its spans'.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn put(&mut self, name: &'static str, value: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    fn extend(&mut self, others: &Fields) {
        for (name, value) in &others.0 {
            self.put(name, value.clone());
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.0.iter().map(|(name, value)| (*name, text_of(value)))
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), Value::String(value.to_owned()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value.into());
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What a line says.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) at: Timestamp,
    pub(super) level: Level,
    /// The module that says it.
    pub(super) target: &'static str,
    pub(super) message: String,
    /// Of the spans from the outermost on, then of the event.
    pub(super) fields: Fields,
}

impl Line {
    pub(super) fn of<S>(event: &Event<'_>, context: &Context<'_, S>, now: Timestamp) -> Line
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(known) = span.extensions().get::<Fields>() {
                fields.extend(known);
            }
        }
        event.record(&mut fields);
        let place = fields.0.iter().position(|(name, _)| *name == "message");
        let message = place.map(|place| text_of(&fields.0.remove(place).1)).unwrap_or_default();
        let metadata = event.metadata();
        Line { at: now, level: *metadata.level(), target: metadata.target(), message, fields }
    }

    /// `2026-11-23T08:00:00.123Z  INFO contoso: 2 assigned run=… subscription=contoso`. What a message or a field has
    /// from elsewhere can neither steer a terminal nor look like a line of its own.
    pub(super) fn text(&self, style: TextStyle) -> String {
        let Line { at, level, target, message, fields } = self;
        let mut text = at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let _ = match (style.colour, colour_of(*level)) {
            (true, code) => write!(text, " \x1b[{code}m{level:>5}\x1b[0m "),
            (false, _) => write!(text, " {level:>5} "),
        };
        if style.target {
            let _ = write!(text, "{target}: ");
        }
        text.push_str(&harmless(message));
        let (dim, plain) = if style.colour { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        for (name, value) in fields.iter() {
            let _ = write!(text, " {dim}{name}={}{plain}", quoted(&value));
        }
        text.push('\n');
        text
    }

    /// One object: `timestamp`, `level`, `target`, `message`, and the fields beside them.
    pub(super) fn json(&self) -> String {
        // A line whose fields can't be written would be a mistake here, and nothing that could be logged.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("timestamp", &self.at.to_rfc3339_opts(SecondsFormat::Millis, true))?;
        object.serialize_entry("level", self.level.as_str())?;
        object.serialize_entry("target", self.target)?;
        object.serialize_entry("message", &self.message)?;
        for (name, value) in &self.fields.0 {
            object.serialize_entry(name, value)?;
        }
        object.end()
    }
}

/// How a line looks as text.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextStyle {
    pub(super) colour: bool,
    /// Whether it says which module says it.
    pub(super) target: bool,
}

fn colour_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "31",
        Level::WARN => "33",
        Level::INFO => "32",
        Level::DEBUG => "34",
        Level::TRACE => "35",
    }
}

/// A message may have several lines; all but the first are indented.
fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        match c {
            '\n' => harmless.push_str("\n    "),
            c if c.is_control() => harmless.push(' '),
            c => harmless.push(c),
        }
    }
    harmless
}

fn quoted(value: &str) -> String {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '=');
    if !value.is_empty() && value.chars().all(is_plain) { value.to_owned() } else { format!("{value:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: TextStyle = TextStyle { colour: false, target: false };

    fn line(message: &str) -> Line {
        let mut fields = Fields::default();
        fields.put("subscription", "contoso".into());
        fields.put("requests", 3.into());
        fields.put("answer", "not \"now\"".into());
        let at = Timestamp::from_timestamp_millis(1_700_000_000_123).unwrap();
        Line { at, level: Level::WARN, target: "rosterd::pass", message: message.to_owned(), fields }
    }

    #[test]
    fn a_line_reads_alone() {
        insta::assert_snapshot!(line("contoso: 2 assigned").text(PLAIN), @r#"2023-11-14T22:13:20.123Z  WARN contoso: 2 assigned subscription=contoso requests=3 answer="not \"now\"""#);
        insta::assert_snapshot!(line("contoso: 2 assigned").json(), @r#"{"timestamp":"2023-11-14T22:13:20.123Z","level":"WARN","target":"rosterd::pass","message":"contoso: 2 assigned","subscription":"contoso","requests":3,"answer":"not \"now\""}"#);
    }

    #[test]
    fn a_text_from_elsewhere_is_no_line_of_its_own_and_steers_no_terminal() {
        let text = line("said:\n2023-11-14T22:13:20.123Z ERROR all is lost\x1b[2J\r").text(PLAIN);
        assert!(text.contains("said:\n    2023-11-14T22:13:20.123Z ERROR all is lost [2J subscription"), "{text}");
        assert!(!text.contains('\x1b') && !text.contains('\r'));
        assert_eq!(line("a\nb").json().lines().count(), 1);
    }

    #[test]
    fn what_is_said_last_counts() {
        let mut fields = Fields::default();
        fields.put("subscription", "contoso".into());
        let mut later = Fields::default();
        later.put("subscription", "fabrikam".into());
        fields.extend(&later);
        assert_eq!(fields.iter().collect::<Vec<_>>(), [("subscription", "fabrikam".to_owned())]);
    }
}
