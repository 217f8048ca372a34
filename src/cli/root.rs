//! No work as root: what root writes is root's, and the service, which is somebody else, could not go on.

use super::Verb;
use super::failure::Failure;

/// Says in the environment what `--allow-root` says on the command line: for containers and tests.
const VARIABLE: &str = "ROSTERD_ALLOW_ROOT";

/// Refuses, as root, what writes to the ledger or moves files in drop folders. Looking is allowed: nothing is left behind
/// by it, and `sudo rosterd status` is what a person types first.
pub(super) fn refuse(verb: &Verb, allowed: bool) -> Result<(), Failure> {
    let allowed = allowed || std::env::var_os(VARIABLE).is_some_and(|value| value == "1");
    if allowed || !writes(verb) || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::usage(
        "rosterd does not work as root: what it wrote would be root's, and the service, which is another user, could \
         not go on",
    )
    .hint("work as that user: `sudo -u rosterd rosterd …`; where all of it is root's, say so with --allow-root"))
}

fn writes(verb: &Verb) -> bool {
    match verb {
        Verb::Run(_)
        | Verb::Sync(_)
        | Verb::Approve(_)
        | Verb::Reject(_)
        | Verb::Resume(_)
        | Verb::Undo(_)
        | Verb::Adopt(_)
        | Verb::Forget(_)
        | Verb::Retry(_)
        | Verb::Ledger(_) => true,
        // `demo` and `sandbox` have a world of their own, and `init` gives what it writes to the service's user.
        Verb::Demo(_)
        | Verb::Init(_)
        | Verb::Check(_)
        | Verb::Plan(_)
        | Verb::Status(_)
        | Verb::Members(_)
        | Verb::Explain(_)
        | Verb::History(_)
        | Verb::Report(_)
        | Verb::Sandbox(_)
        | Verb::Schema(_)
        | Verb::Completions(_)
        | Verb::Man(_) => false,
    }
}
