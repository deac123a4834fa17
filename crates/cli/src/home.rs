//! The directory in which everything of a node lives.

use crate::exit::Failure;
use anyhow::{Context, anyhow};
use etcetera::{BaseStrategy, choose_base_strategy};
use handfast_keys::{Error, KeyPair, secret_file};
use std::{
    io,
    path::{Path, PathBuf},
};

/// The node's directory.
#[derive(Debug)]
pub(crate) struct Home(PathBuf);

impl Home {
    /// The directory that was named, or the platform's place for a program's data.
    pub(crate) fn new(named: Option<PathBuf>) -> Result<Self, Failure> {
        match named {
            // The socket in it is part of addresses, which must mean the same wherever they are used.
            Some(named) => Ok(Self(std::path::absolute(&named).unwrap_or(named))),
            None => choose_base_strategy()
                .map(|places| Self(places.data_dir().join("handfast")))
                .map_err(|_| Failure::usage(anyhow!("there is no home directory; say where with --dir"))),
        }
    }

    /// The directory itself.
    pub(crate) fn dir(&self) -> &Path {
        &self.0
    }

    /// The Unix socket at which a running node serves its owner.
    pub(crate) fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }

    /// The configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// A command line of this program for this directory, to recommend to the user.
    pub(crate) fn command(&self, command: &str) -> String {
        match std::env::args_os().any(|arg| arg.to_string_lossy().starts_with("--dir")) {
            true => format!("handfast --dir {} {command}", self.0.display()),
            false => format!("handfast {command}"),
        }
    }

    /// The file that holds the identity.
    pub(crate) fn secret(&self) -> PathBuf {
        self.0.join("secret")
    }

    /// Makes the directory, for its owner only.
    pub(crate) fn create(&self) -> Result<(), Failure> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(&self.0)
            .with_context(|| format!("cannot create {}", self.0.display()))
            .map_err(Failure::local)
    }

    /// The identity, if there is one.
    pub(crate) fn find_identity(&self) -> Result<Option<KeyPair>, Failure> {
        match secret_file::load(self.secret()) {
            Ok(identity) => Ok(Some(identity)),
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::local(error)),
        }
    }

    /// The identity.
    pub(crate) fn identity(&self) -> Result<KeyPair, Failure> {
        self.find_identity()?.ok_or_else(|| {
            Failure::local(anyhow!(
                "there is no identity in {}; create one with: {}",
                self.0.display(),
                self.command("init")
            ))
        })
    }
}
