//! What peers can make sessions hold together.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/raw.rs"]
mod raw;

use bytes::{Bytes, BytesMut};
use handfast_snap2p::{
    Error, Message, StreamId, frame,
    limits::{FRAME_MAX, LARGE_FRAME_TIMEOUT, SESSION_MEMORY},
    session::Answer,
    tokio::{Config, Incoming, Memory, Session, answer},
};
use raw::{Raw, local, open};
use std::{future::ready, pin::Pin, task::Poll, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex},
    task::yield_now,
    time::sleep,
};

/// What a pipe holds.
const PIPE: usize = 16 << 10;

fn config(memory: &Memory) -> Config {
    Config {
        memory: memory.clone(),
        ..Config::default()
    }
}

/// A session of ours that a raw peer has dialled.
async fn dialled(config: Config) -> (Session, Incoming, Raw<DuplexStream>) {
    let (ours, theirs) = duplex(PIPE);
    let local = local();
    let answered = answer(ours, &local, Answer::default(), |_| ready(true), config);
    let (answered, raw) = tokio::join!(answered, Raw::dial(theirs));
    let (session, incoming) = answered.unwrap();
    (session, incoming, raw)
}

/// Writes as much as is taken, however often the others get their turn. Returns how much that was.
async fn fill(io: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> usize {
    let (mut written, mut refused) = (0, 0);
    while refused < 100 && written < bytes.len() {
        let mut io = Pin::new(&mut *io);
        let write = std::future::poll_fn(|cx| Poll::Ready(io.as_mut().poll_write(cx, &bytes[written..])));
        match write.await {
            Poll::Ready(Ok(count)) => {
                written += count;
                refused = 0;
            }
            Poll::Ready(Err(_)) => break,
            Poll::Pending => refused += 1,
        }
        yield_now().await;
    }
    written
}

/// A frame that is announced, and of which nothing is sealed.
fn announced(len: usize) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    frame::put_len(len, &mut bytes);
    bytes.resize(bytes.len() + len, 0);
    bytes.to_vec()
}

fn data(len: usize) -> Message {
    Message::StreamData {
        id: StreamId(0),
        data: Bytes::from(vec![7; len]),
        fin: false,
    }
}

#[tokio::test(start_paused = true)]
async fn a_crowd_with_large_frames_holds_no_more_than_the_memory_it_shares() {
    const CROWD: usize = 8;
    let memory = Memory::new(2 << 20);
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(dialled(config(&memory)).await);
    }
    let frame = announced(FRAME_MAX);
    let mut taken = 0;
    for (_, _, raw) in &mut crowd {
        taken += fill(&mut raw.io, &frame).await;
    }
    let most = memory.size() + CROWD * (SESSION_MEMORY + PIPE);
    assert!(taken <= most, "{taken} bytes were taken, where {most} fit");
    assert!(taken > memory.size());
    assert!(memory.taken() <= memory.size());

    // Whoever needs none of it does not wait.
    let (session, mut incoming, mut raw) = dialled(config(&memory)).await;
    raw.say(&[open(0, "small"), data(64 << 10)]).await;
    let mut stream = incoming.next().await.unwrap();
    let mut heard = vec![0; 64 << 10];
    stream.read_exact(&mut heard).await.unwrap();
    raw.hear_until_pong().await;

    // Whoever waits for room too long is ended, which makes room for others; and so are those who have it and do not go on.
    let (mut overloaded, mut slow) = (0, 0);
    for (session, ..) in &crowd {
        match &*session.closed().await {
            Error::Overloaded => overloaded += 1,
            Error::TimedOut { .. } => slow += 1,
            other => panic!("{other}"),
        }
    }
    assert!(overloaded > 0, "{overloaded} and {slow}");
    assert_eq!(memory.taken(), 0, "all of it is back");
    drop((stream, session));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_room_goes_on_once_another_session_gives_it_back() {
    let memory = Memory::new(1 << 20);
    let (_one, mut at_one, mut first) = dialled(config(&memory)).await;
    let (_two, mut at_two, mut second) = dialled(config(&memory)).await;
    first.say(&[open(0, "unread")]).await;
    let large = first.seal(&[data(1 << 20)]);
    let sent = fill(&mut first.io, &large).await;
    assert_eq!(sent, large.len());
    assert!(memory.taken() > 512 << 10, "what nobody has read counts");

    second.say(&[open(0, "waiting")]).await;
    let large = second.seal(&[data(1 << 20)]);
    let sent = fill(&mut second.io, &large).await;
    assert!(sent < large.len());
    let mut unread = at_one.next().await.unwrap();
    let mut heard = vec![0; 1 << 20];
    unread.read_exact(&mut heard).await.unwrap();
    second.io.write_all(&large[sent..]).await.unwrap();
    let mut waiting = at_two.next().await.unwrap();
    waiting.read_exact(&mut heard).await.unwrap();
    assert!(heard.iter().all(|byte| *byte == 7));
    assert_eq!(memory.taken(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_the_application_reads_makes_room_for_its_own_session() {
    const FRAMES: usize = 16;
    const PIECE: usize = 60 << 10;
    // Nothing beyond what a session may hold anyway, and two streams of which neither is full then.
    let (_session, mut incoming, mut raw) = dialled(config(&Memory::new(0))).await;
    raw.say(&[open(0, ""), open(2, "")]).await;
    let pieces: Vec<_> = (0..FRAMES as u64)
        .map(|at| Message::StreamData {
            id: StreamId(at % 2 * 2),
            data: Bytes::from(vec![7; PIECE]),
            fin: false,
        })
        .collect();
    let bytes = raw.seal(&pieces);
    let sent = fill(&mut raw.io, &bytes).await;
    assert!(sent < bytes.len() && sent <= SESSION_MEMORY + (80 << 10), "{sent}");
    let (mut one, mut other) = (incoming.next().await.unwrap(), incoming.next().await.unwrap());
    let rest = tokio::spawn(async move {
        raw.io.write_all(&bytes[sent..]).await.unwrap();
        raw
    });
    let began = tokio::time::Instant::now();
    let mut heard = vec![0; PIECE];
    for _ in 0..FRAMES / 2 {
        one.read_exact(&mut heard).await.unwrap();
        other.read_exact(&mut heard).await.unwrap();
    }
    // By the paused clock: it is woken by what is read, and not by its deadline.
    assert_eq!(began.elapsed(), Duration::ZERO);
    rest.await.unwrap().hear_until_pong().await;
}

#[tokio::test(start_paused = true)]
async fn the_longest_frame_takes_as_much_memory_as_it_is_long() {
    let memory = Memory::new(FRAME_MAX);
    let (_session, mut incoming, mut raw) = dialled(config(&memory)).await;
    raw.say(&[open(0, "")]).await;
    let len = FRAME_MAX - 64;
    let bytes = raw.seal(&[data(len)]);
    let sent = tokio::spawn(async move {
        raw.io.write_all(&bytes).await.unwrap();
        raw
    });
    let mut stream = incoming.next().await.unwrap();
    let mut heard = vec![0; len];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(memory.taken(), 0);
    sent.await.unwrap().hear_until_pong().await;
}

#[tokio::test(start_paused = true)]
async fn a_large_frame_that_comes_byte_by_byte_ends_the_session() {
    let memory = Memory::default();
    let (session, _incoming, mut raw) = dialled(config(&memory)).await;
    let frame = announced(4 << 20);
    let begun = 1 << 20;
    assert_eq!(fill(&mut raw.io, &frame[..begun]).await, begun);
    let began = tokio::time::Instant::now();
    let drip = async {
        for byte in &frame[begun..] {
            sleep(Duration::from_secs(7)).await;
            if raw.io.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
    };
    let reason = tokio::select! {
        reason = session.closed() => reason,
        () = drip => panic!("it went on"),
    };
    assert!(
        matches!(
            &*reason,
            Error::TimedOut {
                what: "the rest of a frame",
                ..
            }
        ),
        "{reason}"
    );
    assert!(began.elapsed() < 2 * LARGE_FRAME_TIMEOUT);
    assert_eq!(memory.taken(), 0);
}
