//! The functions, the table and the queues, and Lambda's pollers one batch at a time.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::retry::RetryPartition;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use axum::Router;
use domain::address::Policy;
use jiff::{SignedDuration, Timestamp};
use relay::api::{self, Api};
use relay::bandwidth::Bandwidth;
use relay::deliver::{self, Deliver, Places};
use relay::egress::Egress;
use relay::fanout::{self, Fanout, Record};
use relay::inbox::{self, Inbox};
use relay::ingest::{self, Ingest};
use relay::reconcile::Reconcile;
use relay::schedule::{self, Schedule};
use relay::store::Store;
use relay::store::key::{EVENT_PREFIX, SNAPSHOT_PREFIX};
use relay::subscriptions::Subscriptions;
use relay::vault::Vault;
use relay::{Clock, Dice, queue};
use serde_json::Value;
use simulator::aws::{Aws, Message, QueueSettings};

use crate::table;

/// Names of the queues.
pub const WAKES: &str = "hookline-wakes";
/// Wakes for endpoints that ail.
pub const ASIDE: &str = "hookline-aside";
pub const WAKES_DEAD: &str = "hookline-wakes-dead";
pub const INBOX: &str = "hookline-inbox";
pub const INBOX_DEAD: &str = "hookline-inbox-dead";

/// Alias of the key of KMS that wraps data keys.
const KEY: &str = "alias/hookline";

/// As in template.yaml: six times what the function may take, and a day of receives.
pub const WAKE_VISIBILITY: SignedDuration = SignedDuration::from_secs(360);
pub const WAKE_RECEIVES_MAX: u32 = 240;
pub const INBOX_VISIBILITY: SignedDuration = SignedDuration::from_secs(180);
pub const INBOX_RECEIVES_MAX: u32 = 480;

/// What one run of deliver may take, as in template.yaml.
pub const RUN_TIME: SignedDuration = SignedDuration::from_secs(60);

/// Records that one run of fanout gets, as in template.yaml.
pub const STREAM_BATCH: usize = 25;

/// Shards of the stream: as many as a new table has on AWS.
const SHARDS: usize = 4;

/// The SDK's own wait before it repeats a call: there is no network between us and this AWS.
const RETRY_BACKOFF: Duration = Duration::from_millis(1);

/// How many were made in this process.
static WORLDS: AtomicU64 = AtomicU64::new(0);

/// The relay and what it stands on. Making a second one on the same AWS is what a deployment is:
/// whatever a process remembered is gone.
#[derive(Clone)]
pub struct World {
    pub aws: Aws,
    pub clock: simulator::Clock,
    pub store: Store,
    pub vault: Vault,
    pub subscriptions: Subscriptions,
    pub ingest: Ingest,
    pub inbox: Inbox,
    pub fanout: Fanout,
    pub deliver: Deliver,
    pub schedule: Schedule,
    pub api: Api,
}

/// Records of the stream, by shard.
pub(crate) struct Batch {
    /// Those that have records.
    pub(crate) shards: Vec<Vec<Record>>,
    /// The sequence of the last record.
    pub(crate) last: u64,
    count: usize,
}

impl World {
    pub async fn new(aws: Aws, clock: simulator::Clock, dice: Dice) -> anyhow::Result<World> {
        let sdk = sdk_config(aws.http_client());
        World::with(aws, clock, dice, Egress::new(loopback())?, &sdk).await
    }

    /// The same, reaching AWS by `sdk` and endpoints by `egress`.
    pub(crate) async fn with(
        aws: Aws,
        clock: simulator::Clock,
        dice: Dice,
        egress: Egress,
        sdk: &SdkConfig,
    ) -> anyhow::Result<World> {
        aws.watch("sk", &[EVENT_PREFIX, SNAPSHOT_PREFIX]);
        let wakes = queue(&aws, WAKES, WAKES_DEAD, WAKE_VISIBILITY, WAKE_RECEIVES_MAX);
        let aside = queue(&aws, ASIDE, WAKES_DEAD, WAKE_VISIBILITY, WAKE_RECEIVES_MAX);
        let arrivals = queue(&aws, INBOX, INBOX_DEAD, INBOX_VISIBILITY, INBOX_RECEIVES_MAX);
        // The SDK's retries are rationed for each process. Worlds share one, and are not to meet in it.
        let rations = RetryPartition::new(format!("world-{}", WORLDS.fetch_add(1, Relaxed)));
        let dynamodb = aws_sdk_dynamodb::config::Builder::from(sdk);
        let dynamodb = dynamodb.retry_partition(rations.clone()).allow_no_auth().build();
        let dynamodb = aws_sdk_dynamodb::Client::from_conf(dynamodb);
        Box::pin(table::create(&dynamodb)).await?;
        let sqs = aws_sdk_sqs::config::Builder::from(sdk);
        let sqs = sqs.retry_partition(rations.clone()).allow_no_auth().build();
        let sqs = aws_sdk_sqs::Client::from_conf(sqs);

        let now = {
            let clock = clock.clone();
            Clock::new(move || clock.now())
        };
        let store = Store::new(dynamodb, table::TABLE, now.clone());
        aws.create_key(KEY);
        let kms = aws_sdk_kms::config::Builder::from(sdk);
        let kms = kms.retry_partition(rations).allow_no_auth().build();
        let kms = aws_sdk_kms::Client::from_conf(kms);
        let vault = Vault::new(kms, KEY, store.clone());
        let wakes = queue::Wakes::new(sqs.clone(), wakes).with_aside(aside);
        let arrivals = queue::Inbox::new(sqs, arrivals);
        let subscriptions = Subscriptions::new(store.clone(), vault.clone(), now.clone());
        let bandwidth =
            Bandwidth { store: store.clone(), vault: vault.clone(), egress: egress.clone() };
        Ok(World {
            ingest: Ingest { store: store.clone(), inbox: arrivals, clock: now.clone() },
            inbox: Inbox { store: store.clone() },
            fanout: Fanout { store: store.clone(), wakes: wakes.clone(), clock: now.clone() },
            deliver: Deliver {
                store: store.clone(),
                subscriptions: subscriptions.clone(),
                wakes: wakes.clone(),
                egress: egress.clone(),
                places: Places::default(),
                clock: now.clone(),
                dice,
            },
            api: Api {
                store: store.clone(),
                subscriptions: subscriptions.clone(),
                vault: vault.clone(),
                wakes: wakes.clone(),
                egress,
                clock: now.clone(),
            },
            schedule: Schedule {
                store: store.clone(),
                wakes,
                reconcile: Reconcile { bandwidth, clock: now.clone() },
                clock: now,
            },
            store,
            vault,
            subscriptions,
            aws,
            clock,
        })
    }

    /// The time, as the relay tells it.
    pub fn relay_clock(&self) -> &Clock {
        &self.deliver.clock
    }

    /// What asks Bandwidth.
    pub fn bandwidth(&self) -> &Bandwidth {
        &self.schedule.reconcile.bandwidth
    }

    /// What listens to the outside.
    pub fn router(&self) -> Router {
        ingest::router(self.ingest.clone()).merge(api::router(self.api.clone()))
    }

    /// Gives fanout one batch of the stream; answers how many records there were.
    pub async fn fan_out_batch(&self) -> usize {
        let Some(batch) = self.stream_batch() else { return 0 };
        let shards = batch.shards.into_iter().map(|shard| fanout::batch(&self.fanout, shard));
        let failed = futures::future::join_all(shards).await.concat();
        self.finish_batch(batch.last, &failed);
        batch.count
    }

    /// What the stream has for one run of fanout for each shard.
    pub(crate) fn stream_batch(&self) -> Option<Batch> {
        let records = self.aws.stream().batch(STREAM_BATCH);
        let (last, count) = (records.last()?.sequence, records.len());
        let mut shards: [Vec<Record>; SHARDS] = Default::default();
        for record in records {
            let shard = &mut shards[shard_of(&record.image["pk"])];
            let image = serde_json::from_value(record.image).unwrap_or_default();
            shard.push(Record { sequence: record.sequence.to_string(), image });
        }
        let shards = shards.into_iter().filter(|shard| !shard.is_empty()).collect();
        Some(Batch { shards, last, count })
    }

    /// Goes on after a batch that ended with `last`; as Lambda does, from the first failed record on.
    pub(crate) fn finish_batch(&self, last: u64, failed: &[String]) {
        let first_failed = failed.iter().filter_map(|sequence| sequence.parse::<u64>().ok()).min();
        self.aws.stream().finish(first_failed.map_or(last, |failed| failed.saturating_sub(1)));
    }

    /// Takes up to `max` wakes off one of their queues.
    pub fn receive_wakes(&self, queue: &str, max: usize) -> Vec<Message> {
        self.aws.queue(queue).receive(max)
    }

    /// Gives deliver one wake of a queue; without an error it is done with.
    pub async fn handle_wake(&self, queue: &str, message: &Message) {
        let deadline = self.clock.now() + RUN_TIME;
        match deliver::one(&self.deliver, &message.body, message.receive_count, deadline).await {
            Ok(()) => self.aws.queue(queue).delete(&message.receipt),
            Err(error) => tracing::warn!(?error, "a wake goes back to the queue"),
        }
    }

    /// Gives inbox what is in its queue; answers how many messages there were.
    pub async fn inbox_batch(&self) -> usize {
        let messages = self.aws.queue(INBOX).receive(10);
        for message in &messages {
            match inbox::one(&self.inbox, &message.body).await {
                Ok(()) => self.aws.queue(INBOX).delete(&message.receipt),
                Err(error) => tracing::warn!(?error, "an arrival goes back to the queue"),
            }
        }
        messages.len()
    }

    /// Runs schedule once.
    pub async fn run_schedule(&self) {
        if let Err(error) = schedule::run(&self.schedule).await {
            tracing::warn!(?error, "a run of schedule broke off");
        }
    }

    /// Works until nothing is left to do before `until`, moving a manual clock on to whatever comes
    /// next, and running schedule every minute.
    pub async fn run_until(&self, until: Timestamp) {
        let mut next_schedule = self.clock.now();
        loop {
            let mut busy = self.inbox_batch().await > 0;
            busy |= self.fan_out_batch().await > 0;
            for queue in [WAKES, ASIDE] {
                let wakes = self.receive_wakes(queue, 10);
                for wake in &wakes {
                    self.handle_wake(queue, wake).await;
                }
                busy |= !wakes.is_empty();
            }
            if busy {
                continue;
            }
            let queued = [WAKES, ASIDE, INBOX].map(|name| self.aws.queue(name).next_visible_at());
            let next = queued.into_iter().flatten().chain([next_schedule]).min().unwrap_or(until);
            if next > until {
                return self.clock.advance_to(until);
            }
            if next > self.clock.now() {
                self.clock.advance_to(next);
            }
            if next >= next_schedule {
                self.run_schedule().await;
                next_schedule = self.clock.now() + SignedDuration::from_mins(1);
            }
        }
    }
}

/// Records of one partition are in one shard.
fn shard_of(partition: &Value) -> usize {
    let mut hasher = DefaultHasher::new();
    partition.hash(&mut hasher);
    usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or_default()
}

/// Where a relay on one machine delivers to besides public addresses: that machine.
pub fn loopback() -> Policy {
    let loopback = ["127.0.0.0/8", "::1/128"].map(str::parse);
    Policy { networks: loopback.into_iter().flatten().collect(), http: false }
}

fn queue(
    aws: &Aws,
    name: &str,
    dead: &str,
    visibility_timeout: SignedDuration,
    receives_max: u32,
) -> String {
    aws.create_queue(dead, QueueSettings { visibility_timeout, max_receive_count: None });
    let max_receive_count = Some((receives_max, dead.to_owned()));
    aws.create_queue(name, QueueSettings { visibility_timeout, max_receive_count })
}

/// What all clients of this AWS are made from. There are no credentials, for nobody is there to
/// check a signature, and to make one took an eighth of all the work; nor can an answer stall that
/// comes in one piece.
pub(crate) fn sdk_config(http_client: SharedHttpClient) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(RetryConfig::standard().with_initial_backoff(RETRY_BACKOFF))
        .http_client(http_client)
        .build()
}
