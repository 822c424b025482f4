//! The same AWS over HTTP, for programs that run beside this one.

use std::io;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use tokio::net::TcpListener;

use super::{Aws, Outcome, QUERY_ERROR, content_type};

/// The largest request of DynamoDB, a batch of writes.
const REQUEST_BYTES_MAX: usize = 16 * 1024 * 1024;

impl Aws {
    /// Answers on a listener until the task is dropped. Signatures are not looked at.
    pub async fn serve(&self, listener: TcpListener) -> io::Result<()> {
        let router = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
            .with_state(self.clone());
        axum::serve(listener, router).await
    }
}

async fn answer(State(aws): State<Aws>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let target = target.unwrap_or_default();
    let body = std::str::from_utf8(&body).unwrap_or_default();
    match aws.answer(target, body) {
        Outcome::Reply(reply) => {
            let status = StatusCode::from_u16(reply.status).unwrap_or_default();
            let mut response = (status, [(header::CONTENT_TYPE, content_type(target))], reply.body)
                .into_response();
            if let Some(Ok(query_error)) = reply.query_error.map(TryInto::try_into) {
                response.headers_mut().insert(QUERY_ERROR, query_error);
            }
            response
        }
        // The connection breaks where the body should begin: a status would be an answer.
        Outcome::Lost => Response::new(Body::from_stream(stream::once(async {
            Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionAborted))
        }))),
        Outcome::Silence => std::future::pending().await,
    }
}
