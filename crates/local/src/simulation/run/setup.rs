//! What a run starts with.

use aws_config::SdkConfig;
use domain::upstream::{IngestCredentials, Rule, Upstream};
use relay::egress::Egress;
use relay::{Dice, setup};
use sha2::{Digest as _, Sha256};

use crate::World;
use crate::simulation::bandwidth::{ACCOUNTS, PASSWORD, PREFIXES, TENANTS, USER};
use crate::simulation::scene::Scene;

/// What a deployment makes.
pub(super) async fn world(
    scene: &Scene,
    egress: &Egress,
    sdk: &SdkConfig,
) -> anyhow::Result<World> {
    let draw = scene.draw.clone();
    let dice = Dice::new(move || draw.unit());
    World::with(scene.aws.clone(), scene.clock.clone(), dice, egress.clone(), sdk).await
}

/// Makes upstreams and tenants; answers the tenants' tokens.
pub(super) async fn set_up(world: &World) -> anyhow::Result<Vec<String>> {
    let rules = TENANTS
        .iter()
        .zip(PREFIXES)
        .map(|(tenant, prefix)| Rule { prefix: prefix.into(), tenant: (*tenant).into() });
    for (account, default) in ACCOUNTS {
        let upstream = Upstream {
            account: account.into(),
            credentials: vec![IngestCredentials {
                username: USER.into(),
                password_sha256: Sha256::digest(PASSWORD).into(),
                until: None,
            }],
            rules: rules.clone().collect(),
            default_tenant: default.map(|tenant| TENANTS[tenant].into()),
            api: None,
            gateway_until: None,
            revision: 1,
        };
        world.store.put_upstream(&upstream).await?;
    }
    let mut tokens = Vec::new();
    for tenant in TENANTS {
        tokens.push(setup::tenant(&world.store, tenant, world.relay_clock().now()).await?.token());
    }
    Ok(tokens)
}
