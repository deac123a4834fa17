//! From a bound socket to encrypted streams of clients that shook hands.

use crate::{address::Listen, exit::Failure, socket::Socket};
use anyhow::{Context, anyhow};
use handfast_boxstream::tokio::BoxStream;
use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey};
use handfast_shs as shs;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};

/// Binds the socket and returns it with the address to give to others.
pub(crate) async fn bind(place: &Listen, identity: &KeyPair) -> Result<(TcpListener, String), Failure> {
    let listener = TcpListener::bind((place.host.as_str(), place.port))
        .await
        .with_context(|| format!("cannot listen on {place}; is the port taken? Port 0 takes a free one"))
        .map_err(Failure::local)?;
    let bound = listener.local_addr().map_err(Failure::local)?;
    Ok((
        listener,
        format!(
            "net:{}:{}~shs:{}",
            bound.ip(),
            bound.port(),
            identity.public().to_base64()
        ),
    ))
}

/// A client that shook hands.
pub(crate) struct Client {
    pub(crate) peer: PublicKey,
    pub(crate) stream: BoxStream<Socket>,
}

/// Shakes hands with a client, and lets it in if `allowed` says so.
pub(crate) async fn welcome(
    tcp: TcpStream,
    from: SocketAddr,
    network: &NetworkIdentifier,
    identity: &KeyPair,
    allowed: impl Fn(&PublicKey) -> bool,
) -> anyhow::Result<Client> {
    let mut socket = Socket::new(tcp)?;
    let accepted = shs::tokio::accept(&mut socket, network, identity, |key| {
        let welcome = allowed(&key);
        async move { Ok(welcome.then_some(())) }
    })
    .await
    .map_err(|error| anyhow!("{from}: {error}"))?;
    Ok(Client {
        peer: accepted.peer,
        stream: BoxStream::new(socket, accepted.encrypt, accepted.decrypt),
    })
}
