//! Traces for OpenTelemetry, by a collector that takes what arrives apart.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::world::{KEY, Ran, World, people, until};

/// A span as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    service: String,
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    attributes: BTreeMap<String, String>,
    failed: bool,
}

/// What arrived: the spans, all of the bytes, and the first lines and headers.
#[derive(Debug, Clone, Default)]
struct Arrived {
    spans: Vec<Span>,
    bytes: Vec<u8>,
    heads: Vec<String>,
}

struct Collector {
    port: u16,
    arrived: Arc<Mutex<Arrived>>,
}

impl Collector {
    fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let collector = Collector { port: listener.local_addr().unwrap().port(), arrived: Arc::default() };
        let arrived = Arc::clone(&collector.arrived);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let arrived = Arc::clone(&arrived);
                thread::spawn(move || while take(&stream, &arrived).is_some() {});
            }
        });
        collector
    }

    /// This command, told of the collector.
    fn told_of(&self, mut command: Command) -> Command {
        command
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{}", self.port))
            .env("OTEL_EXPORTER_OTLP_HEADERS", "x-team=licences")
            .env("OTEL_BSP_SCHEDULE_DELAY", "50");
        command
    }

    fn arrived(&self) -> Arrived {
        self.arrived.lock().unwrap().clone()
    }

    fn spans(&self) -> Vec<Span> {
        self.arrived().spans
    }

    /// Those of this name, in the order in which they ended.
    fn named(&self, name: &str) -> Vec<Span> {
        self.spans().into_iter().filter(|span| span.name == name).collect()
    }
}

/// One request; `None` when there is none any more.
fn take(stream: &TcpStream, arrived: &Mutex<Arrived>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let start = head.len();
        reader.read_line(&mut head).ok().filter(|read| *read > 0)?;
        let line = head[start..].trim_end().to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(said) = line.strip_prefix("content-length: ") {
            length = said.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    {
        let mut arrived = arrived.lock().unwrap();
        arrived.spans.extend(spans(&body));
        arrived.bytes.extend(&body);
        arrived.heads.push(head);
    }
    let mut stream = stream;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()
}

/// A field of a message in protobuf: its number, and its bytes or its value.
enum Field<'a> {
    Bytes(u64, &'a [u8]),
    Number(u64, u64),
}

fn fields(mut message: &[u8]) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let (number, split) = (tag >> 3, message);
        match tag & 7 {
            0 => fields.push(Field::Number(number, varint(&mut message))),
            1 => message = &split[8..],
            5 => message = &split[4..],
            2 => {
                let length = usize::try_from(varint(&mut message)).unwrap();
                let (bytes, rest) = message.split_at(length);
                fields.push(Field::Bytes(number, bytes));
                message = rest;
            }
            other => panic!("wire type {other}"),
        }
    }
    fields
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = message.split_first().unwrap();
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn parts(message: &[u8], wanted: u64) -> Vec<&[u8]> {
    let mut found = Vec::new();
    for field in fields(message) {
        if let Field::Bytes(number, bytes) = field
            && number == wanted
        {
            found.push(bytes);
        }
    }
    found
}

fn text(message: &[u8], wanted: u64) -> String {
    String::from_utf8(parts(message, wanted).concat()).unwrap()
}

/// `KeyValue`s: text, or a number as text.
fn attributes(message: &[u8], wanted: u64) -> BTreeMap<String, String> {
    let value = |any: &[u8]| -> String {
        let number = fields(any).iter().find_map(|field| match field {
            Field::Number(_, value) => Some(value.to_string()),
            Field::Bytes(..) => None,
        });
        number.unwrap_or_else(|| text(any, 1))
    };
    parts(message, wanted).into_iter().map(|pair| (text(pair, 1), value(&parts(pair, 2).concat()))).collect()
}

/// An `ExportTraceServiceRequest`.
fn spans(body: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    for resource_spans in parts(body, 1) {
        let resource = parts(resource_spans, 1).concat();
        let service = attributes(&resource, 1).remove("service.name").unwrap_or_default();
        for span in parts(resource_spans, 2).into_iter().flat_map(|scope| parts(scope, 2)) {
            let status = parts(span, 15).concat();
            spans.push(Span {
                service: service.clone(),
                trace: parts(span, 1).concat(),
                id: parts(span, 2).concat(),
                parent: parts(span, 4).concat(),
                name: text(span, 5),
                attributes: attributes(span, 9),
                failed: fields(&status).iter().any(|field| matches!(field, Field::Number(3, 2))),
            });
        }
    }
    spans
}

/// The names from this span up to the root of its trace.
fn lineage(spans: &[Span], span: &Span) -> Vec<String> {
    let mut names = vec![span.name.clone()];
    let mut parent = span.parent.clone();
    while !parent.is_empty() {
        let above = spans.iter().find(|span| span.id == parent).unwrap_or_else(|| panic!("no parent of {names:?}"));
        assert_eq!(above.trace, span.trace);
        names.push(above.name.clone());
        parent = above.parent.clone();
    }
    names
}

fn is_well(world: &World) {
    let status = world.run_to(0, &["status", "--json"]);
    assert!(status.stdout.contains("\"problem\": null") || status.stdout.contains("\"problem\":null"));
}

#[test]
fn one_trace_leads_from_the_file_to_the_last_answer() {
    let world = World::new(10);
    world.configure("", "batch_size = 2\n", "poll_interval = \"1h\"\n");
    let collector = Collector::start();
    let log = fs::File::create(world.path("log")).unwrap();
    let mut command = collector.told_of(world.command(&["-vv", "run"]));
    let child = command.stderr(log).spawn().unwrap();
    let mut daemon = crate::world::Daemon { child };
    let first_pass = "contoso: everything is as it should be";
    until("it has looked at everything once", || fs::read_to_string(world.path("log")).unwrap().contains(first_pass));

    world.drop_roster("a.csv", &people(0..5));
    until("the trace is whole", || collector.named("wake").len() == 1);
    let spans = collector.spans();
    let wake = &collector.named("wake")[0];
    assert_eq!((wake.parent.len(), wake.trace.len(), wake.service.as_str()), (0, 16, "rosterd"));
    assert_eq!(wake.attributes["trigger"], "Roster");
    assert!(spans.iter().all(|span| span.trace == wake.trace), "one trace: {spans:#?}");

    let of = |name: &str| -> Vec<Vec<String>> {
        spans.iter().filter(|span| span.name == name).map(|span| lineage(&spans, span)).collect()
    };
    assert_eq!(of("look"), [["look", "wake"]]);
    assert_eq!(of("judge"), [["judge", "look", "wake"]]);
    assert_eq!(of("accept"), [["accept", "judge", "look", "wake"]]);
    assert_eq!(of("pass"), [["pass", "wake"]]);
    assert!(of("plan").len() >= 2 && of("plan").iter().all(|line| line == &["plan", "pass", "wake"]));
    assert!(of("record").len() >= 4 && of("record").iter().all(|line| line == &["record", "pass", "wake"]));
    assert_eq!(of("request"), vec![["request", "pass", "wake"]; 3]);

    let requests: Vec<_> = collector.named("request").into_iter().map(|span| span.attributes).collect();
    let told = |name: &str| requests.iter().map(|request| request[name].clone()).collect::<Vec<_>>();
    assert_eq!(told("addresses"), ["2", "2", "1"]);
    assert_eq!(told("operation"), ["assign"; 3]);
    assert_eq!(told("status"), ["200"; 3]);
    assert_eq!(told("subscription"), ["contoso"; 3]);
    assert_eq!(collector.named("look")[0].attributes["source"], "hr");

    daemon.signal("TERM");
    assert_eq!(daemon.wait(), Some(0));
    let arrived = collector.arrived();
    let all = String::from_utf8_lossy(&arrived.bytes).into_owned();
    assert!(!all.contains("@contoso") && !all.contains(KEY), "neither an address nor the key");
    assert!(arrived.heads.iter().all(|head| head.starts_with("POST /v1/traces ") && head.contains("x-team: licences")));
    let log = fs::read_to_string(world.path("log")).unwrap();
    assert!(!log.contains("trigger=") && !log.contains("operation=assign"), "the log knows nothing of spans:\n{log}");
}

#[test]
fn a_command_tells_of_its_run_before_it_ends() {
    let world = World::new(2);
    world.drop_roster("a.csv", &people(0..3));
    let collector = Collector::start();
    let mut command = collector.told_of(world.command(&["sync"]));
    let ran: Ran = command.env("OTEL_SERVICE_NAME", "licences").output().unwrap().into();
    assert_eq!(ran.status, 3, "{}", ran.stderr);
    let spans = collector.spans();
    let wake = &collector.named("wake")[0];
    assert_eq!(wake.attributes["trigger"], "Command");
    assert!(spans.iter().all(|span| span.trace == wake.trace && span.service == "licences"), "{spans:#?}");
    let refused: Vec<_> = spans.iter().filter(|span| span.failed).collect();
    assert!(!refused.is_empty() && refused.iter().all(|span| span.attributes["status"] == "402"), "{spans:#?}");
    for span in &spans {
        assert_eq!(lineage(&spans, span).last().unwrap(), "wake");
    }

    let mut command = collector.told_of(world.command(&["status"]));
    assert!(command.output().unwrap().stderr.is_empty());
    assert_eq!(collector.spans(), spans, "who only asks is no news");
}

#[test]
fn a_collector_that_is_away_is_told_of_once_and_disturbs_nothing() {
    let world = World::new(10);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let log = fs::File::create(world.path("log")).unwrap();
    let mut command = Collector { port, arrived: Arc::default() }.told_of(world.command(&["run"]));
    let child = command.env("OTEL_EXPORTER_OTLP_TIMEOUT", "300").stderr(log).spawn().unwrap();
    let mut daemon = crate::world::Daemon { child };
    for number in 1..4 {
        world.drop_roster(&format!("{number}.csv"), &people(0..number));
        until("they have their seats", || world.assigned().len() == number);
    }
    is_well(&world);
    let told = || fs::read_to_string(world.path("log")).unwrap().matches("traces can't be sent").count();
    until("it is told", || told() > 0);
    daemon.signal("TERM");
    assert_eq!(daemon.wait(), Some(0));
    assert_eq!(told(), 1, "{}", fs::read_to_string(world.path("log")).unwrap());
}

#[test]
fn without_a_collector_or_with_a_word_that_cannot_be_meant_everything_works() {
    let world = World::new(10);
    for (number, (endpoint, protocol, said)) in [
        ("", "", ""),
        ("no address", "", "there are no traces: "),
        ("http://127.0.0.1:1", "grpc", "only http/protobuf is spoken here"),
    ]
    .into_iter()
    .enumerate()
    {
        world.drop_roster("a.csv", &people(0..=number));
        let mut command = world.command(&["sync"]);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
        let ran: Ran = command.output().unwrap().into();
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        assert!(ran.stderr.contains(said) && ran.stderr.is_empty() == said.is_empty(), "{}", ran.stderr);
        assert_eq!(world.assigned().len(), number + 1);
    }
}
