//! Facts about the code that a compiler can't check: what decides names nothing that touches the world, the README and
//! the code agree, nothing unfinished is left, and no file grows out of hand.
//!
//! Every file under `src/` is judged. One that nobody has sorted is an error, not an exception.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use rosterd::exit::ExitStatus;

/// What decides: synchronous functions of values. A folder ends with a slash. The longest entry that fits a file counts.
const DECIDES: &[&str] = &[
    "address.rs",
    "alert/cause.rs",
    "alert/digest.rs",
    "alert/news.rs",
    "alert/pace.rs",
    "alert/render.rs",
    "alert/signature.rs",
    "alert/words.rs",
    "brake.rs",
    "member.rs",
    "drift.rs",
    "roster/",
    "plan/",
    "dispatch/machine.rs",
    "dispatch/batch.rs",
    "dispatch/offenders.rs",
    "dispatch/renames.rs",
    "dispatch/retry.rs",
    "dispatch/seats.rs",
    "dispatch/stop.rs",
    "dispatch/turns.rs",
    "dispatch/wording.rs",
    "licensing/wire.rs",
    "source/csv_doubles.rs",
    "source/csv_record.rs",
    "source/csv_row.rs",
    "source/csv_text.rs",
    "source/ldap/",
    "daemon/change.rs",
    "daemon/frozen.rs",
    "daemon/schedule.rs",
    "daemon/wake.rs",
    "ledger/operation.rs",
    "report/",
    "sandbox/dialect.rs",
    "sandbox/faults.rs",
    "sandbox/reply.rs",
    "sandbox/state.rs",
    "web/pages/chart.rs",
    "web/pages/explain.rs",
    "web/pages/fleet.rs",
    "web/pages/held.rs",
    "web/pages/html.rs",
    "web/pages/link.rs",
    "web/pages/needs.rs",
    "web/pages/past.rs",
    "web/pages/people.rs",
    "web/pages/shell.rs",
    "web/pages/sources.rs",
    "web/pages/subscription.rs",
    "web/session.rs",
    "web/throttle.rs",
];

/// What touches the world, or ties together what does.
const TOUCHES: &[&str] = &[
    "main.rs",
    "lib.rs",
    "clock.rs",
    "exit.rs",
    "telemetry.rs",
    "telemetry/",
    "pass.rs",
    "pass/",
    "fleet.rs",
    "intake.rs",
    "intake/",
    "outside.rs",
    "facts.rs",
    "facts/",
    "metrics.rs",
    "person.rs",
    "web/",
    "alert/",
    "cli/",
    "config/",
    "daemon/",
    "dispatch/mod.rs",
    "dispatch/drive.rs",
    "dispatch/pace.rs",
    "ledger/",
    "licensing/mod.rs",
    "licensing/http.rs",
    "sandbox/",
    "source/",
    "source/ldap/connect.rs",
    "source/ldap/connect/",
    "source/ldap/discover.rs",
    "source/ldap/sign_in.rs",
    "source/ldap/tls.rs",
];

/// What code that decides may not name: the world, the clock, and the files that touch them.
const THE_WORLD: &[&str] = &[
    "async",
    "await",
    "tokio",
    "reqwest",
    "rusqlite",
    "hyper",
    "notify",
    "rustix",
    "tracing",
    "indicatif",
    "fs::",
    "net::",
    "env::",
    "process::",
    "thread::",
    "File",
    "stdin",
    "stdout",
    "stderr",
    "println",
    "eprintln",
    "SystemTime::now",
    "Instant::now",
    "Utc::now",
    "Local::now",
    "clock::now",
    "Stopwatch",
    "crate::cli",
    "crate::daemon",
    "crate::pass",
    "crate::sandbox",
    "crate::telemetry",
    "dispatch::drive",
    "dispatch::pace",
    "ledger::sqlite",
    "ledger::handle",
    "ledger::Ledger",
    "licensing::http",
];

/// No file has more lines than this before its tests.
const LINES_MAX: usize = 700;
/// `main.rs` parses, runs the verb, and turns the outcome into an exit status.
const MAIN_LINES_MAX: usize = 60;

#[test]
fn every_file_decides_or_touches() {
    let mut complaints = String::new();
    for file in sources() {
        if sorted_as(&file.name).is_none() && !file.is_test() {
            writeln!(complaints, "src/{}: say in DECIDES or TOUCHES what it does", file.name).unwrap();
        }
    }
    for entry in DECIDES.iter().chain(TOUCHES) {
        if !sources().iter().any(|file| fits(entry, &file.name)) {
            writeln!(complaints, "the lists name {entry}, and there is no such thing").unwrap();
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn what_decides_names_nothing_that_touches_the_world() {
    let mut complaints = String::new();
    for file in sources().iter().filter(|file| sorted_as(&file.name) == Some(Sort::Decides)) {
        for (number, line) in file.code() {
            for word in THE_WORLD.iter().filter(|word| has_word(line, word)) {
                writeln!(complaints, "src/{}:{number}: {word} in: {}", file.name, line.trim()).unwrap();
            }
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn nothing_unfinished_is_left() {
    // Put together here, so that this file does not complain of itself.
    let unfinished = [concat!("to", "do!"), concat!("unimpl", "emented!"), concat!("TO", "DO"), concat!("FIX", "ME")];
    let mut complaints = String::new();
    for file in sources() {
        for (number, line) in file.text.lines().enumerate() {
            for word in unfinished.iter().filter(|word| line.contains(*word)) {
                writeln!(complaints, "src/{}:{}: {word}", file.name, number + 1).unwrap();
            }
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let silent: Vec<_> =
        sources().into_iter().filter(|file| !file.text.starts_with("//! ") && !file.is_test()).collect();
    let names: Vec<_> = silent.iter().map(|file| file.name.as_str()).collect();
    assert!(names.is_empty(), "these begin without `//! `: {names:?}");
}

#[test]
fn no_file_is_too_long() {
    let mut complaints = String::new();
    for file in sources().iter().filter(|file| !file.is_test()) {
        let (lines, max) = (file.before_tests().len(), if file.name == "main.rs" { MAIN_LINES_MAX } else { LINES_MAX });
        if lines > max {
            writeln!(complaints, "src/{} has {lines} lines before its tests; {max} are allowed", file.name).unwrap();
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn every_exit_status_is_in_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for status in ExitStatus::ALL {
        let code = status.code();
        let row = |line: &str| line.starts_with(&format!("| {code} |")) || line.starts_with(&format!("| `{code}` |"));
        assert!(readme.lines().any(row), "README.md has no row for exit status {code}: {}", status.meaning());
    }
}

#[test]
fn no_developers_machine_shows() {
    let machines = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/Us", "ers/"), concat!("C:\\", "Users")];
    let mut complaints = String::new();
    for path in everything() {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        for machine in machines.iter().filter(|machine| text.contains(*machine)) {
            writeln!(complaints, "{}: {machine}", path.display()).unwrap();
        }
        if path.extension().is_some_and(|ending| ending == "pending-snap" || ending == "new" || ending == "orig") {
            writeln!(complaints, "{}: left behind by a tool", path.display()).unwrap();
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn the_checks_see_what_they_look_for() {
    assert!(has_word("    let text = fs::read(path)?;", "fs::"));
    assert!(has_word("use tokio::time;", "tokio"));
    assert!(has_word("std::{env::var}", "env::"));
    assert!(!has_word("let prefs::x", "fs::"));
    assert!(!has_word("FileName", "File"));
    assert!(!has_word("asynchronous", "async"));
    assert_eq!(sorted_as("ledger/operation.rs"), Some(Sort::Decides));
    assert_eq!(sorted_as("ledger/handle.rs"), Some(Sort::Touches));
    assert_eq!(sorted_as("elsewhere.rs"), None);
    let file =
        Source { name: "x.rs".into(), text: "//! Doc.\nfn f() {} // fs::\n#[cfg(test)]\nmod tests {\nfs::".into() };
    assert_eq!(file.code().collect::<Vec<_>>(), [(1, ""), (2, "fn f() {} ")]);
    assert!(everything().len() > sources().len());
}

#[derive(Debug, PartialEq, Eq)]
enum Sort {
    Decides,
    Touches,
}

struct Source {
    /// Relative to `src/`, with slashes.
    name: String,
    text: String,
}

impl Source {
    /// A file that holds tests alone.
    fn is_test(&self) -> bool {
        let stem = self.name.trim_end_matches(".rs");
        stem.ends_with("tests") || stem.contains("tests/")
    }

    /// The lines before the tests, which stand last in a file.
    fn before_tests(&self) -> Vec<&str> {
        let lines: Vec<_> = self.text.lines().collect();
        let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod "));
        lines[..tests.unwrap_or(lines.len())].to_vec()
    }

    /// What is compiled into the program: its lines with their numbers, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = if self.is_test() { Vec::new() } else { self.before_tests() };
        lines.into_iter().enumerate().map(|(at, line)| (at + 1, line.split("//").next().unwrap_or_default()))
    }
}

/// The longest entry that fits counts.
fn sorted_as(name: &str) -> Option<Sort> {
    let longest = |entries: &[&str]| entries.iter().filter(|entry| fits(entry, name)).map(|entry| entry.len()).max();
    match (longest(DECIDES), longest(TOUCHES)) {
        (None, None) => None,
        (decides, touches) => Some(if decides > touches { Sort::Decides } else { Sort::Touches }),
    }
}

fn fits(entry: &str, name: &str) -> bool {
    if entry.ends_with('/') { name.starts_with(entry) } else { name == entry }
}

/// Whether the word stands in the line, not as a part of another one.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let ends_open = word.ends_with("::");
        !before.is_some_and(is_part) && (ends_open || !after.is_some_and(is_part))
    })
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files under `src/`.
fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut files = Vec::new();
    walk(&src, &mut files);
    let rust = files.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "rs"));
    let mut sources: Vec<_> = rust
        .map(|path| Source {
            name: path
                .strip_prefix(&src)
                .unwrap()
                .components()
                .map(|part| part.as_os_str().to_str().unwrap())
                .collect::<Vec<_>>()
                .join("/"),
            text: fs::read_to_string(&path).unwrap(),
        })
        .collect();
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    sources
}

/// All files that make up the project.
fn everything() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for part in fs::read_dir(root()).unwrap() {
        let path = part.unwrap().path();
        // What git keeps for itself, and what the compiler makes.
        if path.ends_with(".git") || path.ends_with("target") {
            continue;
        }
        walk(&path, &mut files);
    }
    files
}

fn walk(path: &Path, files: &mut Vec<PathBuf>) {
    // What a compiler or a fuzzer makes.
    let made = ["fuzz/target", "fuzz/corpus", "fuzz/artifacts"];
    if made.iter().any(|folder| path.ends_with(folder)) {
        return;
    }
    if path.is_dir() {
        for part in fs::read_dir(path).unwrap() {
            walk(&part.unwrap().path(), files);
        }
    } else {
        files.push(path.to_owned());
    }
}
