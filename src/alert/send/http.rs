//! Posts to a receiver, and fetches a heartbeat's address. No redirect is followed, and no address shows anywhere: most
//! of them are secrets.

use std::path::Path;
use std::time::Duration;

use reqwest::header::{self, HeaderMap};
use reqwest::{Client, ClientBuilder, Response, Url, redirect, retry};

use super::{PATIENCE, Sent};
use crate::clock::Timestamp;
use crate::config::{Licensing, is_loopback};
use crate::licensing::http::{certificates, proxy};
use crate::report::text::plain;
use crate::telemetry::{Masked, chain};

const USER_AGENT: &str = concat!("rosterd/", env!("CARGO_PKG_VERSION"));
/// So much of an answer is shown.
const WORDS_MAX: usize = 200;
/// A receiver that asks for more time gets so much.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

pub(super) async fn post(
    url: Url,
    body: String,
    headers: Vec<(&'static str, String)>,
    ca_file: Option<&Path>,
    licensing: &Licensing,
    now: Timestamp,
) -> Sent {
    let client = match client(&url, ca_file, licensing) {
        Ok(client) => client,
        Err(why) => return Sent::Failed(why, None),
    };
    let host = host(&url);
    let mut request = client.post(url).header(header::CONTENT_TYPE, "application/json").body(body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    match request.send().await {
        Ok(response) => answer(&host, response, now).await,
        Err(error) => Sent::Failed(format!("{host}: {}", chain(&error.without_url())), None),
    }
}

/// Gets this address.
///
/// # Errors
/// Why that did not succeed, without the address.
pub async fn fetch(url: Url, licensing: &Licensing) -> Result<(), String> {
    let client = client(&url, None, licensing)?;
    let host = host(&url);
    match client.get(url).send().await {
        Ok(response) if response.status().is_success() => Ok(()),
        Ok(response) => Err(format!("{host} answers {}", response.status())),
        Err(error) => Err(format!("{host}: {}", chain(&error.without_url()))),
    }
}

/// What may be shown of an address.
pub(super) fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

/// Whether the certificates that are to be trusted can be read.
pub(super) fn examine(url: &Url, ca_file: Option<&Path>) -> Result<(), String> {
    match ca_file.filter(|_| url.scheme() == "https") {
        Some(path) => certificates(path).map(drop).map_err(|error| chain(&error)),
        None => Ok(()),
    }
}

/// One on this machine is spoken to without a proxy and without TLS; all others through the proxy of `[licensing]`, or the
/// environment's.
fn client(url: &Url, ca_file: Option<&Path>, licensing: &Licensing) -> Result<Client, String> {
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(retry::never())
        .timeout(PATIENCE)
        .connect_timeout(PATIENCE / 3);
    let builder = if url.scheme() == "http" {
        builder.no_proxy().tls_certs_only([])
    } else {
        secured(builder, url, ca_file, licensing)?
    };
    builder.build().map_err(|error| chain(&error.without_url()))
}

fn secured(
    builder: ClientBuilder,
    url: &Url,
    ca_file: Option<&Path>,
    licensing: &Licensing,
) -> Result<ClientBuilder, String> {
    let mut builder = builder.https_only(true);
    if let Some(path) = ca_file {
        builder = builder.tls_certs_merge(certificates(path).map_err(|error| chain(&error))?);
    }
    if is_loopback(url) {
        builder = builder.no_proxy();
    } else if let Some(address) = &licensing.proxy {
        builder = builder.no_proxy().proxy(proxy(address).map_err(|error| chain(&error))?);
    }
    Ok(builder)
}

async fn answer(host: &str, mut response: Response, now: Timestamp) -> Sent {
    let status = response.status();
    let after = retry_after(response.headers(), now);
    let mut body = Vec::new();
    while let (Ok(Some(chunk)), true) = (response.chunk().await, body.len() < WORDS_MAX) {
        body.extend_from_slice(&chunk);
    }
    let words: String = plain(&String::from_utf8_lossy(&body)).trim().chars().take(WORDS_MAX).collect();
    let words = if words.is_empty() { String::new() } else { format!(": {}", Masked(&words)) };
    let said = format!("{host} answers {}{words}", status.as_u16());
    match status.as_u16() {
        200..=299 => Sent::Arrived(said),
        // What it has against this one it has not against all.
        400 | 413 | 422 => Sent::Refused(said),
        300..=399 => Sent::Failed(format!("{host} redirects ({}), which is not followed", status.as_u16()), None),
        _ => Sent::Failed(said, after),
    }
}

/// In seconds, or as a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let after = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let at: Timestamp = httpdate::parse_http_date(text).ok()?.into();
        (at - now).to_std().ok()?
    };
    Some(after.min(RETRY_AFTER_MAX))
}
