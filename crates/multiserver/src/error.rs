//! Everything that can go wrong in this crate, by whose fault it is.

use crate::address::{Alternative, Malformed};
use std::{fmt, io, path::PathBuf, time::Duration};

/// What can go wrong with addresses, listening and dialling.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // What somebody wrote: an address or a configuration.
    /// The text is no address.
    #[error(transparent)]
    Address(#[from] Malformed),
    /// A configuration names a transport or transform that was not registered.
    #[error("there is no {kind} {name:?}; there are: {known}")]
    UnknownName {
        /// `transport` or `transform`.
        kind: &'static str,
        /// The name that was asked for.
        name: String,
        /// Those that are registered.
        known: String,
    },
    /// The options of one place to listen on, or of one way to dial, do not fit together.
    #[error("the configuration of {transport} is wrong: {problem}")]
    Misconfigured {
        /// The transport, as the configuration names it.
        transport: String,
        /// What is wrong, and what to write instead.
        problem: String,
    },
    /// The transport can dial only.
    #[error("{transport} can only dial, not listen")]
    CannotListen {
        /// The transport, as the configuration names it.
        transport: String,
    },

    // This machine.
    /// The system does not let us listen there.
    #[error("cannot listen on {place}: {source}{}", remedy(.source))]
    Listen {
        /// Where.
        place: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file or directory that a configuration names cannot be used.
    #[error("cannot use {}: {problem}", .path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why, and what would help.
        problem: String,
    },

    // The way to a peer.
    /// Nothing that is configured for dialling understands the alternative.
    #[error("{0}")]
    NotUnderstood(String),
    /// No connection came about.
    #[error("cannot reach {place}: {source}")]
    Connect {
        /// Where it should have led.
        place: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Something took longer than it may.
    #[error("{what} took longer than {allowed:?}")]
    Timeout {
        /// What took so long.
        what: &'static str,
        /// The time that was allowed.
        allowed: Duration,
    },
    /// No SOCKS5 proxy led to the onion service. All that were tried, and what each said.
    #[error("no SOCKS5 proxy leads there: {0}; is Tor running?")]
    Proxy(String),
    /// TLS could not be established, or could not be prepared.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The other side does not speak WebSocket as it should.
    #[error("the WebSocket upgrade failed: {0}")]
    WebSocket(String),
    /// Every alternative of an address failed.
    #[error("{}", list(.attempts))]
    Unreachable {
        /// What was tried, in this order, and what came of it.
        attempts: Vec<Attempt>,
    },

    // The peer, or whoever claims to be one.
    /// The Secret Handshake failed; or the peer was turned away by our [`Authenticate`](crate::Authenticate).
    #[cfg(feature = "tokio")]
    #[error(transparent)]
    Handshake(#[from] handfast_shs::Error),
    /// The SNaP2P session failed; or the peer was turned away by our allowlist or our [`Authenticate`](crate::Authenticate).
    #[cfg(feature = "snap2p")]
    #[error(transparent)]
    Snap2p(#[from] handfast_snap2p::Error),
    /// The process at the other end of a Unix socket belongs to another user.
    #[error("the process at the other end belongs to another user (uid {uid})")]
    OtherUser {
        /// That user.
        uid: u32,
    },

    // Our own limits.
    /// Too many connections from one place at once.
    #[error("too many connections from {from}; {limit} at once are allowed")]
    TooManyFrom {
        /// The address or, for IPv6, the network.
        from: String,
        /// How many are allowed.
        limit: usize,
    },
    /// So many connections came at once that this one, the oldest whose handshake was not finished, had to go.
    #[error("its handshake was the oldest unfinished one, and had to make room for others")]
    HandshakeShed,
    /// All places are taken, and nobody holds so many that one of them should go.
    #[error("all {limit} places are taken")]
    Full {
        /// How many there are.
        limit: usize,
    },

    // Transports and transforms of others.
    /// Made with [`Error::other`].
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// An error of a transport or transform that is not built in.
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }
}

/// One alternative that was dialled in vain.
#[derive(Debug)]
pub struct Attempt {
    /// Where.
    pub alternative: Alternative,
    /// What came of it.
    pub error: Error,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An alternative prints without its seed.
        write!(f, "{}: {}", self.alternative, self.error)
    }
}

fn list(attempts: &[Attempt]) -> String {
    if let [only] = attempts {
        return only.to_string();
    }
    let texts: Vec<_> = attempts
        .iter()
        .enumerate()
        .map(|(number, attempt)| format!("({}) {attempt}", number + 1))
        .collect();
    format!("none of {} ways led to the peer: {}", attempts.len(), texts.join("; "))
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; choose another port, or 0 for any that is free",
        io::ErrorKind::PermissionDenied => "; ports below 1024 are for privileged programs",
        io::ErrorKind::AddrNotAvailable => "; the host has to be an address of this machine",
        _ => "",
    }
}
