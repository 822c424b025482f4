//! Makes the sandbox an upstream of the relay: it is asked, and it notifies.

use anyhow::{Context as _, ensure};
use domain::upstream::{ApiAccess, Upstream};
use jiff::SignedDuration;
use relay::bandwidth;
use relay::connect::Connection;
use relay::setup;
use relay::store::{Tenant, Written};
use simulator::sandbox::Settings;

use crate::World;

/// By then every function knows that orders may be placed. Here they all are in one process, in which
/// nothing has been read before.
const OPEN_SINCE: SignedDuration = SignedDuration::from_mins(1);

/// Attaches a sandbox with these settings that answers at `sandbox_url`, for a tenant who may place orders
/// there through the relay, which is reached at `relay_url`. A sandbox forgets everything when it ends,
/// so it is attached anew at each start.
pub async fn attach(
    world: &World,
    settings: &Settings,
    sandbox_url: &str,
    relay_url: &str,
    tenant: &str,
) -> anyhow::Result<()> {
    let (store, account) = (&world.store, settings.account.as_str());
    let now = world.relay_clock().now();
    if store.upstream(account).await?.is_none() {
        setup::upstream(store, account, Some(tenant), Vec::new()).await?;
    }
    let password = settings.password.clone().into();
    let api = ApiAccess {
        url: format!("{sandbox_url}/api"),
        username: settings.username.clone(),
        sealed_password: bandwidth::seal(&world.vault, account, &password).await?,
        gateway_since: Some(now - OPEN_SINCE),
    };
    let old = store.refreshed_upstream(account).await?.context("the upstream has gone")?;
    let new = Upstream { api: Some(api), revision: old.revision + 1, ..Upstream::clone(&old) };
    ensure!(store.put_upstream(&new).await? == Written::Done, "the upstream was changed");
    let customer = store.tenant(tenant).await?.context("the tenant has gone")?;
    if customer.upstream.is_none() {
        let revision = customer.revision + 1;
        let placing = Tenant { upstream: Some(account.into()), revision, ..customer };
        ensure!(store.change_tenant(&placing).await? == Written::Done, "the tenant was changed");
    }
    let bandwidth = world.bandwidth().clone();
    let mut connection = Connection::look(bandwidth, account, relay_url).await?;
    let login = connection.renew(now).await?;
    for change in &connection.plan {
        let made = connection.make(change, &login).await?;
        made.map_err(|why| anyhow::anyhow!("{change:?}: {why}"))?;
    }
    Ok(())
}
