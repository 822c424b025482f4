//! Endpoints whose certificate their tenant has named.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::delivery::ErrorClass;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::{Answer, Egress, OK, Server, answer, policy, post, taken};
use crate::egress::{PINNED_CLIENTS_MAX, Way};

/// A certificate that its owner has signed itself, and that names another host.
struct Identity {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Identity {
    fn new() -> Identity {
        let key = KeyPair::generate().unwrap();
        let names = CertificateParams::new(["elsewhere.example".to_owned()]).unwrap();
        Identity { certificate: names.self_signed(&key).unwrap().der().clone(), key }
    }

    /// As a tenant gives it.
    fn pin(&self) -> String {
        STANDARD.encode(&self.certificate)
    }
}

#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// Shows a certificate, and signs with a key that need not be its own.
async fn server(
    certificate: &CertificateDer<'static>,
    key: &KeyPair,
    versions: &[&'static rustls::SupportedProtocolVersion],
    said: &'static str,
) -> Server {
    let provider = Arc::new(ring::default_provider());
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = provider.key_provider.load_private_key(key).unwrap();
    let shown = Shown(Arc::new(CertifiedKey::new(vec![certificate.clone()], key)));
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Server::start(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                answer(stream, said.as_bytes()).await;
            }
        }
    })
    .await
}

async fn server_of(identity: &Identity, said: &'static str) -> Server {
    server(&identity.certificate, &identity.key, rustls::ALL_VERSIONS, said).await
}

#[tokio::test]
async fn only_the_pinned_certificate_is_accepted() {
    let (own, other) = (Identity::new(), Identity::new());
    let server = server_of(&own, OK).await;
    let egress = Egress::new(policy()).unwrap();
    let url = server.url("https");
    assert_eq!(post(&egress, &url, Some(&own.pin())).await, taken());
    let refused = Answer::none(ErrorClass::Tls);
    assert_eq!(post(&egress, &url, Some(&other.pin())).await, refused, "another certificate");
    assert_eq!(post(&egress, &url, None).await, refused, "self-signed, without a pin");
    assert_eq!(post(&egress, &url, Some(&own.pin())).await, taken());
}

#[tokio::test]
async fn to_show_the_pinned_certificate_is_not_enough() {
    let (own, thief) = (Identity::new(), Identity::new());
    let egress = Egress::new(policy()).unwrap();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let honest = server(&own.certificate, &own.key, &[version], OK).await;
        assert_eq!(post(&egress, &honest.url("https"), Some(&own.pin())).await, taken());
        let forged = server(&own.certificate, &thief.key, &[version], OK).await;
        let answer = post(&egress, &forged.url("https"), Some(&own.pin())).await;
        assert_eq!(answer, Answer::none(ErrorClass::Tls), "{version:?}");
    }
}

#[tokio::test]
async fn connections_to_a_pinned_endpoint_are_used_again() {
    let own = Identity::new();
    let server = server_of(&own, OK).await;
    let egress = Egress::new(policy()).unwrap();
    for _ in 0..3 {
        assert_eq!(post(&egress, &server.url("https"), Some(&own.pin())).await, taken());
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_pinned_endpoint_is_guarded_like_any_other() {
    let own = Identity::new();
    let moved = "HTTP/1.1 307 Moved\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
    let server = server_of(&own, moved).await;
    let egress = Egress::new(policy()).unwrap();
    let answer = post(&egress, &server.url("https"), Some(&own.pin())).await;
    assert_eq!((answer.status, answer.error), (Some(307), Some(ErrorClass::Redirect)));

    let strict = Egress::new(domain::address::Policy::default()).unwrap();
    let answer = post(&strict, &server.url("https"), Some(&own.pin())).await;
    assert_eq!((answer.status, answer.error), (None, Some(ErrorClass::Address)));

    let answer = post(&egress, &server.url("http"), Some(&own.pin())).await;
    assert_eq!(answer.error, Some(ErrorClass::Address), "a pin needs TLS");
    let answer = post(&egress, &server.url("https"), Some("bm9uc2Vuc2U=")).await;
    assert_eq!(answer.error, Some(ErrorClass::Tls), "no certificate at all");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn as_many_pinned_clients_are_kept_as_there_may_be() {
    let egress = Egress::new(policy()).unwrap();
    let pins: Vec<_> = (0..=PINNED_CLIENTS_MAX).map(|_| Identity::new().pin()).collect();
    let way = egress.way();
    let known = |way: &Way| {
        way.pinned.lock().unwrap().iter().map(|(pin, _)| pin.clone()).collect::<Vec<_>>()
    };
    for pin in &pins[..PINNED_CLIENTS_MAX] {
        way.pinned(pin).unwrap();
    }
    way.pinned(&pins[0]).unwrap();
    way.pinned(&pins[PINNED_CLIENTS_MAX]).unwrap();
    let known_now = known(&way);
    assert_eq!(known_now.len(), PINNED_CLIENTS_MAX);
    assert!(known_now.contains(&pins[0]) && !known_now.contains(&pins[1]), "the oldest goes");

    egress.allow(&["10.1.0.0/16".parse().unwrap()]).unwrap();
    assert_eq!(known(&egress.way()).len(), 0, "they would keep connections that were allowed");
}
