//! Sends one alert to one receiver, once.

mod command;
mod http;
mod mail;

use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::receiver::Receiver;
use super::{Alert, render, signature};
use crate::clock::Timestamp;
use crate::config::{Licensing, SecretRef, Way, is_loopback};
use crate::telemetry::chain;

pub use http::fetch;

/// No attempt takes longer, name resolution and TLS included.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What came of an attempt, in words without a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It has arrived; what the receiver said.
    Arrived(String),
    /// The receiver does not take this very alert; others may arrive.
    Refused(String),
    /// Nothing reaches the receiver now. It asks not to be tried again for this long.
    Failed(String, Option<Duration>),
}

/// Sends an alert. Never fails: what went wrong is an answer, too.
pub async fn send(receiver: &Receiver, alert: &Alert, licensing: &Licensing, now: Timestamp) -> Sent {
    match tokio::time::timeout(PATIENCE, attempt(receiver, alert, licensing, now)).await {
        Ok(sent) => sent,
        Err(_) => Sent::Failed(format!("no answer within {} seconds", PATIENCE.as_secs()), None),
    }
}

async fn attempt(receiver: &Receiver, alert: &Alert, licensing: &Licensing, now: Timestamp) -> Sent {
    let configured = &receiver.configured;
    let (remind_every, ca_file) = (configured.remind_every, configured.ca_file.as_deref());
    match &configured.way {
        Way::Smtp { to, from, server, login } => {
            let mail = mail::Mail { to, from, server, login: login.as_ref(), ca_file };
            mail::send(&mail, alert, remind_every, now).await
        }
        Way::Slack { url } => {
            let body = render::slack(alert, remind_every);
            post(url, body.to_string(), Vec::new(), ca_file, licensing, now).await
        }
        Way::Teams { url } => {
            let body = render::teams(alert, remind_every);
            post(url, body.to_string(), Vec::new(), ca_file, licensing, now).await
        }
        Way::Webhook { url, secret } => {
            let body = render::json(alert, remind_every).to_string();
            match headers(alert, body.as_bytes(), secret.as_ref(), now) {
                Ok(headers) => post(url, body, headers, ca_file, licensing, now).await,
                Err(why) => Sent::Failed(why, None),
            }
        }
        Way::Command { command } => command::run(command, render::json(alert, remind_every).to_string()).await,
    }
}

async fn post(
    url: &SecretRef,
    body: String,
    headers: Vec<(&'static str, String)>,
    ca_file: Option<&Path>,
    licensing: &Licensing,
    now: Timestamp,
) -> Sent {
    match web_url(url) {
        Ok(url) => http::post(url, body, headers, ca_file, licensing, now).await,
        Err(why) => Sent::Failed(why, None),
    }
}

/// What Standard Webhooks asks for. Without a secret there is no signature.
fn headers(
    alert: &Alert,
    body: &[u8],
    secret: Option<&SecretRef>,
    now: Timestamp,
) -> Result<Vec<(&'static str, String)>, String> {
    let timestamp = now.timestamp();
    let mut headers = vec![("webhook-id", alert.id.clone()), ("webhook-timestamp", timestamp.to_string())];
    if let Some(secret) = secret {
        let secret = secret.read().map_err(|error| chain(&error))?;
        let signature = signature::sign(&secret, &alert.id, timestamp, body).map_err(|error| error.to_string())?;
        headers.push(("webhook-signature", signature));
    }
    Ok(headers)
}

/// The address of a receiver: `https`, or `http` on this machine. What is wrong with it is said without it.
pub fn web_url(place: &SecretRef) -> Result<reqwest::Url, String> {
    let text: SecretString = place.read().map_err(|error| chain(&error))?;
    let url = reqwest::Url::parse(text.expose_secret().trim());
    let url = url.ok().filter(reqwest::Url::has_host).ok_or_else(|| format!("{place} holds no web address"))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => Err(format!("{place} holds an address that is not https://")),
    }
}

/// Looks whether a receiver could be told, without telling it anything. What it would do, or why it can't.
pub async fn examine(receiver: &Receiver) -> Result<String, String> {
    let configured = &receiver.configured;
    let ca_file = configured.ca_file.as_deref();
    match &configured.way {
        Way::Smtp { to, from, server, login } => {
            let mail = mail::Mail { to, from, server, login: login.as_ref(), ca_file };
            let tried = tokio::time::timeout(PATIENCE, mail::examine(&mail)).await;
            tried.unwrap_or_else(|_| Err(format!("no answer within {} seconds", PATIENCE.as_secs())))
        }
        Way::Slack { url } | Way::Teams { url } => {
            let url = web_url(url)?;
            http::examine(&url, ca_file)?;
            Ok(format!("would post a message to {}", http::host(&url)))
        }
        Way::Webhook { url, secret } => {
            let url = web_url(url)?;
            http::examine(&url, ca_file)?;
            let Some(secret) = secret else { return Ok(format!("would post JSON to {}, unsigned", http::host(&url))) };
            let secret = secret.read().map_err(|error| chain(&error))?;
            signature::sign(&secret, "", 0, b"").map_err(|error| error.to_string())?;
            Ok(format!("would post JSON to {}, signed", http::host(&url)))
        }
        Way::Command { command } => command::examine(command),
    }
}
