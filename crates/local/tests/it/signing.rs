//! Signatures of scheme `v1a`, from the API to the endpoint.

use jiff::SignedDuration;
use serde_json::{Value, json};
use simulator::endpoint::{Answer, Endpoint, Received};

use crate::api_tenants::{ask, get};
use crate::stage::{Stage, TENANT, header, state};

const SECOND: SignedDuration = SignedDuration::from_secs(1);

struct Signed {
    stage: Stage,
    endpoint: Endpoint,
    path: String,
    /// The public key that was shown first.
    public: String,
}

/// A second subscription to everything, with `v1a`.
async fn signed() -> Signed {
    let stage = Stage::new(0, None).await;
    let endpoint = Endpoint::start(0, vec![], |_, _| Answer::status(200)).await.unwrap();
    endpoint.ignore_timestamps();
    let wanted = json!({"url": endpoint.url(), "signature": "v1a"});
    let made = ask(&stage, "POST", "/subscriptions", wanted).await.is(201);
    assert_eq!((&made["signature"], &made["signing_secret"]), (&json!("v1a"), &Value::Null));
    let [public] = &keys(&made)[..] else { panic!("{made}") };
    let path = format!("/subscriptions/{}", made["id"].as_str().unwrap());
    Signed { public: public.clone(), stage, endpoint, path }
}

impl Signed {
    async fn rotate(&self, query: &str) -> Value {
        ask(&self.stage, "POST", &format!("{}/secret{query}", self.path), Value::Null).await.is(200)
    }

    /// What the endpoint is told of the order's next event.
    async fn told(&self) -> Received {
        let nth = self.endpoint.received().len() + 1;
        self.stage.post_accepted(&state("FOC", i64::try_from(nth).unwrap())).await;
        self.stage.run_for(SECOND).await;
        let received = self.endpoint.received();
        assert_eq!(received.len(), nth);
        received.last().unwrap().clone()
    }

    /// Whether what the endpoint is told next verifies with this key, and how it is signed.
    async fn verified(&self, key: &str) -> (bool, Vec<String>) {
        self.endpoint.set_secrets(vec![key.to_owned()]);
        let told = self.told().await;
        let entries = header(&told, "webhook-signature");
        let schemes = entries.split(' ').map(|entry| entry.split(',').next().unwrap().to_owned());
        (told.verified.is_ok(), schemes.collect())
    }
}

fn keys(view: &Value) -> Vec<String> {
    let keys = view["public_keys"].as_array().unwrap().iter();
    keys.map(|key| key.as_str().unwrap().to_owned()).collect()
}

fn schemes(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_public_key_verifies_and_is_shown_as_long_as_it_does() {
    let signed = signed().await;
    assert!(signed.public.starts_with("whpk_"));
    assert_eq!(signed.verified(&signed.public).await, (true, schemes(&["v1a"])));

    let rotated = signed.rotate("").await;
    let new = rotated["public_key"].as_str().unwrap().to_owned();
    assert_eq!(rotated["signing_secret"], Value::Null);
    let view = get(&signed.stage, &signed.path).await;
    assert_eq!(keys(&view), [new.clone(), signed.public.clone()]);
    assert_eq!(signed.verified(&signed.public).await, (true, schemes(&["v1a", "v1a"])));
    assert_eq!(signed.verified(&new).await, (true, schemes(&["v1a", "v1a"])));

    signed.stage.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(keys(&get(&signed.stage, &signed.path).await), std::slice::from_ref(&new));
    assert_eq!(signed.verified(&signed.public).await, (false, schemes(&["v1a"])));
    assert_eq!(signed.verified(&new).await, (true, schemes(&["v1a"])));
}

#[tokio::test]
async fn a_subscription_changes_its_scheme_with_its_secret() {
    let signed = signed().await;
    let to = async |signature: Value| {
        let body = json!({"url": signed.endpoint.url(), "signature": signature});
        ask(&signed.stage, "PUT", &signed.path, body).await
    };
    to(json!("v1")).await.is_problem(422, "invalid", Some("signature"));
    assert_eq!(to(json!("v1a")).await.is(200)["signature"], "v1a");
    let kept = to(Value::Null).await.is(200);
    assert_eq!((&kept["signature"], keys(&kept)), (&json!("v1a"), vec![signed.public.clone()]));

    let shared = signed.rotate("?signature=v1").await;
    assert_eq!(shared["public_key"], Value::Null);
    let secret = shared["signing_secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"));
    assert_eq!(get(&signed.stage, &signed.path).await["signature"], "v1");
    assert_eq!(signed.verified(secret).await, (true, schemes(&["v1", "v1a"])));
    assert_eq!(signed.verified(&signed.public).await, (true, schemes(&["v1", "v1a"])));

    let path = format!("{}/secret?signature=v2", signed.path);
    let refused = ask(&signed.stage, "POST", &path, Value::Null).await;
    refused.is_problem(400, "malformed", None);
}

#[tokio::test]
async fn a_private_key_leaves_the_relay_in_no_answer_and_stands_sealed_in_the_table() {
    let signed = signed().await;
    let rotated = signed.rotate("").await;
    let tested = format!("{}/test", signed.path);
    let tested = ask(&signed.stage, "POST", &tested, Value::Null).await.is(200);
    let listed = get(&signed.stage, "/subscriptions").await;
    for answer in [rotated, tested, listed, get(&signed.stage, &signed.path).await] {
        assert!(!answer.to_string().contains("whsk_"), "{answer}");
    }
    let database = signed.stage.dynamodb();
    let table = database.scan().table_name("hookline").send().await.unwrap();
    let mut subscriptions = 0;
    for item in table.items() {
        let is_whole = item.contains_key("secrets");
        subscriptions += usize::from(is_whole && item["tenant"].as_s().unwrap() == TENANT);
        for value in item.values() {
            let bytes = format!("{value:?}");
            assert!(!bytes.contains("whsk_"));
            assert!(!bytes.contains(&format!("{:?}", b"whsk_").replace(['[', ']'], "")));
        }
    }
    assert_eq!(subscriptions, 2);
}
