//! How a connection begins: connecting, TLS, and signing in.

use std::net::SocketAddr;
use std::sync::Arc;

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, StdStream};
use reqwest::Url;
use secrecy::ExposeSecret;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::{self, Auth};
use crate::source::Incomplete;
use crate::telemetry::chain;

use super::addresses::{BESIDE_AFTER, in_turn, unreachable};
use super::closed::{Closed, refused, without_tls};
use super::connect::words;
use super::tls::{Told, client_config};

/// Connects and signs in; the connection is driven by a task of this runtime.
///
/// # Errors
/// When one of these fails, with what to do about it.
pub async fn sign_in(config: &config::Ldap, url: &Url, server: &str) -> Result<Ldap, Closed> {
    let told = Told::default();
    // The system's certificates take a while to load.
    let secure = is_tls(config, url).then(|| client_config(config, &told).map(Arc::new)).transpose();
    let secure = secure.map_err(Closed::everywhere)?;
    let stream = tcp(url, server).await?;
    let settings = LdapConnSettings::new()
        .set_starttls(config.start_tls && url.scheme() == "ldap")
        .set_std_stream(StdStream::Tcp(stream));
    let settings = match secure {
        Some(secure) => settings.set_config(secure),
        None => settings,
    };
    let connected = LdapConnAsync::from_url_with_settings(settings, url).await;
    let (connection, ldap) = connected.map_err(|error| not_secure(server, &error, &told))?;
    tokio::spawn(async move { connection.drive().await });
    bind(ldap, config, url, server).await
}

fn is_tls(config: &config::Ldap, url: &Url) -> bool {
    config.start_tls || url.scheme() == "ldaps"
}

/// A connection to the first of the host's addresses that takes one.
async fn tcp(url: &Url, server: &str) -> Result<std::net::TcpStream, Closed> {
    let port = url.port().unwrap_or(if url.scheme() == "ldaps" { 636 } else { 389 });
    let connected = match lookup_host((host(url), port)).await {
        Ok(addresses) => first_of(in_turn(addresses, SocketAddr::is_ipv6)).await,
        Err(cause) => Err(format!("can't be reached: {cause}")),
    };
    connected.map_err(|why| {
        Closed::here(Incomplete::passing(format!("{server} {why}. Are its name and port right, and does it run?")))
    })
}

/// A connection to the first of these that takes one; why none does, as a fragment that fits after the server's name.
async fn first_of(addresses: Vec<SocketAddr>) -> Result<std::net::TcpStream, String> {
    let (mut trying, mut failed) = (JoinSet::new(), Vec::new());
    let mut ahead = addresses.into_iter().enumerate();
    loop {
        if let Some((place, address)) = ahead.next() {
            trying.spawn(async move {
                let connected = TcpStream::connect(address).await.and_then(TcpStream::into_std);
                connected.map_err(|cause| (place, address.ip().to_string(), cause.to_string()))
            });
        }
        let tried = if ahead.len() == 0 {
            trying.join_next().await
        } else {
            match timeout(BESIDE_AFTER, trying.join_next()).await {
                Ok(tried) => tried,
                Err(_) => continue,
            }
        };
        match tried {
            None => return Err(unreachable(failed)),
            Some(Ok(Ok(stream))) => return Ok(stream),
            Some(Ok(Err(why))) => failed.push(why),
            Some(Err(_)) => {}
        }
    }
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}

/// Why a connection came to nothing after it was made: nearly always TLS.
fn not_secure(server: &str, error: &LdapError, told: &Told) -> Closed {
    if let Some(why) = told.take() {
        return Closed::here(Incomplete::lasting(format!("{server} {why}")));
    }
    match error {
        LdapError::LdapResult { result } => without_tls(server, result.rc),
        LdapError::Io { source } => Closed::here(Incomplete::passing(format!(
            "{server} broke off while TLS was being set up ({source}). Is that a port for TLS, and does it take this certificate?"
        ))),
        error => Closed::here(Incomplete::passing(format!("{server} {}.", words(error)))),
    }
}

async fn bind(mut ldap: Ldap, config: &config::Ldap, url: &Url, server: &str) -> Result<Ldap, Closed> {
    let (who, bound) = match &config.auth {
        Auth::Simple { name, password } => {
            let password = password
                .read()
                .map_err(|error| Closed::everywhere(Incomplete::lasting(format!("{}.", chain(&error)))))?;
            if password.expose_secret().is_empty() {
                return Err(Closed::everywhere(Incomplete::lasting(
                    "The bind password is empty, and with an empty one a directory lets anybody in, as nobody: write the password into where `bind_password` says.",
                )));
            }
            (name.as_str(), ldap.simple_bind(name, password.expose_secret()).await)
        }
        Auth::External { .. } => ("the client certificate", ldap.sasl_external_bind().await),
        #[cfg(feature = "gssapi")]
        Auth::Gssapi { .. } => ("the Kerberos ticket", with_ticket(&ldap, host(url)).await),
        #[cfg(not(feature = "gssapi"))]
        Auth::Gssapi { .. } => {
            return Err(Closed::everywhere(Incomplete::lasting(
                "This rosterd is built without Kerberos: use one that is built with the feature `gssapi`, or another `auth`.",
            )));
        }
    };
    match bound {
        Ok(LdapResult { rc: 0, .. }) => Ok(ldap),
        Ok(result) => Err(refused(server, who, is_tls(config, url), result.rc, &result.text)),
        #[cfg(feature = "gssapi")]
        Err(LdapError::GssapiOperationError(text)) => Err(super::closed::without_ticket(server, host(url), &text)),
        Err(error) => {
            // TLS 1.3 is done before the server has looked at the client's certificate.
            let advice = match config.auth {
                Auth::External { .. } => " Does it trust who issued `client_cert`, and is that still valid?",
                _ if !is_tls(config, url) => " Is that a port for TLS? Then write ldaps://.",
                _ => "",
            };
            let why = format!("{server} {}, when rosterd signed in.{advice}", words(&error));
            Err(Closed::here(Incomplete::passing(why)))
        }
    }
}

/// The Kerberos library asks its servers and waits for them: on a thread of its own, which is left behind when that takes
/// too long.
#[cfg(feature = "gssapi")]
async fn with_ticket(ldap: &Ldap, host: &str) -> Result<LdapResult, LdapError> {
    let (mut ldap, host, runtime) = (ldap.clone(), host.to_owned(), tokio::runtime::Handle::current());
    let signed_in = tokio::task::spawn_blocking(move || runtime.block_on(ldap.sasl_gssapi_bind(&host))).await;
    signed_in.unwrap_or_else(|cause| Err(LdapError::GssapiOperationError(cause.to_string())))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use tokio::net::TcpSocket;

    use super::*;

    /// A port that swallows what is sent to it, as long as the rest is kept: nobody takes who comes, and no more may wait.
    async fn silent() -> (SocketAddr, impl Sized) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(connected) = timeout(BESIDE_AFTER, TcpStream::connect(address)).await {
            waiting.push(connected.unwrap());
        }
        (address, (listener, waiting))
    }

    #[tokio::test]
    async fn an_address_that_swallows_everything_keeps_nobody_from_the_next() {
        let (silent, _kept) = silent().await;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap();
        let gone: SocketAddr = (Ipv4Addr::new(127, 0, 0, 2), there.port()).into();
        let connected = timeout(BESIDE_AFTER * 20, first_of(vec![silent, gone, there])).await.unwrap().unwrap();
        assert_eq!(connected.peer_addr().unwrap(), there);
        let refused = first_of(vec![gone]).await.unwrap_err();
        assert!(refused.starts_with("can't be reached: Connection refused"), "{refused}");
        assert!(timeout(BESIDE_AFTER, first_of(vec![silent, gone])).await.is_err(), "the first may still answer");
    }
}
