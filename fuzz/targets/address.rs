//! URLs that tenants choose. One that is taken must say the same to whoever reads it.

#![no_main]

use std::net::IpAddr;

use domain::address::{self, Policy};

libfuzzer_sys::fuzz_target!(|url: &str| {
    let strict = Policy::default();
    let Ok(read) = address::endpoint(url, &strict) else { return };
    assert_eq!(read.scheme(), "https");
    assert!(read.username().is_empty() && read.password().is_none());
    let host = read.host_str().expect("it has a host");
    if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        assert_eq!(address::check(ip, &strict), Ok(()));
    }
    let again = address::endpoint(read.as_str(), &strict).expect("its own form is taken too");
    assert_eq!(again, read);
    let lenient = Policy { http: true, ..strict };
    assert!(address::endpoint(url, &lenient).is_ok());
});
