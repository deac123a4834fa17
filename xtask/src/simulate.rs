//! `cargo xtask simulate`: the program in `xtask/simulate`, built for release.

use crate::shell;
use anyhow::Result;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask simulate\n  cargo xtask simulate --networks 1 --seed 4711\n  \
                  cargo xtask simulate --figures --write"
)]
pub(crate) struct Args {
    /// How many small networks to try, each with its own mixture of trouble [default: 3000, and none with --figures]
    #[arg(long, value_name = "N")]
    networks: Option<u64>,
    /// The seed of the first network; the others follow. One network alone is shown in full.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Measure all figures of the large networks, and compare them with their goals; this takes minutes.
    #[arg(long)]
    figures: bool,
    /// Write the figures to docs/gossip-figures.md, with pictures.
    #[arg(long, requires = "figures")]
    write: bool,
    /// Measure the figures that take little time.
    #[arg(skip)]
    cheap_figures: bool,
}

/// Enough to meet every mixture of trouble, in two to three minutes on two cores.
const NETWORKS: u64 = 3000;

impl Args {
    /// As CI runs it.
    pub(crate) const fn check() -> Self {
        Self {
            networks: None,
            seed: 1,
            figures: false,
            write: false,
            cheap_figures: true,
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let networks = args.networks.unwrap_or(if args.figures { 0 } else { NETWORKS });
    let mut command = shell::cargo();
    command.args(["run", "--release", "--quiet", "--package", "simulate", "--"]);
    command.args(["--networks", &networks.to_string(), "--seed", &args.seed.to_string()]);
    for (wanted, flag) in [
        (args.figures, "--figures"),
        (args.write, "--write"),
        (args.cheap_figures, "--cheap-figures"),
    ] {
        if wanted {
            command.arg(flag);
        }
    }
    shell::run(&mut command)
}
