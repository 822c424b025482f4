//! Encryption of what must be readable again: passwords for endpoints, signing secrets.
//!
//! One data key of 256 bits seals them all (AES-256-GCM). It stands in the table, wrapped by a key
//! that never leaves KMS; a process has it unwrapped once and remembers it, so that no delivery
//! costs a call of KMS. Whoever reads the table, or a copy of it, reads no secret.
//!
//! Sealed text is a version (1 byte), the number of the data key (1 byte), a nonce (12 bytes), the
//! cipher text, and its tag (16 bytes). The number is there so that a second data key can follow.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_kms::Client;
use aws_sdk_kms::error::SdkError;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

use crate::secret::{NoEntropy, random};
use crate::store::{Store, StoreError};

/// The form of sealed text that is written here.
const VERSION: u8 = 1;

/// Number of the data key that seals. Random nonces are good for 2^32 seals under one key. (NIST SP
/// 800-38D, 8.3.)
const CURRENT: u8 = 1;

/// KMS unwraps a data key in this encryption context only, and template.yaml grants no other.
pub const CONTEXT: (&str, &str) = ("hookline", "data-key");

/// A secret could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// KMS failed, refused, or is out of reach. Repeating is safe.
    #[error("cannot {action}")]
    Kms {
        action: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The table could not be asked for the data key.
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// Altered, cut off, or sealed for another place. Repeating is of no use.
    #[error("the sealed text does not open here")]
    Unsound,
    /// Written by a newer version, or by hand.
    #[error("the sealed text is of the unknown version {0}")]
    UnknownVersion(u8),
    /// The table was lost in part, or the sealed text comes from another one.
    #[error("there is no data key {0}")]
    NoDataKey(u8),
}

/// Seals secrets, and opens them again. Clones are one.
#[derive(Clone)]
pub struct Vault {
    kms: Client,
    key_id: String,
    store: Store,
    /// Data keys that were unwrapped, by number.
    unwrapped: Arc<Mutex<HashMap<u8, Arc<DataKey>>>>,
}

/// Zeroed when it is dropped.
type DataKey = SecretSlice<u8>;

impl Vault {
    /// `key_id` is the id, the ARN or the alias of a key of KMS; data keys stand in `store`.
    pub fn new(kms: Client, key_id: impl Into<String>, store: Store) -> Vault {
        Vault { kms, key_id: key_id.into(), store, unwrapped: Arc::default() }
    }

    /// `place` names where the sealed text will stand (`5500001/{subscription}/password`): it opens
    /// nowhere else. It is not itself part of the sealed text.
    pub async fn seal(&self, place: &str, plain: &SecretString) -> Result<Vec<u8>, VaultError> {
        let key = cipher(&*self.current().await?)?;
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut text = plain.expose_secret().as_bytes().to_vec();
        let aad = associated(VERSION, CURRENT, place);
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text)
            .map_err(|_| VaultError::Unsound)?;
        Ok([[VERSION, CURRENT].as_slice(), &nonce, &text].concat())
    }

    /// Reads what [`Vault::seal`] made for the same place.
    pub async fn open(&self, place: &str, sealed: &[u8]) -> Result<SecretString, VaultError> {
        let (version, number, rest) = match sealed {
            [VERSION, number, rest @ ..] => (VERSION, *number, rest),
            [other, _, ..] => return Err(VaultError::UnknownVersion(*other)),
            _ => return Err(VaultError::Unsound),
        };
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or(VaultError::Unsound)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Unsound)?;
        let key = cipher(&*self.data_key(number).await?.ok_or(VaultError::NoDataKey(number))?)?;
        let mut text = text.to_vec();
        let plain = key
            .open_in_place(nonce, associated(version, number, place), &mut text)
            .map_err(|_| VaultError::Unsound)?;
        let length = plain.len();
        text.truncate(length);
        String::from_utf8(text).map(SecretString::from).map_err(|_| VaultError::Unsound)
    }

    /// The data key that seals; made if there is none yet.
    async fn current(&self) -> Result<Arc<DataKey>, VaultError> {
        if let Some(known) = self.data_key(CURRENT).await? {
            return Ok(known);
        }
        let made = self
            .kms
            .generate_data_key()
            .key_id(&self.key_id)
            .key_spec(DataKeySpec::Aes256)
            .encryption_context(CONTEXT.0, CONTEXT.1)
            .send()
            .await
            .map_err(failed("make a data key"))?;
        let key = data_key(made.plaintext)?;
        let wrapped = made.ciphertext_blob.map(Blob::into_inner).ok_or_else(incomplete)?;
        let stands = self.store.put_data_key(CURRENT, wrapped.clone()).await?;
        match stands == wrapped {
            true => Ok(self.remember(CURRENT, key)),
            // Another was faster, and may have sealed with its own.
            false => self.unwrap(CURRENT, stands).await,
        }
    }

    /// A data key, unwrapped; `None` where none has that number.
    async fn data_key(&self, number: u8) -> Result<Option<Arc<DataKey>>, VaultError> {
        if let Some(known) = self.unwrapped().get(&number) {
            return Ok(Some(known.clone()));
        }
        match self.store.data_key(number).await? {
            Some(wrapped) => self.unwrap(number, wrapped).await.map(Some),
            None => Ok(None),
        }
    }

    /// Has KMS unwrap a data key. Handlers that start at the same moment each ask: were one to ask
    /// for all of them, they would wait for its time-outs one after the other when KMS is silent.
    async fn unwrap(&self, number: u8, wrapped: Vec<u8>) -> Result<Arc<DataKey>, VaultError> {
        let done = self
            .kms
            .decrypt()
            .key_id(&self.key_id)
            .ciphertext_blob(Blob::new(wrapped))
            .encryption_context(CONTEXT.0, CONTEXT.1)
            .send()
            .await
            .map_err(failed("unwrap a data key"))?;
        Ok(self.remember(number, data_key(done.plaintext)?))
    }

    fn remember(&self, number: u8, key: DataKey) -> Arc<DataKey> {
        let key = Arc::new(key);
        self.unwrapped().insert(number, key.clone());
        key
    }

    fn unwrapped(&self) -> MutexGuard<'_, HashMap<u8, Arc<DataKey>>> {
        self.unwrapped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The header and the place, so that neither can be exchanged.
fn associated(version: u8, number: u8, place: &str) -> Aad<Vec<u8>> {
    Aad::from([&[version, number], place.as_bytes()].concat())
}

fn data_key(plain: Option<Blob>) -> Result<DataKey, VaultError> {
    let key = DataKey::from(plain.ok_or_else(incomplete)?.into_inner());
    cipher(&key).map(|_| key)
}

/// Made for each use, because the library's key cannot be wiped.
fn cipher(key: &DataKey) -> Result<LessSafeKey, VaultError> {
    let key = UnboundKey::new(&AES_256_GCM, key.expose_secret()).map_err(|_| incomplete())?;
    Ok(LessSafeKey::new(key))
}

fn incomplete() -> VaultError {
    VaultError::Kms { action: "use a data key", source: "KMS gave none of 256 bits".into() }
}

/// Names what was being done when the SDK gave up. The answer itself, which the SDK's error holds,
/// could have a data key in it, so it is left out.
fn failed<E, R>(action: &'static str) -> impl FnOnce(SdkError<E, R>) -> VaultError
where
    E: std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    move |error| {
        let source = error.into_source().unwrap_or_else(|error| error.into());
        VaultError::Kms { action, source }
    }
}
