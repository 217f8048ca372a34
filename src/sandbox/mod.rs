//! A licensing server to try things on: it answers as the licensing API is documented, to the letter, and holds
//! everything in memory.
//!
//! What decides is pure: [`state`] answers requests, [`dialect`] says how it answers where the documentation is silent,
//! and [`faults`] says which requests come to grief. What touches the network is [`server`]; [`command`] is the
//! command line's door, and [`page`] what a browser is shown.

// What decides: the answers, what is open in the documentation, which requests come to grief.
pub mod dialect;
pub mod faults;
pub mod reply;
pub mod state;

// What touches the world: the server, its page, the command line's door.
pub mod command;
pub mod page;
pub mod server;

pub use command::SandboxArgs;
pub use dialect::Dialect;
pub use faults::Faults;
pub use server::{Options, RequestLog, Sandbox, serve};
pub use state::{State, Subscription};
