//! Peers over loopback, as applications use them.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use bytes::{Bytes, BytesMut};
use handfast_snap2p::{
    Error, ErrorCode, Principal, UnixTime, Visibility,
    access::Invite,
    alias::AliasCard,
    session::{Answer, Dial},
    tokio::{Config, DialOptions},
};
use std::time::Duration;
use support::{builder, builder_of, connected, listening, peer, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn two_peers_know_each_other_and_talk() {
    let (bob, at) = listening(builder()).await;
    let alice = peer().await;
    let echo = tokio::spawn({
        let bob = bob.clone();
        async move {
            let (session, mut incoming) = bob.accept().await.unwrap();
            let mut stream = incoming.next().await.unwrap();
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await.unwrap();
            stream.write_all(&heard).await.unwrap();
            stream.shutdown().await.unwrap();
            (*session.principal(), stream.label().to_owned())
        }
    });
    let session = soon(alice.dial(at.as_str())).await.unwrap();
    assert_eq!(session.principal(), bob.principal());
    assert_eq!(session.remote_addr().unwrap().to_string(), at);
    let mut stream = session.open_stream("my-protocol").await.unwrap();
    stream.write_all(b"Hello!").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "Hello!");
    assert_eq!(soon(echo).await.unwrap(), (*alice.principal(), "my-protocol".into()));
}

#[tokio::test]
async fn both_sides_open_streams() {
    let (bob, _) = listening(builder()).await;
    let alice = peer().await;
    let (session, other, mut incoming) = connected(&alice, &bob).await;
    let mut at_alice = session.incoming().unwrap();
    assert!(session.incoming().is_none(), "it is handed out once");
    let mut from_bob = other.open_stream("from bob").await.unwrap();
    let mut from_alice = session.open_stream("from alice").await.unwrap();
    from_bob.write_all(b"kia ora").await.unwrap();
    from_alice.write_all(b"haere mai").await.unwrap();
    let (mut of_bob, mut of_alice) =
        soon(async { (at_alice.next().await.unwrap(), incoming.next().await.unwrap()) }).await;
    assert_eq!((of_bob.label(), of_alice.label()), ("from bob", "from alice"));
    assert_eq!((of_bob.id().0 % 2, of_alice.id().0 % 2), (1, 0));
    let (mut one, mut two) = ([0; 7], [0; 9]);
    soon(of_bob.read_exact(&mut one)).await.unwrap();
    soon(of_alice.read_exact(&mut two)).await.unwrap();
    assert_eq!((&one, &two), (b"kia ora", b"haere mai"));
}

#[tokio::test]
async fn much_data_arrives_whole_in_both_directions() {
    const SIZE: usize = 8 << 20;
    let (bob, _) = listening(builder()).await;
    let alice = peer().await;
    let (session, _other, mut incoming) = connected(&alice, &bob).await;
    let stream = session.open_stream("bulk").await.unwrap();
    let (mut from_bob, mut to_bob) = stream.into_split();
    let data: Vec<u8> = (0..SIZE).map(|i| (i * 31 / 7) as u8).collect();
    let echo = tokio::spawn(async move {
        let (mut reader, mut writer) = incoming.next().await.unwrap().into_split();
        tokio::io::copy(&mut reader, &mut writer).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    let sent = data.clone();
    let send = tokio::spawn(async move {
        to_bob.write_all(&sent).await.unwrap();
        to_bob.shutdown().await.unwrap();
    });
    let mut heard = Vec::new();
    soon(from_bob.read_to_end(&mut heard)).await.unwrap();
    assert!(heard == data, "{} of {SIZE} bytes came back", heard.len());
    soon(send).await.unwrap();
    soon(echo).await.unwrap();
}

#[tokio::test]
async fn whoever_expects_somebody_else_is_told_who_is_there() {
    let (bob, at) = listening(builder()).await;
    let (alice, carol) = (peer().await, peer().await);
    let target = format!("{}@{at}", carol.principal());
    let error = soon(alice.dial(target)).await.unwrap_err();
    let Error::WrongPeer { expected, found } = error else {
        panic!("{error}");
    };
    assert_eq!((*expected, *found), (*carol.principal(), *bob.principal()));
    soon(alice.dial(format!("{}@{at}", bob.principal()))).await.unwrap();
}

#[tokio::test]
async fn allowlists_hold_on_both_sides() {
    let (alice, friend) = (peer().await, peer().await);
    let (_bob, at) = listening(builder().allow([*friend.principal()])).await;
    let error = soon(alice.dial(at.as_str())).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Refused {
                code: ErrorCode::NotAllowed,
                ..
            }
        ),
        "{error}"
    );
    soon(friend.dial(at.as_str())).await.unwrap();

    let (_open, at) = listening(builder()).await;
    let choosy = builder().allow([*friend.principal()]).start().await.unwrap();
    let error = soon(choosy.dial(at.as_str())).await.unwrap_err();
    assert!(matches!(error, Error::NotAllowed(_)), "{error}");
}

#[tokio::test]
async fn a_stealth_node_opens_to_invites_alone() {
    let (hidden, at) = listening(builder().visibility(Visibility::Stealth)).await;
    let alice = peer().await;
    let error = soon(alice.dial(at.as_str())).await.unwrap_err();
    assert!(!matches!(error, Error::TimedOut { .. }), "{error}");

    let tomorrow = UnixTime::now().plus(Duration::from_secs(86_400));
    let token = hidden.invites().create(Some(1), tomorrow).unwrap();
    let options = DialOptions {
        token: Some(Bytes::copy_from_slice(token.as_bytes())),
        ..Default::default()
    };
    let session = soon(alice.dial_with(at.as_str(), options.clone())).await.unwrap();
    assert_eq!(session.principal(), hidden.principal());
    let error = soon(alice.dial_with(at.as_str(), options)).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Refused {
                code: ErrorCode::InvalidToken,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_signed_invite_is_all_that_a_guest_needs() {
    let (key, network) = support::identity();
    let host = builder_of((key.clone(), network)).visibility(Visibility::Stealth);
    let (host, at) = listening(host).await;
    let now = UnixTime::now();
    let tomorrow = now.plus(Duration::from_secs(86_400));
    let token = host.invites().create(None, tomorrow).unwrap();
    let token = Some(Bytes::copy_from_slice(token.as_bytes()));
    // The first place is one where nobody listens.
    let places = vec!["127.0.0.1:1".to_owned(), at];
    let invite = Invite::issue(&key, *host.principal(), places, token, now, tomorrow).unwrap();
    let guest = peer().await;
    let session = soon(guest.dial(invite.to_string())).await.unwrap();
    assert_eq!(session.principal(), host.principal());
}

#[tokio::test]
async fn peers_show_each_other_their_names() {
    let (bob, _) = listening(builder().alias("Bob ", "Bob 🛶")).await;
    let alice = builder().alias("alice", "Alice").start().await.unwrap();
    let (_session, _other, _incoming) = connected(&alice, &bob).await;
    let (of_bob, of_alice) = soon(async {
        tokio::join!(
            alice.wait_for_alias(bob.principal()),
            bob.wait_for_alias(alice.principal())
        )
    })
    .await;
    assert_eq!((of_bob.alias.as_str(), of_bob.display_name.as_str()), ("bob", "Bob 🛶"));
    assert_eq!(of_alice.alias, "alice");
    assert_eq!(alice.called("BOB"), [of_bob]);
    assert_eq!(bob.aliases(), [of_alice]);
}

#[tokio::test]
async fn nobody_can_name_somebody_else() {
    let (bob, at) = listening(builder()).await;
    let (mallory, carol) = (peer().await, support::identity());
    let session = soon(mallory.dial(at)).await.unwrap();
    let who = Principal(carol.0.address(carol.1));
    let now = UnixTime::now();
    let card = AliasCard::issue(&carol.0, who, "carol", "Carol", [7; 32], now, Duration::from_secs(60)).unwrap();
    let mut frame = BytesMut::new();
    handfast_snap2p::frame::put_len(card.encode().len(), &mut frame);
    frame.extend_from_slice(&card.encode());
    let mut stream = session.open_stream("aliases").await.unwrap();
    stream.write_all(&frame).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let error = soon(stream.read_to_end(&mut answer)).await.unwrap_err();
    assert!(error.to_string().contains("malformed"), "{error}");
    assert_eq!(bob.aliases(), []);
}

#[tokio::test]
async fn sessions_come_as_a_stream_too() {
    let (bob, at) = listening(builder()).await;
    let alice = peer().await;
    let _session = soon(alice.dial(at)).await.unwrap();
    let mut connections = bob.connections();
    let next = std::future::poll_fn(|cx| futures_core::Stream::poll_next(std::pin::Pin::new(&mut connections), cx));
    let (session, _incoming) = soon(next).await.unwrap();
    assert_eq!(session.principal(), alice.principal());
    bob.close().await;
    assert!(bob.accept().await.is_none());
}

#[tokio::test]
async fn any_byte_stream_carries_a_session() {
    let (one, other) = tokio::io::duplex(1000);
    let (alice, bob) = (support::local(), support::local());
    let expect = Dial {
        expect: Some(bob.principal),
        ..Default::default()
    };
    let (dialled, answered) = soon(async {
        tokio::join!(
            handfast_snap2p::tokio::dial(one, &alice, expect, Config::default()),
            handfast_snap2p::tokio::answer(other, &bob, Answer::default(), |_| async { true }, Config::default()),
        )
    })
    .await;
    let ((session, _), (other, mut incoming)) = (dialled.unwrap(), answered.unwrap());
    assert_eq!(other.principal(), &alice.principal);
    assert_eq!(session.peer_info().handshake_hash, other.peer_info().handshake_hash);
    let mut stream = session.open_stream("").await.unwrap();
    stream.write_all(&[7; 10_000]).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut heard = Vec::new();
    let mut stream = soon(incoming.next()).await.unwrap();
    soon(stream.read_to_end(&mut heard)).await.unwrap();
    assert_eq!(heard, [7; 10_000]);
}

#[tokio::test]
async fn a_judge_turns_principals_away() {
    let (one, other) = tokio::io::duplex(1000);
    let (alice, bob) = (support::local(), support::local());
    let (dialled, answered) = soon(async {
        tokio::join!(
            handfast_snap2p::tokio::dial(one, &alice, Dial::default(), Config::default()),
            handfast_snap2p::tokio::answer(other, &bob, Answer::default(), |_| async { false }, Config::default()),
        )
    })
    .await;
    assert!(matches!(
        dialled.unwrap_err(),
        Error::Refused {
            code: ErrorCode::NotAllowed,
            ..
        }
    ));
    assert!(matches!(answered.unwrap_err(), Error::NotAllowed(_)));
}
