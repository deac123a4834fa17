//! `cargo xtask fuzz`: the targets of the workspace in `fuzz/`, with the frozen vectors as their first inputs.

use crate::metadata::Metadata;
use crate::{shell, tools};
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this target.
    pub(crate) target: Option<String>,
    /// How long each target runs.
    #[arg(long, default_value_t = 60, value_name = "N")]
    pub(crate) seconds: u32,
    /// Only write the frozen vectors into fuzz/corpus, and run nothing.
    #[arg(long)]
    pub(crate) seed: bool,
    /// List the targets, and run nothing.
    #[arg(long, conflicts_with = "seed")]
    pub(crate) list: bool,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            target: None,
            seconds: 60,
            seed: false,
            list: false,
        }
    }
}

/// Which sanitizer watches. `address` would see misuse of memory in the C and assembly below us; our own code has no
/// `unsafe`, and without it the targets run several times as many inputs in the same time.
const SANITIZER: &str = "none";
/// What one target may hold, in MiB: a decoder that allocates what a peer claims dies here.
const MEMORY_LIMIT_MIB: u32 = 1024;
/// What one input may take, in seconds: no input that fits a corpus may hang a connection.
const INPUT_TIMEOUT: u32 = 10;
/// Longer vectors only slow the fuzzer down.
const LONGEST_SEED: usize = 64 * 1024;

pub(crate) fn run(args: &Args) -> Result<()> {
    let targets = targets(args.target.as_deref())?;
    if targets.is_empty() {
        println!("fuzz: no targets yet; each is a [[bin]] of fuzz/Cargo.toml");
        return Ok(());
    }
    if args.list {
        targets.iter().for_each(|target| println!("{target}"));
        return Ok(());
    }
    for target in &targets {
        seed(target)?;
    }
    if args.seed {
        return Ok(());
    }
    for target in &targets {
        let mut command = cargo_fuzz("run")?;
        command.arg(target).arg("--");
        command.arg(format!("-max_total_time={}", args.seconds));
        command.arg(format!("-rss_limit_mb={MEMORY_LIMIT_MIB}"));
        command.arg(format!("-timeout={INPUT_TIMEOUT}"));
        command.args(["-print_final_stats=1", "-verbosity=0"]);
        shell::run(&mut command).with_context(|| {
            format!(
                "fuzz target {target} found something; the input is in fuzz/artifacts/{target}, and \
                     `cargo xtask fuzz {target}` goes on from there"
            )
        })?;
    }
    println!(
        "fuzz: {} target(s), {} s each, nothing found",
        targets.len(),
        args.seconds
    );
    Ok(())
}

/// The names of the targets; or the one asked for, if there is such a one.
fn targets(wanted: Option<&str>) -> Result<Vec<String>> {
    let metadata = Metadata::members_of(&folder().join("Cargo.toml"))?;
    let bins = metadata.packages.iter().flat_map(|package| &package.targets);
    let all: Vec<String> = bins
        .filter(|target| target.kind.iter().any(|kind| kind == "bin"))
        .map(|target| target.name.clone())
        .collect();
    match wanted {
        None => Ok(all),
        Some(name) if all.iter().any(|target| target == name) => Ok(vec![name.to_string()]),
        Some(name) => bail!("no fuzz target {name}; there are: {}", all.join(", ")),
    }
}

fn cargo_fuzz(action: &str) -> Result<std::process::Command> {
    let mut command = shell::command(tools::CARGO_FUZZ.path()?);
    // cargo-fuzz passes flags that a stable compiler takes only with this; nothing else in our build looks at it.
    command.env("RUSTC_BOOTSTRAP", "1");
    command
        .args([action, "--fuzz-dir"])
        .arg(folder())
        .args(["--sanitizer", SANITIZER]);
    Ok(command)
}

/// Writes every hexadecimal text of a crate's vectors, and every field named `text`, as one input; the target `mux_packet` belongs to the crate `mux`.
fn seed(target: &str) -> Result<()> {
    let krate = target.split('_').next().unwrap_or(target);
    let corpus = folder().join("corpus").join(target);
    std::fs::create_dir_all(&corpus).with_context(|| format!("cannot create {}", corpus.display()))?;
    let mut seeds = BTreeSet::new();
    for file in vectors(&shell::root().join("crates").join(krate).join("tests/vectors")) {
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let value = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))?;
        collect_bytes(&value, &mut seeds);
    }
    for (number, bytes) in seeds.iter().enumerate() {
        let path = corpus.join(format!("vector-{number:04}"));
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    println!("fuzz: {} seeds for {target}", seeds.len());
    Ok(())
}

fn vectors(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect()
}

fn collect_bytes(value: &Value, seeds: &mut BTreeSet<Vec<u8>>) {
    match value {
        Value::String(text) => seeds.extend(unhex(text).filter(|bytes| (1..=LONGEST_SEED).contains(&bytes.len()))),
        Value::Array(items) => items.iter().for_each(|item| collect_bytes(item, seeds)),
        Value::Object(fields) => {
            // What a parser of texts reads stands in a field of this name, as itself.
            let text = fields.get("text").and_then(Value::as_str);
            seeds.extend(
                text.filter(|text| !text.is_empty())
                    .map(|text| text.as_bytes().to_vec()),
            );
            fields.values().for_each(|field| collect_bytes(field, seeds));
        }
        _ => {}
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).map(|d| d as u8))
        .collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then(|| {
        pairs
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect()
    })
}

fn folder() -> PathBuf {
    shell::root().join("fuzz")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hexadecimal_text_of_a_vector_is_a_seed() {
        let value = serde_json::json!({ "label": "no hex", "bytes": "00ff", "more": [{ "x": "0a" }, "abc", ""] });
        let mut seeds = BTreeSet::new();
        collect_bytes(&value, &mut seeds);
        assert_eq!(seeds, BTreeSet::from([vec![0, 255], vec![10]]));
    }

    #[test]
    fn a_text_is_a_seed_as_itself() {
        let value = serde_json::json!([{ "label": "net", "text": "net:h:1" }, { "text": "" }]);
        let mut seeds = BTreeSet::new();
        collect_bytes(&value, &mut seeds);
        assert_eq!(seeds, BTreeSet::from([b"net:h:1".to_vec()]));
    }
}
