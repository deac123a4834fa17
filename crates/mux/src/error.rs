//! The one error enum, sorted by whose fault it is.

use std::sync::Arc;
use std::time::Duration;

use crate::RemoteError;

/// Why a call, a stream or a connection failed. Cheap to clone: one failed connection fails everything open on it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // The peer's doing.
    /// The peer answered with an error, or ended a stream with one.
    #[error("the peer answered with an error: {0}")]
    Remote(#[source] RemoteError),
    /// The peer broke the framing; the connection is over.
    #[error("the peer broke the protocol: {0}")]
    Protocol(#[from] Violation),
    /// The peer's answer or item does not have the shape that was asked for.
    #[error(
        "the peer's answer does not fit the type asked for: {0}; ask for `serde_json::Value` or the raw body to see it"
    )]
    Decode(Arc<str>),
    /// The connection ended while this was open.
    #[error("unexpected end of parent stream")]
    UnexpectedEnd,
    /// The peer took nothing for the configured time while output was waiting; the connection is over.
    #[error("the peer took no bytes for {0:?} while output was waiting")]
    WriteStalled(Duration),

    // The caller's doing.
    /// The connection is closing or closed and takes no new work.
    #[error("parent stream is closing")]
    Closing,
    /// This end aborted the connection, for this reason.
    #[error("the connection was aborted: {0}")]
    Aborted(Arc<str>),
    /// The stream has ended; nothing can be sent on it any more.
    #[error("the stream has ended")]
    StreamEnded,
    /// Items arrived faster than they were read for longer than the configuration allows, so the stream was ended.
    #[error("the reader was too slow: the stream's buffer stayed full; read faster, or raise `stream_buffer`")]
    ReaderTooSlow,
    /// A value cannot be sent.
    #[error("the value cannot be sent: {0}")]
    Encode(Arc<str>),
    /// A body is longer than a packet may be.
    #[error("the body is {length} bytes long and at most {max} may be sent")]
    BodyTooLong {
        /// Length of the body, in bytes.
        length: usize,
        /// The limit, in bytes.
        max: u32,
    },
    /// Not a method name: empty, or with an empty part.
    #[error("{0:?} is not a method name; names are parts joined by dots, such as \"blobs.get\"")]
    MethodName(Arc<str>),
    /// As many calls or streams of this end are open as the configuration allows.
    #[error(
        "{0} calls and streams are open, as many as the configuration allows; wait for some, or raise `max_own_work`"
    )]
    TooManyCalls(usize),
    /// All 2^31-1 request numbers of this connection are used up.
    #[error("this connection has used up its request numbers; open a new one")]
    IdsExhausted,
    /// The call's deadline passed. The peer may still be working on it: calls cannot be taken back.
    #[error("no answer within {0:?}")]
    DeadlineExceeded(Duration),

    // The environment's doing.
    /// The stream beneath failed.
    #[error("the stream beneath failed: {0}")]
    Io(#[source] Arc<std::io::Error>),
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

/// How a peer broke the framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// The header claims a longer body than is accepted.
    #[error("a packet claims {claimed} bytes and at most {max} are accepted")]
    BodyTooLong {
        /// What the header claims, in bytes.
        claimed: u32,
        /// The configured limit, in bytes.
        max: u32,
    },
    /// The header names body type 3, which does not exist.
    #[error("a packet names the unknown body type 3")]
    BodyType,
    /// A body that calls itself JSON is not.
    #[error("a packet's body is not the JSON that its header promises")]
    NotJson,
}
