//! The same AWS over HTTP, for programs that run beside this one.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;

use super::{Aws, Outcome};

impl Aws {
    /// Answers on a listener until the task is dropped. Signatures are not looked at.
    pub async fn serve(&self, listener: TcpListener) -> std::io::Result<()> {
        axum::serve(listener, Router::new().fallback(answer).with_state(self.clone())).await
    }
}

async fn answer(State(aws): State<Aws>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let body = std::str::from_utf8(&body).unwrap_or_default();
    match aws.answer(target.unwrap_or_default(), body) {
        Outcome::Reply(reply) => {
            let status = StatusCode::from_u16(reply.status).unwrap_or_default();
            (status, [(CONTENT_TYPE, "application/x-amz-json-1.0")], reply.body).into_response()
        }
        Outcome::Lost => StatusCode::BAD_GATEWAY.into_response(),
        Outcome::Silence => std::future::pending().await,
    }
}
