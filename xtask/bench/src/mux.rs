//! muxrpc over Secret Handshake and Box Stream over TCP, both ends ours, against bare TCP.
//!
//! Each figure is taken twice: with both ends in one thread, as JavaScript has them, and with a thread for each.

use crate::{PERIOD, print, wire};
use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt, stream};
use handfast_boxstream::Sealer;
use handfast_mux::tokio::{Peer, Router, connection};
use handfast_mux::{RemoteError, packet::HEADER_LEN};
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const REQUEST: &str = r#"{"name":["hello"],"args":["world"]}"#;
const ANSWER: &str = "hello, world";
const IN_FLIGHT: usize = 64;

/// An item of the measured source, as the JavaScript peer sends it.
#[derive(Serialize, Deserialize)]
struct Item {
    i: u64,
    text: String,
}

#[derive(Clone, Copy)]
enum Threads {
    One,
    Two,
}

pub(crate) fn run() -> Result<()> {
    for (threads, suffix) in [(Threads::One, ""), (Threads::Two, ", two threads")] {
        // Bare TCP before and after, so that a slow drift of the machine does not pass for a difference.
        let before = between(threads, pong, ping)?;
        let calls = between(threads, serve, sequential)?;
        let after = between(threads, pong, ping)?;
        print(&format!("ping-pong{suffix}"), (before + after) / 2.0, "1/s");
        print(&format!("sequential calls{suffix}"), calls, "1/s");
        let calls = between(threads, serve, in_flight)?;
        print(&format!("calls, 64 in flight{suffix}"), calls, "1/s");
        let items = between(threads, serve, items)?;
        print(&format!("source items{suffix}"), items, "1/s");
    }
    Ok(())
}

type Measured = Pin<Box<dyn Future<Output = Result<f64>> + Send>>;

/// Runs `far` for the one connection that `near` makes, and `near` to its result.
fn between<F>(threads: Threads, far: fn(TcpStream) -> F, near: fn(SocketAddr) -> Measured) -> Result<f64>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let far = async move {
        let (tcp, _) = TcpListener::from_std(listener)?.accept().await?;
        tcp.set_nodelay(true)?;
        far(tcp).await
    };
    match threads {
        Threads::One => wire::one_thread()?.block_on(async {
            let far = tokio::spawn(far);
            // In a task, as most calls of a program are.
            let rate = tokio::spawn(near(address)).await??;
            far.await??;
            Ok(rate)
        }),
        Threads::Two => {
            let far = std::thread::spawn(move || wire::one_thread()?.block_on(far));
            let rate = wire::one_thread()?.block_on(async { tokio::spawn(near(address)).await? })?;
            far.join().expect("the far end does not panic")?;
            Ok(rate)
        }
    }
}

/// Bytes on the wire of the request and of the answer, so that bare TCP carries as many.
fn frames() -> [usize; 2] {
    [REQUEST, ANSWER].map(|body| Sealer::sealed_len(HEADER_LEN + body.len()))
}

async fn pong(mut tcp: TcpStream) -> Result<()> {
    let [request, answer] = frames();
    let mut received = vec![0; request];
    let sent = vec![1; answer];
    while tcp.read_exact(&mut received).await.is_ok() {
        tcp.write_all(&sent).await?;
    }
    Ok(())
}

fn ping(address: SocketAddr) -> Measured {
    Box::pin(async move {
        let [request, answer] = frames();
        let mut tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let mut received = vec![0; answer];
        let sent = vec![1; request];
        let start = Instant::now();
        let mut count = 0;
        while start.elapsed() < PERIOD {
            tcp.write_all(&sent).await?;
            tcp.read_exact(&mut received).await?;
            count += 1;
        }
        Ok(f64::from(count) / start.elapsed().as_secs_f64())
    })
}

pub(crate) fn api() -> Router {
    Router::new()
        .call("hello", |_cx, name: String| async move { Ok(format!("hello, {name}")) })
        .source("items", |_cx, count: u64| {
            stream::iter((0..count).map(|i| {
                let text = "small json item".into();
                Ok::<_, RemoteError>(Item { i, text })
            }))
        })
}

async fn serve(tcp: TcpStream) -> Result<()> {
    let (_, bob) = wire::identities()?;
    let (_, driver) = connection(wire::welcome(tcp, &bob).await?, api());
    Ok(driver.await?)
}

async fn dial(address: SocketAddr) -> Result<Peer> {
    let (alice, bob) = wire::identities()?;
    let stream = wire::dial(address, &alice, bob.public()).await?;
    let (peer, driver) = connection(stream, Router::new());
    tokio::spawn(driver);
    Ok(peer)
}

fn sequential(address: SocketAddr) -> Measured {
    Box::pin(async move {
        let peer = dial(address).await?;
        let start = Instant::now();
        let mut count = 0;
        while start.elapsed() < PERIOD {
            let answer: String = peer.call("hello", "world").await?;
            assert_eq!(answer, ANSWER);
            count += 1;
        }
        let rate = f64::from(count) / start.elapsed().as_secs_f64();
        peer.close().await?;
        Ok(rate)
    })
}

fn in_flight(address: SocketAddr) -> Measured {
    Box::pin(async move {
        let peer = dial(address).await?;
        let (calls, time) = call_for(PERIOD, &peer, "hello").await?;
        peer.close().await?;
        Ok(f64::from(calls) / time.as_secs_f64())
    })
}

/// Calls `method` for this long with [`IN_FLIGHT`] calls under way: how many were answered, and in what time.
pub(crate) async fn call_for(period: Duration, peer: &Peer, method: &str) -> Result<(u32, Duration)> {
    let start = Instant::now();
    let calls = stream::iter(0..)
        .take_while(|_| std::future::ready(start.elapsed() < period))
        .map(|_: u64| peer.call::<String>(method, "world"))
        .buffer_unordered(IN_FLIGHT);
    let count = calls
        .try_fold(0, async |count, answer| {
            assert_eq!(answer, ANSWER);
            Ok(count + 1)
        })
        .await?;
    Ok((count, start.elapsed()))
}

fn items(address: SocketAddr) -> Measured {
    Box::pin(async move {
        let peer = dial(address).await?;
        let rate = read_items(&peer, "items").await?;
        peer.close().await?;
        Ok(rate)
    })
}

/// Reads the source `method` to its end: items a second.
pub(crate) async fn read_items(peer: &Peer, method: &str) -> Result<f64> {
    const COUNT: u64 = 300_000;
    let start = Instant::now();
    let mut items = peer.source::<Item>(method, COUNT).await?;
    let mut expected = 0;
    while let Some(item) = items.try_next().await? {
        assert_eq!(item.i, expected);
        expected += 1;
    }
    assert_eq!(expected, COUNT);
    Ok(COUNT as f64 / start.elapsed().as_secs_f64())
}
