//! A licensing server to try things on: it answers as the licensing API is documented, to the letter, and holds
//! everything in memory.

pub mod dialect;
pub mod faults;
pub mod page;
pub mod reply;
pub mod server;
pub mod state;

pub use dialect::Dialect;
pub use faults::Faults;
pub use server::{Options, RequestLog, Sandbox, serve};
pub use state::{State, Subscription};
