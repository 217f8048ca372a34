//! `rosterd adopt`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::act::{Unasked, by, confirm, with_lease};
use super::context::{Context, make_ledger, subscription};
use super::failure::Failure;
use crate::address::Address;
use crate::clock;
use crate::config;
use crate::exit::ExitStatus;
use crate::report::text::{count, plain};
use crate::roster::Hasher;
use crate::source::csv::{Settings, read_snapshot};
use crate::source::{BadRow, Incomplete};

/// How many bad rows are shown; the others are counted.
const BAD_ROWS_SHOWN_MAX: usize = 20;

/// Take over assignments that exist already, from a CSV, so that they are managed from now on; asks on a terminal
///
/// No call is made. Whom no roster names is planned to be removed at the next run, within the guards.
#[derive(Debug, clap::Args)]
pub(super) struct AdoptArgs {
    /// The subscription
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// A CSV with a header and a column of e-mail addresses
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
}

pub(super) fn run(args: &AdoptArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let config = context.config()?;
    subscription(&config, &args.name)?;
    let mut ledger = make_ledger(&config, clock::now())?;
    let addresses = read(&args.file, ledger.hasher())?;
    let assignments = count(addresses.len() as u64, "assignment", "assignments");
    confirm(&format!("Take over {assignments} of {}?", args.name), false, Unasked::GoOn)?;
    let n =
        with_lease(&mut ledger, &args.name, |ledger, lease, now| Ok(ledger.adopt(lease, &addresses, &by(), now)?))?;
    let before = addresses.len() as u64 - n;
    eprintln!("{}: {} adopted.", args.name, count(n, "assignment is", "assignments are"));
    if before > 0 {
        eprintln!("{} rosterd's before.", count(before, "was", "were"));
    }
    Ok(ExitStatus::Done)
}

/// The addresses of a CSV, all of them or none.
fn read(path: &Path, hasher: &Hasher) -> Result<Vec<Address>, Failure> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| Failure::new(format!("{name} can't be read: {error}")))?;
    let config = how_to_read(path);
    let settings = Settings { config: &config, hasher, known: None, is_route: &|_| true };
    let refused = |refused: Incomplete| refusal(&refused.reason, &refused.bad_rows);
    let mut snapshot = read_snapshot(file, &name, settings).map_err(refused)?;
    if !snapshot.bad_rows.is_empty() {
        return Err(refusal(&format!("{name} has rows that can't be used; nothing was done"), &snapshot.bad_rows));
    }
    let entries = snapshot.entries.fetch(&snapshot.rows).map_err(refused)?;
    Ok(entries.into_iter().map(|entry| entry.address).collect())
}

fn refusal(reason: &str, bad_rows: &[BadRow]) -> Failure {
    let shown = bad_rows.iter().take(BAD_ROWS_SHOWN_MAX);
    let mut lines = vec![reason.to_owned()];
    lines.extend(shown.map(|BadRow { origin, reason, .. }| format!("  {origin}: {}", plain(reason))));
    let more = bad_rows.len().saturating_sub(BAD_ROWS_SHOWN_MAX) as u64;
    if more > 0 {
        lines.push(format!("  and {}", count(more, "other", "others")));
    }
    Failure::new(lines.join("\n"))
}

/// As a source with every default reads a file, but that no bad row is put up with.
fn how_to_read(path: &Path) -> config::Csv {
    config::Csv {
        path: path.to_owned(),
        pattern: "*".to_owned(),
        mode: config::Mode::Snapshot,
        settle: Duration::ZERO,
        watch: config::Watch::Poll,
        poll_interval: Duration::ZERO,
        after: config::After::Leave,
        max_bad_rows: config::Limit::Count(0),
        encoding: config::Encoding::Auto,
        delimiter: None,
        columns: config::Columns::default(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read_text(text: &str) -> Result<Vec<Address>, Failure> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        read(file.path(), &Hasher::new([7; 16]))
    }

    #[test]
    fn addresses_keep_the_spelling_in_which_they_were_assigned() {
        let addresses = read_text("name;mail\nJane;Jane@Contoso.com\nBob;bob@contoso.com\n").unwrap();
        let mut spellings: Vec<&str> = addresses.iter().map(Address::spelling).collect();
        spellings.sort_unstable();
        assert_eq!(spellings, ["Jane@Contoso.com", "bob@contoso.com"]);
    }

    #[test]
    fn a_bad_row_stops_all() {
        let failure = format!("{:?}", read_text("mail\njane@contoso.com\nbob\n").unwrap_err());
        assert!(failure.contains("line 3") && failure.contains("nothing was done"), "{failure}");
    }

    #[test]
    fn a_file_without_addresses_is_refused() {
        assert!(read_text("name\nJane\n").is_err());
        assert!(read(Path::new("/does/not/exist.csv"), &Hasher::new([7; 16])).is_err());
    }
}
