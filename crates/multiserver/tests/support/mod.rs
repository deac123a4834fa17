//! What several of these tests need.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey};
use handfast_multiserver::{
    Address, Connection, Connections, Failed, Incoming, Multiserver, Outgoing, Scope, Server, Shs,
};
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

pub(crate) const NETWORK: NetworkIdentifier = NetworkIdentifier::from_bytes([9; 32]);

pub(crate) fn keys(seed: u8) -> KeyPair {
    KeyPair::from_seed(&[seed; 32]).unwrap()
}

pub(crate) fn key(seed: u8) -> PublicKey {
    *keys(seed).public()
}

/// A node with every transport that is built in, and `shs` and `noauth` for one identity.
pub(crate) fn node(seed: u8) -> Multiserver {
    Multiserver::standard()
        .transform(Shs::new(NETWORK, keys(seed)))
        .transform(handfast_multiserver::Noauth::new(key(seed)))
}

/// A free port on the loopback addresses.
pub(crate) fn device(transform: &str) -> Incoming {
    Incoming {
        scope: Scope::Device.into(),
        transform: transform.to_owned(),
        port: Some(0),
        ..Incoming::default()
    }
}

pub(crate) fn incoming<const N: usize>(places: [(&str, Incoming); N]) -> BTreeMap<String, Vec<Incoming>> {
    let mut all: BTreeMap<String, Vec<Incoming>> = BTreeMap::new();
    for (name, place) in places {
        all.entry(name.to_owned()).or_default().push(place);
    }
    all
}

pub(crate) fn outgoing() -> BTreeMap<String, Vec<Outgoing>> {
    Connections::default().outgoing
}

/// The address under which a server that listens in one place is reached from here.
pub(crate) fn address(server: &Server) -> Address {
    server.bound().remove(0)
}

pub(crate) async fn accepted(server: &mut Server) -> Connection {
    server
        .accept()
        .await
        .expect("the server is open")
        .expect("a connection that came about")
}

pub(crate) async fn failed(server: &mut Server) -> Failed {
    server
        .accept()
        .await
        .expect("the server is open")
        .expect_err("a connection that failed")
}

/// Dials and accepts at once.
pub(crate) async fn connect(client: &Multiserver, to: &Address, server: &mut Server) -> (Connection, Connection) {
    let outgoing = outgoing();
    let (dialled, accepted) = tokio::join!(client.dial(to, &outgoing), accepted(server));
    (dialled.unwrap(), accepted)
}

/// Sends something each way, more than any buffer on the way holds, and sees it arrive.
pub(crate) async fn talk(one: &mut Connection, other: &mut Connection) {
    let sent: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    for (from, to) in [(0, 1), (1, 0)] {
        let mut ends = [&mut one.socket, &mut other.socket];
        let (left, right) = ends.split_at_mut(1);
        let (from, to) = if (from, to) == (0, 1) {
            (&mut left[0], &mut right[0])
        } else {
            (&mut right[0], &mut left[0])
        };
        let mut heard = vec![0; sent.len()];
        let (write, read) = tokio::join!(
            async {
                from.write_all(&sent).await?;
                from.flush().await
            },
            to.read_exact(&mut heard)
        );
        write.unwrap();
        read.unwrap();
        assert!(heard == sent);
    }
}
