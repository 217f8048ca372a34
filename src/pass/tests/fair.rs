//! Passes of several subscriptions at once, through one pacer, in a world of their own.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::super::*;
use crate::address::Address;
use crate::clock;
use crate::config::{SecretError, load_str};
use crate::dispatch::machine::Request;
use crate::ledger::{Acceptance, Ledger};
use crate::licensing::wire::Answer;
use crate::roster::change::Change;
use crate::roster::{Entry, Fingerprint, Reason};
use crate::source::Evidence;

/// A server that does everything and takes its time, and a ledger whose work is done at once. Keeps who waited and who
/// was served, in order.
struct Stage {
    ledger: Mutex<Ledger>,
    log: Mutex<Vec<String>>,
    /// Told of each request.
    sent: Notify,
}

const LATENCY: Duration = Duration::from_millis(30);
/// By the clock of the test, which stands still while there is work.
const PATIENCE: Duration = Duration::from_mins(1);

impl Stage {
    fn served(&self) -> usize {
        self.log.lock().unwrap().iter().filter(|line| line.contains("PUT")).count()
    }

    fn work<T>(&self, work: impl FnOnce(&mut Ledger, Timestamp) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        let mut ledger = self.ledger.lock().unwrap();
        let worked = work(&mut ledger, clock::now());
        let mut log = self.log.lock().unwrap();
        let waits = "leaver waits".to_owned();
        if !log.contains(&waits) && !ledger.open_intents("small").unwrap().is_empty() {
            log.push(waits);
        }
        worked
    }
}

impl Outside for Arc<Stage> {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn on_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger, Timestamp) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.work(work)
    }

    fn blocking_on_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger, Timestamp) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.work(work)
    }

    fn key(&self, _: &Subscription) -> Result<SecretString, SecretError> {
        Ok(SecretString::from("5c3d4b1a-0000-4000-8000-000000000001".to_owned()))
    }

    async fn send(&self, subscription: &Subscription, _: &SecretString, request: &Request) -> Answer {
        let line = format!("{} {}", subscription.name, request.operation.method());
        self.log.lock().unwrap().push(line);
        self.sent.notify_one();
        sleep(LATENCY).await;
        Answer::Done { stats: None }
    }
}

/// Several large subscriptions and a small one, each with a source of its own name.
fn world(folder: &std::path::Path, large: usize) -> World<Arc<Stage>> {
    let mut text = "[licensing]\nrequests_per_second = 25.0\nburst = 1\nconcurrency = 2\n".to_owned();
    let names = (0..large).map(|number| format!("large{number}")).chain(["small".to_owned()]);
    for (number, name) in names.enumerate() {
        write!(
            text,
            "[sources.{name}]\nkind = \"csv\"\npath = \"{name}\"\n\
             [subscriptions.{name}]\ntype = \"Manual\"\nid = \"00000000-0000-4000-8000-{number:012}\"\n\
             api_key = {{ file = \"{name}.key\" }}\nsources = [\"{name}\"]\nbatch_size = 10\n"
        )
        .unwrap();
    }
    let config = load_str(&folder.join("rosterd.toml"), &text).unwrap();
    let ledger = Mutex::new(Ledger::open(&folder.join("rosterd.db"), clock::now()).unwrap());
    World {
        pacer: Arc::new(Pacer::new(&config.licensing)),
        config: Arc::new(config),
        outside: Arc::new(Stage { ledger, log: Mutex::default(), sent: Notify::new() }),
        owner: Owner::this_process(),
        looks: Arc::new(Semaphore::new(LOOKS_MAX)),
        shutdown: CancellationToken::new(),
    }
}

fn entry(name: &str, number: usize) -> Entry {
    Entry {
        address: Address::parse(&format!("p{number}@{name}.example")).unwrap(),
        stable_id: None,
        route: None,
        priority: 100,
        starts: None,
        ends: None,
        origin: format!("staff.csv line {number}").into(),
    }
}

fn accept(world: &World<Arc<Stage>>, name: &str, changes: Vec<Change>) {
    let acceptance = Acceptance {
        source: name.to_owned(),
        scope: String::new(),
        subscriptions: vec![name.to_owned()],
        entries: changes.len() as u64,
        changes,
        base: None,
        fingerprint: Fingerprint::default(),
        bad_rows: Vec::new(),
        evidence: Evidence::default(),
        delta: None,
    };
    world.outside.ledger.lock().unwrap().accept(&acceptance, clock::now()).unwrap();
}

async fn pass_of(world: &World<Arc<Stage>>, name: &str) -> Passed {
    pass(world, &world.config.subscriptions[name], Trigger::Roster, false).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn first_runs_of_many_people_delay_a_leaver_elsewhere_by_the_request_that_is_going_out() {
    const LARGE: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path(), LARGE);
    accept(&world, "small", (0..3).map(|number| Change::Added(entry("small", number))).collect());
    pass_of(&world, "small").await;
    world.outside.log.lock().unwrap().clear();

    let mut runs = Vec::new();
    for name in (0..LARGE).map(|number| format!("large{number}")) {
        accept(&world, &name, (0..1000).map(|number| Change::Added(entry(&name, number))).collect());
        let world = world.clone();
        runs.push(tokio::spawn(async move { pass_of(&world, &name).await }));
    }
    let all_are_served = async {
        while world.outside.served() < 2 * LARGE {
            world.outside.sent.notified().await;
        }
    };
    timeout(PATIENCE, all_are_served).await.unwrap();
    let leaver = Change::Removed { entry: entry("small", 0), reason: Reason::Left, renamed_to: None };
    accept(&world, "small", vec![leaver]);
    let Passed::Ran { report, .. } = pass_of(&world, "small").await else { panic!("a leaver is to be removed") };
    assert_eq!(report.unassigned, 1);
    world.shutdown.cancel();
    for run in runs {
        run.await.unwrap();
    }

    let log = world.outside.log.lock().unwrap();
    let place = |wanted: &str| log.iter().position(|line| line == wanted).unwrap();
    let between = place("small DELETE") - place("leaver waits") - 1;
    assert!(between <= 1, "{between} requests went first: {log:#?}");
    // All of the large ones have been served, in turn.
    let served = |name: String| log[..2 * LARGE].iter().filter(|line| line.starts_with(&name)).count();
    assert!((0..LARGE).all(|number| served(format!("large{number} ")) >= 1), "{log:#?}");
}
