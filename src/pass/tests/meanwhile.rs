//! Looks while another process takes in rosters of the same ledger.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use secrecy::SecretString;

use super::super::*;
use crate::address::Address;
use crate::clock;
use crate::config::{SecretError, load_str};
use crate::dispatch::machine::Request;
use crate::intake::{Intake, take_reading};
use crate::ledger::{Acceptance, Ledger};
use crate::licensing::wire::Answer;
use crate::roster::change::Change;
use crate::roster::{Entry, Fingerprint, Reason};
use crate::source::{BadRow, Evidence, Reading, Snapshot};

fn config(folder: &Path) -> Config {
    let text = r#"
        [subscriptions.contoso]
        type = "Manual"
        id = "ff3d3cf5-5388-40a0-915f-970c1d2d972f"
        api_key = { file = "contoso.key" }
        sources = ["hr"]
        [sources.hr]
        kind = "csv"
        path = "drops"
    "#;
    load_str(&folder.join("rosterd.toml"), text).unwrap()
}

fn entry(number: usize) -> Entry {
    Entry {
        address: Address::parse(&format!("p{number}@contoso.com")).unwrap(),
        stable_id: None,
        route: None,
        priority: 100,
        starts: None,
        ends: None,
        origin: format!("staff.csv line {number}").into(),
    }
}

fn accept(ledger: &mut Ledger, changes: Vec<Change>, bad_rows: Vec<BadRow>) {
    let acceptance = Acceptance {
        source: "hr".into(),
        scope: String::new(),
        subscriptions: vec!["contoso".into()],
        changes,
        base: None,
        fingerprint: Fingerprint::default(),
        entries: 10,
        bad_rows,
        evidence: Evidence::default(),
        delta: None,
    };
    ledger.accept(&acceptance, clock::now()).unwrap();
}

/// One file in turn has a row that may be anybody's in place of a person's, the other is right.
#[test]
fn nobody_whose_row_was_mended_loses_a_seat_to_a_look_that_saw_half_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let path = folder.path().join("rosterd.db");
    let mut writer = Ledger::open(&path, clock::now()).unwrap();
    accept(&mut writer, (0..10).map(|number| Change::Added(entry(number))).collect(), Vec::new());
    let term = Duration::from_mins(1);
    let lease = writer.acquire("contoso", &Owner::this_process(), term, clock::now()).unwrap().unwrap();
    let people: Vec<Address> = (0..10).map(|number| entry(number).address).collect();
    writer.adopt(&lease, &people, "ann", clock::now()).unwrap();

    let files = std::thread::spawn(move || {
        for _ in 0..200 {
            let nobodys = BadRow {
                origin: "staff.csv line 2".into(),
                reason: "it has no address".into(),
                stable_id: None,
                address: None,
            };
            let gone = Change::Removed { entry: entry(0), reason: Reason::Left, renamed_to: None };
            accept(&mut writer, vec![gone], vec![nobodys]);
            accept(&mut writer, vec![Change::Added(entry(0))], Vec::new());
        }
    });
    let reader = Ledger::open_readonly(&path).unwrap();
    let (mut looks, mut held) = (0, 0);
    while !files.is_finished() {
        let seen = look_at(&reader, &config, &config.subscriptions["contoso"], false, clock::now()).unwrap();
        assert_eq!(seen.plan.unassign, [], "look {looks}");
        looks += 1;
        held += u32::from(seen.plan.hold.is_some());
    }
    files.join().unwrap();
    assert!(0 < held && held < looks, "{held} of {looks} looks saw the row that is nobody's");
}

/// Two processes on one ledger: before the call of this number another one takes in a newer roster.
struct Overtaken {
    ledger: Mutex<Ledger>,
    calls: AtomicUsize,
    before: usize,
    newer: Mutex<Option<Reading>>,
    config: Arc<Config>,
}

impl Outside for Overtaken {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn on_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger, Timestamp) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.blocking_on_ledger(work)
    }

    fn blocking_on_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger, Timestamp) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        if self.calls.fetch_add(1, Ordering::Relaxed) + 1 == self.before
            && let Some(newer) = self.newer.lock().unwrap().take()
        {
            take_reading(&self.config, self, &self.config.sources["hr"], newer).unwrap();
        }
        work(&mut self.ledger.lock().unwrap(), clock::now())
    }

    fn key(&self, _: &Subscription) -> Result<SecretString, SecretError> {
        unreachable!("nothing is sent")
    }

    async fn send(&self, _: &Subscription, _: &SecretString, _: &Request) -> Answer {
        unreachable!("nothing is sent")
    }
}

#[test]
fn a_file_that_was_read_before_a_newer_one_was_taken_in_elsewhere_does_not_undo_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = Arc::new(config(folder.path()));
    for (before, older) in [(2, 4), (3, 4), (2, 5)] {
        let ledger = Ledger::scratch(&folder.path().join("none.db")).unwrap();
        let hasher = ledger.hasher().clone();
        let roster = |people: usize| Reading::Complete(Snapshot::of((0..people).map(entry).collect(), &hasher));
        let outside = Overtaken {
            ledger: Mutex::new(ledger),
            calls: AtomicUsize::new(0),
            before: 0,
            newer: Mutex::new(Some(roster(8))),
            config: Arc::clone(&config),
        };
        let take = |outside: &Overtaken, people| {
            take_reading(&config, outside, &config.sources["hr"], roster(people)).unwrap()
        };
        assert_eq!(take(&outside, 5), Intake::Accepted { changes: 5 });
        let outside = Overtaken { calls: AtomicUsize::new(0), before, ..outside };
        let taken = take(&outside, older);
        assert!(matches!(taken, Intake::Settling(_)), "{older} people, before call {before}: {taken:?}");
        let record = outside.ledger.lock().unwrap().source("hr").unwrap().unwrap();
        assert_eq!(record.entries, 8);
        assert_eq!(take(&outside, 7), Intake::Accepted { changes: 1 }, "what is read from now on counts");
    }
}

#[test]
fn a_large_roster_is_compared_where_it_differs_and_never_undoes_one_that_came_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let config = Arc::new(config(folder.path()));
    let ledger = Ledger::scratch(&folder.path().join("none.db")).unwrap();
    let hasher = ledger.hasher().clone();
    let roster = |people: std::ops::Range<usize>| Reading::Complete(Snapshot::of(people.map(entry).collect(), &hasher));
    let mut outside = Overtaken {
        ledger: Mutex::new(ledger),
        calls: AtomicUsize::new(0),
        before: 0,
        newer: Mutex::new(None),
        config: Arc::clone(&config),
    };
    let take =
        |outside: &Overtaken, people| take_reading(&config, outside, &config.sources["hr"], roster(people)).unwrap();
    assert_eq!(take(&outside, 0..17_000), Intake::Accepted { changes: 17_000 });
    assert_eq!(take(&outside, 2..17_003), Intake::Accepted { changes: 5 });
    for before in [2, 3] {
        let (calls, newer) = (AtomicUsize::new(0), Mutex::new(Some(roster(7..17_003))));
        outside = Overtaken { calls, before, newer, ..outside };
        let taken = take(&outside, 1..17_003);
        assert!(matches!(taken, Intake::Settling(_)), "before call {before}: {taken:?}");
        assert_eq!(take(&outside, 2..17_003), Intake::Accepted { changes: 5 }, "what is read from now on counts");
    }
}
