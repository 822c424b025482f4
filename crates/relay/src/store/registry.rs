//! Who may call: tenants and API keys; and what an operator allows.

use std::sync::Arc;

use domain::upstream::Upstream;
use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::item::Item;
use super::table::{Page, Read, Written};
use super::{Store, StoreError, key, upstream};

/// One customer of the relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// The account id in the tenant's API paths.
    #[serde(rename = "tenant")]
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub created_at: Timestamp,
    /// The upstream at which it may place orders through the relay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// Counts changes, from 1.
    pub revision: u64,
}

/// What a caller proves who it is with: its id, and a secret of 256 random bits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    pub id: String,
    /// For whom it speaks; `None` for the operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    pub role: Role,
    /// What it is for, in somebody's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(with = "serde_bytes")]
    pub secret_sha256: [u8; 32],
    pub created_at: Timestamp,
}

/// What a caller may do; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Read,
    Write,
    /// API keys too.
    Admin,
}

#[derive(Serialize, Deserialize)]
struct Networks {
    networks: Vec<IpNet>,
    revision: u64,
}

/// The one entry of their cache.
const THE_NETWORKS: &str = "";

impl Store {
    pub async fn tenant(&self, id: &str) -> Result<Option<Tenant>, StoreError> {
        self.get("read a tenant", key::tenant(id), Read::Now).await
    }

    /// Puts a new tenant.
    pub async fn add_tenant(&self, tenant: &Tenant) -> Result<Written, StoreError> {
        let item = Item::new(key::tenant(&tenant.id), tenant);
        let standing = self.put_absent("add a tenant", &item).await?;
        Ok(standing.map_or(Written::Done, |_| Written::Changed))
    }

    /// Replaces a tenant, if it still has the revision before.
    pub async fn change_tenant(&self, tenant: &Tenant) -> Result<Written, StoreError> {
        let item = Item::new(key::tenant(&tenant.id), tenant);
        self.put_next("change a tenant", &item, tenant.revision).await
    }

    pub async fn tenants(&self, page: Page) -> Result<(Vec<Tenant>, Option<String>), StoreError> {
        self.list("list tenants", key::TENANTS, page).await
    }

    /// An API key as it was at most `cache::AGE_MAX` ago, but for one that was not known then.
    pub async fn api_key(&self, id: &str) -> Result<Option<ApiKey>, StoreError> {
        if let Some(known) = self.api_keys.get(id) {
            return Ok(Some((*known).clone()));
        }
        let found: Option<ApiKey> =
            self.get("read an API key", key::api_key(id), Read::Now).await?;
        if let Some(found) = &found {
            self.api_keys.put(id, found.clone().into());
        }
        Ok(found)
    }

    pub async fn put_api_key(&self, api_key: &ApiKey) -> Result<(), StoreError> {
        self.put("put an API key", &Item::new(key::api_key(&api_key.id), api_key)).await
    }

    pub async fn delete_api_key(&self, id: &str) -> Result<(), StoreError> {
        self.delete("delete an API key", key::api_key(id)).await?;
        self.api_keys.forget(id);
        Ok(())
    }

    pub async fn api_keys(&self, page: Page) -> Result<(Vec<ApiKey>, Option<String>), StoreError> {
        self.list("list API keys", key::KEYS, page).await
    }

    pub async fn upstreams(
        &self,
        page: Page,
    ) -> Result<(Vec<Upstream>, Option<String>), StoreError> {
        let (bodies, next) =
            self.list::<upstream::Body>("list upstreams", key::UPSTREAMS, page).await?;
        Ok((bodies.into_iter().map(Upstream::from).collect(), next))
    }

    /// All upstreams: there are few, each an account at Bandwidth.
    pub(crate) async fn all_upstreams(&self) -> Result<Vec<Upstream>, StoreError> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let (some, next) =
                self.upstreams(Page { limit: 100, after, ..Page::default() }).await?;
            all.extend(some);
            if next.is_none() {
                return Ok(all);
            }
            after = next;
        }
    }

    /// Networks that an operator allowed besides public addresses, and their revision.
    pub async fn networks(&self) -> Result<(Vec<IpNet>, u64), StoreError> {
        let found: Option<Networks> =
            self.get("read the allowed networks", key::networks(), Read::Now).await?;
        Ok(found.map_or((Vec::new(), 0), |found| (found.networks, found.revision)))
    }

    /// The same networks as they were at most `cache::AGE_MAX` ago.
    pub async fn allowed_networks(&self) -> Result<Arc<Vec<IpNet>>, StoreError> {
        if let Some(known) = self.networks.get(THE_NETWORKS) {
            return Ok(known);
        }
        let found: Option<Networks> =
            self.get("read the allowed networks", key::networks(), Read::Soon).await?;
        let networks = Arc::new(found.map(|found| found.networks).unwrap_or_default());
        self.networks.put(THE_NETWORKS, networks.clone());
        Ok(networks)
    }

    /// Puts the allowed networks, if they still have the revision before.
    pub async fn put_networks(
        &self,
        networks: Vec<IpNet>,
        revision: u64,
    ) -> Result<Written, StoreError> {
        let known = Arc::new(networks.clone());
        let item = Item::new(key::networks(), Networks { networks, revision });
        let written = self.put_next("put the allowed networks", &item, revision).await?;
        if written == Written::Done {
            self.networks.put(THE_NETWORKS, known);
        }
        Ok(written)
    }
}
