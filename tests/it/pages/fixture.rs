//! A fleet as it may stand after some months: written into a ledger's tables as it is, so that two thousand
//! subscriptions are there in seconds.
//!
//! Each subscription is leased to somebody else, so that a daemon that works on this ledger leaves it as it is.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use rosterd::address::Address;
use rosterd::ledger::Ledger;
use rosterd::ledger::listing::HoldInShort;
use rosterd::plan::{Hold, Removal};
use rosterd::roster::Reason;
use rosterd::source::Evidence;
use rusqlite::{Connection, Transaction, params};

const BRANDS: [&str; 20] = [
    "adatum",
    "alpine",
    "bellows",
    "best-for-you",
    "coho",
    "consolidated",
    "contoso",
    "fabrikam",
    "fourth-coffee",
    "graphic-design",
    "humongous",
    "lamna",
    "litware",
    "margies",
    "munson",
    "northwind",
    "proseware",
    "relecloud",
    "tailspin",
    "woodgrove",
];
const PLACES: [&str; 10] = ["berlin", "bern", "dublin", "graz", "leeds", "lyon", "malmo", "porto", "turin", "vienna"];
const FIRST: [&str; 12] =
    ["anna", "ben", "chiara", "deniz", "emil", "farah", "greta", "hugo", "ines", "jonas", "klara", "luis"];
const LAST: [&str; 9] = ["meier", "novak", "okafor", "petrov", "quist", "rossi", "santos", "tanaka", "umarov"];

/// What is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fleet {
    pub(crate) subscriptions: usize,
    /// In each of them.
    pub(crate) members: usize,
    pub(crate) now: DateTime<Utc>,
}

/// The name of the subscription with this number.
pub(crate) fn name(number: usize) -> String {
    let (brand, place) = (BRANDS[number % BRANDS.len()], PLACES[number / BRANDS.len() % PLACES.len()]);
    match number / (BRANDS.len() * PLACES.len()) {
        0 => format!("{brand}-{place}"),
        more => format!("{brand}-{place}-{}", more + 1),
    }
}

/// The address of the person with this number.
pub(crate) fn email(number: usize, of: &str) -> String {
    let (first, last) = (FIRST[number % FIRST.len()], LAST[number / FIRST.len() % LAST.len()]);
    match number / (FIRST.len() * LAST.len()) {
        0 => format!("{first}.{last}@{of}.example"),
        more => format!("{first}.{last}{more}@{of}.example"),
    }
}

/// Writes `rosterd.toml`, a key, folders and the ledger into a folder. `http` is put into `[http]`, `more` at the end.
pub(crate) fn write(folder: &Path, fleet: Fleet, http: &str, base_url: &str, more: &str) {
    fs::create_dir_all(folder.join("drops")).unwrap();
    fs::write(folder.join("the.key"), "0f5aa2f1-93c5-4b55-8d0a-7f3f6b0c1d2e").unwrap();
    fs::set_permissions(folder.join("the.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let mut text = format!(
        "[ledger]\nurl = \"sqlite:rosterd.db\"\n[http]\n{http}\n[licensing]\nbase_url = \"{base_url}\"\n\
         requests_per_second = 1000.0\nburst = 100\n[defaults]\nschedule = \"0 6 * * *\"\ntimezone = \"Europe/Berlin\"\n\
         [sources.hr]\nkind = \"csv\"\npath = \"drops\"\n[sources.branch-east]\nkind = \"csv\"\npath = \"gone\"\n"
    );
    for number in 0..fleet.subscriptions {
        let source = if number % 500 == 7 { "branch-east" } else { "hr" };
        let (name, id) = (name(number), uuid::Uuid::from_u128(number as u128 + 1));
        let kind = ["Paddle", "Azure", "Manual"][number % 3];
        let table = "api_key = { file = \"the.key\" }";
        writeln!(text, "[subscriptions.{name}]\ntype = \"{kind}\"\nid = \"{id}\"\n{table}\nsources = [\"{source}\"]")
            .unwrap();
    }
    text.push_str(more);
    fs::write(folder.join("rosterd.toml"), text).unwrap();
    let path = folder.join("rosterd.db");
    drop(Ledger::open(&path, fleet.now).unwrap());
    let mut connection = Connection::open(&path).unwrap();
    let transaction = connection.transaction().unwrap();
    for number in 0..fleet.subscriptions {
        subscription(&transaction, number, fleet);
    }
    let source = "INSERT INTO source (name, evidence, entries, accepted_at) VALUES ('hr', ?1, ?2, ?3)";
    let entries = fleet.subscriptions * fleet.members;
    let evidence = Evidence { file: Some("staff.csv".into()), rows: entries as u64, ..Evidence::default() };
    transaction
        .execute(
            source,
            params![serde_json::to_string(&evidence).unwrap(), int(entries), ms(fleet.now - TimeDelta::hours(5))],
        )
        .unwrap();
    transaction.commit().unwrap();
}

/// A subscription that grew for ninety days.
fn subscription(transaction: &Transaction<'_>, number: usize, fleet: Fleet) {
    let (id, name, now) = (number + 1, name(number), fleet.now);
    let is = |every: usize, at: usize| fleet.subscriptions == 1 || number % every == at;
    let waiting = if is(61, 3) { 4 } else { 0 };
    let set_aside = if is(83, 11) { 2 } else { 0 };
    let leaving = if is(97, 5) { 12.min(fleet.members / 2) } else { 0 };
    let held = fleet.members;
    let seats = if waiting > 0 { held } else { held + 3 + number % 40 };
    let refused = (number % 131 == 9 && fleet.subscriptions > 1)
        .then_some("the licensing server does not accept the API key (401): put the right one into the.key");
    let stopped = (leaving > 0).then(|| hold(&name, leaving));
    let values = params![
        int(id),
        name,
        int(seats),
        int(held),
        ms(now - TimeDelta::minutes(12)),
        refused,
        refused.map(|_| ms(now - TimeDelta::hours(3))),
        stopped.as_ref().map(|hold| serde_json::to_string(hold).unwrap()),
        stopped.as_ref().map(|hold| serde_json::to_string(&HoldInShort::of(hold)).unwrap()),
        stopped.as_ref().map(|_| ms(now - TimeDelta::hours(26))),
        refused.is_some(),
    ];
    let sql = "
        INSERT INTO subscription (id, name, seats_available, seats_assigned, seats_as_of, problem, problem_since, hold,
          hold_in_short, hold_since, key_rejected) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    transaction.execute(sql, values).unwrap();
    let lease = "INSERT INTO lease (subscription, owner, epoch, expires, term) VALUES (?1, 'somebody else', 1, ?2, ?3)";
    let long = TimeDelta::days(3000).num_milliseconds();
    transaction.execute(lease, params![name, ms(now) + long, long]).unwrap();
    people(transaction, id, &name, [held - leaving, leaving, waiting, set_aside], now);
    past(transaction, id, number, held, seats, now);
}

fn hold(name: &str, leaving: usize) -> Hold {
    let removal = |number| Removal {
        address: Address::parse(&email(number, name)).unwrap(),
        reason: Reason::Left,
        detail: "no longer in hr (staff.csv)".into(),
        then: None,
    };
    Hold {
        digest: "0123456789abcdef".into(),
        removals: (0..leaving).map(removal).collect(),
        reasons: vec![format!("{leaving} removals are more than 20% of the assigned (5 are always allowed)")],
        braked: false,
    }
}

/// Members: so many assigned, leaving, pending, quarantined.
fn people(transaction: &Transaction<'_>, id: usize, name: &str, groups: [usize; 4], now: DateTime<Utc>) {
    let sql = "
        INSERT INTO member (subscription_id, identity, state, since, reason, priority, has_seat, waiting_since, refused)
        VALUES (?1, ?2, ?3, ?4, ?5, 100, ?6, ?7, ?8)";
    let mut insert = transaction.prepare_cached(sql).unwrap();
    let [assigned, leaving, waiting, set_aside] = groups;
    let all = assigned + leaving + waiting + set_aside;
    let mut tally = [("leaving", 0), ("assigned", 0), ("pending", 0), ("quarantined", 0)];
    for number in 0..all {
        let group =
            [leaving, leaving + assigned, leaving + assigned + waiting].iter().filter(|end| number >= **end).count();
        let reason =
            ["no longer in hr (staff.csv)", "hr: staff.csv line 7", "no seat is free", "the domain does not exist"];
        let since = ms(now - TimeDelta::hours(int(number % 2000 + 2)));
        let waits = (group == 2).then_some(since);
        tally[group].1 += 1;
        let state = tally[group].0;
        let values = params![int(id), email(number, name), state, since, reason[group], group < 2, waits, group == 3];
        insert.execute(values).unwrap();
    }
    let count = "INSERT INTO member_count (subscription_id, state, has_seat, members) VALUES (?1, ?2, ?3, ?4)";
    for (group, (state, n)) in tally.iter().enumerate().filter(|(_, (_, n))| *n > 0) {
        transaction.prepare_cached(count).unwrap().execute(params![int(id), state, group < 2, n]).unwrap();
    }
}

fn past(transaction: &Transaction<'_>, id: usize, number: usize, held: usize, seats: usize, now: DateTime<Utc>) {
    let days = 90;
    let (per_day, bought) = ([2, 1, 0, 3, 5][number % 5], 30 + number % 40);
    let insert = |sql: &str, at: i64, value: usize| {
        transaction.prepare_cached(sql).unwrap().execute(params![int(id), at, int(value)]).unwrap();
    };
    for day in 0..days {
        let before = (days - day) * per_day / 5 + (day * 7 + number) % 3;
        let at = ms(now - TimeDelta::days(i64::try_from(days - day).unwrap()));
        insert("INSERT INTO seats_held VALUES (?1, ?2, ?3)", at, held.saturating_sub(before));
    }
    insert("INSERT INTO seats_held VALUES (?1, ?2, ?3)", ms(now - TimeDelta::hours(5)), held);
    let begin = ms(now - TimeDelta::days(91));
    insert("INSERT INTO seats_available VALUES (?1, ?2, ?3)", begin, seats.saturating_sub(10));
    insert(
        "INSERT INTO seats_available VALUES (?1, ?2, ?3)",
        ms(now - TimeDelta::days(i64::try_from(bought).unwrap())),
        seats,
    );
    let run = "
        INSERT INTO run (id, subscription_id, started_at, finished_at, cause, outcome, requests, assigned, unassigned)
        VALUES (?1, ?2, ?3, ?4, 'schedule', ?5, ?6, ?7, ?8)";
    for back in (0..3).rev() {
        let at = now - TimeDelta::hours(back * 24 + 2);
        let run_id =
            uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, u64::try_from(at.timestamp()).unwrap(), 0));
        let outcome = if back == 1 { "incomplete" } else { "converged" };
        let values =
            params![run_id.into_bytes(), int(id), ms(at), ms(at) + 900, outcome, 2, int(1 + per_day), back % 2];
        transaction.prepare_cached(run).unwrap().execute(values).unwrap();
    }
    let line = "
        INSERT INTO history (at, subscription_id, event, identity, detail, seat, counts) VALUES (?1, ?2, ?3, ?4, ?5, 0, 0)";
    let name = name(number);
    for (hours, event, whom, detail) in [
        (91 * 24, "seats-changed", None, format!("{} seats", seats.saturating_sub(10))),
        (27, "seats-changed", None, format!("{} seats, now {seats}", seats.saturating_sub(10))),
        (26, "assigned", Some(email(3, &name)), "hr: staff.csv line 4".to_owned()),
        (2, "assigned", Some(email(8, &name)), "hr: staff.csv line 9".to_owned()),
    ] {
        let at = ms(now - TimeDelta::hours(hours));
        transaction.prepare_cached(line).unwrap().execute(params![at, int(id), event, whom, detail]).unwrap();
    }
}

/// As SQLite has numbers.
fn int(number: usize) -> i64 {
    i64::try_from(number).unwrap()
}

fn ms(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}
