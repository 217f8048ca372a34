//! What verbs share: the configuration, found and read, and the ledger behind it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::Global;
use super::failure::Failure;
use super::kerberos;
use crate::clock::Timestamp;
use crate::config::{self, Config, LedgerUrl, Subscription};
use crate::dispatch::pace::Pacer;
use crate::ledger::handle::LedgerHandle;
use crate::ledger::{Ledger, Owner};
use crate::licensing::http::Client;
use crate::outside::Host;
use crate::pass::{LOOKS_MAX, World};
use crate::report::text::nearest;
use crate::telemetry;

/// What was said before the verb.
#[derive(Debug)]
pub(super) struct Context {
    global: Global,
}

impl Context {
    pub(super) fn new(global: Global) -> Context {
        Context { global }
    }

    /// Finds and reads the configuration, and sets up logging as it says, for a command that prints what it did.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        self.load(&self.path()?, true)
    }

    /// Finds and reads the configuration, and sets up logging as it says, for the daemon: its log is all that it says.
    pub(super) fn daemon_config(&self) -> Result<Config, Failure> {
        self.load(&self.path()?, false)
    }

    /// Reads this configuration, and sets up logging as it says, for a command that prints what it did.
    pub(super) fn config_at(&self, path: &Path) -> Result<Config, Failure> {
        self.load(path, true)
    }

    /// The configuration that was named, or `$ROSTERD_CONFIG`.
    pub(super) fn config_path(&self) -> Option<PathBuf> {
        let variable = || std::env::var_os("ROSTERD_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        self.global.config.clone().or_else(variable)
    }

    fn path(&self) -> Result<PathBuf, Failure> {
        config::find(self.global.config.as_deref()).map_err(|error| Failure::usage(error.to_string()))
    }

    fn load(&self, path: &Path, brief: bool) -> Result<Config, Failure> {
        let config = config::load(path).map_err(|problems| Failure::of_configuration(&problems))?;
        kerberos::settle(&config)?;
        telemetry::init(telemetry::Options {
            format: self.global.log_format.unwrap_or(config.log.format),
            verbosity: self.global.verbose,
            brief,
            clear_addresses: config.log.clear_addresses,
        })
        .map_err(|error| Failure::from_error(&error).into_usage())?;
        for warning in &config.warnings {
            eprintln!("warning: {warning}");
        }
        Ok(config)
    }
}

/// The subscriptions of these names, in this order; all of them where there is no name.
pub(super) fn subscriptions<'a>(config: &'a Config, names: &[String]) -> Result<Vec<&'a Subscription>, Failure> {
    if names.is_empty() {
        return Ok(config.subscriptions.values().collect());
    }
    names.iter().map(|name| subscription(config, name)).collect()
}

pub(super) fn subscription<'a>(config: &'a Config, name: &str) -> Result<&'a Subscription, Failure> {
    config.subscriptions.get(name).ok_or_else(|| unknown_name(name, config.subscriptions.keys().map(String::as_str)))
}

pub(super) fn unknown_name<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Failure {
    const NAMED_MAX: usize = 10;
    let failure = Failure::usage(format!("there is no subscription “{name}” in the configuration"));
    if let Some(near) = nearest(name, known.clone()) {
        return failure.hint(format!("did you mean {near}?"));
    }
    let some: Vec<&str> = known.clone().take(NAMED_MAX).collect();
    let more = if known.count() > NAMED_MAX { ", …" } else { "" };
    failure.hint(format!("there is {}{more}", some.join(", ")))
}

fn ledger_path(config: &Config) -> Result<&Path, Failure> {
    match &config.ledger {
        LedgerUrl::Sqlite(path) => Ok(path),
        LedgerUrl::Postgres(_) => {
            Err(Failure::usage("this version can't use a PostgreSQL ledger: set [ledger] url to sqlite:FILE"))
        }
    }
}

/// The ledger for reading; it must exist.
pub(super) fn read_ledger(config: &Config) -> Result<Ledger, Failure> {
    Ok(Ledger::open_readonly(ledger_path(config)?)?)
}

/// The ledger for writing; it must exist.
pub(super) fn write_ledger(config: &Config, now: Timestamp) -> Result<Ledger, Failure> {
    let path = ledger_path(config)?;
    if !path.exists() {
        // Says why there is none.
        Ledger::open_readonly(path)?;
    }
    Ok(Ledger::open(path, now)?)
}

/// The ledger for writing, made where there is none.
pub(super) fn make_ledger(config: &Config, now: Timestamp) -> Result<Ledger, Failure> {
    Ok(Ledger::open(ledger_path(config)?, now)?)
}

/// A copy of the ledger in memory, to try things on.
pub(super) fn scratch_ledger(config: &Config) -> Result<Ledger, Failure> {
    Ok(Ledger::scratch(ledger_path(config)?)?)
}

/// Everything that passes work with, on this ledger.
pub(super) fn world(config: Config, ledger: Ledger) -> Result<World, Failure> {
    let client = Client::new(&config.licensing).map_err(|error| Failure::from_error(&error).into_usage())?;
    let pacer = Pacer::new(&config.licensing);
    let ledger = LedgerHandle::start(ledger)
        .map_err(|error| Failure::new(format!("the system gives no thread for the ledger: {error}")))?;
    Ok(World {
        config: Arc::new(config),
        outside: Host { ledger, client: Arc::new(client) },
        pacer: Arc::new(pacer),
        owner: Owner::this_process(),
        looks: Arc::new(tokio::sync::Semaphore::new(LOOKS_MAX)),
        shutdown: CancellationToken::new(),
    })
}

pub(super) fn runtime() -> Result<Runtime, Failure> {
    Runtime::new().map_err(|error| Failure::new(format!("the system gives no threads to work with: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_names_the_nearest_or_what_there_is() {
        let failure = |name: &str| format!("{:?}", unknown_name(name, ["contoso", "fabrikam"].into_iter()));
        assert!(failure("contso").contains("did you mean contoso?"));
        assert!(failure("northwind").contains("there is contoso, fabrikam"));
        assert!(failure("contso").contains("Usage"));
    }
}
