//! The program `handfast`: run, call and inspect secret-stack peers.
#![deny(clippy::print_stderr, clippy::print_stdout)] // They end the program when nobody reads; see `out`.

mod args;
mod call;
mod config;
mod control;
mod demo;
mod dial;
mod example_api;
mod exit;
mod figures;
mod generate;
mod gossip;
mod home;
mod identity;
mod listen;
mod manifest;
mod out;
mod peers;
mod perms;
mod pipe;
mod signals;
mod snap;
mod start;
mod status;
mod talk;
mod terminal;

use args::{Args, Command};
use clap::Parser;
use std::{io::IsTerminal, process::ExitCode};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let args = Args::parse();
    let level = match args.verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("HANDFAST_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // Whoever cannot be told something cannot be told that either, and trying would end the program.
        .log_internal_errors(false)
        .init();

    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::report(&exit::Failure::local(anyhow::Error::new(error).context("cannot start"))),
    };
    let result = runtime.block_on(run(args));
    // A read of stdin may still block a thread; the program does not wait for it.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => exit::report(&failure),
    }
}

async fn run(args: Args) -> Result<(), exit::Failure> {
    let home = home::Home::new(args.dir)?;
    match args.command {
        Command::Init => identity::init(&home),
        Command::Id => identity::print(&home),
        Command::Start(options) => start::run(&home, options, false).await,
        Command::Serve(options) => start::run(&home, options, true).await,
        Command::Config(options) => config::run(&home, &options),
        Command::Status(options) => status::run(&home, options).await,
        Command::Peers(options) => peers::list(&home, &options).await,
        Command::Connect(options) => peers::connect(&home, &options).await,
        Command::Disconnect(options) => peers::disconnect(&home, &options).await,
        Command::Manifest(options) => manifest::run(&home, options).await,
        Command::Perms(options) => perms::run(&home, &options).await,
        Command::Call(options) => call::run(&home, options).await,
        Command::Pipe(options) => pipe::run(&home, options).await,
        Command::Gossip(options) => gossip::run(&home, options.command).await,
        Command::Snap(options) => snap::run(options).await,
        Command::Demo => demo::run().await,
        Command::Completions(options) => generate::completions(&options),
        Command::Man(options) => generate::man(&options),
    }
}
