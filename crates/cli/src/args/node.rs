//! The commands that run the own node, ask it, and steer it.

use super::{As, Json, Network, Voucher};
use crate::listen::Listen;
use clap::{Parser, ValueHint};
use handfast_keys::PublicKey;
use handfast_multiserver::Address;
use std::path::PathBuf;

/// Run a node until Ctrl-C.
///
/// Prints a line `listening ADDRESS` for each address once it is bound. What is not said here is taken from config.toml
/// in the node's directory, which `handfast config --write` creates, and else has a default. The owner reaches the running
/// node with the other commands, through a Unix socket in its directory. Ctrl-C closes all connections gracefully; a
/// second one ends the program at once.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  handfast start\n  handfast start --listen net:0.0.0.0:8008 --listen ws://0.0.0.0:8989\n  \
    handfast start --listen net:0.0.0.0:8008~snap2p -w anna\n  handfast status"
)]
pub(crate) struct Start {
    /// Where to listen: net:HOST:PORT, ws://HOST:PORT or unix:DIR; port 0 takes a free one. Behind it may stand what is spoken:
    /// ~shs, ~noauth, or ~snap2p, for which -w names a wallet. May be given several times
    /// [default: what the configuration says, else net:127.0.0.1:8008]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Vec<Listen>,

    /// The configuration, in TOML [default: config.toml in the node's directory, if it is there]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,

    /// Offer example methods of every kind to whoever shakes hands
    #[arg(long)]
    pub(crate) example: bool,

    #[command(flatten)]
    pub(crate) network: Network,

    #[command(flatten)]
    pub(crate) voucher: Voucher,
}

/// Print the configuration with every default, in TOML.
///
/// A comment above each key says what it is and in which unit. Keys that are left out have their defaults, so a
/// configuration may be as short as one line.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  handfast config | less\n  handfast config --write && handfast start")]
pub(crate) struct Config {
    /// Create config.toml in the node's directory instead; never overwrites one
    #[arg(long)]
    pub(crate) write: bool,
}

/// Show the running node: its peers, transports and rates, live.
///
/// In a terminal the picture is renewed until q or Ctrl-C; elsewhere it is printed once.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  handfast status\n  handfast status --once\n  handfast status --json --watch")]
pub(crate) struct Status {
    /// Print the status once, also in a terminal
    #[arg(long, conflicts_with = "watch")]
    pub(crate) once: bool,

    /// Go on until the node ends, also where there is no terminal
    #[arg(long)]
    pub(crate) watch: bool,

    /// Seconds between two looks at the node
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = interval)]
    pub(crate) interval: std::time::Duration,

    #[command(flatten)]
    pub(crate) json: Json,
}

/// List the peers that the running node is connected with.
#[derive(Debug, Parser)]
pub(crate) struct Peers {
    #[command(flatten)]
    pub(crate) json: Json,
}

/// Let the running node connect to a peer.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  handfast connect net:pub.example:8008~shs:KEY\n  \
    handfast connect net:pub.example:8008~snap2p:stacks:SP…    a node that has a wallet")]
pub(crate) struct Connect {
    /// The peer, such as net:HOST:PORT~shs:KEY
    pub(crate) address: Address,

    #[command(flatten)]
    pub(crate) json: Json,
}

/// Let the running node close its connections to a peer.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  handfast disconnect @KEY.ed25519")]
pub(crate) struct Disconnect {
    /// The peer's id (@….ed25519), or an address with its key
    #[arg(value_name = "ID|ADDRESS")]
    pub(crate) peer: String,

    #[command(flatten)]
    pub(crate) json: Json,
}

/// List the methods of the running node, or of a peer.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  handfast manifest\n  handfast manifest net:pub.example:8008~shs:KEY")]
pub(crate) struct Manifest {
    /// The peer, such as net:HOST:PORT~shs:KEY [default: the own running node]
    pub(crate) address: Option<Address>,

    #[command(flatten)]
    pub(crate) json: Json,

    #[command(flatten)]
    pub(crate) who: As,

    #[command(flatten)]
    pub(crate) network: Network,
}

/// Show what a peer may call here, and which rule of which plugin says so.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  handfast perms\n  handfast perms @KEY.ed25519")]
pub(crate) struct Perms {
    /// The peer's id (@….ed25519) [default: a stranger]
    #[arg(value_name = "ID")]
    pub(crate) key: Option<PublicKey>,

    #[command(flatten)]
    pub(crate) json: Json,
}

/// Print a script that completes this program's command lines in a shell.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  handfast completions bash > ~/.local/share/bash-completion/completions/handfast\n  \
    handfast completions fish > ~/.config/fish/completions/handfast.fish"
)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// Print the manual page of this program, or write the pages of all commands.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  handfast man | man -l -\n  handfast man --out ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// Write a page for the program and one for each command into this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: Option<PathBuf>,
}

/// An interval, in seconds.
fn interval(text: &str) -> Result<std::time::Duration, &'static str> {
    /// Oftener than ten times a second nobody reads, and the node would be busy with being watched.
    const SHORTEST: f64 = 0.1;
    const LONGEST: f64 = 86_400.0;
    text.parse()
        .ok()
        .filter(|seconds| (SHORTEST..=LONGEST).contains(seconds))
        .map(std::time::Duration::from_secs_f64)
        .ok_or("an interval is a number of seconds from 0.1 to 86400")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_neither_nothing_nor_endless() {
        assert_eq!(interval("0.5"), Ok(std::time::Duration::from_millis(500)));
        for text in ["0", "-1", "NaN", "inf", "1e300", "often"] {
            assert!(interval(text).is_err(), "{text}");
        }
    }
}
