//! `rosterd completions`.

use clap::CommandFactory;

use super::failure::Failure;
use super::output::print;
use crate::exit::ExitStatus;

/// Print what a shell needs to complete rosterd's command line
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  rosterd completions bash > /usr/share/bash-completion/completions/rosterd")]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(super) shell: clap_complete::Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<ExitStatus, Failure> {
    print(&script(args.shell))?;
    Ok(ExitStatus::Done)
}

fn script(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::Cli::command(), "rosterd", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn each_shell_learns_the_verbs() {
        for shell in clap_complete::Shell::value_variants() {
            let script = script(*shell);
            assert!(script.contains("explain") && script.contains("quarantined"), "{shell}");
        }
    }
}
