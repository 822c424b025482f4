//! Subscriptions with their secrets in the clear: sealed on the way into the table, opened on the
//! way out.

use domain::health::{AILS_FOR, Health, PROBE_EVERY};
use domain::notification::NumberFormat;
use domain::order;
use domain::record::OrderRecord;
use domain::sign::{self, Scheme};
use domain::subscription::{
    Callback, Credentials, Digest, Email, Format, GivenUp, Mode, Policy, SigningSecret,
    Subscription, Target, Topic,
};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde_bytes::ByteBuf;

use crate::Clock;
use crate::secret::sha256;
use crate::store::{
    Breaker, Cache, Page, Sealed, SealedSecret, Snapshot, Store, StoreError, StoredEvent,
    Subscribed,
};
use crate::vault::{Vault, VaultError};

/// A subscription could not be read or written. Repeating is safe.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// All tenants' subscriptions, with a short memory.
#[derive(Clone)]
pub struct Subscriptions {
    store: Store,
    vault: Vault,
    clock: Clock,
    known: Cache<Subscription>,
    /// Those whose endpoint's answer was noted lately.
    noted: Cache<()>,
}

/// Of a subscription to one order: where that order is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The Bandwidth account.
    pub upstream: String,
    /// The state of now is to be delivered first.
    pub snapshot: bool,
    /// It has come to its end, so that no final state will end the subscription.
    pub finished: bool,
}

impl Bound {
    pub fn to(record: OrderRecord, snapshot: bool) -> Bound {
        let status = record.status.as_deref().unwrap_or_default();
        let finished = order::is_terminal(&record.order_type, status);
        Bound { upstream: record.upstream, snapshot, finished }
    }
}

impl Subscriptions {
    pub fn new(store: Store, vault: Vault, clock: Clock) -> Subscriptions {
        let (known, noted) = (Cache::new(clock.clone()), Cache::new(clock.clone()));
        Subscriptions { store, vault, known, noted, clock }
    }

    /// A subscription as it was at most a few seconds ago, but for one that was not known then.
    pub async fn known(
        &self,
        tenant: &str,
        id: &str,
    ) -> Result<Option<std::sync::Arc<Subscription>>, SubscriptionsError> {
        if let Some(known) = self.known.get(id).filter(|known| known.tenant == tenant) {
            return Ok(Some(known));
        }
        let Some(found) = self.get(tenant, id).await? else { return Ok(None) };
        let found = std::sync::Arc::new(found);
        self.known.put(id, found.clone());
        Ok(Some(found))
    }

    /// A subscription as it is; expired ones are there for a while.
    pub async fn get(
        &self,
        tenant: &str,
        id: &str,
    ) -> Result<Option<Subscription>, SubscriptionsError> {
        let now = self.clock.now();
        let found = self.store.sealed_subscription(tenant, id).await?;
        match found.filter(|one| !one.is_gone(now)) {
            Some(sealed) => Ok(Some(self.open(sealed).await?)),
            None => Ok(None),
        }
    }

    /// One page of a tenant's subscriptions, by id.
    pub async fn list(
        &self,
        tenant: &str,
        page: Page,
    ) -> Result<(Vec<Subscription>, Option<String>), SubscriptionsError> {
        let (sealed, next) = self.store.sealed_subscriptions(tenant, page).await?;
        let mut opened = Vec::new();
        for one in sealed {
            opened.push(self.open(one).await?);
        }
        Ok((opened, next))
    }

    /// How many are in force to one topic, as of a few seconds ago.
    pub(crate) async fn count(&self, tenant: &str, topic: &Topic) -> Result<usize, StoreError> {
        let now = self.clock.now().as_second();
        let asked = self.store.asked_for_topic(tenant, &topic.key()).await?;
        Ok(asked.iter().filter(|one| one.until.is_none_or(|until| until > now)).count())
    }

    /// Adds a subscription; `bound` goes with [`Topic::Order`].
    pub(crate) async fn add(
        &self,
        new: &Subscription,
        bound: Option<&Bound>,
    ) -> Result<Subscribed, SubscriptionsError> {
        let now = self.clock.now();
        let sealed = self.seal(new).await?;
        let snapshot = bound.filter(|bound| bound.snapshot).map(|bound| Snapshot {
            upstream: bound.upstream.clone(),
            order_type: sealed.order_type.clone().unwrap_or_default(),
            subject: sealed.order_id.clone().unwrap_or_default().to_ascii_lowercase(),
            tenant: new.tenant.clone(),
            subscription: new.id.clone(),
            asked_at: now,
        });
        let added = self.store.add_subscription(&sealed, snapshot.as_ref(), now).await?;
        match added {
            Subscribed::TooMany if self.store.make_room(&sealed, now).await? => {
                Ok(self.store.add_subscription(&sealed, snapshot.as_ref(), now).await?)
            }
            added => Ok(added),
        }
    }

    /// Has a subscription expire now, if it is there and has not yet.
    pub(crate) async fn expire(&self, tenant: &str, id: &str) -> Result<(), StoreError> {
        let now = self.clock.now();
        let found = self.store.sealed_subscription(tenant, id).await?;
        if let Some(old) = found.filter(|one| one.expires_at.is_none_or(|at| at > now)) {
            self.store.expire_subscription(&old, now).await?;
        }
        self.known.forget(id);
        Ok(())
    }

    /// Replaces a subscription that still has the revision before.
    pub(crate) async fn change(
        &self,
        new: &Subscription,
    ) -> Result<Subscribed, SubscriptionsError> {
        let Some(old) = self.store.sealed_subscription(&new.tenant, &new.id).await? else {
            return Ok(Subscribed::Changed);
        };
        if old.revision + 1 != new.revision {
            return Ok(Subscribed::Changed);
        }
        let new = self.seal(new).await?;
        let written = self.store.change_subscription(&old, &new, self.clock.now()).await?;
        self.known.forget(&new.id);
        Ok(written)
    }

    /// Deletes a subscription, if it is there. What is held or halted for it, or is at this moment, is
    /// then given up.
    pub async fn remove(&self, tenant: &str, id: &str) -> Result<(), SubscriptionsError> {
        if let Some(old) = self.store.sealed_subscription(tenant, id).await? {
            self.drain(tenant, id).await?;
            self.store.delete_subscription(&old).await?;
        }
        self.known.forget(id);
        Ok(())
    }

    /// Deletes a subscription that has come to its end, if nothing can be held for it.
    pub(crate) async fn forget(&self, tenant: &str, id: &str) -> Result<(), StoreError> {
        let found = self.store.sealed_subscription(tenant, id).await?;
        if let Some(old) = found.filter(|one| !one.disabled) {
            self.store.delete_subscription(&old).await?;
        }
        self.known.forget(id);
        Ok(())
    }

    /// Has `schedule` let go of what was held while a subscription was disabled, and, where that is
    /// gone by then, of what was halted. It begins a while later, so this comes before the change that
    /// is its reason: should that not be made, what was let go is held again.
    pub(crate) async fn drain(&self, tenant: &str, id: &str) -> Result<(), StoreError> {
        self.store.add_drain(tenant, id, self.clock.now()).await
    }

    /// Notes a failed attempt; answers how the endpoint is by now, if its subscription is there.
    pub(crate) async fn note_failure(
        &self,
        one: &Subscription,
        status: &str,
        at: Timestamp,
    ) -> Result<Option<Health>, StoreError> {
        let noted = self.store.note_failure(one, status, at).await?;
        let Some(Sealed { health, .. }) = noted else { return Ok(None) };
        self.remember(&one.id, Some(status), health.clone());
        Ok(Some(health))
    }

    /// Notes a success, where that is news. `after_failure`: another process may have noted a failure
    /// that this one has not heard of.
    pub(crate) async fn note_success(
        &self,
        one: &Subscription,
        status: &str,
        after_failure: bool,
    ) -> Result<(), StoreError> {
        let known = self.known.get(&one.id);
        let known = known.as_deref().unwrap_or(one);
        let said = known.status.as_deref();
        let is_same = said.is_some_and(|said| first_word(said) == first_word(status));
        // An answer with a text of its own each time is noted now and then.
        let is_news = said != Some(status) && !(is_same && self.noted.get(&one.id).is_some());
        let health = Health { ails_until_ms: known.health.ails_until_ms, ..Health::default() };
        if known.health == health && !after_failure && !is_news {
            return Ok(());
        }
        self.noted.put(&one.id, ().into());
        self.store.note_success(one, status).await?;
        self.remember(&one.id, Some(status), health);
        Ok(())
    }

    /// Notes that an endpoint takes long, unless that was noted just now.
    pub(crate) async fn note_slowness(&self, one: &Subscription) -> Result<(), StoreError> {
        let now = self.clock.now();
        let known = self.known.get(&one.id);
        if known.is_some_and(|known| known.health.ails(now + AILS_FOR / 2)) {
            return Ok(());
        }
        let ails_until_ms = Some((now + AILS_FOR).as_millisecond());
        self.remember(&one.id, None, Health { ails_until_ms, ..one.health.clone() });
        self.store.note_slowness(one, now).await
    }

    /// Opens an endpoint's breaker, with `told`.
    pub(crate) async fn open_breaker(
        &self,
        one: &Subscription,
        told: &StoredEvent,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let breaker =
            Breaker { tenant: one.tenant.clone(), subscription: one.id.clone(), opened_at: now };
        self.store.open_breaker(&breaker, told).await?;
        self.known.forget(&one.id);
        Ok(())
    }

    /// Claims the next probe of an endpoint; false if another has, or none is due.
    pub(crate) async fn claim_probe(&self, one: &Subscription) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let claimed = self.store.claim_probe(&one.tenant, &one.id, now).await?;
        let probe_at_ms = Some((now + PROBE_EVERY).as_millisecond());
        self.remember(&one.id, None, Health { probe_at_ms, ..one.health.clone() });
        Ok(claimed)
    }

    /// Disables a subscription, with `told`; false if it is not the one any more that was tried.
    pub(crate) async fn disable(
        &self,
        one: &Subscription,
        because: GivenUp,
        told: &StoredEvent,
    ) -> Result<bool, StoreError> {
        // As it is: the tenant may just have given it an expiry.
        if let Some(found) = self.store.sealed_subscription(&one.tenant, &one.id).await? {
            self.store.drain_when_gone(&Sealed { disabled: true, ..found }).await?;
        }
        let disabled = self.store.disable(one, because, told).await?;
        self.known.forget(&one.id);
        if disabled {
            return Ok(true);
        }
        let stands = self.store.sealed_subscription(&one.tenant, &one.id).await?;
        Ok(stands.is_some_and(|stands| stands.disabled))
    }

    /// When the next attempt may be made, of so many a second.
    pub(crate) async fn take_slot(
        &self,
        one: &Subscription,
        rate: u32,
    ) -> Result<Timestamp, StoreError> {
        let interval =
            SignedDuration::from_secs(1) / i32::try_from(rate).unwrap_or(i32::MAX).max(1);
        self.store.take_slot(&one.tenant, &one.id, interval, self.clock.now()).await
    }

    fn remember(&self, id: &str, status: Option<&str>, health: Health) {
        self.known.amend(id, |one| Subscription {
            status: status.map(Into::into).or_else(|| one.status.clone()),
            health,
            ..one.clone()
        });
    }

    async fn seal(&self, one: &Subscription) -> Result<Sealed, SubscriptionsError> {
        let mut secrets = Vec::new();
        for (n, secret) in one.secrets.iter().enumerate() {
            let place = place(&one.tenant, &one.id, &format!("secret-{n}"));
            let sealed = self.vault.seal(&place, &secret.secret).await?;
            secrets.push(SealedSecret { sealed: ByteBuf::from(sealed), until: secret.until });
        }
        let (order_type, order_id, event_type) = match &one.topic {
            Topic::All => (None, None, None),
            Topic::OrderType(name) => (Some(name.clone()), None, None),
            Topic::Order { order_type, order_id } => {
                (Some(order_type.clone()), Some(order_id.clone()), None)
            }
            Topic::EventType(name) => (None, None, Some(name.clone())),
        };
        let (callback, email) = match &one.target {
            Target::Callback(callback) => (Some(callback), None),
            Target::Email(email) => (None, Some(email)),
        };
        let basic = callback.and_then(|callback| callback.basic.as_ref());
        let password = match basic {
            Some(basic) => {
                let place = place(&one.tenant, &one.id, "password");
                Some(ByteBuf::from(self.vault.seal(&place, &basic.password).await?))
            }
            None => None,
        };
        Ok(Sealed {
            id: one.id.clone(),
            tenant: one.tenant.clone(),
            topic: one.topic.key(),
            target: target_name(one),
            order_type,
            order_id,
            event_type,
            url: callback.map(|callback| callback.url.clone()),
            email: email.map(|email| email.address.clone()),
            daily: email.is_some_and(|email| email.digest == Digest::Daily),
            username: basic.map(|basic| basic.username.clone()),
            password,
            public_key: callback.and_then(|callback| callback.public_key.clone()),
            json: one.format == Format::Json,
            e164: one.numbers == NumberFormat::E164,
            mode: match one.mode {
                Mode::Every => None,
                Mode::Latest => Some("latest".into()),
                Mode::Final => Some("final".into()),
            },
            halt: one.policy == Policy::Halt,
            states: one.states.clone(),
            secrets,
            waits_ms: one.waits.as_ref().map(|waits| {
                let millis = waits.iter().map(SignedDuration::as_millis);
                millis.map(|wait| i64::try_from(wait).unwrap_or(i64::MAX)).collect()
            }),
            headers: one.headers.clone(),
            disabled: !one.enabled,
            given_up: one.given_up,
            rate: one.rate,
            health: one.health.clone(),
            created_at: one.created_at,
            expires_at: one.expires_at,
            status: one.status.clone(),
            slot_ms: None,
            revision: one.revision,
        })
    }

    async fn open(&self, sealed: Sealed) -> Result<Subscription, SubscriptionsError> {
        let (tenant, id) = (&sealed.tenant, &sealed.id);
        let mut secrets = Vec::new();
        for (n, secret) in sealed.secrets.iter().enumerate() {
            let place = place(tenant, id, &format!("secret-{n}"));
            let opened = self.vault.open(&place, &secret.sealed).await?;
            secrets.push(SigningSecret { secret: opened, until: secret.until });
        }
        let basic = match sealed.username.zip(sealed.password) {
            Some((username, password)) => {
                let password = self.vault.open(&place(tenant, id, "password"), &password).await?;
                Some(Credentials { username, password })
            }
            None => None,
        };
        Ok(Subscription {
            topic: match (sealed.order_type, sealed.order_id, sealed.event_type) {
                (Some(order_type), Some(order_id), _) => Topic::Order { order_type, order_id },
                (Some(order_type), None, _) => Topic::OrderType(order_type),
                (None, _, Some(event_type)) => Topic::EventType(event_type),
                (None, _, None) => Topic::All,
            },
            target: match sealed.email {
                Some(address) => Target::Email(Email {
                    address,
                    digest: if sealed.daily { Digest::Daily } else { Digest::None },
                }),
                None => Target::Callback(Callback {
                    url: sealed.url.unwrap_or_default(),
                    basic,
                    public_key: sealed.public_key,
                }),
            },
            id: sealed.id,
            tenant: sealed.tenant,
            format: if sealed.json { Format::Json } else { Format::Xml },
            numbers: if sealed.e164 { NumberFormat::E164 } else { NumberFormat::Legacy },
            mode: match sealed.mode.as_deref() {
                Some("latest") => Mode::Latest,
                Some("final") => Mode::Final,
                _ => Mode::Every,
            },
            policy: if sealed.halt { Policy::Halt } else { Policy::Skip },
            states: sealed.states,
            secrets,
            waits: sealed
                .waits_ms
                .map(|waits| waits.into_iter().map(SignedDuration::from_millis).collect()),
            headers: sealed.headers,
            enabled: !sealed.disabled,
            given_up: sealed.given_up,
            rate: sealed.rate,
            health: sealed.health,
            created_at: sealed.created_at,
            expires_at: sealed.expires_at,
            status: sealed.status,
            revision: sealed.revision,
        })
    }
}

/// Secrets that sign at `now`.
pub(crate) fn signing(
    subscription: &Subscription,
    now: Timestamp,
) -> impl Iterator<Item = &SecretString> {
    let current = move |one: &&SigningSecret| one.until.is_none_or(|until| now < until);
    subscription.secrets.iter().filter(current).map(|one| &one.secret)
}

/// How a subscription's newest secret signs.
pub(crate) fn scheme(subscription: &Subscription) -> Scheme {
    let newest = subscription.secrets.iter().find(|one| one.until.is_none());
    newest.map_or_else(Scheme::default, |one| sign::scheme_of(one.secret.expose_secret()))
}

/// Where a sealed text stands; it opens nowhere else.
fn place(tenant: &str, id: &str, field: &str) -> String {
    format!("{tenant}/{id}/{field}")
}

/// A name for where a subscription is told, and of which states: no two of one topic have the same.
fn target_name(one: &Subscription) -> String {
    let address = match &one.target {
        Target::Callback(callback) => &callback.url,
        Target::Email(email) => &email.address,
    };
    let mut states: Vec<_> = one.states.iter().map(|state| state.to_ascii_uppercase()).collect();
    states.sort();
    let hash = sha256(format!("{address}\n{}", states.join(",")).as_bytes());
    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The code, of a status such as `200 OK`.
fn first_word(status: &str) -> &str {
    status.split(' ').next().unwrap_or_default()
}
