//! How soon the dashboard answers with many subscriptions and members, while a run is going on.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rosterd::clock;
use tokio::runtime::{Builder, Runtime};

use crate::fixture::{self, Fleet};
use crate::measure::{Side, peak_of};
use crate::world::{HEADER, ID, World, address, row};

/// The longest wait for anything.
const PATIENCE: Duration = Duration::from_mins(5);
/// Of the licensing server: a run of a hundred thousand people goes on for as long as this lets it.
const LATENCY: Duration = Duration::from_millis(100);
const JOINERS: usize = 100_000;
const BATCH: usize = 100;

/// `rosterd run`, killed when dropped.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn answers(binary: &Path, subscriptions: usize, members: usize, rounds: usize) {
    let world = World::new(binary, LATENCY);
    let fleet = Fleet { subscriptions, members: members / subscriptions, now: clock::now() };
    let busy = format!(
        "[subscriptions.busy]\ntype = \"Manual\"\nid = \"{ID}\"\napi_key = {{ file = \"key\" }}\nsources = [\"people\"]\n\
         batch_size = {BATCH}\n[sources.people]\nkind = \"csv\"\npath = \"people.csv\"\nsettle = \"0s\"\nafter = \"leave\"\n"
    );
    fixture::write(&world.path(""), fleet, "listen = \"127.0.0.1:0\"", &world.base_url, &busy);
    world.write_lines("people.csv", std::iter::once(HEADER.to_owned()).chain((0..JOINERS).map(row)));
    let log = world.path("daemon.log");
    let mut command = world.rosterd("run");
    command.current_dir(world.path("")).stdin(Stdio::null()).stdout(Stdio::null());
    let daemon = Daemon(command.stderr(fs::File::create(&log).unwrap()).spawn().unwrap());
    wait("a run is going on", || world.sandbox.request_count() > 0);
    let mut client = Client::new(served(&fs::read_to_string(&log).unwrap()));

    let (one, held) = (fixture::name(61 + 3), fixture::name(5));
    let pages = [
        ("the first page", "/".to_owned()),
        ("    searched", "/?search=contoso&only=needs".to_owned()),
        ("    its last page, by queue", format!("/?sort=waiting&page={}", subscriptions / 50)),
        ("a subscription", format!("/subscriptions/{one}")),
        ("    its members, searched", format!("/subscriptions/{one}/members?search=anna")),
        ("    its queue", format!("/subscriptions/{one}/queue")),
        ("    what is held", format!("/subscriptions/{held}/held")),
        ("the one that runs", "/subscriptions/busy".to_owned()),
        ("    its members, far in", format!("/subscriptions/busy/members?after={}", address(JOINERS / 2))),
        ("    searched inside addresses", "/subscriptions/busy/members?search=santos.99&inside=yes".to_owned()),
        ("    its history", "/subscriptions/busy/history".to_owned()),
        ("the history of all", "/history".to_owned()),
        ("an address explained, among all", format!("/explain?address={}", fixture::email(7, &one))),
    ];
    let mut bare = Side::default();
    for _ in 0..100 * rounds {
        bare.add_part(client.get("/healthz"));
    }
    let mut all = Side::default();
    for (name, path) in pages {
        let mut side = Side::default();
        client.get(&path);
        for _ in 0..40 * rounds {
            let took = client.get(&path);
            side.add_part(took);
            all.add_part(took);
        }
        println!("{}   p99 {:>6.1}ms", side.row(&format!("P16 {name}"), Some(&bare)), ms(side.percentile(99)));
    }
    assert!(world.sandbox.request_count() < (JOINERS / BATCH) as u64, "the run was over too soon");
    println!("{}   p99 {:>6.1}ms", bare.row("    a bare answer (/healthz)", None), ms(bare.percentile(99)));
    println!("{}   p99 {:>6.1}ms", all.row("    all pages together", None), ms(all.percentile(99)));
    println!(
        "    goal: p99 50 ms; {subscriptions} subscriptions, {members} members, a run of {JOINERS} people going on"
    );
    println!("    peak of the daemon {} MiB\n", peak_of(daemon.0.id()).div_ceil(1 << 20));
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn served(log: &str) -> SocketAddr {
    let (_, rest) = log.split_once("the dashboard is at http://").expect("it is not served");
    rest.split('/').next().unwrap().parse().unwrap()
}

/// One connection that is kept.
struct Client {
    runtime: Runtime,
    sender: SendRequest<Empty<Bytes>>,
    host: String,
}

impl Client {
    fn new(server: SocketAddr) -> Client {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let sender = runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(server).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            sender
        });
        Client { runtime, sender, host: server.to_string() }
    }

    /// From the request to the last byte of the answer.
    #[expect(clippy::disallowed_methods, reason = "this measures")]
    fn get(&mut self, path: &str) -> Duration {
        let request = Request::get(path).header("host", &self.host).header("accept", "text/html");
        let request = request.body(Empty::new()).unwrap();
        self.runtime.block_on(async {
            self.sender.ready().await.unwrap();
            let began = Instant::now();
            let answer = self.sender.send_request(request).await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
            answer.into_body().collect().await.unwrap();
            began.elapsed()
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "this measures")]
fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}
