//! What the verbs share that act on a person's word: asking, who asked, the lease, and carrying it out.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use super::context::{runtime, world};
use super::failure::Failure;
use super::run::end_on_signals;
use super::sync::pass_one;
use crate::address::Address;
use crate::clock::{self, Stopwatch, Timestamp};
use crate::config::Config;
use crate::exit::ExitStatus;
use crate::ledger::{Lease, Ledger, LedgerError, Owner};
use crate::pass::World;
use crate::person::{LEASE_LOOK, LEASE_TERM, Refused};

/// How long a run of another process is waited for.
const LEASE_WAIT: Duration = Duration::from_secs(30);

/// What happens where nobody can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unasked {
    /// It is refused: `--yes` says it in a script.
    Refuse,
    /// It goes on.
    GoOn,
}

/// Asks a yes-or-no question on the terminal. With `yes` there is no question. An answer of no is a [`Failure`]: then
/// nothing is done.
pub(super) fn confirm(question: &str, yes: bool, unasked: Unasked) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return match unasked {
            Unasked::GoOn => Ok(()),
            Unasked::Refuse => Err(Failure::usage("this asks, and there is no terminal to ask on; nothing was done")
                .hint("--yes says yes in a script")),
        };
    }
    if ask(question, &mut stdin.lock(), &mut io::stderr()) { Ok(()) } else { Err(Failure::new("nothing was done")) }
}

/// Anything but a clear yes is a no.
fn ask(question: &str, from: &mut impl BufRead, to: &mut impl Write) -> bool {
    let mut answer = String::new();
    let asked = write!(to, "{question} [y/N] ").and_then(|()| to.flush());
    asked.and_then(|()| from.read_line(&mut answer)).is_ok()
        && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// Who acts, for the history.
pub(super) fn by() -> String {
    let user = ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    let user = user.unwrap_or_else(|| format!("user {}", rustix::process::getuid().as_raw()));
    format!("{user} on the command line")
}

/// Does something that only one process at a time may do for a subscription; waits for a run that is under way.
pub(super) fn with_lease<T>(
    ledger: &mut Ledger,
    subscription: &str,
    act: impl FnOnce(&mut Ledger, &Lease, Timestamp) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let lease = wait_for_lease(ledger, subscription)?;
    let result = act(ledger, &lease, clock::now());
    let released = ledger.release(lease);
    let value = result?;
    released?;
    Ok(value)
}

fn wait_for_lease(ledger: &mut Ledger, subscription: &str) -> Result<Lease, Failure> {
    let owner = Owner::this_process();
    let waited = Stopwatch::start();
    loop {
        if let Some(lease) = ledger.acquire(subscription, &owner, LEASE_TERM, clock::now())? {
            return Ok(lease);
        }
        if waited.elapsed() >= LEASE_WAIT {
            return Err(Refused::Busy { subscription: subscription.to_owned() }.into());
        }
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "another process holds the lease, and nothing tells when it lets go")]
fn pause() {
    std::thread::sleep(LEASE_LOOK);
}

/// Carries out at once what a person said: by a pass of our own or, where another process has the subscription, by asking
/// it for one.
pub(super) fn carry_out(config: Config, mut ledger: Ledger, name: &str) -> Result<ExitStatus, Failure> {
    let mut asked_at = clock::now();
    ledger.ask_for_run(name, asked_at)?;
    let world = world(config, ledger)?;
    let subscription = &world.config.subscriptions[name];
    let status = runtime()?.block_on(async {
        end_on_signals(world.shutdown.clone())?;
        loop {
            let line = pass_one(&world, subscription.clone()).await;
            eprint!("{}", line.told());
            // What somebody else asked for meanwhile may not have been seen by this pass, and they rely on it.
            if line.is_elsewhere()
                || forget_asked(&world, name, asked_at).await?
                || line.status() == ExitStatus::Failed
                || world.shutdown.is_cancelled()
            {
                return Ok::<_, Failure>(line.status());
            }
            asked_at = clock::now();
            let name = name.to_owned();
            world.outside.ledger.with(move |ledger| ledger.ask_for_run(&name, asked_at)).await?;
        }
    })?;
    world.outside.ledger.close();
    Ok(status)
}

/// Whether nothing was asked for since.
async fn forget_asked(world: &World, name: &str, asked_at: Timestamp) -> Result<bool, LedgerError> {
    let name = name.to_owned();
    world.outside.ledger.with(move |ledger| ledger.forget_asked(&name, asked_at)).await
}

/// The addresses that somebody wrote, all of them or none.
pub(super) fn addresses(words: &[String]) -> Result<Vec<Address>, Failure> {
    let address = |word: &String| {
        Address::parse(word).map_err(|invalid| Failure::usage(format!("“{word}” is no address: the address {invalid}")))
    };
    words.iter().map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(answer: &str) -> bool {
        ask("Sure?", &mut answer.as_bytes(), &mut io::sink())
    }

    #[test]
    fn only_a_clear_yes_is_one() {
        assert!(answered("y\n") && answered("YES\n"));
        for no in ["", "\n", "n\n", "yep\n", "yes please\n"] {
            assert!(!answered(no), "{no:?}");
        }
    }

    #[test]
    fn one_bad_address_stops_all() {
        let words = |words: &[&str]| addresses(&words.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(words(&["jane@contoso.com", "Bob@contoso.com"]).unwrap().len(), 2);
        assert!(
            format!("{:?}", words(&["jane@contoso.com", "bob"]).unwrap_err())
                .contains("“bob” is no address: the address has no @")
        );
    }
}
