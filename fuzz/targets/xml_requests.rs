//! What clients of Bandwidth's send to the API: subscriptions and notes.

#![no_main]

use domain::wire;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    if let Err(refused) = wire::subscription(body) {
        assert!(refused.code >= 1000 && !refused.description.is_empty());
    }
    match wire::note(body) {
        Ok(note) => assert!(!note.text.is_empty()),
        Err(refused) => assert!(refused.code >= 1000 && !refused.description.is_empty()),
    }
});
