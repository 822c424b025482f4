//! KMS: keys for encryption that never leave it, for data keys that do.
//!
//! One master key of 256 bits is all that is kept. The id and the material of every other key are
//! derived from it by the key's alias, so that keys need no database of their own.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Reply;

const FILE: &str = "kms.key";
const MASTER_BYTES: usize = 32;

/// Before the alias and the id of a key.
const ARN: &str = "arn:aws:kms:us-east-1:000000000000:";

/// How long a key's id is: a UUID.
const ID_BYTES: usize = 36;

/// Bytes of a data key, and of what Decrypt takes. (AWS: KMS GenerateDataKey, Decrypt.)
const DATA_KEY_BYTES_MAX: usize = 1024;
const CIPHERTEXT_BYTES_MAX: usize = 6144;

pub(super) struct Keys {
    master: hmac::Key,
    aliases: Mutex<HashSet<String>>,
}

/// A key that is made when it is needed.
struct Key {
    id: String,
    material: LessSafeKey,
}

/// An operation that is not done.
struct Refused {
    status: u16,
    kind: &'static str,
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GenerateDataKey {
    key_id: String,
    key_spec: Option<String>,
    number_of_bytes: Option<usize>,
    #[serde(default)]
    encryption_context: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Decrypt {
    ciphertext_blob: String,
    key_id: Option<String>,
    #[serde(default)]
    encryption_context: BTreeMap<String, String>,
}

impl Keys {
    /// Under a master key that nobody keeps.
    pub(super) fn memory() -> anyhow::Result<Keys> {
        Ok(Keys::new(&random::<MASTER_BYTES>().context("cannot make a master key")?))
    }

    /// Under the folder's master key, which is made if there is none.
    pub(super) fn in_folder(folder: &Path) -> anyhow::Result<Keys> {
        let path = folder.join(FILE);
        let master = match fs::read(&path) {
            Ok(master) => master,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let master = random::<MASTER_BYTES>().context("cannot make a master key")?;
                write_new(&path, &master).context("cannot keep the master key")?;
                master.into()
            }
            Err(error) => return Err(error).context("cannot read the master key"),
        };
        anyhow::ensure!(master.len() == MASTER_BYTES, "{} holds no master key", path.display());
        Ok(Keys::new(&master))
    }

    fn new(master: &[u8]) -> Keys {
        Keys { master: hmac::Key::new(hmac::HMAC_SHA256, master), aliases: Mutex::default() }
    }

    /// Makes a key, or finds it again; answers its ARN.
    pub(super) fn create(&self, alias: &str) -> String {
        self.aliases().insert(alias.into());
        arn(&self.id(alias))
    }

    /// Answers one operation of KMS.
    pub(super) fn answer(&self, operation: &str, body: &str) -> Reply {
        let done = match operation {
            "GenerateDataKey" => read(body).and_then(|request| self.generate(request)),
            "Decrypt" => read(body).and_then(|request| self.decrypt(request)),
            unknown => Err(refused("UnknownOperationException", format!("no {unknown}"))),
        };
        match done {
            Ok(answer) => Reply::ok(answer.to_string()),
            Err(Refused { status, kind, message }) => Reply::error(status, kind, &message),
        }
    }

    fn generate(&self, request: GenerateDataKey) -> Result<Value, Refused> {
        let bytes = match (request.key_spec.as_deref(), request.number_of_bytes) {
            (Some("AES_256"), None) => 32,
            (Some("AES_128"), None) => 16,
            (None, Some(bytes @ 1..=DATA_KEY_BYTES_MAX)) => bytes,
            _ => return Err(refused("ValidationException", "give KeySpec or NumberOfBytes")),
        };
        let key = self.find(&request.key_id)?;
        let mut plain = vec![0; bytes];
        SystemRandom::new().fill(&mut plain).map_err(|_| broken())?;
        let sealed = key.seal(&request.encryption_context, &plain).ok_or_else(broken)?;
        Ok(json!({
            "KeyId": arn(&key.id),
            "Plaintext": STANDARD.encode(plain),
            "CiphertextBlob": STANDARD.encode(sealed),
        }))
    }

    fn decrypt(&self, request: Decrypt) -> Result<Value, Refused> {
        let sealed = STANDARD.decode(&request.ciphertext_blob).unwrap_or_default();
        if !(1..=CIPHERTEXT_BYTES_MAX).contains(&sealed.len()) {
            return Err(refused("ValidationException", "CiphertextBlob has 1 to 6,144 bytes"));
        }
        let named = request.key_id.map(|id| self.find(&id)).transpose()?;
        let invalid = || refused("InvalidCiphertextException", "it does not open");
        let (id, sealed) = sealed.split_at_checked(ID_BYTES).ok_or_else(invalid)?;
        let id = std::str::from_utf8(id).map_err(|_| invalid())?;
        // What another account's key has sealed is not told from what nobody has.
        let key = self.find(id).map_err(|_| invalid())?;
        if named.is_some_and(|named| named.id != key.id) {
            return Err(refused("IncorrectKeyException", "another key has encrypted it"));
        }
        let plain = key.open(&request.encryption_context, sealed).ok_or_else(invalid)?;
        Ok(json!({
            "KeyId": arn(&key.id),
            "Plaintext": STANDARD.encode(plain),
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        }))
    }

    /// A key by its id, its alias, or the ARN of either.
    fn find(&self, name: &str) -> Result<Key, Refused> {
        let local = name.strip_prefix(ARN).unwrap_or(name);
        let local = local.strip_prefix("key/").unwrap_or(local);
        let aliases = self.aliases();
        let found = aliases.iter().find(|alias| *alias == local || self.id(alias) == local);
        let alias = found
            .ok_or_else(|| refused("NotFoundException", format!("there is no key {name:?}")))?;
        let material = self.derive("material", alias);
        let material = UnboundKey::new(&AES_256_GCM, material.as_ref()).map_err(|_| broken())?;
        Ok(Key { id: self.id(alias), material: LessSafeKey::new(material) })
    }

    /// In the form of a UUID.
    fn id(&self, alias: &str) -> String {
        let tag = self.derive("id", alias);
        let hex: String = tag.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let parts = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)];
        parts.map(|(from, to)| hex.get(from..to).unwrap_or_default()).join("-")
    }

    fn derive(&self, what: &str, alias: &str) -> hmac::Tag {
        hmac::sign(&self.master, format!("{what} of {alias}").as_bytes())
    }

    fn aliases(&self) -> MutexGuard<'_, HashSet<String>> {
        self.aliases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Key {
    /// The key's id, a nonce, and what is sealed under both.
    fn seal(&self, context: &BTreeMap<String, String>, plain: &[u8]) -> Option<Vec<u8>> {
        let nonce = random::<NONCE_LEN>().ok()?;
        let mut text = plain.to_vec();
        let nonce_once = Nonce::assume_unique_for_key(nonce);
        self.material.seal_in_place_append_tag(nonce_once, aad(context)?, &mut text).ok()?;
        Some([self.id.as_bytes(), nonce.as_slice(), text.as_slice()].concat())
    }

    /// Reads [`Key::seal`] without the id.
    fn open(&self, context: &BTreeMap<String, String>, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let plain = self.material.open_in_place(nonce, aad(context)?, &mut text).ok()?;
        Some(plain.to_vec())
    }
}

/// The encryption context: in no order for KMS, so in one order here.
fn aad(context: &BTreeMap<String, String>) -> Option<Aad<Vec<u8>>> {
    serde_json::to_vec(context).ok().map(Aad::from)
}

fn arn(id: &str) -> String {
    format!("{ARN}key/{id}")
}

fn random<const BYTES: usize>() -> anyhow::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    Ok(bytes)
}

/// Writes a file whole or not at all, for nobody else to read.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

fn read<'de, T: Deserialize<'de>>(body: &'de str) -> Result<T, Refused> {
    serde_json::from_str(body).map_err(|error| refused("SerializationException", error.to_string()))
}

fn refused(kind: &'static str, message: impl Into<String>) -> Refused {
    Refused { status: 400, kind, message: message.into() }
}

fn broken() -> Refused {
    Refused { status: 500, kind: "KMSInternalException", message: "no cipher".into() }
}
