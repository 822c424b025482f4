//! Messages of the two queues. They are the relay's own; an old version may have written them.

#![no_main]

use relay::queue::{Arrival, Wake};

libfuzzer_sys::fuzz_target!(|body: &str| {
    if let Ok(wake) = Wake::parse(body) {
        let written = serde_json::to_string(&wake).expect("it is written");
        assert_eq!(Wake::parse(&written).expect("and read"), wake);
    }
    if let Ok(arrival) = Arrival::parse(body) {
        let written = serde_json::to_string(&arrival).expect("it is written");
        assert_eq!(Arrival::parse(&written).expect("and read"), arrival);
    }
});
