//! What is wrong with the certificates that a server shows: which of them, why, and what to do.

use rustls::CertificateError as Wrong;
use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// One certificate of a chain, as a person wants to see it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    subject: String,
    issuer: String,
    /// Whom it is made for.
    names: Vec<String>,
    /// Seconds since 1970.
    not_before: i64,
    not_after: i64,
}

/// Why the chain, the server's own certificate first, is not believed at this time (seconds since 1970) by somebody who
/// wants to talk to `name`: as a fragment and sentences that fit after the server's name.
pub fn told(error: &rustls::Error, name: &str, chain: &[&CertificateDer<'_>], now: i64) -> String {
    let chain: Option<Vec<Shown>> = chain.iter().map(|certificate| Shown::read(certificate)).collect();
    let Some(chain) = chain.filter(|chain| !chain.is_empty()) else {
        return format!("shows a certificate that can't be read ({error}). The server needs another one.");
    };
    let (which, what, advice) = complaint(error, name, &chain, now);
    let listed: Vec<String> =
        chain.iter().enumerate().map(|(at, one)| format!("{}. {}", at + 1, one.described())).collect();
    format!(
        "shows a certificate that can't be believed: {} {what}. {advice} The chain that it showed: {}.",
        chain[which].subject,
        listed.join("; ")
    )
}

/// Which certificate fails, why, and what to do.
fn complaint(error: &rustls::Error, name: &str, chain: &[Shown], now: i64) -> (usize, String, String) {
    let first = |is_wrong: &dyn Fn(&Shown) -> bool| chain.iter().position(is_wrong).unwrap_or_default();
    let rustls::Error::InvalidCertificate(wrong) = error else {
        return (0, format!("is refused ({error})"), "The server needs another one.".to_owned());
    };
    match wrong {
        Wrong::Expired | Wrong::ExpiredContext { .. } => {
            let at = first(&|one| one.not_after < now);
            let what = format!("expired on {}", day(chain[at].not_after));
            (at, what, "The server needs a new one; nothing can be done here.".to_owned())
        }
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
            let at = first(&|one| one.not_before > now);
            let what = format!("is valid from {} on only", day(chain[at].not_before));
            (at, what, "Are the clocks of both machines right?".to_owned())
        }
        Wrong::UnknownIssuer => {
            let at = last_issued(chain);
            let issuer = &chain[at].issuer;
            if chain[at].is_own_issuer() {
                let advice = "If it is the right one, put it into `ca_file`.".to_owned();
                return (at, "vouches for itself, and nobody trusts it here".to_owned(), advice);
            }
            let what = format!("is issued by {issuer}, whom nobody trusts here");
            (at, what, format!("Put the certificate of {issuer}, or of who issued that one, into `ca_file`."))
        }
        Wrong::BadSignature => {
            let at = last_issued(chain);
            let at = if chain[at].is_own_issuer() { at.saturating_sub(1) } else { at };
            let what = format!("is not signed by the {} that is trusted here", chain[at].issuer);
            let advice = "Has the authority a new key? Then put its newest certificate into `ca_file`; else this is not the server that it says it is.";
            (at, what, advice.to_owned())
        }
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
            let what = format!("is not made for {name}");
            let advice = "Write one of its own names into `urls`, or give the server a certificate with this one.";
            (0, what, advice.to_owned())
        }
        other => (0, format!("is refused ({other})"), "The server needs another one.".to_owned()),
    }
}

/// How far the chain goes: from the server's own certificate to the last one whose issuer it does not show.
fn last_issued(chain: &[Shown]) -> usize {
    let mut at = 0;
    for _ in chain {
        let issuer = chain.iter().position(|one| one.subject == chain[at].issuer);
        match issuer {
            Some(next) if next != at => at = next,
            _ => break,
        }
    }
    at
}

impl Shown {
    fn is_own_issuer(&self) -> bool {
        self.issuer == self.subject
    }

    fn read(certificate: &CertificateDer<'_>) -> Option<Shown> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let names = parsed.subject_alternative_name().ok().flatten();
        Some(Shown {
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            names: names.map_or_else(Vec::new, |names| names.value.general_names.iter().filter_map(name_of).collect()),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
        })
    }

    /// `CN=dc1.contoso.com (for dc1.contoso.com, 10.0.0.1; issued by CN=Contoso CA; valid from 2026-01-01 to 2027-01-01)`.
    fn described(&self) -> String {
        let Shown { subject, issuer, names, .. } = self;
        let made_for = if names.is_empty() { String::new() } else { format!("for {}; ", names.join(", ")) };
        let (from, to) = (day(self.not_before), day(self.not_after));
        format!("{subject} ({made_for}issued by {issuer}; valid from {from} to {to})")
    }
}

fn day(seconds: i64) -> String {
    let time = chrono::DateTime::from_timestamp(seconds, 0);
    time.map_or_else(|| "?".to_owned(), |time| time.format("%Y-%m-%d").to_string())
}

fn name_of(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => Some(match **bytes {
            [a, b, c, d] => format!("{a}.{b}.{c}.{d}"),
            ref bytes => bytes.chunks(2).map(hex).collect::<Vec<_>>().join(":"),
        }),
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject;

    use super::*;

    /// The middle of 2026, when both certificates of the chain are valid.
    const NOW: i64 = 1_782_000_000;
    const YEAR: i64 = 31_557_600;

    /// That of dc1, and that of its issuer; the root is not shown.
    fn chain() -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(include_bytes!("chain.pem")).collect::<Result<_, _>>().unwrap()
    }

    fn of(wrong: Wrong, certificates: &[CertificateDer<'static>], now: i64) -> String {
        let error = rustls::Error::InvalidCertificate(wrong);
        told(&error, "dc7.contoso.com", &certificates.iter().collect::<Vec<_>>(), now)
    }

    #[test]
    fn the_chain_is_shown_with_everything_that_may_be_wrong() {
        insta::assert_snapshot!(of(Wrong::NotValidForName, &chain(), NOW), @"shows a certificate that can't be believed: CN=dc1.contoso.com is not made for dc7.contoso.com. Write one of its own names into `urls`, or give the server a certificate with this one. The chain that it showed: 1. CN=dc1.contoso.com (for dc1.contoso.com, 10.0.0.1; issued by CN=Contoso Issuing; valid from 2026-01-01 to 2027-01-01); 2. CN=Contoso Issuing (issued by CN=Contoso Root; valid from 2025-01-01 to 2030-01-01).");
    }

    #[test]
    fn the_issuer_that_is_missing_is_named() {
        assert!(of(Wrong::UnknownIssuer, &chain(), NOW).contains("CN=Contoso Issuing is issued by CN=Contoso Root, whom nobody trusts here. Put the certificate of CN=Contoso Root"));
        assert!(
            of(Wrong::UnknownIssuer, &chain()[..1], NOW)
                .contains("CN=dc1.contoso.com is issued by CN=Contoso Issuing, whom")
        );
    }

    #[test]
    fn the_certificate_that_has_expired_is_named() {
        assert!(
            of(Wrong::Expired, &chain(), NOW + YEAR).contains("believed: CN=dc1.contoso.com expired on 2027-01-01.")
        );
        let issuer = of(Wrong::Expired, &chain()[1..], NOW + 10 * YEAR);
        assert!(issuer.contains("believed: CN=Contoso Issuing expired on 2030-01-01."), "{issuer}");
        let early = of(Wrong::NotValidYet, &chain(), NOW - YEAR);
        assert!(
            early.contains("believed: CN=dc1.contoso.com is valid from 2026-01-01 on only. Are the clocks"),
            "{early}"
        );
    }

    #[test]
    fn an_authority_with_a_new_key_is_told_from_one_that_nobody_knows() {
        let told = of(Wrong::BadSignature, &chain(), NOW);
        assert!(
            told.contains("CN=Contoso Issuing is not signed by the CN=Contoso Root that is trusted here"),
            "{told}"
        );
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        assert!(of(Wrong::BadEncoding, &[CertificateDer::from(vec![1, 2])], NOW).contains("can't be read"));
        assert!(of(Wrong::Revoked, &chain(), NOW).contains("is refused (Revoked)"));
    }
}
