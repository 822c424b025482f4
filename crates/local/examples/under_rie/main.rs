//! Every function's binary, started for real under Lambda's Runtime Interface Emulator (RIE) and
//! fed its sample event.
//!
//! `cargo run -p local --example under_rie -- --rie PATH --functions .aws-sam/build`
//!
//! The AWS that the functions talk to is the simulator's, over HTTP in this process. The sample
//! events are stations of one road, so each check looks at what its function answered and at what
//! it did to the table, the queues and the tenant's endpoint. One line for each check; the last
//! line counts them.
//!
//! With `--hello PATH` nothing is checked: the functions are measured, beside that one.

mod bench;
mod emulator;
mod road;
mod stage;

use std::future::Future;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};

use emulator::Emulator;
use stage::Stage;

/// For one check. The slowest one waits for an SDK that tries three times.
const CHECK_TIMEOUT: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> ExitCode {
    // Dropped when told to stop, and with it what was started.
    let done = tokio::select! {
        done = run() => done,
        told = terminated() => told,
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            say(format!("FAIL {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<ExitCode> {
    let Options { rie, functions, hello } = options()?;
    let is_bench = hello.is_some();
    let stage = Stage::new(rie, functions, hello).await?;
    if is_bench {
        bench::run(&stage).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = Report::default();
    if let Err(error) = walk(&stage, &mut report).await {
        report.failed += 1;
        say(format!("FAIL {error:#}"));
    }
    say(format!("{} passed, {} failed", report.passed, report.failed));
    Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn walk(stage: &Stage, report: &mut Report) -> anyhow::Result<()> {
    road::walk(stage, report).await?;
    say(format!("\n{:<10} {:>10} {:>10} {:>10}", "function", "first ms", "again ms", "peak MiB"));
    for (function, usage) in &report.usages {
        let [first_ms, again_ms, peak_mib] = usage;
        say(format!("{function:<10} {first_ms:>10.1} {again_ms:>10.1} {peak_mib:>10.1}"));
    }
    say("");
    Ok(())
}

async fn terminated() -> anyhow::Result<ExitCode> {
    signal(SignalKind::terminate())?.recv().await;
    bail!("told to stop")
}

/// What has been found so far.
#[derive(Default)]
struct Report {
    passed: usize,
    failed: usize,
    /// First and second invocation in ms, and MiB.
    usages: Vec<(&'static str, [f64; 3])>,
}

impl Report {
    /// Runs one check, and tells how it went. One that fails does not end the run.
    async fn check(&mut self, name: &str, check: impl Future<Output = anyhow::Result<()>>) {
        let done = tokio::time::timeout(CHECK_TIMEOUT, check).await;
        match done.unwrap_or_else(|_| bail!("no end after {} s", CHECK_TIMEOUT.as_secs())) {
            Ok(()) => {
                self.passed += 1;
                say(format!("ok   {name}"));
            }
            Err(error) => {
                self.failed += 1;
                say(format!("FAIL {name}: {error:#}"));
            }
        }
    }

    /// Notes what the first two invocations took.
    fn note(&mut self, function: &'static str, emulator: &Emulator) -> anyhow::Result<()> {
        let times = emulator.times()?;
        let again_ms = *times.invokes_ms.get(1).context("there was no second invocation")?;
        self.usages.push((function, [times.first_ms(), again_ms, emulator.peak_mib()?]));
        Ok(())
    }
}

struct Options {
    rie: PathBuf,
    functions: PathBuf,
    hello: Option<PathBuf>,
}

fn options() -> anyhow::Result<Options> {
    let (mut rie, mut functions, mut hello) = (None, None, None);
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().map(PathBuf::from);
        match argument.to_str() {
            Some("--rie") => rie = value,
            Some("--functions") => functions = value,
            Some("--hello") => hello = value,
            _ => bail!("no such option: {}", argument.display()),
        }
    }
    Ok(Options {
        rie: rie.context("--rie PATH is missing")?,
        functions: functions.context("--functions DIR is missing")?,
        hello,
    })
}

fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
