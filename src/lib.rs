//! rosterd keeps SecureMailMerge licences in step with where people are listed.

pub mod address;
pub mod alert;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod dispatch;
pub mod exit;
pub mod intake;
pub mod ledger;
pub mod licensing;
pub mod pass;
pub mod plan;
pub mod report;
pub mod roster;
pub mod sandbox;
pub mod source;
pub mod telemetry;
