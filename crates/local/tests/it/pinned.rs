//! Subscriptions that name their endpoint's certificate, from either API to the endpoint.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::api_tenants::{ask, get};
use crate::stage::{Stage, state};

/// Starts an endpoint with a certificate that it has signed itself. Answers its URL, and the
/// certificate as tenants give it.
async fn endpoint() -> (String, String) {
    let identity = rcgen::generate_simple_self_signed(["elsewhere.example".to_owned()]).unwrap();
    let certificate = CertificateDer::from(identity.cert.der().to_vec());
    let pin = STANDARD.encode(&certificate);
    let key = PrivatePkcs8KeyDer::from(identity.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = Vec::new();
            while !String::from_utf8_lossy(&request).contains("</Notification>") {
                assert!(stream.read_buf(&mut request).await.unwrap() > 0);
            }
            let _ = stream.write_all(b"HTTP/1.1 204 Taken\r\nconnection: close\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    });
    (url, pin)
}

/// What came of an event, by subscription.
async fn outcome(stage: &Stage, subscription: &str) -> Value {
    stage.post_accepted(&state("FOC", 1)).await;
    stage.run_for(SignedDuration::from_secs(1)).await;
    let listed = get(stage, "/notifications").await;
    let id = listed["items"][0]["id"].as_str().unwrap().replace('#', "%23");
    let shown = get(stage, &format!("/notifications/{id}")).await;
    let deliveries = shown["deliveries"].as_array().unwrap();
    let own = deliveries.iter().find(|one| one["subscription"] == subscription).unwrap();
    own["attempts"][0].clone()
}

async fn made(stage: &Stage, body: Value) -> String {
    let made = ask(stage, "POST", "/subscriptions", body).await.is(201);
    made["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_delivery_reaches_the_endpoint_that_shows_the_pinned_certificate() {
    let stage = Stage::new(0, None).await;
    let (url, certificate) = endpoint().await;
    let body = json!({"url": url, "certificate": certificate});
    let id = made(&stage, body.clone()).await;
    let path = format!("/subscriptions/{id}");
    assert_eq!(get(&stage, &path).await["certificate"], certificate);
    let attempt = outcome(&stage, &id).await;
    assert_eq!((&attempt["status"], &attempt["error"]), (&json!(204), &Value::Null));

    let test = format!("{path}/test");
    assert_eq!(ask(&stage, "POST", &test, Value::Null).await.is(200)["succeeded"], true);
    let without = ask(&stage, "PUT", &path, json!({"url": url})).await.is(200);
    assert_eq!(without["certificate"], Value::Null);
    let tested = ask(&stage, "POST", &test, Value::Null).await.is(200);
    assert_eq!(tested["error"], "tls", "no public authority has signed it");
}

#[tokio::test]
async fn a_delivery_does_not_reach_an_endpoint_with_another_certificate() {
    let stage = Stage::new(0, None).await;
    let ((url, _), (_, other)) = (endpoint().await, endpoint().await);
    let id = made(&stage, json!({"url": url, "certificate": other})).await;
    let attempt = outcome(&stage, &id).await;
    assert_eq!((&attempt["status"], &attempt["error"]), (&Value::Null, &json!("tls")));
}

#[tokio::test]
async fn a_certificate_needs_https() {
    let stage = Stage::new(0, None).await;
    let (_, certificate) = endpoint().await;
    let body = json!({"url": "http://127.0.0.1:9999/", "certificate": certificate});
    let refused = ask(&stage, "POST", "/subscriptions", body).await;
    refused.is_problem(422, "invalid", Some("certificate"));
}
