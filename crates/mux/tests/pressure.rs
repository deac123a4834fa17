//! Full buffers: nobody starves, nobody waits for ever, and what is full does not grow.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use handfast_mux::tokio::{Config, Incoming, Peer, Router, Source, connection, connection_with};
use handfast_mux::{Error, RemoteError};
use serde_json::Value;
use testkit::mux::{api, frame};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// What the pipe between the ends holds, in bytes.
const PIPE: usize = 16 * 1024;

fn open(request: i32, method: &str, kind: &str) -> Vec<u8> {
    frame(
        10,
        request,
        &format!(r#"{{"name":["{method}"],"args":[],"type":"{kind}"}}"#),
    )
}

/// The test's methods, a source of blobs without end, and sinks of which one never reads.
fn methods() -> Router {
    let blob = Bytes::from(vec![7; 64 * 1024]);
    api()
        .source("blobs", move |_cx, ()| stream::repeat(blob.clone()).map(Ok))
        .sink("swallow", |_cx, items: Incoming<Value>| async move {
            items.try_for_each(|_| std::future::ready(Ok(()))).await
        })
        .sink("deaf", |_cx, items: Incoming<Value>| async move {
            let _held = items;
            std::future::pending::<Result<(), RemoteError>>().await
        })
}

/// Two peers that both serve the methods.
fn pair() -> (Peer, Peer) {
    pair_over(PIPE)
}

fn pair_over(pipe: usize) -> (Peer, Peer) {
    let (left, right) = tokio::io::duplex(pipe);
    let (a, driver) = connection(left, methods());
    tokio::spawn(driver);
    let (b, driver) = connection(right, methods());
    tokio::spawn(driver);
    (a, b)
}

/// Reads blobs until `other` is done, which must happen before 1,000 of them have come.
async fn while_blobs_come<R>(blobs: &mut Source<Bytes>, other: impl Future<Output = R>) -> R {
    let mut other = pin!(other);
    for _ in 0..1000 {
        tokio::select! {
            result = &mut other => return result,
            blob = blobs.next() => drop(blob.unwrap().unwrap()),
        }
    }
    panic!("1,000 blobs came first");
}

#[tokio::test]
async fn a_stream_of_large_items_does_not_starve_answers() {
    let (a, _b) = pair();
    let mut blobs = a.source::<Bytes>("blobs", ()).await.unwrap();
    blobs.next().await.unwrap().unwrap();
    for _ in 0..5 {
        let answer = while_blobs_come(&mut blobs, a.call::<u64>("sum", (1, 2))).await;
        assert_eq!(answer.unwrap(), 3);
    }
}

#[tokio::test]
async fn a_stream_of_large_items_does_not_starve_calls_of_the_same_side() {
    let (a, b) = pair();
    let mut blobs = a.source::<Bytes>("blobs", ()).await.unwrap();
    blobs.next().await.unwrap().unwrap();
    for _ in 0..5 {
        let answer = while_blobs_come(&mut blobs, b.call::<u64>("sum", (1, 2))).await;
        assert_eq!(answer.unwrap(), 3);
    }
}

#[tokio::test]
async fn streams_of_large_items_share_the_connection() {
    let (a, _b) = pair();
    let mut blobs = a.source::<Bytes>("blobs", ()).await.unwrap();
    blobs.next().await.unwrap().unwrap();
    for _ in 0..3 {
        let mut others = a.source::<Bytes>("blobs", ()).await.unwrap();
        let few = async { others.by_ref().take(10).try_collect::<Vec<_>>().await };
        assert_eq!(while_blobs_come(&mut blobs, few).await.unwrap().len(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn two_ends_may_send_long_items_to_each_other_at_once() {
    let (a, b) = pair();
    let send = |peer: Peer| async move {
        let mut items = peer.sink("swallow", ()).await?;
        for _ in 0..10 {
            items.send("x".repeat(1024 * 1024)).await?;
        }
        items.close().await
    };
    let (there, back) = tokio::join!(send(a), send(b));
    there.unwrap();
    back.unwrap();
}

#[tokio::test(start_paused = true)]
async fn two_ends_may_refuse_thousands_of_streams_of_each_other_at_once() {
    // As much as systems buffer for a socket when they are generous.
    let (a, b) = pair_over(8 * 1024 * 1024);
    let ask = |peer: Peer| async move {
        let mut streams = Vec::new();
        for _ in 0..10_000 {
            streams.push(peer.source::<Value>(&"x".repeat(200), ()).await?);
        }
        for mut items in streams {
            assert!(matches!(items.next().await, Some(Err(Error::Remote(_)))));
        }
        Ok::<_, Error>(())
    };
    let (there, back) = tokio::join!(ask(a), ask(b));
    there.unwrap();
    back.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reader_may_call_the_peer_about_each_item() {
    let (a, _b) = pair();
    let mut blobs = a.source::<Bytes>("blobs", ()).await.unwrap();
    for i in 0..50_i64 {
        blobs.next().await.unwrap().unwrap();
        assert_eq!(a.call::<i64>("sum", (i, 1)).await.unwrap(), i + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_stream_does_not_grow_while_others_are_read() {
    let config = Config::default();
    let buffer = config.stream_buffer;
    let (ours, mut attacker) = tokio::io::duplex(PIPE);
    let (peer, driver) = connection_with(ours, methods(), config);
    tokio::spawn(driver);
    attacker.write_all(&open(1, "deaf", "sink")).await.unwrap();
    attacker.write_all(&open(2, "swallow", "sink")).await.unwrap();
    // Both in one read, so that the one stream is read in the same turn in which the other becomes full.
    let long = format!("\"{}\"", "x".repeat(500));
    let unit = [frame(10, 2, "1"), frame(10, 1, &long)].concat();
    for _ in 0..10_000 {
        if tokio::time::timeout(Duration::from_millis(1), attacker.write_all(&unit))
            .await
            .is_err()
        {
            break;
        }
    }
    let queued = peer.queued_bytes();
    assert!(queued < buffer + 1000, "{queued} bytes are queued");
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_arguments_that_do_not_fit_is_small() {
    let (a, _b) = pair();
    let long = "\u{200b}".repeat(100_000);
    let error = match a.call::<u64>("sum", (&long, 1)).await {
        Err(Error::Remote(error)) => error,
        other => panic!("{other:?}"),
    };
    assert!(error.message().starts_with("bad arguments: "));
    assert!(error.message().len() < 2048, "{} bytes", error.message().len());
    let error = a.call::<u64>("echo", (&long,)).await.unwrap_err();
    assert!(matches!(error, Error::Decode(_)));
    assert!(error.to_string().len() < 2048);
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn one_who_no_longer_waits_for_the_end_is_forgotten() {
    let (a, _b) = pair();
    let waker = Arc::new(Count(AtomicUsize::new(0)));
    for _ in 0..3 {
        // A task of its own each time.
        let waker = Waker::from(waker.clone());
        assert!(
            pin!(a.closed())
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    assert_eq!(Arc::strong_count(&waker), 1, "wakers are kept");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_breaks_the_protocol_and_goes_on_does_not_keep_the_driver_busy() {
    let (ours, mut attacker) = tokio::io::duplex(PIPE);
    let (_peer, driver) = connection(ours, methods());
    let mut driver = pin!(driver);
    let woken = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(woken.clone());
    let mut poll = || {
        for _ in 0..100 {
            let before = woken.0.load(Ordering::Relaxed);
            assert!(driver.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            if woken.0.load(Ordering::Relaxed) == before {
                return;
            }
        }
        panic!("the driver never goes idle");
    };
    // Output that nobody takes, so that the goodbye cannot leave.
    attacker.write_all(&open(1, "blobs", "source")).await.unwrap();
    poll();
    attacker.write_all(&frame(3, 1, "?")).await.unwrap();
    poll();
    attacker.write_all(b"and then some").await.unwrap();
    poll();
}

/// Delivers what it holds, in pieces, then ends; takes no byte.
struct HungUp {
    input: Vec<u8>,
    at: usize,
}

impl AsyncRead for HungUp {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let end = self.input.len().min(self.at + buf.remaining().min(1000));
        buf.put_slice(&self.input[self.at..end]);
        self.at = end;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for HungUp {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into()))
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_said_before_it_hung_up_is_heard() {
    let mut input = Vec::new();
    for _ in 0..1000 {
        input.extend(frame(8, -1, &"x".repeat(1000)));
    }
    input.extend(frame(14, -1, "true"));
    input.extend([0; 9]);
    let (peer, driver) = connection(HungUp { input, at: 0 }, Router::new());
    let items = peer.source::<Bytes>("x", ()).await.unwrap();
    let driver = tokio::spawn(driver);
    assert_eq!(items.try_collect::<Vec<_>>().await.unwrap().len(), 1000);
    assert!(driver.await.unwrap().is_ok(), "it had said goodbye");
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_room_that_is_given_up_holds_nobody_up() {
    let (ours, mut peer_end) = tokio::io::duplex(PIPE);
    let (peer, driver) = connection(ours, methods());
    tokio::spawn(driver);
    let mut items = peer.sink("x", ()).await.unwrap();
    let mut sent = 0;
    while tokio::time::timeout(Duration::from_millis(1), items.send("x".repeat(10_000)))
        .await
        .is_ok()
    {
        sent += 1;
    }
    let call = tokio::spawn(peer.call::<Value>("y", ()));
    let mut seen = vec![0; sent * 10_000];
    peer_end.read_exact(&mut seen).await.unwrap();
    let reader = tokio::spawn(async move {
        let mut all = Vec::new();
        let _ = peer_end.read_to_end(&mut all).await;
        all
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    peer.abort("enough");
    assert!(call.await.unwrap().is_err());
    let all = reader.await.unwrap();
    assert!(all.windows(5).any(|bytes| bytes == br#"["y"]"#), "the call was sent");
}
