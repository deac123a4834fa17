//! The cargo tools that the checks need, each at one pinned version, installed once into the target directory.

use crate::{metadata, shell};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};

/// A program from the registry.
pub(crate) struct Tool {
    name: &'static str,
    version: &'static str,
}

pub(crate) const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
};
pub(crate) const CARGO_FUZZ: Tool = Tool {
    name: "cargo-fuzz",
    version: "0.13.2",
};
pub(crate) const MDBOOK: Tool = Tool {
    name: "mdbook",
    version: "0.5.4",
};

impl Tool {
    /// The path of the program, which is installed first if it is not there at its pinned version.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        let target = metadata::target_directory()?;
        let tools = target.join("tools");
        let program = tools
            .join("bin")
            .join(self.name)
            .with_extension(std::env::consts::EXE_EXTENSION);
        if self.is_current(&program) {
            return Ok(program);
        }
        println!(
            "{} {} is not installed yet: installing it into {}",
            self.name,
            self.version,
            tools.display()
        );
        let mut install = shell::cargo();
        // Each runs for some seconds and would be optimised for minutes.
        for (setting, value) in [("OPT_LEVEL", "0"), ("LTO", "off"), ("DEBUG", "false")] {
            install.env(format!("CARGO_PROFILE_RELEASE_{setting}"), value);
        }
        install
            .args(["install", "--locked", "--force", "--version", self.version, "--root"])
            .arg(&tools);
        // Apart from our own artifacts, so that neither waits for the lock of the other.
        install.arg("--target-dir").arg(tools.join("build")).arg(self.name);
        shell::run(&mut install).with_context(|| format!("{} {} cannot be installed", self.name, self.version))?;
        Ok(program)
    }

    fn is_current(&self, program: &Path) -> bool {
        let output = shell::command(program).arg("--version").output();
        output.is_ok_and(|output| {
            String::from_utf8_lossy(&output.stdout)
                .split_whitespace()
                .any(|word| word.trim_start_matches('v') == self.version)
        })
    }
}
