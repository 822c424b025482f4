//! Makes upstreams, tenants, API keys and subscriptions, with credentials that are random, given
//! out once, and kept as hashes where they only have to be compared.

use std::fmt;

use domain::health::Health;
use domain::notification::NumberFormat;
use domain::sign::Scheme;
use domain::subscription::{
    Callback, Format, Mode, Policy, SigningSecret, Subscription, Target, Topic,
};
use domain::upstream::{IngestCredentials, Rule, Upstream};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use crate::Clock;
use crate::secret::{self, NoEntropy, sha256};
use crate::store::{ApiKey, Role, Store, StoreError, Subscribed, Tenant, Written};
use crate::subscriptions::{Bound, Subscriptions, SubscriptionsError};

/// Replaced credentials and secrets are good for this long beside their successors.
pub const OVERLAP: SignedDuration = SignedDuration::from_hours(24);

/// A subscription to an order that is finished already ends after this long: all that can still come
/// is late, or a note.
const FINISHED_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// Subscriptions of one tenant to one topic. Fan-out puts a delivery for each within
/// one run, so that a tenant with more would hold up the others.
pub const SUBSCRIPTIONS_MAX: usize = 500;

/// Nothing was set up, or only a part of it; setting up anew is safe.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Subscriptions(#[from] SubscriptionsError),
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    #[error("it was changed by somebody else just now")]
    Changed,
    #[error("there is a subscription to the same for the same target")]
    Duplicate,
    #[error("there are as many subscriptions to the same as there may be")]
    TooMany,
}

/// A username and its password, readable this once.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub username: String,
    pub password: String,
}

impl Login {
    /// The two as one token, for `Authorization: Bearer`.
    pub fn token(&self) -> String {
        format!("{}.{}", self.username, self.password)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Makes the upstream `account`, or gives it new credentials and rules; answers what Bandwidth is
/// to present at ingest. Its access to Bandwidth's API stays.
pub async fn upstream(
    store: &Store,
    account: &str,
    default_tenant: Option<&str>,
    rules: Vec<Rule>,
) -> Result<Login, SetupError> {
    let (credentials, login) = ingest_credentials(account)?;
    let standing = store.refreshed_upstream(account).await?;
    let upstream = Upstream {
        account: account.into(),
        credentials: vec![credentials],
        rules,
        default_tenant: default_tenant.map(Into::into),
        api: standing.as_ref().and_then(|standing| standing.api.clone()),
        gateway_until: standing.as_ref().and_then(|standing| standing.gateway_until),
        revision: standing.map_or(0, |standing| standing.revision) + 1,
    };
    match store.put_upstream(&upstream).await? {
        Written::Done => Ok(login),
        Written::Changed => Err(SetupError::Changed),
    }
}

/// Fresh credentials for Bandwidth to present. The name is fresh too: Bandwidth shows no password, so
/// that by it alone can be told whether a subscription presents these or those before.
pub(crate) fn ingest_credentials(account: &str) -> Result<(IngestCredentials, Login), NoEntropy> {
    let generation = u32::from_be_bytes(secret::random()?);
    let login = login(&format!("bandwidth-{account}-{generation:08x}"))?;
    let credentials = IngestCredentials {
        username: login.username.clone(),
        password_sha256: sha256(login.password.as_bytes()),
        until: None,
    };
    Ok((credentials, login))
}

/// Replaced credentials that are accepted beside the new ones. Should credentials be replaced twice
/// before Bandwidth was given any, it still presents those before both.
const REPLACED_MAX: usize = 2;

/// The upstream with new credentials for Bandwidth to present, and these. For [`OVERLAP`] those before
/// are accepted too, but for no more than the newest of them.
pub(crate) fn with_fresh_credentials(
    old: &Upstream,
    now: Timestamp,
) -> Result<(Upstream, Login), NoEntropy> {
    let (fresh, login) = ingest_credentials(&old.account)?;
    let until = now + OVERLAP;
    let before = old.credentials.iter().filter(|one| one.is_accepted(now)).take(REPLACED_MAX);
    let before =
        before.map(|one| IngestCredentials { until: one.until.or(Some(until)), ..one.clone() });
    let credentials = [fresh].into_iter().chain(before).collect();
    Ok((Upstream { credentials, revision: old.revision + 1, ..old.clone() }, login))
}

/// Makes the tenant `id` where there is none, and a key with which it may read and write, in place
/// of the first such key.
pub async fn tenant(store: &Store, id: &str, now: Timestamp) -> Result<Login, SetupError> {
    let tenant = Tenant { id: id.into(), name: None, created_at: now, upstream: None, revision: 1 };
    // Where it was changed, it is there.
    store.add_tenant(&tenant).await?;
    let (key, login) = api_key(&format!("tenant-{id}"), Some(id), Role::Write, None, now)?;
    store.put_api_key(&key).await?;
    Ok(login)
}

/// Makes the operator's first key, in place of an earlier one.
pub async fn operator(store: &Store, now: Timestamp) -> Result<Login, SetupError> {
    let (key, login) = api_key("operator", None, Role::Admin, None, now)?;
    store.put_api_key(&key).await?;
    Ok(login)
}

/// A fresh key; whoever has `login` may use it once it is stored.
pub(crate) fn api_key(
    id: &str,
    tenant: Option<&str>,
    role: Role,
    name: Option<String>,
    now: Timestamp,
) -> Result<(ApiKey, Login), NoEntropy> {
    let login = login(id)?;
    let key = ApiKey {
        id: id.into(),
        tenant: tenant.map(Into::into),
        role,
        name,
        secret_sha256: sha256(login.password.as_bytes()),
        created_at: now,
    };
    Ok((key, login))
}

/// What a subscription is to be, but for what the relay makes itself.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// `None` makes one up.
    pub id: Option<String>,
    pub tenant: String,
    pub topic: Topic,
    pub target: Target,
    pub format: Format,
    pub numbers: NumberFormat,
    pub mode: Mode,
    pub policy: Policy,
    pub states: Vec<String>,
    pub waits: Option<Vec<SignedDuration>>,
    pub headers: Vec<(String, String)>,
    /// How its first secret signs.
    pub signature: Scheme,
    pub enabled: bool,
    pub rate: Option<u32>,
    pub expires_at: Option<Timestamp>,
}

impl Wanted {
    /// Everything, as XML, at one URL.
    pub fn everything(tenant: &str, url: &str) -> Wanted {
        Wanted::at(
            tenant,
            Topic::All,
            Target::Callback(Callback { url: url.into(), basic: None, public_key: None }),
        )
    }

    /// A topic, in Bandwidth's own way.
    pub fn at(tenant: &str, topic: Topic, target: Target) -> Wanted {
        Wanted {
            id: None,
            tenant: tenant.into(),
            topic,
            target,
            format: Format::default(),
            numbers: NumberFormat::default(),
            mode: Mode::default(),
            policy: Policy::default(),
            states: Vec::new(),
            waits: None,
            headers: Vec::new(),
            signature: Scheme::default(),
            enabled: true,
            rate: None,
            expires_at: None,
        }
    }

    /// As it stands at `revision`, with the rest of what makes a subscription.
    pub(crate) fn made(
        self,
        id: String,
        secrets: Vec<SigningSecret>,
        created_at: Timestamp,
        status: Option<String>,
        revision: u64,
    ) -> Subscription {
        Subscription {
            id,
            tenant: self.tenant,
            topic: self.topic,
            target: self.target,
            format: self.format,
            numbers: self.numbers,
            mode: self.mode,
            policy: self.policy,
            states: self.states,
            secrets,
            waits: self.waits,
            headers: self.headers,
            enabled: self.enabled,
            given_up: None,
            rate: self.rate,
            // Whoever changes a subscription gives its endpoint a fresh start.
            health: Health::default(),
            created_at,
            expires_at: self.expires_at,
            status,
            revision,
        }
    }
}

/// Makes a subscription; answers it, with its signing secret (`whsec_...` or `whsk_...`) readable
/// this once.
/// `bound` goes with [`Topic::Order`].
pub async fn subscription(
    subscriptions: &Subscriptions,
    mut wanted: Wanted,
    bound: Option<&Bound>,
    clock: &Clock,
) -> Result<(Subscription, SecretString), SetupError> {
    // An order's record counts for itself.
    let is_of_topic = !matches!(wanted.topic, Topic::Order { .. });
    if is_of_topic && subscriptions.count(&wanted.tenant, &wanted.topic).await? >= SUBSCRIPTIONS_MAX
    {
        return Err(SetupError::TooMany);
    }
    if bound.is_some_and(|bound| bound.finished && !bound.snapshot) {
        let until = clock.now() + FINISHED_KEPT;
        wanted.expires_at = Some(wanted.expires_at.map_or(until, |at| at.min(until)));
    }
    let id = match &wanted.id {
        Some(id) => id.clone(),
        None => secret::uuid()?,
    };
    let secret = signing_secret(wanted.signature)?;
    let signing = SigningSecret { secret: secret.clone(), until: None };
    let made = wanted.made(id, vec![signing], clock.now(), None, 1);
    match subscriptions.add(&made, bound).await? {
        Subscribed::Done => Ok((made, secret)),
        Subscribed::Duplicate => Err(SetupError::Duplicate),
        Subscribed::TooMany => Err(SetupError::TooMany),
        Subscribed::Changed | Subscribed::NoEntry => Err(SetupError::Changed),
    }
}

/// A fresh secret of 256 random bits.
pub(crate) fn signing_secret(scheme: Scheme) -> Result<SecretString, NoEntropy> {
    Ok(scheme.secret_of(&secret::random()?).into())
}

fn login(username: &str) -> Result<Login, NoEntropy> {
    Ok(Login { username: username.into(), password: secret::password()? })
}
