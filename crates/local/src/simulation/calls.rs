//! What a call to AWS says, as far as the seed decides it.

use serde_json::Value;

/// What a call is about, in a few words.
pub(super) fn about(body: &Value) -> String {
    let first = &body["TransactItems"][0];
    let first = first.as_object().and_then(|item| item.values().next()).unwrap_or(body);
    let values = &first["ExpressionAttributeValues"];
    let keys =
        [&first["Key"]["pk"], &first["Key"]["sk"], &first["Item"]["pk"], &first["Item"]["sk"]];
    let values = [":pk", ":lane", ":key", ":partition"].map(|name| &values[name]);
    let texts = keys.into_iter().chain(values).filter_map(|value| value["S"].as_str());
    let message = body["MessageBody"].as_str();
    let delay = body["DelaySeconds"].as_i64().map(|seconds| format!("in {seconds} s"));
    let words = texts.chain(message.filter(|body| body.len() < 300)).map(str::to_owned);
    words.chain(delay).collect::<Vec<_>>().join(" ")
}

/// Drops what the system's entropy went into: the SDK's tokens, secrets, what keys sealed, and ids.
pub(super) fn leave_out_random(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for random in
                ["ClientRequestToken", "secrets", "wrapped", "CiphertextBlob", "password_sha256"]
            {
                fields.remove(random);
            }
            fields.values_mut().for_each(leave_out_random);
        }
        Value::Array(values) => values.iter_mut().for_each(leave_out_random),
        Value::String(text) => {
            // A message is a text in which there is another.
            if let Ok(mut inner @ Value::Object(_)) = serde_json::from_str(text) {
                leave_out_random(&mut inner);
                *text = inner.to_string();
            }
            leave_out_ids(text);
        }
        _ => {}
    }
}

/// Drops ids that the relay made up. Those of orders begin with zeros.
fn leave_out_ids(text: &mut String) {
    const LENGTH: usize = 36;
    let is_id = |text: &str| {
        let shape = text.bytes().enumerate().all(|(n, byte)| match n {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
        shape && !text.starts_with("00000000-")
    };
    let mut from = 0;
    while let Some(dash) = text[from..].find('-') {
        let start = (from + dash).saturating_sub(8);
        if text.get(start..start + LENGTH).is_some_and(is_id) {
            text.replace_range(start..start + LENGTH, "");
            from = start;
        } else {
            from += dash + 1;
        }
    }
}
