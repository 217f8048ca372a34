//! A licensing server to try things on: it answers as the licensing API is documented, to the letter, and holds
//! everything in memory.

pub mod dialect;
pub mod page;
pub mod reply;
pub mod state;

pub use dialect::Dialect;
pub use state::{State, Subscription};
