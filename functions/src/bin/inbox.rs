//! Messages of the inbox queue.

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use relay::inbox::{self, Inbox};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut start = functions::start();
    let inbox = &Inbox { store: start.store() };
    start.settings.check()?;
    run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        let handle = |body: String, _| async move { inbox::one(inbox, &body).await };
        Ok::<_, Error>(functions::each_message(event.payload, handle).await)
    }))
    .await
}
