//! One Bandwidth account whose notifications arrive here, and who owns its orders.

use jiff::Timestamp;

use crate::notification::Notification;

/// A Bandwidth account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Bandwidth's account id, as in the path of the ingest URL.
    pub account: String,
    /// Accepted at ingest; more than one while they are being rotated.
    pub credentials: Vec<IngestCredentials>,
    /// First match wins.
    pub rules: Vec<Rule>,
    /// Owner of what no rule matches.
    pub default_tenant: Option<String>,
    /// How the relay asks Bandwidth's API for this account; `None`: it does not.
    pub api: Option<ApiAccess>,
    /// When tenants could last place orders through the relay, if that was once possible and is so no
    /// more: orders that were being placed then are yet to be claimed.
    pub gateway_until: Option<Timestamp>,
    /// Counts changes, from 1.
    pub revision: u64,
}

/// Where Bandwidth's API is, and what the relay presents there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiAccess {
    /// What is before `/accounts`, such as `https://dashboard.bandwidth.com/api`, without a slash at
    /// its end.
    pub url: String,
    pub username: String,
    /// As the vault sealed it.
    pub sealed_password: Vec<u8>,
    /// Since when tenants may place orders through the relay; `None`: they may not.
    pub gateway_since: Option<Timestamp>,
}

/// Basic credentials that Bandwidth presents. The password is random (256 bit), so a plain hash of
/// it can be kept and compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestCredentials {
    pub username: String,
    pub password_sha256: [u8; 32],
    /// Not accepted from then on, because others have taken their place.
    pub until: Option<Timestamp>,
}

impl IngestCredentials {
    pub fn is_accepted(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// Orders whose CustomerOrderId starts with `prefix` belong to `tenant`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub prefix: String,
    pub tenant: String,
}

impl Upstream {
    /// The tenant that a notification belongs to; `None` when nobody owns it.
    pub fn owner(&self, notification: &Notification) -> Option<&str> {
        let customer_order_id = notification
            .order
            .as_ref()
            .and_then(|order| order.customer_order_id.as_deref())
            .unwrap_or_default();
        self.rules
            .iter()
            .find(|rule| customer_order_id.starts_with(&rule.prefix))
            .map(|rule| rule.tenant.as_str())
            .or(self.default_tenant.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::{Rule, Upstream};
    use crate::notification::Notification;

    fn upstream(default_tenant: Option<&str>) -> Upstream {
        let rule =
            |prefix: &str, tenant: &str| Rule { prefix: prefix.into(), tenant: tenant.into() };
        Upstream {
            account: "9900012".into(),
            credentials: vec![],
            rules: vec![rule("north-", "1001"), rule("nor", "1002")],
            default_tenant: default_tenant.map(Into::into),
            api: None,
            gateway_until: None,
            revision: 1,
        }
    }

    #[track_caller]
    fn check(customer_order_id: &str, default_tenant: Option<&str>, owner: Option<&str>) {
        let body = format!(
            "<Notification><OrderType>orders</OrderType><OrderId>a</OrderId>\
             <CustomerOrderId>{customer_order_id}</CustomerOrderId></Notification>"
        );
        let notification = Notification::parse(body.as_bytes()).unwrap();
        assert_eq!(upstream(default_tenant).owner(&notification), owner);
    }

    #[test]
    fn the_first_rule_that_matches_decides_and_the_default_takes_the_rest() {
        check("north-7", Some("1000"), Some("1001"));
        check("nor7", Some("1000"), Some("1002"));
        check("south-7", Some("1000"), Some("1000"));
        check("", Some("1000"), Some("1000"));
        check("south-7", None, None);
    }
}
