//! One binary for all tests of the whole: it links once.
//!
//! - `alerts`: what needs a person arrives where they look.
//! - `answers`: what a licensing server may say, byte by byte, and what comes of it.
//! - `brake`: what stops removals everywhere, and what lets them go on.
//! - `daemon`: what wakes it, what goes wrong beside it, and how it ends.
//! - `directory`: real directories, and what may happen to them.
//! - `drift`: what somebody does by hand at the server.
//! - `examples`: the set-ups under `examples/` work as they are.
//! - `files`: what may lie in a drop folder.
//! - `fuzz`: the inputs that fuzzing began with, and what it found.
//! - `hostile`: an operator who does everything wrong.
//! - `init`: a configuration from a few questions.
//! - `interface`: what other programs hold on to.
//! - `logs`: what the log says, and in which form.
//! - `main_job`: a CSV drop becomes licences, on the built binary.
//! - `package`: what the Debian package carries, and its unit.
//! - `pages`: what a person sees and does in a browser.
//! - `power`: the power is cut at any moment.
//! - `readme`: what the README shows is what there is.
//! - `reload`: a configuration that changes while the daemon runs.
//! - `report`: a month, for invoices.
//! - `restored`: a ledger that was put back from a copy.
//! - `rounds`: killed at any moment, and started again.
//! - `safety`: nobody loses a licence by accident, whatever is in the folder and whatever the server says.
//! - `systemd`: what the service manager is told.
//! - `tidy`: facts about the code itself.
//! - `together`: many subscriptions under one daemon, and its end.
//! - `web`: what is served over HTTP, who may read and who may act.
//! - `world`: the small world that the others build.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod alerts;
mod answers;
mod brake;
mod daemon;
mod directory;
mod drift;
mod examples;
mod files;
mod fuzz;
mod hostile;
mod init;
mod interface;
mod logs;
mod main_job;
mod package;
mod pages;
mod power;
mod readme;
mod reload;
mod report;
mod restored;
mod rounds;
mod safety;
mod systemd;
mod tidy;
mod together;
#[cfg(feature = "otel")]
mod traces;
mod web;
mod world;
