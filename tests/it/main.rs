//! One binary for all tests of the whole: it links once.
//!
//! - `tidy`: facts about the code itself.

mod tidy;
