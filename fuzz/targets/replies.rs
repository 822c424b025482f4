//! What Bandwidth's API answers, and what becomes of it.

#![no_main]

use domain::event::EventKey;
use domain::notification::{Notification, NumberFormat};
use domain::reconcile::{missing, notification};
use domain::wire::{self, Kind};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    _ = wire::listing(body);
    _ = wire::held(body);
    _ = wire::refusal(body);
    let Some(kind) = Kind::of("portins") else { return };
    let described = wire::described(kind, body).unwrap_or_default();
    let history = wire::stated(body).unwrap_or_default();
    for line in missing("portins", &history, &[]) {
        let told = notification("portins", "a-1", line, &described);
        // Too long for a notification, or the same when it is read back.
        if let Ok(read) = Notification::parse(told.to_xml("", NumberFormat::E164).as_bytes()) {
            assert_eq!(EventKey::stated(&read), EventKey::stated(&told));
        }
    }
});
