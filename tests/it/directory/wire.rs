//! A proxy that knows nothing of what it passes on, so that it stands before TLS, too; what goes wrong is counted in bytes
//! of the server.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What is done when so many of the server's bytes have been passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    /// Nothing.
    Never,
    /// Both ends learn that the other is gone.
    Cut(usize),
    /// The next byte is another one.
    Garble(usize),
    /// The server falls silent.
    Stall(usize),
}

pub(crate) struct Wire {
    listens: SocketAddr,
    breaks: Arc<Mutex<Break>>,
    passed: Arc<AtomicUsize>,
}

impl Wire {
    /// Stands before this server, for as long as the process lives.
    pub(crate) fn before(upstream: SocketAddr) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Wire {
            listens: listener.local_addr().unwrap(),
            breaks: Arc::new(Mutex::new(Break::Never)),
            passed: Arc::default(),
        };
        let (breaks, passed) = (wire.breaks.clone(), wire.passed.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(upstream) else { continue };
                let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
                let (breaks, passed) = (*breaks.lock().unwrap(), passed.clone());
                thread::spawn(move || {
                    pass(&server, &client, breaks, &passed);
                    let _ = client.shutdown(Shutdown::Both);
                    let _ = server.shutdown(Shutdown::Both);
                });
            }
        });
        wire
    }

    /// For connections that come from now on; what has passed is counted anew.
    pub(crate) fn set(&self, breaks: Break) {
        *self.breaks.lock().unwrap() = breaks;
        self.passed.store(0, Ordering::SeqCst);
    }

    /// Bytes of the server.
    pub(crate) fn passed(&self) -> usize {
        self.passed.load(Ordering::SeqCst)
    }

    pub(crate) fn tls_url(&self) -> String {
        format!("ldaps://localhost:{}", self.listens.port())
    }
}

fn pass(mut server: &TcpStream, mut client: &TcpStream, breaks: Break, passed: &AtomicUsize) {
    let mut bytes = [0; 4096];
    loop {
        let (done, Ok(read @ 1..)) = (passed.load(Ordering::SeqCst), server.read(&mut bytes)) else { return };
        let at = match breaks {
            Break::Cut(at) | Break::Stall(at) | Break::Garble(at) if at < done + read => Some(at - done.min(at)),
            _ => None,
        };
        if let (Break::Garble(_), Some(at)) = (breaks, at) {
            bytes[at] ^= 0xff;
        }
        let whole = at.is_none() || matches!(breaks, Break::Garble(_));
        let sent = if whole { read } else { at.unwrap_or(read) };
        if client.write_all(&bytes[..sent]).is_err() {
            return;
        }
        passed.fetch_add(sent, Ordering::SeqCst);
        match breaks {
            Break::Cut(_) if !whole => return,
            Break::Stall(_) if !whole => {
                // Until the client has had enough.
                let _ = { server }.read(&mut bytes);
                return;
            }
            _ => {}
        }
    }
}
