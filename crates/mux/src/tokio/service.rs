//! What answers the peer's requests.

use std::fmt;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use super::{Context, Incoming};
use crate::{Body, CallType, MethodName, RemoteError};

/// The items that a source or duplex sends: bodies, unless another type is named.
pub type Items<T = Body> = BoxStream<'static, Result<T, RemoteError>>;

/// The work of a sink: its result is told to the caller when it ends.
pub type Consumption = BoxFuture<'static, Result<(), RemoteError>>;

/// The answer of a call.
pub enum Answer {
    /// It is there.
    Ready(Result<Body, RemoteError>),
    /// It takes time.
    Later(BoxFuture<'static, Result<Body, RemoteError>>),
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(result) => f.debug_tuple("Ready").field(result).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

/// What answers the requests of peers: a [`Router`](super::Router), or something of your own that finds methods elsewhere,
/// checks permissions its own way or wraps calls.
///
/// One service serves many connections, so it is shared; which one a call comes from, its [`Context`] tells. The methods are
/// called by the connection's driver and must not block; the futures and streams that they return run inside it. Work that
/// keeps a processor busy belongs in a task of its own.
pub trait Service: Send + Sync + 'static {
    /// Answers a call with one answer: of a `sync` or `async` method.
    fn call(&self, cx: Context) -> Answer;

    /// Starts a source.
    ///
    /// # Errors
    /// The error that ends the stream.
    fn source(&self, cx: Context) -> Result<Items, RemoteError>;

    /// Starts a sink.
    ///
    /// # Errors
    /// The error that ends the stream.
    fn sink(&self, cx: Context, items: Incoming) -> Result<Consumption, RemoteError>;

    /// Starts a duplex.
    ///
    /// # Errors
    /// The error that ends the stream.
    fn duplex(&self, cx: Context, items: Incoming) -> Result<Items, RemoteError>;
}

/// The error for a method that there is not, in muxrpc's words: `no async:blobs,get`.
pub fn no_such_method(kind: CallType, method: &MethodName) -> RemoteError {
    // A sync method is called as an async one, so a caller never hears of "sync".
    let kind = if kind == CallType::Sync { CallType::Async } else { kind };
    RemoteError::new(format!("no {kind}:{}", method.comma_separated()))
}
