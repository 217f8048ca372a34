//! TLS with a certificate from a file, which is read again when it changes: a renewed one counts without a new start.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::Certificate;
use crate::telemetry::chain;

/// Why the files can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("the {what} {path} can't be read; it has to be in PEM")]
    File {
        what: &'static str,
        path: PathBuf,
        #[source]
        cause: rustls::pki_types::pem::Error,
    },
    #[error("the certificate {path} and its key can't be used")]
    Pair {
        path: PathBuf,
        #[source]
        cause: rustls::Error,
    },
}

/// See the module's page.
#[derive(Debug)]
pub(super) struct Tls {
    files: Certificate,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    /// How the files stood when they were read, whatever came of it.
    read: [Standing; 2],
    config: Arc<ServerConfig>,
}

/// What shows that a file is another one.
type Standing = Option<(std::time::SystemTime, u64, u64)>;

impl Tls {
    pub(super) fn new(files: Certificate) -> Result<Tls, TlsError> {
        let read = files.standing();
        let config = files.load()?;
        Ok(Tls { files, current: Mutex::new(Current { read, config }) })
    }

    /// What the next connection is accepted with. Looks at the files; ones that can't be used leave the old ones in force,
    /// which is said once.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let standing = self.files.standing();
        if standing != current.read {
            current.read = standing;
            match self.files.load() {
                Ok(config) => {
                    tracing::info!("the certificate {} was read again", self.files.cert.display());
                    current.config = config;
                }
                Err(error) => tracing::error!("{}; the old certificate is used on", chain(&error)),
            }
        }
        Arc::clone(&current.config).into()
    }
}

impl Certificate {
    fn load(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let unreadable = |what, path: &Path| {
            let path = path.to_owned();
            move |cause| TlsError::File { what, path, cause }
        };
        let chain = CertificateDer::pem_file_iter(&self.cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.map_err(unreadable("certificate", &self.cert))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(unreadable("certificate's key", &self.key))?;
        let unusable = |cause| TlsError::Pair { path: self.cert.clone(), cause };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config =
            builder.map_err(unusable)?.with_no_client_auth().with_single_cert(chain, key).map_err(unusable)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn standing(&self) -> [Standing; 2] {
        use std::os::unix::fs::MetadataExt as _;
        [&self.cert, &self.key].map(|path| {
            let metadata = path.metadata().ok()?;
            Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
        })
    }
}
