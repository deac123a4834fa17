//! How connections end: gracefully, abruptly, cut, and as JavaScript peers do it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use handfast_mux::tokio::{Config, Peer, Router, connection, connection_with};
use handfast_mux::{Error, RemoteError};
use testkit::mux::{api, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

const GOODBYE: [u8; 9] = [0; 9];

struct Side {
    peer: Peer,
    driver: JoinHandle<Result<(), Error>>,
}

fn side(stream: DuplexStream, api: Router) -> Side {
    let (peer, driver) = connection(stream, api);
    Side {
        peer,
        driver: tokio::spawn(driver),
    }
}

fn pair() -> (Side, Side) {
    let (left, right) = tokio::io::duplex(64 * 1024);
    (side(left, api()), side(right, api()))
}

/// One side, and the raw stream of the other.
fn raw(api: Router) -> (Side, DuplexStream) {
    let (left, right) = tokio::io::duplex(64 * 1024);
    (side(left, api), right)
}

#[tokio::test(start_paused = true)]
async fn a_graceful_close_waits_for_what_is_open_and_takes_nothing_new() {
    let (a, b) = pair();
    let slow = tokio::spawn(a.peer.call::<u64>("slow", (3000,)));
    tokio::task::yield_now().await;
    let closing = tokio::spawn({
        let peer = a.peer.clone();
        async move { peer.close().await }
    });
    tokio::task::yield_now().await;
    assert!(a.peer.is_closing());
    assert!(matches!(a.peer.call::<()>("echo", ()).await, Err(Error::Closing)));
    assert!(matches!(a.peer.source::<u64>("count", ()).await, Err(Error::Closing)));
    assert_eq!(slow.await.unwrap().unwrap(), 3000);
    closing.await.unwrap().unwrap();
    assert!(a.driver.await.unwrap().is_ok());
    assert!(b.driver.await.unwrap().is_ok());
    assert!(matches!(b.peer.call::<()>("echo", ()).await, Err(Error::Closing)));
    assert!(b.peer.closed().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn both_sides_may_close_at_once() {
    let (a, b) = pair();
    let (left, right) = tokio::join!(a.peer.close(), b.peer.close());
    assert!(left.is_ok() && right.is_ok());
    assert!(a.driver.await.unwrap().is_ok() && b.driver.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_endless_source_delays_a_graceful_close_until_the_timeout() {
    let (a, b) = pair();
    let mut source = a.peer.source::<u64>("infinite", ()).await.unwrap();
    source.try_next().await.unwrap();
    let start = tokio::time::Instant::now();
    let reading = tokio::spawn(async move {
        loop {
            match source.next().await {
                Some(Ok(_)) => {}
                other => break other,
            }
        }
    });
    a.peer.close().await.unwrap();
    assert!(start.elapsed() >= Config::default().close_timeout);
    assert!(matches!(reading.await.unwrap(), Some(Err(Error::Aborted(_)))));
    assert!(b.driver.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_abort_fails_open_work_on_both_sides_at_once() {
    let (a, b) = pair();
    let mine = tokio::spawn(a.peer.call::<()>("never", ()));
    let theirs = tokio::spawn(b.peer.call::<()>("never", ()));
    tokio::time::sleep(Duration::from_millis(1)).await;
    a.peer.abort("enough");
    match mine.await.unwrap() {
        Err(Error::Aborted(reason)) => assert_eq!(&*reason, "enough"),
        other => panic!("{other:?}"),
    }
    let error = theirs.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "unexpected end of parent stream");
    assert!(a.driver.await.unwrap().is_ok());
    assert!(b.driver.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_cut_is_an_error_only_if_something_was_open() {
    let (a, stream) = raw(api());
    drop(stream);
    assert!(a.driver.await.unwrap().is_ok());

    let (a, stream) = raw(api());
    let call = tokio::spawn(a.peer.call::<()>("never", ()));
    tokio::time::sleep(Duration::from_millis(1)).await;
    drop(stream);
    assert!(matches!(call.await.unwrap(), Err(Error::UnexpectedEnd)));
    assert!(matches!(a.driver.await.unwrap(), Err(Error::UnexpectedEnd)));

    let (a, mut stream) = raw(api());
    stream.write_all(&[2, 0, 0]).await.unwrap();
    drop(stream);
    assert!(
        matches!(a.driver.await.unwrap(), Err(Error::UnexpectedEnd)),
        "half a frame is open work"
    );
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_followed_by_a_hangup_is_a_clean_end() {
    let (a, mut stream) = raw(api());
    let call = tokio::spawn(a.peer.call::<()>("never", ()));
    tokio::time::sleep(Duration::from_millis(1)).await;
    stream.write_all(&GOODBYE).await.unwrap();
    drop(stream);
    assert!(matches!(call.await.unwrap(), Err(Error::UnexpectedEnd)));
    assert!(a.driver.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_is_answered_with_one_and_the_stream_is_shut_down() {
    let (a, mut stream) = raw(api());
    stream
        .write_all(&frame(2, 1, r#"{"name":["never"],"args":[]}"#))
        .await
        .unwrap();
    stream.write_all(&GOODBYE).await.unwrap();
    // Ignored: nothing counts after a goodbye.
    stream
        .write_all(&frame(2, 2, r#"{"name":["nul"],"args":[]}"#))
        .await
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, GOODBYE);
    drop(stream);
    assert!(a.driver.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_answer_the_goodbye_is_left_after_the_timeout() {
    let (a, stream) = raw(api());
    assert!(a.peer.close().await.is_ok());
    assert!(a.driver.await.unwrap().is_ok());
    drop(stream);
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_drops_running_handlers() {
    let (report, mut reports) = mpsc::unbounded_channel();
    struct Report(mpsc::UnboundedSender<&'static str>);
    impl Drop for Report {
        fn drop(&mut self) {
            let _ = self.0.send("dropped");
        }
    }
    let router = Router::new().call("wait", move |cx, ()| {
        let held = Report(report.clone());
        let elsewhere = report.clone();
        tokio::spawn(async move {
            cx.cancelled().await;
            let _ = elsewhere.send("cancelled");
        });
        async move {
            let _held = held;
            std::future::pending::<Result<(), RemoteError>>().await
        }
    });
    let (a, mut stream) = raw(router);
    stream
        .write_all(&frame(2, 1, r#"{"name":["wait"],"args":[]}"#))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(reports.try_recv().is_err());
    stream.write_all(&GOODBYE).await.unwrap();
    let mut seen = [reports.recv().await.unwrap(), reports.recv().await.unwrap()];
    seen.sort_unstable();
    assert_eq!(seen, ["cancelled", "dropped"]);
    drop(stream);
    assert!(a.driver.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_driver_fails_everything_that_is_open() {
    let (a, _stream) = raw(api());
    let call = tokio::spawn(a.peer.call::<()>("never", ()));
    let mut source = a.peer.source::<u64>("infinite", ()).await.unwrap();
    a.driver.abort();
    assert!(matches!(call.await.unwrap(), Err(Error::Aborted(_) | Error::Closing)));
    assert!(matches!(source.next().await, Some(Err(Error::Aborted(_)))));
    assert!(source.next().await.is_none());
    assert!(matches!(a.peer.closed().await, Err(Error::Aborted(_))));
    assert!(matches!(a.peer.call::<()>("echo", ()).await, Err(Error::Closing)));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_stream_beneath_reaches_everything_that_is_open() {
    let broken = tokio_test_stream();
    let (peer, driver) = connection(broken, Router::new());
    let call = tokio::spawn(peer.call::<()>("x", ()));
    tokio::task::yield_now().await;
    let ended = driver.await;
    assert!(
        matches!(&ended, Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::ConnectionReset),
        "{ended:?}"
    );
    assert!(matches!(call.await.unwrap(), Err(Error::Io(_))));
}

/// A stream that takes everything and whose reads fail.
fn tokio_test_stream() -> impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {
    struct Broken;
    impl tokio::io::AsyncRead for Broken {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()))
        }
    }
    tokio::io::join(Broken, tokio::io::sink())
}

#[tokio::test(start_paused = true)]
async fn a_duplex_may_finish_after_its_caller_has_and_is_ended_if_it_does_not() {
    let router = Router::new().duplex("clock", |_cx, words: handfast_mux::tokio::Incoming<String>| {
        let ticks = futures_util::stream::unfold(0_u64, |i| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok(i), i + 1))
        });
        drop(words);
        ticks
    });
    let (left, right) = tokio::io::duplex(1024);
    let mut config = Config::default();
    config.half_close_timeout = Duration::from_millis(3500);
    let (_server, driver) = connection_with(right, router, config);
    tokio::spawn(driver);
    let caller = side(left, Router::new());
    let (mut words, ticks) = caller.peer.duplex::<u64>("clock", ()).await.unwrap();
    words.end();
    assert_eq!(ticks.try_collect::<Vec<_>>().await.unwrap(), [0, 1, 2]);
    caller.peer.close().await.unwrap();
}
