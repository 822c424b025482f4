//! Every minute.

use lambda_runtime::{Diagnostic, Error, LambdaEvent, run, service_fn};
use relay::Clock;
use relay::bandwidth::Bandwidth;
use relay::egress::Egress;
use relay::reconcile::Reconcile;
use relay::schedule::{self, Schedule};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut start = functions::start();
    let store = start.store();
    let bandwidth = Bandwidth {
        vault: start.vault(&store),
        egress: Egress::new(start.settings.policy())?,
        store: store.clone(),
    };
    let schedule = &Schedule {
        wakes: start.wakes_and_aside(),
        reconcile: Reconcile { bandwidth, clock: Clock::system() },
        clock: Clock::system(),
        store,
    };
    start.settings.check()?;
    run(service_fn(|_tick: LambdaEvent<Value>| async move {
        schedule::run(schedule).await.map(drop).map_err(|error| Diagnostic {
            error_type: "ScheduleError".into(),
            error_message: error.to_string(),
        })
    }))
    .await
}
