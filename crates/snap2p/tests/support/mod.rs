//! What the tests of the tokio adapter share.
#![allow(dead_code)]

use handfast_snap2p::{
    Network, Peer, Visibility, WalletKey,
    tokio::{Builder, Incoming, Limits, Session},
};
use std::{future::Future, time::Duration};

/// Longer than anything here takes: a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for what must come.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it never came")
}

pub(crate) fn identity() -> (WalletKey, Network) {
    (WalletKey::generate().unwrap(), Network::Mainnet)
}

/// A peer that strangers may dial as often as they like.
pub(crate) fn builder() -> Builder {
    Peer::builder(identity())
        .visibility(Visibility::Public)
        .limits(Limits::of(Visibility::Public))
}

pub(crate) async fn peer() -> Peer {
    builder().start().await.unwrap()
}

/// A peer that listens on loopback, and where.
pub(crate) async fn listening(builder: Builder) -> (Peer, String) {
    let peer = builder.start().await.unwrap();
    let at = peer.listen("127.0.0.1:0").await.unwrap();
    (peer, at.to_string())
}

/// A session between two peers, both ends of it.
pub(crate) async fn connected(dialer: &Peer, listener: &Peer) -> (Session, Session, Incoming) {
    let at = listener.listening()[0].to_string();
    let (session, accepted) = soon(async { tokio::join!(dialer.dial(at), listener.accept()) }).await;
    let (other, incoming) = accepted.expect("nobody came");
    (session.unwrap(), other, incoming)
}
