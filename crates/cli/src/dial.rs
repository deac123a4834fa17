//! From an address to an encrypted stream.

use crate::{
    address::Address,
    args::Seed,
    exit::Failure,
    home::Home,
};
use anyhow::{Context, anyhow};
use handfast_boxstream::tokio::BoxStream;
use handfast_keys::{KeyPair, NetworkIdentifier};
use handfast_shs as shs;
use std::time::Duration;
use tokio::{net::TcpStream, time::timeout};

/// How long a TCP connection may take to come about.
const CONNECT: Duration = Duration::from_secs(15);

/// As whom to dial: a seed from the command line or the address, nobody if that was asked for, else the node's own
/// identity if it has one.
pub(crate) fn identity(home: &Home, address: &Address, seed: Option<Seed>, anonymous: bool) -> Result<KeyPair, Failure> {
    if let Some(seed) = seed.or_else(|| address.seed.clone().filter(|_| !anonymous)) {
        return KeyPair::from_seed(&seed.0).map_err(Failure::local);
    }
    let own = if anonymous { None } else { home.find_identity()? };
    match own {
        Some(identity) => Ok(identity),
        None => {
            if !anonymous {
                eprintln!("handfast: no identity yet, so this is a new one, used once (handfast init makes one to keep)");
            }
            KeyPair::generate().map_err(Failure::local)
        }
    }
}

/// Connects and shakes hands.
pub(crate) async fn dial(
    address: &Address,
    network: &NetworkIdentifier,
    identity: &KeyPair,
) -> Result<BoxStream<TcpStream>, Failure> {
    let unreachable = || format!("cannot reach {}", address.place);
    let place = (address.place.host.as_str(), address.place.port);
    let mut tcp = timeout(CONNECT, TcpStream::connect(place))
        .await
        .map_err(|_| anyhow!("no answer within {CONNECT:?}; is the host up, and does a firewall let us through?"))
        .and_then(|connected| connected.context("is a peer listening there?"))
        .with_context(unreachable)
        .map_err(Failure::connection)?;
    tcp.set_nodelay(true).map_err(Failure::connection)?;
    let outcome = shs::tokio::connect(&mut tcp, network, identity, &address.key)
        .await
        .with_context(|| format!("the handshake with {address} failed"))
        .map_err(Failure::connection)?;
    Ok(BoxStream::new(tcp, outcome.encrypt, outcome.decrypt))
}
