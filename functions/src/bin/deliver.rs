//! Wakes of the wake queue.

use aws_lambda_events::sqs::SqsEvent;
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use relay::deliver::{self, Deliver, Places};
use relay::egress::Egress;
use relay::{Clock, Dice};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut start = functions::start();
    let store = start.store();
    let deliver = &Deliver {
        subscriptions: start.subscriptions(&store),
        store,
        wakes: start.wakes_and_aside(),
        egress: Egress::new(start.settings.policy())?,
        places: Places::default(),
        clock: Clock::system(),
        dice: Dice::system(),
    };
    start.settings.check()?;
    run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        let deadline = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        let deadline = Timestamp::from_millisecond(deadline)?;
        let handle = |body: String, receives| async move {
            deliver::one(deliver, &body, receives, deadline).await
        };
        Ok::<_, Error>(functions::each_message(event.payload, handle).await)
    }))
    .await
}
