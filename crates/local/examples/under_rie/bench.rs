//! How fast and how large the functions are, beside the least that a function can be.
//!
//! Everything is interleaved, function by function, so that a busy machine is busy for all of them.

use anyhow::{Context as _, ensure};
use relay::queue::Arrival;
use serde_json::Value;

use crate::emulator::Emulator;
use crate::road::with_body;
use crate::say;
use crate::stage::{FUNCTIONS, Stage, sqs_body, sqs_event, stream_event};

/// The example of `functions` that does nothing.
pub(crate) const HELLO: &str = "hello";

/// Cold starts of each function.
const STARTS: usize = 15;

/// Of the starts the one is told that a quarter of them undercut: what else the machine does only adds.
const QUIET: f64 = 0.25;

/// Before anything warm is measured.
const WARM_UPS: usize = 50;

/// Blocks of invocations of one function, before the next one's.
const ROUNDS: usize = 10;
const ROUND: usize = 100;

/// What is to be held, for what it was made for.
const COLD_MAX: f64 = 1.5;
const PEAK_MIB_MAX: f64 = 32.0;
const OWN_CPU_MS_MAX: f64 = 1.0;

const NOTIFICATION: &str = include_str!("../../../../infra/bench/notification.xml");
const ORDER: &str = "1b9a2c44";

/// One function, and what was found of it.
struct Subject {
    name: &'static str,
    /// Milliseconds from the start of the process to its asking for work.
    inits: Vec<f64>,
    /// The same with its first invocation.
    colds: Vec<f64>,
    warms: Vec<f64>,
    /// Milliseconds of the processor for each warm invocation.
    cpu: f64,
    peak_mib: f64,
    bytes: u64,
}

pub(crate) async fn run(stage: &Stage) -> anyhow::Result<()> {
    let mut events = Events { stage, orders: 0 };
    let mut subjects = Vec::new();
    for name in [HELLO].into_iter().chain(FUNCTIONS) {
        let bytes = std::fs::metadata(stage.binary(name))?.len();
        let [inits, colds, warms] = Default::default();
        subjects.push(Subject { name, inits, colds, warms, cpu: 0.0, peak_mib: 0.0, bytes });
    }
    for _ in 0..STARTS {
        for subject in &mut subjects {
            let lambda = stage.start(subject.name).await?;
            lambda.done(&events.next(subject.name)?).await?;
            let times = lambda.times()?;
            subject.inits.push(times.init_ms);
            subject.colds.push(times.first_ms());
        }
    }
    warm(stage, &mut events, &mut subjects).await?;
    tell(&mut subjects);
    Ok(())
}

async fn warm(
    stage: &Stage,
    events: &mut Events<'_>,
    subjects: &mut [Subject],
) -> anyhow::Result<()> {
    let mut lambdas = Vec::new();
    for subject in &*subjects {
        lambdas.push(stage.start(subject.name).await?);
    }
    for (subject, lambda) in subjects.iter().zip(&lambdas) {
        invoke(events, subject.name, lambda, WARM_UPS).await?;
    }
    for _ in 0..ROUNDS {
        for (subject, lambda) in subjects.iter_mut().zip(&lambdas) {
            let before = lambda.cpu_ms()?;
            invoke(events, subject.name, lambda, ROUND).await?;
            subject.cpu += (lambda.cpu_ms()? - before) / (ROUNDS * ROUND) as f64;
        }
    }
    for (subject, lambda) in subjects.iter_mut().zip(&lambdas) {
        subject.warms = lambda.times()?.invokes_ms.split_off(WARM_UPS);
        ensure!(subject.warms.len() == ROUNDS * ROUND, "not each invocation was timed");
        subject.peak_mib = lambda.peak_mib()?;
    }
    Ok(())
}

async fn invoke(
    events: &mut Events<'_>,
    name: &str,
    lambda: &Emulator,
    times: usize,
) -> anyhow::Result<()> {
    for _ in 0..times {
        lambda.done(&events.next(name)?).await?;
    }
    Ok(())
}

/// Work for the functions: what ingest stores goes on to fanout, and what that wakes to deliver.
struct Events<'a> {
    stage: &'a Stage,
    /// How many there were so far.
    orders: u32,
}

impl Events<'_> {
    fn next(&mut self, function: &str) -> anyhow::Result<Value> {
        let Stage { world, samples, .. } = self.stage;
        match function {
            HELLO => Ok(samples.ingest.clone()),
            "ingest" => Ok(with_body(&samples.ingest, &self.notification())),
            "inbox" => {
                let mut arrival = Arrival::parse(sqs_body(&samples.inbox)?)?;
                arrival.body = self.notification().into();
                sqs_event(&samples.inbox, &[&serde_json::to_string(&arrival)?])
            }
            "fanout" => {
                let record = world.aws.stream().batch(1).pop().context("nothing on the stream")?;
                world.aws.stream().finish(record.sequence);
                stream_event(&samples.fanout, &[record.image])
            }
            "deliver" => {
                let queue = world.aws.queue(local::WAKES);
                let wake = queue.receive(1).pop().context("the wake queue is empty")?;
                queue.delete(&wake.receipt);
                sqs_event(&samples.deliver, &[&wake.body])
            }
            "schedule" => Ok(samples.schedule.clone()),
            "api" => Ok(samples.api.clone()),
            other => anyhow::bail!("no work for {other}"),
        }
    }

    /// Of an order that there was none of.
    fn notification(&mut self) -> String {
        self.orders += 1;
        NOTIFICATION.replace(ORDER, &format!("{:08x}", self.orders))
    }
}

fn tell(subjects: &mut [Subject]) {
    say(format!(
        "{:<10} {:>10} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "function",
        "bytes",
        "init ms",
        "cold ms",
        "/ hello",
        "p50 ms",
        "p99 ms",
        "CPU ms",
        "own",
        "peak MiB"
    ));
    let (hello_cold, hello_cpu) = (share(&mut subjects[0].colds, QUIET), subjects[0].cpu);
    let mut missed = Vec::new();
    for subject in subjects {
        let init = share(&mut subject.inits, QUIET);
        let cold = share(&mut subject.colds, QUIET);
        let [p50, p99] = [0.5, 0.99].map(|part| share(&mut subject.warms, part));
        let Subject { name, bytes, cpu, peak_mib, .. } = subject;
        let (ratio, own) = (cold / hello_cold, *cpu - hello_cpu);
        say(format!(
            "{name:<10} {bytes:>10} {init:>8.1} {cold:>8.1} {ratio:>8.2} {p50:>8.2} {p99:>8.2} {cpu:>8.2} {own:>8.2} {peak_mib:>8.1}"
        ));
        if ratio > COLD_MAX {
            missed
                .push(format!("{name}: the first invocation takes more than {COLD_MAX} x hello's"));
        }
        if *peak_mib > PEAK_MIB_MAX {
            missed.push(format!("{name}: more than {PEAK_MIB_MAX} MiB"));
        }
        if *name == "ingest" && own > OWN_CPU_MS_MAX {
            missed.push(format!("{name}: more than {OWN_CPU_MS_MAX} ms of its own"));
        }
    }
    missed.iter().for_each(|goal| say(format!("missed: {goal}")));
}

/// The value that this part of them does not exceed.
fn share(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let nth = ((values.len() as f64 * part) as usize).min(values.len().saturating_sub(1));
    values.get(nth).copied().unwrap_or(f64::NAN)
}
