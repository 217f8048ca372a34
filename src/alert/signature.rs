//! Signs a webhook's message by the convention of Standard Webhooks, so that a receiver's library can check it:
//! `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

/// How a secret begins that is written as the convention has it.
const PREFIX: &str = "whsec_";

/// The secret is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the webhook's secret is not of the form whsec_ and base64, of at least 24 bytes")]
pub struct NoSecret;

/// The value of `webhook-signature`. `timestamp` is in seconds since 1970.
///
/// # Errors
/// When the secret is not of the convention's form.
pub fn sign(secret: &SecretString, id: &str, timestamp: i64, body: &[u8]) -> Result<String, NoSecret> {
    // Some generators leave the padding out.
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let base64 = GeneralPurpose::new(&base64::alphabet::STANDARD, config);
    let text = secret.expose_secret().trim();
    let key = text.strip_prefix(PREFIX).and_then(|key| base64.decode(key).ok()).filter(|key| key.len() >= 24);
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.ok_or(NoSecret)?).map_err(|_| NoSecret)?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_signed_as_the_convention_has_it() {
        // From the specification's own tests.
        let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;
        let signed = sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed.as_deref(), Ok("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn what_is_no_secret_is_refused_without_showing_it() {
        for secret in ["hunter2", "whsec_", "whsec_c2hvcnQ=", "whsec_?"] {
            let refused = sign(&SecretString::from(secret), "id", 0, b"").unwrap_err();
            assert!(!refused.to_string().contains("hunter2"));
        }
    }
}
