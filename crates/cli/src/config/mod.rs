//! The configuration of a node: what it holds, where it is read from, and how it explains itself.

mod keys;
mod settings;
mod text;

pub(crate) use settings::Settings;

use crate::{args, exit::Failure, home::Home, out};
use anyhow::{Context, anyhow};
use handfast_keys::NetworkIdentifier;
use std::{
    io::{self, Write as _},
    path::Path,
};

/// `handfast config`: prints the configuration with every default, or writes it where there is none.
pub(crate) fn run(home: &Home, options: &args::Config) -> Result<(), Failure> {
    let text = Settings::default().to_toml()?;
    if !options.write {
        return out::line(format_args!("{}", text.trim_end())).map_err(Failure::local);
    }
    home.create()?;
    let path = home.config();
    let create = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
    create
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| {
            Failure::local(match error.kind() {
                io::ErrorKind::AlreadyExists => anyhow!(
                    "{} is there already and is not overwritten; compare it with the defaults: {}",
                    path.display(),
                    home.command("config")
                ),
                _ => anyhow!("cannot write {}: {error}", path.display()),
            })
        })?;
    out::line(format_args!("{}", path.display())).map_err(Failure::local)
}

/// The configuration in `named`, or else the one in the node's directory, or else the defaults.
pub(crate) fn load(home: &Home, named: Option<&Path>) -> Result<Settings, Failure> {
    let own = home.config();
    let path = named.unwrap_or(&own);
    match std::fs::read_to_string(path) {
        Ok(text) => Settings::from_toml(&text).map_err(|error| Failure::usage(anyhow!("{}: {error}", path.display()))),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(Settings::default()),
        Err(error) => Err(error)
            .with_context(|| format!("cannot read {}", path.display()))
            .map_err(Failure::local),
    }
}

/// The configuration, and the network to dial in: the one that the command line names, or else that of the node.
pub(crate) fn for_dialling(home: &Home, named: &args::Network) -> Result<(Settings, NetworkIdentifier), Failure> {
    let settings = load(home, None)?;
    let network = named.network.unwrap_or(settings.network);
    Ok((settings, network))
}
