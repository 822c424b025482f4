//! Once a day: audits the feeds of the day before, a bounded number of entries each minute.

use domain::ledger::Ledger;
use jiff::{SignedDuration, Timestamp};

use super::jobs::Spread;
use super::{Schedule, ScheduleError, silence};
use crate::audit::Audit;
use crate::metrics;
use crate::store::{Job, Page, Work};

/// Its time of day, in UTC: by then what came in before midnight has long been fanned out.
const AT: SignedDuration = SignedDuration::from_hours(2);

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Feed entries that are audited in one minute. Each takes half a read unit, and so does each of its lanes.
pub(super) const ENTRIES_A_MINUTE: u64 = 5_000;

/// Feed entries that are read at once.
const PAGE: u16 = 100;

/// A page takes as long as so many entries at least.
const PAGE_SHARE_MIN: u64 = 10;

/// Breaches that are named in the log; beyond that `hookline audit` names them.
const NAMED_MAX: u64 = 100;

/// Asks for the audit of the day before, if this is its minute. Asking twice is asking once.
pub(super) async fn ask_at(schedule: &Schedule, minute: Timestamp) -> Result<(), ScheduleError> {
    if minute.as_second().rem_euclid(DAY.as_secs()) != AT.as_secs() {
        return Ok(());
    }
    let to = minute - AT;
    let work = Work::Audit { from: to - DAY, to, ledger: Ledger::default() };
    Ok(schedule.store.add_job(&Job::new("", "audit", work, minute)).await?)
}

/// Audits one page; answers where to go on. The cursor is a tenant, and a place in its feed.
pub(super) async fn page(
    schedule: &Schedule,
    job: &mut Job,
    spread: &mut Spread,
) -> Result<Option<String>, ScheduleError> {
    let Work::Audit { from, to, ledger } = &mut job.work else { return Ok(None) };
    let store = &schedule.store;
    let (tenant, after) = match job.cursor.as_deref().and_then(|cursor| cursor.split_once('#')) {
        Some((tenant, after)) => (Some(tenant.to_owned()), after.to_owned()),
        None => (tenant_after(schedule, None).await?, String::new()),
    };
    let Some(tenant) = tenant else {
        metrics::audited(*from, ledger);
        return Ok(None);
    };
    let audit = Audit::new(store.clone(), *from, *to, schedule.clock.now());
    let after = Some(after).filter(|after| !after.is_empty());
    let found = audit.feed(&tenant, PAGE, after).await?;
    for breach in found.breaches {
        if ledger.difference() < NAMED_MAX {
            tracing::error!(breach = %breach, "an event breaks the ledger");
        }
    }
    *ledger += found.ledger;
    spread.passed(found.looked_at, found.looked_at.max(PAGE_SHARE_MIN));
    if let Some(after) = found.next {
        return Ok(Some(format!("{tenant}#{after}")));
    }
    silence::look(schedule, &tenant, *to).await?;
    match tenant_after(schedule, Some(tenant)).await? {
        Some(tenant) => Ok(Some(format!("{tenant}#"))),
        None => {
            metrics::audited(*from, ledger);
            Ok(None)
        }
    }
}

async fn tenant_after(
    schedule: &Schedule,
    after: Option<String>,
) -> Result<Option<String>, ScheduleError> {
    let page = Page { limit: 1, after, ..Page::default() };
    let (tenants, _) = schedule.store.tenants(page).await?;
    Ok(tenants.into_iter().next().map(|tenant| tenant.id))
}
