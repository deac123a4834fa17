//! The programs that measure: how they are built and run.

use super::Section;
use crate::interop::node;
use crate::shell::root;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One line of a program's output.
#[derive(Deserialize)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) value: f64,
    #[serde(default)]
    version: Option<String>,
}

/// The programs, built.
pub(super) struct Programs {
    ours: PathBuf,
    rust: PathBuf,
    libsodium: PathBuf,
    /// What was measured with what: name and version.
    pub(super) versions: Vec<(&'static str, String)>,
}

impl Programs {
    /// Builds all of them in release, and checks that the JavaScript packages are there.
    pub(super) fn build(sections: &[Section]) -> Result<Self> {
        let peers = root().join("xtask/peers");
        if sections
            .iter()
            .any(|section| !matches!(section, Section::Memory | Section::Snap2p))
        {
            node::install(&["core", "sg"])?;
        }
        let ours = build(&root().join("xtask/bench"), None)?;
        // Other workspaces, so they keep their artefacts apart; they share a directory because that saves building twice.
        let apart = ours
            .parent()
            .and_then(Path::parent)
            .context("a target directory")?
            .join("peers");
        let rust = build(&peers.join("rust"), Some(&apart))?;
        let libsodium = build(&peers.join("libsodium"), Some(&apart))?;
        let mut programs = Self {
            ours,
            rust,
            libsodium,
            versions: Vec::new(),
        };
        if sections.contains(&Section::Boxstream) {
            let figures = execute(&mut Command::new(&programs.libsodium))?;
            let version = figures.into_iter().find_map(|figure| figure.version);
            programs
                .versions
                .push(("libsodium", version.context("libsodium tells its version")?));
        }
        programs.versions.push(("rustc", output("rustc", &["--version"])?));
        programs.versions.push(("node", output("node", &["--version"])?));
        Ok(programs)
    }

    /// Everything that is measured in a section, each program once.
    pub(super) fn run(&self, section: Section) -> Result<Vec<Figure>> {
        let name = section.name();
        let mut figures = execute(Command::new(&self.ours).arg(name))?;
        // Our half of these starts the processes of both, or there is no other: SNaP2P's reference cannot be installed.
        if matches!(section, Section::Gossip | Section::Snap2p | Section::Memory) {
            return Ok(figures);
        }
        if matches!(section, Section::Handshake | Section::Boxstream) {
            figures.extend(execute(Command::new(&self.rust).arg(name))?);
        }
        if section == Section::Boxstream {
            figures.extend(execute(&mut Command::new(&self.libsodium))?);
        }
        let script = root().join("xtask/peers/bench.js");
        figures.extend(execute(Command::new("node").arg(script).arg(name))?);
        Ok(figures)
    }
}

/// Builds the one program of the package in `folder`, and says where it is.
fn build(folder: &Path, target: Option<&Path>) -> Result<PathBuf> {
    eprintln!("building {}", folder.display());
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args([
            "build",
            "--release",
            "--locked",
            "--message-format=json-render-diagnostics",
        ])
        .current_dir(folder)
        .stderr(Stdio::inherit());
    if let Some(target) = target {
        command.arg("--target-dir").arg(target);
    }
    let built = command.output()?;
    if !built.status.success() {
        bail!("{} does not build", folder.display());
    }
    String::from_utf8(built.stdout)?
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .next_back()
        .with_context(|| format!("{} has no program", folder.display()))
}

fn execute(command: &mut Command) -> Result<Vec<Figure>> {
    let done = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    if !done.status.success() {
        bail!("{command:?} failed");
    }
    String::from_utf8(done.stdout)?
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("{command:?} printed {line}")))
        .collect()
}

fn output(program: &str, args: &[&str]) -> Result<String> {
    let done = Command::new(program).args(args).output()?;
    Ok(String::from_utf8(done.stdout)?.trim().to_owned())
}
