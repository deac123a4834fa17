//! `cargo xtask bench`: ours and the peers measured in turn, several rounds, and the ratios of the medians.

pub(crate) mod ours;
mod table;

use crate::interop::node;
use crate::{metadata, shell};
use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::process::Command;
use table::Figure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many rounds; each measures every program once, so that a busy moment of the machine strikes them alike.
    #[arg(long, default_value_t = 5, value_name = "N")]
    rounds: usize,
    /// Write the table into docs/src/benchmarks.md, with the machine and the date.
    #[arg(long)]
    write: bool,
    /// Run the crates' own criterion benches too.
    #[arg(long)]
    criterion: bool,
}

/// The table stands between these two lines of the page.
const BEGIN: &str = "<!-- begin: written by cargo xtask bench --write -->";
const END: &str = "<!-- end -->";

/// One line of a measuring program.
#[derive(Deserialize)]
struct Line {
    name: String,
    value: f64,
    unit: String,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if args.criterion {
        shell::run(shell::cargo().args(["bench", "--workspace", "--all-features", "--benches"]))?;
    }
    node::install(&["core"])?;
    let mut programs = build()?;
    let mut samples: BTreeMap<String, (String, Vec<f64>)> = BTreeMap::new();
    for round in 1..=args.rounds {
        println!("bench: round {round} of {}", args.rounds);
        for program in &mut programs {
            for line in shell::capture(program)?.lines() {
                let line: Line = serde_json::from_str(line).with_context(|| format!("no measurement: {line}"))?;
                samples
                    .entry(line.name)
                    .or_insert_with(|| (line.unit, Vec::new()))
                    .1
                    .push(line.value);
            }
        }
    }
    let medians = samples.into_iter().filter_map(|(name, (unit, values))| {
        Some((
            name,
            Figure {
                value: median(values)?,
                unit,
            },
        ))
    });
    let figures: BTreeMap<String, Figure> = medians.collect();
    let table = table::render(&figures);
    println!("\n{table}");
    if args.write {
        write(&format!("{}\n\n{table}", circumstances(args.rounds)?))?;
    }
    match table::misses(&figures) {
        0 => Ok(()),
        missed => bail!("{missed} ratio(s) are below their floor; see the table"),
    }
}

/// Everything that prints measurements, built once before the clock starts.
fn build() -> Result<Vec<Command>> {
    let target = metadata::target_directory()?;
    shell::run(shell::cargo().args(["build", "--release", "--package", "xtask", "--features", "ours"]))?;
    let mut ours = shell::command(target.join("release/xtask"));
    ours.arg("bench-ours");

    // The archived peers stay out of our graph: another workspace, lock file and target directory.
    let peers = target.join("rust-peers");
    let manifest = node::folder().join("rust/Cargo.toml");
    let mut build = shell::cargo();
    build
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&peers);
    shell::run(&mut build)?;
    let rust = shell::command(peers.join("release/rust-peers"));

    let mut js = shell::command("node");
    js.arg(node::folder().join("bench.js"));
    Ok(vec![ours, rust, js])
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Where and when: a figure without these says nothing.
fn circumstances(rounds: usize) -> Result<String> {
    let say = |program: &str, argument: &str| {
        Ok::<_, anyhow::Error>(
            shell::capture(shell::command(program).arg(argument))?
                .trim()
                .to_string(),
        )
    };
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(format!(
        "{cores} cores of {}, {}; {}, Node.js {}; {}. Medians of {rounds} interleaved rounds.",
        model.unwrap_or("an unnamed processor"),
        std::env::consts::OS,
        say("rustc", "--version")?,
        say("node", "--version")?,
        say("date", "+%Y-%m-%d")?,
    ))
}

/// Puts the text between the markers of the page, or at its end when it has none yet.
fn write(text: &str) -> Result<()> {
    let path = shell::root().join("docs/src/benchmarks.md");
    let page = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    std::fs::write(&path, replace(&page, text)).with_context(|| format!("cannot write {}", path.display()))?;
    println!("bench: wrote {}", path.display());
    Ok(())
}

fn replace(page: &str, text: &str) -> String {
    let parts = page
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    match parts {
        Some((before, after)) => format!("{before}{BEGIN}\n{text}{END}{after}"),
        None => format!("{}\n\n{BEGIN}\n{text}{END}\n", page.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_between_the_markers_is_replaced_and_the_rest_stays() {
        let first = replace("# Benchmarks\n", "one\n");
        assert!(first.starts_with("# Benchmarks\n\n") && first.contains("one\n"));
        let second = replace(&first, "two\n");
        assert_eq!(second, first.replace("one", "two"));
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }
}
