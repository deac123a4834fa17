//! `cargo xtask vectors`: the scripts in `xtask/peers/vectors` compute the frozen vectors anew with the JavaScript packages.

use crate::interop::node;
use crate::shell;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::path::Path;

#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Only the file of this name, as in `shs1`.
    name: Option<String>,
}

/// Each frozen file, and the script of the same name that computes it from the inputs in it.
const FROZEN: &[(&str, &str)] = &[
    ("shs1", "crates/shs/tests/vectors/shs1.json"),
    ("boxstream", "crates/boxstream/tests/vectors/boxstream.json"),
    ("addresses", "crates/multiserver/tests/vectors/addresses.json"),
    ("camel-case", "crates/stack/tests/vectors/camel-case.json"),
    ("v8", "crates/json/tests/vectors/v8.json"),
    ("snap2p", "crates/snap2p/tests/vectors/snap2p.json"),
    ("secure-gossip", "crates/gossip/tests/vectors/secure-gossip.json"),
];

/// How many differences are worth printing.
const SHOWN: usize = 10;

pub(crate) fn run(args: &Args) -> Result<()> {
    node::install(&["core", "sg", "stacks"])?;
    let mut different = Vec::new();
    for (name, path) in FROZEN
        .iter()
        .filter(|(name, _)| args.name.as_deref().is_none_or(|wanted| wanted == *name))
    {
        let differences = compare_file(name, path)?;
        if differences.is_empty() {
            println!("vectors: {name} is what the packages compute");
            continue;
        }
        for difference in differences.iter().take(SHOWN) {
            eprintln!("vectors: {path}: {difference}");
        }
        eprintln!("vectors: {name}: {} difference(s)", differences.len());
        different.push(*name);
    }
    if !different.is_empty() {
        bail!(
            "frozen vectors differ from what the packages compute: {}",
            different.join(", ")
        );
    }
    Ok(())
}

fn compare_file(name: &str, path: &str) -> Result<Vec<String>> {
    let frozen_path = shell::root().join(path);
    let script = Path::new("xtask/peers/vectors").join(name).with_extension("js");
    let computed = shell::capture(shell::command("node").arg(script).arg(&frozen_path))?;
    let computed: Value = serde_json::from_str(&computed).with_context(|| format!("{name}.js prints no JSON"))?;
    let frozen = std::fs::read_to_string(&frozen_path).with_context(|| format!("cannot read {path}"))?;
    let frozen: Value = serde_json::from_str(&frozen).with_context(|| format!("{path} is not JSON"))?;
    let mut differences = Vec::new();
    compare("", &frozen, &computed, &mut differences);
    Ok(differences)
}

/// Everything computed must stand in the frozen file; what a script does not compute, as a note, is not compared.
fn compare(place: &str, frozen: &Value, computed: &Value, differences: &mut Vec<String>) {
    match (frozen, computed) {
        (Value::Object(frozen), Value::Object(computed)) => {
            for (key, value) in computed {
                let place = format!("{place}/{key}");
                match frozen.get(key) {
                    Some(other) => compare(&place, other, value, differences),
                    None => differences.push(format!("{place} is missing")),
                }
            }
        }
        (Value::Array(frozen), Value::Array(computed)) if frozen.len() == computed.len() => {
            for (index, (frozen, computed)) in frozen.iter().zip(computed).enumerate() {
                let label = frozen
                    .get("label")
                    .and_then(Value::as_str)
                    .map(|label| format!(" ({label})"));
                compare(
                    &format!("{place}/{index}{}", label.unwrap_or_default()),
                    frozen,
                    computed,
                    differences,
                );
            }
        }
        _ if frozen == computed => {}
        _ => differences.push(format!(
            "{place}: frozen {}, computed {}",
            short(frozen),
            short(computed)
        )),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn differences(frozen: &Value, computed: &Value) -> Vec<String> {
        let mut out = Vec::new();
        compare("", frozen, computed, &mut out);
        out
    }

    #[test]
    fn what_is_computed_must_be_frozen_and_notes_need_not_be_computed() {
        let frozen = json!({ "note": "by hand", "vectors": [{ "label": "a", "bytes": "00" }] });
        assert!(differences(&frozen, &json!({ "vectors": [{ "label": "a", "bytes": "00" }] })).is_empty());
        assert_eq!(
            differences(&frozen, &json!({ "vectors": [{ "bytes": "01" }] })).len(),
            1
        );
        assert_eq!(differences(&frozen, &json!({ "vectors": [{ "more": 1 }] })).len(), 1);
        assert_eq!(differences(&frozen, &json!({ "vectors": [] })).len(), 1);
    }
}
