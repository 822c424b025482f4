//! Turns the relay's own log events into a timeline for people.

use std::collections::BTreeMap;
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::output::say;

/// A log layer that says what happens, as it happens.
pub(crate) struct Timeline {
    started: Instant,
    /// Names for what the log knows by id: subscriptions and orders.
    names: BTreeMap<String, String>,
}

impl Timeline {
    pub(crate) fn new(names: BTreeMap<String, String>) -> Timeline {
        Timeline { started: Instant::now(), names }
    }

    fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.names.get(id).map_or(id, String::as_str)
    }

    fn line(&self, fields: &Fields) -> Option<String> {
        let order = match fields.get("order") {
            event if event.starts_with("event-") => fields.get("change").to_owned(),
            order => format!("{} {}", self.name(order), fields.get("change")),
        };
        let to = self.name(fields.get("subscription"));
        let attempt = fields.get("attempt");
        let what = match fields.get("message") {
            "accepted an event" if fields.get("known") == "true" => {
                format!("accepted      {order}: known already")
            }
            "accepted an event" => format!("accepted      {order}"),
            "fanned out an event" => {
                format!("fanned out    {order} to {} endpoint(s)", fields.get("lanes"))
            }
            "delivered" => format!("delivered     {order} to {to} at attempt {attempt}"),
            "an attempt failed" => {
                let why = [fields.get("status"), fields.get("error")];
                let why = why.into_iter().find(|why| !why.is_empty()).unwrap_or("?");
                let at = fields.get("retry_at");
                let time = at.get(11..19).unwrap_or(at);
                format!("failed ({why})  {order} to {to} at attempt {attempt}: retry at {time}")
            }
            _ => return None,
        };
        Some(format!("{:>7.3} s  {what}", self.started.elapsed().as_secs_f64()))
    }
}

impl<S: Subscriber> Layer<S> for Timeline {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        if let Some(line) = self.line(&fields) {
            say(line);
        }
    }
}

/// The fields of one log event, as text.
#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Fields {
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}
