//! Signatures by which an endpoint knows that a body is ours and unchanged: Standard Webhooks
//! (standardwebhooks.com), schemes `v1` and `v1a`.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::{Ed25519KeyPair, KeyPair};
use sha2::Sha256;

use crate::limits::{SIGNING_KEY_BYTES_MAX, SIGNING_KEY_BYTES_MIN};

/// Before the secret of `v1`, which the tenant has too.
const SHARED: &str = "whsec_";

/// Before the secret of `v1a`, which the tenant never sees, and before its public key.
const PRIVATE: &str = "whsk_";
const PUBLIC: &str = "whpk_";

/// A private key is its seed and its public key, as libsodium and other senders write it.
const SEED_BYTES: usize = 32;
const PAIR_BYTES: usize = 64;

/// How a secret signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// HMAC-SHA256.
    #[default]
    V1,
    /// Ed25519.
    V1a,
}

/// What is in a secret.
pub enum Key {
    Shared(Vec<u8>),
    Pair(Ed25519KeyPair),
}

/// Why a text is no signing secret. Says nothing of the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    #[error("the signing secret begins with neither {SHARED} nor {PRIVATE}")]
    Prefix,
    #[error("the signing secret is not base64 after its prefix")]
    Base64,
    #[error(
        "the signing secret holds no key of {SIGNING_KEY_BYTES_MIN} to {SIGNING_KEY_BYTES_MAX} bytes"
    )]
    Length,
    #[error("the signing secret holds no pair of Ed25519 keys")]
    Pair,
}

impl Scheme {
    /// The secret with this key or seed, which is to be random.
    pub fn secret_of(self, key: &[u8; SEED_BYTES]) -> String {
        match self {
            Scheme::V1 => format!("{SHARED}{}", STANDARD.encode(key)),
            Scheme::V1a => {
                let pair = Ed25519KeyPair::from_seed_unchecked(key).expect("a seed has 32 bytes");
                let pair = [key, pair.public_key().as_ref()].concat();
                format!("{PRIVATE}{}", STANDARD.encode(pair))
            }
        }
    }
}

impl Key {
    /// The key within a secret.
    pub fn of(secret: &str) -> Result<Key, BadSecret> {
        let scheme = scheme_of(secret);
        let prefix = match scheme {
            Scheme::V1 => SHARED,
            Scheme::V1a => PRIVATE,
        };
        let encoded = secret.strip_prefix(prefix).ok_or(BadSecret::Prefix)?;
        let key = STANDARD.decode(encoded).map_err(|_| BadSecret::Base64)?;
        match scheme {
            Scheme::V1 if (SIGNING_KEY_BYTES_MIN..=SIGNING_KEY_BYTES_MAX).contains(&key.len()) => {
                Ok(Key::Shared(key))
            }
            Scheme::V1 => Err(BadSecret::Length),
            Scheme::V1a => {
                let (seed, public) = key.split_at_checked(SEED_BYTES).ok_or(BadSecret::Pair)?;
                let pair = Ed25519KeyPair::from_seed_and_public_key(seed, public);
                pair.map(Key::Pair).map_err(|_| BadSecret::Pair)
            }
        }
    }

    /// One entry of the header `webhook-signature`: `v1,` or `v1a,` and base64. Entries are joined
    /// by a space while a secret is being rotated.
    ///
    /// `id` goes to `webhook-id`, and `timestamp`, in seconds since 1970, to `webhook-timestamp`.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let content = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
        match self {
            Key::Shared(key) => {
                let mac = Hmac::<Sha256>::new_from_slice(key);
                let mac = mac.expect("HMAC takes a key of any length").chain_update(content);
                format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
            }
            Key::Pair(pair) => format!("v1a,{}", STANDARD.encode(pair.sign(&content))),
        }
    }
}

/// How a secret signs: its prefix tells.
pub fn scheme_of(secret: &str) -> Scheme {
    if secret.starts_with(PRIVATE) { Scheme::V1a } else { Scheme::V1 }
}

/// What verifies the signatures of a secret of `v1a`: `whpk_` and base64.
pub fn public_key_of(secret: &str) -> Option<String> {
    let pair = STANDARD.decode(secret.strip_prefix(PRIVATE)?).ok()?;
    let public = pair.get(SEED_BYTES..PAIR_BYTES)?;
    Some(format!("{PUBLIC}{}", STANDARD.encode(public)))
}

#[cfg(test)]
mod tests {
    use super::{BadSecret, Key, Scheme, public_key_of, scheme_of};
    use base64::{Engine, engine::general_purpose::STANDARD};
    use ed25519_dalek::{Signature, VerifyingKey};
    use proptest::prelude::*;
    use standardwebhooks::Webhook;

    /// What a receiver does that knows the public key, with a library of others.
    fn verifies(public: &str, id: &str, timestamp: i64, body: &[u8], entry: &str) -> bool {
        let decoded = |text: &str, prefix| STANDARD.decode(text.strip_prefix(prefix)?).ok();
        let key = decoded(public, "whpk_").unwrap().try_into().unwrap();
        let signature = Signature::from_slice(&decoded(entry, "v1a,").unwrap()).unwrap();
        let content = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
        VerifyingKey::from_bytes(&key).unwrap().verify_strict(&content, &signature).is_ok()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn signatures_are_those_of_the_receivers_library(
            key: [u8; 32],
            id in "[a-zA-Z0-9_.#:-]{0,60}",
            timestamp: i64,
            body: String,
        ) {
            let secret = Scheme::V1.secret_of(&key);
            let theirs = Webhook::new(&secret).unwrap();
            let theirs = theirs.sign(&id, timestamp, body.as_bytes()).unwrap();
            let ours = Key::of(&secret).unwrap().sign(&id, timestamp, body.as_bytes());
            prop_assert_eq!(ours, theirs);
            prop_assert_eq!((scheme_of(&secret), public_key_of(&secret)), (Scheme::V1, None));
        }
    }

    proptest! {
        // The other library is slow where it is not optimized.
        #![proptest_config(ProptestConfig {
            cases: 16, failure_persistence: None, ..ProptestConfig::default()
        })]

        #[test]
        fn a_public_key_verifies_what_its_private_key_signed_and_nothing_else(
            seed: [u8; 32],
            other: [u8; 32],
            id in "[a-zA-Z0-9_#:-]{0,60}",
            timestamp: i64,
            body: Vec<u8>,
        ) {
            let secret = Scheme::V1a.secret_of(&seed);
            let public = public_key_of(&secret).unwrap();
            let entry = Key::of(&secret).unwrap().sign(&id, timestamp, &body);
            prop_assert_eq!(scheme_of(&secret), Scheme::V1a);
            prop_assert!(verifies(&public, &id, timestamp, &body, &entry));
            prop_assert!(!verifies(&public, "another", timestamp, &body, &entry));
            prop_assert!(!verifies(&public, &id, timestamp ^ 1, &body, &entry));
            prop_assert!(!verifies(&public, &id, timestamp, &[&*body, b"x"].concat(), &entry));
            prop_assume!(other != seed);
            let other = public_key_of(&Scheme::V1a.secret_of(&other)).unwrap();
            prop_assert!(!verifies(&other, &id, timestamp, &body, &entry));
        }
    }

    /// RFC 8032, section 7.1, tests 1 and 2.
    #[test]
    fn key_pairs_are_those_of_the_standard() {
        for (seed, public) in [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            ),
        ] {
            let bytes = |hex: &str| -> [u8; 32] {
                std::array::from_fn(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap())
            };
            let secret = Scheme::V1a.secret_of(&bytes(seed));
            let pair = [bytes(seed), bytes(public)].concat();
            assert_eq!(secret, format!("whsk_{}", STANDARD.encode(pair)));
            let expected = format!("whpk_{}", STANDARD.encode(bytes(public)));
            assert_eq!(public_key_of(&secret), Some(expected));
        }
    }

    #[test]
    fn a_body_need_not_be_text() {
        let key = Key::of(&Scheme::V1.secret_of(&[7; 32])).unwrap();
        assert_ne!(key.sign("msg", 1, &[0xFF]), key.sign("msg", 1, &[0xFE]));
    }

    #[track_caller]
    fn check(secret: &str, expected: Result<(), BadSecret>) {
        assert_eq!(Key::of(secret).map(drop), expected);
    }

    #[test]
    fn only_a_prefixed_key_of_24_to_64_bytes_is_a_secret() {
        for (bytes, expected) in [
            (0, Err(BadSecret::Length)),
            (23, Err(BadSecret::Length)),
            (24, Ok(())),
            (64, Ok(())),
            (65, Err(BadSecret::Length)),
        ] {
            check(&format!("whsec_{}", STANDARD.encode(vec![1; bytes])), expected);
        }
        check(&STANDARD.encode([1; 32]), Err(BadSecret::Prefix));
        check("", Err(BadSecret::Prefix));
        check("whpk_AAAA", Err(BadSecret::Prefix));
        check("whsec_not base64", Err(BadSecret::Base64));
        check(&Scheme::V1.secret_of(&[1; 32]).replace('=', ""), Err(BadSecret::Base64));
    }

    #[test]
    fn only_a_pair_that_belongs_together_is_a_secret() {
        let [one, other] = [[1; 32], [2; 32]].map(|seed| {
            let secret = Scheme::V1a.secret_of(&seed);
            STANDARD.decode(secret.strip_prefix("whsk_").unwrap()).unwrap()
        });
        let mixed = [&one[..32], &other[32..]].concat();
        for (pair, expected) in [
            (&one[..], Ok(())),
            (&mixed, Err(BadSecret::Pair)),
            (&one[..32], Err(BadSecret::Pair)),
            (&one[..31], Err(BadSecret::Pair)),
            (&[], Err(BadSecret::Pair)),
        ] {
            check(&format!("whsk_{}", STANDARD.encode(pair)), expected);
        }
        check("whsk_not base64", Err(BadSecret::Base64));
    }
}
