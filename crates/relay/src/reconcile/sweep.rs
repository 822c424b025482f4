//! Goes through the lists of what changed within a span of time, type by type and page by page.

use domain::order::ORDER_TYPES;
use domain::wire::{self, Kind, Listing};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::ask::{Asker, Trouble};
use super::{GRACE, order};
use crate::store::{Listed, Progress, Sweep};

/// A sweep begins this long after what the last one reached.
const EVERY: SignedDuration = SignedDuration::from_mins(15);

/// A sweep looks back this far beyond where the last one ended: a list may learn of a change late.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);

/// Orders of one page: what is left of it is kept in the table, and 500 ids have 20 KB.
const PAGE: u32 = 500;

/// A question that was in vain so often, with a pause each time, is passed over. Until then a list is
/// begun anew.
const FAILURES_MAX: u32 = 5;

/// Bandwidth's word for the first page.
const FIRST: &str = "1";

/// Goes on with the sweep that was begun, or begins one that is due, until it is done or the budget is
/// spent.
pub(super) async fn go_on(asker: &mut Asker<'_>, progress: &mut Progress) -> Result<(), Trouble> {
    let now = asker.reconcile.clock.now();
    let until = now - GRACE;
    if progress.sweep.is_none() && progress.through + EVERY <= until {
        progress.sweep = Some(Sweep::new(progress.through - OVERLAP, until));
    }
    while progress.sweep.is_some() {
        step(asker, progress).await?;
    }
    Ok(())
}

/// One order, or one page of a list. At the end the sweep is gone, and `through` is where it led.
pub(super) async fn step(asker: &mut Asker<'_>, progress: &mut Progress) -> Result<(), Trouble> {
    let Some(mut sweep) = progress.sweep.clone() else { return Ok(()) };
    match take(asker, progress, &mut sweep).await {
        Ok(()) => sweep.failures = 0,
        Err(Trouble::Question(why)) => {
            sweep.failures += 1;
            if sweep.failures < FAILURES_MAX {
                if sweep.orders.is_empty() {
                    sweep.page = Some(FIRST.into());
                }
                progress.put(sweep);
                return Err(Trouble::Upstream { until: None, why: "a question has no answer" });
            }
            // What cannot be answered is not to hold up the rest.
            let order = sweep.orders.last().map(|order| order.id.clone());
            let (upstream, order_type) = (&asker.upstream.account, &sweep.order_type);
            tracing::error!(%upstream, order_type, order, why, "Bandwidth does not say what changed");
            sweep.pass_over();
        }
        Err(trouble) => return Err(trouble),
    }
    progress.put(sweep);
    Ok(())
}

async fn take(
    asker: &mut Asker<'_>,
    progress: &mut Progress,
    sweep: &mut Sweep,
) -> Result<(), Trouble> {
    let Some(kind) = Kind::of(&sweep.order_type) else {
        sweep.next_type();
        return Ok(());
    };
    if let Some(listed) = sweep.orders.last().cloned() {
        let found = asker.found;
        order::about(asker, progress, kind, &listed, sweep.until).await?;
        sweep.found += asker.found - found;
        sweep.asked_about += 1;
        sweep.orders.pop();
    } else if let Some(page) = sweep.page.clone() {
        let Listing { orders, next, .. } = list(asker, kind, sweep, &page).await?;
        // One that changed after that belongs to the next sweep.
        let within = |at: Timestamp| (sweep.from..sweep.until).contains(&at);
        let mut orders: Vec<_> = orders
            .into_iter()
            .filter(|order| order.last_modified.is_none_or(within))
            .map(|order| Listed { id: order.order_id, changed_at: order.last_modified })
            .collect();
        orders.reverse();
        sweep.listed += orders.len() as u64;
        sweep.orders = orders;
        sweep.page = next.filter(|next| *next != page);
    } else {
        sweep.next_type();
    }
    Ok(())
}

async fn list(
    asker: &mut Asker<'_>,
    kind: Kind,
    sweep: &Sweep,
    page: &str,
) -> Result<Listing, Trouble> {
    // In which time zone Bandwidth's days begin is not documented.
    let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    let (from, until) = (day(sweep.from), day(sweep.until));
    let changed = kind.changed(from.yesterday().unwrap_or(from), until.tomorrow().unwrap_or(until));
    let path = format!("/{}?page={page}&size={PAGE}&{changed}", kind.path());
    match asker.get(&path).await? {
        Some(body) => wire::listing(&body).map_err(|error| Trouble::Question(error.to_string())),
        None if page == FIRST => Ok(Listing::default()),
        // The order with which it began is no longer in the list.
        None => Err(Trouble::Question("the page has gone".into())),
    }
}

impl Sweep {
    pub(super) fn new(from: Timestamp, until: Timestamp) -> Sweep {
        let first = ORDER_TYPES.first().map(|first| first.name).unwrap_or_default();
        Sweep {
            from,
            until,
            order_type: first.into(),
            page: Some(FIRST.into()),
            orders: Vec::new(),
            failures: 0,
            listed: 0,
            asked_about: 0,
            found: 0,
        }
    }

    /// Leaves out the order that is being asked about, or what is left of the list.
    fn pass_over(&mut self) {
        self.failures = 0;
        if self.orders.pop().is_none() {
            self.next_type();
        }
    }

    /// Turns to the next type; after the last there is none.
    fn next_type(&mut self) {
        let types = ORDER_TYPES.iter().map(|one| one.name);
        let next = types.skip_while(|name| *name != self.order_type).nth(1);
        self.order_type = next.unwrap_or_default().into();
        self.page = next.map(|_| FIRST.into());
    }

    fn is_done(&self) -> bool {
        self.order_type.is_empty()
    }
}

impl Progress {
    fn put(&mut self, sweep: Sweep) {
        if sweep.is_done() {
            self.through = sweep.until;
            self.sweep = None;
        } else {
            self.sweep = Some(sweep);
        }
    }
}
