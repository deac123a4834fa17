//! Peers over loopback, as applications use them.
#![cfg(feature = "tokio")]

mod support;

use handfast_snap2p::{Error, ErrorCode, Visibility};
use support::{builder, connected, listening, peer, soon};
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
    assert!(matches!(error, Error::Truncated(_) | Error::Io { .. }), "{error}");
    let _ = hidden;
}
