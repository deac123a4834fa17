//! Calls and items per second over plain TCP on loopback, next to a raw ping-pong of the same sizes in the same run.
//!
//! `cargo bench -p handfast-mux --bench throughput`
#![allow(clippy::expect_used)]

use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use handfast_mux::tokio::{Peer, Router, connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const FOR: Duration = Duration::from_secs(2);

/// Connections of the memory figure.
const IDLE: usize = 10_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    match runtime.block_on(idle_memory()) {
        Some(bytes) => println!("an idle connection, both ends after one call each, tasks included: {bytes} bytes"),
        None => println!("memory is not measured on this system"),
    }
    drop(runtime);
    for (name, mut builder) in [
        ("one thread", tokio::runtime::Builder::new_current_thread()),
        ("two threads", {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(2);
            builder
        }),
    ] {
        let runtime = builder.enable_all().build().expect("a runtime");
        runtime.block_on(async {
            println!("{name}:");
            let raw = tokio::spawn(ping_pong()).await.expect("no panic");
            println!("  raw ping-pong       {raw:>10.0} /s");
            let sequential = tokio::spawn(sequential()).await.expect("no panic");
            println!(
                "  sequential calls    {sequential:>10.0} /s  ({:.2} of raw)",
                sequential / raw
            );
            let parallel = tokio::spawn(in_flight(64)).await.expect("no panic");
            println!("  64 calls in flight  {parallel:>10.0} /s");
            let items = tokio::spawn(items()).await.expect("no panic");
            println!("  source items        {items:>10.0} /s");
        });
    }
}

/// Memory of one connection in memory, whose pipe holds two buffers of 256 bytes once used.
async fn idle_memory() -> Option<usize> {
    let api = Router::new().call("echo", |_cx, text: String| async move { Ok(text) });
    let before = resident()?;
    let mut peers = Vec::with_capacity(2 * IDLE);
    for _ in 0..IDLE {
        let (left, right) = tokio::io::duplex(256);
        for end in [left, right] {
            let (peer, driver) = connection(end, api.clone());
            tokio::spawn(driver);
            peers.push(peer);
        }
    }
    for peer in &peers {
        peer.call::<String>("echo", ("kia ora",)).await.expect("an answer");
    }
    Some((resident()?.saturating_sub(before)) / IDLE)
}

/// Resident memory of this process, in bytes.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim()
        .strip_suffix(" kB")?
        .parse::<usize>()
        .ok()
        .map(|kib| kib * 1024)
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let dial = TcpStream::connect(listener.local_addr().expect("an address"));
    let (dialed, accepted) = tokio::join!(dial, listener.accept());
    let (dialed, (accepted, _)) = (dialed.expect("connected"), accepted.expect("accepted"));
    dialed.set_nodelay(true).expect("TCP");
    accepted.set_nodelay(true).expect("TCP");
    (dialed, accepted)
}

async fn connected() -> Peer {
    let api = Router::new()
        .call("echo", |_cx, text: String| async move { Ok(text) })
        .source("count", |_cx, n: u64| stream::iter((0..n).map(Ok)));
    let (dialed, accepted) = tcp().await;
    let (_server, driver) = connection(accepted, api);
    tokio::spawn(driver);
    let (peer, driver) = connection(dialed, Router::new());
    tokio::spawn(driver);
    peer
}

/// As many bytes each way as a call and its answer.
async fn ping_pong() -> f64 {
    let (mut dialed, mut accepted) = tcp().await;
    tokio::spawn(async move {
        let mut buffer = [0; 45];
        while accepted.read_exact(&mut buffer).await.is_ok() {
            if accepted.write_all(&buffer[..17]).await.is_err() {
                break;
            }
        }
    });
    let mut buffer = [0; 45];
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < FOR {
        dialed.write_all(&buffer).await.expect("open");
        dialed.read_exact(&mut buffer[..17]).await.expect("open");
        count += 1;
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}

async fn sequential() -> f64 {
    let peer = connected().await;
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < FOR {
        let text: String = peer.call("echo", ("kia ora",)).await.expect("an answer");
        assert_eq!(text, "kia ora");
        count += 1;
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}

async fn in_flight(width: usize) -> f64 {
    let peer = connected().await;
    let start = Instant::now();
    let calls = stream::repeat_with(|| peer.call::<String>("echo", ("kia ora",)))
        .take_while(|_| std::future::ready(start.elapsed() < FOR))
        .buffer_unordered(width);
    let count = calls
        .try_fold(0, |count, _| async move { Ok(count + 1) })
        .await
        .expect("answers");
    f64::from(count) / start.elapsed().as_secs_f64()
}

async fn items() -> f64 {
    let peer = connected().await;
    let start = Instant::now();
    let mut source = peer.source::<u64>("count", (u64::MAX,)).await.expect("open");
    let mut count = 0;
    while start.elapsed() < FOR {
        for _ in 0..100 {
            source.try_next().await.expect("an item");
        }
        count += 100;
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}
