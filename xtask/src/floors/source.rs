//! The rules about source files: none too long to be one idea, none with `unsafe`.

use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};

/// From here on a file wants splitting.
const LONG: usize = 600;
/// Past this it must be split.
const TOO_LONG: usize = 700;

/// Folders of Rust that is ours; `xtask/peers` measures foreign code and builds apart.
const FOLDERS: &[&str] = &["crates", "xtask/src", "fuzz/fuzz_targets"];

#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<String>,
    pub(super) warnings: Vec<String>,
}

pub(super) fn check(root: &Path) -> Result<Findings> {
    let mut findings = Findings::default();
    let mut files = Vec::new();
    for folder in FOLDERS {
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        check_file(&name, &text, &mut findings);
    }
    Ok(findings)
}

fn check_file(name: &str, text: &str, findings: &mut Findings) {
    let lines = text.lines().count();
    if lines > TOO_LONG {
        findings.problems.push(format!(
            "{name}: {lines} lines, at most {TOO_LONG}; split it, one idea to a file"
        ));
    } else if lines > LONG {
        findings.warnings.push(format!(
            "{name}: {lines} lines; past {LONG} a file wants splitting, past {TOO_LONG} it must be"
        ));
    }
    let unsafe_line = text.lines().position(|line| {
        code_of(line)
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| word == "unsafe")
    });
    // This file names the word in order to find it.
    if let Some(line) = unsafe_line.filter(|_| !name.ends_with("floors/source.rs")) {
        findings.problems.push(format!(
            "{name}:{}: `unsafe` has no place in this workspace; find a safe way",
            line + 1
        ));
    }
}

/// A line without its comment and without the texts in it.
fn code_of(line: &str) -> String {
    let code = line.split("//").next().unwrap_or_default();
    code.split('"').step_by(2).collect::<Vec<_>>().join(" ")
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Findings {
        let mut findings = Findings::default();
        check_file("x.rs", text, &mut findings);
        findings
    }

    #[test]
    fn a_long_file_is_warned_of_and_a_longer_one_refused() {
        assert!(findings(&"\n".repeat(LONG)).warnings.is_empty());
        assert_eq!(findings(&"\n".repeat(LONG + 1)).warnings.len(), 1);
        assert_eq!(findings(&"\n".repeat(TOO_LONG + 1)).problems.len(), 1);
    }

    #[test]
    fn the_keyword_is_found_in_code_and_nowhere_else() {
        assert_eq!(findings("let x = unsafe { y() };").problems.len(), 1);
        assert!(
            findings("// unsafe\n#![forbid(unsafe_code)]\nlet x = \"unsafe\";\n")
                .problems
                .is_empty()
        );
    }
}
