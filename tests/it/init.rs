//! `rosterd init`, by flags and on a terminal.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

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
    let ran = world.run(&[&flags[..], &["--api-key-file", "contoso.key", "--csv", "more"]].concat());
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

#[test]
fn a_person_is_asked_and_the_key_is_not_shown() {
    let world = world();
    let program = env!("CARGO_BIN_EXE_rosterd");
    let mut command = world.command(&[]);
    let session = format!("{program} init --base-url {}", world.base_url);
    command = {
        let mut script = std::process::Command::new("script");
        script.args(["--quiet", "--return", "--command", &session, "/dev/null"]).current_dir(world.dir.path());
        script.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        script
    };
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let shown = Arc::new(Mutex::new(String::new()));
    let (mut from, to) = (child.stdout.take().unwrap(), Arc::clone(&shown));
    let reader = std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(n @ 1..) = from.read(&mut bytes) {
            to.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..n]));
        }
    });
    let mut keys = child.stdin.take().unwrap();
    let mut seen = 0;
    let mut answer = |question: &str, answer: &str| {
        until(question, || shown.lock().unwrap()[seen..].contains(question));
        seen = shown.lock().unwrap().len();
        writeln!(keys, "{answer}").unwrap();
    };
    answer("A short name", "a b");
    answer("A short name", "contoso");
    answer("How was it bought", "Manual");
    answer("GUID", &ID.to_string());
    answer("The API key", "11111111-2222-4333-8444-555555555555");
    answer("[a]gain", "a");
    answer("How was it bought", "Manual");
    answer("GUID", &ID.to_string());
    answer("The API key", KEY);
    answer("Where is the list", "");
    answer("time zone", "Europe/Berlin");
    answer("folder", "drops");
    until("it has ended", || child.try_wait().unwrap().is_some());
    assert!(child.wait().unwrap().success(), "{}", shown.lock().unwrap());
    drop(keys);
    reader.join().unwrap();
    let shown = shown.lock().unwrap().clone();
    assert!(shown.contains("a name is made of letters") && shown.contains("Written: "), "{shown}");
    assert!(!shown.contains(KEY) && !shown.contains("11111111-2222"), "{shown}");
    assert_eq!(fs::read_to_string(world.path("contoso.key")).unwrap().trim(), KEY);
    assert_eq!(fs::metadata(world.path("contoso.key")).unwrap().permissions().mode() & 0o777, 0o600);
    world.run_to(0, &["check"]);
}
