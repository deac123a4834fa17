//! The project's own chores. `cargo xtask --help` lists them; each command is one module.

mod bench;
mod ci;
mod docs;
mod floors;
mod fuzz;
mod interop;
mod metadata;
mod shell;
mod simulate;
mod soak;
mod tools;
mod vectors;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The project's own chores: checks, fuzzing, interoperability, benchmarks, documentation.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    after_help = "While you work: `cargo xtask ci --fast`. Before you submit: `cargo xtask ci`. \
                  To repeat one failed step: `cargo xtask ci --only STEP`."
)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every check that a submission must pass, or some of them.
    Ci(ci::Args),
    /// Check the rules of the house: floors, changelogs, manifests, file sizes.
    Floors,
    /// Build the fuzz targets and run them, each for a while.
    Fuzz(fuzz::Args),
    /// Run our crates against the pinned JavaScript peers, both ways, and write what passed to docs/.
    Interop(interop::Args),
    /// Measure ours and the peers, interleaved, and print the ratios.
    Bench(bench::Args),
    /// Open, call, stream and drop many connections at random, and check that nothing is left of them.
    Soak(soak::Args),
    /// Simulate gossip: thousands of small networks full of trouble, and the figures of large ones.
    Simulate(simulate::Args),
    /// Compute the frozen test vectors anew with the JavaScript packages and compare.
    Vectors(vectors::Args),
    /// Build the book in docs/ and the API documentation.
    Docs(docs::Args),
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Ci(args) => ci::run(&args),
        Command::Floors => floors::run(),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Interop(args) => interop::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Vectors(args) => vectors::run(&args),
        Command::Docs(args) => docs::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
