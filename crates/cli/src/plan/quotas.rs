//! Quotas of AWS, by default and in us-east-1, as its documents had them in 2026.
//!
//! Source: the document of AWS that is named at each. Some regions have less of some; what an account
//! really has stands in its console, under Service Quotas. Compare before you rely on one.

// DynamoDB Developer Guide, "Best practices for designing and using partition keys".
/// Write units of one partition, a second. It can't be raised.
pub(super) const PARTITION_WRITES: f64 = 1_000.0;
/// Read units of one partition, a second. It can't be raised.
pub(super) const PARTITION_READS: f64 = 3_000.0;

// DynamoDB Developer Guide, "Quotas in Amazon DynamoDB".
/// Write units of an on-demand table, and of each of its indexes, a second.
pub(super) const TABLE_WRITES: f64 = 40_000.0;
/// Read units of the same, a second.
pub(super) const TABLE_READS: f64 = 40_000.0;

// DynamoDB Developer Guide, "DynamoDB on-demand capacity mode".
/// Write units that a new on-demand table takes at once, a second.
pub(super) const NEW_TABLE_WRITES: f64 = 4_000.0;
/// Within so many minutes it takes twice as much as it ever did.
pub(super) const TABLE_DOUBLES_MINUTES: f64 = 30.0;

// Lambda Developer Guide, "Lambda quotas".
/// Instances of all functions at one time. New accounts may have as few as 10.
pub(super) const INSTANCES: f64 = 1_000.0;
/// Requests of one function that each instance which it may have allows it, a second: however short
/// they are.
pub(super) const REQUESTS_BY_INSTANCE: f64 = 10.0;

// Lambda Developer Guide, "Lambda scaling behavior".
/// Instances that a function may have more of, in [`STARTS_SECONDS`].
pub(super) const STARTS: f64 = 1_000.0;
pub(super) const STARTS_SECONDS: f64 = 10.0;

// Lambda Developer Guide, "Configuring scaling behavior for SQS event source mappings".
/// Instances that one queue may keep busy. It can't be raised.
pub(super) const INSTANCES_OF_QUEUE: f64 = 1_000.0;
/// By how many they grow in a minute.
pub(super) const INSTANCES_OF_QUEUE_A_MINUTE: f64 = 300.0;

/// How often Lambda asks each shard of a stream, a second. (Lambda Developer Guide, "Using AWS Lambda
/// with Amazon DynamoDB".)
pub(super) const STREAM_POLLS: f64 = 4.0;

/// Requests a second to all APIs of an account. (API Gateway Developer Guide, "Amazon API Gateway
/// quotas".)
pub(super) const GATEWAY_REQUESTS: f64 = 10_000.0;

/// Messages of one standard queue that are received and not yet deleted, about. (SQS Developer Guide,
/// "Amazon SQS standard queue quotas".)
pub(super) const IN_FLIGHT: f64 = 120_000.0;

/// Requests a second to KMS with symmetric keys: 10,000 or 20,000 in most other regions. (KMS
/// Developer Guide, "Request quotas".)
pub(super) const KEY_REQUESTS: f64 = 100_000.0;
