//! `onion`: Tor onion services, dialled through a SOCKS5 proxy.

use super::tcp::{self, NetSocket};
use crate::{BoxSocket, Endpoint, Error, Outgoing, Transport};
use async_trait::async_trait;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;

/// Where Tor listens, then where the Tor Browser does.
const PROXIES: [SocketAddr; 2] = [
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9050),
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9150),
];

/// Tor onion services: `onion:NAME.onion:PORT`, through [`Outgoing::proxy`].
///
/// The name is resolved by the proxy, never by this machine. To be reached as an onion service, let Tor forward it to a
/// `net` place of the scope `device`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Onion;

impl Onion {
    /// The transport.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Transport for Onion {
    fn name(&self) -> &str {
        "onion"
    }

    fn understands(&self, endpoint: &Endpoint) -> bool {
        match endpoint {
            Endpoint::Onion { .. } => true,
            Endpoint::Net { host, .. } => tcp::is_onion(host),
            _ => false,
        }
    }

    async fn dial(&self, to: &Endpoint, options: &Outgoing) -> Result<BoxSocket, Error> {
        let (Endpoint::Onion { host, port } | Endpoint::Net { host, port }) = to else {
            return Err(tcp::not_mine("onion", to));
        };
        let one;
        let proxies = match options.proxy {
            Some(proxy) => {
                one = [proxy];
                one.as_slice()
            }
            None => PROXIES.as_slice(),
        };
        let mut failures = Vec::new();
        for proxy in proxies {
            match through(*proxy, host, *port).await {
                Ok(socket) => return Ok(Box::new(socket)),
                Err(error) => failures.push(format!("{proxy} said: {error}")),
            }
        }
        Err(Error::Proxy(failures.join("; ")))
    }
}

async fn through(proxy: SocketAddr, host: &str, port: u16) -> Result<NetSocket, tokio_socks::Error> {
    let tcp = TcpStream::connect(proxy).await?;
    // The greeting is a few small messages.
    tcp.set_nodelay(true)?;
    let tunnel = Socks5Stream::connect_with_socket(tcp, (host, port)).await?;
    Ok(NetSocket::new(tunnel.into_inner())?)
}
