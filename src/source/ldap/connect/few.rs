//! A connection that is kept, to look at some of a directory at once when it tells of them.

use super::{Connection, shown_url};
use crate::config;
use crate::source::Incomplete;
use crate::source::ldap::directory::Directory;

/// Where some of a directory is looked at.
#[derive(Debug, Default)]
pub struct Few(Option<Connection>);

impl Drop for Few {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            connection.close();
        }
    }
}

impl Few {
    /// What the server that tells of changes says when it is asked this, and which server that is, as it stands in the
    /// configuration. `None`: it does not say, and whoever reads everything will hear why.
    pub fn ask<T>(
        &mut self,
        config: &config::Ldap,
        ask: impl Fn(&mut dyn Directory) -> Result<T, Incomplete>,
    ) -> Option<(String, T)> {
        let server = config.first.as_ref()?;
        // One that was kept may have been closed meanwhile, or another server tells by now.
        if let Some(kept) = &mut self.0
            && kept.server() == shown_url(server)
            && let Ok(said) = ask(kept)
        {
            return Some((kept.server().to_owned(), said));
        }
        self.0 = None;
        let mut connection = Connection::open(config, server).ok()?;
        connection.deadline = None;
        let said = ask(&mut connection).ok()?;
        let server = connection.server().to_owned();
        self.0 = Some(connection);
        Some((server, said))
    }
}
