//! What comes of an address, whoever is or is not at the other end.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use handfast_keys::{KeyPair, SecretKey};
use handfast_multiserver::{Address, Alternative, Error, Layer, Limits, Multiserver, Shs};
use std::{sync::Arc, time::Duration};
use support::{NETWORK, accepted, address, connect, device, failed, incoming, key, node, outgoing};
use tokio::net::TcpSocket;

fn one(text: String) -> Alternative {
    text.parse().unwrap()
}

/// A port of this machine where nobody listens, and nobody else can while this is held.
fn closed_port() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

fn impatient(seed: u8) -> Multiserver {
    let mut limits = Limits::default();
    limits.connect_timeout = Duration::from_millis(200);
    limits.handshake_timeout = Duration::from_millis(200);
    node(seed).limits(limits)
}

#[tokio::test]
async fn the_next_alternative_is_tried_when_one_fails() {
    let mut server = node(1).listen(&incoming([("net", device("shs"))])).await.unwrap();
    let (_held, closed) = closed_port();
    // Accepts, and says nothing ever.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let key = key(1).to_base64();
    let to = Address::join([
        one(format!("net:127.0.0.1:{closed}~shs:{key}")),
        one(format!("carrier-pigeon:coop~shs:{key}")),
        one(format!(
            "net:127.0.0.1:{}~shs:{key}",
            silent.local_addr().unwrap().port()
        )),
        address(&server).alternatives()[0].clone(),
    ])
    .unwrap();
    let (dialled, _came) = connect(&impatient(2), &to, &mut server).await;
    assert_eq!(dialled.address, to.alternatives()[3]);
}

#[tokio::test]
async fn every_failure_is_reported() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let ((_held, port), key) = (closed_port(), key(1).to_base64());
    let to: Address = format!(
        "net:127.0.0.1:{port}~shs:{key};net:127.0.0.1:{silent_port}~shs:{key};pigeon:coop~shs:{key};\
         net:127.0.0.1:{port}~noauth;net:127.0.0.1:{port};net:127.0.0.1:80x~shs:{key};net:h:1~shs:{key}~more"
    )
    .parse()
    .unwrap();
    let error = impatient(2).dial(&to, &outgoing()).await.unwrap_err();
    let text = error.to_string();
    let Error::Unreachable { attempts } = error else {
        panic!("{text}")
    };
    let kinds: Vec<_> = attempts.iter().map(|attempt| attempt.error.to_string()).collect();
    assert!(matches!(attempts[0].error, Error::Connect { .. }), "{text}");
    assert!(
        matches!(
            attempts[1].error,
            Error::Timeout {
                what: "the handshake",
                ..
            }
        ),
        "{text}"
    );
    assert!(
        kinds[2].contains("nothing here dials pigeon; configured for dialling: net"),
        "{text}"
    );
    assert!(
        kinds[3].contains("it speaks noauth, and net is configured for dialling with shs"),
        "{text}"
    );
    // An address without a transform is dialled with the configured one, which then misses its key.
    assert!(matches!(attempts[4].error, Error::Connect { .. }), "{text}");
    assert!(kinds[5].contains("80x"), "{text}");
    assert!(kinds[6].contains("more than one transform"), "{text}");
    assert!(
        text.starts_with("none of 7 ways led to the peer: (1) net:127.0.0.1:"),
        "{text}"
    );
}

#[tokio::test]
async fn an_address_without_a_key_says_so() {
    let mut server = node(1).listen(&incoming([("net", device("shs"))])).await.unwrap();
    let mut to = address(&server).alternatives()[0].clone();
    to.transforms.clear();
    let (client, outgoing, to) = (node(2), outgoing(), to.into());
    let (error, _) = tokio::join!(client.dial(&to, &outgoing), failed(&mut server));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("the key behind shs: is missing"), "{error}");
}

#[tokio::test]
async fn a_seed_in_the_address_is_the_identity_of_the_client() {
    let mut server = node(1).listen(&incoming([("net", device("shs"))])).await.unwrap();
    let seed = SecretKey::from_seed([77; 32]);
    let invited = KeyPair::from_secret(seed.clone()).unwrap();
    let mut to = address(&server).alternatives()[0].clone();
    to.transforms = vec![Layer::shs_with_seed(&key(1), &seed)];
    let (dialled, came) = connect(&node(2), &to.into(), &mut server).await;
    assert_eq!(came.peer, Some(*invited.public()));
    assert_eq!(dialled.peer, Some(key(1)));
    assert_eq!(dialled.address.seed(), None, "the seed is spent");
}

#[tokio::test]
async fn a_client_may_come_with_other_keys() {
    let mut server = node(1).listen(&incoming([("net", device("shs"))])).await.unwrap();
    let (client, outgoing, to) = (node(2), outgoing(), address(&server));
    let other: Arc<_> = Arc::new(Shs::new(NETWORK, support::keys(3)));
    let (dialled, came) = tokio::join!(client.dial_as(other, &to, &outgoing), accepted(&mut server));
    dialled.unwrap();
    assert_eq!(came.peer, Some(key(3)));
}

#[tokio::test]
async fn whoever_holds_another_key_is_not_reached() {
    let mut server = node(1).listen(&incoming([("net", device("shs"))])).await.unwrap();
    let mut to = address(&server).alternatives()[0].clone();
    to.transforms = vec![Layer::shs(&key(9))];
    let (client, outgoing, to) = (node(2), outgoing(), to.into());
    let (error, failed) = tokio::join!(client.dial(&to, &outgoing), failed(&mut server));
    assert!(
        matches!(failed.error, Error::Handshake(handfast_shs::Error::OtherServerKey)),
        "{failed}"
    );
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("most likely it has another key than the one dialled"),
        "{error}"
    );
}

#[tokio::test]
async fn names_that_are_not_registered_are_listed_with_those_that_are() {
    let error = node(1)
        .listen(&incoming([("carrier-pigeon", device("shs"))]))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(r#"there is no transport "carrier-pigeon"; there are: net"#),
        "{error}"
    );
    let error = node(1).listen(&incoming([("net", device("tls"))])).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"there is no transform "tls"; there are: shs, noauth"#
    );
}

#[cfg(feature = "onion")]
#[tokio::test]
async fn what_can_only_dial_does_not_listen() {
    let error = node(1).listen(&incoming([("onion", device("shs"))])).await.unwrap_err();
    assert_eq!(error.to_string(), "onion can only dial, not listen");
}
