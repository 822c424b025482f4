//! Signatures by which an endpoint knows that a body is ours and unchanged: Standard Webhooks,
//! scheme `v1` (standardwebhooks.com).

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::limits::{SIGNING_KEY_BYTES_MAX, SIGNING_KEY_BYTES_MIN};

const PREFIX: &str = "whsec_";

/// Why a text is no signing secret. Says nothing of the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    #[error("the signing secret does not begin with {PREFIX}")]
    Prefix,
    #[error("the signing secret is not base64 after {PREFIX}")]
    Base64,
    #[error(
        "the signing secret holds no key of {SIGNING_KEY_BYTES_MIN} to {SIGNING_KEY_BYTES_MAX} bytes"
    )]
    Length,
}

/// One entry of the header `webhook-signature`: `v1,` and base64. Entries are joined by a space
/// while a secret is being rotated.
///
/// `id` goes to `webhook-id`, and `timestamp`, in seconds since 1970, to `webhook-timestamp`.
pub fn sign(key: &[u8], id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// The key within a secret as tenants keep it, `whsec_` and base64.
pub fn key_of(secret: &str) -> Result<Vec<u8>, BadSecret> {
    let encoded = secret.strip_prefix(PREFIX).ok_or(BadSecret::Prefix)?;
    let key = STANDARD.decode(encoded).map_err(|_| BadSecret::Base64)?;
    if !(SIGNING_KEY_BYTES_MIN..=SIGNING_KEY_BYTES_MAX).contains(&key.len()) {
        return Err(BadSecret::Length);
    }
    Ok(key)
}

/// The secret that a tenant is given for a fresh random key.
pub fn secret_of(key: &[u8; 32]) -> String {
    format!("{PREFIX}{}", STANDARD.encode(key))
}

#[cfg(test)]
mod tests {
    use super::{BadSecret, key_of, secret_of, sign};
    use base64::{Engine, engine::general_purpose::STANDARD};
    use proptest::prelude::*;
    use standardwebhooks::Webhook;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn signatures_are_those_of_the_receivers_library(
            key: [u8; 32],
            id in "[a-zA-Z0-9_.#:-]{0,60}",
            timestamp: i64,
            body: String,
        ) {
            let theirs = Webhook::new(&secret_of(&key)).unwrap();
            let theirs = theirs.sign(&id, timestamp, body.as_bytes()).unwrap();
            prop_assert_eq!(sign(&key, &id, timestamp, body.as_bytes()), theirs);
            prop_assert_eq!(key_of(&secret_of(&key)), Ok(key.to_vec()));
        }
    }

    #[test]
    fn a_body_need_not_be_text() {
        assert_ne!(sign(&[7; 32], "msg", 1, &[0xFF]), sign(&[7; 32], "msg", 1, &[0xFE]));
    }

    #[track_caller]
    fn check(secret: &str, expected: Result<usize, BadSecret>) {
        assert_eq!(key_of(secret).map(|key| key.len()), expected);
    }

    #[test]
    fn only_a_prefixed_key_of_24_to_64_bytes_is_a_secret() {
        for (bytes, expected) in [
            (0, Err(BadSecret::Length)),
            (23, Err(BadSecret::Length)),
            (24, Ok(24)),
            (64, Ok(64)),
            (65, Err(BadSecret::Length)),
        ] {
            check(&format!("whsec_{}", STANDARD.encode(vec![1; bytes])), expected);
        }
        check(&STANDARD.encode([1; 32]), Err(BadSecret::Prefix));
        check("", Err(BadSecret::Prefix));
        check("whsec_not base64", Err(BadSecret::Base64));
        check(&secret_of(&[1; 32]).replace('=', ""), Err(BadSecret::Base64));
    }
}
