//! `rosterd sandbox`: its flags, and running it until a signal comes.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

use crate::config::SubscriptionType;

use super::dialect::Dialect;
use super::faults::Faults;
use super::server::{Options, Sandbox, serve};
use super::state::Subscription;

/// The seats of the subscription that is made when none is named.
const SEATS_DEFAULT: u64 = 10;

/// A licensing server to try things on, held in memory.
#[derive(Debug, Clone, clap::Args)]
pub struct SandboxArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8402")]
    pub listen: SocketAddr,
    /// A subscription, as in Manual/GUID; its key and its seats follow it. May be given several times.
    /// Without one, the sandbox makes one up and prints a configuration for it
    #[arg(long = "subscription", value_name = "TYPE/GUID")]
    pub subscriptions: Vec<SubscriptionPath>,
    /// The key of the subscription in the same place
    #[arg(long = "api-key", value_name = "GUID", value_parser = parse_key)]
    pub api_keys: Vec<SecretString>,
    /// The seats of the subscription in the same place; alone, those of the one that is made up (10 without it)
    #[arg(long, value_name = "N")]
    pub seats: Vec<u64>,
    #[command(flatten, next_help_heading = "Answers where the documentation is silent")]
    pub dialect: Dialect,
    #[command(flatten, next_help_heading = "Faults")]
    pub faults: Faults,
}

/// A subscription's type and id, as they stand in the API's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriptionPath {
    pub kind: SubscriptionType,
    pub id: Uuid,
}

impl FromStr for SubscriptionPath {
    type Err = String;
    fn from_str(text: &str) -> Result<SubscriptionPath, String> {
        let kinds = [SubscriptionType::Paddle, SubscriptionType::Azure, SubscriptionType::Manual];
        let parse = || {
            let (kind, id) = text.split_once('/')?;
            let kind = kinds.into_iter().find(|known| known.label() == kind)?;
            Some(SubscriptionPath { kind, id: Uuid::try_parse(id).ok()? })
        };
        parse().ok_or_else(|| "a subscription is Paddle, Azure or Manual, a slash and a GUID".to_owned())
    }
}

fn parse_key(text: &str) -> Result<SecretString, String> {
    match Uuid::try_parse(text) {
        Ok(_) => Ok(text.into()),
        Err(_) => Err("a key is a GUID".to_owned()),
    }
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error(
        "--subscription, --api-key and --seats belong together, so each is needed as often as the others: \
         there are {subscriptions}, {keys} and {seats} of them"
    )]
    UnequalFlags { subscriptions: usize, keys: usize, seats: usize },
    #[error("--subscription names {0} twice")]
    Twice(Uuid),
    #[error("the sandbox can't listen on {address}; --listen names another address")]
    Listen {
        address: SocketAddr,
        #[source]
        cause: io::Error,
    },
    #[error("the sandbox can't watch for signals")]
    Signals(#[source] io::Error),
    #[error("the sandbox can't print its configuration")]
    Print(#[source] io::Error),
}

impl SandboxError {
    /// Whether the command line was wrong.
    pub fn is_usage(&self) -> bool {
        matches!(self, SandboxError::UnequalFlags { .. } | SandboxError::Twice(_))
    }
}

impl SandboxArgs {
    /// The subscriptions that the flags name, which may be none.
    ///
    /// # Errors
    /// When the three flags don't go together.
    pub fn named(&self) -> Result<Vec<Subscription>, SandboxError> {
        let (subscriptions, keys, seats) = (self.subscriptions.len(), self.api_keys.len(), self.seats.len());
        let seats_alone = subscriptions == 0 && keys == 0 && seats == 1;
        if !seats_alone && (subscriptions != keys || keys != seats) {
            return Err(SandboxError::UnequalFlags { subscriptions, keys, seats });
        }
        let mut ids = BTreeSet::new();
        if let Some(twice) = self.subscriptions.iter().find(|path| !ids.insert(path.id)) {
            return Err(SandboxError::Twice(twice.id));
        }
        let flags = self.subscriptions.iter().zip(&self.api_keys).zip(&self.seats);
        Ok(flags.map(|((path, key), seats)| Subscription::new(path.kind, path.id, key.clone(), *seats)).collect())
    }
}

/// Serves until SIGINT or SIGTERM. Says on standard error where it listens; where no subscription is named, prints a
/// configuration for the one that it makes up on standard output.
///
/// # Errors
/// When the flags don't go together, the address can't be listened on, or standard output is closed.
pub async fn run(args: SandboxArgs) -> Result<(), SandboxError> {
    let mut subscriptions = args.named()?;
    let listening = |cause| SandboxError::Listen { address: args.listen, cause };
    let listener = TcpListener::bind(args.listen).await.map_err(listening)?;
    let address = listener.local_addr().map_err(listening)?;
    let shutdown = shutdown_signal().map_err(SandboxError::Signals)?;
    if subscriptions.is_empty() {
        let (id, key) = (random_guid(), random_guid().to_string());
        print(&configuration(address, id, &key)).map_err(SandboxError::Print)?;
        let seats = args.seats.first().copied().unwrap_or(SEATS_DEFAULT);
        subscriptions.push(Subscription::new(SubscriptionType::Manual, id, key.into(), seats));
    }
    announce(address);
    let options = Options { subscriptions, dialect: args.dialect, faults: args.faults };
    serve(listener, Sandbox::new(options), shutdown).await;
    Ok(())
}

fn announce(address: SocketAddr) {
    eprintln!("The sandbox listens on {}; Ctrl-C ends it.", base_url(address));
    if !address.ip().is_loopback() {
        eprintln!("Others can reach it there, and it speaks plain HTTP: use no key that is real.");
    }
}

/// Ends with the first SIGINT or SIGTERM.
fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

fn random_guid() -> Uuid {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_be_bytes()).into_uuid()
}

fn print(text: &str) -> io::Result<()> {
    io::stdout().lock().write_all(text.as_bytes())
}

/// Where this machine reaches the server.
fn base_url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

/// A configuration that works with this server as it is, once the key is in its file.
fn configuration(address: SocketAddr, id: Uuid, key: &str) -> String {
    format!(
        r#"# A configuration for this sandbox. Save it as rosterd.toml, and beside it make the key's file and the drop folder:
#
#   (umask 077; echo {key} > sandbox.key)
#   mkdir drops
#
# Every CSV file that is put into drops/ is from then on the whole roster.

[licensing]
base_url = "{}"

[subscriptions.sandbox]
type = "Manual"
id = "{id}"
api_key = {{ file = "sandbox.key" }}
sources = ["staff"]

[sources.staff]
kind = "csv"
path = "drops"
"#,
        base_url(address)
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use secrecy::ExposeSecret;

    use super::super::dialect::{AlreadyAssigned, Case, Errors, NoSeats, Partial, StatsOn402};
    use super::*;

    const ID: &str = "ff3d3cf5-5388-40a0-915f-970c1d2d972f";
    const OTHER: &str = "11111111-2222-3333-4444-555555555555";

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        sandbox: SandboxArgs,
    }

    fn parse(line: &str) -> Result<SandboxArgs, clap::Error> {
        Cli::try_parse_from(["sandbox"].into_iter().chain(line.split_whitespace())).map(|cli| cli.sandbox)
    }

    #[test]
    fn without_flags_it_listens_on_loopback_and_answers_by_default() {
        let args = parse("").unwrap();
        assert_eq!(args.listen, "127.0.0.1:8402".parse().unwrap());
        assert_eq!((args.dialect, args.faults.clone()), (Dialect::default(), Faults::default()));
        assert!(args.named().unwrap().is_empty());
        assert!(parse("--seats 20").unwrap().named().unwrap().is_empty());
    }

    #[test]
    fn every_flag_is_understood() {
        let line = "--already-assigned error --bad-address apply-rest --not-assigned apply-rest --no-seats fill \
                    --errors anonymous --case sensitive --stats-on-402 yes --latency 50ms --rate-limit 5/s --fail 5% \
                    --drop-before 1% --drop-after 2% --seed 7 --echo";
        let args = parse(line).unwrap();
        let dialect = Dialect {
            already_assigned: AlreadyAssigned::Error,
            bad_address: Partial::ApplyRest,
            not_assigned: Partial::ApplyRest,
            no_seats: NoSeats::Fill,
            errors: Errors::Anonymous,
            case: Case::Sensitive,
            stats_on_402: StatsOn402::Yes,
        };
        let faults = Faults {
            latency: std::time::Duration::from_millis(50),
            rate_limit: "5/s".parse().ok(),
            fail: "5%".parse().unwrap(),
            drop_before: "1%".parse().unwrap(),
            drop_after: "2%".parse().unwrap(),
            seed: 7,
            echo: true,
        };
        assert_eq!((args.dialect, args.faults), (dialect, faults));
        let default = "--already-assigned ok --bad-address refuse-all --not-assigned refuse-all --no-seats refuse-all \
                       --errors named --case insensitive --stats-on-402 no";
        assert_eq!(parse(default).unwrap().dialect, Dialect::default());
    }

    #[test]
    fn the_nth_of_each_belong_together() {
        let line = format!(
            "--subscription Manual/{ID} --api-key {OTHER} --seats 10 --subscription Azure/{OTHER} --api-key {ID} --seats 0"
        );
        let named = parse(&line).unwrap().named().unwrap();
        let seen: Vec<_> = named.iter().map(|s| (s.kind().label(), s.id().to_string(), s.seats())).collect();
        assert_eq!(seen, [("Manual", ID.to_owned(), 10), ("Azure", OTHER.to_owned(), 0)]);
    }

    #[test]
    fn flags_that_do_not_go_together_are_a_usage_error_that_says_so() {
        for line in [
            format!("--subscription Manual/{ID} --api-key {OTHER}"),
            format!("--subscription Manual/{ID} --seats 10"),
            format!("--api-key {OTHER} --seats 10"),
            "--seats 10 --seats 20".to_owned(),
        ] {
            let error = parse(&line).unwrap().named().unwrap_err();
            assert!(error.is_usage() && error.to_string().contains("belong together"), "{line}");
        }
        let twice = format!("--subscription Manual/{ID} --api-key {OTHER} --seats 1 ").repeat(2);
        let error = parse(&twice).unwrap().named().unwrap_err();
        assert!(error.is_usage() && error.to_string().contains(ID), "{error}");
    }

    #[test]
    fn what_is_no_subscription_or_key_is_refused_and_says_what_one_is() {
        for line in [
            "--subscription Google/ff3d3cf5-5388-40a0-915f-970c1d2d972f",
            "--subscription Manual/7",
            "--subscription Manual",
            "--api-key secret",
        ] {
            assert!(parse(line).unwrap_err().to_string().contains("GUID"), "{line}");
        }
    }

    #[test]
    fn arguments_can_be_printed_without_the_key() {
        let args = parse(&format!("--subscription Manual/{ID} --api-key {OTHER} --seats 1")).unwrap();
        assert_eq!(args.api_keys[0].expose_secret(), OTHER);
        assert!(!format!("{args:?}").contains(OTHER));
    }

    #[test]
    fn the_configuration_is_for_this_server() {
        let id = Uuid::try_parse(ID).unwrap();
        let text = configuration("0.0.0.0:8402".parse().unwrap(), id, OTHER);
        let value: toml::Table = text.parse().unwrap();
        assert_eq!(value["licensing"]["base_url"].as_str(), Some("http://127.0.0.1:8402"));
        assert_eq!(value["subscriptions"]["sandbox"]["id"].as_str(), Some(ID));
        assert!(!value.to_string().contains(OTHER), "the key is in its own file");
        assert!(text.contains(&format!("(umask 077; echo {OTHER} > sandbox.key)")));
    }

    #[test]
    fn ids_that_are_made_up_differ() {
        assert_ne!(random_guid(), random_guid());
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = run(parse(&format!("--listen {address}")).unwrap()).await.unwrap_err();
        assert!(!error.is_usage() && error.to_string().contains(&address.to_string()), "{error}");
    }
}
