//! The command line.

use crate::address::{Address, Listen};
use clap::{Parser, Subcommand, ValueEnum};
use handfast_keys::{NetworkIdentifier, PublicKey};
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
    with an error or a file failed, 2 usage, 3 the peer was not reached or the connection broke.\n\nTry: handfast demo"
)]
pub(crate) struct Args {
    /// Where everything of a node lives [default: handfast in the platform's data directory]
    #[arg(long, global = true, env = "HANDFAST_DIR", value_name = "DIR")]
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
    Serve(Serve),
    Call(Call),
    Pipe(Pipe),
    /// See two nodes on this machine meet, talk, and turn a stranger away
    Demo,
}

/// Serve example methods of every kind to whoever shakes hands.
///
/// Prints a line `listening ADDRESS` for each address once it is bound. Ctrl-C closes all connections gracefully; a
/// second one ends the program at once.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  handfast serve --listen net:127.0.0.1:8008\n  handfast call ADDRESS whoami")]
pub(crate) struct Serve {
    /// Where to listen, net:HOST:PORT; port 0 takes a free one. May be given several times
    #[arg(long, value_name = "ADDRESS", default_value = "net:127.0.0.1:8008")]
    pub(crate) listen: Vec<Listen>,

    #[command(flatten)]
    pub(crate) network: Network,
}

/// Call a method of a peer and print what it answers, one JSON value a line.
///
/// The kind of the method is asked of the peer's manifest unless --type tells it. A sink and a duplex read their items
/// from stdin, one JSON value a line.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  handfast call ADDRESS manifest\n  handfast call ADDRESS echo '\"kia ora\"'\n  \
    handfast call ADDRESS count 5\n  printf '\"a\"\\n\"b\"\\n' | handfast call ADDRESS shout"
)]
pub(crate) struct Call {
    /// The peer, net:HOST:PORT~shs:KEY
    pub(crate) address: Address,

    /// The method, with dots between its parts, such as gossip.ping
    pub(crate) method: String,

    /// The arguments, each a JSON value: 5, '"text"', '{"live":true}'
    #[arg(value_name = "JSON", allow_negative_numbers = true)]
    pub(crate) arguments: Vec<String>,

    /// The kind of the method, if it is known
    #[arg(long = "type", value_name = "KIND")]
    pub(crate) kind: Option<Kind>,

    /// Stop after this many items of a source or duplex
    #[arg(long, value_name = "N")]
    pub(crate) take: Option<u64>,

    /// Write buffers and texts as they are, with nothing between them, instead of JSON lines
    #[arg(long)]
    pub(crate) raw: bool,

    /// Come as the identity of this seed (32 bytes in base64), as an invite gives it
    #[arg(long, value_name = "BASE64", env = "HANDFAST_SEED", hide_env_values = true)]
    pub(crate) seed: Option<Seed>,

    /// Come as a new identity that is used once
    #[arg(long, conflicts_with = "seed")]
    pub(crate) anonymous: bool,

    #[command(flatten)]
    pub(crate) network: Network,
}

/// Connect stdin and stdout to a peer: an authenticated, encrypted netcat.
///
/// One side listens and prints its address on stderr, the other one dials it. The end of stdin ends that direction; the
/// command ends when both directions have. A connection that was cut is an error, never a silent end.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  handfast pipe --listen net:127.0.0.1:9000 > copy\n  handfast pipe ADDRESS < file")]
pub(crate) struct Pipe {
    /// The peer to dial, net:HOST:PORT~shs:KEY
    #[arg(required_unless_present = "listen", conflicts_with = "listen")]
    pub(crate) address: Option<Address>,

    /// Wait here for one peer instead, net:HOST:PORT
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<Listen>,

    /// When listening, let in only this peer (@….ed25519). May be given several times
    #[arg(long, value_name = "ID", requires = "listen")]
    pub(crate) allow: Vec<PublicKey>,

    /// When dialling, come as the identity of this seed (32 bytes in base64)
    #[arg(
        long,
        value_name = "BASE64",
        env = "HANDFAST_SEED",
        hide_env_values = true,
        conflicts_with = "listen"
    )]
    pub(crate) seed: Option<Seed>,

    /// When dialling, come as a new identity that is used once
    #[arg(long, conflicts_with_all = ["seed", "listen"])]
    pub(crate) anonymous: bool,

    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Debug, Parser)]
pub(crate) struct Network {
    /// The network identifier, 32 bytes in base64 [default: the main SSB network]
    #[arg(
        long,
        value_name = "BASE64",
        env = "HANDFAST_NETWORK",
        hide_env_values = true,
        default_value_t,
        hide_default_value = true
    )]
    pub(crate) network: NetworkIdentifier,
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
