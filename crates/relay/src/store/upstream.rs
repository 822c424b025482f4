//! Upstreams in the table.

use domain::upstream::{IngestCredentials, Rule, Upstream};
use serde::{Deserialize, Serialize};

use super::item::{Item, read, write};
use super::{Store, StoreError, failed, key};

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
        let action = "read an upstream";
        let found = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key::upstream(account).attributes()))
            .send()
            .await
            .map_err(failed(action))?;
        found
            .item
            .map(|item| read(action, item).map(|item: Item<Body>| item.body.into()))
            .transpose()
    }

    /// Puts an upstream, or replaces it.
    pub async fn put_upstream(&self, upstream: &Upstream) -> Result<(), StoreError> {
        let action = "put an upstream";
        let item = Item::new(key::upstream(&upstream.account), Body::from(upstream));
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(write(action, &item)?))
            .send()
            .await
            .map(drop)
            .map_err(failed(action))
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
