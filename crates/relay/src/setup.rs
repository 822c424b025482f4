//! Makes an upstream, a tenant, a subscription, the operator's key, with credentials that are
//! random, given out once, and kept as hashes where they only have to be compared.

use std::fmt;

use domain::notification::NumberFormat;
use domain::sign;
use domain::subscription::{Credentials, Format, Subscription, Topic};
use domain::upstream::{IngestCredentials, Rule, Upstream};
use jiff::SignedDuration;

use crate::secret::{self, NoEntropy, sha256};
use crate::store::{Operator, Store, StoreError, Tenant};

/// Nothing was set up, or only a part of it; setting up anew is safe.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

/// A username and its password, readable this once.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub username: String,
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Makes the upstream `account`; answers what Bandwidth is to present at ingest.
pub async fn upstream(
    store: &Store,
    account: &str,
    default_tenant: Option<&str>,
    rules: Vec<Rule>,
) -> Result<Login, SetupError> {
    let login = login(&format!("bandwidth-{account}"))?;
    let credentials = IngestCredentials {
        username: login.username.clone(),
        password_sha256: sha256(login.password.as_bytes()),
    };
    let upstream = Upstream {
        account: account.into(),
        credentials: vec![credentials],
        rules,
        default_tenant: default_tenant.map(Into::into),
    };
    store.put_upstream(&upstream).await?;
    Ok(login)
}

/// Makes the tenant `id`; answers its API credentials.
pub async fn tenant(store: &Store, id: &str) -> Result<Login, SetupError> {
    let login = login(&format!("tenant-{id}"))?;
    let tenant = Tenant {
        id: id.into(),
        username: login.username.clone(),
        password_sha256: sha256(login.password.as_bytes()),
    };
    store.put_tenant(&tenant).await?;
    Ok(login)
}

/// Makes the operator's key, in place of an earlier one.
pub async fn operator(store: &Store) -> Result<String, SetupError> {
    let key = secret::password()?;
    store.put_operator(&Operator { key_sha256: sha256(key.as_bytes()) }).await?;
    Ok(key)
}

/// What a subscription is to be, but for what the relay makes itself.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Takes the place of the one with that id; `None` makes a new one.
    pub id: Option<String>,
    pub tenant: String,
    pub topic: Topic,
    pub url: String,
    pub format: Format,
    pub numbers: NumberFormat,
    pub credentials: Option<Credentials>,
    pub waits: Option<Vec<SignedDuration>>,
}

impl Wanted {
    /// Everything, as XML, at one URL.
    pub fn everything(tenant: &str, url: &str) -> Wanted {
        Wanted {
            id: None,
            tenant: tenant.into(),
            topic: Topic::All,
            url: url.into(),
            format: Format::default(),
            numbers: NumberFormat::default(),
            credentials: None,
            waits: None,
        }
    }
}

/// Makes a subscription; answers its id and its signing secret (`whsec_...`).
pub async fn subscription(store: &Store, wanted: Wanted) -> Result<(String, String), SetupError> {
    let random = uuid::Builder::from_random_bytes(secret::random()?).into_uuid();
    let id = wanted.id.unwrap_or_else(|| random.to_string());
    let signing_secret = sign::secret_of(&secret::random()?);
    let subscription = Subscription {
        id: id.clone(),
        tenant: wanted.tenant,
        topic: wanted.topic,
        url: wanted.url,
        format: wanted.format,
        numbers: wanted.numbers,
        signing_secrets: vec![signing_secret.clone().into()],
        credentials: wanted.credentials,
        waits: wanted.waits,
    };
    store.put_subscription(&subscription).await?;
    Ok((id, signing_secret))
}

fn login(username: &str) -> Result<Login, NoEntropy> {
    Ok(Login { username: username.into(), password: secret::password()? })
}
