//! The endpoint: notes what arrives and answers 200 at once; below `/hang` it never answers, and below
//! `/fail` with 500.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::Shared;

const HANG: &str = "/hang";
const FAIL: &str = "/fail";

pub(crate) async fn start(listen: SocketAddr, notes: Shared) -> anyhow::Result<SocketAddr> {
    anyhow::ensure!(listen.ip().is_loopback(), "{listen} is not on this machine");
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A small answer is not to wait for more.
            let _ = stream.set_nodelay(true);
            let notes = notes.clone();
            let service = service_fn(move |request| take(request, notes.clone()));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // One that breaks is the relay's affair: what it had to say comes again, or is missing.
            tokio::task::spawn_local(async move { drop(connection.await) });
        }
    });
    Ok(address)
}

async fn take(
    request: Request<Incoming>,
    notes: Shared,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    if request.uri().path().starts_with(HANG) {
        std::future::pending::<()>().await;
    }
    let mut answer = Response::new(Empty::new());
    if request.uri().path().starts_with(FAIL) {
        *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return Ok(answer);
    }
    if let Ok(body) = request.into_body().collect().await {
        notes.borrow_mut().delivered(&body.to_bytes());
    }
    Ok(answer)
}
