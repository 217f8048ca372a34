//! A web server that takes what is posted to it, and can be down, refuse, or say nothing.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// How the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mood {
    Answers(&'static str),
    /// It closes each connection before it has read anything.
    Down,
    /// It takes the request, and says nothing.
    Silent,
}

pub(crate) const WELL: Mood = Mood::Answers("200 OK\r\n");

/// A request that was read whole.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Its first line.
    pub line: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Request {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether it is signed with this secret, as Standard Webhooks has it.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let header = |name: &str| self.headers.get(name).cloned().unwrap_or_default();
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), self.body).as_bytes());
        let Some(signature) = header("webhook-signature").strip_prefix("v1,").map(str::to_owned) else { return false };
        STANDARD.decode(signature).is_ok_and(|signature| mac.verify_slice(&signature).is_ok())
    }
}

pub(crate) struct Web {
    pub port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    mood: Arc<Mutex<Mood>>,
}

impl Web {
    pub(crate) fn start(mood: Mood) -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let web = Web { port, requests: Arc::default(), mood: Arc::new(Mutex::new(mood)) };
        let (requests, mood) = (Arc::clone(&web.requests), Arc::clone(&web.mood));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (requests, mood) = (Arc::clone(&requests), mood.lock().unwrap().clone());
                thread::spawn(move || serve(&stream, &mood, &requests));
            }
        });
        web
    }

    pub(crate) fn is_now(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, mood: &Mood, requests: &Mutex<Vec<Request>>) -> Option<()> {
    if *mood == Mood::Down {
        return None;
    }
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let request = Request { line: line.trim_end().to_owned(), headers, body: String::from_utf8(body).unwrap() };
    requests.lock().unwrap().push(request);
    match mood {
        Mood::Answers(status) => {
            let answer = format!("HTTP/1.1 {status}content-length: 2\r\nconnection: close\r\n\r\nok");
            (&*stream).write_all(answer.as_bytes()).ok()
        }
        // Until the other side goes.
        _ => reader.read(&mut [0]).ok().map(drop),
    }
}
