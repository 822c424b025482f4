//! Metrics, as lines that CloudWatch reads them from (AWS: CloudWatch embedded metric format).

use std::fmt;
use std::io::Write as _;

use relay::Clock;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

const NAMESPACE: &str = "Hookline";

/// Writes each event of [`relay::metrics::TARGET`] as one line, whatever else is logged.
pub(crate) struct Metrics {
    /// The deployment, by which the metrics are kept apart.
    pub(crate) stack: Option<String>,
    pub(crate) clock: Clock,
}

impl<S: Subscriber> Layer<S> for Metrics {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != relay::metrics::TARGET {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        // A metric that cannot be written is no reason to fail.
        let _ = writeln!(std::io::stdout(), "{}", self.line(fields));
    }
}

impl Metrics {
    fn line(&self, Fields(mut fields): Fields) -> Value {
        let is_metric = |name: &&String| name.starts_with(|first: char| first.is_ascii_uppercase());
        let metrics: Vec<Value> = fields
            .keys()
            .filter(is_metric)
            .map(|name| json!({ "Name": name, "Unit": unit(name) }))
            .collect();
        let dimensions = match &self.stack {
            Some(stack) => {
                fields.insert("Stack".into(), stack.as_str().into());
                json!([["Stack"]])
            }
            None => json!([[]]),
        };
        let described = json!({
            "Timestamp": self.clock.now().as_millisecond(),
            "CloudWatchMetrics": [
                { "Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics },
            ],
        });
        fields.insert("_aws".into(), described);
        Value::Object(fields)
    }
}

fn unit(name: &str) -> &'static str {
    match name.ends_with("Milliseconds") {
        true => "Milliseconds",
        false => "Count",
    }
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().into(), format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use super::{Fields, Metrics};
    use relay::Clock;
    use serde_json::{Map, json};

    #[test]
    fn a_line_says_which_of_its_fields_are_metrics() {
        let clock = Clock::new(|| "2026-02-03T02:00:00Z".parse().unwrap());
        let metrics = Metrics { stack: Some("hookline".into()), clock };
        let fields = [("AuditDifference", json!(1)), ("day", json!("2026-02-02"))];
        let fields: Map<_, _> =
            fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        assert_eq!(
            metrics.line(Fields(fields)),
            json!({
                "AuditDifference": 1,
                "day": "2026-02-02",
                "Stack": "hookline",
                "_aws": {
                    "Timestamp": 1_770_084_000_000_u64,
                    "CloudWatchMetrics": [{
                        "Namespace": "Hookline",
                        "Dimensions": [["Stack"]],
                        "Metrics": [{ "Name": "AuditDifference", "Unit": "Count" }],
                    }],
                },
            })
        );
    }
}
