//! The log of the built binary: each line reads alone and says what it is about, in each form, and no key is in any.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::world::{ID, KEY, World, people, until};

/// Plays a day in the daemon's life with everything logged as JSON: joiners, a leaver, a full subscription, a file that
/// is refused, a key that is wrong.
fn a_day_in_json(world: &World) -> Vec<Value> {
    let log = fs::File::create(world.path("log")).unwrap();
    let mut daemon = world.command(&["-vv", "--log-format", "json", "run"]).stderr(log).spawn().unwrap();
    world.drop_roster("1.csv", &people(0..3));
    until("seats are given", || world.assigned().len() == 2);
    world.drop_file("2.csv", "name\nnobody\n");
    world.drop_roster("3.csv", &people(1..3));
    until("a seat is taken and given", || world.assigned() == people(1..3));
    fs::write(world.path("contoso.key"), "11111111-1111-1111-1111-111111111111").unwrap();
    world.drop_roster("4.csv", &people(2..3));
    let said = |what: &str| fs::read_to_string(world.path("log")).unwrap().contains(what);
    until("the key is refused", || said("does not accept the key"));
    Command::new("kill").args(["-TERM", &daemon.id().to_string()]).status().unwrap();
    assert!(daemon.wait().unwrap().success());
    let log = fs::read_to_string(world.path("log")).unwrap();
    let json = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in: {line}"));
    log.lines().filter(|line| !line.starts_with("warning: ")).map(json).collect()
}

#[test]
fn a_line_reads_alone_and_carries_its_fields() {
    let world = World::new(2);
    let lines = a_day_in_json(&world);
    let mut seen = BTreeMap::new();
    for line in &lines {
        let text = |name: &str| line[name].as_str();
        let message = text("message").unwrap();
        assert!(!message.is_empty() && text("timestamp").is_some() && text("target").is_some(), "{line}");
        if message.starts_with("contoso: ") {
            assert_eq!(text("subscription"), Some("contoso"), "{line}");
        }
        if message.starts_with("hr: ") {
            assert_eq!(text("source"), Some("hr"), "{line}");
        }
        let of_a_run = ["of the licensing server", "to the licensing server", " accepted", "decided to", " assigned, "];
        if of_a_run.iter().any(|words| message.contains(words)) {
            assert_eq!(text("subscription"), Some("contoso"), "{line}");
            assert!(text("run").is_some_and(|run| run.len() == 36), "{line}");
        }
        *seen.entry(text("level").unwrap()).or_insert(0) += 1;
    }
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), ["DEBUG", "ERROR", "INFO", "TRACE", "WARN"]);
    let log = fs::read_to_string(world.path("log")).unwrap();
    assert!(!log.contains(KEY) && !log.contains("11111111-1111"), "no key");
    assert!(!log.contains("p00001@contoso.com"), "addresses are masked");
}

#[test]
fn each_level_is_one_more_v() {
    let world = World::new(2);
    let said = |flags: &[&str], number: usize| {
        world.drop_roster(&format!("{number}.csv"), &people(0..number));
        world.run(&[flags, &["sync"]].concat()).stderr
    };
    let brief = said(&[], 1);
    assert!(brief.is_empty(), "{brief}");
    let decisions = said(&["-v"], 2);
    assert!(decisions.contains("decided to give a seat to p***@contoso.com: hr: 2.csv line 3"), "{decisions}");
    assert!(!decisions.contains("request to the licensing server"));
    let requests = said(&["-vv"], 3);
    assert!(requests.contains("decided to queue p***@contoso.com"), "{requests}");
    assert!(requests.contains("request to the licensing server") && requests.contains(&ID.to_string()), "{requests}");
    assert!(!requests.contains(KEY), "no key");
    for line in requests.lines() {
        assert!(line.starts_with("20") && line.contains("Z "), "a line says when: {line}");
    }
}

/// The fields of a message to the journal.
fn fields(mut message: &[u8]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    while let Some(end) = message.iter().position(|byte| *byte == b'\n') {
        let (line, rest) = (&message[..end], &message[end + 1..]);
        if let Some(equals) = line.iter().position(|byte| *byte == b'=') {
            fields.insert(text(&line[..equals]), text(&line[equals + 1..]));
            message = rest;
        } else {
            let length = usize::try_from(u64::from_le_bytes(rest[..8].try_into().unwrap())).unwrap();
            fields.insert(text(line), text(&rest[8..8 + length]));
            message = &rest[8 + length + 1..];
        }
    }
    fields
}

#[test]
fn the_journal_gets_each_field_for_itself() {
    let world = World::new(2);
    let (library, socket) = (world.path("journal.so"), world.path("journal"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/journal.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl");
    assert!(compiler.status().unwrap().success(), "journal.c can't be compiled");
    let journal = UnixDatagram::bind(&socket).unwrap();
    journal.set_nonblocking(true).unwrap();

    let stream = fs::File::create(world.path("stream")).unwrap();
    let stat = stream.metadata().unwrap();
    world.drop_roster("1.csv", &people(0..3));
    let mut sync = world.command(&["-v", "sync"]);
    sync.env("LD_PRELOAD", &library).env("JOURNAL_SOCKET", &socket);
    sync.env("JOURNAL_STREAM", format!("{}:{}", stat.dev(), stat.ino())).stderr(stream);
    assert_eq!(sync.output().unwrap().status.code(), Some(3));

    let mut bytes = vec![0; 1 << 16];
    let messages: Vec<_> = std::iter::from_fn(|| journal.recv(&mut bytes).ok().map(|n| fields(&bytes[..n]))).collect();
    let of = |words: &str| messages.iter().find(|fields| fields["MESSAGE"].contains(words)).unwrap();
    let run = of("contoso: 2 assigned");
    assert_eq!((&*run["PRIORITY"], &*run["ROSTERD_SUBSCRIPTION"]), ("6", "contoso"));
    assert_eq!((&*run["SYSLOG_IDENTIFIER"], run["ROSTERD_RUN"].len()), ("rosterd", 36));
    assert_eq!(of("1.csv is the roster now")["ROSTERD_SOURCE"], "hr");
    assert_eq!(of("waits for a licence")["PRIORITY"], "4");
    assert_eq!(of("decided to")["PRIORITY"], "7");
    let left = fs::read_to_string(world.path("stream")).unwrap();
    assert!(!left.contains("assigned"), "nothing is said twice: {left}");
}
