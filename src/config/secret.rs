//! Secrets: never in the configuration, always somewhere that it names.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

/// Where a secret is found. Read each time it is needed, so that a changed key is picked up at once.
#[derive(Clone, PartialEq, Eq)]
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

/// Tells one key from another without holding it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyMark(blake3::Hash);

impl KeyMark {
    pub fn of(key: &SecretString) -> KeyMark {
        KeyMark(blake3::hash(key.expose_secret().as_bytes()))
    }
}

/// Not even what is made of a secret.
impl fmt::Debug for KeyMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyMark")
    }
}

/// No secret is longer, in bytes; what is longer is another file.
const BYTES_MAX: u64 = 64 * 1024;

/// Why a secret can't be had. Never holds any of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the secret's file {path} can't be read")]
    File {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("the environment variable {0} is not set; set it where rosterd is started")]
    Env(String),
    #[error("there is no credential {0}: $CREDENTIALS_DIRECTORY is not set (is LoadCredential= in the unit?)")]
    NoCredentials(String),
    #[error("{0} is empty; write the secret into it")]
    Empty(String),
    #[error("{0} is not a text in UTF-8; write the secret into it as plain text")]
    NotText(String),
    #[error("{0} is longer than 64 KiB; that is no secret")]
    TooLong(String),
    #[error("{0} does not hold an API key: a GUID, 32 hexadecimal digits in the form 8-4-4-4-12, and nothing else")]
    NotGuid(String),
}

/// Where the secret is, never what it is.
impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretRef::File(path) => write!(f, "the secret's file {}", path.display()),
            SecretRef::Env(name) => write!(f, "the environment variable {name}"),
            SecretRef::Credential(name) => write!(f, "the credential {name}"),
            SecretRef::Inline(_) => write!(f, "the secret in the configuration"),
        }
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretRef({self})")
    }
}

impl SecretRef {
    /// The secret, without white space at its end.
    ///
    /// # Errors
    /// When it can't be read or is empty.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let raw = Zeroizing::new(match self {
            SecretRef::File(path) => self.read_file(path.clone())?,
            SecretRef::Env(name) => self.read_variable(name)?,
            SecretRef::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty());
                let folder = folder.ok_or_else(|| SecretError::NoCredentials(name.clone()))?;
                self.read_file(PathBuf::from(folder).join(name))?
            }
            SecretRef::Inline(text) => text.clone(),
        });
        let secret = raw.trim_start_matches('\u{feff}').trim_end();
        if secret.is_empty() {
            return Err(SecretError::Empty(self.to_string()));
        }
        Ok(SecretString::from(secret))
    }

    fn read_file(&self, path: PathBuf) -> Result<String, SecretError> {
        let mut bytes = Zeroizing::new(Vec::new());
        let read = File::open(&path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes));
        read.map_err(|cause| SecretError::File { path, cause })?;
        if bytes.len() as u64 > BYTES_MAX {
            return Err(SecretError::TooLong(self.to_string()));
        }
        std::str::from_utf8(&bytes).map(str::to_owned).map_err(|_| SecretError::NotText(self.to_string()))
    }

    fn read_variable(&self, name: &str) -> Result<String, SecretError> {
        std::env::var(name).map_err(|error| match error {
            std::env::VarError::NotPresent => SecretError::Env(name.to_owned()),
            std::env::VarError::NotUnicode(_) => SecretError::NotText(self.to_string()),
        })
    }

    /// The API key of a subscription: a secret that is a GUID.
    ///
    /// # Errors
    /// When it can't be read or is no GUID.
    pub fn read_api_key(&self) -> Result<SecretString, SecretError> {
        let key = self.read()?;
        if is_guid(key.expose_secret()) { Ok(key) } else { Err(SecretError::NotGuid(self.to_string())) }
    }
}

/// Whether a text is a GUID in its usual form.
pub(crate) fn is_guid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0b0e3f0c-6f0d-4d1c-9a55-1f4f1a3d2c9e";

    fn file(content: &[u8]) -> (tempfile::TempDir, SecretRef) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("contoso.key");
        std::fs::write(&path, content).unwrap();
        (folder, SecretRef::File(path))
    }

    #[test]
    fn white_space_at_the_end_and_a_byte_order_mark_are_no_part_of_a_secret() {
        for content in [KEY.to_owned(), format!("{KEY}\r\n"), format!("\u{feff}{KEY} \n\n")] {
            let (_folder, secret) = file(content.as_bytes());
            assert_eq!(secret.read_api_key().unwrap().expose_secret(), KEY);
        }
    }

    #[test]
    fn what_is_wrong_with_a_secret_is_said_without_it() {
        for (content, says) in [
            (b" \n".as_slice(), "is empty"),
            (b"\xff\xfe0\0b\0", "is not a text in UTF-8"),
            (b"hunter2", "does not hold an API key"),
            (b"0b0e3f0c6f0d4d1c9a551f4f1a3d2c9e", "does not hold an API key"),
            (b"0b0e3f0c-6f0d-4d1c-9a55-1f4f1a3d2c9e\nhunter2", "does not hold an API key"),
            ("a".repeat(70_000).as_bytes(), "is longer than 64 KiB"),
        ] {
            let (_folder, secret) = file(content);
            let error = secret.read_api_key().unwrap_err();
            assert!(error.to_string().contains(says) && error.to_string().contains("contoso.key"), "{error}");
            assert!(!format!("{error} {error:?} {secret:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_missing_file_variable_or_credential_is_named() {
        let file = SecretRef::File("/nowhere/contoso.key".into()).read().unwrap_err();
        assert_eq!(file.to_string(), "the secret's file /nowhere/contoso.key can't be read");
        let variable = SecretRef::Env("ROSTERD_NO_SUCH".to_owned()).read().unwrap_err();
        assert_eq!(
            variable.to_string(),
            "the environment variable ROSTERD_NO_SUCH is not set; set it where rosterd is started"
        );
        let credential = SecretRef::Credential("contoso".to_owned()).read().unwrap_err();
        assert!(credential.to_string().contains("contoso"), "{credential}");
    }

    #[test]
    fn a_secret_in_place_does_not_show_itself() {
        let secret = SecretRef::Inline("https://hooks.example.com/hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "SecretRef(the secret in the configuration)");
        assert_eq!(secret.read().unwrap().expose_secret(), "https://hooks.example.com/hunter2");
    }
}
