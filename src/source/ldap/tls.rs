//! TLS to a directory: whose certificates are believed, and what is said of one that is not.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::{self, Auth};
use crate::source::Incomplete;

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
            let words = words(error, &server_name.to_str(), &chain);
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

fn words(error: &rustls::Error, name: &str, chain: &[&CertificateDer<'_>]) -> String {
    let (what, advice) = match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => (
            "is issued by nobody who is trusted".to_owned(),
            "Put the certificate of the authority that issued it into `ca_file`.",
        ),
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            ("has expired".to_owned(), "The server needs a new one; nothing can be done here.")
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => ("is not valid yet".to_owned(), "Are the clocks of both machines right?"),
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => (
            format!("is not made for {name}"),
            "Write one of its own names into `urls`, or give the server a certificate with this one.",
        ),
        other => (format!("can't be believed ({other})"), "The server needs another one."),
    };
    let chain: Vec<String> = chain.iter().map(|certificate| described(certificate)).collect();
    format!("shows a certificate that {what}. {advice} The chain that it showed: {}.", chain.join("; "))
}

/// `CN=dc1.contoso.com (for dc1.contoso.com, 10.0.0.1; issued by CN=Contoso CA; valid until 2027-01-01)`.
fn described(certificate: &CertificateDer<'_>) -> String {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return "a certificate that can't be read".to_owned();
    };
    let names = parsed.subject_alternative_name().ok().flatten();
    let names: Vec<String> =
        names.map_or_else(Vec::new, |names| names.value.general_names.iter().filter_map(name_of).collect());
    let made_for = if names.is_empty() { String::new() } else { format!("for {}; ", names.join(", ")) };
    let until = chrono::DateTime::from_timestamp(parsed.validity().not_after.timestamp(), 0);
    let until = until.map_or_else(|| "?".to_owned(), |until| until.format("%Y-%m-%d").to_string());
    format!("{} ({made_for}issued by {}; valid until {until})", parsed.subject(), parsed.issuer())
}

fn name_of(name: &x509_parser::extensions::GeneralName<'_>) -> Option<String> {
    use x509_parser::extensions::GeneralName;
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match **bytes {
            [a, b, c, d] => Some(std::net::Ipv4Addr::new(a, b, c, d).to_string()),
            ref bytes => <[u8; 16]>::try_from(bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
        },
        _ => None,
    }
}
