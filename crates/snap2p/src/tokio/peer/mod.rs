//! Who we are on the network: one identity that listens and dials.

mod builder;
mod identity;
mod target;

pub use builder::{Builder, Limits};
pub use identity::Identity;
pub use target::{DialOptions, Target};

use super::{Incoming, Session};
use crate::{Error, Locator, Principal, access::Invites};
use handfast_keys::PublicKey;
use std::net::SocketAddr;
use tokio::net::ToSocketAddrs;

/// An identity that listens and dials. Cheap to clone; all clones are the same peer.
///
/// Once the last clone is dropped it no longer listens; sessions go on for as long as somebody holds them.
#[derive(Debug, Clone)]
pub struct Peer {}

impl Peer {
    /// Prepares a peer with this identity: a wallet's account, or a key and its network.
    pub fn builder<I>(identity: I) -> Builder
    where
        I: TryInto<Identity>,
        Error: From<I::Error>,
    {
        Builder::new(identity.try_into().map_err(Error::from))
    }

    /// Who we are.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        todo!("tokio")
    }

    /// The key of this node, which our principal attests. Applications rarely need it: it may change with each start.
    #[must_use]
    pub fn node_public_key(&self) -> &PublicKey {
        todo!("tokio")
    }

    /// Listens at an address, such as `0.0.0.0:9000`; port 0 lets the system choose. Returns what was bound. May be called for
    /// several addresses.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be bound, [`Error::Closed`] after [`close`](Self::close).
    pub async fn listen(&self, at: impl ToSocketAddrs) -> Result<SocketAddr, Error> {
        let _ = at;
        todo!("tokio")
    }

    /// Where it listens.
    #[must_use]
    pub fn listening(&self) -> Vec<SocketAddr> {
        todo!("tokio")
    }

    /// Dials `HOST:PORT`, `[IPV6]:PORT`, `stacks:SP…`, `stacks:SP…@HOST:PORT` or an invite, and proves who is there: if the
    /// target names a principal, that one, and in each case one that the allowlist takes.
    ///
    /// A principal is looked for in what is known, then with the peers that are connected, then with those that the
    /// [builder](Builder::known) knows; all of its places are tried.
    ///
    /// Streams that the other side opens on it come out of [`Session::incoming`].
    ///
    /// # Errors
    /// As [`tokio::dial`](super::dial); [`Error::Io`] of the last place if none can be reached; [`Error::NotFound`] if nobody
    /// knows where the principal is; what is wrong with the target's text or the invite.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it leaves nothing open.
    pub async fn dial<T>(&self, target: T) -> Result<Session, Error>
    where
        T: TryInto<Target>,
        Error: From<T::Error>,
    {
        self.dial_with(target, DialOptions::default()).await
    }

    /// [`dial`](Self::dial) with more to say: who must be there, and an invite's token.
    ///
    /// # Errors
    /// As [`dial`](Self::dial).
    pub async fn dial_with<T>(&self, target: T, options: DialOptions) -> Result<Session, Error>
    where
        T: TryInto<Target>,
        Error: From<T::Error>,
    {
        let _ = (target.try_into()?, options);
        todo!("tokio")
    }

    /// The next session that somebody dialled, with the streams that they open; `None` once the peer is closed. Each session is
    /// given out once; at most [`Limits::waiting`] wait.
    ///
    /// # Cancel safety
    /// Safe: a session is either returned or still there.
    pub async fn accept(&self) -> Option<(Session, Incoming)> {
        todo!("tokio")
    }

    /// [`accept`](Self::accept) as a stream.
    #[must_use]
    pub fn connections(&self) -> Sessions {
        todo!("tokio")
    }

    /// The next connection that came in and led to nothing, for a log; `None` once the peer is closed. When nobody asks, the
    /// oldest are forgotten.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn failed(&self) -> Option<Failed> {
        todo!("tokio")
    }

    /// The tokens that open a stealth node: create them here, and hand them out.
    #[must_use]
    pub fn invites(&self) -> &Invites {
        todo!("tokio")
    }

    /// Where a principal may be dialled, the likeliest first; empty if nobody knows. Looks in what is known, and asks the peers
    /// that are connected if that is nothing.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn resolve(&self, principal: &Principal) -> Vec<Locator> {
        let _ = principal;
        todo!("tokio")
    }

    /// The sessions that are open, in no order.
    #[must_use]
    pub fn sessions(&self) -> Vec<Session> {
        todo!("tokio")
    }

    /// Stops listening, closes all sessions, and waits until both are done.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, everything still closes.
    pub async fn close(&self) {
        todo!("tokio")
    }
}

/// Sessions that others dialled, as a [`Stream`](futures_core::Stream); see [`Peer::connections`].
#[derive(Debug)]
pub struct Sessions {}

/// A connection that came in and led to nothing.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failed {
    /// From where it came.
    pub from: SocketAddr,
    /// What went wrong.
    pub error: Error,
    /// How many failures before this one were forgotten.
    pub unreported: u64,
}
