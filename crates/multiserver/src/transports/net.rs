//! `net`: TCP.

use super::tcp::{self, Places};
use crate::{Arrival, BoxSocket, Endpoint, Error, Incoming, Listener, Outgoing, Scope, Transport};
use async_trait::async_trait;
use std::io;

/// The port of `net` unless a configuration names another.
pub(crate) const DEFAULT_PORT: u16 = 8008;

/// TCP: `net:HOST:PORT`. Its sockets are [`NetSocket`](crate::NetSocket)s.
///
/// It does not dial names that end in `.onion`: asking the system's resolver for one would tell it which service is meant,
/// and lead nowhere (RFC 7686). The transport `onion` takes them.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Net;

impl Net {
    /// The transport.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Transport for Net {
    fn name(&self) -> &str {
        "net"
    }

    fn understands(&self, endpoint: &Endpoint) -> bool {
        matches!(endpoint, Endpoint::Net { host, .. } if !tcp::is_onion(host))
    }

    async fn dial(&self, to: &Endpoint, _options: &Outgoing) -> Result<BoxSocket, Error> {
        match to {
            Endpoint::Net { host, port } => Ok(Box::new(tcp::dial(host, *port).await?)),
            other => Err(tcp::not_mine("net", other)),
        }
    }

    async fn listen(&self, options: &Incoming) -> Result<Box<dyn Listener>, Error> {
        let places = Places::bind("net", options, DEFAULT_PORT).await?;
        Ok(Box::new(NetListener { places }))
    }
}

struct NetListener {
    places: Places,
}

fn endpoint((host, port): (String, u16)) -> Endpoint {
    Endpoint::Net { host, port }
}

#[async_trait]
impl Listener for NetListener {
    fn endpoints(&self, scope: Scope) -> Vec<Endpoint> {
        self.places.hosts(scope).into_iter().map(endpoint).collect()
    }

    fn bound(&self) -> Vec<Endpoint> {
        self.places.bound().into_iter().map(endpoint).collect()
    }

    async fn accept(&mut self) -> io::Result<Arrival> {
        let (socket, from) = self.places.accept().await?;
        let ip = from.ip().to_canonical();
        Ok(Arrival::ready(
            endpoint((ip.to_string(), from.port())),
            Some(ip),
            socket,
        ))
    }
}
