//! Box Stream over TCP on the loopback interface, a writer thread and a reader thread, against the same transfer in
//! plain TCP.
//!
//! `cargo bench -p handfast-boxstream --bench loopback`
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use handfast_boxstream::tokio::{BoxReader, BoxWriter};
use handfast_keys::StreamKey;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// Bytes in one measured transfer: 256 MiB.
const TOTAL: usize = 256 << 20;
const ROUNDS: usize = 5;

fn key() -> StreamKey {
    StreamKey {
        key: [7; 32],
        nonce: [3; 24],
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_io().build().unwrap()
}

async fn send(mut writer: impl AsyncWrite + Unpin, piece: usize) {
    let plain = vec![5; piece];
    for _ in 0..TOTAL / piece {
        writer.write_all(&plain).await.unwrap();
    }
    writer.shutdown().await.unwrap();
}

async fn receive(mut reader: impl AsyncRead + Unpin) {
    let mut buf = vec![0; 65_536];
    let mut received = 0;
    loop {
        match reader.read(&mut buf).await.unwrap() {
            0 => break,
            amount => received += amount,
        }
    }
    assert_eq!(received, TOTAL / 4096 * 4096);
}

/// How long [`TOTAL`] bytes take in writes of `piece` bytes.
fn transfer(boxed: bool, piece: usize) -> Duration {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let writer = std::thread::spawn(move || {
        runtime().block_on(async {
            let tcp = TcpStream::connect(address).await.unwrap();
            tcp.set_nodelay(true).unwrap();
            if boxed {
                send(BoxWriter::new(tcp, key()), piece).await
            } else {
                send(tcp, piece).await
            }
        });
    });
    let time = runtime().block_on(async {
        let (tcp, _) = TcpListener::from_std(listener).unwrap().accept().await.unwrap();
        let start = Instant::now();
        if boxed {
            receive(BoxReader::new(tcp, key())).await
        } else {
            receive(tcp).await
        }
        start.elapsed()
    });
    writer.join().unwrap();
    time
}

fn main() {
    for piece in [4096, 65_536] {
        let mut best = [Duration::MAX; 2];
        for _ in 0..ROUNDS {
            for (best, boxed) in best.iter_mut().zip([true, false]) {
                *best = transfer(boxed, piece).min(*best);
            }
        }
        let [ours, plain] = best.map(|time| TOTAL as f64 / time.as_secs_f64() / 1e6);
        let ratio = ours / plain;
        println!("writes of {piece:>5} bytes: {ours:>6.0} MB/s, plain TCP {plain:>6.0} MB/s, ratio {ratio:.3}");
    }
}
