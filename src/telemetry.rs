//! Logging: set up once, to standard error or the journal; and addresses as logs may show them.
//!
//! Each level has one meaning:
//!
//! | level | what it says |
//! | --- | --- |
//! | `error` | Something stands still until it is mended: a person has to do something. |
//! | `warn` | rosterd goes on, and somebody should look: removals are held, a roster was refused, seats are missing. |
//! | `info` | What happened, for whoever reads the log of a day: a run that changed something, a roster that was taken in, a trouble that is over. |
//! | `debug` | What was decided and why, person by person, and what each request came to (`-v`). |
//! | `trace` | Each request and answer without the key, and each sign from a directory (`-vv`). |
//!
//! A failure is logged once, where it is handled. Neither the key nor a request's body is ever logged.
//!
//! A line reads alone. Its fields have the same name everywhere: `run` is its UUID, `subscription` and `source` are
//! named as the configuration names them. A span around a pass, or around a look at a source, gives them to every line.
//! Spans are of the level `error`, so that no filter takes them away from the lines that it lets through.

mod journal;
mod line;
pub mod span;
#[cfg(feature = "otel")]
mod traces;

use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use self::journal::Journal;
use self::line::{Fields, Line, TextStyle};
use crate::address;
use crate::clock;
use crate::config::LogFormat;

/// The environment variable that overrides what is logged, in `tracing-subscriber`'s words: `rosterd=debug,reqwest=info`.
pub const FILTER_VARIABLE: &str = "ROSTERD_LOG";

/// How to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    pub format: LogFormat,
    /// How often `-v` was given.
    pub verbosity: u8,
    /// For a command that prints what it did: without `-v`, warnings alone.
    pub brief: bool,
    /// `[log] addresses = "clear"`.
    pub clear_addresses: bool,
}

/// Why logging can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("${FILTER_VARIABLE} can't be understood; it wants the form `info` or `warn,rosterd=debug`")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    #[error("${FILTER_VARIABLE} is not valid UTF-8")]
    FilterNotUtf8,
    #[error("logging is set up already")]
    Twice,
}

/// Sets up logging for the whole process; to be called once.
pub fn init(options: Options) -> Result<(), TelemetryError> {
    show_addresses(options.clear_addresses);
    let filter = match std::env::var(FILTER_VARIABLE) {
        Ok(words) if !words.trim().is_empty() => EnvFilter::try_new(words).map_err(TelemetryError::Filter)?,
        Err(std::env::VarError::NotUnicode(_)) => return Err(TelemetryError::FilterNotUtf8),
        Ok(_) | Err(std::env::VarError::NotPresent) => EnvFilter::new(default_filter(options.verbosity, options.brief)),
    };
    let lines = Lines { form: Form::of(options) };
    let filter = filter.and(filter_fn(|metadata| metadata.target() != span::TARGET));
    let registry = tracing_subscriber::registry().with(lines.with_filter(filter));
    #[cfg(not(feature = "otel"))]
    let set_up = registry.try_init();
    #[cfg(feature = "otel")]
    let set_up = {
        let (traces, problem) = traces::layer().map_or_else(|problem| (None, Some(problem)), |layer| (layer, None));
        let set_up = registry.with(traces).try_init();
        if let Some(problem) = problem {
            tracing::warn!("{problem}");
        }
        set_up
    };
    set_up.map_err(|_| TelemetryError::Twice)
}

/// To be called when the process ends: what is left to be told is told.
pub fn end() {
    #[cfg(feature = "otel")]
    traces::end();
}

/// In which form lines are written.
enum Form {
    Text(TextStyle),
    Json,
    Journal(Journal),
}

impl Form {
    /// Whoever asks for JSON gets it from the journal, too.
    fn of(options: Options) -> Form {
        if options.format == LogFormat::Json {
            return Form::Json;
        }
        let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let style = TextStyle { colour, target: options.verbosity > 0 };
        Journal::behind_stderr().map_or(Form::Text(style), Form::Journal)
    }

    /// A log that can't be written is nothing that could be told.
    fn write(&self, line: &Line) {
        match self {
            Form::Text(style) => write_beside_bars(&line.text(*style)),
            Form::Json => write_beside_bars(&line.json()),
            Form::Journal(journal) => {
                if journal.send(line).is_err() {
                    let style = TextStyle { colour: false, target: false };
                    write_beside_bars(&format!("{}{}", journal::prefix(line.level), line.text(style)));
                }
            }
        }
    }
}

/// Standard error, with the progress bars out of the way while a line is written.
fn write_beside_bars(text: &str) {
    // Nobody is left to be told.
    let _ = bars().suspend(|| io::stderr().write_all(text.as_bytes()));
}

/// Writes each event as a line, with the fields of the spans around it.
struct Lines {
    form: Form,
}

impl<S> Layer<S> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        self.form.write(&Line::of(event, &context, clock::now()));
    }
}

/// Whether addresses stand in logs in clear from now on.
pub fn show_addresses(clear: bool) {
    CLEAR_ADDRESSES.store(clear, Ordering::Relaxed);
}

/// Other crates speak only when something is wrong; some of them tell of ordinary work at `info`. What is wrong with a
/// certificate is said by whoever was shown it, and where.
fn default_filter(verbosity: u8, brief: bool) -> &'static str {
    match verbosity {
        0 if brief => "warn,rustls_platform_verifier=off",
        0 => "warn,rustls_platform_verifier=off,rosterd=info",
        1 => "warn,rustls_platform_verifier=off,rosterd=debug",
        _ => "warn,rustls_platform_verifier=off,rosterd=trace",
    }
}

/// The place for progress bars: log lines are written above those that hang here.
pub fn bars() -> &'static MultiProgress {
    static BARS: OnceLock<MultiProgress> = OnceLock::new();
    BARS.get_or_init(MultiProgress::new)
}

/// How far something has come that may take longer than a second: a bar on a terminal, nothing elsewhere. It goes away
/// with the value.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// `what` is said before the bar.
    pub fn new(what: &str) -> Progress {
        // A template that can't be read would be a mistake here, and the plain bar shows as much.
        let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos} of {human_len} {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::no_length().with_style(style).with_message(what.to_owned());
        Progress(bars().add(bar))
    }

    /// How many there are to do.
    pub fn expect(&self, total: u64) {
        self.0.set_position(0);
        self.0.set_length(total);
    }

    /// How many there are to do in all, what is done among them.
    pub fn expect_in_all(&self, total: u64) {
        self.0.set_length(total);
    }

    /// So many more are done.
    pub fn done(&self, more: u64) {
        self.0.inc(more);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
        bars().remove(&self.0);
    }
}

static CLEAR_ADDRESSES: AtomicBool = AtomicBool::new(false);

/// A text with every e-mail address in it as `[log] addresses` wants it: `j***@contoso.com`, unless set to `clear`. Good
/// for one address, and for a server's words in which addresses stand.
#[derive(Debug, Clone, Copy)]
pub struct Masked<'a>(pub &'a str);

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if CLEAR_ADDRESSES.load(Ordering::Relaxed) { f.write_str(self.0) } else { write_masked(self.0, f) }
    }
}

/// An error and its causes in one line: "what failed: why: and why that".
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some say what their cause says, too.
        if !words.ends_with(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        cause = error.source();
    }
    words.replace(char::is_control, " ")
}

/// Writes a text with every word masked that has an `@` in it.
fn write_masked(text: &str, out: &mut impl fmt::Write) -> fmt::Result {
    let between = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '(' | ')' | '[' | ']' | ',' | ';' | ':');
    for piece in text.split_inclusive(between) {
        let word = piece.trim_end_matches(between);
        if word.contains('@') && word != "@" {
            out.write_str(&address::mask(word))?;
            out.write_str(&piece[word.len()..])?;
        } else {
            out.write_str(piece)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_masked_until_told_otherwise() {
        assert_eq!(Masked("jane.doe@contoso.com").to_string(), "j***@contoso.com");
    }

    #[test]
    fn every_address_in_a_text_is_masked_and_nothing_else() {
        let said = |text: &str| {
            let mut masked = String::new();
            write_masked(text, &mut masked).map(|()| masked).unwrap()
        };
        assert_eq!(
            said("\"jane@contoso.com\", <Bob.B@x.example> and email:ann@y.example; 3 of 7"),
            "\"j***@contoso.com\", <B***@x.example> and email:a***@y.example; 3 of 7"
        );
        assert_eq!(said("no address here: 402, seats 10/10"), "no address here: 402, seats 10/10");
        assert_eq!(said("has no @"), "has no @");
        assert_eq!(said("a@b@c.example"), "a***@c.example");
    }

    #[test]
    fn an_error_is_told_with_its_causes_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0}")]
        struct Told(&'static str, #[source] Option<Box<Told>>);
        let cause = |words, cause| Told(words, Some(Box::new(cause)));
        let error = cause("the roster can't be read", cause("the\nfile is away", Told("file is away", None)));
        assert_eq!(chain(&error), "the roster can't be read: the file is away");
    }

    #[test]
    fn each_filter_is_one_that_can_be_read() {
        for verbosity in 0..4 {
            assert!(EnvFilter::try_new(default_filter(verbosity, true)).is_ok());
            assert!(EnvFilter::try_new(default_filter(verbosity, false)).is_ok());
        }
    }
}
