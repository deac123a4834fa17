//! `cargo xtask soak`: the program in `xtask/soak`, built for release.

use crate::shell;
use anyhow::Result;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many connections are open at a time.
    #[arg(long, default_value_t = 2000, value_name = "N")]
    connections: u32,
    /// How long they are busy, in all.
    #[arg(long, default_value_t = 60, value_name = "N")]
    seconds: u32,
    /// What happens at random is the same for the same seed.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u32,
}

impl Args {
    /// As CI runs it: long enough to meet each kind of end.
    pub(crate) fn short() -> Self {
        Self {
            connections: 200,
            seconds: 8,
            seed: 1,
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut command = shell::cargo();
    command.args(["run", "--release", "--quiet", "--package", "soak", "--"]);
    for (name, value) in [
        ("--connections", args.connections),
        ("--seconds", args.seconds),
        ("--seed", args.seed),
    ] {
        command.arg(name).arg(value.to_string());
    }
    shell::run(&mut command)
}
