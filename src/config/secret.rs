//! Secrets: never in the configuration, always somewhere that it names.

use std::path::PathBuf;

use secrecy::SecretString;

/// Where a secret is found. Read each time it is needed, so that a changed key is picked up at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// A file; its text, without white space at the end.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A systemd credential: a file in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// In place: only where the interface allows it (a webhook's URL).
    Inline(String),
}

/// Why a secret can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the secret's file {path} can't be read")]
    File {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    #[error("the environment variable {0} is not set")]
    Env(String),
    #[error("there is no credential {0}: $CREDENTIALS_DIRECTORY is not set (is LoadCredential= in the unit?)")]
    NoCredentials(String),
    #[error("{0} is empty")]
    Empty(String),
}

impl SecretRef {
    /// # Errors
    /// When it can't be read or is empty.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let _ = self;
        unimplemented!("config helper")
    }
}
