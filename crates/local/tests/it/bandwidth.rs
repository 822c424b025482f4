//! Bandwidth's API, asked by the relay: what goes out, and what comes of it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::upstream::ApiAccess;
use relay::bandwidth::{self, ANSWER_BYTES_MAX, ASK_TIMEOUT, Ask, AskError};
use reqwest::Method;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::stage::{Stage, UPSTREAM};

/// A server that tells the first line, the credentials and the type of what it is asked.
async fn server() -> (String, mpsc::UnboundedReceiver<String>) {
    let (said, heard) = mpsc::unbounded_channel();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(Arc::new(said));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, heard)
}

async fn answer(
    State(said): State<Arc<mpsc::UnboundedSender<String>>>,
    request: Request,
) -> Response {
    said.send(line(&request)).unwrap();
    let path = request.uri().path().to_owned();
    match path.rsplit('/').next().unwrap() {
        "long" => Body::from(vec![b'a'; ANSWER_BYTES_MAX + 1]).into_response(),
        "hang" => std::future::pending().await,
        "away" => Redirect::to("/elsewhere").into_response(),
        _ => (StatusCode::IM_A_TEAPOT, [("x-a", "b")], request.into_body()).into_response(),
    }
}

fn line(request: &Request) -> String {
    let header = |name: &str| request.headers().get(name).map_or("", |it| it.to_str().unwrap());
    let (basic, content) = (header("authorization"), header("content-type"));
    format!("{} {} {basic} {content}", request.method(), request.uri())
}

async fn access(stage: &Stage, url: &str) -> ApiAccess {
    let password = "open sesame".to_owned().into();
    ApiAccess {
        url: url.into(),
        username: "relay".into(),
        sealed_password: bandwidth::seal(&stage.world.vault, UPSTREAM, &password).await.unwrap(),
        gateway_since: None,
    }
}

fn get(path: &str) -> Ask<'_> {
    Ask { method: Method::GET, path, content_type: None, body: None }
}

#[tokio::test]
async fn a_question_carries_credentials_and_whatever_is_answered_comes_back() {
    let stage = Stage::new(0, None).await;
    let (url, mut heard) = server().await;
    let access = access(&stage, &url).await;
    let path = "/orders?status=x&page=1";
    let content_type = Some("application/xml");
    let ask = Ask { method: Method::POST, path, content_type, body: Some("<Order/>".into()) };
    let answer = stage.world.bandwidth().ask(UPSTREAM, &access, ask).await.unwrap();
    let basic = "Basic cmVsYXk6b3BlbiBzZXNhbWU=";
    let asked = format!("POST /api/accounts/{UPSTREAM}{path} {basic} application/xml");
    assert_eq!(heard.recv().await.unwrap(), asked);
    assert_eq!((answer.status, answer.body.as_slice()), (418, b"<Order/>".as_slice()));
    assert_eq!(answer.headers["x-a"], "b");

    let answer = stage.world.bandwidth().ask(UPSTREAM, &access, get("/away")).await.unwrap();
    assert_eq!(answer.status, 303);
    assert!(heard.recv().await.unwrap().contains("/away"));
    assert!(heard.try_recv().is_err(), "nobody followed");
}

#[tokio::test]
async fn what_is_no_answer_is_an_error_of_its_own() {
    let stage = Stage::new(0, None).await;
    let (url, mut heard) = server().await;
    let bandwidth = stage.world.bandwidth();
    let here = access(&stage, &url).await;
    let error = async |access: &ApiAccess, path: &str| {
        bandwidth.ask(UPSTREAM, access, get(path)).await.unwrap_err()
    };
    assert!(matches!(error(&here, "/long").await, AskError::TooLong));
    heard.recv().await.unwrap();

    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let nobody = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let failed = error(&access(&stage, &nobody).await, "/orders?tn=9195550100").await;
    assert!(matches!(failed, AskError::Connect(_)));
    assert!(!format!("{failed:?}").contains("5550100"), "{failed:?}");

    // Sealed for one upstream, a password opens for no other.
    let other = bandwidth.ask("9900013", &here, get("/orders")).await.unwrap_err();
    assert!(matches!(other, AskError::Vault(_)));
    for url in ["http://10.0.0.1", "https://10.0.0.1", "http://bandwidth.test"] {
        let failed = error(&access(&stage, url).await, "/orders").await;
        assert!(matches!(failed, AskError::Address(_)), "{url}");
    }
    for path in ["/orders/../../1/orders", "/orders/%2e%2e/x", "/a\\b"] {
        assert!(matches!(error(&here, path).await, AskError::Address(_)), "{path}");
    }
    assert!(heard.try_recv().is_err(), "none of it went out");
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_given_up() {
    let stage = Stage::new(0, None).await;
    let (url, mut heard) = server().await;
    let access = access(&stage, &url).await;
    let asked = stage.world.bandwidth().ask(UPSTREAM, &access, get("/hang"));
    let arrived = async {
        heard.recv().await.unwrap();
        // From here on time passes as soon as nobody has anything else to do.
        tokio::time::pause();
        tokio::time::Instant::now()
    };
    let (answer, since) = tokio::join!(asked, arrived);
    assert!(matches!(answer.unwrap_err(), AskError::TimedOut));
    assert!(since.elapsed() <= ASK_TIMEOUT + Duration::from_secs(1));
    assert!(heard.try_recv().is_err(), "it was asked once");
}
