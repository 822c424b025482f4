//! Notices that an upstream's notifications have stopped: its orders change, and none is heard.

use domain::operational::UPSTREAM_SILENT;

use super::ask::{Asker, Trouble};
use crate::operational::tell;
use crate::store::{Progress, StoredEvent, Unheard};

/// Changes one after the other of which none was told. Where one in twenty gets lost on its way, five
/// in a row do so once in three million.
const SILENT_AFTER: u32 = 5;

/// Takes note that an order's notifications came, if they came after what was missed.
pub(super) fn heard(progress: &mut Progress, events: &[StoredEvent]) {
    let is_after = |unheard: &Unheard| {
        events.iter().any(|event| !event.reconciled && event.received_at > unheard.since)
    };
    if progress.unheard.as_ref().is_some_and(is_after) {
        progress.unheard = None;
    }
}

/// Takes note of a change that no notification told, and tells its owner once there were so many of
/// them. Of one silence each tenant is told once: what says the same is the same event.
pub(super) async fn unheard(
    asker: &Asker<'_>,
    progress: &mut Progress,
    event: &StoredEvent,
    owner: Option<&str>,
) -> Result<(), Trouble> {
    if !asker.listens {
        return Ok(());
    }
    // It stays, whatever older is found: by it the tenants are told once.
    let unheard = progress.unheard.get_or_insert(Unheard { since: event.key.at(), states: 0 });
    unheard.states += 1;
    if unheard.states < SILENT_AFTER {
        return Ok(());
    }
    if unheard.states == SILENT_AFTER {
        let (upstream, since) = (&event.upstream, unheard.since);
        tracing::error!(%upstream, %since, "an upstream's notifications have stopped");
    }
    let Some(tenant) = owner else { return Ok(()) };
    let message = format!(
        "Orders of upstream {} change, and no notification has come of it since {}. The states were \
         found by asking Bandwidth.",
        event.upstream, unheard.since
    );
    let (store, now) = (asker.reconcile.store(), asker.reconcile.clock.now());
    tell(store, tenant, UPSTREAM_SILENT, message, unheard.since, now).await?;
    Ok(())
}
