//! What is spoken over a transport: the trait that transforms implement.

use crate::{BoxSocket, Endpoint, Error, Incoming, Layer};
use async_trait::async_trait;
use handfast_keys::PublicKey;
use std::{any::Any, fmt, sync::Arc};

/// What turns a plain stream into one whose other end is known: a handshake and an encryption, or one of your own.
#[async_trait]
pub trait Transform: fmt::Debug + Send + Sync + 'static {
    /// The name in configurations, and the first word of the layer.
    fn name(&self) -> &str;

    /// What our own addresses end with: `shs:KEY`, `noauth`.
    fn layer(&self) -> Layer;

    /// Whether this may be spoken on `bound`, one of the places where a listener with these options listens.
    ///
    /// # Errors
    /// Usually [`Error::Misconfigured`]; the server then does not start.
    fn check_listen(&self, bound: &Endpoint, options: &Incoming) -> Result<(), Error> {
        let _ = (bound, options);
        Ok(())
    }

    /// The side that dialled: `to` is the layer of the address, with its seed if it has one, and `over` where the socket
    /// leads. An address without any layer gives one without parts.
    ///
    /// # Errors
    /// Any [`Error`].
    async fn connect(&self, socket: BoxSocket, to: &Layer, over: &Endpoint) -> Result<Established, Error>;

    /// The side that was dialled, from `from`.
    ///
    /// # Errors
    /// Any [`Error`]. The socket is dropped; whatever the other side may learn of the reason is told in here.
    async fn accept(&self, socket: BoxSocket, from: &Endpoint) -> Result<Established, Error>;
}

/// A stream whose other end is known.
pub struct Established {
    /// The stream above the transform.
    pub socket: BoxSocket,
    /// Who is at the other end, if that was proved.
    pub peer: Option<PublicKey>,
    /// The other end as part of an address: `shs:KEY`.
    pub layer: Layer,
    /// What it may do.
    pub auth: Auth,
}

impl fmt::Debug for Established {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Established")
            .field("peer", &self.peer)
            .field("layer", &self.layer)
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}

/// What was decided about a peer while shaking hands.
#[derive(Clone, Default)]
pub enum Auth {
    /// Nothing: it has the rights that everybody has.
    #[default]
    Anonymous,
    /// It is the owner, who may do everything.
    Owner,
    /// What an [`Authenticate`](crate::Authenticate) granted.
    Granted(Arc<dyn Any + Send + Sync>),
}

impl Auth {
    /// Grants something that whoever takes the connection gets back by [`granted`](Self::granted).
    pub fn grant(what: impl Any + Send + Sync) -> Self {
        Self::Granted(Arc::new(what))
    }

    /// What was granted, if it is a `T`.
    #[must_use]
    pub fn granted<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        match self {
            Self::Granted(what) => Arc::clone(what).downcast().ok(),
            _ => None,
        }
    }

    /// Whether it is the owner.
    #[must_use]
    pub const fn is_owner(&self) -> bool {
        matches!(self, Self::Owner)
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Owner => "Owner",
            Self::Granted(_) => "Granted(..)",
        })
    }
}
