//! A proxy that knows where one LDAP message ends and the next begins, and does what it is told at the one that it is
//! told of. Plain LDAP alone: it reads what passes.
//!
//! Messages are counted from one, for each connection anew, so that what happens does not depend on what else is going
//! on. A fault stays until the next is set.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What is done to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Everything is passed on as it is.
    None,
    /// Nobody is there: a connection is closed before anything is said.
    Refuse,
    /// The connection is closed when so many of the client's messages have been passed on; before the first for 0.
    CutAfterRequests(usize),
    /// The connection is closed when so many of the server's messages have been passed on; before the first for 0.
    CutAfterAnswers(usize),
    /// After so many of the server's messages it says that it goes (RFC 4511, 4.4.1), and closes the connection.
    NoticeAfterAnswers(usize),
    /// The server falls silent when so many of its messages have been passed on. The connection stays.
    StallAfterAnswers(usize),
    /// The code of this result, of a bind or a search's page, counted from one, becomes another.
    Result { nth: usize, code: u8 },
    /// This result comes without its controls: a page without the cookie for the next one.
    WithoutControls { nth: usize },
    /// As Active Directory hands out a long attribute that was not asked for by range: empty, and beside it the first
    /// so many values as `NAME;range=0-MAX`. Samba hands it out whole.
    Ranges { values_max: usize },
    /// That, and as a controller that is set up strictly hands out pages: never more than so many entries at once,
    /// whatever size was asked for, and without a word.
    Strict { values_max: usize, page_max: u8 },
    /// A search that is to go on from a state (RFC 4533) is refused, with this code.
    RefuseCookie { code: u16 },
    /// Of the server's state (`contextCSN`), the first such part is another one, of the same length.
    State { part: &'static str, becomes: &'static str },
}

/// A search as it went by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    pub(crate) base: String,
    pub(crate) is_subtree: bool,
    pub(crate) attributes: Vec<String>,
    pub(crate) is_paged: bool,
}

/// What has passed, over all connections since the last fault was set.
#[derive(Debug, Default)]
struct Counts {
    connections: AtomicUsize,
    requests: AtomicUsize,
    answers: AtomicUsize,
    results: AtomicUsize,
    bytes: AtomicUsize,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    fault: Mutex<Fault>,
    counts: Counts,
    over: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
    /// Connections that both ends keep.
    alive: AtomicUsize,
    asked: Mutex<Vec<Asked>>,
    /// What tells of changes is silent on connections that came before so many; they stay, and other searches are answered.
    silent_before: AtomicUsize,
    came: AtomicUsize,
    /// Searches that asked to be told of changes.
    listened: AtomicUsize,
}

/// What one connection has asked to be told of: the ids of these searches.
type Lasting = Mutex<Vec<Vec<u8>>>;

pub(crate) struct Proxy {
    listens: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Stands before this server.
    pub(crate) fn before(upstream: SocketAddr) -> Proxy {
        Proxy::at(([127, 0, 0, 1], 0).into(), upstream)
    }

    /// Listens here.
    pub(crate) fn at(listens: SocketAddr, upstream: SocketAddr) -> Proxy {
        let listener = TcpListener::bind(listens).unwrap();
        let listens = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            upstream,
            fault: Mutex::new(Fault::None),
            counts: Counts::default(),
            over: AtomicUsize::new(0),
            open: Mutex::default(),
            alive: AtomicUsize::new(0),
            asked: Mutex::default(),
            silent_before: AtomicUsize::new(0),
            came: AtomicUsize::new(0),
            listened: AtomicUsize::new(0),
        });
        let acceptor = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                if acceptor.over.load(Ordering::SeqCst) > 0 {
                    break;
                }
                if let Ok(client) = client {
                    acceptor.serve(client);
                }
            }
        });
        Proxy { listens, shared }
    }

    pub(crate) fn listens(&self) -> SocketAddr {
        self.listens
    }

    pub(crate) fn url(&self) -> String {
        format!("ldap://{}", self.listens)
    }

    /// From now on, for connections that are open too; what has passed is counted anew.
    pub(crate) fn set(&self, fault: Fault) {
        *self.shared.fault() = fault;
        let counts = &self.shared.counts;
        for count in [&counts.connections, &counts.requests, &counts.answers, &counts.results, &counts.bytes] {
            count.store(0, Ordering::SeqCst);
        }
    }

    /// Closes every connection that is open.
    pub(crate) fn cut(&self) {
        for stream in self.shared.open().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// From now on the connections that are open are told of no change, and nobody says so.
    pub(crate) fn silence(&self) {
        self.shared.silent_before.store(self.shared.came.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// Searches that ever asked to be told of changes.
    pub(crate) fn listened(&self) -> usize {
        self.shared.listened.load(Ordering::SeqCst)
    }

    /// Connections that are open.
    pub(crate) fn alive(&self) -> usize {
        self.shared.alive.load(Ordering::SeqCst)
    }

    /// The searches that have gone by, over all connections; they are forgotten here.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.counts.connections.load(Ordering::SeqCst)
    }

    /// Messages of clients.
    pub(crate) fn requests(&self) -> usize {
        self.shared.counts.requests.load(Ordering::SeqCst)
    }

    /// Messages of the server.
    pub(crate) fn answers(&self) -> usize {
        self.shared.counts.answers.load(Ordering::SeqCst)
    }

    /// Bytes of messages in both directions.
    pub(crate) fn bytes(&self) -> usize {
        self.shared.counts.bytes.load(Ordering::SeqCst)
    }

    /// Those of the server's messages that end a bind or a page.
    pub(crate) fn results(&self) -> usize {
        self.shared.counts.results.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(1, Ordering::SeqCst);
        // The acceptor looks up only when somebody comes.
        let _ = TcpStream::connect(self.listens);
        self.cut();
    }
}

impl Shared {
    fn fault(&self) -> std::sync::MutexGuard<'_, Fault> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes on what is said, each direction in a thread of its own.
    fn serve(self: &Arc<Shared>, client: TcpStream) {
        self.counts.connections.fetch_add(1, Ordering::SeqCst);
        if *self.fault() == Fault::Refuse {
            return;
        }
        let Ok(server) = TcpStream::connect(self.upstream) else { return };
        for stream in [&client, &server] {
            let _ = stream.set_nodelay(true);
            self.open().extend(stream.try_clone());
        }
        let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else { return };
        let (there, back) = (self.clone(), self.clone());
        let (number, lasting) = (self.came.fetch_add(1, Ordering::SeqCst), Arc::new(Lasting::default()));
        let asked = lasting.clone();
        self.alive.fetch_add(1, Ordering::SeqCst);
        thread::spawn(move || {
            let _ = there.pass_requests(&client, &server, &asked);
            close(&client, &server);
            there.alive.fetch_sub(1, Ordering::SeqCst);
        });
        thread::spawn(move || {
            let _ = back.pass_answers(&server_too, &client_too, number, &lasting);
            close(&client_too, &server_too);
        });
    }

    fn pass_requests(&self, client: &TcpStream, server: &TcpStream, lasting: &Lasting) -> io::Result<()> {
        for passed in 0.. {
            if *self.fault() == Fault::CutAfterRequests(passed) {
                break;
            }
            let mut message = message(client)?;
            let asked = search(&message);
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).extend(asked);
            if let Some(has_cookie) = goes_on(&message) {
                self.listened.fetch_add(1, Ordering::SeqCst);
                lasting.lock().unwrap().push(parts(&message)[0].1.to_vec());
                if let (true, Fault::RefuseCookie { code }) = (has_cookie, *self.fault()) {
                    { client }.write_all(&refusal(&message, code))?;
                    continue;
                }
            }
            if let Fault::Strict { page_max, .. } = *self.fault() {
                message = with_page_max(&message, page_max);
            }
            { server }.write_all(&message)?;
            self.counts.bytes.fetch_add(message.len(), Ordering::SeqCst);
            self.counts.requests.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    fn pass_answers(&self, server: &TcpStream, client: &TcpStream, number: usize, lasting: &Lasting) -> io::Result<()> {
        let mut results = 0;
        for passed in 0.. {
            if *self.fault() == Fault::CutAfterAnswers(passed) {
                break;
            }
            let mut message = message(server)?;
            // Looked at again: it may have been set while there was nothing to pass on.
            let fault = *self.fault();
            if fault == Fault::CutAfterAnswers(passed) {
                break;
            }
            if fault == Fault::NoticeAfterAnswers(passed) {
                { client }.write_all(&notice())?;
                break;
            }
            if matches!(fault, Fault::StallAfterAnswers(most) if passed >= most) {
                // Until the client has had enough.
                while { server }.read(&mut [0; 4096])? > 0 {}
                break;
            }
            let is_silent = number < self.silent_before.load(Ordering::SeqCst);
            if is_silent && lasting.lock().unwrap().iter().any(|id| id == parts(&message)[0].1) {
                continue;
            }
            if is_result(&message) {
                results += 1;
                self.counts.results.fetch_add(1, Ordering::SeqCst);
            }
            change(fault, results, &mut message);
            // Before the client has it: whoever has seen everything may set the next fault.
            self.counts.bytes.fetch_add(message.len(), Ordering::SeqCst);
            self.counts.answers.fetch_add(1, Ordering::SeqCst);
            { client }.write_all(&message)?;
        }
        Ok(())
    }
}

/// Both ends learn of it; what was written before arrives.
fn close(one: &TcpStream, other: &TcpStream) {
    let _ = one.shutdown(Shutdown::Both);
    let _ = other.shutdown(Shutdown::Both);
}

/// One whole message, as it came.
fn message(mut from: &TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 2];
    from.read_exact(&mut message)?;
    if message[1] >= 0x80 {
        let more = usize::from(message[1] & 0x7f);
        message.resize(2 + more, 0);
        from.read_exact(&mut message[2..])?;
    }
    let (start, length) = content(&message).ok_or(io::ErrorKind::InvalidData)?;
    message.resize(start + length, 0);
    from.read_exact(&mut message[start..])?;
    Ok(message)
}

/// Where the content of the element at the beginning starts, and how long it is.
fn content(bytes: &[u8]) -> Option<(usize, usize)> {
    let first = *bytes.get(1)?;
    if first < 0x80 {
        return Some((2, first.into()));
    }
    let end = 2 + usize::from(first & 0x7f);
    let length = bytes.get(2..end)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    Some((end, length))
}

/// The elements that stand one after another, each with its tag and its content.
fn elements(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut elements = Vec::new();
    while let Some((start, length)) = content(bytes) {
        elements.push((bytes[0], &bytes[start..start + length]));
        bytes = &bytes[start + length..];
    }
    elements
}

/// An element of this content.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x84], &length[..], content].concat()
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OCTETS: u8 = 0x04;
const CONTROLS: u8 = 0xa0;
const ENTRY: u8 = 0x64;
const SEARCH: u8 = 0x63;
const INTEGER: u8 = 0x02;
const PAGES: &[u8] = b"1.2.840.113556.1.4.319";
const SYNC: &[u8] = b"1.3.6.1.4.1.4203.1.9.1.1";
const NOTIFY: &[u8] = b"1.2.840.113556.1.4.528";

/// The parts of a message: its id, what it says, and its controls.
fn parts(message: &[u8]) -> Vec<(u8, &[u8])> {
    elements(elements(message)[0].1)
}

/// Whether the message is the answer to a bind or the end of a search. That of an extended operation does not count: who
/// asks who they are goes on without knowing.
fn is_result(message: &[u8]) -> bool {
    matches!(parts(message)[1].0, 0x61 | 0x65)
}

/// The Notice of Disconnection: an answer to nothing, with the result "unavailable".
fn notice() -> Vec<u8> {
    let result = [element(0x0a, &[52]), element(OCTETS, b""), element(OCTETS, b"going down")].concat();
    let said = [result, element(0x8a, b"1.3.6.1.4.1.1466.20036")].concat();
    element(SEQUENCE, &[element(0x02, &[0]), element(0x78, &said)].concat())
}

/// Does to a message of the server what the fault says, when it is the one.
fn change(fault: Fault, results: usize, message: &mut Vec<u8>) {
    let is_nth = |nth| nth == results && is_result(message);
    match fault {
        Fault::Result { nth, code } if is_nth(nth) => *message = with_code(message, code),
        Fault::WithoutControls { nth } if is_nth(nth) => {
            let parts = parts(message);
            let kept = parts.iter().filter(|(tag, _)| *tag != CONTROLS);
            *message = element(SEQUENCE, &kept.flat_map(|(tag, content)| element(*tag, content)).collect::<Vec<_>>());
        }
        Fault::State { part, becomes } if parts(message)[1].0 == ENTRY => *message = with_state(message, part, becomes),
        Fault::Ranges { values_max } | Fault::Strict { values_max, .. } if parts(message)[1].0 == ENTRY => {
            *message = with_ranges(message, values_max);
        }
        _ => {}
    }
}

fn search(message: &[u8]) -> Option<Asked> {
    let parts = parts(message);
    let (_, search) = *parts.get(1).filter(|(tag, _)| *tag == SEARCH)?;
    let search = elements(search);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let controls = parts.get(2).map_or_else(Vec::new, |(_, controls)| elements(controls));
    Some(Asked {
        base: text(search[0].1),
        is_subtree: search[1].1 == [2],
        attributes: elements(search[7].1).into_iter().map(|(_, name)| text(name)).collect(),
        is_paged: controls.iter().any(|(_, control)| elements(control)[0].1 == PAGES),
    })
}

/// Whether a search that goes on and tells of changes does so from a state; `None`: it is no such search.
fn goes_on(message: &[u8]) -> Option<bool> {
    let parts = parts(message);
    let (_, controls) = parts.get(2).filter(|_| parts[1].0 == SEARCH)?;
    elements(controls).into_iter().find_map(|(_, control)| {
        let control = elements(control);
        let value = || elements(elements(control[control.len() - 1].1)[0].1).iter().any(|(tag, _)| *tag == OCTETS);
        match control[0].1 {
            NOTIFY => Some(false),
            SYNC => Some(value()),
            _ => None,
        }
    })
}

/// The end of this search, with a result of this code.
fn refusal(search: &[u8], code: u16) -> Vec<u8> {
    let result = [element(0x0a, &code.to_be_bytes()), element(OCTETS, b""), element(OCTETS, b"")].concat();
    element(SEQUENCE, &[element(INTEGER, parts(search)[0].1), element(0x65, &result)].concat())
}

/// The message with another state in it.
fn with_state(message: &[u8], part: &str, becomes: &str) -> Vec<u8> {
    let (mut changed, find) = (message.to_vec(), |bytes: &[u8], wanted: &[u8]| {
        bytes.windows(wanted.len()).position(|window| window == wanted)
    });
    if let Some(state) = find(message, b"contextCSN")
        && let Some(at) = find(&message[state..], part.as_bytes())
    {
        changed[state + at..][..becomes.len()].copy_from_slice(becomes.as_bytes());
    }
    changed
}

/// The search with pages that are no larger.
fn with_page_max(message: &[u8], page_max: u8) -> Vec<u8> {
    let mut changed = Vec::new();
    for (tag, part) in parts(message) {
        if tag != CONTROLS {
            changed.extend(element(tag, part));
            continue;
        }
        let controls = elements(part).into_iter().flat_map(|(tag, control)| {
            let parts = elements(control);
            if parts[0].1 != PAGES {
                return element(tag, control);
            }
            let value = elements(elements(parts[parts.len() - 1].1)[0].1);
            let size = element(INTEGER, &[0, page_max]);
            let value = element(SEQUENCE, &[size, element(OCTETS, value[1].1)].concat());
            let before = parts[..parts.len() - 1].iter().flat_map(|(tag, part)| element(*tag, part));
            element(tag, &before.chain(element(OCTETS, &value)).collect::<Vec<_>>())
        });
        changed.extend(element(CONTROLS, &controls.collect::<Vec<_>>()));
    }
    element(SEQUENCE, &changed)
}

/// The result with another code: the first thing in it, one byte of content.
fn with_code(message: &[u8], code: u8) -> Vec<u8> {
    let mut changed = Vec::new();
    for (at, (tag, content)) in parts(message).into_iter().enumerate() {
        let mut content = content.to_vec();
        if at == 1 {
            content[2] = code;
        }
        changed.extend(element(tag, &content));
    }
    element(SEQUENCE, &changed)
}

/// The entry with its long attributes cut to a first range.
fn with_ranges(message: &[u8], values_max: usize) -> Vec<u8> {
    let parts = parts(message);
    let entry = elements(parts[1].1);
    let mut attributes = Vec::new();
    for (_, attribute) in elements(entry[1].1) {
        let both = elements(attribute);
        let (name, values) = (both[0].1, elements(both[1].1));
        if values.len() <= values_max || name.contains(&b';') {
            attributes.extend(element(SEQUENCE, attribute));
            continue;
        }
        let first: Vec<_> = values[..values_max].iter().flat_map(|(tag, value)| element(*tag, value)).collect();
        let ranged = [name, format!(";range=0-{}", values_max - 1).as_bytes()].concat();
        for (name, values) in [(name, &[][..]), (&ranged, &first)] {
            attributes.extend(element(SEQUENCE, &[element(OCTETS, name), element(SET, values)].concat()));
        }
    }
    let entry = [element(OCTETS, entry[0].1), element(SEQUENCE, &attributes)].concat();
    let mut changed = [element(parts[0].0, parts[0].1), element(ENTRY, &entry)].concat();
    changed.extend(parts[2..].iter().flat_map(|(tag, content)| element(*tag, content)));
    element(SEQUENCE, &changed)
}
