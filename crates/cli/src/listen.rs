//! `hookline listen`: an endpoint that verifies and prints what arrives.

use simulator::endpoint::{Answer, Endpoint, Received};

use crate::output::say;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The port on 127.0.0.1
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// The subscription's signing secret (`whsec_...`) or public key (`whpk_...`); without one
    /// nothing is verified
    #[arg(long)]
    secret: Vec<String>,
    /// What every notification is answered with
    #[arg(long, default_value_t = 200)]
    status: u16,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let status = options.status;
    let verifies = !options.secret.is_empty();
    let endpoint =
        Endpoint::start(options.port, options.secret, move |_, _| Answer::status(status)).await?;
    say(format!("Listening on {}. Ctrl-C stops it.", endpoint.url()));
    loop {
        tokio::select! {
            done = tokio::signal::ctrl_c() => return Ok(done?),
            received = endpoint.next() => say(describe(&received, verifies)),
        }
    }
}

fn describe(received: &Received, verifies: bool) -> String {
    let header = |name: &str| {
        received.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned()
    };
    let signature = match (verifies, &received.verified) {
        (false, _) => "signature not checked".to_owned(),
        (true, Ok(())) => "signature good".to_owned(),
        (true, Err(reason)) => format!("SIGNATURE BAD: {reason}"),
    };
    format!(
        "{} attempt {} sequence {} order {}: {signature}\n{}\n",
        header("webhook-id"),
        header("hookline-attempt"),
        header("hookline-sequence"),
        header("hookline-order"),
        String::from_utf8_lossy(&received.body),
    )
}
