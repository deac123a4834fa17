//! The project's own chores. `cargo xtask --help` lists them; each command is one module.

mod interop;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The project's own chores: checks, fuzzing, interoperability, benchmarks, documentation.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run our crates against the pinned JavaScript peers, both ways, and write docs/src/interop.md.
    Interop(interop::Args),
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Interop(args) => interop::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
