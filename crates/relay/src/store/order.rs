//! Orders as their tenants see them, and tenants' notes on them.

use std::collections::{BTreeMap, HashSet};

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use domain::event::{EventKey, sortable};
use domain::record::{OrderNote, OrderRecord};
use domain::subscription::type_key;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::item::{Attributes, Item, RETENTION, number, text};
use super::table::{Page, Read, unless_changed};
use super::{Entry, FeedEntry, Store, StoreError, StoredEvent, event, failed, key};

/// An order is listed for this long after its last event: as long as Bandwidth lists its own.
const LISTED: SignedDuration = SignedDuration::from_hours(2 * 365 * 24);

#[derive(Serialize, Deserialize)]
struct Body {
    upstream: String,
    order_type: String,
    order_id: String,
    #[serde(default)]
    customer_order_id: Option<String>,
    #[serde(default)]
    status: Option<String>,
    /// The event that told the status.
    #[serde(default)]
    status_key: Option<EventKey>,
    first_at: Timestamp,
    last_at: Timestamp,
    last_key: EventKey,
    #[serde(default)]
    number_count: u32,
    #[serde(default)]
    actual_foc_date: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct NoteBody {
    id: u32,
    tenant: String,
    user: String,
    text: String,
    at: Timestamp,
}

impl Store {
    /// Writes what the newest event says of an order; an older one changes nothing. `record` is as
    /// if this event were the only one. Where it tells a state, `ask_at` is when Bandwidth is to be
    /// asked about the order unless more is heard of it. Answers who asked for this order alone, as of
    /// this write.
    pub(crate) async fn put_order_record(
        &self,
        tenant: &str,
        record: &OrderRecord,
        received_at: Timestamp,
        ask_at: Option<Timestamp>,
    ) -> Result<Vec<Entry>, StoreError> {
        let action = "write what is known of an order";
        let subject = record.order_id.to_ascii_lowercase();
        let key = key::order_record(tenant, &type_key(&record.order_type), &subject);
        let expires = received_at.as_second() + LISTED.as_secs();
        let mut set = "SET v = :v, expires = :expires, #upstream = :upstream, \
                       order_type = :type, order_id = :id, last_at = :at, last_key = :key, \
                       first_at = if_not_exists(first_at, :at), \
                       asked = if_not_exists(asked, :nobody)"
            .to_owned();
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.clone().attributes()))
            .condition_expression("attribute_not_exists(pk) OR last_key < :key")
            .expression_attribute_names("#upstream", "upstream")
            .expression_attribute_values(":v", number(1))
            .expression_attribute_values(":nobody", AttributeValue::M(Attributes::new()))
            .expression_attribute_values(":expires", number(expires))
            .expression_attribute_values(":upstream", text(&record.upstream))
            .expression_attribute_values(":type", text(&record.order_type))
            .expression_attribute_values(":id", text(&record.order_id))
            .expression_attribute_values(":at", text(sortable(record.last_at)))
            .expression_attribute_values(":key", text(record.last_key.to_string()));
        // What this event does not say, an earlier one may have said.
        let said = [
            ("customer_order_id", &record.customer_order_id),
            ("status", &record.status),
            ("actual_foc_date", &record.actual_foc_date),
        ];
        for (name, value) in said {
            if let Some(value) = value {
                set.push_str(&format!(", #{name} = :{name}"));
                update = update
                    .expression_attribute_names(format!("#{name}"), name)
                    .expression_attribute_values(format!(":{name}"), text(value));
            }
        }
        if record.status.is_some() {
            set.push_str(", status_key = :key");
        }
        if record.number_count > 0 {
            set.push_str(", number_count = :count");
            update = update.expression_attribute_values(":count", number(record.number_count));
        }
        if record.status.is_some() {
            update = update
                .expression_attribute_names("#due", key::DUE)
                .expression_attribute_names("#due_at", key::DUE_AT);
            match ask_at {
                Some(at) => {
                    set.push_str(", #due = :watch, #due_at = :ask_at");
                    update = update
                        .expression_attribute_values(":watch", text(key::watch(&record.upstream)))
                        .expression_attribute_values(":ask_at", text(sortable(at)));
                }
                None => set.push_str(" REMOVE #due, #due_at"),
            }
        }
        // What stands after the write, or instead of it, costs no read.
        let written = update
            .update_expression(set)
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let stands = match written {
            Ok(written) => written.attributes,
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failure)) => {
                    failure.item.clone()
                }
                _ => return Err(failed(action)(error)),
            },
        };
        let mut stands = stands.unwrap_or_default();
        if let Some(status) = &record.status {
            self.put_late_state(action, &key, &stands, status, &record.last_key).await?;
        }
        let asked = stands.remove("asked");
        let asked: BTreeMap<String, Entry> = asked
            .map(serde_dynamo::from_attribute_value)
            .transpose()
            .map_err(|source| StoreError::Shape { action, source: source.into() })?
            .unwrap_or_default();
        Ok(asked.into_values().collect())
    }

    /// Writes a state that came after a newer note, but is newer than the state that stands.
    async fn put_late_state(
        &self,
        action: &'static str,
        key: &key::Key,
        stands: &Attributes,
        status: &str,
        event: &EventKey,
    ) -> Result<(), StoreError> {
        let known = match stands.get("status_key") {
            Some(AttributeValue::S(known)) => known.as_str(),
            _ => "",
        };
        if known >= event.as_str() {
            return Ok(());
        }
        let written = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.clone().attributes()))
            .update_expression("SET #status = :status, status_key = :key")
            .condition_expression("attribute_not_exists(status_key) OR status_key < :key")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":status", text(status))
            .expression_attribute_values(":key", text(event.to_string()))
            .send()
            .await;
        unless_changed(action, written).map(drop)
    }

    /// What is known of an order of a tenant's.
    pub async fn order_record(
        &self,
        tenant: &str,
        order_type: &str,
        subject: &str,
    ) -> Result<Option<OrderRecord>, StoreError> {
        let action = "read what is known of an order";
        let key = key::order_record(tenant, &type_key(order_type), subject);
        let body: Option<Body> = self.get(action, key, Read::Now).await?;
        Ok(body.map(OrderRecord::from))
    }

    /// The event that told the last state of an order, among those that were fanned out.
    pub(crate) async fn state_event(
        &self,
        tenant: &str,
        order_type: &str,
        subject: &str,
    ) -> Result<Option<EventKey>, StoreError> {
        let action = "read what is known of an order";
        let key = key::order_record(tenant, &type_key(order_type), subject);
        let body: Option<Body> = self.get(action, key, Read::Now).await?;
        Ok(body.and_then(|body| body.status_key))
    }

    /// One page of a tenant's orders of one type, by order id.
    pub async fn order_records(
        &self,
        tenant: &str,
        order_type: &str,
        page: Page,
    ) -> Result<(Vec<OrderRecord>, Option<String>), StoreError> {
        let pk = key::orders(tenant, &type_key(order_type));
        let (bodies, next) = self.list::<Body>("list orders", &pk, page).await?;
        Ok((bodies.into_iter().map(OrderRecord::from).collect(), next))
    }

    /// Puts a note, in place of an earlier one of that id.
    pub(crate) async fn put_note(
        &self,
        tenant: &str,
        order: &OrderRecord,
        note: &OrderNote,
    ) -> Result<(), StoreError> {
        let subject = order.order_id.to_ascii_lowercase();
        let OrderNote { id, user, text, at } = note.clone();
        let body = NoteBody { id, tenant: tenant.into(), user, text, at };
        let item =
            Item::new(key::note(&order.upstream, &subject, id), body).kept_for(RETENTION, at);
        self.put("put a note", &item).await
    }

    /// One of the tenant's own notes.
    pub(crate) async fn note(
        &self,
        tenant: &str,
        order: &OrderRecord,
        id: u32,
    ) -> Result<Option<OrderNote>, StoreError> {
        let subject = order.order_id.to_ascii_lowercase();
        let key = key::note(&order.upstream, &subject, id);
        let body: Option<NoteBody> = self.get("read a note", key, Read::Now).await?;
        Ok(body.filter(|body| body.tenant == tenant).map(OrderNote::from))
    }

    /// What happened to an order and what its tenant noted: its events, oldest first, then the notes.
    ///
    /// The order may have been another tenant's before, or may be by now: only events of the tenant's
    /// own feed are its own.
    pub(crate) async fn story(
        &self,
        tenant: &str,
        order: &OrderRecord,
        limit: u16,
    ) -> Result<(Vec<StoredEvent>, Vec<OrderNote>), StoreError> {
        /// Their keys are neighbours.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Event(event::Body),
            Note(NoteBody),
        }
        let action = "read what happened to an order";
        let subject = order.order_id.to_ascii_lowercase();
        let page = Page {
            limit,
            from: Some(key::EVENT_PREFIX.into()),
            to: Some(format!("{}~", key::NOTE_PREFIX)),
            ..Page::default()
        };
        let pk = key::order(&order.upstream, &subject);
        let (found, _) = self.list::<Either>(action, &pk, page).await?;
        let (mut events, mut notes) = (Vec::new(), Vec::new());
        for one in found {
            match one {
                Either::Event(body) => events.push(StoredEvent::from_body(action, body)?),
                Either::Note(body) if body.tenant == tenant => notes.push(body.into()),
                Either::Note(_) => {}
            }
        }
        let positions = events.iter().map(FeedEntry::position_of).collect();
        let own = self.feed_entries(tenant, positions).await?;
        let own: HashSet<EventKey> = own.into_iter().map(|entry| entry.key).collect();
        events.retain(|event| own.contains(&event.key));
        Ok((events, notes))
    }
}

impl From<NoteBody> for OrderNote {
    fn from(NoteBody { id, user, text, at, .. }: NoteBody) -> OrderNote {
        OrderNote { id, user, text, at }
    }
}

impl From<Body> for OrderRecord {
    fn from(body: Body) -> OrderRecord {
        OrderRecord {
            upstream: body.upstream,
            order_type: body.order_type,
            order_id: body.order_id,
            customer_order_id: body.customer_order_id,
            status: body.status,
            first_at: body.first_at,
            last_at: body.last_at,
            last_key: body.last_key,
            number_count: body.number_count,
            actual_foc_date: body.actual_foc_date,
        }
    }
}
