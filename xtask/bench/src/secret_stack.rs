//! Sequential calls to an unchanged secret-stack 8: over the socket of the transport `net`, and over a plain one.

use crate::{print, wire};
use anyhow::{Context, Result};
use handfast_boxstream::tokio::BoxStream;
use handfast_keys::{KeyPair, PublicKey};
use handfast_multiserver::NetSocket;
use handfast_mux::tokio::{Router, connection};
use handfast_shs::tokio::connect;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Without quick acknowledgements each call takes some 45 ms, so a few tell enough.
const CALLS_SLOW: u32 = 20;
const CALLS_QUICK: u32 = 1000;

pub(crate) fn run() -> Result<()> {
    let (alice, bob) = wire::identities()?;
    let node = Node::start(&bob)?;
    let measured = wire::one_thread()?.block_on(async {
        let tcp = TcpStream::connect(&node.place).await?;
        tcp.set_nodelay(true)?;
        let plain = calls(tcp, &alice, bob.public(), CALLS_SLOW).await?;
        let quick = NetSocket::new(TcpStream::connect(&node.place).await?)?;
        anyhow::Ok([plain, calls(quick, &alice, bob.public(), CALLS_QUICK).await?])
    });
    let [plain, quick] = measured?;
    print("calls to secret-stack", quick, "1/s");
    print("calls to secret-stack, plain socket", plain, "1/s");
    Ok(())
}

/// A running node, killed when dropped.
struct Node {
    process: Child,
    place: String,
    /// Held open: the node tells of each connection there.
    _said: Lines<BufReader<ChildStdout>>,
}

impl Node {
    /// Starts the node, and waits until it tells where it listens.
    fn start(bob: &KeyPair) -> Result<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../peers/stack-server.js");
        let seed: String = bob
            .secret()
            .expose_seed()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut process = Command::new("node")
            .args([
                script,
                "--v",
                "8",
                "--seed",
                &seed,
                "--network",
                &wire::NETWORK.to_string(),
            ])
            // The script ends when this does.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start node")?;
        let mut said = BufReader::new(process.stdout.take().context("the node has no stdout")?).lines();
        let first = said
            .next()
            .context("the node ended before it listened; run `npm ci` in xtask/peers/core")??;
        let fact: serde_json::Value = serde_json::from_str(&first)?;
        anyhow::ensure!(fact["event"] == "listening", "the node says {first}");
        Ok(Self {
            process,
            place: format!("127.0.0.1:{}", fact["port"]),
            _said: said,
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Calls one after another, each awaited; how many a second.
async fn calls<S>(mut stream: S, alice: &KeyPair, bob: &PublicKey, count: u32) -> Result<f64>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let outcome = connect(&mut stream, &wire::NETWORK, alice, bob).await?;
    let stream = BoxStream::new(stream, outcome.encrypt, outcome.decrypt);
    let (peer, driver) = connection(stream, Router::new());
    tokio::spawn(driver);
    let start = Instant::now();
    for _ in 0..count {
        let answer: String = peer.call("test.echo", ("world",)).await?;
        assert_eq!(answer, "world");
    }
    let rate = f64::from(count) / start.elapsed().as_secs_f64();
    peer.close().await?;
    Ok(rate)
}
