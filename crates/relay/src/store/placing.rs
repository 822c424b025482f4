//! Orders that are being placed through the relay. Bandwidth may tell of one before it has answered with
//! its id; what it tells then waits for the claim.

use aws_sdk_dynamodb::types::Select;
use domain::event::sortable;
use domain::upstream::Upstream;
use jiff::{SignedDuration, Timestamp};

use super::cache::AGE_MAX;
use super::item::{Item, text};
use super::key::Key;
use super::{Store, StoreError, failed, key};

/// After this long a placing is over, whether its function has said so or died: longer than the function
/// may run (29 s).
pub const PLACING_MAX: SignedDuration = SignedDuration::from_secs(35);

/// By how much the clocks of two functions may differ.
const CLOCKS_APART_MAX: SignedDuration = SignedDuration::from_secs(2);

/// Whether orders may be being placed at an upstream. After its gateway was closed they may be for as
/// long as some function has not noticed, and then for as long as a placing lasts.
pub(crate) fn takes_orders(upstream: &Upstream, now: Timestamp) -> bool {
    let is_open = upstream.api.as_ref().is_some_and(|access| access.gateway_since.is_some());
    is_open || upstream.gateway_until.is_some_and(|until| now <= until + AGE_MAX + PLACING_MAX)
}

/// An order that is being placed.
pub(crate) struct Placing(Key);

impl Store {
    /// Notes that an order is about to be placed.
    pub(crate) async fn begin_placing(
        &self,
        account: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<Placing, StoreError> {
        let key = key::placing(account, now + PLACING_MAX, id);
        let item = Item::new(key.clone(), ()).kept_for(PLACING_MAX, now);
        self.put("note that an order is being placed", &item).await?;
        Ok(Placing(key))
    }

    /// Whoever looks from here on finds the claim, or there will be none.
    pub(crate) async fn end_placing(&self, placing: Placing) -> Result<(), StoreError> {
        self.delete("note that an order has been placed", placing.0).await
    }

    /// Whether an order is being placed that an event which was received then may tell of. Later ones
    /// do not count, so that an event waits for [`PLACING_MAX`] at most.
    pub(crate) async fn is_placing(
        &self,
        account: &str,
        received_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let began_by = received_at + CLOCKS_APART_MAX;
        let found = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :now AND :last")
            .expression_attribute_values(":pk", text(key::placings(account)))
            .expression_attribute_values(":now", text(sortable(now)))
            .expression_attribute_values(":last", text(sortable(began_by + PLACING_MAX) + "~"))
            .consistent_read(true)
            .select(Select::Count)
            .limit(1)
            .send()
            .await
            .map_err(failed("look for orders that are being placed"))?;
        Ok(found.count > 0)
    }
}

#[cfg(test)]
mod tests {
    use domain::upstream::Upstream;
    use jiff::{SignedDuration, Timestamp};

    use super::takes_orders;

    #[test]
    fn a_closed_gateway_takes_no_orders_once_all_have_noticed_and_all_are_placed() {
        let check = |gateway_until: Option<Timestamp>, seconds: i64, takes: bool| {
            let upstream = Upstream {
                account: "9900012".into(),
                credentials: vec![],
                rules: vec![],
                default_tenant: None,
                api: None,
                gateway_until,
                revision: 1,
            };
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
            assert_eq!(takes_orders(&upstream, now), takes, "{gateway_until:?} {seconds}");
        };
        check(None, 0, false);
        check(Some(Timestamp::UNIX_EPOCH), 0, true);
        check(Some(Timestamp::UNIX_EPOCH), 5 + 35, true);
        check(Some(Timestamp::UNIX_EPOCH), 5 + 35 + 1, false);
    }
}
