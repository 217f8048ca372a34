//! TLS to a directory: whose certificates are believed, and what is said of one that is not.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

use crate::config::{self, Auth};
use crate::source::Incomplete;

use super::certificate;

/// What was wrong with a server's certificate, once it was.
#[derive(Debug, Clone, Default)]
pub struct Told(Arc<Mutex<Option<String>>>);

impl Told {
    /// As a fragment and sentences that fit after the server's name.
    pub fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The system's certificates and those of `ca_file` are believed, and no others; for `external` with the client's own.
///
/// # Errors
/// When a file can't be read.
pub fn client_config(config: &config::Ldap, told: &Told) -> Result<ClientConfig, Incomplete> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let extra = config.ca_file.as_deref().map_or(Ok(Vec::new()), |file| certificates("ca_file", file))?;
    let broken = |cause: rustls::Error| Incomplete::lasting(format!("TLS can't be set up: {cause}."));
    let inner = Verifier::new_with_extra_roots(extra, Arc::clone(&provider)).map_err(broken)?;
    let teller = Arc::new(Teller { inner, told: told.clone() });
    let builder = ClientConfig::builder_with_provider(Arc::<CryptoProvider>::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(broken)?
        .dangerous()
        .with_custom_certificate_verifier(teller);
    let Auth::External { certificate, key } = &config.auth else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates("client_cert", certificate)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|cause| unreadable("client_key", key, &cause))?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|cause| Incomplete::lasting(format!("`client_cert` and `client_key` do not fit together: {cause}.")))
}

fn certificates(key: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, Incomplete> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.map_err(|cause| unreadable(key, file, &cause))?;
    if read.is_empty() {
        return Err(Incomplete::lasting(format!(
            "`{key}`: {} holds no certificate; it should have a `-----BEGIN CERTIFICATE-----`.",
            file.display()
        )));
    }
    Ok(read)
}

fn unreadable(key: &str, file: &Path, cause: &rustls::pki_types::pem::Error) -> Incomplete {
    Incomplete::lasting(format!("`{key}`: {} can't be read as PEM: {cause}.", file.display()))
}

/// Checks as the platform does, and keeps what was wrong for a person.
#[derive(Debug)]
struct Teller {
    inner: Verifier,
    told: Told,
}

impl ServerCertVerifier for Teller {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verified.inspect_err(|error| {
            let chain: Vec<&CertificateDer<'_>> = std::iter::once(end_entity).chain(intermediates).collect();
            let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
            let words = certificate::told(error, &server_name.to_str(), &chain, now);
            *self.told.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
