//! Handshakes: in memory against the sum of their primitive operations, and over TCP.

// The same work as in the crate's own benchmark.
#[path = "../../../crates/shs/benches/work/mod.rs"]
mod work;

use crate::{PERIOD, per_second_in_turn, print, wire};
use anyhow::Result;
use handfast_shs::tokio::{accept, connect};
use std::hint::black_box;
use std::time::Instant;
use tokio::net::{TcpListener, TcpStream};
use work::{Primitives, handshake};

pub(crate) fn run() -> Result<()> {
    let (alice, bob) = wire::identities()?;
    let bob_bytes = *bob.public().as_bytes();
    let primitives = Primitives::new();
    let [ours, sum] = per_second_in_turn(
        || drop(black_box(handshake(&alice, &bob, &bob_bytes))),
        || primitives.run(),
    );
    print("handshake", ours, "1/s");
    print("primitives", sum, "1/s");
    print("handshake over TCP", wire::one_thread()?.block_on(over_tcp())?, "1/s");
    Ok(())
}

/// One connection after the other, connecting included, both ends in this thread.
async fn over_tcp() -> Result<f64> {
    let (alice, bob) = wire::identities()?;
    let server = *bob.public();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tcp.set_nodelay(true).unwrap();
            let _ = accept(&mut tcp, &wire::NETWORK, &bob, |_| async { Ok(Some(())) }).await;
        }
    });
    let start = Instant::now();
    let mut shaken = 0;
    while start.elapsed() < PERIOD {
        let mut tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        black_box(connect(&mut tcp, &wire::NETWORK, &alice, &server).await?);
        shaken += 1;
    }
    Ok(f64::from(shaken) / start.elapsed().as_secs_f64())
}
