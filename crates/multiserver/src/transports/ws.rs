//! `ws` and `wss`: WebSockets.

use super::{
    tcp::{self, NetSocket, Places},
    web_stream::{WebStream, config},
};
use crate::{Arrival, BoxSocket, Endpoint, Error, Incoming, Listener, Outgoing, Scope, Socket, Transport};
use async_trait::async_trait;
use std::io;
use tokio_tungstenite::{accept_async_with_config, client_async_with_config};

/// The port of `ws` unless a configuration names another.
const DEFAULT_PORT: u16 = 8989;

/// WebSockets: `ws://HOST:PORT`, and `wss://HOST` under TLS (feature `tls`).
///
/// It listens for `wss` when a configuration names a key and a certificate. It dials `wss` when the certificate of the
/// other end is vouched for by one that the system trusts, or by one of [`Outgoing::ca`].
#[derive(Debug, Clone, Default)]
pub struct Ws {
    #[cfg(feature = "tls")]
    tls: super::tls::Client,
}

impl Ws {
    /// The transport.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[cfg(feature = "tls")]
    async fn secure(&self, tcp: NetSocket, host: &str, options: &Outgoing) -> Result<BoxSocket, Error> {
        Ok(Box::new(self.tls.connect(tcp, host, &options.ca).await?))
    }

    #[cfg(not(feature = "tls"))]
    async fn secure(&self, _tcp: NetSocket, _host: &str, _options: &Outgoing) -> Result<BoxSocket, Error> {
        Err(Error::Tls("this program was built without the feature tls".to_owned()))
    }
}

#[async_trait]
impl Transport for Ws {
    fn name(&self) -> &str {
        "ws"
    }

    fn understands(&self, endpoint: &Endpoint) -> bool {
        matches!(endpoint, Endpoint::Ws { .. })
    }

    async fn dial(&self, to: &Endpoint, options: &Outgoing) -> Result<BoxSocket, Error> {
        let Endpoint::Ws {
            secure,
            host,
            port,
            path,
        } = to
        else {
            return Err(tcp::not_mine("ws", to));
        };
        let tcp = tcp::dial(host, *port).await?;
        let socket: BoxSocket = if *secure {
            self.secure(tcp, host, options).await?
        } else {
            Box::new(tcp)
        };
        let upgraded = client_async_with_config(url(*secure, host, *port, path), socket, Some(config())).await;
        let (stream, _) = upgraded.map_err(|error| Error::WebSocket(error.to_string()))?;
        Ok(Box::new(WebStream::new(stream)))
    }

    async fn listen(&self, options: &Incoming) -> Result<Box<dyn Listener>, Error> {
        let tls = Tls::of(options).await?;
        let places = Places::bind("ws", options, DEFAULT_PORT).await?;
        Ok(Box::new(WsListener { places, tls }))
    }
}

/// What stands in the request.
fn url(secure: bool, host: &str, port: u16, path: &str) -> String {
    let scheme = if secure { "wss" } else { "ws" };
    // A zone is for this machine alone.
    let host = match host.split_once('%') {
        Some((address, _)) => address,
        None => host,
    };
    if host.contains(':') {
        format!("{scheme}://[{host}]:{port}{path}")
    } else {
        format!("{scheme}://{host}:{port}{path}")
    }
}

/// What a listener needs for `wss`, if it is one.
#[derive(Clone)]
struct Tls {
    #[cfg(feature = "tls")]
    server: Option<super::tls::Server>,
}

impl Tls {
    #[cfg(feature = "tls")]
    async fn of(options: &Incoming) -> Result<Self, Error> {
        let server = match (&options.key, &options.cert) {
            (None, None) => None,
            (Some(key), Some(cert)) => Some(super::tls::Server::load(key.clone(), cert.clone()).await?),
            _ => return Err(half_configured()),
        };
        Ok(Self { server })
    }

    #[cfg(not(feature = "tls"))]
    async fn of(options: &Incoming) -> Result<Self, Error> {
        match (&options.key, &options.cert) {
            (None, None) => Ok(Self {}),
            (Some(_), Some(_)) => Err(Error::Tls("this program was built without the feature tls".to_owned())),
            _ => Err(half_configured()),
        }
    }

    fn is_on(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.server.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    async fn accept(self, tcp: NetSocket) -> Result<BoxSocket, Error> {
        #[cfg(feature = "tls")]
        if let Some(server) = self.server {
            return upgrade(server.accept(tcp).await?).await;
        }
        upgrade(tcp).await
    }
}

fn half_configured() -> Error {
    Error::Misconfigured {
        transport: "ws".to_owned(),
        problem: "key and cert belong together: name both files for wss, or none for ws".to_owned(),
    }
}

async fn upgrade(socket: impl Socket + 'static) -> Result<BoxSocket, Error> {
    let upgraded = accept_async_with_config(socket, Some(config())).await;
    let stream = upgraded.map_err(|error| Error::WebSocket(error.to_string()))?;
    Ok(Box::new(WebStream::new(stream)))
}

struct WsListener {
    places: Places,
    tls: Tls,
}

impl WsListener {
    fn endpoint(&self, (host, port): (String, u16)) -> Endpoint {
        Endpoint::Ws {
            secure: self.tls.is_on(),
            host,
            port,
            path: "/".to_owned(),
        }
    }
}

#[async_trait]
impl Listener for WsListener {
    fn endpoints(&self, scope: Scope) -> Vec<Endpoint> {
        let hosts = self.places.hosts(scope).into_iter();
        hosts.map(|place| self.endpoint(place)).collect()
    }

    fn bound(&self) -> Vec<Endpoint> {
        let bound = self.places.bound().into_iter();
        bound.map(|place| self.endpoint(place)).collect()
    }

    async fn accept(&mut self) -> io::Result<Arrival> {
        let (tcp, from) = self.places.accept().await?;
        let ip = from.ip().to_canonical();
        Ok(Arrival {
            from: self.endpoint((ip.to_string(), from.port())),
            ip: Some(ip),
            socket: Box::pin(self.tls.clone().accept(tcp)),
        })
    }
}
