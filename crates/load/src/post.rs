//! Posts the messages of a run, on connections that are kept.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use futures::future::{join, try_join_all};
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior};

use crate::figures::marker;
use crate::{MESSAGES_MAX, Run, Shared};

/// How often an open loop looks what is due: well below what it measures.
const TICK: Duration = Duration::from_millis(1);

/// Posts until the run's time is over; answers when the last answer has come.
pub(crate) async fn all(run: &Run, notes: &Shared) -> anyhow::Result<()> {
    let target = Target::of(run)?;
    let end = Instant::now() + Duration::try_from_secs_f64(run.seconds)?;
    let due = Due { open: Semaphore::new(0), all: Cell::new(None) };
    let workers = (0..run.connections).map(|_| work(&target, run, notes, &due, end));
    let (worked, ()) = join(try_join_all(workers), release(run, &due, end)).await;
    worked.map(drop)
}

/// How many messages are due that nobody has begun to post; and once no more become due, how many there
/// were in all.
struct Due {
    open: Semaphore,
    all: Cell<Option<usize>>,
}

/// Lets messages become due by the clock, whatever the answers.
async fn release(run: &Run, due: &Due, end: Instant) {
    let Some(rate) = run.rate else { return };
    let began = Instant::now();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut released = 0;
    while Instant::now() < end {
        let so_far = (began.elapsed().as_secs_f64() * rate) as usize;
        due.open.add_permits(so_far - released);
        released = so_far;
        ticks.tick().await;
    }
    due.all.set(Some(released));
    // Whoever waits comes to see that there is nothing more.
    due.open.add_permits(run.connections);
}

async fn work(
    target: &Target,
    run: &Run,
    notes: &Shared,
    due: &Due,
    end: Instant,
) -> anyhow::Result<()> {
    let mut connection = None;
    let most = run.most.min(MESSAGES_MAX);
    while notes.borrow().count() < most {
        if run.rate.is_some() {
            due.open.acquire().await?.forget();
            // What was due before the end is posted, however late.
            if due.all.get().is_some_and(|all| notes.borrow().count() >= all) {
                break;
            }
        } else if Instant::now() >= end {
            break;
        }
        let number = notes.borrow_mut().sent(run.rate);
        let accepted = match post(target, &mut connection, number).await {
            Ok(accepted) => accepted,
            Err(_) => {
                connection = None;
                false
            }
        };
        notes.borrow_mut().answered(number, accepted);
    }
    Ok(())
}

async fn post(
    target: &Target,
    connection: &mut Option<SendRequest<Full<Bytes>>>,
    number: usize,
) -> anyhow::Result<bool> {
    let sender = match connection {
        Some(sender) => sender,
        None => connection.insert(target.connect().await?),
    };
    sender.ready().await?;
    let answer = sender.send_request(target.request(number)?).await?;
    let accepted = answer.status().is_success();
    answer.into_body().collect().await?;
    Ok(accepted)
}

/// Where a run posts what.
struct Target {
    address: SocketAddr,
    uri: Uri,
    headers: Vec<(String, String)>,
    body: String,
    first_time: Timestamp,
}

impl Target {
    fn of(run: &Run) -> anyhow::Result<Target> {
        let uri: Uri = run.url.parse().context("the URL cannot be read")?;
        let authority = uri.authority().context("the URL has no host")?.as_str();
        let address: SocketAddr = authority.parse().context("the host is no address with port")?;
        anyhow::ensure!(address.ip().is_loopback(), "{address} is not on this machine");
        anyhow::ensure!(uri.scheme_str() == Some("http"), "the URL is not http");
        Ok(Target {
            address,
            headers: run.headers.clone(),
            body: run.body.clone(),
            first_time: now(),
            uri,
        })
    }

    async fn connect(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::task::spawn_local(async move { drop(connection.await) });
        Ok(sender)
    }

    fn request(&self, number: usize) -> anyhow::Result<Request<Full<Bytes>>> {
        let time = self.first_time + SignedDuration::from_millis(i64::try_from(number)?);
        let (marker, time) = (marker(number), written(time));
        let fill = |text: &str| text.replace("{n}", &marker).replace("{time}", &time);
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::post(fill(path)).header("host", self.address.to_string());
        for (name, value) in &self.headers {
            request = request.header(name, fill(value));
        }
        Ok(request.body(Full::from(fill(&self.body)))?)
    }
}

#[expect(clippy::disallowed_methods, reason = "load keeps to the real time")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// With milliseconds always.
fn written(time: Timestamp) -> String {
    format!("{time:.3}")
}
