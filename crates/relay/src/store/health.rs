//! How an endpoint is doing: attributes of its subscription, which a change by the tenant takes away.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, Update};
use domain::health::{AILS_FOR, PROBE_EVERY};
use domain::subscription::{GivenUp, Subscription};
use jiff::{SignedDuration, Timestamp};

use super::item::{Attributes, number, read, text};
use super::key;
use super::table::unless_changed;
use super::{Sealed, Store, StoreError, StoredEvent};

/// What was learnt of an endpoint says nothing of the one that its tenant has since put in its place.
const UNCHANGED: &str = "revision = :revision";

impl Store {
    /// Notes a failed attempt; answers the subscription as it stands then, if it is still the one that
    /// was tried.
    pub(crate) async fn note_failure(
        &self,
        one: &Subscription,
        status: &str,
        at: Timestamp,
    ) -> Result<Option<Sealed>, StoreError> {
        let action = "note a failure of an endpoint";
        let written = self
            .endpoint(&one.tenant, &one.id)
            .update_expression(
                "SET failures = if_not_exists(failures, :none) + :one, ails_until_ms = :until, \
                 failing_since = if_not_exists(failing_since, :at), #status = :status",
            )
            .condition_expression(UNCHANGED)
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":revision", number(one.revision))
            .expression_attribute_values(":none", number(0))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":until", ails_until(at))
            .expression_attribute_values(":at", text(at.to_string()))
            .expression_attribute_values(":status", text(status))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        let written = unless_changed(action, written)?;
        written.and_then(|written| written.attributes).map(|item| sealed(action, item)).transpose()
    }

    /// Notes a success: all that was held against the endpoint is forgotten, but that it ails.
    pub(crate) async fn note_success(
        &self,
        one: &Subscription,
        status: &str,
    ) -> Result<(), StoreError> {
        let written = self
            .endpoint(&one.tenant, &one.id)
            .update_expression(
                "SET #status = :status REMOVE failures, failing_since, open_since, probe_at_ms",
            )
            .condition_expression(UNCHANGED)
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":revision", number(one.revision))
            .expression_attribute_values(":status", text(status))
            .send()
            .await;
        unless_changed("note a success of an endpoint", written).map(drop)
    }

    /// Notes that an endpoint takes long, while it still does.
    pub(crate) async fn note_slowness(
        &self,
        one: &Subscription,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let written = self
            .endpoint(&one.tenant, &one.id)
            .update_expression("SET ails_until_ms = :until")
            .condition_expression(UNCHANGED)
            .expression_attribute_values(":revision", number(one.revision))
            .expression_attribute_values(":until", ails_until(now))
            .send()
            .await;
        unless_changed("note that an endpoint is slow", written).map(drop)
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

    /// Disables a subscription, with `told`; false if it is disabled, changed or gone.
    pub(crate) async fn disable(
        &self,
        one: &Subscription,
        because: GivenUp,
        told: &StoredEvent,
    ) -> Result<bool, StoreError> {
        let action = "disable a subscription";
        let because = serde_dynamo::to_attribute_value(because)
            .map_err(|source| StoreError::Shape { action, source: source.into() })?;
        let disable = Update::builder()
            .set_key(Some(key::subscription(&one.tenant, &one.id).attributes()))
            .update_expression(
                "SET disabled = :true, given_up = :because, revision = revision + :one",
            )
            .condition_expression("revision = :revision AND attribute_not_exists(disabled)")
            .expression_attribute_values(":revision", number(one.revision))
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":because", because)
            .expression_attribute_values(":one", number(1));
        self.together(action, disable, vec![told.put()?]).await
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

fn ails_until(now: Timestamp) -> AttributeValue {
    number((now + AILS_FOR).as_millisecond())
}

pub(super) fn next_probe(now: Timestamp) -> AttributeValue {
    number((now + PROBE_EVERY).as_millisecond())
}

fn sealed(action: &'static str, item: Attributes) -> Result<Sealed, StoreError> {
    Ok(read::<Sealed>(action, item)?.body)
}
