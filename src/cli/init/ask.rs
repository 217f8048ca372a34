//! Asking on the terminal: a line, a secret that is not shown, what to do when something did not work.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use crate::cli::failure::Failure;

/// What to do when something that was tried did not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It is said again.
    Again,
    /// It is written all the same.
    GoOn,
}

/// Who answers: a person on a terminal, or flags alone.
#[derive(Debug)]
pub(super) struct Asker {
    person: bool,
    /// What is missing is made.
    yes: bool,
    anyway: bool,
}

impl Asker {
    pub(super) fn new(yes: bool, anyway: bool) -> Asker {
        Asker { person: !yes && io::stdin().is_terminal(), yes, anyway }
    }

    pub(super) fn can_ask(&self) -> bool {
        self.person
    }

    /// What a flag says; or what a person says, who is asked until it can be understood; or the default.
    pub(super) fn value<T>(
        &mut self,
        flag: Option<T>,
        question: &str,
        default: Option<&str>,
        understand: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        if let Some(value) = flag {
            return Ok(value);
        }
        if !self.person {
            let default = default.ok_or_else(|| Failure::usage(format!("there is nobody to ask: {question}?")))?;
            return understand(default).map_err(Failure::usage);
        }
        loop {
            let shown = default.map_or_else(String::new, |default| format!(" [{default}]"));
            let line = line(&format!("{question}{shown}: "))?;
            let text = if line.trim().is_empty() { default.unwrap_or_default() } else { line.trim() };
            if text.is_empty() {
                continue;
            }
            match understand(text) {
                Ok(value) => return Ok(value),
                Err(why) => say(&format!("  {why}")),
            }
        }
    }

    /// A secret, which a person types unseen.
    pub(super) fn secret(
        &mut self,
        question: &str,
        wrong: fn(&str) -> Option<&'static str>,
    ) -> Result<SecretString, Failure> {
        if !self.person {
            return Err(Failure::usage(format!("there is nobody to ask: {question}")));
        }
        loop {
            let typed = hidden(&format!("{question}: "))?;
            match wrong(typed.trim()) {
                _ if typed.trim().is_empty() => {}
                Some(why) => say(&format!("  {why}")),
                None => return Ok(SecretString::from(typed.trim())),
            }
        }
    }

    /// Whether this is to be done; yes by default.
    pub(super) fn agrees(&mut self, question: &str) -> Result<bool, Failure> {
        if !self.person {
            return Ok(self.yes);
        }
        let answer = line(&format!("{question} [Y/n]: "))?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes"))
    }

    pub(super) fn what_next(&mut self) -> Result<Next, Failure> {
        if self.anyway {
            return Ok(Next::GoOn);
        }
        if !self.person {
            return Err(Failure::new("that does not work, and nothing was written")
                .hint("mend it, or write it all the same with --anyway"));
        }
        loop {
            let answer = line("That does not work. Say it [a]gain, [g]o on all the same, or [q]uit: ")?;
            match answer.trim().to_lowercase().as_str() {
                "a" | "again" => return Ok(Next::Again),
                "g" | "go" | "go on" => return Ok(Next::GoOn),
                "q" | "quit" => return Err(nothing_written()),
                _ => {}
            }
        }
    }
}

/// Everything but data goes to standard error.
pub(super) fn say(text: &str) {
    eprintln!("{text}");
}

fn nothing_written() -> Failure {
    Failure::new("nothing was written")
}

fn prompt(text: &str) -> Result<(), Failure> {
    let mut to = io::stderr();
    write!(to, "{text}").and_then(|()| to.flush()).map_err(|_| nothing_written())
}

fn line(question: &str) -> Result<String, Failure> {
    prompt(question)?;
    let mut line = String::new();
    match io::stdin().lock().read_line(&mut line) {
        Ok(0) | Err(_) => Err(nothing_written()),
        Ok(_) => Ok(line),
    }
}

/// The terminal as it is while a secret is typed: it shows nothing, and hands over each key at once, Ctrl-C as well, so
/// that nobody is left with a terminal that shows nothing.
struct Unseen {
    before: Termios,
}

impl Unseen {
    fn begin() -> Result<Unseen, Failure> {
        let failed = |cause: rustix::io::Errno| {
            Failure::new(format!("the terminal can't be kept from showing what is typed: {cause}"))
        };
        let before = tcgetattr(io::stdin()).map_err(failed)?;
        let mut hidden = before.clone();
        hidden.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(io::stdin(), OptionalActions::Now, &hidden).map_err(failed)?;
        Ok(Unseen { before })
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
        eprintln!();
    }
}

fn hidden(question: &str) -> Result<Zeroizing<String>, Failure> {
    // Before it is asked for: nothing of it is ever shown, however fast it is typed.
    let _unseen = Unseen::begin()?;
    prompt(question)?;
    typed(&mut io::stdin().lock().bytes())
}

/// What is typed up to Return, with the keys that correct it.
fn typed(keys: &mut dyn Iterator<Item = io::Result<u8>>) -> Result<Zeroizing<String>, Failure> {
    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    const CTRL_U: u8 = 21;
    let mut bytes = Zeroizing::new(Vec::new());
    for key in keys {
        match key.map_err(|_| nothing_written())? {
            b'\r' | b'\n' => {
                let text = std::str::from_utf8(&bytes).map_err(|_| Failure::new("that is no text in UTF-8"))?;
                return Ok(Zeroizing::new(text.to_owned()));
            }
            CTRL_C | CTRL_D => return Err(nothing_written()),
            CTRL_U => bytes.clear(),
            8 | 127 => {
                bytes.pop();
            }
            byte => bytes.push(byte),
        }
    }
    Err(nothing_written())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_can_be_corrected_and_given_up_while_it_is_typed() {
        let typed = |keys: &[u8]| typed(&mut keys.iter().map(|key| Ok(*key))).map(|text| text.to_string()).ok();
        assert_eq!(typed(b"secret\n").as_deref(), Some("secret"));
        assert_eq!(typed(b"wrong\x15secre\x7fet\r").as_deref(), Some("secret"));
        assert_eq!(typed(b"secr\x03et\n"), None);
        assert_eq!(typed(b"secret"), None, "the terminal is gone");
    }
}
