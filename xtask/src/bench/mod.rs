//! `cargo xtask bench`: ours and the peers, measured in turn, compared with the floors.
//!
//! Four programs measure: `xtask/bench` (ours), `xtask/peers/rust` and `xtask/peers/libsodium` (each a cargo workspace of its
//! own) and `xtask/peers/bench.js`. Each prints one JSON object a line. Here they are built, run in turn for some rounds, and
//! compared: a ratio is the median of the ratios of the rounds, so that what slows the machine down for a while slows both
//! sides of it.

mod page;
mod programs;
mod table;

use anyhow::{Result, bail};
use clap::ValueEnum;
use programs::Programs;
use std::collections::BTreeMap;
use table::{COMPARISONS, Row};

/// What to measure and what to do with it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rounds; each figure is their median
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Only these sections
    #[arg(long, value_delimiter = ',', value_name = "SECTION")]
    only: Vec<Section>,
    /// Write the figures to docs/benchmarks.md
    #[arg(long)]
    write: bool,
    /// Fail if a figure is below its floor
    #[arg(long)]
    check: bool,
}

/// A part of the table; the measuring programs take its name as their argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Section {
    Handshake,
    Boxstream,
    Mux,
    Node,
    Gossip,
    Snap2p,
    Memory,
}

impl Section {
    const fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Boxstream => "boxstream",
            Self::Mux => "mux",
            Self::Node => "node",
            Self::Gossip => "gossip",
            Self::Snap2p => "snap2p",
            Self::Memory => "memory",
        }
    }
}

/// The values of every figure, one a round.
type Figures = BTreeMap<String, Vec<f64>>;

pub(crate) fn run(args: &Args) -> Result<()> {
    let sections: Vec<Section> = if args.only.is_empty() {
        Section::value_variants().to_vec()
    } else {
        args.only.clone()
    };
    if args.write && sections.len() < Section::value_variants().len() {
        bail!("--write wants the whole table: leave --only out");
    }
    let programs = Programs::build(&sections)?;
    warn_if_busy();
    let figures = measure(&programs, &sections, args.rounds.max(1))?;
    let rows: Vec<Row> = COMPARISONS
        .iter()
        .filter(|comparison| sections.contains(&comparison.section))
        .map(|comparison| comparison.row(&figures))
        .collect::<Result<_>>()?;
    print!("{}", table::render(&rows));
    if args.write {
        page::write(&rows, &figures, args.rounds, &programs.versions)?;
    }
    let below = rows.iter().filter(|row| row.ok == Some(false)).count();
    if args.check && below > 0 {
        bail!("{below} figures are below their floor; if the machine was busy, run it again");
    }
    Ok(())
}

/// Other work slows all sides down, but not alike: what needs two cores suffers most.
fn warn_if_busy() {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().and_then(|load| load.parse::<f64>().ok());
    // Building has just finished, which accounts for one.
    if let Some(load) = load.filter(|load| *load > 1.5) {
        eprintln!(
            "warning: the machine is busy (load {load}); figures, and ratios of what uses two threads, will suffer"
        );
    }
}

/// Runs every program once a round, one after the other.
fn measure(programs: &Programs, sections: &[Section], rounds: usize) -> Result<Figures> {
    let mut figures = Figures::new();
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for &section in sections {
            // Memory does not change from one round to the next.
            if section == Section::Memory && round > 1 {
                continue;
            }
            for figure in programs.run(section)? {
                figures.entry(figure.name).or_default().push(figure.value);
            }
        }
    }
    Ok(figures)
}
