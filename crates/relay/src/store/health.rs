//! How an endpoint is doing: attributes of its subscription, which a change by the tenant takes away.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use domain::health::PROBE_EVERY;
use domain::subscription::GivenUp;
use jiff::{SignedDuration, Timestamp};

use super::item::{Attributes, number, read, text};
use super::key;
use super::table::unless_changed;
use super::{Sealed, Store, StoreError};

impl Store {
    /// Notes a failed attempt; answers the subscription as it stands then, if it is there.
    pub(crate) async fn note_failure(
        &self,
        tenant: &str,
        id: &str,
        status: &str,
        at: Timestamp,
    ) -> Result<Option<Sealed>, StoreError> {
        let action = "note a failure of an endpoint";
        let written = self
            .endpoint(tenant, id)
            .update_expression(
                "SET failures = if_not_exists(failures, :none) + :one, ailing = :true, \
                 failing_since = if_not_exists(failing_since, :at), #status = :status",
            )
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":none", number(0))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":at", text(at.to_string()))
            .expression_attribute_values(":status", text(status))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        let written = unless_changed(action, written)?;
        written.and_then(|written| written.attributes).map(|item| sealed(action, item)).transpose()
    }

    /// Notes a success: all that was held against the endpoint is forgotten, but that it is slow.
    pub(crate) async fn note_success(
        &self,
        tenant: &str,
        id: &str,
        status: &str,
        is_slow: bool,
    ) -> Result<(), StoreError> {
        let expression = match is_slow {
            true => {
                "SET #status = :status, ailing = :true \
                 REMOVE failures, failing_since, open_since, probe_at_ms"
            }
            false => {
                "SET #status = :status \
                 REMOVE failures, failing_since, open_since, probe_at_ms, ailing"
            }
        };
        let update = self
            .endpoint(tenant, id)
            .update_expression(expression)
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":status", text(status));
        let update = match is_slow {
            true => update.expression_attribute_values(":true", AttributeValue::Bool(true)),
            false => update,
        };
        unless_changed("note a success of an endpoint", update.send().await).map(drop)
    }

    /// Notes that an endpoint takes long, while it still does.
    pub(crate) async fn note_slowness(&self, tenant: &str, id: &str) -> Result<(), StoreError> {
        let written = self
            .endpoint(tenant, id)
            .update_expression("SET ailing = :true")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .send()
            .await;
        unless_changed("note that an endpoint is slow", written).map(drop)
    }

    /// Opens an endpoint's breaker, if it still fails.
    pub(crate) async fn open_breaker(
        &self,
        tenant: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let written = self
            .endpoint(tenant, id)
            .update_expression("SET open_since = :now, probe_at_ms = :next")
            .condition_expression("attribute_exists(failures) AND attribute_not_exists(open_since)")
            .expression_attribute_values(":now", text(now.to_string()))
            .expression_attribute_values(":next", next_probe(now))
            .send()
            .await;
        unless_changed("open a breaker", written).map(drop)
    }

    /// Claims the next probe of an endpoint whose breaker is open; false if it is not due any more.
    pub(crate) async fn claim_probe(
        &self,
        tenant: &str,
        id: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let written = self
            .endpoint(tenant, id)
            .update_expression("SET probe_at_ms = :next")
            .condition_expression("attribute_exists(open_since) AND probe_at_ms <= :now")
            .expression_attribute_values(":next", next_probe(now))
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .send()
            .await;
        Ok(unless_changed("claim a probe", written)?.is_some())
    }

    /// Disables a subscription that is enabled; false if it is not, or is gone.
    pub(crate) async fn disable(
        &self,
        tenant: &str,
        id: &str,
        because: GivenUp,
    ) -> Result<bool, StoreError> {
        let action = "disable a subscription";
        let because = serde_dynamo::to_attribute_value(because)
            .map_err(|source| StoreError::Shape { action, source: source.into() })?;
        let written = self
            .endpoint(tenant, id)
            .update_expression(
                "SET disabled = :true, given_up = :because, revision = revision + :one",
            )
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(disabled)")
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":because", because)
            .expression_attribute_values(":one", number(1))
            .send()
            .await;
        Ok(unless_changed(action, written)?.is_some())
    }

    /// Takes the next time at which an attempt may be made, one for each `interval`.
    pub(crate) async fn take_slot(
        &self,
        tenant: &str,
        id: &str,
        interval: SignedDuration,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        let action = "take a slot";
        let free = self
            .endpoint(tenant, id)
            .update_expression("SET slot_ms = :next")
            .condition_expression(
                "attribute_exists(pk) AND (attribute_not_exists(slot_ms) OR slot_ms <= :now)",
            )
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .expression_attribute_values(":next", number((now + interval).as_millisecond()))
            .send()
            .await;
        if unless_changed(action, free)?.is_some() {
            return Ok(now);
        }
        let queued = self
            .endpoint(tenant, id)
            .update_expression("SET slot_ms = slot_ms + :interval")
            .condition_expression("attribute_exists(slot_ms)")
            .expression_attribute_values(":interval", number(interval.as_millis()))
            .return_values(ReturnValue::UpdatedOld)
            .send()
            .await;
        let queued = unless_changed(action, queued)?.and_then(|written| written.attributes);
        let slot = queued.and_then(|mut old| old.remove("slot_ms"));
        let slot = slot.and_then(|slot| slot.as_n().ok()?.parse().ok());
        Ok(slot.and_then(|slot| Timestamp::from_millisecond(slot).ok()).unwrap_or(now))
    }

    fn endpoint(&self, tenant: &str, id: &str) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key::subscription(tenant, id).attributes()))
    }
}

fn next_probe(now: Timestamp) -> AttributeValue {
    number((now + PROBE_EVERY).as_millisecond())
}

fn sealed(action: &'static str, item: Attributes) -> Result<Sealed, StoreError> {
    Ok(read::<Sealed>(action, item)?.body)
}
