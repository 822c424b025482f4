//! No secret, no telephone number and no payload stands in a log line.

use std::sync::{Mutex, Once};

use jiff::SignedDuration;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::stage::{ORDER, Stage};

/// What the relay has logged since the tests began, all of them: a subscriber for one thread only
/// would miss what others made it forget.
static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Lines;

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Keeps what the relay logs from here on.
pub(crate) fn keep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let log = tracing_subscriber::fmt::layer().json().with_writer(|| Lines);
        let relay = Targets::new().with_target("relay", tracing::Level::TRACE);
        tracing_subscriber::registry().with(log.with_filter(relay)).init();
    });
}

/// What has been logged so far.
pub(crate) fn lines() -> String {
    String::from_utf8(LINES.lock().unwrap().clone()).unwrap()
}

#[tokio::test]
async fn log_lines_hold_no_secret_no_number_and_no_payload() {
    let stage = Stage::new(1, None).await;
    let body = |status: &str| {
        format!(
            "<Notification><Status>{status}</Status><OrderId>{ORDER}</OrderId><OrderType>orders</OrderType>\
             <Message>words-of-the-message</Message><CompletedTelephoneNumbers>\
             <TelephoneNumber>9195550100</TelephoneNumber></CompletedTelephoneNumbers></Notification>"
        )
    };
    stage.post_accepted(&body("COMPLETE")).await;
    assert_eq!(stage.post(body("COMPLETE").replace("</Message>", "")).await.0, 400);
    stage.aws.inject(|_| Some(simulator::aws::Fault::Refuse));
    assert_eq!(stage.post(body("FAILED")).await.0, 503);
    stage.world.fan_out_batch().await;
    stage.aws.heal();
    stage.run_for(SignedDuration::from_mins(1)).await;
    assert_eq!(stage.told(), ["COMPLETE"]);

    let text = lines();
    for said in
        ["accepted an event", "fanned out an event", "delivered", "an attempt failed", "quarantine"]
    {
        assert!(text.contains(said), "{said}");
    }
    for unsaid in ["5550100", "words-of-the-message", &stage.secret, &stage.login.password] {
        assert!(!text.contains(unsaid), "{unsaid}");
    }
}
