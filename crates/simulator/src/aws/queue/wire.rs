//! SQS's JSON protocol, with its refusals.
//!
//! Long polling is answered at once, and no MD5 sums are given: AWS's SDK for Rust looks at none.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Queues, parse};
use crate::aws::Reply;

/// AWS's quotas for a message and a batch of them. (AWS: Amazon SQS message quotas.)
const DELAY_SECONDS_MAX: i64 = 900;
const BYTES_MAX: usize = 1024 * 1024;
const VISIBILITY_SECONDS_MAX: i64 = 12 * 60 * 60;
const BATCH_MAX: usize = 10;
const RECEIVE_MAX: i64 = 10;
const GROUP_MAX: usize = 128;

/// An error of SQS. `code` comes from its older protocol, and is what the SDKs go by.
struct Refused {
    code: &'static str,
    shape: &'static str,
    message: String,
}

impl Refused {
    fn invalid(message: impl Into<String>) -> Refused {
        let name = "InvalidParameterValue";
        Refused { code: name, shape: name, message: message.into() }
    }
}

impl Queues {
    /// Answers one operation of SQS; `leaves_out`: as if it could not do the first of a batch.
    pub(in crate::aws) fn answer(&self, operation: &str, body: &str, leaves_out: bool) -> Reply {
        let request: Value = serde_json::from_str(body).unwrap_or_default();
        match self.run(name_in(&request), operation, &request, leaves_out) {
            Ok(answer) => Reply::ok(answer.to_string()),
            Err(Refused { code, shape, message }) => {
                let shape = format!("com.amazonaws.sqs#{shape}");
                let reply = Reply::error(400, &shape, &message);
                Reply { query_error: Some(format!("{code};Sender")), ..reply }
            }
        }
    }

    fn run(
        &self,
        name: &str,
        operation: &str,
        request: &Value,
        leaves_out: bool,
    ) -> Result<Value, Refused> {
        if !self.state().settings.contains_key(name) {
            return Err(Refused {
                code: "AWS.SimpleQueueService.NonExistentQueue",
                shape: "QueueDoesNotExist",
                message: format!("no queue {name}"),
            });
        }
        match operation {
            "SendMessage" => self.send(name, request),
            "ReceiveMessage" => self.receive_some(name, request),
            "DeleteMessage" => self.delete(name, request),
            "ChangeMessageVisibility" => self.change_visibility(name, request),
            "GetQueueAttributes" => Ok(self.attributes(name, request)),
            "SendMessageBatch" => batch(request, leaves_out, |entry| self.send(name, entry)),
            "DeleteMessageBatch" => batch(request, leaves_out, |entry| self.delete(name, entry)),
            unknown => Err(Refused {
                code: "InvalidAction",
                shape: "UnknownOperationException",
                message: format!("no operation {unknown}"),
            }),
        }
    }

    fn send(&self, name: &str, request: &Value) -> Result<Value, Refused> {
        let body = request["MessageBody"].as_str().unwrap_or_default();
        let group = request["MessageGroupId"].as_str();
        let delay = seconds(request, "DelaySeconds", DELAY_SECONDS_MAX)?.unwrap_or_default();
        if body.is_empty() || size(request) > BYTES_MAX {
            return Err(Refused::invalid(format!("a message has 1 to {BYTES_MAX} bytes")));
        }
        if !body.chars().all(xml_allows) {
            let name = "InvalidMessageContents";
            let message = "MessageBody has characters that XML does not allow".into();
            return Err(Refused { code: name, shape: name, message });
        }
        if group.is_some_and(|group| !is_group(group)) {
            let message = format!("MessageGroupId is not 1 to {GROUP_MAX} letters, digits, signs");
            return Err(Refused::invalid(message));
        }
        let due_at = self.clock.now() + delay;
        let id = self
            .state()
            .send(name, body.into(), group.map(str::to_owned), due_at)
            .map_err(|error| Refused::invalid(error.to_string()))?;
        self.changed.notify_waiters();
        Ok(json!({ "MessageId": id.to_string() }))
    }

    fn receive_some(&self, name: &str, request: &Value) -> Result<Value, Refused> {
        let max = request["MaxNumberOfMessages"].as_i64().unwrap_or(1);
        if !(1..=RECEIVE_MAX).contains(&max) {
            let message = format!("MaxNumberOfMessages is not within 1 and {RECEIVE_MAX}");
            return Err(Refused::invalid(message));
        }
        let hidden_for = seconds(request, "VisibilityTimeout", VISIBILITY_SECONDS_MAX)?;
        let received = self.receive(name, usize::try_from(max).unwrap_or(1), hidden_for);
        let messages = received.into_iter().map(|message| {
            let count = message.receive_count.to_string();
            let mut attributes = json!({});
            if asks(request, "ApproximateReceiveCount") {
                attributes["ApproximateReceiveCount"] = count.into();
            }
            if let Some(group) = message.group.filter(|_| asks(request, "MessageGroupId")) {
                attributes["MessageGroupId"] = group.into();
            }
            json!({
                "MessageId": message.id,
                "ReceiptHandle": message.receipt,
                "Body": message.body,
                "Attributes": attributes,
            })
        });
        Ok(json!({ "Messages": messages.collect::<Vec<_>>() }))
    }

    fn delete(&self, name: &str, request: &Value) -> Result<Value, Refused> {
        let (id, _) = receipt_in(request)?;
        self.state().delete(name, id);
        Ok(json!({}))
    }

    fn change_visibility(&self, name: &str, request: &Value) -> Result<Value, Refused> {
        let (id, receive) = receipt_in(request)?;
        let Some(wait) = seconds(request, "VisibilityTimeout", VISIBILITY_SECONDS_MAX)? else {
            return Err(Refused::invalid("VisibilityTimeout is missing"));
        };
        match self.show_after(name, id, receive, wait) {
            true => Ok(json!({})),
            false => Err(Refused {
                code: "AWS.SimpleQueueService.MessageNotInflight",
                shape: "MessageNotInflight",
                message: "the message is not in flight by that receipt".into(),
            }),
        }
    }

    fn attributes(&self, name: &str, request: &Value) -> Value {
        let counts = self
            .state()
            .contents(name)
            .map(|contents| contents.counts(self.clock.now()))
            .unwrap_or_default();
        let all = [
            ("ApproximateNumberOfMessages", counts.visible),
            ("ApproximateNumberOfMessagesDelayed", counts.delayed),
            ("ApproximateNumberOfMessagesNotVisible", counts.in_flight),
        ];
        let mut attributes = json!({});
        for (name, count) in all {
            if asks(request, name) {
                attributes[name] = count.to_string().into();
            }
        }
        json!({ "Attributes": attributes })
    }
}

/// The queue that a request is about. Its URL is its name behind any host, so that it can be reached
/// over HTTP too.
pub(in crate::aws) fn name_in(request: &Value) -> &str {
    request["QueueUrl"].as_str().and_then(|url| url.rsplit('/').next()).unwrap_or_default()
}

/// Bytes of the messages in a request or in an answer, by which it is billed.
pub(in crate::aws) fn payload(body: &str) -> usize {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let many = [&body["Entries"], &body["Messages"]].into_iter().filter_map(Value::as_array);
    let given = |message: &Value| message["Body"].as_str().map_or(0, str::len);
    size(&body) + many.flatten().map(|message| size(message) + given(message)).sum::<usize>()
}

fn batch(
    request: &Value,
    leaves_out: bool,
    run: impl Fn(&Value) -> Result<Value, Refused>,
) -> Result<Value, Refused> {
    let entries = request["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    let refused = |code, shape, message: &str| Refused { code, shape, message: message.into() };
    if entries.is_empty() {
        let code = "AWS.SimpleQueueService.EmptyBatchRequest";
        return Err(refused(code, "EmptyBatchRequest", "no entries"));
    }
    if entries.len() > BATCH_MAX {
        let code = "AWS.SimpleQueueService.TooManyEntriesInBatchRequest";
        return Err(refused(code, "TooManyEntriesInBatchRequest", "more than 10 entries"));
    }
    let ids: HashSet<&str> = entries.iter().filter_map(|entry| entry["Id"].as_str()).collect();
    if ids.len() < entries.len() {
        let code = "AWS.SimpleQueueService.BatchEntryIdsNotDistinct";
        return Err(refused(code, "BatchEntryIdsNotDistinct", "two entries have one id"));
    }
    if entries.iter().map(size).sum::<usize>() > BYTES_MAX {
        let code = "AWS.SimpleQueueService.BatchRequestTooLong";
        return Err(refused(code, "BatchRequestTooLong", "more than 1 MiB"));
    }
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (nth, entry) in entries.iter().enumerate() {
        if leaves_out && nth == 0 {
            let (code, message) = ("InternalError", "left out");
            failed.push(json!({
                "Id": entry["Id"], "SenderFault": false, "Code": code, "Message": message,
            }));
            continue;
        }
        match run(entry) {
            Ok(mut done) => {
                done["Id"] = entry["Id"].clone();
                successful.push(done);
            }
            Err(Refused { code, message, .. }) => failed.push(json!({
                "Id": entry["Id"], "SenderFault": true, "Code": code, "Message": message,
            })),
        }
    }
    Ok(json!({ "Successful": successful, "Failed": failed }))
}

/// Seconds from 0 to `most`, where they are given.
fn seconds(request: &Value, name: &str, most: i64) -> Result<Option<SignedDuration>, Refused> {
    match request[name].as_i64() {
        Some(seconds) if (0..=most).contains(&seconds) => {
            Ok(Some(SignedDuration::from_secs(seconds)))
        }
        Some(_) => Err(Refused::invalid(format!("{name} is not within 0 and {most}"))),
        None => Ok(None),
    }
}

fn receipt_in(request: &Value) -> Result<(u64, u32), Refused> {
    let receipt = request["ReceiptHandle"].as_str().unwrap_or_default();
    let name = "ReceiptHandleIsInvalid";
    let message = || format!("no receipt handle: {receipt:?}");
    parse(receipt).ok_or_else(|| Refused { code: name, shape: name, message: message() })
}

/// SQS gives an attribute to those who ask for it only.
fn asks(request: &Value, name: &str) -> bool {
    let lists = [&request["AttributeNames"], &request["MessageSystemAttributeNames"]];
    let mut asked = lists.into_iter().filter_map(Value::as_array).flatten();
    asked.any(|one| one == name || one == "All")
}

/// What counts towards the limit: the body, and names, types and values of the attributes.
fn size(message: &Value) -> usize {
    let length = |value: &Value| value.as_str().map_or(0, str::len);
    let attributes = message["MessageAttributes"].as_object().into_iter().flatten();
    let attributes = attributes.map(|(name, value)| {
        let binary = value["BinaryValue"].as_str().unwrap_or_default();
        let binary = STANDARD.decode(binary).map_or(0, |bytes| bytes.len());
        name.len() + length(&value["DataType"]) + length(&value["StringValue"]) + binary
    });
    length(&message["MessageBody"]) + attributes.sum::<usize>()
}

fn is_group(group: &str) -> bool {
    (1..=GROUP_MAX).contains(&group.len()) && group.chars().all(|c| c.is_ascii_graphic())
}

/// The characters of a message, by the `Char` production of XML 1.0. (AWS: SQS SendMessage.)
fn xml_allows(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
