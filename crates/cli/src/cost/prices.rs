//! List prices of AWS in us-east-1, in dollars, as of June 2026.
//!
//! Source: AWS's pricing pages, `https://aws.amazon.com/SERVICE/pricing/`, with the service named at
//! each price. The figures were read in guides of February to June 2026 that quote those pages, not on
//! the pages themselves; where only one guide has a figure it says so. Compare before you rely on one.
//!
//! Tiers for very large volumes are left out, and so is every free tier.

/// What one thing costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Price {
    pub(crate) dollars: f64,
    /// For so many.
    pub(crate) per: f64,
    /// How that is called.
    pub(crate) unit: &'static str,
}

const fn per_million(dollars: f64) -> Price {
    Price { dollars, per: 1e6, unit: "million" }
}

const fn per(dollars: f64, unit: &'static str) -> Price {
    Price { dollars, per: 1.0, unit }
}

/// When these held.
pub(crate) const AS_OF: &str = "June 2026";

// dynamodb/pricing/on-demand, table class Standard. They were halved in November 2024.
pub(crate) const WRITE_UNITS: Price = per_million(0.625);
pub(crate) const READ_UNITS: Price = per_million(0.125);
pub(crate) const STORAGE: Price = per(0.25, "GB-month");
/// Recovery to a point in time: by the size of the table, whatever the window.
pub(crate) const RECOVERY: Price = per(0.20, "GB-month");

// sqs/pricing, standard queues, each request of up to 64 KB.
pub(crate) const QUEUE_REQUESTS: Price = per_million(0.40);
/// On top, for messages with a message group, which makes a standard queue a fair one. From one guide,
/// which doesn't say which requests of such a message count: all of them are counted here.
pub(crate) const FAIR_QUEUE_REQUESTS: Price = per_million(0.10);

// lambda/pricing. arm64 and x86_64 cost the same for a request.
pub(crate) const INVOCATIONS: Price = per_million(0.20);
pub(crate) const ARM64_SECONDS: Price = per(0.000_013_333_4, "GB-s");
pub(crate) const X86_64_SECONDS: Price = per(0.000_016_666_7, "GB-s");

/// api-gateway/pricing, HTTP APIs, each request of up to 512 KB.
pub(crate) const HTTP_REQUESTS: Price = per_million(1.00);

// cloudwatch/pricing. What API Gateway writes costs as much as what Lambda does.
pub(crate) const LOGS: Price = per(0.50, "GB");
/// By size after compression, which is taken to save nothing here.
pub(crate) const LOGS_KEPT: Price = per(0.03, "GB-month");
pub(crate) const METRICS: Price = per(0.30, "metric");
pub(crate) const ALARMS: Price = per(0.10, "alarm");
pub(crate) const DASHBOARDS: Price = per(3.00, "dashboard");

// kms/pricing. A key that is rotated costs a dollar more after its first year, and another after its
// second.
pub(crate) const KEYS: Price = per(1.00, "key");
pub(crate) const KEY_REQUESTS: Price = Price { dollars: 0.03, per: 1e4, unit: "10,000" };
