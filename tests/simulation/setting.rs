//! What a life is set in: the server's dialect, the configuration, and what a source gives to read.

use std::fmt::Write as _;
use std::path::Path;

use rosterd::address::Address;
use rosterd::config::{self, Config};
use rosterd::ledger::Ledger;
use rosterd::roster::{Entry, Hasher, When};
use rosterd::sandbox::dialect::{AlreadyAssigned, Case, Dialect, Errors, NoSeats, Partial, StatsOn402};
use rosterd::source::{Delta, Edit, Evidence, Incomplete, Reading, Snapshot};

use crate::host::{id, name};
use crate::rules::Mistake;
use crate::script::{CLIENTS, How, SOURCES, Setting};
use crate::truth::{Listing, Truth, has_id};

pub(crate) fn dialect(bits: u8) -> Dialect {
    let flag = |place: u8| bits & (1 << place) != 0;
    let partial = |place: u8| if flag(place) { Partial::ApplyRest } else { Partial::RefuseAll };
    Dialect {
        already_assigned: if flag(0) { AlreadyAssigned::Error } else { AlreadyAssigned::Ok },
        bad_address: partial(1),
        not_assigned: partial(2),
        no_seats: if flag(3) { NoSeats::Fill } else { NoSeats::RefuseAll },
        errors: if flag(4) { Errors::Anonymous } else { Errors::Named },
        case: if flag(5) { Case::Sensitive } else { Case::Insensitive },
        stats_on_402: if flag(6) { StatsOn402::Yes } else { StatsOn402::No },
    }
}

pub(crate) fn configuration(setting: &Setting, mistake: Option<Mistake>) -> Config {
    let (run, day) = setting.max_removals;
    let guard = if mistake == Some(Mistake::NoGuard) {
        "max_removals = \"100%\"\nmax_removals_per_day = \"100%\"\nalways_allow = 1000".to_owned()
    } else {
        let always = setting.always_allow;
        format!("max_removals = \"{run}%\"\nmax_removals_per_day = \"{day}%\"\nalways_allow = {always}")
    };
    let batch_size = if mistake == Some(Mistake::Singly) { 1 } else { setting.batch_size };
    let exclude = if setting.exclude { "exclude = [\"p3.*\"]\n" } else { "" };
    let reassert = if setting.reassert { "reassert = \"1h\"\n" } else { "" };
    let protect = if setting.protect { "protect = [\"p4.*\"]\n" } else { "" };
    let mut text = format!(
        "[ledger]\nurl = \"sqlite:none.db\"\n[licensing]\nbase_url = \"http://127.0.0.1:1\"\n\
         requests_per_second = 10000.0\nburst = 1000\n\
         [defaults]\nbatch_size = {batch_size}\nremoval_grace = \"{}s\"\n{exclude}{protect}{reassert}[defaults.guard]\n{guard}\nhold_after_change = {}\n",
        setting.grace,
        setting.hold_after_change && mistake != Some(Mistake::ChangeBelieved)
    );
    if setting.brake && mistake != Some(Mistake::NoBrake) {
        text.push_str("[brake]\nshare = \"34%\"\nat_least = 2\n");
    }
    for client in (0..CLIENTS).filter(|client| setting.left_out != Some(*client)) {
        let sources: Vec<String> = setting.sources[client].iter().map(|source| format!("\"s{source}\"")).collect();
        write!(
            text,
            "[subscriptions.c{client}]\ntype = \"Manual\"\nid = \"{}\"\napi_key = {{ env = \"NONE\" }}\nsources = [{}]\n",
            id(client),
            sources.join(", ")
        )
        .unwrap();
    }
    for source in 0..SOURCES {
        let mode = if setting.delta && source == 0 { "mode = \"delta\"\n" } else { "" };
        write!(text, "[sources.s{source}]\nkind = \"csv\"\npath = \"drops/{source}\"\n{mode}").unwrap();
    }
    config::load_str(Path::new("simulation.toml"), &text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What a source says now.
pub(crate) fn entries(truth: &Truth, source: usize, mistake: Option<Mistake>) -> Vec<Entry> {
    let mut listed: Vec<Listing> = truth.listed[source].values().cloned().collect();
    let is_known = |listing: &Listing| truth.accepted[source].contains_key(&listing.email().to_lowercase());
    let dropped = match mistake {
        Some(Mistake::EntryDropped) => listed.iter().position(|listing| !is_known(listing)),
        Some(Mistake::DesiredTaken) => listed.iter().position(is_known),
        _ => None,
    };
    if let Some(dropped) = dropped {
        listed.remove(dropped);
    }
    if mistake == Some(Mistake::WorstFirst) {
        for listing in &mut listed {
            listing.priority = -listing.priority;
        }
    }
    let mut entries: Vec<Entry> = listed.iter().map(entry).collect();
    if mistake == Some(Mistake::IdDropped) {
        for entry in &mut entries {
            entry.stable_id = None;
        }
    }
    entries
}

pub(crate) fn entries_of(truth: &Truth, source: usize, count: usize) -> Vec<Entry> {
    truth.listed[source].values().take(count).map(entry).collect()
}

pub(crate) fn entry(listing: &Listing) -> Entry {
    // A fifth of the people have nothing that names them but the address.
    let stable_id = has_id(&listing.email()).then(|| format!("id{}", listing.person).into());
    Entry {
        address: Address::parse(&listing.email()).unwrap(),
        stable_id,
        route: listing.only.map(|client| name(client).into()),
        priority: listing.priority,
        starts: listing.starts.map(When::At),
        ends: listing.ends.map(When::At),
        origin: "a list".into(),
    }
}

pub(crate) fn reading(entries: &[Entry], how: How, hasher: &Hasher) -> Reading {
    match how {
        How::Whole => Reading::Complete(Snapshot::of(entries.to_vec(), hasher)),
        How::Broken(_) => Reading::Incomplete(Incomplete::passing("The list broke off.")),
        How::Empty => Reading::Complete(Snapshot::of(Vec::new(), hasher)),
    }
}

/// What a source that gives edits says now, where it has any.
pub(crate) fn edits(truth: &Truth, source: usize, how: How) -> Reading {
    let (before, now) = (&truth.accepted[source], &truth.listed[source]);
    let keeps_id = |old: &Listing| {
        let renamed = |new: &Listing| new.version != old.version && new.only == old.only;
        has_id(&old.email()) && now.get(&old.person).is_some_and(renamed)
    };
    let gone = before.values().filter(|old| {
        // Whose id comes with another address is renamed by that.
        now.get(&old.person).is_none_or(|new| (new.version, new.only) != (old.version, old.only)) && !keeps_id(old)
    });
    let come = now.values().filter(|new| before.get(&new.email().to_lowercase()) != Some(new));
    let edits: Vec<Edit> =
        gone.map(|old| Edit::Remove(entry(old))).chain(come.map(|new| Edit::Add(entry(new)))).collect();
    match how {
        How::Broken(_) => Reading::Incomplete(Incomplete::passing("The list broke off.")),
        How::Whole if !edits.is_empty() => {
            Reading::Delta(Delta { edits, bad_rows: Vec::new(), evidence: Evidence::default() })
        }
        How::Whole | How::Empty => Reading::Nothing,
    }
}

/// The stored roster of a source, as it is compared.
pub(crate) fn rows(ledger: &Ledger, source: usize) -> Vec<(rosterd::roster::EntryKey, u64)> {
    let mut rows = Vec::new();
    let all = rosterd::roster::Parts::all();
    ledger.for_each_row(&format!("s{source}"), &all, &mut |key, content| rows.push((key, content))).unwrap();
    rows
}
