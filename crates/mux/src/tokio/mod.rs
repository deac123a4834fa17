//! The tokio adapter: a driver for one connection, handles to call the peer, and a router to serve it.

mod asking;
mod config;
mod context;
mod driver;
mod handler;
mod incoming;
mod link;
mod observer;
mod outgoing;
mod peer;
mod router;
mod serve;
mod service;

use std::sync::Arc;

use ::tokio::io::{AsyncRead, AsyncWrite};

pub use self::asking::{Calling, Opening};
pub use self::config::{Config, Overflow};
pub use self::context::Context;
pub use self::driver::Driver;
pub use self::handler::Handler;
pub use self::incoming::{Incoming, Source};
pub use self::observer::Observer;
pub use self::outgoing::Outgoing;
pub use self::peer::Peer;
pub use self::router::Router;
pub use self::service::{Answer, Consumption, Items, Service, no_such_method};

use self::link::Link;

/// Speaks muxrpc over `stream` with default settings: serves `api`, and calls the peer through the [`Peer`].
///
/// Spawn the driver. Nothing is sent before something is called.
pub fn connection<S>(stream: S, api: impl Into<Arc<dyn Service>>) -> (Peer, Driver<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    connection_with(stream, api, Config::default())
}

/// [`connection`] with settings: who the peer is, what it may call, and limits.
pub fn connection_with<S>(stream: S, api: impl Into<Arc<dyn Service>>, config: Config) -> (Peer, Driver<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let link = Link::new(config);
    (Peer::new(link.clone()), Driver::new(link, api.into(), stream))
}
