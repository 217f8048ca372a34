//! The command line: its definition, and one file for each verb.
//!
//! Data goes to standard output, everything else to standard error. An error is printed once, here.

mod act;
mod adopt;
mod approve;
mod check;
mod completions;
mod context;
mod demo;
mod explain;
mod failure;
mod forget;
mod held;
mod history;
mod init;
mod kerberos;
mod ledger;
mod man;
mod members;
#[cfg(test)]
mod on_a_ledger;
mod output;
mod plan;
mod reject;
mod report;
mod resume;
mod retry;
mod root;
mod run;
mod sandbox;
mod schema;
mod status;
mod sync;
mod undo;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::LogFormat;
use crate::exit::ExitStatus;
use crate::telemetry;
use context::Context;
use failure::Failure;

/// Keeps SecureMailMerge licences in step with where people are listed.
///
/// Sources (CSV files and directories) say who should have a licence; rosterd assigns and unassigns them, and remembers
/// what it did.
#[derive(Debug, Parser)]
#[command(name = "rosterd", version, propagate_version = true, after_help = after_help(), max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  rosterd demo                      see the main job on nothing but this binary
  rosterd check                     try everything that the configuration names
  rosterd plan                      what would be done, without doing it
  rosterd explain jane@contoso.com  why this person has a licence, or has none";

fn after_help() -> String {
    let statuses = ExitStatus::ALL.map(|status| format!("\n  {}  {}", status.code(), status.meaning()));
    format!("{EXAMPLES}\n\nExit status:{}", statuses.concat())
}

/// What every verb takes; it stands after what is the verb's own.
#[derive(Debug, Args)]
struct Global {
    /// The configuration [default: `$ROSTERD_CONFIG`, ./rosterd.toml or /etc/rosterd/rosterd.toml]
    #[arg(long, value_name = "FILE", global = true, display_order = 100)]
    config: Option<PathBuf>,
    /// How log lines look on standard error [default: as the configuration says]
    #[arg(long, value_name = "FORMAT", global = true, display_order = 101)]
    log_format: Option<LogFormat>,
    /// Log more: -v decisions, -vv requests
    #[arg(short, long, action = clap::ArgAction::Count, global = true, display_order = 102)]
    verbose: u8,
    /// Work as root, who then owns all that is written [also: `ROSTERD_ALLOW_ROOT=1`]
    #[arg(long, global = true, display_order = 103)]
    allow_root: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Demo(demo::DemoArgs),
    Init(init::InitArgs),
    Check(check::CheckArgs),
    Run(run::RunArgs),
    Sync(sync::SyncArgs),
    Plan(plan::PlanArgs),
    Status(status::StatusArgs),
    Members(members::MembersArgs),
    Explain(explain::ExplainArgs),
    History(history::HistoryArgs),
    Report(report::ReportArgs),
    Approve(approve::ApproveArgs),
    Reject(reject::RejectArgs),
    Resume(resume::ResumeArgs),
    Undo(undo::UndoArgs),
    Adopt(adopt::AdoptArgs),
    Forget(forget::ForgetArgs),
    Retry(retry::RetryArgs),
    Ledger(ledger::LedgerArgs),
    Sandbox(crate::sandbox::SandboxArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Reads the command line, runs the verb, and says how it ended.
pub fn main() -> ExitStatus {
    let Cli { global, verb } = Cli::parse();
    let may_run = root::refuse(&verb, global.allow_root);
    let ended = may_run.and_then(|()| run_verb(verb, &Context::new(global))).unwrap_or_else(|failure| {
        failure.print();
        failure.status
    });
    telemetry::end();
    ended
}

fn run_verb(verb: Verb, context: &Context) -> Result<ExitStatus, Failure> {
    match verb {
        Verb::Demo(args) => demo::run(&args, context),
        Verb::Init(args) => init::run(&args, context),
        Verb::Check(args) => check::run(&args, context),
        Verb::Run(args) => run::run(&args, context),
        Verb::Sync(args) => sync::run(&args, context),
        Verb::Plan(args) => plan::run(&args, context),
        Verb::Status(args) => status::run(&args, context),
        Verb::Members(args) => members::run(&args, context),
        Verb::Explain(args) => explain::run(&args, context),
        Verb::History(args) => history::run(&args, context),
        Verb::Report(args) => report::run(&args, context),
        Verb::Approve(args) => approve::run(&args, context),
        Verb::Reject(args) => reject::run(&args, context),
        Verb::Resume(args) => resume::run(&args, context),
        Verb::Undo(args) => undo::run(&args, context),
        Verb::Adopt(args) => adopt::run(&args, context),
        Verb::Forget(args) => forget::run(&args, context),
        Verb::Retry(args) => retry::run(&args, context),
        Verb::Ledger(args) => ledger::run(&args, context),
        Verb::Sandbox(args) => sandbox::run(args),
        Verb::Schema(args) => schema::run(&args),
        Verb::Completions(args) => completions::run(&args),
        Verb::Man(args) => man::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn verify_cli() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_and_flag_says_what_it_does() {
        for verb in Cli::command().get_subcommands() {
            assert!(verb.get_about().is_some(), "{}", verb.get_name());
            for arg in verb.get_arguments() {
                assert!(arg.get_help().is_some(), "{} {}", verb.get_name(), arg.get_id());
            }
        }
    }

    #[test]
    fn global_flags_stand_before_or_after_the_verb() {
        let config = |words: &[&str]| Cli::try_parse_from(words).unwrap().global.config;
        assert_eq!(config(&["rosterd", "--config", "x", "status"]), Some("x".into()));
        assert_eq!(config(&["rosterd", "status", "--config", "x"]), Some("x".into()));
        assert_eq!(Cli::try_parse_from(["rosterd", "-vv", "status"]).unwrap().global.verbose, 2);
    }

    #[test]
    fn the_documented_forms_are_understood() {
        for line in [
            "demo --keep",
            "check --send-test-alert --json",
            "run",
            "sync contoso fabrikam --json",
            "plan contoso --roster staff.csv --json",
            "status --json",
            "members contoso --state pending --json",
            "explain jane@contoso.com --json",
            "history contoso --since 2d --json",
            "report --month 2026-10 contoso --csv",
            "init --yes --name contoso --type paddle --csv drops",
            "approve contoso --yes --digest 0123456789abcdef",
            "reject contoso --yes",
            "resume --yes",
            "undo 01936c5e-8f00-7000-8000-000000000001 --yes",
            "adopt contoso have.csv",
            "forget contoso jane@contoso.com bob@contoso.com",
            "retry contoso",
            "ledger accept --yes",
            "ledger rename contoso contoso-gmbh",
            "completions bash",
            "man",
            "schema",
        ] {
            let words = std::iter::once("rosterd").chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        }
    }

    #[test]
    fn a_state_that_is_none_is_a_usage_error_that_names_the_nearest() {
        let error = Cli::try_parse_from(["rosterd", "members", "--state", "pendin"]).unwrap_err();
        assert_eq!(error.exit_code(), i32::from(ExitStatus::Usage.code()));
        assert!(error.to_string().contains("'pending'"), "{error}");
    }
}
