//! What rosterd is compared with where no program is at hand: this binary again, in a process of its own.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Subcommand;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;

use crate::world::KEY;

#[derive(Debug, Subcommand)]
pub enum Reference {
    /// Splits a CSV file into records and fields, and does nothing with them
    Parse { file: PathBuf },
    /// Sends the addresses of a file to a server, one request after the other over one connection
    Send {
        url: String,
        addresses: PathBuf,
        batch: usize,
        /// A SQLite file to commit a row to after each request, flushed as a ledger is
        #[arg(long)]
        commits: Option<PathBuf>,
    },
}

pub fn parse(file: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("parse").arg(file);
    command
}

pub fn send(url: &str, addresses: &Path, batch: usize, commits: Option<&Path>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("send").arg(url).arg(addresses).arg(batch.to_string());
    if let Some(file) = commits {
        command.arg("--commits").arg(file);
    }
    command
}

impl Reference {
    pub fn run(&self) {
        match self {
            Reference::Parse { file } => println!("{}", count_records(file)),
            Reference::Send { url, addresses, batch, commits } => {
                let text = fs::read_to_string(addresses).unwrap();
                let bodies = bodies(&text, *batch);
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let mut commit = commits.as_deref().map(committer);
                runtime.block_on(send_all(url, bodies, &mut || commit.as_mut().map_or((), |commit| commit())));
            }
        }
    }
}

/// As the csv crate reads byte records.
fn count_records(file: &Path) -> u64 {
    let mut file = File::open(file).unwrap();
    let mut reader = csv_core::Reader::new();
    let (mut buffer, mut fields, mut ends) = (vec![0; 64 << 10], vec![0; 64 << 10], vec![0; 64]);
    let (mut filled, mut used, mut written, mut ended, mut records) = (0, 0, 0, 0, 0);
    loop {
        if used == filled {
            // Nothing more says to the reader that this is the end.
            (filled, used) = (file.read(&mut buffer).unwrap(), 0);
        }
        let input = &buffer[used..filled];
        let (result, read, out, end) = reader.read_record(input, &mut fields[written..], &mut ends[ended..]);
        (used, written, ended) = (used + read, written + out, ended + end);
        match result {
            csv_core::ReadRecordResult::InputEmpty => {}
            csv_core::ReadRecordResult::Record => {
                std::hint::black_box((&fields[..written], &ends[..ended]));
                (written, ended, records) = (0, 0, records + 1);
            }
            csv_core::ReadRecordResult::End => return records,
            full => panic!("a record is too large: {full:?}"),
        }
    }
}

fn bodies(addresses: &str, batch: usize) -> Vec<Bytes> {
    let addresses: Vec<&str> = addresses.lines().collect();
    let body = |emails: &[&str]| serde_json::json!({ "apiKey": KEY, "emails": emails }).to_string().into();
    addresses.chunks(batch).map(body).collect()
}

/// The connection-level client of hyper: no pool, no redirects, no time-outs.
async fn send_all(url: &str, bodies: Vec<Bytes>, after_each: &mut dyn FnMut()) {
    let url: hyper::Uri = url.parse().unwrap();
    let host = url.authority().unwrap().as_str();
    let stream = tokio::net::TcpStream::connect(host).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for body in bodies {
        let request = Request::put(url.path()).header("host", host).header("content-type", "application/json");
        client.ready().await.unwrap();
        let answer = client.send_request(request.body(Full::new(body)).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap();
        after_each();
    }
}

fn committer(file: &Path) -> impl FnMut() {
    let database = rusqlite::Connection::open(file).unwrap();
    database.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
    database.pragma_update(None, "synchronous", "FULL").unwrap();
    database.execute_batch("CREATE TABLE sent (id INTEGER PRIMARY KEY)").unwrap();
    move || {
        database.execute("INSERT INTO sent DEFAULT VALUES", []).unwrap();
    }
}
