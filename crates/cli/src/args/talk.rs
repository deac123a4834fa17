//! The commands that talk to a peer.

use super::{As, Kind, Network};
use crate::listen::Listen;
use clap::Parser;
use handfast_keys::PublicKey;
use handfast_multiserver::Address;
use std::str::FromStr;

/// Call a method of a peer, or of the own node, and print what it answers, one JSON value a line.
///
/// Where an address is expected, `local` stands for the node that runs in the own directory; its methods are called with
/// full rights. The kind of the method is asked of the peer's manifest unless --type tells it. A sink and a duplex read their items
/// from stdin, one JSON value a line.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  handfast call ADDRESS manifest\n  handfast call ADDRESS echo '\"kia ora\"'\n  \
    handfast call ADDRESS count 5\n  printf '\"a\"\\n\"b\"\\n' | handfast call ADDRESS shout\n  \
    handfast call local control.status"
)]
pub(crate) struct Call {
    /// The peer, such as net:HOST:PORT~shs:KEY, or local for the own node
    #[arg(value_name = "ADDRESS|local")]
    pub(crate) target: Target,

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

    /// Print JSON lines, as happens anyway
    #[arg(long, conflicts_with = "raw")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) who: As,

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
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["seed", "anonymous"])]
    pub(crate) listen: Option<Listen>,

    /// When listening, let in only this peer (@….ed25519). May be given several times
    #[arg(long, value_name = "ID", requires = "listen")]
    pub(crate) allow: Vec<PublicKey>,

    #[command(flatten)]
    pub(crate) who: As,

    #[command(flatten)]
    pub(crate) network: Network,
}

/// Whom to call.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// The node that runs in the own directory.
    Local,
    /// A peer.
    Peer(Address),
}

impl FromStr for Target {
    type Err = <Address as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "local" => Ok(Self::Local),
            address => address.parse().map(Self::Peer),
        }
    }
}
