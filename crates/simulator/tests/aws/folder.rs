use std::fs;
use std::io::Write as _;
use std::path::Path;

use simulator::Clock;
use simulator::aws::Aws;

use crate::{clock, create_table, dynamodb, put_new, send, settings};

#[tokio::test]
async fn table_stream_and_queues_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let open = || open(folder.path(), clock());
    let aws = open();
    create_table(&dynamodb(&aws)).await;
    for sk in ["EVENT#1", "EVENT#2", "EVENT#3"] {
        put_new(&dynamodb(&aws), "a", sk, None).await;
    }
    aws.stream().finish(aws.stream().batch(1)[0].sequence);
    for body in ["one", "two", "three"] {
        send(&aws, body, 0).await.unwrap();
    }
    aws.queue("q").delete(&aws.queue("q").receive(1)[0].receipt);
    assert_eq!(aws.queue("q").receive(1).len(), 1, "in flight when the process ends");
    drop(aws);

    // What was written down before a put that then did not happen.
    let mut journal =
        fs::OpenOptions::new().append(true).open(folder.path().join("stream")).unwrap();
    let intent = r#"{"put":4,"table":"things","key":{"pk":{"S":"a"},"sk":{"S":"EVENT#4"}}}"#;
    write!(journal, "{intent}\n{{\"put\":5,\"ta").unwrap();
    drop(journal);

    let aws = open();
    let images: Vec<_> =
        aws.stream().batch(9).iter().map(|one| one.image["sk"]["S"].clone()).collect();
    assert_eq!(images, ["EVENT#2", "EVENT#3"]);
    let again = aws.queue("q").receive(9);
    let again: Vec<_> = again.iter().map(|one| (one.body.as_str(), one.receive_count)).collect();
    assert_eq!(again, [("two", 2), ("three", 1)], "receives are counted over restarts");
    let before = aws.stream().batch(9).last().unwrap().sequence;
    put_new(&dynamodb(&aws), "a", "EVENT#5", None).await;
    assert!(aws.stream().batch(9).last().unwrap().sequence > before);
}

fn open(folder: &Path, clock: Clock) -> Aws {
    let aws = Aws::in_folder(folder, clock).unwrap();
    aws.watch("sk", &["EVENT#"]);
    aws.create_queue("q", settings(None));
    aws
}

#[test]
fn a_folder_has_one_user_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path(), clock());
    let error = Aws::in_folder(folder.path(), clock()).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "somebody else works in the folder");
    drop(first);
    open(folder.path(), clock());
}

#[test]
fn a_folder_is_not_swept_by_another_clock_than_its_own() {
    let folder = tempfile::tempdir().unwrap();
    assert!(open(folder.path(), clock()).sweep_expired().is_err());
    assert_eq!(open(folder.path(), Clock::system()).sweep_expired().unwrap(), 0);
}
