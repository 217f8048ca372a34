//! A directory: Active Directory, OpenLDAP and others, read whole or not at all.
//!
//! From one question outwards: [`directory`] is what is asked and the whole of an answer; [`values`] all values of an
//! attribute; [`server`] what a server says of itself. [`dn`] and [`filter`] are the two little languages. [`person`] is
//! one entry, [`people`] many; [`members`] who is in which group, filled by [`walk`] from the names that groups list
//! ([`listed`]); [`claims`] who should have a licence for it; [`leaving`] what became of those who are missing.
//! [`read()`](read::read) is one reading, through all of these, which somebody may watch ([`watched`]), and [`evidence`]
//! what supports it; [`about`] what a server says of itself to people, [`schema`] which attributes there are. [`connect`]
//! is the wire, and [`sign_in`] how it begins: [`discover`] asks DNS for a domain's servers, which [`srv`] puts in order;
//! [`addresses`] says which of a host's addresses is tried when;
//! [`tls`] says whose certificates are believed, [`certificate`] what is wrong with one; [`closed`] why nobody was let in,
//! and whether another is asked.
//! [`push`] says what it means that a server tells of a change, [`touch`] what that makes of the stored roster, by what
//! [`lists`] remembers of the last reading.

pub mod about;
pub mod addresses;
pub mod certificate;
pub mod claims;
pub mod closed;
pub mod connect;
pub mod directory;
pub mod discover;
pub mod dn;
pub mod evidence;
#[cfg(test)]
mod fake;
pub mod filter;
mod leaving;
pub mod listed;
pub mod lists;
pub mod members;
pub mod people;
pub mod person;
pub mod push;
pub mod read;
pub mod schema;
pub mod server;
pub mod sign_in;
pub mod srv;
pub mod tls;
pub mod touch;
pub mod values;
pub mod walk;
pub mod watched;
