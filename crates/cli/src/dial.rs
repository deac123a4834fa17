//! From an address to an encrypted stream.

use crate::{address::Address, args::As, exit::Failure, home::Home, socket::Socket};
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
pub(crate) fn identity(home: &Home, address: &Address, who: As) -> Result<KeyPair, Failure> {
    let As { seed, anonymous } = who;
    if let Some(seed) = seed.or_else(|| address.seed.clone().filter(|_| !anonymous)) {
        return KeyPair::from_seed(&seed.0).map_err(Failure::local);
    }
    let own = if anonymous { None } else { home.find_identity()? };
    match own {
        Some(identity) => Ok(identity),
        None => {
            if !anonymous {
                eprintln!(
                    "handfast: no identity yet, so this is a new one, used once (handfast init makes one to keep)"
                );
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
) -> Result<BoxStream<Socket>, Failure> {
    let place = (address.place.host.as_str(), address.place.port);
    let tcp = match timeout(CONNECT, TcpStream::connect(place)).await {
        Ok(Ok(tcp)) => tcp,
        Ok(Err(error)) => {
            return Err(Failure::connection(anyhow!(
                "cannot reach {}: {error}; is the address right, and a peer listening there?",
                address.place
            )));
        }
        Err(_) => {
            return Err(Failure::connection(anyhow!(
                "no answer from {} within {CONNECT:?}; is the host up, and does a firewall let us through?",
                address.place
            )));
        }
    };
    let mut socket = Socket::new(tcp).map_err(Failure::connection)?;
    let outcome = shs::tokio::connect(&mut socket, network, identity, &address.key)
        .await
        .with_context(|| format!("the handshake with {address} failed"))
        .map_err(Failure::connection)?;
    Ok(BoxStream::new(socket, outcome.encrypt, outcome.decrypt))
}
