//! Runs a world in the background, behind a listener, until it is told to stop.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use relay::fanout;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::world::{ASIDE, INBOX, WAKES, World};

/// Wakes worked on at once. Each holds a connection at most, and an endpoint that hangs holds one
/// for the time limit of a POST.
const WAKES_AT_ONCE: usize = 256;

/// The same of endpoints that ail, which have places of their own.
const ASIDE_AT_ONCE: usize = 128;

/// Wakes taken off the queue at once.
const WAKE_BATCH: u32 = 10;

const SCHEDULE_EVERY: Duration = Duration::from_secs(60);

/// What has expired is dropped as often. It reads the whole table; DynamoDB takes days.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

/// Before a stream batch that failed is given again.
const STREAM_PAUSE: Duration = Duration::from_millis(200);

/// A world that is running.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Running {
    /// Takes nothing new, finishes what has begun, and stops. What waits is kept by the AWS below.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Starts the listener and the pollers.
pub async fn serve(world: World, listen: SocketAddr) -> anyhow::Result<Running> {
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();

    // As it is, each connection would have all routes to itself, which is 700 KB.
    let router = world.router().into_make_service();
    let server = axum::serve(listener, router).with_graceful_shutdown(told(stopped.clone()));
    tasks.spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(?error, "the listener broke off");
        }
    });
    tasks.spawn(fan_out(world.clone(), stopped.clone()));
    tasks.spawn(take_in(world.clone(), stopped.clone()));
    tasks.spawn(run_schedule(world.clone(), stopped.clone()));
    tasks.spawn(sweep(world.clone(), stopped.clone()));
    tasks.spawn(deliver(world.clone(), WAKES, WAKES_AT_ONCE, stopped.clone()));
    tasks.spawn(deliver(world, ASIDE, ASIDE_AT_ONCE, stopped));
    Ok(Running { address, stop, tasks })
}

async fn fan_out(world: World, stopped: watch::Receiver<bool>) {
    let first = || world.aws.stream().first();
    while unless(&stopped, world.aws.stream().ready()).await {
        let before = first();
        fan_out_batch(&world).await;
        if before.is_some() && before == first() {
            pause(STREAM_PAUSE).await;
        }
    }
}

/// Gives fanout one batch of the stream, each shard on whichever thread is free.
async fn fan_out_batch(world: &World) {
    let Some(batch) = world.stream_batch() else { return };
    let mut running = JoinSet::new();
    for shard in batch.shards {
        let fanout = world.fanout.clone();
        running.spawn(async move { fanout::batch(&fanout, shard).await });
    }
    let mut failed = Vec::new();
    while let Some(done) = running.join_next().await {
        match done {
            Ok(of_shard) => failed.extend(of_shard),
            Err(error) => {
                tracing::error!(?error, "fanning out broke off, and the batch is given again");
                return;
            }
        }
    }
    world.finish_batch(batch.last, &failed);
}

async fn take_in(world: World, stopped: watch::Receiver<bool>) {
    while unless(&stopped, world.aws.queue(INBOX).ready()).await {
        world.inbox_batch().await;
    }
}

async fn run_schedule(world: World, stopped: watch::Receiver<bool>) {
    let mut minute = tokio::time::interval(SCHEDULE_EVERY);
    minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while unless(&stopped, async { _ = minute.tick().await }).await {
        world.run_schedule().await;
    }
}

/// Drops what has expired, beside everything else.
async fn sweep(world: World, stopped: watch::Receiver<bool>) {
    let first = tokio::time::Instant::now() + SWEEP_EVERY;
    let mut hour = tokio::time::interval_at(first, SWEEP_EVERY);
    while unless(&stopped, async { _ = hour.tick().await }).await {
        let aws = world.aws.clone();
        let swept = tokio::task::spawn_blocking(move || aws.sweep_expired()).await;
        match swept {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(?error, "what has expired could not be dropped"),
            Err(error) => tracing::error!(?error, "dropping what has expired broke off"),
        }
    }
}

/// Works on many wakes at once, and at the end finishes those it has begun.
async fn deliver(
    world: World,
    queue: &'static str,
    at_once: usize,
    stopped: watch::Receiver<bool>,
) {
    let (world, places) = (Arc::new(world), Arc::new(Semaphore::new(at_once)));
    let mut running = JoinSet::new();
    while unless(&stopped, world.aws.queue(queue).ready()).await {
        let Ok(mut free) = places.clone().acquire_many_owned(WAKE_BATCH).await else { break };
        for message in world.receive_wakes(queue, WAKE_BATCH as usize) {
            let (world, place) = (world.clone(), free.split(1));
            running.spawn(async move {
                world.handle_wake(queue, &message).await;
                drop(place);
            });
        }
        while running.try_join_next().is_some() {}
    }
    while running.join_next().await.is_some() {}
}

/// Waits for `ready`; false when it is time to stop first.
async fn unless(stopped: &watch::Receiver<bool>, ready: impl Future<Output = ()>) -> bool {
    tokio::select! {
        biased;
        () = told(stopped.clone()) => false,
        () = ready => true,
    }
}

async fn told(mut stopped: watch::Receiver<bool>) {
    // An error means that whoever could tell has gone.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "a poller's pause, as Lambda's between failed batches"
)]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
