//! Our half of `cargo xtask bench`: `bench-ours handshake|boxstream|mux|node|gossip|snap2p|memory`. One JSON object a line.
//!
//! Each case runs for a few hundred milliseconds; `cargo xtask bench` repeats whole rounds, in turn with the peers.
// What a broken measurement deserves is a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod boxstream;
mod gossip;
mod handshake;
mod memory;
mod mux;
mod node;
mod secret_stack;
mod snap2p;
mod wire;

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// How long each case runs.
const PERIOD: Duration = Duration::from_millis(300);

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("handshake") => handshake::run(),
        Some("boxstream") => boxstream::run(),
        Some("mux") => mux::run().and_then(|()| secret_stack::run()),
        // Memory first: what the other cases leave behind would hide its growth.
        Some("node") => memory::run_node().and_then(|()| node::run()),
        Some("gossip") => gossip::run(),
        Some("snap2p") => memory::run_snap2p().and_then(|()| snap2p::run()),
        Some("memory") => memory::run(),
        Some(gossip::RELAY) => gossip::relay(),
        Some(memory::FAR_END) => memory::far_end(&std::env::args().nth(2).unwrap_or_default()),
        _ => bail!("usage: bench-ours handshake|boxstream|mux|node|gossip|snap2p|memory"),
    }
}

fn print(name: &str, value: f64, unit: &str) {
    println!("{}", serde_json::json!({ "name": name, "value": value, "unit": unit }));
}

/// How often each of two things can be done in a second. They take turns of some milliseconds, so that whatever else the
/// machine does hits both alike.
fn per_second_in_turn(mut one: impl FnMut(), mut other: impl FnMut()) -> [f64; 2] {
    const BATCH: u32 = 20;
    let mut runs = 0;
    let mut times = [Duration::ZERO; 2];
    while times[0] < PERIOD {
        let start = Instant::now();
        (0..BATCH).for_each(|_| one());
        let middle = Instant::now();
        (0..BATCH).for_each(|_| other());
        times[0] += middle - start;
        times[1] += middle.elapsed();
        runs += BATCH;
    }
    times.map(|time| f64::from(runs) / time.as_secs_f64())
}
