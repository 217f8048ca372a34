//! The journal's own form, in which each field stands for itself: `journalctl ROSTERD_SUBSCRIPTION=contoso`, `-p warning`,
//! `-o json`. It is used where standard error leads to the journal, as systemd says in `$JOURNAL_STREAM`.
//!
//! The protocol is <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use tracing::Level;

use super::line::Line;

/// Where the journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";
/// What systemd sets to device and inode of the stream that leads to the journal.
const STREAM: &str = "JOURNAL_STREAM";

/// The journal's socket.
#[derive(Debug)]
pub(super) struct Journal(UnixDatagram);

impl Journal {
    /// The journal, where standard error leads to it.
    pub(super) fn behind_stderr() -> Option<Journal> {
        let said = std::env::var(STREAM).ok()?;
        let stat = rustix::fs::fstat(io::stderr()).ok()?;
        if said != format!("{}:{}", stat.st_dev, stat.st_ino) {
            return None;
        }
        Journal::at(Path::new(SOCKET)).ok()
    }

    fn at(path: &Path) -> io::Result<Journal> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        Ok(Journal(socket))
    }

    /// # Errors
    /// Where the journal is away, or the line is too long for it: it is for the stream then.
    pub(super) fn send(&self, line: &Line) -> io::Result<()> {
        self.0.send(&datagram(line)).map(drop)
    }
}

/// What goes before a line on the stream to say how weighty it is.
pub(super) fn prefix(level: Level) -> String {
    format!("<{}>", priority(level))
}

/// As in syslog: 3 is an error, 7 what one looks at while searching.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

fn datagram(line: &Line) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, "MESSAGE", &line.message);
    put(&mut bytes, "PRIORITY", &priority(line.level).to_string());
    put(&mut bytes, "SYSLOG_IDENTIFIER", "rosterd");
    put(&mut bytes, "ROSTERD_TARGET", line.target);
    for (name, value) in line.fields.iter() {
        put(&mut bytes, &field_name(name), &value);
    }
    bytes
}

/// `run` is `ROSTERD_RUN`: capital letters, digits and underscores, at most 64 of them.
fn field_name(name: &str) -> String {
    let capital = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("ROSTERD_{}", name.chars().take(56).map(capital).collect::<String>())
}

/// A value with a line feed in it is preceded by its length.
fn put(bytes: &mut Vec<u8>, name: &str, value: &str) {
    bytes.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        bytes.push(b'\n');
        bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        bytes.push(b'=');
    }
    bytes.extend_from_slice(value.as_bytes());
    bytes.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::telemetry::line::Fields;

    fn line(message: &str) -> Line {
        let target = "rosterd::pass";
        let at = Timestamp::UNIX_EPOCH;
        Line { at, level: Level::WARN, target, message: message.to_owned(), fields: Fields::default() }
    }

    #[test]
    fn a_line_goes_to_the_journal_with_its_fields() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let server = UnixDatagram::bind(&path).unwrap();
        Journal::at(&path).unwrap().send(&line("contoso: all is well")).unwrap();
        let mut bytes = [0; 1024];
        let length = server.recv(&mut bytes).unwrap();
        let said = std::str::from_utf8(&bytes[..length]).unwrap();
        assert_eq!(
            said,
            "MESSAGE=contoso: all is well\nPRIORITY=4\nSYSLOG_IDENTIFIER=rosterd\nROSTERD_TARGET=rosterd::pass\n"
        );
    }

    #[test]
    fn a_message_of_several_lines_makes_no_fields() {
        let bytes = datagram(&line("a\nPRIORITY=0"));
        assert!(bytes.starts_with(b"MESSAGE\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\nPRIORITY=4\n"), "{bytes:?}");
    }

    #[test]
    fn fields_have_names_that_the_journal_takes() {
        assert_eq!(field_name("run"), "ROSTERD_RUN");
        assert_eq!(field_name("log.module_path"), "ROSTERD_LOG_MODULE_PATH");
        assert_eq!(field_name(&"x".repeat(99)).len(), 64);
    }
}
