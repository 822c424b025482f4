//! Upstreams in the table, and whose their orders are.

use domain::upstream::{IngestCredentials, Rule, Upstream};
use serde::{Deserialize, Serialize};

use super::item::{Item, read};
use super::table::Read;
use super::{Store, StoreError, key};

#[derive(Serialize, Deserialize)]
struct Body {
    account: String,
    credentials: Vec<CredentialsBody>,
    #[serde(default)]
    rules: Vec<RuleBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_tenant: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct CredentialsBody {
    username: String,
    #[serde(with = "serde_bytes")]
    password_sha256: [u8; 32],
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

    /// Puts an upstream, or replaces it.
    pub async fn put_upstream(&self, upstream: &Upstream) -> Result<(), StoreError> {
        let item = Item::new(key::upstream(&upstream.account), Body::from(upstream));
        self.put("put an upstream", &item).await
    }
}

/// Who owns an order.
#[derive(Serialize, Deserialize)]
struct Claim {
    tenant: String,
}

impl Store {
    /// The tenant for which an order was recorded; `None` when there is no record.
    pub async fn claim(&self, account: &str, subject: &str) -> Result<Option<String>, StoreError> {
        let action = "read who owns an order";
        // Where this is too early for a record, `put_claim` finds it.
        let claim: Option<Claim> =
            self.get(action, key::claim(account, subject), Read::Soon).await?;
        Ok(claim.map(|claim| claim.tenant))
    }

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
}

impl From<&Upstream> for Body {
    fn from(upstream: &Upstream) -> Body {
        let credentials = upstream.credentials.iter().map(|one| CredentialsBody {
            username: one.username.clone(),
            password_sha256: one.password_sha256,
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
        }
    }
}

impl From<Body> for Upstream {
    fn from(body: Body) -> Upstream {
        let credentials = body.credentials.into_iter().map(|one| IngestCredentials {
            username: one.username,
            password_sha256: one.password_sha256,
        });
        let rules =
            body.rules.into_iter().map(|rule| Rule { prefix: rule.prefix, tenant: rule.tenant });
        Upstream {
            account: body.account,
            credentials: credentials.collect(),
            rules: rules.collect(),
            default_tenant: body.default_tenant,
        }
    }
}
