//! A small world for one test: a folder, a configuration, a licensing server on a free port, and the built binary.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rosterd::clock::Stopwatch;
use rosterd::config::SubscriptionType;
use rosterd::sandbox::{Options, Sandbox, Subscription};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The subscription that [`World::new`] makes.
pub(crate) const ID: Uuid = Uuid::from_u128(0xff3d_3cf5_5388_40a0_915f_970c_1d2d_972f);
/// Its key: what must be found nowhere.
pub(crate) const KEY: &str = "0f5aa2f1-93c5-4b55-8d0a-7f3f6b0c1d2e";

/// How long a named condition may take to come true.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct World {
    pub dir: TempDir,
    pub sandbox: Sandbox,
    pub base_url: String,
    runtime: Runtime,
    down: CancellationToken,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl World {
    /// One subscription `contoso` with this many seats, fed by the drop folder `drops`; configuration for a quick test.
    pub(crate) fn new(seats: u64) -> World {
        World::with(seats, Options::default(), "")
    }

    /// As [`World::new`]; `source` is put into `[sources.hr]`.
    pub(crate) fn with_source(seats: u64, source: &str) -> World {
        let world = World::new(seats);
        world.configure("", "", source);
        world
    }

    /// As [`World::new`], with a server that has these dialects and faults; `subscription` is put into `[subscriptions.contoso]`.
    pub(crate) fn with(seats: u64, mut options: Options, subscription: &str) -> World {
        let dir = TempDir::new().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let key = SecretString::from(KEY.to_owned());
        options.subscriptions.push(Subscription::new(SubscriptionType::Manual, ID, key, seats));
        let sandbox = Sandbox::new(options);
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let down = CancellationToken::new();
        runtime.spawn(rosterd::sandbox::serve(listener, sandbox.clone(), down.clone().cancelled_owned()));
        let world = World { dir, sandbox, base_url, runtime, down };
        fs::create_dir(world.path("drops")).unwrap();
        fs::write(world.path("contoso.key"), KEY).unwrap();
        fs::set_permissions(world.path("contoso.key"), fs::Permissions::from_mode(0o600)).unwrap();
        world.configure("", subscription, "");
        world
    }

    /// Writes the configuration; each argument is put into its table: `[licensing]`, `[subscriptions.contoso]`, `[sources.hr]`.
    pub(crate) fn configure(&self, licensing: &str, subscription: &str, source: &str) {
        let base_url = &self.base_url;
        // What a test says comes in place of the default, not beside it.
        let line = |key: &str, value: &str, said: &str| {
            if said.lines().any(|line| line.split('=').next().is_some_and(|word| word.trim() == key)) {
                String::new()
            } else {
                format!("{key} = {value}\n")
            }
        };
        let text = [
            "[ledger]\nurl = \"sqlite:rosterd.db\"\n[http]\nlisten = \"off\"\n[licensing]\n".to_owned(),
            format!("base_url = \"{base_url}\"\n"),
            line("requests_per_second", "1000.0", licensing),
            line("burst", "100", licensing),
            line("retry_for", "\"3s\"", licensing),
            licensing.to_owned(),
            format!("\n[subscriptions.contoso]\ntype = \"Manual\"\nid = \"{ID}\"\n"),
            "api_key = { file = \"contoso.key\" }\n".to_owned(),
            line("sources", "[\"hr\"]", subscription),
            line("seat_probe", "\"1s\"", subscription),
            subscription.to_owned(),
            "\n[sources.hr]\nkind = \"csv\"\n".to_owned(),
            line("path", "\"drops\"", source),
            line("settle", "\"0s\"", source),
            line("poll_interval", "\"1s\"", source),
            source.to_owned(),
            "\n".to_owned(),
        ];
        fs::write(self.path("rosterd.toml"), text.concat()).unwrap();
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// Drops a file whole, as a careful exporter does: written beside, then renamed into place.
    pub(crate) fn drop_file(&self, name: &str, content: impl AsRef<[u8]>) {
        let beside = self.path("being-written");
        fs::write(&beside, content).unwrap();
        fs::rename(beside, self.path("drops").join(name)).unwrap();
    }

    /// Drops a roster of these addresses.
    pub(crate) fn drop_roster(&self, name: &str, people: &[String]) {
        self.drop_file(name, roster(people));
    }

    /// A command of the built binary, in the world's folder, without anything from outside.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rosterd"));
        command.args(arguments).current_dir(self.dir.path());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        // All of a test's world is whosever the test is, also root's.
        command.env("ROSTERD_ALLOW_ROOT", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs a command that has to end with this status.
    #[track_caller]
    pub(crate) fn run_to(&self, status: i32, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.status, status, "rosterd {arguments:?}:\n{}\n{}", ran.stdout, ran.stderr);
        ran
    }

    /// Starts the daemon, logging to `name`.
    pub(crate) fn daemon(&self, log: &str) -> Daemon {
        let log = fs::File::create(self.path(log)).unwrap();
        let child = self.command(&["-v", "run"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Daemon { child }
    }

    /// Who has a seat at the server.
    pub(crate) fn assigned(&self) -> Vec<String> {
        self.sandbox.assigned(ID).into_iter().collect()
    }

    /// The members' states as `status --json` counts them.
    pub(crate) fn count(&self, state: &str) -> u64 {
        let status: serde_json::Value = serde_json::from_str(&self.run(&["status", "--json"]).stdout).unwrap();
        status["subscriptions"][0]["members"][state].as_u64().unwrap()
    }

    /// Every file below the world's folder.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.dir.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.down.cancel();
        let _ = &self.runtime;
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A running daemon; killed when dropped.
pub(crate) struct Daemon {
    pub child: Child,
}

impl Daemon {
    /// Sends a signal: `TERM`, `KILL`, `STOP` …
    pub(crate) fn signal(&self, name: &str) {
        let done = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    /// Waits for its end; the exit status.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let mut status = None;
        until("the daemon has ended", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.and_then(|status| status.code())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a named condition holds, with a bound.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Stopwatch::start();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// The addresses of people with these numbers.
pub(crate) fn people(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("p{number:05}@contoso.com")).collect()
}

/// A CSV with these addresses.
pub(crate) fn roster(people: &[String]) -> String {
    format!("email\n{}\n", people.join("\n"))
}

/// Whether a file holds these bytes.
pub(crate) fn contains(path: &Path, needle: &str) -> bool {
    let bytes = fs::read(path).unwrap_or_default();
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}
