//! One function under the Runtime Interface Emulator.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use reqwest::Client;
use serde_json::Value;
use tempfile::NamedTempFile;

const START_TIMEOUT: Duration = Duration::from_secs(10);
const INVOKE_TIMEOUT: Duration = Duration::from_secs(30);
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// Another process may take a port between our look at it and the emulator's.
const STARTS_MAX: usize = 3;

/// A running emulator. It and the function it started end when this is dropped.
pub(crate) struct Emulator {
    process: Child,
    url: String,
    output: NamedTempFile,
    client: Client,
}

/// What the emulator says that a function took, in milliseconds.
pub(crate) struct Times {
    /// From the start of the process to its asking for work.
    pub(crate) init_ms: f64,
    /// Each invocation.
    pub(crate) invokes_ms: Vec<f64>,
}

impl Times {
    /// The first invocation, with the start of the process.
    pub(crate) fn first_ms(&self) -> f64 {
        self.init_ms + self.invokes_ms.first().copied().unwrap_or(f64::NAN)
    }
}

/// What an invocation answered.
#[derive(Debug)]
pub(crate) enum Answer {
    Done(Value),
    /// The function's own error, by its message.
    Failed(String),
    /// There is no function to answer: it did not start.
    Broken,
}

impl Emulator {
    /// Starts the emulator with nothing but `variables` in its environment. It starts the function
    /// at the first invocation.
    pub(crate) async fn start(
        rie: &Path,
        program: &Path,
        variables: &[(&str, String)],
    ) -> anyhow::Result<Emulator> {
        ensure!(program.is_file(), "there is no {}", program.display());
        let mut tried = 0;
        loop {
            tried += 1;
            match Emulator::try_start(rie, program, variables).await {
                Err(_) if tried < STARTS_MAX => {}
                started => return started,
            }
        }
    }

    async fn try_start(
        rie: &Path,
        program: &Path,
        variables: &[(&str, String)],
    ) -> anyhow::Result<Emulator> {
        let [events, runtime] = free_addresses()?;
        let output = NamedTempFile::new().context("cannot make a file for the output")?;
        // One place in the file for both, so that neither writes over the other.
        let written = output.reopen()?;
        let process = Command::new(rie)
            .args(["--runtime-interface-emulator-address", &events.to_string()])
            .args(["--runtime-api-address", &runtime.to_string()])
            .arg(program)
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(written.try_clone()?)
            .stderr(written)
            .spawn()
            .with_context(|| format!("cannot start {}", rie.display()))?;
        let client = Client::builder().no_proxy().timeout(INVOKE_TIMEOUT).build()?;
        let url = format!("http://{events}/2015-03-31/functions/function/invocations");
        let mut emulator = Emulator { process, url, output, client };
        emulator.listening(events).await?;
        Ok(emulator)
    }

    #[expect(clippy::disallowed_methods, reason = "the emulator does not say when it listens")]
    async fn listening(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let started = Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            if let Some(status) = self.process.try_wait()? {
                bail!("the emulator ended with {status}: {}", self.output());
            }
            ensure!(started.elapsed() < START_TIMEOUT, "the emulator does not listen");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    pub(crate) async fn invoke(&self, event: &Value) -> anyhow::Result<Answer> {
        let response = self.client.post(&self.url).body(event.to_string()).send().await?;
        let status = response.status().as_u16();
        let body = response.text().await?;
        if status == 502 {
            return Ok(Answer::Broken);
        }
        ensure!(status == 200, "the emulator answers {status}: {body}");
        let answer: Value = serde_json::from_str(&body).context(body)?;
        match answer["errorMessage"].as_str() {
            Some(message) => Ok(Answer::Failed(message.into())),
            None => Ok(Answer::Done(answer)),
        }
    }

    /// Invokes, and takes nothing but success.
    pub(crate) async fn done(&self, event: &Value) -> anyhow::Result<Value> {
        match self.invoke(event).await? {
            Answer::Done(answer) => Ok(answer),
            other => bail!("{other:?}; output: {}", self.output()),
        }
    }

    /// All that the emulator and the function wrote.
    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(self.output.path()).unwrap_or_default()
    }

    pub(crate) fn times(&self) -> anyhow::Result<Times> {
        let output = self.output();
        let after = |marker| {
            let values = output.lines().filter_map(move |line| line.split_once(marker));
            values.filter_map(|(_, rest)| rest.split_once(['m', ')'])?.0.parse::<f64>().ok())
        };
        let init_ms = after("INIT REPORT(durationMs: ").next().context("no INIT REPORT")?;
        Ok(Times { init_ms, invokes_ms: after("produced bytes: 0, duration: ").collect() })
    }

    /// The most memory that the function's process ever had.
    pub(crate) fn peak_mib(&self) -> anyhow::Result<f64> {
        let status = self.proc("status")?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak_kib: f64 = peak.unwrap_or_default().trim().trim_end_matches(" kB").parse()?;
        Ok(peak_kib / 1024.0)
    }

    /// What the function's process has had of the processor, its threads that ended too. The kernel
    /// tells it in hundredths of a second.
    pub(crate) fn cpu_ms(&self) -> anyhow::Result<f64> {
        let stat = self.proc("stat")?;
        let fields = after_name(&stat).split_whitespace().skip(11).take(2);
        let ticks = fields.map(str::parse::<f64>).sum::<Result<f64, _>>()?;
        Ok(ticks * 10.0)
    }

    /// What `/proc` says of the function's process.
    fn proc(&self, file: &str) -> anyhow::Result<String> {
        let function = children(self.process.id());
        let function = function.first().context("the function is not running")?;
        Ok(std::fs::read_to_string(format!("/proc/{function}/{file}"))?)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let functions = children(self.process.id());
        // Asked politely, it ends its function and sees it off.
        signal("TERM", self.process.id());
        let asked = Instant::now();
        while matches!(self.process.try_wait(), Ok(None)) && asked.elapsed() < STOP_TIMEOUT {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        for function in functions {
            signal("KILL", function);
        }
    }
}

/// Sends a signal to a process, which may have ended.
fn signal(name: &str, process: u32) {
    let kill = format!("kill -s {name} {process} 2>/dev/null");
    let _ = Command::new("sh").args(["-c", &kill]).status();
}

/// The processes that a process started, by `/proc`.
fn children(of: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        after_name(&stat).split_whitespace().nth(1).and_then(|id| id.parse().ok()) == Some(of)
    })
    .collect()
}

/// The fields of `/proc/PID/stat` from the state on. The name before them may hold anything.
fn after_name(stat: &str) -> &str {
    stat.rsplit_once(')').map_or("", |(_, rest)| rest)
}

fn free_addresses() -> anyhow::Result<[SocketAddr; 2]> {
    let bind = || TcpListener::bind(("127.0.0.1", 0)).context("no free port");
    // Both at once, so that they differ.
    let (one, other) = (bind()?, bind()?);
    Ok([one.local_addr()?, other.local_addr()?])
}
