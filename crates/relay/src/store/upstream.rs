//! Upstreams in the table, and whose their orders are.

use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use domain::upstream::{IngestCredentials, Rule, Upstream};
use serde::{Deserialize, Serialize};

use super::item::{Item, read, write};
use super::{ABSENT, Store, StoreError, failed, key, standing};

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
            .consistent_read(true)
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

/// Who owns an order.
#[derive(Serialize, Deserialize)]
struct Claim {
    tenant: String,
}

impl Store {
    /// The tenant for which an order was recorded; `None` when there is no record.
    pub async fn claim(&self, account: &str, subject: &str) -> Result<Option<String>, StoreError> {
        let action = "read who owns an order";
        // Late by milliseconds at worst, and then `put_claim` answers what stands.
        let found = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key::claim(account, subject).attributes()))
            .send()
            .await
            .map_err(failed(action))?;
        let claim = found.item.map(|item| read::<Claim>(action, item)).transpose()?;
        Ok(claim.map(|item| item.body.tenant))
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
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(write(action, &item)?))
            .condition_expression(ABSENT)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match put {
            Ok(_) => Ok(tenant.into()),
            Err(error) => match standing(&error) {
                Some(item) => Ok(read::<Claim>(action, item)?.body.tenant),
                None => Err(failed(action)(error)),
            },
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
