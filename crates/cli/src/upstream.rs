//! `hookline upstream`: what is to be done at Bandwidth for an account of it.

use domain::connect::{Change, Told, is_settled};
use relay::connect::Connection;

use crate::output::say;
use crate::place::Asking;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Subscribes at Bandwidth to the orders of all types, with fresh credentials, so that their
    /// notifications come to the relay. Shows what there is to do; does it with --yes
    Connect(Connect),
}

#[derive(clap::Args)]
struct Connect {
    #[command(flatten)]
    asking: Asking,
    /// Bandwidth's account id
    #[arg(long)]
    account: String,
    /// Where Bandwidth reaches the relay: the stack's output Url
    #[arg(long)]
    url: String,
    /// Do it
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let What::Connect(options) = options.what;
    let (bandwidth, clock) = options.asking.bandwidth().await?;
    let mut connection = Connection::look(bandwidth, &options.account, &options.url).await?;
    for change in &connection.plan {
        say(line(change));
    }
    if is_settled(&connection.plan) {
        say("nothing to do");
        return Ok(());
    }
    if !options.yes {
        say("--yes does it");
        return Ok(());
    }
    let login = connection.renew(clock.now()).await?;
    let (mut done, mut refused, mut stale) = (0, 0, Vec::new());
    for change in &connection.plan {
        if let Change::Delete { told, .. } = change
            && stale.contains(told)
        {
            // The other one may be of no use.
            continue;
        }
        let Err(why) = connection.make(change, &login).await? else {
            done += 1;
            continue;
        };
        refused += 1;
        say(format!("refused: {}: {why}", line(change)));
        if let Change::Keep { told, .. } | Change::Repair { told, .. } = change {
            stale.push(*told);
        }
    }
    say(format!("{done} done, {refused} refused"));
    anyhow::ensure!(done > 0, "Bandwidth refused all of it");
    let names: Vec<_> = stale.into_iter().map(Told::name).collect();
    anyhow::ensure!(
        names.is_empty(),
        "what these present is accepted for 24 hours only, so run this again: {}",
        names.join(", ")
    );
    Ok(())
}

fn line(change: &Change) -> String {
    match change {
        Change::Create(told) => format!("create {}", told.name()),
        Change::Keep { told, .. } => format!("keep   {}", told.name()),
        Change::Repair { told, why, .. } => format!("repair {}: {why}", told.name()),
        Change::Delete { id, told } => format!("delete {}: {id} is one too many", told.name()),
    }
}
