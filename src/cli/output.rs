//! Standard output: data, and nothing else.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, StdoutLock, Write};

use super::failure::Failure;
use crate::report::text::Style;

/// Standard output, buffered. A reader that goes away (`| head`) ends the writing, and is no error.
#[derive(Debug)]
pub(super) struct Output<W: Write = StdoutLock<'static>> {
    to: BufWriter<W>,
    closed: bool,
}

impl Output {
    pub(super) fn stdout() -> Output {
        Output { to: BufWriter::new(io::stdout().lock()), closed: false }
    }
}

impl<W: Write> Output<W> {
    pub(super) fn write(&mut self, text: &str) -> Result<(), Failure> {
        if self.closed {
            return Ok(());
        }
        let written = self.to.write_all(text.as_bytes());
        self.judge(written)
    }

    pub(super) fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.write(text)?;
        self.write("\n")
    }

    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        if self.closed {
            return Ok(());
        }
        let flushed = self.to.flush();
        self.judge(flushed)
    }

    /// Whether nobody reads any more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    fn judge(&mut self, result: io::Result<()>) -> Result<(), Failure> {
        match result {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other.map_err(|error| Failure::new(format!("standard output can't be written: {error}"))),
        }
    }
}

/// Writes a whole text.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut output = Output::stdout();
    output.write(text)?;
    output.flush()
}

/// Writes a value as one JSON document.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::from_error(&error))?;
    print(&format!("{text}\n"))
}

/// Tables and colour on a terminal, plain text elsewhere; no colour where `$NO_COLOR` or a dumb terminal says so.
pub(super) fn style() -> Style {
    if !io::stdout().is_terminal() {
        return Style::PLAIN;
    }
    let width = rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| size.ws_col).filter(|columns| *columns > 0);
    Style { terminal: true, colour: wants_colour(), width }
}

/// What `$NO_COLOR` and the kind of terminal say.
pub(super) fn wants_colour() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    !unwanted && !dumb
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe whose reader has gone, or a disk that is full.
    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn output(kind: ErrorKind) -> Output<Broken> {
        Output { to: BufWriter::with_capacity(0, Broken(kind)), closed: false }
    }

    #[test]
    fn a_reader_that_goes_away_is_no_error() {
        let mut output = output(ErrorKind::BrokenPipe);
        assert!(output.line("a").is_ok() && output.is_closed());
        assert!(output.line("b").is_ok() && output.flush().is_ok());
    }

    #[test]
    fn a_full_disk_is_one() {
        assert!(output(ErrorKind::StorageFull).line("a").is_err());
    }
}
