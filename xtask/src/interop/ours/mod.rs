//! Our side of every pair, straight over the crates that are on trial.

mod api;
mod caller;
mod cuttable;
mod echo;
mod gossip;
mod node;
mod plugins;
mod server;

pub(super) use caller::{Dial, play};
pub(super) use echo::{Ending, Heard, Refuse, dial_echo, serve_echo};
pub(super) use gossip::Gossiper;
pub(super) use node::node;
pub(super) use server::{Cut, Server};

use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey};
use tokio::io::{AsyncRead, AsyncWrite};

/// A byte stream of whatever make.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What carries muxrpc: the bare socket, or Secret Handshake and Box Stream on it.
#[derive(Clone)]
pub(super) enum Carrier {
    /// Nothing: muxrpc alone is on trial.
    Plain,
    /// A caller that knows the server's key.
    Dialling {
        network: NetworkIdentifier,
        identity: KeyPair,
        server: PublicKey,
    },
    /// A server.
    Listening {
        network: NetworkIdentifier,
        identity: KeyPair,
    },
}
