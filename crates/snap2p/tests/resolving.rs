//! PX-1: finding principals through others.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use bytes::BytesMut;
use handfast_snap2p::{
    Error, Locator, Peer, Principal, Visibility,
    px1::{LABEL, Message, Push, Request},
    tokio::Session,
};
use std::time::Duration;
use support::{builder, listening, peer, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn place(at: &str) -> Locator {
    at.parse().unwrap()
}

/// Says something on a stream of PX-1, and waits for the answer.
async fn exchange(session: &Session, message: &Message) -> std::io::Result<Vec<u8>> {
    let bytes = message.encode();
    let mut frame = BytesMut::new();
    handfast_snap2p::frame::put_len(bytes.len(), &mut frame);
    frame.extend_from_slice(&bytes);
    let mut stream = session.open_stream(LABEL).await.unwrap();
    stream.write_all(&frame).await?;
    stream.shutdown().await?;
    let mut answer = Vec::new();
    soon(stream.read_to_end(&mut answer)).await?;
    Ok(answer)
}

/// What a peer answers, without the length in front.
async fn ask(session: &Session, principal: &Principal) -> Vec<Locator> {
    let request = Message::Request(Request {
        principal: *principal,
        max_results: None,
    });
    let answer = exchange(session, &request).await.unwrap();
    let Message::Response(response) = Message::decode(&answer[1..]).unwrap() else {
        panic!("no answer");
    };
    response.locators
}

async fn tell(session: &Session, principal: &Principal, at: &str) -> std::io::Result<Vec<u8>> {
    let push = Message::Push(Push {
        principal: *principal,
        locators: vec![place(at)],
        ttl: Duration::from_secs(3600),
    });
    exchange(session, &push).await
}

#[tokio::test]
async fn a_principal_is_found_through_a_third_peer() {
    let (bob, at_bob) = listening(builder()).await;
    let (carol, at_carol) = listening(builder()).await;
    let with_bob = soon(carol.dial(at_bob.as_str())).await.unwrap();
    let (_session, _incoming) = soon(bob.accept()).await.unwrap();
    // Carol tells where she is as soon as the session stands; asked by bob, she says the same.
    assert_eq!(soon(bob.resolve(carol.principal())).await, [place(&at_carol)]);

    let alice = peer().await;
    let _session = soon(alice.dial(at_bob.as_str())).await.unwrap();
    let found = soon(alice.dial(carol.principal().to_string())).await.unwrap();
    assert_eq!(found.principal(), carol.principal());
    assert_eq!(found.remote_addr().unwrap().to_string(), at_carol);
    assert_eq!(soon(alice.resolve(carol.principal())).await, [place(&at_carol)]);
    drop(with_bob);
}

#[tokio::test]
async fn those_whom_the_builder_knows_are_asked_last() {
    let (bob, at_bob) = listening(builder()).await;
    let (carol, _) = listening(builder().known([place(&at_bob)])).await;
    // Listening, carol has told bob where she is.
    soon(async {
        let (session, _) = bob.accept().await.unwrap();
        assert_eq!(session.principal(), carol.principal());
        while bob.resolve(carol.principal()).await.is_empty() {}
    })
    .await;
    let alice = builder().known([place(&at_bob)]).start().await.unwrap();
    let found = soon(alice.dial(*carol.principal())).await.unwrap();
    assert_eq!(found.principal(), carol.principal());
}

#[tokio::test]
async fn whoever_nobody_knows_is_not_found() {
    let (_bob, at) = listening(builder()).await;
    let (alice, carol) = (peer().await, peer().await);
    let _session = soon(alice.dial(at)).await.unwrap();
    let error = soon(alice.dial(*carol.principal())).await.unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error}");
}

#[tokio::test]
async fn a_hint_is_no_proof() {
    let (bob, at_bob) = listening(builder()).await;
    let (_mallory, at_mallory) = listening(builder()).await;
    let carol = peer().await;
    let liar = peer().await;
    let session = soon(liar.dial(at_bob.as_str())).await.unwrap();
    tell(&session, carol.principal(), &at_mallory).await.unwrap();
    assert_eq!(soon(bob.resolve(carol.principal())).await, [place(&at_mallory)]);
    let error = soon(bob.dial(*carol.principal())).await.unwrap_err();
    assert!(matches!(error, Error::WrongPeer { .. }), "{error}");
    // What was wrong is not tried again, and hearsay is not passed on.
    assert_eq!(ask(&session, carol.principal()).await, []);
    let error = soon(bob.dial(*carol.principal())).await.unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error}");
}

async fn of_visibility(visibility: Visibility, px1: Option<bool>) -> (Peer, String) {
    let builder = builder().visibility(visibility);
    listening(match px1 {
        Some(on) => builder.px1(on),
        None => builder,
    })
    .await
}

fn announces(session: &Session) -> bool {
    session
        .peer_info()
        .capabilities
        .iter()
        .any(|capability| capability == LABEL)
}

#[tokio::test]
async fn a_public_node_answers_and_tells_where_it_is() {
    let (bob, at) = of_visibility(Visibility::Public, None).await;
    let alice = peer().await;
    let session = soon(alice.dial(at.as_str())).await.unwrap();
    assert!(announces(&session));
    assert_eq!(ask(&session, bob.principal()).await, [place(&at)]);
}

#[tokio::test]
async fn a_private_node_answers_for_others_and_never_for_itself() {
    let (bob, at) = of_visibility(Visibility::Private, Some(true)).await;
    let (carol, at_carol) = listening(builder()).await;
    let with_carol = soon(carol.dial(at.as_str())).await.unwrap();
    tell(&with_carol, carol.principal(), &at_carol).await.unwrap();
    let alice = peer().await;
    let session = soon(alice.dial(at.as_str())).await.unwrap();
    assert!(announces(&session));
    assert_eq!(ask(&session, carol.principal()).await, [place(&at_carol)]);
    assert_eq!(ask(&session, bob.principal()).await, []);
    // Nobody passes on where a private node was found.
    let (_dave, at_dave) = listening(builder()).await;
    let with_dave = soon(alice.dial(at_dave)).await.unwrap();
    tell(&with_dave, alice.principal(), "192.0.2.1:1").await.unwrap();
    assert_eq!(ask(&with_dave, bob.principal()).await, []);
}

#[tokio::test]
async fn a_private_node_is_silent_unless_it_is_switched_on() {
    let (_bob, at) = of_visibility(Visibility::Private, None).await;
    let alice = peer().await;
    let session = soon(alice.dial(at.as_str())).await.unwrap();
    assert!(!announces(&session));
}

#[tokio::test]
async fn a_stealth_node_answers_only_those_on_its_list() {
    let alice = peer().await;
    let listed = builder()
        .visibility(Visibility::Stealth)
        .px1(true)
        .allow([*alice.principal()]);
    let (hidden, at) = listening(listed).await;
    let unlisted = builder().visibility(Visibility::Stealth).px1(true);
    let (other, at_other) = listening(unlisted).await;
    let tomorrow = handfast_snap2p::UnixTime::now().plus(Duration::from_secs(86_400));
    for (node, at, answers) in [(hidden, at, true), (other, at_other, false)] {
        let token = node.invites().create(None, tomorrow).unwrap();
        let options = handfast_snap2p::tokio::DialOptions {
            token: Some(bytes::Bytes::copy_from_slice(token.as_bytes())),
            ..Default::default()
        };
        let session = soon(alice.dial_with(at, options)).await.unwrap();
        let request = Message::Request(Request {
            principal: *node.principal(),
            max_results: None,
        });
        let answer = exchange(&session, &request).await;
        assert_eq!(answer.is_ok(), answers, "{answer:?}");
        if answers {
            assert_eq!(ask(&session, node.principal()).await, [], "it never tells of itself");
        }
    }
}

#[tokio::test]
async fn what_is_no_message_breaks_its_stream_off_and_nothing_else() {
    let (_bob, at) = listening(builder()).await;
    let alice = peer().await;
    let session = soon(alice.dial(at)).await.unwrap();
    for garbage in [
        &b"\xff\xff\xff\xff\xff\xff"[..],
        b"\x03abc",
        b"\x01\xa0",
        b"\xff\xff\x7f",
    ] {
        let mut stream = session.open_stream(LABEL).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        soon(stream.read_to_end(&mut answer)).await.unwrap_err();
    }
    assert!(!session.is_closed());
}

#[tokio::test]
async fn a_dial_has_an_end_though_none_of_its_places_answers() {
    // They take connections, and say nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = silent.local_addr().unwrap();
    let mut limits = handfast_snap2p::tokio::Limits::of(Visibility::Public);
    limits.dial = Duration::from_millis(50);
    let alice = builder().limits(limits).start().await.unwrap();
    let somebody = support::local().principal;
    for target in [at.to_string(), format!("{somebody}@{at}")] {
        let error = soon(alice.dial(target)).await.unwrap_err();
        assert!(matches!(error, Error::TimedOut { .. }), "{error}");
        assert!(error.to_string().contains("any of the places"), "{error}");
    }
}
