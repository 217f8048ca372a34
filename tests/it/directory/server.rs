//! A server's process, its folder and its address.
//!
//! A test may be killed, and its server must not stay. So a shell stands between them. It reads from a pipe whose other
//! end only the test has: when the test ends, however it ends, the pipe does, and the shell ends the server and removes
//! the folder. (A signal at the parent's death would come when the thread ends that started the server: too early.)

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::install::run;
use crate::world::until;

/// Arguments: the folder, then the server's command line. A word on the pipe ends the server and leaves its folder.
const GUARD: &str = r#"
folder=$1; shift
setpriv --pdeathsig KILL "$@" > "$folder/server.log" 2>&1 < /dev/null &
server=$!
echo "$server" > "$folder/server.pid"
read -r word
kill -TERM "$server"; kill -CONT "$server"
wait "$server"
[ -n "$word" ] || rm -rf "$folder"
"#;

/// A folder for one server. Others may look into it: a server may run as somebody else.
pub(crate) fn folder() -> TempDir {
    let folder = TempDir::with_prefix("rosterd-").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// A loopback address that no other server has, with this port free: so ports are fixed, and a server that is started
/// again finds its own.
pub(crate) fn address(port: u16) -> Ipv4Addr {
    loop {
        let address = Ipv4Addr::new(127, fastrand::u8(1..255), fastrand::u8(..), fastrand::u8(1..255));
        if TcpStream::connect(SocketAddr::from((address, port))).is_err() {
            return address;
        }
    }
}

pub(crate) struct Server {
    guard: Child,
    folder: PathBuf,
}

impl Server {
    /// Starts a server that stays in the foreground, and waits until it listens at all of these. `shell` is `sh`, as
    /// whoever the server has to run as.
    pub(crate) fn start(mut shell: Command, folder: &Path, command_line: &[&str], listens: &[SocketAddr]) -> Server {
        shell.args(["-c", GUARD, "guard"]).arg(folder).args(command_line);
        let _ = fs::remove_file(folder.join("server.pid"));
        // A Ctrl-C in the terminal is for the test; the pipe tells the rest.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Server { guard: shell.spawn().unwrap(), folder: folder.to_owned() };
        until("the server listens", || {
            let ended = server.guard.try_wait().unwrap().is_some() || server.has_ended();
            assert!(!ended, "{command_line:?} has ended:\n{}", server.log());
            listens.iter().all(|address| TcpStream::connect(address).is_ok())
        });
        server
    }

    /// The server's process.
    pub(crate) fn pid(&self) -> Option<u32> {
        fs::read_to_string(self.folder.join("server.pid")).ok()?.trim().parse().ok()
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("server.log")).unwrap_or_default()).into_owned()
    }

    fn has_ended(&self) -> bool {
        self.pid().is_some_and(is_dead)
    }

    /// Ends the server, and leaves its folder.
    pub(crate) fn stop(mut self) {
        let _ = self.guard.stdin.take().unwrap().write_all(b"stop\n");
        let _ = self.guard.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Whether this process is over; one whose parent has not asked yet is.
pub(crate) fn is_dead(pid: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    state.is_empty() || state.contains(") Z ")
}

/// Whether anybody listens there.
pub(crate) fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok()
}

/// A client of a directory, with nothing of what its user has configured.
pub(crate) fn client(name: &str, ca: &Path) -> Command {
    let mut command = Command::new(super::install::program(name));
    command.env("HOME", "/nonexistent").env("LDAPTLS_CACERT", ca);
    command
}

/// Applies change records from a file in the folder.
pub(crate) fn ldapmodify(folder: &Path, ca: &Path, url: &str, bind: [&str; 2], ldif: &str) {
    let file = folder.join("changes.ldif");
    fs::write(&file, ldif).unwrap();
    run(client("ldapmodify", ca).args(["-x", "-H", url, "-D", bind[0], "-w", bind[1], "-f"]).arg(file));
}

/// What a search gives, as LDIF without comments and wrapping, by pages.
pub(crate) fn ldapsearch(ca: &Path, url: &str, bind: [&str; 2], search: &[&str]) -> String {
    let mut command = client("ldapsearch", ca);
    command.args([
        "-x",
        "-H",
        url,
        "-D",
        bind[0],
        "-w",
        bind[1],
        "-LLL",
        "-o",
        "ldif-wrap=no",
        "-E",
        "pr=500/noprompt",
    ]);
    run(command.args(search))
}
