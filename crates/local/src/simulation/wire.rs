//! The way to AWS: a handler may die, or another one go on, before a call is applied and after it.
//!
//! Here planted bugs come in, at the boundary of the product, so that it has no place for them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use futures::FutureExt as _;
use serde_json::{Value, json};

use super::calls::{about, leave_out_random};
use super::scene::Scene;
use super::tasks::{Role, Worker, turn};

/// A bug that the relay could have, and that a run must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// fanout puts a delivery `behind` another without the check that this one is still pending.
    BehindWithoutCheck,
    /// deliver writes an attempt before it sends the wake for the next.
    AttemptBeforeWake,
    /// deliver, reading on in a lane, stops at a delivery that is finished.
    WalkToTheNextOnly,
    /// ingest answers before its put is applied.
    AckBeforeStore,
}

/// Where a handler may be when it can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// It has read something, which grows old while it stands still.
    AfterRead,
    /// It has written something, which is half of what it is about should it die.
    AfterWrite,
}

#[derive(Clone)]
pub(super) struct Wire {
    scene: Arc<Scene>,
    mutation: Option<Mutation>,
    /// Calls that have just been applied and are yet to be answered, by worker.
    moments: Arc<Mutex<BTreeMap<u64, Moment>>>,
    /// Calls that were answered and are still to be applied, by worker.
    owed: Arc<Mutex<BTreeMap<u64, Vec<Request>>>>,
}

/// A call, by its target and its body.
#[derive(Clone)]
struct Request {
    target: String,
    body: Value,
}

impl Request {
    fn operation(&self) -> &str {
        self.target.rsplit('.').next().unwrap_or_default()
    }
}

impl Wire {
    pub(super) fn new(scene: Arc<Scene>, mutation: Option<Mutation>) -> Wire {
        Wire { scene, mutation, moments: Arc::default(), owed: Arc::default() }
    }

    pub(super) fn http_client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }

    /// Applies what was answered too early.
    pub(super) fn pay(&self, worker: Worker) {
        for request in self.take_owed(worker) {
            let _ = apply(&self.scene, request).now_or_never();
        }
    }

    /// The worker is gone, and what it owed with it.
    pub(super) fn forget(&self, worker: Worker) {
        self.take_owed(worker);
        self.take_moment(worker);
    }

    /// Where a worker is, which it is about to leave.
    pub(super) fn take_moment(&self, worker: Worker) -> Option<Moment> {
        self.moments.lock().unwrap_or_else(PoisonError::into_inner).remove(&worker.id)
    }

    fn set_moment(&self, worker: Worker, operation: &str) {
        let moment = match operation {
            "Query" | "GetItem" | "BatchGetItem" => Moment::AfterRead,
            _ => Moment::AfterWrite,
        };
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        moments.insert(worker.id, moment);
    }

    fn take_owed(&self, worker: Worker) -> Vec<Request> {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        owed.remove(&worker.id).unwrap_or_default()
    }

    fn answer(&self, worker: Worker, mut request: Request) -> HttpConnectorFuture {
        match (self.mutation, worker.role, request.operation()) {
            (Some(Mutation::BehindWithoutCheck), Role::Fanout, "TransactWriteItems") => {
                let items = request.body["TransactItems"].as_array_mut();
                for update in items.into_iter().flatten().filter_map(|item| item.get_mut("Update"))
                {
                    if update["ExpressionAttributeNames"]["#followed"].is_string() {
                        // Every name must be used.
                        let any = "(#state = :pending OR #state <> :pending)";
                        let checked = update["ConditionExpression"].as_str().unwrap_or_default();
                        update["ConditionExpression"] =
                            checked.replace("#state = :pending", any).into();
                    }
                }
            }
            (Some(Mutation::WalkToTheNextOnly), Role::Deliver, "Query")
                if request.body["FilterExpression"].is_string() =>
            {
                request.body["Limit"] = 1.into();
                return HttpConnectorFuture::new(apply(&self.scene, request).map(without_more));
            }
            (Some(Mutation::AttemptBeforeWake), Role::Deliver, "SendMessage")
            | (Some(Mutation::AckBeforeStore), Role::Ingest, "PutItem") => {
                return HttpConnectorFuture::ready(self.owe(worker, request));
            }
            _ => {}
        }
        apply(&self.scene, request)
    }

    /// Answers a call as if it had been applied.
    fn owe(&self, worker: Worker, request: Request) -> Result<HttpResponse, ConnectorError> {
        let answer = match request.target.ends_with("SendMessage") {
            true => json!({ "MessageId": "0" }),
            false => json!({}),
        };
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        owed.entry(worker.id).or_default().push(request);
        let mut response =
            HttpResponse::new(StatusCode::try_from(200).map_err(other)?, answer.to_string().into());
        response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
        Ok(response)
    }

    fn note(&self, worker: Worker, request: &Request) {
        let operation = request.operation();
        let Worker { id, role } = worker;
        self.scene.count(&format!("calls of {role:?}"));
        let mut body = request.body.clone();
        leave_out_random(&mut body);
        let line = format!("  {role:?} {id}: {operation} {}", about(&body));
        self.scene.note_whole(line, &body.to_string());
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(worker) = self.scene.current() else {
            return self.scene.aws.call(request);
        };
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let request = Request { target, body };
        let wire = self.clone();
        HttpConnectorFuture::new(async move {
            turn().await;
            wire.note(worker, &request);
            let operation = request.operation().to_owned();
            let answer = wire.answer(worker, request).await;
            wire.set_moment(worker, &operation);
            turn().await;
            if operation == "UpdateItem" {
                wire.pay(worker);
            }
            answer
        })
    }
}

fn apply(scene: &Scene, request: Request) -> HttpConnectorFuture {
    let mut http = HttpRequest::new(SdkBody::from(request.body.to_string()));
    http.headers_mut().insert("x-amz-target", request.target);
    scene.aws.call(http)
}

/// An answer that says that there is no more to read.
fn without_more(
    answer: Result<HttpResponse, ConnectorError>,
) -> Result<HttpResponse, ConnectorError> {
    let mut answer = answer?;
    let body = answer.body().bytes().unwrap_or_default();
    let mut body: Value = serde_json::from_slice(body).map_err(other)?;
    if let Some(body) = body.as_object_mut() {
        body.remove("LastEvaluatedKey");
    }
    *answer.body_mut() = SdkBody::from(body.to_string());
    Ok(answer)
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> ConnectorError {
    ConnectorError::other(error.into(), None)
}

/// In place of the SDK's waits between its tries, which have a jitter of their own.
#[derive(Debug)]
pub(super) struct NoWait;

impl AsyncSleep for NoWait {
    fn sleep(&self, _: Duration) -> Sleep {
        Sleep::new(turn())
    }
}
