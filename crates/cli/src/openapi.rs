//! `hookline openapi`: the description of the relay's own API.

use crate::output::say;

pub(crate) fn run() -> anyhow::Result<()> {
    say(relay::api::openapi().to_pretty_json()?);
    Ok(())
}
