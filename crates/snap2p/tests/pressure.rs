//! Slow peers, full buffers, and what is left when something is dropped half-way.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use handfast_snap2p::{
    Error, ErrorCode,
    session::{Answer, Dial},
    tokio::{Config, Incoming, Session, Stream},
};
use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};
use support::{builder, connected, listening, local, peer, soon};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What the pipe between two ends holds; sockets hold more, and nobody knows how much.
const PIPE: usize = 16 << 10;

type End = (Session, Incoming);

/// Two ends over a pipe: no sockets, so that the clock can be paused.
async fn pair(config: &Config) -> (End, End) {
    let (one, other) = tokio::io::duplex(PIPE);
    let (alice, bob) = (local(), local());
    let dial = handfast_snap2p::tokio::dial(one, &alice, Dial::default(), config.clone());
    let answer = handfast_snap2p::tokio::answer(other, &bob, Answer::default(), |_| async { true }, config.clone());
    let (dialled, answered) = tokio::join!(dial, answer);
    (dialled.unwrap(), answered.unwrap())
}

/// A stream, and the other end of it.
async fn stream(one: &Session, incoming: &mut Incoming) -> (Stream, Stream) {
    let mut ours = one.open_stream("").await.unwrap();
    // The first byte goes ahead, so that the other end is there.
    ours.write_all(b"!").await.unwrap();
    let mut theirs = incoming.next().await.unwrap();
    theirs.read_u8().await.unwrap();
    (ours, theirs)
}

/// Writes until nothing is taken any more, however often the other tasks get their turn. Returns how much was taken.
async fn fill(stream: &mut Stream) -> usize {
    let (data, mut written, mut refused) = (vec![1; 64 << 10], 0, 0);
    while refused < 100 {
        let write = poll_fn(|cx| Poll::Ready(Pin::new(&mut *stream).poll_write(cx, &data)));
        match write.await {
            Poll::Ready(count) => {
                written += count.unwrap();
                refused = 0;
            }
            Poll::Pending => refused += 1,
        }
        tokio::task::yield_now().await;
    }
    written
}

#[tokio::test(start_paused = true)]
async fn weakness_10_a_peer_that_does_not_read_holds_little_of_ours() {
    let config = Config::default();
    let ((alice, _), (_bob, mut at_bob)) = pair(&config).await;
    let (mut ours, mut theirs) = stream(&alice, &mut at_bob).await;
    let written = fill(&mut ours).await;
    let frame = 64 << 10;
    let most = config.session.receive_soft + config.output_buffer + PIPE + 4 * frame;
    assert!(written <= most, "{written} bytes were taken, where {most} fit");
    assert!(written >= config.session.receive_soft, "{written}");

    // Whoever reads gets all of it, and makes room for more.
    let read = tokio::spawn(async move {
        let mut heard = Vec::new();
        theirs.read_to_end(&mut heard).await.unwrap();
        heard.len()
    });
    ours.write_all(&[2; 1000]).await.unwrap();
    ours.shutdown().await.unwrap();
    assert_eq!(read.await.unwrap(), written + 1000);
}

#[tokio::test(start_paused = true)]
async fn weakness_10_a_stream_that_nobody_reads_is_bounded_and_does_not_end_the_session() {
    let config = Config::default();
    let ((alice, _), (bob, mut at_bob)) = pair(&config).await;
    let (mut ours, theirs) = stream(&alice, &mut at_bob).await;
    let written = fill(&mut ours).await;
    // Several PINGs of each side come and go behind the data that nobody reads.
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert!(!alice.is_closed() && !bob.is_closed());
    // There is a bound, and there the other side waits.
    let more = fill(&mut ours).await;
    assert!(
        written + more <= config.session.receive_hard + (2 << 20),
        "{written} + {more}"
    );
    drop(theirs);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!alice.is_closed());
}

#[tokio::test(start_paused = true)]
async fn idle_sessions_live_on_their_pings() {
    let ((alice, _), (bob, _)) = pair(&Config::default()).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(!alice.is_closed() && !bob.is_closed());
    assert!(alice.round_trip().is_some() && bob.round_trip().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_vanishes_is_missed() {
    let (one, other) = tokio::io::duplex(PIPE);
    let (alice, bob) = (local(), local());
    // What bob says is swallowed once the pipe is cut.
    let (cut, middle) = tokio::io::duplex(PIPE);
    let relay = tokio::spawn(async move {
        let (mut other, mut middle) = (other, middle);
        let _ = tokio::time::timeout(
            Duration::from_secs(5),
            tokio::io::copy_bidirectional(&mut other, &mut middle),
        )
        .await;
        std::future::pending::<()>().await;
    });
    let (dialled, answered) = tokio::join!(
        handfast_snap2p::tokio::dial(one, &alice, Dial::default(), Config::default()),
        handfast_snap2p::tokio::answer(cut, &bob, Answer::default(), |_| async { true }, Config::default()),
    );
    let ((session, _), (other, _)) = (dialled.unwrap(), answered.unwrap());
    for session in [session, other] {
        let reason = session.closed().await;
        assert!(matches!(*reason, Error::TimedOut { .. }), "{reason}");
    }
    relay.abort();
}

#[tokio::test(start_paused = true)]
async fn a_hundred_streams_are_open_and_the_next_waits() {
    let ((alice, _), (_bob, mut at_bob)) = pair(&Config::default()).await;
    let mut open = Vec::new();
    for _ in 0..100 {
        open.push(alice.open_stream("").await.unwrap());
    }
    let mut next = pin!(alice.open_stream("one more"));
    for _ in 0..100 {
        assert!(poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx).is_pending())).await);
        tokio::task::yield_now().await;
    }
    open.pop();
    let stream = next.await.unwrap();
    for _ in 0..101 {
        let arrived = at_bob.next().await.unwrap();
        if arrived.label() == "one more" {
            assert_eq!(arrived.id(), stream.id());
            return;
        }
        assert_eq!(arrived.label(), "");
    }
    panic!("the last stream never came");
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_before_it_is_ready_has_done_nothing() {
    let ((alice, _), (bob, mut at_bob)) = pair(&Config::default()).await;
    let now_or_never = async |future: Pin<&mut (dyn Future<Output = ()> + Send)>| {
        let mut future = future;
        poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await
    };
    // Waiting for a stream, and for bytes.
    {
        let next = pin!(async {
            at_bob.next().await;
        });
        assert!(!now_or_never(next).await);
    }
    let (mut ours, mut theirs) = stream(&alice, &mut at_bob).await;
    {
        let mut room = [0; 10];
        let read = pin!(async {
            let _ = theirs.read(&mut room).await;
        });
        assert!(!now_or_never(read).await);
    }
    ours.write_all(b"whole").await.unwrap();
    let mut room = [0; 5];
    theirs.read_exact(&mut room).await.unwrap();
    assert_eq!(&room, b"whole");
    // A write that finds no room.
    let written = fill(&mut ours).await;
    {
        let write = pin!(async {
            let _ = ours.write(b"dropped").await;
        });
        assert!(!now_or_never(write).await);
    }
    let rest = tokio::spawn(async move {
        let mut heard = Vec::new();
        theirs.read_to_end(&mut heard).await.unwrap();
        heard
    });
    ours.shutdown().await.unwrap();
    let heard = rest.await.unwrap();
    assert!(heard.len() == written && heard.iter().all(|byte| *byte == 1));
    // A dial that nobody waits for.
    let (io, mut other) = tokio::io::duplex(PIPE);
    {
        let somebody = local();
        let dial = pin!(async {
            let _ = handfast_snap2p::tokio::dial(io, &somebody, Dial::default(), Config::default()).await;
        });
        assert!(!now_or_never(dial).await);
    }
    let mut heard = Vec::new();
    other.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard.len(), 33, "a first message, and the end");
    drop((alice, bob));
}

#[tokio::test]
async fn flushed_bytes_are_with_the_socket() {
    let (bob, _) = listening(builder()).await;
    let alice = peer().await;
    let (session, other, mut incoming) = connected(&alice, &bob).await;
    let mut stream = session.open_stream("").await.unwrap();
    stream.write_all(b"kia ora").await.unwrap();
    stream.shutdown().await.unwrap();
    // Shut down and dropped, with its session: all of it arrives nevertheless.
    drop((stream, session));
    let mut theirs = soon(incoming.next()).await.unwrap();
    let mut heard = String::new();
    soon(theirs.read_to_string(&mut heard)).await.unwrap();
    assert_eq!(heard, "kia ora");
    soon(other.closed()).await;
}

#[tokio::test]
async fn a_dropped_stream_is_broken_off() {
    let (bob, _) = listening(builder()).await;
    let alice = peer().await;
    let (session, _other, mut incoming) = connected(&alice, &bob).await;
    let mut stream = session.open_stream("").await.unwrap();
    stream.write_all(b"half").await.unwrap();
    let mut theirs = soon(incoming.next()).await.unwrap();
    let mut heard = [0; 4];
    soon(theirs.read_exact(&mut heard)).await.unwrap();
    drop(stream);
    let error = soon(theirs.read_u8()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    assert!(theirs.write_all(b"x").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn whoever_has_heard_all_may_shut_down_though_the_peer_has_let_go() {
    let ((alice, _), (_bob, mut at_bob)) = pair(&Config::default()).await;
    let (mut ours, mut theirs) = stream(&alice, &mut at_bob).await;
    theirs.write_all(b"Hello!").await.unwrap();
    theirs.shutdown().await.unwrap();
    drop(theirs);
    let mut heard = String::new();
    ours.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "Hello!");
    // What bob said last of the stream has come, too.
    tokio::time::sleep(Duration::from_secs(1)).await;
    ours.shutdown().await.unwrap();
    assert!(!alice.is_closed());
}

#[tokio::test]
async fn a_reset_tells_its_code() {
    let (bob, _) = listening(builder()).await;
    let alice = peer().await;
    let (session, _other, mut incoming) = connected(&alice, &bob).await;
    let mut stream = session.open_stream("").await.unwrap();
    stream.write_all(b"x").await.unwrap();
    let theirs = soon(incoming.next()).await.unwrap();
    theirs.reset(ErrorCode::StreamRefused);
    let error = soon(stream.read_u8()).await.unwrap_err();
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    assert!(
        matches!(inner, Some(Error::Stream(ErrorCode::StreamRefused))),
        "{error}"
    );
}

#[tokio::test]
async fn closing_says_everything_first() {
    const SIZE: usize = 2 << 20;
    let (bob, _) = listening(builder()).await;
    let alice = peer().await;
    let (session, _other, mut incoming) = connected(&alice, &bob).await;
    let mut stream = session.open_stream("").await.unwrap();
    let read = tokio::spawn(async move {
        let mut theirs = incoming.next().await.unwrap();
        let mut heard = Vec::new();
        theirs.read_to_end(&mut heard).await.map(|_| heard.len())
    });
    stream.write_all(&vec![1; SIZE]).await.unwrap();
    stream.shutdown().await.unwrap();
    soon(session.close()).await;
    assert!(session.is_closed());
    assert_eq!(soon(read).await.unwrap().unwrap(), SIZE);
    assert!(matches!(session.open_stream("").await, Err(Error::Closed(_))));
    assert!(stream.write_all(b"x").await.is_err());
    soon(alice.close()).await;
    soon(bob.close()).await;
    assert!(alice.dial(bob.principal().to_string()).await.is_err());
}

#[tokio::test]
async fn a_closed_peer_gives_its_port_back() {
    let (bob, at) = listening(builder()).await;
    let alice = peer().await;
    let (session, ..) = connected(&alice, &bob).await;
    soon(bob.close()).await;
    soon(session.closed()).await;
    assert!(bob.listening().is_empty());
    let (again, _) = listening(builder()).await;
    assert_eq!(again.listen(at.as_str()).await.unwrap().to_string(), at);
}

#[tokio::test]
async fn a_dropped_peer_no_longer_listens() {
    let (bob, at) = listening(builder()).await;
    // However slow somebody at the door is.
    let mut silent = tokio::net::TcpStream::connect(&at).await.unwrap();
    let alice = peer().await;
    let (session, other, _incoming) = connected(&alice, &bob).await;
    drop(bob);
    assert!(support::is_closed(&mut silent).await);
    soon(async { while tokio::net::TcpStream::connect(&at).await.is_ok() {} }).await;
    assert!(!session.is_closed() && !other.is_closed(), "sessions go on");
}

#[tokio::test]
async fn a_dialer_that_says_one_thing_and_closes_is_heard() {
    let (bob, _) = listening(builder()).await;
    let alice = peer().await;
    let at = bob.listening()[0];
    let session = soon(alice.dial(at)).await.unwrap();
    // Nothing may leave before bob's first frame; closing waits for it.
    let mut stream = session.open_stream("").await.unwrap();
    stream.write_all(b"kia ora").await.unwrap();
    soon(session.close()).await;
    let (_other, mut incoming) = soon(bob.accept()).await.unwrap();
    let mut heard = [0; 7];
    let mut theirs = soon(incoming.next()).await.unwrap();
    soon(theirs.read_exact(&mut heard)).await.unwrap();
    assert_eq!(&heard, b"kia ora");
}

#[tokio::test(start_paused = true)]
async fn lines_are_read_without_a_buffer_of_ones_own() {
    let ((alice, _), (_bob, mut at_bob)) = pair(&Config::default()).await;
    let (mut ours, theirs) = stream(&alice, &mut at_bob).await;
    ours.write_all(b"one\ntwo\n").await.unwrap();
    ours.shutdown().await.unwrap();
    let (reader, _writer) = theirs.into_split();
    let mut lines = reader.lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "one");
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "two");
    assert!(lines.next_line().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn many_streams_share_a_session_fairly_enough_to_all_end() {
    let ((alice, _), (_bob, mut at_bob)) = pair(&Config::default()).await;
    let echo = tokio::spawn(async move {
        while let Some(stream) = at_bob.next().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.into_split();
                tokio::io::copy_buf(&mut reader, &mut writer).await.unwrap();
                writer.shutdown().await.unwrap();
            });
        }
    });
    let mut all = tokio::task::JoinSet::new();
    for number in 0..50_u8 {
        let alice = alice.clone();
        all.spawn(async move {
            let (mut reader, mut writer) = alice.open_stream("echo").await.unwrap().into_split();
            let data = vec![number; 200_000];
            let (sent, heard) = tokio::join!(
                async {
                    writer.write_all(&data).await?;
                    writer.shutdown().await
                },
                async {
                    let mut heard = Vec::new();
                    reader.read_to_end(&mut heard).await.map(|_| heard)
                }
            );
            sent.unwrap();
            assert!(heard.unwrap() == data);
        });
    }
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
    alice.close().await;
    echo.await.unwrap();
}
