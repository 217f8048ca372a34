//! The programs that the directory tests need, installed where they are missing.
//!
//! A test without its server is a test that fails: there is no way to pass by not looking.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What has to be there. The last one comes with the packages that provision a domain.
const NEEDED: [&str; 16] = [
    "slapd",
    "ldapsearch",
    "ldapmodify",
    "samba",
    "samba-tool",
    "ldbadd",
    "ldbmodify",
    "ldbsearch",
    "kinit",
    "openssl",
    "setpriv",
    "unshare",
    "dnsmasq",
    "systemd-analyze",
    "promtool",
    "/usr/share/samba/setup/provision.ldif",
];

/// Installs what is missing; once for all tests, also where each is a process.
pub(crate) fn programs() {
    static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();
    if let Err(why) = INSTALLED.get_or_init(install) {
        panic!("{why}");
    }
}

fn install() -> Result<(), String> {
    if missing().is_empty() {
        return Ok(());
    }
    let _alone = alone("install");
    if missing().is_empty() {
        return Ok(());
    }
    let script = "tests/it/directory/install.sh";
    let ran = as_root(Path::new(env!("CARGO_MANIFEST_DIR")).join(script)).output();
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let said = match ran {
        Ok(ran) => String::from_utf8_lossy(&ran.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    Err(format!(
        "The directory tests need {}, which could not be installed: run `sudo {script}`, or leave these tests out with \
         `cargo test -- --skip directory::`.\n{said}",
        missing.join(", ")
    ))
}

fn missing() -> Vec<&'static str> {
    NEEDED.into_iter().filter(|name| find(name).is_none()).collect()
}

/// Where a program is; servers are where an ordinary user's `PATH` does not lead.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/bin".into()]);
    folders.map(|folder| folder.join(name)).find(|path| path.exists())
}

/// A program, wherever it is.
pub(crate) fn program(name: &str) -> PathBuf {
    programs();
    find(name).unwrap_or_else(|| PathBuf::from(name))
}

/// A command that root has to run: a domain controller takes ports and attributes that nobody else gets.
pub(crate) fn as_root(program: impl AsRef<Path>) -> Command {
    static MAY: OnceLock<bool> = OnceLock::new();
    let program = program.as_ref();
    if rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let asks_for_nothing = || Command::new("sudo").args(["--non-interactive", "true"]).status();
    assert!(
        MAY.get_or_init(|| asks_for_nothing().is_ok_and(|status| status.success())),
        "The directory tests need root, for {}: run them as root, or where `sudo` asks for no password, or leave them out \
         with `cargo test -- --skip directory::`.",
        program.display()
    );
    let mut command = Command::new("sudo");
    command.arg("--non-interactive").arg(program);
    command
}

/// Runs a command that has to succeed; what it printed.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let ran = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", ran.status);
    stdout.into_owned()
}

/// A place that outlives a test: what is kept here spares the next one its making.
pub(crate) fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// One test at a time, until the value is dropped; held across processes.
pub(crate) fn alone(what: &str) -> File {
    let file = File::create(kept(&format!("{what}.lock"))).unwrap();
    file.lock().unwrap();
    file
}
