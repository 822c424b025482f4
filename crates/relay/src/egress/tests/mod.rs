//! What endpoints may do to whoever calls them, done on 127.0.0.1.

mod answers;
mod pins;
mod rebinding;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::address::Policy;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Answer, Egress, Post};

const BODY: &str = "a notification";

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\ntaken";

/// 127.0.0.1 stands for all that is public.
fn policy() -> Policy {
    Policy { networks: vec!["127.0.0.1/32".parse().unwrap()], http: true }
}

/// A server on 127.0.0.1, and how many connections it has taken.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start<F>(handle: impl Fn(TcpStream) -> F + Send + 'static) -> Server
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(handle(stream));
            }
        });
        Server { address, connections }
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/", self.address)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Gives one answer to every request, until the client goes.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &[u8]) {
    while read_request(&mut stream).await {
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

/// Whether a whole request came.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut request = Vec::new();
    while !request.ends_with(BODY.as_bytes()) {
        match stream.read_buf(&mut request).await {
            Ok(0) | Err(_) => return false,
            Ok(_) => {}
        }
    }
    true
}

async fn post(egress: &Egress, url: &str, certificate: Option<&str>) -> Answer {
    egress.post(Post { url, certificate, headers: Vec::new(), body: BODY.into() }).await.unwrap()
}

fn taken() -> Answer {
    Answer { status: Some(200), error: None, text: "taken".into(), retry_after: None }
}
