//! No secret, no telephone number and no payload stands in a log line.

use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use tracing_subscriber::fmt::MakeWriter;

use crate::stage::{ORDER, Stage};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        self.clone()
    }
}

#[tokio::test]
async fn log_lines_hold_no_secret_no_number_and_no_payload() {
    let lines = Lines::default();
    let log = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .finish();
    let _log = tracing::subscriber::set_default(log);

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

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for said in
        ["accepted an event", "fanned out an event", "delivered", "an attempt failed", "quarantine"]
    {
        assert!(text.contains(said), "{said}");
    }
    let ours: String = text.lines().filter(|line| line.contains("\"target\":\"relay")).collect();
    assert!(ours.len() > 500);
    for unsaid in ["5550100", "words-of-the-message", &stage.secret, &stage.login.password] {
        assert!(!ours.contains(unsaid), "{unsaid}");
    }
}
