//! What hostile peers make a connection hold, as the operating system sees it. Alone in its file, and so in its process.
#![cfg(all(feature = "tokio", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use futures_util::stream;
use handfast_mux::tokio::{Config, Incoming, Router, connection_with};
use serde_json::Value;
use std::time::Duration;
use testkit::mux::frame;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

/// So many victims that what one holds stands out of the noise.
const VICTIMS: usize = 200;
/// The pipe to each victim, in bytes: small, because it is counted with the victim.
const PIPE: usize = 1024;
/// No attack below may cost more than this for each connection.
const BOUND: usize = 512 * 1024;

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn open(method: &str, kind: &str) -> Vec<u8> {
    frame(10, 1, &format!(r#"{{"name":["{method}"],"args":[],"type":"{kind}"}}"#))
}

fn api() -> Router {
    Router::new()
        .sink("deaf", |_cx, items: Incoming<Value>| async move {
            let _held = items;
            std::future::pending().await
        })
        .source("endless", |_cx, ()| stream::repeat_with(|| Ok("x".repeat(100))))
}

/// Attacks each victim with `first`, and then with `unit` for as long as it takes any. Returns what a victim costs.
async fn cost(name: &str, first: &[u8], unit: &[u8]) -> usize {
    let mut config = Config::default();
    // The attackers are to be as patient as the victims.
    config.write_timeout = Duration::from_secs(1_000_000);
    let api = api();
    let before = resident();
    let mut attackers: Vec<DuplexStream> = Vec::with_capacity(VICTIMS);
    for _ in 0..VICTIMS {
        let (ours, mut attacker) = duplex(PIPE);
        let (_peer, driver) = connection_with(ours, api.clone(), config.clone());
        tokio::spawn(driver);
        attacker.write_all(first).await.unwrap();
        // The clock is paused: a write that still waits when it jumps waits for something that does not come. The jumps are
        // too short for the victim's patience with a slow reader to end.
        while !unit.is_empty() {
            match tokio::time::timeout(Duration::from_millis(1), attacker.write_all(unit)).await {
                Ok(written) => written.unwrap(),
                Err(_) => break,
            }
        }
        attackers.push(attacker);
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let each = resident().saturating_sub(before) / VICTIMS;
    println!("{name}: {} KiB for each connection", each / 1024);
    each
}

#[tokio::test(start_paused = true)]
async fn no_attack_makes_a_connection_hold_more_than_its_bounds() {
    let small = frame(10, 1, "1");
    let large = frame(10, 1, &format!("\"{}\"", "x".repeat(4000)));
    let half = {
        // The header and half the body of a packet of one mebibyte, and then nothing.
        let whole = frame(10, 1, &format!("\"{}\"", "x".repeat(1024 * 1024)));
        whole[..whole.len() / 4].to_vec()
    };
    for (name, first, unit) in [
        ("large items to a stream that nobody reads", open("deaf", "sink"), large),
        ("small items to a stream that nobody reads", open("deaf", "sink"), small),
        (
            "an endless source whose caller never reads",
            open("endless", "source"),
            Vec::new(),
        ),
        ("a quarter of a packet of 1 MiB", half, Vec::new()),
    ] {
        let each = cost(name, &first, &unit).await;
        assert!(each < BOUND, "{name}: {each} bytes for each connection");
    }
}
