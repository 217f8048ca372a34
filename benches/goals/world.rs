//! A folder with a configuration, a roster and a ledger, the built binary, and a licensing server in this process.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rosterd::config::SubscriptionType;
use rosterd::sandbox::{Faults, Options, Sandbox, Subscription, serve};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

use crate::measure::{Ran, run};

pub const BUILT: &str = env!("CARGO_BIN_EXE_rosterd");
pub const ID: Uuid = Uuid::from_u128(0xff3d_3cf5_5388_40a0_915f_970c_1d2d_972f);
pub const KEY: &str = "0f5aa2f1-93c5-4b55-8d0a-7f3f6b0c1d2e";

pub struct World {
    binary: PathBuf,
    dir: TempDir,
    pub sandbox: Sandbox,
    /// Of the moment that the sandbox counts from.
    started: Instant,
    pub base_url: String,
    _runtime: Runtime,
}

impl World {
    /// One subscription with many seats, fed by the file `people.csv`, which is left where it is.
    #[expect(clippy::disallowed_methods, reason = "this measures")]
    pub fn new(binary: &Path, latency: Duration) -> World {
        let dir = TempDir::new().unwrap();
        let subscription =
            Subscription::new(SubscriptionType::Manual, ID, SecretString::from(KEY.to_owned()), 100_000_000);
        let faults = Faults { latency, ..Faults::default() };
        let started = Instant::now();
        let sandbox = Sandbox::new(Options { subscriptions: vec![subscription], faults, ..Options::default() });
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(serve(listener, sandbox.clone(), std::future::pending()));
        let world = World { binary: binary.to_owned(), dir, sandbox, started, base_url, _runtime: runtime };
        world.write_secret("key", KEY);
        world
    }

    /// A file that its owner alone may read.
    pub fn write_secret(&self, name: &str, secret: &str) {
        fs::write(self.path(name), secret).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Writes the configuration, without a pace that could be felt.
    pub fn configure(&self, batch_size: usize) {
        let source = "kind = \"csv\"\npath = \"people.csv\"\nsettle = \"0s\"\nafter = \"leave\"\n";
        self.configure_source(batch_size, source);
    }

    /// The same with another source.
    pub fn configure_source(&self, batch_size: usize, source: &str) {
        let base_url = &self.base_url;
        let text = format!(
            "[ledger]\nurl = \"sqlite:rosterd.db\"\n[http]\nlisten = \"off\"\n\
             [licensing]\nbase_url = \"{base_url}\"\nrequests_per_second = 10000.0\nburst = 1000\n\
             [subscriptions.contoso]\ntype = \"Manual\"\nid = \"{ID}\"\napi_key = {{ file = \"key\" }}\n\
             sources = [\"hr\"]\nbatch_size = {batch_size}\n\
             [sources.hr]\n{source}"
        );
        fs::write(self.path("rosterd.toml"), text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn url(&self) -> String {
        format!("{}/api/manage/Manual/{ID}", self.base_url)
    }

    /// Puts one of the world's files in the place of the roster.
    pub fn take_roster(&self, name: &str) {
        fs::copy(self.path(name), self.path("people.new")).unwrap();
        fs::rename(self.path("people.new"), self.path("people.csv")).unwrap();
    }

    pub fn rosterd(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg(verb).env_clear().env("ROSTERD_ALLOW_ROOT", "1");
        command
    }

    /// `rosterd sync`.
    pub fn sync(&self, look_for_memory: bool) -> Ran {
        let mut command = self.rosterd("sync");
        command.current_dir(self.dir.path());
        run(command, look_for_memory)
    }

    /// How long after a moment the first request came that is not among the first `before`.
    pub fn first_request(&self, before: u64, began: Instant) -> Duration {
        let requests = self.sandbox.requests();
        let first = requests.iter().find(|request| request.seq > before).expect("there was no request");
        (self.started + first.at).duration_since(began)
    }

    /// A digest of the ledger's files.
    pub fn ledger_digest(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for name in ["rosterd.db", "rosterd.db-wal"] {
            hasher.update(&fs::read(self.path(name)).unwrap_or_default());
        }
        hasher.finalize()
    }

    /// Writes a file of these lines.
    pub fn write_lines(&self, name: &str, lines: impl IntoIterator<Item = String>) {
        let mut file = std::io::BufWriter::new(fs::File::create(self.path(name)).unwrap());
        for line in lines {
            file.write_all(line.as_bytes()).unwrap();
            file.write_all(b"\n").unwrap();
        }
        file.flush().unwrap();
    }
}

/// The address of the person with this number.
pub fn address(number: usize) -> String {
    const FIRST: [&str; 8] = ["anna", "ben", "chiara", "deniz", "emil", "farah", "greta", "hugo"];
    const LAST: [&str; 7] = ["meier", "novak", "okafor", "petrov", "quist", "rossi", "santos"];
    format!("{}.{}.{number}@contoso.com", FIRST[number % 8], LAST[number % 7])
}

/// A roster's row for the person with this number: address, employee number, department.
pub fn row(number: usize) -> String {
    const DEPARTMENT: [&str; 5] = ["Sales", "Research", "Finance", "Operations", "Customer Care"];
    format!("{},{},{}", address(number), 1_000_000 + number, DEPARTMENT[number % 5])
}

pub const HEADER: &str = "email,employee_id,department";
