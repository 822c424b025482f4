//! What template.yaml says of how much there may be at once.

/// Requests a second to the route of ingest.
pub(super) const ROUTE_REQUESTS: f64 = 5_000.0;

/// Instances of deliver for endpoints that are well: `DeliverConcurrency`.
pub(super) const DELIVER_INSTANCES: f64 = 20.0;

/// The same for those that ail: `AsideConcurrency`.
pub(super) const ASIDE_INSTANCES: f64 = 10.0;

/// Wakes that one invocation of deliver takes.
pub(super) const WAKES: f64 = 10.0;

/// Events that one invocation of fanout takes.
pub(super) const EVENTS: f64 = local::STREAM_BATCH as f64;

/// Invocations of fanout at one time for each shard of the stream: `ParallelizationFactor`.
pub(super) const BATCHES_OF_SHARD: f64 = 1.0;

#[cfg(test)]
mod tests {
    #[test]
    fn the_template_says_so_too() {
        let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml");
        let template = std::fs::read_to_string(template).unwrap();
        let says = |after: &str, name: &str, value: f64| {
            let (_, behind) = template.split_once(after).unwrap();
            let (_, behind) = behind.split_once(&format!("{name}: ")).unwrap();
            let found = behind.split_whitespace().next().unwrap();
            assert_eq!(found, value.to_string(), "{after} {name}");
        };
        says("POST /notify/{account}:", "ThrottlingRateLimit", super::ROUTE_REQUESTS);
        says("\n  DeliverConcurrency:", "Default", super::DELIVER_INSTANCES);
        says("\n  AsideConcurrency:", "Default", super::ASIDE_INSTANCES);
        says("\n        Wakes:", "BatchSize", super::WAKES);
        says("\n        WakesAside:", "BatchSize", super::WAKES);
        says("\n        NewEvents:", "BatchSize", super::EVENTS);
        says("\n        NewEvents:", "ParallelizationFactor", super::BATCHES_OF_SHARD);
    }
}
