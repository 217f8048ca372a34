//! The verbs that read, on a real ledger.

use std::ops::ControlFlow;

use super::*;
use crate::address::Address;
use crate::clock::Timestamp;
use crate::config::{Config, load_str};
use crate::facts;
use crate::ledger::{Ledger, Owner};
use crate::report::explain::explain as explained;
use crate::report::members::MemberLine;
use crate::report::text::Style;
use crate::roster::When;

fn at(text: &str) -> Timestamp {
    When::parse(text).unwrap().about()
}

const NOW: &str = "2026-11-23T08:00:00Z";

fn config(folder: &std::path::Path) -> Config {
    let text = r#"
        [subscriptions.contoso]
        type = "Paddle"
        id = "ff3d3cf5-5388-40a0-915f-970c1d2d972f"
        api_key = { file = "contoso.key" }
        sources = ["hr"]
        [sources.hr]
        kind = "csv"
        path = "drops/hr"
    "#;
    std::fs::create_dir_all(folder.join("drops/hr")).unwrap();
    load_str(&folder.join("rosterd.toml"), text).unwrap()
}

/// A ledger in which contoso has adopted Jane.
fn ledger(config: &Config) -> Ledger {
    let mut ledger = context::make_ledger(config, at(NOW)).unwrap();
    let term = std::time::Duration::from_mins(1);
    let lease = ledger.acquire("contoso", &Owner::this_process(), term, at(NOW)).unwrap().unwrap();
    let jane = Address::parse("Jane@contoso.com").unwrap();
    assert_eq!(ledger.adopt(&lease, &[jane], "ann", at(NOW)).unwrap(), 1);
    ledger.release(lease).unwrap();
    ledger
}

#[test]
fn a_status_is_gathered() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let ledger = ledger(&config);
    let subscriptions = context::subscriptions(&config, &[]).unwrap();
    let status = facts::status(&config, &subscriptions, &ledger, at(NOW)).unwrap();
    assert_eq!(status.subscriptions[0].members.assigned, 1);
    assert!(!status.is_left());
}

#[test]
fn an_explanation_is_gathered() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let ledger = ledger(&config);
    let told = |address: &str| {
        let input = facts::explained(address, &config, &ledger, at(NOW)).unwrap();
        explained(&input).render(Style::PLAIN)
    };
    let jane = told("jane@contoso.com");
    assert!(jane.contains("contoso: has a licence, since 2026-11-23 08:00 UTC (just now)."), "{jane}");
    assert!(jane.contains("contoso  adopted  Jane@contoso.com  by ann"), "{jane}");
    let stranger = told("jnae@contoso.com");
    assert!(stranger.contains("Did you mean jane@contoso.com?"), "{stranger}");
    assert!(stranger.contains("add them to hr ("), "{stranger}");
}

#[test]
fn only_members_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&config(folder.path()));
    let is_member = |address: &str| forget::must_be_member(&ledger, "contoso", &Address::parse(address).unwrap());
    assert!(is_member("JANE@contoso.com").is_ok());
    let failure = is_member("jane@fabrikam.com").unwrap_err();
    assert_eq!(failure.status, ExitStatus::Usage);
    assert!(format!("{failure:?}").contains("did you mean jane@contoso.com?"), "{failure:?}");
}

#[test]
fn without_a_ledger_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    assert!(context::read_ledger(&config).is_err());
    assert!(context::write_ledger(&config, at(NOW)).is_err());
    assert!(!folder.path().join("rosterd.db").exists());
}

#[test]
fn members_of_several_batches_are_listed_with_their_origins() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let mut ledger = ledger(&config);
    let addresses: Vec<Address> = (0..1200).map(|i| Address::parse(&format!("p{i}@contoso.com")).unwrap()).collect();
    let term = std::time::Duration::from_mins(1);
    let lease = ledger.acquire("contoso", &Owner::this_process(), term, at(NOW)).unwrap().unwrap();
    ledger.adopt(&lease, &addresses, "ann", at(NOW)).unwrap();
    ledger.release(lease).unwrap();
    let entry = crate::roster::Entry {
        address: addresses[7].clone(),
        stable_id: None,
        route: None,
        priority: 100,
        starts: None,
        ends: None,
        origin: "staff.csv line 7".into(),
    };
    let acceptance = crate::ledger::Acceptance {
        source: "hr".into(),
        scope: String::new(),
        subscriptions: vec!["contoso".into()],
        changes: vec![crate::roster::change::Change::Added(entry)],
        base: None,
        fingerprint: crate::roster::Fingerprint::default(),
        entries: 1,
        bad_rows: vec![],
        evidence: crate::source::Evidence::default(),
        delta: None,
    };
    ledger.accept(&acceptance, at(NOW)).unwrap();
    drop(ledger);

    let open = || context::read_ledger(&config).unwrap();
    let reader = members::Reader { members: open(), rosters: open() };
    let mut lines = Vec::new();
    let mut gather = |batch: &[MemberLine]| {
        lines.extend_from_slice(batch);
        Ok(ControlFlow::Continue(()))
    };
    reader.for_each_batch(&config.subscriptions["contoso"], None, &mut gather).unwrap();
    assert_eq!(lines.len(), 1201);
    let named: Vec<_> = lines.iter().filter(|line| !line.origins.is_empty()).collect();
    assert_eq!((named.len(), named[0].address.identity()), (1, "p7@contoso.com"));
    assert_eq!(named[0].origins, ["hr: staff.csv line 7"]);
}
