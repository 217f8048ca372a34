//! A directory: Active Directory, OpenLDAP and others, read whole or not at all.

pub mod dn;
pub mod filter;
