//! `rosterd run`.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::context::{Context, make_ledger, runtime, world};
use super::failure::Failure;
use crate::clock;
use crate::config;
use crate::daemon::{self, Hangups, Signs};
use crate::exit::ExitStatus;
use crate::web;

/// The daemon: watch the sources and keep the licences in step until it is told to end
///
/// SIGTERM or Ctrl-C: the request in flight is finished and recorded, then it ends. A second one ends it at once, and
/// the next start settles what was in flight.
///
/// SIGHUP, or a change of the configuration's files: the configuration is read again, and what changed takes effect at
/// once, as after a restart. One with a mistake is refused whole, and the old one goes on.
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {}

pub(super) fn run(args: &RunArgs, context: &Context) -> Result<ExitStatus, Failure> {
    let RunArgs {} = args;
    let runtime = runtime()?;
    // First of all: until somebody listens, a request to reload would end the process.
    let hangups = runtime.block_on(async { Hangups::new() }).map_err(|error| no_signals(&error))?;
    let config = context.daemon_config()?;
    for warning in config::readable(&config) {
        warn!("{warning}");
    }
    daemon::opening();
    let ledger = make_ledger(&config, clock::now())?;
    let world = world(config, ledger)?;
    let (subscriptions, sources) = (world.config.subscriptions.len(), world.config.sources.len());
    let ran = runtime.block_on(async {
        end_on_signals(world.shutdown.clone())?;
        let (signs, words) = Signs::new(Arc::clone(&world.config));
        let ledger = world.outside.ledger.clone();
        let serving = tokio::spawn(web::keep_serving(signs.clone(), ledger, world.shutdown.clone()));
        let ready = || info!(subscriptions, sources, "ready: subscriptions {subscriptions}, sources {sources}");
        let ran = daemon::run(world.clone(), (signs, words), Some(hangups), ready).await;
        world.shutdown.cancel();
        serving.await.map_err(|error| Failure::from_error(&error))?;
        ran.map_err(|error| Failure::from_error(&error))
    });
    // A name that is still being looked up is nothing to wait for.
    runtime.shutdown_background();
    ran?;
    world.outside.ledger.close();
    info!("stopped");
    Ok(ExitStatus::Done)
}

fn no_signals(error: &std::io::Error) -> Failure {
    Failure::new(format!("signals can't be received: {error}"))
}

/// The first signal asks for an end, the second one ends at once.
pub(super) fn end_on_signals(shutdown: CancellationToken) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| no_signals(&error))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| no_signals(&error))?;
    tokio::spawn(async move {
        loop {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            if shutdown.is_cancelled() {
                warn!("ending at once; what was in flight is settled at the next start");
                std::process::exit(ExitStatus::Failed.code().into());
            }
            shutdown.cancel();
        }
    });
    Ok(())
}
