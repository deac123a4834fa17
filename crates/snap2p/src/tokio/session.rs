//! Handles of a session.

use super::{
    Config, Stream,
    driver::{Driver, OnClaimed, Seat},
    link::{Ends, Link},
};
use crate::{
    Error, ErrorCode, Principal,
    session::{PeerInfo, Session as Machine},
};
use bytes::BytesMut;
use std::{
    future::poll_fn,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite};

/// A session with a peer whose identity is proved. Cheap to clone; all clones are the same session.
///
/// It lives until [`close`](Self::close), until the peer ends it, or until the last of its handles is dropped: clones,
/// its [`Incoming`] and all its [`Stream`]s. Then what finished streams have written still leaves, for at most
/// [`Config::close_timeout`](super::Config::close_timeout), and the rest is broken off.
#[derive(Debug, Clone)]
pub struct Session {
    owner: Arc<Owner>,
}

/// What all handles of a session hold: once nobody does, the session closes.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) link: Arc<Link>,
    /// Whether this is only a guest's: it keeps no session open, and closes none.
    is_guest: bool,
}

impl Owner {
    /// What stands for the session without keeping it: a peer that asks and asks must not make it outlive its owners.
    pub(super) fn guest(link: Arc<Link>) -> Arc<Self> {
        Arc::new(Self { link, is_guest: true })
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if !self.is_guest {
            self.link.with(|state| state.ask_to_close());
        }
    }
}

/// Streams that the application shall not see: their labels, and what becomes of them.
#[derive(Clone)]
pub(super) struct Claims {
    pub(super) labels: &'static [&'static str],
    pub(super) on_claimed: OnClaimed,
}

/// A socket, or what stands for one, in two halves.
pub(super) struct Halves<R, W> {
    pub(super) reader: R,
    pub(super) writer: W,
    pub(super) ends: Ends,
    /// What the session takes a place in.
    pub(super) seat: Option<Seat>,
}

impl Session {
    /// Starts the task of a session. `input` is what was read behind the handshake.
    pub(super) fn start<R, W>(
        machine: Machine,
        input: BytesMut,
        halves: Halves<R, W>,
        claims: Option<Claims>,
        config: &Config,
    ) -> Self
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let Halves {
            reader,
            writer,
            ends,
            seat,
        } = halves;
        let labels = claims.as_ref().map_or(&[][..], |claims| claims.labels);
        let lease = config.memory.lease();
        let link = Link::new(machine, Box::new(writer), ends, config.output_buffer, lease, labels);
        let owner = Arc::new(Owner {
            link: Arc::clone(&link),
            is_guest: false,
        });
        let session = Self { owner };
        let on_claimed = claims.map(|claims| claims.on_claimed);
        let driver = Driver::new(
            link,
            Arc::downgrade(&session.owner),
            on_claimed,
            reader,
            input,
            seat,
            config,
        );
        tokio::spawn(driver);
        session
    }

    /// This session, with the streams that the peer opens on it.
    pub(super) fn with_incoming(self) -> (Self, Incoming) {
        self.link().with(|state| state.take_incoming());
        let session = self.clone();
        (self, Incoming { session })
    }

    pub(super) const fn of(owner: Arc<Owner>) -> Self {
        Self { owner }
    }

    pub(super) fn link(&self) -> &Arc<Link> {
        &self.owner.link
    }

    pub(super) fn downgrade(&self) -> WeakSession {
        WeakSession(Arc::downgrade(&self.owner))
    }

    /// The address of this end of the socket.
    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        self.link().ends.local
    }

    /// Who is at the other end: proved.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.link().info.principal
    }

    /// All that is known of the other end: node key, visibility, capabilities, the session's name.
    #[must_use]
    pub fn peer_info(&self) -> &PeerInfo {
        &self.link().info
    }

    /// The address of the socket at the other end; `None` over other byte streams.
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.link().ends.remote
    }

    /// How long the peer took to answer the last PING; `None` before the first answer.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.link().look(|state| state.machine.round_trip())
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
        let opened = self.link().wait_to_open(|state| match state.over() {
            Some(error) => Some(Err(error)),
            None => match state.machine.open_stream(label) {
                Err(Error::Stream(ErrorCode::ResourceExhausted)) => None,
                opened => Some(opened),
            },
        });
        let id = opened.await?;
        Ok(Stream::new(self, id, label.into()))
    }

    /// The streams that the peer opens: to whoever asks first, `None` to all others. [`dial`](super::dial) and
    /// [`Peer::accept`](super::Peer::accept) hand it out with the session.
    ///
    /// Until it is asked for, streams that the peer opens wait, within the session's limits; once it is dropped they are
    /// refused.
    #[must_use]
    pub fn incoming(&self) -> Option<Incoming> {
        self.link()
            .with(|state| state.take_incoming())
            .then(|| Incoming { session: self.clone() })
    }

    /// Ends the session: what was written still leaves and the socket is closed, each in at most
    /// [`Config::close_timeout`](super::Config::close_timeout). From now on nothing can be opened or written. The
    /// protocol has no goodbye: the peer sees its streams break off that are not finished.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the session still closes.
    pub async fn close(&self) {
        self.link().with(|state| state.ask_to_close());
        self.link().wait_for_end(|state| state.is_done().then_some(())).await;
    }

    /// Waits for the end of the session, and tells why it has ended. [`Error::Closed`] if this end or the peer closed it.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn closed(&self) -> Arc<Error> {
        self.link().wait_for_end(|state| state.reason().cloned()).await
    }

    /// Whether the session has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.link().look(|state| state.over().is_some())
    }
}

/// A session that does not live for the sake of this.
#[derive(Debug, Clone)]
pub(super) struct WeakSession(Weak<Owner>);

impl WeakSession {
    pub(super) fn upgrade(&self) -> Option<Session> {
        self.0.upgrade().map(Session::of)
    }

    pub(super) fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }
}

/// The streams that the peer opens. Dropping it refuses those to come, and those that wait.
#[derive(Debug)]
pub struct Incoming {
    session: Session,
}

impl Incoming {
    /// The next stream that the peer opened; `None` once the session has ended.
    ///
    /// # Cancel safety
    /// Safe: a stream is either returned or still there.
    pub async fn next(&mut self) -> Option<Stream> {
        let (id, label) = poll_fn(|cx| self.session.link().with(|state| state.poll_arrival(cx))).await?;
        Some(Stream::new(&self.session, id, label))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.session.link().with(|state| state.drop_incoming());
    }
}
