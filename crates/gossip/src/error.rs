//! What can go wrong, sorted by whose fault it is.
//!
//! What a peer does wrong is no error of a call: the machines say [`Fault`](crate::secure::Fault) and the peer is dropped.

/// Everything that this crate reports.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller asked for something that cannot be.
    #[error("{0}")]
    Caller(&'static str),
    /// A certificate or a revocation of a closed topic is not good.
    #[error("the certificate does not do: {0}")]
    Certificate(&'static str),
    /// A scenario for the simulator that cannot be: what is wrong, and what may stand there.
    #[cfg(feature = "simulate")]
    #[error("{0}")]
    Scenario(String),
    /// The caller published something that is not an object.
    #[error("only objects can be published, and this is {found}; give it a name, as in {{\"text\": …}}")]
    NotAnObject {
        /// What it is instead.
        found: &'static str,
    },
    /// The caller published an object with a member of its own called `signature`.
    #[error("a message's member `signature` holds its signature, so it cannot be given; choose another name for yours")]
    Reserved,
    /// The caller published more than travels in one message.
    #[error(
        "the message takes {bytes} bytes as it travels and {limit} are allowed; send what is long in parts or by reference"
    )]
    TooLong {
        /// Bytes of the message, signatures included.
        bytes: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// What the caller published cannot be turned into JSON.
    #[error("this cannot be turned into JSON: {0}")]
    Json(#[from] handfast_json::Error),
    /// The caller used a handle after the node was stopped.
    #[error("the node was stopped")]
    Stopped,
    /// A peer broke the rules of its link, which was closed.
    #[error("the peer was dropped: {0}")]
    Peer(#[from] crate::secure::Fault),
    /// The environment: the cryptographic library or the system's randomness does not work.
    #[error(transparent)]
    Keys(#[from] handfast_keys::Error),
    /// The environment: a peer stream failed.
    #[error("a peer stream failed: {0}")]
    Io(#[from] std::io::Error),
}
