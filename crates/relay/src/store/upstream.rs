//! Upstreams in the table, and whose their orders are.

use domain::upstream::{ApiAccess, IngestCredentials, Rule, Upstream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::item::{Item, read};
use super::table::{Read, Written};
use super::{Store, StoreError, key};

#[derive(Serialize, Deserialize)]
pub(super) struct Body {
    account: String,
    credentials: Vec<CredentialsBody>,
    #[serde(default)]
    rules: Vec<RuleBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api: Option<ApiBody>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gateway_until: Option<Timestamp>,
    #[serde(default)]
    revision: u64,
}

#[derive(Serialize, Deserialize)]
struct ApiBody {
    url: String,
    username: String,
    #[serde(with = "serde_bytes")]
    sealed_password: Vec<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gateway_since: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct CredentialsBody {
    username: String,
    #[serde(with = "serde_bytes")]
    password_sha256: [u8; 32],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct RuleBody {
    prefix: String,
    tenant: String,
}

impl Store {
    pub(super) async fn read_upstream(
        &self,
        account: &str,
    ) -> Result<Option<Upstream>, StoreError> {
        let body: Option<Body> =
            self.get("read an upstream", key::upstream(account), Read::Now).await?;
        Ok(body.map(Upstream::from))
    }

    /// Puts a new upstream, or replaces one that still has the revision before.
    pub async fn put_upstream(&self, upstream: &Upstream) -> Result<Written, StoreError> {
        let item = Item::new(key::upstream(&upstream.account), Body::from(upstream));
        self.put_next("put an upstream", &item, upstream.revision).await
    }
}

/// Who owns an order.
#[derive(Serialize, Deserialize)]
struct Claim {
    tenant: String,
}

impl Store {
    /// Records who owns an order, or answers who was recorded before.
    pub async fn put_claim(
        &self,
        account: &str,
        subject: &str,
        tenant: &str,
    ) -> Result<String, StoreError> {
        let action = "record who owns an order";
        let item = Item::new(key::claim(account, subject), Claim { tenant: tenant.into() });
        match self.put_absent(action, &item).await? {
            None => Ok(tenant.into()),
            Some(standing) => Ok(read::<Claim>(action, standing)?.body.tenant),
        }
    }

    /// Records who owns an order, whoever was recorded before.
    pub async fn set_claim(
        &self,
        account: &str,
        subject: &str,
        tenant: &str,
    ) -> Result<(), StoreError> {
        let item = Item::new(key::claim(account, subject), Claim { tenant: tenant.into() });
        self.put("record who owns an order", &item).await
    }

    /// The tenant for which an order was recorded; `None` when there is no record.
    pub async fn claim(&self, account: &str, subject: &str) -> Result<Option<String>, StoreError> {
        let action = "read who owns an order";
        // Where this is too early for a record, `put_claim` finds it.
        let claim: Option<Claim> =
            self.get(action, key::claim(account, subject), Read::Soon).await?;
        Ok(claim.map(|claim| claim.tenant))
    }

    /// The same, with all that was recorded before.
    pub(crate) async fn claim_now(
        &self,
        account: &str,
        subject: &str,
    ) -> Result<Option<String>, StoreError> {
        let action = "read who owns an order";
        let claim: Option<Claim> =
            self.get(action, key::claim(account, subject), Read::Now).await?;
        Ok(claim.map(|claim| claim.tenant))
    }

    pub async fn delete_claim(&self, account: &str, subject: &str) -> Result<(), StoreError> {
        self.delete("forget who owns an order", key::claim(account, subject)).await
    }
}

impl From<&Upstream> for Body {
    fn from(upstream: &Upstream) -> Body {
        let credentials = upstream.credentials.iter().map(|one| CredentialsBody {
            username: one.username.clone(),
            password_sha256: one.password_sha256,
            until: one.until,
        });
        let rules = upstream
            .rules
            .iter()
            .map(|rule| RuleBody { prefix: rule.prefix.clone(), tenant: rule.tenant.clone() });
        Body {
            account: upstream.account.clone(),
            credentials: credentials.collect(),
            rules: rules.collect(),
            default_tenant: upstream.default_tenant.clone(),
            api: upstream.api.clone().map(ApiBody::from),
            gateway_until: upstream.gateway_until,
            revision: upstream.revision,
        }
    }
}

impl From<Body> for Upstream {
    fn from(body: Body) -> Upstream {
        let credentials = body.credentials.into_iter().map(|one| IngestCredentials {
            username: one.username,
            password_sha256: one.password_sha256,
            until: one.until,
        });
        let rules =
            body.rules.into_iter().map(|rule| Rule { prefix: rule.prefix, tenant: rule.tenant });
        Upstream {
            account: body.account,
            credentials: credentials.collect(),
            rules: rules.collect(),
            default_tenant: body.default_tenant,
            api: body.api.map(ApiAccess::from),
            gateway_until: body.gateway_until,
            revision: body.revision,
        }
    }
}

impl From<ApiAccess> for ApiBody {
    fn from(access: ApiAccess) -> ApiBody {
        let ApiAccess { url, username, sealed_password, gateway_since } = access;
        ApiBody { url, username, sealed_password, gateway_since }
    }
}

impl From<ApiBody> for ApiAccess {
    fn from(body: ApiBody) -> ApiAccess {
        let ApiBody { url, username, sealed_password, gateway_since } = body;
        ApiAccess { url, username, sealed_password, gateway_since }
    }
}
