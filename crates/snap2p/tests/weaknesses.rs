//! What is weak in the reference, row by row, as far as it takes sockets; the other rows stand with the machines.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use bytes::BytesMut;
use handfast_keys::KeyPair;
use handfast_snap2p::{
    Error, ErrorCode, Fault, Now, Visibility,
    session::{Dial, Event, Handshake, Local, Read, Secrets},
    tokio::{Config, Limits},
};
use std::{sync::Arc, time::Duration};
use support::{Raw, builder, connected, is_closed, listening, local, peer, soon};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// An honest peer still gets in.
async fn works(listener: &handfast_snap2p::Peer) {
    let honest = peer().await;
    let at = listener.listening()[0].to_string();
    let session = soon(honest.dial(at)).await.unwrap();
    assert_eq!(session.principal(), listener.principal());
}

#[tokio::test]
async fn weakness_01_bytes_behind_the_handshake_are_not_lost() {
    let (bob, at) = listening(builder()).await;
    let local = local();
    // AUTH_OK is kept back, to leave in one packet with what the session says first.
    let mut tcp = TcpStream::connect(&at).await.unwrap();
    let mut handshake = Handshake::dial(&local, Dial::default(), Secrets::random().unwrap(), Now::get()).unwrap();
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    while !handshake.is_established() {
        handshake.poll_transmit(&mut output);
        tcp.write_all(&output.split()).await.unwrap();
        soon(tcp.read_buf(&mut input)).await.unwrap();
        handshake.handle_input(&mut input, Now::get()).unwrap();
    }
    handshake.poll_transmit(&mut output);
    assert!(!output.is_empty(), "AUTH_OK has not left yet");
    let mut machine = handshake.into_session(support::config(), Now::get()).unwrap();
    machine.handle_timeout(Now::get()).unwrap();
    let id = machine.open_stream("at once").unwrap();
    machine.write(id, b"not lost").unwrap();
    machine.finish(id).unwrap();
    machine.poll_transmit(&mut output, usize::MAX);
    tcp.write_all(&output).await.unwrap();

    let (_session, mut incoming) = soon(bob.accept()).await.unwrap();
    let mut stream = soon(incoming.next()).await.unwrap();
    let mut heard = String::new();
    soon(stream.read_to_string(&mut heard)).await.unwrap();
    assert_eq!((stream.label(), heard.as_str()), ("at once", "not lost"));
}

#[tokio::test]
async fn weakness_02_no_packet_ends_a_listener() {
    let (bob, at) = listening(builder()).await;
    for packet in [
        &[0x81, 0x80, 0x80, 0x08][..],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
        &[0xff; 100],
        &[0; 100],
        b"GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: a browser that has come to the wrong place\r\n\r\n",
    ] {
        let mut tcp = TcpStream::connect(&at).await.unwrap();
        tcp.write_all(packet).await.unwrap();
        assert!(is_closed(&mut tcp).await, "{packet:02x?}");
    }
    works(&bob).await;
}

#[tokio::test]
async fn weakness_03_whoever_connects_and_resets_ends_nothing() {
    let (bob, at) = listening(builder()).await;
    for _ in 0..50 {
        let tcp = TcpStream::connect(&at).await.unwrap();
        // Closing without waiting sends an RST.
        socket2::SockRef::from(&tcp).set_linger(Some(Duration::ZERO)).unwrap();
    }
    works(&bob).await;
}

#[tokio::test]
async fn weakness_04_failures_end_nothing_and_are_told_to_whoever_asks() {
    let (bob, at) = listening(builder()).await;
    for _ in 0..100 {
        let mut tcp = TcpStream::connect(&at).await.unwrap();
        tcp.write_all(b"\x20no noise").await.unwrap();
        tcp.shutdown().await.unwrap();
        is_closed(&mut tcp).await;
    }
    works(&bob).await;
    let failed = soon(bob.failed()).await.unwrap();
    assert!(matches!(failed.error, Error::Truncated(_)), "{failed}");
    assert_eq!(failed.unreported, 0);
}

/// Sends `bytes` over an established session and returns how that ended at the other side.
async fn how_it_ends(bytes: &[u8]) -> Arc<Error> {
    let (bob, at) = listening(builder()).await;
    let mut raw = Raw::dial(&at, &local()).await.unwrap();
    let (session, _incoming) = soon(bob.accept()).await.unwrap();
    raw.tcp.write_all(bytes).await.unwrap();
    let reason = soon(session.closed()).await;
    assert!(is_closed(&mut raw.tcp).await);
    works(&bob).await;
    reason
}

#[tokio::test]
async fn weakness_05_a_negative_length_ends_its_session_alone() {
    let error = how_it_ends(&[0xfb, 0xff, 0xff, 0xff, 0x0f]).await;
    assert!(
        matches!(*error, Error::Protocol(Fault::TooLong { .. } | Fault::Length)),
        "{error}"
    );
}

#[tokio::test]
async fn weakness_06_a_forged_frame_ends_the_session() {
    let mut frame = vec![40];
    frame.extend([7; 40]);
    let error = how_it_ends(&frame).await;
    assert!(matches!(*error, Error::Protocol(Fault::Forged)), "{error}");
}

#[tokio::test]
async fn weakness_07_no_write_is_too_long() {
    const SIZE: usize = (16 << 20) + 1;
    let (bob, _) = listening(builder()).await;
    let alice = peer().await;
    let (session, _other, mut incoming) = connected(&alice, &bob).await;
    let mut stream = session.open_stream("long").await.unwrap();
    let send = tokio::spawn(async move {
        stream.write_all(&vec![9; SIZE]).await.unwrap();
        stream.shutdown().await.unwrap();
        stream
    });
    let mut stream = soon(incoming.next()).await.unwrap();
    let mut heard = Vec::new();
    soon(stream.read_to_end(&mut heard)).await.unwrap();
    assert!(heard.len() == SIZE && heard.iter().all(|byte| *byte == 9));
    soon(send).await.unwrap();
    assert!(!session.is_closed());
}

#[tokio::test]
async fn weakness_08_a_stranger_gets_no_buffer() {
    let (_bob, at) = listening(builder()).await;
    let mut tcp = TcpStream::connect(&at).await.unwrap();
    // The length of a frame of 4 MiB is refused before any of the frame has come.
    tcp.write_all(&[0x80, 0x80, 0x80, 0x02]).await.unwrap();
    assert!(is_closed(&mut tcp).await);
}

#[tokio::test]
async fn weakness_09_half_open_connections_are_few_and_the_oldest_makes_room() {
    let mut limits = Limits::of(Visibility::Public);
    limits.half_open = 4;
    let (bob, at) = listening(builder().limits(limits)).await;
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(TcpStream::connect(&at).await.unwrap());
    }
    for tcp in &mut silent[..6] {
        assert!(is_closed(tcp).await);
    }
    for tcp in &mut silent[6..] {
        let read = tcp.try_read(&mut [0; 1]);
        assert!(read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    }
    works(&bob).await;
}

#[tokio::test]
async fn weakness_09_the_whole_handshake_has_one_deadline() {
    let mut limits = Limits::of(Visibility::Public);
    limits.session.handshake_timeout = Duration::from_millis(300);
    let (bob, at) = listening(builder().limits(limits)).await;
    let mut tcp = TcpStream::connect(&at).await.unwrap();
    // A byte now and then, for as long as it is taken, keeps no handshake alive.
    let mut packet = vec![32_u8];
    packet.extend([9; 32]);
    tokio::spawn(async move {
        for byte in packet.iter().cycle() {
            if tcp.write_all(&[*byte & 0x7f]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    });
    let failed = soon(bob.failed()).await.unwrap();
    assert!(matches!(failed.error, Error::TimedOut { .. }), "{failed}");
}

#[tokio::test]
async fn weakness_11_a_dialer_that_does_not_want_the_listener_says_so_and_closes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let friend = local().principal;
    let choosy = builder().allow([friend]).start().await.unwrap();
    let other = local();
    let answer = async {
        let (tcp, _) = listener.accept().await.unwrap();
        Raw::answer(tcp, &other).await
    };
    let (dialled, answered) = soon(async { tokio::join!(choosy.dial(at), answer) }).await;
    assert!(matches!(dialled.unwrap_err(), Error::NotAllowed(_)));
    let error = answered.err().unwrap();
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
}

#[tokio::test]
async fn weakness_13_a_node_that_runs_for_days_shows_a_fresh_attestation() {
    let (bob, _) = listening(builder()).await;
    for _ in 0..3 {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(25 * 3600)).await;
        tokio::time::resume();
        works(&bob).await;
    }
}

#[tokio::test]
async fn weakness_14_whoever_is_turned_away_reads_why() {
    let (_bob, at) = listening(builder().allow([local().principal])).await;
    for _ in 0..20 {
        let local = local();
        let tcp = TcpStream::connect(&at).await.unwrap();
        let error = Raw::establish(tcp, dialing(&local), b"").await.err().unwrap();
        let Error::Refused { code, reason } = error else {
            panic!("{error}");
        };
        assert_eq!(code, ErrorCode::NotAllowed);
        assert!(!reason.contains("SP"), "it tells no address: {reason}");
    }
}

fn dialing(local: &Local) -> Handshake {
    Handshake::dial(local, Dial::default(), Secrets::random().unwrap(), Now::get()).unwrap()
}

#[tokio::test]
async fn weakness_14_a_node_key_of_somebody_else_is_refused_and_told_so() {
    let (_bob, at) = listening(builder()).await;
    let thief = Local {
        node: KeyPair::generate().unwrap(),
        ..local()
    };
    let tcp = TcpStream::connect(&at).await.unwrap();
    let error = Raw::establish(tcp, dialing(&thief), b"").await.err().unwrap();
    assert!(
        matches!(
            error,
            Error::Refused {
                code: ErrorCode::AttestationInvalid,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn weakness_16_two_sessions_with_one_place_are_two() {
    let (bob, _) = listening(builder()).await;
    let alice = peer().await;
    let (one, _, mut of_one) = connected(&alice, &bob).await;
    let (two, _, mut of_two) = connected(&alice, &bob).await;
    assert_ne!(one.peer_info().session_id, two.peer_info().session_id);
    let _first = one.open_stream("first").await.unwrap();
    let _second = two.open_stream("second").await.unwrap();
    assert_eq!(soon(of_one.next()).await.unwrap().label(), "first");
    assert_eq!(soon(of_two.next()).await.unwrap().label(), "second");
    soon(one.close()).await;
    assert!(!two.is_closed());
    assert_eq!(alice.sessions().len(), 1);
}

#[tokio::test]
async fn weakness_18_the_round_trip_is_a_time() {
    let (bob, _) = listening(builder()).await;
    let alice = peer().await;
    let (session, _other, mut incoming) = connected(&alice, &bob).await;
    let mut stream = session.open_stream("").await.unwrap();
    stream.write_all(b"x").await.unwrap();
    let mut other = soon(incoming.next()).await.unwrap();
    other.write_all(b"y").await.unwrap();
    soon(stream.read_u8()).await.unwrap();
    // Bob's first PING came before his byte, and alice's was answered before hers was read.
    soon(async {
        while session.round_trip().is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(session.round_trip().unwrap() < Duration::from_secs(60));
}

#[tokio::test]
async fn one_place_may_knock_so_often_in_a_minute() {
    for (visibility, limit) in [(Visibility::Stealth, 5), (Visibility::Private, 30)] {
        let limits = Limits::of(visibility);
        let (_bob, at) = listening(builder().visibility(visibility).limits(limits)).await;
        let mut open = Vec::new();
        for _ in 0..limit {
            open.push(TcpStream::connect(&at).await.unwrap());
        }
        let mut one_more = TcpStream::connect(&at).await.unwrap();
        assert!(is_closed(&mut one_more).await);
        let kept = open.iter().filter(|tcp| {
            let read = tcp.try_read(&mut [0; 1]);
            read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
        });
        assert_eq!(kept.count(), limit, "{visibility}");
    }
}

#[tokio::test]
async fn sessions_are_few_enough() {
    let mut limits = Limits::of(Visibility::Public);
    limits.sessions = 2;
    let (bob, at) = listening(builder().limits(limits)).await;
    let alice = peer().await;
    let one = soon(alice.dial(at.as_str())).await.unwrap();
    let _two = soon(alice.dial(at.as_str())).await.unwrap();
    let (_, _) = (soon(bob.accept()).await.unwrap(), soon(bob.accept()).await.unwrap());
    soon(alice.dial(at.as_str())).await.unwrap_err();
    soon(one.close()).await;
    // The place is free once bob has seen the end of it.
    soon(async { while alice.dial(at.as_str()).await.is_err() {} }).await;
}

#[tokio::test]
async fn a_peer_that_only_listens_and_never_answers_is_left() {
    let config = Config {
        handshake_timeout: Duration::from_millis(100),
        ..Default::default()
    };
    let (io, _silent) = tokio::io::duplex(1000);
    let error = handfast_snap2p::tokio::dial(io, &local(), Dial::default(), config)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn a_peer_that_leaves_is_noticed_and_what_it_said_is_heard() {
    let (bob, at) = listening(builder()).await;
    let mut raw = Raw::dial(&at, &local()).await.unwrap();
    let (session, mut incoming) = soon(bob.accept()).await.unwrap();
    let id = raw.machine.open_stream("last words").unwrap();
    raw.machine.write(id, b"farewell").unwrap();
    raw.send().await;
    drop(raw);
    let reason = soon(session.closed()).await;
    assert!(matches!(*reason, Error::Closed(_) | Error::Io { .. }), "{reason}");
    let mut stream = soon(incoming.next()).await.unwrap();
    let mut heard = Vec::new();
    let error = soon(stream.read_to_end(&mut heard)).await.unwrap_err();
    assert_eq!(heard, b"farewell");
    assert_eq!(
        error.kind(),
        std::io::ErrorKind::ConnectionAborted,
        "it was not finished: {error}"
    );
    assert!(incoming.next().await.is_none());
}

#[tokio::test]
async fn a_stream_that_nobody_wants_is_refused_and_not_a_clean_end() {
    let (bob, at) = listening(builder()).await;
    let mut raw = Raw::dial(&at, &local()).await.unwrap();
    let (_session, incoming) = soon(bob.accept()).await.unwrap();
    drop(incoming);
    let id = raw.machine.open_stream("unwanted").unwrap();
    raw.send().await;
    let read = soon(async {
        loop {
            raw.tcp.read_buf(&mut raw.input).await.unwrap();
            raw.machine.handle_input(&mut raw.input, Now::get()).unwrap();
            while let Some(event) = raw.machine.poll_event() {
                if let Event::Closed { .. } = event {
                    return raw.machine.read(id, 1).unwrap();
                }
            }
        }
    })
    .await;
    assert_eq!(read, Read::Reset(ErrorCode::StreamRefused));
}
