//! Tells tenants of upstreams that used to send them notifications and send none.

use std::collections::BTreeMap;

use domain::operational::UPSTREAM_SILENT;
use jiff::{SignedDuration, Timestamp};

use super::{Schedule, ScheduleError};
use crate::operational::{self, tell};
use crate::store::{FeedEntry, Page};

/// A weekend passes without a notification, and so may a holiday beside it.
const SILENT_AFTER: SignedDuration = SignedDuration::from_hours(3 * 24);

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Newest entries of a feed that are looked at. An upstream that is not among them is not missed: others
/// are that busy.
const LOOKED_AT: u16 = 100;

/// Tells a tenant of each upstream whose silence has lasted that long by `day`, which comes once a day.
pub(super) async fn look(
    schedule: &Schedule,
    tenant: &str,
    day: Timestamp,
) -> Result<(), ScheduleError> {
    for (upstream, last) in last_heard(schedule, tenant).await? {
        let is_news = (day - SILENT_AFTER - DAY..day - SILENT_AFTER).contains(&last);
        if is_news && !is_heard_since(schedule, &upstream, last).await? {
            let message = format!(
                "Upstream {upstream} has sent nothing since {last}, when it last told of an order of \
                 tenant {tenant}."
            );
            let now = schedule.clock.now();
            tell(&schedule.store, tenant, UPSTREAM_SILENT, message, last, now).await?;
        }
    }
    Ok(())
}

/// When each upstream last told a tenant something.
async fn last_heard(
    schedule: &Schedule,
    tenant: &str,
) -> Result<BTreeMap<String, Timestamp>, ScheduleError> {
    let page = Page { limit: LOOKED_AT, newest_first: true, ..Page::default() };
    let (entries, _) = schedule.store.feed(tenant, page).await?;
    let mut last_heard = BTreeMap::new();
    // What was found by asking was not sent.
    let sent = |entry: &FeedEntry| entry.upstream != operational::RELAY && !entry.reconciled;
    for entry in entries.into_iter().filter(sent) {
        last_heard.entry(entry.upstream).or_insert(entry.received_at);
    }
    Ok(last_heard)
}

/// Whether an upstream has told any tenant something since: then it is not silent, only this tenant's
/// orders rest. Whoever is asked first mostly knows.
async fn is_heard_since(
    schedule: &Schedule,
    upstream: &str,
    last: Timestamp,
) -> Result<bool, ScheduleError> {
    for other in schedule.store.all_tenants().await? {
        let heard = last_heard(schedule, &other.id).await?;
        if heard.get(upstream).is_some_and(|at| *at > last) {
            return Ok(true);
        }
    }
    Ok(false)
}
