//! `rosterd undo`.

use super::act::{Unasked, by, confirm};
use super::context::{Context, runtime, subscription, world, write_ledger};
use super::failure::Failure;
use super::output::{Output, print};
use super::run::end_on_signals;
use crate::address::Address;
use crate::clock;
use crate::exit::ExitStatus;
use crate::ledger::{Ledger, RunId};
use crate::pass::{self, Reverse};
use crate::report::text::count;

/// Do the reverse of a run, as far as seats allow; shows it and asks
///
/// Whom `protect` names keeps the licence. What was undone stays so: who is given the seat back keeps it until a roster names them again, and who loses it is
/// set aside until `rosterd retry`.
#[derive(Debug, clap::Args)]
pub(super) struct UndoArgs {
    /// The run, as `history` shows it
    #[arg(value_name = "RUN")]
    pub(super) run: RunId,
    /// Do it without asking
    #[arg(long)]
    pub(super) yes: bool,
}

/// So many addresses are shown of each list.
const SHOWN_MAX: usize = 50;

pub(super) fn run(args: &UndoArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let config = context.config()?;
    let ledger = write_ledger(&config, clock::now())?;
    let Some((name, _)) = ledger.run(args.run)? else {
        let failure = Failure::usage(format!("there is no run {}", args.run));
        return Err(failure.hint("`rosterd history --json` names the run of each line"));
    };
    if let Some(restored) = ledger.restored()? {
        return Err(Failure::new(format!("{}; nothing was undone", restored.cause()))
            .hint("`rosterd ledger accept` says what that means, and asks"));
    }
    let subscription = subscription(&config, &name)?.clone();
    let mut reverse = reverse_of(&ledger, &name, args.run)?;
    let protected = reverse.spare(&subscription);
    if reverse.give_back.is_empty() && reverse.take_back.is_empty() {
        show(&name, &reverse, &protected)?;
        eprintln!("{name}: nothing of the run {} is left to undo.", args.run);
        return Ok(ExitStatus::Done);
    }
    show(&name, &reverse, &protected)?;
    confirm("Undo this?", args.yes, Unasked::Refuse)?;
    let why = format!("the run {} was undone by {}", args.run, by());
    let world = world(config, ledger)?;
    let undone = runtime()?.block_on(async {
        end_on_signals(world.shutdown.clone())?;
        Box::pin(pass::undo(&world, &subscription, reverse, why)).await.map_err(|error| Failure::from_error(&error))
    })?;
    world.outside.ledger.close();
    let Some(report) = undone else {
        return Err(Failure::new(format!(
            "{name} is being looked after by another process at this moment; nothing was done"
        ))
        .hint("try again when its run is over"));
    };
    let (assigned, unassigned) = (report.assigned, report.unassigned);
    print(&format!(
        "{name}: {} given back, {} taken back.\n",
        count(assigned, "licence", "licences"),
        count(unassigned, "licence", "licences")
    ))?;
    if let Some(stop) = &report.stopped {
        eprintln!("{name}: {stop}; what is missing was not done.");
    }
    Ok(match (&report.stopped, report.pending + report.quarantined + report.unknown) {
        (Some(_), _) => ExitStatus::Failed,
        (None, 0) => ExitStatus::Done,
        (None, _) => ExitStatus::Left,
    })
}

/// What is still as the run left it, turned round.
fn reverse_of(ledger: &Ledger, name: &str, run: RunId) -> Result<Reverse, Failure> {
    let (assigned, unassigned) = ledger.run_effects(run)?;
    let has_seat = |address: &Address| -> Result<bool, Failure> {
        let candidate = ledger.candidate(name, &[], address.identity())?;
        Ok(candidate.member.is_some_and(|member| member.has_seat))
    };
    let mut reverse = Reverse::default();
    for address in assigned {
        if has_seat(&address)? {
            reverse.take_back.push(address);
        }
    }
    for address in unassigned {
        if !has_seat(&address)? {
            reverse.give_back.push(address);
        }
    }
    Ok(reverse)
}

fn show(name: &str, reverse: &Reverse, protected: &[Address]) -> Result<(), Failure> {
    let mut output = Output::stdout();
    let stays = "left alone (`protect`)";
    for (addresses, sign, what) in [
        (&reverse.take_back[..], '-', "to take back"),
        (&reverse.give_back, '+', "to give back"),
        (protected, '=', stays),
    ] {
        if addresses.is_empty() {
            continue;
        }
        output.line(&format!("{name}: {} {what}:", count(addresses.len() as u64, "licence", "licences")))?;
        for address in addresses.iter().take(SHOWN_MAX) {
            output.line(&format!("  {sign} {address}"))?;
        }
        if addresses.len() > SHOWN_MAX {
            output.line(&format!("    and {} more", addresses.len() - SHOWN_MAX))?;
        }
    }
    output.flush()
}
