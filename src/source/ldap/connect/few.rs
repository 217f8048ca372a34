//! A connection that is kept, to look at a few people at once when a directory tells of them.

use std::collections::HashMap;

use super::{Connection, shown_url};
use crate::config;
use crate::source::Incomplete;
use crate::source::ldap::directory::{Asked, Directory as _, RawEntry};
use crate::source::ldap::server::Server;
use crate::source::ldap::walk::Walk;

/// Where a few people are looked at.
#[derive(Debug, Default)]
pub struct Few(Option<Connection>);

/// What was found of them.
#[derive(Debug)]
pub struct Found {
    /// The server, as it stands in the configuration.
    pub server: String,
    /// By stable id, those that are still there.
    pub people: HashMap<Box<str>, RawEntry>,
}

impl Few {
    /// The entries of these stable ids, as the server has them now that tells of changes. `None`: it does not say, and
    /// whoever reads everything will hear why.
    pub fn ask(&mut self, config: &config::Ldap, ids: &[&str]) -> Option<Found> {
        let server = config.first.as_ref()?;
        // One that was kept may have been closed meanwhile, or another server tells by now.
        if let Some(kept) = &mut self.0
            && kept.server() == shown_url(server)
            && let Ok(found) = people(kept, config, ids)
        {
            return Some(found);
        }
        self.0 = None;
        let mut connection = Connection::open(config, server).ok()?;
        connection.deadline = None;
        let found = people(&mut connection, config, ids).ok()?;
        self.0 = Some(connection);
        Some(found)
    }
}

fn people(connection: &mut Connection, config: &config::Ldap, ids: &[&str]) -> Result<Found, Incomplete> {
    let server = Server::ask(connection, config.flavor, &mut Asked::default())?;
    let base = server.base(config)?;
    let people = Walk::new(connection, config, &server, &base).by_ids(ids)?;
    Ok(Found { server: connection.server().to_owned(), people })
}
