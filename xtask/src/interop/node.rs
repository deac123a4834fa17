//! The pinned JavaScript packages: where they are, installing them, and their versions.

use crate::shell;
use anyhow::{Context as _, Result};
#[cfg(feature = "ours")]
use serde_json::Value;
use std::path::PathBuf;

/// Every project of pinned packages.
#[cfg(feature = "ours")]
pub(crate) const PROJECTS: &[&str] = &["core", "mux6", "sg", "shs1-test", "stack6", "stacks"];

/// The folder of scripts and projects.
pub(crate) fn folder() -> PathBuf {
    shell::root().join("xtask/peers")
}

/// Installs the packages of these projects exactly as their lock files say, unless that has been done.
pub(crate) fn install(projects: &[&str]) -> Result<()> {
    shell::capture(shell::command("node").arg("--version"))
        .context("Node.js is needed: install version 18 or newer, with npm, and see that both are on PATH")?;
    for project in projects {
        let folder = folder().join(project);
        let lock = std::fs::read(folder.join("package-lock.json"))
            .with_context(|| format!("{} has no package-lock.json", folder.display()))?;
        // A copy of the lock file in the installed tree says what that tree was made from.
        let stamp = folder.join("node_modules/.made-from-lock.json");
        if std::fs::read(&stamp).is_ok_and(|made_from| made_from == lock) {
            continue;
        }
        shell::run(
            shell::command(npm())
                .current_dir(&folder)
                .args(["ci", "--loglevel=error"]),
        )
        .with_context(|| format!("the JavaScript packages of {} cannot be installed", folder.display()))?;
        std::fs::write(&stamp, lock).with_context(|| format!("cannot write {}", stamp.display()))?;
    }
    Ok(())
}

fn npm() -> &'static str {
    if cfg!(windows) { "npm.cmd" } else { "npm" }
}

/// The pinned version of a package, as a project's package.json says.
#[cfg(feature = "ours")]
pub(crate) fn version(project: &str, package: &str) -> Result<String> {
    let path = folder().join(project).join("package.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let manifest: Value = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
    let version = manifest
        .get("dependencies")
        .and_then(|dependencies| dependencies.get(package)?.as_str());
    version
        .map(str::to_string)
        .with_context(|| format!("{} does not pin {package}", path.display()))
}
