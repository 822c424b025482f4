//! Delivering again what a filter chooses from a tenant's feed.

use std::collections::BTreeSet;

use domain::delivery::{Delivery, State};
use domain::event::EventKey;
use domain::order;
use jiff::Timestamp;

use crate::schedule::Spread;
use crate::store::{
    DeliveryRecord, FeedEntry, Job, Lane, Page, Put, ReplayFilter, Revived, Store, StoreError,
};

/// Feed entries that a dry run reads; beyond that it says how far it came.
const DRY_RUN_ENTRIES_MAX: usize = 5_000;

const DRY_RUN_PAGE: u16 = 500;

/// What a replay would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    /// Deliveries that it would make again.
    pub(crate) deliveries: usize,
    /// False if the feed is longer than was read.
    pub(crate) is_complete: bool,
}

/// Counts what a replay would make again.
pub(crate) async fn count(
    store: &Store,
    tenant: &str,
    filter: &ReplayFilter,
) -> Result<Count, StoreError> {
    let (mut after, mut read, mut deliveries) = (None, 0, 0);
    loop {
        let (entries, next) = store.feed(tenant, feed_page(filter, DRY_RUN_PAGE, after)).await?;
        read += entries.len();
        deliveries += chosen(store, tenant, filter, &entries).await?.len();
        match next {
            None => return Ok(Count { deliveries, is_complete: true }),
            Some(_) if read >= DRY_RUN_ENTRIES_MAX => {
                return Ok(Count { deliveries, is_complete: false });
            }
            next => after = next,
        }
    }
}

/// Makes again what one page of the feed holds; answers where to go on.
pub(crate) async fn page(
    store: &Store,
    job: &Job,
    filter: &ReplayFilter,
    limit: u16,
    spread: &mut Spread,
) -> Result<Option<String>, StoreError> {
    // What came in after the request is live.
    let to = Some(filter.to.map_or(job.asked_at, |to| to.min(job.asked_at)));
    let filter = &ReplayFilter { to, ..filter.clone() };
    let page = feed_page(filter, limit, job.cursor.clone());
    let (entries, next) = store.feed(&job.tenant, page).await?;
    let mut chosen = chosen(store, &job.tenant, filter, &entries).await?;
    // The feed has them as they came in.
    chosen.sort_by(|one, other| one.delivery.key.cmp(&other.delivery.key));
    // What gives no delivery was read too.
    spread.passed(0, u64::try_from(entries.len().saturating_sub(chosen.len())).unwrap_or(u64::MAX));
    for DeliveryRecord { lane, delivery, .. } in chosen {
        // Where it changed meanwhile somebody is at work on it.
        if revive(store, &lane, &delivery, spread.next()).await? {
            spread.made();
        }
    }
    Ok(next)
}

/// Makes one delivery again, behind what is made again before it in its lane, else at `at`. The one
/// ahead is looked up, so that a replay that was interrupted goes on in order.
async fn revive(
    store: &Store,
    lane: &Lane,
    delivery: &Delivery,
    at: Timestamp,
) -> Result<bool, StoreError> {
    if delivery.state != State::Pending
        && let Some(ahead) = store.revived_before(lane, &delivery.key).await?
        && store.revive_behind(lane, delivery, &ahead.key).await? == Put::Done
    {
        return Ok(true);
    }
    Ok(matches!(store.revive(lane, delivery, at).await?, Revived::Done(_)))
}

/// The part of a feed that the times of a filter choose, oldest first.
pub(crate) fn feed_page(filter: &ReplayFilter, limit: u16, after: Option<String>) -> Page {
    let sortable = |at: Timestamp| domain::event::sortable(at);
    Page {
        limit,
        after,
        from: filter.from.map(sortable),
        // Its entries begin with the time.
        to: filter.to.map(|to| format!("{}~", sortable(to))),
        newest_first: false,
    }
}

/// The deliveries of these entries that the filter chooses. What is pending is under way.
async fn chosen(
    store: &Store,
    tenant: &str,
    filter: &ReplayFilter,
    entries: &[FeedEntry],
) -> Result<Vec<DeliveryRecord>, StoreError> {
    let entries = entries.iter().filter(|entry| passes(filter, entry));
    let wanted: Vec<(Lane, EventKey)> = entries
        .flat_map(|entry| entry.lanes().map(|lane| (lane, entry.key.clone())))
        .filter(|(lane, _)| {
            filter.subscription.as_ref().is_none_or(|wanted| *wanted == lane.subscription)
        })
        .collect();
    let mut records = store.delivery_records(&wanted).await?;
    records.retain(|record| match record.delivery.state {
        State::Pending => record.delivery.halted,
        State::Dead => true,
        State::Delivered | State::Superseded => !filter.dead_only,
    });
    let standing = standing(store, tenant, &records).await?;
    records.retain(|record| standing.contains(&record.lane.subscription));
    Ok(records)
}

/// Those subscriptions of these deliveries that are still there. Without one nothing can be
/// delivered again: what has been delivered would turn out dead.
async fn standing(
    store: &Store,
    tenant: &str,
    records: &[DeliveryRecord],
) -> Result<BTreeSet<String>, StoreError> {
    let ids: BTreeSet<_> = records.iter().map(|record| &record.lane.subscription).collect();
    let found = ids.into_iter().map(|id| store.sealed_subscription(tenant, id));
    let found = futures::future::try_join_all(found).await?;
    Ok(found.into_iter().flatten().map(|one| one.id).collect())
}

/// Whether the rest of a filter chooses an entry.
pub(crate) fn passes(filter: &ReplayFilter, entry: &FeedEntry) -> bool {
    let same = |wanted: &Option<String>, is: Option<&str>| {
        wanted.as_ref().is_none_or(|wanted| is.is_some_and(|is| is.eq_ignore_ascii_case(wanted)))
    };
    let of_type = filter.order_type.as_ref().is_none_or(|wanted| {
        let types = [entry.order_type.as_deref(), entry.event_type.as_deref()];
        types.into_iter().flatten().any(|is| order::same_type(is, wanted))
    });
    of_type
        && same(&filter.order_id, Some(&entry.subject))
        && same(&filter.status, entry.status.as_deref())
}
