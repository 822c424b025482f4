//! What only the ledger asks for.

use aws_sdk_dynamodb::operation::scan::ScanOutput;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use domain::event::sortable;
use jiff::Timestamp;

use super::feed::FeedEntry;
use super::item::{Attributes, text};
use super::table::Page;
use super::{Store, StoreError, StoredEvent, Tenant, failed, key};

const PAGE: u16 = 200;

/// What fan-out decided for an event, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    /// `None`: nobody owned it.
    pub(crate) tenant: Option<String>,
    pub(crate) entry: FeedEntry,
}

/// A page of a scan: new images as the stream would give them, each order's one after the other.
pub(crate) struct Scanned {
    pub(crate) images: Vec<serde_dynamo::Item>,
    /// Where the next page begins.
    pub(crate) next: Option<ScanCursor>,
    /// What it is billed by.
    pub(crate) read_units: f64,
}

pub(crate) struct ScanCursor(pub(super) Attributes);

/// Where the page after this one begins, and what this one is billed by.
pub(super) fn end_of(page: &ScanOutput) -> (Option<ScanCursor>, f64) {
    let next = page.last_evaluated_key.clone().filter(|key| !key.is_empty());
    let units = page.consumed_capacity.as_ref().and_then(|consumed| consumed.capacity_units);
    (next.map(ScanCursor), units.unwrap_or_default())
}

impl Store {
    pub(crate) async fn all_tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = Page { limit: PAGE, after, ..Page::default() };
            let (tenants, next) = self.tenants(page).await?;
            all.extend(tenants);
            match next {
                None => return Ok(all),
                next => after = next,
            }
        }
    }

    /// The events of an order whose place in a feed is at or after `from` and before `to`.
    pub(crate) async fn events_within(
        &self,
        upstream: &str,
        subject: &str,
        from: &str,
        to: &str,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = Page { limit: PAGE, after, ..Page::default() };
            let (events, next) = self.events(upstream, subject, page).await?;
            let within = |event: &StoredEvent| {
                let position = FeedEntry::position_of(event);
                position.as_str() >= from && position.as_str() < to
            };
            all.extend(events.into_iter().filter(within));
            match next {
                None => return Ok(all),
                next => after = next,
            }
        }
    }

    /// What was decided for an event, if it was for one of these owners.
    pub(crate) async fn decision(
        &self,
        event: &StoredEvent,
        owners: &[Option<String>],
    ) -> Result<Option<Decision>, StoreError> {
        let at = |owner: &Option<String>| {
            key::feed(owner.as_deref(), &event.upstream, event.received_at, event.key.digest())
        };
        let keys = owners.iter().map(at).collect();
        let found = self.get_all::<FeedEntry>("look for a feed entry", keys).await?;
        Ok(found.into_iter().next().and_then(|item| {
            let owner = owners.iter().find(|owner| at(owner).pk == item.key.pk)?;
            Some(Decision { tenant: owner.clone(), entry: item.body })
        }))
    }

    /// Reads on in one part of the whole table for events that came in, and wishes that were made,
    /// since `since`. It is billed by all that it passes, not by what it finds.
    pub(crate) async fn scan_stored(
        &self,
        (part, parts): (i32, i32),
        since: Timestamp,
        upstream: Option<&str>,
        after: Option<ScanCursor>,
    ) -> Result<Scanned, StoreError> {
        let action = "scan the table";
        let mut filter = "(begins_with(sk, :event) AND #received_at >= :since \
                          OR begins_with(sk, :wish) AND #asked_at >= :since)"
            .to_owned();
        let mut scan = self
            .client
            .scan()
            .table_name(&self.table)
            .segment(part)
            .total_segments(parts)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .expression_attribute_names("#received_at", "received_at")
            .expression_attribute_names("#asked_at", "asked_at")
            .expression_attribute_values(":event", text(key::EVENT_PREFIX))
            .expression_attribute_values(":wish", text(key::SNAPSHOT_PREFIX))
            .expression_attribute_values(":since", text(whole_second(since)))
            .set_exclusive_start_key(after.map(|after| after.0));
        if let Some(upstream) = upstream {
            filter.push_str(" AND #upstream = :upstream");
            scan = scan
                .expression_attribute_names("#upstream", "upstream")
                .expression_attribute_values(":upstream", text(upstream));
        }
        let page = scan.filter_expression(filter).send().await.map_err(failed(action))?;
        let (next, read_units) = end_of(&page);
        let images = page.items.unwrap_or_default().into_iter().map(serde_dynamo::Item::from);
        Ok(Scanned { images: images.collect(), next, read_units })
    }
}

/// What stands before every time from this second on. Times in these items have no fixed width.
fn whole_second(at: Timestamp) -> String {
    let mut text = sortable(at);
    text.truncate("2026-02-03T10:11:12".len());
    text
}

#[cfg(test)]
mod tests {
    use super::whole_second;
    use jiff::Timestamp;

    #[test]
    fn every_form_of_a_time_sorts_after_its_second() {
        let at: Timestamp = "2026-02-03T10:11:12.345Z".parse().unwrap();
        for text in ["2026-02-03T10:11:12Z", "2026-02-03T10:11:12.000001Z"] {
            assert!(whole_second(at).as_str() <= text);
        }
        assert!(whole_second(at).as_str() > "2026-02-03T10:11:11.999999999Z");
    }
}
