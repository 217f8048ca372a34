//! One binary for all tests of the whole: it links once.
//!
//! - `hostile`: an operator who does everything wrong.
//! - `main_job`: a CSV drop becomes licences, on the built binary.
//! - `safety`: nobody loses a licence by accident, whatever is in the folder and whatever the server says.
//! - `tidy`: facts about the code itself.
//! - `world`: the small world that the others build.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod hostile;
mod main_job;
mod safety;
mod tidy;
mod world;
