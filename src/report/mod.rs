//! What people read: values made of what the ledger and the configuration say, and their renderings.
//!
//! Everything here is pure: facts and the moment come in, text or a serialisable value comes out. Addresses stand in
//! clear, because a person asked for them; logs and alerts mask them elsewhere.

pub mod alerts;
pub mod billing;
pub mod difference;
pub mod drift;
pub mod explain;
pub mod forecast;
pub mod history;
pub mod hold;
pub mod members;
pub mod shortage;
pub mod similar;
pub mod status;
pub mod text;
pub mod unusable;
