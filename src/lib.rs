//! rosterd keeps SecureMailMerge licences in step with where people are listed.

pub mod address;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dispatch;
pub mod exit;
pub mod ledger;
pub mod licensing;
pub mod plan;
pub mod report;
pub mod roster;
pub mod sandbox;
pub mod source;
pub mod telemetry;
