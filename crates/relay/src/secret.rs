//! Passwords that the relay makes itself, and what is kept of them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The system has no entropy to give.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoEntropy;

/// Random bytes of the system's.
pub(crate) fn random<const BYTES: usize>() -> Result<[u8; BYTES], NoEntropy> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|_| NoEntropy)?;
    Ok(bytes)
}

/// A password of 256 random bits: no dictionary holds it, so a plain hash may be stored.
pub(crate) fn password() -> Result<String, NoEntropy> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?))
}

/// A random UUID.
pub(crate) fn uuid() -> Result<String, NoEntropy> {
    Ok(uuid::Builder::from_random_bytes(random()?).into_uuid().to_string())
}

pub(crate) fn sha256(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// Compares in a time that does not depend on where they differ.
pub(crate) fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.ct_eq(b).into()
}
