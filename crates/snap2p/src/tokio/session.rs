//! Handles of a session.

use super::Stream;
use crate::{Error, Principal, session::PeerInfo};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// A session with a peer whose identity is proved. Cheap to clone; all clones are the same session.
///
/// It lives until [`close`](Self::close), until the peer ends it, or until the last of its handles is dropped: clones,
/// its [`Incoming`] and all its [`Stream`]s. Then what finished streams have written still leaves, for at most
/// [`Config::close_timeout`](super::Config::close_timeout), and the rest is broken off.
#[derive(Debug, Clone)]
pub struct Session {}

impl Session {
    /// Who is at the other end: proved.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        todo!("tokio")
    }

    /// All that is known of the other end: node key, visibility, capabilities, the session's name.
    #[must_use]
    pub fn peer_info(&self) -> &PeerInfo {
        todo!("tokio")
    }

    /// The address of the socket at the other end; `None` over other byte streams.
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        todo!("tokio")
    }

    /// How long the peer took to answer the last PING; `None` before the first answer.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        todo!("tokio")
    }

    /// Opens a stream. The label, at most 1024 bytes, tells the peer what it is for. Waits while 100 streams are open.
    ///
    /// The protocol has no answer to this: bytes may be written at once, and a peer that does not want the stream breaks it
    /// off with [`ErrorCode::StreamRefused`](crate::ErrorCode::StreamRefused) (the reference with `ResourceExhausted`).
    ///
    /// # Errors
    /// [`Error::Closed`] if the session has ended, [`Error::Misuse`] for a label that is too long.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has opened none.
    pub async fn open_stream(&self, label: &str) -> Result<Stream, Error> {
        let _ = label;
        todo!("tokio")
    }

    /// The streams that the peer opens: to whoever asks first, `None` to all others. [`dial`](super::dial) and
    /// [`Peer::accept`](super::Peer::accept) hand it out with the session.
    ///
    /// Until it is asked for, streams that the peer opens wait, within the session's limits; once it is dropped they are
    /// refused.
    #[must_use]
    pub fn incoming(&self) -> Option<Incoming> {
        todo!("tokio")
    }

    /// Ends the session: what was written still leaves and the socket is closed, in at most
    /// [`Config::close_timeout`](super::Config::close_timeout). From now on nothing can be opened or written. The
    /// protocol has no goodbye: the peer sees its streams break off that are not finished.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the session still closes.
    pub async fn close(&self) {
        todo!("tokio")
    }

    /// Waits for the end of the session, and tells why it has ended. [`Error::Closed`] if this end or the peer closed it.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn closed(&self) -> Arc<Error> {
        todo!("tokio")
    }

    /// Whether the session has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        todo!("tokio")
    }
}

/// The streams that the peer opens. Dropping it refuses those to come, and those that wait.
#[derive(Debug)]
pub struct Incoming {}

impl Incoming {
    /// The next stream that the peer opened; `None` once the session has ended.
    ///
    /// # Cancel safety
    /// Safe: a stream is either returned or still there.
    pub async fn next(&mut self) -> Option<Stream> {
        todo!("tokio")
    }
}
