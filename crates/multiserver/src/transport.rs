//! What carries bytes: the trait that transports implement.

use crate::{Endpoint, Error, Incoming, Outgoing, Scope};
use async_trait::async_trait;
use futures_core::future::BoxFuture;
use std::{fmt, io, net::IpAddr};
use tokio::io::{AsyncRead, AsyncWrite};

/// A stream of bytes in both directions. Every type that fits is one.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// Any [`Socket`].
pub type BoxSocket = Box<dyn Socket>;

/// A way to carry bytes between machines: TCP, WebSockets, or one of your own.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// The key of [`Connections`](crate::Connections) under which it is configured, and usually the first word of its
    /// addresses.
    fn name(&self) -> &str;

    /// Whether [`dial`](Self::dial) can reach such endpoints.
    fn understands(&self, endpoint: &Endpoint) -> bool;

    /// Connects to `to`, which it understands. The caller sets a deadline by dropping the future.
    ///
    /// # Errors
    /// Any [`Error`]; [`Error::other`] wraps those of your own.
    async fn dial(&self, to: &Endpoint, options: &Outgoing) -> Result<BoxSocket, Error>;

    /// Begins to listen.
    ///
    /// # Errors
    /// Any [`Error`]; by default [`Error::CannotListen`].
    async fn listen(&self, options: &Incoming) -> Result<Box<dyn Listener>, Error> {
        let _ = options;
        Err(Error::CannotListen {
            transport: self.name().to_owned(),
        })
    }
}

/// A place where connections arrive. Dropping it closes the place.
#[async_trait]
pub trait Listener: Send {
    /// What others dial to get here; nothing if `scope` is none of those that were asked for. Called again from time to
    /// time, since the addresses of a machine change.
    fn endpoints(&self, scope: Scope) -> Vec<Endpoint>;

    /// What was really bound, with ports that the system chose.
    fn bound(&self) -> Vec<Endpoint>;

    /// Waits for the next connection.
    ///
    /// Errors do not end a listener: they are logged, and after a pause it is asked again.
    ///
    /// # Cancel safety
    /// Has to be cancel safe: a future that is dropped before it is ready must not lose a connection.
    async fn accept(&mut self) -> io::Result<Arrival>;
}

/// A connection that has just arrived.
pub struct Arrival {
    /// From where.
    pub from: Endpoint,
    /// The address, if there is one, by which connections are limited.
    pub ip: Option<IpAddr>,
    /// The stream, once it is one. Whatever the transport has to agree on with a stranger first, such as TLS, happens in
    /// here, so that [`Listener::accept`] never waits for one; it runs under the deadline of the handshake.
    pub socket: BoxFuture<'static, Result<BoxSocket, Error>>,
}

impl Arrival {
    /// A connection that is a stream already.
    pub fn ready(from: Endpoint, ip: Option<IpAddr>, socket: impl Socket + 'static) -> Self {
        let socket: BoxSocket = Box::new(socket);
        Self {
            from,
            ip,
            socket: Box::pin(std::future::ready(Ok(socket))),
        }
    }
}

impl fmt::Debug for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrival")
            .field("from", &self.from)
            .field("ip", &self.ip)
            .finish_non_exhaustive()
    }
}
