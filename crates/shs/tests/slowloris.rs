//! Thousands of peers that begin a handshake and say no more.
#![cfg(all(feature = "tokio", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use handfast_keys::{KeyPair, NetworkIdentifier};
use handfast_shs::tokio::{accept, connect};
use std::{
    io::{Read, Write},
    net::SocketAddr,
    process::{Command, Stdio},
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

const HALF_OPEN: usize = 10_000;
/// Tells a copy of this test program where to connect: the attackers live in a process of their own, because one
/// process may not have as many open files as both ends need.
const TARGET: &str = "SLOWLORIS_TARGET";

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn attackers() {
    let Ok(target) = std::env::var(TARGET) else { return };
    let target: SocketAddr = target.parse().unwrap();
    testkit::raise_open_files(HALF_OPEN as u64 + 200);
    let mut held = Vec::with_capacity(HALF_OPEN);
    for i in 0..HALF_OPEN {
        let mut tcp = std::net::TcpStream::connect(target).unwrap();
        // A third says nothing, a third says half a hello, and a third nearly all of it.
        tcp.write_all(&[0; 63][..[0, 32, 63][i % 3]]).unwrap();
        held.push(tcp);
    }
    println!("all held");
    let _ = std::io::stdin().read(&mut [0]);
}

#[tokio::test]
async fn ten_thousand_half_open_handshakes_do_not_stop_honest_peers_nor_fill_the_memory() {
    testkit::raise_open_files(HALF_OPEN as u64 + 500);
    let network = NetworkIdentifier::MAIN;
    let server = KeyPair::from_seed(&[2; 32]).unwrap();
    let server_public = *server.public();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = accepted.clone();
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let server = server.clone();
            tokio::spawn(async move {
                if accept(&mut tcp, &network, &server, |_| async { Ok(Some(())) })
                    .await
                    .is_ok()
                {
                    let _ = tcp.write_all(b"welcome").await;
                }
            });
        }
    });

    let before = resident();
    let mut attackers = Command::new(std::env::current_exe().unwrap())
        .args(["attackers", "--exact", "--nocapture"])
        .env(TARGET, address.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = attackers.stdout.take().unwrap();
    tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        let mut byte = [0];
        while !text.contains("all held") {
            assert_eq!(said.read(&mut byte).unwrap(), 1, "the attackers gave up: {text}");
            text.push(byte[0] as char);
        }
    })
    .await
    .unwrap();
    while accepted.load(std::sync::atomic::Ordering::Relaxed) < HALF_OPEN {
        tokio::task::yield_now().await;
    }

    for number in 0..20u8 {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        let client = KeyPair::from_seed(&[100 + number; 32]).unwrap();
        let outcome = connect(&mut tcp, &network, &client, &server_public).await.unwrap();
        assert_eq!(outcome.peer, server_public);
    }
    let each = resident().saturating_sub(before) / HALF_OPEN;
    println!("{HALF_OPEN} half-open handshakes held; {each} bytes each at the server");
    assert!(each < 8 * 1024, "{each} bytes for each half-open handshake");
    drop(attackers.stdin.take());
    attackers.wait().unwrap();
}
