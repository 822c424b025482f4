//! `load`: posts to a relay, is the endpoint that the relay delivers to, and tells how long it took.
//!
//! It knows nothing of any relay: where to post what is given as templates, and a message is known
//! again by the marker in its body. Its one argument is where its endpoint listens, and its first line
//! says where that is. Then it reads runs, a line of JSON each, and answers each with a line of
//! figures. It ends with its input.

mod endpoint;
mod figures;
mod post;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::task::LocalSet;
use tokio::time::Instant;

use figures::Notes;

/// Messages of one run at most: what is noted of each is kept until the run's end.
const MESSAGES_MAX: usize = 1_000_000;

/// How often it is looked whether everything has arrived.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// One run. In path, headers and body `{n}` becomes the marker, `{time}` a time that rises by a millisecond
/// each.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    /// Where to post: `http://`, and an address of this machine.
    url: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// What to post.
    body: String,
    /// Messages a second, whatever the answers; without it, as many as the connections take.
    rate: Option<f64>,
    connections: usize,
    seconds: f64,
    /// Messages that it ends after.
    #[serde(default = "most")]
    most: usize,
    /// Deliveries of each message that are waited for.
    #[serde(default = "one")]
    fan_out: usize,
    /// How long to wait for them after the last post.
    settle_seconds: f64,
}

fn one() -> usize {
    1
}

fn most() -> usize {
    MESSAGES_MAX
}

/// What a run and the endpoint share: all of it is one thread.
type Shared = Rc<RefCell<Notes>>;

// One thread, so that it leaves the relay the other cores.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    LocalSet::new().run_until(serve()).await
}

async fn serve() -> anyhow::Result<()> {
    let notes = Shared::default();
    let listen = std::env::args().nth(1).unwrap_or("127.0.0.1:0".into());
    let address = endpoint::start(listen.parse()?, notes.clone()).await?;
    say(&json!({ "endpoint": format!("http://{address}/") })).await?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let run: Run = serde_json::from_str(&line).context("this is no run")?;
        say(&play(&run, &notes).await?).await?;
    }
    Ok(())
}

async fn play(run: &Run, notes: &Shared) -> anyhow::Result<serde_json::Value> {
    let first = notes.borrow().next();
    notes.replace(Notes::new(first));
    post::all(run, notes).await?;
    let end = Instant::now() + Duration::try_from_secs_f64(run.settle_seconds)?;
    while !notes.borrow().is_complete(run.fan_out) && Instant::now() < end {
        tick(LOOK_EVERY).await;
    }
    let figures = notes.borrow().figures(run.fan_out);
    Ok(serde_json::to_value(figures)?)
}

#[expect(clippy::disallowed_methods, reason = "load keeps to the real time")]
async fn tick(time: Duration) {
    tokio::time::sleep(time).await;
}

async fn say(line: &serde_json::Value) -> anyhow::Result<()> {
    let mut out = tokio::io::stdout();
    out.write_all(format!("{line}\n").as_bytes()).await?;
    out.flush().await.context("cannot write")
}
