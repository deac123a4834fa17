//! Somebody to whom the node is connected.

use std::{
    fmt,
    ops::Deref,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use handfast_keys::PublicKey;
use handfast_multiserver::{Alternative, Direction};
use handfast_mux::tokio as mux;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{Rights, meter::Gauge};

/// A live connection to a peer: the original's `rpc`. Cheap to clone.
///
/// It is called like the [`mux::Peer`] that it derefs to: `peer.call("whoami", ())`. Dropping it closes nothing, because
/// the node keeps the connection; [`close`](mux::Peer::close) does.
#[derive(Clone)]
pub struct Peer {
    inner: Arc<Inner>,
}

struct Inner {
    about: Arc<About>,
    rpc: mux::Peer,
}

/// What is known of a connection before anything is called on it. Handlers find it in their context, see [`about`].
#[derive(Debug)]
pub struct About {
    pub(crate) number: u64,
    pub(crate) key: Option<PublicKey>,
    pub(crate) address: Alternative,
    pub(crate) direction: Direction,
    /// Whether the peer takes this node for somebody else, as whom it dialled.
    pub(crate) seeded: bool,
    pub(crate) transport: Arc<str>,
    pub(crate) rights: Rights,
    pub(crate) basis: Basis,
    pub(crate) since: SystemTime,
    pub(crate) start: Instant,
    pub(crate) gauge: Arc<Gauge>,
    /// Why this node ends the connection, once it does.
    pub(crate) end: OnceLock<End>,
    /// Cancelled when this node wants the connection to end.
    pub(crate) retire: CancellationToken,
    pub(crate) doubt: Doubt,
}

/// Whether the peer is expected to close the connection, as a duplicate of one that both ends keep.
#[derive(Debug, Default)]
pub(crate) struct Doubt {
    doubted: AtomicBool,
    begun: Notify,
}

impl Doubt {
    fn begin(&self) {
        self.doubted.store(true, Relaxed);
        self.begun.notify_one();
    }

    /// Resolves when the doubt has begun.
    pub(crate) async fn begun(&self) {
        self.begun.notified().await;
    }

    /// The connection stays after all.
    pub(crate) fn end(&self) {
        self.doubted.store(false, Relaxed);
    }
}

/// Why this node ends a connection.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// Both ends dialled at once, and the other connection is kept.
    Duplicate,
    /// Nothing passed through it for this long.
    Inactive(Duration),
    /// Somebody on this side wanted it.
    Told(Arc<str>),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate => f.write_str("both ends dialled at once, and the other connection is kept"),
            Self::Inactive(limit) => write!(f, "nothing passed through it for {limit:?}"),
            Self::Told(reason) => f.write_str(reason),
        }
    }
}

/// On what the rights of a peer rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Basis {
    /// Nothing was said about this peer, or we dialled it: it has the rights of everybody.
    Anonymous,
    /// The method `auth` gave it these rights.
    Auth,
    /// It came through a transform that stands for the owner, such as `noauth` on the node's own socket.
    Owner,
}

/// The connection by which a call came in, if a node serves it.
pub fn about(cx: &mux::Context) -> Option<&About> {
    cx.extension::<About>()
}

impl About {
    /// A number that no other connection of this node has or had.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The peer's public key; `None` if its transform does not prove one.
    pub fn key(&self) -> Option<&PublicKey> {
        self.key.as_ref()
    }

    /// Where the peer is: the address that was dialled, or where it came from.
    pub fn address(&self) -> &Alternative {
        &self.address
    }

    /// Who dialled.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The name of the transport: `net`, `ws`, `unix`.
    pub fn transport(&self) -> &str {
        &self.transport
    }

    /// What the peer may call here.
    pub fn rights(&self) -> &Rights {
        &self.rights
    }

    /// On what its rights rest.
    pub fn basis(&self) -> Basis {
        self.basis
    }

    /// When the connection was made.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// Bytes received from the peer, after decryption.
    pub fn bytes_in(&self) -> u64 {
        self.gauge.read()
    }

    /// Bytes sent to the peer, before encryption.
    pub fn bytes_out(&self) -> u64 {
        self.gauge.written()
    }
}

impl Peer {
    pub(crate) fn new(about: Arc<About>, rpc: mux::Peer) -> Self {
        Self {
            inner: Arc::new(Inner { about, rpc }),
        }
    }

    /// Who the peer is and how it is connected.
    pub fn about(&self) -> &About {
        &self.inner.about
    }

    /// The peer's public key; `None` if its transform does not prove one.
    pub fn id(&self) -> Option<&PublicKey> {
        self.about().key()
    }

    /// Where the peer is: the address that was dialled, or where it came from.
    pub fn address(&self) -> &Alternative {
        self.about().address()
    }

    /// Who dialled.
    pub fn direction(&self) -> Direction {
        self.about().direction()
    }

    /// Another connection to the same peer is kept. The end that dialled this one closes it; the other end waits for that.
    pub(crate) fn give_way(&self) {
        match self.direction() {
            Direction::Outgoing => self.retire(End::Duplicate),
            Direction::Incoming => self.about().doubt.begin(),
        }
    }

    pub(crate) fn is_doubted(&self) -> bool {
        self.about().doubt.doubted.load(Relaxed)
    }

    /// Ends the connection as soon as its work is done.
    pub(crate) fn retire(&self, end: End) {
        let about = self.about();
        // The first reason counts.
        let _ = about.end.set(end);
        about.retire.cancel();
    }

    pub(crate) fn is_live(&self) -> bool {
        !self.inner.rpc.is_closing() && !self.about().retire.is_cancelled()
    }
}

impl Deref for Peer {
    type Target = mux::Peer;

    fn deref(&self) -> &mux::Peer {
        &self.inner.rpc
    }
}

impl PartialEq for Peer {
    /// Whether it is the same connection.
    fn eq(&self, other: &Self) -> bool {
        self.about().number == other.about().number
    }
}

impl Eq for Peer {}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("id", &self.id())
            .field("address", &self.address().to_string())
            .field("direction", &self.direction())
            .finish_non_exhaustive()
    }
}
