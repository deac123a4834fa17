//! The part of `cargo metadata` that the commands use.

use crate::shell;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: Vec<String>,
    pub(crate) target_directory: PathBuf,
    pub(crate) resolve: Option<Resolve>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) rust_version: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) documentation: Option<String>,
    pub(crate) readme: Option<PathBuf>,
    pub(crate) keywords: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
    /// The registries that may take it: nothing said means any, an empty list means none.
    pub(crate) publish: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Nothing for a normal dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) deps: Vec<NodeDependency>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct NodeDependency {
    pub(crate) pkg: String,
    pub(crate) dep_kinds: Vec<DependencyKind>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct DependencyKind {
    pub(crate) kind: Option<String>,
}

impl Metadata {
    /// The workspace and everything that it depends on, with all features on.
    pub(crate) fn load() -> Result<Self> {
        Self::read(shell::cargo().args(["metadata", "--format-version", "1", "--all-features"]))
    }

    /// A workspace without its dependencies: quick, and needs no network.
    pub(crate) fn members_of(manifest: &Path) -> Result<Self> {
        let mut command = shell::cargo();
        Self::read(
            command
                .args(["metadata", "--format-version", "1", "--no-deps", "--manifest-path"])
                .arg(manifest),
        )
    }

    fn read(command: &mut std::process::Command) -> Result<Self> {
        let text = shell::capture(command)?;
        serde_json::from_str(&text).context("cargo metadata prints what this program does not understand")
    }

    /// The packages of the workspace itself.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The packages that are meant for the registry.
    pub(crate) fn publishable(&self) -> impl Iterator<Item = &Package> {
        self.members().filter(|package| package.is_publishable())
    }
}

impl Package {
    pub(crate) fn is_publishable(&self) -> bool {
        self.publish.as_ref().is_none_or(|registries| !registries.is_empty())
    }

    pub(crate) fn has_library(&self) -> bool {
        self.targets
            .iter()
            .any(|target| target.kind.iter().any(|kind| kind == "lib"))
    }

    pub(crate) fn directory(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("."))
    }
}

/// Where cargo puts what it builds; this respects `CARGO_TARGET_DIR`.
pub(crate) fn target_directory() -> Result<PathBuf> {
    Ok(Metadata::members_of(&shell::root().join("Cargo.toml"))?.target_directory)
}
