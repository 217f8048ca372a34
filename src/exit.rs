//! The exit statuses, each with its meaning. The README's table is held to this list by a test.

use std::process::{ExitCode, Termination};

/// How a command ended, for whoever started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExitStatus {
    /// 0.
    Done,
    /// 1.
    Failed,
    /// 2. The command line's parser ends with the same status.
    Usage,
    /// 3.
    Left,
}

impl ExitStatus {
    pub const ALL: [ExitStatus; 4] = [ExitStatus::Done, ExitStatus::Failed, ExitStatus::Usage, ExitStatus::Left];

    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            ExitStatus::Done => 0,
            ExitStatus::Failed => 1,
            ExitStatus::Usage => 2,
            ExitStatus::Left => 3,
        }
    }

    /// What the status says, as a sentence for the help text and the README.
    pub fn meaning(self) -> &'static str {
        match self {
            ExitStatus::Done => "Done, and nothing is left (for `plan`: no changes).",
            ExitStatus::Failed => "It could not be done.",
            ExitStatus::Usage => "The command line or the configuration is wrong.",
            ExitStatus::Left => {
                "Done, and something is left that a person may want to see: pending, held, quarantined or unknown \
                 members (for `plan`: there are changes)."
            }
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> ExitCode {
        ExitCode::from(status.code())
    }
}

impl Termination for ExitStatus {
    fn report(self) -> ExitCode {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_is_its_place_in_the_list() {
        for (place, status) in (0_u8..).zip(ExitStatus::ALL) {
            assert_eq!(status.code(), place);
            assert!(status.meaning().ends_with('.'), "{status:?} has a sentence");
        }
    }
}
