//! template.yaml and the code say the same of the table and the queues.

use relay::store::key::{ATTEMPTS_MADE, DUE, DUE_AT, DUE_INDEX, EVENT_PREFIX};

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
    assert!(template.contains(ATTEMPTS_MADE));
    assert!(template.contains(EVENT_PREFIX));
}

#[test]
fn a_message_stays_hidden_longer_than_its_handler_may_run_and_a_grace_longer_still() {
    let words = template();
    // The walk beyond a finished delivery is left alone for longer than a handler may run.
    assert!(domain::lane::FINISHED_GRACE.as_secs() > 60);
    assert!(words.contains("VisibilityTimeout: 360"));
}
