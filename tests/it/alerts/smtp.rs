//! A mail server as small as can be: `StartTLS` or TLS from the beginning, signing in, and what may go wrong.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::directory::pki::Pki;

pub(crate) const USER: &str = "rosterd";
pub(crate) const PASSWORD: &str = "correct-horse-battery";

/// A mail that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub to: Vec<String>,
    /// Headers and body.
    pub text: String,
    pub tls: bool,
    pub user: Option<String>,
}

/// How the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// It speaks no TLS.
    Plain,
    /// It knows nobody.
    NoSuchPerson,
    /// It closes the connection instead of taking a message.
    Drops,
    /// It knows no way to sign in but LOGIN.
    LoginOnly,
}

pub(crate) struct Smtp {
    pub port: u16,
    mails: Arc<Mutex<Vec<Mail>>>,
    commands: Arc<Mutex<Vec<String>>>,
}

impl Smtp {
    /// `implicit`: TLS from the first byte.
    pub(crate) fn start(pki: &Pki, implicit: bool, mood: Mood) -> Smtp {
        let certificates =
            CertificateDer::pem_file_iter(pki.pem("mail")).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(pki.key("mail")).unwrap();
        let tls = Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Smtp { port, mails: Arc::default(), commands: Arc::default() };
        let (mails, commands) = (Arc::clone(&server.mails), Arc::clone(&server.commands));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let session =
                    Session { tls: Arc::clone(&tls), mails: Arc::clone(&mails), commands: Arc::clone(&commands), mood };
                thread::spawn(move || session.serve(stream, implicit));
            }
        });
        server
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }

    /// Every line that was read outside of messages.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.commands.lock().unwrap().clone()
    }
}

struct Session {
    tls: Arc<ServerConfig>,
    mails: Arc<Mutex<Vec<Mail>>>,
    commands: Arc<Mutex<Vec<String>>>,
    mood: Mood,
}

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

impl Session {
    fn secured(&self, stream: TcpStream) -> Box<dyn Wire> {
        Box::new(StreamOwned::new(ServerConnection::new(Arc::clone(&self.tls)).unwrap(), stream))
    }

    /// `None` where the other side has gone.
    fn serve(&self, stream: TcpStream, implicit: bool) -> Option<()> {
        let mut is_tls = implicit;
        let plain = stream.try_clone().unwrap();
        let wire: Box<dyn Wire> = if implicit { self.secured(stream) } else { Box::new(stream) };
        let mut wire = BufReader::new(wire);
        let (mut user, mut to) = (None, Vec::new());
        say(&mut wire, "220 mail.example.test ESMTP")?;
        loop {
            let line = read(&mut wire)?;
            self.commands.lock().unwrap().push(line.clone());
            let verb = line.split(' ').next().unwrap_or_default().to_uppercase();
            match verb.as_str() {
                "EHLO" => {
                    let auth = if self.mood == Mood::LoginOnly { "AUTH LOGIN" } else { "AUTH PLAIN LOGIN" };
                    let offers_tls = !is_tls && self.mood != Mood::Plain;
                    let offer = if offers_tls { "250-STARTTLS\r\n".to_owned() } else { format!("250-{auth}\r\n") };
                    say(&mut wire, &format!("250-mail.example.test\r\n{offer}250 8BITMIME"))?;
                }
                "STARTTLS" if !is_tls && self.mood != Mood::Plain => {
                    say(&mut wire, "220 go ahead")?;
                    wire = BufReader::new(self.secured(plain.try_clone().unwrap()));
                    is_tls = true;
                }
                "AUTH" => {
                    let (name, password) = sign_in(&mut wire, &line)?;
                    if name == USER && password == PASSWORD {
                        user = Some(name);
                        say(&mut wire, "235 welcome")?;
                    } else {
                        say(&mut wire, "535 5.7.8 authentication failed")?;
                    }
                }
                "MAIL" | "NOOP" | "RSET" => say(&mut wire, "250 ok")?,
                "RCPT" if self.mood == Mood::NoSuchPerson => say(&mut wire, "550 5.1.1 no such person here")?,
                "RCPT" => {
                    to.push(line.split(['<', '>']).nth(1).unwrap_or_default().to_owned());
                    say(&mut wire, "250 ok")?;
                }
                "DATA" if self.mood == Mood::Drops => return None,
                "DATA" => {
                    say(&mut wire, "354 go on")?;
                    let mut text = String::new();
                    loop {
                        match read(&mut wire)?.as_str() {
                            "." => break,
                            line => {
                                text.push_str(line.strip_prefix('.').unwrap_or(line));
                                text.push('\n');
                            }
                        }
                    }
                    let mail = Mail { to: std::mem::take(&mut to), text, tls: is_tls, user: user.clone() };
                    self.mails.lock().unwrap().push(mail);
                    say(&mut wire, "250 2.0.0 queued as 4711")?;
                }
                "QUIT" => return say(&mut wire, "221 bye"),
                _ => say(&mut wire, "502 not understood")?,
            }
        }
    }
}

fn sign_in(wire: &mut BufReader<Box<dyn Wire>>, line: &str) -> Option<(String, String)> {
    let words: Vec<&str> = line.split(' ').collect();
    let decoded = |text: &str| String::from_utf8(STANDARD.decode(text).unwrap()).unwrap();
    if words.get(1).is_some_and(|mechanism| mechanism.eq_ignore_ascii_case("PLAIN")) {
        let text = decoded(words.get(2)?);
        let mut parts = text.split('\0').skip(1);
        return Some((parts.next()?.to_owned(), parts.next()?.to_owned()));
    }
    say(wire, &format!("334 {}", STANDARD.encode("Username:")))?;
    let name = decoded(&read(wire)?);
    say(wire, &format!("334 {}", STANDARD.encode("Password:")))?;
    Some((name, decoded(&read(wire)?)))
}

fn say(wire: &mut BufReader<Box<dyn Wire>>, line: &str) -> Option<()> {
    let stream = wire.get_mut();
    stream.write_all(format!("{line}\r\n").as_bytes()).and_then(|()| stream.flush()).ok()
}

fn read(wire: &mut BufReader<Box<dyn Wire>>) -> Option<String> {
    let mut line = String::new();
    let bytes = wire.read_line(&mut line).ok()?;
    (bytes > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}
