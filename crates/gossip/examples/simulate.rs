//! Simulates a network and prints how it fared.
//!
//! ```sh
//! cargo run --release -p handfast-gossip --example simulate --features plot -- crates/gossip/scenarios/crowd-1000.toml
//! cargo run --release -p handfast-gossip --example simulate --features plot -- mine.toml --seed 7 --plot out.svg --json
//! ```
//!
//! Instead of a file, the name of a scenario that is brought along does too. The program `handfast gossip simulate` does more.

use handfast_gossip::sim::{self, Scenario, builtin::BUILT_IN, plot};
use std::{error::Error, fs, ops::ControlFlow, process::ExitCode, time::Instant};

const USAGE: &str = "usage: simulate SCENARIO.toml|NAME [--seed N] [--plot FILE] [--json]";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("simulate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let (mut named, mut seed, mut picture, mut json) = (None, None, None, false);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seed" => seed = Some(args.next().ok_or(USAGE)?.parse::<u64>()?),
            "--plot" => picture = Some(args.next().ok_or(USAGE)?),
            "--json" => json = true,
            _ if arg.starts_with('-') || named.is_some() => return Err(USAGE.into()),
            _ => named = Some(arg),
        }
    }
    let named = named.ok_or(USAGE)?;
    let text = match BUILT_IN.iter().find(|built_in| built_in.name == named) {
        Some(built_in) => built_in.toml.to_owned(),
        None => fs::read_to_string(&named).map_err(|error| format!("cannot read {named}: {error}"))?,
    };
    let scenario = Scenario::from_toml(&text).map_err(|error| format!("{named}: {error}"))?;

    let began = Instant::now();
    let report = sim::run(&scenario, seed.unwrap_or(scenario.seed), &mut |_| {
        ControlFlow::Continue(())
    })?;
    // Nobody ended it, so there is a report.
    let report = report.ok_or("ended early")?;
    if let Some(path) = picture {
        let svg = plot::picture(&report).map_err(|error| error.to_string())?;
        fs::write(&path, svg).map_err(|error| format!("cannot write {path}: {error}"))?;
    }
    match json {
        true => println!("{}", serde_json::to_string(&report)?),
        false => print!("{report}"),
    }
    let took = began.elapsed().as_secs_f64();
    eprintln!(
        "took {took:.1} s, {:.2} million events a second",
        report.summary.events as f64 / took / 1e6
    );
    Ok(())
}
