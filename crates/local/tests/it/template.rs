//! template.yaml and the code say the same of the table and the queues.

use local::usage;
use relay::store::key::{ATTEMPTS_MADE, DUE, DUE_AT, DUE_INDEX, EVENT_PREFIX, REVIVALS};

fn template() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml")).unwrap()
}

#[test]
fn the_template_declares_the_index_that_the_code_reads() {
    let template = template();
    let words: Vec<&str> =
        template.split([' ', '\n', '{', '}', ',']).filter(|it| !it.is_empty()).collect();
    for expected in [
        &["IndexName:", DUE_INDEX][..],
        &["AttributeName:", DUE, "KeyType:", "HASH"],
        &["AttributeName:", DUE_AT, "KeyType:", "RANGE"],
    ] {
        assert!(words.windows(expected.len()).any(|found| found == expected), "{expected:?}");
    }
    assert!(template.contains(&format!("NonKeyAttributes: [{ATTEMPTS_MADE}, {REVIVALS}]")));
    assert!(template.contains(EVENT_PREFIX));
}

/// The value of `name` in the resource that is called `resource`.
fn setting(resource: &str, name: &str) -> i64 {
    let template = template();
    let start = template.find(&format!("\n  {resource}:\n")).unwrap();
    let (_, behind) = template[start..].split_once(&format!("{name}: ")).unwrap();
    let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn this_machines_queues_and_functions_have_the_templates_limits() {
    assert_eq!(setting("WakeQueue", "VisibilityTimeout"), local::WAKE_VISIBILITY.as_secs());
    assert_eq!(setting("WakeQueue", "maxReceiveCount"), i64::from(local::WAKE_RECEIVES_MAX));
    assert_eq!(setting("InboxQueue", "VisibilityTimeout"), local::INBOX_VISIBILITY.as_secs());
    assert_eq!(setting("InboxQueue", "maxReceiveCount"), i64::from(local::INBOX_RECEIVES_MAX));
    assert_eq!(setting("Fanout", "BatchSize"), local::STREAM_BATCH as i64);
    assert_eq!(setting("Deliver", "Timeout"), local::RUN_TIME.as_secs());
}

#[test]
fn a_message_stays_hidden_six_times_longer_than_its_function_may_run() {
    assert!(setting("WakeQueue", "VisibilityTimeout") >= 6 * setting("Deliver", "Timeout"));
    assert!(setting("InboxQueue", "VisibilityTimeout") >= 6 * setting("Inbox", "Timeout"));
}

#[test]
fn a_finished_delivery_is_left_alone_for_longer_than_its_handler_may_run() {
    assert!(domain::lane::FINISHED_GRACE.as_secs() > setting("Deliver", "Timeout"));
}

#[test]
fn what_is_reckoned_for_the_bill_is_what_the_template_has() {
    let template = template();
    let polled = template.matches("Type: SQS\n").count();
    assert_eq!(polled as f64, usage::POLLED_QUEUES);
    let limited = template.matches("ScalingConfig: {MaximumConcurrency:").count();
    assert_eq!(limited, polled, "Lambda asks an empty queue less often without it");
    assert!(!template.contains("MaximumBatchingWindowInSeconds"));
    assert_eq!(setting("Ingest", "MemorySize") as f64, usage::INGEST_MEMORY_MB);
    assert_eq!(template.matches("MemorySize: ").count(), 2, "Globals and ingest");
    let (_, everywhere) = template.split_once("MemorySize: ").unwrap();
    assert!(everywhere.starts_with(&format!("{}\n", usage::MEMORY_MB)));
    let (_, logs) = template.split_once("LogRetentionDays:").unwrap();
    assert!(logs.contains(&format!("Default: {}\n", usage::LOGS_KEPT_DAYS)));
    assert!(template.contains("Schedule: rate(1 minute)"));
}
