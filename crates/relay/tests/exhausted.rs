//! A machine that has run out of sockets. It is a whole process for itself.

use std::net::Ipv4Addr;

use domain::address::Policy;
use relay::egress::{Answer, Egress, EgressError, Post};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

async fn post(egress: &Egress, url: &str) -> Result<Answer, EgressError> {
    egress.post(Post { url, certificate: None, headers: Vec::new(), body: "{}".into() }).await
}

#[tokio::test]
async fn no_socket_to_be_had_is_no_answer_of_the_endpoint() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.read_u8().await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await.unwrap();
        }
    });
    let policy = Policy { networks: vec!["127.0.0.0/8".parse().unwrap()], http: true };
    let egress = Egress::new(policy).unwrap();
    let (by_address, by_name) =
        (format!("http://127.0.0.1:{port}/"), format!("http://localhost:{port}/"));
    for url in [&by_address, &by_name] {
        assert_eq!(post(&egress, url).await.unwrap().status, Some(200), "{url}");
    }

    let all = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..all }).unwrap();
    let (address, name) = (post(&egress, &by_address).await, post(&egress, &by_name).await);
    setrlimit(Resource::Nofile, all).unwrap();

    for failed in [address, name] {
        assert!(matches!(failed, Err(EgressError::Exhausted(_))), "{failed:?}");
    }
    assert_eq!(post(&egress, &by_address).await.unwrap().status, Some(200));
}
