//! To which partitions the units of a call go: what AWS limits each of them by.

use std::collections::BTreeSet;

use dynoxide::Database;
use serde_json::Value;

use super::table;

/// All that has one value of the table's hash key, or of an index's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Partition {
    /// None for the table itself.
    pub index: Option<String>,
    pub key: String,
}

/// Units of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Load {
    pub read: f64,
    pub write: f64,
}

/// Items that a call names, and those of a write as they stood before it.
pub(super) struct Touched {
    table: Value,
    keys: Vec<Value>,
    before: Vec<Value>,
}

impl Touched {
    pub(super) fn by(database: &Database, operation: &str, request: &Value) -> Touched {
        let table = table_of(request);
        let keys = keys(operation, request);
        let reads = matches!(operation, "GetItem" | "BatchGetItem");
        let before = if reads { Vec::new() } else { items(database, &table, &keys) };
        Touched { table, keys, before }
    }

    /// Shares the units of a call that was made among the partitions of its items. Those of a scan,
    /// which reads them all, are not shared.
    pub(super) fn share(
        &self,
        database: &Database,
        request: &Value,
        consumed: &Value,
    ) -> Vec<(Partition, f64)> {
        let units = |consumed: &Value| consumed["CapacityUnits"].as_f64().unwrap_or_default();
        if let Some(key) = queried(request) {
            let index = request["IndexName"].as_str().map(str::to_owned);
            return vec![(Partition { index, key }, units(consumed))];
        }
        let mut shared = self.evenly(units(&consumed["Table"]));
        let Some(indexes) = consumed["GlobalSecondaryIndexes"].as_object() else { return shared };
        let stood = self.before.iter().cloned();
        let stand = items(database, &self.table, &self.keys);
        let places = places(database, &self.table, stood.chain(stand));
        for (index, consumed) in indexes {
            let keys: Vec<_> = places.iter().filter(|(name, _)| name == index).collect();
            let each = units(consumed) / keys.len() as f64;
            let of = |key: &String| Partition { index: Some(index.clone()), key: key.clone() };
            shared.extend(keys.into_iter().map(|(_, key)| (of(key), each)));
        }
        shared
    }

    /// Units of the table, as much for each item.
    pub(super) fn evenly(&self, units: f64) -> Vec<(Partition, f64)> {
        let each = units / self.keys.len() as f64;
        let keys = self.keys.iter().filter_map(|key| key["pk"]["S"].as_str());
        keys.map(|key| (Partition { index: None, key: key.into() }, each)).collect()
    }
}

fn table_of(request: &Value) -> Value {
    match &request["TransactItems"][0] {
        Value::Object(part) => part.values().next().map(|part| part["TableName"].clone()),
        _ => request.get("TableName").cloned(),
    }
    .unwrap_or_default()
}

fn keys(operation: &str, request: &Value) -> Vec<Value> {
    let key = |part: &Value| match part.get("Item") {
        Some(item) => table::key_of(item),
        None => part["Key"].clone(),
    };
    match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" | "GetItem" => vec![key(request)],
        "TransactWriteItems" => {
            let parts = request["TransactItems"].as_array().into_iter().flatten();
            parts.filter_map(|part| part.as_object()?.values().next().map(key)).collect()
        }
        "BatchGetItem" => {
            let tables = request["RequestItems"].as_object().into_iter().flatten();
            tables.flat_map(|(_, of)| of["Keys"].as_array().cloned().unwrap_or_default()).collect()
        }
        _ => Vec::new(),
    }
}

/// The value that a query wants of the hash key: its condition begins with it.
fn queried(request: &Value) -> Option<String> {
    let (_, value) = request["KeyConditionExpression"].as_str()?.split_once("= ")?;
    let name = value.split_whitespace().next()?;
    request["ExpressionAttributeValues"][name]["S"].as_str().map(str::to_owned)
}

fn items(database: &Database, table: &Value, keys: &[Value]) -> Vec<Value> {
    keys.iter().filter_map(|key| table::item(database, table, key)).collect()
}

/// The indexes in which items stand, and under which value of the hash key.
fn places(
    database: &Database,
    table: &Value,
    items: impl Iterator<Item = Value>,
) -> BTreeSet<(String, String)> {
    let indexes = table::indexes(database, table);
    items
        .flat_map(|item| {
            let place = |(index, hash): &(String, String)| {
                Some((index.clone(), item[hash]["S"].as_str()?.to_owned()))
            };
            indexes.iter().filter_map(place).collect::<Vec<_>>()
        })
        .collect()
}
