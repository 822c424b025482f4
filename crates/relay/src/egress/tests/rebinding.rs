//! Names that change their minds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::delivery::ErrorClass;

use super::{Egress, OK, Server, answer, policy, post, taken};

const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Not allowed here, and so as good as any address of a private network.
const PRIVATE: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

const CLOSING: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\ntaken";

/// What each look-up answers, the last one for ever, and how many there were.
fn resolving(answers: &'static [&'static [IpAddr]]) -> (Egress, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let look_up = move |name: String| -> futures::future::BoxFuture<'static, _> {
        assert_eq!(name, "endpoint.example");
        let nth = counted.fetch_add(1, Ordering::SeqCst);
        let found = answers[nth.min(answers.len() - 1)];
        Box::pin(async move { Ok(found.iter().map(|ip| (*ip, 0).into()).collect()) })
    };
    (Egress::resolving(policy(), Arc::new(look_up)).unwrap(), count)
}

async fn server(said: &'static str) -> (Server, String) {
    let server = Server::start(move |stream| answer(stream, said.as_bytes())).await;
    let url = format!("http://endpoint.example:{}/", server.address.port());
    (server, url)
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_connected_to() {
    let (server, url) = server(CLOSING).await;
    let (egress, look_ups) = resolving(&[&[PUBLIC], &[PRIVATE], &[PUBLIC]]);
    assert_eq!(post(&egress, &url, None).await, taken());
    assert_eq!(look_ups.load(Ordering::SeqCst), 1, "a second one could say something else");
    let refused = post(&egress, &url, None).await;
    assert_eq!((refused.status, refused.error), (None, Some(ErrorClass::Address)));
    assert_eq!(refused.text, "the address is not public (loopback)");
    assert_eq!(post(&egress, &url, None).await, taken());
    assert_eq!((look_ups.load(Ordering::SeqCst), server.connections()), (3, 2));
}

#[tokio::test]
async fn of_several_addresses_only_those_are_tried_that_are_allowed() {
    let (server, url) = server(OK).await;
    let (egress, _) = resolving(&[&[PRIVATE, PUBLIC, PRIVATE]]);
    assert_eq!(post(&egress, &url, None).await, taken());
    assert_eq!(server.connections(), 1);
    let (egress, _) = resolving(&[&[]]);
    assert_eq!(post(&egress, &url, None).await.error, Some(ErrorClass::Dns));
}

#[tokio::test]
async fn a_connection_that_is_kept_stays_where_it_was_checked() {
    let (server, url) = server(OK).await;
    let (egress, look_ups) = resolving(&[&[PUBLIC], &[PRIVATE]]);
    for _ in 0..3 {
        assert_eq!(post(&egress, &url, None).await, taken());
    }
    assert_eq!((look_ups.load(Ordering::SeqCst), server.connections()), (1, 1));
}
