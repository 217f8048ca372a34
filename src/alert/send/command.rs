//! Runs a program that is given an alert as JSON on its standard input: no shell, no environment of ours, and not for ever.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::Builder;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::oneshot;

use super::{PATIENCE, Sent};
use crate::report::text::plain;
use crate::telemetry::Masked;

/// What it inherits of the environment, in which secrets of ours may stand.
const INHERITED: &[&str] = &["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ"];
/// So much of what it says to standard error is shown.
const WORDS_MAX: u64 = 200;
/// After its end, what it said is waited for no longer.
const LISTENS_ON: Duration = Duration::from_millis(200);

/// Ends the program, and what it has started, unless it has ended.
struct Running(Option<Pid>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.0.take() {
            // It may have ended just now.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

pub(super) async fn run(command: &[String], json: String) -> Sent {
    let [program, arguments @ ..] = command else { return Sent::Failed("no program is named".to_owned(), None) };
    let mut start = Command::new(program);
    start.args(arguments).env_clear().process_group(0);
    start.envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    start.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = match start.spawn() {
        Ok(child) => child,
        Err(cause) => return Sent::Failed(format!("{program} can't be started: {cause}"), None),
    };
    let mut running = Running(i32::try_from(child.id()).ok().and_then(Pid::from_raw));
    let (sender, ended) = oneshot::channel();
    // It may say nothing for ever: not on a thread of the runtime.
    let waits = Builder::new().name("alert".to_owned()).spawn(move || drop(sender.send(finish(child, &json))));
    if let Err(cause) = waits {
        return Sent::Failed(format!("the system gives no thread to wait for {program}: {cause}"), None);
    }
    let Ok(Ok(ended)) = tokio::time::timeout(PATIENCE, ended).await else {
        return Sent::Failed(
            format!("{program} did not end within {} seconds and was ended", PATIENCE.as_secs()),
            None,
        );
    };
    running.0 = None;
    match ended {
        Ok((status, _)) if status.success() => Sent::Arrived(format!("{program} ended well")),
        Ok((status, words)) => Sent::Failed(format!("{program} ended with {status}{words}"), None),
        Err(cause) => Sent::Failed(format!("what became of {program} is not known: {cause}"), None),
    }
}

/// How it ended, and what it said.
fn finish(mut child: Child, json: &str) -> std::io::Result<(ExitStatus, String)> {
    let words = child.stderr.take().map(overheard);
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not care for it may close it, and still do its work.
        let _ = stdin.write_all(json.as_bytes());
    }
    let status = child.wait()?;
    // What it started and left behind may keep the other end open.
    let words = words.and_then(|words| words.recv_timeout(LISTENS_ON).ok()).unwrap_or_default();
    let words = plain(String::from_utf8_lossy(&words).trim());
    let words = if words.is_empty() { words } else { format!(": {}", Masked(&words)) };
    Ok((status, words))
}

/// The beginning of what is said there; all of it is listened to, so that nobody is ended for speaking.
fn overheard(mut stderr: ChildStderr) -> mpsc::Receiver<Vec<u8>> {
    let (sender, words) = mpsc::channel();
    let listen = move || {
        let mut beginning = Vec::new();
        let _ = stderr.by_ref().take(WORDS_MAX).read_to_end(&mut beginning);
        let _ = sender.send(beginning);
        let _ = std::io::copy(&mut stderr, &mut std::io::sink());
    };
    // Without a thread nobody listens, which is nothing to fail for.
    let _ = Builder::new().name("alert".to_owned()).spawn(listen);
    words
}

pub(super) fn examine(command: &[String]) -> Result<String, String> {
    let program = command.first().map(String::as_str).unwrap_or_default();
    let found = find(program).ok_or_else(|| format!("there is no program {program}"))?;
    let runs = found.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    if runs { Ok(format!("would run {}", found.display())) } else { Err(format!("{} can't be run", found.display())) }
}

fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(Path::new(program).to_owned()).filter(|path| path.exists());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.exists())
}
