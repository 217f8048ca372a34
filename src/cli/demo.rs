//! `rosterd demo`: the main job, whole, on nothing but this binary.
//!
//! A licensing server, a drop folder, a configuration and a ledger in a temporary folder, and the very daemon that `run`
//! runs. What happens is told as it happens; each step waits for what it names, and fails if that does not come.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::context::{Context, runtime, world};
use super::failure::Failure;
use super::output::{print, style};
use super::run::end_on_signals;
use crate::clock::{self, Stopwatch};
use crate::config::SubscriptionType;
use crate::daemon;
use crate::exit::ExitStatus;
use crate::facts;
use crate::ledger::{Ledger, MemberState};
use crate::pass::World;
use crate::sandbox::{Options, Sandbox, Subscription, serve};
use crate::web;

/// The main job from end to end: joiners, leavers, a full subscription, seats bought, the queue drained
///
/// Needs nothing but this binary, and leaves nothing behind.
#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Keep the folder, and keep running until Ctrl-C
    #[arg(long)]
    pub(super) keep: bool,
}

/// How long a step may take.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The people of the demo, in the order in which they join.
const PEOPLE: [&str; 14] = [
    "ada", "alan", "barbara", "dennis", "donald", "edsger", "frances", "grace", "john", "ken", "margaret", "niklaus",
    "radia", "tony",
];

pub(super) fn run(args: &DemoArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let folder = Folder::make(args.keep)?;
    runtime()?.block_on(async {
        let demo = Demo::start(&folder, context).await?;
        let told = demo.tell().await;
        if told.is_ok() && args.keep {
            demo.keep_running().await?;
        }
        demo.stop().await?;
        told
    })?;
    if !args.keep {
        folder.remove()?;
        say("That was all of it. Nothing is left behind.")?;
    }
    Ok(ExitStatus::Done)
}

/// The demo's folder; it goes with the demo, also where that fails.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn make(keep: bool) -> Result<Folder, Failure> {
        let path = std::env::temp_dir().join(format!("rosterd-demo-{}", Uuid::now_v7().simple()));
        fs::DirBuilder::new().mode(0o700).create(&path).map_err(|error| cant_write(&path, &error))?;
        Ok(Folder { path, keep })
    }

    fn remove(mut self) -> Result<(), Failure> {
        self.keep = true;
        fs::remove_dir_all(&self.path).map_err(|error| cant_write(&self.path, &error))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            // Another failure is on its way to the terminal already.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

struct Demo<'a> {
    folder: &'a Path,
    sandbox: Sandbox,
    id: Uuid,
    server: String,
    world: World,
    daemon: tokio::task::JoinHandle<Result<(), daemon::DaemonError>>,
    serving: tokio::task::JoinHandle<()>,
    web: Option<web::Served>,
}

impl<'a> Demo<'a> {
    /// Sets everything up and starts the server and the daemon.
    async fn start(folder: &'a Folder, context: &Context) -> Result<Demo<'a>, Failure> {
        let folder = folder.path.as_path();
        let (id, key) = (Uuid::now_v7(), Uuid::now_v7().to_string());
        let subscription = Subscription::new(SubscriptionType::Manual, id, SecretString::from(key.clone()), 10);
        let sandbox = Sandbox::new(Options { subscriptions: vec![subscription], ..Options::default() });
        let no_port = |error: io::Error| Failure::new(format!("no port of this machine can be listened on: {error}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(no_port)?;
        let server = format!("http://{}", listener.local_addr().map_err(no_port)?);
        write_files(folder, &server, id, &key).map_err(|error| cant_write(folder, &error))?;

        let config = context.config_at(&folder.join("rosterd.toml"))?;
        let ledger = Ledger::open(&folder.join("rosterd.db"), clock::now())?;
        let world = world(config, ledger)?;
        end_on_signals(world.shutdown.clone())?;
        let serving = tokio::spawn(serve(listener, sandbox.clone(), world.shutdown.clone().cancelled_owned()));
        let (signs, words) = daemon::Signs::new(std::sync::Arc::clone(&world.config));
        let web = web::start(&signs, &world.outside.ledger, &world.shutdown).await;
        let web = web.map_err(|error| Failure::from_error(&error))?;
        let daemon = tokio::spawn(daemon::run(world.clone(), (signs, words), None, || ()));
        say(&format!(
            "A licensing server with 10 seats answers at {server}, and the daemon watches {}.",
            drops(folder).display()
        ))?;
        if let Some(web) = &web {
            say(&format!("The dashboard is at {}", web.url))?;
        }
        Ok(Demo { folder, sandbox, id, server, world, daemon, serving, web })
    }

    async fn tell(&self) -> Result<(), Failure> {
        say("\n1. Twelve people are listed, and there are ten seats.")?;
        self.drop_roster("monday.csv", &PEOPLE[..12])?;
        self.until("ten people have a licence", |it| it.licences() == 10).await?;
        self.until_members("two people wait", MemberState::Pending, 2).await?;
        self.show_status().await?;

        say("\n2. Five seats are bought. Nobody tells rosterd.")?;
        self.sandbox.set_seats(self.id, 15);
        self.until("all twelve have a licence", |it| it.has(&PEOPLE[..12])).await?;
        say("   The next probe found the seats, and the queue has drained by itself.")?;

        say("\n3. Ada leaves, Radia joins.")?;
        self.drop_roster("tuesday.csv", &PEOPLE[1..13])?;
        self.until("Ada's licence has gone, and Radia has one", |it| it.has(&PEOPLE[1..13])).await?;
        say("   One DELETE, one PUT.")?;

        say("\n4. An export breaks off in the middle: six of twelve people are missing. Tony is new.")?;
        self.drop_roster("wednesday.csv", &[&PEOPLE[1..7], &PEOPLE[13..]].concat())?;
        self.until("Tony has a licence", |it| it.has(&PEOPLE[1..14])).await?;
        self.until_members("six removals are held", MemberState::Leaving, 6).await?;
        self.show_status().await?;
        say("   Nobody has lost a licence. The people really have left, so a person approves those six:")?;
        self.approve().await?;
        self.until("the six licences have been taken back", |it| it.has(&[&PEOPLE[1..7], &PEOPLE[13..]].concat()))
            .await?;

        say("\n5. All of it is settled:")?;
        self.until_members("nobody is leaving", MemberState::Leaving, 0).await?;
        self.show_status().await?;
        let requests = self.sandbox.request_count();
        say(&format!(
            "   It took {requests} requests in all. `rosterd explain` and `rosterd history` say why each happened.\n"
        ))
    }

    async fn keep_running(&self) -> Result<(), Failure> {
        let folder = self.folder.display();
        let dashboard = self.web.as_ref().map_or_else(String::new, |web| format!("\n  the dashboard: {}", web.url));
        say(&format!(
            "Everything goes on until Ctrl-C. To try things on:{dashboard}\n  cd {folder}\n  rosterd status\n  rosterd explain {}\n  the server's page: {}\n  drop a CSV: {}",
            address("grace"),
            self.server,
            drops(self.folder).display(),
        ))?;
        self.world.shutdown.cancelled().await;
        Ok(())
    }

    async fn stop(self) -> Result<(), Failure> {
        self.world.shutdown.cancel();
        let broken = |error: tokio::task::JoinError| Failure::from_error(&error);
        let ended = self.daemon.await.map_err(broken)?;
        self.serving.await.map_err(broken)?;
        if let Some(web) = self.web {
            web.ended.await.map_err(broken)?;
        }
        self.world.outside.ledger.close();
        ended.map_err(|error| Failure::from_error(&error))
    }

    /// As a careful exporter does it: written beside, then renamed into the folder.
    fn drop_roster(&self, name: &str, people: &[&str]) -> Result<(), Failure> {
        let mut rows = String::from("email,id\n");
        for person in people {
            let _ = writeln!(rows, "{},{person}", address(person));
        }
        let beside = self.folder.join("being-written");
        let place = drops(self.folder).join(name);
        fs::write(&beside, rows).and_then(|()| fs::rename(&beside, &place)).map_err(|error| cant_write(&place, &error))
    }

    async fn approve(&self) -> Result<(), Failure> {
        let approved = self.world.outside.ledger.with(|ledger| {
            let Some(stored) = ledger.subscription("contoso")?.hold else { return Ok(()) };
            let now = clock::now();
            ledger.approve("contoso", &stored.hold, "the demo", now + chrono::TimeDelta::hours(1), now)?;
            ledger.ask_for_run("contoso", now)
        });
        Ok(approved.await?)
    }

    async fn show_status(&self) -> Result<(), Failure> {
        let config = std::sync::Arc::clone(&self.world.config);
        let gathered = self.world.outside.ledger.with(move |ledger| {
            let all: Vec<_> = config.subscriptions.values().collect();
            facts::status(&config, &all, ledger, clock::now())
        });
        let text = gathered.await?.render(clock::now(), style());
        for line in text.lines() {
            say(&format!("   {line}"))?;
        }
        Ok(())
    }

    fn licences(&self) -> usize {
        self.sandbox.assigned(self.id).len()
    }

    fn has(&self, people: &[&str]) -> bool {
        self.sandbox.assigned(self.id) == people.iter().map(|person| address(person)).collect::<BTreeSet<_>>()
    }

    async fn until(&self, what: &str, holds: impl Fn(&Demo<'_>) -> bool) -> Result<(), Failure> {
        let waited = Stopwatch::start();
        while !holds(self) {
            self.still_waiting(what, &waited)?;
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        say(&format!("   {} ({:.1} s)", capital(what), waited.elapsed().as_secs_f64()))
    }

    async fn until_members(&self, what: &str, state: MemberState, members: u64) -> Result<(), Failure> {
        let waited = Stopwatch::start();
        loop {
            let counts = self.world.outside.ledger.with(|ledger| ledger.member_counts("contoso")).await?;
            let found = counts.iter().find(|(known, _)| *known == state).map_or(0, |(_, number)| *number);
            if found == members {
                return Ok(());
            }
            self.still_waiting(what, &waited)?;
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn still_waiting(&self, what: &str, waited: &Stopwatch) -> Result<(), Failure> {
        if self.world.shutdown.is_cancelled() {
            return Err(Failure::new("the demo was stopped"));
        }
        if waited.elapsed() > PATIENCE {
            return Err(Failure::new(format!("the demo waited in vain until {what}")));
        }
        Ok(())
    }
}

fn write_files(folder: &Path, server: &str, id: Uuid, key: &str) -> io::Result<()> {
    fs::create_dir(drops(folder))?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join("contoso.key"))?;
    io::Write::write_all(&mut file, key.as_bytes())?;
    let text = format!(
        r#"# Written by `rosterd demo`.
[http]
listen = "127.0.0.1:0"

[licensing]
base_url = "{server}"

[subscriptions.contoso]
type = "Manual"
id = "{id}"
api_key = {{ file = "contoso.key" }}
sources = ["hr"]
seat_probe = "1s"                # for the demo; every 15 minutes is the default

[sources.hr]
kind = "csv"
path = "drops"
settle = "200ms"                 # for the demo; 2s is the default
"#
    );
    fs::write(folder.join("rosterd.toml"), text)
}

fn drops(folder: &Path) -> PathBuf {
    folder.join("drops")
}

fn address(person: &str) -> String {
    format!("{person}@contoso.com")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

fn say(text: &str) -> Result<(), Failure> {
    print(&format!("{text}\n"))
}

fn cant_write(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("{} can't be written: {error}", path.display()))
}
