//! `hookline`: the relay on one machine, and what helps to work with it.

mod audit;
mod backfill;
mod cost;
mod demo;
mod dev;
mod listen;
mod openapi;
mod output;
mod place;
mod plan;
mod recover;
mod restore;
mod sandbox;
mod send;
mod setup;
mod simulate;
mod timeline;
mod upstream;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A relay for Bandwidth's order notifications.
#[derive(Parser)]
#[command(name = "hookline", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plays a number order, a port-in and an event through the relay, and shows what happens
    Demo,
    /// Runs the whole relay in this process, with its data in a folder
    Dev(dev::Options),
    /// Puts upstreams, tenants and subscriptions into a deployed table
    Setup(setup::Options),
    /// Adds up what was accepted and what became of it, and names every event that is not accounted
    /// for; exits with 1 if there is one
    Audit(audit::Options),
    /// Asks Bandwidth for what changed since a time, and puts what no notification told
    Backfill(backfill::Options),
    /// Subscribes to an account's notifications at Bandwidth
    Upstream(upstream::Options),
    /// Fans out again what is stored, after records of the stream were lost
    Recover(recover::Options),
    /// Puts back what a table lacks, from one that was restored from a point in time
    Restore(restore::Options),
    /// Plays hours in which everything goes wrong, and checks that nothing is lost
    Simulate(simulate::Options),
    /// Prints what a month costs on AWS, by line, at list prices
    Cost(cost::Options),
    /// Prints which of AWS's limits a rate of notifications meets, which first, and what a month costs
    Plan(plan::Options),
    /// Prints the description of the relay's own API, in OpenAPI
    Openapi,
    /// Posts a notification as Bandwidth would
    Send(send::Options),
    /// Is a Bandwidth account to try an integration on: orders, subscriptions, notifications
    Sandbox(sandbox::Options),
    /// Is an endpoint that verifies and prints what arrives
    Listen(listen::Options),
}

/// The SDK makes many small things for each call.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Demo => demo::run().await,
        Command::Dev(options) => dev::run(options).await,
        Command::Setup(options) => setup::run(options).await,
        Command::Audit(options) => audit::run(options).await,
        Command::Backfill(options) => backfill::run(options).await,
        Command::Upstream(options) => upstream::run(options).await,
        Command::Recover(options) => recover::run(options).await,
        Command::Restore(options) => restore::run(options).await,
        Command::Simulate(options) => simulate::run(options).await,
        Command::Cost(options) => cost::run(&options),
        Command::Plan(options) => plan::run(&options),
        Command::Openapi => openapi::run(),
        Command::Send(options) => send::run(options).await,
        Command::Sandbox(options) => sandbox::run(options).await,
        Command::Listen(options) => listen::run(options).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}
