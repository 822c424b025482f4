//! One order: its history at Bandwidth beside its record here.

use domain::event::EventKey;
use domain::notification::{Notification, NumberFormat};
use domain::order::{is_terminal, usual_stay};
use domain::reconcile::{Told, missing, notification};
use domain::wire::{self, Described, Kind, Stated};
use jiff::{SignedDuration, Timestamp};

use super::ask::{Asker, Trouble};
use super::{GRACE, silence};
use crate::fanout::owner_now;
use crate::store::{Listed, Page, Progress, RETENTION, StoreError, StoredEvent, Watched};

/// Questions about one order: its history, and the order itself.
const ASKS: u32 = 2;

/// Bandwidth dates an order's last change, and the line in its history, within this of each other.
const SAME_CHANGE: SignedDuration = SignedDuration::from_secs(5);

/// Events of an order that are read at once.
const EVENTS: u16 = 200;

/// An order about which Bandwidth has no answer is asked about again after this.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// Asks about the open orders that are overdue.
pub(super) async fn overdue(
    asker: &mut Asker<'_>,
    progress: &mut Progress,
    limit: u16,
) -> Result<(), Trouble> {
    let (store, account) = (asker.reconcile.store().clone(), asker.upstream.account.clone());
    let now = asker.reconcile.clock.now();
    for order in store.watched(&account, now, limit).await? {
        let Watched { tenant, order_type, subject } = &order;
        let record = store.order_record(tenant, order_type, subject).await?;
        let kind = Kind::of(order_type);
        let Some((record, kind)) = record.zip(kind) else {
            store.watch(&account, &order, None).await?;
            continue;
        };
        let listed = Listed { id: record.order_id, changed_at: None };
        let again = match about(asker, progress, kind, &listed, now - GRACE).await {
            Ok(None) => None,
            Ok(Some(About { is_new: true, .. })) => Some(now + GRACE),
            Ok(Some(About { status, .. })) if is_terminal(order_type, &status) => None,
            Ok(Some(About { status, .. })) => Some(now + usual_stay(order_type, &status)),
            Err(Trouble::Question(why)) => {
                tracing::error!(upstream = %account, order = %subject, why, "Bandwidth does not say how an order is");
                Some(now + AGAIN)
            }
            Err(trouble) => return Err(trouble),
        };
        store.watch(&account, &order, again).await?;
    }
    Ok(())
}

/// How an order is.
pub(super) struct About {
    status: String,
    /// A change is so new that its notification may be on its way.
    is_new: bool,
}

/// Asks about one order, and puts an event for each state before `until` that the record lacks; `None`
/// where Bandwidth does not know the order.
pub(super) async fn about(
    asker: &mut Asker<'_>,
    progress: &mut Progress,
    kind: Kind,
    listed: &Listed,
    until: Timestamp,
) -> Result<Option<About>, Trouble> {
    asker.can_ask(ASKS)?;
    let order_id = &listed.id;
    let path = format!("/{}/{order_id}", kind.path());
    let mut history = match kind.has_history() {
        true => history(asker, &path).await?,
        false => Vec::new(),
    };
    let mut described = None;
    let is_history = !history.is_empty();
    if !is_history {
        // Then its state of now is all that can be known.
        described = describe(asker, kind, &path).await?;
        history.extend(described.as_ref().and_then(|order| now_of(order, listed)));
    }
    let Some(last) = history.last().cloned() else { return Ok(None) };
    let order_type = kind.order_type().name;
    let events = events(asker, order_id).await?;
    silence::heard(progress, &events);
    let told: Vec<_> = events.iter().filter_map(told).collect();
    // Its date is that of the last change, whatever changed.
    let is_known = |one: &Told| one.status.eq_ignore_ascii_case(&last.status);
    if !is_history && told.last().is_some_and(is_known) {
        return Ok(Some(About { status: last.status, is_new: false }));
    }
    let missing = missing(order_type, &history, &told);
    let is_new = missing.iter().any(|line| line.at >= until);
    // What is older may have been told, and no longer be on record.
    let from = asker.reconcile.clock.now() - RETENTION;
    let missing = missing.into_iter().filter(|line| (from..until).contains(&line.at));
    let missing: Vec<_> = missing.cloned().collect();
    let about = About { status: last.status.clone(), is_new };
    if missing.is_empty() {
        return Ok(Some(about));
    }
    if described.is_none() {
        described = describe(asker, kind, &path).await?;
    }
    // Without it nobody could say whose the order is.
    let described = described.ok_or_else(|| Trouble::Question("it has only a history".into()))?;
    for mut line in missing {
        // The date that a notification of it would bear.
        if line == last
            && let Some(at) = described.last_modified
            && (line.at..line.at + SAME_CHANGE).contains(&at)
        {
            line.at = at;
        }
        let told = notification(order_type, order_id, &line, &described);
        put(asker, progress, &told).await?;
    }
    Ok(Some(about))
}

async fn history(asker: &mut Asker<'_>, path: &str) -> Result<Vec<Stated>, Trouble> {
    let Some(body) = asker.get(&format!("{path}/history")).await? else { return Ok(Vec::new()) };
    wire::stated(&body).map_err(|error| Trouble::Question(error.to_string()))
}

async fn describe(
    asker: &mut Asker<'_>,
    kind: Kind,
    path: &str,
) -> Result<Option<Described>, Trouble> {
    let Some(body) = asker.get(path).await? else { return Ok(None) };
    let described = wire::described(kind, &body);
    described.map(Some).map_err(|error| Trouble::Question(error.to_string()))
}

/// The one line that is known of an order without a history. Of some types only lists tell the date.
fn now_of(described: &Described, listed: &Listed) -> Option<Stated> {
    let at = described.last_modified.or(listed.changed_at)?;
    Some(Stated { status: described.status.clone()?, at, note: None })
}

async fn events(asker: &Asker<'_>, order_id: &str) -> Result<Vec<StoredEvent>, StoreError> {
    let (store, account) = (asker.reconcile.store(), &asker.upstream.account);
    let (mut events, mut after) = (Vec::new(), None);
    loop {
        let page = Page { limit: EVENTS, after, ..Page::default() };
        let (some, next) = store.events(account, &order_id.to_ascii_lowercase(), page).await?;
        events.extend(some);
        if next.is_none() {
            return Ok(events);
        }
        after = next;
    }
}

fn told(event: &StoredEvent) -> Option<Told> {
    let notification = Notification::parse(&event.raw).ok()?;
    Some(Told { status: notification.status?, at: event.key.at() })
}

/// Puts what was found as an event, which goes the way of all events.
async fn put(
    asker: &mut Asker<'_>,
    progress: &mut Progress,
    found: &Notification,
) -> Result<(), Trouble> {
    let raw = found.to_xml("", NumberFormat::E164).into_bytes();
    // As it will be read back: what Bandwidth said is not bounded as a notification is.
    let (notification, key) = match Notification::parse(&raw) {
        Ok(read) => (read, EventKey::stated(found)),
        Err(error) => {
            tracing::error!(%error, "what Bandwidth knows of an order is no notification");
            return Ok(());
        }
    };
    let Some(key) = key else { return Ok(()) };
    let event = StoredEvent {
        upstream: asker.upstream.account.clone(),
        subject: notification.subject(),
        key,
        received_at: asker.reconcile.clock.now(),
        raw,
        tenant: None,
        reconciled: true,
    };
    let store = asker.reconcile.store();
    if store.put_event(&event).await?.is_some() {
        // It came at this very moment.
        return Ok(());
    }
    tracing::info!(
        upstream = %event.upstream,
        order = %event.subject,
        event = %event.key,
        change = notification.change(),
        "found a state that no notification told"
    );
    asker.found += 1;
    let owner = owner_now(store, &event, &notification).await?.tenant();
    silence::unheard(asker, progress, &event, owner.as_deref()).await
}
