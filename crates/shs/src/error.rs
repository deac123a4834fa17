//! Everything that can end a handshake, by whose fault it is.

use handfast_keys::KeyFault;
use std::{fmt, io, time::Duration};

/// One of the four messages, in the order in which they travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// Client to server, 64 bytes: its challenge.
    ClientHello,
    /// Server to client, 64 bytes: its challenge.
    ServerHello,
    /// Client to server, 112 bytes: who it is, in a box that only the intended server opens.
    ClientAuth,
    /// Server to client, 80 bytes: proof that it is the intended server, and consent.
    ServerAccept,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientHello => "client hello (message 1)",
            Self::ServerHello => "server hello (message 2)",
            Self::ClientAuth => "client auth (message 3)",
            Self::ServerAccept => "server accept (message 4)",
        })
    }
}

/// Why a handshake failed.
///
/// The peer is told none of this: on the wire every failure is a closed connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // What the peer sent.
    /// A challenge is not signed with our network identifier.
    #[error("the peer is on another network, or does not speak Secret Handshake")]
    OtherNetwork,
    /// The peer's ephemeral key has low order, so the shared secret would be known to everybody.
    #[error("the peer sent an ephemeral key of low order")]
    LowOrderEphemeral,
    /// The peer sent our own challenge back.
    #[error("the peer reflected our own challenge")]
    ReflectedChallenge,
    /// Message 3 does not open: the client meant another server key than ours.
    #[error("the client dialled another server key than ours")]
    OtherServerKey,
    /// The client's long-term key is refused.
    #[error("the client's identity is refused: {0}")]
    ClientKey(#[source] KeyFault),
    /// The client does not hold the key that it claims.
    #[error("the client's signature is wrong")]
    ClientSignature,
    /// Message 4 does not open or is not signed by the server key that was dialled.
    #[error("the server did not prove that it holds the key that was dialled")]
    ServerProof,

    // What happened to the connection (adapter only).
    /// The peer closed the connection instead of sending this message.
    #[error("the peer closed the connection instead of sending the {awaited}; {}", likely_cause(*.awaited))]
    Closed {
        /// The message that was awaited.
        awaited: Message,
    },
    /// The whole handshake took longer than it may.
    #[error("the handshake was not finished within {allowed:?}")]
    Deadline {
        /// The time that was allowed.
        allowed: Duration,
    },
    /// The transport failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),

    // What we decided or lack.
    /// Our own `authorize` turned the client away.
    #[error("the client was turned away: {0}")]
    Refused(String),
    /// Keys could not be made or used: no randomness, or no memory.
    #[error(transparent)]
    Keys(#[from] handfast_keys::Error),
}

/// A closed connection is all that the protocol says, so the point at which it happened is the best clue.
fn likely_cause(awaited: Message) -> &'static str {
    match awaited {
        Message::ClientHello => "it connected and left",
        Message::ServerHello => "most likely it is on another network (another network identifier)",
        Message::ClientAuth => "most likely it is on another network, or gave up",
        Message::ServerAccept => "most likely it has another key than the one dialled, or does not let us in",
    }
}
