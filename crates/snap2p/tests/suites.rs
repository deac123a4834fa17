//! Peers of a network that has chosen standard Noise, and what they say to others.
#![cfg(all(feature = "standard-noise", feature = "tokio", feature = "wallet"))]
#![allow(clippy::unwrap_used, clippy::panic)]

use handfast_snap2p::{Error, Fault, Network, Peer, Visibility, noise::Suite, wallet::Wallet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn peer(suite: Suite) -> Peer {
    let account = Wallet::ephemeral(Network::Mainnet).unwrap().account(0).unwrap();
    let builder = Peer::builder(account).visibility(Visibility::Public).suite(suite);
    builder.start().await.unwrap()
}

/// Standard Noise seals no more than 65,535 bytes at once, so longer writes are cut shorter than with the reference's suite.
#[tokio::test]
async fn a_megabyte_passes_over_standard_noise() {
    let (alice, bob) = (peer(Suite::Standard).await, peer(Suite::Standard).await);
    let address = bob.listen("127.0.0.1:0").await.unwrap();
    let echo = tokio::spawn(async move {
        let (_session, mut streams) = bob.accept().await.unwrap();
        let mut stream = streams.next().await.unwrap();
        let mut text = Vec::new();
        stream.read_to_end(&mut text).await.unwrap();
        stream.write_all(&text).await.unwrap();
        stream.shutdown().await.unwrap();
        // The peer ends the session once it has read everything.
        while streams.next().await.is_some() {}
    });
    let session = alice.dial(address).await.unwrap();
    let mut stream = session.open_stream("echo").await.unwrap();
    let text: Vec<u8> = (0..1 << 20).map(|at: u32| at.to_le_bytes()[at as usize % 3]).collect();
    stream.write_all(&text).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut echoed = Vec::new();
    stream.read_to_end(&mut echoed).await.unwrap();
    assert!(echoed == text);
    session.close().await;
    echo.await.unwrap();
}

#[tokio::test]
async fn nobody_falls_back_to_the_other_suite() {
    for (ours, theirs) in [(Suite::Standard, Suite::Snap2p), (Suite::Snap2p, Suite::Standard)] {
        let (alice, bob) = (peer(ours).await, peer(theirs).await);
        let address = bob.listen("127.0.0.1:0").await.unwrap();
        let error = alice.dial(address).await.unwrap_err();
        assert!(matches!(error, Error::Protocol(Fault::Noise)), "{error}");
    }
}
