//! What the relay itself has to tell a tenant, as events of types of their own.

/// An endpoint has failed so often that it is only probed now.
pub const ENDPOINT_FAILING: &str = "endpoint.failing";
/// An endpoint that was only probed takes deliveries again.
pub const ENDPOINT_RECOVERED: &str = "endpoint.recovered";
/// A subscription was disabled by the relay.
pub const ENDPOINT_DISABLED: &str = "endpoint.disabled";
/// All attempts for a delivery have failed.
pub const DELIVERY_EXHAUSTED: &str = "delivery.exhausted";
/// An upstream that used to send notifications sends none.
pub const UPSTREAM_SILENT: &str = "upstream.silent";

const ALL: [&str; 5] =
    [ENDPOINT_FAILING, ENDPOINT_RECOVERED, ENDPOINT_DISABLED, DELIVERY_EXHAUSTED, UPSTREAM_SILENT];

/// Whether an event type is one of the relay's own.
pub fn is_operational(event_type: &str) -> bool {
    ALL.iter().any(|one| one.eq_ignore_ascii_case(event_type))
}
