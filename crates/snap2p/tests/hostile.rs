//! Peers that mean harm, and applications in a hurry.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/raw.rs"]
mod raw;
mod support;

use bytes::BytesMut;
use handfast_snap2p::{
    Error, ErrorCode, Locator, Message, StreamId, frame, px1,
    session::{self, Answer, Dial},
    tokio::{Config, DialOptions, Incoming, Session, answer, dial},
};
use raw::{Raw, close, data, local, open, ping};
use std::{
    collections::VecDeque,
    future::{Future, ready},
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};
use support::{builder, listening, soon};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    net::{TcpListener, TcpStream},
};

/// More than any test here writes at once.
const PIPE: usize = 1 << 20;

/// A session of ours that a raw peer has dialled.
async fn dialled(config: Config) -> (Session, Incoming, Raw<DuplexStream>) {
    let (ours, theirs) = duplex(PIPE);
    let local = local();
    let answered = answer(ours, &local, Answer::default(), |_| ready(true), config);
    let (answered, raw) = soon(async { tokio::join!(answered, Raw::dial(theirs)) }).await;
    let (session, incoming) = answered.unwrap();
    (session, incoming, raw)
}

/// A session of ours that a raw peer has answered.
async fn answered(config: Config) -> (Session, Incoming, Raw<DuplexStream>) {
    let (ours, theirs) = duplex(PIPE);
    let local = local();
    let dialled = dial(ours, &local, Dial::default(), config);
    let (dialled, raw) = soon(async { tokio::join!(dialled, Raw::answer(theirs)) }).await;
    let (session, incoming) = dialled.unwrap();
    (session, incoming, raw)
}

/// What a future gives without waiting.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[tokio::test]
async fn what_lies_behind_a_burst_of_questions_is_taken_without_more_input() {
    let (_session, mut incoming, mut raw) = dialled(Config::default()).await;
    let mut burst: Vec<_> = (0..1000).map(ping).collect();
    burst.push(open(0, "behind"));
    raw.say(&burst).await;
    let stream = soon(incoming.next()).await.expect("the session has ended");
    assert_eq!(stream.label(), "behind");
}

#[tokio::test]
async fn what_lies_behind_a_burst_is_not_lost_when_the_peer_closes() {
    let (_session, mut incoming, mut raw) = dialled(Config::default()).await;
    let mut burst: Vec<_> = (0..1000).map(ping).collect();
    burst.extend([open(0, "behind"), data(0, b"all", true)]);
    raw.say(&burst).await;
    raw.io.shutdown().await.unwrap();
    let stream = soon(incoming.next()).await.expect("the session has ended");
    assert_eq!(stream.label(), "behind");
}

#[tokio::test]
async fn streams_that_nobody_has_taken_are_few_even_if_the_peer_closes_them() {
    const TRIES: u64 = 2000;
    let (_session, mut incoming, mut raw) = dialled(Config::default()).await;
    let label = "x".repeat(1024);
    for id in 0..TRIES {
        raw.say(&[open(2 * id, &label), close(2 * id, None)]).await;
    }
    let refused = |message: &&Message| {
        matches!(
            message,
            Message::CloseStream {
                code: Some(ErrorCode::ResourceExhausted),
                ..
            }
        )
    };
    let refusals = soon(raw.hear_until_pong()).await.iter().filter(refused).count();
    let mut waiting = Vec::new();
    while let Some(stream) = at_once(incoming.next()) {
        waiting.extend(stream);
    }
    let taken = waiting.len();
    assert!(refusals >= 1700, "only {refusals} of {TRIES} were refused");
    assert!(taken <= 300, "{taken} streams that ended long ago waited");
}

#[tokio::test]
async fn refusals_that_the_peer_does_not_take_stop_the_reading() {
    // Less than the refusals of one burst, so that they have to wait.
    let (ours, theirs) = duplex(4096);
    let us = local();
    let answered = answer(ours, &us, Answer::default(), |_| ready(true), Config::default());
    let (answered, mut raw) = soon(async { tokio::join!(answered, Raw::dial(theirs)) }).await;
    let (_session, incoming) = answered.unwrap();
    drop(incoming);
    // Some 300 KiB of refusals fill the output, and a thousand more every queue.
    let flood: Vec<_> = (0..200_000).map(|id| open(2 * id, "")).collect();
    let flood = raw.seal(&flood);
    let all = flood.len();
    let mut sent = 0;
    while let Some(written) = at_once(raw.io.write(&flood[sent..])) {
        sent += written.unwrap();
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        if sent == all {
            break;
        }
    }
    assert!(sent < all, "all of {all} bytes were taken, and no refusal of them was");
}

/// A stream of bytes that can be made endless.
struct Endless {
    io: DuplexStream,
    talks: Arc<AtomicBool>,
}

impl AsyncRead for Endless {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.talks.load(Ordering::Relaxed) {
            let len = buf.remaining();
            buf.put_slice(&vec![0; len]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Endless {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_peer_that_never_stops_talking_does_not_keep_a_session_from_closing() {
    let config = Config {
        close_timeout: Duration::from_millis(50),
        ..Config::default()
    };
    let (io, theirs) = duplex(PIPE);
    let talks = Arc::new(AtomicBool::new(false));
    let ours = Endless {
        io,
        talks: Arc::clone(&talks),
    };
    let us = local();
    let answered = answer(ours, &us, Answer::default(), |_| ready(true), config);
    let (answered, _raw) = soon(async { tokio::join!(answered, Raw::dial(theirs)) }).await;
    let (session, _incoming) = answered.unwrap();
    talks.store(true, Ordering::Relaxed);
    soon(session.close()).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_written_before_the_first_frame_came_leaves_before_the_session_closes() {
    let (session, _incoming, mut raw) = answered(Config::default()).await;
    let mut stream = session.open_stream("letter").await.unwrap();
    stream.write_all(b"all of it").await.unwrap();
    let closing = tokio::spawn(async move { session.close().await });
    let mut heard = Vec::new();
    while let Some(message) = soon(raw.hear()).await {
        if let Message::StreamData { data, .. } = message {
            heard.extend_from_slice(&data);
        }
    }
    drop(raw);
    assert_eq!(heard, b"all of it");
    soon(closing).await.unwrap();
}

struct Silent;

impl Wake for Silent {
    fn wake(self: Arc<Self>) {}
}

#[tokio::test]
async fn who_has_stopped_waiting_is_forgotten() {
    let (session, _incoming, _raw) = dialled(Config::default()).await;
    let mut streams = Vec::new();
    for _ in 0..100 {
        streams.push(soon(session.open_stream("")).await.unwrap());
    }
    let waiting = Arc::new(Silent);
    let waker = Waker::from(Arc::clone(&waiting));
    let mut cx = Context::from_waker(&waker);
    assert!(pin!(session.closed()).poll(&mut cx).is_pending());
    assert!(pin!(session.open_stream("one more")).poll(&mut cx).is_pending());
    drop(waker);
    assert_eq!(Arc::strong_count(&waiting), 1, "a task that is gone is kept");
}

#[tokio::test]
async fn whoever_wants_no_timeouts_says_so_by_the_longest() {
    let forever = Config {
        session: session::Config {
            ping_interval: Duration::MAX,
            pong_timeout: Duration::MAX,
            first_frame_wait: Duration::MAX,
            receive_patience: Duration::MAX,
            ..session::Config::default()
        },
        handshake_timeout: Duration::MAX,
        close_timeout: Duration::MAX,
        ..Config::default()
    };
    let (ours, theirs) = duplex(PIPE);
    let (alice, bob) = (local(), local());
    let dialled = dial(ours, &alice, Dial::default(), forever.clone());
    let answered = answer(theirs, &bob, Answer::default(), |_| ready(true), forever);
    let (dialled, answered) = soon(async { tokio::join!(dialled, answered) }).await;
    let ((alice, _), (bob, mut incoming)) = (dialled.unwrap(), answered.unwrap());
    let _open = soon(alice.open_stream("hello")).await.unwrap();
    assert_eq!(soon(incoming.next()).await.unwrap().id(), StreamId(0));
    soon(alice.close()).await;
    assert!(matches!(&*soon(bob.closed()).await, Error::Closed(_)));
}

#[test]
fn tokens_are_not_shown_by_debug() {
    let token = b"0123456789abcdef0123456789abcdef";
    let dial = Dial {
        token: Some(token[..].into()),
        ..Dial::default()
    };
    let question = session::Question::Token(token[..].into());
    let handshake = session::Handshake::dial(
        &local(),
        dial.clone(),
        session::Secrets::random().unwrap(),
        handfast_snap2p::Now::get(),
    )
    .unwrap();
    for shown in [format!("{dial:?}"), format!("{question:?}"), format!("{handshake:?}")] {
        assert!(!shown.contains("0123"), "{shown}");
    }
}

#[tokio::test]
async fn a_dropped_peer_no_longer_listens_whoever_is_in_a_handshake() {
    // As many as the doorstep has room for.
    const HELD: usize = 64;
    let (peer, at) = listening(builder()).await;
    // Once it is answered its handshake is under way.
    let mut first = TcpStream::connect(&at).await.unwrap();
    first.write_all(&[&[32][..], &[9; 32]].concat()).await.unwrap();
    soon(first.read_u8()).await.unwrap();
    let mut strangers = VecDeque::from([first]);
    drop(peer);
    let refused = async {
        while let Ok(stranger) = TcpStream::connect(&at).await {
            strangers.push_back(stranger);
            if strangers.len() > HELD {
                strangers.pop_front();
            }
            tokio::task::yield_now().await;
        }
    };
    soon(refused).await;
}

#[tokio::test]
async fn requests_of_the_peer_do_not_keep_a_session_that_the_application_has_dropped() {
    let (bob, at) = listening(builder()).await;
    let mut raw = Raw::dial(TcpStream::connect(&at).await.unwrap()).await;
    drop(soon(bob.accept()).await);
    // There is always a request that has not ended.
    let ended = async {
        for id in (0..).step_by(2) {
            let next = raw.seal(&[open(id, px1::LABEL), ping(id)]);
            if raw.io.write_all(&next).await.is_err() {
                return;
            }
            loop {
                match raw.hear().await {
                    Some(Message::Pong(pong)) if pong.seq == id => break,
                    Some(_) => {}
                    None => return,
                }
            }
            let last = id.checked_sub(2).map(|last| close(last, None));
            let last = raw.seal(last.as_slice());
            if raw.io.write_all(&last).await.is_err() {
                return;
            }
        }
    };
    soon(ended).await;
}

#[tokio::test]
async fn a_token_is_shown_nowhere_on_hearsay() {
    let (alice, at) = listening(builder()).await;
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there: Locator = trap.local_addr().unwrap().try_into().unwrap();
    let hidden = local().principal;
    let push = px1::Message::Push(px1::Push {
        principal: hidden,
        locators: vec![there.clone()],
        ttl: px1::TTL,
    })
    .encode();
    let mut framed = BytesMut::new();
    frame::put_len(push.len(), &mut framed);
    framed.extend_from_slice(&push);

    let mut mallory = Raw::dial(TcpStream::connect(&at).await.unwrap()).await;
    let said = Message::StreamData {
        id: StreamId(0),
        data: framed.freeze(),
        fin: true,
    };
    mallory.say(&[open(0, px1::LABEL), said]).await;
    let heard = async { while !matches!(mallory.hear().await, Some(Message::CloseStream { .. })) {} };
    soon(heard).await;
    assert_eq!(soon(alice.resolve(&hidden)).await, [there], "the hint itself is kept");

    let options = DialOptions {
        token: Some(vec![7; 32].into()),
        ..Default::default()
    };
    tokio::select! {
        dialled = soon(alice.dial_with(hidden, options)) => {
            let error = dialled.unwrap_err();
            assert!(matches!(error, Error::NotFound(_)), "{error}");
        }
        _ = trap.accept() => panic!("somebody got the token for saying where the node is"),
    }
}

#[tokio::test]
async fn an_invite_is_spent_by_whoever_comes_in_and_not_by_whoever_only_knocks() {
    let stealth = builder().visibility(handfast_snap2p::Visibility::Stealth);
    let (bob, at) = listening(stealth).await;
    let until = handfast_snap2p::UnixTime::now().plus(Duration::from_secs(3600));
    let token = bob.invites().create(Some(1), until).unwrap();
    let knock = || async {
        let mut message = BytesMut::new();
        Message::Knock(token.as_bytes().to_vec().into()).encode(&mut message);
        let mut frame = BytesMut::new();
        frame::put_len(message.len(), &mut frame);
        frame.extend_from_slice(&message);
        let mut tcp = TcpStream::connect(&at).await.unwrap();
        tcp.write_all(&frame).await.unwrap();
        let mut answer = BytesMut::new();
        let mut decoder = frame::Decoder::new(4096);
        let answer = loop {
            if let Some(answer) = decoder.next(&mut answer).unwrap() {
                break Message::decode(answer.freeze()).unwrap();
            }
            assert_ne!(soon(tcp.read_buf(&mut answer)).await.unwrap(), 0);
        };
        (tcp, answer)
    };
    let (held, answer) = knock().await;
    assert_eq!(answer, Message::KnockResponse { accepted: true });
    // While somebody is on the way in with it, nobody else is let in with it.
    let (_, answer) = knock().await;
    assert!(matches!(answer, Message::AuthFail(_)), "{answer:?}");
    assert!(matches!(soon(bob.failed()).await.unwrap().error, Error::Invite(_)));
    drop(held);
    soon(bob.failed()).await.expect("the handshake came to nothing");

    let options = || DialOptions {
        token: Some(token.as_bytes().to_vec().into()),
        ..Default::default()
    };
    let alice = builder().start().await.unwrap();
    let (dialled, accepted) = soon(async { tokio::join!(alice.dial_with(at.as_str(), options()), bob.accept()) }).await;
    let (_session, _accepted) = (dialled.unwrap(), accepted.unwrap());
    let error = soon(alice.dial_with(at.as_str(), options())).await.unwrap_err();
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

/// A pipe whose other end takes nothing any more once it is told to.
struct Fragile {
    io: DuplexStream,
    broken: Arc<AtomicBool>,
}

impl AsyncRead for Fragile {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Fragile {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.broken.load(Ordering::SeqCst) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn what_a_peer_has_said_before_it_closed_is_read_though_it_takes_no_answer() {
    const FRAMES: usize = 8;
    let (ours, theirs) = duplex(PIPE);
    let broken = Arc::new(AtomicBool::new(false));
    let ours = Fragile {
        io: ours,
        broken: Arc::clone(&broken),
    };
    let us = local();
    let answered = answer(ours, &us, Answer::default(), |_| ready(true), Config::default());
    let (answered, mut raw) = soon(async { tokio::join!(answered, Raw::dial(theirs)) }).await;
    let (session, mut incoming) = answered.unwrap();
    let piece: &'static [u8] = &[7; 60_000];
    // A question first, whose answer goes nowhere.
    let mut said = vec![ping(1), open(0, "last words")];
    said.extend((0..FRAMES).map(|at| data(0, piece, at + 1 == FRAMES)));
    said.extend((0..200).map(ping));
    said.push(open(2, "the very last"));
    broken.store(true, Ordering::SeqCst);
    raw.say(&said).await;
    drop(raw);
    let mut stream = soon(incoming.next()).await.expect("the session has ended");
    let mut heard = Vec::new();
    soon(stream.read_to_end(&mut heard)).await.unwrap();
    assert_eq!(heard.len(), FRAMES * piece.len());
    let last = soon(incoming.next()).await.expect("the session has ended");
    assert_eq!(last.label(), "the very last");
    soon(session.closed()).await;
    assert!(stream.write_all(b"nobody hears this").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_and_says_nothing_is_not_waited_for() {
    let (ours, theirs) = duplex(PIPE);
    let broken = Arc::new(AtomicBool::new(false));
    let ours = Fragile {
        io: ours,
        broken: Arc::clone(&broken),
    };
    let us = local();
    let answered = answer(ours, &us, Answer::default(), |_| ready(true), Config::default());
    let (answered, _raw) = tokio::join!(answered, Raw::dial(theirs));
    let (session, _incoming) = answered.unwrap();
    let mut stream = session.open_stream("").await.unwrap();
    broken.store(true, Ordering::SeqCst);
    let write = async { while stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok() {} };
    write.await;
    let reason = session.closed().await;
    assert!(matches!(&*reason, Error::Io { .. }), "{reason}");
}
