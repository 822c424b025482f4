//! DynamoDB, by the embedded database.

use anyhow::Context as _;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Reply;
use super::partition::{Partition, Touched};
use super::stream::Stream;

/// Answers one operation of DynamoDB.
pub(super) fn answer(database: &Database, stream: &Stream, operation: &str, body: &str) -> Reply {
    let done = match operation {
        "PutItem" | "TransactWriteItems" if stream.may_watch(body) => {
            write(database, stream, operation, body)
        }
        operation => apply(database, operation, body),
    };
    match done {
        Ok(json) => Reply::ok(json),
        Err(error) => {
            Reply { status: error.status_code(), body: error.to_json(), query_error: None }
        }
    }
}

/// The same, and tells what it is billed by, in all and by partition.
pub(super) fn billed(
    database: &Database,
    stream: &Stream,
    operation: &str,
    body: &str,
    bill: impl FnOnce(f64, Vec<(Partition, f64)>),
) -> Reply {
    let mut request: Value = serde_json::from_str(body).unwrap_or_default();
    request["ReturnConsumedCapacity"] = "INDEXES".into();
    let touched = Touched::by(database, operation, &request);
    let reply = answer(database, stream, operation, &request.to_string());
    let answered: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    // A batch has one for each table, of which there is one.
    let consumed = match &answered["ConsumedCapacity"] {
        Value::Array(tables) => tables.first().cloned().unwrap_or_default(),
        consumed => consumed.clone(),
    };
    if consumed.is_null() && reply.status == 400 {
        let units = refused(&request, &answered);
        bill(units, touched.evenly(units));
    } else {
        let units = consumed["CapacityUnits"].as_f64().unwrap_or_default();
        bill(units, touched.share(database, &request, &consumed));
    }
    reply
}

/// What a write is billed by whose condition does not hold: as much as if it had been made. (AWS:
/// DynamoDB, capacity unit consumption.) Items are taken to have up to 1 KB here.
fn refused(request: &Value, answered: &Value) -> f64 {
    let kind = answered["__type"].as_str().unwrap_or_default();
    let parts = request["TransactItems"].as_array().map_or(0, Vec::len);
    match kind.rsplit('#').next() {
        Some("ConditionalCheckFailedException") => 1.0,
        Some("TransactionCanceledException") => 2.0 * parts as f64,
        _ => 0.0,
    }
}

/// A write whose new items the stream may be watching.
fn write(
    database: &Database,
    stream: &Stream,
    operation: &str,
    body: &str,
) -> Result<String, DynoxideError> {
    let request: Value = serde_json::from_str(body)
        .map_err(|error| DynoxideError::SerializationException(error.to_string()))?;
    let puts: Vec<&Value> = match operation {
        "PutItem" => vec![&request],
        _ => request["TransactItems"]
            .as_array()
            .map(|items| items.iter().filter_map(|item| item.get("Put")).collect())
            .unwrap_or_default(),
    };
    let creates = |put: &&Value| {
        put["ConditionExpression"].as_str().is_some_and(|it| it.contains("attribute_not_exists"))
    };
    let created = puts.into_iter().filter(creates).collect();
    // A transaction that the SDK repeats under its token is answered as if it were applied again. A
    // put alone has no token: its condition fails.
    let stands = |put: &Value| {
        operation != "PutItem" && item(database, &put["TableName"], &key_of(&put["Item"])).is_some()
    };
    stream
        .taking(created, stands, || apply(database, operation, body))
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()))?
}

fn apply(database: &Database, operation: &str, body: &str) -> Result<String, DynoxideError> {
    match operation {
        "CreateTable" => call(body, |request| database.create_table(request)),
        "DescribeTable" => call(body, |request| database.describe_table(request)),
        "ListTagsOfResource" => call(body, |request| database.list_tags_of_resource(request)),
        "TagResource" => call(body, |request| database.tag_resource(request)),
        "UpdateTimeToLive" => call(body, |request| database.update_time_to_live(request)),
        "PutItem" => call(body, |request| database.put_item(request)),
        "GetItem" => call(body, |request| database.get_item(request)),
        "UpdateItem" => call(body, |request| database.update_item(request)),
        "DeleteItem" => call(body, |request| database.delete_item(request)),
        "Query" => call(body, |request| database.query(request)),
        "Scan" => call(body, |request| database.scan(request)),
        "BatchGetItem" => call(body, |request| database.batch_get_item(request)),
        "BatchWriteItem" => call(body, |request| database.batch_write_item(request)),
        "TransactWriteItems" => call(body, |request| database.transact_write_items(request)),
        "TransactGetItems" => call(body, |request| database.transact_get_items(request)),
        unknown => Err(DynoxideError::UnsupportedCapability(format!("no operation {unknown}"))),
    }
}

fn call<Q: DeserializeOwned, A: Serialize>(
    body: &str,
    run: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> Result<String, DynoxideError> {
    let request = serde_json::from_str(body).map_err(|error| unreadable(&error.to_string()))?;
    serde_json::to_string(&run(request)?)
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

/// The database marks what can be read and is not valid.
fn unreadable(reason: &str) -> DynoxideError {
    match reason.strip_prefix("VALIDATION:") {
        Some(reason) => DynoxideError::ValidationException(reason.into()),
        None => DynoxideError::SerializationException(reason.into()),
    }
}

/// The key of an item of a table that may be watched.
pub(super) fn key_of(item: &Value) -> Value {
    json!({ "pk": item["pk"], "sk": item["sk"] })
}

pub(super) fn item(database: &Database, table: &Value, key: &Value) -> Option<Value> {
    let request = json!({ "TableName": table, "Key": key, "ConsistentRead": true });
    let answer = apply(database, "GetItem", &request.to_string()).ok()?;
    serde_json::from_str::<Value>(&answer).ok()?.get("Item").cloned()
}

/// A table's indexes: the name of each, and of its hash key.
pub(super) fn indexes(database: &Database, table: &Value) -> Vec<(String, String)> {
    let request = json!({ "TableName": table }).to_string();
    let described = apply(database, "DescribeTable", &request).unwrap_or_default();
    let described: Value = serde_json::from_str(&described).unwrap_or_default();
    let indexes = described["Table"]["GlobalSecondaryIndexes"].as_array().into_iter().flatten();
    let of = |index: &Value| {
        let keys = index["KeySchema"].as_array()?;
        let hash = keys.iter().find(|key| key["KeyType"] == "HASH")?;
        Some((index["IndexName"].as_str()?.into(), hash["AttributeName"].as_str()?.into()))
    };
    indexes.filter_map(of).collect()
}

/// Drops what has expired by the database's clock.
pub(super) fn sweep(database: &Database) -> anyhow::Result<usize> {
    database.sweep_ttl().context("cannot drop expired items")
}
