//! What ten thousand idle connections cost, both ends counted: TCP, Box Stream and muxrpc, after one answered call.

use crate::{mux, print, wire};
use anyhow::{Context, Result, ensure};
use handfast_mux::tokio::{Router, connection};
use std::net::SocketAddr;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

const CONNECTIONS: usize = 10_000;

/// The argument that makes this program the far end: one process may not have as many open files as both ends need.
pub(crate) const FAR_END: &str = "far-end";

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

#[tokio::main]
pub(crate) async fn run() -> Result<()> {
    allow_files()?;
    let mut far = Far::start()?;
    let address: SocketAddr = far.line().await?.parse()?;
    let before = (resident()?, far.resident().await?);
    let (alice, bob) = wire::identities()?;
    let mut peers = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let stream = wire::dial(address, &alice, bob.public()).await?;
        let (peer, driver) = connection(stream, Router::new());
        tokio::spawn(driver);
        let answer: String = peer.call("hello", "world").await?;
        ensure!(answer == "hello, world", "wrong answer {answer}");
        peers.push(peer);
    }
    let near = resident()?.saturating_sub(before.0);
    let far_end = far.resident().await?.saturating_sub(before.1);
    let per_connection = |bytes: usize| bytes as f64 / CONNECTIONS as f64 / 1024.0;
    print("idle connection", per_connection(near + far_end), "KiB");
    print("idle connection, calling end", per_connection(near), "KiB");
    print("idle connection, serving end", per_connection(far_end), "KiB");
    // The connections live until here.
    drop(peers);
    Ok(())
}

struct Far {
    child: Child,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
}

impl Far {
    fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(FAR_END)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let lines = BufReader::new(stdout).lines();
        Ok(Self { child, lines })
    }

    async fn line(&mut self) -> Result<String> {
        self.lines.next_line().await?.context("the far end died")
    }

    async fn resident(&mut self) -> Result<usize> {
        let stdin = self.child.stdin.as_mut().context("stdin is piped")?;
        stdin.write_all(b"\n").await?;
        Ok(self.line().await?.parse()?)
    }
}

/// Serves, and prints its resident memory whenever a line comes.
#[tokio::main]
pub(crate) async fn far_end() -> Result<()> {
    allow_files()?;
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
    tokio::task::spawn_blocking(|| {
        for line in std::io::stdin().lines() {
            line?;
            println!("{}", resident()?);
        }
        Ok(())
    })
    .await?
}
