//! The commands that gossip.

use super::{Network, Simulate};
use crate::listen::Listen;
use clap::{Args, Parser, Subcommand};
use handfast_keys::PublicKey;
use handfast_multiserver::Address;
use std::{path::PathBuf, str::FromStr, time::Duration};

/// Gossip: messages that reach everyone who wants to hear them.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  handfast gossip chat --name anna                  shows an address\n  \
    handfast gossip chat --name ben --join ADDRESS    in another terminal\n  \
    handfast gossip node --listen 127.0.0.1:9000      secure-gossip itself, as JSON lines\n  \
    handfast gossip simulate crowd-100 --live         a hundred nodes, to look at"
)]
pub(crate) struct Gossip {
    #[command(subcommand)]
    pub(crate) command: GossipCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GossipCommand {
    Node(GossipNode),
    Chat(Chat),
    Simulate(Simulate),
}

/// Speak secure-gossip over TCP with whoever speaks it.
///
/// Prints a line `listening HOST:PORT` for each place once it is bound, then each message that is heard as one line of JSON,
/// {"public":…,"message":…}, and publishes each line of JSON that it reads from stdin. A line that is no message is told on
/// stderr, and reading goes on. The end of stdin ends nothing; Ctrl-C does. Peers that cannot be reached, or have gone, are
/// dialled again and again.
///
/// What is spoken is the protocol of secure-gossip, byte for byte: signed, but not encrypted, and without a handshake. Two of
/// this program notice each other, and speak something better.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  handfast gossip node --listen 127.0.0.1:9000\n  handfast gossip node --dial 127.0.0.1:9000 \
    --say '{\"text\":\"kia ora\"}'\n  printf '{\"a\":1}\\n{\"a\":2}\\n' | handfast gossip node --dial 127.0.0.1:9000"
)]
pub(crate) struct GossipNode {
    /// Where to listen; port 0 takes a free one. May be given several times
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Vec<Place>,

    /// Whom to dial. May be given several times
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) dial: Vec<Place>,

    /// Publish this at once: an object in JSON. May be given several times
    #[arg(long, value_name = "JSON")]
    pub(crate) say: Vec<String>,

    /// How many milliseconds lie between two rounds, in which peers that are secure-gossip itself get what is new
    #[arg(long, value_name = "MS", default_value = "100", value_parser = milliseconds)]
    pub(crate) interval: Duration,

    #[command(flatten)]
    pub(crate) who: Signs,
}

/// As whom to sign.
#[derive(Debug, Args)]
pub(crate) struct Signs {
    /// Sign as the identity in the node's directory [default: a new one, which is forgotten at the end]
    #[arg(long)]
    pub(crate) identity: bool,
}

/// Chat in the terminal, among several machines or processes.
///
/// Prints the address that others give to --join; whoever has joined anybody has joined all. Messages travel between nodes
/// over the secret handshake, are signed by their authors, and reach those too who come later. Where stdin and stdout are no
/// terminal, each line of stdin is said and each message is one line of stdout; the end of stdin ends nothing, Ctrl-C does.
///
/// Everybody who knows the name of a topic, and anybody's address, is in it. A topic that has an owner lets in whom the owner
/// has certified.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  handfast gossip chat --name anna\n  handfast gossip chat --name ben --join ADDRESS\n  \
    handfast gossip chat --listen net:0.0.0.0:9100 --topic garden\n\nA topic of one's own:\n  \
    handfast gossip chat --identity --topic board --owner me\n  \
    handfast gossip chat --identity --topic board --owner me --certify @KEY.ed25519\n  \
    handfast gossip chat --identity --topic board --owner @OWNER.ed25519 --certificate FILE --join ADDRESS"
)]
pub(crate) struct Chat {
    /// What to chat about
    #[arg(long, value_name = "NAME", default_value = "lobby")]
    pub(crate) topic: String,

    /// Whose topic it is: an id, or me [default: nobody's, so that everybody is in]
    #[arg(long, value_name = "ID|me")]
    pub(crate) owner: Option<Owner>,

    /// The file with the certificate that lets us into a topic that somebody else owns
    #[arg(long, value_name = "FILE", requires = "owner", value_hint = clap::ValueHint::FilePath)]
    pub(crate) certificate: Option<PathBuf>,

    /// Print a certificate that lets somebody into our own topic for a year, and end
    #[arg(long, value_name = "ID", requires = "owner", conflicts_with_all = ["certificate", "join"])]
    pub(crate) certify: Option<PublicKey>,

    /// The address that somebody's chat has printed. May be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) join: Vec<Address>,

    /// Where to listen: net:HOST:PORT or ws://HOST:PORT. May be given several times [default: net:127.0.0.1:0]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Vec<Listen>,

    /// What to be called [default: the beginning of our id]
    #[arg(long, value_name = "NICK")]
    pub(crate) name: Option<String>,

    #[command(flatten)]
    pub(crate) who: Signs,

    #[command(flatten)]
    pub(crate) network: Network,
}

/// Who owns a topic.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Owner {
    /// The own identity.
    Me,
    /// Somebody else.
    Somebody(PublicKey),
}

impl FromStr for Owner {
    type Err = <PublicKey as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "me" => Ok(Self::Me),
            id => id.parse().map(Self::Somebody),
        }
    }
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// A name or an address; of IPv6 without its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = text
            .rsplit_once(':')
            .ok_or("a host and a port are wanted, as in 127.0.0.1:9000")?;
        let port = port
            .parse()
            .map_err(|_| format!("{port} is no port: a number from 0 to 65535 is wanted"))?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        if host.is_empty() || (bare.is_none() && host.contains(':')) {
            return Err("a host is wanted before the port; IPv6 in brackets, as in [::1]:9000".into());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// A number of milliseconds, at least one.
fn milliseconds(text: &str) -> Result<Duration, &'static str> {
    match text.parse() {
        Ok(0) | Err(_) => Err("a number of milliseconds is wanted, 1 or more"),
        Ok(number) => Ok(Duration::from_millis(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_a_host_and_a_port() {
        let place = |text: &str| text.parse::<Place>();
        assert_eq!(place("example.org:80").unwrap().to_string(), "example.org:80");
        assert_eq!(
            place("[::1]:0").unwrap(),
            Place {
                host: "::1".into(),
                port: 0
            }
        );
        assert_eq!(place("[::1]:0").unwrap().to_string(), "[::1]:0");
        for (text, part) in [
            ("9000", "host and a port"),
            (":9000", "host is wanted"),
            ("[]:9000", "host is wanted"),
            ("::1:9000", "brackets"),
            ("localhost:", "no port"),
            ("localhost:65536", "no port"),
        ] {
            assert!(place(text).unwrap_err().contains(part), "{text}");
        }
    }
}
