//! One binary for all tests of the whole: it links once.
//!
//! - `tidy`: facts about the code itself.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod tidy;
