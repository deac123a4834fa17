//! From a bound socket to encrypted streams of clients that shook hands.

use crate::{address::Listen, doors::Doorstep, exit::Failure, socket::Socket};
use anyhow::{Context, Result, anyhow};
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
    let address = format!(
        "net:{}:{}~shs:{}",
        bound.ip(),
        bound.port(),
        identity.public().to_base64()
    );
    Ok((listener, address))
}

/// Who lets clients in, and whom.
#[derive(Debug)]
pub(crate) struct Porter {
    pub(crate) network: NetworkIdentifier,
    pub(crate) identity: KeyPair,
    pub(crate) doorstep: Doorstep,
    /// The keys that may come in; all of them if there is none.
    pub(crate) allowed: Vec<PublicKey>,
}

/// A client that was let in.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) peer: PublicKey,
    pub(crate) stream: BoxStream<Socket>,
}

impl Porter {
    /// Shakes hands with a client, and lets it in if it may. Dropping the future leaves the client outside.
    ///
    /// # Errors
    /// A sentence for the log; the client is told nothing.
    pub(crate) async fn welcome(&self, tcp: TcpStream, from: SocketAddr) -> Result<Client> {
        let mut socket = Socket::new(tcp)?;
        let mut place = self.doorstep.arrive();
        let handshake = shs::tokio::accept(&mut socket, &self.network, &self.identity, |key| {
            let welcome = self.allowed.is_empty() || self.allowed.contains(&key);
            async move { Ok(welcome.then_some(())) }
        });
        let accepted = tokio::select! {
            accepted = handshake => accepted.map_err(|error| anyhow!("{from}: {error}"))?,
            _ = place.must_go() => return Err(anyhow!("{from}: too many handshakes at once, and this was the oldest")),
        };
        Ok(Client {
            peer: accepted.peer,
            stream: BoxStream::new(socket, accepted.encrypt, accepted.decrypt),
        })
    }
}
