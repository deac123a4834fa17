//! What the cases share: identities, runtimes, and the way from a socket to an encrypted stream.

use anyhow::Result;
use handfast_boxstream::tokio::BoxStream;
use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey};
use handfast_shs::tokio::{accept, connect};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

pub(crate) const NETWORK: NetworkIdentifier = NetworkIdentifier::MAIN;

/// Client and server.
pub(crate) fn identities() -> Result<(KeyPair, KeyPair)> {
    Ok((KeyPair::from_seed(&[1; 32])?, KeyPair::from_seed(&[2; 32])?))
}

pub(crate) fn one_thread() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

pub(crate) async fn dial(address: SocketAddr, alice: &KeyPair, bob: &PublicKey) -> Result<BoxStream<TcpStream>> {
    let mut tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let outcome = connect(&mut tcp, &NETWORK, alice, bob).await?;
    Ok(BoxStream::new(tcp, outcome.encrypt, outcome.decrypt))
}

pub(crate) async fn welcome(mut tcp: TcpStream, bob: &KeyPair) -> Result<BoxStream<TcpStream>> {
    tcp.set_nodelay(true)?;
    let accepted = accept(&mut tcp, &NETWORK, bob, |_| async { Ok(Some(())) }).await?;
    Ok(BoxStream::new(tcp, accepted.encrypt, accepted.decrypt))
}
