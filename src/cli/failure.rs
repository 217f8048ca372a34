//! Why a verb did not do what was asked, as it is told at the edge.

use std::error::Error;
use std::io::{self, IsTerminal};

use crate::exit::ExitStatus;
use crate::ledger::LedgerError;
use crate::person::Refused;
use crate::report::text::Style;
use crate::telemetry;

/// An error on its way to the terminal: what, where, what to do.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: ExitStatus,
    /// Without the word "error", where that is not in it already.
    pub(super) message: String,
    is_rendered: bool,
    hint: Option<String>,
}

impl Failure {
    /// It could not be done.
    pub(super) fn new(message: impl Into<String>) -> Failure {
        Failure { status: ExitStatus::Failed, message: message.into(), is_rendered: false, hint: None }
    }

    /// The command line or the configuration is wrong.
    pub(super) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(message).into_usage()
    }

    /// What is wrong with the configuration, as it shows that itself.
    pub(super) fn of_configuration(problems: &crate::config::Problems) -> Failure {
        Failure { is_rendered: true, ..Failure::usage(problems.render(colour())) }
    }

    /// It could not be done, for this error and its causes.
    pub(super) fn from_error(error: &dyn Error) -> Failure {
        Failure::new(telemetry::chain(error))
    }

    /// The same, as the fault of the command line or the configuration.
    pub(super) fn into_usage(self) -> Failure {
        Failure { status: ExitStatus::Usage, ..self }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Failure {
        Failure { hint: Some(hint.into()), ..self }
    }

    /// The text for standard error.
    fn render(&self) -> String {
        let word = if self.is_rendered { "" } else { "error: " };
        let hint = self.hint.as_ref().map_or_else(String::new, |hint| format!("\nhint: {hint}\n"));
        format!("{word}{}\n{hint}", self.message.trim_end())
    }

    pub(super) fn print(&self) {
        let style = Style { colour: colour(), ..Style::PLAIN };
        let text = self.render();
        match text.strip_prefix("error:") {
            Some(rest) => eprint!("{}{rest}", style.red("error:")),
            None => eprint!("{text}"),
        }
    }
}

/// Whether standard error wants colour.
fn colour() -> bool {
    io::stderr().is_terminal() && super::output::wants_colour()
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Failure {
        Failure::from_error(&error)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Failure {
        let hint = match &refused {
            Refused::OtherHeld { subscription, .. } => format!("`rosterd approve {subscription}` shows them"),
            Refused::Restored(_) => "`rosterd ledger accept` says what that means, and asks".to_owned(),
            Refused::Busy { .. } => "try again when the run is over; `rosterd status` shows it".to_owned(),
            Refused::NothingHeld { .. } | Refused::Ledger(_) => return Failure::from_error(&refused),
        };
        Failure::from_error(&refused).hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_with_its_causes_and_its_hint() {
        let cause = std::io::Error::other("no such device");
        let path = "/etc/contoso.key".into();
        let error = crate::config::SecretError::File { path, cause };
        let failure = Failure::from_error(&error).hint("is the disk mounted?");
        assert_eq!(
            failure.render(),
            "error: the secret's file /etc/contoso.key can't be read: no such device\n\nhint: is the disk mounted?\n"
        );
        assert_eq!(failure.status, ExitStatus::Failed);
    }

    #[test]
    fn a_usage_error_ends_as_one() {
        assert_eq!(Failure::usage("no").status, ExitStatus::Usage);
    }
}
