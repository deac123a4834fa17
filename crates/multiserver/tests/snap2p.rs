//! The transform `snap2p`.
#![cfg(feature = "snap2p")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use async_trait::async_trait;
use handfast_keys::PublicKey;
use handfast_multiserver::{
    Address, Auth, Authenticate, Connection, Error, Layer, Multiserver, Outgoing, Refusal, Server, Snap2p,
};
use handfast_snap2p::{Error as Snap2pError, ErrorCode, Network, Peer, Principal, WalletKey};
use std::{collections::BTreeMap, sync::Arc};
use support::{accepted, address, device, failed, incoming, key, keys, talk};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn wallet(seed: u8) -> WalletKey {
    WalletKey::from_bytes(&[seed; 32]).unwrap()
}

fn principal(seed: u8) -> Principal {
    Principal(wallet(seed).address(Network::Mainnet))
}

fn snap2p(seed: u8) -> Snap2p {
    Snap2p::new(wallet(seed), Network::Mainnet, keys(seed))
}

fn node(transform: Snap2p) -> Multiserver {
    Multiserver::standard().transform(transform)
}

fn outgoing() -> BTreeMap<String, Vec<Outgoing>> {
    [("net".to_owned(), vec![Outgoing::new("snap2p")])].into()
}

async fn listening(transform: Snap2p) -> (Server, Address) {
    let server = node(transform)
        .listen(&incoming([("net", device("snap2p"))]))
        .await
        .unwrap();
    let address = address(&server);
    (server, address)
}

async fn connect(client: Snap2p, to: &Address, server: &mut Server) -> (Connection, Connection) {
    let client = node(client);
    let outgoing = outgoing();
    let (dialled, accepted) = tokio::join!(client.dial(to, &outgoing), accepted(server));
    (dialled.unwrap(), accepted)
}

/// What the only attempt came to.
fn why(error: Error) -> Error {
    match error {
        Error::Unreachable { mut attempts } => attempts.remove(0).error,
        other => other,
    }
}

#[tokio::test]
async fn two_nodes_know_each_other_by_node_key_and_principal() {
    let (mut server, to) = listening(snap2p(1)).await;
    assert!(to.to_string().ends_with(&format!("~snap2p:{}", principal(1))), "{to}");
    let (mut here, mut there) = connect(snap2p(2), &to, &mut server).await;
    assert_eq!((here.peer, there.peer), (Some(key(1)), Some(key(2))));
    assert_eq!(here.address.transforms, [Layer::snap2p(&principal(1))]);
    assert_eq!(there.address.transforms, [Layer::snap2p(&principal(2))]);
    assert_eq!(there.transform, "snap2p");
    talk(&mut here, &mut there).await;
}

#[tokio::test]
async fn one_end_closes_its_half_and_still_hears_the_other() {
    let (mut server, to) = listening(snap2p(1)).await;
    let (mut here, mut there) = connect(snap2p(2), &to, &mut server).await;
    here.socket.write_all(b"question").await.unwrap();
    here.socket.shutdown().await.unwrap();
    let (mut question, mut answer) = (String::new(), String::new());
    there.socket.read_to_string(&mut question).await.unwrap();
    there.socket.write_all(b"answer").await.unwrap();
    there.socket.shutdown().await.unwrap();
    here.socket.read_to_string(&mut answer).await.unwrap();
    assert_eq!((question.as_str(), answer.as_str()), ("question", "answer"));
}

#[tokio::test]
async fn the_session_ends_with_the_socket() {
    let (mut server, to) = listening(snap2p(1)).await;
    let (here, mut there) = connect(snap2p(2), &to, &mut server).await;
    drop(here);
    let broken = there.socket.read_u8().await.unwrap_err();
    // What the other end has not finished is broken off: nobody takes it for an end.
    assert_ne!(broken.kind(), std::io::ErrorKind::UnexpectedEof, "{broken}");
}

#[tokio::test]
async fn a_dialler_reaches_the_principal_of_the_address_or_nobody() {
    let (mut server, to) = listening(snap2p(1)).await;
    let mut way = to.alternatives()[0].clone();
    way.transforms = vec![Layer::snap2p(&principal(3))];
    let (client, outgoing, to) = (node(snap2p(2)), outgoing(), Address::from(way));
    let (dialled, failed) = tokio::join!(client.dial(&to, &outgoing), failed(&mut server));
    let Error::Snap2p(Snap2pError::WrongPeer { expected, found }) = why(dialled.unwrap_err()) else {
        panic!("another error");
    };
    assert_eq!((*expected, *found), (principal(3), principal(1)));
    assert!(
        matches!(failed.error, Error::Snap2p(Snap2pError::Refused { .. })),
        "{failed}"
    );
}

#[tokio::test]
async fn allowlists_hold_at_both_ends() {
    let (mut server, to) = listening(snap2p(1).allow([principal(2)])).await;
    drop(connect(snap2p(2), &to, &mut server).await);
    let (stranger, outgoing) = (node(snap2p(3)), outgoing());
    let (dialled, failed) = tokio::join!(stranger.dial(&to, &outgoing), failed(&mut server));
    let error = why(dialled.unwrap_err());
    let not_allowed = ErrorCode::NotAllowed;
    assert!(
        matches!(&error, Error::Snap2p(Snap2pError::Refused { code, .. }) if *code == not_allowed),
        "{error}"
    );
    assert!(
        matches!(&failed.error, Error::Snap2p(Snap2pError::NotAllowed(who)) if **who == principal(3)),
        "{failed}"
    );

    let choosy = node(snap2p(2).allow([principal(3)]));
    let error = why(choosy.dial(&to, &outgoing).await.unwrap_err());
    assert!(matches!(error, Error::Snap2p(Snap2pError::NotAllowed(_))), "{error}");
}

struct Only(PublicKey);

#[async_trait]
impl Authenticate for Only {
    async fn authenticate(&self, peer: &PublicKey) -> Result<Auth, Refusal> {
        match *peer == self.0 {
            true => Ok(Auth::grant("welcome")),
            false => Err(Refusal::because("not you")),
        }
    }
}

#[tokio::test]
async fn the_judge_is_asked_about_the_node_key() {
    let (mut server, to) = listening(snap2p(1).authenticate(Arc::new(Only(key(2))))).await;
    let (_here, there) = connect(snap2p(2), &to, &mut server).await;
    assert_eq!(there.auth.granted::<&str>().as_deref(), Some(&"welcome"));

    let (stranger, outgoing) = (node(snap2p(3)), outgoing());
    let (dialled, failed) = tokio::join!(stranger.dial(&to, &outgoing), failed(&mut server));
    assert!(
        failed.error.to_string().ends_with("is turned away: not you"),
        "{failed}"
    );
    // The session stood for a moment: it breaks before the stream can be opened, or after.
    if let Ok(mut connection) = dialled {
        connection.socket.read_u8().await.unwrap_err();
    }
}

#[tokio::test]
async fn a_peer_of_another_kind_comes_in_by_the_label() {
    let (mut server, to) = listening(snap2p(1)).await;
    let place = to.to_string();
    let place = place.strip_prefix("net:").unwrap().split('~').next().unwrap();
    let other = Peer::builder((wallet(4), Network::Mainnet)).start().await.unwrap();
    let session = other.dial(place).await.unwrap();
    let mut unwanted = session.open_stream("chat").await.unwrap();
    let mut wanted = session.open_stream("muxrpc").await.unwrap();
    let mut there = accepted(&mut server).await;
    assert_eq!(there.peer.as_ref(), Some(other.node_public_key()));
    unwanted.read_u8().await.unwrap_err();
    wanted.write_all(b"hi").await.unwrap();
    assert_eq!(there.socket.read_u16().await.unwrap(), u16::from_be_bytes(*b"hi"));
    // Once it stands, no other stream is taken either.
    let mut late = session.open_stream("muxrpc").await.unwrap();
    late.read_u8().await.unwrap_err();
}

#[test]
fn a_layer_reads_and_prints_its_principal() {
    let layer = Layer::snap2p(&principal(1));
    let text = format!("snap2p:{}", principal(1));
    assert_eq!(layer.to_string(), text);
    let read: Layer = text.parse().unwrap();
    assert_eq!(read, layer);
    assert_eq!(read.require_principal().unwrap(), principal(1));
    let address: Address = format!("net:example.org:8008~{text}").parse().unwrap();
    assert_eq!(address.to_string(), format!("net:example.org:8008~{text}"));
    assert_eq!(address.alternatives()[0].transforms, [layer]);

    for none in [
        "snap2p",
        "snap2p:",
        "snap2p:stacks:SP1",
        "snap2p:stacks",
        "shs:stacks:SP1",
    ] {
        let layer: Layer = none.parse().unwrap();
        assert!(layer.require_principal().is_err(), "{none}");
    }
}
