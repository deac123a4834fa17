//! The handshake over byte streams: truncation, deadlines, authorisation, and what is left in the stream.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use handfast_keys::{KeyPair, NetworkIdentifier};
use handfast_shs::{
    Error, Message, Outcome,
    tokio::{Accepted, Identity, Refusal, accept, accept_within, connect, connect_within},
};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const NETWORK: NetworkIdentifier = NetworkIdentifier::MAIN;

fn alice() -> KeyPair {
    KeyPair::from_seed(&[1; 32]).unwrap()
}

fn bob() -> KeyPair {
    KeyPair::from_seed(&[2; 32]).unwrap()
}

async fn meet(
    a: &mut DuplexStream,
    b: &mut DuplexStream,
    identity: Identity<'_>,
) -> (Result<Outcome, Error>, Result<Accepted<()>, Error>) {
    let (alice_dials, bob_answers) = (*bob().public(), bob());
    tokio::join!(
        connect(a, &NETWORK, identity, &alice_dials),
        accept(b, &NETWORK, &bob_answers, |_| async { Ok(Some(())) })
    )
}

fn assert_fits(outcome: &Outcome, accepted: &Accepted<()>) {
    assert_eq!(outcome.encrypt.key, accepted.decrypt.key);
    assert_eq!(outcome.decrypt.key, accepted.encrypt.key);
    assert_eq!(outcome.encrypt.nonce, accepted.decrypt.nonce);
    assert_eq!(outcome.decrypt.nonce, accepted.encrypt.nonce);
}

#[tokio::test]
async fn both_ends_come_to_fitting_keys_even_one_byte_at_a_time() {
    let (mut a, mut b) = duplex(1);
    let (outcome, accepted) = meet(&mut a, &mut b, (&alice()).into()).await;
    let (outcome, accepted) = (outcome.unwrap(), accepted.unwrap());
    assert_eq!(outcome.peer, *bob().public());
    assert_eq!(accepted.peer, *alice().public());
    assert_fits(&outcome, &accepted);
}

#[tokio::test]
async fn a_client_may_come_as_the_identity_of_a_seed_or_as_nobody() {
    let (mut a, mut b) = duplex(256);
    let seed = [42; 32];
    let (outcome, accepted) = meet(&mut a, &mut b, (&seed).into()).await;
    assert_fits(&outcome.unwrap(), accepted.as_ref().unwrap());
    assert_eq!(accepted.unwrap().peer, *KeyPair::from_seed(&seed).unwrap().public());

    let (mut c, mut d) = duplex(256);
    let (_, first) = meet(&mut a, &mut b, Identity::Anonymous).await;
    let (_, second) = meet(&mut c, &mut d, Identity::Anonymous).await;
    assert_ne!(first.unwrap().peer, second.unwrap().peer, "a new identity each time");
}

#[tokio::test]
async fn what_follows_the_last_message_stays_in_the_stream() {
    let (mut a, mut b) = duplex(4096);
    let (outcome, accepted) = tokio::join!(
        async {
            let outcome = connect(&mut a, &NETWORK, &alice(), bob().public()).await;
            a.write_all(b"from the client").await.unwrap();
            outcome
        },
        async {
            // The server writes behind message 4 at once, as JavaScript servers do.
            let accepted = accept(&mut b, &NETWORK, &bob(), |_| async { Ok(Some(())) }).await;
            b.write_all(b"from the server").await.unwrap();
            accepted
        }
    );
    assert_fits(&outcome.unwrap(), &accepted.unwrap());
    let mut text = [0; 15];
    a.read_exact(&mut text).await.unwrap();
    assert_eq!(&text, b"from the server");
    b.read_exact(&mut text).await.unwrap();
    assert_eq!(&text, b"from the client");
}

#[tokio::test]
async fn what_authorize_says_travels_with_the_connection() {
    let (mut a, mut b) = duplex(256);
    let (alice, bob) = (alice(), bob());
    let friend = *alice.public();
    let (outcome, accepted) = tokio::join!(
        connect(&mut a, &NETWORK, &alice, bob.public()),
        accept(&mut b, &NETWORK, &bob, |key| async move {
            Ok((key == friend).then_some("friend"))
        })
    );
    assert!(outcome.is_ok());
    assert_eq!(accepted.unwrap().auth, "friend");
}

#[tokio::test]
async fn a_client_turned_away_sees_a_closed_connection_and_nothing_else() {
    for because in [None, Some("blocked since Tuesday")] {
        let (mut a, mut b) = duplex(256);
        let (alice, bob) = (alice(), bob());
        let bob_public = *bob.public();
        let server = async move {
            let refused: Result<Accepted<()>, Error> = accept(&mut b, &NETWORK, &bob, |_| async move {
                match because {
                    None => Ok(None),
                    Some(reason) => Err(Refusal::because(reason)),
                }
            })
            .await;
            refused // and the stream is dropped here
        };
        let (outcome, refused) = tokio::join!(connect(&mut a, &NETWORK, &alice, &bob_public), server);
        let outcome = outcome.unwrap_err();
        assert!(
            matches!(
                outcome,
                Error::Closed {
                    awaited: Message::ServerAccept
                }
            ),
            "{outcome}"
        );
        assert!(outcome.to_string().contains("does not let us in"), "{outcome}");
        let refused = refused.unwrap_err();
        assert!(matches!(&refused, Error::Refused(why) if why.contains(because.unwrap_or("not authorised"))));
        let mut rest = Vec::new();
        assert_eq!(
            a.read_to_end(&mut rest).await.unwrap(),
            0,
            "not one byte of explanation"
        );
    }
}

#[tokio::test]
async fn an_error_inside_authorize_refuses_with_its_text() {
    let (mut a, mut b) = duplex(256);
    let (alice, bob) = (alice(), bob());
    let server = async {
        let result = accept(&mut b, &NETWORK, &bob, |_| async {
            let number: u32 = "many".parse()?;
            Ok(Some(number))
        })
        .await;
        drop(b);
        result
    };
    let (_, refused) = tokio::join!(connect(&mut a, &NETWORK, &alice, bob.public()), server);
    assert!(matches!(refused, Err(Error::Refused(why)) if why.contains("invalid digit")));
}

/// Runs a whole handshake through a relay that cuts one direction after `limit` bytes.
async fn cut(client_to_server: Option<usize>, server_to_client: Option<usize>) -> (Error, Error) {
    async fn copy(
        mut from: impl tokio::io::AsyncRead + Unpin,
        mut to: impl tokio::io::AsyncWrite + Unpin,
        limit: Option<usize>,
    ) {
        let mut left = limit.unwrap_or(usize::MAX);
        let mut byte = [0];
        while left > 0 && from.read_exact(&mut byte).await.is_ok() && to.write_all(&byte).await.is_ok() {
            left -= 1;
        }
        let _ = to.shutdown().await;
    }
    let (mut a, relay_a) = duplex(512);
    let (mut b, relay_b) = duplex(512);
    let relay = tokio::spawn(async move {
        let (from_a, to_a) = tokio::io::split(relay_a);
        let (from_b, to_b) = tokio::io::split(relay_b);
        tokio::join!(
            copy(from_a, to_b, client_to_server),
            copy(from_b, to_a, server_to_client)
        );
    });
    let client = async move { connect(&mut a, &NETWORK, &alice(), bob().public()).await.err() };
    let server = async move { accept(&mut b, &NETWORK, &bob(), |_| async { Ok(Some(())) }).await.err() };
    let (client, server) = tokio::join!(client, server);
    relay.abort();
    (
        client.unwrap_or(Error::OtherNetwork),
        server.unwrap_or(Error::OtherNetwork),
    )
}

#[tokio::test]
async fn truncation_at_every_byte_from_the_client_is_a_closed_connection_at_the_server() {
    for at in 0..64 + 112 {
        let (_, server) = cut(Some(at), None).await;
        let awaited = if at < 64 {
            Message::ClientHello
        } else {
            Message::ClientAuth
        };
        assert!(
            matches!(&server, Error::Closed { awaited: found } if *found == awaited),
            "cut at {at}: {server}"
        );
    }
}

#[tokio::test]
async fn truncation_at_every_byte_from_the_server_is_a_closed_connection_at_the_client() {
    for at in 0..64 + 80 {
        let (client, _) = cut(None, Some(at)).await;
        let awaited = if at < 64 {
            Message::ServerHello
        } else {
            Message::ServerAccept
        };
        assert!(
            matches!(&client, Error::Closed { awaited: found } if *found == awaited),
            "cut at {at}: {client}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_deadline_covers_the_whole_handshake_however_slowly_a_peer_drips() {
    let (mut a, mut b) = duplex(512);
    let drip = async move {
        // One byte a second: each read makes progress, the whole does not.
        while a.write_all(&[0]).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let bob = bob();
    let allowed = Duration::from_secs(5);
    let server = async move {
        let result = accept_within(allowed, &mut b, &NETWORK, &bob, |_| async { Ok(Some(())) }).await;
        drop(b);
        result
    };
    let (result, ()) = tokio::join!(server, drip);
    assert!(matches!(result, Err(Error::Deadline { allowed: found }) if found == allowed));
}

#[tokio::test(start_paused = true)]
async fn authorisation_counts_towards_the_deadline() {
    let (mut a, mut b) = duplex(512);
    let (alice, bob) = (alice(), bob());
    let bob_public = *bob.public();
    let allowed = Duration::from_secs(2);
    let server = async move {
        accept_within(allowed, &mut b, &NETWORK, &bob, |_| async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(Some(()))
        })
        .await
    };
    let client = connect_within(Duration::from_secs(30), &mut a, &NETWORK, &alice, &bob_public);
    let (client, server) = tokio::join!(client, server);
    assert!(matches!(server, Err(Error::Deadline { .. })));
    assert!(matches!(
        client,
        Err(Error::Closed {
            awaited: Message::ServerAccept
        })
    ));
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_ends_in_the_deadline_at_the_client() {
    let (mut a, _b) = duplex(512);
    let result = connect(&mut a, &NETWORK, &alice(), bob().public()).await;
    assert!(matches!(result, Err(Error::Deadline { .. })));
}

#[tokio::test]
async fn a_server_says_nothing_to_a_stranger_of_another_network() {
    let (mut a, mut b) = duplex(512);
    a.write_all(&[0x55; 64]).await.unwrap();
    let result = accept(&mut b, &NETWORK, &bob(), |_| async { Ok(Some(())) }).await;
    assert!(matches!(result, Err(Error::OtherNetwork)));
    drop(b);
    let mut heard = Vec::new();
    a.read_to_end(&mut heard).await.unwrap();
    assert!(heard.is_empty());
}
