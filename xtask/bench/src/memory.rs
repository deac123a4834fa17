//! What idle connections cost, each end in a process of its own and after one answered call: ten thousand of TCP, Box Stream
//! and muxrpc, and two thousand of nodes and of SNaP2P.

use crate::{mux, node, print, snap2p, wire};
use anyhow::{Context, Result, bail, ensure};
use handfast_keys::SecretKey;
use handfast_multiserver::{Address, Layer};
use handfast_mux::tokio::{Peer, Router, connection};
use std::net::SocketAddr;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

const CONNECTIONS: usize = 10_000;
const NODE_CONNECTIONS: usize = 2_000;
const SNAP2P_SESSIONS: usize = 2_000;

/// The argument that makes this program the far end: one process may not have as many open files as both ends need.
pub(crate) const FAR_END: &str = "far-end";
/// What the far end serves with.
const BARE: &str = "mux";
const NODE: &str = "node";
const SNAP2P: &str = "snap2p";

/// Resident memory of this process, in bytes. Buffers of the operating system are not in it; an idle socket has none.
fn resident() -> Result<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm").context("this case needs Linux")?;
    let pages = statm.split_whitespace().nth(1).context("statm has a second field")?;
    Ok(pages.parse::<usize>()? * 4096)
}

fn allow_files() -> Result<()> {
    let wanted = CONNECTIONS as u64 + 500;
    rlimit::increase_nofile_limit(wanted)?;
    let (allowed, _) = rlimit::Resource::NOFILE.get()?;
    ensure!(
        allowed >= wanted,
        "{wanted} open files are needed and {allowed} allowed; raise `ulimit -Hn`"
    );
    Ok(())
}

/// Connections of bare muxrpc.
#[tokio::main]
pub(crate) async fn run() -> Result<()> {
    let mut far = Far::start(BARE).await?;
    let address: SocketAddr = far.address.parse()?;
    let before = far.both().await?;
    let (alice, bob) = wire::identities()?;
    let mut peers = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let stream = wire::dial(address, &alice, bob.public()).await?;
        let (peer, driver) = connection(stream, Router::new());
        tokio::spawn(driver);
        greet(&peer, "hello").await?;
        peers.push(peer);
    }
    far.report("idle connection", before, CONNECTIONS).await
}

/// Connections of one node to another, each as somebody else: to one and the same a node keeps one.
#[tokio::main]
pub(crate) async fn run_node() -> Result<()> {
    let mut far = Far::start(NODE).await?;
    let (alice, _) = wire::identities()?;
    let dialler = node::dialling(alice).await?;
    let address: Address = far.address.parse()?;
    let key = address.key().context("the address has a key")?;
    let mut way = address.alternatives().first().context("the address is one")?.clone();
    let before = far.both().await?;
    let mut peers = Vec::with_capacity(NODE_CONNECTIONS);
    for number in 0..NODE_CONNECTIONS {
        let mut seed = [5; 32];
        seed[..8].copy_from_slice(&number.to_le_bytes());
        way.transforms = vec![Layer::shs_with_seed(&key, &SecretKey::from_seed(seed))];
        let peer = dialler.connect(Address::from(way.clone())).await?;
        greet(&peer, node::HELLO).await?;
        peers.push(peer);
    }
    far.report("node: idle connection", before, NODE_CONNECTIONS).await
}

/// Sessions of one SNaP2P peer with another, each after one stream that was echoed.
#[tokio::main]
pub(crate) async fn run_snap2p() -> Result<()> {
    let mut far = Far::start(SNAP2P).await?;
    let peer = snap2p::peer(1, SNAP2P_SESSIONS).await?;
    let address: SocketAddr = far.address.parse()?;
    let before = far.both().await?;
    let mut sessions = Vec::with_capacity(SNAP2P_SESSIONS);
    for _ in 0..SNAP2P_SESSIONS {
        let session = peer.dial(address).await?;
        let mut stream = session.open_stream("echo").await?;
        stream.write_all(b"hello").await?;
        stream.shutdown().await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        ensure!(answer == "hello", "wrong answer {answer}");
        sessions.push(session);
    }
    far.report("snap2p: idle session", before, SNAP2P_SESSIONS).await
}

async fn serve_snap2p() -> Result<()> {
    let peer = snap2p::peer(2, 2 * SNAP2P_SESSIONS).await?;
    println!("{}", peer.listen("127.0.0.1:0").await?);
    tokio::spawn(async move {
        while let Some((session, mut incoming)) = peer.accept().await {
            tokio::spawn(async move {
                while let Some(mut stream) = incoming.next().await {
                    let mut heard = String::new();
                    stream.read_to_string(&mut heard).await?;
                    stream.write_all(heard.as_bytes()).await?;
                    stream.shutdown().await?;
                }
                drop(session);
                anyhow::Ok(())
            });
        }
    });
    Ok(())
}

async fn greet(peer: &Peer, method: &str) -> Result<()> {
    let answer: String = peer.call(method, "world").await?;
    ensure!(answer == "hello, world", "wrong answer {answer}");
    Ok(())
}

struct Far {
    child: Child,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
    address: String,
}

impl Far {
    async fn start(with: &str) -> Result<Self> {
        allow_files()?;
        let mut child = Command::new(std::env::current_exe()?)
            .args([FAR_END, with])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let lines = BufReader::new(stdout).lines();
        let address = String::new();
        let mut far = Self { child, lines, address };
        far.address = far.line().await?;
        Ok(far)
    }

    async fn line(&mut self) -> Result<String> {
        self.lines.next_line().await?.context("the far end died")
    }

    /// Resident memory of this end and of the far one.
    async fn both(&mut self) -> Result<[usize; 2]> {
        let stdin = self.child.stdin.as_mut().context("stdin is piped")?;
        stdin.write_all(b"\n").await?;
        Ok([resident()?, self.line().await?.parse()?])
    }

    /// Prints what each connection has cost since `before`. The connections must live until here.
    async fn report(&mut self, name: &str, before: [usize; 2], connections: usize) -> Result<()> {
        let now = self.both().await?;
        let [near, far] = [0, 1].map(|end| {
            let bytes = now[end].saturating_sub(before[end]);
            bytes as f64 / connections as f64 / 1024.0
        });
        print(name, near + far, "KiB");
        print(&format!("{name}, calling end"), near, "KiB");
        print(&format!("{name}, serving end"), far, "KiB");
        Ok(())
    }
}

/// Serves, and prints its resident memory whenever a line comes.
#[tokio::main]
pub(crate) async fn far_end(with: &str) -> Result<()> {
    allow_files()?;
    // Whoever serves lives as long as this.
    let _serving = match with {
        BARE => {
            serve_bare().await?;
            None
        }
        SNAP2P => {
            serve_snap2p().await?;
            None
        }
        NODE => {
            let node = node::serving(0, 2 * NODE_CONNECTIONS).await?;
            println!("{}", node::address(&node)?);
            Some(node)
        }
        other => bail!("the far end does not serve {other}"),
    };
    tokio::task::spawn_blocking(|| {
        for line in std::io::stdin().lines() {
            line?;
            println!("{}", resident()?);
        }
        Ok(())
    })
    .await?
}

async fn serve_bare() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let api = mux::api();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let api = api.clone();
            tokio::spawn(async move {
                let (_, bob) = wire::identities()?;
                let (_, driver) = connection(wire::welcome(tcp, &bob).await?, api);
                anyhow::Ok(driver.await?)
            });
        }
    });
    Ok(())
}
