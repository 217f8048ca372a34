//! `rosterd report`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use serde::Serialize;

use super::context::{Context, read_ledger, unknown_name};
use super::failure::Failure;
use super::output::{print, print_json, style};
use crate::clock::{self, Timestamp};
use crate::config::Config;
use crate::exit::ExitStatus;
use crate::ledger::{Ledger, LedgerError};
use crate::report::billing::{Billed, Month, People, csv, file_name, must_have_begun, page, table};

/// A month for invoices: peak seats, seat-days, joiners and leavers of each subscription
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Peak seats: the most that were held at once. That a new address has its seat a moment before
            the old one of the same person gives it back makes none.
Seat-days:  the time for which seats were held, in days; a seat held for a whole day makes one.
Joiners:    people who had no seat when the month began and were given one in it.
Leavers:    people who had a seat in the month and have none at its end.

Each person counts once, and whose address changed is neither joiner nor leaver. Seats are those
that rosterd assigned or adopted. Days begin at midnight in the subscription's time zone.
Subscriptions that are not configured any more are there as long as they had seats in the month.

Examples:
  rosterd report --month 2026-10
  rosterd report --month 2026-10 --csv > october.csv
  rosterd report --month 2026-10 --html reports    a page for each client")]
pub(super) struct ReportArgs {
    /// Which month, as 2026-10
    #[arg(long, value_name = "MONTH")]
    pub(super) month: Month,
    /// Subscriptions [default: all]
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
    /// Print CSV
    #[arg(long)]
    pub(super) csv: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "csv")]
    pub(super) json: bool,
    /// Write one page for each subscription into this folder, with that subscription's figures alone
    #[arg(long, value_name = "DIR")]
    pub(super) html: Option<PathBuf>,
}

/// What `--json` says.
#[derive(Debug, Serialize)]
struct Report<'a> {
    month: Month,
    subscriptions: &'a [Billed],
}

pub(super) fn run(args: &ReportArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let config = context.config()?;
    let (ledger, month, now) = (read_ledger(&config)?, args.month, clock::now());
    let zones = zones(&config, &ledger.subscription_names()?, &args.names)?;
    must_have_begun(month, zones.values().copied(), now).map_err(Failure::usage)?;
    let billed = ledger.in_one_snapshot(|ledger| {
        let one = |(name, zone): (&String, &Tz)| billed(ledger, name, month, *zone, now);
        zones.iter().map(one).collect::<Result<Vec<_>, _>>()
    })?;
    let was_there = |one: &Billed| config.subscriptions.contains_key(&one.name) || args.names.contains(&one.name);
    let billed: Vec<Billed> = billed.into_iter().filter(|one| was_there(one) || one.peak_seats > 0).collect();
    if let Some(folder) = &args.html {
        write_pages(folder, month, &billed)?;
    }
    if args.json {
        print_json(&Report { month, subscriptions: &billed })?;
    } else if args.csv {
        print(&csv(month, &billed))?;
    } else if args.html.is_none() {
        print(&table(month, &billed, style()))?;
    }
    Ok(ExitStatus::Done)
}

/// The subscriptions that are asked for, each with its time zone. One that is not configured any more has that of all
/// others, where they have the same, else UTC.
fn zones(config: &Config, known: &[String], names: &[String]) -> Result<BTreeMap<String, Tz>, Failure> {
    let configured = config.subscriptions.values().map(|it| it.policy.timezone);
    let same = configured.clone().all(|zone| Some(zone) == configured.clone().next());
    let other = configured.clone().next().filter(|_| same).unwrap_or(Tz::UTC);
    let mut zones: BTreeMap<String, Tz> = known.iter().map(|name| (name.clone(), other)).collect();
    zones.extend(config.subscriptions.values().map(|it| (it.name.clone(), it.policy.timezone)));
    if let Some(name) = names.iter().find(|name| !zones.contains_key(*name)) {
        return Err(unknown_name(name, zones.keys().map(String::as_str)));
    }
    zones.retain(|name, _| names.is_empty() || names.contains(name));
    Ok(zones)
}

fn billed(ledger: &Ledger, name: &str, month: Month, zone: Tz, now: Timestamp) -> Result<Billed, LedgerError> {
    let (start, end) = (month.start(zone), month.end(zone));
    let mut people = People::new(start);
    ledger.for_each_seat_event(name, end, &mut |event| people.play(event))?;
    Ok(Billed::new(name, month, zone, &ledger.seats_held(name, start, end)?, &people.end(), now))
}

fn write_pages(folder: &Path, month: Month, billed: &[Billed]) -> Result<(), Failure> {
    let failed =
        |path: &Path, cause: std::io::Error| Failure::new(format!("{} can't be written: {cause}", path.display()));
    fs::create_dir_all(folder).map_err(|cause| failed(folder, cause))?;
    for one in billed {
        let path = folder.join(file_name(month, &one.name));
        fs::write(&path, page(month, one)).map_err(|cause| failed(&path, cause))?;
        eprintln!("{}", path.display());
    }
    Ok(())
}
