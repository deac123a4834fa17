//! From a byte stream to a session.

use super::{Config, Incoming, Session};
use crate::{
    Error,
    session::{Answer, Dial, Local, Question},
};
use tokio::io::{AsyncRead, AsyncWrite};

/// Proves both ends of `io` to each other as the initiator, and starts the session's task on the current runtime.
///
/// `io` is anything that moves bytes: a socket, a pipe, another protocol's connection.
///
/// # Errors
/// What the peer did, [`Error::WrongPeer`], [`Error::NotAllowed`], [`Error::Refused`], [`Error::TimedOut`] after
/// [`Config::handshake_timeout`], [`Error::Truncated`] if the peer closes early, [`Error::Io`].
///
/// # Cancel safety
/// Dropped before it is ready, it closes `io`.
pub async fn dial<S>(io: S, local: &Local, dial: Dial, config: Config) -> Result<(Session, Incoming), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let _ = (io, local, dial, config);
    todo!("tokio")
}

/// Proves both ends of `io` to each other as the responder, and starts the session's task on the current runtime.
///
/// `judge` is asked whether an invite's token is good, if [`Answer::stealth`] is set, and then whether the principal that has
/// proved itself may come in, after [`Answer::allow`]. What it takes counts against [`Config::handshake_timeout`].
///
/// # Errors
/// As [`dial`]. [`Error::NotAllowed`] and [`Error::Refused`] also if `judge` says no.
///
/// # Cancel safety
/// Dropped before it is ready, it closes `io`.
pub async fn answer<S, J, F>(
    io: S,
    local: &Local,
    answer: Answer,
    judge: J,
    config: Config,
) -> Result<(Session, Incoming), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    J: FnMut(Question) -> F + Send,
    F: Future<Output = bool> + Send,
{
    let _ = (io, local, answer, judge, config);
    todo!("tokio")
}
