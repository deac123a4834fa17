//! The proof of gossip by simulation. `cargo xtask simulate` builds and runs this.

mod figures;
mod page;
mod sweep;

use anyhow::Result;
use clap::Parser;
use std::process::ExitCode;

#[derive(Parser)]
struct Args {
    /// How many small networks to try.
    #[arg(long, default_value_t = 0, value_name = "N")]
    networks: u64,
    /// The seed of the first one; the others follow.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Measure the figures that take little time, and compare them with their goals.
    #[arg(long)]
    cheap_figures: bool,
    /// Measure all figures.
    #[arg(long)]
    figures: bool,
    /// Write docs/gossip-figures.md and its pictures.
    #[arg(long, requires = "figures")]
    write: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let run = || -> Result<()> {
        if args.networks > 0 {
            sweep::run(args.seed, args.networks)?;
        }
        if args.figures || args.cheap_figures {
            figures::run(args.figures, args.write)?;
        }
        Ok(())
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
