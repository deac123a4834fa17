//! The soak test: many connections that open, call, stream and drop at random for a while, and what is left of them.
//!
//! Two processes, because each connection is a file at both ends: this one serves, and a child of itself dials. At the end
//! everything must be as it was: no connection, no task, no file more than before, and memory that does not grow from round
//! to round. Prints figures and fails with a sentence if something is left.

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use handfast_keys::{KeyPair, NetworkIdentifier};
use handfast_mux::tokio::{Incoming, Peer, Router};
use handfast_stack::{Config, Node, Permissions, Scope, Stack, plugin};
use serde_json::json;
use std::{
    io::Write,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep, timeout},
};

/// Random numbers that are the same in each run: what fails can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        // xorshift64*; good enough for dice.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }
}

struct Options {
    connections: u64,
    seconds: u64,
    seed: u64,
}

impl Options {
    fn read() -> Result<Self> {
        let mut options = Self {
            connections: 2000,
            seconds: 60,
            seed: 1,
        };
        let mut args = std::env::args().skip(1).filter(|arg| arg != "dial");
        while let Some(arg) = args.next() {
            let value = args
                .next()
                .and_then(|value| value.parse().ok())
                .context("each option takes a number");
            match arg.as_str() {
                "--connections" => options.connections = value?,
                "--seconds" => options.seconds = value?,
                "--seed" => options.seed = value?,
                "--address" => {}
                other => anyhow::bail!("unknown option {other}; there are --connections, --seconds and --seed"),
            }
        }
        Ok(options)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    rlimit::increase_nofile_limit(20_000)?;
    let options = Options::read()?;
    match std::env::args().nth(1).as_deref() {
        Some("dial") => dial(options).await,
        _ => serve(options).await,
    }
}

fn network() -> NetworkIdentifier {
    NetworkIdentifier::from_bytes([42; 32])
}

fn api() -> Router {
    Router::new()
        .call("echo", |_cx, value: serde_json::Value| async move { Ok(value) })
        .call("never", |_cx, ()| async {
            std::future::pending::<Result<(), _>>().await
        })
        .call("slow", |_cx, ms: u64| async move {
            sleep(Duration::from_millis(ms)).await;
            Ok(ms)
        })
        .source("count", |_cx, n: u64| stream::iter((0..n).map(Ok)))
        .source("forever", |_cx, ()| stream::repeat(Ok("x".repeat(100))))
        .sink("swallow", |_cx, items: Incoming<serde_json::Value>| {
            items.try_for_each(|_| async { Ok(()) })
        })
        .duplex("mirror", |_cx, items: Incoming<serde_json::Value>| items)
}

async fn serve(options: Options) -> Result<()> {
    let limits = json!({ "maxConnections": 2 * options.connections });
    let config = json!({ "global": { "closeDeadline": 2000, "limits": limits, "connections": {
        "incoming": { "net": [{ "scope": "device", "transform": "shs", "host": "127.0.0.1", "port": 0 }] },
    } } });
    let names = ["echo", "never", "slow", "count", "forever", "swallow", "mirror"];
    let node = Stack::new(network())
        .identity(KeyPair::generate()?)
        .plugin(plugin("soak", api()).permissions(Permissions::anonymous(names)))
        .start(Config::from_value(config)?)
        .await?;
    let address = node.address(Scope::Device).context("the node listens")?.to_string();
    let before = Footprint::now();

    let mut rounds = Vec::new();
    for round in 0..2 {
        let mut child = tokio::process::Command::new(std::env::current_exe()?)
            .args(["dial", "--address", "0"])
            .args(["--connections", &options.connections.to_string()])
            .args(["--seconds", &options.seconds.div_ceil(2).to_string()])
            .args(["--seed", &(options.seed + round).to_string()])
            .env("SOAK_ADDRESS", &address)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut most = 0;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status?,
                () = sleep(Duration::from_millis(100)) => most = most.max(node.stats().connections),
            }
        };
        ensure!(status.success(), "the dialling process failed");
        // What was dropped without a goodbye needs a moment to be noticed.
        quiet(&node, &before).await?;
        rounds.push((most, Footprint::now()));
    }
    let stats = node.stats();
    println!(
        "serving: {} connections came in, at most {} at a time",
        stats.incoming,
        rounds.iter().map(|(most, _)| *most).max().unwrap_or(0)
    );
    println!(
        "serving: {} calls, {} streams, {} ended with an error, {:.1} MB in, {:.1} MB out",
        stats.calls,
        stats.streams,
        stats.failures,
        stats.bytes_in as f64 / 1e6,
        stats.bytes_out as f64 / 1e6
    );
    println!("serving: before {before}");
    for (number, (_, footprint)) in rounds.iter().enumerate() {
        println!("serving: after half {} {footprint}", number + 1);
    }
    let [(_, first), (_, second)] = rounds.as_slice() else {
        anyhow::bail!("two halves")
    };
    ensure!(
        second.memory < first.memory + first.memory / 5 + 4096,
        "memory grew from the first half to the second"
    );
    node.close().await;
    println!("soak passed");
    Ok(())
}

/// Waits until nothing of the connections is left.
async fn quiet(node: &Node, before: &Footprint) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let now = Footprint::now();
        let left = node.peers().len();
        if left == 0 && now.tasks <= before.tasks && now.files <= before.files {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "20 seconds after the last client: {left} connections are left; before {before}, now {now}"
        );
        sleep(Duration::from_millis(50)).await;
    }
}

/// What a process holds.
struct Footprint {
    /// KiB that are resident.
    memory: u64,
    files: usize,
    tasks: usize,
}

impl Footprint {
    fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory = memory.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
        Self {
            memory: memory.unwrap_or(0),
            files: std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
            tasks: Handle::current().metrics().num_alive_tasks(),
        }
    }
}

impl std::fmt::Display for Footprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.1} MiB, {} files, {} tasks",
            self.memory as f64 / 1024.0,
            self.files,
            self.tasks
        )
    }
}

#[derive(Default)]
struct Done {
    opened: AtomicU64,
    calls: AtomicU64,
    streams: AtomicU64,
    dropped: AtomicU64,
    closed: AtomicU64,
    failed: AtomicU64,
}

async fn dial(options: Options) -> Result<()> {
    let address = std::env::var("SOAK_ADDRESS")?;
    let config = json!({ "global": { "connections": { "incoming": {} } } });
    let node = Stack::new(network())
        .identity(KeyPair::generate()?)
        .start(Config::from_value(config)?)
        .await?;
    let before = Footprint::now();
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let done = Arc::new(Done::default());
    let clients: Vec<_> = (0..options.connections)
        .map(|number| {
            let (node, address, done) = (node.handle().clone(), address.clone(), done.clone());
            let mut dice = Dice(options.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (number + 1));
            tokio::spawn(async move {
                let client = node.create_client(KeyPair::generate()?);
                while Instant::now() < until {
                    let peer = client.connect(address.as_str()).await?;
                    done.opened.fetch_add(1, Relaxed);
                    for _ in 0..dice.below(20) {
                        sleep(Duration::from_millis(dice.below(500))).await;
                        // Nothing here may hang, whatever it is; a minute is far more than any of it takes.
                        if timeout(Duration::from_secs(60), act(&peer, &mut dice, &done))
                            .await
                            .context("stuck")?
                            .is_err()
                        {
                            done.failed.fetch_add(1, Relaxed);
                        }
                    }
                    match dice.below(3) {
                        0 => {
                            done.closed.fetch_add(1, Relaxed);
                            timeout(Duration::from_secs(60), peer.close())
                                .await
                                .context("a close is stuck")?
                                .ok();
                        }
                        _ => {
                            done.dropped.fetch_add(1, Relaxed);
                            peer.abort("dropped at random");
                        }
                    }
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for client in clients {
        client.await??;
    }
    quiet(&node, &before).await.context("at the dialling end")?;
    let get = |counter: &AtomicU64| counter.load(Relaxed);
    println!(
        "dialling: {} opened, {} closed, {} dropped; {} calls, {} streams, {} of them failed",
        get(&done.opened),
        get(&done.closed),
        get(&done.dropped),
        get(&done.calls),
        get(&done.streams),
        get(&done.failed)
    );
    std::io::stdout().flush()?;
    ensure!(get(&done.failed) == 0, "calls failed on connections that were open");
    node.close().await;
    Ok(())
}

/// Something that an application does.
async fn act(peer: &Peer, dice: &mut Dice, done: &Done) -> Result<()> {
    let count = |counter: &AtomicU64| counter.fetch_add(1, Relaxed);
    match dice.below(8) {
        0 | 1 => {
            count(&done.calls);
            let text = "x".repeat(dice.below(5000) as usize + 1);
            let same: String = peer.call("soak.echo", (&text,)).await?;
            ensure!(same == text, "an echo differs");
        }
        2 => {
            count(&done.calls);
            let ms = dice.below(50);
            ensure!(peer.call::<u64>("soak.slow", (ms,)).await? == ms);
        }
        3 => {
            // Given up: the answer never comes.
            count(&done.calls);
            let _ = timeout(Duration::from_millis(dice.below(50)), peer.call::<()>("soak.never", ())).await;
        }
        4 => {
            count(&done.streams);
            let n = dice.below(500);
            let items: Vec<u64> = peer.source::<u64>("soak.count", (n,)).await?.try_collect().await?;
            ensure!(items.len() as u64 == n, "items are missing");
        }
        5 => {
            // Aborted in the middle.
            count(&done.streams);
            let items = peer.source::<String>("soak.forever", ()).await?;
            let taken: Vec<_> = items.take(dice.below(100) as usize).collect().await;
            drop(taken);
        }
        6 => {
            count(&done.streams);
            let mut sink = peer.sink("soak.swallow", ()).await?;
            for n in 0..dice.below(100) {
                sink.send(n).await?;
            }
            match dice.below(2) {
                0 => sink.close().await?,
                _ => drop(sink),
            }
        }
        _ => {
            count(&done.streams);
            let (mut send, mut receive) = peer.duplex::<u64>("soak.mirror", ()).await?;
            for n in 0..dice.below(20) {
                send.send(n).await?;
                ensure!(receive.try_next().await? == Some(n), "the mirror is wrong");
            }
        }
    }
    Ok(())
}
