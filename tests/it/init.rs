//! `rosterd init`, by flags and on a terminal.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::world::{ID, KEY, Ran, World, people, roster, until};

/// A world in which nothing is configured yet.
fn world() -> World {
    let world = World::new(10);
    fs::remove_file(world.path("rosterd.toml")).unwrap();
    world
}

fn init(world: &World, more: &[&str]) -> Ran {
    let id = ID.to_string();
    let flags = ["init", "--yes", "--name", "contoso", "--type", "manual", "--id", &id, "--base-url", &world.base_url];
    world.run(&[&flags, more].concat())
}

#[test]
fn flags_write_a_configuration_that_works() {
    let world = world();
    let ran = init(&world, &["--api-key-file", "contoso.key", "--csv", "in/drops", "--timezone", "Europe/Berlin"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("the licensing server accepts the key"), "{}", ran.stderr);
    let text = fs::read_to_string(world.path("rosterd.toml")).unwrap();
    assert!(text.contains("timezone = \"Europe/Berlin\"") && !text.contains(KEY), "{text}");
    assert_eq!(fs::metadata(world.path("rosterd.toml")).unwrap().permissions().mode() & 0o777, 0o640);
    world.run_to(0, &["check"]);
    fs::write(world.path("in/drops/1.csv"), roster(&people(0..3))).unwrap();
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..3));

    let again = init(&world, &["--api-key-file", "contoso.key", "--csv", "drops"]);
    assert_eq!(again.status, 2);
    assert!(again.stderr.contains("contoso is there already"), "{}", again.stderr);
    assert_eq!(fs::read_to_string(world.path("rosterd.toml")).unwrap(), text, "nothing is overwritten");
}

#[test]
fn another_subscription_gets_a_file_of_its_own() {
    let world = world();
    assert_eq!(init(&world, &["--api-key-file", "contoso.key", "--csv", "drops"]).status, 0);
    let main = fs::read_to_string(world.path("rosterd.toml")).unwrap();
    let id = "11111111-2222-4333-8444-555555555555";
    let flags = ["init", "--yes", "--anyway", "--name", "fabrikam", "--type", "Azure", "--id", id];
    let more = ["--api-key-file", "contoso.key", "--csv", "more"];
    let ran = world.run(&[&flags[..], &more, &["--base-url", "http://127.0.0.1:1"]].concat());
    assert_eq!(ran.status, 2, "there is one server for all: {}", ran.stderr);
    assert!(ran.stderr.contains("leave out --base-url") && !world.path("clients/fabrikam.toml").exists());
    let ran = world.run(&[&flags[..], &more].concat());
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(world.path("clients/fabrikam.toml").exists());
    assert_eq!(fs::read_to_string(world.path("rosterd.toml")).unwrap(), main);
    let status = world.run(&["check"]).stdout;
    assert!(
        status.contains("subscription contoso: the licensing server accepts") && status.contains("fabrikam"),
        "{status}"
    );
}

#[test]
fn root_is_told_which_key_the_service_can_not_read() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return;
    }
    let world = world();
    // The service is whoever owns the ledger's folder: `nobody`.
    std::os::unix::fs::chown(world.dir.path(), Some(65534), Some(65534)).unwrap();
    let ran = init(&world, &["--api-key-file", "contoso.key", "--csv", "drops"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let command = format!("chown nobody {}", world.path("contoso.key").display());
    assert!(ran.stderr.contains(&command), "{}", ran.stderr);
    std::os::unix::fs::chown(world.path("contoso.key"), Some(65534), None).unwrap();
    fs::remove_file(world.path("rosterd.toml")).unwrap();
    let ran = init(&world, &["--api-key-file", "contoso.key", "--csv", "drops"]);
    assert!(!ran.stderr.contains("chown"), "{}", ran.stderr);
}

#[test]
fn what_does_not_work_is_written_only_when_it_is_meant() {
    let world = world();
    fs::write(world.path("wrong.key"), "11111111-2222-4333-8444-555555555555").unwrap();
    let ran = init(&world, &["--api-key-file", "wrong.key", "--csv", "new"]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("FAILED") && ran.stderr.contains("--anyway"), "{}", ran.stderr);
    assert!(!world.path("rosterd.toml").exists() && !world.path("new").exists(), "nothing was written");
    let ran = init(&world, &["--api-key-file", "wrong.key", "--csv", "new", "--anyway"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(world.path("rosterd.toml").exists());
}

#[test]
fn without_a_terminal_every_answer_has_to_be_there() {
    let world = world();
    let ran = world.run_to(2, &["init", "--name", "contoso"]);
    assert!(ran.stderr.contains("there is no terminal to ask on"), "{}", ran.stderr);
    assert!(ran.stderr.contains("give --type, --id, --api-key-file, --csv or --ldap too"), "{}", ran.stderr);
    let plain = "rosterd.toml";
    fs::write(world.path(plain), "[ledger]\n").unwrap();
    let ran = init(&world, &["--api-key-file", "contoso.key", "--csv", "drops"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("is there already, and nothing is overwritten"), "{}", ran.stderr);
}

/// `init` on a terminal, and a person before it.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    shown: Arc<Mutex<String>>,
    seen: usize,
    reader: JoinHandle<()>,
}

impl Terminal {
    fn start(world: &World) -> Terminal {
        let session = format!("{} init --base-url {}", env!("CARGO_BIN_EXE_rosterd"), world.base_url);
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &session, "/dev/null"]).current_dir(world.dir.path());
        script.env_clear().envs(world.command(&[]).get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let shown = Arc::new(Mutex::new(String::new()));
        let (mut from, to) = (child.stdout.take().unwrap(), Arc::clone(&shown));
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = from.read(&mut bytes) {
                to.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..n]));
            }
        });
        let keys = child.stdin.take().unwrap();
        Terminal { child, keys, shown, seen: 0, reader }
    }

    /// Waits for a question, and types.
    fn types(&mut self, question: &str, keys: &str) {
        until(question, || self.shown.lock().unwrap()[self.seen..].contains(question));
        self.seen = self.shown.lock().unwrap().len();
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    fn answer(&mut self, question: &str, answer: &str) {
        self.types(question, &format!("{answer}\n"));
    }

    /// Whether it went well, and all that was shown.
    fn end(mut self) -> (bool, String) {
        until("it has ended", || self.child.try_wait().unwrap().is_some());
        let done = self.child.wait().unwrap().success();
        drop(self.keys);
        self.reader.join().unwrap();
        let shown = self.shown.lock().unwrap().clone();
        (done, shown)
    }
}

#[test]
fn a_person_is_asked_and_the_key_is_not_shown() {
    let world = world();
    fs::remove_file(world.path("contoso.key")).unwrap();
    let mut terminal = Terminal::start(&world);
    terminal.answer("A short name", "a b");
    terminal.answer("A short name", "contoso");
    terminal.answer("How was it bought", "Manual");
    terminal.answer("GUID", &ID.to_string());
    terminal.answer("The API key", "secret");
    terminal.answer("The API key", "11111111-2222-4333-8444-555555555555");
    terminal.answer("[a]gain", "a");
    terminal.answer("How was it bought", "Manual");
    terminal.answer("GUID", &ID.to_string());
    terminal.answer("The API key", KEY);
    terminal.answer("Where is the list", "");
    terminal.answer("time zone", "Europe/Berlin");
    terminal.answer("folder", "drops");
    let (done, shown) = terminal.end();
    assert!(done, "{shown}");
    assert!(
        shown.contains("an API key looks like a GUID")
            && shown.contains("a name is made of letters")
            && shown.contains("Written: "),
        "{shown}"
    );
    assert!(!shown.contains(KEY) && !shown.contains("11111111-2222"), "{shown}");
    assert_eq!(fs::read_to_string(world.path("contoso.key")).unwrap().trim(), KEY);
    assert_eq!(fs::metadata(world.path("contoso.key")).unwrap().permissions().mode() & 0o777, 0o600);
    world.run_to(0, &["check"]);
}

#[test]
fn whoever_gives_up_leaves_nothing_behind() {
    let world = world();
    let mut terminal = Terminal::start(&world);
    terminal.answer("A short name", "fabrikam");
    terminal.answer("How was it bought", "Manual");
    terminal.answer("GUID", &ID.to_string());
    terminal.answer("The API key", KEY);
    until("the key is tried", || world.path("fabrikam.key").exists());
    terminal.types("Where is the list", "\x03");
    let (done, shown) = terminal.end();
    assert!(!done && shown.contains("nothing was written"), "{shown}");
    assert!(!world.path("fabrikam.key").exists() && !world.path("rosterd.toml").exists());
}

#[test]
fn a_key_that_lies_there_already_is_used() {
    let world = world();
    let mut terminal = Terminal::start(&world);
    terminal.answer("A short name", "contoso");
    terminal.answer("How was it bought", "Manual");
    terminal.answer("GUID", &ID.to_string());
    terminal.types("Where is the list", "\x03");
    let (_, shown) = terminal.end();
    assert!(shown.contains("contoso.key is there already, and is used"), "{shown}");
    assert!(shown.contains("the licensing server accepts the key"), "{shown}");
    assert_eq!(fs::read_to_string(world.path("contoso.key")).unwrap(), KEY, "it stays as it is");
}
