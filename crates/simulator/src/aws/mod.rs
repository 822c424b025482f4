//! AWS, answered in process behind the real SDK's HTTP client: DynamoDB with the stream of its new
//! items, SQS, and KMS. One clock; faults where a test wants them.

mod faults;
mod journal;
mod kms;
mod meter;
mod partition;
mod queue;
mod serve;
mod stream;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use dynoxide::Database;

use crate::Clock;
use faults::Faults;
use kms::Keys;
use meter::Meter;
use queue::Queues;

pub use faults::{Call, Fault, Service};
pub use meter::Units;
pub use partition::{Load, Partition};
pub use queue::{Message, Queue, QueueSettings};
pub use stream::{Record, Stream};

/// An account and a region of AWS. Clones are one.
#[derive(Clone)]
pub struct Aws(Arc<Inner>);

struct Inner {
    database: Database,
    stream: Stream,
    queues: Queues,
    keys: Keys,
    faults: Faults,
    meter: Meter,
    /// Whether the database's clock is the one that was given.
    sweeps_by_clock: bool,
    /// Of the folder, until all else here is closed.
    _lock: Option<File>,
}

impl Aws {
    /// Keeps everything in memory.
    pub fn memory(clock: Clock) -> anyhow::Result<Aws> {
        let database = Database::memory_with_clock(Arc::new(clock.clone()))
            .context("cannot make a database in memory")?;
        let queues = Queues::new(clock.clone());
        Ok(Aws::new(None, database, Stream::default(), queues, Keys::memory()?, true))
    }

    /// Keeps everything in a folder, over restarts and sudden deaths of the process, not over a loss
    /// of power. An error where somebody else has it open: two would lose what they write.
    pub fn in_folder(folder: &Path, clock: Clock) -> anyhow::Result<Aws> {
        std::fs::create_dir_all(folder).context("cannot make the folder")?;
        let lock = File::create(folder.join("lock")).context("cannot make the lock")?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => anyhow::bail!("somebody else works in the folder"),
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock the folder"),
        }
        let path = folder.join("table.sqlite");
        let path = path.to_str().context("the folder's name is not UTF-8")?;
        let database = Database::new(path).context("cannot open the database")?;
        // What it ends with is `synchronous = NORMAL`: a write waits for the disk only where it brings
        // the log into the file, once in a thousand pages. The stream and the queues never wait, and
        // neither is of use without the other. No second connection may bring the log in: up to SQLite
        // 3.51.2 that can lose what was committed (sqlite.org/wal.html#walresetbug).
        database.disable_bulk_loading().context("cannot set up the database")?;
        let stream = Stream::in_folder(folder, |table, key| table::item(&database, table, key))
            .context("cannot read the stream")?;
        let queues = Queues::in_folder(folder, clock.clone()).context("cannot read the queues")?;
        let keys = Keys::in_folder(folder)?;
        // The database takes a clock in memory only.
        Ok(Aws::new(Some(lock), database, stream, queues, keys, clock.is_system()))
    }

    fn new(
        lock: Option<File>,
        database: Database,
        stream: Stream,
        queues: Queues,
        keys: Keys,
        sweeps_by_clock: bool,
    ) -> Aws {
        let (faults, meter) = (Faults::default(), Meter::default());
        Aws(Arc::new(Inner {
            database,
            stream,
            queues,
            keys,
            faults,
            meter,
            sweeps_by_clock,
            _lock: lock,
        }))
    }

    /// What the SDK's clients are to be configured with.
    pub fn http_client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }

    /// From here on the stream takes new items whose `attribute` starts with one of these.
    pub fn watch(&self, attribute: &str, prefixes: &[&str]) {
        self.0.stream.watch(attribute, prefixes);
    }

    pub fn stream(&self) -> &Stream {
        &self.0.stream
    }

    /// Makes a queue, or changes one's settings; answers its URL.
    pub fn create_queue(&self, name: &str, settings: QueueSettings) -> String {
        self.0.queues.create(name, settings)
    }

    /// A queue, as its poller sees it.
    pub fn queue(&self, name: &str) -> Queue<'_> {
        Queue::new(&self.0.queues, &self.0.meter, name)
    }

    /// Makes a key of KMS that has this alias (`alias/...`), or finds it again; answers its ARN.
    pub fn create_key(&self, alias: &str) -> String {
        self.0.keys.create(alias)
    }

    /// Asks `rule` about every call from here on.
    pub fn inject(&self, rule: impl Fn(&Call) -> Option<Fault> + Send + Sync + 'static) {
        self.0.faults.inject(Arc::new(rule));
    }

    pub fn heal(&self) {
        self.0.faults.heal();
    }

    /// Logs each call from here on, or no more of them. Numbers count on either way.
    pub fn record_calls(&self, on: bool) {
        self.0.faults.record(on);
    }

    /// Counts calls from 1 again and units from 0, and logs each call from here on.
    pub fn reset_calls(&self) {
        self.0.faults.reset();
        self.0.meter.reset();
    }

    /// The calls since [`Aws::reset_calls`] or [`Aws::record_calls`], as far as they are remembered.
    pub fn calls(&self) -> Vec<Call> {
        self.0.faults.log()
    }

    /// What the calls since [`Aws::reset_calls`] are billed by, those of pollers included.
    pub fn units(&self) -> Units {
        self.0.meter.read()
    }

    /// The units of the table and its indexes since [`Aws::reset_calls`], by partition.
    pub fn loads(&self) -> BTreeMap<Partition, Load> {
        self.0.meter.loads()
    }

    /// Drops items past their time to live; answers how many. Not in a folder with a manual clock,
    /// where it would go by another time.
    pub fn sweep_expired(&self) -> anyhow::Result<usize> {
        anyhow::ensure!(self.0.sweeps_by_clock, "a database in a folder has the system's clock");
        table::sweep(&self.0.database)
    }

    /// Answers one request, unless it is to get no answer.
    fn answer(&self, target: &str, body: &str) -> Outcome {
        let Some((prefix, operation)) = target.split_once('.') else {
            return Outcome::Reply(Reply::error(400, "UnknownOperationException", target));
        };
        let service = match prefix {
            "AmazonSQS" => Service::Queue,
            "TrentService" => Service::Key,
            _ => Service::Table,
        };
        let fault = self.0.faults.meet(service, operation, body);
        match (fault, service) {
            (Some(Fault::Silence), _) => return Outcome::Silence,
            (Some(Fault::Refuse), Service::Key) => {
                return Outcome::Reply(Reply::error(500, "KMSInternalException", "refused"));
            }
            (Some(Fault::Refuse), _) => {
                return Outcome::Reply(Reply::error(500, "InternalServerError", "refused"));
            }
            (Some(Fault::Throttle), Service::Table) => {
                let kind = "ProvisionedThroughputExceededException";
                return Outcome::Reply(Reply::error(400, kind, "throttled"));
            }
            (Some(Fault::Throttle), Service::Queue) => {
                let reply = Reply::error(400, "com.amazonaws.sqs#RequestThrottled", "throttled");
                let query_error = Some("RequestThrottled;Sender".into());
                return Outcome::Reply(Reply { query_error, ..reply });
            }
            (Some(Fault::Throttle), Service::Key) => {
                return Outcome::Reply(Reply::error(400, "ThrottlingException", "throttled"));
            }
            (Some(Fault::Conflict), Service::Table) if operation == "TransactWriteItems" => {
                return Outcome::Reply(Reply::cancelled_by_conflict());
            }
            (Some(Fault::Conflict), Service::Table) if operation == "UpdateItem" => {
                return Outcome::Reply(Reply::error(400, "TransactionConflictException", "held"));
            }
            (Some(Fault::Conflict | Fault::LeaveOut | Fault::LoseAnswer) | None, _) => {}
        }
        let reply = match service {
            Service::Table if self.0.faults.records() => {
                let bill = |units, shared| self.0.meter.table(operation, units, shared);
                table::billed(&self.0.database, &self.0.stream, operation, body, bill)
            }
            Service::Table => table::answer(&self.0.database, &self.0.stream, operation, body),
            Service::Queue => {
                let leaves_out = fault == Some(Fault::LeaveOut);
                let reply = self.0.queues.answer(operation, body, leaves_out);
                if self.0.faults.records() {
                    self.0.meter.queue(queue::payload(body).max(queue::payload(&reply.body)));
                }
                reply
            }
            Service::Key => {
                self.0.meter.key();
                self.0.keys.answer(operation, body)
            }
        };
        match fault {
            Some(Fault::LoseAnswer) => Outcome::Lost,
            _ => Outcome::Reply(reply),
        }
    }
}

/// A service's answer.
struct Reply {
    status: u16,
    body: String,
    /// Of SQS: the error by the name that it has in the older protocol, which the SDKs go by.
    query_error: Option<String>,
}

/// What a service that is called by `target` answers in.
fn content_type(target: &str) -> &'static str {
    match target.starts_with("TrentService.") {
        true => "application/x-amz-json-1.1",
        false => "application/x-amz-json-1.0",
    }
}

const QUERY_ERROR: &str = "x-amzn-query-error";

enum Outcome {
    Reply(Reply),
    /// The connection breaks.
    Lost,
    Silence,
}

impl Reply {
    fn ok(body: String) -> Reply {
        Reply { status: 200, body, query_error: None }
    }

    fn error(status: u16, kind: &str, message: &str) -> Reply {
        let body = serde_json::json!({ "__type": kind, "message": message }).to_string();
        Reply { status, body, query_error: None }
    }

    fn cancelled_by_conflict() -> Reply {
        let body = serde_json::json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": "Transaction cancelled",
            "CancellationReasons": [{ "Code": "TransactionConflict", "Message": "held" }],
        });
        Reply { status: 400, body: body.to_string(), query_error: None }
    }
}

impl HttpConnector for Aws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let body = std::str::from_utf8(request.body().bytes().unwrap_or_default());
        match self.answer(target, body.unwrap_or_default()) {
            Outcome::Reply(reply) => HttpConnectorFuture::ready(
                response(target, reply).map_err(|error| ConnectorError::other(error.into(), None)),
            ),
            Outcome::Lost => HttpConnectorFuture::ready(Err(ConnectorError::io(
                "the connection broke before the answer".into(),
            ))),
            Outcome::Silence => HttpConnectorFuture::new(std::future::pending()),
        }
    }
}

fn response(target: &str, reply: Reply) -> anyhow::Result<HttpResponse> {
    let status = StatusCode::try_from(reply.status)?;
    let mut response = HttpResponse::new(status, SdkBody::from(reply.body));
    response.headers_mut().insert("content-type", content_type(target));
    if let Some(query_error) = reply.query_error {
        response.headers_mut().insert(QUERY_ERROR, query_error);
    }
    Ok(response)
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aws")
    }
}
