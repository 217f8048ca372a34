//! rosterd keeps SecureMailMerge licences in step with where people are listed. Sources make a roster, a roster makes a
//! plan, a plan is dispatched, the ledger remembers, the report tells. What decides is a pure function of values, and
//! what touches the world stands thin beside it.
//!
//! In the order in which the data flows:
//!
//! - [`config`] reads and checks what the operator wrote.
//! - [`address`] is an e-mail address: its identity, by which people are compared, and its spelling, which is sent.
//! - [`source`] looks at a CSV file or folder, or at a directory, and gives a reading that is complete, or says why it is not.
//! - [`intake`] judges a complete reading and makes it the roster; only then the file is put away.
//! - [`roster`] holds who should have a licence: entries, the difference of two readings, what is desired at a moment.
//! - [`member`] is what is known of people in a subscription: states, seats, intents, approvals; [`drift`] holds what the
//!   server counts against it.
//! - [`brake`] stops removals everywhere when much is wrong at once; [`fleet`] looks whether it is.
//! - [`plan`] compares that with who has one: what to change, what to hold, and why.
//! - [`dispatch`] carries a plan out, step by step, at a pace.
//! - [`licensing`] puts the steps into the licensing API's words, and sends them.
//! - [`ledger`] is the durable record; the next plan begins from it.
//! - [`report`] tells people how things stand and why; [`alert`] is what they should hear without asking.
//!
//! What ties these together:
//!
//! - [`pass`] is one pass for one subscription, through all of the stages: the page to read first. [`outside`] is what
//!   it touches of the world.
//! - [`daemon`] makes passes when they are due; [`cli`] makes one because a person asked, and has every other verb.
//! - [`web`] serves pages, an API, metrics and health beside the daemon. [`facts`] is what reports are read from, and
//!   [`person`] what a person may decide: the same for commands, pages and the API.
//! - [`metrics`] is what is counted, [`exit`] says how a command ended, [`telemetry`] what is logged, and [`clock`] alone
//!   reads the time.
//! - [`sandbox`] is a licensing server to try all of it on.

// The stages.
pub mod address;
pub mod alert;
pub mod brake;
pub mod config;
pub mod dispatch;
pub mod drift;
pub mod fleet;
pub mod intake;
pub mod ledger;
pub mod licensing;
pub mod member;
pub mod plan;
pub mod report;
pub mod roster;
pub mod source;

// What ties them together.
pub mod cli;
pub mod daemon;
pub mod facts;
pub mod outside;
pub mod pass;
pub mod person;
pub mod web;

// What all of them use.
pub mod clock;
pub mod exit;
pub mod metrics;
pub mod telemetry;

// A server to try them on.
pub mod sandbox;
