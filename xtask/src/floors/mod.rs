//! `cargo xtask floors`: the rules of the house, checked. Gathers the facts; the rules themselves stand in `rules.rs`.

mod rules;
mod source;

use crate::metadata::{Metadata, Package};
use crate::shell;
use anyhow::{Context as _, Result, bail};
use rules::{Crate, Use, UseKind};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub(crate) fn run() -> Result<()> {
    let metadata = Metadata::load()?;
    let workspace_rust = workspace_rust_version(&metadata)?;
    let crates: Vec<Crate> = metadata
        .members()
        .map(|package| describe(package, &metadata))
        .collect::<Result<_>>()?;

    let mut problems = rules::check(&crates);
    problems.extend(rules::check_rust_versions(
        &workspace_rust,
        &shipped_rust_versions(&metadata),
    ));
    let sources = source::check(&shell::root())?;
    problems.extend(sources.problems);

    for warning in &sources.warnings {
        println!("warning: {warning}");
    }
    if problems.is_empty() {
        println!("floors: {} crates keep the rules of the house", crates.len());
        return Ok(());
    }
    for problem in &problems {
        eprintln!("floors: {problem}");
    }
    bail!(
        "{} rule(s) of the house are broken; each line above says what to do",
        problems.len()
    )
}

/// The facts about one crate that the rules ask for.
fn describe(package: &Package, metadata: &Metadata) -> Result<Crate> {
    let members: BTreeSet<&str> = metadata.members().map(|member| member.name.as_str()).collect();
    let uses = package.dependencies.iter().map(|dependency| Use {
        name: dependency.name.clone(),
        kind: match dependency.kind.as_deref() {
            None => UseKind::Normal,
            Some("dev") => UseKind::Dev,
            Some(_) => UseKind::Build,
        },
        ours: members.contains(dependency.name.as_str()),
    });
    let directory = package.directory();
    let manifest = read(&package.manifest_path)?;
    Ok(Crate {
        name: package.name.clone(),
        version: package.version.clone(),
        publishable: package.is_publishable(),
        uses: uses.collect(),
        features: package.features.keys().cloned().collect(),
        readme: package
            .readme
            .as_ref()
            .is_some_and(|readme| directory.join(readme).is_file()),
        changelog: std::fs::read_to_string(directory.join("CHANGELOG.md")).ok(),
        keywords: package.keywords.len(),
        categories: package.categories.len(),
        documentation: package.documentation.clone(),
        license: package.license.clone(),
        rust_version: package.rust_version.clone(),
        inherits_lints: inherits_lints(&manifest),
    })
}

/// Whether a manifest says `[lints] workspace = true`.
fn inherits_lints(manifest: &str) -> bool {
    let mut lines = manifest
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[lints]")
        .skip(1);
    lines
        .by_ref()
        .take_while(|line| !line.starts_with('['))
        .any(|line| line.replace(' ', "") == "workspace=true")
}

fn workspace_rust_version(metadata: &Metadata) -> Result<String> {
    let version = metadata.members().find_map(|package| package.rust_version.clone());
    version.context("no crate says a rust-version: set it in [workspace.package] of the root Cargo.toml")
}

/// What the packages that reach our users ask of the compiler: everything below a publishable crate by normal or build
/// dependencies.
fn shipped_rust_versions(metadata: &Metadata) -> BTreeMap<String, String> {
    let Some(resolve) = &metadata.resolve else {
        return BTreeMap::new();
    };
    let nodes: BTreeMap<&str, _> = resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let mut todo: Vec<&str> = metadata.publishable().map(|package| package.id.as_str()).collect();
    let mut reached = BTreeSet::new();
    while let Some(id) = todo.pop() {
        if !reached.insert(id) {
            continue;
        }
        let dependencies = nodes.get(id).map(|node| node.deps.as_slice()).unwrap_or_default();
        let shipped = dependencies
            .iter()
            .filter(|d| d.dep_kinds.iter().any(|k| k.kind.as_deref() != Some("dev")));
        todo.extend(shipped.map(|dependency| dependency.pkg.as_str()));
    }
    let packages = metadata
        .packages
        .iter()
        .filter(|package| reached.contains(package.id.as_str()));
    packages
        .filter_map(|package| {
            Some((
                format!("{} {}", package.name, package.version),
                package.rust_version.clone()?,
            ))
        })
        .collect()
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::inherits_lints;

    #[test]
    fn lints_are_inherited_only_from_their_own_section() {
        assert!(inherits_lints("[package]\nname = \"x\"\n\n[lints]\nworkspace = true\n"));
        assert!(!inherits_lints("[package]\nname = \"x\"\n"));
        assert!(!inherits_lints("[lints]\n[dependencies]\nworkspace = true\n"));
    }
}
