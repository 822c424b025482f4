//! New event items of the table's stream.

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use relay::Clock;
use relay::fanout::{self, Fanout, Record};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut start = functions::start();
    let fanout = &Fanout { store: start.store(), wakes: start.wakes(), clock: Clock::system() };
    start.settings.check()?;
    run(service_fn(|event: LambdaEvent<Event>| async move {
        let records = event.payload.records.into_iter().map(record).collect();
        let failed = fanout::batch(fanout, records).await;
        let mut response = DynamoDbEventResponse::default();
        response.batch_item_failures = failed.into_iter().map(failure).collect();
        Ok::<_, Error>(response)
    }))
    .await
}

fn record(record: EventRecord) -> Record {
    Record {
        sequence: record.change.sequence_number.unwrap_or_default(),
        image: record.change.new_image,
    }
}

fn failure(sequence: String) -> DynamoDbBatchItemFailure {
    let mut failure = DynamoDbBatchItemFailure::default();
    failure.item_identifier = Some(sequence);
    failure
}
