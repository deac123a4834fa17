//! docs/benchmarks.md: the prose is written by hand, the figures between the markers by `cargo xtask bench --write`.

use super::Figures;
use super::table::{Row, median, render};
use crate::shell::root;
use anyhow::{Context, Result};
use std::fmt::Write;
use std::process::Command;

const BEGIN: &str = "<!-- figures: written by `cargo xtask bench --write` -->";
const END: &str = "<!-- end of figures -->";

/// Replaces what stands between the markers.
pub(super) fn write(rows: &[Row], figures: &Figures, rounds: usize, versions: &[(&str, String)]) -> Result<()> {
    let path = root().join("docs/benchmarks.md");
    let page = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let (before, rest) = page.split_once(BEGIN).context("the page has no begin marker")?;
    let (_, after) = rest.split_once(END).context("the page has no end marker")?;
    let text = section(rows, figures, rounds, versions)?;
    std::fs::write(&path, format!("{before}{BEGIN}\n\n{text}\n{END}{after}"))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

fn section(rows: &[Row], figures: &Figures, rounds: usize, versions: &[(&str, String)]) -> Result<String> {
    let mut text = String::new();
    writeln!(
        text,
        "Measured on {}, {rounds} rounds.",
        output("date", &["-u", "+%Y-%m-%d"])?
    )?;
    writeln!(text)?;
    writeln!(text, "- Machine: {}", machine()?)?;
    writeln!(text, "- Kernel: {}", output("uname", &["-sr"])?)?;
    for (name, version) in versions {
        writeln!(text, "- {name}: {version}")?;
    }
    let mut section = None;
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let count = rest.iter().take_while(|row| row.section == first.section).count();
        let (these, others) = rest.split_at(count);
        if section.replace(first.section) != Some(first.section) {
            writeln!(text, "\n### {}\n", first.section.name())?;
        }
        write!(text, "{}", render(these))?;
        rest = others;
    }
    let end = |name: &str| figures.get(name).map_or(f64::NAN, |values| median(values));
    writeln!(
        text,
        "\nOf an idle connection the calling end holds {:.1} KiB and the serving end {:.1} KiB.",
        end("idle connection, calling end"),
        end("idle connection, serving end"),
    )?;
    Ok(text)
}

/// Processor, how many, and memory, as Linux tells them.
fn machine() -> Result<String> {
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |model| model.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism()?;
    let hypervisor = processors
        .lines()
        .any(|line| line.starts_with("flags") && line.contains(" hypervisor"));
    let kind = if hypervisor { "virtual machine" } else { "bare metal" };
    Ok(format!("{model}, {cores} cores, {kind}"))
}

fn output(program: &str, args: &[&str]) -> Result<String> {
    let done = Command::new(program).args(args).output()?;
    Ok(String::from_utf8(done.stdout)?.trim().to_owned())
}
