//! `registry.json`: what the reference lists wallets from, and we only keep for it.

use super::disk;
use serde::{Deserialize, Serialize};
use std::{io, path::Path};

/// The longest registry that is read, bytes: a thousand wallets with long names.
const REGISTRY_MAX: usize = 1 << 20;
pub(super) const NAME: &str = "registry.json";

/// The file.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(super) struct Registry {
    version: u64,
    pub(super) accounts: Vec<Known>,
    #[serde(rename = "currentAccountId", default)]
    pub(super) current: Option<String>,
}

/// A wallet in it.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(super) struct Known {
    pub(super) id: String,
    pub(super) address: String,
    pub(super) display_name: String,
    pub(super) created_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_used: Option<String>,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            version: 1,
            accounts: Vec::new(),
            current: None,
        }
    }
}

impl Registry {
    /// The registry of a directory, if there is one that can be read.
    pub(super) fn read(dir: &Path) -> Option<Self> {
        serde_json::from_str(&disk::read(&dir.join(NAME), REGISTRY_MAX).ok()?).ok()
    }

    /// Makes a registry of these wallets, with the dates and the order that the one of the directory tells, and writes it if
    /// it is another one than that.
    pub(super) fn update(dir: &Path, files: Vec<Known>, change: impl FnOnce(&mut Self)) -> io::Result<()> {
        let found = Self::read(dir);
        // One of a later version is not ours to write.
        if found.as_ref().is_some_and(|registry| registry.version != 1) {
            return Ok(());
        }
        let mut registry = found.clone().unwrap_or_default();
        registry
            .accounts
            .retain(|known| files.iter().any(|file| file.id == known.id));
        let mut seen = std::collections::HashSet::new();
        registry.accounts.retain(|known| seen.insert(known.id.clone()));
        for file in files {
            match registry.accounts.iter_mut().find(|known| known.id == file.id) {
                Some(known) => {
                    known.address = file.address;
                    known.display_name = file.display_name;
                }
                None => registry.accounts.push(file),
            }
        }
        change(&mut registry);
        let accounts = &registry.accounts;
        registry
            .current
            .take_if(|current| accounts.iter().all(|known| known.id != *current));
        // An empty directory stays empty.
        if found.as_ref() == Some(&registry) || (found.is_none() && registry.accounts.is_empty()) {
            return Ok(());
        }
        let text = serde_json::to_string_pretty(&registry)?;
        disk::write(&dir.join(NAME), text.as_bytes(), disk::Place::Replace)
    }
}
