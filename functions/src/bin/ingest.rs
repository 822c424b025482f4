//! `POST /notify/{account}`, behind the HTTP API.

use lambda_http::Error;
use relay::Clock;
use relay::ingest::{Ingest, router};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut start = functions::start();
    let ingest = Ingest { store: start.store(), inbox: start.inbox(), clock: Clock::system() };
    start.settings.check()?;
    lambda_http::run(router(ingest)).await
}
