//! Tenants, their subscriptions, and the operator, in the table.

use domain::notification::NumberFormat;
use domain::subscription::{Credentials, Format, Subscription, Topic};
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::item::{Item, read, text};
use super::{Store, StoreError, failed, key};

/// One customer of the relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// The account id in the tenant's API paths.
    #[serde(rename = "tenant")]
    pub id: String,
    pub username: String,
    /// Of a password of 256 random bits.
    #[serde(with = "serde_bytes")]
    pub password_sha256: [u8; 32],
}

/// Who runs the relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// Of a key of 256 random bits.
    #[serde(with = "serde_bytes")]
    pub key_sha256: [u8; 32],
}

#[derive(Serialize, Deserialize)]
struct SubscriptionBody {
    id: String,
    tenant: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_type: Option<String>,
    url: String,
    /// `xml` or `json`.
    format: String,
    e164: bool,
    signing_secrets: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_ms: Option<Vec<i64>>,
}

impl Store {
    /// Puts a tenant, or replaces it.
    pub async fn put_tenant(&self, tenant: &Tenant) -> Result<(), StoreError> {
        self.put("put a tenant", &Item::new(key::tenant(&tenant.id), tenant)).await
    }

    pub async fn put_operator(&self, operator: &Operator) -> Result<(), StoreError> {
        self.put("put the operator", &Item::new(key::operator(), operator)).await
    }

    /// Puts a subscription, or replaces it.
    pub async fn put_subscription(&self, subscription: &Subscription) -> Result<(), StoreError> {
        let key = key::subscription(&subscription.tenant, &subscription.id);
        self.put("put a subscription", &Item::new(key, SubscriptionBody::from(subscription))).await
    }

    pub(super) async fn read_subscriptions(
        &self,
        tenant: &str,
    ) -> Result<Vec<Subscription>, StoreError> {
        let action = "read a tenant's subscriptions";
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", text(key::tenant(tenant).pk))
            .expression_attribute_values(":prefix", text(key::SUBSCRIPTION_PREFIX))
            .into_paginator()
            .items()
            .send();
        let mut all = Vec::new();
        while let Some(item) = pages.next().await {
            let item: Item<SubscriptionBody> = read(action, item.map_err(failed(action))?)?;
            all.push(item.body.into());
        }
        Ok(all)
    }
}

impl From<&Subscription> for SubscriptionBody {
    fn from(subscription: &Subscription) -> SubscriptionBody {
        let (order_type, event_type) = match &subscription.topic {
            Topic::All => (None, None),
            Topic::OrderType(name) => (Some(name.clone()), None),
            Topic::EventType(name) => (None, Some(name.clone())),
        };
        let credentials = subscription.credentials.as_ref();
        SubscriptionBody {
            id: subscription.id.clone(),
            tenant: subscription.tenant.clone(),
            order_type,
            event_type,
            url: subscription.url.clone(),
            format: match subscription.format {
                Format::Xml => "xml".into(),
                Format::Json => "json".into(),
            },
            e164: subscription.numbers == NumberFormat::E164,
            signing_secrets: subscription
                .signing_secrets
                .iter()
                .map(|secret| secret.expose_secret().into())
                .collect(),
            username: credentials.map(|one| one.username.clone()),
            password: credentials.map(|one| one.password.expose_secret().into()),
            waits_ms: subscription.waits.as_ref().map(|waits| {
                let millis = waits.iter().map(SignedDuration::as_millis);
                millis.map(|wait| i64::try_from(wait).unwrap_or(i64::MAX)).collect()
            }),
        }
    }
}

impl From<SubscriptionBody> for Subscription {
    fn from(body: SubscriptionBody) -> Subscription {
        Subscription {
            id: body.id,
            tenant: body.tenant,
            topic: match (body.order_type, body.event_type) {
                (Some(name), _) => Topic::OrderType(name),
                (None, Some(name)) => Topic::EventType(name),
                (None, None) => Topic::All,
            },
            url: body.url,
            format: if body.format == "json" { Format::Json } else { Format::Xml },
            numbers: if body.e164 { NumberFormat::E164 } else { NumberFormat::Legacy },
            signing_secrets: body.signing_secrets.into_iter().map(SecretString::from).collect(),
            credentials: body
                .username
                .zip(body.password)
                .map(|(username, password)| Credentials { username, password: password.into() }),
            waits: body
                .waits_ms
                .map(|waits| waits.into_iter().map(SignedDuration::from_millis).collect()),
        }
    }
}
