//! Sends an alert by mail. Without TLS a message goes to a server on this machine alone, and there, too, only where no
//! `ca_file` says that its certificate is to be looked at.

use std::path::Path;
use std::time::Duration;

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{self, AsyncSmtpTransport};
use lettre::{AsyncTransport as _, Message, Tokio1Executor};
use reqwest::Url;
use secrecy::ExposeSecret as _;

use super::{PATIENCE, Sent};
use crate::address::Address;
use crate::alert::{Alert, render};
use crate::clock::Timestamp;
use crate::config::{Login, is_loopback};
use crate::report::text::plain;
use crate::telemetry::{Masked, chain};

/// Where mail is submitted to a server elsewhere, and to one on this machine.
const SUBMISSION_PORT: u16 = 587;
const LOCAL_PORT: u16 = 25;
const SMTPS_PORT: u16 = 465;
/// A subject line is cut after so many characters.
const SUBJECT_MAX: usize = 240;

pub(super) struct Mail<'a> {
    pub(super) to: &'a [Address],
    pub(super) from: &'a Address,
    pub(super) server: &'a Url,
    pub(super) login: Option<&'a Login>,
    pub(super) ca_file: Option<&'a Path>,
}

/// How the connection is kept from others' eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secrecy {
    None,
    StartTls,
    Tls,
}

impl Secrecy {
    fn of(server: &Url, ca_file: Option<&Path>) -> Secrecy {
        match server.scheme() {
            "smtps" => Secrecy::Tls,
            _ if is_loopback(server) && ca_file.is_none() => Secrecy::None,
            _ => Secrecy::StartTls,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Secrecy::None => "without TLS, on this machine",
            Secrecy::StartTls => "with StartTLS",
            Secrecy::Tls => "with TLS",
        }
    }
}

pub(super) async fn send(mail: &Mail<'_>, alert: &Alert, remind_every: Duration, now: Timestamp) -> Sent {
    let message = match message(mail, alert, remind_every, now) {
        Ok(message) => message,
        Err(why) => return Sent::Refused(why),
    };
    let transport = match mail.transport() {
        Ok(transport) => transport,
        Err(why) => return Sent::Failed(why, None),
    };
    let host = mail.host();
    match transport.send(message).await {
        Ok(response) => {
            let words: Vec<&str> = response.message().collect();
            Sent::Arrived(format!("{host} answers {} {}", response.code(), Masked(&plain(&words.join(" ")))))
        }
        // After it has said hello, a server that refuses for good refuses this message, or its people: others may have
        // better luck. Who may not sign in at all is another matter.
        Err(error) if error.is_permanent() && !is_sign_in(&error) => Sent::Refused(mail.failure(&error)),
        Err(error) => Sent::Failed(mail.failure(&error), None),
    }
}

/// Connects and signs in, and sends nothing.
pub(super) async fn examine(mail: &Mail<'_>) -> Result<String, String> {
    let secrecy = Secrecy::of(mail.server, mail.ca_file).words();
    match mail.transport()?.test_connection().await {
        Ok(true) => {
            let to: Vec<&str> = mail.to.iter().map(Address::spelling).collect();
            let signs_in = mail.login.map(|login| format!(", signed in as {}", login.username)).unwrap_or_default();
            Ok(format!("would write to {} by {} {secrecy}{signs_in}", to.join(", "), mail.host()))
        }
        Ok(false) => Err(format!("{} closes the connection", mail.host())),
        Err(error) => Err(mail.failure(&error)),
    }
}

/// The codes by which a server says that it is about who signs in, and how.
fn is_sign_in(error: &smtp::Error) -> bool {
    let code = error.status().map(u16::from);
    matches!(code, Some(530 | 534 | 535 | 538))
}

impl Mail<'_> {
    fn host(&self) -> &str {
        self.server.host_str().unwrap_or_default()
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
        let host = self.host().trim_start_matches('[').trim_end_matches(']');
        let secrecy = Secrecy::of(self.server, self.ca_file);
        let (tls, port) = match secrecy {
            Secrecy::None => (Tls::None, LOCAL_PORT),
            // Never opportunistic: whoever stands in between could talk it out of TLS.
            Secrecy::StartTls => (Tls::Required(self.tls(host)?), SUBMISSION_PORT),
            Secrecy::Tls => (Tls::Wrapper(self.tls(host)?), SMTPS_PORT),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(self.server.port().unwrap_or(port))
            .timeout(Some(PATIENCE))
            .tls(tls);
        if let Some(Login { username, password }) = self.login {
            let password = password.read().map_err(|error| chain(&error))?;
            builder = builder.credentials(Credentials::new(username.clone(), password.expose_secret().to_owned()));
        }
        Ok(builder.build())
    }

    fn tls(&self, host: &str) -> Result<TlsParameters, String> {
        let mut builder = TlsParameters::builder(host.to_owned());
        if let Some(path) = self.ca_file {
            let shown = path.display();
            let pem = std::fs::read(path).map_err(|cause| format!("`ca_file`: {shown} can't be read: {cause}"))?;
            let certificate = Certificate::from_pem(&pem).ok();
            let certificate = certificate.filter(|_| String::from_utf8_lossy(&pem).contains("BEGIN CERTIFICATE"));
            let certificate =
                certificate.ok_or_else(|| format!("`ca_file`: {shown} holds no certificates in PEM form"))?;
            builder = builder.add_root_certificate(certificate);
        }
        builder.build().map_err(|error| chain(&error))
    }

    /// What went wrong, with what may help.
    fn failure(&self, error: &smtp::Error) -> String {
        let said = Masked(&plain(&chain(error))).to_string();
        let host = self.host();
        if error.to_string().contains("STARTTLS is not supported") || said.contains("STARTTLS is not supported") {
            return format!(
                "{host} does not offer StartTLS, without which nothing is sent there; is smtps:// what it wants?"
            );
        }
        format!("{host}: {said}")
    }
}

fn message(mail: &Mail<'_>, alert: &Alert, remind_every: Duration, now: Timestamp) -> Result<Message, String> {
    let mailbox = |address: &Address| {
        let parsed = address
            .spelling()
            .parse::<lettre::Address>()
            .map_err(|error| format!("{}: {error}", Masked(address.spelling())))?;
        Ok::<_, String>(Mailbox::new(None, parsed))
    };
    let mut builder: MessageBuilder = Message::builder().from(mailbox(mail.from)?);
    for to in mail.to {
        builder = builder.to(mailbox(to)?);
    }
    let domain = mail.from.domain();
    let subject: String = render::subject(alert).chars().take(SUBJECT_MAX).collect();
    builder
        .subject(subject)
        // The same however often it is sent; and one that all of a cause refer to, so that they stand together.
        .message_id(Some(format!("<{}@{domain}>", alert.id)))
        .references(format!("<{}@{domain}>", alert.cause))
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN)
        .date(now.into())
        .body(render::text(alert, remind_every))
        .map_err(|error| chain(&error))
}

/// Keeps out-of-office answers from being sent.
#[derive(Debug, Clone, Copy)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<AutoSubmitted, Box<dyn std::error::Error + Send + Sync>> {
        Ok(AutoSubmitted)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(AutoSubmitted::name(), "auto-generated".to_owned())
    }
}
