//! Where a relay keeps what it knows: a deployed table, or a folder of `hookline dev`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use local::World;
use relay::store::Store;
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
