//! The command line.

mod gossip;
mod node;
mod simulate;
mod snap;
mod talk;

pub(crate) use gossip::{Chat, Gossip, GossipCommand, GossipNode, Owner, Place, Signs};
pub(crate) use node::{Completions, Config, Connect, Disconnect, Man, Manifest, Peers, Perms, Start, Status};
pub(crate) use simulate::Simulate;
pub(crate) use snap::{
    At, Key, Myself, PasswordFrom, Snap, SnapChat, SnapCommand, SnapDial, SnapListen, SnapReceive, SnapSend,
    SnapSignin, SnapTarget, SnapWallet, Voucher, WalletCommand, WalletCreate, WalletDelete, WalletExport, WalletList,
    WalletRestore, WalletShow, Wallets, Whom,
};
pub(crate) use talk::{Call, Pipe, Target};

use clap::{Parser, Subcommand, ValueEnum};
use handfast_keys::NetworkIdentifier;
use handfast_mux::CallType;
use std::path::PathBuf;

/// Run, call and inspect secret-stack peers.
///
/// A peer is reached by its address, such as net:127.0.0.1:8008~shs:KEY, where KEY is its public key in base64. Both
/// sides must be on one network, which the network identifier (app key, caps.shs) names; unless told otherwise it is
/// the main SSB network.
#[derive(Debug, Parser)]
#[command(
    name = "handfast",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 success, 1 the peer answered \
    with an error or a file failed, 2 usage, 3 the peer or the own node was not reached, or the connection \
    broke.\n\nTry: handfast demo"
)]
pub(crate) struct Args {
    /// Where everything of a node lives [default: handfast in the platform's data directory]
    #[arg(long, global = true, env = "HANDFAST_DIR", value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,

    /// Say more about what happens, on stderr; -vv and -vvv say more still (HANDFAST_LOG sets filters)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create an identity in the node's directory; never replaces one
    Init,
    /// Print the identity's public id
    Id,
    Start(Start),
    /// Run a node with example methods: the same as start --example
    Serve(Start),
    Config(Config),
    Status(Status),
    Peers(Peers),
    Connect(Connect),
    Disconnect(Disconnect),
    Manifest(Manifest),
    Perms(Perms),
    Call(Call),
    Pipe(Pipe),
    Gossip(Gossip),
    Snap(Snap),
    /// See two nodes on this machine meet, talk, and turn a stranger away
    Demo,
    Completions(Completions),
    Man(Man),
}

#[derive(Debug, Parser)]
pub(crate) struct Network {
    /// The network identifier, 32 bytes in base64 [default: that of config.toml, else the main SSB network]
    #[arg(long, value_name = "BASE64", env = "HANDFAST_NETWORK", hide_env_values = true)]
    pub(crate) network: Option<NetworkIdentifier>,
}

/// As whom to dial.
#[derive(Debug, Parser)]
pub(crate) struct As {
    /// Come as the identity of this seed (32 bytes in base64), as an invite gives it
    #[arg(long, value_name = "BASE64", env = "HANDFAST_SEED", hide_env_values = true)]
    pub(crate) seed: Option<Seed>,

    /// Come as a new identity that is used once
    #[arg(long, conflicts_with = "seed")]
    pub(crate) anonymous: bool,

    #[command(flatten)]
    pub(crate) voucher: Voucher,
}

#[derive(Debug, Parser)]
pub(crate) struct Json {
    /// Print JSON, one value a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// A 32-byte seed, masked in `Debug`.
#[derive(Clone)]
pub(crate) struct Seed(pub(crate) zeroize::Zeroizing<[u8; 32]>);

impl std::str::FromStr for Seed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A network identifier has the same form: 32 bytes in strict base64.
        let bytes: NetworkIdentifier = text
            .parse()
            .map_err(|_| "a seed is 32 bytes in base64, 44 characters")?;
        Ok(Self(zeroize::Zeroizing::new(*bytes.as_bytes())))
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// The kind of a method, as the manifest names it.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Kind {
    Sync,
    Async,
    Source,
    Sink,
    Duplex,
}

impl From<Kind> for CallType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Sync => Self::Sync,
            Kind::Async => Self::Async,
            Kind::Source => Self::Source,
            Kind::Sink => Self::Sink,
            Kind::Duplex => Self::Duplex,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_directory_may_stand_before_or_after_the_command() {
        for line in [["handfast", "--dir", "/x", "id"], ["handfast", "id", "--dir", "/x"]] {
            assert_eq!(Args::try_parse_from(line).unwrap().dir, Some("/x".into()));
        }
    }

    #[test]
    fn negative_numbers_are_arguments_and_options_may_follow_them() {
        let key = "U5GvOKP/YUza9k53DSXxT0mk3PIrnyAmessvNfZl5E0=";
        let address = format!("net:127.0.0.1:1~shs:{key}");
        let line = ["handfast", "call", &address, "add", "-1", "-2.5", "--type", "sync"];
        let Command::Call(call) = Args::try_parse_from(line).unwrap().command else {
            panic!("a call")
        };
        assert_eq!(call.arguments, ["-1", "-2.5"]);
        assert!(call.kind.is_some());
    }

    #[test]
    fn a_seed_does_not_show() {
        let seed: Seed = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=".parse().unwrap();
        assert_eq!(seed.0[..], [1; 32]);
        assert_eq!(format!("{seed:?}"), "Seed(..)");
    }
}
