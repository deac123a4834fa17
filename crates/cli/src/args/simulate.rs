//! The command that simulates networks.

use clap::{Parser, ValueHint};
use std::path::PathBuf;

/// Simulate a network of gossiping nodes, and print how it fared.
///
/// A scenario says how many nodes there are, what lies between them, who speaks, who vanishes and who means harm. It is a
/// file in TOML, or the name of one that this program brings along. The same scenario with the same seed is the same run.
///
/// In the table, redundancy is the payload sends per node less one: 0 is a tree. Control is all that is no message.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  handfast gossip simulate --list\n  handfast gossip simulate crowd-1000\n  \
    handfast gossip simulate --example half-vanish > mine.toml\n  \
    handfast gossip simulate mine.toml --plot out.svg --seed 1 --seed 2\n  handfast gossip simulate crowd-100 --live"
)]
pub(crate) struct Simulate {
    /// A file with a scenario, or the name of one that is brought along
    #[arg(value_name = "SCENARIO.toml|NAME", required_unless_present_any = ["list", "example"], value_hint = ValueHint::FilePath)]
    pub(crate) scenario: Option<PathBuf>,

    /// Draw the runs into this file, as SVG
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) plot: Option<PathBuf>,

    /// What all chance is drawn from. May be given several times: each is a run [default: what the scenario says]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Vec<u64>,

    /// Print JSON, one line for each run
    #[arg(long)]
    pub(crate) json: bool,

    /// Watch the run in the terminal; q ends it. Elsewhere lines on stderr tell how far it is
    #[arg(long, conflicts_with = "json")]
    pub(crate) live: bool,

    /// With --live: how many seconds of the network pass in one of yours while messages travel
    #[arg(long, value_name = "FACTOR", default_value = "0.2", requires = "live", value_parser = speed)]
    pub(crate) speed: f64,

    /// List the scenarios that are brought along
    #[arg(long, conflicts_with_all = ["scenario", "example"])]
    pub(crate) list: bool,

    /// Print a scenario that is brought along, to make one's own of it
    #[arg(long, value_name = "NAME", conflicts_with = "scenario")]
    pub(crate) example: Option<String>,
}

fn speed(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        .filter(|factor| (0.001..=1000.0).contains(factor))
        .ok_or("a factor from 0.001 to 1000 is wanted")
}
