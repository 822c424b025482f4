//! Everything else behind the HTTP API: the tenants' and the operators' API.

use lambda_http::Error;
use relay::Clock;
use relay::api::{Api, router};
use relay::egress::Egress;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut start = functions::start();
    let store = start.store();
    let api = Api {
        subscriptions: start.subscriptions(&store),
        vault: start.vault(&store),
        wakes: start.wakes(),
        egress: Egress::new(start.settings.policy())?,
        clock: Clock::system(),
        store,
    };
    start.settings.check()?;
    lambda_http::run(router(api)).await
}
