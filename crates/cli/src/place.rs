//! Where a relay keeps what it knows: a deployed table, or a folder of `hookline dev`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use domain::address::Policy;
use local::World;
use relay::bandwidth::Bandwidth;
use relay::egress::Egress;
use relay::store::Store;
use relay::vault::Vault;
use relay::{Clock, Dice};
use simulator::aws::Aws;

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Place {
    /// Name of the deployed table: the stack's output TableName
    #[arg(long)]
    pub(crate) table: Option<String>,
    /// Folder in which `hookline dev` keeps its data, while it does not run
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
}

impl Place {
    pub(crate) async fn store(&self, clock: &Clock) -> anyhow::Result<Store> {
        if let Some(folder) = &self.data {
            return Ok(world(folder).await?.store);
        }
        let table = self.table.as_deref().unwrap_or_default();
        let client = aws_sdk_dynamodb::Client::new(&sdk().await);
        Ok(Store::new(client, table, clock.clone()))
    }
}

/// A place from which Bandwidth's API is asked.
#[derive(clap::Args)]
pub(crate) struct Asking {
    #[command(flatten)]
    place: Place,
    /// With --table: the key of KMS that seals secrets, the stack's output KeyId
    #[arg(long, default_value = "alias/hookline")]
    key: String,
}

impl Asking {
    pub(crate) async fn bandwidth(&self) -> anyhow::Result<(Bandwidth, Clock)> {
        let clock = Clock::system();
        if let Some(folder) = &self.place.data {
            return Ok((world(folder).await?.bandwidth().clone(), clock));
        }
        let store = self.place.store(&clock).await?;
        let kms = aws_sdk_kms::Client::new(&sdk().await);
        let vault = Vault::new(kms, self.key.clone(), store.clone());
        // Networks that operators allowed stand in the table.
        let egress = Egress::new(Policy { networks: Vec::new(), http: false })?;
        Ok((Bandwidth { store, vault, egress }, clock))
    }
}

/// The relay whose data is in a folder.
pub(crate) async fn world(folder: &Path) -> anyhow::Result<World> {
    anyhow::ensure!(folder.is_dir(), "there is no folder {}", folder.display());
    let clock = simulator::Clock::system();
    let aws = Aws::in_folder(folder, clock.clone())
        .with_context(|| format!("cannot use the data in {}", folder.display()))?;
    World::new(aws, clock, Dice::system()).await
}

/// The account and region that the environment and the AWS profile name.
pub(crate) async fn sdk() -> SdkConfig {
    let https = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    aws_config::defaults(BehaviorVersion::latest()).http_client(https).load().await
}
